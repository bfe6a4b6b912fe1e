"""What every link promises, and what is shared by those that keep it.

* Every exchange has a deadline.
* After an answer that does not fit its question - late, cut short, garbled, of the wrong shape - nothing that
  comes over the link is believed: it is *dirty*, and cleared or opened anew before it is used again.
* After each reopening the instrument is asked who it is before anything else is sent. Another serial number
  raises ``AnotherInstrument``, and goes on to do so: nobody speaks to it.
* What makes a cell safe waits for none of this: see ``urgent``.

A kind of link is a ``LinkSettings``: how a family's instruments are spoken to, with ``open``.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from galvanode.errors import GalvanodeError
from galvanode.instrument.roles import Identity, InstrumentError

SIMULATOR_BACKEND = "galvanode"
"""Name of the PyVISA backend of the in-process simulator."""
PYVISA_PY = "@py"
"""Name of PyVISA's own backend in Python."""
NOT_TOLD = "unknown"
"""Serial number of an instrument that cannot tell it."""


class LinkError(GalvanodeError):
    """The instrument cannot be reached: no answer in time, no connection, or an answer that makes no sense."""


class LinkTimeout(LinkError):
    """No answer within the link's timeout."""


class Unfit(LinkError):
    """An answer that does not fit its question; the link is not believed until it has been opened anew."""


class AnotherInstrument(InstrumentError):
    """After the connection was lost, another instrument answers at the same address."""


@dataclass(frozen=True)
class Place:
    """Where an instrument is."""

    resource: str
    """VISA resource name, or what the kind of link takes for one."""
    backend: str = PYVISA_PY
    """PyVISA library specification: ``@py``, ``@ivi``, or ``bench.yaml@galvanode`` for a simulated instrument."""
    timeout_s: float | None = None
    """Real time that an answer is waited for, s; None for what the family takes."""

    @property
    def in_process(self) -> bool:
        """Whether the instrument is simulated in this process."""
        return self.backend.endswith("@" + SIMULATOR_BACKEND)


_BOARD = re.compile(r"(TCPIP|GPIB|USB|PXI|VXI)(?=::)")
_ONLY_DEVICE = re.compile(r"(?<=::)INST0::")
_CLASS = re.compile(r"::INSTR$")


def one_name(resource: str) -> str:
    """Return a VISA resource name as one text for all that mean the same: ``TCPIP::A``, ``tcpip0::a::INSTR``.

    For comparison only. Some serial ports differ in capitals alone; they count as one.
    """
    name = _BOARD.sub(r"\g<1>0", resource.strip().upper(), count=1)
    return _CLASS.sub("", _ONLY_DEVICE.sub("", name))


class Link(Protocol):
    """One conversation with one instrument, whatever it is carried by."""

    name: str

    def identify_by(self, identify: Callable[[], Awaitable[Identity]]) -> None:
        """Say how the instrument is asked who it is, after each reopening."""
        ...

    def recognise(self, identity: Identity) -> Identity:
        """Remember who answers, or compare. Raises ``AnotherInstrument``. For the end of ``identify``."""
        ...

    def distrust(self, reason: str) -> Unfit:
        """Believe nothing more of what comes until the link is opened anew; return the error to raise."""
        ...

    def urgent(self) -> AbstractContextManager[None]:
        """Within this, what is sent does not wait for the instrument to say who it is.

        For what makes a cell safe, and is safe to say to any instrument.
        """
        ...

    async def assure(self) -> None:
        """Open the link if it is not open; after a reopening, ask who is there. Raises ``LinkError``."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class LinkSettings(Protocol):
    """A kind of link with the settings of a family."""

    @property
    def timeout_s(self) -> float:
        """Real time that an answer is waited for, s, where the bench file says nothing else."""
        ...

    def open(self, name: str, place: Place) -> Link:
        """Return the link. A real instrument is reached with the first message, not here."""
        ...


class Turn:
    """One exchange at a time. The task whose turn it is may ask again within it: who is there."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[object] | None = None
        self._depth = 0

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        if self._owner is None or self._owner is not task:
            await self._lock.acquire()
            self._owner = task
        self._depth += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._lock.release()


