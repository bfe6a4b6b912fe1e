"""The simulated 2400 series does to the cell what a real one does, and says so in the manual's words."""

from __future__ import annotations

import struct

import pytest

from galvanode_simulator.cells import PRESETS, LiSymmetricCell, ResistorCell

SOURCE_CURRENT = ":SOUR:FUNC CURR;:SENS:FUNC 'VOLT','CURR';:SYST:RSEN ON;:SENS:VOLT:PROT 10;:SOUR:CURR {:g};:OUTP ON"
SOURCE_VOLTAGE = ":SOUR:FUNC VOLT;:SENS:FUNC 'VOLT','CURR';:SYST:RSEN ON;:SENS:CURR:PROT 0.01;:SOUR:VOLT {:g};:OUTP ON"
REAL, RANGE, PROTECTED, OVERFLOW = 1 << 3, 1 << 16, 1 << 4, 1


def test_golden_transcript(resistor_smu):
    """A session as one would see it on the wire."""
    for message, expected in [
        ("*IDN?", "KEITHLEY INSTRUMENTS INC.,MODEL 2400,1000001,C33   Mar 31 2015 09:32:39/A02  /K/J"),
        (":SYST:ERR?", '0,"No error"'),
        (":OUTP?;:OUTP:SMOD?;:SOUR:FUNC?", "0;NORM;VOLT"),
        (":SENS:FUNC?;FUNC:CONC?", '"CURR:DC";1'),
        (":SENS:CURR:PROT?;:SENS:VOLT:PROT?", "1.050000E-04;2.100000E+01"),
        (":SYST:AZER?;:SYST:RSEN?;:ROUT:TERM?", "1;0;FRON"),
        (":FORM:ELEM?;:FORM?", "VOLT,CURR,RES,TIME,STAT;ASC"),
        (":ARM:COUN?;:TRIG:COUN?;:TRAC:POIN?;FEED:CONT?", "1;1;100;NEV"),
        (":SOUR:FUNC CURR", ""),
        (":SENS:FUNC 'VOLT'", ""),
        (":SENS:FUNC?;FUNC:COUN?", '"VOLT:DC","CURR:DC";2'),
        (":SENS:FUNC:OFF 'CURR';:SENS:FUNC?", '"VOLT:DC"'),
        (":SENS:VOLT:PROT 5;PROT?;PROT? MAX", "5.000000E+00;2.100000E+02"),
        (":SOUR:CURR 1mA;CURR?;CURR:RANG?", "1.000000E-03;1.000000E-03"),
        (":SENS:CURR:NPLC 10;:SENS:VOLT:NPLC?", "1.000000E+01"),
        (":BOO", ""),
        (":SYST:ERR?", '-113,"Undefined header"'),
        (":SOUR:CURR 2", ""),
        (":STAT:QUE?", '-222,"Parameter data out of range"'),
        (":READ?", ""),
        (":SYST:ERR?", '+803,"Not permitted with OUTPUT off"'),
        (":FORM:ELEM STAT,VOLT;ELEM?", "VOLT,STAT"),
        (":OUTP ON", ""),
    ]:
        assert resistor_smu.say(message) == expected, message
    volts, status = resistor_smu.numbers(":READ?")
    assert volts == pytest.approx(1.0, rel=2e-4)
    assert int(status) == 1 << 2 | 1 << 11 | 1 << 15  # front, volts measured, current sourced


def test_reading_has_voltage_current_and_the_time_since_it_was_switched_on(smu, clock):
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(3600.0)
    volts, amps, ohms, seconds, _ = smu.numbers(":READ?")
    assert volts == pytest.approx(smu.cell.voltage(78.5e-6), abs=20e-6)
    assert amps == pytest.approx(78.5e-6, rel=2e-4)
    assert ohms == 9.91e37
    assert seconds == pytest.approx(3600.0, abs=0.1)
    smu.say(":SYST:TIME:RES")
    assert smu.numbers(":READ?")[3] < 0.2


def test_the_timer_begins_anew_after_a_hundred_thousand_seconds(resistor_smu, clock):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:FORM:ELEM TIME")
    clock.pass_time(99_999.0)
    assert resistor_smu.numbers(":READ?") == [pytest.approx(99_999.0, abs=0.1)]
    clock.pass_time(2.0)
    assert resistor_smu.numbers(":READ?") == [pytest.approx(1.0, abs=0.1)]


