"""A station for as long as a command lasts: supervisor, engine and, if wanted, the web side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galvanode.analysis import Result, analyse
from galvanode.commands.benches import channel_named_after
from galvanode.engine.contract import ChannelState, Reply, Status, StopAll, Submit
from galvanode.engine.control import ControlClient
from galvanode.engine.host import refuse_acceleration
from galvanode.engine.supervisor import Supervisor
from galvanode.errors import EngineUnavailable, GalvanodeError, InputRefused, InvalidInput
from galvanode.instrument.bench import Bench, read_bench
from galvanode.recipe import files_beside, read_recipe
from galvanode.results import plain, run_data
from galvanode.states import FINISHED
from galvanode.store.read import Store
from galvanode.store.records import RunRecord

_FOLLOW_EVERY_S = 0.2


class EngineFailed(GalvanodeError):
    """The engine ends again and again; its cells were made safe."""


@dataclass(frozen=True)
class Submission:
    """One run to start."""

    channel: str
    recipe: Path
    cell: Path
    parameters: dict[str, str]

    @property
    def request(self) -> Submit:
        """What the station is asked."""
        return Submit(
            channel=self.channel,
            recipe=self.recipe.read_text(encoding="utf-8"),
            recipe_name=self.recipe.name,
            cell=self.cell.read_text(encoding="utf-8"),
            cell_name=self.cell.name,
            parameters=self.parameters,
            files=self._files(),
        )

    def _files(self) -> dict[str, str]:
        """Return the recipes and profiles beside the recipe that it names."""
        recipe = read_recipe(self.recipe)
        with suppress(InvalidInput, ValueError):  # the station refuses it in words of its own
            files_beside(recipe)
        return recipe.shelf.used


@dataclass
class Session:
    """The running station, as a command talks to it."""

    supervisor: Supervisor
    client: ControlClient
    data_dir: Path

    async def submit(self, submission: Submission) -> str:
        """Start a run and return its id. Raises ``Refused`` with the place of the fault."""
        return (await self.client.ask(submission.request)).run

    async def follow(self, runs: Sequence[str], report: Callable[[dict[str, ChannelState]], None]) -> list[RunRecord]:
        """Wait until all runs have ended; ``report`` gets the channel states of those under way, by run."""
        store = Store(self.data_dir)
        pending = set(runs)
        while pending:
            await asyncio.sleep(_FOLLOW_EVERY_S)
            if self.supervisor.failure is not None:
                raise EngineFailed(self.supervisor.failure)
            try:
                status = await self.client.ask(Status())
            except EngineUnavailable:
                continue  # being restarted by the supervisor
            states = {state.run: state for state in status.channels if state.run is not None}
            report(states)
            for run in pending - states.keys():
                if store.run(run).state in FINISHED:
                    pending.discard(run)
                elif store.run(run).state == "interrupted":
                    raise EngineFailed(f"run {run} was interrupted and could not be resumed")
        return [store.run(run) for run in runs]

    async def answer(self, run: str, value: float | None, attachment: str | None) -> None:
        """Answer what a run waits for. Raises ``Refused`` for what does not fit, ``EngineUnavailable``."""
        await self.client.ask(Reply(run=run, value=value, attachment=attachment))

    async def stop_all(self) -> None:
        """End every run."""
        await self.client.ask(StopAll())


@asynccontextmanager
async def session(
    data_dir: Path,
    bench: Path,
    *,
    speed: float | None,
    seed: int,
    web: Sequence[str] | None = None,
    resume: bool = False,
) -> AsyncGenerator[Session]:
    """Start a station and end it in order: everything safe, everything committed.

    With ``resume`` it takes up the runs that an earlier one left; a command that starts its own does not.
    """
    refuse_acceleration(read_bench(bench), speed)
    supervisor = Supervisor(data_dir, bench, speed=speed, seed=seed, resume=resume, web_arguments=web)
    await supervisor.start()
    client = ControlClient(data_dir)
    try:
        await _wait_for_engine(supervisor, client)
        yield Session(supervisor, client, data_dir)
    finally:
        await client.close()
        await supervisor.close()


async def _wait_for_engine(supervisor: Supervisor, client: ControlClient) -> None:
    while supervisor.failure is None:
        try:
            await client.ask(Status())
        except EngineUnavailable:
            await asyncio.sleep(0.05)
        else:
            return
    if supervisor.input_was_refused:
        raise InputRefused(supervisor.failure)
    raise EngineFailed(supervisor.failure)


def pick_channel(bench: Bench, asked: str | None, cell: Path) -> str:
    """Return the channel to run on: the one asked for, the only one, or the one named after the cell file."""
    names = list(bench.channels)
    if asked is not None:
        if asked not in bench.channels:
            raise InvalidInput(f"no channel {asked!r}; expected one of {', '.join(names)}", source=bench.path)
        return asked
    if len(names) == 1:
        return names[0]
    if (named := channel_named_after(bench, cell)) is not None:
        return named
    raise InvalidInput(
        f"bench {bench.path.stem!r} has no channel named after the cell file {cell.name!r}; "
        f"choose one with --channel: {', '.join(names)}"
    )


def results_of(store: Store, run: RunRecord) -> dict[str, Result]:
    """Run the analyses that the recipe names on the data of a run."""
    return analyse(run.analyses, run_data(store, run))


def summary_of(store: Store, run: RunRecord, wall_s: float | None) -> dict[str, Any]:
    """Return what ``run --json`` and ``analyze --json`` print."""
    return {
        "run": run.id,
        "state": run.state,
        "end_reason": run.end_reason,
        "samples": run.samples,
        "simulated_s": run.test_time_s,
        "wall_s": wall_s,
        "results": plain(results_of(store, run)),
    }
