"""Bounds of programs that may go several ways: branches, jumps, ends that lead elsewhere, groups, questions."""

import math
import time
from random import Random

import pytest
from tests.drives import drive_of

from galvanode.recipe import Bounds, estimate
from galvanode.recipe.operand import Formula, Result, Variable
from galvanode.recipe.program import (
    Action,
    AllOf,
    AnyOf,
    Ask,
    Assign,
    Branch,
    Condition,
    Detector,
    End,
    EndLoop,
    Jump,
    Limits,
    Loop,
    Program,
    Record,
    Step,
)

END, FAIL, BREAK = Action(do="end"), Action(do="fail"), Action(do="break")


def when(quantity, value, comparison=">="):
    return Condition(quantity=quantity, comparison=comparison, value=value, text="x")


def end(test, **more):
    return End(test=test, text="x", **more)


def step(*ends, mode="rest", every_s=10.0, **more):
    record = more.pop("record", Record(every_s=every_s))
    drive = drive_of(mode, more.pop("setpoint", None))
    return Step(
        drive=drive, name="s", step_id=1, until=ends, record=record, poll_s=10.0, limits=Limits(), line=1, **more
    )


def rest(seconds):
    return step(end(when("time", seconds)))


def open_ended(*more, **values):
    return step(end(when("voltage", 4.0)), *more, **values)


def goto(target, at_most=10_000):
    return Jump(action=Action(do="goto", target=target, at_most=at_most), line=1)


def branch(otherwise):
    return Branch(test=when("charge", 1.0), text="x", otherwise=otherwise, line=1)


def loop(last, turns=1, **more):
    return Loop(loop_id=f"l{last}", turns=turns, counts_cycles=False, end=last, line=1, **more)


def of(*instructions, variables=None):
    return estimate(Program(title="x", instructions=instructions, safety=Limits(), variables=variables or {}))


def seconds(*instructions, **more):
    return tuple(of(*instructions, **more).duration_s)


# --- ways ------------------------------------------------------------------------------------------------------


def test_nothing_takes_no_time():
    assert seconds() == (0.0, 0.0)


def test_either_way_of_an_if_may_be_taken():
    assert seconds(branch(3), rest(10.0), goto(4), rest(60.0), rest(1.0)) == (11.0, 61.0)


def test_an_if_without_else_may_be_passed_over():
    assert seconds(branch(2), rest(10.0), rest(1.0)) == (1.0, 11.0)


def test_what_is_jumped_over_takes_no_time():
    assert seconds(goto(2), rest(1000.0), rest(5.0)) == (5.0, 5.0)


def test_a_jump_back_is_taken_as_often_as_it_may_be():
    found = of(rest(10.0), branch(3), goto(0, at_most=4), rest(1.0))
    assert found.duration_s == Bounds(11.0, 5 * 10.0 + 1.0)
    assert found.steps.low == 2.0
    assert found.steps.high >= 6.0


def test_a_jump_back_of_an_end_without_a_count_may_be_taken_ten_thousand_times():
    back = step(end(when("time", 10.0)), end(when("voltage", 4.0), then=Action(do="goto", target=0)))
    low, high = seconds(back)
    assert low == 10.0
    assert 1e5 <= high <= 1.1e5


def test_what_lies_behind_a_jump_back_is_found_too():
    # start -> 3 -> 1 -> end of the run
    assert seconds(goto(3), rest(7.0), Jump(action=END, line=1), rest(2.0), goto(1)) == pytest.approx(
        (9.0, 9.0), abs=1e5
    )
    assert seconds(goto(3), rest(7.0), Jump(action=END, line=1), rest(2.0), goto(1, at_most=1))[0] == 9.0


def test_a_program_may_end_early():
    assert seconds(rest(10.0), branch(3), Jump(action=END, line=1), rest(60.0)) == (10.0, 70.0)


def test_failing_is_left_out_unless_nothing_else_can_happen():
    assert seconds(rest(10.0), branch(3), Jump(action=FAIL, line=1), rest(60.0)) == (70.0, 70.0)
    assert seconds(rest(10.0), Jump(action=FAIL, line=1), rest(60.0)) == (10.0, 10.0)


def test_a_jump_out_of_a_loop_leaves_it():
    inside = (loop(4, turns=100), rest(10.0), branch(4), goto(5), EndLoop(start=0))
    assert seconds(*inside, rest(1.0)) == (11.0, 1001.0)


def test_a_jump_to_the_end_of_a_block_goes_on_with_the_next_turn():
    assert seconds(loop(3, turns=5), rest(10.0), goto(3), EndLoop(start=0)) == (50.0, 50.0)


