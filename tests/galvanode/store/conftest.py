"""A store with a run in it, and samples to put there."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from galvanode.quantities import Column
from galvanode.store.journal import Journal
from galvanode.store.records import NewRun, RunCommit, Sample
from galvanode.store.schema import columns_of


@pytest.fixture
def new_run() -> NewRun:
    return NewRun(
        channel="ch1",
        title="Critical current density",
        recipe_name="ccd.yaml",
        recipe_text="title: Critical current density\n",
        cell_name="llzto.yaml",
        cell_text="name: LLZTO\n",
        parameters={"half_cycle": "30 min"},
        program_json='{"format": 1}',
        seed=1,
        speed=math.inf,
        instrument="smu1",
        created_unix_s=1_767_225_600.0,
        area_m2=1e-4,
        analyses=("critical_current_density",),
    )


@pytest.fixture
def rows() -> Callable[[int, int], list[Sample]]:
    """``rows(first_record, count)``: samples every second, 100 s per step, the same ones every time."""

    def make(first: int, count: int) -> list[Sample]:
        made: list[Sample] = []
        for record in range(first, first + count):
            step = (record - 1) // 100
            sign = 1 if step % 2 == 0 else -1
            noise = random.Random(record).gauss(0, 1e-4)
            temperature = None if record % 7 == 0 else 298.15 + noise
            spectrum = (1e5 / record, 100.0 + noise, -1e-2 * record) if record % 11 == 0 else (None, None, None)
            made.append(
                Sample(
                    float(record),
                    1_767_225_600.0 + record,
                    sign * 0.013 + noise,
                    sign * 1e-4,
                    step // 2 + 1,
                    step + 1,
                    step % 2 + 1,
                    float((record - 1) % 100),
                    temperature,
                    record * 3.6e-4,
                    record * 7.2e-4,
                    record * 1.08e-5,
                    record * 1.44e-5,
                    record,
                    *spectrum,
                )
            )
        return made

    return make


@pytest.fixture
def in_columns() -> Callable[[Sample], dict[str, Any]]:
    """A sample as a row of the table that is read back: labels, and the columns' units."""

    def make(sample: Sample) -> dict[str, Any]:
        pairs = zip(columns_of(), sample, strict=False)
        return {column.label: None if value is None else _shown(column, value) for column, value in pairs}

    return make


def _shown(column: Column, value: float) -> float:
    return column.shown(value) if column.zero or column.divisor != 1.0 else value


@pytest.fixture
def commit_of(rows: Callable[[int, int], list[Sample]]) -> Callable[..., RunCommit]:
    """``commit_of(run, first_record, count, **changes)``"""

    def make(run: str, first: int, count: int, **changes: Any) -> RunCommit:
        commit = RunCommit(
            run=run,
            samples=rows(first, count),
            position_json=f'{{"samples": {first + count - 1}}}',
            state="running",
            end_reason=None,
            unix_time_s=1_767_225_600.0 + first,
        )
        return replace(commit, **changes)

    return make


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened
