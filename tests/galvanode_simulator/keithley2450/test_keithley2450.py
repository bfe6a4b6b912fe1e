"""The simulated 2450 does to the cell what a real one does, and says so in the manual's words."""

from __future__ import annotations

import struct

import pytest

from galvanode_simulator.cells import PRESETS, LiSymmetricCell, ResistorCell
from galvanode_simulator.keithley2450.unit import RANGES
from galvanode_simulator.parts.converter import IdealConverter

SOURCE_CURRENT = ':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SENS:VOLT:RSEN ON;:SOUR:CURR {:g};:OUTP ON'


def numbers(answer: str) -> list[float]:
    return [float(field) for field in answer.split(",")]


def test_golden_transcript(resistor_smu):
    """A session as one would see it on the wire; noise is in the seventh digit and below."""
    for message, expected in [
        ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04400001,1.7.12b"),
        ("*LANG?", "SCPI"),
        ("*RST", ""),
        (":SYST:ERR?", '0,"No error;0;0 0"'),
        (":OUTP?", "0"),
        (":SOUR:FUNC?", "VOLT"),
        (":SENS:FUNC?", '"CURR:DC"'),
        (":OUTP:CURR:SMOD?;:OUTP:VOLT:SMOD?", "NORM;NORM"),
        (":SOUR:FUNC CURR", ""),
        (':SENS:FUNC "VOLT:DC"', ""),
        (":SENS:FUNC?", '"VOLT:DC"'),
        (":SOUR:CURR:RANG 1e-3;RANG?", "1.000000E-03"),
        (":SOUR:CURR:VLIM 5;VLIM?", "5.000000E+00"),
        (":SOUR:VOLT:PROT PROT10;PROT?", "PROT10"),
        (":SOUR:CURR 1mA", ""),
        (":SOUR:CURR?", "1.000000E-03"),
        (":SOUR:CURR? MAX;:SOUR:CURR? MIN", "1.050000E+00;-1.050000E+00"),
        (":SENS:VOLT:RSEN ON;RSEN?", "1"),
        (":SENS:VOLT:NPLC 10;NPLC?", "1.000000E+01"),
        (":OUTP ON;:OUTP?", "1"),
        (":SOUR:CURR:VLIM:TRIP?;:SOUR:VOLT:PROT:TRIP?", "0;0"),
        (":SOUR:CURR 5e-3", ""),
        (":SYST:ERR:COUN?", "1"),
        (":SYST:ERR?", '-222,"Parameter data out of range;1;2026/01/01 00:00:00.000"'),
        (":BOO", ""),
        (":SYST:EVEN:NEXT?", '-113,"Undefined header;1;2026/01/01 00:00:00.000"'),
        (":SENS:VOLT:NPLC", ""),
        (":SYST:ERR?", '-109,"Missing parameter;1;2026/01/01 00:00:00.000"'),
        (":SYST:CLE;:SYST:ERR:COUN?", "0"),
    ]:
        assert resistor_smu.say(message) == expected, message
    assert numbers(resistor_smu.say(":READ?")) == [pytest.approx(1.0, rel=2e-4)]


def test_reading_pair_is_the_voltage_and_the_current_that_flowed(smu, clock):
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(3600.0)
    volts, amps = numbers(smu.say(':READ? "defbuffer1",READ,SOUR'))
    assert volts == pytest.approx(smu.cell.voltage(78.5e-6), abs=20e-6)
    assert amps == pytest.approx(78.5e-6, rel=2e-4)


def test_an_open_circuit_is_a_source_of_zero_amps(smu, clock):
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(3600.0)
    smu.say(":SOUR:CURR 0")
    clock.pass_time(10 * 3600.0)
    charge = smu.cell.charge
    clock.pass_time(3600.0)
    assert numbers(smu.say(":READ?"))[0] == pytest.approx(0.0, abs=30e-6)
    assert smu.cell.charge == charge


def charged(smu, clock, amps: float = 0.2e-3) -> None:
    """Polarise the cell, then leave the output on."""
    smu.say(SOURCE_CURRENT.format(amps))
    clock.pass_time(3600.0)
    smu.say("*IDN?")


