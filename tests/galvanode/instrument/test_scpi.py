"""Settings: ranges refused before anything is sent, refusals of the instrument told in its words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.instrument.family import Options
from galvanode.instrument.links.base import GuardedLink, Unfit
from galvanode.instrument.roles import InstrumentError, OutOfRange
from galvanode.instrument.scpi import ScpiInstrument, Setting, on_off


class Wire(GuardedLink):
    def __init__(self) -> None:
        super().__init__("smu", "nowhere")
        self.sent: list[str] = []
        self.answers: list[str] = []

    async def query(self, message: str) -> str:
        self.sent.append(message)
        return self.answers.pop(0) if self.answers else '0,"No error;0;0 0"'

    async def write(self, message: str) -> None:
        self.sent.append(message)

    async def close(self) -> None: ...


class Source(ScpiInstrument):
    current = Setting[float](":SOUR:CURR {:.9E}", unit="A", limits=(-1.05, 1.05))
    output = Setting[bool](":OUTP {:d}", cast=on_off)
    mode = Setting[str](":SOUR:FUNC {}", choices=("CURR", "VOLT"))


async def test_a_value_is_sent_with_all_its_digits_and_checked_in_the_same_message():
    wire = Wire()
    await Source(wire, Options()).current.set(0.1234567891)
    assert wire.sent == [":SOUR:CURR 1.234567891E-01;:SYST:ERR?"]


@pytest.mark.parametrize("value", [1.06, -1.06, math.nan, math.inf])
async def test_a_value_out_of_range_never_reaches_the_instrument(value: float):
    wire = Wire()
    with pytest.raises(OutOfRange, match="current"):
        await Source(wire, Options()).current.set(value)
    assert wire.sent == []


async def test_zero_is_in_range():
    wire = Wire()
    await Source(wire, Options()).current.set(0.0)
    assert wire.sent[0].startswith(":SOUR:CURR 0.0")


async def test_an_unknown_choice_is_refused_with_the_known_ones():
    with pytest.raises(OutOfRange, match="CURR, VOLT"):
        await Source(Wire(), Options()).mode.set("POWER")


async def test_the_instruments_refusal_is_an_error_in_its_own_words():
    wire = Wire()
    wire.answers = ['-222,"Data out of range"']
    with pytest.raises(InstrumentError, match="-222"):
        await Source(wire, Options()).current.set(1.0)


async def test_an_answer_that_is_no_boolean_is_an_error():
    wire = Wire()
    wire.answers = ["maybe"]
    with pytest.raises(InstrumentError, match="maybe"):
        await Source(wire, Options()).output.get()


async def test_an_error_queue_without_end_is_not_read_for_ever():
    wire = Wire()
    wire.answers = ['-113,"Undefined header"'] * 200
    with pytest.raises(InstrumentError, match="without end"):
        await Source(wire, Options()).clear_errors()


@given(st.floats(-1.05, 1.05))
def test_what_is_sent_is_what_was_meant_to_nine_digits(value: float):
    sent = float(Source.current.message(value).split(" ")[1])
    assert sent == pytest.approx(value, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("late", ["+7.849900E-05", "+1.0E+00,+7.8E-05,+9.91E+37,+1.2E+02", "0"])
async def test_a_reading_that_comes_late_is_not_who_answers_and_is_not_believed(late: str):
    wire = Wire()
    wire.answers = [late]
    with pytest.raises(Unfit, match="expected maker, model, serial number and firmware"):
        await Source(wire, Options()).identity()
    wire.answers = ["ACME,100,1234567,1.0"]  # a model may be a number
    assert (await Source(wire, Options()).identity()).serial == "1234567"
