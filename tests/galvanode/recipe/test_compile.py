import json
import time

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Condition, EndLoop, Loop, Program, Record, Step, Window

CELL = """\
name: Li | LLZTO | Li
area: 0.5 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current_density: {max: 5 mA/cm^2}
  temperature: {max: 60 degC}
"""

# The example of the recipe language, as it stands in its description.
CCD = """\
title: Critical current density, Li | solid electrolyte | Li
parameters:
  step: {default: 0.1 mA/cm^2, min: 0.01 mA/cm^2}
  half_cycle: {default: 30 min}
safety:
  voltage: {min: -5 V, max: 5 V}
record: {every: 1 s, voltage_change: 1 mV}
method:
  - rest: {for: 10 min}
  - ladder: {current_density: {from: $step, to: 4 mA/cm^2, by: $step}}
    repeat:
      - plate: {current_density: $current_density, for: $half_cycle}
      - strip: {current_density: $current_density, for: $half_cycle}
    stop_when: short_circuit
"""


def compiled(text: str, cell: str = CELL, **parameters: str) -> Program:
    return compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(cell, "c.yaml"), parameters)


def method(steps: str, head: str = "", **parameters: str) -> Program:
    return compiled(f"title: Test\n{head}method:\n{steps}", **parameters)


def only_step(step: str, head: str = "", **parameters: str) -> Step:
    (instruction,) = method(f"  - {step}\n", head, **parameters).instructions
    assert isinstance(instruction, Step)
    return instruction


def steps_of(program: Program) -> list[Step]:
    return [instruction for instruction in program.instructions if isinstance(instruction, Step)]


def loops_of(program: Program) -> list[Loop]:
    return [instruction for instruction in program.instructions if isinstance(instruction, Loop)]


def test_the_critical_current_density_recipe_compiles_to_a_loop_of_two_steps():
    program = compiled(CCD)
    rest, loop, plate, strip, end = program.instructions
    assert isinstance(loop, Loop)
    assert all(isinstance(step, Step) for step in (rest, plate, strip))
    assert (rest.drive.kind, rest.drive.held, rest.step_id, rest.line) == ("rest", None, 1, 9)
    assert tuple(end.test for end in rest.until) == (
        Condition(quantity="time", comparison=">=", value=600.0, text="for 10 min"),
    )
    assert (loop.turns, loop.end, loop.counts_cycles, loop.line) == (40, 4, True, 11)
    assert loop.ladder["current_density"][:3] == (1.0, 2.0, 3.0)
    assert [end.text for end in loop.stop_when] == ["short_circuit"]
    assert plate.drive.held == Variable(name="current_density", factor=0.5e-4)
    assert strip.drive.held == Variable(name="current_density", factor=-0.5e-4)
    assert (plate.name, plate.step_id, strip.name, strip.step_id) == ("plate", 2, "strip", 3)
    assert plate.record == Record(every_s=1.0, voltage_change=1e-3)
    assert (plate.poll_s, plate.line) == (1.0, 12)
    assert plate.until[0].test.value == 1800.0
    assert end == EndLoop(start=1)
    assert program.parameters == {"step": "0.1 mA/cm^2", "half_cycle": "30 min"}


def test_a_parameter_can_be_set_and_is_kept_as_it_was_written():
    program = compiled(CCD, step="0.05 mA/cm2", half_cycle="1 h")
    assert loops_of(program)[0].turns == 80
    assert program.parameters == {"step": "0.05 mA/cm2", "half_cycle": "1 h"}
    assert steps_of(program)[1].until[0].text == "for 1 h"


def test_a_ladder_takes_exact_decimal_values():
    values = loops_of(compiled(CCD, step="0.05 mA/cm^2"))[0].ladder["current_density"]
    assert len(values) == 80
    assert values == tuple(float(f"{n * 5}e-1") for n in range(1, 81))
    assert values[45] == 23.0  # 2.3 mA/cm2, not 22.999999999999996
    assert values[-1] == 40.0


