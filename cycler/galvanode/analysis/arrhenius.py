"""Activation energies: how conductivity and interface resistance change with the temperature of the chamber."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galvanode.analysis.conductivity import (
    ELECTROLYTE,
    SAME_TEMPERATURE_K,
    Mean,
    mean_of,
    nearest,
    resistance_result,
    stable,
    thickness_cm,
    widened,
)
from galvanode.analysis.impedance import worst_consistency
from galvanode.analysis.model import Floats, Plot, Result, RunData, Series, interval, number
from galvanode.analysis.regression import Line, line
from galvanode.analysis.resistances import Fitted, Kind, fitted_spectra
from galvanode.analysis.spectra import ZERO_CELSIUS

BOLTZMANN_EV_K = 8.617333262e-5  # exact since 2019, rounded
GAS_CONSTANT = 8.31446261815324  # J/(mol K), exact since 2019

MIN_TEMPERATURES = 5
"""Fewer make no Arrhenius line (convention)."""

_TEMPERATURE_ERROR_K = 0.1
"""What cell and sensor differ by from one temperature to the next."""

_USUAL_K = 25.0 + ZERO_CELSIUS


@dataclass(frozen=True)
class Ladder:
    """Resistances over temperature."""

    kelvin: Floats
    resistance: Floats
    """ohm."""
    errors: Floats
    """Relative, of the resistances."""
    unstable: int
    """Spectra that were left out because the temperature moved."""


def arrhenius(data: RunData) -> dict[str, Result]:
    """Return the activation energy of the ionic conduction, from spectra at five temperatures or more.

    ln(sigma T) = ln(sigma_0) - Ea/(k T), sigma = L/(R A), R as in ``ionic_conductivity``; a weighted line
    through ln(sigma T) against 1/T, weights from the fits' errors and 0.1 K of temperature. Its 95 % interval
    comes from the scatter about the line (n - 2 degrees of freedom), but no less than those errors make. The
    form ln sigma = c - Ea/(k T), in use too, gives an Ea lower by about k T, 0.026 eV. A spectrum during which
    the temperature moved by more than 1 K is left out; those within 1 K of one another are one temperature.

    - ``activation_energy`` (eV) of ln(sigma T) with its 95 % interval
    - ``activation_energy_is``: what it is from, or why there is none
    - ``activation_energy_ln_sigma`` (eV), of ln sigma
    - ``conductivity_at_25_degC`` (mS/cm), of the line
    - ``temperatures`` (1), ``lowest_temperature``, ``highest_temperature`` (degC)
    - ``linearity`` (1), standard deviation of ln(sigma T) about the line
    - ``kramers_kronig``, the worst of all spectra

    Raises ``InvalidInput`` without a spectrum.
    """
    fitted = fitted_spectra(data)
    found = ladder(fitted, ELECTROLYTE)
    results = _told("ln(sigma T)", found)
    if len(found.kelvin) < MIN_TEMPERATURES:
        results["activation_energy"] = Result(None, "eV")
        return results
    with_t, plain = _line(found, 1.0), _line(found, 0.0)
    results["activation_energy"] = _energy(with_t, -BOLTZMANN_EV_K, "eV")
    results["activation_energy_ln_sigma"] = _energy(plain, -BOLTZMANN_EV_K, "eV")
    results["linearity"] = number(None if with_t is None else with_t.scatter, "1")
    if with_t is not None and data.thickness_m is not None and data.area_m2 is not None:
        y, width = with_t.at(1.0 / _USUAL_K)
        factor = 1e3 * thickness_cm(data) / data.area_cm2() / _USUAL_K
        value, low, high = (factor * float(np.exp(y + k * width)) for k in (0.0, -1.0, 1.0))
        results["conductivity_at_25_degC"] = interval(value, low, high, "mS/cm")
    results["kramers_kronig"] = Result(worst_consistency(fitted))
    return results


def interface_resistance(data: RunData) -> dict[str, Result]:
    """Return the resistance of one interface of a symmetric cell, and its activation energy.

    R_i = R_arc A/2: half of the arcs whose capacitance is that of an electrode (C/A of 1e-7 F/cm2 or more), for
    the cell has two alike. At the temperature nearest to 25 degC; Ea from ln(1/R_i) = c - Ea/(R T), weighted
    as in ``arrhenius``, five temperatures or more.

    - ``interface_resistance`` (ohm cm2) of the first spectrum, with its 95 % interval
    - ``interface_resistance_last`` and ``interface_resistance_change`` (ohm cm2), where it was measured
      more than once at that temperature
    - ``electrolyte_resistance`` (ohm), what is in series with it
    - ``interface_activation_energy`` (kJ/mol) and ``interface_activation_energy_is``
    - ``circuit``, ``kramers_kronig``

    Raises ``InvalidInput`` without a spectrum or an area.
    """
    area_cm2 = data.area_cm2()
    fitted = fitted_spectra(data)
    chosen = nearest(fitted, _USUAL_K) if any(each.spectrum.temperature_k for each in fitted) else list(fitted)
    first, last = (mean_of([each], ("interface",)) for each in (chosen[0], chosen[-1]))
    results = {"interface_resistance": _areal(first, data)}
    if len(chosen) > 1 and first is not None and last is not None:
        results["interface_resistance_last"] = _areal(last, data)
        change = (last.value - first.value) * area_cm2 / 2.0
        width = float(np.hypot(first.high - first.low, last.high - last.low)) * area_cm2 / 4.0
        results["interface_resistance_change"] = interval(change, change - width, change + width, "ohm cm2")
    electrolyte = mean_of([chosen[0]], ELECTROLYTE)
    results["electrolyte_resistance"] = resistance_result(electrolyte, data)
    found = ladder(fitted, ("interface",))
    enough = len(found.kelvin) >= MIN_TEMPERATURES
    energy = _energy(_line(found, 0.0), -GAS_CONSTANT / 1e3, "kJ/mol") if enough else Result(None, "kJ/mol")
    results["interface_activation_energy"] = energy
    results["interface_activation_energy_is"] = _told("ln(1/R)", found)["activation_energy_is"]
    results["circuit"] = Result(chosen[0].fit.circuit.text)
    results["kramers_kronig"] = Result(worst_consistency(fitted))
    return results


def ladder(fitted: Sequence[Fitted], kinds: tuple[Kind, ...]) -> Ladder:
    """Return the sum of the resistances of some kinds at each temperature, the coldest first."""
    usable = [each for each in stable(fitted) if each.spectrum.temperature_k is not None]
    groups: list[list[Fitted]] = []
    for each in sorted(usable, key=_kelvin):
        if groups and _kelvin(each) - _kelvin(groups[-1][0]) <= SAME_TEMPERATURE_K:
            groups[-1].append(each)
        else:
            groups.append([each])
    rows: list[tuple[float, float, float]] = []
    for group in groups:
        mean = mean_of(group, kinds)
        if mean is not None and np.isfinite(mean.relative_error) and mean.value > 0:
            rows.append((float(np.mean([_kelvin(each) for each in group])), mean.value, mean.relative_error))
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 3).T
    return Ladder(columns[0], columns[1], columns[2], len(fitted) - len(stable(fitted)))


def arrhenius_plot(data: RunData) -> Plot:
    """Return ln(sigma T) (S K/cm) over 1000/T with its line; ln(T/R) where length or area are unknown."""
    known = data.area_m2 is not None and data.thickness_m is not None
    offset = float(np.log(thickness_cm(data) / data.area_cm2())) if known else 0.0
    found = ladder(fitted_spectra(data), ELECTROLYTE)
    name = "ln(σT / (S K/cm))" if known else "ln(T/R / (K/ohm))"
    return _plot("Arrhenius: ionic conductivity", found, 1.0, offset, name)


def interface_plot(data: RunData) -> Plot:
    """Return ln(1/R_i) (ohm cm2) over 1000/T with its line."""
    found = ladder(fitted_spectra(data), ("interface",))
    offset = -float(np.log(data.area_cm2() / 2.0))
    return _plot("Arrhenius: interface resistance", found, 0.0, offset, "ln(1/R / (1/(ohm cm2)))")


def _plot(title: str, found: Ladder, power: float, offset: float, name: str) -> Plot:
    x = 1e3 / found.kelvin
    lines: list[Series] = [
        {
            "name": "measured",
            "unit": name,
            "values": (_ordinate(found, power) + offset).tolist(),
            "x": x.tolist(),
            "markers": True,
        }
    ]
    fitted = _line(found, power)
    if fitted is not None:
        ends = np.array([x.min(), x.max()])
        values = (fitted.intercept + fitted.slope * ends / 1e3 + offset).tolist()
        lines.append({"name": "line", "unit": name, "values": values, "x": ends.tolist()})
    return {"title": title, "x": {"name": "1000/T", "unit": "1/K", "values": x.tolist()}, "y": lines}


def _kelvin(each: Fitted) -> float:
    return each.spectrum.temperature_k or 0.0


def _ordinate(found: Ladder, power: float) -> Floats:
    """Return ln(T^power/R)."""
    return power * np.log(found.kelvin) - np.log(found.resistance)


def _line(found: Ladder, power: float) -> Line | None:
    """Return the line through ln(T^power/R) against 1/T."""
    if len(found.kelvin) < 2:
        return None
    x, y = 1.0 / found.kelvin, _ordinate(found, power)
    guess = line(x, y)
    slope = 0.0 if guess is None else guess.slope
    errors = np.hypot(found.errors, slope * x * x * _TEMPERATURE_ERROR_K)
    return line(x, y, np.maximum(errors, 1e-9), at_least=True)


def _energy(fitted: Line | None, factor: float, unit: str) -> Result:
    if fitted is None:
        return Result(None, unit)
    energy, width = factor * fitted.slope, abs(factor) * fitted.width
    return interval(energy, energy - width, energy + width, unit)


def _areal(resistance: Mean | None, data: RunData) -> Result:
    if resistance is None:
        return Result(None, "ohm cm2")
    half = data.area_cm2() / 2.0
    low, high = widened(resistance, data)
    return interval(resistance.value * half, low * half, high * half, "ohm cm2")


def _told(form: str, found: Ladder) -> dict[str, Result]:
    count = len(found.kelvin)
    moved = f"; {found.unstable} spectra left out: the temperature moved" if found.unstable else ""
    celsius = found.kelvin - ZERO_CELSIUS
    if count < MIN_TEMPERATURES:
        told = f"not known: {MIN_TEMPERATURES} temperatures or more are needed, there are {count}{moved}"
    else:
        told = f"{form} against 1/T, {count} temperatures from {celsius[0]:.0f} to {celsius[-1]:.0f} °C{moved}"
    return {
        "activation_energy_is": Result(told),
        "temperatures": number(float(count), "1"),
        "lowest_temperature": number(float(celsius[0]) if count else None, "degC"),
        "highest_temperature": number(float(celsius[-1]) if count else None, "degC"),
    }
