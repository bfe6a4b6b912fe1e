"""Half-cycles: the stretches of constant current that Li/Li experiments are made of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.analysis.model import (
    CHARGED,
    CURRENT,
    CYCLE,
    DISCHARGED,
    STEP,
    STEP_TIME,
    TEST_TIME,
    VOLTAGE,
    Floats,
    RunData,
    came_to_its_end,
)
from galvanode.errors import InvalidInput

_REST = 1e-3
"""A mean current below this fraction of the run's largest is a rest."""

_COMPLETE = 0.98
"""A half-cycle of less than this fraction of the usual time, and of the usual charge, was cut short."""

_WINDOW = 0.05
"""Start, middle and end of a half-cycle are means over this fraction of its time."""


@dataclass(frozen=True)
class HalfCycles:
    """One entry per half-cycle, in their order. A half-cycle is one step, over all its attempts."""

    step_count: NDArray[np.int64]
    cycle: NDArray[np.int64]
    started_s: Floats
    """Test time of its first sample."""
    ended_s: Floats
    """Test time of its last sample."""
    duration_s: Floats
    """Time with current: gaps between attempts do not count."""
    current_density: Floats
    """Median of I/A, mA/cm2; positive plates."""
    capacity: Floats
    """Integral of |I| dt over A, mAh/cm2."""
    start_v: Floats
    """|V| at the start, mean over the first 5 % of the time; V."""
    middle_v: Floats
    end_v: Floats
    end_reason: list[str | None]
    """None while it runs, and where the steps say nothing."""
    complete: NDArray[np.bool_]
    """It ended, and not before its time or charge."""

    def __len__(self) -> int:
        return len(self.step_count)


def half_cycles(data: RunData) -> HalfCycles:
    """Return the half-cycles of a run.

    Current density is I/A, capacity the charge that the samples count; both only from the data.
    Raises ``InvalidInput`` if the area is unknown, if a sample is not a number or time goes back.
    """
    area_cm2 = data.area_cm2()
    time, voltage, current = data.column(TEST_TIME), data.column(VOLTAGE), data.column(CURRENT)
    step, cycle, step_time = data.column(STEP), data.column(CYCLE), data.column(STEP_TIME)
    charge = passed_charge(data)
    if (np.diff(time) < 0).any():
        raise InvalidInput(f"{TEST_TIME!r} goes back after sample {int(np.argmax(np.diff(time) < 0)) + 1}")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(step)) + 1, [len(step)]]) if len(step) else np.array([0])
    modes, ends = _step_facts(data.steps)
    medians = np.array([np.median(current[a:b]) for a, b in pairwise(edges)])
    flowing = np.abs(medians) > _REST * np.abs(medians).max(initial=0.0)
    rows: list[tuple[float, ...]] = []
    reasons: list[str | None] = []
    for a, b, amps in zip(edges[:-1][flowing], edges[1:][flowing], medians[flowing], strict=True):
        count = int(step[a])
        if modes.get(count, "current") != "current":
            continue
        elapsed = step_time[a:b] - step_time[a]
        rows.append(
            (
                count,
                float(cycle[a]),
                float(time[a]),
                float(time[b - 1]),
                float(elapsed[-1]),
                float(amps) * 1e3 / area_cm2,
                float(charge[b - 1] - charge[a]) * 1e3 / area_cm2,
                *_polarisation(elapsed, np.abs(voltage[a:b])),
            )
        )
        reasons.append(ends.get(count))
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 10).T
    return HalfCycles(
        columns[0].astype(np.int64),
        columns[1].astype(np.int64),
        *columns[2:],
        end_reason=reasons,
        complete=_complete(columns[4], columns[6], reasons),
    )


def passed_charge(data: RunData) -> Floats:
    """Return the charge passed in either direction up to each sample: the integral of |I| dt, Ah."""
    return data.column(CHARGED) + data.column(DISCHARGED)


def _step_facts(steps: pa.Table) -> tuple[dict[int, str], dict[int, str | None]]:
    """Return mode and end reason of each step; of several attempts the last one counts."""
    modes: dict[int, str] = {}
    ends: dict[int, str | None] = {}
    for row in steps.sort_by([("step_count", "ascending"), ("attempt", "ascending")]).to_pylist():
        modes[row["step_count"]] = row["mode"]
        ends[row["step_count"]] = None if row["ended_test_time_s"] is None else (row["end_reason"] or "")
    return modes, ends


def _polarisation(elapsed: Floats, polarisation: Floats) -> list[float]:
    """Return the mean of a half-cycle's |V| over the first, middle and last 5 % of its time."""
    lasted = elapsed[-1]
    values: list[float] = []
    for centre in (_WINDOW / 2, 0.5, 1 - _WINDOW / 2):
        low, high = (centre - _WINDOW / 2) * lasted, (centre + _WINDOW / 2) * lasted
        first, stop = np.searchsorted(elapsed, low, "left"), np.searchsorted(elapsed, high, "right")
        if stop > first:
            values.append(float(polarisation[first:stop].mean()))
        else:
            values.append(float(np.interp(centre * lasted, elapsed, polarisation)))
    return values


def _complete(duration: Floats, capacity: Floats, reasons: list[str | None]) -> NDArray[np.bool_]:
    ended = np.array([came_to_its_end(reason) for reason in reasons], dtype=bool)
    if not ended.any():
        return ended
    long_enough = duration >= _COMPLETE * np.median(duration[ended])
    charged_enough = capacity >= _COMPLETE * np.median(capacity[ended])
    return ended & (long_enough | charged_enough)
