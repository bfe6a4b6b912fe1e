"""A fake engine, a real store with synthetic runs, and the web application over both."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from galvanode.engine.contract import Request
from galvanode.errors import EngineUnavailable, Refused
from galvanode.service.app import create_app
from galvanode.store.journal import Event, Journal, NewRun, RunCommit, StepRecord
from galvanode.store.records import Sample

HOST = "localhost:8000"
STARTED_UNIX = 1_767_225_600.0
AREA_M2 = 0.785e-4
HALF_CYCLE_S = 1800.0

RECIPE = """\
title: Critical current density, Li | solid electrolyte | Li
parameters:
  step: {default: 0.1 mA/cm^2, min: 0.01 mA/cm^2}
safety:
  voltage: {min: -5 V, max: 5 V}
record: {every: 5 s}
analysis: [critical_current_density]
method:
  - rest: {for: 10 min}
  - ladder: {current_density: {from: $step, to: 2 mA/cm^2, by: $step}}
    repeat:
      - plate: {current_density: $current_density, for: 30 min}
      - strip: {current_density: $current_density, for: 30 min}
    stop_when: short_circuit
"""

CELL = """\
name: Li | ZnI2@LLZTO | Li
area: 0.785 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current_density: {max: 5 mA/cm^2}
"""


class FakeEngine:
    """Answers as ``ControlClient`` does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.channels: list[dict[str, Any]] = []
        self.chambers: list[dict[str, Any]] = []
        self.available = True
        self.delay_s = 0.0
        self.refusal: Refused | None = None
        self.answered: Callable[[dict[str, Any]], None] | None = None
        self.clock_unix_s = STARTED_UNIX
        self.speed: float | str = 1000.0
        self.commit_failures: int | None = None

    async def ask(self, request: Request[Any]) -> Any:
        method, params = request.method, request.model_dump(exclude={"files"})
        self.calls.append((method, params))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if not self.available:
            raise EngineUnavailable("the engine is not running or is being restarted; try again in a few seconds")
        if self.refusal is not None and method != "status":
            raise self.refusal
        return request.answer.model_validate(self._answer(method, params))

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "status":
            engine = {"pid": 1, "started_unix_s": STARTED_UNIX, "speed": self.speed, "simulated": True}
            return {
                "engine": {**engine, "clock_unix_s": self.clock_unix_s, "commit_failures": self.commit_failures},
                "channels": self.channels,
                "chambers": self.chambers,
            }
        if method == "submit":
            return {"run": "r0009"}
        if method == "stop_all":
            return {"stopped": [channel["run"] for channel in self.channels if channel["run"]], "durable": True}
        if method == "answer" and self.answered is not None:
            self.answered({"value": params["value"], "attachment": params["attachment"]})
        states = {"pause": "paused", "resume": "running", "stop": "stopped", "answer": "running"}
        stopped = {"safe_unix_s": STARTED_UNIX + 0.5} if method == "stop" else {}
        return {"run": params["run"], "state": states[method], **stopped}

    async def close(self) -> None:
        pass


def channel(name: str, **more: Any) -> dict[str, Any]:
    """A channel's state as the engine says it."""
    return {
        "name": name,
        "instrument": f"smu-{name}",
        "driver": "keithley2450",
        "resource": f"TCPIP::{name}::5025::SOCKET",
        "simulated": True,
        "chamber": "chamber",
        "idn": "KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.12b",
        "state": "idle",
        "run": None,
        "title": "",
        "recipe": "",
        "cell": "",
        "cycle": None,
        "step_name": None,
        "step_id": None,
        "step_count": None,
        "step_time_s": None,
        "test_time_s": None,
        "voltage_V": None,
        "current_A": None,
        "temperature_degC": 25.02,
        "samples": None,
        "progress": None,
        "message": "",
        **more,
    }


