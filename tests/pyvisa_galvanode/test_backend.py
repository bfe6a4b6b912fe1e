"""The PyVISA backend behaves as PyVISA and its users expect of any."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvisa
from pyvisa import constants
from pyvisa.constants import StatusCode
from pyvisa.errors import InvalidSession, VisaIOError

from galvanode.errors import InvalidInput
from pyvisa_galvanode.highlevel import parse_specification

BENCH = """\
title: test
instruments:
  chamber: {driver: espec, resource: ASRL/dev/ttyUSB0::INSTR, simulated: {}}
  smu: {driver: keithley2450, simulated: {cell: resistor}}
  gpib: {driver: keithley2450, resource: GPIB0::18::INSTR, simulated: {cell: resistor}}
  real: {driver: keithley2450, resource: TCPIP::10.0.0.5::5025::SOCKET}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    path = tmp_path / "bench.yaml"
    path.write_text(BENCH)
    return path


@pytest.fixture
def manager(bench: Path) -> Iterator[pyvisa.ResourceManager]:
    manager = pyvisa.ResourceManager(f"{bench}?seed=3@galvanode")
    yield manager
    manager.close()


@pytest.fixture
def smu(manager):
    return manager.open_resource(
        "TCPIP::smu::5025::SOCKET", read_termination="\n", write_termination="\n", timeout=1000
    )


def wire_of(manager, name: str):
    return manager.visalib.instruments[name].wire


def status(raised) -> int:
    return raised.value.error_code


def test_simulated_instruments_are_listed_and_real_ones_are_not(manager):
    assert manager.list_resources("?*") == (
        "ASRL/dev/ttyUSB0::INSTR",
        "TCPIP0::smu::5025::SOCKET",
        "GPIB0::18::INSTR",
    )
    assert manager.list_resources() == ("ASRL/dev/ttyUSB0::INSTR", "GPIB0::18::INSTR")


def test_socket_serial_and_gpib_sessions_query(manager, smu):
    assert smu.query("*LANG?") == "SCPI"
    chamber = manager.open_resource(
        "ASRL/dev/ttyUSB0::INSTR", read_termination="\r\n", write_termination="\r\n", baud_rate=19200
    )
    assert chamber.query("MODE?") == "STANDBY"
    assert chamber.baud_rate == 19200
    gpib = manager.open_resource("GPIB0::18::INSTR")
    assert gpib.query("*LANG?") == "SCPI\n"
    assert gpib.read_stb() == 0
    gpib.assert_trigger()


def test_an_unknown_resource_is_not_found(manager):
    with pytest.raises(VisaIOError) as raised:
        manager.open_resource("TCPIP::nobody::5025::SOCKET")
    assert status(raised) == StatusCode.error_resource_not_found


def test_a_read_with_nothing_to_say_times_out_at_once(smu):
    smu.timeout = 60_000
    start = time.monotonic()
    with pytest.raises(VisaIOError) as raised:
        smu.query(":NOT:A:QUESTION?")
    assert status(raised) == StatusCode.error_timeout
    assert smu.last_status == StatusCode.error_timeout
    assert time.monotonic() - start < 1
    assert smu.query(":SYST:ERR?").startswith("-113")


def test_a_late_reply_desynchronises_a_socket_until_it_is_cleared(manager, smu):
    wire_of(manager, "smu").inject("delay_reply", delay="30 s", count=1)
    with pytest.raises(VisaIOError) as raised:
        smu.query("*IDN?")
    assert status(raised) == StatusCode.error_timeout
    assert smu.query("*LANG?").startswith("KEITHLEY")  # the answer to the question before
    smu.clear()
    assert smu.query("*LANG?") == "SCPI"


def test_a_reply_within_the_timeout_is_waited_for(manager, smu):
    wire_of(manager, "smu").inject("delay_reply", delay="0.5 s", count=1)
    assert smu.query("*LANG?") == "SCPI"


def test_a_truncated_reply_times_out_and_stays_in_the_line(manager, smu):
    wire_of(manager, "smu").inject("truncate", count=1)
    with pytest.raises(VisaIOError):
        smu.query("*LANG?")
    assert smu.query("*LANG?") == "SCSCPI"


def test_on_gpib_a_message_ends_by_itself_and_an_unread_reply_is_interrupted(manager):
    gpib = manager.open_resource("GPIB0::18::INSTR", read_termination="\n")
    gpib.write("*IDN?")
    assert gpib.query("*LANG?") == "SCPI"
    assert gpib.query(":SYST:ERR?").startswith("-410")
    with pytest.raises(VisaIOError) as raised:
        gpib.read()
    assert status(raised) == StatusCode.error_timeout
    assert gpib.query(":SYST:ERR?").startswith("-420")


