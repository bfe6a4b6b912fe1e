"""Scans of a run: stretches of a sweep in one direction, taken from its samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from galvanode.analysis.model import CURRENT, STEP, TEST_TIME, VOLTAGE, Floats, RunData
from galvanode.errors import InvalidInput

MIN_SAMPLES = 12
_MIN_SPAN_V = 0.05
_TURNED_V = 0.01
"""So far a potential must come back before the scan has turned; more than noise and ripple."""


@dataclass(frozen=True)
class Scan:
    """One direction of a sweep, in the order of time."""

    step_count: int
    sign: int
    """1: towards higher potentials; -1: towards lower."""
    time_s: Floats
    potential_v: Floats
    """Against Li+/Li, corrected for the ohmic drop if a resistance is known."""
    terminal_v: Floats
    """At the terminals, as measured."""
    density: Floats
    """Current density, mA/cm2; positive oxidises."""

    @property
    def interval_v(self) -> float:
        """Median distance of its samples."""
        return float(np.median(np.abs(np.diff(self.potential_v))))


def scans(data: RunData, resistance_ohm: float | None = None) -> list[Scan]:
    """Return the scans of a run in their order: those of steps of mode ``sweep``, of each the last attempt.

    The potential is V + offset - I R, offset the reference's against Li+/Li, R ``resistance_ohm`` (0 if
    None). Scans of fewer than 12 samples or 50 mV are left out. Raises ``InvalidInput`` if the area is not
    known, a sample is no number, or R is no number of 0 or more.
    """
    if resistance_ohm is not None and not 0 <= resistance_ohm < np.inf:
        raise InvalidInput(f"{resistance_ohm} ohm cannot be corrected for; expected 0 or more")
    area_cm2 = data.area_cm2()
    began = _last_attempts(data)
    if not began:
        return []
    time, voltage, current = data.column(TEST_TIME), data.column(VOLTAGE), data.column(CURRENT)
    step = data.column(STEP).astype(np.int64)
    found: list[Scan] = []
    for count, started in sorted(began.items()):
        rows = np.flatnonzero((step == count) & (time >= started - 1e-9))
        if len(rows) < MIN_SAMPLES:
            continue
        volts, amps = voltage[rows], current[rows]
        for begin, end in pairwise(_turns(volts)):
            part = slice(begin, end)
            span = float(volts[end - 1] - volts[begin])
            if end - begin < MIN_SAMPLES or abs(span) < _MIN_SPAN_V:
                continue
            found.append(
                Scan(
                    count,
                    1 if span > 0 else -1,
                    time[rows][part],
                    volts[part] + data.reference_offset_v - amps[part] * (resistance_ohm or 0.0),
                    volts[part],
                    amps[part] * 1e3 / area_cm2,
                )
            )
    return found


def _last_attempts(data: RunData) -> dict[int, float]:
    """Return when the last attempt of each sweep began: a sweep is never resumed, it is repeated."""
    began: dict[int, float] = {}
    for row in data.steps.to_pylist():
        if row.get("mode") == "sweep":
            began[row["step_count"]] = max(row["started_test_time_s"], began.get(row["step_count"], -np.inf))
    return began


def _turns(volts: Floats) -> list[int]:
    """Return where scans begin: at the ends, and where the potential turns for good."""
    back = max(_TURNED_V, 3.0 * float(np.median(np.abs(np.diff(volts)))))
    edges = [0]
    sign = 0
    extreme = 0
    for index in range(1, len(volts)):
        change = float(volts[index] - volts[extreme])
        if sign == 0:
            if abs(float(volts[index] - volts[0])) > back:
                sign, extreme = (1 if volts[index] > volts[0] else -1), index
        elif change * sign >= 0:
            extreme = index
        elif abs(change) > back:
            edges.append(extreme)
            sign, extreme = -sign, index
    return [*edges, len(volts)]
