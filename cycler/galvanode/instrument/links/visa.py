"""Sessions of PyVISA: opening them, their errors, and their bytes. All of it blocks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import pyvisa
from pyvisa import constants
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.resources import MessageBasedResource, SerialInstrument, TCPIPSocket

from galvanode.instrument.links.base import LinkError, Place, no_answer, no_text, unreachable

VISA_ERRORS = (VisaIOError, InvalidSession, OSError, UnicodeError, ValueError)
CHUNK = 2**20
"""Bytes asked of a simulated instrument in this process: more than it has to say."""
_MOST_LATE_ANSWERS = 100
_PARITY = {"none": constants.Parity.none, "even": constants.Parity.even, "odd": constants.Parity.odd}
_STOP_BITS = {
    1: constants.StopBits.one,
    1.5: constants.StopBits.one_and_a_half,
    2: constants.StopBits.two,
}
_FLOW = {
    "none": constants.ControlFlow.none,
    "xon_xoff": constants.ControlFlow.xon_xoff,
    "rts_cts": constants.ControlFlow.rts_cts,
}


@dataclass(frozen=True)
class SerialLine:
    """How the characters of a serial line are sent. Of no account for other connections."""

    baud_rate: int = 9600
    data_bits: Literal[5, 6, 7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: float = 1
    """1, 1.5 or 2."""
    flow_control: Literal["none", "xon_xoff", "rts_cts"] = "none"


NINE_SIX_EIGHT_N_ONE = SerialLine()
"""9600 baud, 8 data bits, no parity, 1 stop bit, no flow control: what most instruments come with."""


def open_session(place: Place, timeout_s: float, line: SerialLine) -> MessageBasedResource:
    """Open a session. Raises ``LinkError`` and whatever PyVISA raises."""
    milliseconds = round(timeout_s * 1000)
    manager = pyvisa.ResourceManager(place.backend)
    session = manager.open_resource(place.resource, open_timeout=milliseconds, timeout=milliseconds)
    if not isinstance(session, MessageBasedResource):
        session.close()
        raise LinkError(f"{place.resource} does not carry messages; expected a GPIB, TCPIP, USB or ASRL resource")
    if isinstance(session, SerialInstrument):
        session.baud_rate = line.baud_rate
        session.data_bits = line.data_bits
        session.parity = _PARITY[line.parity]
        session.stop_bits = _STOP_BITS[line.stop_bits]
        session.flow_control = _FLOW[line.flow_control]
        session.flush(constants.BufferOperation.discard_read_buffer)
    return session


def is_stream(session: MessageBasedResource) -> bool:
    """Whether nothing but what is sent tells where an answer ends, and an unread one stays in the line."""
    return isinstance(session, SerialInstrument | TCPIPSocket)


def clear_device(session: MessageBasedResource) -> None:
    """Have an instrument on GPIB, USB or VXI-11 forget an answer that nobody has read; the others hang up instead."""
    if not is_stream(session):
        # Not every backend can; the next command then discards the answer, with error -410 in the instrument.
        with contextlib.suppress(VisaIOError, NotImplementedError):
            session.clear()


def close_session(session: MessageBasedResource) -> None:
    """Close a session; one that is gone already is none of our business."""
    with contextlib.suppress(*VISA_ERRORS):
        session.close()


def await_silence(session: MessageBasedResource) -> None:
    """Let late answers pass, until none has come for as long as an answer is waited for."""
    try:
        for _ in range(_MOST_LATE_ANSWERS):
            session.read_raw()
    except VisaIOError as error:
        if error.error_code != constants.StatusCode.error_timeout:
            raise
    session.flush(constants.BufferOperation.discard_read_buffer)


def arrived(session: MessageBasedResource, wait: bool) -> bytes:
    """Read what is there, up to the end of a line; with ``wait``, at least a byte. Loses nothing at a timeout.

    pyvisa-py drops what it has read when its time is up. A serial session is therefore asked for no more than
    has arrived, or for a single byte.
    """
    if isinstance(session, SerialInstrument):
        count = session.bytes_in_buffer or int(wait)
        return _chunk(session, count) if count else b""
    timeout = session.timeout
    if not wait:
        session.timeout = 0
    try:
        return _chunk(session, session.chunk_size)
    except VisaIOError as error:
        if wait or error.error_code != constants.StatusCode.error_timeout:
            raise
        return b""
    finally:
        session.timeout = timeout


def something_waits(session: MessageBasedResource) -> bool:
    """Whether a serial line has brought something that nobody has read.

    On GPIB, USB and VXI-11 messages end by themselves, and a new one discards an unread one.
    """
    return isinstance(session, SerialInstrument) and session.bytes_in_buffer > 0


def _chunk(session: MessageBasedResource, count: int) -> bytes:
    with session.ignore_warning(constants.StatusCode.success_max_count_read):
        return session.visalib.read(session.session, count)[0]


def as_link_error(name: str, resource: str, error: Exception) -> LinkError:
    """Return the error for people."""
    if isinstance(error, VisaIOError) and error.error_code == constants.StatusCode.error_timeout:
        return no_answer(name, resource)
    if isinstance(error, UnicodeDecodeError):
        return no_text(name, resource, error)
    return unreachable(name, resource, error)
