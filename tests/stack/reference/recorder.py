"""Which readings of a step become samples, and when one is due."""

from __future__ import annotations

import math
from typing import NamedTuple

from tests.stack.reference.language import Number, Record
from tests.stack.reference.physics import SUM_TOLERANCE, TIME_TOLERANCE_S, Unsuitable


class Kept(NamedTuple):
    """The sample before: its voltage, current and charge."""

    voltage: float
    current: float
    charge: float


class Recorder:
    """Keeps the first reading of a step, the last, and what its record asks for."""

    def __init__(self, record: Record) -> None:
        self.samples: list[float] = []
        """Times in the step."""
        self._every = _or_inf(record.every)
        self._voltage = _or_inf(record.voltage_change)
        self._current = _or_inf(record.current_change)
        self._charge = _or_inf(record.charge_change)
        self._burst_every = _or_inf(record.burst_every)
        self._burst_for = 0.0 if record.burst_for is None else record.burst_for.si
        self._due = -math.inf
        self._kept: Kept | None = None

    def take(self, elapsed: float, now: Kept, *, last: bool) -> None:
        """Take a reading."""
        timely = elapsed >= self._due - TIME_TOLERANCE_S
        if self._kept is None or last or timely or self._has_changed(self._kept, now):
            self.samples.append(elapsed)
            self._kept = now
        if timely:
            self._due = min(_on_grid(elapsed, self._every), self._in_burst(elapsed))

    def wait(self, elapsed: float, charge: float, current: float) -> float:
        """Return in how many seconds a sample is due, by time or by charge."""
        wait = self._due - elapsed
        if current != 0 and self._charge < math.inf and self._kept is not None:
            wait = min(wait, max(self._kept.charge + self._charge - charge, 1e-12) / abs(current))
        return wait

    def _has_changed(self, kept: Kept, now: Kept) -> bool:
        for change, least in (
            (abs(now.voltage - kept.voltage), self._voltage),
            (abs(now.current - kept.current), self._current),
        ):
            if change != least and abs(change - least) < 1e-12:
                raise Unsuitable("a change that is as large as what is recorded, but for a rounding")
            if change >= least:
                return True
        return now.charge - kept.charge >= self._charge * (1 - SUM_TOLERANCE)

    def _in_burst(self, elapsed: float) -> float:
        if elapsed >= self._burst_for - TIME_TOLERANCE_S:
            return math.inf
        return min(_on_grid(elapsed, self._burst_every), self._burst_for)


def with_inner(outer: Record, inner: Record) -> Record:
    """What the inner one does not mention stays."""
    given = {key: value for key, value in vars(inner).items() if value is not None}
    return Record(**{**vars(outer), **given})


def _on_grid(elapsed: float, every: float) -> float:
    return math.inf if every == math.inf else (math.floor(elapsed / every + 1e-6) + 1) * every


def _or_inf(number: Number | None) -> float:
    return math.inf if number is None else number.si
