"""Decimation: fewer points, the same picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tsdownsample import MinMaxDownsampler

from galvanode.store.schema import TEST_TIME


def decimate(table: pa.Table, points: int) -> pa.Table:
    """Return at most ``points`` rows: the first, the last, each column's extremes in every stretch.

    ``Test Time / s`` is the abscissa; each other column gets its share of the points, at least one stretch.
    Missing values are never an extreme.
    """
    if table.num_rows <= points:
        return table
    time = table.column(TEST_TIME).to_numpy()
    others = [name for name in table.column_names if name != TEST_TIME] or [TEST_TIME]
    each = max(2, (points - 2) // len(others) // 2 * 2)
    picked = [np.array([0, table.num_rows - 1], dtype=np.uint64)]
    for name in others:
        column = table.column(name)
        if column.null_count:
            there = np.flatnonzero(column.is_valid().to_numpy()).astype(np.uint64)
            picked.append(there[_extremes(time[there], column.drop_null().to_numpy(), each)])
        else:
            picked.append(_extremes(time, column.to_numpy(), each))
    return table.take(pa.array(np.unique(np.concatenate(picked))))


def _extremes(time: NDArray[np.float64], values: NDArray[np.generic], points: int) -> NDArray[np.uint64]:
    """Return the indices of the lowest and highest value in each of ``points / 2`` stretches."""
    if len(values) <= points:
        return np.arange(len(values), dtype=np.uint64)
    if points == 2 or time[0] == time[-1]:  # one stretch; tsdownsample panics where there is no more than that
        return np.array([np.argmin(values), np.argmax(values)], dtype=np.uint64)
    return MinMaxDownsampler().downsample(time, np.ascontiguousarray(values), n_out=points)