class Ramp:
    """A symmetric cell under a ramp of current densities, in half-cycles; shorts above a critical one."""

    def __init__(self, seed: int, step_a_m2: float, critical_a_m2: float, every_s: float = 30.0) -> None:
        self._random = random.Random(seed)
        self._step = step_a_m2
        self._critical = critical_a_m2
        self.every_s = every_s
        self.time_s = 0.0
        self.records = 0
        self.charged_c = 0.0
        self.discharged_c = 0.0
        self.resistance_ohm_m2 = 0.0057 * self._random.uniform(0.8, 1.3)

    def place(self) -> tuple[int, int, float, float]:
        """Step count, cycle, current in A and time in the step."""
        if self.time_s < 600:
            return 1, 0, 0.0, self.time_s
        half, step_time = divmod(self.time_s - 600, HALF_CYCLE_S)
        density = self._step * (1 + int(half) // 2)
        sign = 1 if int(half) % 2 == 0 else -1
        return 2 + int(half), 1 + int(half) // 2, sign * density * AREA_M2, step_time

    def voltage(self, current: float, step_time: float) -> float:
        density = abs(current) / AREA_M2
        rise = 1 + 0.06 * (1 - math.exp(-step_time / 500))
        if density > self._critical:
            return current * 3.0 + self._random.gauss(0, 2e-4)
        ohmic = density * self.resistance_ohm_m2 * rise * (1 - 0.006 * density)
        return math.copysign(ohmic, current) * (density > 0) + self._random.gauss(0, 1.5e-4)

    def rows(self, until_s: float) -> list[Sample]:
        """Samples up to that test time, as the engine commits them."""
        rows: list[Sample] = []
        while self.time_s <= until_s:
            count, cycle, current, step_time = self.place()
            self.records += 1
            passed = abs(current) * self.every_s
            self.charged_c += passed * (current > 0)
            self.discharged_c += passed * (current < 0)
            voltage = self.voltage(current, step_time)
            rows.append(
                Sample(
                    self.time_s,
                    STARTED_UNIX + self.time_s,
                    voltage,
                    current,
                    cycle,
                    count,
                    1 if count == 1 else 2 + count % 2,
                    step_time,
                    298.15 + self._random.gauss(0, 0.02),
                    self.charged_c,
                    self.discharged_c,
                    0.0,
                    0.0,
                    self.records,
                )
            )
            self.time_s += self.every_s
        return rows

    def steps(self, ended: bool) -> list[StepRecord]:
        """All steps so far."""
        last, *_ = self.place()
        found = [StepRecord(1, 1, "rest", "rest", 0, 0, None, 0.0, 600.0, "time >= 10 min")]
        for count in range(2, last + 1):
            half = count - 2
            start = 600 + half * HALF_CYCLE_S
            density = self._step * (1 + half // 2) * (1 if half % 2 == 0 else -1)
            done = count < last
            found.append(
                StepRecord(
                    count,
                    2 + half % 2,
                    "plate" if half % 2 == 0 else "strip",
                    "current",
                    1 + half // 2,
                    half // 2,
                    density * AREA_M2,
                    start,
                    start + HALF_CYCLE_S if done else (self.time_s if ended else None),
                    "time >= 30 min" if done else ("short_circuit: hard: |V/I| fell by 96 %" if ended else None),
                )
            )
        return found


def new_run(channel_name: str = "ch1", title: str = "Critical current density", **more: Any) -> NewRun:
    """A run as the engine submits it."""
    fields: dict[str, Any] = {
        "channel": channel_name,
        "title": title,
        "recipe_name": "d3-critical-current-density.yaml",
        "recipe_text": RECIPE,
        "cell_name": "llzto-zni2.yaml",
        "cell_text": CELL,
        "parameters": {"step": "0.1 mA/cm^2"},
        "program_json": "{}",
        "seed": 1,
        "speed": 1000.0,
        "instrument": "KEITHLEY INSTRUMENTS,MODEL 2450,04096331,1.7.12b",
        "created_unix_s": STARTED_UNIX,
        "area_m2": AREA_M2,
        "analyses": ("critical_current_density",),
    }
    return NewRun(**{**fields, **more})


def commit(
    journal: Journal, run: str, ramp: Ramp, until_s: float, state: str = "running", reason: str | None = None
) -> None:
    """Commit what the ramp gives up to that time."""
    rows = ramp.rows(until_s)
    ended = state not in ("running", "paused")
    now = STARTED_UNIX + ramp.time_s
    events = [Event(run, now, ramp.time_s, state, reason or f"run is {state}")] if ended else []
    journal.commit([RunCommit(run, rows, "{}", state, reason, now, ramp.steps(ended), events)])


WEIGH: dict[str, Any] = {
    "message": "Weigh the cell",
    "wants": "number",
    "name": "mass",
    "dimension": "mass",
    "min": 1e-6,
    "max": 20e-6,
    "within_s": 8 * 3600.0,
}
"""What a run says when it asks for a number."""


@pytest.fixture(scope="session")
def _measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    with Journal(folder) as journal:
        first = journal.create_run(new_run(), [Event(None, STARTED_UNIX, None, "submit", "ccd on ch1")])
        commit(journal, first, Ramp(1, 1.0, 8.0), 29_460, "completed", "short_circuit: hard: |V/I| fell by 96 %")
        journal.seal(first)
        second = journal.create_run(new_run("ch2", "Second"), [])
        commit(journal, second, Ramp(2, 1.0, 8.0), 7_200)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, _measured: Path) -> Path:
    """A data directory with a completed run (r0001, sealed) and one under way (r0002)."""
    shutil.copytree(_measured, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def engine() -> FakeEngine:
    """An engine with an idle and a running channel."""
    fake = FakeEngine()
    running = {
        "state": "running",
        "run": "r0002",
        "title": "Second",
        "voltage_V": 0.0123,
        "current_A": 7.85e-5,
    }
    fake.channels = [channel("ch1"), channel("ch2", **running)]
    fake.chambers = [{"name": "chamber", "temperature_degC": 25.1, "setpoint_degC": 25.0, "alarm": None, "ok": True}]
    return fake


@pytest.fixture
def ask(data_dir: Path, engine: FakeEngine) -> Callable[..., None]:
    """``ask(**changes)``: the run r0002 asks, as the engine commits it; an answer lets it go on."""
    number = itertools.count(1)

    def commit_state(state: str, event: str, message: str, details: dict[str, Any]) -> None:
        now = STARTED_UNIX + 7200.0 + 60.0 * next(number)
        with Journal(data_dir) as journal:
            events = [Event("r0002", now, now - STARTED_UNIX, event, message, details)]
            journal.commit([RunCommit("r0002", [], None, state, None, now, (), events)])
        engine.clock_unix_s = now + 5 * 60
        engine.channels[1]["state"] = state

    def asking(**changes: Any) -> None:
        details = {**WEIGH, **changes}
        commit_state("waiting", "question", details["message"], details)
        engine.answered = lambda given: commit_state("running", "answered", "answered", {**details, **given})

    return asking


@pytest.fixture
def protocols(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of one recipe and one cell."""
    folder = tmp_path_factory.mktemp("protocols")
    (folder / "cells").mkdir()
    (folder / "ccd.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "cells" / "zni2.yaml").write_text(CELL, encoding="utf-8")
    return folder


@pytest.fixture
def app(data_dir: Path, engine: FakeEngine, protocols: Path) -> FastAPI:
    """The application as it is on loopback."""
    return create_app(data_dir, engine, token=None, protocols=protocols)


Connect = Callable[[FastAPI], httpx.AsyncClient]


@pytest.fixture
def connect() -> Connect:
    """Make a client of an application."""

    def make(application: FastAPI) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(application, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")

    return make


@pytest.fixture
async def web(app: FastAPI, connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which is started and ended around it."""
    async with app.router.lifespan_context(app), connect(app) as client:
        yield client


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[FastAPI], Any]]:
    """Serve applications on free loopback ports."""
    started: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(app: FastAPI) -> int:
        config = uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio", ws_per_message_deflate=False)
        server = uvicorn.Server(config)
        started.append((server, asyncio.create_task(server.serve())))
        while not server.started:
            await asyncio.sleep(0.01)
        return server.servers[0].sockets[0].getsockname()[1]

    yield start
    for server, task in started:
        server.should_exit = True
        await task
