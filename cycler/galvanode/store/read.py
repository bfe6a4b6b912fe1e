"""Store: everything that was committed, read-only, while an engine in another process goes on writing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from galvanode.errors import InvalidInput
from galvanode.store.chunk import from_bytes
from galvanode.store.database import reading
from galvanode.store.decimate import decimate
from galvanode.store.errors import StoreError
from galvanode.store.parts import Part, path_of, read_rows, rows_between, select_chunks, select_parts
from galvanode.store.query import select_run, select_runs
from galvanode.store.records import RunRecord, StoredEvent
from galvanode.store.schema import (
    FIRST_RECORD,
    RECORD,
    STEP_SCHEMA,
    TEST_TIME,
    run_id,
    run_number,
    sample_schema,
    with_columns,
)
from galvanode.store.tiers import BUCKET

__all__ = ["RunRecord", "Store", "StoredEvent"]

_SELECT_STEPS = f"SELECT {', '.join(STEP_SCHEMA.names)} FROM steps WHERE run = ? ORDER BY step_count, attempt"  # noqa: S608

_NO_LIMIT = 2**62

_ATTEMPTS = 20
"""How often a seal may replace files under a reader before the reader gives up."""


@dataclass(frozen=True, slots=True)
class _View:
    """What one transaction saw of a run's samples: each of them in exactly one part or chunk."""

    parts: list[Part]
    tail: pa.Table


