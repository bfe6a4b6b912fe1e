"""Programs of the simulated ESPEC controller: written, told, run, paused, ended; its clock and its bus address."""

from __future__ import annotations

import pytest

from galvanode_simulator.espec.interface import EspecInterface
from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ChamberModel


@pytest.fixture
def chamber(clock) -> EspecInterface:
    return EspecInterface(ChamberModel(seed=1))


def say(chamber: EspecInterface, *messages: str) -> str:
    reply = ""
    for message in messages:
        reply = chamber.receive(message.encode()).decode().removesuffix("\r\n")
    return reply


def write(chamber: EspecInterface, number: int, *fields: str) -> None:
    for field in ("EDIT START", *fields, "EDIT END"):
        assert say(chamber, f"PRGM DATA WRITE,PGM{number},{field}").startswith("OK:"), field


WARM_AND_BACK = (
    "NAME,Warm and back",
    "STEP1,TEMP30.0,TRAMPOFF,TIME0:10,GRANTY OFF,PAUSE OFF,REF9",
    "STEP2,TEMP50.0,TRAMPON,TIME1:00,GRANTY OFF",
    "STEP3,TEMP50.0,TRAMPOFF,TIME0:30,GRANTY ON",
    "END,STANDBY",
)


def test_a_program_reads_back_as_the_controller_writes_it(chamber):
    write(chamber, 7, *WARM_AND_BACK, "COUNT,A(2.3.5)")
    assert say(chamber, "PRGM USE?,RAM") == "1,7"
    assert say(chamber, "PRGM USE?,RAM:7") == "Warm and back,26.01/01"
    assert say(chamber, "PRGM DATA?,RAM:7") == "3,<Warm and back>,COUNT,A(2.3.5),B(0.0.0),END(STANDBY)"
    assert say(chamber, "PRGM DATA?,RAM:7,DETAIL") == "150.0,-40.0,TEMPOFF"
    assert say(chamber, "PRGM DATA?,RAM:7,STEP2") == "2,TEMP50.0,TEMP RAMP ON,TIME1:00,GRANTY OFF,REF9"
    assert say(chamber, "PRGM ERASE,RAM:7") == "OK:PRGM ERASE,RAM:7"
    assert say(chamber, "PRGM USE?,RAM") == "0"


def test_a_program_runs_by_itself_and_ends_as_it_says(chamber, clock):
    write(chamber, 1, *WARM_AND_BACK)
    assert say(chamber, "PRGM,RUN,RAM:1,STEP1") == "OK:PRGM,RUN,RAM:1,STEP1"
    assert say(chamber, "MODE?") == "RUN"
    assert say(chamber, "PRGM SET?") == "RAM:1,Warm and back,END(STANDBY)"
    assert say(chamber, "PRGM MON?") == "1,30.0,0:10,0,0"
    clock.pass_time(600.0 + 1800.0)
    step, setpoint, left, *_ = say(chamber, "PRGM MON?").split(",")
    assert (step, left) == ("2", "0:30")
    assert float(setpoint) == pytest.approx(40.0, abs=0.1)
    assert chamber.chamber.temperature() - ZERO_CELSIUS == pytest.approx(40.0, abs=1.0)
    clock.pass_time(1800.0 + 1700.0)
    assert say(chamber, "PRGM MON?").startswith("3,50.0,0:0")
    clock.pass_time(200.0)
    assert say(chamber, "MODE?") == "STANDBY"
    assert say(chamber, "PRGM MON?") == "NA:DATA NOT READY"


def test_however_often_it_is_asked_the_air_takes_the_same_way(clock):
    asked, left_alone = (EspecInterface(ChamberModel(seed=1)) for _ in range(2))
    for one in (asked, left_alone):
        write(one, 1, *WARM_AND_BACK)
        say(one, "PRGM,RUN,RAM:1")
    for _ in range(300):
        clock.pass_time(13.7)
        say(asked, "MON?")
    assert asked.chamber.temperature() == pytest.approx(left_alone.chamber.temperature(), abs=1e-6)


def test_a_pause_holds_the_set_point_and_a_guaranteed_soak_waits_for_the_air(chamber, clock):
    write(chamber, 1, "STEP1,TEMP60.0,TIME0:10,GRANTY ON", "STEP2,TEMP25.0,TIME1:00")
    say(chamber, "PRGM,RUN,RAM:1")
    clock.pass_time(600.0)  # 30 K at 3 K a minute: the air is on its way
    assert say(chamber, "PRGM MON?") == "1,60.0,0:10,0,0"
    clock.pass_time(300.0)
    say(chamber, "PRGM,PAUSE")
    assert say(chamber, "MODE?,DETAIL") == "RUN PAUSE"
    before = say(chamber, "PRGM MON?")
    clock.pass_time(36000.0)
    assert say(chamber, "PRGM MON?") == before
    say(chamber, "PRGM,CONTINUE")
    clock.pass_time(600.0)
    assert say(chamber, "PRGM MON?").startswith("2,25.0,")
    assert say(chamber, "PRGM,ADVANCE") == "OK:PRGM,ADVANCE"
    assert say(chamber, "MODE?,DETAIL") == "RUN END HOLD"
    assert say(chamber, "PRGM,END,CONST") == "OK:PRGM,END,CONST"
    assert say(chamber, "MODE?") == "CONSTANT"


