"""Failure: when and how a Li/Li cell failed, from its samples and the reasons why its steps ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galvanode.analysis.detectors import ShortCircuit
from galvanode.analysis.half_cycles import HalfCycles
from galvanode.analysis.model import CURRENT, STEP, TEST_TIME, VOLTAGE, RunData

HARD, SOFT, VOLTAGE_LIMIT, NONE = "hard short circuit", "soft short circuit", "voltage limit", "none"

_SHORT = re.compile(r"short_circuit\b(?::\s*(hard|soft))?")
_LIMIT = re.compile(r"\bvoltage\b(?!.*not a number)")


@dataclass(frozen=True)
class Failure:
    """How a cell failed."""

    kind: str
    """``HARD``, ``SOFT`` or ``VOLTAGE_LIMIT``."""
    time_s: float
    """Test time at which that was certain."""
    step_count: int


def find_failure(data: RunData, halves: HalfCycles) -> Failure | None:
    """Return the first failure of a run, or None.

    What the detector said while the cell ran counts, for it saw every reading and had the recipe's
    options. If it said nothing, the samples are shown to a detector with its default options.
    """
    told = _told(halves)
    if told is not None and told.kind != VOLTAGE_LIMIT:
        return told
    found = _replayed(data)
    return min((f for f in (told, found) if f is not None), key=lambda f: f.time_s, default=None)


def _told(halves: HalfCycles) -> Failure | None:
    """Return the first failure among the end reasons."""
    limit = None
    for index, reason in enumerate(halves.end_reason):
        if not reason:
            continue
        time_s, step = float(halves.ended_s[index]), int(halves.step_count[index])
        if short := _SHORT.match(reason):
            return Failure(HARD if short[1] == "hard" else SOFT, time_s, step)
        if limit is None and _LIMIT.search(reason):
            limit = Failure(VOLTAGE_LIMIT, time_s, step)
    return limit


def _replayed(data: RunData) -> Failure | None:
    """Return what the detector says to the samples."""
    time, voltage, current = data.column(TEST_TIME), data.column(VOLTAGE), data.column(CURRENT)
    step = data.column(STEP).astype(np.int64)
    rows = data.steps.select(["step_count", "mode", "attempt", "started_test_time_s"]).to_pylist()
    rests = [row["step_count"] for row in rows if row["mode"] == "rest"]
    current = np.where(np.isin(step, rests), 0.0, current)
    resumed = sorted(row["started_test_time_s"] for row in rows if row["attempt"] > 1)
    edges = [0, *np.searchsorted(time, resumed).tolist(), len(time)]
    detector = ShortCircuit({})
    for begin, end in pairwise(edges):
        columns = [column[begin:end].tolist() for column in (time, voltage, current, step)]
        for reading in zip(*columns, strict=True):
            reason = detector.update(*reading)
            if reason is not None and (short := _SHORT.match(reason)):
                return Failure(HARD if short[1] == "hard" else SOFT, reading[0], reading[3])
        detector.interrupted()
    return None
