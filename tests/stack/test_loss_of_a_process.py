"""What happens to a cell when a process is killed or hangs in the middle of a half-cycle."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from tests.stack.harness import Cable, Instruments, Station, record_indices, served, simulated, until, wired_bench

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

BENCH = """
title: One cell on the wire
instruments:
  smu: {driver: keithley2450, simulated: {cell: llzto-zni2, seed: 1}}
"""


@asynccontextmanager
async def one_cell(folder: Path) -> AsyncIterator[tuple[Instruments, Station]]:
    """One simulated cell in one process, a station that serves it in others."""
    async with (
        simulated(BENCH, folder) as instruments,
        served(wired_bench(folder, instruments), folder / "data") as station,
    ):
        yield instruments, station


async def _lose_the_engine(station: Station, instruments, number: signal.Signals, run: str) -> float:
    """Send the engine a signal; return the real seconds until the simulator saw its output off."""
    store = station.store
    before = len(station.supervisor_log())
    committed = store.samples(run).num_rows
    offs = len(instruments.output_offs())
    sent = time.time()
    os.kill(station.child("engine"), number)
    off_at = (await until(lambda: instruments.output_offs()[offs:], 10))[0]
    await until(lambda: any(e["kind"] == "made_safe" for e in station.supervisor_log()[before:]), 10)
    assert store.samples(run).num_rows >= committed
    return off_at - sent


async def _resumed(station: Station, run: str, samples: int) -> None:
    """Wait until the run goes on, beyond what it had stored."""

    async def going_on() -> None:
        while (await station.channel("smu")).state != "running" or station.store.run(run).samples <= samples + 3:
            await asyncio.sleep(0.05)

    await asyncio.wait_for(going_on(), 20)


async def _lose_it_many_times(tmp_path: Path, times: int) -> list[float]:
    took: list[float] = []
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu", half_cycle="600 s")
        await until(lambda: s.store.run(run).samples > 15)
        for turn in range(times):
            number = (signal.SIGKILL, signal.SIGSTOP)[turn % 2]
            before = s.store.samples(run)
            charge = s.store.run(run)
            took.append(await _lose_the_engine(s, instruments, number, run))
            stored = s.store.run(run)
            await _resumed(s, run, stored.samples)
            after = s.store.samples(run)
            # No committed sample is lost or doubled, and the position goes on from the committed one.
            assert after.slice(0, before.num_rows).equals(before)
            assert record_indices(after) == list(range(1, after.num_rows + 1))
            capacity = after.column("Charging Capacity / Ah").to_pylist()
            assert capacity == sorted(capacity)
            assert s.store.run(run).samples > charge.samples
            assert await _step_of(s, run) == 2  # still the first plating: the step was taken up, not begun anew
            if times > 5:  # the supervisor gives up after more than five restarts within a minute
                await asyncio.sleep(11)
    return took


async def _step_of(station: Station, run: str) -> int:
    return (await station.channel("smu")).step_count or 0


async def test_a_killed_or_hanging_engine_leaves_no_current_flowing_and_no_sample_behind(tmp_path: Path):
    took = await _lose_it_many_times(tmp_path, 2)
    assert max(took) < 2.0, took


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_engine_is_lost_again_and_again(tmp_path: Path):
    """Five times; with GALVANODE_FULL=1 in the environment twenty times."""
    times = 20 if os.environ.get("GALVANODE_FULL") else 5
    took = await _lose_it_many_times(tmp_path, times)
    print("output off after", [round(seconds, 3) for seconds in took], "s")
    assert len(took) == times
    assert max(took) < 2.0, took


@pytest.mark.slow
async def test_a_killed_web_side_comes_back_and_no_reading_is_late(tmp_path: Path):
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu")
        await until(lambda: s.store.run(run).samples > 5)
        for number in (signal.SIGKILL, signal.SIGSTOP):
            await _web_answers(s)
            started = len([e for e in s.supervisor_log() if e["kind"] == "web_started"])
            before = s.store.run(run).samples
            os.kill(s.child("web"), number)
            await until(lambda n=started: len([e for e in s.supervisor_log() if e["kind"] == "web_started"]) > n)
            await until(lambda n=before: s.store.run(run).samples > n + 10)
        await _web_answers(s)
        assert [e["kind"] for e in s.supervisor_log() if e["kind"].startswith("engine")] == ["engine_started"]
        assert not [event for event in s.store.events(run) if event.kind == "late_poll"]
        assert record_indices(s.store.samples(run)) == list(range(1, s.store.samples(run).num_rows + 1))


async def _web_answers(station: Station) -> None:
    async def ask() -> None:
        while True:
            try:
                if (await station.http.get("/healthz")).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)

    await asyncio.wait_for(ask(), 20)


@pytest.mark.slow
async def test_an_engine_whose_supervisor_is_killed_makes_its_cells_safe_and_ends(tmp_path: Path):
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu")
        await until(lambda: s.store.run(run).samples > 5)
        engine, offs = s.child("engine"), len(instruments.output_offs())
        sent = time.time()
        s.process.process.kill()
        off_at = (await until(lambda: instruments.output_offs()[offs:], 10))[0]
        assert off_at - sent < 2
        await until(lambda: not _alive(engine))
        assert s.store.run(run).state == "interrupted"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
async def test_an_engine_that_hangs_while_the_station_closes_leaves_no_current_flowing(tmp_path: Path):
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu")
        await until(lambda: s.store.run(run).samples > 5)
        offs, sent = len(instruments.output_offs()), time.time()
        os.kill(s.child("engine"), signal.SIGSTOP)
        s.process.process.terminate()
        off_at = (await until(lambda: instruments.output_offs()[offs:], 10))[0]
        assert off_at - sent < 2.5
        assert await asyncio.wait_for(s.process.process.wait(), 30) == 0


@pytest.mark.slow
async def test_an_engine_that_is_killed_while_the_station_closes_leaves_no_current_flowing(tmp_path: Path):
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu")
        await until(lambda: s.store.run(run).samples > 5)
        offs, engine = len(instruments.output_offs()), s.child("engine")
        os.kill(engine, signal.SIGSTOP)
        s.process.process.terminate()
        await asyncio.sleep(0.2)
        os.kill(engine, signal.SIGKILL)
        await until(lambda: instruments.output_offs()[offs:], 10)
        assert await asyncio.wait_for(s.process.process.wait(), 30) == 0


@pytest.mark.slow
async def test_a_full_disk_does_not_keep_the_supervisor_from_the_cells(tmp_path: Path):
    async with (
        simulated(BENCH, tmp_path) as instruments,
        served(wired_bench(tmp_path, instruments), tmp_path / "d") as s,
    ):
        run = await s.submit("smu")
        await until(lambda: s.store.run(run).samples > 5)
        engine, offs = s.child("engine"), len(instruments.output_offs())
        log = s.data / "supervisor.jsonl"
        log.unlink()
        log.symlink_to("/dev/full")
        sent = time.time()
        os.kill(engine, signal.SIGKILL)
        off_at = (await until(lambda: instruments.output_offs()[offs:], 10))[0]
        assert off_at - sent < 2
        await _resumed(s, run, s.store.run(run).samples)


@pytest.mark.slow
async def test_a_pulled_cable_is_told_and_the_output_goes_off_once_it_is_back(tmp_path: Path):
    async with simulated(BENCH, tmp_path) as instruments:
        cable = Cable(int(instruments.resources["smu"].split("::")[2]))
        instruments.resources["smu"] = f"TCPIP::127.0.0.1::{cable.port}::SOCKET"
        async with served(wired_bench(tmp_path, instruments), tmp_path / "d") as s:
            run = await s.submit("smu")
            await until(lambda: s.store.run(run).samples > 5)
            offs = len(instruments.output_offs())
            cable.unplug()
            await until(lambda: s.store.run(run).state == "communication_lost", 30)
            while (await s.channel("smu")).state not in ("lost", "unsafe"):
                await asyncio.sleep(0.1)
            assert not instruments.output_offs()[offs:]  # nobody could reach it
            cable.plug()
            await until(lambda: instruments.output_offs()[offs:], 15)
            await until(lambda: any(e.kind == "recovered" for e in s.store.events()), 15)
            assert (await s.channel("smu")).state == "idle"
        cable.close()