def test_a_ladder_stops_before_what_it_would_pass_and_runs_down_too():
    program = method(
        "  - ladder: {i: {from: 1 mA, to: 2 mA, by: 0.3 mA}, t: [1 s, 2 s, 3 s, 4 s]}\n"
        "    repeat: [constant_current: {current: $i, for: $t}]\n"
        "  - ladder: {i: {from: 1 mA, to: -1 mA, by: -1 mA}}\n"
        "    repeat: [constant_current: {current: $i, for: 1 s}]\n"
    )
    up, down = loops_of(program)
    assert up.ladder == {"i": (0.001, 0.0013, 0.0016, 0.0019), "t": (1.0, 2.0, 3.0, 4.0)}
    assert down.ladder == {"i": (0.001, 0.0, -0.001)}
    assert steps_of(program)[0].until[0].test == Condition(
        quantity="time", comparison=">=", value=Variable(name="t"), text="for $t"
    )


def test_loops_nest_and_only_the_innermost_counts_cycles():
    program = method(
        "  - times: 3\n"
        "    repeat:\n"
        "      - rest: {for: 1 s}\n"
        "      - times: 2\n"
        "        repeat: [plate: {current: 1 mA, for: 1 s}]\n"
        "      - for: 2000 h\n"
        "        stop_when: [short_circuit]\n"
        "        repeat: [strip: {current: 1 mA, for: 1 s}]\n"
    )
    outer, twice, timed = loops_of(program)
    assert [loop.counts_cycles for loop in (outer, twice, timed)] == [False, True, True]
    assert (outer.turns, twice.turns, timed.until_s) == (3, 2, 7.2e6)
    assert (outer.end, twice.end, timed.end) == (8, 4, 7)
    assert [step.step_id for step in steps_of(program)] == [1, 2, 3]
    assert len({loop.loop_id for loop in loops_of(program)}) == 3
    ends = [instruction for instruction in program.instructions if isinstance(instruction, EndLoop)]
    assert [end.start for end in ends] == [2, 5, 0]


def test_times_beside_a_ladder_repeats_the_block_at_every_value():
    program = method(
        "  - ladder: {i: [1 mA, 2 mA]}\n"
        "    times: $turns\n"
        "    repeat: [plate: {current: $i, for: 1 s}]\n"
        "    stop_when: {short_circuit: {drop: 30 %, confirm: 5, settle: 1 min, noise: 1 mV}}\n",
        "parameters: {turns: 5}\n",
    )
    ladder, times = loops_of(program)
    assert (ladder.turns, ladder.counts_cycles, times.turns, times.counts_cycles) == (2, False, 5, True)
    assert ladder.stop_when[0].test.options == {"drop": 0.3, "confirm": 5.0, "settle_s": 60.0, "noise_V": 1e-3}
    assert (times.ladder, times.stop_when) == ({}, ())


@pytest.mark.parametrize(
    ("text", "quantity", "comparison", "value"),
    [
        ("voltage >= 4.2 V", "voltage", ">=", 4.2),
        ("voltage > 4.2 V", "voltage", ">=", 4.2),
        ("voltage<=-10mV", "voltage", "<=", -0.01),
        ("voltage < 0 V", "voltage", "<=", 0.0),
        ("current <= 10 uA", "current", "<=", 1e-5),
        ("current_density <= 0.1 mA/cm^2", "current", "<=", 0.5e-4),
        ("charge >= 1 mAh", "charge", ">=", 3.6),
        ("capacity >= 1 mAh", "charge", ">=", 3.6),
        ("areal_charge >= 0.1 mAh/cm^2", "charge", ">=", 0.18),
        ("areal_capacity >= 0.1 mAh/cm^2", "charge", ">=", 0.18),
        ("energy >= 1 mWh", "energy", ">=", 3.6),
        ("temperature >= 50 degC", "temperature", ">=", 323.15),
        ("voltage >= $limit", "voltage", ">=", 3.5),
    ],
)
def test_a_condition_is_compiled_to_what_is_measured_at_the_terminals(text, quantity, comparison, value):
    step = only_step(f"constant_current: {{current: 1 mA, until: '{text}'}}", "parameters: {limit: 3.5 V}\n")
    condition = step.until[0].plain
    assert (condition.quantity, condition.comparison) == (quantity, comparison)
    assert condition.value == pytest.approx(value, rel=1e-12, abs=0.0 if value else 1e-30)


