"""A whole program on an instrument that runs it by itself: handed over, followed, left alone when the host goes.

The instrument counts time, charge and energy and says which step it is at; the program is walked beside it, so that
steps, cycles and samples are those of any other run. The number of the last record stands in the position: an engine
that starts again goes on with the next one.
"""

from __future__ import annotations

from galvanode.engine.carriers.alongside import Alongside
from galvanode.engine.errors import CommunicationLost, Failed
from galvanode.engine.scheduling import Scheduled, schedule_of
from galvanode.engine.workplace import READ_ATTEMPTS, Workplace
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import SequencedChannel
from galvanode.recipe.program import Program

_UNHEARD_S = 3600.0
"""An instrument that works alone may be out of reach for so long, process time; then nobody knows how it stands."""
_MOST_FETCHES = 10_000
"""Looks in a row that may find more records, before something is wrong."""
_NOTED = {"paused": "the instrument pauses; go on at the instrument"}


async def carry_out(program: Program, tag: str, workplace: Workplace) -> None:
    """Have a program run by the channel's sequencer, from its start or from where it is, until it ends there.

    ``tag`` is what the instrument keeps of the run. Returns early, and leaves the instrument working, where the run is
    interrupted: the next engine takes it up. Raises ``Tripped`` where the instrument protects, or does what the program
    does not say.
    """
    scheduled = schedule_of(program, workplace.envelope)
    sequencer = workplace.wiring.the_sequencer
    alongside = Alongside(scheduled, workplace)
    await _begin(sequencer, scheduled, tag, workplace)
    await alongside.remember(sequencer)
    await _follow(sequencer, alongside, workplace)


async def _begin(sequencer: SequencedChannel, scheduled: Scheduled, tag: str, workplace: Workplace) -> None:
    """Attach to what runs, or ran, there as this run; start it if it was never there."""
    p, clock = workplace.position, workplace.clock
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
    clock, summons, book = workplace.clock, workplace.summons, workplace.book
    heard, failures, told = clock.now(), 0, ""
    while not summons.asked:
        try:
            followed = await sequencer.follow(workplace.position.fetched)
        except LinkError as error:
            failures += 1
            if failures == READ_ATTEMPTS:
                book.note("link", f"the instrument is out of reach and works alone: {error}")
            if clock.now() - heard > _UNHEARD_S:
                raise CommunicationLost(f"not heard for {_UNHEARD_S:g} s: {error}") from error
            await summons.sleep(clock.now() + alongside.look_s)
            continue
        if failures >= READ_ATTEMPTS:
            book.note("link", f"the instrument is heard again, after {clock.now() - heard:.3g} s")
        heard, failures = clock.now(), 0
        if alongside.take(followed):
            return
        if followed.state != told and (text := _NOTED.get(followed.state)) is not None:
            book.note(followed.state, f"{text} ({followed.reason})")
        told = followed.state
        if not followed.more:
            await summons.sleep(clock.now() + alongside.look_s)
    await _leave(sequencer, alongside, workplace)


async def _leave(sequencer: SequencedChannel, alongside: Alongside, workplace: Workplace) -> None:
    """Do what is asked: stop the instrument and fetch what it has, or leave it to work alone."""
    summons = workplace.summons
    if summons.end != "stop":
        return
    await sequencer.stop()
    try:
        for _ in range(_MOST_FETCHES):
            followed = await sequencer.follow(workplace.position.fetched)
            alongside.take_records(followed)
            if not followed.more and followed.state != "running":
                break
            await workplace.clock.sleep_until(workplace.clock.now() + (0.0 if followed.more else 0.1))
    except LinkError as error:
        workplace.book.note("link", f"the last records could not be fetched: {error}")
    workplace.book.close_step(summons.why or "stop")
