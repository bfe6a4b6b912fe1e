"""The ideal capacitor, and an instrument that reads it true: what tests of the engine are foretold by."""

from __future__ import annotations

import math
from typing import Any

import pytest

from galvanode.clock import JumpingClock, install_clock, process_clock
from galvanode_simulator.cells import CapacitorCell, CapacitorParameters
from galvanode_simulator.keithley2450.interface import Keithley2450Interface
from galvanode_simulator.keithley2450.unit import Keithley2450Unit


def capacitor(**parameters: Any) -> CapacitorCell:
    return CapacitorCell(CapacitorParameters(**parameters))


def test_a_current_charges_it_in_a_straight_line():
    cell = capacitor(voltage="3 V", capacitance="2 F", resistance="5 ohm")
    cell.hold_current(0.02, 10.0)
    assert cell.voltage(0.0) == pytest.approx(3.1)
    assert cell.voltage(-0.02) == pytest.approx(3.0)
    assert cell.voltage_after(-0.02, 10.0) == pytest.approx(2.9)


def test_a_voltage_charges_it_with_its_time_constant():
    cell = capacitor()
    assert cell.hold_voltage(3.1, 10.0) == 10.0
    assert cell.current(3.1) == pytest.approx(0.01 * math.exp(-1))


def test_splitting_an_interval_changes_nothing():
    whole, split = capacitor(), capacitor()
    whole.hold_voltage(2.5, 7.0)
    for _ in range(70):
        split.hold_voltage(2.5, 0.1)
    assert split.u == pytest.approx(whole.u, abs=1e-13)


def test_at_low_frequency_it_blocks_and_at_high_frequency_it_is_its_resistor():
    assert capacitor().impedance(1e6) == pytest.approx(10.0, rel=1e-6)
    assert capacitor().impedance(1e-3).imag == pytest.approx(-1 / (2 * math.pi * 1e-3))


@pytest.mark.parametrize("wrong", [{"resistance": "0 ohm"}, {"capacitance": "0 F"}])
def test_what_would_take_an_infinite_current_is_refused(wrong: dict[str, str]):
    with pytest.raises(ValueError, match="greater than 0"):
        CapacitorParameters(**wrong)


def test_an_ideal_instrument_reads_it_true_to_the_last_digit_sent():
    before = process_clock()
    install_clock(JumpingClock())
    try:
        unit = Keithley2450Unit(capacitor(voltage="3.1234567 V"), 1, ideal=True)
        interface = Keithley2450Interface(unit)
        for message in (":SOUR:FUNC CURR", ':SENS:FUNC "VOLT"', ":SENS:VOLT:RSEN ON", ":SOUR:CURR 0.01", ":OUTP 1"):
            interface.receive(message.encode())
        answers = {interface.receive(b':READ? "defbuffer1",READ,SOUR') for _ in range(20)}
    finally:
        install_clock(before)
    assert answers == {b"3.223457E+00,1.000000E-02\n"}
