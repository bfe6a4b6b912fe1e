"""The language: numbers, packages, what a script is refused for and with which code and place."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode_simulator.methodscript import ScriptError, Value, literal, package, parse
from galvanode_simulator.methodscript.signatures import NOT_SIMULATED, SIGNATURES
from galvanode_simulator.methodscript.values import EXPONENTS, LARGEST, OFFSET, float_field, integer_field

# --- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", 0.1), ("-500m", -0.5), ("0", 0.0), ("200k", 2e5), ("1M", 1e6), ("5850535u", 5.850535), ("2", 2.0)],
)
def test_a_literal_is_an_integer_with_a_prefix(text: str, value: float):
    assert literal(text) == value
    assert isinstance(literal(text), float)


@pytest.mark.parametrize(("text", "value"), [("11i", 11), ("-3i", -3), ("0xFF", 255), ("0x1Fi", 31), ("0b101i", 5)])
def test_an_integer_is_marked_as_one(text: str, value: int):
    assert literal(text) == value
    assert isinstance(literal(text), int)


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "m", "1 m", "1mm", "0x", "2147483648", "nan", "1x", "--1"])
def test_what_is_no_literal_is_refused(text: str):
    with pytest.raises(ValueError, match=r".*"):
        literal(text)


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(sorted(EXPONENTS)))
def test_a_literal_means_exactly_what_it_says(digits: int, prefix: str):
    assert literal(f"{digits}{prefix}") == float(Fraction(digits) * Fraction(10) ** EXPONENTS[prefix])


def _decoded(field: str) -> float:
    exponent = EXPONENTS[field[7].strip()]
    return float(Fraction(int(field[:7], 16) - OFFSET) * Fraction(10) ** exponent)


@given(st.floats(-1.3e26, 1.3e26, allow_nan=False, allow_subnormal=False))
def test_a_field_keeps_seven_digits_of_whatever_size(number: float):
    field = float_field(number)
    assert len(field) == 8
    if abs(number) >= 1e-11:
        assert _decoded(field) == pytest.approx(number, rel=5e-6)
    else:
        assert _decoded(field) == pytest.approx(number, abs=1e-18)


@given(st.integers(-LARGEST, LARGEST), st.sampled_from(sorted(EXPONENTS)))
def test_what_fits_into_a_field_passes_unchanged_with_every_prefix(digits: int, prefix: str):
    number = float(Fraction(digits) * Fraction(10) ** EXPONENTS[prefix])
    assert _decoded(float_field(number)) == number


@pytest.mark.parametrize(
    ("number", "field"),
    [
        (0.0, "8000000 "),
        (0.1, "DF5E100n"),  # the finest prefix that has room
        (-0.499905, "7F85F3Fu"),  # Example_C/README.adoc
        (100.0, "DF5E100u"),
        (math.nan, "     nan"),
        (math.inf, "     nan"),
    ],
)
def test_fields_look_as_the_instrument_sends_them(number: float, field: str):
    assert float_field(number) == field


def test_an_integer_that_does_not_fit_is_an_error():
    assert integer_field(-1) == "7FFFFFFi"
    with pytest.raises(OverflowError):
        integer_field(2**27)


def test_a_package_carries_status_range_and_noise():
    values = [Value(0.099994392, "da"), Value(23.699316e-6, "ba", 4, 0x18, 0)]
    assert package(values) == "PdaDF5CB18n;ba9699F74p,14,218,40"  # MethodSCRIPT manual, 6.3


# --- scripts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (["invalid_command"], "!4001: Line 1, Col 16"),  # as PyPalmSens documents it
        (["var p", "fail!"], "!4001: Line 2, Col 6"),
        (["var p", "var p"], "!4026: Line 2, Col 6"),
        (["var P"], "!402B: Line 1, Col 6"),
        (["set_e 1.5"], "!4039: Line 1, Col 10"),
        (["set_e volts"], "!420B: Line 1, Col 12"),
        (["set_e"], "!4004: Line 1, Col 7"),
        (["cell_on 5"], "!420A: Line 1, Col 10"),
        (["store_var 5 5 ja"], "!420D: Line 1, Col 12"),
        (["var p", "store_var p 5 zz"], "!0002: Line 2, Col 17"),
        (["array a 5i", "set_e a"], "!420E: Line 2, Col 8"),
        (["var p", "var c", "meas_loop_lsv p c 0 1 10m"], "!4004: Line 3, Col 27"),
        (["var p", "meas_loop_ocp p 100m 2 nscans(2)"], "!4008: Line 2, Col 31"),
        (["var p", *2 * ["meas_loop_ocp p 100m 2"], *2 * ["endloop"]], "!400B: Line 3, Col 14"),
        (["var p", "meas_loop_ocp p 100m 2"], "!4018: Line 2, Col 1"),
        (["endif"], "!400E: Line 1, Col 6"),
        (["var a", "if a > 1", "endloop"], "!400E: Line 3, Col 8"),
        (["var a", "if a > 1", "else", "elseif a > 2", "endif"], "!400E: Line 4, Col 7"),
        (["breakloop"], "!400C: Line 1, Col 10"),
        (["var a", "if a >> 1", "endif"], "!4004: Line 2, Col 8"),
        (['send_string "no end'], "!4004: Line 1, Col 14"),
        (["set_e " + "1" * 260], "!0008: Line 1, Col 256"),
        (["hibernate 1"], "!001B: Line 1, Col 10"),
    ],
)
def test_a_script_is_refused_with_code_line_and_column(lines: list[str], error: str):
    with pytest.raises(ScriptError) as refused:
        parse(lines)
    assert refused.value.text == error


def test_an_instrument_without_a_galvanostat_refuses_what_needs_one():
    with pytest.raises(ScriptError) as refused:
        parse(["set_i 1m"], unsupported={"set_i"})
    assert refused.value.text == "!001B: Line 1, Col 6"


def test_comments_blanks_and_indentation_do_not_matter():
    program = parse(["# a comment", "  var  p # another", '\tsend_string "# none"', "cell_on  "])
    assert [statement.name for statement in program.statements] == ["var", "send_string", "cell_on"]


def test_what_follows_on_finished_is_kept_apart():
    program = parse(["cell_on", "on_finished:", "  cell_off"])
    assert [s.name for s in program.statements] == ["cell_on"]
    assert [s.name for s in program.on_finished] == ["cell_off"]


def test_no_command_is_both_simulated_and_not():
    assert not NOT_SIMULATED & set(SIGNATURES)


_NAMES = st.sampled_from(["a", "b", "c"])
_NUMBERS = st.integers(-1000, 1000).map(lambda n: f"{n}m") | st.integers(0, 99).map(lambda n: f"{n}i")
_VALUES = _NAMES | _NUMBERS
_SIMPLE = st.one_of(
    st.tuples(st.sampled_from(["add_var", "sub_var", "mul_var"]), _NAMES, _VALUES).map(" ".join),
    st.tuples(st.just("copy_var"), _NAMES, _NAMES).map(" ".join),
    st.tuples(st.just("wait"), st.just("1m")).map(" ".join),
    st.just("cell_off"),
)


def _indented(block: list[str]) -> list[str]:
    return [f"  {line}" for line in block]


def _branches(parts: tuple[str, list[str], str, list[str], list[str]]) -> list[str]:
    first, one, second, two, three = parts
    return [f"if {first}", *_indented(one), f"elseif {second}", *_indented(two), "else", *_indented(three), "endif"]


def _blocks(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    condition = st.tuples(_VALUES, st.sampled_from(["<", ">=", "=="]), _VALUES).map(" ".join)
    return st.one_of(
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1]),
        st.tuples(condition, inner).map(lambda t: [f"if {t[0]}", *_indented(t[1]), "endif"]),
        st.tuples(condition, inner, condition, inner, inner).map(_branches),
        st.tuples(condition, inner).map(lambda t: [f"loop {t[0]}", *_indented(t[1]), "breakloop", "endloop"]),
    )


SCRIPTS = st.recursive(_SIMPLE.map(lambda line: [line]), _blocks, max_leaves=6)
DECLARED = ["var a", "var b", "var c"]


@given(SCRIPTS)
def test_whatever_is_well_formed_is_accepted(script: list[str]):
    parse([*DECLARED, *script])


@given(SCRIPTS, st.data())
def test_a_block_that_lost_its_end_is_refused(script: list[str], data: st.DataObject):
    ends = [n for n, line in enumerate(script) if line.strip() in ("endif", "endloop")]
    if ends:
        lost = data.draw(st.sampled_from(ends))
        with pytest.raises(ScriptError):
            parse([*DECLARED, *script[:lost], *script[lost + 1 :]])


@given(st.lists(st.text(st.characters(max_codepoint=126), max_size=30), max_size=5))
def test_no_line_upsets_the_parser(lines: list[str]):
    with contextlib.suppress(ScriptError):
        parse(lines)
