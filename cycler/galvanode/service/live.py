"""The live stream: one message per tick with the status and the new points of the runs a page shows.

All pages share one reading of the engine and of the store per tick. A page that does not take its messages
is dropped, never queued for: it reconnects and asks for an overview.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from galvanode.errors import GalvanodeError
from galvanode.service.models import Status
from galvanode.service.problems import UnknownRun
from galvanode.states import UNDER_WAY

_log = logging.getLogger(__name__)

PERIOD_S = 0.4
MAX_CLIENTS = 32
MAX_RUNS = 64
WAITING_MESSAGES = 8
"""Messages that may wait for a slow page, about 3 s of them; with one more the page is dropped."""
POINTS_PER_TICK = 240
TRY_AGAIN_LATER = 1013
BAD_MESSAGE = 1007

_LINGER_TICKS = 5
"""Ticks for which a run is still read after it has left its channel: its last commit may be on the way."""

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """A stretch of samples as arrays of one length: record index, s, V, A. NaN is no value."""

    record: Indices
    time_s: Floats
    voltage: Floats
    current: Floats


class Tail(Protocol):
    """What the stream reads of the store."""

    async def last_record(self, run: str) -> int:
        """Return the index of the run's last sample, 0 if it has none."""
        ...

    async def points(self, run: str, after_record: int) -> Points:
        """Return the samples after that one."""
        ...


class StatusSource(Protocol):
    """What the stream asks the engine."""

    async def status(self, max_age_s: float = ...) -> Status:
        """Return the station's state."""
        ...


class Subscription(BaseModel):
    """What a page sends: the runs whose points it wants from now on."""

    model_config = ConfigDict(extra="forbid")
    subscribe: list[str] = Field(max_length=MAX_RUNS)


