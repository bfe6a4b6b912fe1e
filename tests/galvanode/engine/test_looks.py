"""When the engine looks at a task that runs on the instrument: always later than now, and never long after its end."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from galvanode.clock import JumpingClock
from galvanode.engine.pace import Looks

began = st.floats(min_value=0.0, max_value=1e8)
poll = st.floats(min_value=0.05, max_value=600.0)
planned = st.one_of(st.none(), st.floats(min_value=0.001, max_value=1e6))


@given(began, poll, planned, st.booleans())
def test_each_look_is_later_than_the_one_before(began: float, poll_s: float, planned: float | None, early: bool):
    looks, now = Looks(poll_s, planned, early), began
    for _ in range(200):
        wake = began + looks.after(now - began)
        assert wake > now
        now = wake


@given(began, poll, st.floats(min_value=0.001, max_value=1e6))
def test_a_task_without_early_end_is_looked_at_when_its_time_is_over(began: float, poll_s: float, planned: float):
    looks, now = Looks(max(poll_s, planned / 1000), planned, may_end_early=False), began
    while now - began < planned:
        now = began + looks.after(now - began)
    assert now - began <= planned + 0.02


@given(st.floats(min_value=0.02, max_value=600.0), st.floats(min_value=0.8, max_value=1.0), st.booleans())
def test_a_sample_is_seen_soon_after_it_was_taken(interval: float, share: float, early: bool):
    """At the instrument samples are as far apart as was asked for or a little less, and the first one comes soon."""
    looks, now, seen = Looks(10.0, None, early, interval), 0.0, 0
    samples = [0.01, *(n * interval * share for n in range(1, 30))]
    while seen < len(samples):
        now = looks.after(now)
        for at in samples[seen:]:
            if at > now:
                break
            assert seen == 1 or now - at <= 0.02  # how far apart they are is known from the second on
            looks.sampled(at)
            seen += 1


async def test_time_goes_on_where_the_clock_reads_a_rounding_error_less_than_was_slept_until():
    clock, began = JumpingClock(), 1000.0
    assert (began + 1.502) - began < 1.502
    looks = Looks(poll_s=1.0, planned=1.5, may_end_early=True)
    with clock.actor():
        await clock.sleep_until(began)
        async with asyncio.timeout(10.0):
            while clock.now() - began < 1.6:
                await clock.sleep_until(began + looks.after(clock.now() - began))


@given(began, st.floats(min_value=0.05, max_value=600.0), st.floats(min_value=0.001, max_value=1e5))
def test_time_goes_on_where_the_next_sample_is_due_but_for_a_rounding_error(began: float, spacing: float, at: float):
    looks, now = Looks(poll_s=600.0, planned=None, may_end_early=False, spacing=spacing), began + at
    looks.sampled(at)
    for _ in range(50):
        wake = began + looks.after(now - began)
        assert wake > now
        now = wake