def test_what_is_only_sourced_reads_as_programmed_and_what_is_neither_as_no_number(resistor_smu):
    resistor_smu.say(":SOUR:FUNC CURR;:SENS:FUNC:OFF:ALL;:SENS:FUNC 'VOLT';:SOUR:CURR 1e-3;:OUTP ON")
    assert resistor_smu.numbers(":READ?")[1] == 1e-3
    resistor_smu.say(":SENS:FUNC:OFF:ALL;:SENS:FUNC 'CURR'")
    assert resistor_smu.numbers(":READ?")[0] == 9.91e37
    resistor_smu.say(":SENS:FUNC:ALL")
    assert resistor_smu.numbers(":READ?")[2] == pytest.approx(1000.0, rel=1e-3)


def test_an_error_takes_the_rest_of_its_message_with_it(resistor_smu):
    assert resistor_smu.say("*IDN?;:NONSENSE;:SOUR:VOLT 3;:SOUR:VOLT?").startswith("KEITHLEY")
    assert resistor_smu.say(":SOUR:VOLT?") == "0.000000E+00"
    assert resistor_smu.say(":OUTP?;:READ?") == "0"
    assert resistor_smu.errors() == ["-113", "+803"]


@pytest.mark.parametrize(
    ("model", "asked", "level"),
    [
        ("2400", 30, 20),
        ("2400", 110, 100),
        ("2400", -40, 40),
        ("2400", 1, 20),
        ("2400", 161, 210),
        ("2440", 6, 4),
        ("2410", 250, 200),
        ("2401", 21, 21),
    ],
)
def test_protection_between_two_levels_is_rounded_down(make_smu, model, asked, level):
    smu = make_smu(ResistorCell(1000.0), model=model)
    smu.say(f":SOUR:VOLT:PROT {asked}")
    assert smu.numbers(":SOUR:VOLT:PROT?") == [level]
    smu.say(":SOUR:VOLT:PROT NONE")
    assert smu.numbers(":SOUR:VOLT:PROT?") == smu.numbers(":SOUR:VOLT:PROT? MAX")
    assert smu.errors() == []


def test_protection_holds_in_both_source_modes_and_is_told(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(30e-3) + ";:SENS:VOLT:PROT 60;:SOUR:VOLT:PROT 20")
    volts, _, _, _, status = resistor_smu.numbers(":READ?")
    assert volts == pytest.approx(20.0, rel=1e-3)
    assert int(status) & PROTECTED
    assert not int(status) & (REAL | RANGE)
    assert resistor_smu.say(":SOUR:VOLT:PROT:TRIP?;:SENS:VOLT:PROT:TRIP?") == "1;0"


def test_real_compliance_clamps_and_says_so(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(50e-3))
    volts, amps, _, _, status = resistor_smu.numbers(":READ?")
    assert (volts, amps) == (pytest.approx(10.0, rel=1e-3), pytest.approx(10e-3, rel=1e-3))
    assert int(status) & (REAL | RANGE) == REAL
    assert resistor_smu.say(":SENS:VOLT:PROT:TRIP?;:SENS:CURR:PROT:TRIP?") == "1;0"
    resistor_smu.say(SOURCE_VOLTAGE.format(20))
    assert resistor_smu.numbers(":READ?")[1] == pytest.approx(10e-3, rel=1e-3)
    assert resistor_smu.say(":SENS:CURR:PROT:TRIP?") == "1"


def test_a_fixed_measure_range_below_the_compliance_clamps_as_range_compliance(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(5e-3) + ";:SENS:VOLT:RANG 2")
    volts, _, _, _, status = resistor_smu.numbers(":READ?")
    assert volts == pytest.approx(2.1, rel=1e-3)
    assert int(status) & (REAL | RANGE) == RANGE


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (":SOUR:FUNC CURR;:SENS:VOLT:RANG 200", "+824"),
        (":SOUR:FUNC CURR;:SENS:VOLT:RANG 20;:SENS:VOLT:PROT 0.01", "+822"),
        (":SENS:CURR:RANG 1e-4;:SENS:CURR:PROT 1e-8", "+822"),
        (":SENS:VOLT:RANG 2", "-221"),
        (":SENS:CURR:PROT 1e-10", "-222"),
        (":SENS:VOLT:PROT 211", "-222"),
        (":SENS:VOLT:PROT 60;:SOUR:FUNC CURR;:SOUR:CURR 0.5", "+826"),
        (":SENS:CURR:PROT 0.5;:SOUR:VOLT 60", "+826"),
        (":SOUR:VOLT 211", "-222"),
        (":SOUR:VOLT:RANG 2;:SOUR:VOLT 3", "-222"),
        (":SENS:FUNC 'FOO'", "-224"),
        (":SENS:VOLT:NPLC 0.001", "-222"),
        (":FORM:ELEM VOLT,FOO", "-224"),
        (":SOUR:VOLT:PROT 300", "-222"),
        (":INIT", "+803"),
        (":FETC?", "-230"),
        ("*TRG", "-211"),
        (":TRAC:DATA?", "-230"),
    ],
)
def test_what_the_manual_refuses_is_refused(resistor_smu, message, error):
    resistor_smu.say(message)
    assert resistor_smu.errors() == [error]


