"""A station that starts, and one that must not: what happens to cells that are at work already."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from tests.stack.harness import Cable, free_port, served, simulated, start, until, wired_bench

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

BENCH = """
title: One cell on the wire
instruments:
  smu: {driver: keithley2400, simulated: {cell: llzto-zni2, seed: 1}}
"""


async def test_a_second_station_that_may_not_start_disturbs_no_cell_of_the_first(tmp_path: Path):
    async with simulated(BENCH, tmp_path) as instruments:
        bench, data = wired_bench(tmp_path, instruments), tmp_path / "data"
        async with served(bench, data) as station:
            run = await station.submit("smu")
            await until(lambda: station.store.run(run).samples > 5, 60)
            offs = len(instruments.output_offs())
            for directory, port in ((data, free_port()), (tmp_path / "other", station.port)):
                second = await start("serve", "--bench", str(bench), "--data", str(directory), "--port", str(port))
                assert await asyncio.wait_for(second.process.wait(), 60) != 0
            stored = station.store.run(run).samples
            await until(lambda: station.store.run(run).samples > stored + 5, 60)
            assert instruments.output_offs()[offs:] == []
            assert not (tmp_path / "other").exists()


async def test_what_is_out_of_reach_at_the_start_holds_nobody_up_and_is_safe_once_it_is_back(tmp_path: Path):
    async with simulated(BENCH, tmp_path) as instruments:
        cable = Cable(int(instruments.resources["smu"].split("::")[2]))
        instruments.resources["smu"] = f"TCPIP::127.0.0.1::{cable.port}::SOCKET"
        cable.unplug()
        async with served(wired_bench(tmp_path, instruments), tmp_path / "data") as station:
            assert next(e["kind"] for e in station.supervisor_log() if e.get("instrument") == "smu") == "not_safe"
            assert (await station.channel("smu")).state in ("lost", "unsafe")
            cable.plug()
            async with asyncio.timeout(30):
                while (await station.channel("smu")).state != "idle":
                    await asyncio.sleep(0.1)
        cable.close()
