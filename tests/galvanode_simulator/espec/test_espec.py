"""The simulated ESPEC chamber, on the wire and in its air."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode_simulator.espec.interface import EspecInterface
from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ChamberModel, follow


@pytest.fixture
def chamber(clock) -> EspecInterface:
    return EspecInterface(ChamberModel(seed=1))


def say(chamber: EspecInterface, message: str) -> str:
    reply = chamber.receive(message.encode())
    assert reply.endswith(b"\r\n")
    return reply.decode().removesuffix("\r\n")


def test_golden_transcript(chamber):
    for message, expected in [
        ("ROM?", "SCP220 1.05"),
        ("TYPE?", "T,SCP-220,150.0"),
        ("MODE?", "STANDBY"),
        ("TEMP, S60.0", "OK:TEMP, S60.0"),
        ("TEMP,S60.0 H100.0 L-20.0", "OK:TEMP,S60.0 H100.0 L-20.0"),
        ("MODE,CONSTANT", "OK:MODE,CONSTANT"),
        ("MODE?,DETAIL", "CONSTANT"),
        ("CONSTANT SET?,TEMP", "60.0,ON"),
        ("ALARM?", "0"),
        ("SET,REF6", "OK:SET,REF6"),
        ("SET?", "REF6"),
        ("RELAY,ON,1,12", "OK:RELAY,ON,1,12"),
        ("RELAY?", "2,1,12"),
        ("RELAY,OFF,1", "OK:RELAY,OFF,1"),
        ("RELAY?", "1,12"),
        ("TEMP, S200.0", "NA:DATA OUT OF RANGE"),
        ("TEMP, S101.0", "NA:DATA OUT OF RANGE"),
        ("TEMP, X1", "NA:PARA ERR"),
        ("TEMP", "NA:PARA ERR"),
        ("MODE,FAST", "NA:PARA ERR"),
        ("MON?,ALL", "NA:PARA ERR"),
        ("HELLO?", "NA:CMD ERR"),
        ("HELLO", "NA:CMD ERR"),
        ("HUMI?", "NA:INVALID REQ"),
        ("PRGM MON?", "NA:DATA NOT READY"),
        ("KEYPROTECT,ON", "OK:KEYPROTECT,ON"),
        ("TEMP, S50.0", "NA:PROTECT ON"),
        ("KEYPROTECT,OFF", "OK:KEYPROTECT,OFF"),
        ("POWER,OFF", "OK:POWER,OFF"),
        ("MODE?", "OFF"),
        ("POWER,ON", "OK:POWER,ON"),
        ("MODE?", "CONSTANT"),
    ]:
        assert say(chamber, message) == expected, message
    pv, sp, high, low = (float(field) for field in say(chamber, "TEMP?").split(","))
    assert (round(pv), sp, high, low) == (25, 60.0, 100.0, -20.0)
    fields = say(chamber, "MON?").split(",")
    assert (len(fields), fields[1:]) == (4, ["", "CONSTANT", "0"])


def test_the_air_ramps_at_its_limit_and_then_settles(chamber, clock):
    say(chamber, "TEMP, S60.0")
    say(chamber, "MODE,CONSTANT")
    clock.pass_time(300.0)
    assert chamber.chamber.temperature() - ZERO_CELSIUS == pytest.approx(25 + 3.0 * 5, abs=1e-9)
    clock.pass_time(3600.0)
    assert chamber.chamber.temperature() - ZERO_CELSIUS == pytest.approx(60.0, abs=0.01)
    assert float(say(chamber, "TEMP?").split(",")[0]) == pytest.approx(60.0, abs=0.2)


def test_standby_lets_the_air_drift_back_to_the_room(chamber, clock):
    say(chamber, "TEMP, S60.0")
    say(chamber, "MODE,CONSTANT")
    clock.pass_time(7200.0)
    say(chamber, "MODE,STANDBY")
    clock.pass_time(600.0)
    assert 40 < chamber.chamber.temperature() - ZERO_CELSIUS < 59
    clock.pass_time(36000.0)
    assert chamber.chamber.temperature() - ZERO_CELSIUS == pytest.approx(25.0, abs=0.01)


def test_an_alarm_is_reported_until_it_is_reset(chamber):
    chamber.chamber.alarms.append(3)
    assert say(chamber, "ALARM?") == "1,3"
    assert say(chamber, "MON?").endswith(",1")
    assert say(chamber, "ALARM,RESET") == "OK:ALARM,RESET"
    assert say(chamber, "ALARM?") == "0"


def test_an_addressed_controller_answers_only_to_its_address(clock):
    chamber = EspecInterface(ChamberModel(), with_address=3)
    assert chamber.receive(b"3,MODE?") == b"STANDBY\r\n"
    assert chamber.receive(b"2,MODE?") == b""


@given(
    start=st.floats(200, 450),
    target=st.floats(200, 450),
    duration=st.floats(0.0, 1e4),
    part=st.floats(0.0, 1.0),
)
def test_splitting_an_interval_gives_the_same_temperature(start, target, duration, part):
    once = follow(start, target, duration, 0.05, 120.0)
    halfway = follow(start, target, duration * part, 0.05, 120.0)
    assert follow(halfway, target, duration * (1 - part), 0.05, 120.0) == pytest.approx(once, abs=1e-6)
    assert min(start, target) - 1e-9 <= once <= max(start, target) + 1e-9
    assert abs(once - start) <= 0.05 * duration + 1e-9


@given(junk=st.binary(max_size=60))
def test_no_bytes_bring_the_controller_down(junk):
    chamber = EspecInterface(ChamberModel())
    chamber.receive(junk)
    assert chamber.receive(b"MODE?").endswith(b"\r\n")
    assert math.isfinite(chamber.chamber.temperature())
