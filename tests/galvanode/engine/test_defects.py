"""Whatever is raised inside a run - a defect, exit() in a driver, Ctrl-C, a time-out of a test: safe, and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.galvanode.engine.test_run import FakeCycler, after, make, program, step

from galvanode.engine.run import Run


class TimeIsUp(BaseException):
    """What a test runner raises where it finds the program when a test takes too long."""


BEYOND = [SystemExit(3), TimeIsUp("after 60 s"), ZeroDivisionError("a defect")]


def _raising(error: BaseException) -> tuple[Run, FakeCycler]:
    run, cycler = make(program(step(until=(after(100.0),))))
    cycler.script[3] = error
    return run, cycler


def _is_over(run: Run, cycler: FakeCycler, state: str, reason: str) -> None:
    assert not cycler.on
    assert cycler.calls[-1] == "safe"
    assert run.finished.is_set()
    assert run.unsafe is None
    assert run.state == state
    assert reason in (run.end_reason or "")
    commit = run.take_commit()
    assert commit is not None
    assert commit.state == state
    assert state == "completed" or commit.steps[-1].end_reason.startswith(f"{state}: ")
    assert [event.message for event in commit.events if event.kind == "ended"] == [f"{state}: {run.end_reason}"]


@pytest.mark.parametrize("error", BEYOND, ids=lambda error: type(error).__name__)
async def test_whatever_a_reading_raises_the_cell_is_safe_and_the_run_fails_with_its_name(error: BaseException):
    run, cycler = _raising(error)
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    _is_over(run, cycler, "failed", f"internal error: {type(error).__name__}: ")


@pytest.mark.parametrize("error", BEYOND, ids=lambda error: type(error).__name__)
async def test_whatever_is_raised_while_the_channel_is_made_safe_it_is_tried_again(error: BaseException):
    run, cycler = make(program(step()))
    make_safe, first = cycler.make_safe, [error]

    async def fail_once() -> None:
        if first:
            raise first.pop()
        await make_safe()

    cycler.make_safe = fail_once
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    assert not cycler.on
    assert run.unsafe is None
    assert run.state == ("completed" if isinstance(error, Exception) else "failed")


async def test_a_driver_that_asks_for_the_end_of_the_program_does_not_end_the_other_channels():
    (run, _), (other, spared) = _raising(SystemExit(3)), make(program(step(until=(after(5.0),))))
    for item in (run, other):
        item.start()
        await asyncio.wait_for(item.finished.wait(), 10)
    _is_over(other, spared, "completed", "end of recipe")


async def test_a_run_whose_end_cannot_be_written_down_has_ended_all_the_same(monkeypatch: pytest.MonkeyPatch):
    run, cycler = _raising(TimeIsUp())

    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(run._book, "close_step", fail)
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    assert not cycler.on
    assert run.state == "failed"


async def test_a_run_whose_task_is_cancelled_is_safe_and_can_be_taken_up_again():
    run, cycler = _raising(asyncio.CancelledError())
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    _is_over(run, cycler, "interrupted", "the engine was shut down")


def test_ctrl_c_in_the_middle_of_a_run_ends_the_program_and_the_run_and_leaves_the_cell_safe():
    made: list[tuple[Run, FakeCycler]] = []

    async def main() -> None:
        made.append(_raising(KeyboardInterrupt()))
        made[0][0].start()
        await made[0][0].finished.wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    _is_over(*made[0], "failed", "internal error: KeyboardInterrupt")
