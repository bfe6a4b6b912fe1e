"""Rate capability and cycle life: capacities, efficiencies, what is left at which rate and after how many cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from galvanode.analysis.circuit_fit import student
from galvanode.analysis.cycles import Cycle, RateGroup, cycles, groups
from galvanode.analysis.model import Plot, Result, RunData, interval, number
from galvanode.analysis.regression import line

_FIRST = 3
"""Cycles that are told one by one."""

_FADE_FROM = 10
"""Cycles at one rate that make a fade."""

_SECONDS_PER_HOUR = 3600.0


def rate_capability(data: RunData, cycle: int | None = None) -> dict[str, Result]:
    """Return capacities, coulombic efficiencies, capacities by rate, retention and fade of a run.

    Capacity is the charge that passed, over the active mass (mAh/g) if the cell says one, else over the area
    (mAh/cm2), else mAh. Only completed cycles count. CE = Q_discharge/Q_charge of a cycle, ICE that of the
    first. The rate of a cycle is that of its discharge, I/nominal capacity, or, where none is known, its
    current density. 95 % intervals: accuracy of the current and, as a bound, one sample's time at each end of a
    step; both are correlated from cycle to cycle, so means have them too.

    - ``first_charge_capacity``, ``first_discharge_capacity``; ``discharge_capacity_cycle_1`` to ``_3``,
      ``last_discharge_capacity``
    - ``areal_capacity`` (mAh/cm2) of the first discharge
    - ``initial_coulombic_efficiency`` (%), ``coulombic_efficiency`` (%), the mean of the later cycles
    - ``discharge_capacity_0.1C`` and so on, the mean at each rate; ``..._return`` where a rate comes back
      (``_return_2`` for the second time)
    - ``return_to_first_rate`` (%), mean of the last return to the first rate over the mean at first
    - ``capacity_retention`` (%), of the last cycle, or of cycle n of that stretch, over the first, both of the
      longest stretch of cycles at one rate; ``retention_cycles`` (1), how many it has
    - ``fade`` (%/cycle) of that stretch: slope of the least-squares line over its value at the first cycle;
      10 cycles or more; its interval is the scatter's
    - ``cycles`` (1), completed

    Raises ``InvalidInput`` if samples are no numbers, or time or counters go back.
    """
    found = cycles(data)
    scale, unit = _scale(data)
    results = {"cycles": number(float(len(found)), "1")}
    results.update(_first_cycles(found, data, scale, unit))
    grouped = groups(found)
    results.update(_by_rate(grouped, data, scale, unit))
    longest = max(grouped, key=lambda group: len(group.cycles), default=None)
    results.update(_retention(longest, data, cycle))
    return results


def capacity_table(data: RunData) -> pa.Table:
    """Return one row per completed cycle.

    ``cycle``, ``started_h``, ``rate`` (as in the results' names), ``charge_mAh``, ``discharge_mAh``,
    ``charge_capacity`` and ``discharge_capacity`` (in ``unit``), ``coulombic_efficiency`` (%), ``unit``.
    """
    scale, unit = _scale(data)
    rows = [
        {
            "cycle": each.number,
            "started_h": each.started_s / _SECONDS_PER_HOUR,
            "rate": _label(each.amps, data),
            "charge_mAh": each.charge_ah * 1e3,
            "discharge_mAh": each.discharge_ah * 1e3,
            "charge_capacity": each.charge_ah * scale,
            "discharge_capacity": each.discharge_ah * scale,
            "coulombic_efficiency": 100.0 * each.efficiency,
            "unit": unit,
        }
        for each in cycles(data)
    ]
    return pa.Table.from_pylist(rows)


def capacity_plot(data: RunData) -> Plot:
    """Return capacities and coulombic efficiency over the cycle number."""
    found = cycles(data)
    scale, unit = _scale(data)
    return {
        "title": "Capacity and coulombic efficiency",
        "x": {"name": "cycle", "unit": "1", "values": [float(each.number) for each in found]},
        "y": [
            {"name": "charge", "unit": unit, "values": [each.charge_ah * scale for each in found], "markers": True},
            {
                "name": "discharge",
                "unit": unit,
                "values": [each.discharge_ah * scale for each in found],
                "markers": True,
            },
            {
                "name": "coulombic efficiency",
                "unit": "%",
                "values": [100.0 * each.efficiency for each in found],
                "markers": True,
            },
        ],
    }


def _scale(data: RunData) -> tuple[float, str]:
    """Return what makes a capacity of Ah, and its unit."""
    if data.active_mass_kg is not None and 0 < data.active_mass_kg < np.inf:
        return 1.0 / data.active_mass_kg, "mAh/g"  # Ah/kg is mAh/g
    if data.area_m2 is not None and 0 < data.area_m2 < np.inf:
        return 1e3 / (data.area_m2 * 1e4), "mAh/cm2"
    return 1e3, "mAh"


def _first_cycles(found: Sequence[Cycle], data: RunData, scale: float, unit: str) -> dict[str, Result]:
    if not found:
        return {
            "first_charge_capacity": Result(None, unit),
            "first_discharge_capacity": Result(None, unit),
            "initial_coulombic_efficiency": Result(None, "%"),
            "coulombic_efficiency": Result(None, "%"),
        }
    first, accuracy = found[0], data.accuracy.current
    results = {
        "first_charge_capacity": _capacity(first.charge_ah, first.charge_timing_ah, accuracy, scale, unit),
        "first_discharge_capacity": _discharge(first, accuracy, scale, unit),
    }
    if data.area_m2 is not None:
        results["areal_capacity"] = _discharge(first, accuracy, 1e3 / data.area_cm2(), "mAh/cm2")
    results["initial_coulombic_efficiency"] = _efficiency([first])
    results["coulombic_efficiency"] = _efficiency(found[1:])
    for index, each in enumerate(found[:_FIRST]):
        results[f"discharge_capacity_cycle_{index + 1}"] = _discharge(each, accuracy, scale, unit)
    results["last_discharge_capacity"] = _discharge(found[-1], accuracy, scale, unit)
    return results


def _by_rate(grouped: Sequence[RateGroup], data: RunData, scale: float, unit: str) -> dict[str, Result]:
    results: dict[str, Result] = {}
    seen: dict[str, int] = {}
    for group in grouped:
        label = _label(group.amps, data)
        times = seen[label] = seen.get(label, 0) + 1
        suffix = {1: "", 2: "_return"}.get(times, f"_return_{times - 1}")
        results[f"discharge_capacity_{label}{suffix}"] = _mean_discharge(group, data.accuracy.current, scale, unit)
    results["return_to_first_rate"] = _returned(grouped, data)
    return results


def _returned(grouped: Sequence[RateGroup], data: RunData) -> Result:
    if len(grouped) < 2:
        return Result(None, "%")
    first = _label(grouped[0].amps, data)
    back = next((group for group in reversed(grouped[1:]) if _label(group.amps, data) == first), None)
    return Result(None, "%") if back is None else _ratio(_mean(back), _mean(grouped[0]))


def _retention(group: RateGroup | None, data: RunData, cycle: int | None) -> dict[str, Result]:
    nothing = {"capacity_retention": Result(None, "%"), "retention_cycles": number(None, "1")}
    if group is None or len(group.cycles) < 2 or (cycle is not None and not 1 < cycle <= len(group.cycles)):
        return {**nothing, "fade": Result(None, "%/cycle")}
    last = group.cycles[-1 if cycle is None else cycle - 1]
    first = group.cycles[0]
    return {
        "capacity_retention": _ratio(
            (last.discharge_ah, last.discharge_timing_ah), (first.discharge_ah, first.discharge_timing_ah)
        ),
        "retention_cycles": number(float(len(group.cycles) if cycle is None else cycle), "1"),
        "fade": _fade(group),
    }


def _fade(group: RateGroup) -> Result:
    if len(group.cycles) < _FADE_FROM:
        return Result(None, "%/cycle")
    numbers = np.array([float(each.number - group.cycles[0].number) for each in group.cycles])
    fitted = line(numbers, np.array([each.discharge_ah for each in group.cycles]))
    if fitted is None or fitted.intercept <= 0:
        return Result(None, "%/cycle")
    fade = -100.0 * fitted.slope / fitted.intercept
    width = 100.0 * student(fitted.freedom) * fitted.slope_error / fitted.intercept
    return interval(fade, fade - width, fade + width, "%/cycle")


def _label(amps: float, data: RunData) -> str:
    """Return a rate for people: ``0.1C``, or ``0.5mA/cm2`` where no capacity is known."""
    if data.nominal_capacity_c is not None and 0 < data.nominal_capacity_c < np.inf:
        return f"{_round(amps * _SECONDS_PER_HOUR / data.nominal_capacity_c)}C"
    if data.area_m2 is not None:
        return f"{_round(amps * 1e3 / data.area_cm2())}mA/cm2"
    return f"{_round(amps * 1e3)}mA"


def _round(value: float) -> str:
    """Return two digits, without an exponent, so that 0.0999 is 0.1."""
    digits = 1 - int(np.floor(np.log10(value)))
    return f"{round(value, digits):.10g}"


def _mean(group: RateGroup) -> tuple[float, float]:
    """Return the mean of the discharges and the bound of its timing, Ah."""
    return (
        float(np.mean([each.discharge_ah for each in group.cycles])),
        float(np.mean([each.discharge_timing_ah for each in group.cycles])),
    )


def _mean_discharge(group: RateGroup, accuracy: float, scale: float, unit: str) -> Result:
    return _capacity(*_mean(group), accuracy, scale, unit)


def _discharge(cycle: Cycle, accuracy: float, scale: float, unit: str) -> Result:
    return _capacity(cycle.discharge_ah, cycle.discharge_timing_ah, accuracy, scale, unit)


def _capacity(charge_ah: float, timing_ah: float, accuracy: float, scale: float, unit: str) -> Result:
    width = float(np.hypot(timing_ah, accuracy * charge_ah)) * scale
    return interval(charge_ah * scale, charge_ah * scale - width, charge_ah * scale + width, unit)


def _ratio(over: tuple[float, float], under: tuple[float, float]) -> Result:
    """Return a ratio of two capacities (value, bound), %; the instrument's accuracy cancels."""
    ratio = 100.0 * over[0] / under[0]
    width = ratio * float(np.hypot(over[1] / over[0], under[1] / under[0]))
    return interval(ratio, ratio - width, ratio + width, "%")


def _efficiency(found: Sequence[Cycle]) -> Result:
    """Return the mean coulombic efficiency; accuracy cancels, timing stays."""
    if not found:
        return Result(None, "%")
    mean = 100.0 * float(np.mean([each.efficiency for each in found]))
    parts = [
        np.hypot(each.charge_timing_ah / each.charge_ah, each.discharge_timing_ah / each.discharge_ah) for each in found
    ]
    width = mean * float(np.mean(parts))
    return interval(mean, mean - width, mean + width, "%")
