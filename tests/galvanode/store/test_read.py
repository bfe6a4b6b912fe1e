"""What a reader sees while an engine writes."""

import threading

import pytest

from galvanode.errors import InvalidInput
from galvanode.store.journal import Event
from galvanode.store.read import Store
from galvanode.store.records import Sample
from galvanode.store.schema import (
    CURRENT,
    RECORD,
    SAMPLE_SCHEMA,
    STEP_SCHEMA,
    TEMPERATURE,
    TEST_TIME,
    VOLTAGE,
)


def records(store: Store, run: str, **which) -> list[int]:
    return store.samples(run, [RECORD], **which)[RECORD].to_pylist()


def test_a_run_without_samples_is_an_empty_table(journal, new_run, tmp_path):
    run = journal.create_run(new_run)
    store = Store(tmp_path)
    assert store.samples(run).schema == SAMPLE_SCHEMA
    assert store.steps(run).schema == STEP_SCHEMA
    assert (store.samples(run).num_rows, store.steps(run).num_rows, store.events(run)) == (0, 0, [])
    assert store.overview(run, 100, [VOLTAGE]).num_rows == 0
    journal.seal(run)
    assert store.samples(run).num_rows == 0


def test_an_unknown_run_is_refused_and_what_exists_is_named(journal, new_run, tmp_path):
    store = Store(tmp_path)
    with pytest.raises(InvalidInput, match="there are no runs yet"):
        store.run("r0001")
    journal.create_run(new_run)
    with pytest.raises(InvalidInput, match=r"no run 'r0002' .*the latest is r0001"):
        store.samples("r0002")
    with pytest.raises(InvalidInput, match="expected a name such as"):
        store.run("latest")


def test_an_unknown_column_is_refused_and_the_known_ones_are_named(journal, new_run, tmp_path):
    run = journal.create_run(new_run)
    with pytest.raises(InvalidInput, match="'Voltage' is not a column; expected some of Test Time / s"):
        Store(tmp_path).samples(run, ["Voltage"])


def test_a_folder_without_a_store_says_so(tmp_path):
    with pytest.raises(InvalidInput, match="holds no runs yet"):
        Store(tmp_path).runs()


def test_a_folder_with_awkward_characters_can_be_read(tmp_path, new_run):
    from galvanode.store.journal import Journal

    folder = tmp_path / "100 % #1? of it"
    with Journal(folder) as journal:
        run = journal.create_run(new_run)
        assert Store(folder).runs()[0].id == run


@pytest.mark.parametrize("sealed", [0, 1, 450, 1000])
def test_sealed_part_and_tail_read_as_one(journal, new_run, commit_of, rows, tmp_path, sealed, in_columns):
    run = journal.create_run(new_run)
    store = Store(tmp_path)
    if sealed:
        journal.commit([commit_of(run, 1, sealed)])
        journal.seal(run)
    for first in range(sealed + 1, 1001, 150):
        journal.commit([commit_of(run, first, min(150, 1001 - first))])
    table = store.samples(run)
    assert table.to_pylist() == [in_columns(sample) for sample in rows(1, 1000)]
    for after in (0, 1, 449, 450, 451, 700, 999, 1000, 5000):
        assert records(store, run, after_record=after) == list(range(after + 1, 1001))
        assert records(store, run, after_record=after, limit=120) == list(range(after + 1, min(after + 121, 1001)))
    assert records(store, run, limit=0) == []
    assert store.samples(run, [CURRENT, VOLTAGE]).column_names == [CURRENT, VOLTAGE]


def test_events_can_be_followed(journal, new_run, tmp_path):
    run = journal.create_run(new_run, [Event(None, 1.0, None, "submitted", "by somebody", {"from": "web"})])
    journal.record([Event(None, 2.0, None, "engine", "started"), Event(run, 3.0, 0.5, "late", "by 2 s")])
    store = Store(tmp_path)
    assert [e.kind for e in store.events()] == ["submitted", "engine", "late"]
    assert [e.kind for e in store.events(run)] == ["submitted", "late"]
    assert store.events(run)[0].details == {"from": "web"}
    last = store.events()[1].id
    assert [(e.kind, e.test_time_s) for e in store.events(after=last)] == [("late", 0.5)]


