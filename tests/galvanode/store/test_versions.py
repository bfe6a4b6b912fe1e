"""Stores that earlier versions wrote."""

from collections import namedtuple
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galvanode.quantities import Auxiliary
from galvanode.store import chunk, parts, seal
from galvanode.store.database import open_for_writing
from galvanode.store.journal import Journal
from galvanode.store.read import Store
from galvanode.store.records import NewRun, RunCommit, Sample
from galvanode.store.schema import FREQUENCY, IMAGINARY_IMPEDANCE, REAL_IMPEDANCE, SAMPLE_SCHEMA, VOLTAGE, columns_of

ADDED = [FREQUENCY, REAL_IMPEDANCE, IMAGINARY_IMPEDANCE]
VERSION_1 = pa.schema([label for label in SAMPLE_SCHEMA if label.name not in ADDED])


@pytest.fixture
def store_of_version_1(tmp_path: Path, new_run: NewRun, commit_of: Callable[..., RunCommit], monkeypatch: Any) -> str:
    """Eight samples in sealed files and four in a chunk, none with the columns of impedance."""
    with monkeypatch.context() as then:
        then.setattr(chunk, "columns_of", lambda _: columns_of()[:14])
        for module in (chunk, seal):
            then.setattr(module, "sample_schema", lambda _=(): VERSION_1)
        with Journal(tmp_path) as journal:
            run = journal.create_run(new_run)
            for first, count in ((1, 8), (9, 4)):
                commit = commit_of(run, first, count)
                samples = [(*sample[:14], ()) for sample in commit.samples]
                journal.commit([replace(commit, samples=[_Narrow(*sample) for sample in samples])])
                if first == 1:
                    journal.seal(run)
    with closing(open_for_writing(tmp_path)) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN auxiliaries")
        connection.execute("UPDATE schema_version SET version = 1")
        connection.commit()
    return run


_Narrow = namedtuple("_Narrow", [*Sample._fields[:14], "auxiliary"])


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


def test_a_run_with_auxiliary_readings_has_their_columns(new_run, commit_of, tmp_path):
    surface = Auxiliary("t_surface", "temperature")
    with Journal(tmp_path) as journal:
        run = journal.create_run(replace(new_run, auxiliaries=(surface,)))
        commit = commit_of(run, 1, 4)
        samples = [sample._replace(auxiliary=(v,)) for sample, v in zip(commit.samples, TEMPERATURES, strict=True)]
        journal.commit([replace(commit, samples=samples, auxiliaries=(surface,))])
        live = Store(tmp_path).samples(run)
        journal.commit([commit_of(run, 5, 0, state="completed", end_reason="end", position_json=None)])
        journal.seal(run)
    sealed = Store(tmp_path).samples(run)
    assert sealed.equals(live)
    assert sealed.column_names[-1] == surface.column.label
    assert sealed[surface.column.label].to_pylist() == pytest.approx([25.0, 26.0, None, 24.0])
    assert Store(tmp_path).overview(run, 10, [surface.column.label]).num_rows == 4


TEMPERATURES = (298.15, 299.15, None, 297.15)
