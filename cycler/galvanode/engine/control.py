"""How other processes talk to the engine: JSON lines over a loopback connection.

The engine writes its address and a secret to ``engine.json`` in the data directory, readable by its user only. A
connection carries any number of requests at once, each with a number that comes back with its answer: a slow one
delays no other. Samples do not travel here: they are read from the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import from_json

from galvanode.engine.contract import A, Answer, Request, parse_request
from galvanode.engine.strangers import BACKLOG, Strangers
from galvanode.errors import EngineUnavailable, GalvanodeError, Refused

logger = logging.getLogger(__name__)

ADDRESS_FILE = "engine.json"
MAX_LINE = 16 * 1024 * 1024
"""Bytes of one request or answer: a recipe of at most 1 MiB, with what it names beside it."""
MAX_AT_ONCE = 64
"""Requests of one connection that may be under way together; what is urgent is not counted."""
_CONNECT_WITHIN_S = 5.0
_TAKE_WITHIN_S = 15.0

Handler = Callable[[Request[Any]], Awaitable[Answer]]


class ControlServer:
    """The engine's side."""

    def __init__(self, data_dir: Path, handler: Handler) -> None:
        self._path = data_dir / ADDRESS_FILE
        self._handler = handler
        self._secret = secrets.token_urlsafe(24)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._strangers = Strangers()
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen on a free loopback port and write the address file."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_LINE, backlog=BACKLOG)
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
            for task in list(self._under_way):
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            for writer in list(self._writers):
                writer.transport.abort()  # a client that does not read must not hold us up
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            greeting = _parse(await self._strangers.greeting(reader, writer))
            if not secrets.compare_digest(str(greeting.get("secret", "")).encode(), self._secret.encode()):
                return
            conversation = _Conversation(self._handler, writer, self._begin)
            while line := await reader.readline():
                conversation.take(_parse(line))
        except (ValueError, EOFError, ConnectionError, TimeoutError):
            return  # not our protocol, or gone: only this connection ends, and what it asked for is carried out
        finally:
            self._writers.discard(writer)
            writer.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="control request")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


class _Conversation:
    """The requests of one connection, carried out side by side."""

    def __init__(
        self, handler: Handler, writer: asyncio.StreamWriter, begin: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._handler = handler
        self._writer = writer
        self._begin = begin
        self._count = 0

    def take(self, message: dict[str, Any]) -> None:
        """Begin to carry out a request; its answer is sent when it is known."""
        number, method = message.get("id"), message.get("method")
        try:
            request = parse_request(method, message.get("params") or {})
        except Refused as error:
            self._begin(self._send({"id": number, "error": _told(error)}))
            return
        if self._count >= MAX_AT_ONCE and not request.urgent:
            told = _told(Refused("too many requests at once; try again"))
            self._begin(self._send({"id": number, "error": told}))
        else:
            self._begin(self._carry_out(number, request))

    async def _carry_out(self, number: object, request: Request[Any]) -> None:
        self._count += not request.urgent
        try:
            answer = await self._answer(request)
        finally:
            self._count -= not request.urgent
        await self._send({"id": number, **answer})

    async def _answer(self, request: Request[Any]) -> dict[str, Any]:
        try:
            return {"result": (await self._handler(request)).model_dump(mode="json")}
        except GalvanodeError as error:
            return {"error": _told(error)}
        except Exception as error:
            logger.exception("control request %r failed", request.method)
            return {"error": {"message": f"internal error: {type(error).__name__}: {error}"}}

    async def _send(self, answer: dict[str, Any]) -> None:
        if self._writer.is_closing():
            return
        self._writer.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        try:
            await asyncio.wait_for(self._writer.drain(), _TAKE_WITHIN_S)
        except (TimeoutError, ConnectionError):
            self._writer.transport.abort()  # whoever does not read its answers is hung up on, not waited for


def _told(error: GalvanodeError) -> dict[str, Any]:
    place = {name: getattr(error, name, None) for name in ("source", "line", "column")}
    message = getattr(error, "message", None) or (error.args[0] if isinstance(error, Refused) else str(error))
    return {"message": message, **place}


class ControlClient:
    """Everybody else's side. Connects when needed and again after the engine was restarted."""

    def __init__(self, data_dir: Path) -> None:
        self._path = Path(data_dir) / ADDRESS_FILE
        self._connecting = asyncio.Lock()
        self._connection: _Connection | None = None

    async def ask(self, request: Request[A]) -> A:
        """Ask the engine for something. Raises ``EngineUnavailable`` or ``Refused``."""
        try:
            connection = await self._connected()
        except (OSError, ValueError, KeyError, TimeoutError) as error:
            raise _unavailable() from error
        answer = await connection.exchange(request)
        if "error" in answer:
            fault = answer["error"]
            raise Refused(fault["message"], fault.get("source"), fault.get("line"), fault.get("column"))
        try:
            return cast(A, request.answer.model_validate(answer.get("result")))
        except ValidationError as error:
            logger.error("the engine's answer to %r is not understood: %s", request.method, error)  # noqa: TRY400
            raise EngineUnavailable(f"the engine's answer to {request.method!r} is not understood") from error

    async def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _connected(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.is_over:
                await self.close()
                async with asyncio.timeout(_CONNECT_WITHIN_S):
                    address = json.loads(self._path.read_text(encoding="utf-8"))
                    streams = await asyncio.open_connection("127.0.0.1", address["port"], limit=MAX_LINE)
                self._connection = _Connection(*streams, address["secret"])
            return self._connection


class _Connection:
    """One connection to the engine, and the questions that wait for their answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._heard_at = time.monotonic()
        writer.write(json.dumps({"secret": secret}).encode() + b"\n")
        self._listening = asyncio.get_running_loop().create_task(self._listen(), name="control answers")

    @property
    def is_over(self) -> bool:
        """Nothing can be asked here any more."""
        return self._listening.done() or self._writer.is_closing()

    async def exchange(self, request: Request[Any]) -> dict[str, Any]:
        """Send a request and return what belongs to it. Raises ``EngineUnavailable``."""
        self._number += 1
        number, asked_at = self._number, time.monotonic()
        line = {"id": number, "method": request.method, "params": request.model_dump(mode="json")}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(request.within_s):
                self._writer.write(json.dumps(line).encode() + b"\n")
                await self._writer.drain()
                return await answer
        except TimeoutError:
            if self._heard_at < asked_at:  # not only this request: the engine says nothing at all
                self._writer.close()
            raise EngineUnavailable(f"no answer to {request.method!r} within {request.within_s:g} s") from None
        except OSError as error:
            raise _unavailable() from error
        finally:
            self._waiting.pop(number, None)  # an answer that comes later belongs to nobody
            if answer.done() and not answer.cancelled():
                answer.exception()  # it may have failed in the moment in which the sending did

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._heard_at = time.monotonic()
                message = _parse(line)
                waiting = self._waiting.get(cast(int, message.get("id")))
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        except (OSError, ValueError):
            pass  # the end of the connection, whatever the reason
        finally:
            self._writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_unavailable())


def _unavailable() -> EngineUnavailable:
    return EngineUnavailable("the engine is not running or is being restarted; try again in a few seconds")


def _parse(line: bytes) -> dict[str, Any]:
    message = from_json(line)
    if not isinstance(message, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004
    return cast(dict[str, Any], message)
