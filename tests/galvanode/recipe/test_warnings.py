"""What a valid recipe is warned of: one thing wrong at a time, by line; and nothing where nothing is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.drives import drive_of

from galvanode.cell import read_cell
from galvanode.library import library
from galvanode.recipe import compile_recipe, drives, parse_recipe
from galvanode.recipe.operand import Formula, Result, Variable
from galvanode.recipe.outlook.warnings import Reach, Warning, warnings_of  # noqa: A004
from galvanode.recipe.program import (
    Action,
    AllOf,
    AnyOf,
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
    Window,
)

FULL_CELL = read_cell(library() / "cells" / "lfp-li-zni2.yaml")  # 2 V to 4.4 V, 1C is 0.34 mA
EMPTY = parse_recipe("title: t\nmethod:\n  - rest: {for: 1 min}\n", "r.yaml")


def warned(method: str, head: str = "") -> list[Warning]:
    """Warnings of a recipe whose method begins on line 3, or so many lines later as the head has."""
    recipe = parse_recipe(f"title: t\n{head}record: {{every: 10 s}}\nmethod:\n{method}", "r.yaml")
    return warnings_of(compile_recipe(recipe, FULL_CELL, {}), recipe)


# (what is wrong, method, line, part of the warning)
WRONG = [
    (
        "limit and hold differ",
        "  - constant_current: {current: 0.1 mA, for: 40 h, until: voltage >= 4.3 V}\n"
        "  - constant_voltage: {voltage: 4.2 V, until: current <= 0.01 mA}\n",
        4,
        "charges to 4.3 V, and the hold after it is at 4.2 V",
    ),
    (
        "limit and hold of a discharge differ",
        "  - constant_current: {current: -0.1 mA, for: 40 h, until: voltage <= 2.5 V}\n"
        "  - constant_voltage: {voltage: 2.6 V, for: 1 h}\n",
        4,
        "discharges to 2.5 V, and the hold after it is at 2.6 V",
    ),
    ("record longer than the step", "  - rest: {for: 5 s}\n", 4, "recorded every 10 s but lasts 5 s"),
    (
        "charge in a rest",
        "  - rest: {for: 1 min, until: charge >= 1 mAh}\n",
        4,
        "'charge >= 1 mAh' can never hold: no current flows in a rest",
    ),
    ("charge alone in a rest", "  - rest: {until: charge >= 1 mAh}\n", 4, "cannot end"),
    (
        "constant current compared with another",
        "  - constant_current: {current: 0.1 mA, for: 1 h, until: current <= 0.05 mA}\n",
        4,
        "'current <= 0.05 mA' can never hold: the step holds its current constant",
    ),
    (
        "constant current compared with itself",
        "  - constant_current: {current: 0.1 mA, for: 1 h, until: current <= 0.2 mA}\n",
        4,
        "'current <= 0.2 mA' holds at the first reading",
    ),
    (
        "end at the limit",
        "  - charge: {rate: 0.1C, for: 40 h, until: voltage >= 4.4 V}\n",
        4,
        "a reading past 4.4 V trips the run instead",
    ),
    ("hold at the limit", "  - constant_voltage: {voltage: 4.4 V, for: 1 h}\n", 4, "a little noise trips the run"),
    (
        "variable that nothing uses",
        "  - discharge: {rate: 0.1C, for: 1 h}\n  - set: {q: charge, half: $q / 2}\n",
        5,
        "variable 'half' is not used: nothing in the recipe says '$half'",
    ),
    (
        "goto that goes back for ever",
        "  - rest: {for: 1 min}\n    label: top\n  - goto: top\n",
        6,
        "'goto' goes back, and nothing leads out of what it repeats: after 10,000 times the run fails",
    ),
    (
        "goto that goes back without a bound",
        "  - rest: {for: 1 min}\n    label: top\n  - if: voltage >= 3 V\n    then:\n      - goto: top\n",
        8,
        "'goto' goes back without a bound; say how often with 'at_most'",
    ),
    (
        "end that goes back for ever",
        "  - rest: {for: 1 min}\n    label: top\n"
        "  - charge: {rate: 0.1C, until: {when: voltage >= 4.2 V, then: goto top}}\n",
        6,
        "'voltage >= 4.2 V' goes back, and nothing leads out of what it repeats: the run would not end",
    ),
    (
        "both at once, one of them impossible",
        "  - constant_current: {current: 0.1 mA, for: 1 h, until: voltage >= 4 V and current >= 1 mA}\n",
        4,
        "'voltage >= 4 V and current >= 1 mA' can never hold",
    ),
    (
        "held for longer than the step lasts",
        "  - charge: {rate: 0.1C, for: 1 h, until: {when: voltage >= 4 V, held_for: 2 h}}\n",
        4,
        "can never hold: it must hold for 2 h, and the step lasts 1 h at most",
    ),
    (
        "slope over longer than the step lasts",
        "  - rest: {for: 1 h, until: abs(dV/dt) <= 1 mV/h over 2 h}\n",
        4,
        "a slope over 2 h is known only after that, and the step lasts 1 h at most",
    ),
    (
        "ladder's variable that nothing uses",
        "  - ladder: {rate: [0.1C, 0.2C]}\n    repeat:\n      - charge: {rate: 0.1C, for: 1 h}\n",
        4,
        "ladder's variable 'rate' is not used: nothing in the recipe says '$rate'",
    ),
]


@pytest.mark.parametrize(("method", "line", "part"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_looks_wrong_is_told_with_its_line(method: str, line: int, part: str):
    warnings = warned(method)
    assert any(part in text for _, text in warnings), warnings
    assert {place for place, text in warnings if part in text} == {line}


def test_a_sound_recipe_has_no_warning():
    assert (
        warned(
            "  - rest: {for: 1 h}\n"
            "  - charge: {rate: 0.1C, for: 40 h, until: voltage >= 4.2 V}\n"
            "  - constant_voltage: {voltage: 4.2 V, until: current <= 0.01 mA, for: 10 h}\n"
            "  - discharge: {rate: 0.1C, for: 40 h, until: voltage <= 2.5 V}\n"
        )
        == []
    )


def test_what_leads_out_of_a_goto_back_or_bounds_it_is_not_warned_of():
    assert (
        warned(
            "  - rest: {for: 1 min}\n    label: top\n"
            "  - charge: {rate: 0.1C, until: [voltage >= 4.2 V, {when: time >= 2 h, then: goto top}]}\n"
            "  - if: voltage >= 3 V\n    then:\n      - goto: {label: top, at_most: 5}\n"
        )
        == []
    )


def test_the_measured_nominal_capacity_is_used_by_every_later_rate():
    assert warned("  - discharge: {rate: 0.1C, for: 1 h}\n  - set: {nominal_capacity: charge}\n") == []


def test_a_called_recipe_is_warned_of_at_the_line_of_its_call():
    found = warned("  - rest: {for: 5 s}\n    label: here\n  - call: {recipe: formation}\n")
    assert [line for line, _ in found if line is not None and line > 6] == []


def test_an_unused_parameter_is_named_at_its_line():
    warnings = warned("  - rest: {for: $long}\n", "parameters:\n  long: {default: 1 h}\n  rest: {default: 2 h}\n")
    assert warnings == [(4, "parameter 'rest' is not used: nothing in the recipe says '$rest'")]


def test_every_recipe_of_the_library_uses_its_parameters():
    for path in sorted(library().glob("*.yaml")):
        from galvanode.document import read_document
        from galvanode.recipe.outlook.names import unused_names

        assert unused_names(read_document(path)) == [], path


# --- what only a program says ---------------------------------------------------------------------------------

LIMITS = Limits(voltage=Window(min=2.0, max=4.5), current=Window(min=-0.01, max=0.01))


def condition(quantity: str, comparison: str, value: float, **more: object) -> Condition:
    text = f"{quantity} {comparison} {value:g}"
    return Condition(quantity=quantity, comparison=comparison, value=value, text=text, **more)  # type: ignore[arg-type]


def end(test: Condition | AllOf | AnyOf | Detector, **more: object) -> End:
    return End(test=test, text=getattr(test, "text", "end"), **more)  # type: ignore[arg-type]


def step(*until: End, drive: Any = "current", setpoint: object = 0.001, **more: object) -> Step:
    given: dict[str, object] = {
        "name": "charge",
        "step_id": 1,
        "record": Record(every_s=1.0),
        "poll_s": 1.0,
        "limits": LIMITS,
        "line": 7,
    }
    limit = {"current_limit": more.pop("current_limit")} if "current_limit" in more else {}
    return Step(drive=drive_of(drive, setpoint, **limit), until=until, **(given | more))  # type: ignore[arg-type]


def told(*instructions: object, reach: Reach | None = None, **more: object) -> list[str]:
    program = Program(title="t", instructions=instructions, safety=LIMITS, **more)  # type: ignore[arg-type]
    return [text for _, text in warnings_of(program, EMPTY, lambda _: reach)]


AN_HOUR = end(condition("time", ">=", 3600.0))
NEVER = condition("current", ">=", 0.002)
OPEN = condition("voltage", ">=", 4.2)


def test_all_of_is_impossible_if_one_of_them_is():
    assert "can never hold" in told(step(AN_HOUR, end(AllOf(of=(OPEN, NEVER)))))[0]


def test_any_of_is_impossible_only_if_all_are():
    assert told(step(AN_HOUR, end(AnyOf(of=(OPEN, NEVER))))) == []
    assert "can never hold" in told(step(AN_HOUR, end(AnyOf(of=(NEVER, NEVER)))))[0]


def test_a_detector_may_always_speak():
    assert told(step(end(Detector(name="short_circuit")))) == []


def test_a_step_that_only_a_block_ends_is_not_said_to_be_endless():
    impossible = step(end(NEVER))
    assert any("cannot end" in text for text in told(impossible))
    group = Loop(loop_id="a", group=True, turns=1, stop_when=(AN_HOUR,), counts_cycles=False, end=2, line=6)
    assert not any("cannot end" in text for text in told(group, impossible, EndLoop(start=0)))
    cycles = end(condition("cycle", ">=", 3.0))
    loop = Loop(loop_id="a", turns=9, stop_when=(cycles,), counts_cycles=True, end=2, line=6)
    assert any("cannot end" in text for text in told(loop, impossible, EndLoop(start=0)))


def test_what_must_happen_by_a_time_ends_the_step_either_way():
    assert told(step(end(NEVER, by_s=60.0))) == []


def test_a_test_that_must_hold_longer_than_the_step_lasts_is_impossible():
    assert "must hold for 2 h, and the step lasts 1 h" in told(step(AN_HOUR, end(OPEN, held_s=7200.0)))[0]


def test_a_slope_that_needs_longer_than_the_step_lasts_is_impossible():
    slope = condition("voltage_slope", "<=", 1e-3, over_s=7200.0, magnitude=True)
    assert "known only after that" in told(step(AN_HOUR, end(slope)))[0]


def test_a_voltage_beyond_the_limits_is_never_reached():
    assert "can never hold: the run trips at 4.5 V" in told(step(AN_HOUR, end(condition("voltage", ">=", 4.6))))[0]


def test_a_current_above_the_limit_of_a_hold_is_never_drawn():
    hold = step(
        AN_HOUR, end(condition("current_magnitude", ">=", 0.002)), drive="voltage", setpoint=4.2, current_limit=0.001
    )
    assert "draws 1 mA at most" in told(hold)[0]


def test_a_magnitude_is_never_below_zero():
    assert "never below 0" in told(step(AN_HOUR, end(condition("current_magnitude", "<=", -0.001)), drive="voltage"))[0]


def test_what_counts_up_from_zero_holds_at_once_from_above():
    assert (
        "holds at the first reading: the charge begins at 0"
        in told(step(AN_HOUR, end(condition("charge", "<=", 1.0))))[0]
    )
    assert (
        "holds at the first reading: the charge is never below 0"
        in told(step(AN_HOUR, end(condition("charge", ">=", 0.0))))[0]
    )


def test_a_ladder_is_judged_by_all_its_values():
    ladder = Loop(loop_id="a", turns=2, ladder={"i": (0.001, 0.003)}, counts_cycles=True, end=2, line=6)
    driven = step(AN_HOUR, end(NEVER), setpoint=Variable(name="i"))
    assert told(ladder, driven, EndLoop(start=0)) == []  # it holds at once in the second turn, never in the first
    low = ladder.model_copy(update={"ladder": {"i": (0.0005, 0.001)}})
    assert "can never hold" in told(low, driven, EndLoop(start=0))[0]


def test_what_is_measured_first_is_not_judged():
    assert told(step(AN_HOUR, end(NEVER), setpoint=Result(quantity="charge", factor=1e-3))) == []
    formula = Formula(op="/", of=(Variable(name="capacity"), 3600.0))
    assert told(step(AN_HOUR, end(NEVER), setpoint=formula)) == []


def test_an_instrument_that_is_too_slow_or_too_small_is_told():
    reach = Reach(voltage=(-5.0, 4.0), current=(-0.0005, 0.0005), fastest_s=0.05)
    record = Record(every_s=0.02, burst_every_s=0.01, burst_for_s=1.0)
    found = told(step(AN_HOUR, record=record, poll_s=0.02), reach=reach)
    assert [text.partition(") ")[2] for text in found] == [
        "is recorded every 20 ms, but the instrument takes 50 ms for a reading",
        "is recorded in its burst every 10 ms, but the instrument takes 50 ms for a reading",
        "looks at its limits every 20 ms, but the instrument takes 50 ms for a reading",
        "set point 1 mA is outside the instrument's range, -500 µA to 500 µA",
    ]
    profile = drives.Profile(quantity="current", times=(0.0, 0.01, 1.0), values=(0.0, 0.001, 0.0))
    found = told(step(drive=profile), reach=reach)
    assert any("follows a profile that changes after 10 ms" in text for text in found)
    assert any("profile's value 1 mA is outside" in text for text in found)


def test_an_instrument_that_measures_by_itself_is_not_asked_for_its_pace():
    reach = Reach(voltage=(-5.0, 5.0), current=(-0.1, 0.1), fastest_s=None)
    assert told(step(AN_HOUR, record=Record(every_s=1e-3), poll_s=1e-3), reach=reach) == []


def goto(target: int, at_most: int = 10_000) -> Jump:
    return Jump(action=Action(do="goto", target=target, at_most=at_most), line=9)


def test_a_goto_back_that_nothing_leads_out_of_is_told():
    assert "nothing leads out of what it repeats: after 5 times the run fails" in told(step(AN_HOUR), goto(0, 5))[0]


def test_a_goto_back_without_a_bound_is_told_and_one_with_a_bound_is_not():
    branch = Branch(test=OPEN, text="voltage >= 4.2 V", otherwise=3, line=8)
    assert "goes back without a bound" in told(step(AN_HOUR), branch, goto(0))[0]
    assert told(step(AN_HOUR), branch, goto(0, 5)) == []


def test_a_goto_ahead_is_nothing_to_tell():
    assert told(goto(1), step(AN_HOUR)) == []


def test_an_end_that_goes_back_for_ever_is_told_and_one_with_a_way_out_is_not():
    back = end(OPEN, then=Action(do="goto", target=0))
    assert "nothing leads out of what it repeats: the run would not end" in told(step(back))[0]
    assert told(step(back, AN_HOUR)) == []
    assert told(step(back, end(condition("time", ">=", 60.0), then=Action(do="fail")))) == []


def test_the_place_of_a_warning_is_the_steps_line():
    program = Program(title="t", instructions=(step(end(NEVER)),), safety=LIMITS)
    assert {line for line, _ in warnings_of(program, EMPTY)} == {7}


def test_a_recipe_of_ten_thousand_steps_is_looked_at_in_a_moment(tmp_path: Path):
    import time

    program = Program(title="t", instructions=tuple(step(AN_HOUR) for _ in range(10_000)), safety=LIMITS)
    began = time.monotonic()
    assert warnings_of(program, EMPTY) == []
    assert time.monotonic() - began < 10.0
