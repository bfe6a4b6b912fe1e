"""What people ask of a station, carried out. The way of a stop waits for no disk and no other channel."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from galvanode.clock import Clock
from galvanode.document import parse_document
from galvanode.engine.admission import Offer, admit_whole
from galvanode.engine.chambers import Chambers, sets_the_chamber
from galvanode.engine.channels import Channels
from galvanode.engine.commits import Commits
from galvanode.engine.compiling import Compiled, Compiler, put_together
from galvanode.engine.contract import (
    Answer,
    Commanded,
    EngineState,
    Pause,
    Reply,
    Request,
    Resume,
    StationState,
    Status,
    Stop,
    StopAll,
    Stopped,
    StoppedAll,
    Submit,
    Submitted,
)
from galvanode.engine.envelopes import admit_envelope, envelope_of
from galvanode.engine.errors import Unanswerable
from galvanode.engine.run import Run
from galvanode.engine.table import Channel, Table
from galvanode.errors import Refused
from galvanode.recipe.program import Program
from galvanode.store.records import NewRun

STOP_WITHIN_S = 10.0
"""Real seconds after which a stop is answered although its instrument has not said that it is safe."""
DURABLE_WITHIN_S = 0.1
"""Real seconds for which the answer to a stop waits for the disk, so that it can usually say that it is all there."""

_ON_REQUEST = "stopped on request"


class Requests:
    """The requests of the contract, each by the method that carries it out."""

    def __init__(
        self,
        table: Table,
        channels: Channels,
        chambers: Chambers,
        commits: Commits,
        compiler: Compiler,
        clock: Clock,
        *,
        seed: int,
        simulated: bool,
    ) -> None:
        self._table = table
        self._channels = channels
        self._chambers = chambers
        self._commits = commits
        self._clock = clock
        self._seed = seed
        self._simulated = simulated
        self._started_unix = clock.unix()
        self._stops = 0
        """How often everything was stopped."""
        self._compiler = compiler
        self._methods: dict[type[Request[Any]], Callable[[Any], Awaitable[Answer]]] = {
            Status: self._status,
            Submit: self._submit,
            Pause: self._pause,
            Resume: self._resume,
            Reply: self._reply,
            Stop: self._stop,
            StopAll: self._stop_all,
        }

    async def carry_out(self, request: Request[Any]) -> Answer:
        """Carry out a request. Raises ``GalvanodeError`` where that cannot be done."""
        return await self._methods[type(request)](request)

    # --- the way of a stop -------------------------------------------------------------------------------

    async def _stop(self, request: Stop) -> Stopped:
        run = self._table.run(request.run)
        if run is None:
            return await self._stop_forsaken(request.run)
        run.stop()
        self._commits.note("stop", f"stop of {run.id} asked for", run.id)
        await _ended([run])
        return Stopped(
            run=run.id,
            state=run.state,
            safe_unix_s=self._clock.unix() if _is_safe(run) else None,
            durable=await self._is_durable([run]),
            message=None if _is_safe(run) else run.unsafe or "its instrument has not answered yet",
        )

    async def _stop_all(self, _: StopAll) -> StoppedAll:
        runs = self._table.runs
        for run in runs:
            run.stop()
        self._stops += 1
        self._commits.note("stop_all", "stop of everything asked for")
        forsaken = asyncio.ensure_future(self._channels.end_forsaken(lambda _: True, _ON_REQUEST))
        await _ended(runs)
        durable = await self._is_durable(runs)
        with contextlib.suppress(TimeoutError):  # behind a locked disk it goes on, and the answer does not wait
            await asyncio.wait_for(asyncio.shield(forsaken), STOP_WITHIN_S if durable else DURABLE_WITHIN_S)
        others = forsaken.result() if forsaken.done() else []
        return StoppedAll(
            stopped=[run.id for run in runs] + [record.id for record in others],
            not_safe=[run.id for run in runs if not _is_safe(run)]
            + [record.id for record in others if self._message(record.channel) is not None],
            durable=durable and forsaken.done(),
        )

    async def _is_durable(self, runs: list[Run]) -> bool:
        return all(run.finished.is_set() for run in runs) and await self._commits.durable_within(DURABLE_WITHIN_S)

    async def _stop_forsaken(self, run: str) -> Stopped:
        """End a run that no channel carries out: in the store, and on an instrument that goes on with it alone."""
        ended = await self._channels.end_forsaken(lambda record: record.id == run, _ON_REQUEST)
        if not ended:
            raise _not_under_way(run)
        message = self._message(ended[0].channel)
        safe_unix_s = self._clock.unix() if message is None else None
        return Stopped(run=run, state="stopped", safe_unix_s=safe_unix_s, durable=True, message=message)

    def _message(self, name: str) -> str | None:
        """Why a channel that carries out no run is not known to be safe; None if it is."""
        channel = self._table.get(name)
        if channel is None:
            return f"the bench has no channel {name!r} any more"
        return None if channel.state == "idle" else channel.message

    # --- others ------------------------------------------------------------------------------------------

    async def _status(self, _: Status) -> StationState:
        speed = self._clock.speed
        engine = EngineState(
            pid=os.getpid(),
            started_unix_s=self._started_unix,
            speed="max" if math.isinf(speed) else speed,
            simulated=self._simulated,
            clock_unix_s=self._clock.unix(),
            commit_failures=self._commits.failures,
        )
        return StationState(engine=engine, channels=self._channels.states(), chambers=self._chambers.states())

    async def _pause(self, request: Pause) -> Commanded:
        run = self._run(request.run)
        if run.state != "running":
            raise Refused(f"run {run.id} is {run.state}; only a running one can be paused")
        if not run.can_pause:
            raise Refused(f"run {run.id} is carried out by its instrument alone, which cannot be paused from here")
        run.pause()
        self._commits.note("pause", f"pause of {run.id} asked for", run.id)
        return Commanded(run=run.id, state=run.state)

    async def _resume(self, request: Resume) -> Commanded:
        run = self._run(request.run)
        if run.state != "paused":
            raise Refused(f"run {run.id} is {run.state}; only a paused one can be resumed")
        self._commits.note("resume", f"resume of {run.id} asked for", run.id)
        run.resume()
        return Commanded(run=run.id, state=run.state)

    async def _reply(self, request: Reply) -> Commanded:
        run = self._run(request.run)
        if run.state != "waiting":
            raise Refused(f"run {run.id} is {run.state}; it asks nothing now")
        try:
            run.answer(request.value, request.attachment)
        except Unanswerable as problem:
            raise Refused(str(problem)) from problem
        await self._commits.commit()
        return Commanded(run=run.id, state=run.state)

    def _run(self, run_id: str) -> Run:
        run = self._table.run(run_id)
        if run is None:
            raise _not_under_way(run_id)
        return run

    # --- a new run ---------------------------------------------------------------------------------------

    async def _submit(self, request: Submit) -> Submitted:
        channel = self._table.get(request.channel)
        if channel is None:
            raise Refused(f"no channel {request.channel!r}; expected one of {', '.join(self._table)}")
        self._channels.refuse_if_busy(channel)
        channel.submitting, stops = True, self._stops
        try:
            await self._chambers.refuse_if_failing(channel)
            if self._commits.failing:
                raise Refused("samples cannot be stored at present; see to the disk of the data directory")
            with self._clock.actor():  # simulated time stands still meanwhile
                compiled = await self._compiler.compile(request, Offer.of(channel.wiring))
                program = await put_together(compiled.parts)
                envelope = envelope_of(compiled.cell, channel.wiring)
                admit_envelope(channel.wiring, envelope, parse_document(request.cell, request.cell_name))
                if channel.wiring.sequencer is not None:
                    await asyncio.to_thread(admit_whole, program, channel.wiring, envelope, request.recipe_name)
            self._chambers.refuse_if_shared(channel, sets_the_chamber(program))
            run_id = await self._record(request, channel, program, compiled)
            self._channels.refuse_if_closing()
            await self._refuse_if_stopped_since(stops, run_id)
            channel.recipe_name, channel.cell_name = request.recipe_name, request.cell_name
            self._channels.begin(channel, run_id, program, envelope)
        finally:
            channel.submitting = False
        return Submitted(run=run_id)

    async def _refuse_if_stopped_since(self, stops: int, run_id: str) -> None:
        """Raise ``Refused`` if everything was stopped while a run was on its way: it ends before it begins."""
        if self._stops == stops:
            return
        await self._channels.end_forsaken(lambda record: record.id == run_id, _ON_REQUEST)
        raise Refused("everything was stopped while this run was being submitted; submit it again if it is wanted")

    async def _record(self, request: Submit, channel: Channel, program: Program, compiled: Compiled) -> str:
        """Store the run before anything of it happens; return its name."""
        new = NewRun(
            channel=request.channel,
            title=program.title,
            recipe_name=request.recipe_name,
            recipe_text=request.recipe,
            cell_name=request.cell_name,
            cell_text=request.cell,
            parameters=program.parameters,
            program_json=compiled.text,
            seed=self._seed,
            speed=self._clock.speed,
            instrument=channel.identity,
            created_unix_s=self._clock.unix(),
            area_m2=compiled.cell.area,
            analyses=program.analyses,
            auxiliaries=channel.wiring.auxiliaries,
        )
        sent = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in request.files.items()}
        said = f"{request.recipe_name} with {request.cell_name} on {request.channel}"
        asked = self._commits.event("submit", said, parameters=request.parameters, files_sha256=sent)
        await self._channels.end_forsaken(
            lambda record: record.channel == request.channel, "another run was started on its channel"
        )
        return await self._commits.write(self._commits.journal.create_run, new, [asked])


async def _ended(runs: Iterable[Run]) -> None:
    """Return when the runs have ended, or after a while."""
    waiting = [asyncio.ensure_future(run.finished.wait()) for run in runs]
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=STOP_WITHIN_S)
        for task in late:
            task.cancel()


def _is_safe(run: Run) -> bool:
    return run.finished.is_set() and run.unsafe is None


def _not_under_way(run: str) -> Refused:
    return Refused(f"no run {run!r} is under way")
