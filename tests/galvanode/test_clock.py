"""Process time: order, determinism and cancellation of the jumping clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from galvanode.clock import JumpingClock, ScaledClock, SystemClock, simulated_clock


async def test_a_lone_sleeper_jumps_to_its_deadline_without_waiting():
    clock = JumpingClock()
    began = time.monotonic()
    with clock.actor():
        await clock.sleep_until(3.6e6)
    assert clock.now() == 3.6e6
    assert time.monotonic() - began < 1


async def test_sleepers_wake_in_the_order_of_their_deadlines():
    clock = JumpingClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, period: float) -> None:
        with clock.actor():
            for turn in range(1, 4):
                await clock.sleep_until(turn * period)
                woken.append((name, clock.now()))

    gate = clock.actor()
    gate.__enter__()
    tasks = [asyncio.create_task(sleeper(name, period)) for name, period in (("a", 3.0), ("b", 2.0))]
    await asyncio.sleep(0)
    gate.__exit__(None, None, None)
    await asyncio.gather(*tasks)
    assert woken == [("b", 2.0), ("a", 3.0), ("b", 4.0), ("a", 6.0), ("b", 6.0), ("a", 9.0)]


async def test_time_stands_still_while_an_actor_is_busy_with_something_else():
    clock = JumpingClock()
    with clock.actor():

        async def sleeper() -> None:
            with clock.actor():
                await clock.sleep_until(10.0)

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(0.01)
        assert clock.now() == 0.0
        assert not task.done()
    await task
    assert clock.now() == 10.0


async def test_a_cancelled_sleeper_does_not_stop_the_clock_for_the_others():
    clock = JumpingClock()
    gate = clock.actor()
    gate.__enter__()

    async def sleeper(deadline: float) -> None:
        with clock.actor():
            await clock.sleep_until(deadline)

    first, second = asyncio.create_task(sleeper(5.0)), asyncio.create_task(sleeper(7.0))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.__exit__(None, None, None)
    await asyncio.wait_for(second, 1)
    assert clock.now() == 7.0


async def test_other_tasks_get_their_turn_while_a_run_jumps():
    clock = JumpingClock()
    turns = 0

    async def bystander() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(bystander())
    with clock.actor():
        end = (
            time.monotonic() + 5.0
        )  # far more than a busy machine needs; a starved task gets none however long it takes
        deadline = 0.0
        while turns <= 5 and time.monotonic() < end:
            deadline += 1.0
            await clock.sleep_until(deadline)
    task.cancel()
    assert turns > 5


async def test_a_deadline_in_the_past_does_not_turn_time_back():
    clock = JumpingClock()
    with clock.actor():
        await clock.sleep_until(5.0)
        await clock.sleep_until(1.0)
    assert clock.now() == 5.0


async def test_a_scaled_clock_runs_faster_than_real_time():
    clock = ScaledClock(100.0)
    began = time.monotonic()
    await clock.sleep_until(clock.now() + 5.0)
    assert 0.04 < time.monotonic() - began < 2


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_clock_that_would_stand_still_or_go_back_is_refused(speed: float):
    with pytest.raises(ValueError, match="speed"):
        simulated_clock(speed)


async def test_real_time_is_real():
    clock = SystemClock()
    assert abs(clock.unix() - time.time()) < 0.5
    before = clock.now()
    await clock.sleep_until(before + 0.01)
    assert clock.now() >= before + 0.01
