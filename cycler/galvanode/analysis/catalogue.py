"""The analyses by the names that recipes use, the plots that belong to them, and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from galvanode.analysis.arrhenius import arrhenius, arrhenius_plot, interface_plot, interface_resistance
from galvanode.analysis.conductivity import ionic_conductivity
from galvanode.analysis.critical_current import critical_current_density, staircase_plot
from galvanode.analysis.electronic import electronic_conductivity, polarisation_steps_plot
from galvanode.analysis.impedance import bode_plot, impedance, nyquist_plot
from galvanode.analysis.lsv import linear_sweep, sweep_plot
from galvanode.analysis.model import Plot, Result, RunData
from galvanode.analysis.polarisation import polarisation, polarisation_plot
from galvanode.analysis.rate import capacity_plot, rate_capability
from galvanode.errors import InvalidInput

T = TypeVar("T")

ANALYSES: dict[str, Callable[[RunData], dict[str, Result]]] = {
    "critical_current_density": critical_current_density,
    "polarisation": polarisation,
    "impedance": impedance,
    "ionic_conductivity": ionic_conductivity,
    "arrhenius": arrhenius,
    "interface_resistance": interface_resistance,
    "linear_sweep": linear_sweep,
    "rate_capability": rate_capability,
    "electronic_conductivity": electronic_conductivity,
}
"""By the name that a recipe uses."""

PLOTS: dict[str, dict[str, Callable[[RunData], Plot]]] = {
    "critical_current_density": {"": staircase_plot},
    "polarisation": {"": polarisation_plot},
    "impedance": {"": nyquist_plot, "_bode": bode_plot},
    "ionic_conductivity": {"": nyquist_plot},
    "arrhenius": {"": arrhenius_plot},
    "interface_resistance": {"": nyquist_plot, "_arrhenius": interface_plot},
    "linear_sweep": {"": sweep_plot},
    "rate_capability": {"": capacity_plot},
    "electronic_conductivity": {"": polarisation_steps_plot},
}
"""By the name of the analysis; then by what is added to that name."""


def analyse(names: Iterable[str], data: RunData) -> dict[str, Result]:
    """Run analyses and return all their results by name; of equal names the first analysis counts.

    An analysis that no figure can be got from says why in ``<its name>_problem``, beside the results of the
    others. Raises ``InvalidInput`` for an unknown name, and with the first reason if there are no others.
    """
    results: dict[str, Result] = {}
    problems: dict[str, InvalidInput] = {}
    for name in names:
        try:
            found = _known(name, ANALYSES)(data)
        except InvalidInput as problem:
            if name not in ANALYSES:
                raise
            problems[name] = problem
            continue
        for key, result in found.items():
            results.setdefault(key, result)
    if problems and not results:
        raise next(iter(problems.values()))
    for name, problem in problems.items():
        results[f"{name}_problem"] = Result(problem.message)
    return results


def plots(names: Iterable[str], data: RunData) -> dict[str, Plot]:
    """Return the plots that belong to the analyses; one that several would draw is there once.

    What cannot be drawn is left out: ``analyse`` says why. Raises ``InvalidInput`` for an unknown name.
    """
    found: dict[str, Plot] = {}
    drawn: set[Callable[[RunData], Plot]] = set()
    for name in names:
        for suffix, draw in _known(name, PLOTS).items():
            if draw in drawn:
                continue
            drawn.add(draw)
            with suppress(InvalidInput):
                found[name + suffix] = draw(data)
    return found


def _known(name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise InvalidInput(f"there is no analysis {name!r}; expected one of {', '.join(known)}")
    return known[name]