def test_an_end_reason_reads_as_the_recipe_with_its_parameters_filled_in():
    step = only_step(
        "rest: {for: $t, until: [voltage >= $limit, voltage < -1 V]}", "parameters: {t: 2 h, limit: 3.5 V}\n"
    )
    assert [end.text for end in step.until] == ["for 2 h", "voltage >= 3.5 V", "voltage < -1 V"]


def test_zero_is_a_value_everywhere():
    step = only_step("constant_current: {current: 0 A, for: 0 s, until: voltage <= 0 V}")
    assert step.drive.held == 0.0
    assert [end.test.value for end in step.until] == [0.0, 0.0]
    assert only_step("constant_voltage: {voltage: 0 V, for: 1 s}").drive.held == 0.0


def test_plating_is_positive_and_stripping_negative():
    assert only_step("plate: {current: 1 mA, for: 1 s}").drive.held == 1e-3
    assert only_step("strip: {current: 1 mA, for: 1 s}").drive.held == -1e-3
    assert only_step("strip: {current_density: 2 mA/cm^2, for: 1 s}").drive.held == -1e-3
    assert only_step("constant_current: {current: -1 mA, for: 1 s}").drive.held == -1e-3


def test_a_constant_voltage_step_may_limit_its_current():
    step = only_step("constant_voltage: {voltage: 4 V, current_limit: 1 mA, until: current <= 0.1 mA}")
    assert (step.drive.kind, step.drive.held, step.drive.limit) == ("voltage", 4.0, 1e-3)
    assert only_step("constant_voltage: {voltage: 4 V, for: 1 s}").drive.limit is None


def test_limits_are_the_envelope_tightened_by_the_recipe_and_then_by_the_step():
    head = "safety: {voltage: {min: 0 V}, current: {max: 1 mA}}\n"
    step = only_step("rest: {for: 1 s, safety: {voltage: {max: 3 V}, temperature: {max: 50 degC}}}", head)
    assert step.limits.voltage == Window(min=0.0, max=3.0)
    assert step.limits.current == Window(min=-1e-3, max=1e-3)
    assert step.limits.temperature == Window(min=None, max=323.15)
    program = method("  - rest: {for: 1 s}\n", head)
    assert program.safety.voltage == Window(min=0.0, max=5.0)
    assert steps_of(program)[0].limits == program.safety


def test_a_current_limit_of_zero_on_one_side_is_kept():
    program = method("  - rest: {for: 1 s}\n", "safety: {current: {min: -1 mA, max: 0 A}}\n")
    assert program.safety.current == Window(min=-1e-3, max=0.0)
    with pytest.raises(InvalidInput, match=r"r\.yaml:4:33: .*outside the recipe's 'safety'"):
        method("  - constant_current: {current: 1 mA, for: 1 s}\n", "safety: {current: {min: -1 mA, max: 0 A}}\n")


@pytest.mark.parametrize(
    ("head", "inner", "poll_s", "every_s"),
    [
        ("", "", 10.0, 10.0),
        ("record: {every: 1 s}\n", "", 1.0, 1.0),
        ("record: {every: 1 min}\n", "", 10.0, 60.0),
        ("record: {voltage_change: 1 mV}\n", "", 10.0, None),
        ("record: {every: 1 min}\nsafety: {check_every: 30 s}\n", "", 30.0, 60.0),
        ("record: {every: 1 min}\n", ", safety: {check_every: 2 s}", 2.0, 60.0),
        ("record: {every: 1 min}\n", ", record: {every: 0.1 s}", 0.1, 0.1),
        ("safety: {check_every: 60 s}\n", ", record: {current_change: 1 uA}", 60.0, None),
    ],
)
def test_a_step_is_polled_for_its_limits_and_for_its_records(head, inner, poll_s, every_s):
    step = only_step(f"rest: {{for: 1 h{inner}}}", head)
    assert (step.poll_s, step.record.every_s) == (poll_s, every_s)


