"""A stop reaches its own output at once, whatever another instrument, the disk or a long recipe does meanwhile."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.stack.harness import CELL, Instruments, Station, served, simulated, until

from galvanode.store.schema import DATABASE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WITHIN_S = 0.2
HEALTHY = 10 if os.environ.get("GALVANODE_FULL") else 4
"""Channels whose runs are stopped, one after the other; with GALVANODE_FULL=1 in the environment ten."""
BETWEEN_S = 0.25
LOCKED_S = 8.0
LONG_RECIPE = "title: Long\nmethod:\n" + "  - rest: {for: 1 s}\n" * 20_000
_HANGS_FROM = 60
"""Messages after which the instrument never answers again."""


def _simulated_bench() -> str:
    healthy = "".join(
        f"  s{number}: {{driver: keithley2450, simulated: {{cell: llzto-zni2, seed: {number}}}}}\n"
        for number in range(HEALTHY)
    )
    hangs = f"faults: [{{kind: drop_reply, skip: {_HANGS_FROM}}}]"
    return (
        f"title: Healthy ones, one that hangs, one more\ninstruments:\n{healthy}"
        f"  hangs: {{driver: keithley2450, simulated: {{cell: llzto-zni2, seed: 98, {hangs}}}}}\n"
        "  other: {driver: keithley2450, simulated: {cell: llzto-zni2, seed: 99}}\n"
    )


def _bench(folder: Path, instruments: Instruments) -> Path:
    path = folder / "bench.yaml"
    entries = "".join(
        f"  {name}: {{driver: keithley2450, resource: '{resource}', timeout: {5 if name == 'hangs' else 1} s}}\n"
        for name, resource in instruments.resources.items()
    )
    path.write_text(f"title: On the wire\ninstruments:\n{entries}")
    return path


@dataclass
class Scene:
    """Instruments in one process, a station that serves them in others."""

    instruments: Instruments
    station: Station

    def offs(self, instrument: str) -> list[float]:
        """Real times at which the output of an instrument went off."""
        return [
            event["unix_time_s"]
            for event in self.instruments.events()
            if (event["instrument"], event["event"]) == (instrument, "output") and event["on"] is False
        ]

    async def stop(self, name: str, run: str) -> tuple[float, dict[str, object]]:
        """Stop a run as the page does; return after how long its output was off, and the answer."""
        before, asked = len(self.offs(name)), time.time()
        answering = asyncio.create_task(self.station.http.post(f"/api/runs/{run}/stop", timeout=30))
        off_at = (await until(lambda: self.offs(name)[before:], 15))[0]
        answer = await answering
        assert answer.status_code == 200, answer.text
        return off_at - asked, answer.json()


@asynccontextmanager
async def another_instrument_hangs(scene: Scene) -> AsyncIterator[None]:
    """Its run waits for answers that never come, for 5 s each time."""
    run = await scene.station.submit("hangs")
    await until(lambda: scene.station.store.run(run).samples > 3)
    while await _age_of(scene, run) < 1.0:
        await asyncio.sleep(0.1)
    stopping = asyncio.create_task(scene.station.http.post(f"/api/runs/{run}/stop", timeout=60))
    await asyncio.sleep(0.1)
    yield
    answer = (await stopping).json()
    assert (answer["safe_unix_s"], answer["durable"]) == (None, False)
    assert answer["message"]


async def _age_of(scene: Scene, run: str) -> float:
    """Real seconds for which a run has brought nothing new."""
    samples = scene.station.store.run(run).samples
    await asyncio.sleep(1.0)
    return 1.0 if scene.station.store.run(run).samples == samples else 0.0


@asynccontextmanager
async def the_database_is_locked(scene: Scene) -> AsyncIterator[None]:
    """Another program holds the database for eight seconds."""
    lock = sqlite3.connect(scene.station.data / DATABASE, isolation_level=None, timeout=10)
    lock.execute("BEGIN IMMEDIATE")
    locked_at = time.monotonic()
    await asyncio.sleep(0.5)
    yield
    took = time.monotonic() - locked_at
    assert took < LOCKED_S, f"the stops took {took:.1f} s, the database was to be locked for {LOCKED_S} s"
    await asyncio.sleep(LOCKED_S - took)
    lock.execute("ROLLBACK")
    lock.close()


@asynccontextmanager
async def a_long_recipe_is_submitted(scene: Scene) -> AsyncIterator[None]:
    """Twenty thousand steps are checked and compiled, stored and started."""
    body = {
        "channel": "other",
        "recipe": LONG_RECIPE,
        "recipe_name": "long.yaml",
        "cell": CELL,
        "cell_name": "cell.yaml",
    }
    submitting = asyncio.create_task(scene.station.http.post("/api/runs", json=body, timeout=300))
    await asyncio.sleep(0.5)
    yield
    answer = await submitting
    assert answer.status_code == 201, answer.text


Disturbance = Callable[[Scene], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize(
    "disturbance",
    [another_instrument_hangs, the_database_is_locked, a_long_recipe_is_submitted],
    ids=["instrument", "database", "recipe"],
)
async def test_a_healthy_output_is_off_within_a_fifth_of_a_second(tmp_path: Path, disturbance: Disturbance):
    async with (
        simulated(_simulated_bench(), tmp_path) as instruments,
        served(_bench(tmp_path, instruments), tmp_path / "d") as station,
    ):
        scene = Scene(instruments, station)
        runs = {f"s{number}": await station.submit(f"s{number}") for number in range(HEALTHY)}
        for run in runs.values():
            await until(lambda run=run: station.store.run(run).samples > 8)
        assert (await station.http.get("/api/status")).status_code == 200  # a page is open, as when people stop
        took: list[float] = []
        async with disturbance(scene):
            for name, run in runs.items():
                seconds, answer = await scene.stop(name, run)
                took.append(seconds)
                assert (answer["state"], answer["message"]) == ("stopped", None)
                assert answer["safe_unix_s"] is not None
                if disturbance is the_database_is_locked:
                    assert answer["durable"] is False
                await asyncio.sleep(BETWEEN_S)
        print(f"{disturbance.__name__}: output off after", [round(seconds, 3) for seconds in took], "s")
        assert max(took) < WITHIN_S, took
        for run in runs.values():
            await until(lambda run=run: station.store.run(run).state == "stopped")
