"""Sealed parts: which files hold which samples of a run, and how to read them.

A part is a Parquet file of consecutive samples with a second, small one beside it, its tier. A run that
goes on has a few parts, a finished one has one: ``runs/r0001.bdf.parquet``. A part never changes once it
has its name.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from galvanode.store.schema import RUNS, TEST_TIME

IDENTITY_KEY = b"galvanode"


@dataclass(frozen=True, slots=True)
class Part:
    """Samples ``first_record`` to ``last_record`` of a run, both included."""

    first_record: int
    last_record: int
    file: str
    """Name inside ``runs/``."""
    tier_file: str

    @property
    def rows(self) -> int:
        """How many samples it holds."""
        return self.last_record - self.first_record + 1


def select_parts(connection: sqlite3.Connection, number: int) -> list[Part]:
    """Return the parts of a run, oldest samples first."""
    rows = connection.execute(
        "SELECT first_record, last_record, file, tier_file FROM parts WHERE run = ? ORDER BY first_record",
        (number,),
    )
    return [Part(*row) for row in rows]


def select_chunks(connection: sqlite3.Connection, number: int, after: int, last: int) -> list[bytes]:
    """Return the chunks that hold any of the samples ``after`` + 1 to ``last``, oldest first."""
    rows = connection.execute(
        "SELECT data FROM chunks WHERE run = ? AND last_record > ? AND first_record <= ? ORDER BY last_record",
        (number, after, last),
    )
    return [row[0] for row in rows]


def part_names(run: str, first: int, last: int, finished: bool) -> tuple[str, str]:
    """Return the names of a part's file and of its tier."""
    stem = run if finished else f"{run}.part-{first:012d}-{last:012d}"
    return f"{stem}.bdf.parquet", f"{stem}.tier.parquet"


def path_of(directory: Path, name: str) -> Path:
    """Return where a part's file lies."""
    return directory / RUNS / name


def identity(run: str, created_unix_s: float) -> bytes:
    """Return what a part's file says about whose it is."""
    return json.dumps({"run": run, "created_unix_s": created_unix_s}, sort_keys=True).encode()


def identity_of(path: Path) -> bytes | None:
    """Return what the file at ``path`` says about whose it is; None if it says nothing."""
    metadata: dict[bytes, bytes] = pq.read_schema(path).metadata or {}
    return metadata.get(IDENTITY_KEY)


def read_rows(path: Path, columns: list[str] | None, start: int, stop: int) -> pa.Table:
    """Return rows ``start`` to ``stop`` (not included) of a part; touches no other row groups."""
    with pq.ParquetFile(path) as file:
        wanted: list[int] = []
        first_row, row = 0, 0
        for group in range(file.metadata.num_row_groups):
            end = row + file.metadata.row_group(group).num_rows
            if row < stop and end > start:
                first_row = first_row if wanted else row
                wanted.append(group)
            row = end
        table: pa.Table = file.read_row_groups(wanted, columns=columns)
    return table.slice(max(0, start - first_row), max(0, stop - max(start, first_row)))


def row_groups(path: Path) -> Iterator[pa.Table]:
    """Return the row groups of a Parquet file, one after the other."""
    with pq.ParquetFile(path) as file:
        for group in range(file.metadata.num_row_groups):
            yield file.read_row_group(group)


def rows_between(path: Path, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Return the rows of a Parquet file whose row groups touch that test time, from its footer alone."""
    with pq.ParquetFile(path) as file:
        time = file.schema_arrow.get_field_index(TEST_TIME)
        first, stop, row = None, 0, 0
        for group in range(file.metadata.num_row_groups):
            metadata = file.metadata.row_group(group)
            bounds = metadata.column(time).statistics
            touches = (start_s is None or bounds.max >= start_s) and (end_s is None or bounds.min <= end_s)
            if touches:
                first = row if first is None else first
                stop = row + metadata.num_rows
            row += metadata.num_rows
    return (0, 0) if first is None else (first, stop)
