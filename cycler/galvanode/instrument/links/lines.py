"""Text lines over whatever has a VISA resource name, with any terminator.

PyVISA blocks and is not safe across threads, so a session to an instrument on GPIB, USB, VXI-11 or a serial line
owns one thread: its calls queue up there, and a slow instrument delays nobody else. A plain socket needs neither
VISA nor a thread: many of them are asked side by side in the event loop. Sessions of the in-process simulator
answer in microseconds and are called where they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pyvisa import constants
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource, SerialInstrument

from galvanode.instrument.links.base import GuardedLink, Link, LinkError, LinkTimeout, Place, Unfit, no_text
from galvanode.instrument.links.stream import HungUp, StreamLink, is_socket
from galvanode.instrument.links.visa import (
    CHUNK,
    NINE_SIX_EIGHT_N_ONE,
    VISA_ERRORS,
    SerialLine,
    arrived,
    as_link_error,
    await_silence,
    clear_device,
    close_session,
    is_stream,
    open_session,
    something_waits,
)

T = TypeVar("T")
LONGEST = 16 * 2**20
"""Bytes after which an answer that does not end is given up."""


class LineLink(Link, Protocol):
    """A conversation in lines of text."""

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


@dataclass(frozen=True)
class Lines:
    """How an instrument family frames its lines."""

    write_termination: str = "\n"
    read_termination: str = "\n"
    timeout_s: float = 1.0
    serial: SerialLine = NINE_SIX_EIGHT_N_ONE
    encoding: str = "ascii"

    def open(self, name: str, place: Place) -> LineLink:
        """Return the link. Raises ``LinkError`` for what is no resource name."""
        if place.in_process:
            return InlineLines(name, place, self)
        return SocketLines(name, place, self) if is_socket(name, place) else ThreadedLines(name, place, self)


class _LeftOver(Unfit):
    """Something has come that nobody asked for: the answer to a question would stand behind it."""


class _Buffer:
    """Lines out of bytes. Holds the part of a line that has arrived."""

    def __init__(self, settings: Lines) -> None:
        self._ending = settings.read_termination.encode()
        self._encoding = settings.encoding
        self.bytes = b""

    def next(self) -> str | None:
        """Take the next complete line out; None if there is none. Raises ``UnicodeDecodeError``."""
        line, ending, rest = self.bytes.partition(self._ending)
        if not ending:
            return None
        text = line.decode(self._encoding)
        self.bytes = rest
        return text

    def cut(self, come: bytes, ended: bool) -> tuple[str, bytes] | None:
        """Take the line that is an answer out of what has come for it, see ``stream.Cut``."""
        line, ending, rest = come.partition(self._ending)
        if ending:
            return line.decode(self._encoding), rest
        if ended and come:
            raise ValueError("it was cut short")
        if len(come) > LONGEST:
            raise ValueError(f"no end within {LONGEST} bytes")
        return None

    def all(self) -> list[str]:
        """Take out every complete line up to one that is no text. Raises ``UnicodeDecodeError`` if there is none."""
        lines: list[str] = []
        try:
            while (line := self.next()) is not None:
                lines.append(line)
        except UnicodeDecodeError:
            if not lines:
                raise
        return lines


class InlineLines(GuardedLink):
    """A session of the in-process simulator: calls return at once, so no thread is needed."""

    def __init__(self, name: str, place: Place, settings: Lines) -> None:
        super().__init__(name, place.resource)
        self._place = place
        self._settings = settings
        self._encoding = settings.encoding
        self._write_ending = settings.write_termination
        self._ending = settings.read_termination.encode()
        self._buffer = _Buffer(settings)
        self._session = self._connect()
        self._open = True

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer."""
        if self._dirty or self._strange or self._buffer.bytes:
            self._dirty |= bool(self._buffer.bytes)
            await self._ready()
        session, ending = self._session, self._ending
        library, handle = session.visalib, session.session
        try:
            library.write(handle, (message + self._write_ending).encode(self._encoding))
            answer = library.read(handle, CHUNK)[0]
            if answer.find(ending) != len(answer) - len(ending):
                return self._assembled(answer)
            return answer[: -len(ending)].decode(self._encoding)
        except VISA_ERRORS as error:
            self._dirty = True
            raise as_link_error(self.name, self.resource, error) from error

    async def write(self, message: str) -> None:
        """Send a message that has no answer."""
        if self._dirty or self._strange:
            await self._ready()
        try:
            self._send(message)
        except VISA_ERRORS as error:
            self._dirty = True
            raise as_link_error(self.name, self.resource, error) from error

    async def read_line(self) -> str:
        """Return the next line."""
        return await self._read(self._next)

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived."""
        return await self._read(self._arrived)

    async def close(self) -> None:
        """Close the session."""
        await self._shut()

    def _send(self, message: str) -> None:
        self._session.visalib.write(self._session.session, (message + self._write_ending).encode(self._encoding))

    def _assembled(self, beginning: bytes) -> str:
        """Return an answer that came in pieces, or with something behind it: then nothing more is believed."""
        self._buffer.bytes = beginning
        if not is_stream(self._session) and not beginning.endswith(self._ending):
            raise self.distrust(f"its answer {beginning[-40:]!r} was cut short")
        answer = self._next(self._session)
        self._dirty |= bool(self._buffer.bytes)
        return answer

    def _next(self, session: MessageBasedResource) -> str:
        while (line := self._buffer.next()) is None:
            self._buffer.bytes += session.visalib.read(session.session, CHUNK)[0]
        return line

    def _arrived(self, session: MessageBasedResource) -> list[str]:
        timeout, session.timeout = session.timeout, 0
        try:
            while True:
                self._buffer.bytes += session.visalib.read(session.session, CHUNK)[0]
        except VisaIOError as error:
            if error.error_code != constants.StatusCode.error_timeout:
                raise
        finally:
            session.timeout = timeout
        return self._buffer.all()

    async def _read(self, action: Callable[[MessageBasedResource], T]) -> T:
        if self._dirty or self._strange:
            await self._ready()
        try:
            return action(self._session)
        except VISA_ERRORS as error:
            problem = as_link_error(self.name, self.resource, error)
            self._dirty = not isinstance(problem, LinkTimeout)
            raise problem from error

    def _connect(self) -> MessageBasedResource:
        timeout_s = self._place.timeout_s or self._settings.timeout_s
        try:
            session = open_session(self._place, timeout_s, self._settings.serial)
        except VISA_ERRORS as error:
            raise as_link_error(self.name, self.resource, error) from error
        # What has arrived, all of it: an answer with something behind it is noticed without asking twice.
        session.read_termination = None
        if isinstance(session, SerialInstrument):
            session.end_input = constants.SerialTermination.none
        session.set_visa_attribute(constants.ResourceAttribute.suppress_end_enabled, False)
        return session

    async def _reach(self) -> None:
        self._session = self._connect()

    async def _shut(self) -> None:
        self._buffer.bytes = b""
        close_session(self._session)


class SocketLines(StreamLink):
    """A socket to an instrument outside this process, in the event loop."""

    def __init__(self, name: str, place: Place, settings: Lines) -> None:
        super().__init__(name, place, settings.timeout_s, settings.serial)
        self._encoding = settings.encoding
        self._write_ending = settings.write_termination
        self._buffer = _Buffer(settings)
        """What came unasked: lines that a running task sends."""

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer."""
        return await self._exchange(self._encoded(message), self._buffer.cut)

    async def write(self, message: str) -> None:
        """Send a message that has no answer."""
        await self._tell(self._encoded(message))

    async def read_line(self) -> str:
        """Return the next line."""
        async with self._turn:
            await self._ready()
            deadline = time.monotonic() + self._timeout_s
            while (line := self._text(self._buffer.next)) is None:
                await self._take_more(max(0.0, deadline - time.monotonic()))
            return line

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived."""
        async with self._turn:
            await self._ready()
            if not await self._stream.unread():
                return self._text(self._buffer.all)
            try:
                await self._take_more(0.0)
            except HungUp:
                if lines := self._text(self._buffer.all):  # what it said before it hung up
                    return lines
                raise
            return self._text(self._buffer.all)

    def _text(self, take: Callable[[], T]) -> T:
        """Take lines out of what has come. Raises ``Unfit`` for what is no text."""
        try:
            return take()
        except UnicodeDecodeError as error:
            self._dirty = True
            raise no_text(self.name, self.resource, error) from error

    async def _take_more(self, within_s: float) -> None:
        more = await self._stream.receive(within_s)
        if not more:
            self._dirty = True
            raise HungUp(f"{self.name} ({self.resource}) hung up")
        self._buffer.bytes += more
        if len(self._buffer.bytes) > LONGEST:
            raise self.distrust(f"more than {LONGEST} bytes have come that nobody has read")

    async def _ready_to_ask(self) -> None:
        self._dirty |= bool(self._buffer.bytes)
        await super()._ready_to_ask()

    async def _shut(self) -> None:
        self._buffer.bytes = b""
        await super()._shut()

    def _encoded(self, message: str) -> bytes:
        return (message + self._write_ending).encode(self._encoding)


class ThreadedLines(GuardedLink):
    """A session of VISA to an instrument outside this process, on a thread of its own."""

    def __init__(self, name: str, place: Place, settings: Lines) -> None:
        super().__init__(name, place.resource)
        self._place = place
        self._settings = settings
        self._session: MessageBasedResource | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"link-{name}")
        self._buffer = _Buffer(settings)
        self._late_answers = False
        """A serial line may still bring them: it has no connection that a new one could replace."""
        self._opened_before = False

    async def query(self, message: str) -> str:
        """Send a message and return its one-line answer."""
        async with self._turn:
            try:
                return await self._call(lambda session: self._ask(session, message))
            except _LeftOver:  # the link is dirty now, and is opened anew
                return await self._call(lambda session: self._ask(session, message))

    async def write(self, message: str) -> None:
        """Send a message that has no answer."""
        await self._call(lambda session: session.write(message))

    async def read_line(self) -> str:
        """Return the next line."""
        return await self._call(self._next, asked=False)

    async def read_lines(self) -> list[str]:
        """Return the complete lines that have arrived."""
        return await self._call(self._arrived, asked=False)

    async def close(self) -> None:
        """Close the session and end its thread."""
        async with self._turn:
            await self._shut()
            self._thread.shutdown(wait=False)

    async def _call(self, action: Callable[[MessageBasedResource], T], asked: bool = True) -> T:
        async with self._turn:
            await self._ready()
            self._dirty = True  # until the answer is in
            try:
                answer = await self._in_thread(lambda: self._blocking(action))
            except LinkTimeout:
                self._dirty = asked
                raise
            self._dirty = False
            return answer

    def _in_thread(self, action: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, action)

    def _blocking(self, action: Callable[[MessageBasedResource], T]) -> T:
        session = self._session
        if session is None:
            raise LinkError(f"{self.name} ({self.resource}): the connection is closed")
        try:
            return action(session)
        except LinkError:
            raise
        except Exception as error:
            raise as_link_error(self.name, self.resource, error) from error

    def _ask(self, session: MessageBasedResource, message: str) -> str:
        if self._late_answers:  # commands do not wait for this: the one that makes a cell safe is sent at once
            await_silence(session)
            self._late_answers = False
        elif self._buffer.bytes or something_waits(session):
            raise _LeftOver(f"{self.name} ({self.resource}) sends what it was not asked for")
        session.write(message)
        answer = session.read_raw()
        ending = (session.read_termination or "").encode()
        if not answer.endswith(ending):  # PyVISA hands this out with no more than a Python warning
            raise self.distrust(f"its answer {answer[-40:]!r} to {message[:40]!r} was cut short")
        return answer[: len(answer) - len(ending)].decode(session.encoding)

    def _next(self, session: MessageBasedResource) -> str:
        """Return the next line. Raises ``VisaIOError`` at the session's timeout."""
        deadline = time.monotonic() + session.timeout / 1000.0
        while (line := self._buffer.next()) is None:
            here = arrived(session, wait=True)
            self._buffer.bytes += here
            if not here and time.monotonic() > deadline:
                raise VisaIOError(constants.StatusCode.error_timeout)
        return line

    def _arrived(self, session: MessageBasedResource) -> list[str]:
        """Return the lines that are complete; never blocks for longer than a millisecond or two."""
        while here := arrived(session, wait=False):
            self._buffer.bytes += here
        return self._buffer.all()

    async def _reach(self) -> None:
        await self._in_thread(self._connect)

    async def _shut(self) -> None:
        await self._in_thread(self._hang_up)

    def _connect(self) -> None:
        settings = self._settings
        try:
            session = open_session(self._place, self._place.timeout_s or settings.timeout_s, settings.serial)
            session.encoding = settings.encoding
            session.write_termination = settings.write_termination
            session.read_termination = settings.read_termination
            if self._opened_before:
                clear_device(session)
        except LinkError:
            raise
        except Exception as error:  # pyvisa-py raises a bare Exception for a connection that times out
            raise as_link_error(self.name, self.resource, error) from error
        self._session = session
        self._late_answers = self._opened_before and isinstance(session, SerialInstrument)
        self._opened_before = True

    def _hang_up(self) -> None:
        self._buffer.bytes = b""
        session, self._session = self._session, None
        if session is not None:
            close_session(session)
