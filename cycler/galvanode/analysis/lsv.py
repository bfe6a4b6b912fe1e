"""Linear sweep voltammetry: between which potentials an electrolyte is stable, and at which rate that was asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galvanode.analysis.model import Plot, Result, RunData, Series, interval, number
from galvanode.analysis.onset import Curve, Mark, Tangent, bounds
from galvanode.analysis.regression import line
from galvanode.analysis.sweeps import Scan, scans
from galvanode.errors import InvalidInput

THRESHOLD_UA_CM2 = 10.0
"""Convention: 5 to 10 uA/cm2."""

SUSTAINED_V = 0.05
"""So far the current must stay above the threshold: a small wave that just touches it is no onset."""

_DIRECTIONS = ((1, "oxidation"), (-1, "reduction"))

_PEAKS = 4
"""That are listed."""


@dataclass(frozen=True)
class _Found:
    """What one scan shows."""

    scan: Scan
    threshold: Mark | None
    tangent: tuple[Mark, Tangent, Tangent] | None
    peaks: list[Mark]


def linear_sweep(
    data: RunData,
    threshold_ua_cm2: float = THRESHOLD_UA_CM2,
    resistance_ohm: float | None = None,
    sustained_v: float = SUSTAINED_V,
) -> dict[str, Result]:
    """Return where oxidation and reduction begin in the sweeps of a run.

    Potentials against Li+/Li: V + reference offset - I R. R is ``resistance_ohm``, else the run's, else 0. The
    onset is arbitrary (Brandell and Mindemark, Polymer-based Solid State Batteries, ch. 3; Mery, Materials
    2021, 14, 3840), so there are two, and what they depend on is told with them. Of the rising scans the
    first that shows an oxidation counts, of the falling ones the first that shows a reduction.

    - ``oxidation_onset`` (V): |i| rises through ``threshold_ua_cm2`` and stays above it for ``sustained_v``;
      between the samples of the curve smoothed over 20 mV
    - ``oxidation_onset_tangent`` (V): the line through the steepest rise of the main wave (where the slope is at
      least 95 % of the steepest) meets the robust line through what lies before; the main wave is the first
      that is at least half as steep as the scan ever is
    - ``oxidation_is``: "reached", or up to where it was not; None without such a scan
    - ``oxidation_peak`` (V), the most prominent maximum of the current, and ``oxidation_peaks``, all of them as text
    - ``highest_oxidation_current_density`` (mA/cm2) of that scan, and the same six of ``reduction``
    - ``stability_window`` (V), oxidation less reduction onset, by threshold
    - ``scan_rate`` (mV/s), measured; ``threshold`` (uA/cm2); ``ir_correction`` (ohm)

    95 % intervals: noise (replicates of the smoothed curve with noise of the measured size), half of the
    distance between samples, and the instrument's accuracy.

    Raises ``InvalidInput`` if the run has no sweep, its area is not known or samples are no numbers.
    """
    if not 0 < threshold_ua_cm2 < np.inf:
        raise InvalidInput(f"a threshold of {threshold_ua_cm2} uA/cm2 finds no onset; expected one above 0")
    resistance = data.series_resistance_ohm if resistance_ohm is None else resistance_ohm
    everything = scans(data, resistance)
    if not everything:
        raise InvalidInput("the run has no sweep of 12 samples and 50 mV or more; its recipe needs a 'sweep' step")
    results: dict[str, Result] = {}
    onsets: dict[str, Result] = {}
    for sign, name in _DIRECTIONS:
        found = _first(everything, sign, threshold_ua_cm2, sustained_v)
        results.update(_told(found, name, data, threshold_ua_cm2))
        onsets[name] = results[f"{name}_onset"]
    results["stability_window"] = _window(onsets["oxidation"], onsets["reduction"])
    results["scan_rate"] = _scan_rate(everything[0])
    results["threshold"] = number(threshold_ua_cm2, "uA/cm2")
    results["ir_correction"] = number(resistance or 0.0, "ohm")
    return results


def sweep_plot(data: RunData) -> Plot:
    """Return current density (mA/cm2) over potential: scans as lines, onsets as points, tangents as lines."""
    everything = scans(data, data.series_resistance_ohm)
    lines: list[Series] = []
    for index, scan in enumerate(everything):
        name = "rising scan" if scan.sign > 0 else "falling scan"
        lines.append(_series(f"{name} {index + 1}", scan.potential_v.tolist(), scan.density.tolist()))
    for sign, name in _DIRECTIONS:
        found = _first(everything, sign, THRESHOLD_UA_CM2, SUSTAINED_V)
        if found is None:
            continue
        if found.threshold is not None:
            mark = found.threshold
            lines.append(_series(f"{name} onset, threshold", [mark.potential_v], [mark.density], markers=True))
        if found.tangent is not None:
            mark, rise, base = found.tangent
            lines.append(_series(f"{name} onset, tangent", [mark.potential_v], [mark.density], markers=True))
            lines.append(_tangents(found.scan, mark, rise, base, name))
        if found.peaks:
            x, y = [peak.potential_v for peak in found.peaks], [peak.density for peak in found.peaks]
            lines.append(_series(f"{name} peaks", x, y, markers=True))
    x = everything[0].potential_v.tolist() if everything else []
    return {"title": "Sweep", "x": {"name": "E vs Li+/Li", "unit": "V", "values": x}, "y": lines}


def _first(everything: list[Scan], sign: int, threshold_ua_cm2: float, sustained_v: float) -> _Found | None:
    """Return what the first scan of a direction shows that reaches the threshold; else the first scan."""
    first: _Found | None = None
    for scan in everything:
        if scan.sign != sign:
            continue
        curve = Curve(scan.potential_v, scan.density, sign)
        threshold = threshold_ua_cm2 * 1e-3
        mark = curve.threshold(threshold, sustained_v)
        if mark is not None:
            return _Found(scan, mark, curve.tangent(threshold), curve.peaks())
        first = first or _Found(scan, None, None, curve.peaks())
    return first


def _told(found: _Found | None, name: str, data: RunData, threshold_ua_cm2: float) -> dict[str, Result]:
    onset = tangent = peak = Result(None, "V")
    highest = Result(None, "mA/cm2")
    told = peaks = None
    if found is not None:
        scan = found.scan
        end = float(scan.potential_v.max() if scan.sign > 0 else scan.potential_v.min())
        onset = _marked(found.threshold, scan, data)
        tangent = _marked(None if found.tangent is None else found.tangent[0], scan, data)
        told = "reached"
        if found.threshold is None:
            told = f"not reached: |i| stayed below {threshold_ua_cm2:g} uA/cm2 or did not stay above it, to {end:.3f} V"
        peak = _marked(found.peaks[0] if found.peaks else None, scan, data)
        if found.peaks:
            peaks = ", ".join(f"{each.potential_v:.3f} V" for each in found.peaks[:_PEAKS])
        highest = number(float((scan.density * scan.sign).max()), "mA/cm2")
    return {
        f"{name}_onset": onset,
        f"{name}_onset_tangent": tangent,
        f"{name}_is": Result(told),
        f"{name}_peak": peak,
        f"{name}_peaks": Result(peaks),
        f"highest_{name}_current_density": highest,
    }


def _marked(mark: Mark | None, scan: Scan, data: RunData) -> Result:
    if mark is None or not np.isfinite(mark.potential_v):
        return Result(None, "V")
    terminal = abs(mark.potential_v - data.reference_offset_v)
    systematic = float(np.hypot(scan.interval_v / 2.0, data.accuracy.voltage * terminal))
    return interval(mark.potential_v, *bounds(mark, systematic), "V")


def _window(oxidation: Result, reduction: Result) -> Result:
    if not isinstance(oxidation.value, float) or not isinstance(reduction.value, float):
        return Result(None, "V")
    value = oxidation.value - reduction.value
    if oxidation.low is None or oxidation.high is None or reduction.low is None or reduction.high is None:
        return number(value, "V")
    width = float(np.hypot(oxidation.high - oxidation.low, reduction.high - reduction.low)) / 2.0
    return interval(value, value - width, value + width, "V")


def _scan_rate(scan: Scan) -> Result:
    fitted = line(scan.time_s - scan.time_s[0], scan.terminal_v)
    if fitted is None:
        return Result(None, "mV/s")
    rate, width = abs(fitted.slope) * 1e3, fitted.width * 1e3
    return interval(rate, rate - width, rate + width, "mV/s")


def _tangents(scan: Scan, mark: Mark, rise: Tangent, base: Tangent, name: str) -> Series:
    """Return baseline and tangent as one bent line, as far as they stay in the picture."""
    start = float(scan.potential_v[0])
    top = 0.6 * float((scan.density * scan.sign).max()) * scan.sign
    end = (top - rise.intercept) / rise.slope
    x = [start, mark.potential_v, end]
    y = [base.intercept + base.slope * start, mark.density, top]
    return _series(f"{name}: baseline and tangent", x, y)


def _series(name: str, x: list[float], y: list[float], markers: bool = False) -> Series:
    found: Series = {"name": name, "unit": "mA/cm2", "values": y, "x": x}
    if markers:
        found["markers"] = True
    return found
