"""A unit of eight channels, each with a recipe of its own: what happens to one, and to the connection of all."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from tests.stack.harness import Cable, Station, record_indices, served, simulated, until

from galvanode.engine.contract import Stop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

BOX = """
title: A unit of eight channels
instruments:
  box: {{driver: neware, options: {{current: 50 mA, step_files: {steps}}}, {where}}}
"""
CAPACITOR = "simulated: {cell: capacitor, overrides: {resistance: 10 ohm}}"
CELL = """
name: 1 F
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope: {voltage: {min: 1 V, max: 4.5 V}, current: {max: 20 mA}}
"""
RECIPE = """
title: Pulses of {current} mA
record: {{every: 0.5 s}}
method:
  - repeat:
      - charge: {{current: {current} mA, for: {seconds} s}}
      - rest: {{for: {rest} s}}
      - discharge: {{current: {current} mA, for: {seconds} s}}
    times: {times}
"""
CHANNELS = tuple(f"box_{number}" for number in range(1, 9))
STOPPED = "box_4"
CUT_S = 10.0


def _recipe(number: int) -> str:
    """Each channel's own: 50 s or so."""
    return RECIPE.format(current=2 + number, seconds=5 + number, rest=1 + number % 3, times=2 if number > 4 else 3)


async def test_one_channel_is_stopped_and_the_connection_cut_and_seven_records_have_no_gap(tmp_path: Path):
    steps = tmp_path / "steps"
    async with simulated(BOX.format(steps=steps, where=CAPACITOR), tmp_path) as instruments:
        cable = Cable(int(instruments.resources["box"].split("::")[2]))
        bench = tmp_path / "bench.yaml"
        bench.write_text(BOX.format(steps=steps, where=f"resource: 'TCPIP::127.0.0.1::{cable.port}::SOCKET'"))
        async with served(bench, tmp_path / "data") as station:
            runs = {name: await station.submit(name, _recipe(n), CELL) for n, name in enumerate(CHANNELS, 1)}
            await until(lambda: all(station.store.run(run).samples > 5 for run in runs.values()), 60)
            await station.client.ask(Stop(run=runs[STOPPED]))
            await until(lambda: station.store.run(runs[STOPPED]).state == "stopped", 30)
            assert _off(instruments.events()) == {STOPPED}
            others = [run for name, run in runs.items() if name != STOPPED]
            cable.unplug()
            await asyncio.sleep(1.0)
            stored = [station.store.run(run).samples for run in others]
            await asyncio.sleep(CUT_S - 1.0)
            assert [station.store.run(run).samples for run in others] == stored
            cable.plug()
            await until(lambda: all(station.store.run(run).state == "completed" for run in others), 200)
            for run in others:
                _has_no_gap(station, run)
        cable.close()


def _off(events: list[dict[str, object]]) -> set[str]:
    """Channels whose output has gone off."""
    return {f"box_{e['channel']}" for e in events if e["event"] == "output" and e["on"] is False}


def _has_no_gap(station: Station, run: str) -> None:
    samples = station.store.samples(run)
    assert record_indices(samples) == list(range(1, samples.num_rows + 1))
    times = samples.column("Test Time / s").to_pylist()
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) >= 0.0
    assert max(gaps) < 0.61
