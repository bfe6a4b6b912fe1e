"""What the engine relies on when it commits."""

import sqlite3
import stat
import sys

import pytest

from galvanode.errors import InvalidInput
from galvanode.store.errors import CommitRefused, StoreError
from galvanode.store.journal import Event, Journal, StepRecord
from galvanode.store.read import Store
from galvanode.store.records import Sample
from galvanode.store.schema import DATABASE, SAMPLE_SCHEMA, VOLTAGE


def test_runs_are_numbered_in_order_and_keep_what_they_were_started_from(journal, new_run, tmp_path):
    assert [journal.create_run(new_run) for _ in range(3)] == ["r0001", "r0002", "r0003"]
    record = Store(tmp_path).run("r0002")
    for name in type(new_run).__dataclass_fields__:
        assert getattr(record, name) == getattr(new_run, name)
    assert (record.state, record.samples, record.test_time_s, record.position_json) == (
        "queued",
        0,
        0.0,
        None,
    )
    assert record.started_unix_s is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
def test_nobody_but_the_owner_can_lock_the_database(journal, new_run, tmp_path):
    journal.create_run(new_run)
    files = list(tmp_path.glob(f"{DATABASE}*"))
    assert len(files) == 3  # with the log and its index, whose locks keep writers away
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_samples_position_steps_and_events_arrive_together(journal, new_run, commit_of, rows, tmp_path, in_columns):
    run = journal.create_run(new_run)
    began = StepRecord(1, 1, "plate", "current", 1, 0, 1e-4, 1.0)
    journal.commit([commit_of(run, 1, 250, steps=[began], events=[Event(run, 5.0, 1.0, "started", "go")])])
    store = Store(tmp_path)
    assert store.samples(run).to_pylist() == [in_columns(sample) for sample in rows(1, 250)]
    record = store.run(run)
    assert (record.state, record.samples, record.test_time_s) == ("running", 250, 250.0)
    assert record.position_json == '{"samples": 250}'
    assert store.steps(run)["ended_test_time_s"].to_pylist() == [None]
    assert [e.kind for e in store.events(run)] == ["started"]


def test_a_step_that_ends_replaces_its_record_and_another_attempt_does_not(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    began = StepRecord(1, 1, "plate", "current", 1, 0, 1e-4, 1.0)
    ended = StepRecord(1, 1, "plate", "current", 1, 0, 1e-4, 1.0, 9.0, "interrupt")
    again = StepRecord(1, 1, "plate", "current", 1, 0, 1e-4, 60.0, 70.0, "time >= 30 min", attempt=2)
    journal.commit([commit_of(run, 1, 1, steps=[began]), commit_of(run, 2, 1, steps=[ended, again])])
    steps = Store(tmp_path).steps(run)
    assert steps["attempt"].to_pylist() == [1, 2]
    assert steps["end_reason"].to_pylist() == ["interrupt", "time >= 30 min"]


@pytest.mark.parametrize("first", [1, 9, 10, 12])
def test_samples_that_double_or_skip_are_refused_and_nothing_is_stored(journal, new_run, commit_of, tmp_path, first):
    run, other = journal.create_run(new_run), journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 10)])
    with pytest.raises(CommitRefused, match="expected 11 to 12") as refused:
        journal.commit([commit_of(other, 1, 5), commit_of(run, first, 2)])
    assert refused.value.run == run
    assert Store(tmp_path).run(run).samples == 10
    assert Store(tmp_path).run(other).samples == 0
    journal.commit([commit_of(run, 11, 2)])
    assert Store(tmp_path).run(run).samples == 12


def test_a_gap_inside_one_commit_is_refused(journal, new_run, commit_of, rows):
    run = journal.create_run(new_run)
    with pytest.raises(CommitRefused, match="do not follow"):
        journal.commit([commit_of(run, 1, 5, samples=rows(1, 3) + rows(5, 2))])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_what_is_not_a_number_never_becomes_a_sample(journal, new_run, commit_of, rows, bad):
    run = journal.create_run(new_run)
    spoilt = [list(row) for row in rows(1, 3)]
    spoilt[1][SAMPLE_SCHEMA.get_field_index(VOLTAGE)] = bad
    with pytest.raises(CommitRefused, match="Voltage"):
        journal.commit([commit_of(run, 1, 3, samples=[Sample(*row) for row in spoilt])])


def test_rows_of_another_width_are_refused(journal, new_run, commit_of, rows):
    run = journal.create_run(new_run)
    with pytest.raises(CommitRefused, match="17 numbers"):
        journal.commit([commit_of(run, 1, 3, samples=[row[1:] for row in rows(1, 3)])])


def test_a_commit_without_rows_moves_state_and_keeps_the_position(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 3)])
    journal.commit(
        [commit_of(run, 4, 0, state="completed", end_reason="end of recipe", position_json=None, unix_time_s=9e9)]
    )
    record = Store(tmp_path).run(run)
    assert (record.state, record.end_reason, record.samples) == ("completed", "end of recipe", 3)
    assert record.position_json == '{"samples": 3}'
    assert record.ended_unix_s == 9e9


def test_runs_that_a_restarted_engine_must_look_after(journal, new_run, commit_of, tmp_path):
    states = [
        "running",
        "paused",
        "interrupted",
        "completed",
        "stopped",
        "tripped",
        "communication_lost",
        "failed",
    ]
    for state in states:
        journal.commit([commit_of(journal.create_run(new_run), 1, 1, state=state)])
    with Journal(tmp_path) as reopened:
        assert [r.state for r in reopened.unfinished()] == ["running", "paused", "interrupted"]


def test_latest_time_counts_commits_and_events(journal, new_run, commit_of):
    assert journal.last_unix_time_s() is None
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 1, unix_time_s=2e9)])
    assert journal.last_unix_time_s() == 2e9
    journal.record([Event(None, 3e9, None, "engine", "stopped")])
    assert journal.last_unix_time_s() == 3e9


def test_unknown_runs_and_states_are_refused_by_name(journal, new_run, commit_of):
    run = journal.create_run(new_run)
    with pytest.raises(InvalidInput, match="r0009"):
        journal.commit([commit_of("r0009", 1, 1)])
    with pytest.raises(InvalidInput, match="expected a name such as 'r0001'"):
        journal.commit([commit_of("../r0001", 1, 1)])
    with pytest.raises(CommitRefused, match="'asleep' is not a state"):
        journal.commit([commit_of(run, 1, 1, state="asleep")])


def test_commits_are_durable(journal):
    settings = {
        name: journal._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_store_of_another_version_is_refused_by_name(journal, tmp_path):
    journal.close()
    with sqlite3.connect(tmp_path / DATABASE) as other:
        other.execute("UPDATE schema_version SET version = 99")
    other.close()
    with pytest.raises(StoreError, match="store version 99; this program works with version 3: use the newer"):
        Journal(tmp_path)
    with pytest.raises(StoreError, match="store version 99"):
        Store(tmp_path).runs()


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / DATABASE) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreError, match="not one of Galvanode"):
        Journal(tmp_path)


def test_a_data_directory_has_a_word_of_its_own_that_stays(tmp_path):
    words: list[str] = []
    for folder in (tmp_path / "one", tmp_path / "one", tmp_path / "two"):
        with Journal(folder) as journal:
            words.append(journal.station)
    assert words[0] == words[1] != words[2]
