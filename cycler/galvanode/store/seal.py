"""Sealing: committed samples move from the database into one Parquet file, without a moment of doubt.

Order of things: write aside, sync, rename, sync the folder; then one transaction names the file as a part,
which is the moment from which it counts; then the chunks and the files that it replaces go. Only the
database says what counts, so a kill between any two of these leaves either the old state or the new one,
plus chunks and files that nobody reads and that the next seal of the run removes.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from galvanode.errors import InvalidInput
from galvanode.states import FINISHED
from galvanode.store.chunk import from_bytes
from galvanode.store.database import open_for_writing, writing
from galvanode.store.errors import StoreError
from galvanode.store.parts import (
    IDENTITY_KEY,
    Part,
    identity,
    identity_of,
    part_names,
    path_of,
    row_groups,
    select_chunks,
    select_parts,
)
from galvanode.store.query import select_run
from galvanode.store.records import RunRecord
from galvanode.store.schema import FIRST_RECORD, RECORD, RUNS, run_number, sample_schema, with_columns
from galvanode.store.tiers import KEPT, tier_rows

ROW_GROUP = 65_536
"""Rows that are read or skipped together; a multiple of the tiers' bucket."""

_DELETED_AT_ONCE = 250_000
"""Samples deleted in one transaction."""

_PAUSE_S = 0.005
"""Real time in which a commit that waits for the database gets it."""

# Measured on 720 k rows: 32 bytes per row, 66 ms; zstd alone takes 53 bytes and three times as long.
_COMPRESSION: dict[str, Any] = {"compression": "zstd", "compression_level": 3, "use_dictionary": False}


def seal(directory: Path, run: str) -> None:
    """Seal what is committed of ``run``: see ``Journal.seal``. One caller per data directory at a time."""
    number = run_number(run)
    with closing(open_for_writing(directory)) as connection:
        record = select_run(connection, number)
        if record is None:
            raise InvalidInput(f"there is no run {run!r} in {directory}")
        parts = select_parts(connection, number)
        sealed = parts[-1].last_record if parts else FIRST_RECORD - 1
        finished = record.state in FINISHED
        merged = parts if finished else _small_enough_to_merge(parts, record.samples - sealed)
        if record.samples > sealed or (finished and [p.file for p in parts] not in ([], [f"{run}.bdf.parquet"])):
            _write_part(directory, connection, record, merged, sealed)
        _delete_sealed_chunks(connection, number)
        _remove_replaced(directory, connection, record)


def _small_enough_to_merge(parts: list[Part], new_rows: int) -> list[Part]:
    """Return the latest parts that together with the new rows make a larger one.

    Merging only parts no larger than what follows them writes each sample log2(hours) times, not hours times.
    """
    count = 0
    while count < len(parts) and parts[-1 - count].rows <= new_rows:
        new_rows += parts[-1 - count].rows
        count += 1
    return parts[len(parts) - count :]


def _write_part(
    directory: Path, connection: sqlite3.Connection, record: RunRecord, merged: list[Part], sealed: int
) -> None:
    number = run_number(record.id)
    first = merged[0].first_record if merged else sealed + 1
    finished = record.state in FINISHED
    file, tier_file = part_names(record.id, first, record.samples, finished)
    part = Part(first, record.samples, file, tier_file)
    for name in (file, tier_file):
        _refuse_foreign(path_of(directory, name), record)
    _write_files(directory, connection, record, merged, part, sealed)
    with writing(connection):
        connection.executemany(
            "DELETE FROM parts WHERE run = ? AND first_record = ?", [(number, p.first_record) for p in merged]
        )
        connection.execute(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?)",
            (number, part.first_record, part.last_record, file, tier_file),
        )


def _write_files(
    directory: Path,
    connection: sqlite3.Connection,
    record: RunRecord,
    merged: list[Part],
    part: Part,
    sealed: int,
) -> None:
    """Write the files of ``part`` aside, then give them their names."""
    schema = sample_schema(record.auxiliaries).with_metadata({IDENTITY_KEY: identity(record.id, record.created_unix_s)})
    kept = (*KEPT, *(auxiliary.column.label for auxiliary in record.auxiliaries))
    asides = [path_of(directory, name + ".tmp") for name in (part.tier_file, part.file)]
    written = 0
    with (
        pq.ParquetWriter(asides[0], schema, column_encoding=_encoding(schema), **_COMPRESSION) as tier_writer,
        pq.ParquetWriter(asides[1], schema, column_encoding=_encoding(schema), **_COMPRESSION) as writer,
    ):
        for rows in _row_groups_of(directory, connection, record, merged, sealed):
            rows = rows.replace_schema_metadata(schema.metadata)
            writer.write_table(rows, row_group_size=ROW_GROUP)
            tier_writer.write_table(tier_rows(rows, kept))
            written += rows.num_rows
    if written != part.rows:
        raise StoreError(f"{record.id}: {written} samples where {part.rows} should be; nothing was sealed")
    for aside in asides:
        _sync(aside)
        aside.rename(aside.with_suffix(""))
    _sync(directory / RUNS)


