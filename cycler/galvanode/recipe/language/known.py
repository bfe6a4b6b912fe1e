"""Measured quantities, detectors and analyses that a recipe may ask for, by name.

Checking a recipe needs neither tables nor numbers, so analyses and detectors are named here anew; a test holds the
names against ``galvanode.analysis``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.quantities import QUANTITIES, Auxiliary, Quantity
from galvanode.recipe.language.values import NUMBER


class Measured(NamedTuple):
    """What a condition may be about."""

    entry: Quantity
    dimensions: tuple[str, ...]
    """That its value may have; the first one is its own."""

    @property
    def quantity(self) -> str:
        """What the engine measures for it; per area or mass of the cell where the recipe says so."""
        return self.entry.name

    @property
    def of_cycles(self) -> bool:
        """Known when a cycle ends, and at no other time."""
        return self.entry.of_cycles

    @property
    def is_slope(self) -> bool:
        """Told from several readings of one step: there is none between steps."""
        return self.entry.slope_of is not None

    @property
    def counts_up(self) -> bool:
        """Begins at 0 with the step, or the run, and only grows."""
        return self.entry.counts_up


MEASURED: dict[str, Measured] = {
    word: Measured(entry, dimensions) for entry in QUANTITIES for word, dimensions in entry.words.items()
}
"""By the name that a recipe uses."""

AUXILIARY = "auxiliary."
"""What the name of an auxiliary reading begins with in a condition: ``auxiliary.t_surface``."""


def auxiliary(name: str, dimension: str) -> Measured:
    """Return what a condition about an auxiliary reading, named as there, is about. Raises ``ValueError``."""
    return Measured(Auxiliary(name.removeprefix(AUXILIARY), dimension).quantity, (dimension,))


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
