"""Instruments that go on alone when the engine is gone: none of them does with a run that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.galvanode.engine.test_station import Building, Laboratory, until
from tests.galvanode.engine.test_station import slow_building as slow_building

from galvanode.engine.channels import Channels
from galvanode.errors import Refused
from galvanode.store.journal import Journal
from galvanode.store.records import RunCommit

BENCH = """
title: A box
instruments:
  a:
    driver: neware
    options: {{current: 50 mA, channels: 1, step_files: {folder}}}
    simulated: {{cell: resistor, upload_lag: 0 s}}
"""
CELL = """
name: Cell
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 4.5 V}, current: {max: 40 mA}}
"""
LONG = """
title: Long
record: {every: 60 s}
safety: {check_every: 10 s}
method:
  - charge: {current: 0.1 mA, for: 1000 h}
"""


@pytest.fixture
def box(slow_building: Building, tmp_path: Path) -> Building:
    """A station with one channel of a battery tester."""
    (slow_building.folder / "bench.yaml").write_text(BENCH.format(folder=tmp_path / "steps"))
    return slow_building


def status(lab: Laboratory) -> str:
    """What the channel itself says that it does."""
    channel: Any = lab.library.instruments["a"].model.channels[1]
    return channel.status


async def left_working(box: Building) -> str:
    """Start a run and close the station under it; return its name."""
    async with box.open() as lab:
        run = await lab.submit("a_1", LONG, CELL)
        await lab.has_samples(run)
    return run


async def test_a_run_that_was_written_down_as_ended_and_not_stopped_is_stopped_by_the_next_engine(box: Building):
    run = await left_working(box)
    with Journal(box.folder / "data") as journal:  # what kill -9 leaves between the two
        journal.commit([RunCommit(run, [], None, "tripped", "too warm", 0.0)])
    async with box.open() as lab:
        assert status(lab) == "stop"
        assert (await lab.channel("a_1")).state == "idle"


async def test_what_was_started_by_somebody_else_goes_on(box: Building):
    await left_working(box)
    (box.folder / "data").rename(box.folder / "of another station")
    async with box.open() as lab:
        assert status(lab) == "working"


@pytest.mark.parametrize("request_", ["stop", "stop_all"])
async def test_stop_of_a_run_that_could_not_be_taken_up_stops_the_instrument(
    request_: str, box: Building, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any) -> None:
        raise Refused("not now")

    run = await left_working(box)
    monkeypatch.setattr(Channels, "_refuse_to_take_up", refuse)
    async with box.open() as lab:
        await until(lambda: "not_resumed" in lab.kinds(run))
        assert status(lab) == "working"
        if request_ == "stop":
            assert (await lab.ask("stop", run=run)).safe_unix_s is not None
        else:
            answer = await lab.ask("stop_all")
            assert (answer.stopped, answer.not_safe, answer.durable) == ([run], [], True)
        assert status(lab) == "stop"
        assert lab.store.run(run).state == "stopped"
