"""``serve``: a bench on real ports, with a log of what its outputs did."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from galvanode.clock import process_clock
from galvanode.errors import InvalidInput
from galvanode_simulator.links.serial_pty import AVAILABLE
from galvanode_simulator.serve import serve

BENCH = """\
title: test
instruments:
  chamber: {driver: espec, simulated: {}}
  smu:
    driver: keithley2450
    simulated: {cell: llzto-zni2, chamber: chamber, overrides: {critical_current_density: 0.1 mA/cm^2}}
"""


@asynccontextmanager
async def serving(path: Path, speed: float = 1.0) -> AsyncIterator[tuple[dict[str, dict[str, str]], io.StringIO]]:
    ready: asyncio.Queue[list[dict[str, str]]] = asyncio.Queue()
    log = io.StringIO()
    task = asyncio.create_task(serve(path, speed, 1, ready.put_nowait, log))
    try:
        waiting = asyncio.create_task(ready.get())
        await asyncio.wait({task, waiting}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            waiting.cancel()
            await task
        yield {one["name"]: one for one in waiting.result()}, log
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, InvalidInput):
            await task


@pytest.fixture
def bench(tmp_path) -> Path:
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH)
    return path


async def ask(resource: str, *messages: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(resource.split("::")[2]))
    for message in messages:
        writer.write(message + b"\n")
    answer = await asyncio.wait_for(reader.readline(), 2)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_every_instrument_listens_where_it_says(bench):
    async with serving(bench) as (instruments, _):
        assert [set(one) for one in instruments.values()] == [{"name", "driver", "resource"}] * 2
        assert instruments["smu"]["driver"] == "keithley2450"
        assert (await ask(instruments["smu"]["resource"], b"*LANG?")) == b"SCPI\n"
        assert (await ask(instruments["chamber"]["resource"], b"MODE?\r")) == b"STANDBY\r\n"


async def test_the_log_has_every_output_change_with_its_real_time(bench):
    async with serving(bench) as (instruments, log):
        before = time.monotonic()
        await ask(
            instruments["smu"]["resource"],
            b":OUTP:CURR:SMOD HIMP;:SOUR:FUNC CURR;:SOUR:CURR 1e-5;:OUTP ON;:OUTP OFF;*OPC?",
        )
        await ask(instruments["chamber"]["resource"], b"TEMP, S30.0")
        after = time.monotonic()
        events = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(one["instrument"], one["event"]) for one in events] == [
        ("smu", "off_state"),
        ("smu", "level"),
        ("smu", "output"),
        ("smu", "output"),
        ("chamber", "setpoint"),
    ]
    on, off = events[2], events[3]
    assert (on["on"], on["function"], on["level"]) == (True, "CURR", 1e-5)
    assert (off["on"], off["off_state"]) == (False, "HIMP")
    assert all(before <= one["monotonic_s"] <= after for one in events)
    assert all(abs(one["unix_time_s"] - time.time()) < 60 for one in events)


async def test_a_short_is_logged_though_nobody_asks_and_time_runs_as_fast_as_it_should(bench):
    clock = process_clock()
    async with serving(bench, speed=600.0) as (instruments, log):
        await ask(instruments["smu"]["resource"], b":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:OUTP ON;*OPC?")
        deadline = time.monotonic() + 5
        while "short" not in log.getvalue() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        short = json.loads(log.getvalue().splitlines()[-1])
    assert (short["event"], short["kind"], short["instrument"]) == ("short", "hard", "smu")
    assert process_clock() is clock


async def test_a_port_that_is_taken_is_refused_with_the_instruments_name(bench):
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    bench.write_text(BENCH + f"  other: {{driver: keithley2450, simulated: {{cell: llzto-zni2, port: {port}}}}}\n")
    with pytest.raises(InvalidInput, match="other cannot be served"):
        async with serving(bench):
            pass
    taken.close()
    await taken.wait_closed()


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
async def test_a_speed_that_other_programs_cannot_follow_is_refused(bench, speed):
    with pytest.raises(InvalidInput, match="speed"):
        await serve(bench, speed, 0, lambda _: None, None)


@pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")
async def test_an_instrument_may_be_on_a_serial_line(bench):
    bench.write_text(BENCH.replace("simulated: {}", "simulated: {link: serial}"))
    async with serving(bench) as (instruments, _):
        assert instruments["chamber"]["resource"].startswith("ASRL/dev/")


@pytest.mark.parametrize(
    ("driver", "log", "says"),
    [
        ("keithley2451", (), "bench.yaml:3:17: 'driver' is 'keithley2451'"),
        ("keithley2450", ("--log", "nowhere/log"), "--log nowhere/log cannot be written: No such file or directory"),
    ],
)
def test_the_command_says_on_the_terminal_what_it_refuses(tmp_path, driver, log, says):
    (tmp_path / "bench.yaml").write_text(
        f"title: t\ninstruments:\n  smu: {{driver: {driver}, simulated: {{cell: resistor}}}}\n"
    )
    command = [sys.executable, "-m", "galvanode", "simulate", "bench.yaml", *log]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, says in ended.stderr) == (2, True), ended.stderr
