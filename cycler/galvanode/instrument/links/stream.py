"""Bytes to and from an instrument, without a meaning: asyncio's TCP, a serial line of VISA, or the simulator.

The links that frame these bytes (``frames``, ``modbus``, ``http``) are ``StreamLink``: they ask, and cut the
answer out of what comes. What is left over, or makes no sense, leaves the link dirty.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar, cast

from pyvisa import constants, rname
from pyvisa.errors import VisaIOError
from pyvisa.resources import MessageBasedResource, SerialInstrument

from galvanode.instrument.links.base import PYVISA_PY, GuardedLink, LinkError, Place, Unfit, no_answer
from galvanode.instrument.links.visa import (
    CHUNK,
    VISA_ERRORS,
    SerialLine,
    arrived,
    as_link_error,
    close_session,
    open_session,
)

T = TypeVar("T")
_MOST_UNREAD = 2**20
"""Bytes that an instrument may send and nobody has read, before it has to wait."""
_NOISE = 10
"""Times the timeout for which late answers may come one after the other."""
Cut = Callable[[bytes, bool], tuple[T, bytes] | None]
"""Takes the answer out of what has come, and returns it with what is left; None if the answer is not complete.

The second argument says whether the instrument has hung up. Raises ``ValueError`` for what is no answer.
"""


class HungUp(LinkError):
    """The other side has hung up before a byte of its answer came: perhaps before it was asked."""


class Stream(Protocol):
    """A connection that carries bytes."""

    is_serial: bool
    """Whether late bytes outlive a reopening: a serial line has no connection that a new one could replace."""

    async def connect(self) -> None:
        """Open. Raises ``LinkError``."""
        ...

    async def send(self, data: bytes) -> None:
        """Send. Raises ``LinkError``."""
        ...

    async def receive(self, within_s: float) -> bytes:
        """Return what has come, at least a byte; empty once the other side has hung up.

        Raises ``LinkTimeout`` if nothing comes in real time ``within_s``, s.
        """
        ...

    async def unread(self) -> bool:
        """Whether something has come that nobody has received, or the other side has hung up."""
        ...

    @property
    def hung_up(self) -> bool:
        """Whether the other side is known to have hung up: what is sent would be lost."""
        ...

    async def disconnect(self) -> None:
        """Hang up; never fails."""
        ...

    def end(self) -> None:
        """Give back what outlives a connection."""
        ...


class _Received(asyncio.Protocol):
    """What a socket has brought, up to ``_MOST_UNREAD``: the rest waits where it comes from."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False
        self.news = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > _MOST_UNREAD and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self.news.set()

    def take(self) -> bytes:
        """Return what has come, and let more come."""
        data = bytes(self.data)
        self.data.clear()
        if self._paused and self._transport is not None:
            self._transport.resume_reading()
            self._paused = False
        return data

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.news.set()


