"""Sweeps that the host drives: a staircase of voltages on the cycler, read at the end of each tread."""

from __future__ import annotations

import math
from collections.abc import Iterator

from galvanode.engine.errors import Failed, Tripped
from galvanode.engine.plans import current_limit, refuse_outside, scan_rate, staircase
from galvanode.engine.trust import inside
from galvanode.engine.workplace import Workplace
from galvanode.errors import GalvanodeError
from galvanode.recipe import drives
from galvanode.recipe.program import Step


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a sweep on the cycler.

    It cannot be taken up in its middle: it is repeated, and both attempts are marked.
    """
    await workplace.connect(step, "cycler", goes_on=False)
    plan, clock, summons, value = step.drive, workplace.clock, workplace.summons, workplace.walk.value
    if not isinstance(plan, drives.Sweep):
        raise GalvanodeError(f"step {step.step_id} ({step.name}) is no sweep")
    cycler = workplace.wiring.the_cycler
    limit = current_limit(step, value, workplace.envelope)
    workplace.book.enter_step(afresh=True)
    refuse_outside(step, volts=map(value, plan.vertices))
    treads = staircase(plan, value)
    tread_s = plan.step / scan_rate(step.name, plan, value)
    compensated = _compensated(plan, workplace)
    await _apply(step, next(treads), limit, workplace)
    began = clock.now()
    watch = workplace.begin(step, None, began, cycler.capabilities.current_floor, record_all=True)
    for number, volts in enumerate(_and_then_none(treads), start=1):
        wake = began + number * tread_s
        await summons.sleep(wake)
        workplace.note_if_late(wake)
        reading = workplace.reading = await workplace.read(cycler)
        asked = summons.why
        reason = watch.take(reading, clock.now(), clock.unix(), workplace.temperature(), asked)
        if reason is not None or volts is None:
            workplace.end(watch, reason or "end of the sweep", asked)
            return
        await _apply(step, volts + compensated * reading.current, limit, workplace)


async def _apply(step: Step, volts: float, limit: float, workplace: Workplace) -> None:
    """Set a voltage of a sweep. Raises ``Tripped`` if the correction carries it outside the step's limits."""
    if not inside(volts, step.limits.voltage):
        raise Tripped(f"{step.name} needs {volts:.4g} V now, which lies outside the limits of its voltage")
    cycler = workplace.wiring.the_cycler
    await workplace.send(cycler, lambda: cycler.source_voltage(volts, limit))


def _compensated(plan: drives.Sweep, workplace: Workplace) -> float:
    """Return the resistance of the iR correction, ohm. Raises ``Failed`` for one that there cannot be."""
    ohms = 0.0 if plan.compensated is None else workplace.walk.value(plan.compensated)
    if not 0.0 <= ohms < math.inf:
        raise Failed(f"the resistance of the iR correction is {ohms:g} ohm; it must be 0 or more")
    return ohms


def _and_then_none(items: Iterator[float]) -> Iterator[float | None]:
    yield from items
    yield None
