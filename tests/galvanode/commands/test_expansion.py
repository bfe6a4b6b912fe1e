"""Executed steps as lines: the first turn of a loop and the rest of them together, short ladders value by value."""

from __future__ import annotations

from tests.drives import EXAMPLES

from galvanode.commands.executed import ExecutedStep
from galvanode.commands.expansion import Line, MoreTurns, expansion
from galvanode.recipe.program import EndLoop, Limits, Loop, Program, Record, SetChamber, Step


def step(step_id: int, mode: str = "rest") -> Step:
    return Step(
        drive=EXAMPLES[mode],
        name=mode,
        step_id=step_id,
        until=(),
        record=Record(every_s=1.0),
        poll_s=1.0,
        limits=Limits(),
        line=step_id,
    )


def loop(end: int, *values: float) -> Loop:
    ladder = {"x": values} if values else {}
    return Loop(loop_id="loop", turns=5, ladder=ladder, counts_cycles=True, end=end, line=1)


def program(*instructions: object) -> Program:
    return Program(title="t", instructions=instructions, safety=Limits())  # type: ignore[arg-type]


def executed(*steps: int | tuple[int, float]) -> list[ExecutedStep]:
    """Steps by their numbers, or numbers and set points; 0 is a chamber."""
    found: list[ExecutedStep] = []
    for count, item in enumerate(steps, start=1):
        number, setpoint = item if isinstance(item, tuple) else (item, None)
        found.append(
            ExecutedStep(
                count=count,
                step_id=number,
                name="rest" if number else "chamber",
                mode="rest",
                cycle=0,
                setpoint=setpoint,
                started_s=float(count),
                duration_s=1.0,
                end_reason="for 1 s",
                charged_c=2.0,
                discharged_c=0.0,
                samples=3,
                voltage_v=(float(count), float(count) + 1.0),
            )
        )
    return found


def shown(lines: list[Line]) -> list[object]:
    """Numbers of steps; for further turns how many there are."""
    return [f"{line.turns} more" if isinstance(line, MoreTurns) else line.step_id for line in lines]


def test_what_is_short_is_shown_whole():
    assert shown(expansion(program(loop(2), step(1), EndLoop(start=0)), executed(1, 1, 1))) == [1, 1, 1]


def test_a_loop_is_its_first_turn_and_the_rest():
    lines = expansion(
        program(step(1), loop(4), step(2), step(3), EndLoop(start=1), step(4)), executed(1, *[2, 3] * 40, 4)
    )
    assert shown(lines) == [1, 2, 3, "39 more", 4]
    more = lines[3]
    assert isinstance(more, MoreTurns)
    assert (more.duration_s, more.charged_c, more.samples) == (78.0, 156.0, 234)
    assert more.voltage_v == (4.0, 82.0)
    assert more.end_reasons == ["for 1 s"]


def test_nested_loops_are_each_their_first_turn():
    nested = program(loop(5), loop(3), step(1), EndLoop(start=1), step(2), EndLoop(start=0))
    assert shown(expansion(nested, executed(*[1, 1, 1, 2] * 10))) == [1, "2 more", 2, "9 more"]


def test_a_loop_left_in_its_middle_is_shown_as_far_as_it_came():
    assert shown(expansion(program(loop(3), step(1), step(2), EndLoop(start=0)), executed(*[1, 2] * 15, 1))) == [
        1,
        2,
        "15 more",
    ]


def test_a_short_ladder_is_shown_value_by_value_even_where_its_block_is_a_loop():
    ladder = program(loop(4, 1.0, 2.0, 3.0), loop(3), step(1), EndLoop(start=1), EndLoop(start=0))
    steps = executed(*[(1, x) for x in (1.0, 2.0, 3.0) for _ in range(10)])
    assert shown(expansion(ladder, steps)) == [1, "9 more"] * 3


def test_a_long_ladder_is_shown_by_its_first_value():
    values = tuple(float(x) for x in range(30))
    ladder = program(loop(2, *values), step(1), EndLoop(start=0))
    assert shown(expansion(ladder, executed(*[(1, x) for x in values]))) == [1, "29 more"]


def test_chambers_are_told_apart_by_their_order():
    chambers = program(
        loop(4),
        SetChamber(temperature=300.0, line=1),
        step(1),
        SetChamber(temperature=310.0, line=1),
        EndLoop(start=0),
    )
    assert shown(expansion(chambers, executed(*[0, 1, 0] * 10))) == [0, 1, 0, "9 more"]


def test_a_goto_that_goes_back_makes_another_turn():
    assert shown(expansion(program(step(1), step(2)), executed(*[1, 2] * 20))) == [1, 2, "19 more"]


def test_ten_thousand_steps_are_cut_in_a_moment():
    long = program(*(step(number) for number in range(1, 10_001)))
    assert len(expansion(long, executed(*range(1, 10_001)))) == 10_000
