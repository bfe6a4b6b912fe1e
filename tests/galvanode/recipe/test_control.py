"""Control flow: branches, ways, groups, variables, calls, ladders; and what bounds them."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe, read_recipe
from galvanode.recipe.method.blocks import MAX_STEPS
from galvanode.recipe.operand import Formula, Result, Variable
from galvanode.recipe.program import Ask, Assign, Branch, Condition, EndLoop, Jump, Loop, Program, Step, Window

CELL = """\
name: LCO | electrolyte | Li-In
area: 0.5 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
nominal_capacity: 1.5 mAh
reference_offset: 0.62 V
envelope: {voltage: {min: 1 V, max: 4.2 V}, current: {max: 5 mA}, temperature: {min: 10 degC, max: 80 degC}}
"""
REST = "rest: {for: 1 s}"
CHARGE = "charge: {rate: 1C, until: voltage >= 4 V}"


def shelved(texts: dict[str, str]) -> dict[str, str]:
    return {f"{name}.yaml": text for name, text in texts.items()}


def compiled(
    method: str, head: str = "", cell: str = CELL, calls: dict[str, str] | None = None, **given: str
) -> Program:
    text = f"version: 2\ntitle: x\n{head}method:\n{method}"
    recipe = parse_recipe(text, "r", shelved(calls or {}))
    program = compile_recipe(recipe, parse_cell(cell, "c"), given)
    assert Program.model_validate_json(program.model_dump_json()) == program
    return program


def kinds(program: Program) -> list[str]:
    return [item.kind for item in program.instructions]


def refused(method: str, **more) -> str:
    with pytest.raises(InvalidInput) as caught:
        compiled(method, **more)
    return str(caught.value)


# --- branches and ways -----------------------------------------------------------------------------------------------


def test_an_if_leads_round_its_then_and_over_its_else():
    program = compiled(
        f"  - {REST}\n  - if: voltage >= 3 V\n    then: [{REST}, {REST}]\n    else: [{REST}]\n  - {REST}\n"
    )
    assert kinds(program) == ["step", "branch", "step", "step", "jump", "step", "step"]
    branch, over = program.instructions[1], program.instructions[4]
    assert isinstance(branch, Branch)
    assert isinstance(over, Jump)
    assert (branch.otherwise, over.action.do, over.action.target) == (5, "goto", 6)
    assert over.action.at_most >= MAX_STEPS
    assert branch.test == Condition(quantity="voltage", comparison=">=", value=3.0, text="voltage >= 3 V")


def test_an_if_without_else_may_be_the_last_thing_and_leads_to_the_end():
    program = compiled(f"  - {REST}\n  - if: charge >= 0 Ah\n    then: [{REST}]\n")
    assert program.instructions[1].otherwise == len(program.instructions) == 3


def test_an_if_compares_any_two_values():
    program = compiled(
        f"  - {REST}\n  - set: {{q: charge}}\n"
        f"  - if: $q / 2 >= charge - 0.1 mAh and abs(current) <= 1 mA or 2 > 1\n    then: [{REST}]\n"
    )
    first, second = program.instructions[2].test.of
    assert first.of[0].quantity == "value"
    assert first.of[0].subject == Formula(op="/", of=(Variable(name="q"), 2.0))
    assert first.of[0].value == Formula(op="-", of=(Result(quantity="charge"), 0.36))
    assert (first.of[1].quantity, first.of[1].magnitude) == ("current", True)
    assert (second.subject, second.value, second.comparison) == (2.0, 1.0, ">=")


def test_what_an_if_asks_may_lie_outside_the_limits():
    assert compiled(f"  - {REST}\n  - if: voltage <= 0.1 V\n    then: [fail: dead]\n").instructions[1].test.value == 0.1


def test_a_goto_leads_to_the_first_instruction_of_its_label():
    program = compiled(
        f"  - label: top\n    times: 2\n    repeat: [{REST}]\n  - if: voltage >= 3 V\n    then: [goto: on]\n"
        f"  - goto: {{label: top, at_most: 5}}\n  - label: on\n    {REST}\n"
    )
    forward, back = (item.action for item in program.instructions if isinstance(item, Jump))
    assert (forward.target, back.target, back.at_most) == (6, 0, 5)
    assert forward.at_most == MAX_STEPS


def test_an_end_of_a_step_may_lead_anywhere_around_it():
    program = compiled(
        f"  - label: top\n    {REST}\n  - times: 3\n    repeat:\n"
        "      - rest: {for: 1 h, until: [{when: voltage >= 3 V, then: goto top},"
        " {when: voltage <= 2 V, then: break}]}\n"
        "    stop_when: {when: voltage >= 4 V, then: goto out}\n  - label: out\n    end: done\n"
    )
    step = program.instructions[2]
    assert [end.then.do for end in step.until] == ["next", "goto", "break"]
    assert step.until[1].then.target == 0
    assert program.instructions[1].stop_when[0].then.target == 4
    assert (program.instructions[4].action.do, program.instructions[4].action.text) == ("end", "done")


def test_bare_words_and_words_with_a_reason():
    program = compiled(
        f"  - times: 2\n    repeat:\n      - {REST}\n      - break\n  - end\n  - fail: cell is dead\n  - fail\n"
    )
    actions = [item.action for item in program.instructions if isinstance(item, Jump)]
    assert [(action.do, action.text) for action in actions] == [
        ("break", ""),
        ("end", ""),
        ("fail", "cell is dead"),
        ("fail", ""),
    ]


def test_break_in_a_ladder_with_times_leaves_both():
    program = compiled(f"  - ladder: {{i: [1 mA, 2 mA]}}\n    times: 3\n    repeat: [{REST}, break]\n  - {REST}\n")
    (jump,) = [item for item in program.instructions if isinstance(item, Jump)]
    assert (jump.action.do, jump.action.target) == ("goto", 6)
    assert isinstance(program.instructions[5], EndLoop)


def test_a_repeat_that_a_break_can_end_needs_nothing_else():
    program = compiled(
        f"  - repeat:\n      - {REST}\n      - if: voltage >= 3 V\n        then: [break]\n"
        "  - repeat: [rest: {for: 1 h, until: {when: voltage >= 3 V, then: end}}]\n"
    )
    assert program.instructions[0].turns == MAX_STEPS
    assert "'repeat' cannot end" in refused("  - repeat: [rest: {for: 1 h, until: voltage >= 3 V}]\n")


def test_a_way_into_a_block_is_refused_and_so_are_unknown_and_double_labels():
    inside = f"  - group: [{{label: in, {REST}}}]\n"
    assert "into a block from outside" in refused(f"{inside}  - goto: in\n")
    assert "did you mean 'in'?" in refused(f"{inside}  - goto: inn\n")
    assert "label 'in' is there twice (line 4)" in refused(f"{inside}  - label: in\n    {REST}\n")
    assert "no item of this recipe has a 'label'" in refused(f"  - {REST}\n  - goto: x\n")


# --- groups ----------------------------------------------------------------------------------------------------------


def test_a_group_has_a_common_time_limits_and_records():
    program = compiled(
        f"  - group: [{REST}, {REST}]\n    for: 1 h\n    name: pulse\n    stop_when: charge >= 1 mAh\n"
        "    safety: {voltage: {max: 4.1 V}}\n    record: {every: 2 s}\n"
        f"  - {REST}\n"
    )
    group, first, _, end, after = program.instructions
    assert isinstance(group, Loop)
    assert (group.group, group.turns, group.counts_cycles, group.name, group.end) == (True, 1, False, "pulse", 3)
    assert [part.text for part in group.stop_when] == ["for 1 h", "charge >= 1 mAh"]
    assert isinstance(end, EndLoop)
    assert first.limits.voltage == Window(min=1.0, max=4.1)
    assert (first.record.every_s, after.record.every_s) == (2.0, 10.0)
    assert after.limits.voltage == Window(min=1.0, max=4.2)


def test_a_group_inside_a_repeat_does_not_take_its_cycles():
    program = compiled(f"  - times: 2\n    repeat:\n      - group: [{REST}]\n        for: 1 h\n")
    assert [loop.counts_cycles for loop in program.instructions if isinstance(loop, Loop)] == [True, False]


def test_a_group_may_break_the_repeat_around_it():
    program = compiled(
        f"  - times: 2\n    repeat:\n      - group: [{REST}]\n"
        "        stop_when: {when: voltage >= 3 V, then: break}\n"
    )
    assert program.instructions[1].stop_when[0].then.do == "break"


# --- variables -------------------------------------------------------------------------------------------------------


def test_a_variable_has_the_dimension_of_its_first_value():
    program = compiled(
        f"  - {REST}\n  - set: {{q: charge, half: $q / 2, n: 3, r: 0.1C, t: temperature, v: 4 V vs Li+/Li}}\n"
        "  - set: {q: $q + 1 mAh}\n"
    )
    assigned = [item for item in program.instructions if isinstance(item, Assign)]
    assert [(item.name, item.dimension) for item in assigned] == [
        ("q", "charge"),
        ("half", "charge"),
        ("n", "number"),
        ("r", "rate"),
        ("t", "temperature"),
        ("v", "voltage"),
        ("q", "charge"),
    ]
    assert assigned[0].value == Result(quantity="charge")
    assert assigned[5].value == pytest.approx(3.38)
    assert assigned[1].text == "$q / 2"
    assert "is '1 V'; expected a charge such as '2 mAh'" in refused(
        f"  - {REST}\n  - set: {{q: charge}}\n  - set: {{q: 1 V}}\n"
    )


def test_a_variable_of_zero_is_a_value():
    program = compiled(f"  - set: {{n: 0, v: 0 V}}\n  - {REST}\n")
    assert [item.value for item in program.instructions[:2]] == [0.0, 0.0]


def test_measurements_per_area_come_per_area():
    program = compiled(f"  - {REST}\n  - set: {{a: areal_charge, i: current_density}}\n")
    first, second = program.instructions[1:]
    assert (first.value.quantity, first.value.factor) == ("charge", pytest.approx(2e4))
    assert (second.value.quantity, second.dimension) == ("current", "current_density")


def test_a_parameter_may_be_set_anew_and_begins_with_its_value():
    program = compiled(
        "  - constant_current: {current: $i, for: 1 s}\n  - set: {i: $i * 2}\n",
        "parameters: {i: {default: 1 mA, max: 2 mA}, other: 1 h}\n",
        i="2 mA",
    )
    assert program.variables == {"i": 2e-3}
    assert program.instructions[0].drive.held == Variable(name="i")
    assert program.instructions[1].value == Variable(name="i", factor=2.0)


def test_one_c_may_be_the_capacity_just_measured():
    method = (
        "  - discharge: {rate: 0.1C, until: voltage <= 2 V}\n  - set: {nominal_capacity: charge}\n"
        "  - ladder: {r: [0.5C, 1C]}\n    repeat:\n      - charge: {rate: $r, until: voltage >= 4 V}\n"
        "  - charge: {rate: 100C, until: current <= C/20}\n"
    )
    program = compiled(method)
    assert program.variables == {"nominal_capacity": 5.4}
    first, _, _, charge, _, last = program.instructions
    assert first.drive.held == Variable(name="nominal_capacity", factor=-0.1 / 3600)
    assert charge.drive.held == Formula(
        op="*", of=(Variable(name="r"), Variable(name="nominal_capacity", factor=1 / 3600))
    )
    assert last.until[0].test.value == Variable(name="nominal_capacity", factor=1 / 72_000)
    assert "is '4C' or -6 mA, outside the cell's envelope" in refused(method.replace("0.1C", "4C"))


def test_one_c_of_a_cell_that_states_no_capacity_must_have_been_measured_before():
    cell = CELL.replace("nominal_capacity: 1.5 mAh\n", "")
    measure = "  - discharge: {current: 1 mA, until: voltage <= 2 V}\n  - set: {nominal_capacity: charge}\n"
    rated = "  - charge: {rate: 1C, until: voltage >= 4 V}\n"
    assert compiled(measure + rated, cell=cell).variables == {}
    assert "needs to know what 1C is" in refused(rated + measure, cell=cell)


@pytest.mark.parametrize(
    ("before", "fits"),
    [
        ("  - set: {t: 1 s}\n", True),
        ("  - if: voltage >= 3 V\n    then: [set: {t: 1 s}]\n", False),
        ("  - if: voltage >= 3 V\n    then: [set: {t: 1 s}]\n    else: [set: {t: 2 s}]\n", True),
        ("  - if: voltage >= 3 V\n    then: [set: {t: 1 s}]\n    else: [end]\n", True),
        ("  - times: 3\n    repeat: [rest: {for: 1 s}, set: {t: 1 s}]\n", True),
        ("  - times: 3\n    repeat: [rest: {for: 1 s}, set: {t: 1 s}]\n    stop_when: short_circuit\n", False),
        ("  - times: 3\n    repeat: [rest: {for: 1 s}, {if: voltage >= 3 V, then: [break]}, set: {t: 1 s}]\n", False),
        ("  - group: [rest: {for: 1 s}, set: {t: 1 s}]\n    for: 1 h\n", False),
        ("  - group: [rest: {for: 1 s}, set: {t: 1 s}]\n", True),
        ("  - rest: {until: {when: voltage >= 3 V, then: goto on}}\n  - set: {t: 1 s}\n", False),
        ("  - operator: {message: How long?, asks: number, name: t, default: 1 s}\n", True),
        (
            "  - rest: {for: 1 h, until: {when: voltage >= 3 V, then: goto on, by: 1 s, otherwise: end}}\n"
            "  - set: {t: 1 s}\n",
            False,
        ),
    ],
)
def test_a_variable_must_have_been_set_on_every_way(before, fits):
    method = f"  - {REST}\n{before}  - label: on\n    rest: {{for: $t}}\n"
    if fits:
        compiled(method)
    else:
        assert "'$t' may not have been set when this begins" in refused(method)


def test_a_way_back_with_less_is_found_too():
    method = (
        f"  - {REST}\n  - if: voltage >= 3 V\n    then: [goto: late]\n  - set: {{t: 1 s}}\n"
        "  - label: early\n    rest: {for: $t}\n  - label: late\n    rest: {for: 1 s}\n  - goto: early\n"
    )
    assert "'$t' may not have been set" in refused(method)
    compiled(method.replace("  - goto: early\n", ""))


def test_what_was_measured_needs_a_step_before_it():
    assert "about the step before" in refused(f"  - set: {{q: charge}}\n  - {REST}\n")
    assert "about the step before" in refused(f"  - if: voltage >= 3 V\n    then: [end]\n  - {REST}\n")
    compiled(f"  - if: cycle >= 3\n    then: [end]\n  - set: {{q: discharge_capacity}}\n  - {REST}\n")


def test_a_number_from_the_operator_is_a_variable():
    program = compiled(
        "  - operator: {message: Weigh the cell, asks: number, name: mass, default: 10 mg}\n"
        "  - discharge: {current: $mass * 100 mA/g, until: voltage <= 2 V}\n"
    )
    ask, step = program.instructions
    assert isinstance(ask, Ask)
    assert (ask.name, ask.dimension) == ("mass", "mass")
    assert step.drive.held == Variable(name="mass", factor=-100.0)
    assert step.drive.signed == -1


# --- parameters and the cell -----------------------------------------------------------------------------------------


def test_parameters_are_bound_to_the_cell():
    head = (
        "parameters:\n  tenth: {default: $cell.nominal_capacity / 10 h, min: 0 mA, max: $cell.nominal_capacity / 1 h}\n"
        "  twice: $tenth * 2\n  density: $tenth / $cell.area\n  warm: $cell.temperature + 35 K\n"
    )
    program = compiled("  - constant_current: {current_density: $density, for: 1 s}\n", head)
    assert program.parameters == {
        "tenth": "150 µA",
        "twice": "300 µA",
        "density": "0.3 mA/cm^2",
        "warm": "60 degC",
    }
    assert program.instructions[0].drive.held == pytest.approx(1.5e-4)
    again = compiled("  - constant_current: {current: $twice, for: 1 s}\n", head, tenth="0.2 mA")
    assert again.instructions[0].drive.held == 4e-4
    with pytest.raises(InvalidInput, match=r"parameter 'tenth' is '2 mA'; expected at most 1\.5 mA"):
        compiled(f"  - {REST}\n", head, tenth="2 mA")


def test_the_cell_may_be_asked_anywhere():
    step = compiled("  - constant_current: {current: $cell.area * 1 mA/cm^2, for: 1 s}\n").instructions[0]
    assert step.drive.held == pytest.approx(5e-4)
    assert "active_mass" in refused("  - constant_current: {current: $cell.active_mass * 1 mA/g, for: 1 s}\n")
    unknown = CELL.replace("electrolyte_thickness: 0.8 mm", "electrolyte_thickness: unknown")
    head = "parameters: {d: $cell.thickness}\n"
    assert compiled(f"  - {REST}\n", head).parameters == {"d": "800 µm"}
    assert "add 'electrolyte_thickness' to the cell" in refused(f"  - {REST}\n", head=head, cell=unknown)


# --- ladders ---------------------------------------------------------------------------------------------------------


def rungs(spec: str) -> tuple[float, ...]:
    program = compiled(f"  - ladder: {{x: {spec}}}\n    repeat: [{REST}]\n")
    return program.instructions[0].ladder["x"]


@pytest.mark.parametrize(
    ("spec", "values"),
    [
        ("{from: 0.1 mA, to: 10 mA, factor: 10}", (1e-4, 1e-3, 1e-2)),
        ("{from: 1 mA, to: 10 mA, factor: 2}", (1e-3, 2e-3, 4e-3, 8e-3)),
        ("{from: 8 mA, to: 1 mA, factor: 0.5}", (8e-3, 4e-3, 2e-3, 1e-3)),
        ("{from: -1 mA, to: -4 mA, factor: 2}", (-1e-3, -2e-3, -4e-3)),
        ("{from: 0.1C, to: 1C, factor: 3}", (0.1, 0.3, 0.9)),
        ("{from: 1 mA, to: 1 mA, factor: 2}", (1e-3,)),
        ("{from: 1 Hz, to: 100 Hz, points_per_decade: 1}", (1.0, 10.0, 100.0)),
        ("{from: 100 Hz, to: 1 Hz, points_per_decade: 1}", (100.0, 10.0, 1.0)),
        ("{from: 1 Hz, to: 10 Hz, points_per_decade: 3}", (1.0, 2.15443469003, 4.64158883361, 10.0)),
        ("{from: 3 V, to: 1 V, by: -1 V}", (3.0, 2.0, 1.0)),
        ("{from: 2, to: 0, by: -1}", (2.0, 1.0, 0.0)),
        ("[3 s, 2 s, $cell.nominal_capacity / 1.5 A]", (3.0, 2.0, 3.6)),
    ],
)
def test_ladders_run_up_and_down_evenly_and_geometrically(spec, values):
    assert rungs(spec) == pytest.approx(values, rel=1e-12)


@given(st.integers(1, 999), st.integers(1, 60), st.integers(11, 40))
def test_a_geometric_ladder_ends_with_what_does_not_pass_its_end(start, times, tenths):
    factor = tenths / 10
    values = rungs(f"{{from: {start} uA, to: {start * times} uA, factor: {factor}}}")
    assert values[0] == pytest.approx(start * 1e-6)
    assert all(b / a == pytest.approx(factor) for a, b in itertools.pairwise(values))
    assert values[-1] <= start * times * 1e-6 * (1 + 1e-12) < values[-1] * factor * (1 + 1e-9)


def test_several_variables_run_together_and_arithmetic_with_them_is_looked_at_turn_by_turn():
    method = (
        "  - ladder: {i: [1 mA, 2 mA], n: [1, {n}]}\n    repeat: [constant_current: {{current: $i * $n, for: 1 s}}]\n"
    )
    program = compiled(method.replace("{i:", "{{i:").replace("{n}]}", "{n}]}}").format(n=2))
    assert program.instructions[1].drive.held == Formula(op="*", of=(Variable(name="i"), Variable(name="n")))
    message = refused(method.replace("{i:", "{{i:").replace("{n}]}", "{n}]}}").format(n=3))
    assert "is '$i * $n', which is '6 mA', outside the cell's envelope (-5 mA to 5 mA)" in message


# --- calls -----------------------------------------------------------------------------------------------------------

CYCLING = """\
version: 2
title: Cycling
parameters: {rate: {default: 0.1C, max: 1C}, upper: 4 V vs Li+/Li, turns: 2}
safety: {voltage: {max: 4 V}, check_every: 60 s}
record: {voltage_change: 1 mV}
analysis: [rate_capability]
method:
  - repeat:
      - charge: {rate: $rate, until: voltage >= $upper}
      - discharge: {rate: $rate, until: voltage <= 2 V}
    times: $turns