def thinned(points: Points, most: int = POINTS_PER_TICK) -> Points:
    """Return at most about ``most`` of the points: the first, the last and every bucket's extremes."""
    count = len(points.record)
    if count <= most:
        return points
    edges = np.linspace(0, count, max(1, most // 4) + 1).astype(np.int64)
    keep: set[int] = {0, count - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        for values in (points.voltage[start:end], points.current[start:end]):
            if not np.all(np.isnan(values)):
                keep.add(start + int(np.nanargmin(values)))
                keep.add(start + int(np.nanargmax(values)))
    chosen = np.array(sorted(keep), dtype=np.int64)
    return Points(points.record[chosen], points.time_s[chosen], points.voltage[chosen], points.current[chosen])


def _numbers(values: Floats) -> list[float | None]:
    """Seven digits are more than any plot shows; NaN has no JSON."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]


def _json(points: Points) -> str:
    return json.dumps(
        {
            "time_s": [round(value, 3) for value in points.time_s.tolist()],
            "voltage_V": _numbers(points.voltage),
            "current_A": _numbers(points.current),
        },
        allow_nan=False,
        separators=(",", ":"),
    )


_NOTHING = '{"time_s":[],"voltage_V":[],"current_A":[]}'


@dataclass(eq=False)
class _Page:
    """One connected page."""

    runs: frozenset[str] = frozenset()
    told: set[str] = field(default_factory=set[str])
    """Runs of which it has had a message: from that one on it misses nothing, so its overview can be asked for."""
    waiting: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(WAITING_MESSAGES))
    too_slow: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, message: str) -> None:
        """Hand over a message, or give the page up."""
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            self.too_slow.set()


@dataclass
class _Cursor:
    """How far a run has been read."""

    record: int
    linger: int = _LINGER_TICKS


class LiveStream:
    """Serves every page; reads only while there is one."""

    def __init__(self, engine: StatusSource, tail: Tail, period_s: float = PERIOD_S) -> None:
        self._engine = engine
        self._tail = tail
        self._period_s = period_s
        self._pages: set[_Page] = set()
        self._cursors: dict[str, _Cursor] = {}
        self._ticking: asyncio.Task[None] | None = None

    @property
    def pages(self) -> int:
        """How many pages are connected."""
        return len(self._pages)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it leaves, misbehaves or does not keep up."""
        await socket.accept()
        if len(self._pages) >= MAX_CLIENTS:
            await socket.close(TRY_AGAIN_LATER, "too many pages are connected")
            return
        page = _Page()
        self._pages.add(page)
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick_forever(), name="live stream")
        tasks = [
            asyncio.create_task(_receive(socket, page)),
            asyncio.create_task(_send(socket, page)),
            asyncio.create_task(_give_up(page)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            code, reason = next(iter(done)).result()
        finally:
            self._pages.discard(page)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if code is not None:
            with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(1.0):  # a page that does not read does not take this either
                    await socket.close(code, reason)

    async def close(self) -> None:
        """End the stream."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
            self._ticking = None

    async def _tick_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pages:
            began = loop.time()
            try:
                await self._tick()
            except GalvanodeError as error:  # the store is being created or replaced: the next tick tells
                _log.warning("live stream: %s", error)
            except Exception:
                _log.exception("live stream: a tick failed")
            await asyncio.sleep(max(self._period_s / 4, began + self._period_s - loop.time()))
        self._cursors.clear()
        self._ticking = None

    async def _tick(self) -> None:
        status = await self._engine.status(max_age_s=self._period_s / 2)
        status_json = status.model_dump_json()
        live = {channel.run for channel in status.channels if channel.run and channel.state in UNDER_WAY}
        wanted = {run for page in self._pages for run in page.runs}
        for run in set(self._cursors) - wanted:
            del self._cursors[run]
        parts: dict[str, str] = {}
        for run in sorted(wanted)[:MAX_RUNS]:
            try:
                points = await self._new_points(run, is_live=run in live)
            except UnknownRun:
                continue  # a page may ask for what it likes; there is nothing to tell
            if points is not None and len(points.record) > 0:
                parts[run] = _json(thinned(points))
        for page in tuple(self._pages):
            begun = {run for run in page.runs - page.told if run in self._cursors}
            runs = {run: parts.get(run, _NOTHING) for run in page.runs if run in parts or run in begun}
            page.told |= runs.keys()
            content = ",".join(f"{json.dumps(run)}:{points}" for run, points in sorted(runs.items()))
            page.offer(f'{{"status":{status_json},"runs":{{{content}}}}}')

    async def _new_points(self, run: str, *, is_live: bool) -> Points | None:
        """Return what came since the last tick; a page asks for what was before as an overview."""
        cursor = self._cursors.get(run)
        if cursor is None:
            self._cursors[run] = _Cursor(await self._tail.last_record(run))
            return None
        cursor.linger = _LINGER_TICKS if is_live else cursor.linger - 1
        if cursor.linger < 0:
            return None
        points = await self._tail.points(run, cursor.record)
        if len(points.record):
            cursor.record = int(points.record[-1])
        return points


_Ending = tuple[int | None, str]


async def _receive(socket: WebSocket, page: _Page) -> _Ending:
    while True:
        try:
            text = await socket.receive_text()
        except WebSocketDisconnect:
            return None, ""
        except KeyError:
            return BAD_MESSAGE, "expected text"
        try:
            page.runs = frozenset(Subscription.model_validate_json(text).subscribe)
            page.told &= page.runs
        except ValidationError:
            return BAD_MESSAGE, 'expected {"subscribe": ["r0001", ...]}'


async def _send(socket: WebSocket, page: _Page) -> _Ending:
    while True:
        message = await page.waiting.get()
        try:
            await socket.send_text(message)
        except (WebSocketDisconnect, RuntimeError):
            return None, ""


async def _give_up(page: _Page) -> _Ending:
    await page.too_slow.wait()
    return TRY_AGAIN_LATER, "the page does not keep up"
