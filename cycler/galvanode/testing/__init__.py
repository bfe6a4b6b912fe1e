"""A simulated bench for tests: recipes and drivers tried in simulated time, without hardware and without waiting.

With pytest the fixture ``bench`` is one of these. Elsewhere:

    with SimulatedBench(Path("scratch")) as bench:
        result = bench.run("formation", cell="lfp-li-zni2")
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypeVar

import pyarrow as pa

from galvanode.analysis import Result
from galvanode.cell import read_cell
from galvanode.commands.benches import channel_named_after, reach_of
from galvanode.commands.executed import ExecutedStep, executed_steps
from galvanode.commands.rehearsal import rehearsal
from galvanode.commands.session import Submission, pick_channel, results_of
from galvanode.errors import GalvanodeError, InvalidInput, Refused
from galvanode.instrument.bench import Bench, read_bench
from galvanode.library import find_file
from galvanode.recipe import Recipe, compile_recipe, read_recipe
from galvanode.recipe.outlook.warnings import Warning, warnings_of  # noqa: A004
from galvanode.recipe.program import Ask, Program
from galvanode.store.read import Store
from galvanode.store.records import RunRecord, StoredEvent
from galvanode.units import DIMENSIONS, parse_quantity

__all__ = ["CheckResult", "ExecutedStep", "InvalidInput", "Refused", "RunResult", "SimulatedBench"]

T = TypeVar("T")

_SHELVES = {"recipe": "", "cell": "cells", "bench": "benches"}
"""Kind of file -> folder of the library."""
_END_WITHIN_S = 10.0
"""Real time that a run which is given up gets to make its instruments safe and to store what it has."""
_STEPS_TOLD = 10
_EVENTS_TOLD = 20
_NEVER_TOLD = frozenset(("submit", "sealed"))


@dataclass(frozen=True)
class CheckResult:
    """A recipe as it would be run, and what looks wrong with it."""

    recipe: Recipe
    program: Program
    warnings: list[Warning]

    def __str__(self) -> str:
        lines = [f"line {line}: {text}" for line, text in self.warnings]
        return "\n".join([f"{self.program.title}: {len(lines)} warnings", *lines])


@dataclass(frozen=True, eq=False)
class RunResult:
    """A run that has ended, and its data."""

    record: RunRecord = field(repr=False)
    data_dir: Path = field(repr=False)
    """Its data directory: ``galvanode.store.read.Store(result.data_dir)`` opens it."""

    @property
    def state(self) -> str:
        """``completed``, ``tripped``, ``failed``, ``communication_lost``."""
        return self.record.state

    @property
    def end_reason(self) -> str:
        """Why it ended, for people."""
        return self.record.end_reason or ""

    @property
    def duration_s(self) -> float:
        """Simulated time from the first step to the last sample."""
        return self.record.test_time_s

    @cached_property
    def samples(self) -> pa.Table:
        """Every sample, in the columns of the Battery Data Format: ``samples["Voltage / V"].to_numpy()``."""
        return self._store.samples(self.record.id)

    @cached_property
    def steps(self) -> list[ExecutedStep]:
        """Every step that was carried out, in its order: name, end reason, duration, charge, voltages."""
        return executed_steps(self._store, self.record.id)

    @cached_property
    def events(self) -> list[StoredEvent]:
        """What happened besides: faults, detectors that spoke, questions and answers."""
        return self._store.events(self.record.id)

    @cached_property
    def analyses(self) -> dict[str, Result]:
        """Results of the analyses that the recipe names: ``analyses["first_discharge_capacity"].value``."""
        return results_of(self._store, self.record)

    def __repr__(self) -> str:
        return f"<run {self.state}: {self.end_reason}>"

    def told(self) -> str:
        """Return how the run ended, its last steps and its events, for people."""
        record, steps = self.record, self.steps
        lines = [f"{record.recipe_name} with {record.cell_name} on {record.channel}: {self.state}: {self.end_reason}"]
        lines.append(f"{self.duration_s:,.6g} s, {record.samples:,} samples, {len(steps):,} steps")
        if len(steps) > _STEPS_TOLD:
            lines.append(f"  ... {len(steps) - _STEPS_TOLD:,} steps before")
        for step in steps[-_STEPS_TOLD:]:
            window = "" if step.voltage_v is None else f", {step.voltage_v[0]:.4g} to {step.voltage_v[1]:.4g} V"
            told = f"{step.duration_s:,.6g} s, {step.charge_c / 3.6:.4g} mAh{window}"
            lines.append(f"  step {step.step_id} {step.name}: {told}: {step.end_reason}")
        events = [event for event in self.events if event.kind not in _NEVER_TOLD]
        for event in events[-_EVENTS_TOLD:]:
            at = "" if event.test_time_s is None else f"{event.test_time_s:,.6g} s "
            lines.append(f"  {at}{event.kind}: {event.message}")
        return "\n".join(lines)

    @property
    def _store(self) -> Store:
        return Store(self.data_dir)


class SimulatedBench:
    """Simulated instruments with simulated cells, opened anew for each run.

    Files are looked for in the folders ``look_in``, then in the working directory, then in Galvanode's library.
    """

    def __init__(self, folder: Path, *, bench: str | Path = "simulated", look_in: Sequence[Path] = ()) -> None:
        """``folder`` takes the data of the runs and is left behind."""
        self.runs: list[RunResult] = []
        """Those that were made, in their order."""
        self._folder = folder
        self._look_in = look_in
        self._faults: list[tuple[str | None, str, dict[str, Any]]] = []
        self._texts = 0
        self.use(bench)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the faults that no run has taken. The data stay."""
        self._faults.clear()

    def use(self, bench: str | Path) -> None:
        """Use another bench file (a path, its text, or a name in the library) from now on. Raises ``InvalidInput``."""
        __tracebackhide__ = True
        try:
            self._bench_file = self._file(bench, "bench")
            read_bench(self._bench_file)
        except GalvanodeError as error:
            raise _plain(error) from None

    def inject(self, kind: str, instrument: str | None = None, **options: Any) -> None:
        """Put a fault on the wire for the next run: ``bench.inject("drop_reply", match=":READ?", skip=10, count=1)``.

        Kinds and options are those of a bench file. Without an ``instrument`` it strikes the one that drives the cell.
        """
        self._faults.append((instrument, kind, options))

    def check(
        self,
        recipe: str | Path,
        cell: str | Path | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        channel: str | None = None,
        like: str | None = None,
    ) -> CheckResult:
        """Compile a recipe and return its program with what looks wrong; nothing is run. Raises ``InvalidInput``."""
        __tracebackhide__ = True
        try:
            source, submission, bench = self._prepared(recipe, cell, parameters, channel, like)
            program = compile_recipe(source, read_cell(submission.cell), submission.parameters)
        except GalvanodeError as error:
            raise _plain(error) from None
        return CheckResult(source, program, warnings_of(program, source, reach_of(bench, submission.channel)))

    def run(
        self,
        recipe: str | Path,
        cell: str | Path | None = None,
        parameters: Mapping[str, str] | None = None,
        *,
        channel: str | None = None,
        like: str | None = None,
        seed: int = 0,
        speed: float = math.inf,
        answers: Mapping[str, str | float] | None = None,
    ) -> RunResult:
        """Run a recipe to its end on a new simulated cell and return what came of it.

        ``recipe`` and ``cell`` are paths, texts (of more than one line) or names in the library; without a ``cell`` it
        is the recipe's ``example_cell``. The channel is the only one of the bench, the one asked for, or the one that
        bears the name of the cell, or of ``like``. ``seed`` makes the instruments' noise. ``speed`` is simulated
        seconds per real second. ``answers`` are numbers that an operator would give, by variable: text with a unit, or
        SI; the others are the recipe's defaults. Raises ``InvalidInput`` for what a person wrote wrong, and
        ``Refused`` where the channel cannot do it; a run that trips or fails is no error here, it is a result.
        """
        __tracebackhide__ = True
        try:
            _, submission, bench = self._prepared(recipe, cell, parameters, channel, like)
        except GalvanodeError as error:
            raise _plain(error) from None
        faults, self._faults = self._faults, []
        data_dir = self._folder / f"run{len(self.runs) + 1}"
        entry = bench.channels[submission.channel]

        async def work() -> RunRecord:
            async with rehearsal(data_dir, bench, speed=speed, seed=seed) as laboratory:
                for instrument, kind, options in faults:
                    laboratory.inject(instrument or entry.instruments[0], kind, **options)
                return await laboratory.run(submission, answer=_answering(answers or {}))

        try:
            result = RunResult(_apart(work), data_dir)
        except GalvanodeError as error:
            raise _plain(error) from None
        self.runs.append(result)
        return result

    def _prepared(
        self,
        recipe: str | Path,
        cell: str | Path | None,
        parameters: Mapping[str, str] | None,
        channel: str | None,
        like: str | None,
    ) -> tuple[Recipe, Submission, Bench]:
        __tracebackhide__ = True
        recipe_file, bench = self._file(recipe, "recipe"), read_bench(self._bench_file)
        source = read_recipe(recipe_file)
        cell = source.text.example_cell if cell is None else cell
        if cell is None:
            raise InvalidInput("which cell? The recipe names no 'example_cell'", source=recipe_file)
        cell_file = self._file(cell, "cell")
        if like is not None and channel is None:
            channel = channel_named_after(bench, Path(like)) or like
        target = pick_channel(bench, channel, cell_file)
        return source, Submission(target, recipe_file, cell_file, dict(parameters or {})), bench

    def _file(self, name: str | Path, kind: str) -> Path:
        """Return the file that a path, a text or a name in the library stands for."""
        __tracebackhide__ = True
        if isinstance(name, str) and "\n" in name:
            self._texts += 1
            path = self._folder / f"{kind}{self._texts}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
            return path
        for base in self._look_in:
            if (base / name).is_file():
                return base / name
        return find_file(name, _SHELVES[kind])


