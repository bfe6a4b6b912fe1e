"""The channels of a station: made safe, given their runs, seen out, and brought back when something was lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from galvanode.cell import parse_cell
from galvanode.clock import Clock
from galvanode.engine.chambers import Chambers
from galvanode.engine.commits import Commits
from galvanode.engine.compiling import Compiler, let_go, put_together
from galvanode.engine.contract import ChannelState
from galvanode.engine.envelopes import envelope_of
from galvanode.engine.position import Position
from galvanode.engine.run import Run
from galvanode.engine.table import Channel, Table
from galvanode.engine.wiring import Wiring
from galvanode.errors import GalvanodeError, Refused
from galvanode.instrument.bench import OpenBench, OpenChannel
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import Envelope
from galvanode.quantities import SAMPLED
from galvanode.recipe.program import Program
from galvanode.states import FINISHED
from galvanode.store.records import RunCommit, RunRecord

logger = logging.getLogger(__name__)

RESUME_WITHIN_S = 3600.0
"""Process seconds after which a run is not taken up by itself any more: who knows what was done to the cell."""
RETRY_SAFE_EVERY_S = 2.0
"""Real seconds between attempts to make a channel safe that could not be."""


class Channels:
    """What happens on the channels of a bench."""

    def __init__(
        self, bench: OpenBench, table: Table, chambers: Chambers, commits: Commits, compiler: Compiler, clock: Clock
    ) -> None:
        self._bench = bench
        self._table = table
        self._chambers = chambers
        self._commits = commits
        self._compiler = compiler
        self._clock = clock
        self._closing = False
        self._unfinished: frozenset[str] | None = None
        """Runs that have not ended, by the store; None until it has been asked."""
        self._endings: set[asyncio.Task[None]] = set()
        table.update((name, Channel(item, self._wiring(item))) for name, item in bench.channels.items())

    # --- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make every channel safe, side by side, but for what is meant to go on alone."""
        await asyncio.gather(*(self._greet(channel) for channel in self._table.values()))

    async def close(self) -> None:
        """Interrupt every run and return when their channels have been made safe."""
        self._closing = True
        while busy := [channel for channel in self._table.values() if channel.run or channel.submitting]:
            for channel in busy:
                if channel.run is not None:
                    channel.run.interrupt()
            await asyncio.gather(*self._endings, return_exceptions=True)
            await asyncio.sleep(0)

    # --- what others ask for -----------------------------------------------------------------------------

    def refuse_if_closing(self) -> None:
        """Raise ``Refused`` if nothing may begin any more."""
        if self._closing:
            raise Refused("the engine is shutting down; try again when it is back")

    def refuse_if_busy(self, channel: Channel) -> None:
        """Raise ``Refused`` if a channel cannot take a run now."""
        self.refuse_if_closing()
        if channel.run is not None:
            raise Refused(f"channel {channel.name!r} is busy with run {channel.run.id}")
        if channel.submitting:
            raise Refused(f"channel {channel.name!r} is busy with a run that is just being submitted")
        if channel.state != "idle":
            raise Refused(f"channel {channel.name!r} is {channel.state}: {channel.message}")

    def begin(
        self,
        channel: Channel,
        run_id: str,
        program: Program,
        envelope: Envelope,
        position: Position | None = None,
        paused: bool = False,
    ) -> None:
        """Start a run on a channel."""
        chamber = channel.open.chamber
        run = Run(
            run_id,
            program,
            envelope,
            channel.wiring,
            self._clock,
            position=position,
            state="paused" if paused else "queued",
            temperature=lambda: self._chambers.temperature(chamber),
            on_change=self._run_changed,
            tag=self._tag(run_id),
        )
        channel.run = run
        channel.message = ""
        self._chambers.watch()
        run.start()
        ending = self._commits.background.spawn(self._see_out(channel, run), f"end of {run_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def end_forsaken(self, wanted: Callable[[RunRecord], bool], reason: str) -> list[RunRecord]:
        """End the unfinished runs that are wanted and that no channel carries out; return them.

        Left in the store they would be taken up one day, on whatever cell is connected then. What an instrument
        still carries out of them alone is stopped.
        """
        alive = {item.id for item in self._table.runs}
        unfinished = await self._commits.write(self._commits.journal.unfinished)
        ended = [record for record in unfinished if record.id not in alive and wanted(record)]
        if ended:
            now = self._clock.unix()
            commits = [RunCommit(record.id, [], None, "stopped", reason, now) for record in ended]
            await self._commits.write(self._commits.journal.commit, commits)
        on = [record.channel for record in ended]
        await self.stop_what_is_over([record for record in unfinished if record not in ended], on)
        return ended

    async def stop_what_is_over(self, unfinished: Iterable[RunRecord], on: Iterable[str]) -> None:
        """Stop what the instruments of these channels still carry out alone of runs that have ended.

        An engine may die between writing down that a run has ended and stopping it; and a run that could not be
        taken up goes on alone until somebody stops it.
        """
        self._unfinished = frozenset(record.id for record in unfinished)
        channels = [channel for name in dict.fromkeys(on) if (channel := self._table.get(name)) is not None]
        alone = [item for item in channels if item.wiring.sequencer is not None and item.run is None]
        await asyncio.gather(*(self._greet(channel) for channel in alone))

    async def take_up(self, record: RunRecord) -> None:
        """Take up a run that an earlier engine left; what cannot be taken up is said and left as it is."""
        channel = self._table.get(record.channel)
        try:
            if channel is None:
                raise Refused(f"the bench has no channel {record.channel!r} any more")
            self._refuse_to_take_up(record, channel)
            program = await put_together(await self._compiler.take_apart(record.program_json))
            under_test = parse_cell(record.cell_text, record.cell_name)
            position = Position.from_json(record.position_json) if record.position_json else None
        except (GalvanodeError, ValueError) as error:
            message = f"run {record.id} is not resumed: {error}"
            logger.error("%s", message)  # noqa: TRY400
            self._commits.note("not_resumed", message, record.id)
            self.leave_alone(record, message)
            return
        alone = channel.wiring.sequencer is not None
        paused = record.state == "paused"
        away_s = 0.0 if position is None else self._clock.unix() - position.unix_time_s
        if away_s > RESUME_WITHIN_S and not paused and not alone:
            paused = True
            told = f"run {record.id} was away for {away_s / 3600:.1f} h: it waits for 'resume'"
            self._commits.note("held", told, record.id)
        channel.recipe_name, channel.cell_name = record.recipe_name, record.cell_name
        self.begin(channel, record.id, program, envelope_of(under_test, channel.wiring), position, paused)

    def _refuse_to_take_up(self, record: RunRecord, channel: Channel) -> None:
        """Raise ``Refused`` if a channel is not what it was; one that goes on alone may be out of reach for now."""
        if channel.wiring.sequencer is not None and channel.state == "lost" and channel.run is None:
            return
        self.refuse_if_busy(channel)
        if record.instrument != channel.identity:
            raise Refused(f"the instrument is {channel.identity}; it was {record.instrument}")

    def leave_alone(self, record: RunRecord, message: str) -> None:
        """Whatever an earlier engine left in the store, the run is not running now."""
        state = "paused" if record.state == "paused" else "interrupted"
        self._commits.leave(RunCommit(record.id, [], None, state, message, self._clock.unix()))

    def states(self) -> list[ChannelState]:
        """Return how the channels stand."""
        return [self._state(channel) for channel in self._table.values()]

    # --- how ---------------------------------------------------------------------------------------------

    def _wiring(self, channel: OpenChannel) -> Wiring:
        control = None if channel.chamber is None else self._chambers.control(channel.chamber)
        return Wiring(channel.cycler, channel.analyzer, control, channel.sequencer)

    def _run_changed(self) -> None:
        """A run's state changed: commit it soon, and watch the chambers that are needed now."""
        self._commits.hurry()
        self._chambers.watch()

    async def _see_out(self, channel: Channel, run: Run) -> None:
        """When a run has ended: commit and seal it, and free its channel if that is safe."""
        await run.finished.wait()
        if run.unsafe is not None:
            channel.state, channel.message = "unsafe", run.unsafe
        elif run.state == "communication_lost":
            channel.state, channel.message = "lost", run.end_reason or ""
        else:
            channel.message = f"{run.id} {run.state}: {run.end_reason}"
        await self._commits.commit()
        if run.state in FINISHED:
            await self._commits.seal(run.id)
        channel.run = None
        if channel.state != "idle":
            channel.forsaken = True
            self._commits.background.spawn(self._recover(channel), f"recovery of {channel.name}")
        self._commits.background.spawn(let_go(list(run.program.instructions)), f"memory of {run.id}")

    async def _recover(self, channel: Channel) -> None:
        """Go on trying to make a channel safe, in the open, until it is."""
        safe = False
        while not safe:
            await asyncio.sleep(RETRY_SAFE_EVERY_S)
            safe = await self._greet(channel)
        self._commits.note("recovered", f"channel {channel.name} is safe again, verified by read-back")

    async def _greet(self, channel: Channel) -> bool:
        """Make a channel safe and ask who answers; True if both went well.

        What is meant to go on alone does, unless its run has ended.
        """
        try:
            await channel.wiring.make_safe(but_what_goes_on_alone=not channel.forsaken)
            if not channel.forsaken and await self._carries_out_what_is_over(channel):
                channel.forsaken = True
                await channel.wiring.make_safe()
            channel.identities = await channel.wiring.identify()
        except LinkError as error:
            self._mark(channel, "lost", str(error))
        except Exception as error:  # whatever went wrong, the output may be on
            self._mark(channel, "unsafe", str(error) or repr(error))
        else:
            channel.state, channel.message, channel.forsaken = "idle", "", False
            return True
        return False

    async def _carries_out_what_is_over(self, channel: Channel) -> bool:
        """Tell whether an instrument has a run of this station that has ended; it may have ended there too."""
        station = self._tag("")
        if channel.wiring.sequencer is None or channel.run is not None or self._unfinished is None:
            return False
        tag = await channel.wiring.sequencer.attached()
        return tag is not None and tag.endswith(station) and tag.removesuffix(station) not in self._unfinished

    def _tag(self, run_id: str) -> str:
        """Return what an instrument that outlives the host keeps of a run of this station."""
        return f"{run_id}-{self._commits.journal.station}"

    def _mark(self, channel: Channel, state: Literal["unsafe", "lost"], message: str) -> None:
        was_idle = channel.state == "idle"
        if (channel.state, channel.message) == (state, message):
            return
        channel.state, channel.message = state, message
        logger.error("channel %s is %s: %s", channel.name, state, message)
        self._commits.note(state, f"channel {channel.name}: {message}")
        if was_idle:
            self._commits.background.spawn(self._recover(channel), f"recovery of {channel.name}")

    def _state(self, channel: Channel) -> ChannelState:
        bench, name = self._bench.bench, channel.name
        instrument = bench.channels[name].instruments[0]
        temperature = self._chambers.temperature(channel.open.chamber)
        run: dict[str, Any] = {"state": channel.state} if channel.run is None else _run_fields(channel, channel.run)
        known = {"temperature": temperature} if channel.run is None else _known(channel.run, temperature)
        return ChannelState(
            name=name,
            instrument=instrument,
            driver=bench.instruments[instrument].driver,
            resource=bench.resource(instrument),
            simulated=bench.instruments[instrument].simulated is not None,
            chamber=channel.open.chamber,
            idn=channel.identity,
            message=channel.message,
            **run,
            **_live(known),
        )


def _run_fields(channel: Channel, run: Run) -> dict[str, Any]:
    """Say which run a channel has, and how far it is."""
    return {
        "state": run.state if run.state in ("paused", "waiting") else "running",
        "run": run.id,
        "title": run.program.title,
        "recipe": channel.recipe_name,
        "cell": channel.cell_name,
        "step_name": None if run.step is None else run.step.name,
        "auxiliary": run.auxiliary,
        "progress": run.progress,
    }


def _known(run: Run, temperature: float | None) -> dict[str, float | None]:
    """Return what is known of a run's quantities now, by name, SI."""
    position, step, last = run.position, run.step, run.reading
    return {
        "test_time": position.test_time_s,
        "voltage": None if last is None else last.voltage,
        "current": None if last is None else last.current,
        "cycle": position.cycle,
        "step_count": position.step_count,
        "step_id": None if step is None else step.step_id,
        "time": position.step_time_s,
        "temperature": temperature,
        "record": position.samples,
    }


def _live(known: Mapping[str, float | None]) -> dict[str, Any]:
    """Return the fields of a channel's live state, in the units of the columns."""
    live = [(quantity.live, quantity.column, known.get(quantity.name)) for quantity in SAMPLED]
    return {
        name: value if value is None or column.is_si else column.shown(value)
        for name, column, value in live
        if name is not None and column is not None
    }
