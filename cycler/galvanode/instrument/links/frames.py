"""Framed messages over TCP or a serial line: an end marker, or a length in front.

settings = Frames(EndMarker(b"\\n\\n#\\r\\n"), timeout_s=2.0)
link = settings.open("box", Place("TCPIP::10.0.0.9::502::SOCKET"))
status = await link.exchange(b"<cmd>getchlstatus</cmd>", parse_status)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from galvanode.instrument.links.base import Place
from galvanode.instrument.links.stream import StreamLink
from galvanode.instrument.links.visa import NINE_SIX_EIGHT_N_ONE, SerialLine

T = TypeVar("T")


class Framing(Protocol):
    """How a message is told from the next."""

    def wrap(self, body: bytes) -> bytes:
        """Return the frame of a message. Raises ``ValueError`` for a message that cannot be framed."""
        ...

    def cut(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the first message and what is left; None if it is not complete.

        Raises ``ValueError`` for what cannot become a frame.
        """
        ...


@dataclass(frozen=True)
class EndMarker:
    """A message ends where the marker stands."""

    marker: bytes
    longest: int = 16 * 2**20
    """Bytes after which a message that does not end is given up."""

    def wrap(self, body: bytes) -> bytes:
        """Return the frame of a message. Raises ``ValueError`` if the marker would stand earlier than at its end."""
        frame = body + self.marker
        if frame.find(self.marker) != len(body):
            raise ValueError(f"a message may not contain its end marker {self.marker!r}")
        return frame

    def cut(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the first message and what is left."""
        body, marker, rest = data.partition(self.marker)
        if marker:
            return body, rest
        if len(data) > self.longest:
            raise ValueError(f"no end within {self.longest} bytes")
        return None


@dataclass(frozen=True)
class LengthPrefix:
    """The number of bytes that follow it stands ``at`` so many bytes into the frame. The message leaves it out."""

    size: Literal[1, 2, 4, 8] = 4
    at: int = 0
    order: Literal["big", "little"] = "big"
    longest: int = 16 * 2**20

    def wrap(self, body: bytes) -> bytes:
        """Return the frame of a message."""
        if len(body) < self.at:
            raise ValueError(f"a message has at least {self.at} bytes")
        follows = len(body) - self.at
        if follows > min(self.longest, 256**self.size - 1):
            raise ValueError(f"{follows} bytes are too many for a frame")
        return body[: self.at] + follows.to_bytes(self.size, self.order) + body[self.at :]

    def cut(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return the first message and what is left."""
        begins = self.at + self.size
        if len(data) < begins:
            return None
        follows = int.from_bytes(data[self.at : begins], self.order)
        if follows > self.longest:
            raise ValueError(f"a length of {follows} bytes; expected at most {self.longest}")
        if len(data) < begins + follows:
            return None
        return data[: self.at] + data[begins : begins + follows], data[begins + follows :]


@dataclass(frozen=True)
class Frames:
    """How an instrument family frames its messages."""

    framing: Framing
    timeout_s: float = 1.0
    serial: SerialLine = NINE_SIX_EIGHT_N_ONE

    def open(self, name: str, place: Place) -> FrameLink:
        """Return the link."""
        return FrameLink(name, place, self)


class FrameLink(StreamLink):
    """A conversation in frames."""

    def __init__(self, name: str, place: Place, settings: Frames) -> None:
        super().__init__(name, place, settings.timeout_s, settings.serial)
        self._framing = settings.framing

    async def exchange(self, message: bytes, parse: Callable[[bytes], T]) -> T:
        """Send a message and return what ``parse`` makes of its answer.

        ``parse`` raises ``ValueError`` for an answer that does not fit the message: then the link is not believed
        any more, and ``Unfit`` raised. Raises ``LinkError``.
        """
        framing = self._framing

        def cut(data: bytes, ended: bool) -> tuple[T, bytes] | None:
            taken = framing.cut(data)
            return None if taken is None else (parse(taken[0]), taken[1])

        return await self._exchange(framing.wrap(message), cut)

    async def tell(self, message: bytes) -> None:
        """Send a message that has no answer. Raises ``LinkError``."""
        await self._tell(self._framing.wrap(message))
