"""Detectors and analyses that a recipe may ask for, by name.

The recipe layer imports no other, so that checking a recipe needs neither tables nor numbers. A test holds
these names against ``galvanode.analysis``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.recipe.values import NUMBER


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
