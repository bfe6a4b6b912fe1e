"""Instruments that misbehave in the middle of a run: what the user reads afterwards, and what is stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from tests.stack.harness import CELL, record_indices

from galvanode.commands.rehearsal import rehearsal
from galvanode.commands.session import Submission
from galvanode.instrument.bench import read_bench
from galvanode.store.read import Store
from galvanode.store.records import RunRecord

RECIPE = """
title: Four half-cycles of half an hour
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 10 s}
record: {every: 10 s}
method:
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: 30 min}
      - strip: {current_density: 0.1 mA/cm^2, for: 30 min}
    times: 2
"""
HALF_CYCLE = 181
"""Samples of one: every 10 s, both ends included."""
AT_45_MIN = HALF_CYCLE + 90
"""Samples before the middle of the second half-cycle."""


@dataclass
class Ended:
    """A run that has ended, and what is stored of it."""

    record: RunRecord
    store: Store
    samples: pa.Table

    @property
    def state(self) -> str:
        return self.record.state

    @property
    def reason(self) -> str:
        return self.record.end_reason or ""

    def events(self, kind: str) -> list[str]:
        return [event.message for event in self.store.events("r0001") if event.kind == kind]


async def run(folder: Path, *faults: str) -> Ended:
    """Run the recipe at full speed with these faults of the instrument."""
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "cell.yaml").write_text(CELL)
    lines = [
        "title: One cell",
        "instruments:",
        "  smu:",
        "    driver: keithley2450",
        "    simulated:",
        "      cell: llzto-zni2",
        f"      faults: [{', '.join(faults)}]",
    ]
    (folder / "bench.yaml").write_text("\n".join(lines) + "\n")
    async with rehearsal(folder / "data", read_bench(folder / "bench.yaml"), seed=5) as laboratory:
        record = await laboratory.run(Submission("smu", folder / "recipe.yaml", folder / "cell.yaml", {}))
    store = Store(folder / "data")
    ended = Ended(record, store, store.samples("r0001"))
    assert record_indices(ended.samples) == list(range(1, ended.samples.num_rows + 1))
    assert record.samples == ended.samples.num_rows
    return ended


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The same run without a fault."""
    ended = asyncio.run(run(tmp_path_factory.mktemp("sound")))
    assert (ended.state, ended.samples.num_rows) == ("completed", 4 * HALF_CYCLE)
    return ended


def same_until(faulty: Ended, sound: Ended, samples: int) -> bool:
    """Whether the first samples are those of the sound run, to the last bit."""
    assert faulty.samples.num_rows >= samples
    return faulty.samples.slice(0, samples).equals(sound.samples.slice(0, samples))


async def test_a_lost_answer_in_mid_half_cycle_is_survived_and_on_record(tmp_path: Path, sound: Ended):
    ended = await run(tmp_path, "{kind: drop_reply, match: ':READ?', after: 45 min, count: 1}")
    assert (ended.state, ended.reason) == ("completed", "end of recipe")
    assert ended.samples.num_rows == sound.samples.num_rows
    assert same_until(ended, sound, AT_45_MIN)
    (told,) = ended.events("link")
    assert "attempt 2 of 3" in told
    assert "did not answer in time" in told


async def test_an_instrument_that_is_gone_ends_the_run_as_communication_lost(tmp_path: Path, sound: Ended):
    ended = await run(tmp_path, "{kind: disconnect, after: 45 min}", "{kind: refuse_connection, after: 45 min}")
    assert ended.state == "communication_lost"
    assert "smu" in ended.reason
    assert "the channel is not safe" in ended.reason
    assert ended.samples.num_rows == AT_45_MIN
    assert same_until(ended, sound, AT_45_MIN)
    assert len(ended.events("link")) == 2


async def test_a_reading_that_is_no_number_trips_the_run_and_is_no_sample(tmp_path: Path, sound: Ended):
    ended = await run(tmp_path, "{kind: reading, match: ':READ?', value: '9.91E37', after: 45 min, count: 1}")
    assert ended.state == "tripped"
    assert "9.91E37 means not-a-number" in ended.reason
    assert ended.samples.num_rows == AT_45_MIN
    assert same_until(ended, sound, AT_45_MIN)
    last = ended.store.steps("r0001").to_pylist()[-1]
    assert last["end_reason"] == f"tripped: {ended.reason}"
    assert ended.events("ended") == [f"tripped: {ended.reason}"]


async def test_frozen_readings_trip_the_run_within_five_minutes(tmp_path: Path, sound: Ended):
    ended = await run(tmp_path, "{kind: frozen_reading, after: 45 min}")
    assert ended.state == "tripped"
    assert "readings are frozen" in ended.reason
    assert ended.record.test_time_s == pytest.approx(45 * 60 + 300, abs=20)
    assert same_until(ended, sound, AT_45_MIN)


async def test_an_output_that_stays_on_is_told_with_the_end_of_the_run(tmp_path: Path, sound: Ended):
    ended = await run(tmp_path, "{kind: stuck_output, after: 45 min}")
    assert "the channel is not safe" in ended.reason
    assert "'1;HIMP;HIMP'" in ended.reason
    assert "Disconnect the cell by hand" in ended.reason
    assert len(ended.events("unsafe")) == 3
    assert ended.samples.equals(sound.samples)
