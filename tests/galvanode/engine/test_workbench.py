"""The process that does what would hold up an event loop: what comes back, and what happens when it is lost."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from galvanode.engine.workbench import Workbench, WorkLost
from galvanode.errors import InvalidInput
from galvanode.units import parse_quantity


@pytest.fixture
async def workbench() -> AsyncIterator[Workbench]:
    bench = Workbench()
    yield bench
    await bench.close()


async def test_a_result_comes_back_from_another_process(workbench: Workbench):
    assert await workbench.do(os.getpid) == workbench.pid != os.getpid()


async def test_what_is_raised_there_is_raised_here_with_all_its_fields(workbench: Workbench):
    with pytest.raises(InvalidInput) as raised:
        await workbench.do(refuse, "r.yaml")
    assert (raised.value.source, raised.value.line, raised.value.column) == ("r.yaml", 3, 7)
    assert await workbench.do(os.getpid) == workbench.pid  # and it goes on


async def test_what_prints_does_not_disturb_an_answer(workbench: Workbench):
    assert await workbench.do(print, "to nobody") is None
    assert await workbench.do(len, "four") == 4


async def test_a_process_that_is_killed_is_said_and_the_next_work_gets_a_new_one(workbench: Workbench):
    before = await workbench.do(os.getpid)
    lost = asyncio.create_task(workbench.do(time.sleep, 20))
    await asyncio.sleep(0.1)
    os.kill(before, signal.SIGTERM)
    with pytest.raises(WorkLost, match="ended"):
        await lost
    assert await workbench.do(os.getpid) != before


async def test_work_that_takes_too_long_is_ended():
    workbench = Workbench(within_s=0.5)
    with pytest.raises(WorkLost, match=r"took longer than 0\.5 s"):
        await workbench.do(time.sleep, 20)
    await workbench.close()


async def test_closing_does_not_wait_for_the_work():
    workbench = Workbench()
    await workbench.do(os.getpid)
    lost = asyncio.create_task(workbench.do(time.sleep, 20))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    await workbench.close()
    assert time.monotonic() - began < 5
    with pytest.raises(WorkLost):
        await lost


def refuse(source: str) -> None:
    """Fail as a recipe does."""
    parse_quantity("5 V", "voltage")
    raise InvalidInput("'voltage' is '5 A'", source=source, line=3, column=7)


def test_the_process_ends_in_silence_when_the_one_that_asked_is_gone_before_its_answer():
    process = subprocess.Popen(
        [sys.executable, "-m", "galvanode.engine.workbench"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    work = pickle.dumps((os.getpid, (), {}))
    process.stdin.write(len(work).to_bytes(8, "big") + work)
    _, said = process.communicate(timeout=60)
    assert (said, process.returncode) == (b"", 0)
