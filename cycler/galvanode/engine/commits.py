"""Commits and seals: what makes runs durable, beside them and never in their way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from galvanode.clock import Clock
from galvanode.engine.background import Background
from galvanode.engine.run import Run
from galvanode.engine.table import Table
from galvanode.store.errors import CommitRefused
from galvanode.store.journal import Journal
from galvanode.store.records import Event, RunCommit

logger = logging.getLogger(__name__)

COMMIT_EVERY_S = 0.25
"""Real seconds between commits, whatever the simulated speed."""
SEAL_EVERY_S = 3600.0
"""Real seconds between seals of a running run."""
_MOST_FAILURES = 3
_TAKE_FOR_S = 0.001
"""Real seconds for which what runs have to store is taken from them at once."""
_TOLD_EVERY = 1000
"""Commits that fail in a row: a full disk must not be filled with the news of it."""

T = TypeVar("T")


class Commits:
    """The one writer of a station's journal, on a thread of its own."""

    def __init__(self, journal: Journal, table: Table, clock: Clock) -> None:
        self.journal = journal
        self.background = Background(self.note)
        self._table = table
        self._clock = clock
        self._soon = asyncio.Event()
        self._refused: set[str] = set()
        """Runs whose samples the journal does not take; what they measured lies beside the database."""
        self._events: list[Event] = []
        self._unsaved: list[tuple[list[RunCommit], list[Event]]] = []
        self.failures = 0
        """Commits that the disk did not take since the engine started."""
        self._failures_in_a_row = 0
        self._turn = asyncio.Lock()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._sealer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="seal")

    # --- life ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Commit four times a second, and seal, until ``close``."""
        self.background.spawn(self._commit_for_ever(), "commits")
        self.background.spawn(self._seal_for_ever(), "seals")

    async def close(self) -> None:
        """End the station's tasks, commit what is left and close the journal."""
        async with self._turn:  # a commit that has begun is not cut off: it would be repeated
            self.background.cancel()
        await self.background.ended()
        await self.commit()
        await self.write(self.journal.close)
        for thread in (self._writer, self._sealer):
            thread.shutdown()

    # --- what others ask for -----------------------------------------------------------------------------

    @property
    def failing(self) -> bool:
        """Samples cannot be stored at present."""
        return self._failures_in_a_row >= _MOST_FAILURES

    def hurry(self) -> None:
        """Commit soon: something happened that must not wait for its turn."""
        self._soon.set()

    def event(self, kind: str, message: str, run: str | None = None, **details: Any) -> Event:
        """Return an event of this moment."""
        return Event(run, self._clock.unix(), None, kind, message, details)

    def note(self, kind: str, message: str, run: str | None = None, **details: Any) -> None:
        """Have an event stored with the next commit."""
        self._events.append(self.event(kind, message, run, **details))

    def leave(self, commit: RunCommit) -> None:
        """Have a commit of a run that no channel has stored with the next one."""
        self._unsaved.append(([commit], []))

    async def write(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call the journal on its own thread."""
        return await self.beside(self._writer, call, *arguments)

    async def beside(self, thread: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        """Call something on another thread; at full simulated speed time stands still meanwhile.

        A loop that jumps from deadline to deadline gives the interpreter away and takes it back so often that
        another thread hardly ever gets hold of it: commits were seen to take half a minute.
        """
        with self._clock.actor():
            return await asyncio.get_running_loop().run_in_executor(thread, call, *arguments)

    async def durable_within(self, seconds: float) -> bool:
        """Tell whether everything up to now is on disk, waiting for so many real seconds; the commit goes on."""
        committing = self.background.spawn(self._commit_once(), "commit")
        await asyncio.wait({committing}, timeout=seconds)
        return committing.done() and not self._unsaved

    async def commit(self) -> None:
        """Make everything durable that happened since the last commit, in one transaction.

        A commit that fails is kept and tried again with the next one; if that goes on, samples can no longer
        be stored and no current may flow.
        """
        async with self._turn:
            commits = await self._all_taken()
            events, self._events = self._events, []
            if commits or events:
                self._unsaved.append((commits, events))
            while self._unsaved:
                try:
                    await self.write(self.journal.commit, *self._unsaved[0])
                except CommitRefused as refused:
                    self._set_aside(refused)
                except Exception as error:  # whatever keeps samples from the disk is a reason to stop
                    self._failed(error)
                    return
                else:
                    self._unsaved.pop(0)
                    self._succeeded()

    async def seal(self, run_id: str) -> None:
        """Move a run's samples into Parquet, beside the commits; what cannot be sealed now is tried hourly."""
        try:
            await self.beside(self._sealer, self.journal.seal, run_id)
        except Exception as error:  # the samples are durable already: no reason to hold up a channel
            logger.exception("%s could not be sealed", run_id)
            self.note("not_sealed", f"{run_id} could not be sealed: {error}", run_id)

    # --- how ---------------------------------------------------------------------------------------------

    async def _commit_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), COMMIT_EVERY_S)
            self._soon.clear()
            await self._commit_once()

    async def _commit_once(self) -> None:
        try:
            await self.commit()
        except Exception:  # a defect here must not leave runs unrecorded from then on
            logger.exception("commit failed")

    async def _seal_for_ever(self) -> None:
        """Seal what was left unsealed, at the start and hourly, and with it every running run."""
        while True:
            for run_id in await self.write(self.journal.unsealed):
                await self.seal(run_id)
            await asyncio.sleep(SEAL_EVERY_S)
            for run in self._table.runs:
                await self.seal(run.id)

    def _succeeded(self) -> None:
        if self.failing:
            told = f"samples are stored again, after {self._failures_in_a_row} commits that the disk did not take"
            logger.warning("%s", told)
            self.note("stored_again", told)
        self._failures_in_a_row = 0

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self._failures_in_a_row += 1
        if self._failures_in_a_row == 1 or self._failures_in_a_row % _TOLD_EVERY == 0:
            logger.error("commit failed (%d in a row)", self._failures_in_a_row, exc_info=error)
        if self.failing:
            for run in self._table.runs:
                run.trip(f"samples cannot be stored: {error}")

    async def _all_taken(self) -> list[RunCommit]:
        """Take what every run has to store; with many of them readings get their turn in between."""
        commits: list[RunCommit] = []
        began = time.perf_counter()
        for run in list(self._table.runs):
            if (commit := self._taken(run)) is not None:
                commits.append(commit)
            if time.perf_counter() - began > _TAKE_FOR_S:
                await asyncio.sleep(0)
                began = time.perf_counter()
        return commits

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
        told = self.event("commit_refused", str(refused), refused.run)
        self._unsaved[0] = (kept, [*events, told])
        if (run := self._table.run(refused.run)) is not None:
            run.trip(f"samples cannot be stored: {refused}")

    def _without_samples(self, commit: RunCommit) -> RunCommit:
        """Return the commit without samples and position; the samples go to a file beside the database."""
        if commit.samples:
            path = self.journal.directory / f"refused-{commit.run}.jsonl"
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(sample._asdict()) + "\n" for sample in commit.samples)
        return replace(commit, samples=[], position_json=None, count=None)
