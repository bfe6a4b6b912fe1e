"""What a channel leaves of a test: records, steps, a log."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

LOG_STARTED, LOG_FINISHED = 100000, 100001
LOG_STOPPED, LOG_PROTECTED, LOG_PAUSED, LOG_CONTINUED = 100002, 100003, 100004, 100005
"""Log codes. The first two are as a real channel gave them; the list that explains the others is not public."""


class Row(NamedTuple):
    """One record."""

    number: int
    step: int
    cycle: int
    word: str
    tick: int
    """Of the step."""
    unix: float
    voltage: float
    current: float
    charge: float
    """C of the step, in magnitude."""
    energy: float
    """J of the step, in magnitude."""


class LogEntry(NamedTuple):
    """One line of a channel's log."""

    number: int
    """Of the record it goes with."""
    code: int
    unix: float


class Layer(NamedTuple):
    """One step that has ended: its first and its last record."""

    first: Row
    last: Row


@dataclass
class Test:
    """All that one start has left."""

    number: int
    barcode: str
    rows: list[Row] = field(default_factory=list[Row])
    shown_at: list[float] = field(default_factory=list[float])
    """Process time from which each row can be fetched."""
    log: list[LogEntry] = field(default_factory=list[LogEntry])
    layers: list[Layer] = field(default_factory=list[Layer])
    steps_begun: int = 0

    def shown(self, now: float) -> int:
        """How many rows can be fetched."""
        return bisect_right(self.shown_at, now)
