"""Numbers from a wire are hostile."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.instrument.answers import numbers
from galvanode.instrument.links.base import GuardedLink, Unfit
from galvanode.instrument.reading import BadReading, measured


@pytest.mark.parametrize(
    "text",
    ["nan", "NAN", "9.91E37", "+9.9E37", "-9.9e37", "inf", "-Infinity", "", "1,2", "0x10", "1e400", "--1", "1_0"],
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


class Wire(GuardedLink):
    async def assure(self) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.parametrize("answer", ["", "1", "1,2", "1,2,3,4", "1;2;3", "1,x,3", "1,,3", "OK"])
def test_an_answer_of_another_shape_is_a_fault_of_the_link_and_worth_another_try(answer: str):
    with pytest.raises(Unfit, match=r"smu: .* expected three numbers"):
        numbers(Wire("smu", "nowhere"), answer, 3)


@pytest.mark.parametrize("answer", ["1,9.91E37,3", "9.9E37,2,3", "1,2,-9.9E37"])
def test_what_the_instrument_could_not_measure_is_a_fault_of_the_measurement(answer: str):
    with pytest.raises(BadReading):
        numbers(Wire("smu", "nowhere"), answer, 3)
