"""Export: a run in the formats that other programs read, with what they need to know about it.

- ``bdf``: ``X.bdf.parquet``, Battery Data Format plus the columns that PyProBE asks for,
  ``X.bdf.metadata.json``, its sidecar, under the name by which BDF 0.2 finds it, and the photos that the sidecar lists
- ``bdf-csv``: ``X.bdf.csv``, and the same sidecar and photos
- ``battery-archive``: ``X_timeseries.csv``, which BEEP reads
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galvanode.errors import InvalidInput
from galvanode.states import UNDER_WAY
from galvanode.store.attachments import Attachment, attachments
from galvanode.store.read import Store
from galvanode.store.records import RunRecord, StoredEvent
from galvanode.store.schema import (
    CHARGE_ENERGY,
    CHARGED,
    CURRENT,
    CYCLE,
    DISCHARGE_ENERGY,
    DISCHARGED,
    STEP_COUNT,
    STEP_ID,
    TEMPERATURE,
    TEST_TIME,
    UNIX_TIME,
    VOLTAGE,
)

ExportFormat = Literal["bdf", "bdf-csv", "battery-archive"]

ENDINGS: dict[ExportFormat, str] = {
    "bdf": ".bdf.parquet",
    "bdf-csv": ".bdf.csv",
    "battery-archive": "_timeseries.csv",
}

_ROWS_AT_ONCE = 1_000_000

_STATUS: dict[str, str] = {"queued": "planned", "completed": "completed", **dict.fromkeys(UNDER_WAY, "running")}
"""State of a run -> BattINFO's; all others are ``aborted``."""


def export_run(store: Store, run: str, format: str, out: Path) -> list[Path]:  # noqa: A002
    """Write a run's committed samples; return the files written, samples first.

    ``out`` is a folder, or the file with or without the format's ending. Existing files are replaced, at
    once and only when the new ones are complete. Raises ``InvalidInput`` for an unknown run or format and
    for a folder that does not exist.
    """
    known = [name for name in get_args(ExportFormat) if name == format]
    if not known:
        raise InvalidInput(f"{format!r} is no export format; expected one of {', '.join(get_args(ExportFormat))}")
    record = store.run(run)
    kind: ExportFormat = known[0]
    path = _target(out, ENDINGS[kind], run)
    if not path.parent.is_dir():
        raise InvalidInput(f"there is no folder {path.parent}")
    _write_aside(path, lambda aside: _WRITERS[kind](_tables(store, record), aside))
    if kind == "battery-archive":
        return [path]
    photos = _copy_photos(attachments(store.directory, run), path.name.removesuffix(ENDINGS[kind]), path.parent)
    sidecar = path.with_suffix(".metadata.json")
    described = metadata(record, path.name, [event for event in store.events(run) if event.kind == "answered"], photos)
    text = json.dumps(described, indent=2, allow_nan=False) + "\n"
    _write_aside(sidecar, lambda aside: aside.write_text(text, encoding="utf-8"))
    return [path, sidecar, *(path.parent / name for name in photos)]


def _copy_photos(photos: Sequence[Attachment], stem: str, folder: Path) -> dict[str, str]:
    """Copy a run's photos; return file name -> sha256."""
    copied: dict[str, str] = {}
    for photo in photos:
        name = f"{stem}.{photo.sha256[:12]}{photo.path.suffix}"
        _write_aside(folder / name, partial(shutil.copyfile, photo.path))
        copied[name] = photo.sha256
    return copied