class TcpStream:
    """A socket of asyncio."""

    is_serial = False

    def __init__(self, name: str, resource: str, host: str, port: int, timeout_s: float) -> None:
        self._name = name
        self._resource = resource
        self._host, self._port = host, port
        self._timeout_s = timeout_s
        self._transport: asyncio.Transport | None = None
        self._received = _Received()

    async def connect(self) -> None:
        """Open. Raises ``LinkError``."""
        loop = asyncio.get_running_loop()
        received = _Received()
        try:
            async with asyncio.timeout(self._timeout_s):
                transport, _ = await loop.create_connection(lambda: received, self._host, self._port)
        except (OSError, TimeoutError, UnicodeError) as error:  # the last: a name that no host can have
            problem = "no connection in time" if isinstance(error, TimeoutError) else error
            raise LinkError(f"{self._name} ({self._resource}) cannot be reached: {problem}") from error
        self._transport, self._received = transport, received

    async def send(self, data: bytes) -> None:
        """Send. Raises ``LinkError``."""
        if self._transport is None or self._received.ended:
            raise LinkError(f"{self._name} ({self._resource}) hung up")
        self._transport.write(data)

    async def receive(self, within_s: float) -> bytes:
        """Return what has come; empty once the other side has hung up. Raises ``LinkTimeout``."""
        received = self._received
        if not (received.data or received.ended):
            received.news.clear()
            try:
                async with asyncio.timeout(within_s):
                    await received.news.wait()
            except TimeoutError:
                raise no_answer(self._name, self._resource) from None
        return received.take()

    async def unread(self) -> bool:
        """Whether something has come that nobody has received, or the other side has hung up."""
        return bool(self._received.data) or self._received.ended

    @property
    def hung_up(self) -> bool:
        """Whether the other side has hung up."""
        return self._received.ended

    async def disconnect(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
            await asyncio.sleep(0)  # the event loop closes the socket in its next turn

    def end(self) -> None:
        """Nothing outlives the connection."""


class _VisaStream:
    """A session of VISA, its bytes as they come."""

    def __init__(self, name: str, place: Place, timeout_s: float, line: SerialLine) -> None:
        self._name = name
        self._place = place
        self._timeout_s = timeout_s
        self._line = line
        self._session: MessageBasedResource | None = None
        self.is_serial = place.resource.upper().startswith("ASRL")
        self.hung_up = False
        """Told by the error of the next call."""

    def _connect(self) -> None:
        session = open_session(self._place, self._timeout_s, self._line)
        session.read_termination = None
        if isinstance(session, SerialInstrument):
            session.end_input = constants.SerialTermination.none
        if self._place.in_process:
            session.set_visa_attribute(constants.ResourceAttribute.suppress_end_enabled, False)
        self._session = session

    def _send(self, data: bytes) -> None:
        session = self._opened()
        session.visalib.write(session.session, data)

    def _receive(self, within_s: float) -> bytes:
        session = self._opened()
        session.timeout = max(1, round(within_s * 1000))
        if self._place.in_process:
            return session.visalib.read(session.session, CHUNK)[0]
        return arrived(session, wait=True)

    def _unread(self) -> bool:
        session = self._opened()
        if isinstance(session, SerialInstrument):
            return session.bytes_in_buffer > 0
        if not self._place.in_process:
            return False  # messages end by themselves there, and a new one discards an unread one
        session.timeout = 0
        try:
            return bool(session.visalib.read(session.session, CHUNK)[0])
        except VisaIOError as error:
            if error.error_code != constants.StatusCode.error_timeout:
                raise
            return False

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            close_session(session)

    def _opened(self) -> MessageBasedResource:
        if self._session is None:
            raise OSError("the connection is closed")
        return self._session

    def _error(self, error: Exception) -> LinkError:
        return as_link_error(self._name, self._place.resource, error)


class InProcessStream(_VisaStream):
    """A session of the in-process simulator, called where it is."""

    async def connect(self) -> None:
        """Open. Raises ``LinkError``."""
        self._inline(self._connect)

    async def send(self, data: bytes) -> None:
        """Send. Raises ``LinkError``."""
        self._inline(lambda: self._send(data))

    async def receive(self, within_s: float) -> bytes:
        """Return what has come. Raises ``LinkTimeout``."""
        return self._inline(lambda: self._receive(within_s))

    async def unread(self) -> bool:
        """Whether something has come that nobody has received."""
        return self._inline(self._unread)

    async def disconnect(self) -> None:
        """Hang up."""
        self._disconnect()

    def end(self) -> None:
        """Nothing outlives the connection."""

    def _inline(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except VISA_ERRORS as error:
            raise self._error(error) from error


class ThreadStream(_VisaStream):
    """A session of VISA on a thread of its own: serial lines, mostly."""

    def __init__(self, name: str, place: Place, timeout_s: float, line: SerialLine) -> None:
        super().__init__(name, place, timeout_s, line)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"link-{name}")

    async def connect(self) -> None:
        """Open. Raises ``LinkError``."""
        await self._in_thread(self._connect)

    async def send(self, data: bytes) -> None:
        """Send. Raises ``LinkError``."""
        await self._in_thread(lambda: self._send(data))

    async def receive(self, within_s: float) -> bytes:
        """Return what has come. Raises ``LinkTimeout``."""
        return await self._in_thread(lambda: self._receive(within_s))

    async def unread(self) -> bool:
        """Whether something has come that nobody has received."""
        return await self._in_thread(self._unread)

    async def disconnect(self) -> None:
        """Hang up."""
        await self._in_thread(self._disconnect)

    def end(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False)

    async def _in_thread(self, action: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, action)
        except LinkError:
            raise
        except Exception as error:  # pyvisa-py raises a bare Exception for a connection that times out
            raise self._error(error) from error


def is_socket(name: str, place: Place) -> bool:
    """Whether an instrument is at a plain TCP socket. Raises ``LinkError`` for what is no resource name.

    Another VISA library than PyVISA-py may have names of its own for its resources.
    """
    try:
        return isinstance(rname.ResourceName.from_string(place.resource), rname.TCPIPSocket)
    except rname.InvalidResourceName as error:
        if place.backend == PYVISA_PY:
            raise no_resource(name, place.resource) from error
        return False


_PORT_AT_HOST = re.compile(r"(?:TCPIP\d*::?|\w+://)?([\w.-]+):{1,2}(\d+)(?:::?SOCKET|/)?", re.IGNORECASE)
_HOST = re.compile(r"(?:TCPIP\d*::?|\w+://)?([\w-]+(?:\.[\w-]+)+)(?:::?SOCKET|/)?", re.IGNORECASE)
_COM = re.compile(r"COM(\d+):?", re.IGNORECASE)


def no_resource(name: str, resource: str) -> LinkError:
    """Return the error of what is no VISA resource name, with the one that may be meant."""
    if resource.startswith("/dev/"):
        meant = f"ASRL{resource}::INSTR"
    elif com := _COM.fullmatch(resource):
        meant = f"ASRL{com[1]}::INSTR"
    elif port := _PORT_AT_HOST.fullmatch(resource):
        meant = f"TCPIP::{port[1]}::{port[2]}::SOCKET"
    else:
        host = _HOST.fullmatch(resource)
        meant = f"TCPIP::{host[1] if host else '10.0.0.5'}::5025::SOCKET"
    said = f"that is no VISA resource name; expected one such as '{meant}'"
    return LinkError(f"{name} ({resource}) cannot be reached: {said}")


def open_stream(name: str, place: Place, timeout_s: float, line: SerialLine) -> Stream:
    """Return the stream to a VISA resource; it connects later. Raises ``LinkError`` for what is no resource."""
    if place.in_process:
        return InProcessStream(name, place, timeout_s, line)
    try:
        resource = rname.ResourceName.from_string(place.resource)
    except rname.InvalidResourceName as error:
        raise no_resource(name, place.resource) from error
    if isinstance(resource, rname.TCPIPSocket):
        if not (resource.port.isdecimal() and 0 < int(resource.port) < 65536):
            raise LinkError(f"{name} ({place.resource}) cannot be reached: {resource.port!r} is no port, 1 to 65535")
        return TcpStream(name, place.resource, resource.host_address, int(resource.port), timeout_s)
    return ThreadStream(name, place, timeout_s, line)


class StreamLink(GuardedLink):
    """A link that asks in bytes and cuts the answer out of those that come."""

    def __init__(self, name: str, place: Place, timeout_s: float, line: SerialLine) -> None:
        super().__init__(name, place.resource)
        self._timeout_s = place.timeout_s or timeout_s
        self._stream = open_stream(name, place, self._timeout_s, line)
        self._late_answers = False
        self._opened_before = False

    async def close(self) -> None:
        """Give the connection back."""
        async with self._turn:
            await self._shut()
            self._stream.end()

    async def _exchange(self, question: bytes, cut: Cut[T]) -> T:
        """Send a question and return its answer. Raises ``LinkError``; the link is dirty after it."""
        async with self._turn:
            await self._ready_to_ask()
            self._dirty = True  # until the answer is in
            await self._stream.send(question)
            answer, rest = await self._answer(cut)
            self._dirty = bool(rest)
            return answer

    async def _tell(self, message: bytes) -> None:
        """Send what has no answer."""
        async with self._turn:
            self._dirty |= self._stream.hung_up
            await self._ready()
            self._dirty = True
            await self._stream.send(message)
            self._dirty = False

    async def _ready_to_ask(self) -> None:
        await self._ready()
        if self._late_answers:
            await self._await_silence()
        elif await self._stream.unread():  # what nobody asked for, or the news that the other side has hung up
            self._dirty = True
            await self._ready()

    async def _answer(self, cut: Cut[T]) -> tuple[T, bytes]:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        come, ended = b"", False
        while not ended:
            more = await self._stream.receive(max(0.0, deadline - asyncio.get_running_loop().time()))
            come, ended = come + more, not more
            try:
                taken = cut(come, ended)
            except ValueError as error:
                raise self.distrust(f"{come[:60]!r} is no answer: {error}") from error
            except Unfit:
                self._dirty = True
                raise
            if taken is not None:
                answer, rest = taken
                return answer, rest or (b"ended" if ended else b"")
        kind = LinkError if come else HungUp
        raise kind(f"{self.name} ({self.resource}) hung up")

    async def _await_silence(self) -> None:
        """Let late answers pass, until none has come for as long as an answer is waited for.

        Raises ``Unfit`` if there is no end of them.
        """
        deadline = asyncio.get_running_loop().time() + _NOISE * self._timeout_s
        try:
            while asyncio.get_running_loop().time() < deadline:
                await self._stream.receive(self._timeout_s)
        except LinkError:
            self._late_answers = False
        else:
            raise self.distrust("sends without end what it was not asked for")

    async def _reach(self) -> None:
        await self._stream.connect()
        self._late_answers = self._opened_before and self._stream.is_serial
        self._opened_before = True

    async def _shut(self) -> None:
        await self._stream.disconnect()
