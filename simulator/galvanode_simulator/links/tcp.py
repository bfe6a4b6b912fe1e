"""Simulated instruments on raw TCP sockets (what port 5025 of a real one is)."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self, cast

from galvanode_simulator.links.stream import ReplyStream
from galvanode_simulator.wire import Disconnected, Wire

HOST = "127.0.0.1"


class _Connection(asyncio.Protocol):
    def __init__(self, wire: Wire, connections: set[asyncio.Transport]) -> None:
        self._wire = wire
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._stream: ReplyStream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connected = self._transport = cast("asyncio.Transport", transport)
        try:
            self._wire.connect()
        except Disconnected:
            connected.abort()
            return
        self._connections.add(connected)
        self._stream = ReplyStream(self._wire, connected.write, connected.abort)

    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._transport is not None:
            self._connections.discard(self._transport)


class TcpServer:
    """One instrument on one port: ``async with TcpServer(wire) as server: server.resource``."""

    def __init__(self, wire: Wire, port: int = 0) -> None:
        self._wire = wire
        self._wanted = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Transport] = set()
        self.port = 0

    @property
    def resource(self) -> str:
        """VISA resource name."""
        return f"TCPIP::{HOST}::{self.port}::SOCKET"

    async def start(self) -> None:
        """Listen. Raises ``OSError`` if the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self._wire, self._connections), HOST, self._wanted)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._connections):
                connection.abort()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