def test_normal_off_state_shorts_the_cell_through_zero_volts(smu, clock):
    charged(smu, clock)
    smu.say(":OUTP:CURR:SMOD NORM;:OUTP OFF")
    before = smu.cell.charge
    volts, amps, limited = smu.unit.terminals_now()
    assert (volts, limited) == (0.0, False)
    assert amps < -1e-6  # the cell discharges into the instrument
    clock.pass_time(60.0)
    smu.say("*IDN?")
    assert smu.cell.charge > before


def test_high_impedance_off_state_leaves_the_cell_alone(smu, clock):
    charged(smu, clock)
    smu.say(":OUTP:CURR:SMOD HIMP;:OUTP OFF")
    before = smu.cell.charge
    assert smu.unit.terminals_now()[1] == 0.0
    assert smu.unit.terminals_now()[0] > 1e-3  # the cell still has its voltage
    assert numbers(smu.say(":READ?"))[0] == pytest.approx(0.0, abs=5e-6)  # but the instrument is not at it
    clock.pass_time(3600.0)
    smu.say("*IDN?")
    assert smu.cell.charge == before


def test_guard_off_state_is_zero_amps_and_zero_off_state_is_zero_volts(smu, clock):
    charged(smu, clock)
    smu.say(":OUTP:SMOD GUAR;:OUTP OFF")
    assert smu.unit.terminals_now()[1] == 0.0
    assert smu.say(":OUTP:SMOD?;:OUTP:CURR:SMOD?;:OUTP:VOLT:SMOD?") == "GUAR;GUAR;GUAR"
    smu.say(":OUTP:SMOD ZERO")
    assert smu.unit.terminals_now()[0] == 0.0


def test_normal_off_state_limits_the_current_to_a_tenth_of_the_range(resistor_smu):
    resistor_smu.unit.cell = _Battery()
    resistor_smu.say(":SOUR:FUNC CURR;:SOUR:CURR:RANG 1e-3;:OUTP OFF")
    assert resistor_smu.unit.terminals_now()[1:] == (-1e-4, True)


class _Battery(ResistorCell):
    """3 V behind 10 ohm."""

    def voltage(self, amps: float) -> float:
        return 3.0 + 10.0 * amps

    def current(self, volts: float) -> float:
        return (volts - 3.0) / 10.0


def test_the_voltage_limit_clamps_and_says_so(resistor_smu):
    say = resistor_smu.say
    say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SOUR:CURR:VLIM 2;:SOUR:CURR 5e-3;:SENS:VOLT:RSEN ON;:OUTP ON')
    volts, amps, status = numbers(say(':READ? "defbuffer1",READ,SOUR,SOURSTAT'))
    assert volts == pytest.approx(2.0, rel=2e-4)
    assert amps == pytest.approx(2e-3, rel=2e-4)
    assert int(status) & 32
    assert say(":SOUR:CURR:VLIM:TRIP?") == "1"
    assert say(":SOUR:VOLT:ILIM:TRIP?") == "0"


def test_without_read_back_the_source_element_is_what_was_programmed(resistor_smu):
    say = resistor_smu.say
    say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SOUR:CURR:VLIM 2;:SOUR:CURR 5e-3;READ:BACK OFF')
    say(":SOUR:CURR:READ:BACK OFF;:OUTP ON")
    assert numbers(say(':READ? "defbuffer1",SOUR')) == [5e-3]


def test_the_current_limit_of_a_voltage_source_clamps(resistor_smu):
    say = resistor_smu.say
    say(':SOUR:FUNC VOLT;:SENS:FUNC "CURR";:SOUR:VOLT 5;:SOUR:VOLT:ILIM 1e-3;:OUTP ON')
    amps, volts, status = numbers(say(':READ? "defbuffer1",READ,SOUR,SOURSTAT'))
    assert amps == pytest.approx(1e-3, rel=2e-4)
    assert volts == pytest.approx(1.0, rel=1e-3)
    assert int(status) & 32
    assert say(":SOUR:VOLT:ILIM:TRIP?") == "1"


