"""Simulated instruments from outside the process: raw sockets and serial lines."""

from __future__ import annotations

import asyncio
import time

import pytest
import pyvisa
import serial

from galvanode.clock import ScaledClock, install_clock, process_clock
from galvanode_simulator.cells import ResistorCell
from galvanode_simulator.espec.interface import EspecInterface
from galvanode_simulator.keithley2450.interface import Keithley2450Interface
from galvanode_simulator.keithley2450.unit import Keithley2450Unit
from galvanode_simulator.links.serial_pty import AVAILABLE, SerialPort
from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.parts.chamber import ChamberModel
from galvanode_simulator.wire import Wire

needs_pty = pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")


@pytest.fixture
def wire() -> Wire:
    return Wire("smu", "keithley2450", Keithley2450Interface(Keithley2450Unit(ResistorCell(1000.0))))


@pytest.fixture
def chamber() -> Wire:
    return Wire("chamber", "espec", EspecInterface(ChamberModel()))


async def connect(server: TcpServer):
    return await asyncio.open_connection("127.0.0.1", server.port)


async def line(reader: asyncio.StreamReader, timeout: float = 2.0) -> bytes:
    return await asyncio.wait_for(reader.readline(), timeout)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closed, politely or not."""
    try:
        return await line(reader) == b""
    except ConnectionError:
        return True


async def test_a_socket_answers_line_by_line_whatever_the_packets(wire):
    async with TcpServer(wire) as server:
        reader, writer = await connect(server)
        for piece in (b"*ID", b"N?\r\n*LA", b"NG?\n:SYST:ERR?\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert (await line(reader)).startswith(b"KEITHLEY")
        assert await line(reader) == b"SCPI\n"
        assert await line(reader) == b'0,"No error;0;0 0"\n'
        writer.close()
        await writer.wait_closed()


async def test_a_second_client_reaches_the_same_instrument(wire):
    async with TcpServer(wire) as server:
        first, second = await connect(server), await connect(server)
        first[1].write(b":SOUR:CURR 1e-3\n*IDN?\n")
        await line(first[0])
        second[1].write(b":SOUR:CURR?\n")
        assert await line(second[0]) == b"1.000000E-03\n"
        for _, writer in (first, second):
            writer.close()
            await writer.wait_closed()


async def test_a_late_reply_comes_after_the_next_question_and_in_order(wire):
    wire.inject("delay_reply", delay="0.2 s", count=1, match="*IDN?")
    async with TcpServer(wire) as server:
        reader, writer = await connect(server)
        writer.write(b"*IDN?\n")
        with pytest.raises(TimeoutError):
            await line(reader, 0.05)
        writer.write(b"*LANG?\n")
        assert (await line(reader)).startswith(b"KEITHLEY")
        assert await line(reader) == b"SCPI\n"
        writer.close()
        await writer.wait_closed()


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> tuple[bytes, float]:
    """Send a message; return its answer and the real time that it took."""
    start = time.monotonic()
    writer.write(message + b"\n")
    return await line(reader, 5.0), time.monotonic() - start


async def test_a_reading_takes_its_time_and_what_is_sent_meanwhile_waits(wire):
    wire.device.receive(b":SENS:CURR:AZER OFF;:SENS:COUN 10;NPLC 1")
    async with TcpServer(wire) as server:
        first, second = await connect(server), await connect(server)
        clock = process_clock()
        before = clock.unix()
        answer, took = await asked(*first, b':READ? "defbuffer1",SEC,FRAC')
        seconds, fraction = answer.decode().split(",")
        assert 0.2 <= took < 0.4
        assert before <= int(seconds) + float(fraction) <= clock.unix()
        first[1].write(b":READ?\n:OUTP ON\n:OUTP?\n")
        await asyncio.sleep(0.05)
        assert not wire.device.unit.output  # heard when the readings are done
        _, took = await asked(*second, b"*IDN?")
        assert took > 0.1
        await line(first[0])
        assert await line(first[0]) == b"1\n"
        for _, writer in (first, second):
            writer.close()
            await writer.wait_closed()


async def test_a_fast_clock_makes_it_faster(wire):
    before = process_clock()
    install_clock(ScaledClock(100.0))
    try:
        wire.device.receive(b":SENS:COUN 100")
        async with TcpServer(wire) as server:
            reader, writer = await connect(server)
            _, took = await asked(reader, writer, b":READ?")
            assert 0.055 <= took < 0.3  # 6 s
            writer.close()
            await writer.wait_closed()
    finally:
        install_clock(before)


async def test_a_disconnect_closes_the_socket_and_one_can_come_back(wire):
    wire.inject("disconnect", match=":READ?", count=1)
    async with TcpServer(wire) as server:
        reader, writer = await connect(server)
        writer.write(b":READ?\n")
        assert await is_closed(reader)
        writer.close()
        reader, writer = await connect(server)
        writer.write(b":READ?\n")
        assert float(await line(reader)) == pytest.approx(0.0, abs=1e-9)
        writer.close()
        await writer.wait_closed()


async def test_a_refused_connection_is_closed_at_once(wire):
    wire.inject("refuse_connection", count=1)
    async with TcpServer(wire) as server:
        reader, writer = await connect(server)
        assert await is_closed(reader)
        writer.close()
        reader, writer = await connect(server)
        writer.write(b"*LANG?\n")
        assert await line(reader) == b"SCPI\n"
        writer.close()
        await writer.wait_closed()


async def test_a_taken_port_is_an_error(wire):
    async with TcpServer(wire) as server:
        with pytest.raises(OSError, match=str(server.port)):
            await TcpServer(wire, server.port).start()


@needs_pty
async def test_pyserial_talks_to_the_chamber(chamber):
    def talk(device: str) -> list[bytes]:
        answers = []
        with serial.Serial(device, 9600, timeout=2) as port:
            for message in (b"TYPE?\r\n", b"TEMP, S40.0\r\n", b"FOO?\r\n"):
                port.write(message)
                answers.append(port.readline())
        return answers

    async with SerialPort(chamber) as port:
        for _ in range(2):  # closing the port does not hang up
            assert await asyncio.to_thread(talk, port.device) == [
                b"T,SCP-220,150.0\r\n",
                b"OK:TEMP, S40.0\r\n",
                b"NA:CMD ERR\r\n",
            ]


@needs_pty
async def test_pyvisa_py_talks_over_a_serial_line(wire):
    def talk(resource: str) -> str:
        manager = pyvisa.ResourceManager("@py")
        session = manager.open_resource(resource, read_termination="\n", write_termination="\n")
        try:
            return session.query("*IDN?")
        finally:
            session.close()

    async with SerialPort(wire) as port:
        assert (await asyncio.to_thread(talk, port.resource)).startswith("KEITHLEY INSTRUMENTS,MODEL 2450")


@needs_pty
async def test_a_silent_instrument_times_out_on_a_serial_line(chamber):
    chamber.inject("drop_reply", count=1)

    def talk(device: str) -> tuple[bytes, bytes]:
        with serial.Serial(device, 9600, timeout=0.1) as port:
            port.write(b"MODE?\r\n")
            nothing = port.readline()
            port.write(b"MODE?\r\n")
            return nothing, port.readline()

    async with SerialPort(chamber) as port:
        start = time.monotonic()
        assert await asyncio.to_thread(talk, port.device) == (b"", b"STANDBY\r\n")
        assert time.monotonic() - start < 1
