"""The control connection: who is let in, what comes back, what waits for what, what a bad client can do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from galvanode.engine.contract import Answer, Commanded, Pause, Reply, Request, Resume, Status, Stop, Stopped
from galvanode.engine.control import MAX_AT_ONCE, ControlClient, ControlServer
from galvanode.engine.heartbeat import ENVIRONMENT, Pulse, beat
from galvanode.engine.strangers import MOST_STRANGERS
from galvanode.errors import EngineUnavailable, InvalidInput, Refused


async def handler(request: Request[Any]) -> Answer:
    match request:
        case Reply(run=run, value=value):
            return Commanded(run=run, state=f"{value:g}")
        case Pause(run=run):
            await asyncio.sleep(5.0 if run == "never" else 0.3)
            return Commanded(run=run, state="late")
        case Stop(run=run):
            return Stopped(run=run, state="stopped", safe_unix_s=float("nan"))
        case Resume(run="invalid"):
            raise InvalidInput("'voltage' is '5 A'", source="r.yaml", line=3, column=7)
        case Resume(run="broken"):
            raise RuntimeError("boom")
        case _:
            raise Refused("no")


@pytest.fixture
async def server(tmp_path: Path):
    server = ControlServer(tmp_path, handler)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(server: ControlServer, tmp_path: Path):
    client = ControlClient(tmp_path)
    yield client
    await client.close()


async def test_an_answer_comes_back_as_what_the_contract_says(client: ControlClient):
    assert await client.ask(Reply(run="r0001", value=1.5)) == Commanded(run="r0001", state="1.5")


async def test_a_number_that_there_is_not_comes_back_as_none(client: ControlClient):
    assert (await client.ask(Stop(run="r0001"))).safe_unix_s is None


async def test_an_invalid_input_keeps_its_place_in_the_file(client: ControlClient):
    with pytest.raises(Refused) as refused:
        await client.ask(Resume(run="invalid"))
    assert (refused.value.source, refused.value.line, refused.value.column) == ("r.yaml", 3, 7)
    assert str(refused.value) == "r.yaml:3:7: 'voltage' is '5 A'"


async def test_a_defect_in_a_handler_is_told_and_the_connection_lives(client: ControlClient):
    with pytest.raises(Refused, match="internal error"):
        await client.ask(Resume(run="broken"))
    assert (await client.ask(Reply(run="r", value=1))).state == "1"


async def test_a_slow_request_delays_no_other_on_the_same_connection(client: ControlClient):
    slow = asyncio.create_task(client.ask(Pause(run="r0001")))
    await asyncio.sleep(0.02)
    await client.ask(Stop(run="r0002"))
    assert not slow.done()
    assert (await slow).state == "late"


async def test_answers_meet_their_own_questions_in_whatever_order_they_come(client: ControlClient):
    slow = [asyncio.create_task(client.ask(Pause(run=f"p{number}"))) for number in range(20)]
    quick = await asyncio.gather(*(client.ask(Reply(run=f"q{number}", value=number)) for number in range(20)))
    assert [(answer.run, answer.state) for answer in quick] == [(f"q{number}", f"{number}") for number in range(20)]
    assert [(await answer).run for answer in slow] == [f"p{number}" for number in range(20)]


async def test_a_stop_is_taken_however_much_else_is_asked(client: ControlClient):
    slow = [asyncio.create_task(client.ask(Pause(run="r0001"))) for _ in range(MAX_AT_ONCE)]
    await asyncio.sleep(0.05)
    with pytest.raises(Refused, match="too many requests at once"):
        await client.ask(Reply(run="r0001", value=1))
    assert (await client.ask(Stop(run="r0002"))).state == "stopped"
    await asyncio.gather(*slow)


async def test_a_cancelled_call_does_not_mix_up_the_next_answer(client: ControlClient):
    call = asyncio.create_task(client.ask(Pause(run="r0001")))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await client.ask(Reply(run="r0002", value=2))).run == "r0002"
    await asyncio.sleep(0.3)  # the late answer belongs to nobody
    assert (await client.ask(Reply(run="r0003", value=3))).run == "r0003"


async def test_a_request_that_is_not_answered_in_time_is_said_and_the_others_go_on(
    client: ControlClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Pause, "within_s", 0.5)
    slow = asyncio.create_task(client.ask(Pause(run="never")))
    await asyncio.sleep(0.01)
    assert (await client.ask(Reply(run="r0002", value=2))).run == "r0002"
    with pytest.raises(EngineUnavailable, match=r"no answer to 'pause' within 0\.5 s"):
        await slow
    assert (await client.ask(Reply(run="r0003", value=3))).run == "r0003"


async def test_without_an_engine_the_client_says_so(tmp_path: Path):
    with pytest.raises(EngineUnavailable, match="not running"):
        await ControlClient(tmp_path).ask(Status())


async def test_the_client_finds_a_restarted_engine(tmp_path: Path):
    client = ControlClient(tmp_path)
    for _ in range(2):
        server = ControlServer(tmp_path, handler)
        await server.start()
        assert (await client.ask(Reply(run="r", value=1))).state == "1"
        await server.close()
        await asyncio.sleep(0.05)
    await client.close()


async def test_an_engine_that_ends_while_it_is_asked_is_said_at_once(tmp_path: Path):
    server, client = ControlServer(tmp_path, handler), ControlClient(tmp_path)
    await server.start()
    asked = asyncio.create_task(client.ask(Pause(run="r0001")))
    await asyncio.sleep(0.05)
    await server.close()
    with pytest.raises(EngineUnavailable, match="not running"):
        await asyncio.wait_for(asked, 1)
    await client.close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX file modes")
async def test_only_its_user_can_read_the_secret(server: ControlServer, tmp_path: Path):
    assert stat.S_IMODE((tmp_path / "engine.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("greeting", [b'{"secret": "wrong"}\n', b"{}\n", b"GET / HTTP/1.1\r\n", b"[1]\n", b"\xff\n"])
async def test_a_stranger_is_hung_up_on(server: ControlServer, tmp_path: Path, greeting: bytes):
    port = json.loads((tmp_path / "engine.json").read_text())["port"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(greeting + b'{"id": 1, "method": "status", "params": {}}\n')
    assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


async def test_strangers_who_say_nothing_are_few_and_keep_nobody_away(
    server: ControlServer, client: ControlClient, tmp_path: Path
):
    port = json.loads((tmp_path / "engine.json").read_text())["port"]
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * MOST_STRANGERS)]
    assert (await client.ask(Reply(run="r", value=1))).state == "1"
    for reader, _ in strangers[: 2 * MOST_STRANGERS]:
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 2) == b""
    for _, writer in strangers:
        writer.close()


async def test_a_stranger_who_says_much_is_hung_up_on_at_once(server: ControlServer, tmp_path: Path):
    port = json.loads((tmp_path / "engine.json").read_text())["port"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"a" * 1000)
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 2) == b""
    writer.close()


async def test_the_supervisor_holds_few_strangers_and_hears_its_children(monkeypatch: pytest.MonkeyPatch):
    pulse = Pulse()
    await pulse.start()
    monkeypatch.setenv(ENVIRONMENT, pulse.environment("engine")[ENVIRONMENT])
    port = int(pulse.environment("engine")[ENVIRONMENT].split(":")[0])
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * MOST_STRANGERS)]
    heart = asyncio.create_task(beat())
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(strangers[0][0].read(), 2) == b""
    async with asyncio.timeout(2):
        while not pulse.has_begun("engine"):
            await asyncio.sleep(0.01)
    heart.cancel()
    for _, writer in strangers:
        writer.close()
    await pulse.close()