def _plain(error: GalvanodeError) -> GalvanodeError:
    """Return an error as one that was raised here: what a person can mend needs no tour of the engine."""
    return error.with_traceback(None)


def _answering(answers: Mapping[str, str | float]) -> Callable[[Ask], float | None]:
    def answer(question: Ask) -> float | None:
        given = question.default if question.name is None else answers.get(question.name, question.default)
        if not isinstance(given, str):
            return given
        dimension = question.dimension
        try:
            return parse_quantity(given, dimension) if dimension in DIMENSIONS else float(given)
        except ValueError as problem:
            raise InvalidInput(f"answer to {question.message!r} {problem}") from None

    return answer


def _apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Carry out asynchronous work in a thread with an event loop of its own; the caller's, if any, stays as it is.

    What ends the waiting here (Ctrl-C, a test's timeout) ends the work too, in order.
    """
    __tracebackhide__ = True
    outcome: list[T] = []
    failure: list[BaseException] = []
    done = threading.Event()
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def main() -> T:
        task = asyncio.ensure_future(work())
        started.append((asyncio.get_running_loop(), task))
        return await task

    def live() -> None:
        try:
            with asyncio.Runner() as runner:
                outcome.append(runner.run(main()))
        except BaseException as error:  # raised again where the caller is
            failure.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=live, name="galvanode bench", daemon=True)
    thread.start()
    try:
        while not done.wait(0.2):  # not for ever: on Windows nothing would get through
            pass
    except BaseException:
        for loop, task in started:
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_END_WITHIN_S)
        raise
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
