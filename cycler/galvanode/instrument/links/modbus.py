"""Modbus over TCP and over a serial line (RTU). PDUs and framing are pymodbus's; who asks, waits and believes is ours.

    link = ModbusTcp(unit=1).open("chamber", Place("TCPIP::10.0.0.7::502::SOCKET"))
    words = await link.read_holding(2820, 2)

What the instrument refuses (an exception code) is ``ModbusRefused`` and leaves the link as it is: the answer fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from galvanode.instrument.links.base import Place
from galvanode.instrument.links.stream import StreamLink
from galvanode.instrument.links.visa import NINE_SIX_EIGHT_N_ONE, SerialLine
from galvanode.instrument.roles import InstrumentError

_WORDS = {
    1: "it has no such function",
    2: "it has no such register",
    3: "it does not take this value",
    4: "it has failed",
    5: "it needs longer for this",
    6: "it is busy",
    8: "its memory is damaged",
    10: "the gateway has no path to it",
    11: "it does not answer the gateway",
}
BUSY = 6
_HEADER, _LONGEST_PDU = 6, 254
_DECODER = DecodePDU(is_server=False)


class ModbusRefused(InstrumentError):
    """The instrument refused a request with an exception code."""

    def __init__(self, name: str, what: str, code: int) -> None:
        self.code = code
        super().__init__(f"{name} refused to {what}: {_WORDS.get(code, 'unknown reason')} (Modbus exception {code})")


class _Framing(Protocol):
    """Where the answer to a request ends, and whether it is one."""

    def wrap(self, request: ModbusPDU) -> bytes:
        """Return the frame of a request."""
        ...

    def cut(self, request: ModbusPDU, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the answer's PDU and what is left; None if it is not complete. Raises ``ValueError``."""
        ...


class _TcpFraming:
    def __init__(self) -> None:
        self._framer = FramerSocket(_DECODER)

    def wrap(self, request: ModbusPDU) -> bytes:
        return self._framer.buildFrame(request)

    def cut(self, request: ModbusPDU, data: bytes) -> tuple[bytes, bytes] | None:
        if len(data) < _HEADER:
            return None
        length = int.from_bytes(data[4:_HEADER], "big")
        if data[2:4] != b"\0\0" or not 3 <= length <= _LONGEST_PDU:
            raise ValueError("the header is not that of Modbus TCP")
        end = _HEADER + length
        if len(data) < end:
            return None
        transaction, unit = int.from_bytes(data[:2], "big"), data[_HEADER]
        if (transaction, unit) != (request.transaction_id, request.dev_id):
            raise ValueError(
                f"it answers transaction {transaction} of unit {unit}; "
                f"expected {request.transaction_id} of {request.dev_id}"
            )
        return data[_HEADER + 1 : end], data[end:]


class _RtuFraming:
    def __init__(self) -> None:
        self._framer = FramerRTU(_DECODER)

    def wrap(self, request: ModbusPDU) -> bytes:
        return self._framer.buildFrame(request)

    def cut(self, request: ModbusPDU, data: bytes) -> tuple[bytes, bytes] | None:
        if data and data[0] != request.dev_id:
            raise ValueError(f"it comes from unit {data[0]}; expected {request.dev_id}")
        if len(data) < 3:
            return None
        kind = _DECODER.lookupPduClass(data)
        if data[1] & 0x7F != request.function_code or kind is None:
            raise ValueError(f"it answers function {data[1]}; expected {request.function_code}")
        end = kind.calculateRtuFrameSize(data)
        if len(data) < end:
            return None
        if not FramerRTU.check_CRC(data[: end - 2], int.from_bytes(data[end - 2 : end], "big")):
            raise ValueError("its check sum is wrong")
        return data[1 : end - 2], data[end:]


@dataclass(frozen=True)
class ModbusTcp:
    """How a family speaks Modbus over TCP."""

    unit: int = 1
    timeout_s: float = 1.0

    def open(self, name: str, place: Place) -> ModbusLink:
        """Return the link."""
        return ModbusLink(name, place, self.unit, self.timeout_s, NINE_SIX_EIGHT_N_ONE, _TcpFraming())