def test_the_queue_holds_ten_errors(resistor_smu):
    for _ in range(12):
        resistor_smu.say(":FOO")
    assert resistor_smu.errors() == [*["-113"] * 9, "-350"]


@pytest.mark.parametrize(("state", "flows"), [("NORM", True), ("ZERO", True), ("GUAR", False), ("HIMP", False)])
def test_off_states_at_a_charged_cell(make_smu, clock, state, flows):
    smu = make_smu(LiSymmetricCell(PRESETS["llzto-zni2"], 1))
    smu.say(SOURCE_CURRENT.format(0.2e-3))
    clock.pass_time(3600.0)
    smu.say(f":OUTP:SMOD {state};:OUTP OFF")
    charge = smu.cell.charge
    clock.pass_time(60.0)
    smu.say("*IDN?")
    assert (smu.cell.charge != charge) == flows


def test_reset_and_a_new_source_function_switch_the_output_off(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:OUTP:SMOD HIMP")
    assert resistor_smu.say(":OUTP?;:SOUR:FUNC VOLT;:OUTP?") == "1;0"
    resistor_smu.say(":OUTP ON;*RST")
    assert resistor_smu.say(":OUTP?;:OUTP:SMOD?;:SYST:RSEN?") == "0;NORM;0"
    assert not resistor_smu.unit.output


def test_the_output_goes_on_for_a_reading_only_if_it_is_told_to(resistor_smu):
    resistor_smu.say(":SOUR:CLE:AUTO ON;:SENS:CURR:PROT 0.01;:SOUR:VOLT 1;:SYST:RSEN ON")
    assert resistor_smu.numbers(":READ?")[1] == pytest.approx(1e-3, rel=1e-3)
    assert resistor_smu.say(":OUTP?") == "0"


def test_two_wire_readings_include_the_leads(resistor_smu):
    resistor_smu.unit.lead_resistance = 10.0
    resistor_smu.say(SOURCE_CURRENT.format(1e-3))
    assert resistor_smu.numbers(":READ?")[0] == pytest.approx(1.0, rel=5e-4)
    resistor_smu.say(":SYST:RSEN OFF")
    assert resistor_smu.numbers(":READ?")[0] == pytest.approx(1.01, rel=5e-4)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (":SYST:AZER OFF", 0.04),
        (":SYST:AZER ON", 0.08),
        (":SYST:AZER OFF;:SENS:VOLT:NPLC 0.1", 0.004),
        (":SYST:AZER OFF;:SENS:AVER:COUN 10;TCON REP;STAT ON", 0.4),
        (":SYST:AZER OFF;:SENS:AVER:COUN 10;TCON MOV;STAT ON", 0.04),
        (":SYST:AZER OFF;:TRIG:DEL 0.1", 0.14),
    ],
)
def test_a_reading_takes_its_time(resistor_smu, settings, seconds):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:SOUR:DEL 0;:FORM:ELEM TIME;" + settings)
    resistor_smu.say(":TRIG:COUN 3")
    times = resistor_smu.numbers(":READ?")
    assert times[2] - times[1] == pytest.approx(seconds, abs=1e-5)
    assert resistor_smu.interface.busy() > 2 * seconds


def test_a_message_waits_until_the_trigger_model_is_idle(resistor_smu, clock):
    say = resistor_smu.say
    say(SOURCE_CURRENT.format(1e-3) + ";:SOUR:DEL 0;:SYST:AZER OFF;:TRIG:COUN 100;:INIT")
    clock.pass_time(1.0)
    assert say(":OUTP?") == "1"
    assert resistor_smu.interface.busy() == pytest.approx(100 * 0.04 - 1.0, abs=0.05)
    assert len(say(":FETC?").split(",")) == 500


def test_abort_acts_at_once(resistor_smu, clock):
    say = resistor_smu.say
    say(SOURCE_CURRENT.format(1e-3) + ";:SOUR:DEL 0;:SYST:AZER OFF;:TRIG:COUN 100;:INIT")
    clock.pass_time(1.0)
    say(":ABOR")
    assert resistor_smu.interface.busy() == pytest.approx(0.0, abs=0.05)
    assert len(say(":FETC?").split(",")) == pytest.approx(125, abs=10)


