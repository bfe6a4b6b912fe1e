"""The thread of life between the supervisor and its children.

A child connects to the supervisor when it starts and sends a beat every 100 ms from its event loop, so a
loop that hangs is a heart that stops. The end of the connection tells either side at once that the other
is gone: an engine without a supervisor makes its channels safe and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time

from galvanode.engine.strangers import BACKLOG, Strangers

ENVIRONMENT = "GALVANODE_SUPERVISOR"
BEAT_EVERY_S = 0.1


async def beat() -> None:
    """Send beats to the supervisor that started this process; return when it is gone.

    Without a supervisor (an engine started by hand in a test) this waits for ever.
    """
    address = os.environ.get(ENVIRONMENT)
    if address is None:
        await asyncio.Event().wait()
        return
    port, secret, name = address.split(":")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(f"{secret} {name}\n".encode())
        gone = asyncio.ensure_future(reader.read())
        try:
            while not gone.done():
                writer.write(b".")
                await writer.drain()
                await asyncio.wait([gone], timeout=BEAT_EVERY_S)
        finally:
            gone.cancel()
            writer.close()
    except OSError:
        return


class Pulse:
    """The supervisor's ear: when did each child last beat, and is it still connected?"""

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(16).replace(":", "")
        self._server: asyncio.Server | None = None
        self._port = 0
        self._last: dict[str, float] = {}
        self._gone: dict[str, asyncio.Event] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._strangers = Strangers()

    async def start(self) -> None:
        """Listen on a free loopback port."""
        self._server = await asyncio.start_server(self._listen, "127.0.0.1", 0, backlog=BACKLOG)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Hang up on every child."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment in which to start the child ``name``; forgets an earlier child's beats."""
        self._last.pop(name, None)
        self._gone[name] = asyncio.Event()
        return {**os.environ, ENVIRONMENT: f"{self._port}:{self._secret}:{name}"}

    def has_begun(self, name: str) -> bool:
        """Tell whether the child has sent its first beat."""
        return name in self._last

    def silence_s(self, name: str) -> float:
        """Real seconds since the child's last beat."""
        return time.monotonic() - self._last[name]

    def gone(self, name: str) -> asyncio.Event:
        """Set as soon as the child's connection ends."""
        return self._gone[name]

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        gone = None
        try:
            secret, _, claimed = (await self._strangers.greeting(reader, writer)).decode().strip().partition(" ")
            if not secrets.compare_digest(secret.encode(), self._secret.encode()) or claimed not in self._gone:
                return
            gone = self._gone[claimed]
            while await reader.read(4096):
                self._last[claimed] = time.monotonic()
        except (OSError, ValueError, EOFError):
            pass  # an abrupt end says the same as an orderly one
        finally:
            if gone is not None:
                gone.set()
            self._writers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()