def test_over_voltage_protection_holds_in_both_source_modes(resistor_smu):
    say = resistor_smu.say
    say(":SOUR:VOLT:PROT PROT2;:SOUR:FUNC CURR;:SOUR:CURR:VLIM 10;:SOUR:CURR 5e-3;:OUTP ON")
    assert abs(resistor_smu.unit.terminals_now()[0]) == 2.0
    assert say(":SOUR:VOLT:PROT:TRIP?") == "1"
    say(":SOUR:FUNC VOLT;:SOUR:VOLT 10;:SOUR:VOLT:ILIM 1;:OUTP ON")
    assert resistor_smu.unit.terminals_now()[0] == 2.0
    assert say(":SOUR:VOLT:PROT NONE;PROT:TRIP?") == "0"


def test_two_wire_readings_include_the_leads_and_four_wire_readings_do_not(resistor_smu):
    resistor_smu.unit.cell = ResistorCell(1.0)
    resistor_smu.say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SOUR:CURR 0.1;:OUTP ON')
    assert numbers(resistor_smu.say(":READ?")) == [pytest.approx(0.11, rel=1e-3)]
    resistor_smu.say(":SENS:VOLT:RSEN ON")
    assert numbers(resistor_smu.say(":READ?")) == [pytest.approx(0.10, rel=1e-3)]


def test_resistance_is_measured(resistor_smu):
    resistor_smu.say(":SOUR:FUNC CURR;:SENS:FUNC 'RES';:SENS:RES:RSEN ON;:SOUR:CURR 1e-3;:OUTP ON")
    assert numbers(resistor_smu.say(":READ?")) == [pytest.approx(1000.0, rel=2e-4)]


@pytest.mark.parametrize(
    "message",
    [
        ":SOUR:CURR 1.06",
        ":SOUR:VOLT -211",
        ":SOUR:CURR:VLIM 0.01",
        ":SOUR:CURR:VLIM 211",
        ":SOUR:VOLT:ILIM 1.1",
        ":SENS:VOLT:NPLC 0.001",
        ":SENS:COUN 0",
        ":SOUR:CURR:RANG 2",
        ":SENS:VOLT:RANG 300",
        ':TRAC:MAKE "b",1',
    ],
)
def test_out_of_range_is_refused_and_changes_nothing(smu, message):
    query = message.split(" ")[0] + "?"
    before = smu.say(query)
    smu.say("*CLS")
    smu.say(message)
    assert smu.errors() == ["-222"]
    assert smu.say(query) == before


def test_a_level_beyond_a_fixed_range_is_refused(smu):
    smu.say(":SOUR:CURR:RANG 1e-4;:SOUR:CURR 1.06e-4")
    assert smu.errors() == ["-222"]
    smu.say(":SOUR:CURR 1.05e-4")
    assert smu.errors() == []


def test_a_signal_beyond_a_fixed_measure_range_overflows(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:SENS:VOLT:RANG 0.2")
    assert numbers(resistor_smu.say(":READ?")) == [9.9e37]


def test_changing_the_source_function_switches_the_output_off(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3))
    assert resistor_smu.say(":OUTP?") == "1"
    resistor_smu.say(":SOUR:FUNC VOLT")
    assert resistor_smu.say(":OUTP?") == "0"


def test_reset_switches_off_and_selects_the_normal_off_state(smu):
    smu.say(":OUTP:SMOD HIMP;" + SOURCE_CURRENT.format(1e-5) + ";:FOO")
    smu.say("*RST")
    assert smu.say(":OUTP?;:OUTP:CURR:SMOD?;:SOUR:CURR?;:SOUR:FUNC?") == "0;NORM;0.000000E+00;VOLT"
    assert smu.errors() == ["-113"]  # the queue is not reset


def test_noise_and_resolution_are_those_of_the_range(smu, clock):
    smu.say(SOURCE_CURRENT.format(0))
    readings = [numbers(smu.say(":READ?"))[0] for _ in range(400)]
    rms = (sum(value**2 for value in readings) / len(readings)) ** 0.5
    assert 1e-6 < rms < 10e-6
    steps = [value / 10e-9 for value in readings]  # 10 nV on the 20 mV range
    assert all(abs(step - round(step)) < 0.02 for step in steps)


