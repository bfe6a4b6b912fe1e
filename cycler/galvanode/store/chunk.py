"""Samples between Python tuples and the bytes of a chunk: an Arrow IPC stream of one record batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from galvanode.store.errors import CommitRefused
from galvanode.store.schema import RECORD, SAMPLE_SCHEMA, with_columns

_COMPRESS_FROM_ROWS = 64
"""Below this the zstd contexts of 17 columns cost more time (0.1 ms) than they save space."""

_RECORD_COLUMN = SAMPLE_SCHEMA.get_field_index(RECORD)

_PLAIN = pa.ipc.IpcWriteOptions(use_threads=False)
_ZSTD = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)


def to_batch(run: str, rows: Sequence[tuple[Any, ...]], first_record: int) -> pa.RecordBatch:
    """Return the samples as columns.

    Raises ``CommitRefused`` unless they start at ``first_record``, follow one another without a gap, and
    every number is finite.
    """
    try:
        columns = [pa.array(c, f.type) for c, f in zip(zip(*rows, strict=True), SAMPLE_SCHEMA, strict=True)]
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise CommitRefused(run, f"samples are not rows of {len(SAMPLE_SCHEMA)} numbers: {error}") from error
    for column, label in zip(columns, SAMPLE_SCHEMA, strict=True):
        if column.null_count and not label.nullable:
            raise CommitRefused(run, f"a sample has no {label.name!r}")
        if pa.types.is_floating(column.type):
            values = (column.drop_null() if column.null_count else column).to_numpy()
            if not np.isfinite(values).all():
                raise CommitRefused(run, f"{label.name!r} of a sample is not a finite number")
    records = columns[_RECORD_COLUMN].to_numpy()
    if records[0] != first_record or (np.diff(records) != 1).any():
        raise CommitRefused(
            run,
            f"samples {records[0]} to {records[-1]} ({len(records)} rows) do not follow the committed ones; "
            f"expected {first_record} to {first_record + len(records) - 1}",
        )
    return pa.RecordBatch.from_arrays(columns, schema=SAMPLE_SCHEMA)


def to_bytes(batch: pa.RecordBatch) -> memoryview:
    """Return the bytes of a chunk."""
    sink = pa.BufferOutputStream()
    options = _ZSTD if batch.num_rows >= _COMPRESS_FROM_ROWS else _PLAIN
    with pa.ipc.new_stream(sink, SAMPLE_SCHEMA, options=options) as stream:
        stream.write_batch(batch)
    return memoryview(sink.getvalue())


def from_bytes(data: bytes, columns: Sequence[str] = SAMPLE_SCHEMA.names) -> pa.Table:
    """Return those columns of a chunk, in the order of the schema; others are not even unpacked."""
    buffer = pa.py_buffer(data)
    written = pa.ipc.read_schema(buffer).names  # fewer by the columns that newer versions added
    wanted = [index for index, name in enumerate(written) if name in columns]
    with pa.ipc.open_stream(buffer, options=pa.ipc.IpcReadOptions(included_fields=wanted)) as stream:
        return with_columns(stream.read_all(), [name for name in SAMPLE_SCHEMA.names if name in columns])
