"""An ideal capacitor behind a resistor, for tests that must know every reading beforehand: V = U + I R, C dU/dt = I."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pydantic import Field

from galvanode.units import Farads, Ohms, Volts
from galvanode_simulator.cells.base import CellParameters, angular


class CapacitorParameters(CellParameters):
    """Capacitor and series resistor; it makes no noise of its own unless told to."""

    voltage_noise: Volts = Field(default=0.0, ge=0)
    capacitance: Farads = Field(default=1.0, gt=0)
    resistance: Ohms = Field(default=10.0, gt=0)
    """In series. Above 0: held at a voltage, an ideal capacitor would take an infinite current."""
    voltage: Volts = 3.0
    """Across the capacitor in the beginning."""


class CapacitorCell:
    """Capacitor and series resistor. No leakage: at open circuit its voltage stands still."""

    def __init__(self, parameters: CapacitorParameters) -> None:
        self.parameters = parameters
        self.voltage_noise = parameters.voltage_noise
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.u = parameters.voltage
        """Voltage across the capacitor, V."""

    def set_temperature(self, kelvin: float) -> None:
        """Do nothing: the capacitor does not care."""

    def hold_current(self, amps: float, duration: float) -> None:
        """U rises by I t / C."""
        self.u += amps * duration / self.parameters.capacitance

    def hold_voltage(self, volts: float, duration: float) -> float:
        """U comes to the voltage held with the time constant R C."""
        p = self.parameters
        self.u = volts - (volts - self.u) * math.exp(-duration / (p.resistance * p.capacitance))
        return duration

    def voltage(self, amps: float) -> float:
        """V = U + I R."""
        return self.u + amps * self.parameters.resistance

    def current(self, volts: float) -> float:
        """I = (V - U) / R."""
        return (volts - self.u) / self.parameters.resistance

    def voltage_bound(self, amps: float) -> float:
        """Without a current nothing changes; with one there is no bound."""
        return abs(self.u) if amps == 0.0 else math.inf

    def voltage_after(self, amps: float, duration: float) -> float:
        """V = U + I t / C + I R."""
        return self.u + amps * duration / self.parameters.capacitance + amps * self.parameters.resistance

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Z = R + 1 / (j omega C)."""
        p = self.parameters
        return p.at_terminals(p.resistance + 1.0 / (1j * angular(frequency_hz) * p.capacitance), frequency_hz)