def test_more_power_line_cycles_mean_less_noise(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(0))

    def spread(cycles: float) -> float:
        resistor_smu.say(f":SENS:VOLT:NPLC {cycles}")
        readings = [numbers(resistor_smu.say(":READ?"))[0] for _ in range(300)]
        return max(readings) - min(readings)

    assert spread(0.01) > 5 * spread(10)


def test_same_seed_same_digits(make_smu, clock):
    def session(seed: int) -> list[str]:
        clock.time = 0.0
        smu = make_smu(LiSymmetricCell(PRESETS["llzto-zni2"], seed), seed)
        smu.say(SOURCE_CURRENT.format(78.5e-6))
        answers = []
        for _ in range(50):
            clock.pass_time(10.0)
            answers.append(smu.say(':READ? "defbuffer1",SOUR,READ,REL,SOURSTAT'))
        return answers

    assert session(5) == session(5)
    assert session(5) != session(6)


def test_instrument_time_advances_from_reading_to_reading_even_when_the_clock_does_not(smu):
    times = [numbers(smu.say(':READ? "defbuffer1",REL'))[0] for _ in range(5)]
    assert times == sorted(set(times))


def test_elements_of_a_reading(smu, clock):
    clock.pass_time(3661.25)
    smu.say(SOURCE_CURRENT.format(0) + ";:SOUR:CURR:DEL 0")
    answer = smu.say(':READ? "defbuffer1",TST,DATE,TIME,SEC,FRAC,UNIT,SOURUNIT,STAT,SOURSTAT,REL')
    assert answer == (
        "01/01/2026 01:01:01.250000000,01/01/2026,01:01:01,1767229261,0.250000000,Volt DC,Amp DC,0,200,0.000000"
    )
    assert smu.say(':READ? "defbuffer1",NONSENSE') == ""
    assert smu.errors() == ["-224"]


def test_buffers(smu, clock):
    say = smu.say
    say(SOURCE_CURRENT.format(1e-5) + ";:SOUR:CURR:DEL 0")
    say(':TRAC:MAKE "mine", 10')
    for _ in range(12):
        clock.pass_time(1.0)
        say(':READ? "mine"')
    assert say(':TRAC:ACT? "mine";:TRAC:ACT:STAR? "mine";:TRAC:ACT:END? "mine"') == "10;1;10"
    data = numbers(say(':TRAC:DATA? 1,3,"mine",READ,REL'))
    assert [round(value, 1) for value in data[1::2]] == [0.0, 1.0, 2.0]
    assert say(':FETC? "mine",REL') == "9.000000"
    assert say(':TRAC:FILL:MODE? "mine";MODE? "defbuffer1"') == "ONCE;CONT"
    say(':TRAC:DATA? 5,11,"mine"')
    say(':TRAC:FILL:MODE CONT,"mine"')
    say(':TRAC:DATA? 1,1,"nothing"')
    assert smu.errors() == ["-222", "-221", "1115"]
    say(':TRAC:CLE "mine"')
    assert say(':TRAC:ACT? "mine"') == "0"
    say(':TRAC:DEL "mine";:TRAC:DEL "defbuffer1"')
    assert smu.errors() == ["-221"]


def test_a_continuous_buffer_forgets_the_oldest(smu, clock):
    smu.say(":TRAC:POIN 10")
    for _ in range(25):
        clock.pass_time(1.0)
        smu.say(":READ?")
    assert smu.say(":TRAC:ACT?;:TRAC:POIN?") == "10;10"
    times = numbers(smu.say(':TRAC:DATA? 1,10,"defbuffer1",REL'))
    assert times == sorted(times)
    assert times[-1] == pytest.approx(24.0)


def test_count_takes_several_readings_and_answers_with_the_last(smu):
    smu.say(":SENS:COUN 5;:SENS:CURR:NPLC 1")
    last = smu.say(":READ?")
    assert smu.say(":TRAC:ACT?") == "5"
    assert smu.say(":FETC?") == last


