"""Small instruments of every kind of link, for the links' own tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvisa
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, WriteMultipleRegistersResponse

from galvanode.instrument.links.base import SIMULATOR_BACKEND, Link, Place
from galvanode.instrument.links.frames import EndMarker, Frames, LengthPrefix
from galvanode.instrument.links.http import Http
from galvanode.instrument.links.lines import Lines
from galvanode.instrument.links.modbus import ModbusRtu, ModbusTcp
from galvanode_simulator.faults import Fault
from galvanode_simulator.framing import Framer, LineFramer, MarkerFramer, Pending
from galvanode_simulator.framing_http import HttpFramer
from galvanode_simulator.framing_modbus import ModbusRtuFramer, ModbusTcpFramer
from galvanode_simulator.links.serial_pty import SerialPort
from galvanode_simulator.links.tcp import TcpServer
from galvanode_simulator.wire import Wire

MARKER = b"\n\n#\r\n"
TIMEOUT_S = 0.15


class Device:
    """Answers every message by what it says, in its own way."""

    def framer(self) -> Framer:
        return LineFramer()

    def receive(self, message: bytes) -> bytes:
        raise NotImplementedError

    def advance(self) -> None: ...

    def play(self, fault: Fault, on: bool) -> None: ...

    def query_error(self, code: int) -> None: ...


class LineDevice(Device):
    def __init__(self, ending: bytes) -> None:
        self.ending = ending

    def framer(self) -> Framer:
        return LineFramer() if self.ending == b"\n" else MarkerFramer(self.ending)

    def receive(self, message: bytes) -> bytes:
        return b"answer to " + message + self.ending


class MarkerDevice(Device):
    def framer(self) -> Framer:
        return MarkerFramer(MARKER)

    def receive(self, message: bytes) -> bytes:
        return b"answer to " + message + MARKER


class LengthFramer(Pending):
    def feed(self, data: bytes) -> list[bytes]:
        self.pending += data
        messages = []
        while (taken := LengthPrefix().cut(self.pending)) is not None:
            message, self.pending = taken
            messages.append(message)
        return messages


class LengthDevice(Device):
    def framer(self) -> Framer:
        return LengthFramer()

    def receive(self, message: bytes) -> bytes:
        return LengthPrefix().wrap(b"answer to " + message)


class ModbusDevice(Device):
    """Register n holds n; from 1000 on there are none."""

    def __init__(self, rtu: bool) -> None:
        self.rtu = rtu
        decoder = DecodePDU(is_server=True)
        self._decoder = decoder
        self._framer = FramerRTU(decoder) if rtu else FramerSocket(decoder)

    def framer(self) -> Framer:
        return ModbusRtuFramer() if self.rtu else ModbusTcpFramer()

    def receive(self, message: bytes) -> bytes:
        _, unit, transaction, pdu = self._framer.decode(message)
        request: Any = self._decoder.decode(pdu)
        if unit != 1:
            return b""
        if request.address + request.count > 1000:
            answer: Any = ExceptionResponse(request.function_code, 2)
        elif request.function_code == 16:
            answer = WriteMultipleRegistersResponse(address=request.address, count=request.count)
        else:
            answer = ReadHoldingRegistersResponse(registers=[*range(request.address, request.address + request.count)])
        answer.dev_id, answer.transaction_id = unit, transaction
        return self._framer.buildFrame(answer)


class HttpDevice(Device):
    def framer(self) -> Framer:
        return HttpFramer()

    def receive(self, message: bytes) -> bytes:
        target = message.split(b" ", 2)[1]
        status = b"404 Not Found" if b"nothing" in target else b"200 OK"
        body = b"answer to " + target
        return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def exactly(question: bytes) -> Callable[[bytes], str]:
    """Parse the answer to a question; another's does not fit."""

    def parse(answer: bytes) -> str:
        if answer != b"answer to " + question:
            raise ValueError("it answers something else")
        return answer.decode()

    return parse


@dataclass(frozen=True)
class Kind:
    """A kind of link: its settings, an instrument of it, and how to ask it something."""

    name: str
    settings: Any
    device: Callable[[], Device]
    ask: Callable[[Any, int], Awaitable[object]]
    """Ask the n-th question. Returns the answer, which is the n-th alone."""
    answer: Callable[[int], object]

    def __str__(self) -> str:
        return self.name


async def _line(link: Any, n: int) -> str:
    answer = await link.query(f"q{n}")
    if not answer.startswith("answer to q"):
        raise link.distrust(f"{answer!r} is no answer")
    return answer


async def _frame(link: Any, n: int) -> str:
    return await link.exchange(b"q%d" % n, exactly(b"q%d" % n))


async def _registers(link: Any, n: int) -> list[int]:
    return await link.read_holding(10 * n, 2)


async def _page(link: Any, n: int) -> str:
    return await link.get(f"/q{n}", {}, lambda response: exactly(b"/q%d" % n)(response.content))


def _words(n: int) -> list[int]:
    return [10 * n, 10 * n + 1]


def _text(n: int) -> str:
    return f"answer to q{n}"


KINDS = [
    Kind("lines", Lines(timeout_s=TIMEOUT_S), lambda: LineDevice(b"\n"), _line, _text),
    Kind("lines-cr", Lines("\r", "\r", TIMEOUT_S), lambda: LineDevice(b"\r"), _line, _text),
    Kind("lines-crlf", Lines("\r\n", "\r\n", TIMEOUT_S), lambda: LineDevice(b"\r\n"), _line, _text),
    Kind("frames-marker", Frames(EndMarker(MARKER), TIMEOUT_S), MarkerDevice, _frame, _text),
    Kind("frames-length", Frames(LengthPrefix(), TIMEOUT_S), LengthDevice, _frame, _text),
    Kind("modbus-tcp", ModbusTcp(1, TIMEOUT_S), lambda: ModbusDevice(rtu=False), _registers, _words),
    Kind("modbus-rtu", ModbusRtu(1, TIMEOUT_S), lambda: ModbusDevice(rtu=True), _registers, _words),
    Kind("http", Http(TIMEOUT_S), HttpDevice, _page, lambda n: f"answer to /q{n}"),
]
WAYS = ["in process", "tcp", "serial"]


@asynccontextmanager
async def connected(kind: Kind, way: str, folder: Path) -> AsyncIterator[tuple[Link, Wire]]:
    """A link to an instrument of that kind, and the instrument's end of it."""
    wire = Wire("it", "it", kind.device())
    if way == "in process":
        bench = folder / "bench.yaml"
        bench.write_text("title: t\ninstruments:\n  it: {driver: keithley2450, simulated: {cell: resistor}}\n")
        backend = f"{bench}@{SIMULATOR_BACKEND}"
        manager: Any = pyvisa.ResourceManager(backend)
        manager.visalib.instruments["it"].wire = wire
        link = kind.settings.open("it", Place("TCPIP::it::5025::SOCKET", backend))
        yield link, wire
        await link.close()
        manager.close()
        return
    async with TcpServer(wire) if way == "tcp" else SerialPort(wire) as server:
        link = kind.settings.open("it", Place(server.resource))
        yield link, wire
        await link.close()
        await asyncio.sleep(0)
