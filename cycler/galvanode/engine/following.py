"""A task that an instrument runs by itself, followed until it has ended there or the step has to end."""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.engine.assignments import Assignment
from galvanode.engine.errors import CommunicationLost, Tripped
from galvanode.engine.pace import Looks
from galvanode.engine.watch import Watch
from galvanode.engine.workplace import READ_ATTEMPTS, Workplace
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.tasks import Collected, HoldCurrent, HoldVoltage, ImpedancePoint, OpenCircuit, Task


class Ended(NamedTuple):
    """Why a task is over."""

    reason: str
    by_itself: bool
    """On the instrument, as it was planned: it may be repeated."""
    asked: str | None = None


async def follow(watch: Watch, assignment: Assignment, workplace: Workplace) -> Ended:
    """Follow a task that has just been started, and start it again as often as it is to be done; return why it is over.

    Raises ``Tripped``.
    """
    times, analyzer = 0, workplace.wiring.the_analyzer
    while True:
        ended = await _to_its_end(watch, assignment, workplace)
        times += 1
        if times >= assignment.times or not ended.by_itself:
            return ended
        await workplace.send(analyzer, lambda: analyzer.start(assignment.task, assignment.cutoffs))


async def _to_its_end(watch: Watch, assignment: Assignment, workplace: Workplace) -> Ended:
    """Take what a task streams until it is over, once."""
    looks = Looks(watch.step.poll_s, assignment.planned_s, bool(assignment.cutoffs), _spacing(assignment.task))
    clock, analyzer = workplace.clock, workplace.wiring.the_analyzer
    began, began_unix = clock.now(), clock.unix()
    heard, failures = began, 0
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
        heard = clock.now() if collected.items else heard
        reason = _take(collected, watch, looks, began, began_unix, workplace)
        if reason is not None:
            if not collected.finished:
                await analyzer.abort()
            return Ended(reason, by_itself=False)
        watch.check_temperature(workplace.temperature())
        if collected.finished:
            return Ended(assignment.why(collected.ended_by), by_itself=True)
        if (asked := workplace.summons.why) is not None:
            await analyzer.abort()
            return Ended(asked, by_itself=False, asked=asked)
        if clock.now() - heard > assignment.silent_s:
            raise CommunicationLost(f"nothing came for {assignment.silent_s:.0f} s while the instrument ran a task")
        if clock.now() - began > assignment.longest_s:
            raise Tripped(f"the instrument has not ended its task within {assignment.longest_s:.0f} s")


def _spacing(task: Task) -> float:
    """Return the time between two samples, s; infinite where they are not what a step ends with."""
    return task.interval_s if isinstance(task, (OpenCircuit, HoldCurrent, HoldVoltage)) else math.inf


def _take(
    collected: Collected, watch: Watch, looks: Looks, began: float, began_unix: float, workplace: Workplace
) -> str | None:
    """Take what has arrived, each item at the instrument's own time; return why the step ends with one, or None."""
    for item in collected.items:
        if isinstance(item, ImpedancePoint):
            at = item.time_s
            watch.take_impedance(item, began + at, began_unix + at, workplace.temperature())
            continue
        workplace.reading = item
        at = workplace.clock.now() - began if item.instrument_time is None else item.instrument_time
        looks.sampled(at)
        reason = watch.take(item, began + at, began_unix + at, workplace.temperature(), None)
        if reason is not None:
            return reason
    return None
