"""Cuts the bytes that come to a simulated instrument into messages: lines, and messages with a marked end."""

from __future__ import annotations

from typing import Protocol

_LONGEST_MESSAGE = 65_536
LONGEST_FRAME = 16 * 2**20


class Framer(Protocol):
    """Messages out of the bytes of one connection."""

    ending: bytes
    """What an answer ends with; a bad line garbles all but this."""
    pending: bytes
    """The part of a message that has come."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now, without their terminators."""
        ...

    def flush(self) -> bytes:
        """Take what has come for a whole message, and return it."""
        ...

    def clear(self) -> None:
        """Forget what is incomplete."""
        ...


class Pending:
    """What framers have in common: the part of a message that has come."""

    ending = b""

    def __init__(self) -> None:
        self.pending = b""

    def flush(self) -> bytes:
        """Take what has come for a whole message, and return it."""
        message, self.pending = self.pending, b""
        return message

    def clear(self) -> None:
        """Forget what is incomplete."""
        self.pending = b""


class LineFramer(Pending):
    """Lines that end with LF; CR before it is tolerated."""

    ending = b"\n"

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now."""
        *lines, self.pending = (self.pending + data).split(b"\n")
        if len(self.pending) > _LONGEST_MESSAGE:
            self.pending = b""
        return [line.rstrip(b"\r") for line in lines]

    def flush(self) -> bytes:
        """Take what has come for a whole line, and return it."""
        return super().flush().rstrip(b"\r")


class MarkerFramer(Pending):
    """Messages that end with a marker of any length: CR alone, or ``\\n\\n#\\r\\n``."""

    def __init__(self, marker: bytes) -> None:
        super().__init__()
        self.ending = marker

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now."""
        *messages, self.pending = (self.pending + data).split(self.ending)
        if len(self.pending) > LONGEST_FRAME:
            self.pending = b""
        return messages
