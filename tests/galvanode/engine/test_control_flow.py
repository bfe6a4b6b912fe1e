"""The way through a program: branches, jumps, variables, groups, and what the recipe says of an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.galvanode.engine.test_run import SHORT_CIRCUIT, after, finish, make, program, step, when

from galvanode.cell import parse_cell
from galvanode.engine.ends import Ending
from galvanode.engine.errors import Unanswerable
from galvanode.engine.position import Position
from galvanode.engine.run import Run
from galvanode.recipe import compile_recipe, drives, parse_recipe
from galvanode.recipe.operand import Formula, Result, Variable
from galvanode.recipe.program import (
    Action,
    AllOf,
    AnyOf,
    Ask,
    Assign,
    Branch,
    Condition,
    End,
    EndLoop,
    Jump,
    Loop,
    Test,
)

CELL = """name: R
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 500 mA}}
"""


def loop(end: int, **changes: Any) -> Loop:
    settings: dict[str, Any] = {"loop_id": "l", "turns": 3, "counts_cycles": True, "end": end, "line": 1}
    return Loop(**(settings | changes))


def group(end: int, **changes: Any) -> Loop:
    return loop(end, loop_id="g", turns=1, group=True, counts_cycles=False, **changes)


def compare(quantity: Any, comparison: Any, value: Any, **changes: Any) -> Condition:
    return Condition(quantity=quantity, comparison=comparison, value=value, text=f"{quantity} {comparison}", **changes)


def branch(test: Test, otherwise: int) -> Branch:
    return Branch(test=test, text="t", otherwise=otherwise, line=7)


def assign(name: str, value: Any) -> Assign:
    return Assign(name=name, value=value, dimension="charge", text=str(value), line=8)


def jump(**action: Any) -> Jump:
    return Jump(action=Action(**action), line=9)


def named(name: str, **changes: Any) -> Any:
    return step("rest", name=name, **changes)


async def carried_out(run: Run) -> list[tuple[str, str | None]]:
    """Run to the end; return each step's name and end reason."""
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    return [(item.name, item.end_reason) for item in commit.steps if item.end_reason is not None]


@pytest.mark.parametrize(("limit", "way"), [(0.01, "yes"), (0.0100001, "no")])
async def test_a_branch_asks_about_the_step_that_has_ended(limit: float, way: str):
    run, _ = make(
        program(
            step(until=(after(10.0),)),
            branch(compare("charge", ">=", limit), 4),
            named("yes"),
            jump(do="goto", target=5),
            named("no"),
        )
    )
    assert [name for name, _ in await carried_out(run)] == ["current", way]


async def test_a_branch_before_the_first_step_fails_rather_than_guesses():
    run, _ = make(program(branch(compare("voltage", ">=", 0.0), 2), named("a"), named("b")))
    await finish(run)
    assert run.state == "failed"
    assert "line 7" in (run.end_reason or "")


async def test_a_variable_set_from_a_measurement_becomes_a_set_point():
    one_c = Formula(op="/", of=(Variable(name="capacity"), 3600.0))
    run, cycler = make(
        program(
            step(setpoint=0.036, until=(after(100.0),)),
            assign("capacity", Result(quantity="charge")),
            step(setpoint=one_c, required_sign=1, until=(after(5.0),)),
        )
    )
    commit = await _finished(run)
    assert run.state == "completed"
    assert float(cycler.calls[-2].split()[1]) == pytest.approx(0.001)
    assert next(event for event in commit.events if event.kind == "set").details["value"] == pytest.approx(3.6)


@pytest.mark.parametrize(
    ("setpoint", "why"),
    [
        (Variable(name="x"), "'$x', which has not been set"),
        (Formula(op="/", of=(1.0, Variable(name="zero"))), "divides by zero"),
        (Variable(name="big"), "outside its limits"),
        (Formula(op="-", of=(Variable(name="zero"), 0.001)), "must be above 0"),
        (Variable(name="zero"), "must be above 0"),
        (Result(quantity="discharge_capacity"), "must be above 0"),
        (Result(quantity="retention"), "retention, which has not been measured yet"),
        (Formula(op="sqrt", of=(-1.0,)), "square root"),
        (Formula(op="*", of=(1e300, 1e300)), "no number to work with"),
    ],
)
async def test_a_set_point_that_comes_to_nothing_sensible_never_reaches_the_instrument(setpoint: Any, why: str):
    whole = program(step(setpoint=setpoint, required_sign=1)).model_copy(
        update={"variables": {"zero": 0.0, "big": 0.2}}
    )
    run, cycler = make(whole)
    await finish(run)
    assert run.state == "failed"
    assert why in (run.end_reason or "")
    assert not [call for call in cycler.calls if call.startswith("current")]


