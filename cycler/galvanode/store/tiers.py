"""Tiers: the few samples of a part that a plot cannot do without.

Of every ``BUCKET`` consecutive samples those where a plotted quantity is lowest or highest, whole and in
their order. Whatever is drawn from a tier shows every spike that the samples hold, from at most 6 rows of
256: 10 M samples leave 0.23 M, which are read and thinned in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.store.schema import CURRENT, TEMPERATURE, VOLTAGE

BUCKET = 256
"""Samples per bucket."""

KEPT = (VOLTAGE, CURRENT, TEMPERATURE)
"""Quantities whose extremes every tier keeps."""


def tier_rows(samples: pa.Table, columns: Sequence[str] = KEPT) -> pa.Table:
    """Return the rows of ``samples`` that its tier keeps, for those columns; the last bucket may be shorter."""
    kept = [np.array([0, samples.num_rows - 1])] if samples.num_rows else []
    for name in columns:
        column = samples.column(name)
        if column.null_count < samples.num_rows:
            values = column.to_numpy()  # nulls become NaN, which neither extreme may be
            missing = np.isnan(values)
            kept.append(_lowest(np.where(missing, np.inf, values)))
            kept.append(_lowest(np.where(missing, np.inf, -values)))
    indices = np.unique(np.concatenate(kept)) if kept else np.array([], dtype=np.int64)
    return samples.take(pa.array(indices))


def _lowest(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index of the lowest value of each bucket."""
    whole = len(values) // BUCKET
    buckets = values[: whole * BUCKET].reshape(whole, BUCKET)
    indices = buckets.argmin(axis=1) + np.arange(whole) * BUCKET
    rest = values[whole * BUCKET :]
    return np.append(indices, whole * BUCKET + rest.argmin()) if len(rest) else indices
