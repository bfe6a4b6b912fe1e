"""What the EmStat4's driver does beyond its role."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from galvanode.clock import JumpingClock, ScaledClock, install_clock, process_clock
from galvanode.instrument.links.base import LinkError, Place
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import InstrumentError
from galvanode.instrument.tasks import (
    Collected,
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    ImpedancePoint,
    OpenCircuit,
    Sweep,
    Task,
)
from galvanode.testing.instruments import Bound
from galvanode_simulator.faults import Fault
from galvanode_simulator.links.serial_pty import AVAILABLE, SerialPort

Open = Callable[..., Bound]
NAME = "emstat4"
LONG = HoldCurrent(0.001, 3600.0, 1.0)


async def everything(bound: Bound, poll_s: float = 0.5, most: int = 1000) -> Collected:
    """Collect until the task has ended."""
    items: list[Reading | ImpedancePoint] = []
    for _ in range(most):
        bound.clock.pass_time(poll_s)
        got = await bound.channel.collect()
        items += got.items
        if got.finished:
            return Collected(items, True, got.ended_by)
    raise AssertionError(f"not finished; {len(items)} items, the last {items[-1:]}")


async def done(bound: Bound, task: Task, *cutoffs: Cutoff, poll_s: float = 0.5) -> Any:
    await bound.channel.prepare(bound.envelope)
    await bound.channel.start(task, cutoffs)
    return await everything(bound, poll_s)


async def test_at_open_circuit_the_cell_is_never_switched_on(bound_to: Open):
    bound = bound_to(NAME)
    await done(bound, OpenCircuit(10.0, 1.0))
    assert not [line for line in bound.tap.sent if b"cell_on" in line]


@pytest.mark.parametrize(
    ("sweep", "cutoff", "last"),
    [
        ((-1.0, 1.0), Cutoff("voltage", ">=", 0.0), 0.0),
        ((1.0, -1.0), Cutoff("voltage", "<=", 0.0), 0.0),
        ((1.0, -1.0), Cutoff("voltage", "<=", -0.5), -0.5),
        ((-1.0, 1.0), Cutoff("voltage", ">=", -0.3), -0.3),
        ((-1.0, 1.0), Cutoff("current", ">=", 0.0), 0.0),
        ((-1.0, 1.0), Cutoff("current", ">=", 0.5e-3), 0.5),
        ((1.0, -1.0), Cutoff("current", "<=", -0.5e-3), -0.5),
    ],
)
async def test_a_cut_off_acts_on_the_instrument_at_zero_and_on_either_side(
    sweep: tuple[float, float], cutoff: Cutoff, last: float, bound_to: Open
):
    bound = bound_to(NAME)
    got = await done(bound, Sweep(sweep, 0.1, 0.1, 0.01), cutoff, poll_s=1000.0)  # nobody looks meanwhile
    assert got.ended_by == cutoff
    assert got.items[-1].voltage == pytest.approx(last, abs=0.101)  # noise may tip it one step later
    assert got.items[-1].tripped is None
    assert bound.is_off()


@pytest.mark.parametrize(
    ("task", "cutoff"),
    [
        (HoldCurrent(0.001, 3600.0, 60.0), Cutoff("voltage", ">=", 0.5)),
        (HoldVoltage(1.0, 0.01, 3600.0, 60.0), Cutoff("current", ">=", 0.5e-3)),
        (Sweep((1.0, 0.0), 1e-4, 1e-3, 0.01), Cutoff("voltage", ">=", 0.5)),
    ],
)
async def test_a_cut_off_acts_on_the_sample_at_the_start(task: Task, cutoff: Cutoff, bound_to: Open):
    bound = bound_to(NAME)
    got = await done(bound, task, cutoff)
    assert [item.instrument_time for item in got.items] == pytest.approx([0.01], abs=1e-3)
    assert got.ended_by == cutoff
    assert bound.is_off()


async def test_a_current_limit_ends_a_held_voltage_and_is_told(bound_to: Open):
    bound = bound_to(NAME)
    got = await done(bound, HoldVoltage(1.0, 0.0002, 60.0, 0.5))
    assert got.items[-1].in_compliance
    assert got.ended_by == Cutoff("current", ">=", 0.0002)
    assert bound.is_off()


async def running(bound: Bound) -> None:
    await bound.channel.prepare(bound.envelope)
    await bound.channel.start(LONG)
    bound.clock.pass_time(2.5)


async def test_an_error_of_the_script_is_told_in_words_after_the_cell_is_off_and_what_came_before_is_kept(
    bound_to: Open,
):
    bound = bound_to(NAME)
    await running(bound)
    bound.tap.device.play(Fault(kind="scpi_error", code=0x0032), True)
    bound.clock.pass_time(5.0)
    got = await bound.channel.collect()
    assert len(got.items) == 3
    assert not got.finished
    with pytest.raises(InstrumentError, match=r"0032.*overload.*'meas_loop"):
        await bound.channel.collect()
    assert bound.is_off()
    assert (await bound.channel.collect()).finished


async def test_a_hung_up_link_is_told_and_comes_back_and_the_task_goes_on(bound_to: Open):
    bound = bound_to(NAME)
    await running(bound)
    bound.inject("disconnect", count=1)
    with pytest.raises(LinkError):
        await bound.unit.link.write("t")
    bound.clock.pass_time(2.0)
    got = await bound.channel.collect()
    assert got.items
    assert not got.finished


async def test_at_full_simulated_speed_a_day_passes_in_seconds(bound_to: Open):
    bound = bound_to(NAME)
    clock = JumpingClock()
    install_clock(clock)
    try:
        driver = bound.channel
        with clock.actor():
            # The instrument was built under another clock, which stood at zero as well.
            await driver.prepare(bound.envelope)
            await driver.start(OpenCircuit(86_400.0, 60.0))
            count = 0
            while not (got := await driver.collect()).finished:
                count += len(got.items)
                await clock.sleep_until(clock.now() + 600.0)
        assert count + len(got.items) == 1441
    finally:
        install_clock(bound.clock)  # type: ignore[arg-type]


@pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")
@pytest.mark.parametrize("speed", [1.0, 20.0])
async def test_over_a_serial_line_in_real_time(speed: float, bound_to: Open):
    bound = bound_to(NAME)
    before = process_clock()
    install_clock(ScaledClock(speed))
    try:
        async with SerialPort(bound.instrument.wire) as port:
            driver = bound.driver_at(Place(port.resource))
            await driver.prepare(bound.envelope)
            began = time.monotonic()
            await driver.start(HoldCurrent(0.001, 0.6 * speed, 0.1 * speed))
            items: list[Reading] = []
            while True:
                got = await driver.collect()
                items += got.items
                if got.finished:
                    break
                assert time.monotonic() - began < 3.0
            assert time.monotonic() - began == pytest.approx(0.6, abs=0.25)
            assert len(items) == 7
            assert items[-1].current == pytest.approx(0.001, rel=2e-3)
            assert not bound.instrument.model.cell_is_on
            await driver.start(LONG)
            await driver.abort()
            assert not bound.instrument.model.cell_is_on
            await driver.close()
    finally:
        install_clock(before)
