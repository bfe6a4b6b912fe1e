"""The Modbus TCP side of a simulated F4T."""

from __future__ import annotations

from typing import Any

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)

from galvanode_simulator.faults import Fault
from galvanode_simulator.framing_modbus import ModbusTcpFramer
from galvanode_simulator.watlow_f4t.controller import F4TModel, Refused
from galvanode_simulator.watlow_f4t.desk import Desk
from galvanode_simulator.watlow_f4t.registers import RegisterMap

_FUNCTION, _ADDRESS, _VALUE, _BUSY = 1, 2, 3, 6
_HEADER = 7
UNIT = 1


class ModbusInterface(Desk):
    """Answers functions 3, 4, 6 and 16 of unit 1; others and errors by exception, other units not at all."""

    def __init__(self, model: F4TModel, low_word_first: bool) -> None:
        super().__init__(model)
        self._map = RegisterMap(model, low_word_first)
        self._decoder = DecodePDU(is_server=True)
        self._framer = FramerSocket(self._decoder)

    def framer(self) -> ModbusTcpFramer:
        """Return what cuts the bytes of one connection into requests."""
        return ModbusTcpFramer()

    def receive(self, message: bytes) -> bytes:
        """Carry out one request with its header."""
        if len(message) <= _HEADER or message[6] != UNIT:
            return b""
        self.work()
        function = message[_HEADER]
        request: Any = None
        if function in (3, 4, 6, 16):
            request = self._decoder.decode(message[_HEADER:])
        if request is None:
            answer: Any = ExceptionResponse(function & 0x7F, _VALUE if function in (3, 4, 6, 16) else _FUNCTION)
        elif self.take_busy():
            answer = ExceptionResponse(function, _BUSY)
        else:
            answer = self._answer(request)
        answer.transaction_id, answer.dev_id = int.from_bytes(message[:2], "big"), message[6]
        return self._framer.buildFrame(answer)

    def _answer(self, request: Any) -> Any:
        function = request.function_code
        if isinstance(request, ReadHoldingRegistersRequest | ReadInputRegistersRequest):
            words = self._map.read(request.address, request.count)
            if words is None:
                return ExceptionResponse(function, _ADDRESS)
            kind = ReadHoldingRegistersResponse if function == 3 else ReadInputRegistersResponse
            return kind(registers=words)
        assert isinstance(request, WriteSingleRegisterRequest | WriteMultipleRegistersRequest)  # noqa: S101
        try:
            taken = self._map.write(request.address, list(request.registers))
        except Refused:
            return ExceptionResponse(function, _VALUE)
        if not taken:
            return ExceptionResponse(function, _ADDRESS)
        if isinstance(request, WriteSingleRegisterRequest):
            return WriteSingleRegisterResponse(address=request.address, registers=list(request.registers))
        return WriteMultipleRegistersResponse(address=request.address, count=len(request.registers))

    def play(self, fault: Fault, on: bool) -> None:
        """A frozen reading is a stuck chamber; an SCPI error is a controller that is busy."""
        self.play_in_chamber(fault, on)