class Store:
    """The reading side of a data directory. Safe in any thread and process; holds nothing open."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def runs(self) -> list[RunRecord]:
        """Return all runs, oldest first."""
        with reading(self.directory) as connection:
            return select_runs(connection)

    def run(self, run: str) -> RunRecord:
        """Return that run; raise ``InvalidInput``, naming what there is, if there is none."""
        number = run_number(run)
        with reading(self.directory) as connection:
            record = select_run(connection, number)
            if record is not None:
                return record
            last = connection.execute("SELECT max(number) FROM runs").fetchone()[0]
        there_is = "there are no runs yet" if last is None else f"the latest is {run_id(last)}"
        raise InvalidInput(f"there is no run {run!r} in {self.directory}; {there_is}")

    def schema(self, run: str) -> pa.Schema:
        """Return the columns of a run's samples, those of its auxiliary readings last; raise ``InvalidInput``."""
        return sample_schema(self.run(run).auxiliaries)

    def samples(
        self,
        run: str,
        columns: Sequence[str] | None = None,
        after_record: int | None = None,
        limit: int | None = None,
    ) -> pa.Table:
        """Return the samples of a run in their order, sealed ones and live tail as one table.

        ``columns`` are labels of the run's samples (all if None). ``after_record`` leaves out the samples up
        to and including that ``Record Index / 1``; of those that remain, the first ``limit``.
        """
        schema = self.schema(run)
        names = _checked(schema.names if columns is None else columns, schema)
        after = max(FIRST_RECORD - 1, FIRST_RECORD - 1 if after_record is None else after_record)
        last = _NO_LIMIT if limit is None else after + max(0, limit)
        for _ in range(_ATTEMPTS):
            view = self._view(run, schema, names, after, last)
            try:
                tables = [
                    read_rows(
                        path_of(self.directory, part.file),
                        names,
                        max(0, after + 1 - part.first_record),
                        min(last, part.last_record) + 1 - part.first_record,
                    )
                    for part in view.parts
                    if part.last_record > after and part.first_record <= last
                ]
            except FileNotFoundError:
                continue  # a seal has just merged that part into another: look again
            return _together([*tables, view.tail], schema, names)
        raise StoreError(f"{self.directory}: files of {run} are missing, although the database names them")

    def steps(self, run: str) -> pa.Table:
        """Return the steps of a run in the order they began, in the columns of ``STEP_SCHEMA``.

        A step that still runs has no end. A step that was interrupted and resumed has one row per attempt.
        """
        self.run(run)
        with reading(self.directory) as connection:
            rows = connection.execute(_SELECT_STEPS, (run_number(run),)).fetchall()
        columns = zip(*rows, strict=True) if rows else [[] for _ in STEP_SCHEMA]
        arrays = [pa.array(c, f.type) for c, f in zip(columns, STEP_SCHEMA, strict=True)]
        return pa.Table.from_arrays(arrays, schema=STEP_SCHEMA)

    def events(self, run: str | None = None, after: int | None = None) -> list[StoredEvent]:
        """Return events in their order, of one run or of the station; those after event id ``after``."""
        if run is not None:
            self.run(run)
        number = None if run is None else run_number(run)
        with reading(self.directory) as connection:
            rows = connection.execute(
                "SELECT run, unix_time_s, test_time_s, kind, message, details, id FROM events"
                " WHERE (:run IS NULL OR run = :run) AND id > :after ORDER BY id",
                {"run": number, "after": 0 if after is None else after},
            ).fetchall()
        return [
            StoredEvent(None if of is None else run_id(of), unix_s, test_s, kind, message, json.loads(details), id_)
            for of, unix_s, test_s, kind, message, details, id_ in rows
        ]

    def last_event(self, run: str, kind: str) -> StoredEvent | None:
        """Return the newest event of that kind, None if there is none; raise ``InvalidInput`` for what is no run."""
        number = run_number(run)
        with reading(self.directory) as connection:
            row = connection.execute(
                "SELECT unix_time_s, test_time_s, message, details, id FROM events"
                " WHERE run = ? AND kind = ? ORDER BY id DESC LIMIT 1",
                (number, kind),
            ).fetchone()
        if row is None:
            return None
        unix_s, test_s, message, details, id_ = row
        return StoredEvent(run, unix_s, test_s, kind, message, json.loads(details), id_)

    def overview(
        self,
        run: str,
        points: int,
        columns: Sequence[str],
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> pa.Table:
        """Return at most ``points`` samples that draw the same line as all of them, for a plot over time.

        The table has ``Test Time / s`` and ``columns``. The points are true samples, among them the first,
        the last and, of each column, the lowest and highest of every stretch of time, so that no spike is
        lost. ``start_s`` and ``end_s`` bound the test time, both included. With fewer ``points`` than two per
        column, plus two, there may be that many.
        """
        schema = self.schema(run)
        wanted = [name for name in _checked(columns, schema) if name != TEST_TIME]
        if points < 2:
            raise InvalidInput(f"an overview of {points} points shows nothing; expected 2 or more")
        names = [TEST_TIME, *wanted]
        for _ in range(_ATTEMPTS):
            view = self._view(run, schema, names, FIRST_RECORD - 1, _NO_LIMIT)
            try:
                sealed = self._plotted(view.parts, names, points, start_s, end_s)
            except FileNotFoundError:
                continue
            return decimate(_between(_together([*sealed, view.tail], schema, names), start_s, end_s), points)
        raise StoreError(f"{self.directory}: files of {run} are missing, although the database names them")

    def _plotted(
        self, parts: list[Part], names: list[str], points: int, start_s: float | None, end_s: float | None
    ) -> list[pa.Table]:
        """Return the sealed samples in that time, from the tiers where these are dense enough."""
        paths = [path_of(self.directory, part.file) for part in parts]
        bounds = [rows_between(path, start_s, end_s) for path in paths]
        if sum(stop - start for start, stop in bounds) < BUCKET * points:
            return [read_rows(path, names, *rows) for path, rows in zip(paths, bounds, strict=True)]
        tiers = [path_of(self.directory, part.tier_file) for part in parts]
        return [read_rows(path, names, *rows_between(path, start_s, end_s)) for path in tiers]

    def _view(self, run: str, schema: pa.Schema, names: list[str], after: int, last: int) -> _View:
        """Return where samples ``after`` + 1 to ``last`` are, as one transaction sees it."""
        with reading(self.directory) as connection:
            parts = select_parts(connection, run_number(run))
            sealed = parts[-1].last_record if parts else FIRST_RECORD - 1
            chunks = select_chunks(connection, run_number(run), max(after, sealed), last)
        wanted = [*names, RECORD]
        tail = _together([from_bytes(chunk, wanted, schema) for chunk in chunks], schema, wanted)
        if tail.num_rows:
            before_tail = tail.column(RECORD)[0].as_py() - 1
            skip = max(0, after - before_tail)
            tail = tail.slice(skip, max(0, last - before_tail - skip))
        return _View(parts, tail.select(names))


def _together(tables: list[pa.Table], schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    names = list(dict.fromkeys(names))
    empty = pa.schema([schema.field(name) for name in names]).empty_table()
    return pa.concat_tables([empty, *(with_columns(t, schema, names).replace_schema_metadata(None) for t in tables)])


def _between(table: pa.Table, start_s: float | None, end_s: float | None) -> pa.Table:
    """Return the rows in that test time, which never goes back."""
    time = table.column(TEST_TIME).to_numpy()
    first = 0 if start_s is None else int(np.searchsorted(time, start_s, "left"))
    stop = len(time) if end_s is None else int(np.searchsorted(time, end_s, "right"))
    return table.slice(first, max(0, stop - first))


def _checked(columns: Sequence[str], schema: pa.Schema) -> list[str]:
    for name in columns:
        if name not in schema.names:
            raise InvalidInput(f"{name!r} is not a column; expected some of {', '.join(schema.names)}")
    return list(dict.fromkeys(columns))
