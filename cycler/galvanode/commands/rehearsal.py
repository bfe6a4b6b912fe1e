"""A run on simulated instruments inside this process, in simulated time: dry runs, and the tests of a laboratory."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galvanode.clock import SystemClock, install_clock, process_clock, simulated_clock
from galvanode.commands.session import Submission
from galvanode.engine.contract import ChannelState, Reply, Status
from galvanode.engine.host import refuse_acceleration
from galvanode.engine.station import Station
from galvanode.errors import InvalidInput
from galvanode.instrument.bench import Bench, open_bench
from galvanode.recipe.program import Ask
from galvanode.states import FINISHED
from galvanode.store.journal import Journal
from galvanode.store.read import Store
from galvanode.store.records import RunRecord

_REPORT_EVERY_S = 0.5
_LOOK_EVERY_S = 0.01
"""Real time between looks at a run under way; an answer to a question takes as long."""

Report = Callable[[ChannelState], None]
"""Gets the state of the channel while its run is under way."""
Answer = Callable[[Ask], float | None]
"""Says what an operator would: gets a question, returns the number that it asks for (SI), or None."""


def by_default(question: Ask) -> float | None:
    """Answer a question for a number as the recipe itself would."""
    return question.default


@dataclass
class Rehearsal:
    """A station of simulated instruments, for as long as it is open."""

    station: Station
    bench: Bench
    data_dir: Path
    seed: int

    def inject(self, instrument: str, kind: str, **options: Any) -> None:
        """Put a fault on the wire of a simulated instrument; kinds and options as in a bench file.

        Raises ``InvalidInput`` for another instrument and for a fault that there is not.
        """
        instruments = _simulated(self.bench, self.seed)
        if instrument not in instruments:
            raise InvalidInput(
                f"{instrument!r} is no simulated instrument of this bench; expected one of {', '.join(instruments)}",
                source=self.bench.path,
            )
        try:
            instruments[instrument].wire.inject(kind, **options)
        except ValueError as problem:
            raise InvalidInput(f"fault {kind!r} on {instrument!r}: {problem}") from None

    async def run(
        self, submission: Submission, *, answer: Answer = by_default, report: Report = lambda _: None
    ) -> RunRecord:
        """Carry out a recipe to its end and return what the store knows of it.

        Raises ``Refused`` where the channel cannot do it, and ``InvalidInput`` with the place of a fault.
        """
        run = (await self.station.ask(submission.request)).run
        store = Store(self.data_dir)
        told = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self.station.table.run(run) is None:
                if (record := store.run(run)).state in FINISHED:
                    return record
                continue
            if (question := self._question_of(run)) is not None:
                await self._answer(run, question, answer)
            if time.monotonic() - told > _REPORT_EVERY_S:  # the state of every channel is dear, and runs wait for it
                status = await self.station.ask(Status())
                told = time.monotonic()
                state = next(item for item in status.channels if item.name == submission.channel)
                if state.run == run:
                    report(state)

    def _question_of(self, run: str) -> Ask | None:
        """Return what a run waits for."""
        found = self.station.table.run(run)
        return found.question if found is not None and found.state == "waiting" else None

    async def _answer(self, run: str, question: Ask, answer: Answer) -> None:
        value = answer(question) if question.wants == "number" else None
        photo = "of nothing: nobody was asked" if question.wants == "photo" else None
        await self.station.ask(Reply(run=run, value=value, attachment=photo))


@asynccontextmanager
async def rehearsal(
    data_dir: Path, bench: Bench, *, speed: float | None = math.inf, seed: int = 0
) -> AsyncGenerator[Rehearsal]:
    """Open the simulated instruments of a bench in this process, and a station that serves them.

    The cells are new each time. While it is open, the clock of this process is simulated (``speed`` None: real).
    """
    refuse_acceleration(bench, speed)
    before = process_clock()
    clock = SystemClock() if speed is None else simulated_clock(speed)
    install_clock(clock)
    try:
        station = Station(Journal(data_dir), open_bench(bench, seed), clock, seed, resume=False)
        try:
            await station.start()
            yield Rehearsal(station, bench, data_dir, seed)
        finally:
            await station.close()
    finally:
        _forget(bench, seed)
        install_clock(before)


def _simulated(bench: Bench, seed: int) -> dict[str, Any]:
    """Return the simulated instruments that this process has of a bench, by name."""
    manager = _manager(bench, seed)
    return {} if manager is None else manager.visalib.instruments


def _forget(bench: Bench, seed: int) -> None:
    """Let go of the simulated instruments, so that whoever opens the bench next finds new cells."""
    manager = _manager(bench, seed)
    if manager is not None:
        manager.close()


def _manager(bench: Bench, seed: int) -> Any:
    """Return the PyVISA resource manager that holds the simulated instruments; None if the bench has none."""
    import pyvisa  # here, not at the top: only who rehearses pays for it

    name = next((name for name, entry in bench.instruments.items() if entry.simulated is not None), None)
    return None if name is None else pyvisa.ResourceManager(bench.backend(name, seed))