def test_a_break_leaves_the_repeat_and_not_the_group():
    # repeat 10 times: group: 10 s, if: break
    found = seconds(
        loop(6, turns=10),
        loop(5, group=True),
        rest(10.0),
        branch(5),
        Jump(action=BREAK, line=1),
        EndLoop(start=1),
        EndLoop(start=0),
        rest(1.0),
    )
    assert found == (11.0, 101.0)
    assert seconds(loop(3, turns=10), rest(10.0), Jump(action=BREAK, line=1), EndLoop(start=0)) == (10.0, 10.0)


# --- ends ------------------------------------------------------------------------------------------------------


def test_a_deadline_bounds_a_step_that_nothing_else_does():
    assert seconds(open_ended()) == (0.0, math.inf)
    assert seconds(step(end(when("voltage", 4.0), by_s=3600.0))) == (0.0, 3600.0)
    onwards = step(end(when("voltage", 4.0), by_s=3600.0, otherwise=Action()))
    assert seconds(onwards) == (0.0, 3600.0)


def test_what_must_not_come_too_soon_takes_that_long_or_fails():
    assert seconds(step(end(when("voltage", 4.0), not_before_s=60.0))) == (60.0, math.inf)
    assert seconds(step(end(when("voltage", 4.0), not_before_s=60.0, otherwise=Action()))) == (0.0, math.inf)


def test_debounce_adds_the_time_that_it_must_hold():
    assert seconds(step(end(when("time", 10.0), held_s=5.0))) == (15.0, 15.0)
    assert seconds(step(end(when("voltage", 4.0), held_s=5.0))) == (5.0, math.inf)


def test_all_of_several_hold_with_the_last_and_any_with_the_first():
    both = AllOf(of=(when("time", 10.0), when("time", 60.0)))
    either = AnyOf(of=(when("time", 10.0), when("time", 60.0)))
    assert seconds(step(end(both))) == (60.0, 60.0)
    assert seconds(step(end(either))) == (10.0, 10.0)
    mixed = AllOf(of=(when("time", 10.0), when("voltage", 4.0)))
    assert seconds(step(end(mixed))) == (10.0, math.inf)
    not_later = AllOf(of=(when("time", 10.0, "<="), when("charge", 1.0)))
    assert seconds(step(end(not_later))) == (0.0, math.inf)


def test_an_end_that_cannot_come_first_leads_nowhere():
    there = step(end(when("time", 60.0)), end(when("time", 3600.0), then=END))
    assert seconds(there, rest(5.0)) == (65.0, 65.0)


def test_an_end_may_lead_out_of_the_program():
    assert seconds(open_ended(end(when("time", 60.0), then=END)), rest(5.0)) == (5.0, 65.0)


def test_energy_at_a_constant_power_takes_a_known_time_and_a_poll():
    driven = step(end(when("energy", 3600.0)), mode="power", setpoint=-1.0)
    assert seconds(driven) == (3600.0, 3610.0)
    assert seconds(step(end(when("energy", 3600.0)), mode="current", setpoint=1.0)) == (0.0, math.inf)


# --- blocks ----------------------------------------------------------------------------------------------------


def test_the_time_of_a_group_cuts_short_what_is_in_it():
    group = loop(3, group=True, stop_when=(end(when("time", 100.0)),))
    found = of(group, open_ended(), rest(1000.0), EndLoop(start=0))
    assert found.duration_s == Bounds(100.0, 100.0)
    assert found.steps.high == 2.0
    assert math.isfinite(found.samples.high)
    assert seconds(group.model_copy(update={"end": 2}), rest(10.0), EndLoop(start=0)) == (10.0, 10.0)


def test_a_detector_beside_a_loop_may_speak_at_once():
    block = loop(2, turns=10, stop_when=(end(Detector(name="short_circuit")),))
    assert seconds(block, rest(30.0), EndLoop(start=0)) == (0.0, 300.0)


def test_an_end_of_a_block_may_end_the_run():
    block = loop(2, turns=10, stop_when=(end(when("voltage", 4.0), then=END),))
    assert seconds(block, rest(30.0), EndLoop(start=0), rest(1.0)) == (0.0, 301.0)


def test_a_cycle_quantity_is_looked_at_when_a_turn_has_ended():
    block = loop(2, turns=100, stop_when=(end(when("charge_capacity", 1.0, "<=")),))
    assert seconds(block, rest(30.0), EndLoop(start=0)) == (30.0, 3000.0)
    retained = when("retention", 0.8, "<=").model_copy(update={"of_cycle": 3})
    block = loop(2, turns=100, stop_when=(end(retained),))
    assert seconds(block, rest(30.0), EndLoop(start=0)) == (120.0, 3000.0)


