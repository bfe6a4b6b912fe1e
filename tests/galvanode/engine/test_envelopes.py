"""A cell whose envelope the instrument cannot be set to is refused, with the place where its definition says so."""

from __future__ import annotations

from typing import Any

import pytest

from galvanode.cell import parse_cell
from galvanode.document import parse_document
from galvanode.engine.envelopes import admit_envelope, envelope_of
from galvanode.engine.wiring import Wiring
from galvanode.errors import InvalidInput
from galvanode.instrument.family import NoLink, families

CELL = """\
name: R
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {{min: {low}, max: {high}}}
  {current}
"""


def admit(family: str, low: str, high: str, current: str = "current: {max: 5 mA}") -> None:
    kind = families()[family]
    driver: Any = kind.load_driver()(NoLink("smu"), kind.options())
    wiring = Wiring(driver)
    text = CELL.format(low=low, high=high, current=current)
    admit_envelope(wiring, envelope_of(parse_cell(text, "c.yaml"), wiring), parse_document(text, "c.yaml"))


@pytest.mark.parametrize(
    ("low", "high", "current", "message"),
    [
        (
            "-10 mV",
            "10 mV",
            "current: {max: 5 mA}",
            r"c\.yaml:7:31: .*current_voltage_limit is 0\.01 V; expected 0\.02",
        ),
        ("-300 V", "3 V", "current: {max: 5 mA}", r"c\.yaml:7:18: .*is 300 V; expected 0\.02 to 210 V"),
        ("-3 V", "190 V", "current: {max: 5 mA}", r"c\.yaml:7:29: .*no over-voltage protection level lies above 190 V"),
        ("-3 V", "3 V", "current: {max: 0.5 nA}", r"c\.yaml:8:18: .*voltage_current_limit is 5e-10 A; expected 1e-09"),
        ("-3 V", "3 V", "current_density: {max: 0.5 nA/cm^2}", r"c\.yaml:8:26: .*voltage_current_limit is 5e-10 A"),
    ],
)
def test_the_message_has_the_line_of_the_cell_and_the_words_of_the_instrument(
    low: str, high: str, current: str, message: str
):
    with pytest.raises(InvalidInput, match=message):
        admit("keithley2450", low, high, current)


def test_what_one_instrument_cannot_hold_another_may():
    with pytest.raises(InvalidInput, match="cannot hold this envelope"):
        admit("keithley2450", "-10 mV", "10 mV")
    admit("keithley2400", "-10 mV", "10 mV")


def test_a_current_that_no_instrument_reaches_is_bounded_by_the_instrument_itself():
    admit("keithley2450", "-3 V", "3 V", "current: {max: 50 A}")
