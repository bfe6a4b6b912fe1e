"""Layout of the data directory: columns of a sample, tables of the database, names of the files.

A data directory holds ``galvanode.db`` (SQLite, WAL) with everything but old samples, and ``runs/`` with
the sealed samples. The layout has a version; a database of another version is migrated or refused by name.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from galvanode.errors import InvalidInput
from galvanode.quantities import SAMPLED, Auxiliary, Column, column_of
from galvanode.store.errors import StoreError

DATABASE = "galvanode.db"
RUNS = "runs"

TEST_TIME = column_of("test_time").label
UNIX_TIME = column_of("unix_time").label
VOLTAGE = column_of("voltage").label
CURRENT = column_of("current").label
CYCLE = column_of("cycle").label
STEP_COUNT = column_of("step_count").label
STEP_ID = column_of("step_id").label
STEP_TIME = column_of("time").label
TEMPERATURE = column_of("temperature").label
CHARGED = column_of("charged").label
DISCHARGED = column_of("discharged").label
CHARGE_ENERGY = column_of("charge_energy").label
DISCHARGE_ENERGY = column_of("discharge_energy").label
RECORD = column_of("record").label
FREQUENCY = column_of("frequency").label
REAL_IMPEDANCE = column_of("real_impedance").label
IMAGINARY_IMPEDANCE = column_of("imaginary_impedance").label


@lru_cache
def columns_of(auxiliaries: tuple[Auxiliary, ...] = ()) -> tuple[Column, ...]:
    """Return the columns of a run's samples in their order: those of every run, then its auxiliary readings."""
    return (*(column_of(quantity.name) for quantity in SAMPLED), *(auxiliary.column for auxiliary in auxiliaries))


@lru_cache
def sample_schema(auxiliaries: tuple[Auxiliary, ...] = ()) -> pa.Schema:
    """Return the Arrow schema of a run's samples."""
    types = {"float64": pa.float64(), "int32": pa.int32(), "int64": pa.int64()}
    return pa.schema([pa.field(c.label, types[c.type], nullable=c.nullable) for c in columns_of(auxiliaries)])


SAMPLE_SCHEMA: pa.Schema = sample_schema()
"""One sample without auxiliary readings, with the labels of the Battery Data Format. Positive current charges;
capacities and energies count from the start of the run and never reset. The last three belong to the points of an
impedance spectrum, whose voltage is the direct one and whose current is 0; all other samples have nulls there."""

FIRST_RECORD = 1
"""``Record Index / 1`` of a run's first sample; each later sample has one more."""

STEP_SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("step_count", pa.int32(), nullable=False),
        pa.field("step_id", pa.int32(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("mode", pa.string(), nullable=False),
        pa.field("cycle", pa.int32(), nullable=False),
        pa.field("turn", pa.int32(), nullable=False),
        pa.field("setpoint", pa.float64()),
        pa.field("started_test_time_s", pa.float64(), nullable=False),
        pa.field("ended_test_time_s", pa.float64()),
        pa.field("end_reason", pa.string()),
        pa.field("attempt", pa.int32(), nullable=False),
    ]
)
"""One attempt of one step, in the order of ``journal.StepRecord``."""

SCHEMA_VERSION = 3
APPLICATION_ID = 0x47414C56  # "GALV": tells our database from any other SQLite file

