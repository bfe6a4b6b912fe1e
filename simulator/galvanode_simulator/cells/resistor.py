"""A plain resistor, for tests of instruments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from galvanode_simulator.cells.base import angular


class ResistorCell:
    """Ohm's law and nothing else. ``resistance`` in ohm."""

    def __init__(self, resistance: float = 1000.0) -> None:
        if not resistance > 0:
            raise ValueError(f"resistance is {resistance}; expected a number above 0")
        self.resistance = resistance
        self.voltage_noise = 0.0
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None

    def set_temperature(self, kelvin: float) -> None:
        """Do nothing: the resistor does not care."""

    def hold_current(self, amps: float, duration: float) -> None:
        """Do nothing: the resistor has no memory."""

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Return ``duration``: the resistor has no memory."""
        return duration

    def voltage(self, amps: float) -> float:
        """V = R I."""
        return self.resistance * amps

    def current(self, volts: float) -> float:
        """I = V / R."""
        return volts / self.resistance

    def voltage_bound(self, amps: float) -> float:
        """|V| = R |I|."""
        return self.resistance * abs(amps)

    def voltage_after(self, amps: float, duration: float) -> float:
        """V = R I, at any time."""
        return self.resistance * amps

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Z = R, at any frequency."""
        angular(frequency_hz)
        return complex(self.resistance)