def test_a_bus_trigger_is_waited_for_and_messages_wait_with_it(resistor_smu):
    say = resistor_smu.say
    say(SOURCE_CURRENT.format(1e-3) + ";:ARM:SOUR BUS;:INIT")
    assert say("*OPC?") == ""
    assert say(":FETC?") == ""
    answers = say("*TRG").split("\n")
    assert answers[0] == "1"
    assert float(answers[1].split(",")[0]) == pytest.approx(1.0, rel=1e-3)


def test_an_endless_run_is_ended_by_abort(resistor_smu, clock):
    say = resistor_smu.say
    say(SOURCE_CURRENT.format(1e-3) + ";:ARM:COUN INF;:INIT")
    clock.pass_time(10.0)
    assert say("*IDN?") == ""
    assert say(":ABOR").startswith("KEITHLEY")


def test_the_buffer_fills_once_and_the_status_byte_tells(resistor_smu):
    say = resistor_smu.say
    resistor_smu.interface.busy()  # as a served link asks
    say(":STAT:PRES;*CLS;*SRE 1;:STAT:MEAS:ENAB 512")
    say(SOURCE_CURRENT.format(1e-3) + ";:TRAC:POIN 5;FEED SENS;FEED:CONT NEXT;:TRIG:COUN 5;:FORM:ELEM CURR,TIME")
    assert say("*STB?") == "0"
    say(":INIT")
    assert say("*STB?") == "65"
    data = resistor_smu.numbers(":TRAC:DATA?")
    assert data[0::2] == pytest.approx([1e-3] * 5, rel=1e-3)
    assert data[1] == 0.0
    assert data[1::2] == sorted(set(data[1::2]))
    assert say(":TRAC:POIN:ACT?;:TRAC:FEED:CONT?") == "5;NEV"
    say(":TRAC:TST:FORM DELT")
    delta = resistor_smu.numbers(":TRAC:DATA?")[1::2]
    assert delta[2:] == pytest.approx([data[3] - data[1]] * 3, abs=1e-5)
    assert resistor_smu.numbers(":CALC3:FORM MEAN;DATA?") == pytest.approx([1e-3], rel=1e-3)
    say(":TRAC:FEED:CONT NEXT;:TRIG:COUN 1;:READ?;:TRAC:POIN 7")
    assert resistor_smu.errors() == ["+800"]


def test_a_staircase_sweep_and_a_list(resistor_smu):
    say = resistor_smu.say
    say(":SOUR:FUNC VOLT;:SENS:CURR:PROT 0.1;:SYST:RSEN ON;:FORM:ELEM CURR;:OUTP ON")
    say(":SOUR:VOLT:STAR 0;STOP 1;STEP 0.25;MODE SWE;:TRIG:COUN 5")
    assert resistor_smu.numbers(":READ?") == pytest.approx([0, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3], abs=1e-7)
    say(":SOUR:LIST:VOLT 1,-1;:SOUR:VOLT:MODE LIST;:TRIG:COUN 2")
    assert resistor_smu.numbers(":READ?") == pytest.approx([1e-3, -1e-3], rel=1e-3)
    assert resistor_smu.errors() == []


def test_binary_readings(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:FORM:ELEM VOLT,CURR;:FORM:DATA REAL,32;:FORM:BORD SWAP")
    answer = resistor_smu.say(":READ?").encode("latin-1")
    assert answer[:2] == b"#0"
    assert struct.unpack("<2f", answer[2:]) == (pytest.approx(1.0, rel=1e-3), pytest.approx(1e-3, rel=1e-3))


def test_a_signal_beyond_a_fixed_range_overflows(make_smu):
    smu = make_smu(ResistorCell(1000.0))
    smu.say(SOURCE_CURRENT.format(0) + ";:SENS:FUNC 'RES';:SENS:RES:RANG 20;:SOUR:CURR 1e-3")
    _, _, ohms, _, status = smu.numbers(":READ?")
    assert ohms == 9.9e37
    assert int(status) & OVERFLOW


def test_instrument_time_advances_even_when_the_clock_does_not(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:FORM:ELEM TIME")
    times = [resistor_smu.numbers(":READ?")[0] for _ in range(5)]
    assert times == sorted(set(times))


def test_the_chambers_temperature_reaches_the_cell(make_smu, clock):
    smu = make_smu(LiSymmetricCell(PRESETS["llzto-zni2"], 1), temperature=lambda: 333.15)
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(3600.0)
    assert smu.numbers(":READ?")[0] < 5e-3  # 13 mV at 25 degC
