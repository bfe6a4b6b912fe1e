"""Critical current density of a symmetric lithium cell, from a ladder of current densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from galvanode.analysis.failure import NONE, Failure, find_failure
from galvanode.analysis.half_cycles import HalfCycles, half_cycles, passed_charge
from galvanode.analysis.model import TEST_TIME, Plot, Result, RunData, number

_SAME = 0.005
"""Current densities closer than this fraction are one level of the ladder."""

_CONSTANT = 0.02
"""Times or charges that spread less than this fraction of their median are constant."""


def critical_current_density(data: RunData) -> dict[str, Result]:
    """Return the critical current density, and what must be told with it.

    Current density i = I/A. A level is passed if half-cycles of both signs (of the one sign, in a run
    without reversal) were completed at it and nothing failed at it. The critical current density is the
    highest level passed below the first that failed (Lu, Adv. Funct. Mater. 2021, 10.1002/adfm.202009925);
    if none failed, the highest level passed is only a lower bound. It depends on the protocol (Commun.
    Chem. 2023, s42004-023-01002-4) and on history, so mode, capacity per half-cycle and the cumulative
    areal capacity sum |i| dt up to the failure belong to it.

    - ``critical_current_density`` (mA/cm2), None if no level was passed
    - ``critical_current_density_is``: "measured" or "lower bound"; None without either
    - ``first_failure`` (mA/cm2), None if none failed
    - ``failure``: "hard short circuit", "soft short circuit", "voltage limit" or "none"
    - ``mode``: "fixed time", "fixed capacity", "mixed", or "one current density"
    - ``half_cycle_time`` (min) and ``half_cycle_capacity`` (mAh/cm2), medians of those passed at the
      critical current density
    - ``cumulative_areal_capacity`` (mAh/cm2) up to the failure or the end
    - ``time_to_failure`` (h) of test time, None if none failed
    """
    halves = half_cycles(data)
    failure = find_failure(data, halves)
    failed_at = _failed_at(halves, failure)
    passed = _passed(halves, failure, failed_at)
    level = float(np.abs(halves.current_density[passed]).max()) if passed.any() else None
    at_level = passed & _near(np.abs(halves.current_density), level)
    kind = None
    if level is not None:
        kind = "lower bound" if failure is None else "measured"
    return {
        "critical_current_density": number(level, "mA/cm2"),
        "critical_current_density_is": Result(kind),
        "first_failure": number(failed_at, "mA/cm2"),
        "failure": Result(NONE if failure is None else failure.kind),
        "mode": Result(_mode(halves, passed)),
        "half_cycle_time": number(_median(halves.duration_s[at_level] / 60), "min"),
        "half_cycle_capacity": number(_median(halves.capacity[at_level]), "mAh/cm2"),
        "cumulative_areal_capacity": number(_cumulative(data, failure), "mAh/cm2"),
        "time_to_failure": number(None if failure is None else failure.time_s / 3600, "h"),
    }


def staircase_plot(data: RunData) -> Plot:
    """Return voltage and current density at start, middle and end of each half-cycle, over time."""
    halves = half_cycles(data)
    sign = np.sign(halves.current_density)
    times = np.stack([halves.started_s, (halves.started_s + halves.ended_s) / 2, halves.ended_s], axis=1)
    volts = np.stack([halves.start_v, halves.middle_v, halves.end_v], axis=1) * sign[:, None]
    return {
        "title": "Voltage while the current density rises",
        "x": {"name": "time", "unit": "h", "values": (times / 3600).ravel().tolist()},
        "y": [
            {"name": "voltage", "unit": "V", "values": volts.ravel().tolist()},
            {
                "name": "current density",
                "unit": "mA/cm2",
                "values": np.repeat(halves.current_density, 3).tolist(),
            },
        ],
    }


def _failed_at(halves: HalfCycles, failure: Failure | None) -> float | None:
    """Return the current density at which the cell failed, mA/cm2."""
    if failure is None or not len(halves):
        return None
    before = np.flatnonzero(halves.started_s <= failure.time_s)
    return float(np.abs(halves.current_density[before[-1]])) if len(before) else None


def _passed(halves: HalfCycles, failure: Failure | None, failed_at: float | None) -> NDArray[np.bool_]:
    """Return which half-cycles belong to a level that was passed."""
    density = halves.current_density
    sound = halves.complete.copy()
    if failure is not None:
        sound &= halves.ended_s < failure.time_s
    both_signs = (density > 0).any() and (density < 0).any()
    passed = np.zeros(len(halves), dtype=bool)
    for level in np.unique(np.abs(density[sound])):
        here = _near(np.abs(density), level)
        if failed_at is not None and level > failed_at * (1 - _SAME):
            continue
        signs = np.unique(np.sign(density[here & sound]))
        if len(signs) == (2 if both_signs else 1):
            passed |= here & sound
    return passed


def _near(density: NDArray[np.float64], level: float | None) -> NDArray[np.bool_]:
    if level is None:
        return np.zeros(len(density), dtype=bool)
    return np.abs(density - level) <= _SAME * level


def _mode(halves: HalfCycles, passed: NDArray[np.bool_]) -> str | None:
    """Return what the protocol held constant from level to level."""
    if not passed.any():
        return None
    if _spread(np.abs(halves.current_density[passed])) <= _CONSTANT:
        return "one current density"
    if _spread(halves.duration_s[passed]) <= _CONSTANT:
        return "fixed time"
    if _spread(halves.capacity[passed]) <= _CONSTANT:
        return "fixed capacity"
    return "mixed"


def _spread(values: NDArray[np.float64]) -> float:
    middle = float(np.median(values))
    return float(np.ptp(values)) / middle if middle > 0 else np.inf


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _cumulative(data: RunData, failure: Failure | None) -> float | None:
    time, charge = data.column(TEST_TIME), passed_charge(data)
    if not len(time):
        return None
    until = time[-1] if failure is None else failure.time_s
    return float(np.interp(until, time, charge) - charge[0]) * 1e3 / data.area_cm2()
