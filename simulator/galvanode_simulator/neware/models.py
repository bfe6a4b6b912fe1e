"""Units of the CT-4000 series: what their channels reach and how true they are.

After the makers' data sheets of the 5 V class: accuracy 0.05 % of the range for voltage and current, the current in one
range (6 A) or in several (50 mA), data ten times a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

ModelName = Literal["5v6a", "5v50ma"]

TICK_S = 0.1
"""A channel looks at its cell ten times a second; its own time has no finer grain."""
_SCATTER = 1e-4
"""Calibration of gain and offset scatters (1 sigma) by this part of a range, a fifth of what the data sheet allows."""
_NOISE = 4e-6
"""rms of one measurement, as a part of the range."""
_RESOLUTION = 1.0 / 2**22


@dataclass(frozen=True)
class Model:
    """One kind of unit."""

    name: str
    """As people say it."""
    voltage: tuple[float, float]
    """V that a channel can have at its terminals while it drives."""
    current_ranges: tuple[float, ...]
    """A, lowest first."""
    voltage_range: float = 5.0
    """V of full scale."""

    @property
    def current(self) -> float:
        """A of either sign that it drives at most."""
        return self.current_ranges[-1]


MODELS: dict[ModelName, Model] = {
    "5v6a": Model("CT-4008T-5V6A", (0.025, 5.0), (6.0,)),
    "5v50ma": Model("CT-4008T-5V50mA", (-5.0, 5.0), (1e-4, 1e-3, 1e-2, 5e-2)),
}


class Meter:
    """Measures one quantity in ranges, each with a gain, an offset and noise of its own."""

    def __init__(
        self,
        ranges: tuple[float, ...],
        calibration: Callable[[], float],
        gauss: Callable[[], float],
        *,
        ideal: bool = False,
    ) -> None:
        """``calibration`` and ``gauss`` draw from a normal distribution; an ideal one measures true."""
        self._ranges = ranges
        self._ideal = ideal
        if ideal:
            calibration = gauss = _zero
        self._gains = [1.0 + _SCATTER * calibration() for _ in ranges]
        self._offsets = [_SCATTER * full * calibration() for full in ranges]
        self._gauss = gauss

    def range_of(self, magnitude: float) -> int:
        """Index of the lowest range that takes a magnitude; the highest if none does."""
        return min(bisect_left(self._ranges, magnitude), len(self._ranges) - 1)

    def seen(self, true: float, index: int) -> float:
        """What is measured on average."""
        return self._gains[index] * true + self._offsets[index]

    def true_for(self, seen: float, index: int) -> float:
        """Where the control brings the cell to see this: it goes by what it measures."""
        return (seen - self._offsets[index]) / self._gains[index]

    def read(self, true: float, index: int, noise: float = 0.0) -> float:
        """Measure once; ``noise`` is the signal's own, rms."""
        if self._ideal:
            return true
        full = self._ranges[index]
        value = self.seen(true, index) + (_NOISE * full + noise) * self._gauss()
        step = _RESOLUTION * full
        return round(value / step) * step


def _zero() -> float:
    return 0.0
