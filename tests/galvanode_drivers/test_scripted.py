"""What the engine relies on in every driver that hands whole tasks to its instrument."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.galvanode_drivers.simulated import DRIVERS, ENVELOPE, FAMILIES, OHMS, Bound

from galvanode.clock import JumpingClock, ScaledClock, install_clock, process_clock
from galvanode.instrument.bench import has_role, open_bench, read_bench
from galvanode.instrument.links.base import LinkError, LinkTimeout, Place
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import Envelope, InstrumentError, OutOfRange, ScriptedChannel, UnsafeState
from galvanode.instrument.tasks import (
    Collected,
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    Impedance,
    ImpedancePoint,
    OpenCircuit,
    Sweep,
    Task,
)
from galvanode_simulator.faults import Fault
from galvanode_simulator.links.serial_pty import AVAILABLE, SerialPort

SCRIPTED = [name for name, driver in DRIVERS.items() if has_role(driver, ScriptedChannel)]
pytestmark = pytest.mark.parametrize("name", SCRIPTED)
Open = Callable[..., Bound]

LONG = HoldCurrent(0.001, 3600.0, 1.0)


async def everything(bound: Bound, poll_s: float = 0.5, most: int = 1000) -> Collected:
    """Collect until the task has ended."""
    items: list[Reading | ImpedancePoint] = []
    for _ in range(most):
        bound.clock.pass_time(poll_s)
        got = await bound.driver.collect()
        items += got.items
        if got.finished:
            return Collected(items, True, got.ended_by)
    raise AssertionError(f"not finished; {len(items)} items, the last {items[-1:]}")


async def done(bound: Bound, task: Task, *cutoffs: Cutoff, envelope: Envelope = ENVELOPE, poll_s: float = 0.5) -> Any:
    await bound.driver.prepare(envelope)
    await bound.driver.start(task, cutoffs)
    return await everything(bound, poll_s)


def is_off(bound: Bound) -> bool:
    bound.instrument.wire.device.advance()
    return not bound.model.cell_is_on and bound.model.terminals()[1] == 0.0


# --- tasks -----------------------------------------------------------------------------------------------


async def test_open_circuit_is_measured_without_current(name: str, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, OpenCircuit(10.0, 1.0))
    assert [item.instrument_time for item in got.items] == pytest.approx(list(range(1, 11)), abs=1e-3)
    assert all(item.current == 0.0 and abs(item.voltage) < 1e-4 for item in got.items)
    assert not [1 for line in bound.link.sent if "cell_on" in line]
    assert got.ended_by is None


@pytest.mark.parametrize("amps", [0.001, -0.002, 0.0])
async def test_a_held_current_flows_with_its_sign(name: str, amps: float, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, HoldCurrent(amps, 5.0, 0.5), envelope=Envelope(-3, 3, 0.1))
    assert len(got.items) == 10
    for item in got.items:
        assert item.current == pytest.approx(amps, rel=2e-3, abs=1e-8)
        assert item.voltage == pytest.approx(amps * OHMS, rel=2e-3, abs=1e-4)
        assert not item.in_compliance
        assert item.tripped is None
    assert is_off(bound)


@pytest.mark.parametrize("volts", [1.5, -0.5, 0.0])
async def test_a_held_voltage_is_there_with_its_sign(name: str, volts: float, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, HoldVoltage(volts, 0.01, 5.0, 0.5))
    assert len(got.items) == 10
    for item in got.items:
        assert item.voltage == pytest.approx(volts, rel=1e-3, abs=2e-4)
        assert item.current == pytest.approx(volts / OHMS, rel=2e-3, abs=2e-7)
    assert is_off(bound)


async def test_a_duration_that_is_no_multiple_of_the_interval_is_kept(name: str, bound_to: Open):
    got = await done(bound_to(name), OpenCircuit(10.0, 3.0))
    assert got.items[-1].instrument_time == pytest.approx(10.0, abs=1e-3)


async def test_a_sweep_goes_from_vertex_to_vertex_at_its_rate(name: str, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, Sweep((0.0, 1.0, -0.5), 0.1, 0.05, 0.01))
    volts = [item.voltage for item in got.items]
    assert volts[0] == pytest.approx(0.0, abs=2e-4)
    assert max(volts) == pytest.approx(1.0, abs=1e-3)
    assert volts[-1] == pytest.approx(-0.5, abs=1e-3)
    assert got.items[-1].instrument_time == pytest.approx(25.5, rel=0.01)
    assert is_off(bound)


async def test_cycles_come_back_to_where_they_began(name: str, bound_to: Open):
    got = await done(bound_to(name), Sweep((0.0, 0.4, -0.2, 0.0), 0.1, 0.1, 0.01, cycles=3))
    volts = [round(item.voltage, 1) + 0.0 for item in got.items]
    one = [0.0, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0.0, -0.1, -0.2, -0.1]
    assert volts == [*one, *one, *one, 0.0]


@pytest.mark.parametrize(("kind", "amplitude"), [("potentiostatic", 0.01), ("galvanostatic", 1e-5)])
async def test_a_spectrum_has_its_points_from_high_to_low(name: str, kind: Any, amplitude: float, bound_to: Open):
    bias = 0.2 if kind == "potentiostatic" else 2e-4
    got = await done(bound_to(name), Impedance(kind, 1e5, 1.0, 11, amplitude, bias, 0.01))
    assert [point.frequency for point in got.items] == pytest.approx([10 ** (5 - n / 2) for n in range(11)], rel=1e-6)
    for point in got.items:
        assert isinstance(point, ImpedancePoint)
        assert complex(point.real, point.imaginary) == pytest.approx(OHMS, rel=0.02)
        assert point.voltage == pytest.approx(0.2, rel=5e-3)
    times = [point.time_s for point in got.items]
    assert times == sorted(times)


# --- what ends them --------------------------------------------------------------------------------------


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
    name: str, sweep: tuple[float, float], cutoff: Cutoff, last: float, bound_to: Open
):
    bound = bound_to(name)
    got = await done(bound, Sweep(sweep, 0.1, 0.1, 0.01), cutoff, poll_s=1000.0)  # nobody looks meanwhile
    assert got.ended_by == cutoff
    assert got.items[-1].voltage == pytest.approx(last, abs=0.101)  # noise may tip it one step later
    assert got.items[-1].tripped is None
    assert is_off(bound)


async def test_of_two_cut_offs_the_one_that_acted_is_told(name: str, bound_to: Open):
    first, second = Cutoff("voltage", "<=", -0.55), Cutoff("voltage", ">=", 0.75)
    got = await done(bound_to(name), Sweep((0.0, 1.0), 0.1, 0.1, 0.01), first, second)
    assert got.ended_by == second


async def test_the_envelope_ends_a_task_on_the_instrument_and_is_no_cut_off_of_it(name: str, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, HoldCurrent(0.003, 60.0, 0.5), Cutoff("voltage", ">=", 4.0), poll_s=1000.0)
    assert len(got.items) == 1
    assert "envelope" in got.items[0].tripped
    assert got.ended_by == Cutoff("voltage", ">=", ENVELOPE.voltage_max)
    assert is_off(bound)


async def test_a_cut_off_does_not_wait_for_the_next_sample(name: str, bound_to: Open):
    cutoff = Cutoff("voltage", ">=", 0.5)
    got = await done(bound_to(name), HoldCurrent(0.001, 3600.0, 60.0), cutoff, poll_s=1000.0)
    assert [item.instrument_time for item in got.items] == [pytest.approx(1.0, abs=0.01)]
    assert got.ended_by == cutoff


async def test_a_current_limit_ends_a_held_voltage_and_is_told(name: str, bound_to: Open):
    bound = bound_to(name)
    got = await done(bound, HoldVoltage(1.0, 0.0002, 60.0, 0.5))
    assert got.items[-1].in_compliance
    assert got.ended_by == Cutoff("current", ">=", 0.0002)
    assert is_off(bound)


# --- the safe state --------------------------------------------------------------------------------------


async def idle(bound: Bound) -> None: ...


async def running(bound: Bound) -> None:
    await bound.driver.prepare(ENVELOPE)
    await bound.driver.start(LONG)
    bound.clock.pass_time(2.5)


async def running_unread(bound: Bound) -> None:
    await running(bound)
    bound.clock.pass_time(1000.0)


async def halted(bound: Bound) -> None:
    await running(bound)
    bound.say("h")


async def left_on_by_another_program(bound: Bound) -> None:
    for line in ("e", "set_pgstat_mode 3", "set_e 1", "cell_on", ""):
        bound.say(line)


async def half_a_script_sent(bound: Bound) -> None:
    for line in ("e", "set_pgstat_mode 3", "set_e 1", "cell_on"):
        bound.say(line)


async def half_a_line_sent(bound: Bound) -> None:
    for line in ("e", "var x", "loop x < 1"):
        bound.say(line)


@pytest.mark.parametrize(
    "state",
    [idle, running, running_unread, halted, left_on_by_another_program, half_a_script_sent, half_a_line_sent],
    ids=lambda state: state.__name__,
)
async def test_it_is_made_safe_from_every_state_without_prepare(name: str, state: Any, bound_to: Open):
    bound = bound_to(name)
    await state(bound)
    await bound.driver.make_safe()
    assert is_off(bound)
    await bound.driver.make_safe()
    assert is_off(bound)


async def test_a_relay_that_does_not_open_is_told(name: str, bound_to: Open):
    bound = bound_to(name)
    await running(bound)
    bound.inject("stuck_output")
    for verb in (bound.driver.make_safe, bound.driver.abort, lambda: bound.driver.prepare(ENVELOPE)):
        with pytest.raises(UnsafeState, match="by hand"):
            await verb()
    bound.instrument.wire.inject()
    await bound.driver.make_safe()
    assert is_off(bound)


@pytest.mark.parametrize("kind", ["drop_reply", "garble", "truncate", "disconnect"])
async def test_a_safe_state_that_could_not_be_read_back_is_never_taken_for_safe(name: str, kind: str, bound_to: Open):
    bound = bound_to(name)
    await running(bound)
    bound.inject(kind)
    with pytest.raises((UnsafeState, LinkError, InstrumentError)):
        await bound.driver.make_safe()
    bound.instrument.wire.inject()
    await bound.driver.make_safe()
    assert is_off(bound)


async def test_an_aborted_task_keeps_what_has_arrived(name: str, bound_to: Open):
    bound = bound_to(name)
    await running(bound)
    await bound.driver.abort()
    assert is_off(bound)
    got = await bound.driver.collect()
    assert len(got.items) == 2
    assert got.finished
    assert got.ended_by is None
    assert (await bound.driver.collect()) == Collected([], True, None)


async def test_the_cell_is_off_when_the_host_is_gone_and_the_script_has_ended(name: str, bound_to: Open):
    bound = bound_to(name)
    await bound.driver.prepare(ENVELOPE)
    await bound.driver.start(HoldCurrent(0.001, 60.0, 1.0))
    await bound.driver.close()
    assert not is_off(bound)
    bound.clock.pass_time(61.0)
    assert is_off(bound)


async def test_a_new_host_finds_the_script_running_and_stops_it(name: str, bound_to: Open, tmp_path: Any):
    bound = bound_to(name)
    await running(bound)
    other: Any = open_bench(read_bench(tmp_path / f"{name}.yaml")).units[name]
    identity = await other.identify()  # while the script runs
    assert identity.model
    assert not is_off(bound)
    await other.prepare(ENVELOPE)
    assert is_off(bound)
    await other.start(OpenCircuit(2.0, 1.0))
    bound.clock.pass_time(3.0)
    got = await other.collect()
    assert got.finished
    assert len(got.items) == 2


# --- refusals, errors, damage ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task",
    [
        HoldCurrent(math.nan, 1.0, 0.5),
        HoldVoltage(math.inf, 0.01, 1.0, 0.5),
        OpenCircuit(1.0, 0.0),
        Sweep((0.0, 99.0), 0.1, 0.1, 0.1),
        Impedance("potentiostatic", 1e9, 1.0, 9, 0.01, 0.0, 0.1),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_sent(name: str, task: Task, bound_to: Open):
    bound = bound_to(name)
    await bound.driver.prepare(ENVELOPE)
    before = len(bound.link.lines)
    with pytest.raises(OutOfRange):
        await bound.driver.start(task)
    assert len(bound.link.lines) == before


async def test_a_task_without_an_envelope_is_refused(name: str, bound_to: Open):
    with pytest.raises(OutOfRange):
        await bound_to(name).driver.start(OpenCircuit(1.0, 0.5))


async def test_an_error_of_the_script_is_told_in_words_after_the_cell_is_off_and_what_came_before_is_kept(
    name: str, bound_to: Open
):
    bound = bound_to(name)
    await running(bound)
    bound.instrument.wire.device.play(Fault(kind="scpi_error", code=0x0032), True)
    bound.clock.pass_time(5.0)
    got = await bound.driver.collect()
    assert len(got.items) == 2
    assert not got.finished
    with pytest.raises(InstrumentError, match=r"0032.*overload.*'meas_loop"):
        await bound.driver.collect()
    assert is_off(bound)
    assert (await bound.driver.collect()).finished


async def test_what_is_damaged_on_its_way_is_never_a_reading(name: str, bound_to: Open):
    bound = bound_to(name)
    await running(bound)
    await bound.driver.collect()
    for kind in ("garble", "truncate"):
        bound.inject(kind, count=1, match="P")
        bound.clock.pass_time(2.0)  # the first of two lines is hit
        with pytest.raises(BadReading):
            await bound.driver.collect()
        bound.clock.pass_time(1.0)
        assert (await bound.driver.collect()).items[-1].current == pytest.approx(0.001, rel=1e-2)


async def test_a_lost_end_is_noticed(name: str, bound_to: Open):
    bound = bound_to(name)
    await bound.driver.prepare(ENVELOPE)
    await bound.driver.start(OpenCircuit(3.0, 1.0))
    bound.clock.pass_time(2.5)
    assert len((await bound.driver.collect()).items) == 2
    bound.inject("drop_reply", skip=1)  # all but the last sample: the marker and the empty line
    bound.clock.pass_time(5.0)
    assert len((await bound.driver.collect()).items) == 1
    bound.instrument.wire.inject()
    for _ in range(5):
        got = await bound.driver.collect()
    assert got.finished


async def test_silence_is_a_timeout(name: str, bound_to: Open):
    bound = bound_to(name)
    bound.inject("drop_reply")
    with pytest.raises(LinkTimeout):
        await bound.driver.identify()


async def test_a_hung_up_link_is_told_and_comes_back_and_the_task_goes_on(name: str, bound_to: Open):
    bound = bound_to(name)
    await running(bound)
    bound.inject("disconnect", count=1)
    with pytest.raises(LinkError):
        await bound.link.write("t")
    bound.clock.pass_time(2.0)
    got = await bound.driver.collect()
    assert got.items
    assert not got.finished


async def test_what_another_program_left_behind_changes_no_reading(name: str, bound_to: Open):
    bound = bound_to(name)
    junk = ("var a", "set_pgstat_mode 3", "set_range ba 1n", "set_autoranging ba 1n 1n", "set_range ab 10m", "")
    for line in ("e", *junk):
        bound.say(line)
    got = await done(bound, HoldCurrent(0.00123456, 1.0, 0.5))
    assert got.items[-1].current == pytest.approx(0.00123456, rel=2e-3)
    assert got.items[-1].voltage == pytest.approx(1.23456, rel=2e-3)


# --- clocks and lines ------------------------------------------------------------------------------------


async def test_at_full_simulated_speed_a_day_passes_in_seconds(name: str, bound_to: Open):
    bound = bound_to(name)
    clock = JumpingClock()
    install_clock(clock)
    try:
        driver = bound.driver
        with clock.actor():
            # The instrument was built under another clock, which stood at zero as well.
            await driver.prepare(ENVELOPE)
            await driver.start(OpenCircuit(86_400.0, 60.0))
            count = 0
            while not (got := await driver.collect()).finished:
                count += len(got.items)
                await clock.sleep_until(clock.now() + 600.0)
        assert count + len(got.items) == 1440
    finally:
        install_clock(bound.clock)  # type: ignore[arg-type]


@pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")
@pytest.mark.parametrize("speed", [1.0, 20.0])
async def test_over_a_serial_line_in_real_time(name: str, speed: float, bound_to: Open):
    bound = bound_to(name)
    before = process_clock()
    install_clock(ScaledClock(speed))
    try:
        async with SerialPort(bound.instrument.wire) as port:
            options = FAMILIES[name].options()
            link = FAMILIES[name].link(options).open(name, Place(port.resource))
            driver = DRIVERS[name](link, options)
            await driver.prepare(ENVELOPE)
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
            assert len(items) == 6
            assert items[-1].current == pytest.approx(0.001, rel=2e-3)
            assert not bound.model.cell_is_on
            await driver.start(LONG)
            await driver.abort()
            assert not bound.model.cell_is_on
            await driver.close()
    finally:
        install_clock(before)