"""


def test_a_call_puts_another_recipe_in_its_place():
    program = compiled(
        f"  - {REST}\n  - call: cycling\n"
        f"  - call: {{recipe: cycling, with: {{rate: 0.5C, turns: 3, upper: $v}}}}\n  - {REST}\n",
        "parameters: {v: 4.2 V vs Li+/Li}\nsafety: {check_every: 5 s}\nanalysis: [impedance]\n",
        calls={"cycling": CYCLING},
    )
    steps = [item for item in program.instructions if isinstance(item, Step)]
    assert [step.step_id for step in steps] == [1, 2, 3, 4, 5, 6]
    assert [step.line for step in steps] == [7, 8, 8, 9, 9, 10]
    assert [item.turns for item in program.instructions if isinstance(item, Loop)] == [2, 3]
    assert steps[1].drive.held == pytest.approx(0.15e-3)
    assert steps[3].until[0].test.value == pytest.approx(3.58)
    assert [step.limits.voltage.max for step in steps] == [4.2, 4.0, 4.0, 4.0, 4.0, 4.2]
    assert [step.poll_s for step in steps] == [5.0] * 6
    assert [step.record.voltage_change for step in steps] == [None, 1e-3, 1e-3, 1e-3, 1e-3, None]
    assert program.analyses == ("impedance", "rate_capability")


def test_a_call_may_be_given_what_varies_and_what_was_measured():
    program = compiled(
        f"  - {REST}\n  - set: {{r: 0.2C}}\n  - ladder: {{x: [0.1C, 0.2C]}}\n    repeat:\n"
        "      - call: {recipe: cycling, with: {rate: $x}}\n  - call: {recipe: cycling, with: {rate: $r}}\n",
        calls={"cycling": CYCLING},
    )
    setpoints = [item.drive.held for item in program.instructions if isinstance(item, Step)][1:]
    assert [operand.name for operand in setpoints] == ["x", "x", "r", "r"]
    guards = [item for item in program.instructions if isinstance(item, Branch)]
    assert [(guard.test.comparison, guard.test.value, guard.test.subject) for guard in guards] == [
        ("<=", 1.0, Variable(name="r"))
    ]
    failing = program.instructions[guards[0].otherwise]
    assert failing.action.do == "fail"
    assert "parameter 'rate' of 'cycling' is '2C'; expected at most 1C" in refused(
        "  - ladder: {x: [0.1C, 2C]}\n    repeat: [call: {recipe: cycling, with: {rate: $x}}]\n",
        calls={"cycling": CYCLING},
    )


def test_variables_of_a_called_recipe_are_its_own():
    inner = (
        "version: 2\ntitle: Inner\nparameters: {n: 1, t: 1 s}\nmethod:\n"
        "  - rest: {for: $t * $n}\n  - set: {n: $n + 1, q: charge}\n  - rest: {until: charge >= $q}\n"
    )
    program = compiled(
        f"  - {REST}\n  - set: {{q: voltage, n: 5}}\n  - times: 2\n"
        "    repeat: [call: {recipe: inner, with: {n: $n}}]\n"
        "  - call: inner\n",
        calls={"inner": inner},
    )
    names = [item.name for item in program.instructions if isinstance(item, Assign)]
    assert names == ["q", "n", "inner1.n", "inner1.n", "inner1.q", "inner2.n", "inner2.n", "inner2.q"]
    assert program.variables == {}


def test_labels_and_breaks_stay_inside_their_recipe():
    calls = {"inner": f"title: I\nmethod:\n  - label: a\n    {REST}\n  - goto: {{label: a, at_most: 2}}\n"}
    program = compiled(f"  - label: a\n    {REST}\n  - call: inner\n  - call: inner\n", calls=calls)
    assert [item.action.target for item in program.instructions if isinstance(item, Jump)] == [1, 3]
    outside = {"inner": f"title: I\nmethod: [{REST}, break]\n"}
    message = refused("  - times: 2\n    repeat: [call: inner]\n", calls=outside)
    assert message.startswith("inner.yaml:2:")
    assert "'break' outside of a 'repeat'" in message


def test_the_capacity_that_a_called_recipe_sets_counts_outside_too():
    inner = {
        "measure": "title: M\nmethod:\n  - discharge: {rate: 0.1C, until: voltage <= 2 V}\n"
        "  - set: {nominal_capacity: charge}\n"
    }
    program = compiled(f"  - call: measure\n  - {CHARGE}\n", calls=inner)
    assert program.instructions[-1].drive.held == Variable(name="nominal_capacity", factor=1 / 3600)
    assert program.variables == {"nominal_capacity": 5.4}


def test_a_recipe_is_found_beside_the_one_that_calls_it_and_in_the_library(tmp_path):
    (tmp_path / "outer.yaml").write_text("version: 2\ntitle: O\nmethod: [call: near, call: li-li-cycling]\n")
    (tmp_path / "near.yaml").write_text(f"title: Near\nmethod: [{REST}]\n")
    recipe = read_recipe(tmp_path / "outer.yaml")
    assert recipe.find("near").title == "Near"
    assert recipe.find("li-li-cycling").shelf.folder.name == "protocols"
    assert recipe.find("nowhere") is None
    assert recipe.find("near").find("li-li-cycling") is not None


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_calls_do_not_grow_without_bound(monkeypatch):
    monkeypatch.setattr("galvanode.recipe.method.blocks.MAX_INSTRUCTIONS", 2_000)
    calls = {
        "a": "title: A\nmethod:\n" + "  - call: b\n" * 100,
        "b": "title: B\nmethod:\n" + "  - call: c\n" * 100,
        "c": "title: C\nmethod:\n" + f"  - {REST}\n" * 100,
    }
    message = refused("  - call: a\n", calls=calls)
    assert "c.yaml" in message
    assert "more than 2,000 instructions with all that it calls" in message


def test_ways_back_count_as_steps():
    turn = f"  - label: top\n    times: 1000\n    repeat: [{REST}]\n"
    program = compiled(f"{turn}  - goto: top\n")
    assert program.instructions[-1].action.at_most == 9_999
    program = compiled(f"  - label: top\n    {REST}\n  - goto: top\n")
    assert program.instructions[-1].action.at_most == 10_000
    assert "goes back over 1,000 steps up to 10,000 times" in refused(
        f"{turn}  - goto: {{label: top, at_most: 10000}}\n"
    )
    two = f"{turn}  - goto: {{label: top, at_most: 5000}}\n  - goto: {{label: top, at_most: 5000}}\n"
    assert "expected at most 10,000,000 steps in all" in refused(two)


def test_ifs_may_be_nested_deeper_than_repeats_but_blocks_may_not():
    inner = "  - rest: {for: 1 s}\n"
    for _ in range(12):
        inner = "  - if: cycle >= 1\n    then:\n" + "".join(f"    {line}\n" for line in inner.splitlines())
    compiled(f"  - {REST}\n{inner}")
    block = "  - rest: {for: 1 s}\n"
    for _ in range(9):
        block = "  - group:\n" + "".join(f"    {line}\n" for line in block.splitlines())
    assert "'group' is nested more than 8 deep" in refused(block)


def test_ten_thousand_expanded_steps_are_read_and_compiled_in_less_than_a_second():
    method = "  - times: 100\n    repeat:\n" + f"      - {CHARGE}\n" * 100
    compiled(method)
    began = time.process_time()
    assert len(compiled(method).instructions) == 102
    assert time.process_time() - began < 1.0
