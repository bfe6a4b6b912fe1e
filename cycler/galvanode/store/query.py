"""Rows of the database as the records that people work with."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from galvanode.quantities import Auxiliary
from galvanode.states import FINISHED
from galvanode.store.records import RunRecord
from galvanode.store.schema import run_id

_SELECT_RUNS = (
    "SELECT number, channel, title, recipe_name, recipe_text, cell_name, cell_text, parameters, program_json,"
    " seed, speed, instrument, created_unix_s, area_m2, analyses, state, end_reason, started_unix_s,"
    " ended_unix_s, samples, test_time_s, position_json, auxiliaries FROM runs JOIN progress ON run = number"
)


def select_runs(connection: sqlite3.Connection) -> list[RunRecord]:
    """Return all runs, oldest first."""
    return [_run(row) for row in connection.execute(_SELECT_RUNS + " ORDER BY number")]


def select_unfinished(connection: sqlite3.Connection) -> list[RunRecord]:
    """Return the runs that have not ended, oldest first."""
    marks = ", ".join("?" * len(FINISHED))
    where = f" WHERE state NOT IN ({marks}) ORDER BY number"
    return [_run(row) for row in connection.execute(_SELECT_RUNS + where, sorted(FINISHED))]


def unsealed_runs(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the ended runs that still have chunks, oldest first."""
    marks = ", ".join("?" * len(FINISHED))
    found = connection.execute(
        "SELECT DISTINCT chunks.run FROM chunks JOIN progress ON progress.run = chunks.run"  # noqa: S608
        f" WHERE state IN ({marks}) ORDER BY chunks.run",
        sorted(FINISHED),
    )
    return [run_id(number) for (number,) in found]


def select_run(connection: sqlite3.Connection, number: int) -> RunRecord | None:
    """Return that run, or None if there is none."""
    row = connection.execute(_SELECT_RUNS + " WHERE number = ?", (number,)).fetchone()
    return None if row is None else _run(row)


def _run(row: tuple[Any, ...]) -> RunRecord:
    return RunRecord(
        id=run_id(row[0]),
        channel=row[1],
        title=row[2],
        recipe_name=row[3],
        recipe_text=row[4],
        cell_name=row[5],
        cell_text=row[6],
        parameters=json.loads(row[7]),
        program_json=row[8],
        seed=row[9],
        speed=row[10],
        instrument=row[11],
        created_unix_s=row[12],
        area_m2=row[13],
        analyses=tuple(json.loads(row[14])),
        state=row[15],
        end_reason=row[16],
        started_unix_s=row[17],
        ended_unix_s=row[18],
        samples=row[19],
        test_time_s=row[20],
        position_json=row[21],
        auxiliaries=tuple(Auxiliary(*pair) for pair in json.loads(row[22])),
    )
