"""Measured quantities, detectors and analyses that a recipe may ask for, by name.

The recipe layer imports no other, so that checking a recipe needs neither tables nor numbers. A test holds
these names against ``galvanode.analysis``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.recipe.language.values import CURRENTS, NUMBER, VOLTAGES
from galvanode.recipe.program import CYCLE_QUANTITIES, Quantity


class Measured(NamedTuple):
    """What a condition may be about."""

    quantity: Quantity
    """What the engine measures for it; per area or mass of the cell where the recipe says so."""
    dimensions: tuple[str, ...]
    """That its value may have; the first one is its own."""

    @property
    def of_cycles(self) -> bool:
        """Known when a cycle ends, and at no other time."""
        return self.quantity in CYCLE_QUANTITIES

    @property
    def is_slope(self) -> bool:
        """Told from several readings of one step: there is none between steps."""
        return self.quantity.endswith("_slope")

    @property
    def counts_up(self) -> bool:
        """Begins at 0 with the step, or the run, and only grows."""
        return self.quantity in ("time", "charge", "energy", "cycle")


MEASURED: dict[str, Measured] = {
    "voltage": Measured("voltage", VOLTAGES),
    "current": Measured("current", CURRENTS),
    "current_magnitude": Measured("current_magnitude", CURRENTS),
    "current_density": Measured("current", ("current_density",)),
    "power": Measured("power", ("power",)),
    "temperature": Measured("temperature", ("temperature",)),
    "time": Measured("time", ("time",)),
    "charge": Measured("charge", ("charge",)),
    "capacity": Measured("charge", ("charge",)),
    "areal_charge": Measured("charge", ("areal_charge",)),
    "areal_capacity": Measured("charge", ("areal_charge",)),
    "specific_charge": Measured("charge", ("specific_charge",)),
    "specific_capacity": Measured("charge", ("specific_charge",)),
    "energy": Measured("energy", ("energy",)),
    "areal_energy": Measured("energy", ("areal_energy",)),
    "specific_energy": Measured("energy", ("specific_energy",)),
    "dV/dt": Measured("voltage_slope", ("scan_rate",)),
    "voltage_slope": Measured("voltage_slope", ("scan_rate",)),
    "dI/dt": Measured("current_slope", ("current_slope",)),
    "current_slope": Measured("current_slope", ("current_slope",)),
    "dT/dt": Measured("temperature_slope", ("heating_rate",)),
    "temperature_slope": Measured("temperature_slope", ("heating_rate",)),
    "voltage_drop": Measured("voltage_drop", ("voltage",)),
    "voltage_rise": Measured("voltage_rise", ("voltage",)),
    "charge_capacity": Measured("charge_capacity", ("charge",)),
    "discharge_capacity": Measured("discharge_capacity", ("charge",)),
    "coulombic_efficiency": Measured("coulombic_efficiency", ("fraction",)),
    "retention": Measured("retention", ("fraction",)),
    "cycle": Measured("cycle", (NUMBER,)),
}
"""By the name that a recipe uses."""

CELL: dict[str, str] = {
    "area": "area",
    "thickness": "length",
    "active_mass": "mass",
    "nominal_capacity": "charge",
    "specific_capacity": "specific_charge",
    "reference_offset": "voltage",
    "temperature": "temperature",
}
"""What a cell's definition may say, ``$cell.area``, with its dimension."""


class Option(NamedTuple):
    """An option of a detector: what it is called there, its dimension, and the range that makes sense."""

    name: str
    dimension: str
    above: float = -math.inf
    """Exclusive."""
    below: float = math.inf
    """Exclusive."""
    whole: bool = False
    due: str = ""
    """The range in words."""


DETECTORS: dict[str, dict[str, Option]] = {
    "short_circuit": {
        "drop": Option("drop", "fraction", 0.0, 1.0, due="a fraction between 0 and 1, such as '50 %'"),
        "confirm": Option("confirm", NUMBER, 0, 1001, whole=True, due="a whole number from 1 to 1000"),
        "settle": Option("settle_s", "time", -1e-12, due="a time of 0 or more, such as '5 s'"),
        "hard_fraction": Option("hard_fraction", "fraction", 0.0, 1.0, due="a fraction between 0 and 1"),
        "noise": Option("noise_V", "voltage", -1e-12, due="a voltage of 0 or more, such as '0.5 mV'"),
    }
}
"""Name -> option as the recipe calls it -> option as the detector does."""

ANALYSES: tuple[str, ...] = (
    "critical_current_density",
    "polarisation",
    "impedance",
    "ionic_conductivity",
    "arrhenius",
    "interface_resistance",
    "linear_sweep",
    "rate_capability",
    "electronic_conductivity",
)