async def test_a_group_ends_all_its_steps_together():
    together = group(3, stop_when=(when("time", ">=", 25.0),))
    run, _ = make(program(together, named("a"), named("b", until=(after(100.0),)), EndLoop(start=0), named("c")))
    assert await carried_out(run) == [("a", "time >= 10"), ("b", "time >= 25"), ("c", "time >= 10")]
    assert run.position.test_time_s == pytest.approx(35.0)
    assert run.end_reason == "end of recipe"
    assert run.position.cycle == 0


async def test_charge_beside_a_block_counts_from_the_start_of_the_block():
    block = loop(3, turns=1000, stop_when=(when("charge", ">=", 0.035),))
    plate, strip = step(until=(after(10.0),)), step(setpoint=-0.001, until=(after(10.0),))
    run, _ = make(program(step(), block, plate, strip, EndLoop(start=1)).model_copy())
    fixed = loop(4, turns=1000, stop_when=(when("charge", ">=", 0.035),))
    run, _ = make(program(step(), fixed, plate, strip, EndLoop(start=1)))
    await finish(run)
    assert run.position.test_time_s == pytest.approx(45.0, abs=1e-3)
    assert run.position.cycle == 2
    assert run.end_reason == "charge >= 0.035"


async def test_what_stands_further_out_comes_first():
    block = loop(3, turns=1, stop_when=(when("time", ">=", 10.0),))
    inner = group(4, stop_when=(when("time", ">=", 10.0, then=Action(do="fail")),))
    block = loop(4, turns=1, stop_when=(when("time", ">=", 10.0),))
    inner = group(3, stop_when=(when("time", ">=", 10.0, then=Action(do="fail")),))
    own = (when("time", ">=", 10.0, then=Action(do="end")),)
    run, _ = make(program(block, inner, named("a", until=own), EndLoop(start=1), EndLoop(start=0), named("after")))
    assert [name for name, _ in await carried_out(run)] == ["a", "after"]
    assert run.state == "completed"


@pytest.mark.parametrize(
    ("then", "names", "state", "reason"),
    [
        (Action(do="next"), ["a", "b", "a", "b", "c"], "completed", "end of recipe"),
        (Action(do="break"), ["a", "c"], "completed", "end of recipe"),
        (Action(do="goto", target=4), ["a", "c"], "completed", "end of recipe"),
        (Action(do="end"), ["a"], "completed", "time >= 10"),
        (Action(do="fail"), ["a"], "failed", "time >= 10"),
    ],
)
async def test_an_end_says_what_comes_next(then: Action, names: list[str], state: str, reason: str):
    first = named("a", until=(when("time", ">=", 10.0, then=then),))
    run, cycler = make(program(loop(3, turns=2), first, named("b"), EndLoop(start=0), named("c")))
    assert [name for name, _ in await carried_out(run)] == names
    assert (run.state, run.end_reason) == (state, reason)
    assert not cycler.on


async def test_a_goto_leaves_the_blocks_that_its_target_is_not_in():
    back = jump(do="goto", target=0, at_most=2)
    run, _ = make(
        program(
            named("a"),
            loop(4, turns=5, ladder={"i": (1.0, 2.0, 3.0, 4.0, 5.0)}),
            named("b"),
            back,
            EndLoop(start=1),
        )
    )
    names = [name for name, _ in await carried_out(run)]
    assert names == ["a", "b"] * 3
    assert run.state == "failed"
    assert "taken 2 times" in (run.end_reason or "")
    assert "line 9" in (run.end_reason or "")


async def test_a_program_that_goes_round_without_a_step_fails():
    run, _ = make(program(assign("x", 1.0), jump(do="goto", target=0, at_most=10**9), named("never")))
    await finish(run)
    assert run.state == "failed"
    assert "circle" in (run.end_reason or "")