def test_steps_are_repeated_as_often_as_the_counter_says(chamber, clock):
    write(chamber, 1, "STEP1,TEMP30.0,TIME0:10", "STEP2,TEMP40.0,TIME0:10", "COUNT,A(1.2.2)", "END,OFF")
    say(chamber, "PRGM,RUN,RAM:1")
    assert say(chamber, "PRGM MON?") == "1,30.0,0:10,2,0"
    clock.pass_time(1201.0)
    assert say(chamber, "PRGM MON?") == "1,30.0,0:09,1,0"
    clock.pass_time(2398.0)
    assert say(chamber, "MODE?") == "RUN"
    clock.pass_time(2.0)
    assert say(chamber, "MODE?") == "OFF"


def test_a_step_sent_by_a_host_runs_without_a_program(chamber, clock):
    assert say(chamber, "RUN PRGM, TEMP20.0 TIME1:00 GOTEMP60.0").startswith("OK:")
    assert say(chamber, "MODE?,DETAIL") == "RMT RUN"
    assert say(chamber, "RUN PRGM?") == "TEMP20.0 GOTEMP60.0 TIME1:00 REF9"
    clock.pass_time(1800.0)
    assert say(chamber, "RUN PRGM MON?") == "2,40.1,0:30,0"
    clock.pass_time(1800.0)
    assert say(chamber, "MODE?,DETAIL") == "RMT RUN END HOLD"


@pytest.mark.parametrize(
    ("messages", "answer"),
    [
        (["PRGM,RUN,RAM:1"], "NA:DATA NOT READY"),
        (["PRGM,RUN,RAM:41"], "NA:PARA ERR"),
        (["PRGM,PAUSE"], "NA:DATA NOT READY"),
        (["PRGM,END,HOLD"], "NA:DATA NOT READY"),
        (["MODE,RUN3"], "NA:DATA NOT READY"),
        (["PRGM DATA WRITE,PGM1,STEP1,TEMP20.0"], "NA:PRGM WRITE ERR-0"),
        (["PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,EDIT START"], "NA:CONT NOT READY-2"),
        (["PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,EDIT END"], "NA:PRGM WRITE ERR-2"),
        (["PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,STEP2,TEMP20.0"], "NA:PRGM WRITE ERR-5"),
        (["PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,STEP1,FAST"], "NA:PRGM WRITE ERR-1"),
        (["PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,EDIT CANCEL", "PRGM USE?,RAM"], "0"),
        (["PRGM DATA WRITE,PGM99,EDIT START"], "NA:DATA OUT OF RANGE"),
        (["RUN PRGM, TEMP20.0"], "NA:PARA ERR"),
        (["PRGM DATA?,RAM:1"], "NA:DATA NOT READY"),
    ],
)
def test_what_the_controller_refuses(chamber, messages, answer):
    assert say(chamber, *messages) == answer


def test_a_temperature_beyond_the_chamber_is_refused_when_editing_ends(chamber):
    say(chamber, "PRGM DATA WRITE,PGM1,EDIT START", "PRGM DATA WRITE,PGM1,STEP1,TEMP170.0,TIME1:00")
    assert say(chamber, "PRGM DATA WRITE,PGM1,EDIT END") == "NA:PRGM WRITE ERR-3"
    assert say(chamber, "PRGM USE?,RAM") == "0"


def test_the_clock_tells_date_and_time_and_can_be_set(chamber, clock):
    assert say(chamber, "DATE?") == "26.01/01"
    assert say(chamber, "TIME?") == "00:00:00"
    assert say(chamber, "TIME,14:05:30") == "OK:TIME,14:05:30"
    assert say(chamber, "DATE,27.12/24. FRI") == "OK:DATE,27.12/24. FRI"
    clock.pass_time(31.0)
    assert (say(chamber, "DATE?"), say(chamber, "TIME?")) == ("27.12/24", "14:06:01")
    assert say(chamber, "DATE,27.13/24. FRI") == "NA:PARA ERR"


def test_the_compressor_is_told_with_its_number(chamber):
    assert say(chamber, "REF?") == "1,OFF1"
    assert say(chamber, "MODE,CONSTANT", "REF?") == "1,ON1"
