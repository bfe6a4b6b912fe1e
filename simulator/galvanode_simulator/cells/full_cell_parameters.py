"""Physical parameters of the simulated battery. SI inside; a bench file writes them with units."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from galvanode.units import (
    AmpsPerSquareMetre,
    CoulombsPerKilogram,
    FaradsPerSquareMetre,
    Fraction,
    JoulesPerMole,
    Kilograms,
    Metres,
    OhmSquareMetres,
    Seconds,
    SiemensPerMetre,
    SquareMetres,
    Volts,
)
from galvanode_simulator.cells.base import CellParameters
from galvanode_simulator.cells.open_circuit import Cathode

Rate = Annotated[float, Field(gt=0, le=1000)]
Lag = Annotated[Fraction, Field(gt=0, le=1)]

_MAH_PER_G = 3600.0


class FullCellParameters(CellParameters):
    """Battery with a lithium or lithium-indium anode, at 25 degC. Potentials of the cathode are vs Li+/Li."""

    area: SquareMetres = Field(default=0.785e-4, gt=0)
    """Electrode area; 10 mm diameter."""
    thickness: Metres = Field(default=0.8e-3, gt=0)
    """Thickness of the electrolyte."""
    conductivity: SiemensPerMetre = Field(default=0.082, gt=0)
    conductivity_activation_energy: JoulesPerMole = Field(default=36e3, ge=0, le=300e3)
    """Of sigma T."""
    interface_resistance: OhmSquareMetres = Field(default=20.6e-4, ge=0)
    """Of all interfaces together, in series with the electrolyte."""
    interface_activation_energy: JoulesPerMole = Field(default=30e3, ge=0, le=300e3)

    cathode: Cathode = "lfp"
    active_mass: Kilograms = Field(default=2e-6, gt=0)
    """Of the cathode's active material."""
    specific_capacity: CoulombsPerKilogram = Field(default=162.0 * _MAH_PER_G, gt=0)
    """Of all of the cathode's lithium that can be reached; the open-circuit curve is drawn over it."""
    rate_capacity: CoulombsPerKilogram = Field(default=170.0 * _MAH_PER_G, gt=0)
    """What 1C stands for in ``lag_rates`` and ``stress_rate``: a current that passes this in an hour."""
    anode_potential: Volts = Field(default=0.0, ge=0, le=2)
    """vs Li+/Li: 0 for lithium, 0.62 V for Li-In."""
    exchange_current_density: AmpsPerSquareMetre = Field(default=5.0, gt=0)
    """Charge transfer: RT / (F i0) is its resistance at small currents."""
    exchange_activation_energy: JoulesPerMole = Field(default=40e3, ge=0, le=300e3)
    double_layer_capacitance: FaradsPerSquareMetre = Field(default=1.0, gt=0)
    diffusion_time_constant: Seconds = Field(default=200.0, gt=0)
    """Of the slowest mode of diffusion in the particles, at small currents."""
    diffusion_activation_energy: JoulesPerMole = Field(default=35e3, ge=0, le=300e3)
    lag_rates: tuple[Rate, ...] = (1.0,)
    """C-rates, rising, at which ``lags`` are given."""
    lags: tuple[Lag, ...] = (0.05,)
    """How far the particles' surface is ahead of their mean in the steady state, as a part of the capacity: what
    this rate leaves unused at each end. Linear between the points."""

    charge_efficiency: Fraction = Field(default=0.999, gt=0, le=1)
    """Part of every charge that takes lithium out; the rest are side reactions."""
    first_charge_loss: Fraction = Field(default=0.0, ge=0, le=1)
    """Charge consumed for good when lithium is taken out for the first time, as a part of that lithium."""
    first_charge_loss_depth: Fraction = Field(default=0.0, ge=0, le=1)
    """Lithium taken out, as a part of all, beyond which that loss grows."""
    first_charge_loss_growth: Fraction = Field(default=0.0, ge=0, le=5)
    """By how much it grows from there until all of the lithium would be out, were it one whole capacity further."""
    fade_per_cycle: Fraction = Field(default=0.0, ge=0, le=0.1)
    """Part of the capacity that a full cycle (all of the lithium out and in) takes."""
    early_fade: Fraction = Field(default=0.0, ge=0, lt=1)
    """Part of the capacity that goes in the first cycles, on top."""
    early_cycles: float = Field(default=5.0, gt=0)
    """Cycles within which it goes, e-fold."""
    stress_rate: float = Field(default=math.inf, gt=0)
    """C-rate at which a cycle counts twice."""
    stress_exponent: float = Field(default=2.0, gt=0, le=10)
    stress_potential: Volts = Field(default=4.2, ge=0, le=6)
    """Potential of the cathode at which charge that passes counts twice."""
    stress_width: float = Field(default=math.inf, gt=0)
    """Lithium taken out beyond it, as a part, that makes charge count e times more; infinity for no such stress."""
    spread: Fraction = Field(default=0.0, ge=0, lt=0.5)
    """Scatter of the capacity between cells, rms, by the cell's seed."""

    @model_validator(mode="after")
    def _points(self) -> FullCellParameters:
        if len(self.lag_rates) != len(self.lags) or not self.lags:
            raise ValueError(f"lag_rates has {len(self.lag_rates)} and lags {len(self.lags)} values; expected as many")
        if list(self.lag_rates) != sorted(set(self.lag_rates)):
            raise ValueError("lag_rates do not rise")
        if list(self.lags) != sorted(set(self.lags)):
            raise ValueError("lags do not rise with the rate")
        return self
