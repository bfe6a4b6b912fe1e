"""Conditions: what ends a step or a block, and what then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.language.condition import parse_condition
from galvanode.recipe.language.expression import Bare, Both, Compare, Either, Node, Written, parse, show
from galvanode.recipe.language.known import MEASURED
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Action, AllOf, AnyOf, Condition, Detector, End, Loop, Program, Step, Test

CELL = """\
name: LCO | electrolyte | Li-In
area: 0.5 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
active_mass: 10 mg
specific_capacity: 150 mAh/g
reference_offset: 0.62 V
envelope: {voltage: {min: -1 V, max: 4.2 V}, current: {max: 5 mA}}
"""


def compiled(method: str, head: str = "") -> Program:
    text = f"version: 2\ntitle: x\n{head}method:\n{method}"
    return compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c"))


def ends(until: str, verb: str = "constant_current: {current: 0 A", head: str = "") -> tuple[End, ...]:
    (step,) = compiled(f"  - {verb}, until: {until}}}\n", head).instructions
    assert isinstance(step, Step)
    return step.until


def test_of(until: str, **more: str) -> Test:
    (end,) = ends(f"'{until}'", **more)
    return end.test


test_of.__test__ = False


@pytest.mark.parametrize("comparison", [">=", "<="])
@pytest.mark.parametrize("value", ["0 V", "-0.5 V", "0.5 V", "4.2 V", "-1 V"])
def test_a_voltage_of_either_sign_and_zero_ends_a_step_on_either_side(comparison, value):
    test = test_of(f"voltage {comparison} {value}")
    assert test == Condition(
        quantity="voltage", comparison=comparison, value=float(value[:-2]), text=f"voltage {comparison} {value}"
    )


@pytest.mark.parametrize("comparison", [">=", "<="])
@pytest.mark.parametrize(("value", "amps"), [("0 A", 0.0), ("-1 mA", -1e-3), ("1 mA", 1e-3)])
def test_a_current_of_either_sign_and_zero_ends_a_step_on_either_side(comparison, value, amps):
    test = test_of(f"current {comparison} {value}", verb="constant_voltage: {voltage: 0 V")
    assert (test.quantity, test.comparison, test.value) == ("current", comparison, amps)


@pytest.mark.parametrize("symbol", [">", ">=", "<", "<="])
def test_equality_counts_as_reached(symbol):
    assert test_of(f"voltage {symbol} 3 V").comparison == f"{symbol[0]}="


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("power >= 5 mW", "power", 5e-3),
        ("power <= -5 mW", "power", -5e-3),
        ("specific_charge >= 100 mAh/g", "charge", 3.6),
        ("specific_capacity >= 100 mAh/g", "charge", 3.6),
        ("areal_energy >= 2 mWh/cm^2", "energy", 3.6),
        ("specific_energy >= 360 J/g", "energy", 3.6),
        ("voltage_drop >= 10 mV", "voltage_drop", 0.01),
        ("voltage_rise >= 10 mV", "voltage_rise", 0.01),
        ("dV/dt <= 1 mV/s", "voltage_slope", 1e-3),
        ("voltage_slope >= -1 mV/s", "voltage_slope", -1e-3),
        ("dI/dt >= -6 mA/min", "current_slope", -1e-4),
        ("current_slope >= 0 A/s", "current_slope", 0.0),
        ("dT/dt >= 1 K/min", "temperature_slope", 1 / 60),
        ("temperature_slope >= 1 degC/min", "temperature_slope", 1 / 60),
        ("4 V <= voltage", "voltage", 4.0),
        ("voltage ≥ 4 V", "voltage", 4.0),
        ("energy >= 0 J", "energy", 0.0),
    ],
)
def test_whatever_is_measured_or_derived_may_end_a_step(text, quantity, value):
    test = test_of(text)
    assert test.quantity == quantity
    assert test.value == pytest.approx(value, rel=1e-12)


def test_a_slope_is_fitted_over_a_time_and_a_magnitude_has_no_sign():
    test = test_of("abs(dV/dt) <= 1 mV/min over 5 min")
    assert (test.magnitude, test.over_s, test.comparison) == (True, 300.0, "<=")
    assert test.text == "abs(dV/dt) <= 1 mV/min over 5 min"
    assert test_of("dV/dt <= 1 mV/min").over_s is None
    assert test_of("abs(voltage) <= 0 V").value == 0.0


def test_and_binds_stronger_than_or_and_parentheses_change_that():
    volts, amps, coulombs = (
        Condition(quantity=quantity, comparison=">=", value=value, text=text)
        for quantity, value, text in (
            ("voltage", 4.0, "voltage >= 4 V"),
            ("current", 1e-3, "current >= 1 mA"),
            ("charge", 3.6, "charge >= 1 mAh"),
        )
    )
    a, b, c = volts.text, amps.text, coulombs.text
    assert test_of(f"{a} or {b} and {c}") == AnyOf(of=(volts, AllOf(of=(amps, coulombs))))
    assert test_of(f"({a} or {b}) and {c}") == AllOf(of=(AnyOf(of=(volts, amps)), coulombs))
    assert test_of(f"{a} AND {b} and ({c})") == AllOf(of=(volts, amps, coulombs))
    (end,) = ends(f"'({a} or {b}) and {c}'")
    assert end.text == f"({a} or {b}) and {c}"
    assert end.plain is None


def test_what_only_grows_may_be_small_beside_an_and_and_time_too():
    test = test_of("voltage >= 4 V and charge <= 1 mAh and time <= 10 min or time >= 2 h")
    assert [part.quantity for part in test.of[0].of] == ["voltage", "charge", "time"]


def test_a_detector_is_a_condition_with_options_in_a_mapping():
    assert test_of("short_circuit or voltage >= 4 V").of[0] == Detector(name="short_circuit")
    first, second = ends("[short_circuit, {short_circuit: {drop: 30 %}}]")
    assert (first.test, second.test) == (
        Detector(name="short_circuit"),
        Detector(name="short_circuit", options={"drop": 0.3}),
    )
    (end,) = ends("{when: {short_circuit: {drop: 30 %}}, then: fail}")
    assert (end.test.options, end.then.do, end.text) == ({"drop": 0.3}, "fail", "short_circuit")


def test_a_mapping_says_what_then_and_when_it_must_hold():
    plain, rich = ends(
        "[voltage >= 4 V, {when: voltage >= 3 V, then: end, held_for: 10 s, not_before: 1 min, by: 2 h, "
        "otherwise: next}]"
    )
    assert plain == End(test=plain.test, text="voltage >= 4 V")
    assert plain.plain is not None
    assert (rich.then.do, rich.held_s, rich.not_before_s, rich.by_s, rich.otherwise.do) == (
        "end",
        10.0,
        60.0,
        7200.0,
        "next",
    )
    assert rich.plain is None
    (end,) = ends("{when: voltage >= 4 V, by: 1 h}")
    assert (end.otherwise.do, end.then.do, end.held_s, end.not_before_s) == ("fail", "next", 0.0, None)


def test_zero_is_a_time_here_too():
    (end,) = ends("{when: voltage >= 4 V, held_for: 0 s, not_before: 0 s, by: 0.1 s}")
    assert (end.held_s, end.not_before_s, end.by_s) == (0.0, 0.0, 0.1)


def test_a_lone_time_with_something_to_do_is_a_condition():
    (end,) = ends("{when: time >= 10 min, then: end}")
    assert (end.test.quantity, end.test.value, end.then) == ("time", 600.0, Action(do="end"))


def test_values_may_be_parameters_and_arithmetic_and_keep_their_words():
    head = "parameters: {upper: 4.22 V vs Li+/Li, n: 2}\n"
    first, second = ends("[voltage >= $upper, voltage >= $upper - 0.1 V]", head=head)
    assert (first.test.value, second.test.value) == (3.6, 3.5)
    assert first.text == "voltage >= 4.22 V vs Li+/Li (3.6 V at the terminals)"
    assert second.text == "voltage >= $upper - 0.1 V"
    (third,) = ends("capacity >= $cell.nominal_capacity / $n", head=head)
    assert third.test.value == pytest.approx(2.7)


def test_a_value_that_was_set_is_looked_up_when_the_step_begins():
    program = compiled(
        "  - rest: {for: 1 s}\n  - set: {v: voltage, q: charge}\n"
        "  - rest: {until: [voltage >= $v + 10 mV, areal_charge >= $q / $cell.area]}\n"
    )
    first, second = (end.test for end in program.instructions[-1].until)
    assert first.value.of == (Variable(name="v"), 0.01)
    assert (second.quantity, second.value.op) == ("charge", "*")


def loop(method: str) -> Loop:
    return next(item for item in compiled(method).instructions if isinstance(item, Loop))


CYCLE = "[charge: {rate: 1C, until: voltage >= 4 V}, discharge: {rate: 1C, until: voltage <= 2 V}]"


@pytest.mark.parametrize(
    ("text", "quantity", "value"),
    [
        ("retention <= 80 %", "retention", 0.8),
        ("coulombic_efficiency <= 0.95", "coulombic_efficiency", 0.95),
        ("charge_capacity <= 1 mAh", "charge_capacity", 3.6),
        ("discharge_capacity <= 0 Ah", "discharge_capacity", 0.0),
        ("cycle >= 3", "cycle", 3.0),
    ],
)
def test_a_repeat_may_end_by_what_its_cycles_show(text, quantity, value):
    block = loop(f"  - repeat: {CYCLE}\n    stop_when: {text}\n")
    (end,) = block.stop_when
    assert (end.test.quantity, end.test.value) == (quantity, value)
    assert block.turns == 5_000_000
    assert end.test.of_cycle == (1 if quantity == "retention" else None)


def test_retention_may_compare_with_another_cycle_and_be_joined():
    block = loop(f"  - repeat: {CYCLE}\n    stop_when: retention <= 80 % of cycle 3 and cycle >= 10\n    times: 50\n")
    (end,) = block.stop_when
    assert end.test.of[0].of_cycle == 3
    assert end.text == "retention <= 80 % of cycle 3 and cycle >= 10"


def test_an_old_recipe_reads_as_it_did():
    old = (
        f"title: x\nmethod:\n  - repeat: {CYCLE}\n    stop_when: short_circuit\n    until_retention: 80 % of cycle 1\n"
    )
    new = (
        f"version: 2\ntitle: x\nmethod:\n  - repeat: {CYCLE}\n"
        "    stop_when:\n      - short_circuit\n      - retention <= 80 % of cycle 1\n"
    )
    programs = [compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c")) for text in (old, new)]
    loops = [program.instructions[0] for program in programs]
    assert loops[0].stop_when == loops[1].stop_when
    assert [program.instructions[1].drive.held for program in programs] == [pytest.approx(1.5e-3)] * 2


def test_an_error_in_an_old_recipe_has_its_own_place():
    text = f"title: x\nmethod:\n  - repeat: {CYCLE}\n    stop_when: shrt\n    until_retention: 80 V of cycle 1\n"
    with pytest.raises(InvalidInput) as caught:
        compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c"))
    assert (caught.value.line, caught.value.column) == (4, 16)
    with pytest.raises(InvalidInput) as caught:
        compile_recipe(parse_recipe(text.replace("shrt", "short_circuit"), "r"), parse_cell(CELL, "c"))
    assert (caught.value.line, caught.value.column) == (5, 22)


# --- round trips -----------------------------------------------------------------------------------------------------

values = st.one_of(
    st.builds("{} V".format, st.integers(0, 4)),
    st.builds("-{} mV".format, st.integers(1, 999)),
    st.just("4 V vs Li+/Li"),
).map(Written)
comparisons = st.builds(Compare, st.just(Bare("voltage")), st.sampled_from([">=", "<=", ">", "<"]), values)
trees: st.SearchStrategy[Node] = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Both),
        st.lists(inner, min_size=2, max_size=3).map(tuple).map(Either),
    ),
    max_leaves=8,
)


@given(trees)
def test_a_condition_is_shown_and_read_as_the_same(tree):
    text = show(tree)
    again = parse(text, "a condition")
    assert show(again) == text
    assert parse_condition(text, "until") == parse_condition(show(again), "until")


@given(trees, st.integers(-5, 5), st.integers(-5, 5))
def test_a_condition_holds_as_paper_and_pencil_say(tree, at, other):
    """What the compiler makes of a tree holds for the same voltages as the tree itself, equality included."""
    made = test_of(show(tree).replace(" vs Li+/Li", ""))
    for volts in (float(at), float(other), 0.0, -0.5):
        assert holds(made, volts) == meant(tree, volts)


def holds(test: Test, volts: float) -> bool:
    if isinstance(test, (AllOf, AnyOf)):
        return (all if isinstance(test, AllOf) else any)(holds(part, volts) for part in test.of)
    return volts >= test.value if test.comparison == ">=" else volts <= test.value


def meant(node: Node, volts: float) -> bool:
    if isinstance(node, (Both, Either)):
        return (all if isinstance(node, Both) else any)(meant(part, volts) for part in node.of)
    number, unit = node.right.text.replace(" vs Li+/Li", "").split()
    limit = float(number) / (1000 if unit == "mV" else 1)
    return volts >= limit if node.symbol.startswith(">") else volts <= limit


@given(st.sampled_from(sorted(MEASURED)))
def test_every_measured_quantity_has_a_condition(name):
    measured = MEASURED[name]
    example = {"number": "3", "current_slope": "1 A/s"}.get(measured.dimensions[0])
    from galvanode.units import DIMENSIONS

    value = example or DIMENSIONS[measured.dimensions[0]].example
    where = "stop_when" if measured.of_cycles else "until"
    entry = parse_condition(f"{name} >= {value} and voltage >= 1 V", where)
    assert entry.of[0].measured == measured