_TABLES = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT",
    # What never changes in a run lies apart from what changes with every commit: SQLite rewrites whole rows.
    """CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL, title TEXT NOT NULL,
        recipe_name TEXT NOT NULL, recipe_text TEXT NOT NULL,
        cell_name TEXT NOT NULL, cell_text TEXT NOT NULL,
        parameters TEXT NOT NULL, program_json TEXT NOT NULL,
        seed INTEGER, speed REAL NOT NULL, instrument TEXT NOT NULL,
        created_unix_s REAL NOT NULL, area_m2 REAL, analyses TEXT NOT NULL,
        auxiliaries TEXT NOT NULL DEFAULT '[]'
    ) STRICT""",
    """CREATE TABLE progress (
        run INTEGER PRIMARY KEY REFERENCES runs (number),
        state TEXT NOT NULL, end_reason TEXT,
        started_unix_s REAL, ended_unix_s REAL, updated_unix_s REAL NOT NULL,
        samples INTEGER NOT NULL, test_time_s REAL NOT NULL, position_json TEXT
    ) STRICT""",
    """CREATE TABLE chunks (
        run INTEGER NOT NULL REFERENCES runs (number),
        first_record INTEGER NOT NULL, last_record INTEGER NOT NULL,
        data BLOB NOT NULL,
        UNIQUE (run, last_record)
    ) STRICT""",
    """CREATE TABLE parts (
        run INTEGER NOT NULL REFERENCES runs (number),
        first_record INTEGER NOT NULL, last_record INTEGER NOT NULL,
        file TEXT NOT NULL, tier_file TEXT NOT NULL,
        PRIMARY KEY (run, first_record)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE steps (
        run INTEGER NOT NULL REFERENCES runs (number),
        step_count INTEGER NOT NULL, attempt INTEGER NOT NULL,
        step_id INTEGER NOT NULL, name TEXT NOT NULL, mode TEXT NOT NULL,
        cycle INTEGER NOT NULL, turn INTEGER NOT NULL, setpoint REAL,
        started_test_time_s REAL NOT NULL, ended_test_time_s REAL, end_reason TEXT,
        PRIMARY KEY (run, step_count, attempt)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        run INTEGER REFERENCES runs (number),
        unix_time_s REAL NOT NULL, test_time_s REAL,
        kind TEXT NOT NULL, message TEXT NOT NULL, details TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX events_of_run ON events (run, id)",
)


def _impedance_columns(_: sqlite3.Connection) -> None:
    """Version 2 added the columns of impedance; chunks and parts written before are read as having nulls there."""


def _auxiliaries(connection: sqlite3.Connection) -> None:
    """Version 3 knows what a run measures beside voltage and current: nothing, before it."""
    connection.execute("ALTER TABLE runs ADD COLUMN auxiliaries TEXT NOT NULL DEFAULT '[]'")


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _impedance_columns, 2: _auxiliaries}
"""Version -> what brings a database of that version to the next; runs inside one transaction."""


def with_columns(table: pa.Table, schema: pa.Schema, names: Sequence[str]) -> pa.Table:
    """Return those columns of samples; columns that did not exist when they were written hold nulls."""
    if set(names) <= set(table.column_names):
        return table.select(list(names))
    for label in map(schema.field, names):
        if label.name not in table.column_names and label.nullable:
            table = table.append_column(label, pa.nulls(table.num_rows, label.type))
    return table.select(list(names))


def run_id(number: int) -> str:
    """Return the name of a run: ``r0001``."""
    return f"r{number:04d}"


def run_number(run: str) -> int:
    """Return the number in a run's name; raise ``InvalidInput`` if it is no such name."""
    if re.fullmatch(r"r[0-9]{4,12}", run) and run_id(int(run[1:])) == run:
        return int(run[1:])
    raise InvalidInput(f"{run[:40]!r} is not a run; expected a name such as 'r0001'")


def create_or_migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database at ``path`` to this version; raise ``StoreError`` if that cannot be done."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        version = _version(connection, path)
        while version in MIGRATIONS:
            MIGRATIONS[version](connection)
            version += 1
            connection.execute("UPDATE schema_version SET version = ?", (version,))
        _refuse_other(version, path)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` unless the database at ``path`` has exactly this version."""
    _refuse_other(_version(connection, path), path)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path} is a database, but not one of Galvanode")
    return connection.execute("SELECT version FROM schema_version").fetchone()[0]


def _refuse_other(version: int, path: Path) -> None:
    if version != SCHEMA_VERSION:
        older_or_newer = "newer" if version > SCHEMA_VERSION else "older"
        raise StoreError(
            f"{path} has store version {version}; this program works with version {SCHEMA_VERSION}: "
            f"use the {older_or_newer} Galvanode that wrote it, or another data directory"
        )
