"""Samples between Python tuples and the bytes of a chunk: an Arrow IPC stream of one record batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from galvanode.quantities import Auxiliary, Column
from galvanode.store.errors import CommitRefused
from galvanode.store.records import Sample
from galvanode.store.schema import RECORD, SAMPLE_SCHEMA, columns_of, sample_schema, with_columns

_COMPRESS_FROM_ROWS = 64
"""Below this the zstd contexts of 17 columns cost more time (0.1 ms) than they save space."""

_RECORD_COLUMN = SAMPLE_SCHEMA.get_field_index(RECORD)

_PLAIN = pa.ipc.IpcWriteOptions(use_threads=False)
_ZSTD = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", compression_level=1), use_threads=False)


def to_batch(
    run: str, samples: Sequence[Sample], first_record: int, auxiliaries: tuple[Auxiliary, ...] = ()
) -> pa.RecordBatch:
    """Return the samples as columns, in the columns' units.

    Raises ``CommitRefused`` unless they start at ``first_record``, follow one another without a gap, and
    every number is finite.
    """
    schema, columns = sample_schema(auxiliaries), columns_of(auxiliaries)
    try:
        *plain, beside = zip(*samples, strict=True)
        rows = [*plain, *zip(*beside, strict=True)] if auxiliaries else plain
        described = list(zip(rows, schema, columns, strict=True))
        arrays = [_array(run, v, f, c) for v, f, c in described]
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise CommitRefused(run, f"samples are not rows of {len(schema)} numbers: {error}") from error
    records = arrays[_RECORD_COLUMN].to_numpy()
    if records[0] != first_record or (np.diff(records) != 1).any():
        raise CommitRefused(
            run,
            f"samples {records[0]} to {records[-1]} ({len(records)} rows) do not follow the committed ones; "
            f"expected {first_record} to {first_record + len(records) - 1}",
        )
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(run: str, values: Sequence[float | None], label: pa.Field, column: Column) -> pa.Array:
    """Return SI values in the column's unit. Raises ``CommitRefused`` for what the column may not hold."""
    array = pa.array(values, label.type)
    absent = np.array([value is None for value in values]) if array.null_count else None
    if absent is not None and not label.nullable:
        raise CommitRefused(run, f"a sample has no {label.name!r}")
    if not pa.types.is_floating(label.type):
        return array
    numbers = array.to_numpy(zero_copy_only=False)
    finite = np.isfinite(numbers)
    if not (finite if absent is None else finite | absent).all():
        raise CommitRefused(run, f"{label.name!r} of a sample is not a finite number")
    return array if column.is_si else pa.array((numbers - column.zero) / column.divisor, label.type, mask=absent)


def to_bytes(batch: pa.RecordBatch) -> memoryview:
    """Return the bytes of a chunk."""
    sink = pa.BufferOutputStream()
    options = _ZSTD if batch.num_rows >= _COMPRESS_FROM_ROWS else _PLAIN
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return memoryview(sink.getvalue())


def from_bytes(data: bytes, columns: Sequence[str], schema: pa.Schema = SAMPLE_SCHEMA) -> pa.Table:
    """Return those columns of a chunk, in the order of the run's schema; others are not even unpacked."""
    buffer = pa.py_buffer(data)
    written = pa.ipc.read_schema(buffer).names  # fewer by the columns that newer versions added
    wanted = [index for index, name in enumerate(written) if name in columns]
    with pa.ipc.open_stream(buffer, options=pa.ipc.IpcReadOptions(included_fields=wanted)) as stream:
        return with_columns(stream.read_all(), schema, [name for name in schema.names if name in columns])
