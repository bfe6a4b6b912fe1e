"""Sealing: whatever breaks in the middle, every committed sample is there once."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from galvanode.store import seal as sealing
from galvanode.store.database import reading
from galvanode.store.errors import StoreError
from galvanode.store.journal import Journal
from galvanode.store.parts import select_parts
from galvanode.store.read import Store
from galvanode.store.schema import RECORD, VOLTAGE


class Killed(BaseException):
    """Stands for the end of the process."""


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "runs").iterdir())


def records(directory: Path, run: str) -> list[int]:
    return Store(directory).samples(run, [RECORD])[RECORD].to_pylist()


def test_a_finished_run_becomes_one_file_that_others_can_read(journal, new_run, commit_of, rows, tmp_path, in_columns):
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 300)])
    journal.seal(run)
    journal.commit([commit_of(run, 301, 50, state="completed")])
    journal.seal(run)
    assert files(tmp_path) == ["r0001.bdf.parquet", "r0001.tier.parquet"]
    sealed = pq.read_table(tmp_path / "runs" / "r0001.bdf.parquet")
    assert sealed.to_pylist() == [in_columns(sample) for sample in rows(1, 350)]
    voltage = pq.ParquetFile(tmp_path / "runs" / "r0001.bdf.parquet").metadata.row_group(0).column(2)
    assert voltage.path_in_schema == VOLTAGE
    assert (voltage.compression, "BYTE_STREAM_SPLIT" in voltage.encodings) == ("ZSTD", True)
    assert journal._connection.execute("SELECT count(*) FROM chunks").fetchone() == (0,)


def test_sealing_again_changes_nothing(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 300, state="stopped")])
    journal.seal(run)
    path = tmp_path / "runs" / "r0001.bdf.parquet"
    before = path.stat().st_mtime_ns
    journal.seal(run)
    assert path.stat().st_mtime_ns == before


def test_a_run_sealed_every_hour_has_few_files(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    for hour in range(40):
        journal.commit([commit_of(run, 1 + hour * 10, 10)])
        journal.seal(run)
        assert len(files(tmp_path)) <= 2 * 6  # log2(40) parts, each with its tier
    assert records(tmp_path, run) == list(range(1, 401))


def test_rows_are_regrouped_whatever_the_chunks(journal, new_run, commit_of, tmp_path, monkeypatch):
    monkeypatch.setattr(sealing, "ROW_GROUP", 256)
    run = journal.create_run(new_run)
    first = 1
    for count in (1, 255, 1, 700, 2, 30, 256, 512, 3):
        journal.commit([commit_of(run, first, count)])
        first += count
    journal.commit([commit_of(run, first, 0, state="completed")])
    journal.seal(run)
    metadata = pq.read_metadata(tmp_path / "runs" / "r0001.bdf.parquet")
    groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert groups == [256] * (1760 // 256) + [1760 % 256]
    assert records(tmp_path, run) == list(range(1, 1761))


POINTS = [
    "writing",
    "first sync",
    "second sync",
    "first rename",
    "second rename",
    "folder sync",
    "commit",
    "deleting",
    "cleaning",
]


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("point", POINTS)
def test_samples_survive_a_kill_at_any_point_of_a_seal(
    new_run, commit_of, rows, tmp_path, monkeypatch, point, finished
):
    journal = Journal(tmp_path)
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 100)])
    journal.seal(run)
    journal.commit([commit_of(run, 101, 200, state="completed" if finished else "running")])
    expected = Store(tmp_path).samples(run)

    with monkeypatch.context() as patch:
        _kill_at(point, patch)
        with pytest.raises(Killed):
            journal.seal(run)
    journal.close()

    assert Store(tmp_path).samples(run).equals(expected)
    with Journal(tmp_path) as restarted:
        assert Store(tmp_path).samples(run).equals(expected)
        if not finished:
            restarted.commit([commit_of(run, 301, 5)])
        restarted.seal(run)
    assert records(tmp_path, run) == list(range(1, 301 if finished else 306))
    with reading(tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM chunks").fetchone() == (0,)
    assert not [name for name in files(tmp_path) if name.endswith(".tmp")]
    with reading(tmp_path) as connection:
        parts = select_parts(connection, 1)
    assert files(tmp_path) == sorted(name for part in parts for name in (part.file, part.tier_file))


def _kill_at(point: str, patch: pytest.MonkeyPatch) -> None:
    """Let the process end where ``point`` says."""
    targets = {
        "writing": (pq.ParquetWriter, "write_table", 1),
        "first sync": (sealing, "_sync", 1),
        "second sync": (sealing, "_sync", 2),
        "folder sync": (sealing, "_sync", 3),
        "first rename": (Path, "rename", 1),
        "second rename": (Path, "rename", 2),
        "commit": (sealing, "writing", 1),
        "deleting": (sealing, "writing", 2),
        "cleaning": (sealing, "_remove_replaced", 1),
    }
    owner, name, at = targets[point]
    original, calls = getattr(owner, name), []

    def counted(*args, **kwargs):
        calls.append(1)
        if len(calls) == at:
            raise Killed
        return original(*args, **kwargs)

    patch.setattr(owner, name, counted)


def test_missing_samples_stop_the_seal(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    for first in (1, 101, 201):
        journal.commit([commit_of(run, first, 100)])
    journal._connection.execute("DELETE FROM chunks WHERE first_record = 101")
    with pytest.raises(StoreError, match="sample 101 is missing; nothing was sealed"):
        journal.seal(run)
    assert len(records(tmp_path, run)) == 200


def test_a_file_of_another_store_is_never_overwritten(journal, new_run, commit_of, tmp_path):
    from dataclasses import replace

    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 10, state="completed")])
    journal.seal(run)
    theirs = (tmp_path / "runs" / "r0001.bdf.parquet").read_bytes()

    other = tmp_path / "other"
    with Journal(other) as ours:
        run = ours.create_run(replace(new_run, created_unix_s=5.0))
        ours.commit([commit_of(run, 1, 20, state="completed")])
        (other / "runs" / "r0001.bdf.parquet").write_bytes(theirs)
        with pytest.raises(StoreError, match="holds another run's samples"):
            ours.seal(run)
    assert (other / "runs" / "r0001.bdf.parquet").read_bytes() == theirs
    assert records(other, run) == list(range(1, 21))
