"""Physical parameters of the simulated Li | solid electrolyte | Li cell, and the presets of the papers.

SI inside; a bench file writes them with units, and may override any of them by its name.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from galvanode.units import (
    AmpsPerSquareMetre,
    CoulombsPerSquareMetre,
    FaradsPerSquareMetre,
    Fraction,
    JoulesPerMole,
    Metres,
    Ohms,
    OhmSquareMetres,
    Seconds,
    SiemensPerMetre,
    SquareMetres,
)
from galvanode_simulator.cells.base import CellParameters

_MA_PER_CM2 = 10.0
_OHM_CM2 = 1e-4
_MAH_PER_CM2 = 36_000.0
_HOUR = 3600.0


class LiSymmetricParameters(CellParameters):
    """Symmetric lithium cell. Defaults are those of ``llzto-zni2`` (Chem. Sci. 2024, 15, 7144)."""

    area: SquareMetres = Field(default=0.785e-4, gt=0)
    """Electrode area; 10 mm diameter."""
    thickness: Metres = Field(default=0.8e-3, gt=0)
    """Thickness of the electrolyte."""
    conductivity: SiemensPerMetre = Field(default=0.082, gt=0)
    """Bulk conductivity at 25 degC."""
    conductivity_activation_energy: JoulesPerMole = Field(default=36e3, ge=0, le=300e3)
    """Of sigma T."""
    bulk_capacitance: FaradsPerSquareMetre = Field(default=5e-7, gt=0)
    """Geometric; 50 pF/cm2, a relative permittivity of 45 over 0.8 mm. Only in the impedance."""
    grain_boundary_resistance: OhmSquareMetres = Field(default=0.0, ge=0)
    """At 25 degC, beside the bulk; with the bulk's activation energy."""
    grain_boundary_capacitance: FaradsPerSquareMetre = Field(default=1e-4, gt=0)
    """10 nF/cm2."""
    grain_boundary_exponent: float = Field(default=0.9, ge=0.5, le=1)

    interface_resistance: OhmSquareMetres = Field(default=10.3 * _OHM_CM2, ge=0)
    """Of one interface, at 25 degC."""
    interface_activation_energy: JoulesPerMole = Field(default=19.2e3, ge=0, le=300e3)
    interface_capacitance: FaradsPerSquareMetre = Field(default=0.02, gt=0)
    """Of one interface; 2 uF/cm2, a double layer."""
    interface_exponent: float = Field(default=1.0, ge=0.5, le=1)
    """Below 1 the interface is a depressed arc, R parallel to a constant phase element."""
    interface_growth: OhmSquareMetres = Field(default=3.2 * _OHM_CM2, ge=0)
    """What one interface gains until ``growth_charge`` has passed: dR = growth (Q/growth_charge)^exponent."""
    growth_charge: CoulombsPerSquareMetre = Field(default=20.0 * _MAH_PER_CM2, gt=0)
    """100 cycles of 0.1 mAh/cm2 each way."""
    growth_exponent: float = Field(default=0.358, gt=0, le=2)
    """From +3.2 ohm cm2 after 20 and +7.3 after 200 mAh/cm2."""

    polarisation_resistance: OhmSquareMetres = Field(default=3.8 * _OHM_CM2, ge=0)
    """Of the slow element of the whole cell, at small currents."""
    polarisation_scale: AmpsPerSquareMetre = Field(default=0.5 * _MA_PER_CM2, gt=0)
    """Current density i_s at which it bends: v = R i_s asinh(i/i_s)."""
    polarisation_time_constant: Seconds = Field(default=300.0, gt=0)

    formation_rise: OhmSquareMetres = Field(default=0.0, ge=0)
    """Rise and fall of the cell's resistance in its first hours: rise (t/t_f) exp(1 - t/t_f)."""
    formation_time: Seconds = Field(default=20.0 * _HOUR, gt=0)
    """When it is highest."""
    creep_per_hour: OhmSquareMetres = Field(default=0.0, ge=0)
    """What the cell's resistance gains each hour."""

    critical_current_density: AmpsPerSquareMetre = Field(default=2.3 * _MA_PER_CM2, gt=0)
    """The highest current density that the cell stands."""
    short: Literal["hard", "soft"] = "hard"
    """How it fails."""
    short_delay: Seconds = Field(default=30.0, gt=0)
    """Time above the critical current density until the filament is across; scattered by +-50 %."""
    short_resistance: Ohms = Field(default=1.0, gt=0)
    """Of a hard short."""
    soft_short_share: Fraction = Field(default=0.4, gt=0, lt=1)
    """Part of the current that a soft short carries in steady state."""
    soft_short_noise: Fraction = Field(default=0.02, ge=0, le=1)
    """Noise of a soft short, rms, as a part of the voltage."""
    dip_depth: Fraction = Field(default=0.4, ge=0, le=1)
    """Deepest dip of a soft short, as a part of the voltage."""
    dip_probability: Fraction = Field(default=0.3, ge=0, le=1)
    """Part of the time that a soft short spends in dips."""
    dip_interval: Seconds = Field(default=20.0, gt=0)
    """How long a dip lasts."""

    life: Seconds = Field(default=2110.0 * _HOUR, gt=0)
    """Time under a small current until the cell shorts below its critical current density."""
    life_spread: Fraction = Field(default=0.01, ge=0, lt=1)
    """Scatter of the life between cells."""
    life_scale: AmpsPerSquareMetre = Field(default=0.855 * _MA_PER_CM2, gt=0)
    """Current density that halves the life: life / (1 + (i/scale)^exponent)."""
    life_exponent: float = Field(default=2.585, gt=0, le=10)
    """From lives beyond 2000, 1600 and 800 h at 0.1, 0.5 and 1.0 mA/cm2, 5 % beyond each."""


PRESETS: dict[str, LiSymmetricParameters] = {}
"""Cells of the papers by the name that a bench file gives them."""

PRESETS["llzto-zni2"] = LiSymmetricParameters()
# Bare LLZTO: 1173.4 ohm cm2 per interface, 30.3 kJ/mol, CCD 0.15 mA/cm2, shorts after 25 h at 0.1 mA/cm2.
PRESETS["llzto-bare"] = LiSymmetricParameters().model_copy(
    update={
        "interface_resistance": 1173.4 * _OHM_CM2,
        "interface_activation_energy": 30.3e3,
        "interface_growth": 0.0,
        "polarisation_resistance": 60.0 * _OHM_CM2,
        "critical_current_density": 0.15 * _MA_PER_CM2,
        "life": 25.0 * _HOUR,
        "life_scale": 100.0 * _MA_PER_CM2,
    }
)
# I2-treated: CCD 0.5 mA/cm2. Its interface and its life are not in the paper; between the other two.
PRESETS["llzto-i2"] = LiSymmetricParameters().model_copy(
    update={
        "interface_resistance": 96.0 * _OHM_CM2,
        "interface_activation_energy": 25.0e3,
        "polarisation_resistance": 20.0 * _OHM_CM2,
        "critical_current_density": 0.5 * _MA_PER_CM2,
        "life": 300.0 * _HOUR,
        "life_scale": 100.0 * _MA_PER_CM2,
    }
)
# Thick ZnI2 layer: soft short at 1 mA/cm2, so it stands what is below. Its interface is not in the paper.
PRESETS["llzto-thick"] = LiSymmetricParameters().model_copy(
    update={
        "interface_resistance": 35.0 * _OHM_CM2,
        "polarisation_resistance": 12.0 * _OHM_CM2,
        "critical_current_density": 0.97 * _MA_PER_CM2,
        "short": "soft",
    }
)
