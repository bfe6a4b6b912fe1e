"""Open-circuit potentials of cathodes vs Li+/Li, over the part of their lithium that has been taken out.

Own parametrisations, smooth and rising everywhere, of what is known of both materials. Beyond their ends they
bend over into plateaus instead of diverging, so that a cell that is charged or discharged too far stays finite.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Cathode = Literal["lfp", "lco"]


class _Step(NamedTuple):
    """A rise of ``height`` V around ``at``, e-fold within ``width``."""

    height: float
    at: float
    width: float


class _Bend(NamedTuple):
    """A slope of ``slope`` V more from ``at`` on, rounded within ``width``."""

    slope: float
    at: float
    width: float


class OpenCircuit:
    """U(x) = level + slope x + steps + bends, V; x is the part of the lithium that is out, 0 discharged."""

    def __init__(self, level: float, slope: float, steps: tuple[_Step, ...], bends: tuple[_Bend, ...]) -> None:
        self._level, self._slope, self._steps, self._bends = level, slope, steps, bends
        self.lowest = self.potential(-1.0)
        self.highest = self.potential(2.0)
        """Bounds within one capacity beyond either end, V."""

    def changed(self, step: float, bend: float) -> OpenCircuit:
        """Return the curve with another height of its third step and another slope of its last bend, V."""
        steps, bends = list(self._steps), list(self._bends)
        steps[2] = steps[2]._replace(height=step)
        bends[-1] = bends[-1]._replace(slope=bend)
        return OpenCircuit(self._level, self._slope, tuple(steps), tuple(bends))

    def potential(self, x: float) -> float:
        """Return U at x, V."""
        x = min(2.0, max(-1.0, x))
        u = self._level + self._slope * x
        for height, at, width in self._steps:
            z = (x - at) / width
            if z > 36.0:
                u += height
            elif z > -36.0:
                u += height / (1.0 + math.exp(-z))
        for slope, at, width in self._bends:
            z = (x - at) / width
            if z > 36.0:
                u += slope * (x - at)
            elif z > -36.0:
                u += slope * width * math.log1p(math.exp(z))
        return u

    def slope(self, x: float) -> float:
        """Return dU/dx at x, V."""
        if not -1.0 < x < 2.0:
            return 0.0
        du = self._slope
        for height, at, width in self._steps:
            z = (x - at) / width
            if -36.0 < z < 36.0:
                s = 1.0 / (1.0 + math.exp(-z))
                du += height / width * s * (1.0 - s)
        for slope, at, width in self._bends:
            z = max(-36.0, min(36.0, (x - at) / width))
            du += slope / (1.0 + math.exp(-z))
        return du

    def inverse(self, volts: float) -> float:
        """Return x at which U is ``volts``, within one capacity beyond either end."""
        low, high = -1.0, 2.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            if self.potential(middle) < volts:
                low = middle
            else:
                high = middle
        return 0.5 * (low + high)


CATHODES: dict[str, OpenCircuit] = {
    # LiFePO4: two phases at 3.43 V from end to end, a distribution of particles that tilts them by 15 mV,
    # solid solution at both ends.
    "lfp": OpenCircuit(
        3.4225 - 3.72,
        0.015,
        (
            _Step(3.60, -0.012, 0.006),
            _Step(0.12, 0.0, 0.03),
            _Step(0.08, 1.0, 0.03),
            _Step(2.50, 1.012, 0.006),
        ),
        (),
    ),
    # LixCoO2, x = 1 - out: two phases at 3.92 V down to x = 0.75, a slope to 4.1 V, ordering at x = 0.5, a steeper
    # slope to 4.6 V. Heights and slopes are such that row A5 and A8 of paper A come out of one curve.
    "lco": OpenCircuit(
        3.90 - 4.05,
        0.08,
        (
            _Step(3.90, -0.010, 0.006),
            _Step(0.15, 0.0, 0.02),
            _Step(0.0927, 0.505, 0.012),
            _Step(1.50, 1.05, 0.02),
        ),
        (_Bend(0.68, 0.28, 0.03), _Bend(0.6482, 0.52, 0.03)),
    ),
}
"""By the name of the cathode. LCO counts all of its lithium, 274 mAh/g."""
