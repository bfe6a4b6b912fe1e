"""Simulated instruments on a serial line: the other end of a pseudo-terminal (POSIX only)."""

from __future__ import annotations

import asyncio
import os
import sys
from types import TracebackType
from typing import Self

from galvanode_simulator.links.stream import ReplyStream
from galvanode_simulator.wire import Wire

_LONGEST_UNSENT = 65_536
AVAILABLE = sys.platform != "win32"
"""Whether this system has pseudo-terminals."""


class SerialPort:
    """One instrument on one pseudo-terminal: ``async with SerialPort(wire) as port: port.resource``.

    A serial line has no connection: a fault that hangs up is silence, and one that refuses to connect
    does nothing.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ours = self._theirs = -1
        self._stream: ReplyStream | None = None
        self._unsent = b""
        self.device = ""

    @property
    def resource(self) -> str:
        """VISA resource name, such as ``ASRL/dev/pts/3::INSTR``."""
        return f"ASRL{self.device}::INSTR"

    async def start(self) -> None:
        """Open the pseudo-terminal. Raises ``OSError`` where there are none."""
        if sys.platform == "win32":
            raise OSError("this system has no pseudo-terminals; simulate the instrument on TCP instead")
        import tty  # POSIX only

        # Our end keeps a handle of theirs: without it, each close of the port by a client would hang up.
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._ours, False)
        self.device = os.ttyname(self._theirs)
        self._stream = ReplyStream(self._wire, self._send, _silence)
        asyncio.get_running_loop().add_reader(self._ours, self._receive)

    async def stop(self) -> None:
        """Close the pseudo-terminal."""
        if self._ours < 0:
            return
        asyncio.get_running_loop().remove_reader(self._ours)
        asyncio.get_running_loop().remove_writer(self._ours)
        if self._stream is not None:
            self._stream.close()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1

    def _receive(self) -> None:
        try:
            data = os.read(self._ours, 65_536)
        except BlockingIOError:
            return
        if self._stream is not None:
            self._stream.feed(data)

    def _send(self, data: bytes) -> None:
        # Nobody reads and the line is full: flow control holds the rest back until the instrument's own buffer
        # is full as well, and then characters are lost.
        unsent = (self._unsent + data)[:_LONGEST_UNSENT]
        try:
            sent = os.write(self._ours, unsent)
        except BlockingIOError:
            sent = 0
        self._unsent = unsent[sent:]
        loop = asyncio.get_running_loop()
        if self._unsent:
            loop.add_writer(self._ours, self._send, b"")
        else:
            loop.remove_writer(self._ours)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _silence() -> None:
    """A serial line cannot hang up."""