class GuardedLink:
    """The part of a link that keeps its promises. A kind of link adds how it is opened, closed and used."""

    def __init__(self, name: str, resource: str) -> None:
        self.name = name
        self.resource = resource
        self._turn = Turn()
        self._open = False
        self._dirty = False
        self._strange = False
        """Opened anew, and not asked yet who is there."""
        self._known: Identity | None = None
        self._identify: Callable[[], Awaitable[Identity]] | None = None
        self._excused: set[asyncio.Task[object] | None] = set()
        """Tasks that ask who is there, or have something urgent to say."""

    def identify_by(self, identify: Callable[[], Awaitable[Identity]]) -> None:
        """Say how the instrument is asked who it is, after each reopening."""
        self._identify = identify

    def recognise(self, identity: Identity) -> Identity:
        """Remember who answers, or compare. Raises ``AnotherInstrument``."""
        known = self._known
        if known is None or (known.serial == NOT_TOLD and identity.model == known.model):
            self._known = identity
        elif not _same(known, identity):
            raise AnotherInstrument(
                f"{self.name} ({self.resource}): {_who(identity)} answers where {_who(known)} was; connect the "
                "former instrument again, or restart the service if it was exchanged on purpose"
            )
        return identity

    def distrust(self, reason: str) -> Unfit:
        """Believe nothing more of what comes until the link is opened anew; return the error to raise."""
        self._dirty = True
        return Unfit(f"{self.name}: {reason}")

    @contextmanager
    def urgent(self) -> Generator[None]:
        """Within this, what is sent does not wait for the instrument to say who it is."""
        task = asyncio.current_task()
        if task in self._excused:
            yield
            return
        self._excused.add(task)
        try:
            yield
        finally:
            self._excused.discard(task)

    async def assure(self) -> None:
        """Open the link if it is not open; after a reopening, ask who is there. Raises ``LinkError``."""
        async with self._turn:
            await self._ready()

    @property
    def _is_urgent(self) -> bool:
        return bool(self._excused) and asyncio.current_task() in self._excused

    async def _ready(self) -> None:
        """See that the link is open, believed, and that the right instrument is at its end."""
        if self._dirty and self._open:
            self._open = False
            await self._shut()
        if not self._open:
            await self._reach()
            self._open, self._dirty = True, False
            self._strange = self._known is not None and self._identify is not None
        if self._strange and self._identify is not None and not self._is_urgent:
            with self.urgent():
                self.recognise(await self._identify())
            self._strange = False

    async def _reach(self) -> None:
        """Connect. Raises ``LinkError``."""
        raise NotImplementedError

    async def _shut(self) -> None:
        """Hang up; never fails."""
        raise NotImplementedError


def no_answer(name: str, resource: str) -> LinkTimeout:
    """Return the error of an instrument that keeps silent."""
    return LinkTimeout(f"{name} ({resource}) did not answer in time; check its cable, power and address")


def no_text(name: str, resource: str, error: UnicodeDecodeError) -> Unfit:
    """Return the error of an instrument, or a line, that garbles what it says."""
    return Unfit(f"{name} ({resource}) sent what is no text: {error.object[:60]!r}")


def unreachable(name: str, resource: str, error: Exception) -> LinkError:
    """Return the error of an instrument that cannot be reached."""
    return LinkError(f"{name} ({resource}) cannot be reached: {error}")


def _same(known: Identity, identity: Identity) -> bool:
    if (known.manufacturer, known.model) != (identity.manufacturer, identity.model):
        return False
    return NOT_TOLD in (known.serial, identity.serial) or known.serial == identity.serial


def _who(identity: Identity) -> str:
    serial = "" if identity.serial == NOT_TOLD else f" number {identity.serial}"
    return f"{identity.manufacturer} {identity.model}{serial}"