def test_what_a_step_does_not_say_about_records_it_takes_from_the_recipe():
    step = only_step("rest: {for: 1 h, record: {every: 1 s}}", "record: {every: 1 min, voltage_change: 1 mV}\n")
    assert step.record == Record(every_s=1.0, voltage_change=1e-3)


def test_a_step_may_carry_a_name_of_its_own():
    assert only_step("rest: {for: 1 h, name: Soak}").name == "Soak"


def test_current_densities_above_the_envelope_are_found_on_the_ladder_too():
    text = CCD.replace("4 mA/cm^2", "6 mA/cm^2")
    with pytest.raises(InvalidInput) as caught:
        compiled(text)
    assert str(caught.value) == (
        "r.yaml:12:34: 'plate.current_density' is '$current_density', which is '5.1 mA/cm^2', "
        "outside the cell's envelope (-5 mA/cm^2 to 5 mA/cm^2)"
    )


def test_a_current_at_the_very_edge_of_the_envelope_is_allowed():
    for area in ("0.785", "0.5", "1.1310", "0.1", "3"):
        cell = CELL.replace("0.5 cm^2", f"{area} cm^2")
        text = "title: x\nmethod:\n  - plate: {current_density: 5 mA/cm^2, for: 1 s}\n"
        assert compiled(text, cell).instructions


def test_rounding_never_loosens_a_limit():
    for area in ("0.785", "0.3", "1.131", "0.7"):
        current = f"{float(area) * 5:.10g}"
        cell = CELL.replace("0.5 cm^2", f"{area} cm^2").replace(
            "current_density: {max: 5 mA/cm^2}", f"current: {{max: {current} mA}}"
        )
        text = "title: x\nsafety: {current_density: {max: 5 mA/cm^2}}\nmethod: [rest: {for: 1 s}]\n"
        assert compiled(text, cell).safety.current.max <= float(current) * 1e-3


def test_a_program_survives_json():
    for text in (CCD, "title: x\nmethod: [rest: {for: 1 s}]\n"):
        program = compiled(text)
        assert Program.model_validate_json(program.model_dump_json()) == program
        assert json.loads(program.model_dump_json())["format"] == 3


def test_steps_compile_in_the_time_that_making_their_models_takes():
    """Ten thousand that a loop expands to are measured in test_control; these are written out, which YAML dominates."""
    line = "  - plate: {current_density: 0.1 mA/cm^2, for: 10 s, until: voltage >= 4 V}\n"
    recipe = parse_recipe("title: x\nmethod:\n" + line * 500, "r.yaml")
    cell = parse_cell(CELL, "c.yaml")
    data = compile_recipe(recipe, cell).model_dump()
    assert len(data["instructions"]) == 500

    def fastest(action) -> float:
        times = []
        for _ in range(3):
            began = time.process_time()
            action()
            times.append(time.process_time() - began)
        return min(times)

    assert fastest(lambda: compile_recipe(recipe, cell)) < 3 * fastest(lambda: Program.model_validate(data))


def test_ten_million_steps_in_loops_compile_at_once_and_more_are_refused():
    nested = (
        "  - times: {0}\n    repeat:\n      - times: 1000\n        repeat:\n          - times: 1000\n"
        "            repeat: [rest: {{for: 1 s}}]\n"
    )
    assert len(method(nested.format(10)).instructions) == 7
    with pytest.raises(InvalidInput, match=r"r\.yaml:3:5: the method makes 11,000,000 steps"):
        method(nested.format(11))


def test_a_loop_for_a_time_may_stand_in_another():
    program = method("  - times: 100\n    repeat:\n      - for: 2000 h\n        repeat: [rest: {for: 1 s}]\n")
    assert loops_of(program)[1].until_s == 7.2e6
