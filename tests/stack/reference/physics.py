"""The cell of the reference in formulas, and what a computer can make of an instrument that holds currents."""

from __future__ import annotations

import math
from dataclasses import dataclass

TIME_TOLERANCE_S = 1e-6
SUM_TOLERANCE = 1e-9
"""Parts of what is waited for: a sum of many small pieces, or a ratio, must not miss it by a rounding."""
VOLTAGE_TOLERANCE_V = 1e-9
"""The same for a difference of two readings of seven digits."""
WORTH_SETTING = 1e-5
"""Relative change of a current below which a computer leaves it as it is."""
_LOWEST_V = 1e-3


class Unsuitable(Exception):
    """The recipe cannot be foretold: it hangs on the last digit of a sum, or goes on for too long."""


class Impossible(Exception):
    """No current does what is asked for."""


@dataclass
class Capacitor:
    """V = U + I R, C dU/dt = I, on an instrument that reads true and sends seven digits."""

    u: float = 3.0
    capacitance: float = 1.0
    resistance: float = 10.0
    source: tuple[str, float, float] = ("current", 0.0, 0.0)
    """What is held, its value, and the current limit of a voltage."""

    @property
    def current(self) -> float:
        kind, level, limit = self.source
        if kind == "current":
            return level
        amps = (level - self.u) / self.resistance
        return amps if abs(amps) <= limit else math.copysign(limit, amps)

    @property
    def reading(self) -> tuple[float, float]:
        """Voltage and current as sent."""
        kind, level, _ = self.source
        held = kind == "voltage" and abs((level - self.u) / self.resistance) <= self.source[2]
        volts = level if held else self.u + self.current * self.resistance
        return _sent(volts), _sent(self.current)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        kind, level, limit = self.source
        if kind == "voltage":
            amps = self.current
            limited = max(0.0, (abs(level - self.u) - limit * self.resistance) * self.capacitance / limit)
            if limited >= seconds:
                self.u += amps * seconds / self.capacitance
                return
            self.u += amps * limited / self.capacitance
            left = (seconds - limited) / (self.resistance * self.capacitance)
            self.u = level - (level - self.u) * math.exp(-left)
        else:
            self.u += level * seconds / self.capacitance


def _sent(number: float) -> float:
    """Seven digits, of which none is beyond the twelfth decimal."""
    return float(f"{round(number, 12):.6E}")


@dataclass
class Drive:
    """A current that a computer works out anew at every reading, from the voltage of that reading."""

    kind: str
    points: tuple[tuple[float, float], ...]

    def current(self, elapsed: float, voltage: float) -> float:
        value = [value for time, value in self.points if time <= elapsed + TIME_TOLERANCE_S][-1]
        if self.kind == "constant_resistance":
            return -voltage / value
        if self.kind == "constant_power" and value != 0:
            if voltage < _LOWEST_V:
                raise Impossible("no current makes that power")
            return value / voltage
        return value

    def next(self, elapsed: float) -> float:
        return min((time for time, _ in self.points if time > elapsed + TIME_TOLERANCE_S), default=math.inf)

    def over(self, elapsed: float) -> bool:
        return self.kind == "profile" and elapsed >= self.points[-1][0] - TIME_TOLERANCE_S