def test_a_break_beside_a_repeat_leaves_that_one_and_beside_a_group_the_one_around_it():
    stop = (end(when("voltage", 4.0), then=BREAK),)
    assert seconds(loop(2, turns=10, stop_when=stop), rest(10.0), EndLoop(start=0), rest(1.0)) == (1.0, 101.0)
    around = (loop(4, turns=10), loop(3, group=True, stop_when=stop), rest(10.0), EndLoop(start=1), EndLoop(start=0))
    assert seconds(*around) == (0.0, 100.0)


def test_a_way_out_of_a_loop_with_a_time_comes_in_that_time():
    block = (loop(4, turns=10**6, until_s=100.0), rest(30.0), branch(4), Jump(action=BREAK, line=1), EndLoop(start=0))
    found = of(*block)
    assert found.duration_s == Bounds(30.0, 130.0)
    assert found.steps.high <= 6


def test_a_slope_over_a_time_is_not_known_before():
    slope = when("voltage_slope", 1e-6, "<=").model_copy(update={"over_s": 600.0})
    assert seconds(step(end(slope))) == (600.0, math.inf)
    assert seconds(step(end(when("voltage_slope", 1e-6, "<=")))) == (0.0, math.inf)


# --- questions and variables -----------------------------------------------------------------------------------


def test_somebody_may_take_any_time_to_answer():
    ask = Ask(message="m", wants="confirmation", line=1)
    assert seconds(ask) == (0.0, math.inf)
    assert seconds(ask.model_copy(update={"within_s": 60.0})) == (0.0, 60.0)


def hold_for(value):
    return step(end(when("time", value)))


def test_a_variable_that_is_set_once_to_a_number_is_known():
    wait = Assign(name="wait", value=30.0, dimension="time", text="30 s", line=1)
    assert seconds(wait, hold_for(Variable(name="wait"))) == (30.0, 30.0)
    assert seconds(wait, hold_for(Variable(name="wait")), variables={"wait": 10.0}) == (10.0, 30.0)


def test_what_is_measured_is_not_known():
    wait = Assign(name="wait", value=Result(quantity="time", factor=2.0), dimension="time", text="x", line=1)
    assert seconds(wait, hold_for(Variable(name="wait"))) == (0.0, math.inf)
    assert seconds(hold_for(Formula(op="min", of=(Result(quantity="time"), 60.0)))) == (0.0, 60.0)
    assert seconds(hold_for(Formula(op="max", of=(Result(quantity="time"), 60.0)))) == (60.0, math.inf)


def test_an_answer_lies_in_its_range():
    ask = Ask(message="m", wants="number", name="t", dimension="time", min=5.0, max=60.0, default=9.0, line=1)
    assert seconds(ask.model_copy(update={"within_s": 0.0}), hold_for(Variable(name="t"))) == (5.0, 60.0)


@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        (Formula(op="+", of=(Variable(name="t"), 1.0)), 11.0, 31.0),
        (Formula(op="-", of=(Variable(name="t"), Variable(name="t"))), 0.0, 20.0),  # clipped at no time at all
        (Formula(op="*", of=(Variable(name="t"), 2.0)), 20.0, 60.0),
        (Formula(op="/", of=(600.0, Variable(name="t"))), 20.0, 60.0),
        (Formula(op="/", of=(600.0, Formula(op="-", of=(Variable(name="t"), 20.0)))), 0.0, math.inf),
        (Formula(op="abs", of=(Formula(op="neg", of=(Variable(name="t"),)),)), 10.0, 30.0),
        (Formula(op="sqrt", of=(Formula(op="*", of=(Variable(name="t"), Variable(name="t"))),)), 10.0, 30.0),
        (Variable(name="t", factor=-1.0), 0.0, 0.0),
    ],
)
def test_arithmetic_has_bounds(formula, low, high):
    block = loop(2, turns=2, ladder={"t": (10.0, 30.0)})
    found = [
        seconds(block.model_copy(update={"turns": 1, "ladder": {"t": (value,)}}), hold_for(formula), EndLoop(start=0))
        for value in (10.0, 30.0)
    ]
    ask = Ask(message="m", wants="number", name="t", dimension="time", min=10.0, max=30.0, default=10.0, line=1)
    assert seconds(ask.model_copy(update={"within_s": 0.0}), hold_for(formula)) == pytest.approx((low, high))
    # What each turn of a ladder takes lies inside.
    assert all(low - 1e-9 <= turn[0] <= turn[1] <= high + 1e-9 for turn in found)


# --- samples ---------------------------------------------------------------------------------------------------


