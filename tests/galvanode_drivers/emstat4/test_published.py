"""Packages decode to what the maker says they hold, and those of the simulator to what was measured."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.instrument.reading import BadReading
from galvanode_drivers.emstat4.protocol import ERRORS, decode, fault_of
from galvanode_simulator.methodscript import Value, package
from galvanode_simulator.methodscript.errors import Code
from galvanode_simulator.methodscript.values import EXPONENTS, LARGEST

PUBLISHED = [
    line for line in (Path(__file__).parent / "published.txt").read_text().splitlines() if line.startswith("P")
]


@pytest.mark.parametrize("line", PUBLISHED)
def test_a_published_package_decodes_to_its_published_values(line: str):
    *parts, expected = line.partition("  ")
    variables = decode(parts[0])
    items = expected.split()
    assert len(variables) == len(items)
    for variable, item in zip(variables, items, strict=True):
        kind, _, rest = item.partition("=")
        number, _, metadata = rest.partition("/")
        assert variable.kind == kind
        assert variable.value == pytest.approx(float(number), rel=1e-9, abs=0)
        if metadata:
            status, _, range_number = metadata.partition("@")
            assert (variable.status, variable.range) == (int(status), int(range_number))


NUMBERS = st.builds(
    lambda digits, prefix: float(Fraction(digits) * Fraction(10) ** EXPONENTS[prefix]),
    st.integers(-LARGEST, LARGEST),
    st.sampled_from(sorted(EXPONENTS)),
)
VALUES = st.builds(
    Value,
    NUMBERS | st.integers(-LARGEST, LARGEST),
    st.sampled_from(["da", "ab", "ba", "eb", "cc", "ja"]),
    st.none() | st.integers(0, 15),
    st.none() | st.integers(0, 255),
    st.none() | st.integers(0, 15),
)


@given(st.lists(VALUES, min_size=1, max_size=8))
def test_what_the_simulator_sends_arrives_unchanged(values: list[Value]):
    for sent, got in zip(values, decode(package(values)), strict=True):
        assert got.value == sent.number
        assert (got.kind, got.status, got.range) == (sent.kind, sent.status or 0, sent.range)


@given(st.floats(1e-11, 1e20), st.sampled_from([1, -1]))
def test_a_measured_number_arrives_with_seven_digits(magnitude: float, sign: int):
    (variable,) = decode(package([Value(sign * magnitude, "ba", 0)]))
    assert variable.value == pytest.approx(sign * magnitude, rel=5e-6)


def test_a_blank_for_no_prefix_may_be_lost_at_the_end_of_the_line():
    assert decode("Pba8000005")[0].value == 5.0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_not_a_number_is_never_a_value(number: float):
    with pytest.raises(BadReading, match="not-a-number"):
        decode(package([Value(0.1, "da"), Value(number, "ba", 0)]))


@pytest.mark.parametrize(
    "line",
    ["P", "Pda7F85F3F", "Pda7F85F3Fu;", "Pda7F85G3Fu", "Pda7F85F3Fx", "Pda7F85F3Fu,", "PDA7F85F3Fu", "Pda 7F85F3Fu"],
)
def test_a_damaged_package_is_no_reading(line: str):
    if line == "Pda7F85F3F":
        assert decode(line)  # a lost blank cannot be told from a lost prefix at the very end
        return
    with pytest.raises(BadReading):
        decode(line)


@given(st.sampled_from([line.partition("  ")[0] for line in PUBLISHED]), st.data())
def test_a_package_cut_short_is_no_reading(line: str, data: st.DataObject):
    cut = line[: data.draw(st.integers(0, len(line) - 1))]
    try:
        variables = decode(cut)
    except BadReading:
        return
    # What is left is whole variables, of which the last may lack its prefix or its metadata.
    assert [v.kind for v in variables] == [v.kind for v in decode(line)][: len(variables)]


@pytest.mark.parametrize(
    ("line", "code", "number"),
    [
        ("e!4001: Line 1, Col 16", 0x4001, 1),  # PyPalmSens, comm_protocol.md
        ("l!4001: Line 1, Col 27", 0x4001, 1),
        ("!0028: Line 4", 0x0028, 4),
        ("Z!0006", 0x0006, None),  # MethodSCRIPT_Examples, instrument.py
    ],
)
def test_errors_are_found_with_code_and_line(line: str, code: int, number: int | None):
    fault = fault_of(line)
    assert fault is not None
    assert fault[:2] == (code, number)
    assert ERRORS[code] in fault.text(["a", "b", "c", "d"])


@pytest.mark.parametrize("line", ["", "*", "M0007", "Thello", "Pda7F85F3Fu;ba48D503Dp,10,288", "L"])
def test_other_lines_tell_no_error(line: str):
    assert fault_of(line) is None


def test_every_error_of_the_simulator_has_words():
    assert set(Code) <= set(ERRORS)
