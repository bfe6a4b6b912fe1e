"""What a broker gets from a station, with a real broker."""

from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from galvanode.engine.contract import EngineState
from galvanode.errors import InvalidInput
from galvanode.service.broker import MqttSettings, topic_level
from galvanode.service.models import ChannelState, Question, Status
from galvanode.service.mqtt import MqttPublisher


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def broker(folder: Path, port: int, *, password: bool = False) -> AsyncIterator[None]:
    """A mosquitto of our own on that port."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin")
    assert program is not None
    # As root it would change to a user of its own, who cannot read the folder of the test.
    lines = [f"listener {port} 127.0.0.1", "persistence false", f"user {getpass.getuser()}"]
    if password:
        (folder / "users").write_text("lab:secret\n")
        hashing = await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", str(folder / "users"))
        assert await hashing.wait() == 0
        (folder / "users").chmod(0o644)
        lines += ["allow_anonymous false", f"password_file {folder / 'users'}"]
    else:
        lines += ["allow_anonymous true"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        program, "-c", str(folder / "mosquitto.conf"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                break
            await asyncio.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


class Engine:
    """A status that a test sets."""

    def __init__(self) -> None:
        self.now = Status(
            engine=EngineState(pid=1),
            available=True,
            channels=[
                ChannelState(name="ch1", state="running", run="r0001", voltage_V=0.013, current_A=1e-4),
                ChannelState(name="ch2", state="idle"),
            ],
        )

    async def status(self, max_age_s: float = 0.3) -> Status:
        return self.now


def settings(port: int, **more: Any) -> MqttSettings:
    return MqttSettings(host="127.0.0.1", port=port, station="bench", **more)


@asynccontextmanager
async def publishing(engine: Engine, where: MqttSettings) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(MqttPublisher(where, engine, period_s=0.1, first_backoff_s=0.1).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def subscribed(port: int, topic: str = "galvanode/#", **more: Any) -> AsyncIterator[Any]:
    async with aiomqtt.Client("127.0.0.1", port, **more) as client:
        await client.subscribe(topic)
        yield client


async def wait_for(client: Any, topic: str, payload: str | None = None) -> Any:
    async with asyncio.timeout(10):
        async for message in client.messages:
            text = bytes(message.payload).decode()
            if str(message.topic) == topic and (payload is None or text == payload):
                return message, text
    raise AssertionError(topic)


@pytest.mark.needs("mosquitto")
async def test_state_is_retained_and_telemetry_is_not(tmp_path: Path) -> None:
    port, engine = free_port(), Engine()
    async with broker(tmp_path, port), publishing(engine, settings(port)):
        async with subscribed(port) as client:
            await wait_for(client, "galvanode/bench/ch2/state")
            _, text = await wait_for(client, "galvanode/bench/ch1/telemetry")
            telemetry = json.loads(text)
            assert (telemetry["run"], telemetry["voltage_V"]) == ("r0001", 0.013)
        async with subscribed(port, "galvanode/bench/+/state") as client:
            message, text = await wait_for(client, "galvanode/bench/ch2/state")
            assert message.retain
            assert json.loads(text)["state"] == "idle"
        async with subscribed(port, "galvanode/bench/status") as client:
            message, text = await wait_for(client, "galvanode/bench/status")
            assert (message.retain, text) == (True, "online")


@pytest.mark.needs("mosquitto")
async def test_a_change_of_state_is_told_once(tmp_path: Path) -> None:
    port, engine = free_port(), Engine()
    where, topic = settings(port), "galvanode/bench/ch2/state"
    async with broker(tmp_path, port), publishing(engine, where), subscribed(port, topic) as client:
        await wait_for(client, topic)
        changed = ChannelState(name="ch2", state="unsafe", message="output still on")
        engine.now = engine.now.model_copy(update={"channels": [changed]})
        _, text = await wait_for(client, topic)
        assert json.loads(text)["message"] == "output still on"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(aiter(client.messages)), 0.5)


@pytest.mark.needs("mosquitto")
async def test_a_run_that_waits_for_its_operator_says_what_for(tmp_path: Path) -> None:
    port, engine = free_port(), Engine()
    topic = "galvanode/bench/ch1/state"
    asked = Question(id=7, message="Weigh the cell", wants="number", dimension="mass")
    async with broker(tmp_path, port), publishing(engine, settings(port)), subscribed(port, topic) as client:
        _, text = await wait_for(client, topic)
        assert json.loads(text)["waiting_for"] is None
        waiting = engine.now.channels[0].model_copy(update={"state": "waiting", "question": asked})
        engine.now = engine.now.model_copy(update={"channels": [waiting]})
        _, text = await wait_for(client, topic)
        assert (json.loads(text)["state"], json.loads(text)["waiting_for"]) == ("waiting", "Weigh the cell")


@pytest.mark.needs("mosquitto")
async def test_a_station_that_vanishes_is_said_to_be_offline_by_the_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, engine = free_port(), Engine()
    clients: list[aiomqtt.Client] = []
    make = MqttPublisher._client
    monkeypatch.setattr(MqttPublisher, "_client", lambda self: clients.append(make(self)) or clients[-1])
    async with broker(tmp_path, port), subscribed(port, "galvanode/bench/status") as client:
        async with publishing(engine, settings(port)):
            await wait_for(client, "galvanode/bench/status", "online")
            connection = clients[0]._client.socket()
            assert connection is not None
            connection.shutdown(socket.SHUT_RDWR)  # no farewell: the cable is out
            await wait_for(client, "galvanode/bench/status", "offline")
            await wait_for(client, "galvanode/bench/status", "online")  # and it comes back by itself
        await wait_for(client, "galvanode/bench/status", "offline")  # in order, this time


@pytest.mark.needs("mosquitto")
async def test_the_broker_may_come_late_and_go_away(tmp_path: Path) -> None:
    port, engine = free_port(), Engine()
    async with publishing(engine, settings(port)) as task:
        await asyncio.sleep(0.3)
        for _ in range(2):
            async with broker(tmp_path, port), subscribed(port, "galvanode/bench/status") as client:
                await wait_for(client, "galvanode/bench/status", "online")
        assert not task.done()


@pytest.mark.needs("mosquitto")
async def test_name_and_password_are_used(tmp_path: Path) -> None:
    port, engine = free_port(), Engine()
    where = MqttSettings.from_url(f"mqtt://lab:secret@127.0.0.1:{port}/lab/galvanode?station=b7")
    login = {"username": "lab", "password": "secret"}
    async with (
        broker(tmp_path, port, password=True),
        publishing(engine, where),
        subscribed(port, "#", **login) as client,
    ):
        await wait_for(client, "lab/galvanode/b7/status", "online")


def test_a_url_says_it_all_and_the_password_is_not_shown() -> None:
    found = MqttSettings.from_url(
        "mqtts://lab@broker.lan", {"GALVANODE_MQTT_PASSWORD": "s3cret", "GALVANODE_STATION": "a/b"}
    )
    assert (found.host, found.port, found.tls, found.password) == ("broker.lan", 8883, True, "s3cret")
    assert found.topic("ch 1", "state") == "galvanode/a_b/ch 1/state"
    assert "s3cret" not in repr(found)


def test_without_a_url_there_is_no_broker() -> None:
    assert MqttSettings.from_environment({}) is None


@pytest.mark.parametrize("url", ["broker", "http://broker", "mqtt://", "mqtt://broker:x", "mqtt://broker:99999"])
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        MqttSettings.from_url(url)


def test_a_name_cannot_leave_its_place_in_the_topic() -> None:
    assert topic_level("a/+/#\x00$b") == "a______b"
    assert topic_level("") == "_"
