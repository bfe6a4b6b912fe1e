"""Journal: what the engine commits, durable when ``commit`` returns.

One transaction per commit tick carries the samples, positions, steps and events of all runs, so a run's
position never disagrees with its samples. SQLite in WAL mode with ``synchronous=FULL``: readers in other
processes, even stopped ones, never block a commit.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import get_args

from galvanode.errors import InvalidInput
from galvanode.states import FINISHED, RunState
from galvanode.store.chunk import to_batch, to_bytes
from galvanode.store.database import open_for_writing, writing
from galvanode.store.errors import CommitRefused
from galvanode.store.query import select_unfinished, unsealed_runs
from galvanode.store.records import Event, NewRun, RunCommit, RunRecord, StepRecord
from galvanode.store.schema import RUNS, run_id, run_number
from galvanode.store.seal import seal

__all__ = ["Event", "Journal", "NewRun", "RunCommit", "RunRecord", "StepRecord"]

STATION = "station"
"""File with the station's own word."""
_STATES = get_args(RunState)


class Journal:
    """The writing side of a data directory. One process, one thread; only ``seal`` may run in another."""

    def __init__(self, directory: Path) -> None:
        """Open the data directory, creating it where there is none.

        Raises ``StoreError`` if it holds a database of another version or program.
        """
        self.directory = directory
        (directory / RUNS).mkdir(parents=True, exist_ok=True)
        self._connection = open_for_writing(directory)
        self.station = _station(directory / STATION)
        """A word that no other data directory has. An instrument that keeps a run's name tells runs apart by it."""
        self._sealing = threading.Lock()

    def create_run(self, new: NewRun, events: Iterable[Event] = ()) -> str:
        """Store a run in state ``queued``; return its name, ``r0001`` and so on.

        ``events`` are stored with it; those whose ``run`` is None become the run's own.
        """
        with writing(self._connection):
            cursor = self._connection.execute(
                "INSERT INTO runs (channel, title, recipe_name, recipe_text, cell_name, cell_text,"
                " parameters, program_json, seed, speed, instrument, created_unix_s, area_m2, analyses, auxiliaries)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    new.channel,
                    new.title,
                    new.recipe_name,
                    new.recipe_text,
                    new.cell_name,
                    new.cell_text,
                    json.dumps(new.parameters),
                    new.program_json,
                    new.seed,
                    new.speed,
                    new.instrument,
                    new.created_unix_s,
                    new.area_m2,
                    json.dumps(list(new.analyses)),
                    json.dumps([[auxiliary.name, auxiliary.dimension] for auxiliary in new.auxiliaries]),
                ),
            )
            number = cursor.lastrowid
            assert number is not None  # noqa: S101  (SQLite sets it after every INSERT)
            self._connection.execute(
                "INSERT INTO progress VALUES (?, 'queued', NULL, NULL, NULL, ?, 0, 0, NULL)",
                (number, new.created_unix_s),
            )
            self._insert_events(events, number)
        return run_id(number)

    def commit(self, commits: Sequence[RunCommit], events: Iterable[Event] = ()) -> None:
        """Store one tick of all runs, and ``events``, in one transaction.

        Raises ``CommitRefused`` (and stores nothing of the tick) if the samples of a run do not continue
        exactly where its committed ones ended, or hold anything but finite numbers.
        """
        with writing(self._connection):
            for commit in commits:
                self._commit_run(commit)
            self._insert_events(events, None)

    def record(self, events: Iterable[Event]) -> None:
        """Store events that belong to no commit tick."""
        with writing(self._connection):
            self._insert_events(events, None)

    def unfinished(self) -> list[RunRecord]:
        """Return the runs that have not ended, oldest first: those a restarted engine must look after."""
        return select_unfinished(self._connection)

    def unsealed(self) -> list[str]:
        """Return the ended runs whose samples are not all sealed, oldest first."""
        return unsealed_runs(self._connection)

    def last_unix_time_s(self) -> float | None:
        """Return the latest process time of any commit or event, s since 1970 UTC; None in a new store."""
        row = self._connection.execute(
            "SELECT max(t) FROM (SELECT max(updated_unix_s) AS t FROM progress"
            " UNION ALL SELECT max(unix_time_s) FROM events)"
        ).fetchone()
        return row[0]

    def seal(self, run: str) -> None:
        """Move the committed samples of ``run`` from the database into its Parquet file.

        May be called in another thread while commits go on, at any time, any number of times. Killed at
        any point, no committed sample is lost or doubled.
        """
        with self._sealing:
            seal(self.directory, run)

    def close(self) -> None:
        """Close the database; what was committed is on disk already."""
        self._connection.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _commit_run(self, commit: RunCommit) -> None:
        if commit.state not in _STATES:
            raise CommitRefused(commit.run, f"{commit.state!r} is not a state; expected one of {', '.join(_STATES)}")
        number = run_number(commit.run)
        found = self._connection.execute(
            "SELECT samples, test_time_s FROM progress WHERE run = ?", (number,)
        ).fetchone()
        if found is None:
            raise InvalidInput(f"there is no run {commit.run!r} in {self.directory}")
        count, test_time_s = found
        if commit.samples:
            first, count = count + 1, count + len(commit.samples)
            data = to_bytes(to_batch(commit.run, commit.samples, first, commit.auxiliaries))
            self._connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (number, first, count, data))
            test_time_s = commit.samples[-1].test_time
        if commit.count is not None and commit.count != count:
            raise CommitRefused(commit.run, f"its position is that of {commit.count} samples; {count} are stored")
        self._connection.execute(
            "UPDATE progress SET state = :state, end_reason = :reason, samples = :samples,"
            " test_time_s = :test_time, updated_unix_s = :now,"
            " position_json = coalesce(:position, position_json),"
            " started_unix_s = CASE WHEN :state = 'queued' THEN started_unix_s"
            "   ELSE coalesce(started_unix_s, :now) END,"
            " ended_unix_s = CASE WHEN :finished THEN coalesce(ended_unix_s, :now) END WHERE run = :run",
            {
                "run": number,
                "state": commit.state,
                "reason": commit.end_reason,
                "samples": count,
                "test_time": test_time_s,
                "now": commit.unix_time_s,
                "position": commit.position_json,
                "finished": commit.state in FINISHED,
            },
        )
        self._insert_steps(number, commit.steps)
        self._insert_events(commit.events, number)

    def _insert_steps(self, number: int, steps: Iterable[StepRecord]) -> None:
        self._connection.executemany(
            "INSERT INTO steps (run, step_count, attempt, step_id, name, mode, cycle, turn, setpoint,"
            " started_test_time_s, ended_test_time_s, end_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run, step_count, attempt) DO UPDATE SET step_id = excluded.step_id,"
            " name = excluded.name, mode = excluded.mode, cycle = excluded.cycle, turn = excluded.turn,"
            " setpoint = excluded.setpoint, started_test_time_s = excluded.started_test_time_s,"
            " ended_test_time_s = excluded.ended_test_time_s, end_reason = excluded.end_reason",
            (
                (
                    number,
                    s.step_count,
                    s.attempt,
                    s.step_id,
                    s.name,
                    s.mode,
                    s.cycle,
                    s.turn,
                    s.setpoint,
                    s.started_test_time_s,
                    s.ended_test_time_s,
                    s.end_reason,
                )
                for s in steps
            ),
        )

    def _insert_events(self, events: Iterable[Event], number: int | None) -> None:
        self._connection.executemany(
            "INSERT INTO events (run, unix_time_s, test_time_s, kind, message, details) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    number if e.run is None else run_number(e.run),
                    e.unix_time_s,
                    e.test_time_s,
                    e.kind,
                    e.message,
                    json.dumps(e.details),
                )
                for e in events
            ),
        )


def _station(path: Path) -> str:
    """Return the word in a file; make one up, once, where there is none."""
    word = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if not word:
        word = secrets.token_hex(4)
        with path.open("w", encoding="ascii") as file:
            file.write(word)
            file.flush()
            os.fsync(file.fileno())
    return word
