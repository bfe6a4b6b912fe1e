"""The station: the channels of one bench, their runs, and the commits that make both durable."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from galvanode.cell import CellUnderTest, parse_cell
from galvanode.clock import Clock
from galvanode.engine.control import Refused
from galvanode.engine.errors import Unanswerable
from galvanode.engine.position import Position
from galvanode.engine.run import Run
from galvanode.engine.wiring import ChamberControl, NotWired, Wiring
from galvanode.errors import GalvanodeError
from galvanode.instrument.bench import OpenBench, OpenChannel
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import ChamberReading
from galvanode.instrument.roles import Capabilities, Envelope, Identity
from galvanode.quantities import column_of
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import (
    Formula,
    ImpedancePlan,
    Loop,
    Operand,
    Program,
    Result,
    SetChamber,
    Step,
    Variable,
)
from galvanode.states import FINISHED
from galvanode.store.errors import CommitRefused
from galvanode.store.journal import Journal
from galvanode.store.records import Event, NewRun, RunCommit, RunRecord

logger = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.25
"""Real seconds between commits, whatever the simulated speed."""
RESUME_WITHIN_S = 3600.0
"""Process seconds after which a run is not taken up by itself any more: who knows what was done to the cell."""
SEAL_EVERY_S = 3600.0
"""Real seconds between seals of a running run."""
CHAMBER_EVERY_S = 60.0
"""Process seconds between readings of a chamber."""
IDLE_CHAMBER_EVERY_S = 5.0
"""Real seconds between readings of a chamber that no run needs."""
_CHAMBER_FAILURES = 3
_RETRY_SAFE_EVERY_S = 2.0
_COMMIT_FAILURES = 3
_CELSIUS = column_of("temperature").shown

T = TypeVar("T")


@dataclass
class Channel:
    """One channel of the station and what is known of it."""

    open: OpenChannel
    wiring: Wiring
    state: Literal["idle", "unsafe", "lost"] = "idle"
    message: str = ""
    identities: list[Identity] = field(default_factory=list[Identity])
    run: Run | None = None
    submitting: bool = False
    """A run is being made for it."""
    recipe_name: str = ""
    cell_name: str = ""


@dataclass
class ChamberState:
    """What is known of one chamber."""

    reading: ChamberReading | None = None
    failures: int = 0
    message: str = ""
    not_set: str = ""
    """Why the chamber is not at the set point of the bench file, if it is not."""
    watched: bool = False
    presence: ExitStack = field(default_factory=ExitStack)


class Station:
    """All channels of a bench, served by one event loop."""

    def __init__(self, journal: Journal, bench: OpenBench, clock: Clock, seed: int = 0, *, resume: bool = True) -> None:
        self._journal = journal
        self._bench = bench
        self._clock = clock
        self._seed = seed
        self._resume = resume
        self._closing = False
        self._commit_soon = asyncio.Event()
        self._refused: set[str] = set()
        """Runs whose samples the journal does not take; what they measured lies beside the database."""
        self._channels = {name: Channel(item, self._wiring(item)) for name, item in bench.channels.items()}
        self._chambers = {name: ChamberState() for name in bench.chambers}
        self._events: list[Event] = []
        self._unsaved: list[tuple[list[RunCommit], list[Event]]] = []
        self._commit_failures = 0
        self._committing = asyncio.Lock()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._compiler = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile")
        self._sealer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="seal")
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._started_unix = clock.unix()

    # --- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make every channel safe, set the chambers, and take up the runs that were interrupted."""
        await asyncio.gather(*(self._greet(channel) for channel in self._channels.values()))
        for name in self._chambers:
            await self._start_chamber(name)
        for record in reversed(await self._write(self._journal.unfinished)):  # the newest of a channel counts
            if self._resume:
                await self._take_up(record)
            else:
                self._leave_alone(record, "the command that ran last takes up no earlier run")
        self._spawn(self._commit_for_ever(), "commits")
        self._spawn(self._look_at_idle_chambers(), "idle chambers")
        self._spawn(self._seal_for_ever(), "seals")

    async def close(self) -> None:
        """Interrupt every run, make the channels safe, commit, and give everything back."""
        self._closing = True
        while busy := [channel for channel in self._channels.values() if channel.run or channel.submitting]:
            for channel in busy:
                if channel.run is not None:
                    channel.run.interrupt()
            await asyncio.gather(*self._endings, return_exceptions=True)
            await asyncio.sleep(0)
        async with self._committing:  # a commit that has begun is not cut off: it would be repeated
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._commit()
        await self._write(self._journal.close)
        await self._bench.close()
        for thread in (self._writer, self._compiler, self._sealer):
            thread.shutdown()

    async def handle(self, method: str, params: dict[str, Any]) -> Any:
        """Carry out a control request. Raises ``GalvanodeError`` where it cannot be done."""
        methods: dict[str, Callable[..., Any]] = {
            "status": self.status,
            "submit": self.submit,
            "pause": self.pause,
            "resume": self.resume,
            "answer": self.answer,
            "stop": self.stop,
            "stop_all": self.stop_all,
        }
        if method not in methods:
            raise Refused(f"unknown request {method!r}; expected one of {', '.join(methods)}")
        try:
            return await methods[method](**params)
        except TypeError as error:
            raise Refused(f"{method}: {error}") from error

    # --- requests --------------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """Return the state of the engine, the channels and the chambers."""
        speed = self._clock.speed
        return {
            "engine": {
                "pid": os.getpid(),
                "started_unix_s": self._started_unix,
                "speed": "max" if math.isinf(speed) else speed,
                "simulated": not self._bench.bench.outside_simulation(),
                "clock_unix_s": self._clock.unix(),
            },
            "channels": [self._channel_state(channel) for channel in self._channels.values()],
            "chambers": [self._chamber_state(name) for name in self._chambers],
        }

    async def submit(
        self,
        channel: str,
        recipe: str,
        recipe_name: str,
        cell: str,
        cell_name: str,
        parameters: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """Compile a recipe for a cell, check it against the channel, and start it.

        ``files`` are the texts of the recipes and profiles beside it that it names.
        """
        target = self._channels.get(channel)
        if target is None:
            raise Refused(f"no channel {channel!r}; expected one of {', '.join(self._channels)}")
        self._refuse_if_busy(target)
        await self._refuse_if_chamber_fails(target)
        if self._commit_failures >= _COMMIT_FAILURES:
            raise Refused("samples cannot be stored at present; see to the disk of the data directory")
        given = dict(parameters or {})
        target.submitting = True
        try:
            program, under_test = await self._beside(
                self._compiler, _compile, recipe, recipe_name, cell, cell_name, given, dict(files or {})
            )
            _check_capabilities(program, target.wiring, recipe_name)
            self._refuse_if_chamber_is_shared(target, program)
            new = NewRun(
                channel=channel,
                title=program.title,
                recipe_name=recipe_name,
                recipe_text=recipe,
                cell_name=cell_name,
                cell_text=cell,
                parameters=program.parameters,
                program_json=program.model_dump_json(),
                seed=self._seed,
                speed=self._clock.speed,
                instrument=_identity_text(target.identities),
                created_unix_s=self._clock.unix(),
                area_m2=under_test.area,
                analyses=program.analyses,
                auxiliaries=target.wiring.auxiliaries,
            )
            sent = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in (files or {}).items()}
            said = f"{recipe_name} with {cell_name} on {channel}"
            asked = self._event("submit", said, parameters=given, files_sha256=sent)
            await self._end_forsaken(channel, "another run was started on its channel")
            run_id = await self._write(self._journal.create_run, new, [asked])
            self._refuse_if_closing()
            target.recipe_name, target.cell_name = recipe_name, cell_name
            self._begin(target, run_id, program, _envelope(under_test, target.wiring))
        finally:
            target.submitting = False
        return {"run": run_id}

    async def pause(self, run: str) -> dict[str, Any]:
        """Pause a run: its channel is made safe, its position held."""
        found = self._run(run)
        if found.state != "running":
            raise Refused(f"run {run} is {found.state}; only a running one can be paused")
        self._note("pause", f"pause of {run} asked for", run)
        found.pause()
        return {"run": run, "state": found.state}

    async def resume(self, run: str) -> dict[str, Any]:
        """Go on with a paused run."""
        found = self._run(run)
        if found.state != "paused":
            raise Refused(f"run {run} is {found.state}; only a paused one can be resumed")
        self._note("resume", f"resume of {run} asked for", run)
        found.resume()
        return {"run": run, "state": found.state}

    async def answer(self, run: str, value: float | None = None, attachment: str | None = None) -> dict[str, Any]:
        """Answer what a run waits for: a confirmation (neither), a number in SI, the name of a stored photo."""
        found = self._run(run)
        if found.state != "waiting":
            raise Refused(f"run {run} is {found.state}; it asks nothing now")
        try:
            found.answer(value, attachment)
        except Unanswerable as problem:
            raise Refused(str(problem)) from problem
        await self._commit()
        return {"run": run, "state": found.state}

    async def stop(self, run: str) -> dict[str, Any]:
        """End a run now."""
        if await self._end_forsaken(None, "stopped on request", run):
            return {"run": run, "state": "stopped"}
        found = self._run(run)
        self._note("stop", f"stop of {run} asked for", run)
        found.stop()
        await found.finished.wait()
        await self._commit()
        return {"run": run, "state": found.state}

    async def stop_all(self) -> dict[str, Any]:
        """End every run now."""
        running = [channel.run for channel in self._channels.values() if channel.run is not None]
        self._note("stop_all", "stop of everything asked for")
        for run in running:
            run.stop()
        await asyncio.gather(*(run.finished.wait() for run in running))
        await self._commit()
        return {"stopped": [run.id for run in running]}

    # --- runs ------------------------------------------------------------------------------------------

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise Refused("the engine is shutting down; try again when it is back")

    async def _refuse_if_chamber_fails(self, channel: Channel) -> None:
        """A run at the wrong temperature is worth nothing: set the chamber again, and refuse if it refuses."""
        name = channel.open.chamber
        if name is None:
            return
        if self._chambers[name].not_set or self._chambers[name].failures:
            await self._start_chamber(name)
        if problem := self._chambers[name].not_set or self._chambers[name].message:
            raise Refused(f"chamber {name!r} of channel {channel.open.name!r}: {problem}")

    def _refuse_if_chamber_is_shared(self, channel: Channel, program: Program) -> None:
        """A recipe that sets the temperature needs the chamber for itself."""
        others = [
            item.run
            for item in self._channels.values()
            if item.run is not None and item.open.chamber is not None and item.open.chamber == channel.open.chamber
        ]
        setting = [run for run in others if _sets_the_chamber(run.program)]
        if setting or (others and _sets_the_chamber(program)):
            run = (setting or others)[0]
            raise Refused(f"run {run.id} stands in the same chamber, and its temperature would change")

    def _wiring(self, channel: OpenChannel) -> Wiring:
        control = None
        if (name := channel.chamber) is not None:

            async def read() -> ChamberReading | None:
                await self._read_chamber(name)
                state = self._chambers[name]
                return None if state.failures else state.reading

            control = ChamberControl(self._bench.chambers[name].set_temperature, read)
        return Wiring(channel.cycler, channel.analyzer, control)

    async def _end_forsaken(self, channel: str | None, reason: str, run: str | None = None) -> bool:
        """End the unfinished runs that no channel carries out: those of a channel, or the one named.

        Left in the store they would be taken up one day, on whatever cell is connected then.
        """
        alive = {item.run.id for item in self._channels.values() if item.run is not None}
        commits = [
            RunCommit(record.id, [], None, "stopped", reason, self._clock.unix())
            for record in await self._write(self._journal.unfinished)
            if record.id not in alive and (record.channel == channel or record.id == run)
        ]
        if commits:
            await self._write(self._journal.commit, commits)
        return bool(commits)

    def _refuse_if_busy(self, channel: Channel) -> None:
        self._refuse_if_closing()
        if channel.run is not None:
            raise Refused(f"channel {channel.open.name!r} is busy with run {channel.run.id}")
        if channel.submitting:
            raise Refused(f"channel {channel.open.name!r} is busy with a run that is just being submitted")
        if channel.state != "idle":
            raise Refused(f"channel {channel.open.name!r} is {channel.state}: {channel.message}")

    def _run(self, run_id: str) -> Run:
        for channel in self._channels.values():
            if channel.run is not None and channel.run.id == run_id:
                return channel.run
        raise Refused(f"no run {run_id!r} is under way")

    def _begin(
        self,
        channel: Channel,
        run_id: str,
        program: Program,
        envelope: Envelope,
        position: Position | None = None,
        paused: bool = False,
    ) -> None:
        chamber = None if channel.open.chamber is None else self._chambers[channel.open.chamber]
        run = Run(
            run_id,
            program,
            envelope,
            channel.wiring,
            self._clock,
            position=position,
            state="paused" if paused else "queued",
            temperature=lambda: None if chamber is None or chamber.reading is None else chamber.reading[0],
            on_change=self._run_changed,
        )
        channel.run = run
        channel.message = ""
        self._watch_chambers()
        run.start()
        ending = self._spawn(self._see_out(channel, run), f"end of {run_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _see_out(self, channel: Channel, run: Run) -> None:
        """When a run has ended: commit and seal it, and free its channel if that is safe."""
        await run.finished.wait()
        if run.unsafe is not None:
            channel.state, channel.message = "unsafe", run.unsafe
        elif run.state == "communication_lost":
            channel.state, channel.message = "lost", run.end_reason or ""
        else:
            channel.message = f"{run.id} {run.state}: {run.end_reason}"
        await self._commit()
        if run.state in FINISHED:
            await self._seal(run.id)
        channel.run = None
        if channel.state != "idle":
            self._spawn(self._recover(channel), f"recovery of {channel.open.name}")

    async def _recover(self, channel: Channel) -> None:
        """Go on trying to make a channel safe, in the open, until it is."""
        safe = False
        while not safe:
            await asyncio.sleep(_RETRY_SAFE_EVERY_S)
            safe = await self._greet(channel)
        self._note("recovered", f"channel {channel.open.name} is safe again, verified by read-back")

    async def _greet(self, channel: Channel) -> bool:
        """Make a channel safe and ask who answers; True if both went well."""
        try:
            await channel.wiring.make_safe()
            channel.identities = await channel.wiring.identify()
        except LinkError as error:
            self._mark(channel, "lost", str(error))
        except Exception as error:  # whatever went wrong, the output may be on
            self._mark(channel, "unsafe", str(error) or repr(error))
        else:
            channel.state, channel.message = "idle", ""
            return True
        return False

    def _mark(self, channel: Channel, state: Literal["unsafe", "lost"], message: str) -> None:
        was_idle = channel.state == "idle"
        if (channel.state, channel.message) == (state, message):
            return
        channel.state, channel.message = state, message
        logger.error("channel %s is %s: %s", channel.open.name, state, message)
        self._note(state, f"channel {channel.open.name}: {message}")
        if was_idle:
            self._spawn(self._recover(channel), f"recovery of {channel.open.name}")

    async def _take_up(self, record: RunRecord) -> None:
        """Take up a run that an earlier engine left; what cannot be taken up is said and left as it is."""
        channel = self._channels.get(record.channel)
        try:
            if channel is None:
                raise Refused(f"the bench has no channel {record.channel!r} any more")
            self._refuse_if_busy(channel)
            if record.instrument != _identity_text(channel.identities):
                raise Refused(f"the instrument is {_identity_text(channel.identities)}; it was {record.instrument}")
            program = Program.model_validate_json(record.program_json)
            under_test = parse_cell(record.cell_text, record.cell_name)
            position = Position.from_json(record.position_json) if record.position_json else None
        except (GalvanodeError, ValueError) as error:
            message = f"run {record.id} is not resumed: {error}"
            logger.error("%s", message)  # noqa: TRY400
            self._note("not_resumed", message, record.id)
            self._leave_alone(record, message)
            return
        paused = record.state == "paused"
        away_s = 0.0 if position is None else self._clock.unix() - position.unix_time_s
        if away_s > RESUME_WITHIN_S and not paused:
            paused = True
            self._note("held", f"run {record.id} was away for {away_s / 3600:.1f} h: it waits for 'resume'", record.id)
        channel.recipe_name, channel.cell_name = record.recipe_name, record.cell_name
        envelope = _envelope(under_test, channel.wiring)
        self._begin(channel, record.id, program, envelope, position, paused)

    def _leave_alone(self, record: RunRecord, message: str) -> None:
        """Whatever an earlier engine left in the store, the run is not running now."""
        state = "paused" if record.state == "paused" else "interrupted"
        self._unsaved.append(([RunCommit(record.id, [], None, state, message, self._clock.unix())], []))

    # --- chambers --------------------------------------------------------------------------------------

    async def _start_chamber(self, name: str) -> None:
        state, setpoint = self._chambers[name], self._bench.bench.setpoint(name)
        chamber = self._bench.chambers[name]
        try:
            await chamber.identify()
            if setpoint is not None:
                await chamber.set_temperature(setpoint)
        except Exception as error:  # a chamber that cannot be set must be seen, whatever the reason
            state.not_set = str(error) or repr(error)
            self._note("chamber", f"{name}: {state.not_set}")
        else:
            state.not_set = ""
        await self._read_chamber(name)

    def _run_changed(self) -> None:
        """A run's state changed: commit it soon, and watch the chambers that are needed now."""
        self._commit_soon.set()
        self._watch_chambers()

    def _is_needed(self, chamber: str) -> bool:
        """Tell whether a run that goes on depends on a chamber; a paused one does not hold the clock."""
        return any(
            channel.run is not None and channel.run.state in ("queued", "running")
            for channel in self._channels.values()
            if channel.open.chamber == chamber
        )

    def _watch_chambers(self) -> None:
        """Read every chamber that a run needs regularly from this very instant on.

        It joins the clock here and not in its task, so that simulated time cannot pass in between.
        """
        for name, state in self._chambers.items():
            if not state.watched and self._is_needed(name):
                state.watched = True
                state.presence.enter_context(self._clock.actor())
                self._spawn(self._watch_chamber(name), f"chamber {name}")

    async def _look_at_idle_chambers(self) -> None:
        """Keep what people see of a chamber fresh while no run needs it.

        Not at full simulated speed, where time stands still meanwhile and a reading would only use up noise.
        """
        while math.isfinite(self._clock.speed):
            await asyncio.sleep(IDLE_CHAMBER_EVERY_S)
            for name, state in self._chambers.items():
                if not state.watched:
                    await self._read_chamber(name)

    async def _watch_chamber(self, name: str) -> None:
        state = self._chambers[name]
        try:
            with state.presence:
                due = self._clock.now()
                while self._is_needed(name):
                    await self._read_chamber(name)
                    due = max(due + CHAMBER_EVERY_S, self._clock.now())
                    await self._clock.sleep_until(due)
        finally:
            state.watched = False

    async def _read_chamber(self, name: str) -> None:
        state = self._chambers[name]
        try:
            state.reading = await self._bench.chambers[name].read()
        except Exception as error:  # a defect of a driver, too, must not leave a chamber unwatched
            state.failures += 1
            state.message = str(error)
            if state.failures >= _CHAMBER_FAILURES:
                state.reading = None
                self._trip_users(name, f"chamber {name} is lost: {error}")
        else:
            state.failures, state.message = 0, ""
            if state.reading.alarm is not None:
                self._trip_users(name, f"chamber {name} reports {state.reading.alarm}")
                await self._stop_chamber(name)

    async def _stop_chamber(self, name: str) -> None:
        """A chamber with an alarm is put into standby: it must not go on heating."""
        try:
            await self._bench.chambers[name].make_safe()
        except Exception as error:  # told to people; the chamber's own limiter is the layer below
            self._note("chamber", f"{name} could not be put into standby: {error}")

    def _trip_users(self, name: str, reason: str) -> None:
        """The loss of an auxiliary sensor is a trip, and so is the chamber's own alarm."""
        for channel in self._channels.values():
            if channel.open.chamber == name and channel.run is not None:
                channel.run.trip(reason)

    # --- commits ---------------------------------------------------------------------------------------

    async def _write(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the journal on its own thread."""
        return await self._beside(self._writer, call, *arguments)

    async def _beside(self, thread: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        """Call something on another thread; at full simulated speed time stands still meanwhile.

        A loop that jumps from deadline to deadline gives the interpreter away and takes it back so often that
        another thread hardly ever gets hold of it: commits were seen to take half a minute.
        """
        with self._clock.actor():
            return await asyncio.get_running_loop().run_in_executor(thread, call, *arguments)

    async def _commit_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._commit_soon.wait(), COMMIT_EVERY_S)
            self._commit_soon.clear()
            try:
                await self._commit()
            except Exception:  # a defect here must not leave runs unrecorded from then on
                logger.exception("commit failed")

    async def _seal_for_ever(self) -> None:
        """Seal what was left unsealed, at the start and hourly, and with it every running run."""
        while True:
            for run_id in await self._write(self._journal.unsealed):
                await self._seal(run_id)
            await asyncio.sleep(SEAL_EVERY_S)
            for channel in self._channels.values():
                if channel.run is not None:
                    await self._seal(channel.run.id)

    async def _seal(self, run_id: str) -> None:
        """Move a run's samples into Parquet, beside the commits; what cannot be sealed now is tried hourly."""
        try:
            await self._beside(self._sealer, self._journal.seal, run_id)
        except Exception as error:  # the samples are durable already: no reason to hold up a channel
            logger.exception("%s could not be sealed", run_id)
            self._note("not_sealed", f"{run_id} could not be sealed: {error}", run_id)

    async def _commit(self) -> None:
        """Make everything durable that happened since the last commit, in one transaction.

        A commit that fails is kept and tried again with the next one; if that goes on, samples can no longer
        be stored and no current may flow.
        """
        async with self._committing:
            runs = [channel.run for channel in self._channels.values() if channel.run is not None]
            commits = [commit for run in runs if (commit := self._taken(run)) is not None]
            events, self._events = self._events, []
            if commits or events:
                self._unsaved.append((commits, events))
            while self._unsaved:
                try:
                    await self._write(self._journal.commit, *self._unsaved[0])
                except CommitRefused as refused:
                    self._set_aside(refused)
                    continue
                except Exception as error:  # whatever keeps samples from the disk is a reason to stop
                    self._commit_failures += 1
                    logger.exception("commit failed (%d in a row)", self._commit_failures)
                    if self._commit_failures >= _COMMIT_FAILURES:
                        for run in runs:
                            run.trip(f"samples cannot be stored: {error}")
                    return
                self._commit_failures = 0
                self._unsaved.pop(0)

    def _taken(self, run: Run) -> RunCommit | None:
        """Take what a run has to store; a run that cannot give it must not go on."""
        try:
            commit = run.take_commit()
        except Exception as error:
            logger.exception("%s cannot be committed", run.id)
            run.trip(f"samples cannot be stored: {error}")
            return None
        return self._without_samples(commit) if commit is not None and run.id in self._refused else commit

    def _set_aside(self, refused: CommitRefused) -> None:
        """One run's samples do not fit the stored ones: store everything else, and end that run."""
        logger.error("%s", refused)
        self._refused.add(refused.run)
        commits, events = self._unsaved[0]
        kept = [self._without_samples(commit) if commit.run == refused.run else commit for commit in commits]
        told = self._event("commit_refused", str(refused), refused.run)
        self._unsaved[0] = (kept, [*events, told])
        for channel in self._channels.values():
            if channel.run is not None and channel.run.id == refused.run:
                channel.run.trip(f"samples cannot be stored: {refused}")

    def _without_samples(self, commit: RunCommit) -> RunCommit:
        """Return the commit without samples and position; the samples go to a file beside the database."""
        if commit.samples:
            path = self._journal.directory / f"refused-{commit.run}.jsonl"
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(sample._asdict()) + "\n" for sample in commit.samples)
        return replace(commit, samples=[], position_json=None, count=None)

    # --- small things ------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("task %s failed", task.get_name(), exc_info=error)
            self._note("internal_error", f"{task.get_name()}: {error!r}")

    def _event(self, kind: str, message: str, run: str | None = None, **details: Any) -> Event:
        return Event(run, self._clock.unix(), None, kind, message, details)

    def _note(self, kind: str, message: str, run: str | None = None, **details: Any) -> None:
        self._events.append(self._event(kind, message, run, **details))

    def _channel_state(self, channel: Channel) -> dict[str, Any]:
        bench, name = self._bench.bench, channel.open.name
        instrument = bench.channels[name].instruments[0]
        run, chamber = channel.run, channel.open.chamber
        reading = None if chamber is None else self._chambers[chamber].reading
        state: dict[str, Any] = {
            "name": name,
            "instrument": instrument,
            "driver": bench.instruments[instrument].driver,
            "resource": bench.resource(instrument),
            "simulated": bench.instruments[instrument].simulated is not None,
            "chamber": chamber,
            "idn": _identity_text(channel.identities),
            "state": channel.state,
            "message": channel.message,
            "temperature_degC": None if reading is None else _CELSIUS(reading.temperature),
            "run": None,
        }
        if run is not None:
            p, step, last = run.position, run.step, run.reading
            state.update(
                {
                    "state": run.state if run.state in ("paused", "waiting") else "running",
                    "question": None if run.question is None else run.question.model_dump(),
                    "run": run.id,
                    "title": run.program.title,
                    "recipe": channel.recipe_name,
                    "cell": channel.cell_name,
                    "cycle": p.cycle,
                    "step_name": None if step is None else step.name,
                    "step_id": None if step is None else step.step_id,
                    "step_count": p.step_count,
                    "step_time_s": p.step_time_s,
                    "test_time_s": p.test_time_s,
                    "voltage_V": None if last is None else last.voltage,
                    "current_A": None if last is None else last.current,
                    "samples": p.samples,
                    "progress": run.progress,
                }
            )
        return state

    def _chamber_state(self, name: str) -> dict[str, Any]:
        state = self._chambers[name]
        reading = state.reading
        return {
            "name": name,
            "temperature_degC": None if reading is None else _CELSIUS(reading.temperature),
            "setpoint_degC": None if reading is None else _CELSIUS(reading.setpoint),
            "alarm": None if reading is None else reading.alarm,
            "ok": state.failures == 0 and not state.message and not state.not_set,
            "message": state.not_set or state.message,
        }


def _compile(
    recipe: str, recipe_name: str, cell: str, cell_name: str, parameters: dict[str, str], files: dict[str, str]
) -> tuple[Program, CellUnderTest]:
    under_test = parse_cell(cell, cell_name)
    return compile_recipe(parse_recipe(recipe, recipe_name, files), under_test, parameters), under_test


def _envelope(cell: CellUnderTest, wiring: Wiring) -> Envelope:
    """Return the cell's envelope, its current no larger than what the instruments can give anyway."""
    limits = cell.envelope_limits()
    most = max(abs(amps) for item in wiring.instruments for amps in item.capabilities.current)
    return Envelope(limits.voltage_min, limits.voltage_max, min(limits.current_max, most))


def _sets_the_chamber(program: Program) -> bool:
    return any(isinstance(instruction, SetChamber) for instruction in program.instructions)


def _identity_text(identities: list[Identity]) -> str:
    return "; ".join(f"{i.manufacturer}, {i.model}, {i.serial}, {i.firmware}" for i in identities)


def _check_capabilities(program: Program, wiring: Wiring, source: str) -> None:
    """Refuse a program that the channel cannot carry out. Raises ``Refused`` with the recipe's line."""
    ladders: dict[str, tuple[float, ...]] = {}
    for instruction in program.instructions:
        if isinstance(instruction, Loop):
            ladders.update(instruction.ladder)
        if isinstance(instruction, SetChamber) and wiring.chamber is None:
            raise Refused(f"{Path(source).name}:{instruction.line}: this channel has no chamber")
        if not isinstance(instruction, Step):
            continue
        place = f"{Path(source).name}:{instruction.line}"
        try:
            capabilities = wiring.capabilities(wiring.carrier(instruction))
        except NotWired as error:
            raise Refused(f"{place}: {error}") from error
        closest_s = min(instruction.poll_s, math.inf if (burst := instruction.record.burst_every_s) is None else burst)
        if capabilities is None or closest_s < capabilities.fastest_poll_s:
            raise Refused(f"{place}: readings every {closest_s:g} s are too fast for the instrument")
        if instruction.mode == "current":
            _check_operand(instruction.setpoint, ladders, capabilities.current, "A", place)
        if instruction.mode == "voltage":
            _check_operand(instruction.setpoint, ladders, capabilities.voltage, "V", place)
        if instruction.profile is not None and instruction.profile.quantity == "current":
            for amps in instruction.profile.values:
                _check_operand(amps, ladders, capabilities.current, "A", place)
        _check_operand(instruction.current_limit, ladders, capabilities.current, "A", place)
        for vertex in () if instruction.sweep is None else instruction.sweep.vertices:
            _check_operand(vertex, ladders, capabilities.voltage, "V", place)
        if instruction.impedance is not None:
            _check_frequencies(instruction.impedance, capabilities, place)


def _check_frequencies(plan: ImpedancePlan, capabilities: Capabilities, place: str) -> None:
    if capabilities.frequency is None:
        raise Refused(f"{place}: the instrument of this channel measures no impedance")
    low, high = capabilities.frequency
    if plan.frequency_min < low or plan.frequency_max > high:
        raise Refused(
            f"{place}: {plan.frequency_max:g} to {plan.frequency_min:g} Hz; the instrument does {high:g} to {low:g} Hz"
        )


def _check_operand(
    operand: Operand | None,
    ladders: dict[str, tuple[float, ...]],
    window: tuple[float, float],
    unit: str,
    place: str,
) -> None:
    """Check what is known before the run; what is worked out on the way is held against the limits then."""
    if operand is None or isinstance(operand, (Result, Formula)):
        return
    if isinstance(operand, Variable):
        values = [value * operand.factor for value in ladders.get(operand.name, ())]
    else:
        values = [operand]
    low, high = window
    for value in values:
        if not low <= value <= high:
            raise Refused(f"{place}: {value:g} {unit} is outside the instrument's {low:g} to {high:g} {unit}")