def test_ascii_precision(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:FORM:ASC:PREC 4")
    assert resistor_smu.say(':READ? "defbuffer1",READ,SOUR') == "1.000E+00,1.000E-03"
    resistor_smu.say("*RST")
    assert len(resistor_smu.say(":READ?").split("E")[0].lstrip("-")) == 8


def test_binary_format(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(1e-3) + ";:FORM REAL")
    answer = resistor_smu.say(':READ? "defbuffer1",READ,SOUR').encode("latin-1")
    assert answer[:2] == b"#0"
    assert struct.unpack("<2d", answer[2:]) == (pytest.approx(1.0, rel=1e-3), pytest.approx(1e-3, rel=1e-3))
    resistor_smu.say(':READ? "defbuffer1",TST')
    assert resistor_smu.errors() == ["1133"]


def test_a_simple_loop_takes_its_readings_while_nobody_asks(smu, clock):
    say = smu.say
    say(SOURCE_CURRENT.format(78.5e-6))
    say(":SENS:VOLT:AZER OFF")
    say(':TRAC:MAKE "run",100;:TRIG:LOAD "SimpleLoop",20,1.0,"run";:INIT')
    assert say(":TRIG:STAT?") == "RUNNING;RUNNING;2"
    say(":READ?")
    assert smu.errors() == ["-213"]
    clock.pass_time(10.0)
    assert say(':TRAC:ACT? "run"') == "9"
    clock.pass_time(1000.0)
    assert say(':TRAC:ACT? "run";:TRIG:STAT?') == "20;IDLE;IDLE;0"
    times = numbers(say(':TRAC:DATA? 1,20,"run",REL'))
    assert times[-1] == pytest.approx(19 * 1.02)
    assert smu.cell.age == pytest.approx(1010.0)


def test_a_duration_loop_ends_by_time_and_abort_ends_it_at_once(smu, clock):
    say = smu.say
    say(':TRAC:MAKE "run",1000;:TRIG:LOAD "DurationLoop",5,0.44,"run";:INIT')
    clock.pass_time(100.0)
    assert say(':TRAC:ACT? "run";:TRIG:STAT?') == "10;IDLE;IDLE;0"
    say(":INIT")
    clock.pass_time(1.1)
    say(":ABOR")
    clock.pass_time(100.0)
    assert say(':TRAC:ACT? "run"') == "12"


def test_the_chambers_temperature_reaches_the_cell(make_smu, clock):
    smu = make_smu(LiSymmetricCell(PRESETS["llzto-zni2"], 1), temperature=lambda: 333.15)
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(3600.0)
    assert numbers(smu.say(":READ?"))[0] < 5e-3  # 13 mV at 25 degC


def test_no_time_passes_when_a_clock_begins_anew(smu, clock):
    smu.say(SOURCE_CURRENT.format(78.5e-6))
    clock.pass_time(100.0)
    smu.say("*IDN?")
    clock.time = 0.0
    smu.say("*IDN?")
    clock.pass_time(1.0)
    smu.say("*IDN?")
    assert smu.cell.age == pytest.approx(101.0)


def readings_apart(smu, settings: str) -> float:
    """Seconds from one reading to the next of one message."""
    smu.say(f'*RST;{settings};:SENS:COUN 3;:READ? "defbuffer1"')
    times = numbers(smu.say(':TRAC:DATA? 1,3,"defbuffer1",REL'))
    return round(times[2] - times[1], 9)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (":SENS:CURR:AZER OFF", 0.02),
        ("*CLS", 0.06),
        (":SENS:CURR:AZER OFF;NPLC 0.1", 0.002),
        (":SENS:CURR:NPLC 10;AVER:COUN 5;:SENS:CURR:AVER ON", 3.0),
        (":SENS:CURR:AVER:COUN 5;TCON MOV;:SENS:CURR:AVER ON", 0.06),
    ],
)
def test_a_reading_takes_power_line_cycles_times_filter_times_autozero(resistor_smu, settings, seconds):
    assert readings_apart(resistor_smu, settings) == seconds


def test_it_is_busy_for_as_long_as_its_readings_take_and_stamps_them_within(resistor_smu, clock):
    resistor_smu.say(":SENS:CURR:AZER OFF;:SENS:COUN 10")
    assert resistor_smu.interface.busy() == 0.0
    clock.pass_time(5.0)
    resistor_smu.say(":READ?")
    assert resistor_smu.interface.busy() == pytest.approx(0.2)
    assert numbers(resistor_smu.say(':TRAC:DATA? 1,10,"defbuffer1",REL')) == pytest.approx(
        [0.02 * number for number in range(10)]
    )
    clock.pass_time(0.1)
    assert resistor_smu.interface.busy() == pytest.approx(0.1)
    clock.pass_time(0.2)
    assert resistor_smu.interface.busy() == 0.0