@dataclass(frozen=True)
class ModbusRtu:
    """How a family speaks Modbus over a serial line, or over a converter that passes its bytes on by TCP."""

    unit: int = 1
    timeout_s: float = 1.0
    serial: SerialLine = NINE_SIX_EIGHT_N_ONE

    def open(self, name: str, place: Place) -> ModbusLink:
        """Return the link."""
        return ModbusLink(name, place, self.unit, self.timeout_s, self.serial, _RtuFraming())


class ModbusLink(StreamLink):
    """Registers of one unit."""

    def __init__(
        self, name: str, place: Place, unit: int, timeout_s: float, line: SerialLine, framing: _Framing
    ) -> None:
        super().__init__(name, place, timeout_s, line)
        self.unit = unit
        self._framing = framing
        self._transaction = 0

    async def read_holding(self, address: int, count: int = 1) -> list[int]:
        """Read holding registers (function 3): ``count`` words of 16 bits. Raises ``LinkError``, ``ModbusRefused``."""
        request = ReadHoldingRegistersRequest(address=address, count=count)
        return await self._read(request, f"read {_registers(address, count)}")

    async def read_input(self, address: int, count: int = 1) -> list[int]:
        """Read input registers (function 4). Raises ``LinkError``, ``ModbusRefused``."""
        request = ReadInputRegistersRequest(address=address, count=count)
        return await self._read(request, f"read input {_registers(address, count)}")

    async def write_one(self, address: int, word: int) -> None:
        """Write one register (function 6); the instrument repeats it. Raises ``LinkError``, ``ModbusRefused``."""

        def echoed(answer: ModbusPDU) -> None:
            if (answer.address, list(answer.registers)) != (address, [word]):
                raise ValueError(f"it confirms {list(answer.registers)} in register {answer.address}")

        request = WriteSingleRegisterRequest(address=address, registers=[word])
        await self._ask(request, f"write {_registers(address, 1)}", echoed)

    async def write(self, address: int, words: Sequence[int]) -> None:
        """Write registers (function 16). Raises ``LinkError``, ``ModbusRefused``."""

        def confirmed(answer: ModbusPDU) -> None:
            if (answer.address, answer.count) != (address, len(words)):
                raise ValueError(f"it confirms {answer.count} registers from {answer.address}")

        request = WriteMultipleRegistersRequest(address=address, registers=list(words))
        await self._ask(request, f"write {_registers(address, len(words))}", confirmed)

    async def _read(self, request: ModbusPDU, what: str) -> list[int]:
        words: list[int] = []

        def take(answer: ModbusPDU) -> None:
            if len(answer.registers) != request.count:
                raise ValueError(f"it holds {len(answer.registers)} registers; expected {request.count}")
            words.extend(answer.registers)

        await self._ask(request, what, take)
        return words

    async def _ask(self, request: ModbusPDU, what: str, take: _Take) -> None:
        """Send a request; its answer goes to ``take``, which raises ``ValueError`` if it does not fit."""
        async with self._turn:
            await self._ready_to_ask()  # what is asked there has transactions of its own
            self._transaction = self._transaction % 0xFFFF + 1
            request.transaction_id, request.dev_id = self._transaction, self.unit

            def cut(data: bytes, ended: bool) -> tuple[int, bytes] | None:
                taken = self._framing.cut(request, data)
                return None if taken is None else (_fits(request, taken[0], take), taken[1])

            refused = await self._exchange(self._framing.wrap(request), cut)
        if refused:
            raise ModbusRefused(self.name, what, refused)


class _Take(Protocol):
    def __call__(self, answer: ModbusPDU, /) -> None: ...


def _fits(request: ModbusPDU, pdu: bytes, take: _Take) -> int:
    """Hand an answer on; return the exception code, 0 if it is none. Raises ``ValueError``."""
    if pdu[0] & 0x7F != request.function_code:
        raise ValueError(f"it answers function {pdu[0]}; expected {request.function_code}")
    answer = _DECODER.decode(pdu)
    if answer is None:
        raise ValueError(f"it does not hold what function {pdu[0]} answers")
    if isinstance(answer, ExceptionResponse):
        if len(pdu) != 2:
            raise ValueError("an exception has one byte")
        return answer.exception_code or 0xFF
    if len(answer.encode()) != len(pdu) - 1:
        raise ValueError("it is longer than what it says that it holds")
    take(answer)
    return 0


def _registers(address: int, count: int) -> str:
    return f"register {address}" if count == 1 else f"registers {address} to {address + count - 1}"
