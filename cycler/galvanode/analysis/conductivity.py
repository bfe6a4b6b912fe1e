"""Ionic conductivity of an electrolyte between blocking electrodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galvanode.analysis.circuit_fit import student
from galvanode.analysis.impedance import worst_consistency
from galvanode.analysis.model import Result, RunData, interval, number
from galvanode.analysis.resistances import Fitted, Kind, fitted_spectra
from galvanode.analysis.spectra import ZERO_CELSIUS
from galvanode.errors import InvalidInput

_USUAL_K = 25.0 + ZERO_CELSIUS
"""Conductivities are told at 25 degC (convention)."""

SAME_TEMPERATURE_K = 1.0
"""Spectra closer than this are of one temperature."""

STABLE_K = 1.0
"""A temperature that moved by more while a spectrum was measured was not yet stable."""

ELECTROLYTE: tuple[Kind, ...] = ("series", "bulk", "grain boundary")


@dataclass(frozen=True)
class Mean:
    """A resistance, or a sum of them, from one spectrum or several."""

    value: float
    """ohm."""
    relative_error: float
    low: float
    high: float


def ionic_conductivity(data: RunData) -> dict[str, Result]:
    """Return the ionic conductivity of the electrolyte: sigma = L/(R A).

    L thickness and A area from the cell's definition. R from the fit (see ``impedance``): the resistance in
    series and all arcs but the electrodes'; between electrodes that do not block, arcs of 1e-7 F/cm2 or more
    are theirs (Irvine, Sinclair and West, Adv. Mater. 1990, 2, 132). Of the temperatures of the run the one
    nearest to 25 degC counts; spectra at one temperature are averaged. The interval holds the fit's errors
    and the instrument's accuracy, not that of L and A, which is 1 to 5 % in most laboratories.

    - ``ionic_conductivity`` (mS/cm) with its 95 % interval
    - ``ionic_conductivity_is``: "bulk", "bulk + grain boundary" or, where no arc tells them apart, "bulk +
      grain boundary, not told apart"
    - ``bulk_conductivity`` (mS/cm) and ``grain_boundary_resistance`` (ohm), where they are told apart
    - ``electrolyte_resistance`` (ohm)
    - ``temperature`` (degC) of it, None if it was not recorded
    - ``circuit``, ``kramers_kronig`` (of the spectra used)

    Raises ``InvalidInput`` without a spectrum, an area or a thickness.
    """
    factor = 1e3 * thickness_cm(data) / data.area_cm2()
    chosen = nearest(fitted_spectra(data), _USUAL_K)
    names = chosen[0].names(*ELECTROLYTE)
    total = mean_of(chosen, ELECTROLYTE)
    bulk = [r for r in chosen[0].resistances if r.kind == "bulk" and r.name in names]
    boundary = [r for r in chosen[0].resistances if r.kind == "grain boundary" and r.name in names]
    series = [r for r in chosen[0].resistances if r.kind == "series" and r.name in names]
    told_apart = bool(boundary) and bool(bulk or series)
    if told_apart:
        what = "bulk + grain boundary"
    elif bulk and not boundary:
        what = "bulk"
    else:
        what = "bulk + grain boundary, not told apart"
    kelvin = chosen[0].spectrum.temperature_k
    results = {
        "ionic_conductivity": _conductivity(total, data, factor),
        "ionic_conductivity_is": Result(what if total is not None else None),
        "electrolyte_resistance": resistance_result(total, data),
        "temperature": number(None if kelvin is None else kelvin - ZERO_CELSIUS, "degC"),
    }
    if told_apart:
        grain = mean_of(chosen, ("series", "bulk"))
        between = mean_of(chosen, ("grain boundary",))
        results["bulk_conductivity"] = _conductivity(grain, data, factor)
        if between is not None:
            results["grain_boundary_resistance"] = resistance_result(between, data)
    results["circuit"] = Result(chosen[0].fit.circuit.text)
    results["kramers_kronig"] = Result(worst_consistency(chosen))
    return results


def thickness_cm(data: RunData) -> float:
    """Return the thickness of the electrolyte; raise ``InvalidInput`` if it is not known."""
    if data.thickness_m is None or not 0 < data.thickness_m < np.inf:
        raise InvalidInput(
            f"the cell's electrolyte_thickness is {'unknown' if data.thickness_m is None else data.thickness_m}; "
            "expected one above 0, for conductivities"
        )
    return data.thickness_m * 100.0


def nearest(fitted: Sequence[Fitted], kelvin: float) -> list[Fitted]:
    """Return the spectra at the temperature nearest to ``kelvin``; the first one where none is known."""
    known = [(each.spectrum.temperature_k, each) for each in stable(fitted) if each.spectrum.temperature_k is not None]
    if not known:
        return [fitted[0]]
    there = min((of for of, _ in known), key=lambda of: abs(of - kelvin))
    return [each for of, each in known if abs(of - there) <= SAME_TEMPERATURE_K]


def stable(fitted: Sequence[Fitted]) -> list[Fitted]:
    """Return the spectra whose temperature kept within 1 K."""
    return [each for each in fitted if each.spectrum.temperature_span_k <= STABLE_K]


def mean_of(fitted: Sequence[Fitted], kinds: tuple[Kind, ...]) -> Mean | None:
    """Return the sum of the resistances of some kinds, averaged over spectra; None if there are none.

    The mean of the logarithms, weighted with the fits' variances; their scatter widens the interval.
    """
    found: list[tuple[float, float, float, float]] = []
    for each in fitted:
        names = each.names(*kinds)
        if names:
            found.append(each.sum_with_interval(names))
    if not found:
        return None
    if len(found) == 1:
        value, error, low, high = found[0]
        return Mean(value, error, low, high)
    logs = np.log([value for value, *_ in found])
    errors = np.array([max(error, 1e-6) for _, error, *_ in found])
    if not np.isfinite(errors).all():
        errors = np.ones(len(found))
    weights = 1.0 / errors**2
    weights /= weights.sum()
    mean = float((weights * logs).sum())
    scatter = float((weights * (logs - mean) ** 2).sum()) / (len(found) - 1)
    error = float(np.sqrt(max(scatter, 1.0 / float((1.0 / errors**2).sum()))))
    width = student(len(found) - 1) * error
    return Mean(float(np.exp(mean)), error, float(np.exp(mean - width)), float(np.exp(mean + width)))


def resistance_result(resistance: Mean | None, data: RunData) -> Result:
    """Return a resistance in ohm; the interval holds the instrument's accuracy too."""
    if resistance is None:
        return Result(None, "ohm")
    low, high = widened(resistance, data)
    return interval(resistance.value, low, high, "ohm")


def widened(resistance: Mean, data: RunData) -> tuple[float, float]:
    """Return the 95 % interval of a resistance with the instrument's accuracy, which adds in squares."""
    if not (resistance.low > 0 and resistance.high < np.inf):
        return resistance.low, resistance.high
    accuracy = data.accuracy.impedance
    down, up = (float(np.hypot(np.log(resistance.value / end), accuracy)) for end in (resistance.low, resistance.high))
    return resistance.value * float(np.exp(-down)), resistance.value * float(np.exp(up))


def _conductivity(resistance: Mean | None, data: RunData, factor: float) -> Result:
    if resistance is None or resistance.value <= 0:
        return Result(None, "mS/cm")
    low, high = widened(resistance, data)
    return interval(factor / resistance.value, factor / high, factor / low if low > 0 else np.inf, "mS/cm")