def metadata(
    record: RunRecord, file: str, answers: Sequence[StoredEvent] = (), photos: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the sidecar of an exported run: BattINFO's records, then everything else verbatim.

    ``answers`` are the events in which an operator answered the run, ``photos`` file names with their sha256.
    """
    recipe, cell = Path(record.recipe_name).stem, Path(record.cell_name).stem
    accelerated = record.speed != 1.0  # only simulated instruments keep up with that
    return {
        "battinfo_test": {
            "test": _known(
                name=record.title,
                identifier=record.id,
                protocol_name=recipe,
                instrument_name=record.instrument,
                started_at=None if record.started_unix_s is None else int(record.started_unix_s),
                ended_at=None if record.ended_unix_s is None else int(record.ended_unix_s),
                status=_STATUS.get(record.state, "aborted"),
                description=record.end_reason,
            ),
            "provenance": _known(source_type="simulation" if accelerated else None, source_file=file),
        },
        "battinfo_cell": {"cell_instance": {"name": cell}},
        "battinfo_channel": {"channel": {"label": record.channel}},
        "battinfo_equipment": {"equipment": {"name": record.instrument}},
        "battinfo_test_protocol": {"test_spec": {"name": recipe, "description": record.title}},
        "bdf": {"source": file},
        "raw": {"recipe": record.recipe_text, "cell": record.cell_text},
        "extras": {
            "galvanode": _known(
                run=record.id,
                state=record.state,
                end_reason=record.end_reason,
                parameters=record.parameters,
                area_cm2=None if record.area_m2 is None else record.area_m2 * 1e4,
                analyses=list(record.analyses),
                seed=record.seed,
                speed=record.speed if np.isfinite(record.speed) else "max",
                samples=record.samples,
                answers=[
                    {"message": event.message, "test_time_s": event.test_time_s, **event.details} for event in answers
                ]
                or None,
                photos=dict(photos) if photos else None,
            )
        },
    }


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value != ""}


def _target(out: Path, ending: str, run: str) -> Path:
    if out.is_dir():
        return out / f"{run}{ending}"
    return out if out.name.endswith(ending) else out.with_name(out.name + ending)


def _tables(store: Store, record: RunRecord) -> Iterator[pa.Table]:
    """Return the samples in pieces of bounded size; at least one, for its columns."""
    after = 0
    while True:
        table = store.samples(record.id, after_record=after, limit=min(_ROWS_AT_ONCE, record.samples - after))
        yield table
        after += table.num_rows
        if after >= record.samples:
            return


def _write_aside(path: Path, write: Callable[[Path], Any]) -> None:
    aside = path.with_name(path.name + ".tmp")
    try:
        write(aside)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            aside.unlink()


def _write_bdf(tables: Iterator[pa.Table], path: Path) -> None:
    writer = None
    try:
        for table in map(_with_pyprobe, tables):
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _with_pyprobe(table: pa.Table) -> pa.Table:
    """Add the columns of PyProBE 2.6, which counts a cycle whenever ``Step``, the recipe's, falls."""
    net = table.column(CHARGED).to_numpy() - table.column(DISCHARGED).to_numpy()
    added = {
        "Time [s]": table.column(TEST_TIME),
        "Step": table.column(STEP_ID),
        "Event": table.column(STEP_COUNT),
        "Current [A]": table.column(CURRENT),
        "Voltage [V]": table.column(VOLTAGE),
        "Capacity [Ah]": pa.array(net),
    }
    for name, column in added.items():
        table = table.append_column(name, column)
    return table


def _write_csv(tables: Iterator[pa.Table], path: Path) -> None:
    writer = None
    try:
        for table in tables:
            writer = writer or pacsv.CSVWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _write_battery_archive(tables: Iterator[pa.Table], path: Path) -> None:
    _write_csv(_battery_archive(tables), path)


def _battery_archive(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Return the columns of Battery Archive. Its capacities and energies begin anew with each cycle."""
    counters = {
        "Charge_Capacity (Ah)": CHARGED,
        "Discharge_Capacity (Ah)": DISCHARGED,
        "Charge_Energy (Wh)": CHARGE_ENERGY,
        "Discharge_Energy (Wh)": DISCHARGE_ENERGY,
    }
    running = dict.fromkeys(counters, (0.0, 0.0))
    cycle_before: float | None = None
    for table in tables:
        cycle = table.column(CYCLE).to_numpy()
        microseconds = np.round(table.column(UNIX_TIME).to_numpy() * 1e6).astype("datetime64[us]")
        columns: dict[str, Any] = {
            "Date_Time": pa.array(microseconds).cast(pa.string()),
            "Test_Time (s)": table.column(TEST_TIME),
            "Cycle_Index": table.column(CYCLE),
            "Current (A)": table.column(CURRENT),
            "Voltage (V)": table.column(VOLTAGE),
        }
        for name, source in counters.items():
            columns[name], running[name] = _per_cycle(
                table.column(source).to_numpy(), cycle, cycle_before, *running[name]
            )
        columns["Environment_Temperature (C)"] = table.column(TEMPERATURE)
        columns["Cell_Temperature (C)"] = pa.nulls(table.num_rows, pa.float64())
        cycle_before = cycle[-1] if len(cycle) else cycle_before
        yield pa.table(columns)


def _per_cycle(
    total: NDArray[np.float64],
    cycle: NDArray[np.int32],
    cycle_before: float | None,
    last_total: float,
    offset: float,
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Return a running total counted from the start of each cycle, and what the next piece must know.

    ``last_total`` is the total at the end of the piece before, ``offset`` that at the start of its cycle.
    """
    if not len(total):
        return total, (last_total, offset)
    before = np.concatenate([[last_total], total[:-1]])
    begins = np.concatenate([[cycle_before is not None and cycle[0] != cycle_before], np.diff(cycle) != 0])
    offsets = np.where(begins, before, -np.inf)
    offsets[0] = max(offsets[0], offset)
    offsets = np.maximum.accumulate(offsets)  # totals never fall, so the latest offset is the highest
    return total - offsets, (float(total[-1]), float(offsets[-1]))


_WRITERS: dict[ExportFormat, Callable[[Iterator[pa.Table], Path], None]] = {
    "bdf": _write_bdf,
    "bdf-csv": _write_csv,
    "battery-archive": _write_battery_archive,
}
