"""Steps that are not polled: sweeps, what an instrument runs by itself, soaks, loops that end with capacity."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.galvanode.engine.test_run import ENVELOPE, FakeCycler, after, program, step, when

from galvanode.clock import JumpingClock
from galvanode.engine.run import Run
from galvanode.engine.wiring import ChamberControl, NotWired, Wiring
from galvanode.instrument.links.base import LinkTimeout
from galvanode.instrument.reading import ChamberReading, Reading
from galvanode.instrument.roles import Capabilities, Envelope, Identity
from galvanode.instrument.tasks import Collected, Cutoff, Impedance, ImpedancePoint, OpenCircuit, Sweep, Task
from galvanode.recipe import drives
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Condition, End, EndLoop, Limits, Loop, Program, SetChamber, Soak, Step, Window

RETENTION = End(
    test=Condition(quantity="retention", comparison="<=", value=0.805, text="retention <= 80.5 %", of_cycle=1),
    text="retention <= 80.5 %",
)
SAFE = Limits(voltage=Window(min=-5, max=5))


class FakeAnalyzer:
    """Runs tasks by itself: 100 ohm, an open-circuit voltage of 0.5 V, a sample every 0.5 s."""

    capabilities = Capabilities(
        frozenset({"rest", "current", "voltage", "sweep", "impedance"}),
        (-5, 5),
        (-0.1, 0.1),
        0.01,
        frequency=(0.1, 1e6),
    )

    def __init__(self, clock: JumpingClock) -> None:
        self.clock = clock
        self.tasks: list[Task] = []
        self.cutoffs: tuple[Cutoff, ...] = ()
        self.calls: list[str] = []
        self.on = False
        self.began = 0.0
        self.sent = 0
        self.silent = False

    async def identify(self) -> Identity:
        return Identity("FAKE", "ANALYZER", "2", "1")

    async def prepare(self, envelope: Envelope) -> None:
        self.calls.append("prepare")

    async def start(self, task: Task, cutoffs: tuple[Cutoff, ...] = ()) -> None:
        self.tasks.append(task)
        self.cutoffs = cutoffs
        self.began, self.sent = self.clock.now(), 0
        self.on = not isinstance(task, OpenCircuit)
        self.calls.append(f"start {type(task).__name__}")

    async def collect(self) -> Collected:
        items, ended_by = self._items(), None
        if self.silent:
            return Collected([], False, None)
        due = [item for item in items if _time(item) <= self.clock.now() - self.began]
        new = due[self.sent :]
        for index, item in enumerate(new):
            for cutoff in self.cutoffs:
                if isinstance(item, Reading) and cutoff.comparison == ">=" and item.voltage >= cutoff.value:
                    new, ended_by = new[: index + 1], cutoff
                    break
            if ended_by:
                break
        self.sent += len(new)
        finished = ended_by is not None or self.sent == len(items)
        if finished:
            self.on = False
        return Collected(list(new), finished, ended_by)

    async def abort(self) -> None:
        self.on = False
        self.calls.append("abort")

    async def make_safe(self) -> None:
        self.on = False
        self.calls.append("safe")

    async def close(self) -> None: ...

    def _items(self) -> list[Any]:
        task = self.tasks[-1]
        if isinstance(task, Impedance):
            return [ImpedancePoint(n + 1.0, 10.0 ** (5 - n), 100.0, -float(n), task.bias) for n in range(6)]
        if isinstance(task, Sweep):
            count = round(abs(task.vertices[1] - task.vertices[0]) / task.step)
            sign = 1 if task.vertices[1] > task.vertices[0] else -1
            return [
                Reading(task.vertices[0] + sign * n * task.step, 1e-6 * n, n * task.step / task.rate, False, None)
                for n in range(1, count + 1)
            ]
        count = round(task.duration_s / 0.5)
        return [Reading(0.5 + 1e-9 * n, 0.0, 0.5 * n, False, None) for n in range(1, count + 1)]


def _time(item: Any) -> float:
    return item.time_s if isinstance(item, ImpedancePoint) else item.instrument_time


def make(instructions: Program, *, cycler: bool = True, analyzer: bool = True, **more: Any) -> tuple[Run, Any, Any]:
    clock = JumpingClock()
    one, two = FakeCycler(clock), FakeAnalyzer(clock)
    chamber = more.pop("chamber", None)
    wiring = Wiring(one if cycler else None, two if analyzer else None, chamber)
    return Run("r1", instructions, ENVELOPE, wiring, clock, **more), one, two


async def finish(run: Run) -> Any:
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    return commit


def sweep(**changes: Any) -> Step:
    plan = drives.Sweep(vertices=(Variable(name="open_circuit"), 1.0), rate=1e-3, step=5e-3)
    return step(plan, **({"until": (), "limits": SAFE} | changes))


def spectrum(**changes: Any) -> Step:
    plan = drives.Impedance(
        control="potentiostatic",
        frequency_max=1e5,
        frequency_min=1.0,
        points_per_decade=1,
        amplitude=0.01,
        bias="open_circuit",
    )
    return step(plan, **({"limits": SAFE, "until": ()} | changes))


async def test_a_spectrum_is_taken_by_the_analyzer_at_the_rest_voltage_and_stored_frequency_by_frequency():
    run, _, analyzer = make(program(spectrum()))
    commit = await finish(run)
    assert run.state == "completed"
    assert analyzer.tasks[-1].bias == pytest.approx(0.5)
    assert [row[14] for row in commit.samples] == [1e5, 1e4, 1e3, 1e2, 1e1, 1e0]
    assert [row[15] for row in commit.samples] == [100.0] * 6
    assert all(row[3] == 0.0 for row in commit.samples)
    assert commit.steps[-1].end_reason == "end of the impedance"


async def test_two_instruments_at_one_cell_are_never_on_together():
    run, cycler, analyzer = make(program(step(until=(after(10.0),)), spectrum(), step(until=(after(5.0),))))
    both: list[bool] = []
    start, source = analyzer.start, cycler.source_current

    async def watched_start(task: Task, cutoffs: tuple[Cutoff, ...] = ()) -> None:
        both.append(cycler.on)
        await start(task, cutoffs)

    async def watched_source(amps: float) -> None:
        both.append(analyzer.on)
        await source(amps)

    analyzer.start, cycler.source_current = watched_start, watched_source
    await finish(run)
    assert run.state == "completed"
    assert both == [False] * len(both)
    assert len(both) == 4


async def test_a_sweep_runs_on_the_analyzer_and_on_the_cycler_with_the_same_samples():
    for carrier in ("analyzer", "cycler"):
        run, cycler, _ = make(program(sweep(instrument=carrier, record=step().record)))
        cycler.voltage = lambda: 0.5
        commit = await finish(run)
        assert run.state == "completed", run.end_reason
        voltages = [row[2] for row in commit.samples]
        assert voltages[-1] == pytest.approx(1.0)
        assert 100 <= len(voltages) <= 101
        assert commit.samples[-1][7] == pytest.approx(500.0, abs=6.0)


async def test_a_cut_off_on_the_instrument_is_the_steps_end_in_the_recipes_words():
    run, _, analyzer = make(program(sweep(until=(when("voltage", ">=", 0.8),))))
    commit = await finish(run)
    assert analyzer.cutoffs == (Cutoff("voltage", ">=", 0.8),)
    assert commit.steps[-1].end_reason == "voltage >= 0.8"
    assert commit.samples[-1][2] == pytest.approx(0.8)


async def test_a_followed_step_that_is_interrupted_is_repeated_and_both_attempts_are_marked():
    run, _, analyzer = make(program(sweep()))
    clock = analyzer.clock
    collect = analyzer.collect
    paused = False

    async def collect_and_pause() -> Collected:
        nonlocal paused
        if clock.now() > 100 and not paused:
            paused = True
            run.pause()
        return await collect()

    analyzer.collect = collect_and_pause
    run.start()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    assert not analyzer.on
    run.resume()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    assert run.state == "completed"
    assert [record.attempt for record in commit.steps if record.end_reason] == [1, 2]
    assert sum(isinstance(task, Sweep) for task in analyzer.tasks) == 2
    assert [row[13] for row in commit.samples] == list(range(1, len(commit.samples) + 1))


async def test_an_instrument_that_never_ends_its_task_trips_the_run():
    run, _, analyzer = make(program(sweep(instrument="analyzer")))
    collect = analyzer.collect

    async def without_end_in_the_sweep() -> Collected:
        collected = await collect()
        if not isinstance(analyzer.tasks[-1], Sweep) or not collected.finished:
            return collected
        now = analyzer.clock.now()
        return Collected([Reading(0.9, 1e-9 * now, now - analyzer.began, False, None)], False, None)

    analyzer.collect = without_end_in_the_sweep
    await finish(run)
    assert run.state == "tripped"
    assert "has not ended" in (run.end_reason or "")
    assert not analyzer.on


async def test_an_instrument_that_falls_silent_in_its_task_is_lost_within_seconds():
    run, _, analyzer = make(program(sweep(instrument="analyzer")))
    collect = analyzer.collect

    async def silent_after_100_s() -> Collected:
        analyzer.silent = analyzer.clock.now() > 100.0
        return await collect()

    analyzer.collect = silent_after_100_s
    await finish(run)
    assert run.state == "communication_lost"
    assert run.end_reason == "nothing came for 20 s while the instrument ran a task"  # a sample every 5 s, and 10 s
    assert analyzer.clock.now() < 130.0
    assert not analyzer.on


@pytest.mark.parametrize(("ask", "state"), [("stop", "stopped"), ("interrupt", "interrupted"), ("pause", "paused")])
async def test_what_is_asked_while_the_rest_voltage_is_measured_is_done_at_once(ask: str, state: str):
    run, _, analyzer = make(program(sweep(instrument="analyzer")), cycler=False)
    start = analyzer.start

    async def start_and_ask(task: Task, cutoffs: tuple[Cutoff, ...] = ()) -> None:
        await start(task, cutoffs)
        if len(analyzer.tasks) == 1:
            asyncio.get_running_loop().call_soon(getattr(run, ask))

    analyzer.start = start_and_ask
    run.start()
    async with asyncio.timeout(10):
        while run.state != state:
            await asyncio.sleep(0)
    assert [type(task) for task in analyzer.tasks] == [OpenCircuit]
    assert analyzer.calls[-1] == "safe"
    run.resume()
    if ask == "pause":
        await asyncio.wait_for(run.finished.wait(), 10)
        assert run.state == "completed", run.end_reason


async def test_a_rest_voltage_whose_end_is_lost_on_the_way_does_not_keep_the_step_from_beginning():
    run, _, analyzer = make(program(sweep(instrument="analyzer")))
    collect = analyzer.collect

    async def without_end() -> Collected:
        collected = await collect()
        at_rest = isinstance(analyzer.tasks[-1], OpenCircuit)
        return Collected(collected.items, False, None) if at_rest else collected

    analyzer.collect = without_end
    await finish(run)
    assert run.state == "completed", run.end_reason
    assert analyzer.calls.index("abort") < analyzer.calls.index("start Sweep")


async def test_a_limit_is_watched_in_what_the_instrument_streams():
    limits = Limits(voltage=Window(min=-5, max=5), current=Window(min=-4e-5, max=4e-5))
    run, _, analyzer = make(program(sweep(limits=limits)))
    await finish(run)
    assert run.state == "tripped"
    assert "above its limit of 4.04e-05 A" in (run.end_reason or "")
    assert not analyzer.on


@pytest.mark.parametrize("bias", [Variable(name="x"), None])
async def test_what_comes_to_a_voltage_outside_the_limits_is_never_handed_over(bias: Any):
    limits = Limits(voltage=Window(min=-1, max=1))
    plan = drives.Sweep(vertices=(0.0, Variable(name="x")), rate=1e-3, step=5e-3)
    made = step(plan, until=(), limits=limits)
    if bias is not None:
        made = spectrum(limits=limits)
        made = made.model_copy(update={"drive": made.drive.model_copy(update={"bias": bias})})
    run, _, analyzer = make(program(made).model_copy(update={"variables": {"x": 4.5}}))
    await finish(run)
    assert run.state == "failed"
    assert "4.5 V, outside its limits" in (run.end_reason or "")
    assert not [call for call in analyzer.calls if call in ("start Sweep", "start Impedance")]


async def test_the_temperature_is_watched_during_a_spectrum():
    limits = Limits(voltage=Window(min=-5, max=5), temperature=Window(max=330.0))
    measuring: list[Any] = []
    warming = lambda: 400.0 if measuring and measuring[0].on else 300.0  # noqa: E731
    run, _, analyzer = make(program(spectrum(limits=limits)), temperature=warming)
    measuring.append(analyzer)
    await finish(run)
    assert run.state == "tripped"
    assert "temperature 400 K is above" in (run.end_reason or "")
    assert not analyzer.on


async def test_a_channel_without_an_analyzer_cannot_take_a_spectrum():
    run, _, _ = make(program(spectrum()), analyzer=False)
    await finish(run)
    assert run.state == "failed"
    assert "impedance" in (run.end_reason or "")
    with pytest.raises(NotWired):
        Wiring(None, None)


async def test_a_soak_waits_until_the_chamber_is_stable_with_the_cell_disconnected():
    held: list[float] = []
    run, cycler, clock = None, None, None

    async def set_temperature(kelvin: float) -> None:
        held.append(kelvin)

    async def read() -> ChamberReading:
        assert cycler is not None
        assert not cycler.on
        passed = clock.now() - 10.0
        return ChamberReading(held[-1] - 20.0 * 2.0 ** (-passed / 60.0), held[-1], None)

    control = ChamberControl(set_temperature, read)
    soak = SetChamber(temperature=333.15, soak=Soak(band=0.5, dwell=600.0, timeout=7200.0), line=1)
    run, cycler, _ = make(program(step(until=(after(10.0),)), soak, step(until=(after(10.0),))), chamber=control)
    clock = cycler.clock
    commit = await finish(run)
    assert run.state == "completed", run.end_reason
    assert held == [333.15]
    record = next(item for item in commit.steps if item.name == "chamber" and item.end_reason)
    assert record.end_reason == "stable at 60.0 degC"
    assert 600.0 + 319.0 <= record.ended_test_time_s - record.started_test_time_s <= 960.0


async def test_a_chamber_that_is_only_set_takes_no_time_and_never_less():
    async def set_temperature(kelvin: float) -> None: ...

    async def read() -> ChamberReading:
        return ChamberReading(300.0, 298.15, None)

    only_set = SetChamber(temperature=298.15, line=1)
    run, _, _ = make(program(spectrum(), only_set), chamber=ChamberControl(set_temperature, read))
    commit = await finish(run)
    record = next(item for item in commit.steps if item.name == "chamber" and item.end_reason)
    assert record.ended_test_time_s == record.started_test_time_s


async def test_a_chamber_that_is_not_stable_in_time_trips_the_run():
    async def set_temperature(kelvin: float) -> None: ...

    async def read() -> ChamberReading:
        return ChamberReading(300.0, 333.15, None)

    soak = SetChamber(temperature=333.15, soak=Soak(band=0.5, dwell=60.0, timeout=600.0), line=1)
    run, _, _ = make(program(soak), chamber=ChamberControl(set_temperature, read))
    await finish(run)
    assert run.state == "tripped"
    assert "was not stable at 60.0 degC" in (run.end_reason or "")


async def test_a_loop_ends_with_the_turn_in_which_the_capacity_has_faded():
    loop = Loop(
        loop_id="l",
        turns=1000,
        ladder={},
        stop_when=(RETENTION,),
        counts_cycles=True,
        end=2,
        line=1,
    )
    discharge = step(setpoint=-0.001, until=(when("voltage", "<=", -1.0), after(1000)), poll_s=0.5)
    run, cycler, _ = make(program(loop, discharge, EndLoop(start=0)))
    begins = {"at": 0.0, "turn": 0}

    def fading() -> float:
        if run.position.cycle != begins["turn"]:
            begins.update(turn=run.position.cycle, at=cycler.clock.now())
        lasts = 100.0 - 5.0 * (run.position.cycle - 1)
        return -(cycler.clock.now() - begins["at"]) / lasts

    cycler.voltage = fading
    await finish(run)
    assert run.state == "completed"
    assert "retention" in (run.end_reason or "")
    assert run.position.cycle == 5


async def test_a_taper_ends_by_the_magnitude_of_the_current():
    hold = step("voltage", -1.0, until=(when("current_magnitude", "<=", 0.004), after(1000)))
    run, cycler, _ = make(program(hold))
    readings = iter([-0.010, -0.008, -0.005, -0.004, -0.003])
    for number in range(1, 6):
        cycler.script[number] = Reading(-1.0, next(readings), float(number), False, None)
    await finish(run)
    assert run.position.test_time_s == pytest.approx(3.0)


@pytest.mark.parametrize("what", ["identify", "prepare", "start", "collect"])
async def test_one_lost_answer_before_or_at_the_start_of_a_task_ends_no_run(what: str):
    run, _, analyzer = make(program(sweep(instrument="analyzer")), cycler=False)
    answered, asked = getattr(analyzer, what), 0

    async def lost_once(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise LinkTimeout("no answer")
        return await answered(*arguments)

    setattr(analyzer, what, lost_once)
    commit = await finish(run)
    assert run.state == "completed", run.end_reason
    assert [event.kind for event in commit.events].count("link") == 1


async def test_an_instrument_that_is_never_heard_at_the_start_is_lost_after_three_attempts():
    run, _, analyzer = make(program(sweep(instrument="analyzer")), cycler=False)
    asked = 0

    async def lost() -> Any:
        nonlocal asked
        asked += 1
        raise LinkTimeout("no answer")

    analyzer.identify = lost
    await finish(run)
    assert (run.state, asked) == ("communication_lost", 3)
