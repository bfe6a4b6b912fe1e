"""When a step is looked at next: one that the host reads, and one that an instrument runs by itself."""

from __future__ import annotations

import math

from galvanode.engine.ends import TIME_TOLERANCE_S

_MARGIN_S = 0.002
"""After the planned end: what the instrument needs to tell of it."""
_SOONEST_S = 0.01
"""Between two looks."""
_SHARE = 0.02
"""Of the time that a task has taken: so much later at most, or ``_SOONEST_S``, its end is noticed."""


class Pace:
    """The grid of times at which a step is read: counted from where it began, not summed up."""

    def __init__(self, poll_s: float, began: float, real_time: bool) -> None:
        """``began`` is process time, s; the first reading is due then."""
        self.due = began
        self._poll_s = poll_s
        self._began = began
        self._count = 0
        self._real_time = real_time

    def after(self, now: float) -> float:
        """Return when the next reading is due, after one at ``now``.

        One that was woken for before it was due leaves the grid as it is; one that is late begins a new grid.
        """
        if now >= self.due - TIME_TOLERANCE_S:
            self._count += 1
            self.due = self._began + self._count * self._poll_s
            if self.due <= now:
                self._began, self._count, self.due = now, 1, now + self._poll_s
        return self.due

    def next_wake(self, now: float, wake: float) -> float:
        """Return when to wake: as asked, but after ``now``, and only once for two times that are the same but for
        rounding.
        """
        if self.due - TIME_TOLERANCE_S <= wake:
            return self.due
        if wake > now:
            return wake
        return now + 1e-3 if self._real_time else math.nextafter(now, math.inf) + 1e-6


class Looks:
    """When to look what a task has sent: as the recipe asks, and soon after it may have ended.

    Between two tasks the cell is off and nothing is recorded, so the next one must not wait for a poll. What the host
    alone can tell, a charge or a time that a condition has held, it tells from a sample: until that one is seen, the
    instrument drives the cell on and nobody counts.
    """

    def __init__(self, poll_s: float, planned: float | None, may_end_early: bool, spacing: float = math.inf) -> None:
        """``spacing`` is the time between two samples, as it was asked for, s; infinite where samples need no look."""
        self._poll_s = poll_s
        self._planned = math.inf if planned is None else planned + _MARGIN_S
        self._any_time = planned is None or may_end_early
        self._spacing = spacing
        self._sampled: float | None = None

    def sampled(self, at: float) -> None:
        """Take note of a sample, s after the task began: the next one comes as long after it as it after the last."""
        if math.isfinite(self._spacing) and self._sampled is not None and at > self._sampled:
            self._spacing = at - self._sampled
        self._sampled = at

    def after(self, elapsed: float) -> float:
        """Return when to look next, s after the task began, once ``elapsed`` has passed: always later than now."""
        overdue = elapsed - self._planned
        # A clock read back is a rounding error short of what was slept until: that is due, or nothing would move on.
        if overdue >= -_SOONEST_S:
            return elapsed + min(self._poll_s, max(_SOONEST_S, 0.5 * overdue))
        soon = max(_SOONEST_S, _SHARE * elapsed) if self._any_time else self._poll_s
        return min(elapsed + min(self._poll_s, soon), self._planned, self._next_sample(elapsed))

    def _next_sample(self, elapsed: float) -> float:
        if not math.isfinite(self._spacing):
            return math.inf
        # The first one comes as the task begins.
        due = _MARGIN_S + (_SOONEST_S if self._sampled is None else self._sampled + self._spacing)
        # As above: what is due but for a rounding error is due.
        return due if due > elapsed + TIME_TOLERANCE_S else elapsed + max(_SOONEST_S, 0.5 * (elapsed - due))
