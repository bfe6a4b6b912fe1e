"""Impedance: the circuit that a spectrum shows, with its uncertainties, and whether to believe it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from galvanode.analysis.model import Plot, Result, RunData, Series, interval, number
from galvanode.analysis.resistances import Fitted, fitted_spectra
from galvanode.analysis.spectra import ZERO_CELSIUS, some_spectra

_DRAWN = 8
"""Spectra in one plot."""

_LINE = 120
"""Points of a fitted curve."""


def impedance(data: RunData) -> dict[str, Result]:
    """Return the circuit fitted to the spectra of a run, and whether it can be believed.

    Complex non-linear least squares with modulus weights (see ``circuit_fit.fit_circuit``); before it, the
    linear Kramers-Kronig test (``kramers_kronig.kramers_kronig``). Z'' of a capacitor is negative. The
    circuit is the run's own or the smallest that describes the first spectrum. Intervals hold the noise of
    the spectrum, not the accuracy of the instrument.

    - ``spectra`` (1), how many there are; ``circuit`` of the first
    - each parameter of the first spectrum by its name, such as ``R0`` (ohm), ``CPE1_Q``, ``CPE1_n``, with its
      95 % interval; where there are several spectra, those of the last one, if it shows the same circuit, as
      ``R0_last`` and so on
    - ``fit_residual`` (%), rms of |Z - Z_fit|/|Z| of the first spectrum
    - ``fit``: "describes the spectra", or how many it does not describe
    - ``kramers_kronig``: "consistent", or what is wrong where, the worst of all spectra
    - ``kramers_kronig_residual`` (%), rms of the first spectrum

    Raises ``InvalidInput`` if there is no spectrum, and for data that are no numbers.
    """
    fitted = fitted_spectra(data)
    first, last = fitted[0], fitted[-1]
    results = {"spectra": number(float(len(fitted)), "1"), "circuit": Result(first.fit.circuit.text)}
    results.update(_parameters(first, ""))
    if len(fitted) > 1 and last.fit.circuit.text == first.fit.circuit.text:
        results.update(_parameters(last, "_last"))
    results["fit_residual"] = number(100 * _rms(first.fit.residuals), "%")
    results["fit"] = Result(_verdict(fitted))
    results["kramers_kronig"] = Result(worst_consistency(fitted))
    residuals = first.consistency.residuals
    results["kramers_kronig_residual"] = number(100 * _rms(residuals) if len(residuals) else None, "%")
    return results


def impedance_table(data: RunData) -> pa.Table:
    """Return one row per spectrum and parameter.

    ``spectrum`` (from 1), ``step_count``, ``started_h``, ``temperature_degC``, ``circuit``, ``parameter``,
    ``value``, ``low``, ``high`` (95 %), ``unit``, ``kramers_kronig``.
    """
    rows = [
        {
            "spectrum": index + 1,
            "step_count": each.spectrum.step_count,
            "started_h": each.spectrum.started_s / 3600.0,
            "temperature_degC": _celsius(each.spectrum.temperature_k),
            "circuit": each.fit.circuit.text,
            "parameter": parameter.name,
            "value": float(each.fit.values[k]),
            "low": each.fit.bounds(parameter.name)[0],
            "high": each.fit.bounds(parameter.name)[1],
            "unit": parameter.unit,
            "kramers_kronig": each.consistency.verdict,
        }
        for index, each in enumerate(fitted_spectra(data))
        for k, parameter in enumerate(each.fit.circuit.parameters)
    ]
    return pa.Table.from_pylist(rows)


def worst_consistency(fitted: Sequence[Fitted]) -> str:
    """Return what the Kramers-Kronig tests said, for people: the worst of all spectra."""
    if len(fitted) == 1:
        return fitted[0].consistency.message
    for verdict in ("violated", "outliers", "not tested"):
        bad = [each for each in fitted if each.consistency.verdict == verdict]
        if bad:
            worst = max(bad, key=lambda each: np.nan_to_num(each.consistency.systematic))
            return f"{len(bad)} of {len(fitted)} spectra, at {worst.spectrum.label}: {worst.consistency.message}"
    return "consistent"


def nyquist_plot(data: RunData) -> Plot:
    """Return -Z'' over Z' (ohm): what was measured as points, the fits as lines."""
    lines: list[Series] = []
    several = len(some_spectra(data)) > 1
    for each in drawn(fitted_spectra(data)):
        label = f", {each.spectrum.label}" if several else ""
        z, curve = each.spectrum.impedance, each.fit.circuit.impedance(_grid(each), each.fit.values)
        lines.append(_series(f"measured{label}", "ohm", z.real, -z.imag, markers=True))
        lines.append(_series(f"{each.fit.circuit.text}{label}", "ohm", curve.real, -curve.imag))
    return {
        "title": "Nyquist: -Z'' against Z'",
        "x": {"name": "Z'", "unit": "ohm", "values": lines[0].get("x", [])},
        "y": lines,
        "equal_axes": True,
    }


