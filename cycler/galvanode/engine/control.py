"""How other processes talk to the engine: JSON lines over a loopback connection.

One request, one answer; the engine writes its address and a secret to ``engine.json`` in the data
directory, readable by its user only. Samples do not travel here: they are read from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from galvanode.errors import GalvanodeError

logger = logging.getLogger(__name__)

ADDRESS_FILE = "engine.json"
MAX_LINE = 16 * 1024 * 1024
"""Bytes of one request or answer: a recipe of at most 1 MiB, with what it names beside it."""
CALL_TIMEOUT_S = 15.0

Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]


class EngineUnavailable(GalvanodeError):
    """The engine is not running, or is just being restarted."""


class Refused(GalvanodeError):
    """The engine understood and said no."""

    def __init__(
        self,
        message: str,
        source: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.source, self.line, self.column = source, line, column

    def __str__(self) -> str:
        place = [str(part) for part in (self.source, self.line, self.column) if part is not None]
        return ":".join([*place, " " + self.args[0]]) if place else str(self.args[0])


class ControlServer:
    """The engine's side."""

    def __init__(self, data_dir: Path, handler: Handler) -> None:
        self._path = data_dir / ADDRESS_FILE
        self._handler = handler
        self._secret = secrets.token_urlsafe(24)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen on a free loopback port and write the address file."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_LINE)
        port = self._server.sockets[0].getsockname()[1]
        aside = self._path.with_suffix(".tmp")
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"port": port, "secret": self._secret, "pid": os.getpid()}, file)
        aside.replace(self._path)

    async def close(self) -> None:
        """Stop listening, hang up and remove the address file, if it is still ours."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            if json.loads(self._path.read_text(encoding="utf-8"))["secret"] == self._secret:
                self._path.unlink()
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()  # a client that does not read must not hold us up
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            greeting = _parse(await asyncio.wait_for(reader.readline(), CALL_TIMEOUT_S))
            if not secrets.compare_digest(str(greeting.get("secret", "")).encode(), self._secret.encode()):
                return
            while line := await reader.readline():
                answer = await self._answer(_parse(line))
                writer.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
                # A client that does not read its answers is hung up on, not waited for.
                await asyncio.wait_for(writer.drain(), CALL_TIMEOUT_S)
        except (ValueError, ConnectionError, TimeoutError):
            return  # not our protocol, or gone: only this connection ends
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        number = request.get("id")
        try:
            result = await self._handler(str(request.get("method")), dict(request.get("params") or {}))
        except GalvanodeError as error:
            place = {name: getattr(error, name, None) for name in ("source", "line", "column")}
            message = getattr(error, "message", None) or str(error)
            return {"id": number, "error": {"message": message, **place}}
        except Exception as error:
            logger.exception("control request %r failed", request.get("method"))
            return {"id": number, "error": {"message": f"internal error: {type(error).__name__}: {error}"}}
        return {"id": number, "result": result}


class ControlClient:
    """Everybody else's side. Connects when needed and again after the engine was restarted."""

    def __init__(self, data_dir: Path) -> None:
        self._path = Path(data_dir) / ADDRESS_FILE
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._number = 0

    async def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Ask the engine to do something. Raises ``EngineUnavailable`` or ``Refused``."""
        async with self._turn:
            self._number += 1
            request = {"id": self._number, "method": method, "params": params or {}}
            try:
                answer = await asyncio.wait_for(self._exchange(request), CALL_TIMEOUT_S)
            except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError) as error:
                await self._hang_up()
                raise EngineUnavailable(
                    "the engine is not running or is being restarted; try again in a few seconds"
                ) from error
            except asyncio.CancelledError:
                await self._hang_up()  # the late answer must not meet the next question
                raise
        if "error" in answer:
            fault = answer["error"]
            raise Refused(fault["message"], fault.get("source"), fault.get("line"), fault.get("column"))
        return answer["result"]

    async def close(self) -> None:
        """Hang up."""
        async with self._turn:
            await self._hang_up()

    async def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._streams is None or self._streams[1].is_closing() or self._streams[0].at_eof():
            await self._hang_up()
            address = json.loads(self._path.read_text(encoding="utf-8"))
            self._streams = await asyncio.open_connection("127.0.0.1", address["port"], limit=MAX_LINE)
            self._streams[1].write(json.dumps({"secret": address["secret"]}).encode() + b"\n")
        reader, writer = self._streams
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise ConnectionError("the engine hung up")
        answer = _parse(line)
        if answer.get("id") != request["id"]:
            raise ValueError("answer to another question")
        return answer

    async def _hang_up(self) -> None:
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with contextlib.suppress(OSError):
                await streams[1].wait_closed()


def _parse(line: bytes) -> dict[str, Any]:
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004
    return message
