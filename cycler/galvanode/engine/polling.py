"""Reading after reading of the cycler until a step ends: the hot path of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from galvanode.engine import attempt
from galvanode.engine.pace import Pace
from galvanode.engine.watch import Watch
from galvanode.engine.workplace import Workplace
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import Reading

Regulate = Callable[[Reading], Awaitable[float]]
"""Sets what is due after a reading; returns the process time at which something else is, whatever is read then."""


async def read_until_end(watch: Watch, workplace: Workplace, regulate: Regulate | None = None) -> None:
    """Read the cycler until the step ends, or something is asked of the run.

    ``regulate`` is called after each reading that does not end the step; None where the instrument regulates.
    """
    clock, summons, cycler = workplace.clock, workplace.summons, workplace.wiring.the_cycler
    pace = Pace(watch.step.poll_s, watch.began, workplace.real_time)
    now_of, unix_of, sleep_until, temperature = clock.now, clock.unix, clock.sleep_until, workplace.temperature
    read, take, next_look, next_wake = cycler.read, watch.take, watch.next_look, pace.next_wake
    real_time, wake, change = workplace.real_time, pace.due, None
    while True:
        if real_time:
            workplace.note_if_late(wake)
        try:
            reading = await read()
        except LinkError as error:
            reading = await workplace.read(cycler, error)
        workplace.reading = reading
        now = now_of()
        asked = summons.why if summons.asked else None
        reason = take(reading, now, unix_of(), temperature(), asked)
        if reason is not None:
            attempt.end(watch, workplace, reason, asked)
            return
        if regulate is not None:
            change = await regulate(reading)
        wake = next_wake(now, next_look(now, pace.after(now)))
        if change is not None:
            wake = min(wake, change)
        summons.asleep = True
        try:
            await sleep_until(wake)
        except asyncio.CancelledError:
            summons.not_really_cancelled()
            wake = now_of()  # woken for the request: not late
        finally:
            summons.asleep = False