def bode_plot(data: RunData) -> Plot:
    """Return |Z| (ohm) and phase (degrees) over frequency, measured and fitted."""
    lines: list[Series] = []
    several = len(some_spectra(data)) > 1
    for each in drawn(fitted_spectra(data)):
        label = f", {each.spectrum.label}" if several else ""
        f, z = each.spectrum.frequency, each.spectrum.impedance
        grid = _grid(each)
        curve = each.fit.circuit.impedance(grid, each.fit.values)
        lines.append(_series(f"|Z|{label}", "ohm", f, np.abs(z), markers=True))
        lines.append(_series(f"|Z| fitted{label}", "ohm", grid, np.abs(curve)))
        lines.append(_series(f"phase{label}", "deg", f, np.angle(z, deg=True), markers=True))
        lines.append(_series(f"phase fitted{label}", "deg", grid, np.angle(curve, deg=True)))
    return {
        "title": "Bode: |Z| and phase",
        "x": {"name": "frequency", "unit": "Hz", "values": lines[0].get("x", [])},
        "y": lines,
        "log_x": True,
        "log_y": True,
    }


def drawn(fitted: Sequence[Fitted]) -> list[Fitted]:
    """Return some of many spectra, first and last among them."""
    if len(fitted) <= _DRAWN:
        return list(fitted)
    return [fitted[round(k)] for k in np.linspace(0, len(fitted) - 1, _DRAWN)]


def _parameters(each: Fitted, suffix: str) -> dict[str, Result]:
    return {
        parameter.name + suffix: interval(
            float(each.fit.values[index]), *each.fit.bounds(parameter.name), parameter.unit
        )
        for index, parameter in enumerate(each.fit.circuit.parameters)
    }


def _verdict(fitted: Sequence[Fitted]) -> str:
    bad = [each for each in fitted if not each.describes()]
    if not bad:
        return "describes the spectra" if len(fitted) > 1 else "describes the spectrum"
    worst = max(bad, key=lambda each: each.fit.systematic[0])
    size = f"systematic residuals of {100 * worst.fit.systematic[0]:.2g} % of |Z|"
    if len(fitted) == 1:
        return f"{worst.fit.circuit.text} does not describe the spectrum: {size}"
    return f"does not describe {len(bad)} of {len(fitted)} spectra: {size} at {worst.spectrum.label}"


def _rms(residuals: np.ndarray[tuple[int, ...], np.dtype[np.complex128]]) -> float:
    return float(np.sqrt(np.mean(np.abs(residuals) ** 2)))


def _celsius(kelvin: float | None) -> float | None:
    return None if kelvin is None else kelvin - ZERO_CELSIUS


def _grid(each: Fitted) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    f = each.spectrum.frequency
    return np.geomspace(f.max(), f.min(), _LINE)


def _series(
    name: str,
    unit: str,
    x: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    y: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    markers: bool = False,
) -> Series:
    found: Series = {"name": name, "unit": unit, "values": y.tolist(), "x": x.tolist()}
    if markers:
        found["markers"] = True
    return found
