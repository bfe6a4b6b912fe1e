"""Connections whose other side has not said the secret yet: anybody on this machine can make them.

They may cost neither memory nor file descriptors, which the store and the instruments need. Whoever knows the secret
says it at once; so a stranger may say little, not for long, and the one that has waited longest goes for a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

BACKLOG = 8
"""Connections that the system holds ready: as many are taken in one turn of the event loop, while readings wait."""
MOST_STRANGERS = 16
_MOST_BYTES = 256
_SAID_WITHIN_S = 5.0


class Strangers:
    """Those who wait at one port."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.StreamWriter, None] = {}

    async def greeting(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        """Return the first line of a connection, with its end; what follows stays in ``reader``.

        Raises ``ValueError`` for one that is too long, ``EOFError``, ``OSError`` or ``TimeoutError`` if none comes.
        """
        line = bytearray()
        with self._held(writer):
            async with asyncio.timeout(_SAID_WITHIN_S):
                while not line.endswith(b"\n"):
                    if len(line) >= _MOST_BYTES:
                        raise ValueError(f"no line within {_MOST_BYTES} bytes")
                    line += await reader.readexactly(1)  # one by one: nothing of what follows may be taken
        return bytes(line)

    @contextmanager
    def _held(self, writer: asyncio.StreamWriter) -> Generator[None]:
        if len(self._waiting) >= MOST_STRANGERS:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.transport.abort()
        self._waiting[writer] = None
        try:
            yield
        finally:
            self._waiting.pop(writer, None)
