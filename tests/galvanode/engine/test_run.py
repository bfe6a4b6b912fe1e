"""What a run does with its readings: ends, trips, records, pauses, restarts."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.drives import drive_of

from galvanode.clock import JumpingClock
from galvanode.engine.position import Position
from galvanode.engine.run import Run
from galvanode.engine.wiring import Wiring
from galvanode.instrument.links.base import LinkTimeout
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import Capabilities, Envelope, Identity, UnsafeState
from galvanode.recipe.drives import AnyDrive
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Condition, Detector, End, EndLoop, Limits, Loop, Program, Record, Step, Window

ENVELOPE = Envelope(-5.0, 5.0, 0.1)


class FakeCycler:
    """A 100 ohm resistor on an ideal source; ``script`` may replace any reading."""

    capabilities = Capabilities(frozenset({"rest", "current", "voltage"}), (-10, 10), (-1, 1), 0.01)

    def __init__(self, clock: JumpingClock) -> None:
        self.clock = clock
        self.mode, self.level, self.on = "rest", 0.0, False
        self.calls: list[str] = []
        self.reads = 0
        self.script: dict[int, Any] = {}
        self.voltage: Callable[[], float] | None = None
        self.unsafe_replies = 0
        self.instrument_time = 0.0
        self.planned: list[tuple[float, Callable[[], None]]] = []

    def at(self, when_s: float, action: Callable[[], None]) -> None:
        """Do something while a reading is under way, once the clock has reached that time."""
        self.planned.append((when_s, action))

    async def identify(self) -> Identity:
        return Identity("FAKE", "RESISTOR", "1", "1")

    async def prepare(self, envelope: Envelope) -> None:
        self.calls.append("prepare")

    async def rest(self) -> None:
        self.mode, self.level, self.on = "rest", 0.0, True
        self.calls.append("rest")

    async def source_current(self, amps: float) -> None:
        self.mode, self.level, self.on = "current", amps, True
        self.calls.append(f"current {amps:g}")

    async def source_voltage(self, volts: float, current_limit: float) -> None:
        self.mode, self.level, self.on = "voltage", volts, True
        self.calls.append(f"voltage {volts:g} {current_limit:g}")

    async def read(self) -> Reading:
        self.reads += 1
        self.instrument_time += 1.0
        for item in [item for item in self.planned if item[0] <= self.clock.now()]:
            self.planned.remove(item)
            item[1]()
        planned = self.script.get(self.reads)
        if isinstance(planned, BaseException):
            raise planned
        if planned is not None:
            return planned
        ripple = 1e-9 * (self.reads % 7)
        if self.mode == "voltage":
            return Reading(self.level, self.level / 100 + ripple, self.instrument_time, False, None)
        voltage = 100 * self.level if self.voltage is None else self.voltage()
        return Reading(voltage + ripple, self.level, self.instrument_time, False, None)

    async def make_safe(self) -> None:
        self.on = False
        self.calls.append("safe")
        if self.unsafe_replies:
            self.unsafe_replies -= 1
            raise UnsafeState("output reads back as 1")

    async def close(self) -> None: ...


def step(what: str | AnyDrive = "current", setpoint: Any = 0.001, **changes: Any) -> Step:
    ends = changes.pop("until", (after(10.0),))
    more = {key: changes.pop(key) for key in ("required_sign", "current_limit") if key in changes}
    drive = drive_of(what, setpoint, **more)
    settings: dict[str, Any] = {
        "drive": drive,
        "name": drive.kind,
        "step_id": 1,
        "until": ends,
        "record": Record(every_s=1.0),
        "poll_s": 1.0,
        "limits": Limits(voltage=Window(min=-5, max=5), current=Window(min=-0.1, max=0.1)),
        "line": 1,
    }
    return Step(**(settings | changes))


SHORT_CIRCUIT = End(test=Detector(name="short_circuit"), text="short_circuit")


def after(seconds: float) -> End:
    return when("time", ">=", seconds)


def when(quantity: Any, comparison: Any, value: float, **changes: Any) -> End:
    text = f"{quantity} {comparison} {value:g}"
    return End(test=Condition(quantity=quantity, comparison=comparison, value=value, text=text), text=text, **changes)


def program(*instructions: Any) -> Program:
    return Program(title="t", instructions=instructions, safety=Limits(voltage=Window(min=-5, max=5)))


def make(instructions: Program, clock: JumpingClock | None = None, **more: Any) -> tuple[Run, FakeCycler]:
    clock = clock or JumpingClock()
    cycler = FakeCycler(clock)
    return Run("r1", instructions, ENVELOPE, Wiring(cycler), clock, **more), cycler


async def finish(run: Run) -> list[tuple[Any, ...]]:
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    return list(commit.samples)


async def test_a_timed_step_ends_exactly_on_time_with_its_reason_and_its_charge():
    run, cycler = make(program(step(until=(after(10.0),), poll_s=3.0)))
    run.start()
    await run.finished.wait()
    commit = run.take_commit()
    assert commit is not None
    assert run.state == "completed"
    assert commit.steps[-1].end_reason == "time >= 10"
    assert commit.steps[-1].ended_test_time_s == pytest.approx(10.0)
    assert run.position.charge_c == pytest.approx(0.01)
    assert commit.samples[-1][0] == pytest.approx(10.0)
    assert not cycler.on


async def test_a_charge_limit_ends_the_step_at_that_charge_whatever_the_poll():
    run, _ = make(program(step(setpoint=-0.002, until=(when("charge", ">=", 0.0137),), poll_s=10.0)))
    await finish(run)
    assert run.position.discharge_c == pytest.approx(0.0137, rel=1e-6)
    assert run.position.test_time_s == pytest.approx(6.85, rel=1e-6)


async def test_zero_volt_limit_ends_the_step():
    run, cycler = make(program(step(setpoint=-0.001, until=(when("voltage", "<=", 0.0), after(100)))))
    cycler.voltage = lambda: 0.3 - 0.1 * cycler.clock.now() - 1e-8
    rows = await finish(run)
    assert run.state == "completed"
    assert run.position.test_time_s == pytest.approx(3.0)
    assert len(rows) == 4


@pytest.mark.parametrize(("poll_s", "most_s"), [(10.0, 0.5), (2.0, 0.1), (1.0, 0.05), (0.02, 0.02)])
async def test_a_cut_off_is_not_passed_by_what_the_cell_does_within_a_poll(poll_s: float, most_s: float):
    run, cycler = make(program(step(until=(when("voltage", ">=", 4.1234), after(1000.0)), poll_s=poll_s)))
    cycler.voltage = lambda: 4.0 + 0.01 * cycler.clock.now()
    await finish(run)
    assert 12.34 - 1e-6 <= run.position.test_time_s <= 12.34 + most_s + 1e-6
    assert cycler.reads <= 12.34 / poll_s + 15


async def test_a_voltage_that_moves_away_is_read_no_more_often_than_it_was_asked_for():
    run, cycler = make(program(step(until=(when("voltage", ">=", 4.1), after(100.0)), poll_s=10.0, record=Record())))
    cycler.voltage = lambda: 4.09 - 0.001 * cycler.clock.now()
    await finish(run)
    assert cycler.reads == 11


async def test_zero_is_a_safety_limit_too():
    limits = Limits(voltage=Window(min=0.0, max=5.0))
    run, _ = make(program(step(setpoint=-0.001, limits=limits)))
    await finish(run)
    assert run.state == "tripped"
    assert "below its limit of 0 V" in (run.end_reason or "")


async def test_the_reading_that_trips_is_kept_as_a_sample_and_as_the_steps_end():
    run, cycler = make(program(step()))
    cycler.script[4] = Reading(5.5, 0.001, 100.0, False, None)
    run.start()
    await run.finished.wait()
    commit = run.take_commit()
    assert commit is not None
    assert commit.samples[-1][2] == 5.5
    assert commit.steps[-1].end_reason == f"tripped: {run.end_reason}"
    assert run.state == "tripped"
    assert cycler.calls[-1] == "safe"


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (BadReading("9.9E37 means overflow"), "overflow"),
        (Reading(math.nan, 0.001, 100.0, False, None), "not a number"),
        (Reading(0.1, 0.05, 100.0, False, None), "is asked for"),
        (Reading(0.1, 0.001, 1.0, False, None), "time stands still"),
        (Reading(0.1, 0.001, 100.0, True, None), "limit acts"),
        (Reading(0.1, 0.001, 100.0, False, "over-temperature"), "over-temperature"),
        (Reading(0.1, 0.2, 100.0, False, None), "above its limit"),
    ],
)
async def test_a_reading_that_cannot_be_trusted_trips_the_run(reading: Any, message: str):
    run, cycler = make(program(step()))
    cycler.script[3] = reading
    rows = await finish(run)
    assert run.state == "tripped"
    assert message in (run.end_reason or "")
    assert not cycler.on
    assert all(math.isfinite(value) for row in rows for value in row if isinstance(value, float))


async def test_frozen_readings_trip_even_when_the_instruments_time_goes_on():
    run, cycler = make(program(step(until=(after(1000.0),))))
    for number in range(5, 100):
        cycler.script[number] = Reading(0.1, 0.001, float(1000 + number), False, None)
    await finish(run)
    assert run.state == "tripped"
    assert "frozen" in (run.end_reason or "")


async def test_one_lost_reply_is_survived_and_recorded():
    run, cycler = make(program(step()))
    cycler.script[3] = LinkTimeout("no answer")
    run.start()
    await run.finished.wait()
    commit = run.take_commit()
    assert run.state == "completed"
    assert commit is not None
    assert next(event.kind for event in commit.events) == "link"


async def test_a_dead_link_ends_as_communication_lost_after_three_attempts():
    run, cycler = make(program(step()))
    for number in range(3, 20):
        cycler.script[number] = LinkTimeout("no answer")
    await finish(run)
    assert run.state == "communication_lost"
    assert cycler.reads == 5
    assert cycler.calls[-1] == "safe"


async def test_a_safe_state_that_is_not_confirmed_is_tried_again_and_told():
    run, cycler = make(program(step()))
    cycler.unsafe_replies = 99
    await finish(run)
    assert run.unsafe is not None
    assert cycler.calls.count("safe") == 3


async def test_a_ladder_gives_each_turn_its_own_current():
    loop = Loop(loop_id="l", turns=3, ladder={"i": (1.0, 2.0, 3.0)}, counts_cycles=True, end=3, line=1)
    plate = step(setpoint=Variable(name="i", factor=0.001))
    strip = step(setpoint=Variable(name="i", factor=-0.001), step_id=2)
    run, cycler = make(program(loop, plate, strip, EndLoop(start=0)))
    rows = await finish(run)
    assert [call for call in cycler.calls if call.startswith("current")] == [
        "current 0.001", "current -0.001", "current 0.002", "current -0.002", "current 0.003", "current -0.003",
    ]  # fmt: skip
    assert run.position.cycle == 3
    assert run.position.variables == {}
    assert [row[13] for row in rows] == list(range(1, len(rows) + 1))


async def test_a_loop_limited_in_time_ends_with_a_whole_turn():
    loop = Loop(loop_id="l", turns=10**6, until_s=95.0, counts_cycles=True, end=2, line=1)
    run, _ = make(program(loop, step(), EndLoop(start=0)))
    await finish(run)
    assert run.position.test_time_s == pytest.approx(100.0)


async def test_a_short_circuit_leaves_the_loop_and_says_so():
    loop = Loop(loop_id="l", turns=5, stop_when=(SHORT_CIRCUIT,), counts_cycles=True, end=2, line=1)
    run, cycler = make(program(loop, step(until=(after(600.0),)), EndLoop(start=0), step("rest", step_id=2)))
    cycler.voltage = lambda: 0.1 if cycler.clock.now() < 900 else 0.0001
    run.start()
    await run.finished.wait()
    assert run.state == "completed"
    assert "short_circuit" in (run.end_reason or "")
    assert run.position.cycle == 2
    assert "rest" in cycler.calls  # the recipe goes on after the loop


async def test_pausing_makes_the_channel_safe_and_going_on_takes_up_the_same_step():
    run, cycler = make(program(step(until=(after(1000.0),))))
    cycler.at(100.0, run.pause)
    run.start()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    at = run.position.step_time_s
    assert not cycler.on
    run.resume()
    await run.finished.wait()
    commit = run.take_commit()
    assert commit is not None
    assert run.state == "completed"
    assert at == pytest.approx(100.0)
    assert run.position.step_count == 1
    assert [record.attempt for record in commit.steps if record.end_reason] == [1, 2]
    assert run.position.charge_c == pytest.approx(1.0)


async def test_a_run_taken_up_from_its_stored_position_goes_on_where_it_was():
    loop = Loop(loop_id="l", turns=4, ladder={"i": (1.0, 2.0, 3.0, 4.0)}, counts_cycles=True, end=2, line=1)
    whole = program(loop, step(setpoint=Variable(name="i", factor=0.001), until=(after(600.0),)), EndLoop(start=0))
    clock = JumpingClock()
    first, interrupted = make(whole, clock)
    interrupted.at(900.0, first.interrupt)
    first.start()
    await first.finished.wait()
    commit = first.take_commit()
    assert commit is not None
    assert first.state == "interrupted"
    assert commit.position_json is not None
    second, cycler = make(whole, clock, position=Position.from_json(commit.position_json))
    rows = await finish(second)
    assert second.state == "completed"
    assert rows[0][13] == commit.samples[-1][13] + 1
    assert second.position.charge_c == pytest.approx(600 * 0.010, rel=1e-6)
    assert "current 0.001" not in cycler.calls


async def test_stop_ends_a_sleeping_run_at_once_and_safe():
    run, cycler = make(program(step(until=(after(1e9),), poll_s=1.0, record=Record())))
    run.start()
    await asyncio.sleep(0.05)
    run.stop()
    await asyncio.wait_for(run.finished.wait(), 1)
    assert run.state == "stopped"
    assert not cycler.on


async def test_voltage_changes_are_recorded_between_the_regular_samples():
    run, cycler = make(program(step(record=Record(every_s=10.0, voltage_change=0.05), until=(after(20.0),))))
    cycler.voltage = lambda: 0.1 if cycler.clock.now() < 4.5 else 0.2
    rows = await finish(run)
    assert [round(row[0], 3) for row in rows] == [0.0, 5.0, 10.0, 20.0]


async def test_a_grid_of_times_gives_one_sample_for_each_of_them():
    run, _ = make(program(step(record=Record(every_s=0.1), poll_s=0.1, until=(after(2000.0),))))
    times = [row[7] for row in await finish(run)]
    assert len(times) == 20001
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) > 0.099


async def test_a_pause_off_the_grid_doubles_no_sample_after_it():
    run, cycler = make(program(step(record=Record(every_s=0.1), poll_s=0.1, until=(after(500.0),))))
    cycler.at(123.4, run.pause)
    run.start()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    run.position.step_time_s += 0.056  # as if the request had come then
    run.resume()
    await run.finished.wait()
    commit = run.take_commit()
    assert commit is not None
    times = [row.time for row in commit.samples if row.time > 123.5]
    assert len(times) <= 3766
    assert min(later - sooner for sooner, later in itertools.pairwise(times)) > 0.099


async def test_a_program_that_never_passes_time_is_ended():
    loop = Loop(loop_id="l", turns=10**6, counts_cycles=True, end=2, line=1)
    run, _ = make(program(loop, step(until=(when("voltage", ">=", -4.0),)), EndLoop(start=0)))
    await finish(run)
    assert run.state == "tripped"
    assert "end conditions" in (run.end_reason or "")


async def test_a_pause_that_meets_the_steps_own_end_does_not_repeat_the_step():
    run, cycler = make(program(step(until=(after(10.0),)), step("rest", step_id=2)))
    cycler.at(10.0, run.pause)
    run.start()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    run.resume()
    await run.finished.wait()
    assert run.state == "completed"
    assert run.position.charge_c == pytest.approx(0.01)
    assert cycler.calls.count("current 0.001") == 1


async def test_a_shutdown_during_a_pause_leaves_the_run_paused():
    run, cycler = make(program(step(until=(after(1000.0),))))
    cycler.at(100.0, run.pause)
    cycler.at(100.0, run.interrupt)
    await finish(run)
    assert run.state == "paused"
    taken_up, _ = make(program(step(until=(after(1000.0),))), position=run.position, state="paused")
    taken_up.interrupt()
    taken_up.start()
    await asyncio.wait_for(taken_up.finished.wait(), 1)
    assert taken_up.state == "paused"


async def test_nothing_takes_back_a_trip():
    run, cycler = make(program(step(until=(after(1000.0),))))
    cycler.at(100.0, lambda: (run.trip("the chamber is lost"), run.pause(), run.resume(), run.interrupt()))
    await finish(run)
    assert run.state == "tripped"
    assert run.end_reason == "the chamber is lost"


async def test_a_trip_is_told_before_the_channel_is_made_safe():
    told: list[str] = []
    run, cycler = make(program(step()), on_change=lambda: told.append(f"{run.state} {cycler.on}"))
    cycler.script[4] = Reading(5.5, 0.001, 100.0, False, None)
    await finish(run)
    assert "tripped True" in told


async def test_limits_are_looked_at_as_often_as_asked_whatever_else_wakes_the_run():
    times: list[float] = []
    run, cycler = make(program(step(record=Record(every_s=15.0), poll_s=10.0, until=(after(300.0),))))
    cycler.voltage = lambda: times.append(cycler.clock.now()) or 0.1
    await finish(run)
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert max(gaps) <= 10.0 + 1e-6


async def test_a_held_voltage_draws_no_more_than_the_steps_own_limit():
    limits = Limits(voltage=Window(min=-5, max=5), current=Window(min=-0.0001, max=0.0001))
    run, cycler = make(program(step("voltage", 0.005, limits=limits)))
    await finish(run)
    assert "voltage 0.005 0.0001" in cycler.calls


async def test_a_limit_that_acts_while_a_voltage_is_held_is_no_trip():
    run, cycler = make(program(step("voltage", 1.0, until=(after(3.0),))))
    for number in range(1, 10):
        cycler.script[number] = Reading(0.9, 0.1000004 + 1e-8 * number, float(number), True, None)
    await finish(run)
    assert run.state == "completed"


async def test_a_pause_does_not_count_towards_the_time_a_loop_is_bounded_by():
    loop = Loop(loop_id="l", turns=10**6, until_s=95.0, counts_cycles=True, end=2, line=1)
    clock = JumpingClock()
    run, cycler = make(program(loop, step(), EndLoop(start=0)), clock)
    cycler.at(35.0, run.pause)
    run.start()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    with clock.actor():
        await clock.sleep_until(clock.now() + 1000.0)
    run.resume()
    await run.finished.wait()
    assert run.position.cycle == 10
    assert run.position.test_time_s == pytest.approx(1100.0)


async def test_a_source_that_delivers_nothing_of_a_small_current_is_noticed():
    run, cycler = make(program(step(setpoint=1e-6)))
    cycler.capabilities = Capabilities(frozenset({"current"}), (-10, 10), (-1, 1), 0.01, current_floor=5e-8)
    cycler.script[3] = Reading(0.0, 0.0, 100.0, False, None)
    await finish(run)
    assert run.state == "tripped"


async def test_a_driver_that_fails_in_an_unknown_way_leaves_the_channel_marked_unsafe():
    run, cycler = make(program(step()))

    async def broken() -> None:
        raise Exception("could not connect")  # noqa: TRY002

    cycler.make_safe = broken  # type: ignore[method-assign]
    await finish(run)
    assert run.unsafe == "could not connect"
    assert "not safe" in (run.end_reason or "")


async def test_half_cycles_of_a_few_readings_can_be_stored():
    loop = Loop(loop_id="l", turns=3, stop_when=(SHORT_CIRCUIT,), counts_cycles=True, end=3, line=1)
    short = (after(7.0),)
    run, _ = make(program(loop, step(until=short), step(setpoint=-0.001, step_id=2, until=short), EndLoop(start=0)))
    run.start()
    while not run.finished.is_set():
        run.take_commit()
        await asyncio.sleep(0)
    assert run.state == "completed"
