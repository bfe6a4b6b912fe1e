"""Files to take away: what other programs find in them."""

import csv
import json

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from galvanode.errors import InvalidInput
from galvanode.store import export
from galvanode.store.export import export_run
from galvanode.store.read import Store
from galvanode.store.schema import RECORD, SAMPLE_SCHEMA, STEP_ID, VOLTAGE


@pytest.fixture
def run(journal, new_run, commit_of) -> str:
    run = journal.create_run(new_run)
    journal.commit([commit_of(run, 1, 500)])
    journal.seal(run)
    journal.commit([commit_of(run, 501, 150, state="completed", end_reason="end of recipe")])
    return run


def test_bdf_holds_all_samples_and_opens_in_pyprobe(run, tmp_path):
    written = export_run(Store(tmp_path), run, "bdf", tmp_path / "X")
    assert [path.name for path in written] == ["X.bdf.parquet", "X.bdf.metadata.json"]
    table = pq.read_table(written[0])
    assert table.select(SAMPLE_SCHEMA.names).equals(Store(tmp_path).samples(run))
    assert table.column_names[len(SAMPLE_SCHEMA) :] == [
        *("Time [s]", "Step", "Event", "Current [A]", "Voltage [V]", "Capacity [Ah]")
    ]
    assert table["Step"].equals(table[STEP_ID])
    last = table.slice(649).to_pylist()[0]
    assert last["Capacity [Ah]"] == pytest.approx(650e-7 - 1300e-7)


def test_the_sidecar_says_what_was_done_to_which_cell(run, tmp_path):
    _, sidecar = export_run(Store(tmp_path), run, "bdf", tmp_path / "X.bdf.parquet")
    data = json.loads(sidecar.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    assert list(data) == [
        *("battinfo_test", "battinfo_cell", "battinfo_channel", "battinfo_equipment"),
        *("battinfo_test_protocol", "bdf", "raw", "extras"),
    ]
    assert data["battinfo_test"]["test"]["status"] == "completed"
    assert data["battinfo_cell"]["cell_instance"]["name"] == "llzto"
    assert data["raw"]["recipe"] == "title: Critical current density\n"
    assert data["extras"]["galvanode"]["area_cm2"] == pytest.approx(1.0)


def test_bdf_csv_has_the_same_numbers(run, tmp_path):
    path, _ = export_run(Store(tmp_path), run, "bdf-csv", tmp_path)
    assert path.name == "r0001.bdf.csv"
    table = pacsv.read_csv(path)
    samples = Store(tmp_path).samples(run)
    assert table.column_names == SAMPLE_SCHEMA.names
    assert table[VOLTAGE].to_pylist() == samples[VOLTAGE].to_pylist()
    assert table[RECORD].to_pylist() == samples[RECORD].to_pylist()


@pytest.mark.parametrize("rows_at_once", [1_000_000, 130, 100])
def test_battery_archive_counts_each_cycle_anew(run, tmp_path, monkeypatch, rows_at_once):
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", rows_at_once)
    (path,) = export_run(Store(tmp_path), run, "battery-archive", tmp_path / "X")
    assert path.name == "X_timeseries.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 650
    assert rows[0]["Date_Time"] == "2026-01-01 00:00:01.000000"
    capacity = [float(row["Charge_Capacity (Ah)"]) for row in rows]
    # 200 samples per cycle, 1e-7 Ah each; the first counts what was charged before it.
    assert capacity[199] == pytest.approx(200e-7)
    assert capacity[200] == pytest.approx(1e-7)
    assert capacity[649] == pytest.approx(50e-7)
    assert rows[6]["Environment_Temperature (C)"] == ""


def test_a_run_without_samples_exports_its_columns(journal, new_run, tmp_path):
    run = journal.create_run(new_run)
    for kind in ("bdf", "bdf-csv", "battery-archive"):
        path = export_run(Store(tmp_path), run, kind, tmp_path)[0]
        table = pq.read_table(path) if path.suffix == ".parquet" else pacsv.read_csv(path)
        assert table.num_rows == 0
        assert len(table.column_names) >= 11


def test_what_cannot_be_exported_is_said(run, tmp_path):
    store = Store(tmp_path)
    with pytest.raises(InvalidInput, match="'mat' is no export format; expected one of bdf, bdf-csv"):
        export_run(store, run, "mat", tmp_path / "X")
    with pytest.raises(InvalidInput, match="no run 'r0077'"):
        export_run(store, "r0077", "bdf", tmp_path / "X")
    with pytest.raises(InvalidInput, match="there is no folder"):
        export_run(store, run, "bdf", tmp_path / "nowhere" / "X")


def test_a_failed_export_leaves_the_old_file_and_nothing_else(run, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "X.bdf.csv").write_text("the old one")

    def full(tables, path):
        path.write_text("half of it")
        raise OSError("no space left on device")

    monkeypatch.setitem(export._WRITERS, "bdf-csv", full)
    with pytest.raises(OSError, match="no space"):
        export_run(Store(tmp_path), run, "bdf-csv", folder / "X")
    assert [path.name for path in folder.iterdir()] == ["X.bdf.csv"]
    assert (folder / "X.bdf.csv").read_text() == "the old one"
