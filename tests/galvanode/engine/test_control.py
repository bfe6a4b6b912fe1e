"""The control connection: who is let in, what comes back, what a bad client can do."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from galvanode.engine.control import ControlClient, ControlServer, EngineUnavailable, Refused
from galvanode.errors import InvalidInput


async def handler(method: str, params: dict[str, Any]) -> Any:
    match method:
        case "echo":
            return params
        case "slow":
            await asyncio.sleep(0.2)
            return "late"
        case "invalid":
            raise InvalidInput("'voltage' is '5 A'", source="r.yaml", line=3, column=7)
        case "broken":
            raise RuntimeError("boom")
        case _:
            raise Refused("no")


@pytest.fixture
async def server(tmp_path: Path):
    server = ControlServer(tmp_path, handler)
    await server.start()
    yield server
    await server.close()


async def test_an_answer_comes_back(server: ControlServer, tmp_path: Path):
    client = ControlClient(tmp_path)
    assert await client.call("echo", {"x": 1.5}) == {"x": 1.5}
    await client.close()


async def test_an_invalid_input_keeps_its_place_in_the_file(server: ControlServer, tmp_path: Path):
    client = ControlClient(tmp_path)
    with pytest.raises(Refused) as refused:
        await client.call("invalid")
    assert (refused.value.source, refused.value.line, refused.value.column) == ("r.yaml", 3, 7)
    assert str(refused.value) == "r.yaml:3:7: 'voltage' is '5 A'"
    await client.close()


async def test_a_defect_in_a_handler_is_told_and_the_connection_lives(server: ControlServer, tmp_path: Path):
    client = ControlClient(tmp_path)
    with pytest.raises(Refused, match="internal error"):
        await client.call("broken")
    assert await client.call("echo", {"a": 1}) == {"a": 1}
    await client.close()


async def test_a_cancelled_call_does_not_mix_up_the_next_answer(server: ControlServer, tmp_path: Path):
    client = ControlClient(tmp_path)
    call = asyncio.create_task(client.call("slow"))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await client.call("echo", {"n": 2}) == {"n": 2}
    await client.close()


async def test_without_an_engine_the_client_says_so(tmp_path: Path):
    with pytest.raises(EngineUnavailable, match="not running"):
        await ControlClient(tmp_path).call("status")


async def test_the_client_finds_a_restarted_engine(tmp_path: Path):
    client = ControlClient(tmp_path)
    for _ in range(2):
        server = ControlServer(tmp_path, handler)
        await server.start()
        try:
            result = await client.call("echo", {"n": 1})
        except EngineUnavailable:  # the first call after the restart may find the old connection closed
            result = await client.call("echo", {"n": 1})
        assert result == {"n": 1}
        await server.close()
    await client.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
async def test_only_its_user_can_read_the_secret(server: ControlServer, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "engine.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("greeting", [b'{"secret": "wrong"}\n', b"{}\n", b"GET / HTTP/1.1\r\n", b"[1]\n", b"\xff\n"])
async def test_a_stranger_is_hung_up_on(server: ControlServer, tmp_path: Path, greeting: bytes):
    port = json.loads((tmp_path / "engine.json").read_text())["port"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(greeting + b'{"id": 1, "method": "echo", "params": {}}\n')
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()
