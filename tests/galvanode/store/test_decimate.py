"""Fewer points, the same picture, whatever the data look like."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from galvanode.store.decimate import decimate
from galvanode.store.schema import TEST_TIME


@given(
    times=st.lists(st.integers(0, 5), min_size=1, max_size=300).map(sorted),
    points=st.integers(2, 60),
    seed=st.integers(0, 1000),
)
def test_the_extremes_and_both_ends_survive_and_no_row_is_made_up(times: list[int], points: int, seed: int):
    random = np.random.default_rng(seed)
    columns = {"a": random.normal(size=len(times)), "b": random.normal(size=len(times))}
    table = pa.table({TEST_TIME: np.array(times, dtype=float), **columns})
    few = decimate(table, points)
    assert few.num_rows <= max(points, 2 + 2 * len(columns))
    rows = {tuple(row.values()) for row in table.to_pylist()}
    assert {tuple(row.values()) for row in few.to_pylist()} <= rows
    for name, values in columns.items():
        kept = few.column(name).to_numpy()
        assert kept.min() == values.min()
        assert kept.max() == values.max()
    assert few.column("a")[0].as_py() == columns["a"][0]
    assert few.column("a")[-1].as_py() == columns["a"][-1]
