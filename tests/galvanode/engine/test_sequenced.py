"""A run on an instrument that carries the whole recipe out alone: followed, left, taken up again, stopped."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from tests.galvanode.engine.test_run import ENVELOPE, after, program, step, when

from galvanode.clock import JumpingClock
from galvanode.engine.position import Position
from galvanode.engine.run import Run
from galvanode.engine.wiring import ChamberControl, Wiring
from galvanode.instrument.links.base import LinkTimeout
from galvanode.instrument.reading import ChamberReading
from galvanode.instrument.roles import Capabilities, Envelope, Identity
from galvanode.instrument.schedule import Current, Followed, Record, Repeat, Schedule, ScheduledStep, ScheduleState
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Condition, End, EndLoop, Limits, Loop, Program, Window

HOUR = 3600.0


class FakeSequencer:
    """100 ohm. Runs every step for the time that ends it and records it every 100 s, whoever is connected."""

    capabilities = Capabilities(frozenset({"rest", "current", "voltage"}), (-10, 10), (-1, 1), 1.0)

    def __init__(self, clock: JumpingClock) -> None:
        self.clock = clock
        self.calls: list[str] = []
        self.tag: str | None = None
        self.schedule: Schedule | None = None
        self.began = 0.0
        self.stopped_after: int | None = None
        self.state_at_end: ScheduleState = "finished"
        self.out_of_reach: tuple[float, float] = (math.inf, math.inf)
        self.most = 7
        self.garbled: list[str] = []
        self.recorded: list[tuple[float, Record]] = []

    async def identify(self) -> Identity:
        return Identity("FAKE", "SEQUENCER", "3", "1")

    async def prepare(self, envelope: Envelope) -> None:
        self.calls.append("prepare")

    def refuse(self, schedule: Schedule) -> None: ...

    async def start(self, schedule: Schedule, tag: str) -> None:
        self.calls.append(f"start {tag}")
        self.schedule, self.tag, self.began = schedule, tag, self.clock.now()
        self.recorded = self._records()

    async def attached(self) -> str | None:
        return self.garbled.pop() if self.garbled else self.tag

    def attach(self, schedule: Schedule, tag: str) -> None:
        self.calls.append(f"attach {tag}")

    async def follow(self, after: int) -> Followed:
        if self.out_of_reach[0] <= self.clock.now() < self.out_of_reach[1]:
            raise LinkTimeout("no answer")
        everything = self.recorded
        there = [record for at, record in everything if at <= self.clock.now() - self.began]
        if self.stopped_after is not None:
            there = there[: self.stopped_after]
        new = there[after : after + self.most]
        over = len(there) == len(everything)
        state: ScheduleState = self.state_at_end if over else "running"
        state = "stopped" if self.stopped_after is not None else state
        return Followed(new, after + len(new) < len(there), state, "as it was told", None)

    async def stop(self) -> None:
        self.calls.append("stop")
        self.stopped_after = len([1 for at, _ in self.recorded if at <= self.clock.now() - self.began])

    async def make_safe(self) -> None:
        self.calls.append("safe")

    async def close(self) -> None: ...

    def _records(self) -> list[tuple[float, Record]]:
        made: list[tuple[float, Record]] = []
        at = 0.0
        for item in _in_turn(self.schedule.items if self.schedule else ()):
            amps = item.drive.current if isinstance(item.drive, Current) else 0.0
            lasts = min(end.value for end in item.ends if end.quantity == "time")
            times = [100.0 * n for n in range(math.ceil(lasts / 100.0))] + [lasts]
            for time in times:
                charge = abs(amps) * time
                values = (time, 100 * amps, amps, charge, charge * abs(100 * amps))
                made.append((at + time, Record(len(made) + 1, item.number, time == 0.0, *values)))
            at += lasts
        return made


def _in_turn(items: Any) -> list[ScheduledStep]:
    found: list[ScheduledStep] = []
    for item in items:
        if isinstance(item, Repeat):
            for _ in range(item.times):
                found += _in_turn(item.body)
        else:
            found.append(item)
    return found


CYCLES = program(
    Loop(loop_id="l", turns=3, counts_cycles=True, end=3, line=1),
    step(until=(after(HOUR), when("voltage", ">=", 4.0)), poll_s=30.0),
    step(setpoint=-0.001, step_id=2, until=(after(HOUR),), poll_s=30.0),
    EndLoop(start=0),
    step("rest", step_id=3, until=(after(600.0),), poll_s=30.0),
)


def make(instructions: Program, sequencer: FakeSequencer, **more: Any) -> Run:
    return Run("r7", instructions, ENVELOPE, Wiring(None, sequencer=sequencer), sequencer.clock, **more)


async def ended(run: Run) -> Any:
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    return commit


async def test_records_become_the_samples_steps_and_cycles_of_any_other_run():
    sequencer = FakeSequencer(JumpingClock())
    run = make(CYCLES, sequencer)
    commit = await ended(run)
    assert run.state == "completed", run.end_reason
    assert sequencer.calls == ["prepare", "start r7", "safe"]
    assert run.position.cycle == 3
    assert run.position.charge_c == pytest.approx(3 * 3.6)
    assert run.position.discharge_c == pytest.approx(3 * 3.6)
    assert run.position.test_time_s == pytest.approx(6 * HOUR + 600.0)
    assert [sample.record for sample in commit.samples] == list(range(1, 6 * 37 + 7 + 1))
    closed = [record for record in commit.steps if record.end_reason]
    assert [record.step_id for record in closed] == [1, 2, 1, 2, 1, 2, 3]
    assert {record.end_reason for record in closed} == {"time >= 3600", "time >= 600"}
    assert closed[3].started_test_time_s == pytest.approx(3 * HOUR)
    assert closed[3].ended_test_time_s == pytest.approx(4 * HOUR)
    times = [sample.test_time for sample in commit.samples]
    assert times == sorted(times)
    assert max(sample.cycle for sample in commit.samples) == 3


@pytest.mark.parametrize("away_s", [1.0, 2.5 * HOUR, 100 * HOUR])
async def test_an_engine_that_ends_leaves_it_alone_and_the_next_one_has_no_gap_and_no_double(away_s: float):
    clock = JumpingClock()
    sequencer = FakeSequencer(clock)
    first = make(CYCLES, sequencer)
    first.start()
    while first.position.test_time_s < 1.4 * HOUR:
        await asyncio.sleep(0)
    first.interrupt()
    await first.finished.wait()
    kept = first.take_commit()
    assert kept is not None
    assert kept.position_json is not None
    assert first.state == "interrupted"
    assert "safe" not in sequencer.calls
    with clock.actor():
        await clock.sleep_until(clock.now() + away_s)
    second = make(CYCLES, sequencer, position=Position.from_json(kept.position_json))
    commit = await ended(second)
    assert second.state == "completed", second.end_reason
    assert [call for call in sequencer.calls if call.startswith("start")] == ["start r7"]
    samples = [*kept.samples, *commit.samples]
    assert [sample.record for sample in samples] == list(range(1, 6 * 37 + 7 + 1))
    assert second.position.charge_c == pytest.approx(3 * 3.6)
    assert second.position.test_time_s == pytest.approx(6 * HOUR + 600.0)
    assert {record.attempt for record in commit.steps} == {1}


async def test_an_engine_that_dies_between_start_and_commit_does_not_start_it_twice():
    sequencer = FakeSequencer(JumpingClock())
    await sequencer.start((await _schedule(CYCLES)), "r7")
    run = make(CYCLES, sequencer)
    commit = await ended(run)
    assert run.state == "completed"
    assert sequencer.calls.count("start r7") == 1
    assert len(commit.samples) == 6 * 37 + 7


@pytest.mark.parametrize("begun", [True, False], ids=["at a restart", "just started"])
async def test_one_garbled_answer_about_what_runs_there_neither_fails_the_run_nor_starts_it_anew(begun: bool):
    sequencer = FakeSequencer(JumpingClock())
    await sequencer.start((await _schedule(CYCLES)), "r7")
    sequencer.garbled = ["r\x7f"]
    run = make(CYCLES, sequencer, **({"position": Position(unix_time_s=1.0)} if begun else {}))
    await ended(run)
    assert run.state == "completed"
    assert sequencer.calls.count("start r7") == 1


async def _schedule(instructions: Program) -> Schedule:
    from galvanode.engine.scheduling import schedule_of

    return schedule_of(instructions, ENVELOPE).schedule


async def test_an_instrument_that_has_something_else_now_is_not_taken_for_this_run():
    sequencer = FakeSequencer(JumpingClock())
    first = make(CYCLES, sequencer)
    first.start()
    while first.position.test_time_s < HOUR:
        await asyncio.sleep(0)
    first.interrupt()
    await first.finished.wait()
    sequencer.tag = "somebody else's"
    second = make(CYCLES, sequencer, position=first.position)
    await ended(second)
    assert second.state == "failed"
    assert "somebody else's" in (second.end_reason or "")


async def test_a_link_that_is_cut_for_a_while_costs_nothing():
    sequencer = FakeSequencer(JumpingClock())
    sequencer.out_of_reach = (HOUR, HOUR + 1800.0)
    run = make(CYCLES, sequencer)
    commit = await ended(run)
    assert run.state == "completed", run.end_reason
    assert len(commit.samples) == 6 * 37 + 7
    assert [event.kind for event in commit.events if event.kind == "link"] == ["link", "link"]


async def test_an_instrument_that_is_never_heard_again_ends_as_communication_lost():
    sequencer = FakeSequencer(JumpingClock())
    sequencer.out_of_reach = (HOUR, math.inf)
    run = make(CYCLES, sequencer)
    await ended(run)
    assert run.state == "communication_lost"


async def test_stop_stops_the_instrument_and_keeps_what_it_has_recorded():
    sequencer = FakeSequencer(JumpingClock())
    run = make(CYCLES, sequencer)
    run.start()
    while run.position.test_time_s < HOUR:
        await asyncio.sleep(0)
    run.stop()
    await asyncio.wait_for(run.finished.wait(), 5)
    commit = run.take_commit()
    assert commit is not None
    assert run.state == "stopped"
    assert sequencer.calls[-2:] == ["stop", "safe"]
    assert len(commit.samples) == sequencer.stopped_after
    assert commit.steps[-1].end_reason == "stop"


async def test_it_cannot_be_paused():
    sequencer = FakeSequencer(JumpingClock())
    run = make(CYCLES, sequencer)
    assert not run.can_pause
    run.pause()
    await ended(run)
    assert run.state == "completed"


async def test_the_host_watches_the_temperature_of_a_chamber_and_the_instrument_is_not_asked_to():
    async def set_temperature(kelvin: float) -> None: ...

    async def read() -> ChamberReading:
        return ChamberReading(300.0, 298.15, None)

    sequencer = FakeSequencer(JumpingClock())
    warm = lambda: 300.0 if sequencer.clock.now() < HOUR else 400.0  # noqa: E731
    limits = Limits(voltage=Window(min=-5, max=5), temperature=Window(max=330.0))
    wiring = Wiring(None, None, ChamberControl(set_temperature, read), sequencer)
    long = program(step(until=(after(3 * HOUR),), limits=limits, poll_s=30.0))
    run = Run("r7", long, ENVELOPE, wiring, sequencer.clock, temperature=warm)
    await ended(run)
    assert sequencer.schedule is not None
    assert sequencer.schedule.steps[0].bounds.temperature_max is None
    assert run.state == "tripped"
    assert "temperature 400 K is above" in (run.end_reason or "")
    assert sequencer.calls[-1] == "safe"
    assert HOUR <= run.position.test_time_s <= HOUR + 120.0


async def test_without_a_chamber_a_limit_of_the_temperature_is_the_instruments_to_watch():
    sequencer = FakeSequencer(JumpingClock())
    limits = Limits(voltage=Window(min=-5, max=5), temperature=Window(max=330.0))
    await ended(make(program(step(limits=limits)), sequencer))
    assert sequencer.schedule is not None
    assert sequencer.schedule.steps[0].bounds.temperature_max == 330.0


@pytest.mark.parametrize("state", ["protected", "stopped"])
async def test_an_instrument_that_ends_by_itself_trips_the_run_in_its_own_words(state: ScheduleState):
    sequencer = FakeSequencer(JumpingClock())
    sequencer.state_at_end = state
    run = make(CYCLES, sequencer)
    await ended(run)
    assert run.state == "tripped"
    assert "as it was told" in (run.end_reason or "")


async def test_a_step_that_the_program_does_not_expect_trips():
    sequencer = FakeSequencer(JumpingClock())
    run = make(CYCLES, sequencer)
    records = sequencer._records

    def in_a_wrong_order() -> list[tuple[float, Record]]:
        return [(at, record._replace(step=2) if record.step == 1 else record) for at, record in records()]

    sequencer._records = in_a_wrong_order  # type: ignore[method-assign]
    await ended(run)
    assert run.state == "tripped"
    assert "carries out step 2" in (run.end_reason or "")
    assert sequencer.calls[-1] == "safe"


async def test_a_record_that_is_missing_trips():
    sequencer = FakeSequencer(JumpingClock())
    run = make(CYCLES, sequencer)
    follow = sequencer.follow

    async def forgetful(after: int) -> Followed:
        found = await follow(after)
        return found._replace(records=[item for item in found.records if item.number != 20])

    sequencer.follow = forgetful  # type: ignore[method-assign]
    await ended(run)
    assert run.state == "tripped"
    assert "some are missing" in (run.end_reason or "")


async def test_what_an_instrument_alone_cannot_do_fails_by_its_line_and_nothing_is_sent():
    measured = End(
        test=Condition(quantity="voltage_slope", comparison="<=", value=0.0, text="dV/dt <= 0"), text="dV/dt <= 0"
    )
    for wrong in (step(until=(measured,), line=12), step(setpoint=Variable(name="open_circuit"), line=12)):
        sequencer = FakeSequencer(JumpingClock())
        run = make(program(wrong), sequencer)
        await ended(run)
        assert run.state == "failed"
        assert "line 12" in (run.end_reason or "")
        assert not [call for call in sequencer.calls if call.startswith("start")]