async def test_break_end_and_fail_stand_as_steps():
    run, _ = make(program(loop(3, turns=9), named("a"), jump(do="break"), EndLoop(start=0), named("b")))
    assert [name for name, _ in await carried_out(run)] == ["a", "b"]
    assert run.end_reason == "end of recipe"
    run, _ = make(program(named("a"), jump(do="end", text="enough"), named("b")))
    assert [name for name, _ in await carried_out(run)] == ["a"]
    assert (run.state, run.end_reason) == ("completed", "enough")
    run, _ = make(program(named("a"), jump(do="fail", text="cell is dead"), named("b")))
    assert [name for name, _ in await carried_out(run)] == ["a"]
    assert (run.state, run.end_reason) == ("failed", "cell is dead")


@pytest.mark.parametrize(
    ("end", "reason", "state", "at"),
    [
        # the voltage rises by 0.1 V a second from 0
        (when("voltage", ">=", 1.0, held_s=5.0), "voltage >= 1", "completed", 15.0),
        (when("voltage", ">=", 1.0, not_before_s=5.0), "voltage >= 1", "completed", 10.0),
        (when("voltage", ">=", 1.0, not_before_s=10.0), "voltage >= 1", "completed", 10.0),
        (when("voltage", ">=", 1.0, not_before_s=20.0), "too early, after 10 s: voltage >= 1", "failed", 10.0),
        (when("voltage", ">=", 1.0, by_s=20.0), "voltage >= 1", "completed", 10.0),
        (when("voltage", ">=", 1.0, by_s=10.0), "voltage >= 1", "completed", 10.0),
        (when("voltage", ">=", 1.0, by_s=4.5), "not within 4.5 s: voltage >= 1", "failed", 4.5),
        (when("voltage", ">=", 0.0), "voltage >= 0", "completed", 0.0),
        (when("voltage_rise", ">=", 0.7), "voltage_rise >= 0.7", "completed", 7.0),
        (when("power", ">=", 1e-3), "power >= 0.001", "completed", 10.0),
        (when("energy", ">=", 5e-3), "energy >= 0.005", "completed", 10.0),
    ],
)
async def test_ends_wait_hold_and_are_due(end: End, reason: str, state: str, at: float):
    run, cycler = make(program(step(until=(end, after(100.0)), record=_every(), poll_s=1.0)))
    cycler.voltage = lambda: 0.1 * cycler.clock.now() + 1e-7  # above each limit by more than the ripple
    steps = await carried_out(run)
    assert steps[-1][1] in (reason, f"failed: {reason}")
    assert run.state == state
    assert run.position.test_time_s == pytest.approx(at, abs=1e-3)


async def test_a_condition_that_does_not_hold_all_the_time_starts_anew():
    run, cycler = make(program(step(until=(when("voltage", ">=", 1.0, held_s=3.0), after(100.0)))))
    cycler.voltage = lambda: 0.0 if int(cycler.clock.now() + 0.5) == 12 else 1.5
    await finish(run)
    assert run.position.test_time_s == pytest.approx(3.0, abs=1e-3)
    run, cycler = make(program(step(until=(when("voltage", ">=", 1.0, held_s=3.0), after(100.0)))))
    cycler.voltage = lambda: 0.0 if int(cycler.clock.now() + 0.5) == 2 else 1.5
    await finish(run)
    assert run.position.test_time_s == pytest.approx(6.0, abs=1e-3)


async def test_conditions_are_joined_by_and_and_or():
    high, late, charged = compare("voltage", ">=", 1.0), compare("time", ">=", 20.0), compare("charge", ">=", 0.05)
    both = End(test=AllOf(of=(high, late)), text="both")
    run, cycler = make(program(step(until=(both, after(100.0)))))
    cycler.voltage = lambda: 0.1 * cycler.clock.now()
    await finish(run)
    assert run.position.test_time_s == pytest.approx(20.0, abs=1e-3)
    either = End(test=AnyOf(of=(AllOf(of=(high, charged)), late)), text="either")
    run, cycler = make(program(step(until=(either, after(100.0)))))
    cycler.voltage = lambda: 0.1 * cycler.clock.now()
    await finish(run)
    assert run.position.test_time_s == pytest.approx(20.0, abs=1e-3)


@pytest.mark.parametrize(("over_s", "at"), [(None, 9.0), (20.0, 20.0)])
async def test_a_slope_is_not_known_before_it_was_looked_at_for_long_enough(over_s: float | None, at: float):
    flat = compare("voltage_slope", "<=", 0.2, magnitude=True, over_s=over_s)
    run, cycler = make(program(step(until=(End(test=flat, text="flat"), after(100.0)))))
    cycler.voltage = lambda: 0.1 * cycler.clock.now() - 3.0
    await finish(run)
    assert run.position.test_time_s == pytest.approx(at, abs=1e-3)


