"""Questions from end to end: real recipe, engine, supervisor and web side; a browser, and a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.stack.harness import CELL, GALVANODE, Station, served

from galvanode.cli import main
from galvanode.store.read import Store

JPEG = b"\xff\xd8\xff\xe0" + b"a photo of a gauge" * 100 + b"\xff\xd9"

BENCH = """\
title: One simulated cell
instruments: {smu: {driver: keithley2450, simulated: {cell: llzto-zni2}}}
"""

RECIPE = """\
version: 2
title: Questions
record: {every: 1 s}
method:
  - rest: {for: 2 s}
  - operator: {message: How much, asks: number, name: amount, default: 10 uA, min: 1 uA, max: 20 uA}
  - plate: {current: $amount, for: 5 s}
  - operator: {message: Open the valve}
  - operator: {message: Photograph the gauge, asks: photo, within: 8 h}
  - rest: {for: 2 s}
"""


@asynccontextmanager
async def station(folder: Path, speed: str = "20") -> AsyncIterator[Station]:
    """One simulated cell, served."""
    bench = folder / "bench.yaml"
    bench.write_text(BENCH)
    async with served(bench, folder / "data", "--speed", speed) as served_station:
        async with asyncio.timeout(60):
            while True:
                try:
                    if (await served_station.http.get("/healthz")).json()["engine"] == "ok":
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield served_station


async def run_when(found: Station, run: str, state: str, message: str | None = None) -> dict[str, Any]:
    """The run, once it is in that state with that question."""
    async with asyncio.timeout(60):
        while True:
            told = (await found.http.get(f"/api/runs/{run}")).json()
            asked = told["question"] and told["question"]["message"]
            if told["state"] == state and asked == message:
                return told
            assert told["state"] in ("queued", "running", "waiting", "interrupted"), told
            await asyncio.sleep(0.05)


async def test_a_recipe_asks_and_goes_on_with_the_answers(tmp_path: Path) -> None:
    async with station(tmp_path) as found:
        run = await found.submit("smu", RECIPE)
        question = (await run_when(found, run, "waiting", "How much"))["question"]
        assert (question["wants"], question["range"], question["unit"]) == ("number", "1 µA to 20 µA", "µA")
        channel = (await found.http.get("/api/status")).json()["channels"][0]
        assert (channel["state"], channel["question"]) == ("waiting", question)
        refused = await found.http.post(f"/api/runs/{run}/answer", json={"number": "21 uA"})
        assert (refused.status_code, refused.json()["error"]) == (422, "the answer is '21 uA'; expected 1 µA to 20 µA")
        assert (await found.http.post(f"/api/runs/{run}/pause")).status_code == 409
        given = await found.http.post(f"/api/runs/{run}/answer", json={"number": "12.5 uA", "question": question["id"]})
        assert given.status_code == 200, given.text
        await run_when(found, run, "waiting", "Open the valve")
        late = await found.http.post(f"/api/runs/{run}/answer", json={"confirmed": True, "question": question["id"]})
        assert late.status_code == 409
        assert (await found.http.post(f"/api/runs/{run}/answer", json={"confirmed": True})).status_code == 200
        await run_when(found, run, "waiting", "Photograph the gauge")
        given = await found.http.post(f"/api/runs/{run}/photo", content=JPEG)
        assert given.status_code == 200, given.text
        ended = await run_when(found, run, "completed")
        assert ended["end_reason"] == "end of recipe"
        photo = given.json()["attachment"]["name"]
        assert (await found.http.get(f"/api/runs/{run}/attachments/{photo}")).content == JPEG
        events = (await found.http.get(f"/api/runs/{run}/events")).json()["events"]
        assert [event["message"] for event in events if event["kind"] == "answered"] == [
            "How much: 12.5 µA",
            "Open the valve: confirmed",
            f"Photograph the gauge: photo {photo}",
        ]
        currents = found.store.samples(run, columns=["Current / A"])["Current / A"].to_pylist()
        assert max(currents) == pytest.approx(12.5e-6, rel=0.01)


@pytest.mark.slow
async def test_a_run_still_waits_after_its_engine_was_lost_and_can_be_stopped(tmp_path: Path) -> None:
    async with station(tmp_path) as found:
        run = await found.submit("smu", RECIPE)
        await run_when(found, run, "waiting", "How much")
        before = found.child("engine")
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(60):
            while found.child("engine") == before:
                await asyncio.sleep(0.05)
        await found.status()
        await run_when(found, run, "waiting", "How much")
        given = await found.http.post(f"/api/runs/{run}/answer", json={"number": "10 uA"})
        assert given.status_code == 200, given.text
        await run_when(found, run, "waiting", "Open the valve")
        assert (await found.http.post(f"/api/runs/{run}/stop")).json()["state"] == "stopped"
        told = (await found.http.get(f"/api/runs/{run}")).json()
        assert (told["state"], told["question"]) == ("stopped", None)


# --- galvanode run ------------------------------------------------------------------------------------------


def command(folder: Path, *options: str) -> list[str]:
    """The command that runs the recipe in the foreground."""
    (folder / "questions.yaml").write_text(RECIPE)
    (folder / "bench.yaml").write_text(BENCH)
    (folder / "gauge.jpg").write_bytes(JPEG)
    (folder / "cell.yaml").write_text(CELL)
    return [
        *GALVANODE, "run", "questions.yaml", "--cell", "cell.yaml", "--bench", "bench.yaml", "--data", "data", *options,
    ]  # fmt: skip


def test_a_script_without_answers_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    _, _, *arguments = command(tmp_path, "--answer", "amount=10 uA")
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capfd.readouterr().err
    assert said.startswith("questions.yaml:8: asks 'Open the valve', and there is no terminal to ask on")
    assert said.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_a_script_answers_on_the_command_line(tmp_path: Path) -> None:
    options = ["--json", "--answer", "amount=10 uA", "--answer", "8=yes", "--answer", "9=gauge.jpg"]
    done = subprocess.run(
        command(tmp_path, *options), cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=45,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["end_reason"] == "end of recipe"
    events = Store(tmp_path / "data").events("r0001")
    assert [event.details["value"] for event in events if event.kind == "answered"] == [10e-6, None, None]
    (kept,) = (tmp_path / "data" / "runs" / "r0001.attachments").iterdir()
    assert kept.read_bytes() == JPEG


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
@pytest.mark.parametrize("way", ["answered", "interrupted"])
def test_a_person_answers_on_the_terminal(tmp_path: Path, way: str) -> None:
    import pty

    keyboard, end = pty.openpty()
    process = subprocess.Popen(
        command(tmp_path), cwd=tmp_path, stdin=end, stdout=subprocess.PIPE, stderr=end, start_new_session=True,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "200"},
    )  # fmt: skip
    os.close(end)
    screen = b""
    deadline = time.monotonic() + 45

    def shows(text: str) -> None:
        nonlocal screen
        while text.encode() not in screen:
            assert time.monotonic() < deadline, screen.decode()
            screen += os.read(keyboard, 4096)

    try:
        shows("amount (1 µA to 20 µA):")
        if way == "interrupted":
            process.send_signal(signal.SIGINT)
            shows("every channel is made safe")
            assert process.wait(30) == 1
            assert Store(tmp_path / "data").run("r0001").state == "stopped"
            return
        os.write(keyboard, b"12.5\n")
        shows("without a unit")
        os.write(keyboard, b"12.5 uA\n")
        shows("Open the valve")
        shows("Done? [yes]")
        os.write(keyboard, b"yes\n")
        shows("Path of a JPEG or PNG:")
        os.write(keyboard, b"gauge.jpg\n")
        assert process.wait(30) == 0
        events = Store(tmp_path / "data").events("r0001")
        assert [event.details["value"] for event in events if event.kind == "answered"] == [12.5e-6, None, None]
    finally:
        process.kill()
        process.communicate()
        os.close(keyboard)
