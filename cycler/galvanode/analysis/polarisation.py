"""Polarisation of a symmetric lithium cell over its life, half-cycle by half-cycle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.analysis.failure import NONE, Failure, find_failure
from galvanode.analysis.half_cycles import HalfCycles, half_cycles
from galvanode.analysis.model import Plot, Result, RunData, number

_HOUR_S = 3600.0


def polarisation(data: RunData) -> dict[str, Result]:
    """Return how much voltage the current costs, how that changes, and how long the cell lasts.

    Polarisation is |V| of the whole symmetric cell under current: both interfaces and the electrolyte,
    2 eta + I R. At start, middle and end of a half-cycle it is the mean over 5 % of the half-cycle's time.
    All figures are of the complete half-cycles before a failure. Never judge by the lifetime alone: a flat,
    low polarisation can itself be a soft short (Menkin, Faraday Discuss. 2023; Counihan, Joule 2023).

    - ``polarisation`` (mV), mean over the half-cycles at their end; ``polarisation_start`` and
      ``polarisation_middle`` (mV) likewise
    - ``first_polarisation`` and ``last_polarisation`` (mV), at the end of the first and last half-cycle
    - ``polarisation_drift`` (mV/1000 h), slope of the least-squares line through the ends
    - ``polarisation_asymmetry`` (%), 100 (P - S) / ((P + S)/2), P of plating and S of stripping half-cycles
    - ``current_density`` (mA/cm2) and ``half_cycle_capacity`` (mAh/cm2), medians
    - ``cycles`` (1), complete half-cycles of either sign over 2
    - ``lifetime`` (h), from the first half-cycle to the failure or to the end of the data
    - ``lifetime_is``: "measured" if the cell failed, else "lower bound"
    - ``failure``: "hard short circuit", "soft short circuit", "voltage limit" or "none"
    """
    halves = half_cycles(data)
    failure = find_failure(data, halves)
    sound = _sound(halves, failure)
    end = halves.end_v[sound] * 1e3
    lifetime_h = None
    if len(halves):
        until = halves.ended_s[-1] if failure is None else failure.time_s
        lifetime_h = (until - halves.started_s[0]) / _HOUR_S
    return {
        "polarisation": number(_mean(end), "mV"),
        "polarisation_start": number(_mean(halves.start_v[sound] * 1e3), "mV"),
        "polarisation_middle": number(_mean(halves.middle_v[sound] * 1e3), "mV"),
        "first_polarisation": number(end[0] if len(end) else None, "mV"),
        "last_polarisation": number(end[-1] if len(end) else None, "mV"),
        "polarisation_drift": number(_drift(halves.ended_s[sound] / (1000 * _HOUR_S), end), "mV/1000 h"),
        "polarisation_asymmetry": number(_asymmetry(halves.current_density[sound], end), "%"),
        "current_density": number(_median(np.abs(halves.current_density[sound])), "mA/cm2"),
        "half_cycle_capacity": number(_median(halves.capacity[sound]), "mAh/cm2"),
        "cycles": number(len(end) / 2, "1"),
        "lifetime": number(lifetime_h, "h"),
        "lifetime_is": Result(None if lifetime_h is None else "lower bound" if failure is None else "measured"),
        "failure": Result(NONE if failure is None else failure.kind),
    }


def polarisation_table(data: RunData) -> pa.Table:
    """Return one row per half-cycle, complete or not, failed or not.

    ``step_count``, ``cycle``, ``half_cycle`` ("plating" or "stripping"), ``started_h``, ``ended_h``,
    ``duration_h``, ``current_density_mA_cm2`` (signed), ``capacity_mAh_cm2``, ``start_mV``, ``middle_mV``,
    ``end_mV`` (|V|), ``resistance_ohm_cm2`` (end |V| over |i|), ``complete``, ``end_reason``.
    """
    halves = half_cycles(data)
    return pa.table(
        {
            "step_count": halves.step_count,
            "cycle": halves.cycle,
            "half_cycle": pa.array(np.where(halves.current_density > 0, "plating", "stripping"), pa.string()),
            "started_h": halves.started_s / _HOUR_S,
            "ended_h": halves.ended_s / _HOUR_S,
            "duration_h": halves.duration_s / _HOUR_S,
            "current_density_mA_cm2": halves.current_density,
            "capacity_mAh_cm2": halves.capacity,
            "start_mV": halves.start_v * 1e3,
            "middle_mV": halves.middle_v * 1e3,
            "end_mV": halves.end_v * 1e3,
            "resistance_ohm_cm2": halves.end_v * 1e3 / np.abs(halves.current_density),
            "complete": halves.complete,
            "end_reason": pa.array(halves.end_reason, pa.string()),
        }
    )


def polarisation_plot(data: RunData) -> Plot:
    """Return the polarisation at start and end of each half-cycle over time, failed ones included."""
    halves = half_cycles(data)
    return {
        "title": "Polarisation over time",
        "x": {"name": "time", "unit": "h", "values": (halves.ended_s / _HOUR_S).tolist()},
        "y": [
            {"name": "polarisation, end", "unit": "mV", "values": (halves.end_v * 1e3).tolist()},
            {"name": "polarisation, start", "unit": "mV", "values": (halves.start_v * 1e3).tolist()},
        ],
    }


def _sound(halves: HalfCycles, failure: Failure | None) -> NDArray[np.bool_]:
    return halves.complete if failure is None else halves.complete & (halves.ended_s < failure.time_s)


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if len(values) else None


def _drift(time: NDArray[np.float64], values: NDArray[np.float64]) -> float | None:
    """Return the slope of the least-squares line; None for fewer than two times."""
    if len(time) < 2 or np.ptp(time) == 0:
        return None
    centred = time - time.mean()
    return float((centred * (values - values.mean())).sum() / (centred * centred).sum())


def _asymmetry(density: NDArray[np.float64], values: NDArray[np.float64]) -> float | None:
    plating, stripping = _mean(values[density > 0]), _mean(values[density < 0])
    if plating is None or stripping is None or plating + stripping == 0:
        return None
    return 200.0 * (plating - stripping) / (plating + stripping)
