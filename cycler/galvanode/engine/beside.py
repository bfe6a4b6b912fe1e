"""What a run's instruments read beside voltage and current: the auxiliary readings, by name and in the run's order."""

from __future__ import annotations

import math
from collections.abc import Mapping

from galvanode.engine.errors import Tripped
from galvanode.engine.trust import bounds, outside
from galvanode.quantities import Auxiliary
from galvanode.recipe.program import Window


class Beside:
    """The last auxiliary readings of a run; NaN is none."""

    def __init__(self, auxiliaries: tuple[Auxiliary, ...]) -> None:
        self.auxiliaries = auxiliaries
        self.known: dict[str, float] = {}
        """By name, SI: those that have been read."""
        self.values: tuple[float | None, ...] = (None,) * len(auxiliaries)
        """One for each, in their order: what a sample takes along."""

    def take(self, carried: tuple[Auxiliary, ...], readings: tuple[float, ...]) -> None:
        """Take what the instrument that carries the step has read. Raises ``Tripped`` for more or fewer than it has."""
        if len(readings) != len(carried):
            raise Tripped(f"the instrument sent {len(readings)} auxiliary readings; expected {len(carried)}")
        for auxiliary, value in zip(carried, readings, strict=True):
            if math.isfinite(value):
                self.known[auxiliary.name] = value
            else:
                self.known.pop(auxiliary.name, None)
        self.values = tuple(self.known.get(auxiliary.name) for auxiliary in self.auxiliaries)

    def fault(self, limits: Mapping[str, Window]) -> str | None:
        """Return which reading lies outside its limits, or is missing where it has some; None if all is well."""
        for name, window in limits.items():
            value = self.known.get(name, math.nan)
            low, high = bounds(window)
            if not low <= value <= high:
                unit = next((item.column.unit for item in self.auxiliaries if item.name == name), "")
                return outside(name, self._shown(name, value), unit, self._shown(name, low), self._shown(name, high))
        return None

    def shown(self) -> dict[str, float]:
        """Return those that have been read, by name, in the units of their columns."""
        return {name: self._shown(name, value) for name, value in self.known.items()}

    def _shown(self, name: str, value: float) -> float:
        column = next((item.column for item in self.auxiliaries if item.name == name), None)
        return value if column is None else column.shown(value)