def test_every_read_during_commits_and_seals_has_each_sample_once(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    store = Store(tmp_path)
    commits = [commit_of(run, first, 50) for first in range(1, 6001, 50)]
    done, seen, wrong = threading.Event(), [], []

    def read() -> None:
        while not done.is_set():
            found = records(store, run)
            seen.append(len(found))
            if found != list(range(1, len(found) + 1)):
                wrong.append(found)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for index, commit in enumerate(commits):
            journal.commit([commit])
            if index % 7 == 0:
                journal.seal(run)
    finally:
        done.set()
        reader.join()
    assert not wrong
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def test_seals_in_another_thread_do_not_disturb_commits(journal, new_run, commit_of, tmp_path):
    run = journal.create_run(new_run)
    commits = [commit_of(run, first, 20) for first in range(1, 4001, 20)]
    done, failures = threading.Event(), []

    def seal() -> None:
        while not done.is_set():
            try:
                journal.seal(run)
            except Exception as error:
                failures.append(error)
                return

    sealer = threading.Thread(target=seal)
    sealer.start()
    for commit in commits:
        journal.commit([commit])
    done.set()
    sealer.join()
    assert failures == []
    assert records(Store(tmp_path), run) == list(range(1, 4001))


@pytest.mark.parametrize("seal", [False, True])
def test_an_overview_keeps_every_spike(journal, new_run, commit_of, rows, tmp_path, seal):
    run = journal.create_run(new_run)
    made = [list(row) for row in rows(1, 30_000)]
    made[12_345][2] = 4.5
    made[23_456][3] = -0.9
    journal.commit([commit_of(run, 1, 0, samples=[Sample(*row) for row in made])])
    if seal:
        journal.seal(run)
    for points in (20, 100, 1000):  # from tiers below 117 points, from all samples above
        table = Store(tmp_path).overview(run, points, [VOLTAGE, CURRENT, TEMPERATURE])
        assert table.column_names == [TEST_TIME, VOLTAGE, CURRENT, TEMPERATURE]
        assert 8 <= table.num_rows <= points
        times = table[TEST_TIME].to_pylist()
        assert times == sorted(set(times))
        assert (times[0], times[-1]) == (1.0, 30_000.0)
        assert max(table[VOLTAGE].to_pylist()) == 4.5
        assert min(table[CURRENT].to_pylist()) == -0.9
        true = {row[0]: (row[2], row[3], None if row[8] is None else row[8] - 273.15) for row in made}
        for time, voltage, current, temperature in zip(*(c.to_pylist() for c in table.columns), strict=True):
            assert (voltage, current, temperature) == true[time]


@pytest.mark.parametrize("points", [10, 5000])
def test_an_overview_of_a_time_range_stays_in_it(journal, new_run, commit_of, tmp_path, points):
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 20_000)])
    journal.seal(run)
    journal.commit([commit_of(run, 20_001, 500)])
    store = Store(tmp_path)
    for start, end in (
        (0.0, 9.5),
        (100.0, 700.0),
        (19_900.0, 20_100.0),
        (20_400.0, 1e9),
        (None, 50.0),
        (20_000.5, None),
    ):
        times = store.overview(run, points, [VOLTAGE], start, end)[TEST_TIME].to_pylist()
        assert len(times) <= points
        inside = [t for t in range(1, 20_501) if (start is None or t >= start) and (end is None or t <= end)]
        if points == 5000 and len(inside) <= points:
            assert times == inside
        else:
            assert all(inside[0] <= t <= inside[-1] for t in times)
    assert store.overview(run, points, [VOLTAGE], 1e6, 2e6).num_rows == 0
    with pytest.raises(InvalidInput, match="1 points shows nothing"):
        store.overview(run, 1, [VOLTAGE])
