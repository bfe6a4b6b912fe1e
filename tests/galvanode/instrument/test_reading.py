"""Numbers from a wire are hostile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.instrument.reading import BadReading, measured


@pytest.mark.parametrize(
    "text",
    ["nan", "NAN", "9.91E37", "+9.9E37", "-9.9e37", "inf", "-Infinity", "", "1,2", "0x10", "1e400", "--1"],
)
def test_what_is_no_measurement_is_refused(text: str):
    with pytest.raises(BadReading):
        measured(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("-0.0", 0.0), (" +1.5E-3 ", 1.5e-3), ("-210", -210.0)])
def test_zero_and_signs_are_values(text: str, value: float):
    assert measured(text) == value


@given(st.text(max_size=20))
def test_any_text_gives_a_finite_number_or_an_error(text: str):
    try:
        value = measured(text)
    except BadReading:
        return
    assert math.isfinite(value)
