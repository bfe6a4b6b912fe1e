"""An analog-to-digital converter behind ranges: gain error, noise, resolution, overflow."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

OVERFLOW = 9.9e37
OVER_RANGE = 1.05
"""Each range works up to 105 % of its name."""


class Converter:
    """One measured quantity. ``resolution`` and ``noise`` are parts of full scale, ``floor`` is absolute."""

    def __init__(
        self,
        ranges: Sequence[float],
        resolution: float,
        noise: float,
        floor: float,
        gain: float,
        gauss: Callable[[], float],
    ) -> None:
        self.ranges = tuple(ranges)
        self._levels = tuple(OVER_RANGE * full for full in ranges)
        self._sigmas = tuple(noise * full + floor for full in ranges)
        self._steps = tuple(resolution * full for full in ranges)
        self._gain = gain
        self._gauss = gauss

    def range_index(self, magnitude: float) -> int:
        """Index of the lowest range that takes a magnitude; one past the last if none does."""
        return bisect_left(self._levels, magnitude)

    def digitise(
        self,
        true: float,
        fixed: int | None = None,
        lowest: int = 0,
        averaging: float = 1.0,
        noise: float = 0.0,
    ) -> float:
        """Return what is read for a true value.

        ``fixed`` is the index of a fixed range, ``lowest`` that of the lowest one autoranging may use,
        ``averaging`` scales the noise (1 at one power line cycle), ``noise`` is the signal's own, rms.
        """
        index = bisect_left(self._levels, true if true >= 0.0 else -true)
        if fixed is not None:
            if index > fixed:
                return math.copysign(OVERFLOW, true)
            index = fixed
        elif index < lowest:
            index = lowest
        elif index == len(self._levels):
            return math.copysign(OVERFLOW, true)
        step = self._steps[index]
        value = true * self._gain + (self._sigmas[index] + noise) * averaging * self._gauss()
        return round(value / step) * step


_LAST_DIGIT = 12
"""Decimals of an ideal reading: what a sum of numbers in binary leaves beyond them is no voltage."""


class IdealConverter(Converter):
    """A converter that reads true: tests that must know a reading beforehand are made with it."""

    def __init__(self, ranges: Sequence[float]) -> None:
        super().__init__(ranges, 0.0, 0.0, 0.0, 1.0, lambda: 0.0)

    def digitise(
        self,
        true: float,
        fixed: int | None = None,
        lowest: int = 0,
        averaging: float = 1.0,
        noise: float = 0.0,
    ) -> float:
        """Return the true value, or overflow beyond the range."""
        highest = len(self._levels) - 1 if fixed is None else fixed
        return round(true, _LAST_DIGIT) if abs(true) <= self._levels[highest] else math.copysign(OVERFLOW, true)