def test_the_cell_lives_on_between_the_readings_of_one_message(smu, clock):
    smu.say(SOURCE_CURRENT.format(78.5e-6) + ";:SOUR:CURR:DEL 0;:SENS:VOLT:AZER OFF;:SENS:COUN 51")
    smu.say(":READ?")
    assert smu.cell.age == pytest.approx(1.0)
    clock.pass_time(1.0)
    smu.say("*IDN?")
    assert smu.cell.age == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        (":SOUR:CURR:DEL 0.5", 0.5),
        (":SOUR:CURR:RANG 1e-3", 0.001),
        (":SOUR:CURR:RANG 1e-8;:SOUR:CURR:HIGH:CAP ON", 0.1),
    ],
)
def test_the_first_reading_waits_for_the_source_delay(resistor_smu, settings, seconds):
    resistor_smu.interface.busy()  # as a served link asks
    resistor_smu.say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SENS:VOLT:AZER OFF;' + settings)
    resistor_smu.say(":OUTP ON;:SENS:COUN 1;:READ?")
    assert resistor_smu.interface.busy() == pytest.approx(seconds + 0.02)
    resistor_smu.say(":READ?")
    assert resistor_smu.interface.busy() == pytest.approx(seconds + 0.04)


def test_in_process_no_charge_passes_ahead_of_the_clock(smu):
    before = smu.cell.age
    smu.say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SOUR:CURR:DEL 0.5;:SOUR:CURR 1e-3;:OUTP ON')
    for _ in range(3):
        smu.say(":READ?")
    assert smu.cell.age == before


def test_an_autozero_takes_two_conversions(resistor_smu):
    resistor_smu.say(":SENS:CURR:AZER OFF;:SENS:AZER:ONCE")
    assert resistor_smu.interface.busy() == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("command", "levels"),
    [
        (":SOUR:SWE:CURR:LIN 0, 1e-3, 5", [0, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3]),
        (":SOUR:SWE:CURR:LIN:STEP 1e-3, 0, 0.5e-3", [1e-3, 0.5e-3, 0]),
        (":SOUR:SWE:CURR:LIN 0, 1e-3, 2, 0, 1, FIX, OFF, ON", [0, 1e-3, 1e-3, 0]),
        (":SOUR:SWE:CURR:LIN 0, 1e-3, 2, 0.1, 2, AUTO, ON, OFF, ", [0, 1e-3, 0, 1e-3]),
        (":SOUR:SWE:CURR:LOG 1e-5, 1e-3, 3", [1e-5, 1e-4, 1e-3]),
        (":SOUR:LIST:CURR 1e-3, 2e-3;:SOUR:LIST:CURR:APP -1e-3;:SOUR:SWE:CURR:LIST 2, 0.2", [2e-3, -1e-3]),
    ],
)
def test_a_sweep_steps_through_its_levels_and_ends_with_the_output_off(resistor_smu, command, levels):
    say = resistor_smu.say
    say(':SOUR:CURR:RANG 1e-2;:SENS:FUNC "VOLT"')
    say(f"{command};:INIT")
    assert say(":TRIG:STAT?;:OUTP?") == "RUNNING;RUNNING;2;1"
    assert say("*WAI;:TRIG:STAT?;:OUTP?") == "IDLE;IDLE;0;0"
    assert resistor_smu.errors() == []
    data = numbers(say(f':TRAC:DATA? 1,{len(levels)},"defbuffer1",SOUR,READ,REL'))
    assert data[0::3] == pytest.approx(levels, abs=1e-6)
    assert data[1::3] == pytest.approx([1000 * level for level in levels], abs=1e-3)
    assert data[2::3] == sorted(set(data[2::3]))
    assert say(":TRAC:ACT?") == str(len(levels))


