"""Electronic conductivity of an electrolyte, from direct current between blocking electrodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from galvanode.analysis.conductivity import thickness_cm
from galvanode.analysis.model import (
    CURRENT,
    STEP,
    TEST_TIME,
    VOLTAGE,
    Floats,
    Plot,
    Result,
    RunData,
    Series,
    interval,
    number,
)
from galvanode.analysis.regression import line
from galvanode.errors import InvalidInput

MIN_SAMPLES = 20

_TAILS = (0.5, 0.6, 0.7)
"""The fit begins after this part of a step's time: later, where an earlier beginning leaves a trend."""

_TIME_CONSTANTS = 60
"""That are tried, evenly on a logarithmic scale."""

_REACHED = 0.05
"""Of the plateau: what may still be to decay when the step ends."""

_STEADY_V = 0.01
"""A hold whose voltage moved by more, and by more than 2 %, was not held."""

_NORMAL = 1.96

_NOT_LINEAR = 0.05
"""Of the largest current: deviations below are called linear whatever the noise."""


@dataclass(frozen=True)
class Plateau:
    """One voltage and the current that it ends in."""

    voltage: float
    """V, mean over the tail."""
    current: float
    """A, when all has decayed."""
    error: float
    """Standard error, A."""
    left: float
    """A, what is still to decay when the step ends."""
    time_constant_s: float | None
    """Of the decay; None if there is none to be seen."""
    time_s: Floats
    """Since the step began."""
    currents: Floats
    begins_s: float
    """Where the fit begins."""
    decaying: float
    """A, at ``begins_s``."""


def electronic_conductivity(data: RunData) -> dict[str, Result]:
    """Return the electronic conductivity: sigma_e = G L/A, G the slope of steady current over voltage.

    The ions stop at blocking electrodes, the electrons go on (Hebb-Wagner polarisation; Hebb, J. Chem. Phys. 1952,
    20, 185). The steady current of each voltage step is what its tail decays to, I_ss + B exp(-t/tau), fitted
    by least squares to the last half of the step, or less where that leaves a trend. One voltage: G = I_ss/U;
    several: the slope of the weighted line, free of the instrument's offset. 95 % interval: errors of the
    fits, or the scatter about the line if that is larger, half of what was still to decay, what the
    choice of the tail makes, the accuracy of the instrument.

    - ``electronic_conductivity`` (S/cm)
    - ``electronic_conductivity_is``: "slope over n voltages" or "current over one voltage"
    - ``plateau``: "reached", or at which voltage it was not
    - ``linearity``: "linear", or by how much the currents leave the line; None with fewer than 3 voltages
    - ``offset_current`` (nA), of the line; ``voltages`` (1)

    Raises ``InvalidInput`` if the run has no voltage step of 20 samples or more, samples are no numbers, or area
    or thickness are not known.
    """
    factor = thickness_cm(data) / data.area_cm2()
    found = plateaus(data)
    nonzero = [each for each in found if abs(each.voltage) > 1e-3]
    if not nonzero:
        raise InvalidInput(
            f"the run has no voltage step, other than of 0 V, of {MIN_SAMPLES} samples or more; "
            "its recipe needs a 'constant_voltage'"
        )
    conductance, error, offset, linear = _slope(found)
    relative = data.accuracy.impedance
    width = float(np.hypot(_NORMAL * error, relative * conductance)) * factor
    distinct = len(_distinct(found))
    return {
        "electronic_conductivity": interval(
            conductance * factor, conductance * factor - width, conductance * factor + width, "S/cm"
        ),
        "electronic_conductivity_is": Result(
            f"slope over {distinct} voltages" if distinct > 1 else "current over one voltage"
        ),
        "plateau": Result(_reached(nonzero)),
        "linearity": Result(linear),
        "offset_current": number(None if offset is None else offset * 1e9, "nA"),
        "voltages": number(float(distinct), "1"),
    }


def plateaus(data: RunData) -> list[Plateau]:
    """Return the steady current of each voltage step (mode ``voltage``) of a run."""
    return data.once("plateaus", lambda: _found(data))


