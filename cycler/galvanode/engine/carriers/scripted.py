"""Steps that an instrument runs by itself: handed to the analyzer, then followed until they have ended there."""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.engine.errors import Tripped
from galvanode.engine.plans import (
    current_limit,
    expected_s,
    plain_ends,
    planned_s,
    refuse_outside,
    setpoint_of,
    task_of,
)
from galvanode.engine.watch import Watch
from galvanode.engine.workplace import READ_ATTEMPTS, Workplace
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.tasks import Collected, Cutoff, Impedance, ImpedancePoint, Sweep, Task
from galvanode.recipe import drives
from galvanode.recipe.operand import OPEN_CIRCUIT
from galvanode.recipe.program import Step

DRIVES = (drives.Rest, drives.Current, drives.Voltage, drives.Sweep, drives.Impedance)


_MARGIN_S = 0.002
"""After the planned end: what the instrument needs to tell of it."""
_SOONEST_S = 0.01
"""Between two looks."""
_SHARE = 0.02
"""Of the time that a task has taken: so much later at most, or ``_SOONEST_S``, its end is noticed."""


class _Ended(NamedTuple):
    """Why a task is over."""

    reason: str
    by_itself: bool
    """On the instrument, as it was planned: it may be repeated."""
    asked: str | None = None


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a step on the analyzer.

    It cannot be taken up in its middle: it is repeated, and both attempts are marked.
    """
    await workplace.connect(step, "analyzer", goes_on=False)
    analyzer, value = workplace.wiring.the_analyzer, workplace.walk.value
    setpoint = setpoint_of(step, value)
    workplace.book.enter_step(afresh=True)
    limit = current_limit(step, value, workplace.envelope)
    task, cutoffs = task_of(step, value, limit, workplace.position.variables.get(OPEN_CIRCUIT))
    _refuse_what_leaves_the_limits(step, task)
    await analyzer.start(task, cutoffs)
    held = setpoint if isinstance(step.drive, drives.Current) else None
    floor = analyzer.capabilities.current_floor
    watch = workplace.begin(step, setpoint, workplace.clock.now(), floor, held=held, record_all=True)
    ended = await _follow(watch, task, cutoffs, workplace)
    for _ in range(step.drive.averages - 1 if isinstance(step.drive, drives.Impedance) else 0):
        if not ended.by_itself:
            break
        await analyzer.start(task, cutoffs)
        ended = await _follow(watch, task, cutoffs, workplace)
    workplace.end(watch, ended.reason, ended.asked)
    workplace.book.passing = None  # the cell is off at the end of a task


async def _follow(watch: Watch, task: Task, cutoffs: tuple[Cutoff, ...], workplace: Workplace) -> _Ended:
    """Take what a task streams until it has ended on the instrument or the step has to end."""
    expected, looks = expected_s(task), Looks(watch.step.poll_s, planned_s(task), bool(cutoffs))
    clock, analyzer, step = workplace.clock, workplace.wiring.the_analyzer, watch.step
    began, began_unix = clock.now(), clock.unix()
    failures = 0
    while True:
        await workplace.summons.sleep(began + looks.after(clock.now() - began))
        try:
            collected = await analyzer.collect()
        except LinkError as error:
            failures += 1
            workplace.book.note("link", f"nothing collected, attempt {failures} of {READ_ATTEMPTS}: {error}")
            if failures == READ_ATTEMPTS:
                raise
            continue
        failures = 0
        reason = _take(collected, watch, began, began_unix, workplace)
        if reason is not None:
            if not collected.finished:
                await analyzer.abort()
            return _Ended(reason, by_itself=False)
        watch.check_temperature(workplace.temperature())
        if collected.finished:
            return _Ended(_why_it_finished(step, collected.ended_by), by_itself=True)
        if (asked := workplace.summons.why) is not None:
            await analyzer.abort()
            return _Ended(asked, by_itself=False, asked=asked)
        if clock.now() - began > expected:
            raise Tripped(f"the instrument has not ended its task within {expected:.0f} s")


class Looks:
    """When to look what a task has sent: as the recipe asks, and soon after it may have ended.

    Between two tasks the cell is off and nothing is recorded, so the next one must not wait for a poll.
    """

    def __init__(self, poll_s: float, planned: float | None, may_end_early: bool) -> None:
        self._poll_s = poll_s
        self._planned = math.inf if planned is None else planned + _MARGIN_S
        self._any_time = planned is None or may_end_early

    def after(self, elapsed: float) -> float:
        """Return when to look next, s after the task began, once ``elapsed`` has passed: always later than now."""
        overdue = elapsed - self._planned
        # A clock read back is a rounding error short of what was slept until: that is due, or nothing would move on.
        if overdue >= -_SOONEST_S:
            return elapsed + min(self._poll_s, max(_SOONEST_S, 0.5 * overdue))
        soon = max(_SOONEST_S, _SHARE * elapsed) if self._any_time else self._poll_s
        return min(elapsed + min(self._poll_s, soon), self._planned)


def _take(collected: Collected, watch: Watch, began: float, began_unix: float, workplace: Workplace) -> str | None:
    """Take what has arrived, each item at the instrument's own time; return why the step ends with one, or None."""
    for item in collected.items:
        if isinstance(item, ImpedancePoint):
            at = item.time_s
            watch.take_impedance(item, began + at, began_unix + at, workplace.temperature())
            continue
        workplace.reading = item
        at = workplace.clock.now() - began if item.instrument_time is None else item.instrument_time
        reason = watch.take(item, began + at, began_unix + at, workplace.temperature(), None)
        if reason is not None:
            return reason
    return None


def _why_it_finished(step: Step, ended_by: Cutoff | None) -> str:
    """Return the end reason of a task that has ended on the instrument. Raises ``Tripped`` for a limit."""
    if ended_by is None:
        times = [item.text for item in plain_ends(step) if item.quantity == "time"]
        return times[0] if times else f"end of the {step.drive.kind}"
    for item in plain_ends(step):
        if not item.magnitude and (item.quantity, item.comparison) == (ended_by.quantity, ended_by.comparison):
            return item.text
    raise Tripped(
        f"the instrument ended its task at its limit: {ended_by.quantity} {ended_by.comparison} {ended_by.value:g}"
    )


def _refuse_what_leaves_the_limits(step: Step, task: Task) -> None:
    if isinstance(task, Sweep):
        refuse_outside(step, volts=task.vertices)
    elif isinstance(task, Impedance) and task.kind == "potentiostatic":
        refuse_outside(step, volts=(task.bias,))
    elif isinstance(task, Impedance):
        refuse_outside(step, amps=(task.bias,))
