"""The station: the channels of one bench, their runs, and the commits that make both durable."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from galvanode.cell import CellUnderTest, parse_cell
from galvanode.clock import Clock
from galvanode.engine.control import Refused
from galvanode.engine.position import Position
from galvanode.engine.run import FINISHED, Run
from galvanode.errors import GalvanodeError
from galvanode.instrument.bench import OpenBench, OpenChannel
from galvanode.instrument.link import LinkError
from galvanode.instrument.reading import ChamberReading
from galvanode.instrument.roles import Capabilities, Envelope, Identity
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import Loop, Program, Step, Variable
from galvanode.store.journal import Journal
from galvanode.store.records import Event, NewRun, RunCommit, RunRecord

logger = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.25
"""Real seconds between commits, whatever the simulated speed."""
SEAL_EVERY_S = 3600.0
"""Real seconds between seals of a running run."""
CHAMBER_EVERY_S = 60.0
"""Process seconds between readings of a chamber."""
_CHAMBER_FAILURES = 3
_RETRY_SAFE_EVERY_S = 2.0
_COMMIT_FAILURES = 3
_MOST_PENDING_ROWS = 200_000
_ZERO_CELSIUS = 273.15

T = TypeVar("T")


@dataclass
class Channel:
    """One channel of the station and what is known of it."""

    open: OpenChannel
    state: Literal["idle", "unsafe", "lost"] = "idle"
    message: str = ""
    identity: Identity | None = None
    run: Run | None = None
    recipe_name: str = ""
    cell_name: str = ""


@dataclass
class ChamberState:
    """What is known of one chamber."""

    reading: ChamberReading | None = None
    failures: int = 0
    message: str = ""
    users: int = 0
    """Runs that need it now."""
    presence: ExitStack = field(default_factory=ExitStack)


class Station:
    """All channels of a bench, served by one event loop."""

    def __init__(self, journal: Journal, bench: OpenBench, clock: Clock, seed: int = 0) -> None:
        self._journal = journal
        self._bench = bench
        self._clock = clock
        self._seed = seed
        self._channels = {name: Channel(open=item) for name, item in bench.channels.items()}
        self._chambers = {name: ChamberState() for name in bench.chambers}
        self._events: list[Event] = []
        self._unsaved: list[tuple[list[RunCommit], list[Event]]] = []
        self._commit_failures = 0
        self._committing = asyncio.Lock()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._helper = ThreadPoolExecutor(max_workers=1, thread_name_prefix="compile-and-seal")
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._started_unix = clock.unix()

    # --- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make every channel safe, set the chambers, and take up the runs that were interrupted."""
        await asyncio.gather(*(self._greet(channel) for channel in self._channels.values()))
        for name in self._chambers:
            await self._start_chamber(name)
        for record in await self._write(self._journal.unfinished):
            await self._take_up(record)
        self._spawn(self._commit_for_ever(), "commits")
        self._spawn(self._seal_for_ever(), "seals")

    async def close(self) -> None:
        """Interrupt every run, make the channels safe, commit, and give everything back."""
        running = [channel.run for channel in self._channels.values() if channel.run is not None]
        for run in running:
            run.interrupt()
        await asyncio.gather(*(run.finished.wait() for run in running))
        await asyncio.gather(*self._endings)
        async with self._committing:  # a commit that has begun is not cut off: it would be repeated
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._commit()
        await self._write(self._journal.close)
        await self._bench.close()
        self._writer.shutdown()
        self._helper.shutdown()

    async def handle(self, method: str, params: dict[str, Any]) -> Any:
        """Carry out a control request. Raises ``GalvanodeError`` where it cannot be done."""
        methods: dict[str, Callable[..., Any]] = {
            "status": self.status,
            "submit": self.submit,
            "pause": self.pause,
            "resume": self.resume,
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
    ) -> dict[str, Any]:
        """Compile a recipe for a cell, check it against the channel, and start it."""
        target = self._channels.get(channel)
        if target is None:
            raise Refused(f"no channel {channel!r}; expected one of {', '.join(self._channels)}")
        self._refuse_if_busy(target)
        given = dict(parameters or {})
        program, under_test = await asyncio.get_running_loop().run_in_executor(
            self._helper, _compile, recipe, recipe_name, cell, cell_name, given
        )
        envelope = _envelope(under_test)
        _check_capabilities(program, target.open.cycler.capabilities, recipe_name)
        self._refuse_if_busy(target)
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
            instrument=_identity_text(target.identity),
            created_unix_s=self._clock.unix(),
            area_m2=under_test.area,
            analyses=program.analyses,
        )
        asked = self._event("submit", f"{recipe_name} with {cell_name} on {channel}", parameters=given)
        run_id = await self._write(self._journal.create_run, new, [asked])
        target.recipe_name, target.cell_name = recipe_name, cell_name
        self._begin(target, run_id, program, envelope)
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

    async def stop(self, run: str) -> dict[str, Any]:
        """End a run now."""
        found = self._run(run)
        self._note("stop", f"stop of {run} asked for", run)
        found.stop()
        await found.finished.wait()
        return {"run": run, "state": found.state}

    async def stop_all(self) -> dict[str, Any]:
        """End every run now."""
        running = [channel.run for channel in self._channels.values() if channel.run is not None]
        self._note("stop_all", "stop of everything asked for")
        for run in running:
            run.stop()
        await asyncio.gather(*(run.finished.wait() for run in running))
        return {"stopped": [run.id for run in running]}

    # --- runs ------------------------------------------------------------------------------------------

    def _refuse_if_busy(self, channel: Channel) -> None:
        if channel.run is not None:
            raise Refused(f"channel {channel.open.name!r} is busy with run {channel.run.id}")
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
            channel.open.cycler,
            self._clock,
            position=position,
            state="paused" if paused else "queued",
            temperature=lambda: None if chamber is None or chamber.reading is None else chamber.reading[0],
        )
        channel.run = run
        channel.message = ""
        if channel.open.chamber is not None:
            self._use_chamber(channel.open.chamber)
        run.start()
        ending = self._spawn(self._see_out(channel, run), f"end of {run_id}")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _see_out(self, channel: Channel, run: Run) -> None:
        """When a run has ended: commit and seal it, and free its channel if that is safe."""
        await run.finished.wait()
        if channel.open.chamber is not None:
            self._chambers[channel.open.chamber].users -= 1
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
            await channel.open.cycler.make_safe()
            channel.identity = await channel.open.cycler.identify()
        except LinkError as error:
            self._mark(channel, "lost", str(error))
        except GalvanodeError as error:
            self._mark(channel, "unsafe", str(error))
        else:
            channel.state, channel.message = "idle", ""
            return True
        return False

    def _mark(self, channel: Channel, state: Literal["unsafe", "lost"], message: str) -> None:
        was_idle = channel.state == "idle"
        if not was_idle and channel.message == message:
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
            if record.instrument != _identity_text(channel.identity):
                raise Refused(f"the instrument is {_identity_text(channel.identity)}; it was {record.instrument}")
            program = Program.model_validate_json(record.program_json)
            under_test = parse_cell(record.cell_text, record.cell_name)
            position = Position.from_json(record.position_json) if record.position_json else None
        except (GalvanodeError, ValueError) as error:
            message = f"run {record.id} is not resumed: {error}"
            logger.error("%s", message)  # noqa: TRY400
            self._note("not_resumed", message, record.id)
            return
        paused = record.state == "paused"
        channel.recipe_name, channel.cell_name = record.recipe_name, record.cell_name
        self._begin(channel, record.id, program, _envelope(under_test), position, paused)

    # --- chambers --------------------------------------------------------------------------------------

    async def _start_chamber(self, name: str) -> None:
        setpoint = self._bench.bench.instruments[name].setpoint
        chamber = self._bench.chambers[name]
        try:
            await chamber.identify()
            if setpoint is not None:
                await chamber.set_temperature(setpoint)
        except GalvanodeError as error:
            self._chambers[name].message = str(error)
            self._note("chamber", f"{name}: {error}")
        await self._read_chamber(name)

    def _use_chamber(self, name: str) -> None:
        """A run needs the chamber: read it regularly from this very instant on.

        The chamber joins the clock here and not in its task, so that simulated time cannot pass in between.
        """
        state = self._chambers[name]
        state.users += 1
        if state.users == 1:
            state.presence.enter_context(self._clock.actor())
            self._spawn(self._watch_chamber(name), f"chamber {name}")

    async def _watch_chamber(self, name: str) -> None:
        state = self._chambers[name]
        with state.presence:
            due = self._clock.now()
            while state.users > 0:
                await self._read_chamber(name)
                due = max(due + CHAMBER_EVERY_S, self._clock.now())
                await self._clock.sleep_until(due)

    async def _read_chamber(self, name: str) -> None:
        state = self._chambers[name]
        try:
            state.reading = await self._bench.chambers[name].read()
        except GalvanodeError as error:
            state.failures += 1
            state.message = str(error)
            if state.failures == _CHAMBER_FAILURES:
                state.reading = None
                self._trip_users(name, f"chamber {name} is lost: {error}")
        else:
            state.failures, state.message = 0, ""
            if state.reading.alarm is not None:
                self._trip_users(name, f"chamber {name} reports {state.reading.alarm}")

    def _trip_users(self, name: str, reason: str) -> None:
        """The loss of an auxiliary sensor is a trip, and so is the chamber's own alarm."""
        for channel in self._channels.values():
            if channel.open.chamber == name and channel.run is not None:
                channel.run.trip(reason)

    # --- commits ---------------------------------------------------------------------------------------

    async def _write(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the journal on its own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    async def _commit_for_ever(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self._commit()

    async def _seal_for_ever(self) -> None:
        """Seal what an earlier engine left unsealed, then every running run, hourly."""
        for run_id in await self._write(self._journal.unsealed):
            await self._seal(run_id)
        while True:
            await asyncio.sleep(SEAL_EVERY_S)
            for channel in self._channels.values():
                if channel.run is not None:
                    await self._seal(channel.run.id)

    async def _seal(self, run_id: str) -> None:
        """Move a run's samples into Parquet, beside the commits."""
        await asyncio.get_running_loop().run_in_executor(self._helper, self._journal.seal, run_id)

    async def _commit(self) -> None:
        """Make everything durable that happened since the last commit, in one transaction.

        A commit that fails is kept and tried again with the next one; if that goes on, samples can no longer
        be stored and no current may flow.
        """
        async with self._committing:
            runs = [channel.run for channel in self._channels.values() if channel.run is not None]
            commits = [commit for run in runs if (commit := run.take_commit()) is not None]
            events, self._events = self._events, []
            if commits or events:
                self._unsaved.append((commits, events))
            while self._unsaved:
                with self._time_held(runs):
                    try:
                        await self._write(self._journal.commit, *self._unsaved[0])
                    except Exception as error:  # whatever keeps samples from the disk is a reason to stop
                        self._commit_failures += 1
                        logger.exception("commit failed (%d in a row)", self._commit_failures)
                        if self._commit_failures == _COMMIT_FAILURES:
                            for run in runs:
                                run.trip(f"samples cannot be stored: {error}")
                        return
                self._commit_failures = 0
                self._unsaved.pop(0)

    @contextlib.contextmanager
    def _time_held(self, runs: list[Run]) -> Any:
        """At full simulated speed, let time stand still while the disk catches up."""
        if sum(run.pending_rows for run in runs) + sum(_rows(item) for item in self._unsaved) > _MOST_PENDING_ROWS:
            with self._clock.actor():
                yield
        else:
            yield

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
        instrument = bench.channels[name].cycler
        run, chamber = channel.run, channel.open.chamber
        reading = None if chamber is None else self._chambers[chamber].reading
        state: dict[str, Any] = {
            "name": name,
            "instrument": instrument,
            "driver": bench.instruments[instrument].driver,
            "resource": bench.resource(instrument),
            "simulated": bench.instruments[instrument].simulated is not None,
            "chamber": chamber,
            "idn": _identity_text(channel.identity),
            "state": channel.state,
            "message": channel.message,
            "temperature_degC": None if reading is None else reading.temperature - _ZERO_CELSIUS,
            "run": None,
        }
        if run is not None:
            p, step, last = run.position, run.step, run.reading
            state.update(
                {
                    "state": "paused" if run.state == "paused" else "running",
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
            "temperature_degC": None if reading is None else reading.temperature - _ZERO_CELSIUS,
            "setpoint_degC": None if reading is None else reading.setpoint - _ZERO_CELSIUS,
            "alarm": None if reading is None else reading.alarm,
            "ok": state.failures == 0 and not state.message,
            "message": state.message,
        }


def _rows(item: tuple[list[RunCommit], list[Event]]) -> int:
    return sum(len(commit.rows) for commit in item[0])


def _compile(
    recipe: str, recipe_name: str, cell: str, cell_name: str, parameters: dict[str, str]
) -> tuple[Program, CellUnderTest]:
    under_test = parse_cell(cell, cell_name)
    return compile_recipe(parse_recipe(recipe, recipe_name), under_test, parameters), under_test


def _envelope(cell: CellUnderTest) -> Envelope:
    limits = cell.envelope_limits()
    return Envelope(limits.voltage_min, limits.voltage_max, limits.current_max)


def _identity_text(identity: Identity | None) -> str:
    if identity is None:
        return ""
    return f"{identity.manufacturer}, {identity.model}, {identity.serial}, {identity.firmware}"


def _check_capabilities(program: Program, capabilities: Capabilities, source: str) -> None:
    """Refuse a program that the instrument cannot carry out. Raises ``Refused`` with the recipe's line."""
    ladders: dict[str, tuple[float, ...]] = {}
    for instruction in program.instructions:
        if isinstance(instruction, Loop):
            ladders.update(instruction.ladder)
        if not isinstance(instruction, Step):
            continue
        place = f"{Path(source).name}:{instruction.line}"
        if instruction.mode not in capabilities.modes:
            raise Refused(f"{place}: the instrument of this channel cannot do {instruction.mode!r}")
        if instruction.poll_s < capabilities.fastest_poll_s:
            raise Refused(
                f"{place}: readings every {instruction.poll_s:g} s; "
                f"the instrument needs {capabilities.fastest_poll_s:g} s for one"
            )
        if instruction.setpoint is None:
            continue
        operand = instruction.setpoint
        values = (
            [value * operand.factor for value in ladders[operand.name]] if isinstance(operand, Variable) else [operand]
        )
        low, high = capabilities.current if instruction.mode == "current" else capabilities.voltage
        unit = "A" if instruction.mode == "current" else "V"
        for value in values:
            if not low <= value <= high:
                raise Refused(f"{place}: {value:g} {unit} is outside the instrument's {low:g} to {high:g} {unit}")
