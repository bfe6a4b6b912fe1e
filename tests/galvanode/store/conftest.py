"""A store with a run in it, and samples to put there."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from galvanode.store.journal import Journal
from galvanode.store.records import NewRun, RunCommit

Row = tuple[Any, ...]


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
def rows() -> Callable[[int, int], list[Row]]:
    """``rows(first_record, count)``: samples every second, 100 s per step, the same ones every time."""

    def make(first: int, count: int) -> list[Row]:
        made: list[Row] = []
        for record in range(first, first + count):
            step = (record - 1) // 100
            sign = 1 if step % 2 == 0 else -1
            noise = random.Random(record).gauss(0, 1e-4)
            temperature = None if record % 7 == 0 else 25.0 + noise
            spectrum = (1e5 / record, 100.0 + noise, -1e-2 * record) if record % 11 == 0 else (None, None, None)
            made.append(
                (
                    float(record),
                    1_767_225_600.0 + record,
                    sign * 0.013 + noise,
                    sign * 1e-4,
                    step // 2 + 1,
                    step + 1,
                    step % 2 + 1,
                    float((record - 1) % 100),
                    temperature,
                    record * 1e-7,
                    record * 2e-7,
                    record * 3e-9,
                    record * 4e-9,
                    record,
                    *spectrum,
                )
            )
        return made

    return make


@pytest.fixture
def commit_of(rows: Callable[[int, int], list[Row]]) -> Callable[..., RunCommit]:
    """``commit_of(run, first_record, count, **changes)``"""

    def make(run: str, first: int, count: int, **changes: Any) -> RunCommit:
        commit = RunCommit(
            run=run,
            rows=rows(first, count),
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