def test_bytes_come_in_the_pieces_that_are_asked_for(smu):
    smu.write("*LANG?")
    assert smu.read_bytes(2) == b"SC"
    assert smu.read_bytes(3) == b"PI\n"
    smu.write("*LANG?;*OPC?\n:SOUR:FUNC?", termination="\r\n")
    assert [smu.read(), smu.read()] == ["SCPI;1", "VOLT"]
    smu.chunk_size = 4
    assert smu.query("*IDN?").startswith("KEITHLEY INSTRUMENTS,MODEL 2450")


def test_a_disconnected_session_is_lost_and_can_be_opened_again(manager, smu):
    wire_of(manager, "smu").inject("disconnect", count=1)
    for _ in range(2):
        with pytest.raises(VisaIOError) as raised:
            smu.query("*IDN?")
        assert status(raised) == StatusCode.error_connection_lost
    again = manager.open_resource("TCPIP::smu::5025::SOCKET", read_termination="\n", write_termination="\n")
    assert again.query("*LANG?") == "SCPI"


def test_a_refused_connection_times_out(manager):
    wire_of(manager, "smu").inject("refuse_connection", count=1)
    with pytest.raises(VisaIOError) as raised:
        manager.open_resource("TCPIP::smu::5025::SOCKET")
    assert status(raised) == StatusCode.error_timeout
    manager.open_resource("TCPIP::smu::5025::SOCKET")


def test_two_sessions_reach_one_instrument_and_keep_their_replies_apart(manager, smu):
    other = manager.open_resource("TCPIP::smu::5025::SOCKET", read_termination="\n", write_termination="\n")
    smu.write("*LANG?")
    other.write(":SOUR:CURR 1e-3;:SOUR:CURR?")
    assert (smu.read(), other.read()) == ("SCPI", "1.000000E-03")


def test_two_managers_of_one_bench_share_its_instruments(bench, manager, smu):
    smu.write(":SOUR:CURR 1e-3")
    same = pyvisa.ResourceManager(f"{bench}?seed=3@galvanode")
    assert same is manager
    other_seed = pyvisa.ResourceManager(f"{bench}?seed=4@galvanode")
    assert other_seed is not manager
    other_seed.close()


def test_closing_the_manager_ends_the_instruments(bench):
    answers = []
    for _ in range(2):
        manager = pyvisa.ResourceManager(f"{bench}@galvanode")
        smu = manager.open_resource("TCPIP::smu::5025::SOCKET", read_termination="\n", write_termination="\n")
        answers.append(smu.query(":SOUR:CURR?"))
        smu.write(":SOUR:CURR 1e-3")
        manager.close()
        with pytest.raises(InvalidSession):
            smu.query("*IDN?")
        del smu, manager
        gc.collect()
    assert answers == ["0.000000E+00"] * 2


def test_attributes_that_pyvisa_and_its_users_look_at(manager, smu):
    assert smu.timeout == 1000
    assert smu.interface_type == constants.InterfaceType.tcpip
    assert smu.resource_class == "SOCKET"
    assert smu.resource_name == "TCPIP0::smu::5025::SOCKET"
    assert smu.get_visa_attribute(constants.ResourceAttribute.tcpip_port) == 5025
    assert smu.send_end
    smu.timeout = None
    assert smu.timeout == float("inf")
    with pytest.raises(VisaIOError) as raised:
        smu.get_visa_attribute(constants.ResourceAttribute.asrl_baud_rate)
    assert status(raised) == StatusCode.error_nonsupported_attribute
    chamber = manager.open_resource("ASRL/dev/ttyUSB0::INSTR", write_termination="\r\n")
    chamber.write("MODE?")
    assert chamber.bytes_in_buffer == 9
    chamber.flush(constants.BufferOperation.discard_read_buffer)
    assert chamber.bytes_in_buffer == 0


def test_locks_are_granted(smu):
    with smu.lock_context():
        assert smu.query("*LANG?") == "SCPI"


def test_resource_info_names_the_interface(manager):
    assert manager.resource_info("TCPIP::smu::5025::SOCKET").interface_type == constants.InterfaceType.tcpip


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("b.yaml", (Path("b.yaml"), 0)),
        ("b.yaml?seed=3", (Path("b.yaml"), 3)),
        ("C:\\x y\\b.yaml?seed=12", (Path("C:\\x y\\b.yaml"), 12)),
    ],
)
def test_specifications(text, parsed):
    assert parse_specification(text) == parsed


@pytest.mark.parametrize("text", ["", "?seed=1", "b.yaml?seed=x", "b.yaml?speed=3"])
def test_specifications_that_say_nothing_are_refused(text):
    with pytest.raises(ValueError, match="expected"):
        parse_specification(text)


def test_a_bench_that_is_wrong_is_refused_with_its_place(tmp_path):
    path = tmp_path / "bench.yaml"
    line = "  a: {driver: keithley2450, simulated: {cell: nothing}}"
    path.write_text(f"title: x\ninstruments:\n{line}\n")
    with pytest.raises(InvalidInput) as refused:
        pyvisa.ResourceManager(f"{path}@galvanode")
    assert (refused.value.line, refused.value.column) == (3, line.index("nothing") + 1)
