"""Whatever a recipe says, these hold."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, describe, drives, estimate, parse_recipe
from galvanode.recipe.operand import OPEN_CIRCUIT, Variable
from galvanode.recipe.program import Loop, Program, SetChamber, Step, Window

CELL = """\
name: Cell
area: 0.785 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 4 mAh
reference_offset: 0.62 V
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 10 mA}, temperature: {min: 10 degC, max: 80 degC}}
"""

CELL_UNDER_TEST = parse_cell(CELL, "c")

# Most values lie inside the limits, so that most recipes compile; the others must be refused with their place.
voltages = st.one_of(
    st.integers(-2900, 2900).map(lambda mv: f"{mv} mV"),
    st.integers(-2000, 3500).map(lambda mv: f"{mv / 1000:.3f} V vs Li+/Li"),
    st.integers(-5500, 5500).map(lambda mv: f"{mv} mV"),
)
lows, highs = (st.integers(*ends).map(lambda mv: f"{mv} mV") for ends in ((-5100, -3000), (3000, 5100)))
rates = st.one_of(
    st.integers(1, 260).map(lambda n: f"{n / 100:g}C"),
    st.integers(1, 50).map(lambda n: f"C/{n}"),
)
scan_rates = st.integers(1, 2000).map(lambda n: f"{n / 100:g} mV/s")
fast, slow = (st.integers(*ends).map(lambda exponent: f"1e{exponent} Hz") for ends in ((1, 6), (-3, 1)))
amplitudes = st.integers(0, 120).map(lambda mv: f"{mv} mV")
temperatures = st.integers(8, 82).map(lambda degrees: f"{degrees} degC")
times = st.integers(0, 5000).map(lambda s: f"{s} s")
densities = st.integers(1, 2560).map(lambda n: f"{n / 200:g} mA/cm^2")
currents = st.integers(-10100, 10100).map(lambda ua: f"{ua} uA")
untils = st.one_of(
    st.builds("voltage {} {}".format, st.sampled_from([">=", "<=", ">", "<"]), voltages),
    st.integers(0, 2000).map(lambda n: f"areal_capacity >= {n / 1000:g} mAh/cm^2"),
    st.builds("current_magnitude <= {}".format, rates),
)
safeties = st.one_of(
    st.just(""),
    st.just(""),
    st.builds(", safety: {{voltage: {{max: {}}}}}".format, highs),
    st.builds(", safety: {{voltage: {{min: {}}}, current: {{max: {}}}}}".format, lows, currents),
)
ends = st.one_of(
    st.builds("for: {}".format, times),
    st.builds("until: {}".format, untils),
    st.builds("for: {}, until: [{}, {}]".format, times, untils, untils),
)
steps = st.one_of(
    st.builds("rest: {{{}{}}}".format, ends, safeties),
    st.builds("plate: {{current_density: {}, {}{}}}".format, densities, ends, safeties),
    st.builds("strip: {{current_density: {}, {}{}}}".format, densities, ends, safeties),
    st.builds("constant_current: {{current: {}, {}{}}}".format, currents, ends, safeties),
    st.builds("constant_voltage: {{voltage: {}, {}{}}}".format, voltages, ends, safeties),
    st.builds(
        "charge: {{rate: {}, until: voltage >= {}, then_hold: {{{}}}{}}}".format, rates, voltages, ends, safeties
    ),
    st.builds("discharge: {{rate: {}, {}{}}}".format, rates, ends, safeties),
    st.builds("sweep: {{to: {}, rate: {}{}}}".format, voltages, scan_rates, safeties),
    st.builds("sweep: {{from: {}, to: {}, rate: {}, until: {}}}".format, voltages, voltages, scan_rates, untils),
    st.builds(
        "cyclic_voltammetry: {{vertices: [{}, {}], rate: {}, cycles: {}{}}}".format,
        voltages,
        voltages,
        scan_rates,
        st.integers(0, 5),
        safeties,
    ),
    st.builds(
        "impedance: {{from: {}, to: {}, amplitude: {}, bias: {}}}".format,
        fast,
        slow,
        amplitudes,
        st.one_of(st.just("open_circuit"), voltages),
    ),
    st.builds("chamber: {{set: {}, until: stable}}".format, temperatures),
)


def loop(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    blocks = st.lists(inner, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("{{times: {}, repeat: [{}]}}".format, st.integers(1, 20), blocks),
        st.builds("{{until_retention: {} % of cycle 1, repeat: [{}]}}".format, st.integers(0, 101), blocks),
        st.builds("{{for: {} s, stop_when: short_circuit, repeat: [{}]}}".format, st.integers(1, 9999), blocks),
    )


items = st.recursive(steps, loop, max_leaves=6)
recipes = st.builds(
    "title: x\n{}method: [{}]\n".format,
    st.one_of(st.just(""), st.builds("safety: {{voltage: {{min: {}, max: {}}}}}\n".format, lows, highs)),
    st.lists(items, min_size=1, max_size=4).map(", ".join),
)


def compiled(text: str) -> Program | None:
    """Return the program; None where the recipe is refused, which must be with its place."""
    program, problem = attempt(text)
    if problem is not None:
        assert problem.source == "r"
        assert problem.line is not None
        assert problem.column is not None
    return program


def attempt(text: str) -> tuple[Program | None, InvalidInput | None]:
    try:
        return compile_recipe(parse_recipe(text, "r"), CELL_UNDER_TEST), None
    except InvalidInput as problem:
        return None, problem


def within(inner: Window, outer: Window) -> bool:
    return (outer.min is None or (inner.min is not None and inner.min >= outer.min)) and (
        outer.max is None or (inner.max is not None and inner.max <= outer.max)
    )


@given(recipes)
def test_a_recipe_is_refused_with_its_place_or_compiles_to_a_sound_program(text):
    program = compiled(text)
    if program is None:
        return
    assert compiled(text) == program
    assert Program.model_validate_json(program.model_dump_json()) == program
    for limits in (program.safety, *(step.limits for step in program.instructions if isinstance(step, Step))):
        assert within(limits.voltage, Window(min=-5.0, max=5.0))
        assert within(limits.current, Window(min=-0.01, max=0.01))
    for instruction in program.instructions:
        if isinstance(instruction, Step):
            assert_sound(instruction, program)
        elif isinstance(instruction, SetChamber):
            assert 283.15 <= instruction.temperature <= 353.15
    bounds = estimate(program)
    for low, high in bounds:
        assert 0 <= low <= high
    assert len(describe(program)) == sum(isinstance(i, (Step, Loop, SetChamber)) for i in program.instructions)


def assert_sound(step: Step, program: Program) -> None:
    """Check what the engine relies on in any step."""
    assert step.until or step.drive.kind in ("sweep", "impedance")
    assert within(step.limits.voltage, program.safety.voltage)
    assert step.poll_s > 0
    assert (step.drive.held is not None) == (step.drive.kind in ("current", "voltage"))
    if step.drive.kind == "current":
        assert isinstance(step.drive.held, float)
        assert abs(step.drive.held) <= 0.01 * (1 + 1e-9)
    if step.drive.kind == "voltage":
        assert inside(step.drive.held, step.limits.voltage)
    if isinstance(step.drive, drives.Sweep):
        assert step.drive.rate > 0
        assert step.drive.step > 0
        assert step.record.every_s == pytest.approx(step.drive.step / step.drive.rate)
        for vertex in step.drive.vertices:
            assert vertex == Variable(name=OPEN_CIRCUIT) or inside(vertex, step.limits.voltage)
    if isinstance(step.drive, drives.Impedance):
        assert step.drive.frequency_max > step.drive.frequency_min > 0
        assert 0 < step.drive.amplitude <= 0.1
        assert step.drive.points >= 2


def inside(value: object, window: Window) -> bool:
    return isinstance(value, float) and window.min - 1e-9 <= value <= window.max + 1e-9


@given(st.integers(-4000, 5600), st.integers(-900, 900))
def test_a_potential_and_the_offset_add_up_without_rounding(potential, offset):
    cell = parse_cell(CELL.replace("0.62 V", f"{offset / 1000:.3f} V"), "c")
    text = f"title: x\nmethod: [constant_voltage: {{voltage: {potential / 1000:.3f} V vs Li+/Li, for: 1 s}}]\n"
    volts = Fraction(potential - offset, 1000)
    if abs(volts) > 5:
        with pytest.raises(InvalidInput, match="outside the cell's envelope"):
            compile_recipe(parse_recipe(text, "r"), cell)
    else:
        assert compile_recipe(parse_recipe(text, "r"), cell).instructions[0].drive.held == float(volts)


@given(st.integers(1, 100), st.integers(1, 900))
def test_one_c_for_an_hour_is_the_nominal_capacity(rate, microamp_hours):
    cell = parse_cell(CELL.replace("4 mAh", f"{microamp_hours} uAh"), "c")
    text = f"title: x\nmethod: [charge: {{rate: {rate / 10:g}C, for: 1 h}}]\n"
    step = compile_recipe(parse_recipe(text, "r"), cell).instructions[0]
    assert step.drive.held == pytest.approx(rate / 10 * microamp_hours * 1e-6)


@given(
    st.integers(1, 400),
    st.integers(1, 50),
    st.integers(0, 60),
    st.sampled_from(["A", "mA", "uA"]),
)
def test_a_ladder_has_the_values_that_paper_and_pencil_give(start, by, more, unit):
    shown = {"A": 10**6, "mA": 10**3, "uA": 1}[unit]  # one count is 1 uA, however it is written
    numbers = [f"{count / shown:.9f}" for count in (start, by)]
    last = f"{(start + by * more) / shown:.9f}"
    text = (
        "title: x\nmethod:\n  - ladder:\n"
        f"      i: {{from: {numbers[0]} {unit}, to: {last} {unit}, by: {numbers[1]} {unit}}}\n"
        "    repeat: [rest: {for: 1 s}]\n"
    )
    program = compiled(text)
    assert program is not None
    (loop_,) = [item for item in program.instructions if isinstance(item, Loop)]
    assert loop_.ladder["i"] == tuple(float(Fraction(start + by * n, 10**6)) for n in range(more + 1))


@given(st.sampled_from(["min", "max"]), st.integers(-3, 3))
def test_a_limit_at_zero_is_a_limit(end, number):
    program = compiled(f"title: x\nsafety: {{voltage: {{{end}: {number} V}}}}\nmethod: [rest: {{for: 1 s}}]\n")
    assert program is not None
    assert getattr(program.safety.voltage, end) == float(number)


@given(st.integers(0, 600), st.text(max_size=3))
def test_no_slip_of_the_keyboard_does_more_than_be_refused(position, slip):
    text = (
        "title: Test\nparameters: {t: 30 min}\nsafety: {voltage: {min: -4 V, max: 4 V}}\n"
        "record: {every: 10 s}\nmethod:\n  - rest: {for: $t}\n"
        "  - ladder: {i: {from: 1 mA, to: 2 mA, by: 1 mA}}\n"
        "    repeat: [plate: {current: $i, until: voltage >= 3 V}]\n    stop_when: short_circuit\n"
        "  - sweep: {to: 4 V vs Li+/Li, rate: 1 mV/s}\n  - impedance: {from: 1 kHz, to: 1 Hz}\n"
        "  - charge: {rate: C/5, until: voltage >= 4 V, then_hold: {until: current <= 0.05C}}\n"
        "  - chamber: {set: 60 degC, until: stable, band: 1 K}\n"
    )
    broken = text[: position % len(text)] + slip + text[position % len(text) + 1 :]
    _, problem = attempt(broken)
    if problem is not None:
        assert "\n" not in str(problem)
        assert len(str(problem)) < 400


def test_the_strategies_make_recipes_that_compile():
    assert compiled("title: x\nmethod: [plate: {current_density: 1 mA/cm^2, for: 10 s}]\n") is not None
    with pytest.raises(AssertionError):
        assert compiled("title: x\nmethod: [plate: {current_density: 50 mA/cm^2, for: 10 s}]\n") is not None
