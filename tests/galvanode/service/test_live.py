"""The live stream: what pages get, and that a slow one costs nobody anything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import websockets
from fastapi import FastAPI, WebSocket
from hypothesis import given
from hypothesis import strategies as st

from galvanode.service.app import create_app
from galvanode.service.live import LiveStream, Points, thinned
from galvanode.service.models import Status


async def receive(socket: Any) -> dict[str, Any]:
    return json.loads(await asyncio.wait_for(socket.recv(), 5))


async def test_a_page_gets_the_status_and_the_new_points_of_its_runs(
    app: FastAPI, serve, data_dir: Path, engine
) -> None:
    port = await serve(app)
    with Writer(data_dir) as writer:
        async with websockets.connect(f"ws://localhost:{port}/api/live") as socket:
            await socket.send(json.dumps({"subscribe": ["r0002"]}))
            first = await receive(socket)
            assert first["status"]["available"] is True
            while "r0002" not in first["runs"]:
                first = await receive(socket)
            assert first["runs"]["r0002"]["time_s"] == []  # from here on nothing is missed
            expected = writer.write(25)
            times: list[float] = []
            while len(times) < 25:
                message = await receive(socket)
                times += message["runs"].get("r0002", {"time_s": []})["time_s"]
            assert times == expected


async def test_an_unknown_run_spoils_nothing_for_the_others(app: FastAPI, serve, data_dir: Path) -> None:
    port = await serve(app)
    async with websockets.connect(f"ws://localhost:{port}/api/live") as socket:
        await socket.send(json.dumps({"subscribe": ["r0042", "nonsense", "r0002"]}))
        for _ in range(5):
            message = await receive(socket)
        assert message["status"]["available"] is True
        assert "r0042" not in message["runs"]


async def test_a_page_gets_nothing_of_runs_it_did_not_ask_for(app: FastAPI, serve, data_dir: Path) -> None:
    port = await serve(app)
    with Writer(data_dir) as writer:
        async with websockets.connect(f"ws://localhost:{port}/api/live") as socket:
            await receive(socket)
            writer.write(5)
            for _ in range(3):
                assert (await receive(socket))["runs"] == {}


@pytest.mark.parametrize(
    "message", ["nonsense", "[]", '{"subscribe": "r0002"}', '{"subscribe": [], "more": 1}', b"\x00"]
)
async def test_a_page_that_talks_nonsense_is_hung_up_on(app: FastAPI, serve, message: str | bytes) -> None:
    port = await serve(app)
    async with websockets.connect(f"ws://localhost:{port}/api/live") as socket:
        await socket.send(message)
        async with asyncio.timeout(5):
            await socket.wait_closed()
        assert socket.close_code == 1007


async def test_another_sites_page_cannot_listen(app: FastAPI, serve) -> None:
    port = await serve(app)
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"ws://localhost:{port}/api/live", origin="http://evil.example")
    async with websockets.connect(f"ws://localhost:{port}/api/live", origin=f"http://localhost:{port}"):
        pass


async def test_without_the_token_nobody_listens(data_dir: Path, engine, protocols: Path, serve) -> None:
    port = await serve(create_app(data_dir, engine, token="secret", protocols=protocols))
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(f"ws://localhost:{port}/api/live")
    headers = {"authorization": "Bearer secret"}
    async with websockets.connect(f"ws://localhost:{port}/api/live", additional_headers=headers) as socket:
        assert (await receive(socket))["status"]["available"] is True


class StillEngine:
    """A status that never changes."""

    async def status(self, max_age_s: float = 0.3) -> Status:
        return Status(engine=None, available=False)


class NoTail:
    """A store without samples."""

    async def last_record(self, run: str) -> int:
        return 0

    async def points(self, run: str, after_record: int) -> Points:
        return Points(np.array([], np.int64), np.array([]), np.array([]), np.array([]))


def page_that(takes: int) -> tuple[WebSocket, list[str]]:
    """A page that takes so many messages and then no more."""
    taken: list[str] = []
    gate = asyncio.Event()
    opened = False

    async def from_page() -> dict[str, Any]:
        nonlocal opened
        if not opened:
            opened = True
            return {"type": "websocket.connect"}
        await gate.wait()
        return {"type": "websocket.disconnect"}

    async def to_page(message: Any) -> None:
        if message["type"] == "websocket.send":
            if len(taken) >= takes:
                await gate.wait()
            taken.append(message["text"])
        elif message["type"] == "websocket.close" and len(taken) >= takes:
            await gate.wait()

    return WebSocket({"type": "websocket", "path": "/", "headers": []}, from_page, to_page), taken


async def test_a_page_that_does_not_keep_up_is_dropped_and_others_are_not() -> None:
    live = LiveStream(StillEngine(), NoTail(), period_s=0.01)
    slow, _ = page_that(takes=2)
    quick, taken = page_that(takes=100_000)
    other = asyncio.create_task(live.serve(quick))
    async with asyncio.timeout(5):
        await live.serve(slow)  # returns: the page was given up, although it never closes
    assert live.pages == 1
    before = len(taken)
    await asyncio.sleep(0.1)
    assert len(taken) > before
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)
    await live.close()


async def test_nothing_is_asked_while_nobody_watches() -> None:
    asked = 0

    class Counting(StillEngine):
        async def status(self, max_age_s: float = 0.3) -> Status:
            nonlocal asked
            asked += 1
            return await super().status(max_age_s)

    live = LiveStream(Counting(), NoTail(), period_s=0.01)
    page, taken = page_that(takes=100_000)
    watching = asyncio.create_task(live.serve(page))
    while len(taken) < 3:
        await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await asyncio.sleep(0.05)
    before = asked
    await asyncio.sleep(0.1)
    assert asked == before
    await live.close()


async def test_there_is_a_bound_to_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvanode.service.live.MAX_CLIENTS", 1)
    live = LiveStream(StillEngine(), NoTail(), period_s=0.01)
    first, taken = page_that(takes=100_000)
    watching = asyncio.create_task(live.serve(first))
    while not taken:
        await asyncio.sleep(0.01)
    second, got = page_that(takes=100_000)
    await live.serve(second)
    assert got == []
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await live.close()


@given(
    st.lists(st.floats(-5, 5, allow_nan=False) | st.just(float("nan")), min_size=1, max_size=3000),
    st.integers(8, 300),
)
def test_thinning_keeps_ends_extremes_and_order(values: list[float], most: int) -> None:
    count = len(values)
    voltage = np.array(values)
    points = Points(np.arange(1, count + 1), np.arange(count) * 1.0, voltage, -voltage)
    kept = thinned(points, most)
    assert len(kept.record) <= max(most + 6, count if count <= most else 0)
    assert kept.record[0] == 1
    assert kept.record[-1] == count
    assert np.all(np.diff(kept.record) > 0)
    if not np.all(np.isnan(voltage)):
        assert np.nanmax(kept.voltage) == np.nanmax(voltage)
        assert np.nanmin(kept.voltage) == np.nanmin(voltage)


class Writer:
    """The engine's side of the store, for run r0002."""

    def __init__(self, data_dir: Path) -> None:
        from galvanode.store.journal import Journal
        from galvanode.store.read import Store

        self._journal = Journal(data_dir)
        run = Store(data_dir).run("r0002")
        self._records, self._time_s = run.samples, run.test_time_s

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def write(self, count: int) -> list[float]:
        from galvanode.store.journal import RunCommit
        from galvanode.store.records import Sample

        rows = []
        for _ in range(count):
            self._records += 1
            self._time_s += 1.0
            counted = (0.0, 0.0, 0.0, 0.0, self._records, None, None, None)
            rows.append(Sample(self._time_s, 0.0, 0.01, 1e-4, 1, 5, 2, 0.0, None, *counted))
        self._journal.commit([RunCommit("r0002", rows, "{}", "running", None, self._time_s)])
        return [row[0] for row in rows]
