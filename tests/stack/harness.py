"""The real processes, as a laboratory starts them: simulated instruments on a wire, a station that serves them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa

from galvanode.engine.contract import ChannelState, StationState, Status, Submit
from galvanode.engine.control import ControlClient
from galvanode.errors import EngineUnavailable
from galvanode.store.read import Store

GALVANODE = [sys.executable, "-m", "galvanode"]
LIBRARY = Path(__file__).parents[2] / "protocols"

SHORT_CYCLING = """
title: Short Li/Li cycling
parameters:
  half_cycle: {default: 30 s}
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 0.2 s}
record: {every: 0.2 s}
analysis: [polarisation]
method:
  - rest: {for: 1 s}
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: $half_cycle}
      - strip: {current_density: 0.1 mA/cm^2, for: $half_cycle}
    times: 1000
    stop_when: short_circuit
"""

CELL = re.sub(r"\n  temperature: \{[^}]*\}", "", (LIBRARY / "cells" / "llzto-zni2.yaml").read_text())
"""Of the library, without limits of temperature: most benches here have no chamber."""


@dataclass
class Process:
    """A child process in a group of its own."""

    process: asyncio.subprocess.Process

    async def end(self) -> int:
        """SIGTERM, and SIGKILL if that does not help."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 30)
            except TimeoutError:
                os.killpg(self.process.pid, signal.SIGKILL)
        return await self.process.wait()


async def start(*arguments: str, **options: Any) -> Process:
    """Start ``galvanode`` with these arguments."""
    process = await asyncio.create_subprocess_exec(
        *GALVANODE,
        *arguments,
        start_new_session=True,
        env={**os.environ, "GALVANODE_LOG": "WARNING"},
        **options,
    )
    return Process(process)


@dataclass
class Instruments:
    """Simulated instruments in a process of their own."""

    resources: dict[str, str]
    log: Path
    drivers: dict[str, str] = field(default_factory=dict)

    def events(self) -> list[dict[str, Any]]:
        """Everything that the simulator has written down."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line]

    def output_offs(self) -> list[float]:
        """Real UTC times at which an output went off."""
        return [event["unix_time_s"] for event in self.events() if event["event"] == "output" and event["on"] is False]


@asynccontextmanager
async def simulated(bench: str, folder: Path, *options: str) -> AsyncIterator[Instruments]:
    """Serve the simulated instruments of a bench file's text."""
    path, log = folder / "simulated-bench.yaml", folder / "simulator.jsonl"
    path.write_text(bench)
    process = await start("simulate", str(path), "--json", "--log", str(log), *options, stdout=asyncio.subprocess.PIPE)
    try:
        resources: dict[str, str] = {}
        drivers: dict[str, str] = {}
        count = bench.count("driver:")
        assert process.process.stdout is not None
        while len(resources) < count:
            line = await asyncio.wait_for(process.process.stdout.readline(), 20)
            assert line, "the simulator ended"
            item = json.loads(line)
            resources[item["name"]], drivers[item["name"]] = item["resource"], item["driver"]
        yield Instruments(resources, log, drivers)
    finally:
        await process.end()


def wired_bench(folder: Path, instruments: Instruments, channels: str = "") -> Path:
    """Write the bench file by which a station reaches those instruments; ``channels`` is its section, if any."""
    path = folder / "bench.yaml"
    lines = ["title: Instruments on the wire", "instruments:"]
    for name, resource in instruments.resources.items():
        lines.append(f"  {name}: {{driver: {instruments.drivers[name]}, resource: '{resource}'}}")
    path.write_text("\n".join(lines) + "\n" + channels)
    return path


@dataclass
class Station:
    """A served station."""

    data: Path
    port: int
    process: Process
    client: ControlClient
    http: httpx.AsyncClient
    token: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        """Its data."""
        return Store(self.data)

    async def status(self) -> StationState:
        """The engine's answer, waiting for an engine that is being restarted."""
        while True:
            try:
                return await self.client.ask(Status())
            except EngineUnavailable:
                await asyncio.sleep(0.02)

    async def channel(self, name: str) -> ChannelState:
        """State of one channel."""
        return next(state for state in (await self.status()).channels if state.name == name)

    async def submit(self, channel: str, recipe: str = SHORT_CYCLING, cell: str = CELL, **parameters: str) -> str:
        """Start a run."""
        request = Submit(
            channel=channel,
            recipe=recipe,
            recipe_name="short.yaml",
            cell=cell,
            cell_name="cell.yaml",
            parameters=parameters,
        )
        return (await self.client.ask(request)).run

    def child(self, name: str) -> int:
        """Process id of the engine or the web side, from the supervisor's log."""
        return [event["pid"] for event in self.supervisor_log() if event["kind"] == f"{name}_started"][-1]

    def supervisor_log(self) -> list[dict[str, Any]]:
        """What the supervisor has written down."""
        path = self.data / "supervisor.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def served(bench: Path, data: Path, *options: str) -> AsyncIterator[Station]:
    """Serve a bench: supervisor, engine and web side."""
    port = free_port()
    process = await start("serve", "--bench", str(bench), "--data", str(data), "--port", str(port), *options)
    client = ControlClient(data)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=5) as http:
        station = Station(data, port, process, client, http)
        try:
            await asyncio.wait_for(station.status(), 60)
            yield station
        finally:
            await client.close()
            await process.end()


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until a condition holds; return what it gave."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)
    return value


def record_indices(samples: pa.Table) -> list[int]:
    """The samples' own numbers."""
    return samples.column("Record Index / 1").to_pylist()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cable:
    """A network cable to a port of this machine that can be pulled: then nothing passes, and connecting times out."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen(0)
        self._listening.settimeout(0.02)
        self._plugged = threading.Event()
        self._plugged.set()
        self._closed = False
        self._waiting: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where the near end listens."""
        return self._listening.getsockname()[1]

    def unplug(self) -> None:
        """Let nothing pass, and fill the backlog so that a new connection is not answered."""
        self._plugged.clear()
        time.sleep(0.1)
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self._waiting.append(waiting)

    def plug(self) -> None:
        """Let everything pass again."""
        for waiting in self._waiting:
            waiting.close()
        self._waiting.clear()
        self._plugged.set()

    def close(self) -> None:
        """Take the cable away."""
        self._closed = True
        self.plug()
        for thread in self._threads:
            thread.join(2)
        self._listening.close()

    def _accept(self) -> None:
        while not self._closed:
            if not self._plugged.is_set():
                time.sleep(0.02)
                continue
            with contextlib.suppress(OSError):
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._threads.append(threading.Thread(target=self._pass_on, args=(near, far), daemon=True))
                self._threads[-1].start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            while not self._closed:
                if not self._plugged.is_set():
                    time.sleep(0.02)
                    continue
                for end in select.select([near, far], [], [], 0.02)[0]:
                    try:
                        received = end.recv(4096)
                    except OSError:
                        received = b""
                    if not received:
                        return
                    with contextlib.suppress(OSError):
                        (far if end is near else near).sendall(received)
