"""How far a reading may be from the truth, by range, as the data sheet has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


class RangeAccuracy(NamedTuple):
    """One range: ± (``gain`` times the reading + ``offset``)."""

    full_scale: float
    """V or A."""
    gain: float
    offset: float
    """V or A."""


@dataclass(frozen=True)
class Accuracy:
    """Ranges from the lowest to the highest, and where they are stated."""

    voltage: tuple[RangeAccuracy, ...]
    current: tuple[RangeAccuracy, ...]
    source: str
    """Data sheet and page, and what it holds for."""
    over_range: float = 1.05
    """Part of its full scale up to which a range is used."""

    def of(self, quantity: Literal["voltage", "current"], value: float) -> float:
        """Return ± V or A for a reading on the lowest range that takes it."""
        ranges = self.voltage if quantity == "voltage" else self.current
        fitting = (one for one in ranges if abs(value) <= self.over_range * one.full_scale)
        found = next(fitting, ranges[-1])
        return found.gain * abs(value) + found.offset