def test_a_sweep_takes_its_delays_and_measurements(resistor_smu, clock):
    resistor_smu.say(":SOUR:VOLT:ILIM 0.01;DEL 10ms;:SENS:CURR:AZER OFF;:SOUR:SWE:VOLT:LIN 0, 1, 11, 25e-3;:INIT")
    clock.pass_time(0.5)
    # 25 ms of the sweep, 10 ms of the source (the output went on, or the level changed), 20 ms of the measurement
    assert resistor_smu.say(":TRAC:ACT?") == "9"
    clock.pass_time(0.2)
    assert resistor_smu.say(":TRAC:ACT?;:OUTP?") == "11;0"


@pytest.mark.parametrize(("fail_abort", "taken"), [("ON", "3"), ("OFF", "5")])
def test_a_sweep_that_meets_its_limit_is_broken_off_unless_told_otherwise(resistor_smu, fail_abort, taken):
    resistor_smu.say(f":SOUR:CURR:VLIM 1.5;:SOUR:SWE:CURR:LIN 0, 4e-3, 5, 0, 1, BEST, {fail_abort};:INIT;*WAI")
    assert resistor_smu.say(":OUTP?;:TRAC:ACT?") == f"0;{taken}"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (":SOUR:SWE:CURR:LIN 0, 2, 5", "-222"),
        (":SOUR:SWE:VOLT:LIN 0, 2, 1", "-222"),
        (":SOUR:SWE:VOLT:LIN 0, 2", "-109"),
        (":SOUR:SWE:VOLT:LOG -1, 1, 5", "-222"),
        (":SOUR:SWE:VOLT:LIN 0, 2, 5, 1e-6", "-222"),
        (":SOUR:SWE:VOLT:LIST 1", "-222"),
        (':SOUR:SWE:VOLT:LIN 0, 2, 5, 0, 1, BEST, ON, OFF, "none"', "1115"),
        (":SOUR:LIST:VOLT 1,300", "-222"),
        (":SOUR:CURR:DEL:USER6 1", "-113"),
        (":SOUR:CURR:DEL:USER1 1e6", "-222"),
    ],
)
def test_what_a_sweep_cannot_be_is_refused(smu, message, error):
    smu.say(message)
    assert smu.errors() == [error]


def test_user_delays_are_kept(smu):
    smu.say(":SOUR:CURR:DEL:USER1 0.25;:SOUR:VOLT:DEL:USER5 10ms")
    assert smu.say(":SOUR:CURR:DEL:USER1?;:SOUR:VOLT:DEL:USER5?;:SOUR:VOLT:DEL:USER1?") == (
        "2.500000E-01;1.000000E-02;0.000000E+00"
    )


def test_an_optional_last_parameter_may_be_left_out_behind_its_comma(smu):
    smu.say(':TRAC:MAKE "b", 100, ')
    assert smu.say(':TRAC:POIN? "b"') == "100"
    smu.say(":TRAC:MAKE , 100")
    assert smu.errors() == ["-109"]


@pytest.mark.parametrize(
    ("level", "settings", "formatted"),
    [
        (1e-3, "*CLS", "+1.00000 V"),
        (12.5e-6, "*CLS", "+12.5000 mV"),
        (-150e-6, "*CLS", "-150.000 mV"),
        (0.5e-3, ":SENS:VOLT:RANG 20", "+00.5000 V"),
        (5e-3, ":SENS:VOLT:RANG 2", "Overflow"),
    ],
)
def test_a_formatted_reading_is_the_number_on_the_front_panel(clock, make_smu, level, settings, formatted):
    smu = make_smu(ResistorCell(1000.0))
    smu.unit._converters = {name: IdealConverter(ranges) for name, ranges in RANGES.items()}
    smu.unit.settings_changed()
    smu.say(SOURCE_CURRENT.format(level) + ";" + settings)
    assert smu.say(':READ? "defbuffer1",FORM') == formatted


def test_the_formatted_source_is_in_its_range(resistor_smu):
    resistor_smu.say(SOURCE_CURRENT.format(0) + ";:SOUR:CURR:READ:BACK OFF;RANG 10e-9;:SOUR:CURR 2.8e-12")
    assert resistor_smu.say(':READ? "defbuffer1",SOURFORM') == "+00.0028 nA"
