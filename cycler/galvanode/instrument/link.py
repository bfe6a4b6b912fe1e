"""Links: text messages to and from an instrument, over VISA.

PyVISA blocks and is not safe across threads, so a session to a real instrument owns one thread: its calls
queue up there, and a slow instrument delays nobody else. Sessions of the in-process simulator answer in
microseconds and are called where they are. After a timeout or a cancellation the late reply is still
coming and would be taken for the answer to the next question: such a link is *dirty*, and it is reopened
before anything else is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyvisa
from pyvisa import constants
from pyvisa.errors import InvalidSession, VisaIOError
from pyvisa.resources import MessageBasedResource, SerialInstrument, TCPIPSocket

from galvanode.errors import GalvanodeError

T = TypeVar("T")

_VISA_ERRORS = (VisaIOError, InvalidSession, OSError, UnicodeError, ValueError)

_MOST_LATE_ANSWERS = 100

SIMULATOR_BACKEND = "galvanode"
"""Name of the PyVISA backend of the in-process simulator."""


class LinkError(GalvanodeError):
    """The instrument cannot be reached: no answer in time, or no connection."""


class LinkTimeout(LinkError):
    """No answer within the link's timeout."""


@dataclass(frozen=True)
class LinkSettings:
    """How an instrument family frames its messages; what a bench file may change is in seconds and baud."""

    write_termination: str = "\n"
    read_termination: str = "\n"
    timeout_s: float = 1.0
    baud_rate: int = 9600
    encoding: str = "ascii"


class Link(Protocol):
    """One conversation with one instrument."""

    name: str

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer. Raises ``LinkError``."""
        ...

    async def write(self, message: str) -> None:
        """Send a message that has no answer. Raises ``LinkError``."""
        ...

    async def read_line(self) -> str:
        """Return the next line, without its terminator. Raises ``LinkTimeout`` if none comes in time.

        Nothing was asked, so nothing comes late: the link stays as it is after a timeout.
        """
        ...

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived, without waiting; the part of a line is kept for later."""
        ...

    async def close(self) -> None:
        """Close the session."""
        ...


def _open(backend: str, resource: str, settings: LinkSettings) -> MessageBasedResource:
    """Open a VISA session; blocking."""
    manager = pyvisa.ResourceManager(backend)
    session = manager.open_resource(
        resource,
        open_timeout=round(settings.timeout_s * 1000),
        timeout=round(settings.timeout_s * 1000),
    )
    if not isinstance(session, MessageBasedResource):
        session.close()
        raise LinkError(f"{resource} does not carry messages; expected a GPIB, TCPIP, USB or ASRL resource")
    session.encoding = settings.encoding
    session.write_termination = settings.write_termination
    session.read_termination = settings.read_termination
    if isinstance(session, SerialInstrument):
        session.baud_rate = settings.baud_rate
        session.flush(constants.BufferOperation.discard_read_buffer)
    return session


def _query(session: MessageBasedResource, message: str) -> str:
    """Return the answer without its terminator; raise ``ValueError`` if it was cut short.

    PyVISA's own ``query`` hands out such an answer with no more than a Python warning.
    """
    session.write(message)
    answer = session.read_raw().decode(session.encoding)
    ending = session.read_termination or ""
    if not answer.endswith(ending):
        raise ValueError(f"its answer {answer[-40:]!r} to {message[:40]!r} was cut short")
    return answer.removesuffix(ending)


def _await_silence(session: MessageBasedResource) -> None:
    """Let late answers pass, until none has come for as long as an answer is waited for."""
    try:
        for _ in range(_MOST_LATE_ANSWERS):
            session.read_raw()
    except VisaIOError as error:
        if error.error_code != constants.StatusCode.error_timeout:
            raise
    session.flush(constants.BufferOperation.discard_read_buffer)


class _Lines:
    """Lines out of a session's bytes. Holds the part of a line that has arrived."""

    def __init__(self) -> None:
        self.partial = b""

    def query(self, session: MessageBasedResource, message: str) -> str:
        """Send a message and return its answer; blocking."""
        if not self.partial:
            return _query(session, message)
        session.write(message)
        return self.next(session)

    def next(self, session: MessageBasedResource) -> str:
        """Return the next line; blocking. Raises ``VisaIOError`` at the session's timeout."""
        deadline = time.monotonic() + session.timeout / 1000.0
        while (line := self._cut(session)) is None:
            arrived = _bytes_of(session, wait=True)
            self.partial += arrived
            if not arrived and time.monotonic() > deadline:
                raise VisaIOError(constants.StatusCode.error_timeout)
        return line

    def arrived(self, session: MessageBasedResource) -> list[str]:
        """Return the lines that are complete; never blocks for longer than a millisecond or two."""
        while arrived := _bytes_of(session, wait=False):
            self.partial += arrived
        lines: list[str] = []
        while (line := self._cut(session)) is not None:
            lines.append(line)
        return lines

    def _cut(self, session: MessageBasedResource) -> str | None:
        line, ending, rest = self.partial.partition((session.read_termination or "\n").encode())
        if not ending:
            return None
        self.partial = rest
        return line.decode(session.encoding)