def test_a_burst_adds_its_samples():
    record = Record(every_s=10.0, burst_every_s=0.01, burst_for_s=1.0)
    found = of(step(end(when("time", 100.0)), record=record))
    assert found.samples == Bounds(101.0, 112.0)


def test_a_change_of_charge_may_record_every_reading():
    assert of(step(end(when("time", 100.0)), record=Record(charge_change=1.0))).samples == Bounds(2.0, 12.0)


# --- whatever way a program goes -------------------------------------------------------------------------------


def _block(random, start, depth, enclosing):
    """Return the instructions of a block that begins at ``start``; ``enclosing`` are the places around it."""
    items = []
    length = random.randint(1, 4)
    for _ in range(length):
        here = start + len(items)
        kind = random.choice(["rest", "rest", "either", "loop", "branch", "back", "ask", "out"])
        if kind == "loop" and depth < 3:
            inside = _block(random, here + 1, depth + 1, [*enclosing, here])
            last = here + len(inside) + 1
            group = random.random() < 0.3
            until_s = float(random.randint(1, 20)) if not group and random.random() < 0.3 else None
            turns = 1 if group else random.randint(1, 4)
            items += [loop(last, turns=turns, group=group, until_s=until_s), *inside, EndLoop(start=here)]
        elif kind == "branch":
            then = _block(random, here + 1, 3, enclosing)
            items += [branch(here + 1 + len(then)), *then]
        elif kind == "back":
            target = random.choice([*enclosing, start, here])
            items += [branch(here + 2), goto(target, at_most=random.randint(1, 3))]
        elif kind == "out" and depth > 0 and random.random() < 0.5:
            items += [branch(here + 2), Jump(action=random.choice([BREAK, END, FAIL]), line=1)]
        elif kind == "ask":
            items.append(Ask(message="m", wants="confirmation", within_s=5.0, line=1))
        elif kind == "either":
            items.append(step(end(when("time", float(random.randint(0, 9)), ">=")), end(when("voltage", 4.0))))
        else:
            items.append(rest(float(random.randint(0, 9))))
    return items


def _walk(random, program):
    """Go through a program at random; return seconds and steps, or None where it fails."""
    items = program.instructions
    at = steps = 0
    seconds = 0.0
    turns, taken, began = {}, {}, {}
    while at < len(items):
        item = items[at]
        if isinstance(item, Step):
            longest = item.until[0].test.value
            seconds += longest if len(item.until) == 1 else random.uniform(0, longest)
            steps, at = steps + 1, at + 1
        elif isinstance(item, Ask):
            seconds, at = seconds + random.uniform(0, item.within_s), at + 1
        elif isinstance(item, Branch):
            at = random.choice([at + 1, item.otherwise])
        elif isinstance(item, Loop):
            turns[at], began[at], at = 1, seconds, at + 1
        elif isinstance(item, EndLoop):
            block = items[item.start]
            over = block.until_s is not None and seconds - began[item.start] >= block.until_s - 1e-9
            done = over or turns[item.start] >= block.turns
            turns[item.start] += 1
            at = at + 1 if done else item.start + 1
        elif item.action.do == "goto":
            taken[at] = taken.get(at, 0) + 1
            if taken[at] > item.action.at_most:
                return None
            at = item.action.target
        elif item.action.do == "break":
            around = [i for i, found in enumerate(items[:at]) if isinstance(found, Loop) and found.end > at]
            repeats = [i for i in around if not items[i].group]
            if not repeats:
                return None
            at = items[repeats[-1]].end + 1
        else:
            return (seconds, steps) if item.action.do == "end" else None
    return seconds, steps


@pytest.mark.parametrize("seed", range(150))
def test_no_way_through_a_program_leaves_its_bounds(seed):
    random = Random(seed)
    program = Program(title="x", instructions=tuple(_block(random, 0, 0, [])), safety=Limits())
    found = estimate(program)
    for _ in range(100):
        walked = _walk(random, program)
        if walked is not None:
            assert found.duration_s.low - 1e-6 <= walked[0] <= found.duration_s.high + 1e-6
            assert found.steps.low <= walked[1] <= found.steps.high


def test_very_many_ways_back_are_bounded_in_no_time():
    items = []
    for _ in range(3000):
        here = len(items)
        items += [rest(1.0), branch(here + 3), goto(max(0, here - 30), at_most=2)]
    began = time.process_time()
    found = of(*items)
    assert time.process_time() - began < 2.0
    assert found.duration_s.low == 3000.0
    assert 3000.0 < found.duration_s.high <= 3000.0 * (1 + 2 * 3000)
    few = items[: 3 * 20]
    assert of(*few).duration_s.high <= 20.0 * (1 + 2 * 20)
