"""Figures from acquired data. Pure: tables in, results out.

``analyse`` runs analyses by the names that recipes use. Nothing here knows where the data come from; the
parameters of a simulated cell are out of reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from galvanode.analysis.critical_current import critical_current_density, staircase_plot
from galvanode.analysis.model import Plot, Result, RunData
from galvanode.analysis.polarisation import polarisation, polarisation_plot, polarisation_table
from galvanode.errors import InvalidInput

__all__ = ["ANALYSES", "PLOTS", "Plot", "Result", "RunData", "analyse", "plots", "polarisation_table"]

T = TypeVar("T")

ANALYSES: dict[str, Callable[[RunData], dict[str, Result]]] = {
    "critical_current_density": critical_current_density,
    "polarisation": polarisation,
}
"""By the name that a recipe uses."""

PLOTS: dict[str, Callable[[RunData], Plot]] = {
    "critical_current_density": staircase_plot,
    "polarisation": polarisation_plot,
}


def analyse(names: Iterable[str], data: RunData) -> dict[str, Result]:
    """Run analyses and return all their results by name; of equal names the first analysis counts.

    Raises ``InvalidInput`` for an unknown name and for data that no figure can be got from.
    """
    results: dict[str, Result] = {}
    for name in names:
        for key, result in _known(name, ANALYSES)(data).items():
            results.setdefault(key, result)
    return results


def plots(names: Iterable[str], data: RunData) -> dict[str, Plot]:
    """Return the plot that belongs to each analysis. Raises as ``analyse`` does."""
    return {name: _known(name, PLOTS)(data) for name in names}


def _known(name: str, known: dict[str, Callable[[RunData], T]]) -> Callable[[RunData], T]:
    if name not in known:
        raise InvalidInput(f"there is no analysis {name!r}; expected one of {', '.join(known)}")
    return known[name]