async def test_a_slope_has_a_sign():
    falling = End(test=compare("voltage_slope", "<=", -0.05), text="falling")
    run, cycler = make(program(step(until=(falling, after(100.0)))))
    cycler.voltage = lambda: 2.0 - 0.1 * abs(cycler.clock.now() - 30.0)
    await finish(run)
    assert 33 < run.position.test_time_s < 42


async def test_cycle_quantities_are_looked_at_when_a_turn_ends():
    ends = (
        when("coulombic_efficiency", "<=", 0.5),
        when("cycle", ">=", 4.0),
    )
    run, _ = make(
        program(
            loop(3, turns=100, stop_when=ends),
            step(until=(after(10.0),)),
            step(setpoint=-0.001, until=(after(9.0),)),
            EndLoop(start=0),
        )
    )
    await finish(run)
    assert run.position.cycle == 4
    assert run.end_reason == "cycle >= 4"
    assert run.position.last_turn["coulombic_efficiency"] == pytest.approx(0.9, abs=1e-6)


async def test_the_reason_of_a_turns_end_has_its_figure():
    run, _ = make(
        program(
            loop(3, turns=100, stop_when=(when("coulombic_efficiency", "<=", 0.9001),)),
            step(until=(after(10.0),)),
            step(setpoint=-0.001, until=(after(9.0),)),
            EndLoop(start=0),
        )
    )
    await finish(run)
    assert run.end_reason == "coulombic_efficiency <= 0.9001 (coulombic efficiency 90.0%)"


async def test_a_detector_may_end_a_step_alone():
    run, cycler = make(program(step(until=(SHORT_CIRCUIT, after(600.0))), step(setpoint=-0.001, until=(after(10.0),))))
    cycler.voltage = lambda: 0.1 if cycler.clock.now() < 100 else 0.001 if cycler.clock.now() < 600 else -0.1
    steps = await carried_out(run)
    assert steps[0][1] is not None
    assert steps[0][1].startswith("short_circuit: hard")
    assert len(steps) == 2


# --- questions ---------------------------------------------------------------------------------------------


def ask(**changes: Any) -> Ask:
    settings: dict[str, Any] = {"message": "Weigh the cell", "wants": "number", "name": "mass", "line": 5}
    settings |= {"dimension": "mass", "min": 1e-6, "max": 1e-3, "default": 1e-5}
    return Ask(**(settings | changes))


async def _waiting(run: Run) -> None:
    while run.state != "waiting":
        assert not run.finished.is_set(), run.end_reason
        await asyncio.sleep(0.001)


async def _finished(run: Run) -> Any:
    run.start()
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    return commit


async def test_a_run_waits_with_the_channel_safe_until_it_is_answered():
    heavy = branch(compare("value", ">=", 2e-5, subject=Variable(name="mass")), 4)
    run, cycler = make(program(step(), ask(), heavy, named("heavy"), named("end")))
    run.start()
    await _waiting(run)
    assert not cycler.on
    assert run.question is not None
    for wrong in (None, float("nan"), 0.0, 1.1e-3):
        with pytest.raises(Unanswerable):
            run.answer(wrong)
    with pytest.raises(Unanswerable, match="not for a photo"):
        run.answer(None, "photo.jpg")
    run.answer(3e-5)
    await asyncio.wait_for(run.finished.wait(), 10)
    commit = run.take_commit()
    assert commit is not None
    assert run.state == "completed"
    steps = [(item.name, item.end_reason) for item in commit.steps if item.end_reason is not None]
    assert steps[1] == ("operator", "30 mg")
    assert run.reading is not None
    operator = next(item for item in commit.steps if item.name == "operator" and item.end_reason is not None)
    assert operator.ended_test_time_s is not None
    assert operator.ended_test_time_s >= operator.started_test_time_s
    assert steps[2][0] == "heavy"
    answered = next(event for event in commit.events if event.kind == "answered")
    assert answered.details["value"] == 3e-5
    assert [event.kind for event in commit.events].index("question") < commit.events.index(answered)
    with pytest.raises(Unanswerable, match="asks nothing"):
        run.answer(3e-5)


