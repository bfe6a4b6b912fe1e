"""One open session to a simulated instrument: buffers, timeouts and attributes."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from pyvisa import constants, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError

from galvanode_simulator.framing import LineFramer
from galvanode_simulator.wire import Disconnected, Wire

_LONGEST_SLEEP_S = 0.05
"""A late reply that is still in time is waited for no longer than this."""
_LF = 10


class Session:
    """Bytes to and from one instrument.

    Sockets and serial lines are streams: a late reply stays in the line and is read as the answer to the
    next question. On the others (INSTR) a message ends by itself, and a new message discards an unread one.
    A read that nothing will answer times out at once: nobody waits in real time for a simulated silence.
    """

    def __init__(self, name: rname.ResourceName, wire: Wire) -> None:
        self.wire = wire
        self.resource_name = str(name)
        self.is_serial = name.interface_type == "ASRL"
        self.is_stream = self.is_serial or name.resource_class == "SOCKET"
        self._framer = wire.framer()
        self._is_lines = isinstance(self._framer, LineFramer)
        self._arrived = b""
        self._late: deque[tuple[float, bytes]] = deque()
        self._lost = False
        self._stop_at: bytes | None = None
        self.attributes: dict[ResourceAttribute, Any] = {
            ResourceAttribute.timeout_value: 2000,
            ResourceAttribute.termchar: _LF,
            ResourceAttribute.termchar_enabled: constants.VI_FALSE,
            ResourceAttribute.send_end_enabled: constants.VI_TRUE,
            ResourceAttribute.resource_name: self.resource_name,
            ResourceAttribute.resource_class: name.resource_class,
            ResourceAttribute.resource_manufacturer_name: "Galvanode",
            ResourceAttribute.resource_impl_version: 1,
            ResourceAttribute.resource_spec_version: 0x00500400,
            ResourceAttribute.resource_lock_state: constants.AccessModes.no_lock,
            ResourceAttribute.interface_type: getattr(constants.InterfaceType, name.interface_type.lower()),
            ResourceAttribute.interface_number: 0,
            ResourceAttribute.io_prot: constants.IOProtocol.normal,
            ResourceAttribute.suppress_end_enabled: constants.VI_TRUE if self.is_stream else constants.VI_FALSE,
            ResourceAttribute.user_data: 0,
        }
        if isinstance(name, rname.TCPIPSocket):
            self.attributes |= {
                ResourceAttribute.tcpip_address: name.host_address,
                ResourceAttribute.tcpip_hostname: name.host_address,
                ResourceAttribute.tcpip_port: int(name.port),
                ResourceAttribute.tcpip_nodelay: constants.VI_TRUE,
                ResourceAttribute.tcpip_keepalive: constants.VI_FALSE,
            }
        if self.is_serial:
            self.attributes |= {
                ResourceAttribute.asrl_baud_rate: 9600,
                ResourceAttribute.asrl_data_bits: 8,
                ResourceAttribute.asrl_parity: constants.Parity.none,
                ResourceAttribute.asrl_stop_bits: constants.StopBits.one,
                ResourceAttribute.asrl_flow_control: constants.ControlFlow.none,
                ResourceAttribute.asrl_end_in: constants.SerialTermination.termination_char,
                ResourceAttribute.asrl_end_out: constants.SerialTermination.none,
                ResourceAttribute.asrl_avalaible_number: 0,
                ResourceAttribute.asrl_break_state: constants.VI_FALSE,
            }
        self._settings_changed()

    def _settings_changed(self) -> None:
        enabled = bool(self.attributes[ResourceAttribute.termchar_enabled])
        if self.is_serial:
            end = self.attributes[ResourceAttribute.asrl_end_in]
            enabled = enabled or end == constants.SerialTermination.termination_char
        self._stop_at = bytes([self.attributes[ResourceAttribute.termchar]]) if enabled else None

    def get(self, attribute: ResourceAttribute) -> Any:
        """Value of a VISA attribute; raises ``KeyError`` if the session has none such."""
        if attribute == ResourceAttribute.asrl_avalaible_number and self.is_serial:
            self._arrived += self.wire.unasked()
            return len(self._arrived)
        return self.attributes[attribute]

    def set(self, attribute: ResourceAttribute, state: Any) -> None:
        """Set a VISA attribute; raises ``KeyError`` if the session has none such."""
        if attribute not in self.attributes:
            raise KeyError(attribute)
        self.attributes[attribute] = state
        self._settings_changed()

    def write(self, data: bytes) -> None:
        """Send bytes; whole messages are executed at once."""
        if self._lost:
            raise VisaIOError(StatusCode.error_connection_lost)
        if not self.is_stream and (self._arrived or self._late):
            self._arrived = b""
            self._late.clear()
            self.wire.device.query_error(-410)
        wire = self.wire
        whole = self._is_lines and data.find(b"\n") == len(data) - 1
        if whole and not (self._late or self._framer.pending or wire.faulty):
            self._arrived += wire.receive(data[:-2] if data.endswith(b"\r\n") else data[:-1])
            return
        messages = self._framer.feed(data)
        if not self.is_stream and self._framer.pending:
            messages.append(self._framer.flush())  # END does what the terminator does
        for message in messages:
            try:
                replies = wire.exchange(message)
            except Disconnected:
                self._lost = True
                raise VisaIOError(StatusCode.error_connection_lost) from None
            for reply in replies:
                if reply.delay > 0 or self._late:
                    self._late.append((time.monotonic() + reply.delay, reply.data))
                else:
                    self._arrived += reply.data

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        """Return up to ``count`` bytes and why there are no more. Raises ``VisaIOError``."""
        if self._lost:
            raise VisaIOError(StatusCode.error_connection_lost)
        if self._late:
            self._receive_late()
        stop = self._stop_at
        if self.wire.talks:
            self._listen(stop, count)
        arrived = self._arrived
        if stop is not None:
            end = arrived.find(stop, 0, count) + 1
            if end:
                self._arrived = arrived[end:]
                return arrived[:end], StatusCode.success_termination_character_read
        if len(arrived) >= count:
            self._arrived = arrived[count:]
            return arrived[:count], StatusCode.success_max_count_read
        if arrived and not self.attributes[ResourceAttribute.suppress_end_enabled]:
            self._arrived = b""  # a message has ended, or nothing more of a stream is under way
            return arrived, StatusCode.success
        if not arrived and not self.is_stream and not self._late:
            self.wire.device.query_error(-420)
        raise VisaIOError(StatusCode.error_timeout)

    def _listen(self, stop: bytes | None, count: int) -> None:
        """Take what the instrument says of its own accord; wait for it within the timeout, in its time."""
        self._arrived += self.wire.unasked()
        timeout = self.attributes[ResourceAttribute.timeout_value]
        if timeout in (constants.VI_TMO_IMMEDIATE, constants.VI_TMO_INFINITE):
            return
        takes_any = not self.attributes[ResourceAttribute.suppress_end_enabled]
        while len(self._arrived) < count and (stop is None or stop not in self._arrived):
            if takes_any and self._arrived:
                return
            heard = self.wire.unasked(timeout / 1000.0)
            if not heard:
                return
            self._arrived += heard

    def _receive_late(self) -> None:
        """Take what is due within the timeout; what is later than that arrives after this read has failed."""
        timeout = self.attributes[ResourceAttribute.timeout_value]
        patience = float("inf") if timeout == constants.VI_TMO_INFINITE else timeout / 1000.0
        now = time.monotonic()
        if self._late[0][0] - now > patience:
            late = self._late
            self._late = deque((now, data) for _, data in late)
            raise VisaIOError(StatusCode.error_timeout)
        while self._late and self._late[0][0] - now <= patience:
            due, data = self._late.popleft()
            time.sleep(min(max(0.0, due - time.monotonic()), _LONGEST_SLEEP_S))
            self._arrived += data

    def clear(self) -> None:
        """Device clear: what is under way in either direction is forgotten."""
        self._framer.clear()
        self.discard_input()

    def discard_input(self) -> None:
        """Forget what has arrived."""
        self.wire.unasked()
        self._arrived = b""
        self._late.clear()
