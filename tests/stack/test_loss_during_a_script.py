"""A potentiostat that runs a script while the engine dies: the cell is off, the data are kept, the step is repeated."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.stack.harness import record_indices, served, simulated, until, wired_bench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

BENCH = """
title: One cell, two instruments
instruments:
  smu: {driver: keithley2450, simulated: {cell: llzto-zni2, seed: 1}}
  pot: {driver: emstat4, simulated: {cell_of: smu, link: tcp}}
"""
CHANNELS = "channels: {cell: {cycler: smu, analyzer: pot}}\n"

SWEEP = """
title: Plate a little, then sweep
safety: {check_every: 0.5 s}
record: {every: 0.5 s}
method:
  - plate: {current_density: 0.05 mA/cm^2, for: 2 s}
  - sweep: {from: 0 V, to: 40 mV, rate: 4 mV/s, step: 1 mV, current_limit: 1 mA}
  - rest: {for: 1 s}
"""


async def test_a_killed_engine_leaves_the_cell_off_keeps_what_was_streamed_and_repeats_the_sweep_once(tmp_path: Path):
    async with simulated(BENCH, tmp_path) as instruments:
        bench = wired_bench(tmp_path, instruments, CHANNELS)
        async with served(bench, tmp_path / "data") as station:
            run = await station.submit("cell", SWEEP)
            # In the middle of the script: some of the sweep has been streamed and stored.
            await until(lambda: _stored_in_sweep(station, run) > 8)
            before = station.store.samples(run)
            sent = time.time()
            os.kill(station.child("engine"), signal.SIGKILL)
            await until(lambda: [e for e in station.supervisor_log() if e["kind"] == "made_safe"])
            off = [e for e in instruments.events() if e["instrument"] == "pot" and e["unix_time_s"] > sent - 0.01]
            assert [e for e in off if e["event"] == "output" and e["on"] is False], off
            await until(lambda: station.store.run(run).state == "completed", 40)
            after = station.store.samples(run)
            assert after.slice(0, before.num_rows).equals(before)
            assert record_indices(after) == list(range(1, after.num_rows + 1))
            steps = [step for step in station.store.steps(run).to_pylist() if step["name"] == "sweep"]
            assert [step["attempt"] for step in steps] == [1, 2]
            assert steps[1]["end_reason"] == "end of the sweep"
            await asyncio.sleep(0)


def _stored_in_sweep(station, run: str) -> int:
    samples = station.store.samples(run, columns=["Step ID"])
    return sum(step == 2 for step in samples.column("Step ID").to_pylist())