async def test_a_zero_is_an_answer():
    run, _ = make(program(ask(min=0.0)))
    run.start()
    await _waiting(run)
    run.answer(0.0)
    await asyncio.wait_for(run.finished.wait(), 10)
    assert run.state == "completed"
    assert run.position.variables["mass"] == 0.0


@pytest.mark.parametrize(("what", "state"), [("stop", "stopped"), ("interrupt", "interrupted")])
async def test_a_waiting_run_can_be_ended(what: str, state: str):
    run, _ = make(program(step(), ask(), step()))
    run.start()
    await _waiting(run)
    getattr(run, what)()
    await asyncio.wait_for(run.finished.wait(), 10)
    assert run.state == state


async def test_a_run_taken_up_again_asks_again():
    run, _ = make(program(step(), ask(), step()))
    run.start()
    await _waiting(run)
    run.interrupt()
    await asyncio.wait_for(run.finished.wait(), 10)
    position = Position.from_json(run.position.to_json())
    again, _ = make(program(step(), ask(), step()), position=position)
    again.start()
    await _waiting(again)
    again.answer(1e-5)
    await asyncio.wait_for(again.finished.wait(), 10)
    assert again.state == "completed"
    assert again.position.step_count == 3


async def test_a_waiting_run_may_be_paused_and_asks_when_it_goes_on():
    run, _ = make(program(step(), ask(wants="confirmation", name=None), step()))
    run.start()
    await _waiting(run)
    run.pause()
    while run.state != "paused":
        await asyncio.sleep(0.001)
    run.resume()
    await _waiting(run)
    run.answer()
    await asyncio.wait_for(run.finished.wait(), 10)
    assert run.state == "completed"


# --- pauses and restarts ---------------------------------------------------------------------------------------


async def test_a_pause_does_not_change_what_a_drop_is_measured_from():
    def voltage(at: float) -> float:
        return 2.0 - abs(at - 10.0) * 0.01

    ends = (when("voltage_drop", ">=", 0.055), after(100.0))
    run, cycler = make(program(step(until=ends)))
    cycler.voltage = lambda: voltage(cycler.clock.now())
    cycler.at(13.0, run.interrupt)
    await finish(run)
    again, cycler = make(program(step(until=ends)), position=Position.from_json(run.position.to_json()))
    cycler.voltage = lambda: voltage(13.0 + cycler.clock.now())
    await finish(again)
    assert again.position.step_time_s == pytest.approx(16.0, abs=1.1)
    assert again.position.last_step["highest"] == pytest.approx(2.0, abs=1e-6)


async def test_a_condition_on_a_cycle_costs_no_readings_while_it_is_held():
    held = when("cycle", ">=", 1.0, held_s=100.0)
    run, cycler = make(program(loop(2, turns=4, stop_when=(held,)), step(until=(after(60.0),)), EndLoop(start=0)))
    await finish(run)
    assert cycler.reads < 300


async def test_each_goto_is_counted_by_itself():
    back = when("time", ">=", 5.0, then=Action(do="goto", target=0, at_most=3))
    run, _ = make(program(named("a"), named("b", until=(back, after(10.0))), named("c")))
    assert [name for name, _ in await carried_out(run)] == ["a", "b"] * 4
    assert "taken 3 times" in (run.end_reason or "")
    block = group(4, stop_when=(when("time", ">=", 15.0, then=Action(do="goto", target=0, at_most=2)),))
    run, _ = make(program(named("a"), block.model_copy(), named("b"), named("c"), EndLoop(start=1), named("d")))
    await finish(run)
    assert run.position.jumps == {"1 to 0": 3}


async def test_the_rest_voltage_of_a_step_stays_what_it_was_through_a_pause():
    hold = step("voltage", Variable(name="open_circuit"), until=(after(60.0),))
    run, cycler = make(program(hold))
    cycler.voltage = lambda: 1.0 if cycler.clock.now() < 20 else 2.0
    cycler.at(30.0, run.interrupt)
    await finish(run)
    again, cycler = make(program(hold), position=Position.from_json(run.position.to_json()))
    cycler.voltage = lambda: 2.0
    await finish(again)
    assert [call.split()[1] for call in cycler.calls if call.startswith("voltage")] == ["1"]


async def test_a_sensor_that_goes_away_costs_no_sample():
    warm = {"at": 300.0}
    hot = when("temperature", ">=", 330.0)
    run, cycler = make(program(step(until=(hot, after(60.0)))), temperature=lambda: warm["at"])
    cycler.at(5.0, lambda: warm.update(at=None))  # type: ignore[arg-type]
    rows = await finish(run)
    assert run.state == "tripped"
    assert "temperature" in (run.end_reason or "")
    assert len(rows) == cycler.reads


