"""Sweeps that the host drives: a staircase of voltages on the cycler, read at the end of each tread."""

from __future__ import annotations

from functools import partial
from itertools import count

from galvanode.engine import attempt
from galvanode.engine.plans import current_limit
from galvanode.engine.stairs import Stairs
from galvanode.engine.workplace import Workplace
from galvanode.recipe.program import Step


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a sweep on the cycler.

    It cannot be taken up in its middle: it is repeated, and both attempts are marked.
    """
    await workplace.connect(step, "cycler", goes_on=False)
    clock, summons, cycler = workplace.clock, workplace.summons, workplace.wiring.the_cycler
    limit = current_limit(step, workplace.walk.value, workplace.envelope)
    stairs = Stairs(step, workplace.walk.value)
    workplace.book.enter_step(afresh=True)
    await workplace.send(cycler, partial(cycler.source_voltage, stairs.first, limit))
    watch = attempt.begin(step, "cycler", workplace, record_all=True)
    for number in count(1):
        wake = watch.began + number * stairs.tread_s
        await summons.sleep(wake)
        workplace.note_if_late(wake)
        reading = workplace.reading = await workplace.read(cycler)
        asked = summons.why
        reason = watch.take(reading, clock.now(), clock.unix(), workplace.temperature(), asked)
        volts = stairs.next(reading.current) if reason is None else None
        if volts is None:
            attempt.end(watch, workplace, reason or "end of the sweep", asked)
            return
        await workplace.send(cycler, partial(cycler.source_voltage, volts, limit))