def polarisation_steps_plot(data: RunData) -> Plot:
    """Return the current (nA) over the time of each voltage step, with the decay fitted to it."""
    lines: list[Series] = []
    for each in plateaus(data):
        name = f"{each.voltage:.3g} V"
        lines.append({"name": name, "unit": "nA", "values": (each.currents * 1e9).tolist(), "x": each.time_s.tolist()})
        x = np.linspace(each.begins_s, float(each.time_s[-1]), 50)
        decay = np.zeros(50)
        if each.time_constant_s is not None:
            decay = each.decaying * np.exp(-(x - each.begins_s) / each.time_constant_s)
        lines.append(
            {"name": f"{name}, fit", "unit": "nA", "values": ((each.current + decay) * 1e9).tolist(), "x": x.tolist()}
        )
    x = lines[0].get("x", []) if lines else []
    return {
        "title": "Direct current to its plateau",
        "x": {"name": "time", "unit": "s", "values": x},
        "y": lines,
    }


def _found(data: RunData) -> list[Plateau]:
    time, voltage, current = data.column(TEST_TIME), data.column(VOLTAGE), data.column(CURRENT)
    step = data.column(STEP).astype(np.int64)
    began: dict[int, float] = {}
    for row in data.steps.to_pylist():
        if row.get("mode") == "voltage":
            began[row["step_count"]] = max(row["started_test_time_s"], began.get(row["step_count"], -np.inf))
    found: list[Plateau] = []
    for count, started in sorted(began.items()):
        rows = np.flatnonzero((step == count) & (time >= started - 1e-9))
        if len(rows) < MIN_SAMPLES:
            continue
        volts = voltage[rows[len(rows) // 2 :]]
        if np.ptp(volts) > max(_STEADY_V, 0.02 * abs(float(volts.mean()))):
            continue
        found.append(_plateau(time[rows] - started, current[rows], float(volts.mean())))
    return found


def _plateau(time: Floats, current: Floats, voltage: float) -> Plateau:
    tails = [float(time[0] + part * (time[-1] - time[0])) for part in _TAILS]
    fits = [_decay(time[time >= begins] - begins, current[time >= begins]) for begins in tails]
    white = [fit.ratio > 2.0 - 4.0 / np.sqrt(float((time >= at).sum())) for fit, at in zip(fits, tails, strict=True)]
    chosen = white.index(True) if True in white else len(fits) - 1
    found, begins = fits[chosen], tails[chosen]
    # What another beginning would have made of it: a decay is seldom one exponential.
    model = abs(fits[0].steady - fits[-1].steady)
    left = 0.0
    if found.time_constant_s is not None:
        left = found.decaying * float(np.exp(-(time[-1] - begins) / found.time_constant_s))
    return Plateau(
        voltage,
        found.steady,
        float(np.sqrt(found.error**2 + (left / 2.0) ** 2 + model**2)),
        left,
        found.time_constant_s,
        time,
        current,
        begins,
        found.decaying,
    )


class _Decay(NamedTuple):
    """I = steady + decaying exp(-t/tau)."""

    steady: float
    error: float
    time_constant_s: float | None
    decaying: float
    ratio: float
    """Von Neumann's, of the residuals: 2 for white ones."""


def _decay(time: Floats, current: Floats) -> _Decay:
    """Fit a decay to a plateau; a plateau alone where a decay does not better describe it."""
    n = len(time)
    mean = float(current.mean())
    flat = current - mean
    squares = float(flat @ flat)
    constants = np.geomspace(max(3.0 * time[-1] / n, 1e-9), 5.0 * time[-1], _TIME_CONSTANTS)
    shapes = np.exp(-time[None, :] / constants[:, None])
    away = shapes - shapes.mean(axis=1, keepdims=True)
    gains = away @ flat
    left = squares - gains**2 / np.maximum((away * away).sum(axis=1), 1e-300)
    best = int(np.argmin(left))
    # Schwarz's criterion for two more parameters, with a margin.
    if squares == 0 or n * float(np.log(squares / max(float(left[best]), 1e-300))) < 2.0 * float(np.log(n)) + 6.0:
        ratio = _ratio(flat)
        return _Decay(mean, float(np.sqrt(squares / max(n - 1, 1) / n * _inflation(ratio, n))), None, 0.0, ratio)
    tau, shape = float(constants[best]), shapes[best]
    decaying = float(gains[best] / (away[best] @ away[best]))
    matrix = np.stack([np.ones(n), shape, decaying * time / tau * shape], axis=1)
    x = np.linalg.lstsq(matrix[:, :2], current, rcond=None)[0]
    residuals = current - matrix[:, :2] @ x
    ratio = _ratio(residuals)
    variance = float(residuals @ residuals) / max(n - 3, 1) * _inflation(ratio, n)
    scale = np.sqrt((matrix * matrix).sum(axis=0))
    inverse = np.linalg.pinv((matrix / scale).T @ (matrix / scale), rcond=1e-12)
    error = float(np.sqrt(variance * inverse[0, 0])) / float(scale[0])
    return _Decay(float(x[0]), error, tau, float(x[1]), ratio)


def _ratio(residuals: Floats) -> float:
    squares = float(residuals @ residuals)
    steps = np.diff(residuals)
    return float(steps @ steps) / squares if squares > 0 else 2.0


def _inflation(ratio: float, n: int) -> float:
    """Return how many times larger variances are because residuals follow one another (see ``circuit_fit``)."""
    if ratio > 2.0 - 2.0 / np.sqrt(n):
        return 1.0
    return min((4.0 - ratio) / max(ratio, 1e-3), float(n))


def _distinct(found: list[Plateau]) -> list[float]:
    voltages: list[float] = []
    for each in sorted(found, key=lambda plateau: plateau.voltage):
        if not voltages or abs(each.voltage - voltages[-1]) > max(1e-3, 0.01 * abs(each.voltage)):
            voltages.append(each.voltage)
    return voltages


def _slope(found: list[Plateau]) -> tuple[float, float, float | None, str | None]:
    """Return conductance and its standard error (S), the offset (A) and what to say of the linearity."""
    if len(_distinct(found)) == 1:
        weights = np.array([1.0 / max(each.error, 1e-18) ** 2 for each in found])
        ratios = np.array([each.current / each.voltage for each in found])
        mean = float((weights * ratios).sum() / weights.sum())
        error = float(1.0 / np.sqrt(weights.sum())) / abs(found[0].voltage)
        scatter = float(np.std(ratios, ddof=1)) / np.sqrt(len(ratios)) if len(ratios) > 1 else 0.0
        return mean, max(error, scatter), None, None
    voltages = np.array([each.voltage for each in found])
    currents = np.array([each.current for each in found])
    errors = np.maximum(np.array([each.error for each in found]), 1e-9 * float(np.abs(currents).max()) + 1e-18)
    fitted = line(voltages, currents, errors)
    if fitted is None:
        raise AssertionError("two different voltages make a line")
    weights = 1.0 / errors**2
    centre = float((weights * voltages).sum() / weights.sum())
    known = float(1.0 / np.sqrt((weights * (voltages - centre) ** 2).sum()))
    error = max(known, fitted.slope_error) if fitted.freedom > 0 else known
    if len(_distinct(found)) < 3:
        return fitted.slope, error, fitted.intercept, None
    away = np.abs(currents - fitted.intercept - fitted.slope * voltages)
    worst = int(np.argmax(away))
    share = float(away[worst] / np.abs(currents).max())
    told = "linear"
    if share > _NOT_LINEAR and away[worst] > 3.0 * errors[worst]:
        told = f"not linear: {100 * share:.2g} % off the line at {voltages[worst]:.3g} V"
    return fitted.slope, error, fitted.intercept, told


def _reached(found: list[Plateau]) -> str:
    unsettled = [each for each in found if abs(each.left) > _REACHED * abs(each.current)]
    if not unsettled:
        return "reached"
    worst = max(unsettled, key=lambda each: abs(each.left))
    return f"not reached at {worst.voltage:.3g} V: {worst.left * 1e9:.2g} nA still to decay"
