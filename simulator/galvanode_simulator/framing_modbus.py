"""Cuts the bytes that come to a simulated instrument into Modbus requests."""

from __future__ import annotations

from pymodbus.framer import FramerRTU

from galvanode_simulator.framing import Pending

_MBAP = 6
_RTU_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4}
"""Bytes of a request by its function; 15, 16 and 23 tell theirs."""
_RTU_COUNTED = {15: 6, 16: 6, 23: 10}
"""Where the number of the bytes that follow stands."""


class ModbusTcpFramer(Pending):
    """Requests of Modbus TCP, each with its header. What is no header is dropped with all that came with it."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the requests that are complete now."""
        self.pending += data
        requests: list[bytes] = []
        while len(self.pending) >= _MBAP:
            length = int.from_bytes(self.pending[4:_MBAP], "big")
            if self.pending[2:4] != b"\0\0" or not 2 <= length <= 254:
                self.clear()
                break
            end = _MBAP + length
            if len(self.pending) < end:
                break
            requests.append(self.pending[:end])
            self.pending = self.pending[end:]
        return requests


class ModbusRtuFramer(Pending):
    """Requests of Modbus RTU, check sums tested. What does not fit is dropped, as after a pause on a real line."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the requests that are complete now."""
        self.pending += data
        requests: list[bytes] = []
        while self.pending and (end := self._end()) is not None:
            if end == 0:
                self.clear()
                break
            requests.append(self.pending[:end])
            self.pending = self.pending[end:]
        return requests

    def _end(self) -> int | None:
        """Where the first request ends; None if it is not complete, 0 if it is none."""
        data = self.pending
        if len(data) < 2:
            return None
        at = _RTU_COUNTED.get(data[1])
        if at is None:
            end = _RTU_FIXED.get(data[1], 0)
        elif len(data) <= at:
            return None
        else:
            end = at + 1 + data[at] + 2
        if len(data) < end:
            return None
        if end and not FramerRTU.check_CRC(data[: end - 2], int.from_bytes(data[end - 2 : end], "big")):
            return 0
        return end