def _encoding(schema: pa.Schema) -> dict[str, str]:
    """Return how each column is written."""
    return {
        label.name: "BYTE_STREAM_SPLIT" if pa.types.is_floating(label.type) else "DELTA_BINARY_PACKED"
        for label in schema
    }


def _row_groups_of(
    directory: Path, connection: sqlite3.Connection, record: RunRecord, merged: list[Part], sealed: int
) -> Iterator[pa.Table]:
    """Return the samples of the merged parts and of the chunks, regrouped to ``ROW_GROUP`` rows."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in _tables_of(directory, connection, record, merged, sealed):
        waiting.append(table)
        rows += table.num_rows
        while rows >= ROW_GROUP:
            together = pa.concat_tables(waiting)
            yield together.slice(0, ROW_GROUP).combine_chunks()
            waiting, rows = [together.slice(ROW_GROUP)], rows - ROW_GROUP
    if rows:
        yield pa.concat_tables(waiting).combine_chunks()


def _tables_of(
    directory: Path, connection: sqlite3.Connection, record: RunRecord, merged: list[Part], sealed: int
) -> Iterator[pa.Table]:
    schema = sample_schema(record.auxiliaries)
    for part in merged:
        for table in row_groups(path_of(directory, part.file)):
            yield with_columns(table.replace_schema_metadata(None), schema, schema.names)
    after = sealed
    while after < record.samples:
        # A few at a time, so that no read transaction lasts: the log cannot shrink meanwhile.
        chunks = select_chunks(connection, run_number(record.id), after, min(after + ROW_GROUP, record.samples))
        if not chunks:
            raise StoreError(f"{record.id}: sample {after + 1} is missing; nothing was sealed")
        for chunk in (from_bytes(data, schema.names, schema) for data in chunks):
            if chunk[RECORD][0].as_py() != after + 1:
                raise StoreError(f"{record.id}: sample {after + 1} is missing; nothing was sealed")
            after += chunk.num_rows
            yield chunk


def _refuse_foreign(path: Path, record: RunRecord) -> None:
    """Raise ``StoreError`` rather than overwrite the samples of another store's run of the same name."""
    if path.exists() and identity_of(path) != identity(record.id, record.created_unix_s):
        raise StoreError(f"{path} holds another run's samples; move it away, then seal {record.id} again")


def _delete_sealed_chunks(connection: sqlite3.Connection, number: int) -> None:
    """Delete the chunks that parts hold, which nobody reads any more.

    In pieces, with a pause after each: commits wait meanwhile, 0.5 s if 5 M samples went at once.
    """
    parts = select_parts(connection, number)
    sealed = parts[-1].last_record if parts else FIRST_RECORD - 1
    oldest = "SELECT min(last_record) FROM chunks WHERE run = ? AND last_record <= ?"
    while (reached := connection.execute(oldest, (number, sealed)).fetchone()[0]) is not None:
        with writing(connection):
            connection.execute(
                "DELETE FROM chunks WHERE run = ? AND last_record <= ?",
                (number, min(sealed, reached + _DELETED_AT_ONCE)),
            )
        time.sleep(_PAUSE_S)


def _remove_replaced(directory: Path, connection: sqlite3.Connection, record: RunRecord) -> None:
    """Remove this run's files that no longer count: merged parts, and what a kill left behind."""
    parts = select_parts(connection, run_number(record.id))
    counting = {name for part in parts for name in (part.file, part.tier_file)}
    ours = re.compile(re.escape(record.id) + r"(\.part-\d+-\d+)?\.(bdf|tier)\.parquet(\.tmp)?")
    for path in (directory / RUNS).iterdir():
        if path.name in counting or not ours.fullmatch(path.name):
            continue
        if path.suffix == ".tmp" or identity_of(path) == identity(record.id, record.created_unix_s):
            path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