async def test_a_detector_that_has_spoken_is_remembered():
    ending = Ending(End(test=AllOf(of=(SHORT_CIRCUIT.test, compare("time", ">=", 1000.0))), text="both"))
    ending.begin_step(lambda operand: float(operand))  # type: ignore[arg-type]
    ending.detected("short")
    again = Ending(ending.end)
    again.restore(ending.state())
    assert again.why == "short"


# --- a position is a value -----------------------------------------------------------------------------------


async def test_a_run_stopped_anywhere_goes_on_to_the_same_end():
    block = loop(6, turns=4, stop_when=(when("retention", "<=", 0.5), when("time", ">=", 1000.0)))
    whole = program(
        assign("x", 1.0),
        block.model_copy(update={"end": 7}),
        step(until=(after(10.0),)),
        assign("x", Formula(op="+", of=(Variable(name="x"), Result(quantity="charge")))),
        branch(compare("cycle", ">=", 2.0), 6),
        step(setpoint=-0.002, until=(after(4.0),)),
        step(setpoint=-0.001, until=(after(5.0),)),
        EndLoop(start=1),
    )
    straight, _ = make(whole)
    await finish(straight)
    for halt in (5.0, 17.0, 26.0, 44.0):
        run, cycler = make(whole)
        cycler.at(halt, run.interrupt)
        await finish(run)
        assert run.state == "interrupted"
        resumed, _ = make(whole, position=Position.from_json(run.position.to_json()))
        await finish(resumed)
        assert resumed.end_reason == straight.end_reason
        assert resumed.position.variables["x"] == pytest.approx(straight.position.variables["x"], abs=1e-6)
        assert resumed.position.step_count == straight.position.step_count


def _every() -> Any:
    from galvanode.recipe.program import Record

    return Record(every_s=1.0)


@pytest.mark.parametrize(
    ("comparison", "limit", "strict", "way"),
    [
        (">=", 0.01, True, "no"),
        (">=", 0.0099, True, "yes"),
        ("<=", 0.01, True, "no"),
        ("<=", 0.0101, True, "yes"),
        ("<=", 0.01, False, "yes"),
    ],
)
async def test_a_branch_that_asks_for_less_or_more_does_not_take_equality(
    comparison: str, limit: float, strict: bool, way: str
):
    asked = compare("charge", comparison, limit, strict=strict)
    run, _ = make(
        program(step(until=(after(10.0),)), branch(asked, 4), named("yes"), jump(do="goto", target=5), named("no"))
    )
    assert [name for name, _ in await carried_out(run)] == ["current", way]


@pytest.mark.parametrize(("asked", "turns"), [("$n < 3", 3), ("$n <= 3", 4), ("3 > $n", 3), ("$x < 0.3", 3)])
async def test_a_loop_that_counts_goes_round_as_often_as_it_says(asked: str, turns: int):
    recipe = (
        "version: 2\ntitle: t\nmethod:\n  - set: {n: 0, x: 0}\n  - rest: {for: 1 s}\n    label: again\n"
        f"  - set: {{n: $n + 1, x: $x + 0.1}}\n  - if: {asked}\n    then: [goto: again]\n"
    )
    run, _ = make(compile_recipe(parse_recipe(recipe, "r.yaml"), parse_cell(CELL, "c.yaml")))
    assert len(await carried_out(run)) == turns


@pytest.mark.parametrize(("way", "first", "held"), [(-1, "at once", False), (1, "at once", True), (-1, "later", True)])
async def test_a_hold_that_would_undo_a_charge_or_a_discharge_is_left_out(way: Any, first: str, held: bool):
    """At a resistor 1 V is held with a current that charges."""
    ends = (when("voltage", "<=", 4.0),) if first == "at once" else (after(5.0),)
    hold = drives.Voltage(setpoint=1.0, current_limit=0.05, direction=way)
    run, _ = make(program(step(setpoint=-0.001, until=ends), step(hold, until=(after(10.0),)), named("next")))
    reasons = dict(await carried_out(run))
    assert reasons["next"] is not None
    assert (reasons["voltage"] == "time >= 10") is held
    assert held or "left out: the cell was beyond the voltage when the discharge began" in (reasons["voltage"] or "")
