"""Cycles of a run: what went in and out, at which rate, taken from its samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galvanode.analysis.model import (
    CHARGED,
    CURRENT,
    CYCLE,
    DISCHARGED,
    STEP,
    TEST_TIME,
    Floats,
    RunData,
    came_to_its_end,
)
from galvanode.errors import InvalidInput

_SOMETHING = 0.01
"""Of the largest charge of a cycle: a cycle with less in one direction is none."""

_SAME_RATE = 0.02
"""Rates closer than this are one rate."""

_FLOWING = 1e-3
"""Of the largest current of a cycle: below it, it rests."""


@dataclass(frozen=True)
class Cycle:
    """One cycle that was completed."""

    number: int
    """``Cycle Count / 1``."""
    charge_ah: float
    discharge_ah: float
    charge_timing_ah: float
    """What one sample's time would add to the charge: bound of the error of the moments at which steps end."""
    discharge_timing_ah: float
    amps: float
    """Of the discharge: median of |I| in the step that discharged most."""
    started_s: float

    @property
    def efficiency(self) -> float:
        """Coulombic efficiency: discharge over charge."""
        return self.discharge_ah / self.charge_ah


@dataclass(frozen=True)
class RateGroup:
    """Successive cycles at one rate."""

    amps: float
    cycles: tuple[Cycle, ...]


def cycles(data: RunData) -> list[Cycle]:
    """Return the completed cycles of a run in their order.

    A cycle's charge is the difference of the run's counters between its end and that of the cycle before;
    where there are no counters, the integral of I over the time (trapezoids). A cycle counts if charge passed
    in both directions and none of its steps was cut short or still runs. Raises ``InvalidInput`` if samples
    are no numbers, or time or counters go back.
    """
    return data.once("cycles", lambda: _found(data))


def groups(found: list[Cycle]) -> list[RateGroup]:
    """Return the cycles by the rate of their discharge, each change of rate beginning a group."""
    grouped: list[list[Cycle]] = []
    for cycle in found:
        if grouped and abs(cycle.amps / grouped[-1][0].amps - 1.0) <= _SAME_RATE:
            grouped[-1].append(cycle)
        else:
            grouped.append([cycle])
    return [RateGroup(float(np.median([cycle.amps for cycle in group])), tuple(group)) for group in grouped]


def _found(data: RunData) -> list[Cycle]:
    time, current = data.column(TEST_TIME), data.column(CURRENT)
    if not len(time):
        return []
    number, step = data.column(CYCLE).astype(np.int64), data.column(STEP).astype(np.int64)
    if (np.diff(time) < 0).any():
        raise InvalidInput(f"{TEST_TIME!r} goes back after sample {int(np.argmax(np.diff(time) < 0)) + 1}")
    charged, discharged = _counters(data, time, current)
    ended = _ends(data)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
    found: list[Cycle] = []
    for begin, end in pairwise(edges):
        before = max(begin - 1, 0)
        charge, discharge = charged[end - 1] - charged[before], discharged[end - 1] - discharged[before]
        least = _SOMETHING * max(charge, discharge)
        if min(charge, discharge) <= least or not all(ended.get(int(s), True) for s in np.unique(step[begin:end])):
            continue
        amps = _amps(current[begin:end], step[begin:end])
        if amps is None:
            continue
        timing = _timing(time[begin:end], current[begin:end], step[begin:end])
        found.append(Cycle(int(number[begin]), float(charge), float(discharge), *timing, amps, float(time[begin])))
    # A rest before the first cycle passes a charge too: that of the current's noise.
    least = _SOMETHING * max((cycle.charge_ah for cycle in found), default=0.0)
    return [cycle for cycle in found if cycle.charge_ah > least]


def _counters(data: RunData, time: Floats, current: Floats) -> tuple[Floats, Floats]:
    """Return the charge passed in each direction up to each sample, Ah."""
    names = data.samples.column_names
    if CHARGED in names and DISCHARGED in names:
        counters = data.column(CHARGED), data.column(DISCHARGED)
        for name, counter in zip((CHARGED, DISCHARGED), counters, strict=True):
            if (np.diff(counter) < -1e-12).any():
                raise InvalidInput(f"{name!r} goes back after sample {int(np.argmax(np.diff(counter) < 0)) + 1}")
        return counters
    hours = np.diff(time) / 3600.0
    totals: list[Floats] = []
    for sign in (1.0, -1.0):
        amps = np.maximum(sign * current, 0.0)
        totals.append(np.concatenate([[0.0], np.cumsum((amps[1:] + amps[:-1]) / 2.0 * hours)]))
    return totals[0], totals[1]


def _ends(data: RunData) -> dict[int, bool]:
    """Return whether each step came to its own end; of several attempts the last one counts."""
    found: dict[int, tuple[int, bool]] = {}
    for row in data.steps.to_pylist():
        count, attempt = row["step_count"], row.get("attempt") or 1
        sound = row.get("ended_test_time_s") is not None and came_to_its_end(row.get("end_reason"))
        if count not in found or attempt >= found[count][0]:
            found[count] = attempt, sound
    return {count: sound for count, (_, sound) in found.items()}


def _amps(current: Floats, step: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float | None:
    """Return the current of the discharge, that of the step that discharges for longest."""
    flowing = current < -_FLOWING * float(np.abs(current).max())
    if not flowing.any():
        return None
    counts, number = np.unique(step[flowing], return_counts=True)
    longest = counts[np.argmax(number)]
    return float(np.median(-current[flowing & (step == longest)]))


def _timing(
    time: Floats, current: Floats, step: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
) -> tuple[float, float]:
    """Return what the last interval of each step carries, added in squares, for charge and discharge, Ah."""
    last = np.flatnonzero(np.append(np.diff(step) != 0, True))
    squares = [0.0, 0.0]
    for index in last:
        if index == 0 or step[index - 1] != step[index]:
            continue
        # The larger of the last two intervals: the very last may be a sliver after a regular sample.
        before = index - 2 if index > 1 and step[index - 2] == step[index] else index - 1
        interval = float(np.diff(time[before : index + 1]).max())
        passed = float(current[index]) * interval / 3600.0
        squares[0 if passed > 0 else 1] += passed * passed
    return float(np.sqrt(squares[0])), float(np.sqrt(squares[1]))