def _bytes_of(session: MessageBasedResource, wait: bool) -> bytes:
    """Read what is there, up to the end of a line; with ``wait``, at least a byte. Loses nothing at a timeout.

    pyvisa-py drops what it has read when its time is up. A serial session is therefore asked for no more than
    has arrived, or for a single byte; a socket, which cannot say what has arrived, to hand out what it has.
    """
    if isinstance(session, SerialInstrument):
        count = session.bytes_in_buffer or int(wait)
        return _chunk(session, count) if count else b""
    timeout = session.timeout
    if isinstance(session, TCPIPSocket):
        session.set_visa_attribute(constants.ResourceAttribute.suppress_end_enabled, False)
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
        if isinstance(session, TCPIPSocket):  # an answer may come in pieces
            session.set_visa_attribute(constants.ResourceAttribute.suppress_end_enabled, True)


def _chunk(session: MessageBasedResource, count: int) -> bytes:
    with session.ignore_warning(constants.StatusCode.success_max_count_read):
        return session.visalib.read(session.session, count)[0]


def _close(session: MessageBasedResource) -> None:
    # A connection that is gone already cannot be closed; there is nothing left to do about it.
    with contextlib.suppress(*_VISA_ERRORS):
        session.close()


def _as_link_error(name: str, resource: str, error: Exception) -> LinkError:
    if isinstance(error, VisaIOError) and error.error_code == constants.StatusCode.error_timeout:
        return LinkTimeout(f"{name} ({resource}) did not answer in time; check its cable, power and address")
    return LinkError(f"{name} ({resource}) cannot be reached: {error}")


class InlineLink:
    """A session of the in-process simulator: calls return at once, so no thread is needed."""

    def __init__(self, name: str, backend: str, resource: str, settings: LinkSettings) -> None:
        self.name = name
        self.resource = resource
        self._backend = backend
        self._settings = settings
        self._session = _open(backend, resource, settings)
        self._lines = _Lines()
        self._dirty = False

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer."""
        try:
            if self._dirty:
                self._reopen()
            if self._lines.partial:
                return self._lines.query(self._session, message)
            return _query(self._session, message)
        except _VISA_ERRORS as error:
            self._dirty = True
            raise _as_link_error(self.name, self.resource, error) from error

    async def write(self, message: str) -> None:
        """Send a message that has no answer."""
        try:
            if self._dirty:
                self._reopen()
            self._session.write(message)
        except _VISA_ERRORS as error:
            self._dirty = True
            raise _as_link_error(self.name, self.resource, error) from error

    async def read_line(self) -> str:
        """Return the next line."""
        return self._read(self._lines.next)

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived."""
        return self._read(self._lines.arrived)

    async def close(self) -> None:
        """Close the session."""
        _close(self._session)

    def _read(self, action: Callable[[MessageBasedResource], T]) -> T:
        try:
            if self._dirty:
                self._reopen()
            return action(self._session)
        except _VISA_ERRORS as error:
            problem = _as_link_error(self.name, self.resource, error)
            self._dirty = not isinstance(problem, LinkTimeout)
            raise problem from error

    def _reopen(self) -> None:
        _close(self._session)
        self._lines.partial = b""
        self._session = _open(self._backend, self.resource, self._settings)
        self._dirty = False


class ThreadedLink:
    """A session to an instrument outside this process, on a thread of its own."""

    def __init__(self, name: str, backend: str, resource: str, settings: LinkSettings) -> None:
        self.name = name
        self.resource = resource
        self._backend = backend
        self._settings = settings
        self._session: MessageBasedResource | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"link-{name}")
        self._turn = asyncio.Lock()
        self._lines = _Lines()
        self._dirty = False
        self._late_answers = False
        """A serial line may still bring them: it has no connection that a new one could replace."""

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer."""
        return await self._call(lambda session: self._ask(session, message))

    async def write(self, message: str) -> None:
        """Send a message that has no answer."""
        await self._call(lambda session: session.write(message))

    async def read_line(self) -> str:
        """Return the next line."""
        return await self._call(self._lines.next, asked=False)

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived."""
        return await self._call(self._lines.arrived, asked=False)

    async def close(self) -> None:
        """Close the session and end its thread."""
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._close_session)
            self._thread.shutdown(wait=False)

    async def _call(self, action: Callable[[MessageBasedResource], T], asked: bool = True) -> T:
        async with self._turn:
            dirty, self._dirty = self._dirty, True  # dirty until the answer is in
            try:
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._blocking_call, action, dirty
                )
            except LinkTimeout:
                self._dirty = asked
                raise
            self._dirty = False
            return answer

    def _ask(self, session: MessageBasedResource, message: str) -> str:
        if self._late_answers:  # commands do not wait for this: the one that makes a cell safe is sent at once
            _await_silence(session)
            self._late_answers = False
        return self._lines.query(session, message)

    def _blocking_call(self, action: Callable[[MessageBasedResource], T], reopen: bool) -> T:
        try:
            if reopen:
                self._close_session()
            if self._session is None:
                self._session = _open(self._backend, self.resource, self._settings)
                self._late_answers = reopen and isinstance(self._session, SerialInstrument)
            return action(self._session)
        except LinkError:
            raise
        except Exception as error:  # pyvisa-py raises a bare Exception for a connection that times out
            raise _as_link_error(self.name, self.resource, error) from error

    def _close_session(self) -> None:
        self._lines.partial = b""
        session, self._session = self._session, None
        if session is not None:
            _close(session)


def open_link(name: str, backend: str, resource: str, settings: LinkSettings) -> Link:
    """Return the link to a VISA resource.

    ``backend`` is a PyVISA library specification such as ``@py``, ``@ivi`` or ``bench.yaml@galvanode``.
    A link to a real instrument opens with its first message.
    """
    if backend.endswith("@" + SIMULATOR_BACKEND):
        return InlineLink(name, backend, resource, settings)
    return ThreadedLink(name, backend, resource, settings)
