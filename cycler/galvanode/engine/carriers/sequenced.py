"""A whole program on an instrument that runs it by itself: handed over, followed, left alone when the host goes.

The instrument counts time, charge and energy and says which step it is at; the program is walked beside it, so that
steps, cycles and samples are those of any other run. The number of the last record stands in the position: an engine
that starts again goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from galvanode.engine.carriers.alongside import Alongside
from galvanode.engine.errors import CommunicationLost, Failed
from galvanode.engine.scheduling import Scheduled, schedule_of
from galvanode.engine.workplace import READ_ATTEMPTS, Workplace
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import SequencedChannel
from galvanode.recipe.program import Program

_UNHEARD_S = 3600.0
"""An instrument that works alone may be out of reach for so long, process time; then nobody knows how it stands."""
_RETRY_S = 1.0
_NOT_ALL_YET_S = 0.1
_MOST_FETCHES = 300
"""Looks for the last records after a stop; what has not come by then does not come."""

T = TypeVar("T")


async def carry_out(program: Program, tag: str, workplace: Workplace, take_up: Callable[[], Awaitable[None]]) -> None:
    """Have a program run by the channel's sequencer, from its start or from where it is, until it ends there.

    ``tag`` is what the instrument keeps of the run; ``take_up`` asks who answers and prepares it. Returns early, and
    leaves the instrument working, where the run is interrupted: the next engine takes it up. Raises ``Tripped`` where
    the instrument protects, or does what the program does not say.
    """
    has_chamber = workplace.wiring.chamber is not None
    scheduled = schedule_of(program, workplace.envelope, has_chamber=has_chamber)
    sequencer, p = workplace.wiring.the_sequencer, workplace.position
    alongside = Alongside(scheduled, workplace)
    if p.unix_time_s == 0.0:  # it may never have begun: nothing works alone yet that one should wait for
        await take_up()
        await _begin(sequencer, scheduled, tag, workplace)
    else:
        await _patiently(take_up, workplace)
        await _patiently(lambda: _begin(sequencer, scheduled, tag, workplace), workplace)
        await _patiently(lambda: alongside.remember(sequencer), workplace)
    await _follow(sequencer, alongside, workplace)
    if workplace.summons.end == "stop":
        await _stop(sequencer, alongside, workplace)


async def _begin(sequencer: SequencedChannel, scheduled: Scheduled, tag: str, workplace: Workplace) -> None:
    """Attach to what runs, or ran, there as this run; start it if it was never there."""
    p, clock = workplace.position, workplace.clock
    found = await sequencer.attached()
    if found != tag:  # believed when it is told twice: for a garbled answer a run would be given up, or started anew
        found = await sequencer.attached()
    if found == tag:
        sequencer.attach(scheduled.schedule, tag)
        workplace.book.note("attached", f"the instrument has run {tag}; its records are fetched after {p.fetched}")
        p.unix_time_s = p.unix_time_s or clock.unix()
        return
    if p.fetched > 0:
        other = "nothing" if found is None else f"run {found!r}"
        raise Failed(f"the instrument has {other} in the place of {tag!r}; what it measured since is lost")
    p.unix_time_s = clock.unix()
    await sequencer.start(scheduled.schedule, tag)


async def _follow(sequencer: SequencedChannel, alongside: Alongside, workplace: Workplace) -> None:
    """Fetch what is recorded until the instrument has ended, or something is asked of the run."""
    told = ""
    while not workplace.summons.asked:
        followed = await _patiently(lambda: sequencer.follow(workplace.position.fetched), workplace)
        if followed is None or alongside.take(followed):
            return
        if followed.state == "paused" and told != "paused":
            workplace.book.note("paused", f"the instrument pauses; go on at the instrument ({followed.reason})")
        told = followed.state
        if not followed.more:
            await workplace.summons.sleep(workplace.clock.now() + alongside.look_s)


async def _stop(sequencer: SequencedChannel, alongside: Alongside, workplace: Workplace) -> None:
    """Stop the instrument, and fetch what it has recorded."""
    await sequencer.stop()
    try:
        for _ in range(_MOST_FETCHES):
            followed = await sequencer.follow(workplace.position.fetched)
            alongside.take_records(followed)
            if not followed.more and followed.state != "running":
                break
            await workplace.clock.sleep_until(workplace.clock.now() + (0.0 if followed.more else _NOT_ALL_YET_S))
    except LinkError as error:
        workplace.book.note("link", f"the last records could not be fetched: {error}")
    workplace.book.close_step(workplace.summons.why or "stop")


async def _patiently(call: Callable[[], Awaitable[T]], workplace: Workplace) -> T | None:
    """Ask an instrument that works alone until it answers; None where something is asked of the run before.

    Raises ``CommunicationLost`` where it has not been heard for too long.
    """
    clock, summons, book = workplace.clock, workplace.summons, workplace.book
    since, failures = clock.now(), 0
    while not summons.asked:
        try:
            answer = await call()
        except LinkError as error:
            failures += 1
            if failures == READ_ATTEMPTS:
                book.note("link", f"the instrument is out of reach and works alone: {error}")
            if clock.now() - since > _UNHEARD_S:
                raise CommunicationLost(f"not heard for {_UNHEARD_S:g} s: {error}") from error
            await summons.sleep(clock.now() + _RETRY_S)
        else:
            if failures >= READ_ATTEMPTS:
                book.note("link", f"the instrument is heard again, after {clock.now() - since:.3g} s")
            return answer
    return None
