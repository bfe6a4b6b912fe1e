"""Charge, discharge, C-rates, potentials against Li+/Li, and cycling while capacity is retained."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Condition, Loop, Program, Step, Window

CELL = """\
name: LCO | electrolyte | Li-In
area: 0.5 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
active_mass: 10 mg
specific_capacity: 150 mAh/g
reference_offset: 0.62 V
envelope: {voltage: {min: 1 V, max: 4.2 V}, current: {max: 5 mA}}
"""


def compiled(text: str, cell: str = CELL, **parameters: str) -> Program:
    return compile_recipe(parse_recipe(text, "r"), parse_cell(cell, "c"), parameters)


def steps(step: str, head: str = "", cell: str = CELL, **parameters: str) -> list[Step]:
    program = compiled(f"title: x\n{head}method:\n  - {step}\n", cell, **parameters)
    return [item for item in program.instructions if isinstance(item, Step)]


def only(step: str, head: str = "", **parameters: str) -> Step:
    (found,) = steps(step, head, **parameters)
    return found


@pytest.mark.parametrize(
    ("rate", "amps"),
    [("1C", 1.5e-3), ("0.2C", 0.3e-3), ("C/5", 0.3e-3), ("2 C", 3e-3), (".5C", 0.75e-3), ("C / 20", 0.075e-3)],
)
def test_a_c_rate_is_a_share_of_the_cells_capacity_per_hour(rate, amps):
    charge, discharge = (only(f"{verb}: {{rate: {rate}, for: 1 h}}") for verb in ("charge", "discharge"))
    assert (charge.drive.kind, charge.name, charge.drive.held) == ("current", "charge", pytest.approx(amps, rel=1e-12))
    assert discharge.drive.held == pytest.approx(-amps, rel=1e-12)


def test_one_c_passes_the_stated_capacity_in_an_hour():
    cell = CELL.replace("active_mass: 10 mg\nspecific_capacity: 150 mAh/g\n", "nominal_capacity: 2 mAh\n")
    (step,) = steps("discharge: {rate: 1C, for: 1 h}", cell=cell)
    assert step.drive.held * 3600 == pytest.approx(-7.2)  # C


def test_charge_and_discharge_take_currents_and_densities_in_magnitude():
    assert only("charge: {current: 1 mA, for: 1 h}").drive.held == 1e-3
    assert only("discharge: {current_density: 2 mA/cm^2, for: 1 h}").drive.held == -1e-3


def test_a_ladder_of_rates_keeps_the_rates_and_multiplies_by_the_capacity():
    program = compiled(
        "title: x\nmethod:\n  - ladder: {rate: [0.1C, C/5, 1C]}\n    repeat:\n"
        "      - charge: {rate: $rate, until: voltage >= 4 V, then_hold: {until: current <= 0.05C}}\n"
        "      - discharge: {rate: $rate, until: voltage <= 2 V}\n"
    )
    loop, charge, hold, discharge, _ = program.instructions
    assert isinstance(loop, Loop)
    assert loop.ladder == {"rate": (0.1, 0.2, 1.0)}
    one_c = 1.5e-3
    for operand, factor in ((charge.drive.held, one_c), (hold.drive.limit, one_c), (discharge.drive.held, -one_c)):
        assert isinstance(operand, Variable)
        assert (operand.name, operand.factor) == ("rate", pytest.approx(factor))


def test_a_ladder_of_rates_may_run_in_equal_steps():
    program = compiled(
        "title: x\nmethod:\n  - ladder: {r: {from: 0.1C, to: 1C, by: 0.3C}}\n"
        "    repeat: [charge: {rate: $r, for: 1 s}]\n"
    )
    assert program.instructions[0].ladder == {"r": (0.1, 0.4, 0.7, 1.0)}


def test_a_rate_may_be_a_parameter_with_a_range():
    head = "parameters: {rate: {default: 0.5C, max: 2C}}\n"
    assert only("charge: {rate: $rate, for: 1 h}", head, rate="C/10").drive.held == pytest.approx(0.15e-3)
    with pytest.raises(InvalidInput, match="parameter 'rate' is '3C'; expected at most 2C"):
        only("charge: {rate: $rate, for: 1 h}", head, rate="3C")
    with pytest.raises(InvalidInput, match=r"parameter 'rate' is '1 mA'; expected a C-rate such as '0\.5C'"):
        only("charge: {rate: $rate, for: 1 h}", head, rate="1 mA")


def test_a_charge_with_a_hold_is_one_step_of_the_recipe_in_two_phases():
    driven, hold = steps(
        "charge: {rate: 0.2C, until: voltage >= 4 V, name: formation, "
        "then_hold: {until: [current <= 0.05C, current_density <= 0.01 mA/cm^2], for: 2 h}}"
    )
    assert (driven.name, driven.step_id, driven.drive.kind) == ("formation", 1, "current")
    assert (hold.name, hold.step_id, hold.drive.kind) == ("formation", 1, "voltage")
    assert tuple(end.test for end in driven.until) == (
        Condition(quantity="voltage", comparison=">=", value=4.0, text="voltage >= 4 V"),
    )
    assert (hold.drive.held, hold.drive.limit) == (4.0, driven.drive.held)
    assert [(item.test.quantity, item.test.comparison) for item in hold.until] == [
        ("time", ">="),
        ("current_magnitude", "<="),
        ("current_magnitude", "<="),
    ]
    assert [item.test.value for item in hold.until] == [7200.0, pytest.approx(0.075e-3), pytest.approx(0.005e-3)]
    assert hold.until[1].text == "current <= 0.05C"


def test_the_hold_of_a_discharge_takes_no_more_than_its_current_and_tapers_in_magnitude():
    driven, hold = steps("discharge: {current: 1 mA, until: voltage <= 2 V, then_hold: {until: current <= 50 uA}}")
    assert (driven.drive.held, hold.drive.limit, hold.drive.held) == (-1e-3, 1e-3, 2.0)
    assert hold.until[0].test.quantity == "current_magnitude"


def test_a_constant_voltage_may_end_by_the_magnitude_of_its_current():
    condition = only("constant_voltage: {voltage: 4 V, until: current_magnitude <= C/20}").until[0].test
    assert (condition.quantity, condition.value) == ("current_magnitude", pytest.approx(0.075e-3))
    signed = only("constant_voltage: {voltage: 4 V, until: current <= 10 uA}").until[0].test
    assert signed.quantity == "current"


@pytest.mark.parametrize("reference", ["vs Li+/Li", "vs. Li+/Li", "vs Li/Li+", "vs Li⁺/Li"])
def test_a_potential_becomes_the_voltage_at_the_terminals(reference):
    condition = only(f"charge: {{rate: 1C, until: voltage >= 4.22 V {reference}}}").until[0].test
    assert condition.value == 3.6  # 0.62 V less, without rounding
    assert condition.text == "voltage >= 4.22 V vs Li+/Li (3.6 V at the terminals)"


def test_a_plain_voltage_is_one_at_the_terminals():
    condition = only("charge: {rate: 1C, until: voltage >= 3.6 V}").until[0].test
    assert (condition.value, condition.text) == (3.6, "voltage >= 3.6 V")


def test_potentials_are_taken_wherever_a_voltage_stands():
    assert only("constant_voltage: {voltage: 4 V vs Li+/Li, for: 1 s}").drive.held == pytest.approx(3.38)
    assert only("sweep: {from: 3 V vs Li+/Li, to: 4 V vs Li+/Li, rate: 1 mV/s}").drive.vertices == pytest.approx(
        (2.38, 3.38)
    )
    assert only("impedance: {from: 1 kHz, to: 1 Hz, bias: 4 V vs Li+/Li}").drive.bias == pytest.approx(3.38)
    head = "parameters: {upper: {default: 4.22 V vs Li+/Li, max: 4.7 V vs Li+/Li}}\n"
    assert only("charge: {rate: 1C, until: voltage >= $upper}", head).until[0].test.value == 3.6
    again = only("charge: {rate: 1C, until: voltage >= $upper}", head, upper="4.62 V vs Li+/Li")
    assert again.until[0].test.value == 4.0


def test_a_parameter_that_is_a_potential_is_not_set_to_a_plain_voltage_or_the_other_way_round():
    for default, given, due in (
        ("4.22 V vs Li+/Li", "3.6 V", "a potential such as '4.2 V vs Li"),
        ("3.6 V", "4.22 V vs Li+/Li", "a voltage such as '5 V'"),
    ):
        with pytest.raises(InvalidInput, match=rf"parameter 'upper' is '.*expected {due}"):
            only("charge: {rate: 1C, until: voltage >= $upper}", f"parameters: {{upper: {default}}}\n", upper=given)


def test_a_ladder_of_potentials_holds_voltages_at_the_terminals():
    for spec in (
        "[3 V vs Li+/Li, 3.5 V vs Li+/Li, 4 V vs Li+/Li]",
        "{from: 3 V vs Li+/Li, to: 4 V vs Li+/Li, by: 0.5 V}",
    ):
        program = compiled(
            f"title: x\nmethod:\n  - ladder: {{v: {spec}}}\n    repeat: [constant_voltage: {{voltage: $v, for: 1 s}}]\n"
        )
        assert program.instructions[0].ladder == {"v": (2.38, 2.88, 3.38)}


def test_a_safety_limit_against_lithium_says_so_itself():
    (step,) = steps("rest: {for: 1 h, safety: {voltage: {max: 4.22 V vs Li+/Li}}}")
    assert step.limits.voltage == Window(min=1.0, max=3.6)
    (step,) = steps("rest: {for: 1 h, safety: {voltage: {max: 4.1 V}}}")
    assert step.limits.voltage == Window(min=1.0, max=4.1)


def test_a_potential_on_a_cell_without_a_stated_reference_is_refused_and_with_zero_it_is_not():
    silent = CELL.replace("reference_offset: 0.62 V\n", "")
    with pytest.raises(
        InvalidInput, match=r"r:3:31: .*add 'reference_offset: 0 V' \(lithium\) or 'reference_offset: 0.62"
    ):
        steps("charge: {rate: 1C, until: voltage >= 4 V vs Li+/Li}", cell=silent)
    (step,) = steps("charge: {rate: 1C, until: voltage >= 4 V vs Li+/Li}", cell=CELL.replace("0.62 V", "0 V"))
    assert step.until[0].test == Condition(
        quantity="voltage", comparison=">=", value=4.0, text="voltage >= 4 V vs Li+/Li"
    )


@pytest.mark.parametrize(
    ("removed", "wanted"),
    [
        (
            "specific_capacity: 150 mAh/g\n",
            "add 'specific_capacity: 140 mAh/g' or 'nominal_capacity: 2 mAh' to the cell",
        ),
        (
            "active_mass: 10 mg\nspecific_capacity: 150 mAh/g\n",
            "add 'nominal_capacity: 2 mAh', or 'active_mass' and 'specific_capacity', to the cell",
        ),
    ],
)
@pytest.mark.parametrize(
    ("step", "column"),
    [("charge: {rate: 0.2C, for: 1 h}", 20), ("constant_voltage: {voltage: 4 V, until: current <= C/20}", 45)],
)
def test_a_c_rate_on_a_cell_without_capacity_names_the_line_to_add(removed, wanted, step, column):
    with pytest.raises(InvalidInput) as caught:
        steps(step, cell=CELL.replace(removed, ""))
    assert wanted in caught.value.message
    assert (caught.value.line, caught.value.column) == (3, column)


def retention_of(loop: Loop) -> tuple[float, int]:
    (end,) = loop.stop_when
    assert (end.test.quantity, end.test.comparison) == ("retention", "<=")
    return end.test.value, end.test.of_cycle


def test_a_block_may_be_repeated_until_a_share_of_the_capacity_is_left():
    block = "[charge: {rate: 1C, until: voltage >= 4 V}, discharge: {rate: 1C, until: voltage <= 2 V}]"
    alone = compiled(f"title: x\nmethod:\n  - repeat: {block}\n    until_retention: 80 % of cycle 1\n")
    loop = alone.instructions[0]
    assert retention_of(loop) == (0.8, 1)
    assert (loop.counts_cycles, loop.turns) == (True, 5_000_000)
    bounded = compiled(
        "title: x\nparameters: {left: 70 %}\nmethod:\n"
        f"  - repeat: {block}\n    times: 500\n    until_retention: $left of cycle 3\n"
    )
    assert retention_of(bounded.instructions[0]) == (0.7, 3)
    assert bounded.instructions[0].turns == 500


def test_a_program_with_everything_in_it_survives_json():
    program = compiled(
        "title: x\nmethod:\n"
        "  - ladder: {rate: [0.1C, 1C]}\n    repeat:\n"
        "      - charge: {rate: $rate, until: voltage >= 4 V, then_hold: {until: current <= 0.05C}}\n"
        "      - impedance: {from: 1 kHz, to: 1 Hz, instrument: analyzer}\n"
        "      - impedance: {from: 1 kHz, to: 1 Hz, bias: 3 V}\n"
        "      - sweep: {to: 3 V, rate: 1 mV/s}\n"
        "      - chamber: {set: 40 degC, until: stable}\n"
        "  - repeat: [discharge: {rate: 1C, until: voltage <= 2 V}]\n    until_retention: 80 % of cycle 1\n"
    )
    again = Program.model_validate_json(program.model_dump_json())
    assert again == program
    assert again.format == 3
