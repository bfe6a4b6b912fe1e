"""Power, load, iR correction, averages, records and limits of a step; a question to the operator."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, describe, estimate, parse_recipe
from galvanode.recipe.operand import Formula, Variable
from galvanode.recipe.program import Ask, Program, Record, Step, Window

CELL = """\
name: Cell
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 2 mAh
reference_offset: 0.62 V
envelope: {voltage: {min: 2 V, max: 5 V}, current: {max: 10 mA}, temperature: {min: 0 degC, max: 80 degC}}
"""
SYMMETRIC = CELL.replace("{min: 2 V, max: 5 V}", "{min: -5 V, max: 5 V}")


def program(steps: str, head: str = "", cell: str = CELL) -> Program:
    return compile_recipe(parse_recipe(f"title: x\n{head}method:\n{steps}", "r"), parse_cell(cell, "c"))


def only(step: str, head: str = "", cell: str = CELL) -> Step:
    (found,) = program(f"  - {step}\n", head, cell).instructions
    assert isinstance(found, Step)
    return found


def refused(step: str, head: str = "", cell: str = CELL) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        program(f"  - {step}\n", head, cell)
    assert caught.value.line is not None
    return caught.value


# --- power and load --------------------------------------------------------------------------------------------


def test_a_constant_power_has_a_sign():
    step = only("constant_power: {power: -5 mW, until: voltage <= 2.5 V}")
    assert (step.drive.kind, step.name, step.drive.held, step.drive.signed) == ("power", "constant_power", -5e-3, 0)
    assert only("constant_power: {power: 5 mW, for: 1 h}").drive.held == 5e-3
    assert only("constant_power: {power: 0 W, for: 1 h}").drive.held == 0.0


def test_a_load_is_a_resistance_above_zero():
    step = only("constant_resistance: {resistance: 1 kohm, until: voltage <= 2.5 V}")
    assert (step.drive.kind, step.drive.held, step.drive.signed) == ("resistance", 1000.0, 1)


def test_the_step_gives_the_sign_of_a_power():
    charge = only("charge: {power: 5 mW, until: voltage >= 4.2 V}")
    discharge = only("discharge: {power: 5 mW, until: voltage <= 2.5 V}")
    assert (charge.drive.kind, charge.drive.held, charge.drive.signed) == ("power", 5e-3, 1)
    assert (discharge.drive.kind, discharge.drive.held, discharge.drive.signed) == ("power", -5e-3, -1)


def test_a_discharge_may_go_through_a_load():
    step = only("discharge: {resistance: 1 kohm, until: voltage <= 2.5 V}")
    assert (step.drive.kind, step.drive.held, step.drive.signed) == ("resistance", 1000.0, 1)


@pytest.mark.parametrize(
    ("step", "sign"),
    [
        ("plate: {current: 1 mA, for: 1 h}", 1),
        ("strip: {current: 1 mA, for: 1 h}", -1),
        ("charge: {rate: 1C, for: 1 h}", 1),
        ("discharge: {current_density: 1 mA/cm^2, for: 1 h}", -1),
        ("constant_current: {current: -1 mA, for: 1 h}", 0),
        ("constant_voltage: {voltage: 3 V, for: 1 h}", 0),
        ("rest: {for: 1 h}", 0),
    ],
)
def test_what_is_worked_out_while_it_runs_must_have_the_sign_of_the_step(step, sign):
    assert only(step).drive.signed == sign


@pytest.mark.parametrize(
    "step",
    [
        "constant_power: {power: 5 mW, for: 1 h}",
        "constant_resistance: {resistance: 1 kohm, for: 1 h}",
        "charge: {power: 5 mW, for: 1 h}",
        "profile: {points: [[0 s, 1 mA], [1 min, 0 mA]]}",
    ],
)
def test_what_the_host_regulates_is_looked_at_every_second_or_more_often(step):
    assert only(step).poll_s == 1.0
    assert only(step, "record: {every: 1 min}\n").poll_s == 1.0
    assert only(step, "record: {every: 100 ms}\n").poll_s == 0.1
    assert only(step, "safety: {check_every: 500 ms}\n").poll_s == 0.5


def test_a_hold_after_a_power_draws_no_more_than_flowed_at_the_end():
    driven, hold = program("  - charge: {power: 8 mW, until: voltage >= 4 V, then_hold: {for: 1 h}}\n").instructions
    assert (driven.drive.kind, hold.drive.kind, hold.drive.held) == ("power", "voltage", 4.0)
    assert hold.drive.limit == pytest.approx(2e-3)
    assert (driven.step_id, hold.step_id) == (1, 1)


def test_a_hold_after_a_load_draws_no_more_than_flowed_at_the_end():
    steps = "  - discharge: {resistance: 1 kohm, until: voltage <= 2.5 V, then_hold: {until: current <= 0.1 mA}}\n"
    _, hold = program(steps).instructions
    assert hold.drive.limit == pytest.approx(2.5e-3)
    assert (hold.until[0].test.quantity, hold.until[0].test.value) == ("current_magnitude", 1e-4)


@pytest.mark.parametrize(
    "until",
    [
        "{when: voltage >= 4 V, by: 5 h}",
        "{when: voltage >= 4 V, held_for: 10 s, not_before: 1 min}",
        "[voltage >= 4 V, {when: temperature >= 50 degC, then: fail}]",
        "[voltage >= 4 V, {when: voltage <= 2.2 V, then: end}]",
    ],
)
def test_a_hold_may_follow_a_voltage_of_which_more_is_said(until):
    _, hold = program(f"  - charge: {{rate: 1C, until: {until}, then_hold: {{for: 1 h}}}}\n").instructions
    assert (hold.drive.kind, hold.drive.held, hold.drive.limit) == ("voltage", 4.0, pytest.approx(2e-3))


@pytest.mark.parametrize(
    "until",
    [
        "{when: voltage >= 4 V, by: 5 h, otherwise: next}",
        "{when: voltage >= 4 V, then: end}",
        "[voltage >= 4 V, temperature >= 50 degC]",
        "voltage >= 4 V or temperature >= 50 degC",
        "abs(voltage) >= 4 V",
        "charge >= 1 mAh",
    ],
)
def test_a_hold_follows_nothing_but_the_voltage(until):
    said = refused(f"charge: {{rate: 1C, until: {until}, then_hold: {{for: 1 h}}}}").message
    assert said.startswith("'then_hold' holds the voltage that ended the step; expected one voltage in 'until'")


def test_a_mapping_about_the_wrong_way_is_refused_at_its_condition():
    error = refused("charge: {rate: 1C, until: {when: voltage <= 4 V, by: 1 h}}")
    assert "is 'voltage <= 4 V'; expected '>=': the voltage rises in a charge" in error.message
    assert error.column == len("  - charge: {rate: 1C, until: {when: ") + 1


def test_the_limit_of_a_hold_varies_with_a_ladder():
    steps = (
        "  - ladder: {p: [4 mW, 8 mW]}\n    repeat:\n"
        "      - charge: {power: $p, until: voltage >= 4 V, then_hold: {for: 1 h}}\n"
        "      - charge: {power: 4 mW, until: voltage >= 3 V, then_hold: {for: 1 h}}\n"
    )
    _, driven, hold, _, fixed, _ = program(steps).instructions
    assert driven.drive.held == Variable(name="p")
    assert hold.drive.limit == Formula(op="abs", of=(Formula(op="/", of=(Variable(name="p"), 4.0)),))
    assert fixed.drive.limit == pytest.approx(4e-3 / 3)


@pytest.mark.parametrize(
    ("step", "cell", "said"),
    [
        (
            "constant_power: {power: -51 mW, for: 1 h}",
            CELL,
            "'constant_power.power' is '-51 mW'; expected at most 50 mW, which is 5 V x 10 mA of the cell's envelope",
        ),
        ("charge: {power: 0 W, for: 1 h}", CELL, "'charge.power' is '0 W'; expected a power above 0"),
        ("charge: {power: -5 mW, for: 1 h}", CELL, "'charge.power' is '-5 mW'; expected a power above 0"),
        ("constant_power: {power: 5 mA, for: 1 h}", CELL, "is '5 mA'; expected a power such as '5 mW'"),
        ("constant_power: {for: 1 h}", CELL, "'power' is missing"),
        (
            "constant_resistance: {resistance: 100 ohm, for: 1 h}",
            CELL,
            "expected one that draws 10 mA or less, not 20 mA, at the lowest voltage of the cell's envelope",
        ),
        ("constant_resistance: {resistance: 0 ohm, for: 1 h}", CELL, "expected a resistance above 0"),
        ("constant_resistance: {resistance: -5 ohm, for: 1 h}", CELL, "expected a resistance above 0"),
        ("constant_resistance: {resistance: 1 kohm}", CELL, "the step cannot end"),
        ("charge: {resistance: 1 kohm, for: 1 h}", CELL, "unknown key 'resistance' in 'method.charge'"),
        ("charge: {rate: 1C, power: 1 mW, for: 1 h}", CELL, "the step has both 'rate' and 'power'; keep one"),
        (
            "discharge: {for: 1 h}",
            CELL,
            "the step has no 'rate', 'current', 'current_density', 'power' or 'resistance'; expected one of them",
        ),
        (
            "discharge: {power: 1 mW, until: voltage <= 0 V, then_hold: {for: 1 h}}",
            SYMMETRIC,
            "'then_hold' would hold 0 V, where a power says nothing about the current",
        ),
        (
            "charge: {power: 1 mW, until: [voltage >= 4 V, charge >= 1 mAh], then_hold: {for: 1 h}}",
            CELL,
            "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it",
        ),
        (
            "charge: {power: 1 mW, until: voltage <= 4 V}",
            CELL,
            "'charge.until' is 'voltage <= 4 V'; expected '>=': the voltage rises in a charge",
        ),
    ],
)
def test_a_power_or_a_load_that_cannot_be(step, cell, said):
    assert said in refused(step, cell=cell).message


def test_a_load_on_a_cell_that_goes_through_zero_is_left_to_the_limits():
    assert only("constant_resistance: {resistance: 1 ohm, for: 1 h}", cell=SYMMETRIC).drive.held == 1.0


def test_every_power_of_a_ladder_must_be_possible():
    steps = "  - ladder: {p: [5 mW, 500 mW]}\n    repeat: [constant_power: {power: $p, for: 1 h}]\n"
    with pytest.raises(InvalidInput, match=r"r:4:38: 'constant_power\.power' is '\$p'; expected at most 50 mW"):
        program(steps)


def test_a_tighter_safety_leaves_less_power():
    said = refused("constant_power: {power: 40 mW, for: 1 h, safety: {current: {max: 5 mA}}}").message
    assert said.endswith("expected at most 25 mW, which is 5 V x 5 mA of the step's 'safety'")


# --- scans and spectra -----------------------------------------------------------------------------------------


def test_ir_correction_makes_up_for_a_share_of_a_resistance():
    assert only("sweep: {to: 4 V, rate: 1 mV/s}").drive.compensated is None
    whole = only("sweep: {to: 4 V, rate: 1 mV/s, ir_correction: {resistance: 12 ohm}}")
    assert whole.drive.compensated == 12.0
    scan = "cyclic_voltammetry: {vertices: [4 V], rate: 1 mV/s, ir_correction: {resistance: 12 ohm, share: 85 %}}"
    assert only(scan).drive.compensated == pytest.approx(10.2)
    assert only(scan.replace("12 ohm", "$r"), "parameters: {r: 20 ohm}\n").drive.compensated == pytest.approx(17.0)


def test_a_corrected_sweep_is_driven_by_the_host_every_second_or_more_often():
    plain = "sweep: {to: 4 V, rate: 0.1 mV/s, step: 1 mV"
    assert only(f"{plain}}}").poll_s == 10.0
    assert only(f"{plain}, ir_correction: {{resistance: 12 ohm}}}}").poll_s == 1.0


def test_a_resistance_may_vary_with_a_ladder():
    steps = (
        "  - ladder: {r: [10 ohm, 20 ohm]}\n"
        "    repeat: [sweep: {to: 4 V, rate: 1 mV/s, ir_correction: {resistance: $r, share: 50 %}}]\n"
    )
    assert program(steps).instructions[1].drive.compensated == Variable(name="r", factor=0.5)


@pytest.mark.parametrize(
    ("correction", "said"),
    [
        ("{share: 85 %}", "'resistance' is missing"),
        ("{resistance: 0 ohm}", "expected a resistance above 0"),
        ("{resistance: 12}", "expected a resistance such as '10 ohm'"),
        ("{resistance: 12 ohm, share: 101 %}", "'ir_correction.share' is '101 %'; expected at most 100 %"),
        ("{resistance: 12 ohm, share: 0 %}", "expected a share above 0"),
        ("12 ohm", "expected a mapping"),
    ],
)
def test_a_correction_that_cannot_be(correction, said):
    assert said in refused(f"sweep: {{to: 4 V, rate: 1 mV/s, ir_correction: {correction}}}").message


def test_a_spectrum_may_be_measured_several_times():
    step = only("impedance: {from: 1 kHz, to: 1 Hz, averages: 4}")
    assert step.drive.averages == 4
    once = only("impedance: {from: 1 kHz, to: 1 Hz}")
    assert once.drive.averages == 1
    found = estimate(program("  - impedance: {from: 1 kHz, to: 1 Hz, averages: 4}\n"))
    assert found.samples == (4 * 31.0, 4 * 31.0)
    assert only("impedance: {from: 1 kHz, to: 1 Hz, averages: $n}", "parameters: {n: 3}\n").drive.averages == 3


@pytest.mark.parametrize("averages", ["0", "101", "1.5", "many", "-1"])
def test_averages_are_a_number_from_one_to_a_hundred(averages):
    said = refused(f"impedance: {{from: 1 kHz, to: 1 Hz, averages: {averages}}}").message
    assert "expected a whole number from 1 to 100" in said


# --- records ---------------------------------------------------------------------------------------------------


def test_a_record_may_follow_the_charge():
    step = only("rest: {for: 1 h}", "record: {charge_change: 1 µAh}\n")
    assert step.record == Record(charge_change=0.0036)


def test_a_burst_is_at_the_beginning_of_the_step():
    step = only("rest: {for: 1 h, record: {every: 1 s, burst: {every: 10 ms, for: 2 s}}}")
    assert step.record == Record(every_s=1.0, burst_every_s=0.01, burst_for_s=2.0)
    assert step.poll_s == 1.0


def test_a_step_takes_over_what_it_does_not_mention():
    head = "record: {every: 1 min, charge_change: 1 mAh, burst: {every: 10 ms, for: 1 s}}\n"
    step = only("rest: {for: 1 h, record: {every: 5 s, burst: {every: 1 ms, for: 2 s}}}", head)
    assert step.record == Record(every_s=5.0, charge_change=3.6, burst_every_s=1e-3, burst_for_s=2.0)


def test_a_burst_alone_does_not_stop_the_record_after_it():
    step = only("rest: {for: 1 h}", "record: {burst: {every: 10 ms, for: 1 s}}\n")
    assert step.record == Record(every_s=10.0, burst_every_s=0.01, burst_for_s=1.0)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("{burst: {every: 10 ms}}", "'for' is missing"),
        ("{burst: {for: 1 s}}", "'every' is missing"),
        ("{burst: 10 ms}", "expected a mapping"),
        ("{burst: {every: 0.1 ms, for: 1 s}}", "'burst.every' is '0.1 ms'; expected a time from 1 ms to 30 years"),
        ("{burst: {every: 2 s, for: 1 s}}", "'burst.every' is '2 s'; expected less than the 1 s of 'for'"),
        ("{burst: {every: 1 s, for: 1 s}}", "expected less than the 1 s of 'for'"),
        ("{charge_change: 0 mAh}", "expected a charge above 0"),
        ("{charge_change: 1 mA}", "expected a charge such as '2 mAh'"),
        ("{charge: 1 mAh}", "unknown key 'charge' in 'rest.record'; did you mean 'charge_change'?"),
    ],
)
def test_a_record_that_cannot_be(record, said):
    message = refused(f"rest: {{for: 1 h, record: {record}}}").message
    assert said in message


# --- limits ----------------------------------------------------------------------------------------------------


def test_a_profile_and_a_load_have_limits_of_their_own():
    step = only("constant_resistance: {resistance: 1 kohm, for: 1 h, safety: {voltage: {min: 2.4 V}}}")
    assert step.limits.voltage == Window(min=2.4, max=5.0)
    said = refused("constant_power: {power: 1 mW, for: 1 h, safety: {voltage: {min: 1 V}}}").message
    assert "outside the cell's envelope" in said


# --- the operator ----------------------------------------------------------------------------------------------


def asked(body: str, head: str = "") -> Ask:
    (found, _) = program(f"  - operator: {body}\n  - rest: {{for: 1 s}}\n", head).instructions
    assert isinstance(found, Ask)
    return found


def test_a_confirmation_is_asked_for_if_nothing_else_is():
    assert asked("{message: Open the valve}") == Ask(message="Open the valve", wants="confirmation", line=3)
    assert asked("{message: Take one, asks: photo, within: 8 h}").within_s == 28800.0


def test_a_number_has_a_name_a_dimension_and_a_range():
    ask = asked("{message: Weigh, asks: number, name: mass, default: 10 mg, min: 1 mg, max: 0.1 g}")
    assert (ask.wants, ask.name, ask.dimension) == ("number", "mass", "mass")
    assert (ask.default, ask.min, ask.max) == pytest.approx((1e-5, 1e-6, 1e-4))
    bare = asked("{message: How many?, asks: number, name: n, default: 3}")
    assert (bare.dimension, bare.default, bare.min) == ("number", 3.0, None)
    zero = asked("{message: m, asks: number, name: n, default: 0, min: 0, max: 0}")
    assert (zero.default, zero.min, zero.max) == (0.0, 0.0, 0.0)


def test_a_default_may_be_a_parameter():
    ask = asked("{message: m, asks: number, name: n, default: $m, within: $w}", "parameters: {m: 5 mg, w: 1 h}\n")
    assert (ask.dimension, ask.default, ask.within_s) == ("mass", pytest.approx(5e-6), 3600.0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{}", "'message' is missing"),
        ("{message: ''}", "is empty; expected text"),
        ("{message: m, asks: text}", "expected 'confirmation', 'number' or 'photo'"),
        ("{message: m, asks: number, default: 1 g}", "'name' is missing beside 'asks: number'"),
        ("{message: m, asks: number, name: n}", "'default' is missing beside 'asks: number'"),
        ("{message: m, name: n}", "'name' is about a number; add 'asks: number' or leave it out"),
        ("{message: m, asks: photo, min: 1 g}", "'min' is about a number"),
        ("{message: m, asks: number, name: 1n, default: 1 g}", "is '1n'; expected letters, digits and '_'"),
        ("{message: m, asks: number, name: n, default: 1 g, min: 1 V}", "is '1 V'; expected a mass such as '12 mg'"),
        ("{message: m, asks: number, name: n, default: 1 g, min: 2 g}", "is '1 g'; expected at least 2 g"),
        ("{message: m, asks: number, name: n, default: 3 g, max: 2 g}", "is '3 g'; expected at most 2 g"),
        ("{message: m, asks: number, name: n, default: 3 g, min: 4 g, max: 2 g}", "expected at least the 4 g of 'min'"),
        ("{message: m, asks: number, name: n, default: many}", "'operator.default' is 'many'"),
        ("{message: m, asks: number, name: n, default: 4 V vs Li+/Li}", "expected a voltage at the terminals"),
        ("{message: m, within: 0 s}", "expected a time above 0"),
        ("{message: m, within: never}", "expected a time"),
        ("{message: m, for: 1 h}", "unknown key 'for' in 'method.operator'"),
    ],
)
def test_a_question_that_cannot_be(body, said):
    assert said in refused(f"operator: {body}").message


# --- the schedule ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "setpoint", "ends", "record"),
    [
        ("constant_power: {power: -5 mW, until: voltage <= 2.5 V}", "-5 mW", "voltage <= 2.5 V", "every 10 s"),
        ("constant_resistance: {resistance: 1 kohm, for: 1 h}", "1 kohm", "for 1 h", "every 10 s"),
        (
            "sweep: {from: 3 V, to: 4 V, rate: 1 mV/s, ir_correction: {resistance: 12 ohm}}",
            "3 V to 4 V at 1 mV/s, 12 ohm made up for",
            "end of sweep",
            "every 1 mV",
        ),
        (
            "impedance: {from: 1 kHz, to: 1 Hz, averages: 4}",
            "1 kHz to 1 Hz, 31 points, 10 mV rms at open circuit, 4 times",
            "end of spectrum",
            "every frequency",
        ),
        (
            "profile: {points: [[0 s, 1 mA], [10 s, -2 mA], [20 s, 0 mA]], until: voltage <= 2.5 V}",
            "current from -2 mA to 1 mA, 3 points",
            "voltage <= 2.5 V or end of profile after 20 s",
            "every 10 s",
        ),
        (
            "rest: {for: 1 h, record: {charge_change: 1 mAh, burst: {every: 10 ms, for: 2 s}}}",
            "",
            "for 1 h",
            "at 1 mAh of change, every 10 ms for the first 2 s",
        ),
        (
            "operator: {message: Weigh, asks: number, name: m, default: 2 mg, min: 1 mg, within: 1 h}",
            "Weigh",
            "a number for $m from 1 mg, or fails after 1 h",
            "",
        ),
    ],
)
def test_a_step_in_the_schedule(step, setpoint, ends, record):
    (row, *_) = describe(program(f"  - {step}\n  - rest: {{for: 1 s}}\n"))
    assert (row.setpoint, row.ends, row.record) == (setpoint, ends, record)


EVERYTHING = """\
  - constant_power: {power: -5 mW, until: voltage <= 2.5 V, record: {burst: {every: 10 ms, for: 1 s}}}
    label: again
  - constant_resistance: {resistance: 1 kohm, until: energy >= 1 mWh, for: 1 h}
  - set: {r: voltage / 1 mA, p: power, capacity: charge}
  - charge: {power: $p, until: voltage >= 4 V, then_hold: {until: current <= 0.1 mA}}
  - discharge: {resistance: $r, until: [voltage <= 2.5 V, charge >= $capacity / 2]}
  - sweep: {from: open_circuit + 10 mV, to: 4 V, rate: 1 mV/s, ir_correction: {resistance: $r, share: 85 %}}
  - impedance: {from: 1 kHz, to: 1 Hz, averages: 2, bias: open_circuit + 10 mV}
  - profile: {points: [[0 s, 1 mW], [10 s, -2 mW], [20 s, 0 W]], scale: 0.5, until: voltage <= 2.5 V}
  - operator: {message: Weigh, asks: number, name: mass, default: 10 mg, max: 20 mg, within: 8 h}
  - constant_current: {current: $mass * 155 mAh/g / 10 h, until: {when: voltage >= 4 V, by: 1 h, otherwise: goto again}}
"""


def test_a_program_of_every_step_survives_json_and_is_told_and_bounded():
    found = program(EVERYTHING, "version: 2\n")
    assert Program.model_validate_json(found.model_dump_json()) == found
    assert len(describe(found)) == len([item for item in found.instructions if item.kind != "end_loop"])
    assert estimate(found).duration_s.low >= 20.0


def test_what_is_measured_becomes_the_set_point_with_its_sign():
    steps = [item for item in program(EVERYTHING, "version: 2\n").instructions if isinstance(item, Step)]
    charge, hold, discharge = steps[2:5]
    assert (charge.drive.held, charge.drive.signed) == (Variable(name="p"), 1)
    assert hold.drive.limit == Formula(op="abs", of=(Formula(op="/", of=(Variable(name="p"), 4.0)),))
    assert (discharge.drive.held, discharge.drive.signed) == (Variable(name="r"), 1)
    assert steps[5].drive.compensated == Variable(name="r", factor=0.85)
