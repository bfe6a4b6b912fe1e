"""Blocking electrodes | solid electrolyte | blocking electrodes: ions are stopped, electrons are not.

    ---+---[ bulk: R || C ]---[ grain boundaries: R || CPE ]---[ blocking electrodes: CPE ]---+---
       \\------------------------------- electronic leakage ------------------------------------/

The constant phase elements are ladders of RC elements (``ladder``), the same in time and in frequency. After a
step of voltage the ionic current falls as t^-n until 1/(2 pi cut-off) has passed, exponentially from there on:
with 1 mHz the electronic plateau stands free after half an hour.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import Field

from galvanode.units import (
    FaradsPerSquareMetre,
    Fraction,
    Hertz,
    JoulesPerMole,
    Metres,
    OhmSquareMetres,
    SiemensPerMetre,
    SquareMetres,
)
from galvanode_simulator.cells.base import REFERENCE_K, CellParameters, angular, resistivity_factor
from galvanode_simulator.cells.ladder import Ladder, Poles, arc, tail

_TEMPERATURE_RESOLUTION_K = 0.005
_FASTEST_HZ = 1e9
"""Where the ladder of the electrodes ends; 100 times beyond any analyser."""


class BlockingParameters(CellParameters):
    """Pellet between blocking electrodes, at 25 degC. Defaults are those of ``lzc-n15-pellet``."""

    area: SquareMetres = Field(default=0.785e-4, gt=0)
    """Electrode area; 10 mm diameter."""
    thickness: Metres = Field(default=0.8e-3, gt=0)
    """Thickness of the electrolyte."""
    conductivity: SiemensPerMetre = Field(default=0.150, gt=0)
    """Ionic, of bulk and grain boundaries together."""
    conductivity_activation_energy: JoulesPerMole = Field(default=23.54e3, ge=0, le=300e3)
    """Of sigma T."""
    grain_boundary_share: Fraction = Field(default=0.3, ge=0, lt=1)
    """Part of the ionic resistance that grain boundaries make."""
    grain_boundary_capacitance: FaradsPerSquareMetre = Field(default=3e-3, gt=0)
    """With their resistance it gives the frequency at the top of their arc, 1 / (2 pi R C)."""
    grain_boundary_exponent: float = Field(default=0.9, ge=0.5, le=1)
    grain_boundary_activation_energy: JoulesPerMole | None = Field(default=None, ge=0, le=300e3)
    """Of sigma T; as the bulk's unless given."""
    bulk_capacitance: FaradsPerSquareMetre = Field(default=1.5e-7, gt=0)
    """Geometric; 15 pF/cm2, a relative permittivity of 14 over 0.8 mm."""
    contact_resistance: OhmSquareMetres = Field(default=0.0, ge=0)
    """Of both contacts; belongs to no arc."""
    blocking_capacitance: FaradsPerSquareMetre = Field(default=0.1, gt=0)
    """Of a capacitor with the electrodes' modulus at 1 Hz; 10 uF/cm2."""
    blocking_exponent: float = Field(default=0.92, ge=0.5, le=1)
    blocking_cutoff: Hertz = Field(default=1e-3, gt=0)
    """Below it the electrodes are a plain capacitor."""
    electronic_conductivity: SiemensPerMetre = Field(default=1.99e-8, ge=0)
    electronic_activation_energy: JoulesPerMole = Field(default=50e3, ge=0, le=300e3)
    """Of sigma T."""
    spread: Fraction = Field(default=0.0, ge=0, lt=0.5)
    """Scatter of the ionic conductivity between cells, rms, by the cell's seed."""


class BlockingCell:
    """State of a pellet between blocking electrodes; exact for held current and held voltage."""

    def __init__(self, parameters: BlockingParameters, seed: int | str = 0) -> None:
        self.parameters = p = parameters
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        self.voltage_noise = p.voltage_noise
        scatter = random.Random(f"cell {seed}").gauss(0.0, 1.0)
        self.conductivity = p.conductivity * math.exp(p.spread * max(-4.0, min(4.0, scatter)))
        """This cell's own, at 25 degC, S/m."""
        self._boundaries = arc(p.grain_boundary_exponent)
        self._electrodes = tail(p.blocking_capacitance * p.area, p.blocking_exponent, p.blocking_cutoff, _FASTEST_HZ)
        self._temperature = REFERENCE_K
        self._ladder = Ladder(self._elements(), self._leakage())

    def _elements(self) -> Poles:
        p, boundaries = self.parameters, self._boundaries
        whole = p.thickness / (self.conductivity * p.area)
        bulk = (1.0 - p.grain_boundary_share) * whole
        bulk *= resistivity_factor(p.conductivity_activation_energy, self._temperature)
        energy = p.grain_boundary_activation_energy
        factor = resistivity_factor(p.conductivity_activation_energy if energy is None else energy, self._temperature)
        between = max(p.grain_boundary_share * whole * factor, 1e-12)
        return Poles(
            np.concatenate(
                ([bulk, p.contact_resistance / p.area], boundaries.resistance * between, self._electrodes.resistance)
            ),
            np.concatenate(
                (
                    [p.bulk_capacitance * p.area, 0.0],
                    boundaries.capacitance * p.grain_boundary_capacitance * p.area,
                    self._electrodes.capacitance,
                )
            ),
        )

    def _leakage(self) -> float:
        p = self.parameters
        if p.electronic_conductivity == 0.0:
            return math.inf
        factor = resistivity_factor(p.electronic_activation_energy, self._temperature)
        return factor * p.thickness / (p.electronic_conductivity * p.area)

    def set_temperature(self, kelvin: float) -> None:
        """Arrhenius factors of sigma T for ions and electrons; capacitances stay."""
        if abs(kelvin - self._temperature) < _TEMPERATURE_RESOLUTION_K:
            return
        self._temperature = kelvin
        self._ladder.set_elements(self._elements(), self._leakage())

    def hold_current(self, amps: float, duration: float) -> None:
        """Exact for any duration."""
        if duration > 0.0:
            self._ladder.hold_current(amps, duration)

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Exact for any duration."""
        if duration > 0.0:
            self._ladder.hold_voltage(volts, duration)
        return duration

    def voltage(self, amps: float) -> float:
        """What is stored, and the drop over what follows at once; the leakage takes its part."""
        return self._ladder.voltage(amps)

    def current(self, volts: float) -> float:
        """Through the ladder, plus what leaks."""
        return self._ladder.current(volts)

    def voltage_bound(self, amps: float) -> float:
        """Return what the leakage alone would need, plus what is charged now; without leakage, infinity."""
        ladder = self._ladder
        if amps == 0.0:
            return abs(ladder.stored) + float(np.abs(ladder.volts).sum())
        return abs(amps) * (ladder.leakage + ladder.series) + float(np.abs(ladder.volts).sum())

    def voltage_after(self, amps: float, duration: float) -> float:
        """Try it, look, and take it back."""
        ladder = self._ladder
        kept = (ladder.volts, ladder.stored)
        try:
            self.hold_current(amps, duration)
            return ladder.voltage(amps)
        finally:
            ladder.volts, ladder.stored = kept

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Of the linear circuit, at any current."""
        return self.parameters.at_terminals(self._ladder.impedance(angular(frequency_hz)), frequency_hz)
