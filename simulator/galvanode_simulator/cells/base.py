"""What an instrument can do to a cell, whatever the cell is."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from galvanode.units import Farads, Ohms, Volts

GAS_CONSTANT = 8.31446261815324
"""J/(mol K), exact since 2019."""
FARADAY = 96485.33212331
"""C/mol, exact since 2019."""
REFERENCE_K = 298.15
"""Parameters are those at this temperature."""
_REACTANCE_HZ = 1e6


class CellParameters(BaseModel):
    """What every kind of cell has at its terminals. SI inside; a bench file writes units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    voltage_noise: Volts = Field(default=3e-6, ge=0)
    """The cell's own noise, rms."""
    lead_reactance: Ohms = Field(default=0.0, ge=0)
    """Of the inductance of cell and leads, at 1 MHz (6.3 ohm for 1 uH); only in the impedance."""
    stray_capacitance: Farads = Field(default=0.0, ge=0)
    """Parallel to the whole cell; only in the impedance: in time it is charged within a microsecond."""

    def at_terminals(self, impedance: complex, frequency_hz: float) -> complex:
        """Return an impedance with stray capacitance and inductance around it, ohm."""
        if self.stray_capacitance > 0.0:
            impedance /= 1.0 + 2j * math.pi * frequency_hz * self.stray_capacitance * impedance
        return impedance + 1j * self.lead_reactance * frequency_hz / _REACTANCE_HZ


class Cell(Protocol):
    """Two terminals. Current is positive when it charges the cell (A), voltage is at the terminals (V).

    Time passes only inside ``hold_current`` and ``hold_voltage``; all others look at the present instant and
    change nothing. For piecewise constant current the result does not depend on how an interval is split.
    """

    on_event: Callable[[str, dict[str, Any]], None] | None
    """Called with what happens inside the cell (``"short"``) and its details."""

    @property
    def voltage_noise(self) -> float:
        """The cell's own voltage noise, V rms."""
        ...

    def set_temperature(self, kelvin: float) -> None:
        """Set the temperature that the cell feels from now on."""
        ...

    def hold_current(self, amps: float, duration: float) -> None:
        """Let ``duration`` seconds pass at a constant terminal current."""
        ...

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Let time pass at a constant terminal voltage; return the seconds that passed.

        Fewer than ``duration`` when the cell itself changed (a short), so that a source can look again
        whether it can still hold the voltage.
        """
        ...

    def voltage(self, amps: float) -> float:
        """Terminal voltage now, if this current flows now."""
        ...

    def current(self, volts: float) -> float:
        """Terminal current now, if this voltage is held now."""
        ...

    def voltage_bound(self, amps: float) -> float:
        """Return a magnitude that the voltage cannot exceed while this current is held."""
        ...

    def voltage_after(self, amps: float, duration: float) -> float:
        """Terminal voltage after ``duration`` seconds at a constant current; changes nothing."""
        ...

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Small-signal impedance of the present state at a direct current, ohm; capacitive is negative.

        The same circuit that passes time: towards low frequency its real part is the slope of the
        steady voltage over the current. Raises ``ValueError`` unless ``frequency_hz`` is above 0.
        """
        ...


def angular(frequency_hz: float) -> float:
    """Return 2 pi f, rad/s. Raises ``ValueError`` for what is no frequency."""
    if not 0.0 < frequency_hz < math.inf:
        raise ValueError(f"frequency is {frequency_hz} Hz; expected a number above 0")
    return 2.0 * math.pi * frequency_hz


def arrhenius(activation_energy: float, kelvin: float) -> float:
    """Return by what factor a resistance of this energy (J/mol) differs from that at 25 degC."""
    return math.exp(activation_energy / GAS_CONSTANT * (1.0 / kelvin - 1.0 / REFERENCE_K))


def resistivity_factor(activation_energy: float, kelvin: float) -> float:
    """Return the same for a conductor with sigma T = A exp(-Ea / R T)."""
    return kelvin / REFERENCE_K * arrhenius(activation_energy, kelvin)


def constant_phase_arc(resistance: float, time_constant: float, exponent: float, omega: float) -> complex:
    """R parallel to a constant phase element, ohm: R / (1 + (j omega tau)^n)."""
    if omega * time_constant == 0.0:
        return complex(resistance)
    return resistance / (1.0 + cmath.exp(exponent * cmath.log(1j * omega * time_constant)))
