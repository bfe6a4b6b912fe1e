"""Stores that earlier versions wrote."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galvanode.store import chunk, parts, schema, seal
from galvanode.store.database import open_for_writing
from galvanode.store.journal import Journal
from galvanode.store.read import Store
from galvanode.store.records import NewRun, RunCommit
from galvanode.store.schema import FREQUENCY, IMAGINARY_IMPEDANCE, REAL_IMPEDANCE, SAMPLE_SCHEMA, VOLTAGE

ADDED = [FREQUENCY, REAL_IMPEDANCE, IMAGINARY_IMPEDANCE]
VERSION_1 = pa.schema([label for label in SAMPLE_SCHEMA if label.name not in ADDED])


@pytest.fixture
def store_of_version_1(tmp_path: Path, new_run: NewRun, commit_of: Callable[..., RunCommit], monkeypatch: Any) -> str:
    """Eight samples in sealed files and four in a chunk, none with the columns of impedance."""
    with monkeypatch.context() as then:
        for module in (chunk, schema, seal):
            then.setattr(module, "SAMPLE_SCHEMA", VERSION_1)
        with Journal(tmp_path) as journal:
            run = journal.create_run(new_run)
            for first, count in ((1, 8), (9, 4)):
                commit = commit_of(run, first, count)
                rows = [row[:14] for row in commit.rows]
                journal.commit([RunCommit(**{**_fields(commit), "rows": rows})])
                if first == 1:
                    journal.seal(run)
    with closing(open_for_writing(tmp_path)) as connection:
        connection.execute("UPDATE schema_version SET version = 1")
        connection.commit()
    return run


def _fields(commit: RunCommit) -> dict[str, Any]:
    return {name: getattr(commit, name) for name in commit.__dataclass_fields__}


def test_a_store_of_version_1_is_read_with_nulls_for_what_it_had_not(store_of_version_1, tmp_path):
    run = store_of_version_1
    files = list((tmp_path / parts.RUNS).glob("*.bdf.parquet"))
    assert files
    assert not any(name in pq.read_schema(path).names for path in files for name in ADDED)
    with Journal(tmp_path) as journal:
        samples = Store(tmp_path).samples(run)
        assert samples.schema == SAMPLE_SCHEMA
        assert samples.num_rows == 12
        assert all(samples.column(name).null_count == 12 for name in ADDED)
        assert Store(tmp_path).samples(run, [FREQUENCY, VOLTAGE]).column_names == [FREQUENCY, VOLTAGE]
        assert Store(tmp_path).overview(run, 5, [FREQUENCY, VOLTAGE]).num_rows <= 6
        journal.seal(run)
    assert Store(tmp_path).samples(run).equals(samples)


def test_a_run_of_version_1_goes_on_with_the_new_columns(store_of_version_1, commit_of, tmp_path):
    run = store_of_version_1
    with Journal(tmp_path) as journal:
        journal.commit([commit_of(run, 13, 12)])
        journal.commit([commit_of(run, 25, 0, state="completed", end_reason="end", position_json=None)])
        journal.seal(run)
    samples = Store(tmp_path).samples(run)
    assert samples.schema == SAMPLE_SCHEMA
    assert samples.column(FREQUENCY).is_valid().to_pylist() == [False] * 21 + [True] + [False] * 2
