"""Faults do on the wire what they say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from galvanode_simulator.faults import Fault
from galvanode_simulator.framing import LineFramer
from galvanode_simulator.wire import Disconnected, Wire


@pytest.fixture
def wire(resistor_smu) -> Wire:
    resistor_smu.say(':SOUR:FUNC CURR;:SENS:FUNC "VOLT";:SENS:VOLT:RSEN ON;:SOUR:CURR 1e-3;:OUTP ON')
    return Wire("smu", "keithley2450", resistor_smu.interface)


def ask(wire: Wire, message: str) -> bytes:
    return b"".join(reply.data for reply in wire.exchange(message.encode()))


def test_a_dropped_reply_is_executed_but_not_answered(wire):
    wire.inject("drop_reply", match=":READ?", count=1)
    assert ask(wire, "*LANG?") == b"SCPI\n"
    assert ask(wire, ":READ?") == b""
    assert ask(wire, ":READ?") != b""
    assert ask(wire, ":TRAC:ACT?") == b"2\n"


def test_skip_and_after_say_when(wire, clock):
    wire.inject("drop_reply", match="read?", skip=2, count=2)
    assert [bool(ask(wire, ":READ?")) for _ in range(5)] == [True, True, False, False, True]
    wire.inject("drop_reply", after="10 min")
    assert ask(wire, "*LANG?")
    clock.pass_time(600.0)
    assert [ask(wire, "*LANG?") for _ in range(3)] == [b"", b"", b""]
    wire.inject()
    assert ask(wire, "*LANG?")


def test_delays_add_up(wire):
    wire.inject("delay_reply", delay="0.5 s")
    wire.inject("delay_reply", delay="250 ms")
    assert [reply.delay for reply in wire.exchange(b"*LANG?")] == [0.75]


def test_garbled_and_truncated_replies(wire):
    wire.inject("garble", count=1)
    assert ask(wire, "*LANG?") == b"S\x03PI\n"
    wire.inject("truncate", count=1)
    assert ask(wire, "*LANG?") == b"SC"
    assert ask(wire, "*LANG?") == b"SCPI\n"


@pytest.mark.parametrize("value", ["9.91E37", "9.9E37", "nan"])
def test_a_reading_may_be_no_number(wire, value):
    wire.inject("reading", match=":READ?", value=value, count=1)
    assert ask(wire, ':READ? "defbuffer1",READ,SOUR,SOURSTAT') == f"{value},{value},200\n".encode()


def test_frozen_readings_repeat_to_the_last_digit(wire):
    free = {ask(wire, ":READ?") for _ in range(10)}
    assert len(free) > 1
    wire.inject("frozen_reading", count=10)
    assert len({ask(wire, ":READ?") for _ in range(10)}) == 1
    assert len({ask(wire, ":READ?") for _ in range(10)}) > 1


def test_a_frozen_clock_stamps_every_reading_alike(wire, clock):
    wire.inject("frozen_time", count=3)
    times = []
    for _ in range(5):
        clock.pass_time(1.0)
        times.append(float(ask(wire, ':READ? "defbuffer1",REL')))
    assert times[0] == times[1] == times[2]
    assert times[4] > times[3] > times[2]


def test_an_error_appears_in_the_queue(wire):
    wire.inject("scpi_error", count=1, code=-221)
    assert ask(wire, ":SOUR:CURR 0;:SYST:ERR?").startswith(b'-221,"Settings conflict')
    assert ask(wire, ":SYST:ERR?").startswith(b"0,")


def test_a_stuck_output_stays_on_and_says_so(wire, resistor_smu):
    wire.inject("stuck_output")
    assert ask(wire, ":OUTP OFF;:OUTP?") == b"1\n"
    ask(wire, "*RST")
    assert ask(wire, ":OUTP?") == b"1\n"
    wire.inject()
    assert ask(wire, ":OUTP OFF;:OUTP?") == b"0\n"


def test_a_disconnect_is_before_the_command(wire):
    wire.inject("disconnect", match=":OUTP", count=1)
    with pytest.raises(Disconnected):
        wire.exchange(b":OUTP OFF")
    assert ask(wire, ":OUTP?") == b"1\n"


def test_a_refusal_counts_connections(wire):
    wire.inject("refuse_connection", count=2)
    for _ in range(2):
        with pytest.raises(Disconnected):
            wire.connect()
    wire.connect()
    assert ask(wire, "*LANG?") == b"SCPI\n"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "drop_reply", "count": 0},
        {"kind": "drop_reply", "after": 5},
        {"kind": "garble", "x": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(fault):
    with pytest.raises(ValidationError):
        Fault.model_validate(fault)


def test_framing_takes_any_pieces_and_either_line_end():
    framer = LineFramer()
    assert framer.feed(b"A\nB\r\nC") == [b"A", b"B"]
    assert framer.feed(b"") == []
    assert framer.feed(b"D\n") == [b"CD"]
    framer.feed(b"x" * 100_000)  # without end: forgotten rather than kept
    assert framer.feed(b"\nE\n")[-1] == b"E"
