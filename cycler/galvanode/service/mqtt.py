"""Live state to an MQTT broker: retained state and telemetry per channel, a last will for the station.

Topics: ``<base>/<station>/status`` (retained: ``online``, or ``offline``, by the broker when we vanish),
``<base>/<station>/<channel>/state`` (JSON, retained, when it changes) and ``.../telemetry`` (JSON, QoS 0, at
most once a second). The broker may come and go: the publisher tries again for ever, and the rest of the web
side does not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import ssl
from typing import Any, Protocol

import aiomqtt

from galvanode.service.broker import MqttSettings
from galvanode.service.models import ChannelState, Status
from galvanode.states import UNDER_WAY

_log = logging.getLogger(__name__)

TELEMETRY_PERIOD_S = 1.0
KEEPALIVE_S = 20
CONNECT_TIMEOUT_S = 10.0
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
FAREWELL_S = 2.0

_STATE = ("state", "run", "title", "recipe", "cell", "instrument", "message")
_TELEMETRY = (
    "run",
    "test_time_s",
    "voltage_V",
    "current_A",
    "current_density_mA_cm2",
    "temperature_degC",
    "cycle",
    "step_name",
    "step_count",
    "step_time_s",
    "samples",
    "progress",
)


class StatusSource(Protocol):
    """What the publisher asks."""

    async def status(self, max_age_s: float = ...) -> Status:
        """Return the station's state."""
        ...


class MqttPublisher:
    """Publishes what the engine says; ``run()`` until cancelled."""

    def __init__(
        self,
        settings: MqttSettings,
        engine: StatusSource,
        *,
        period_s: float = TELEMETRY_PERIOD_S,
        first_backoff_s: float = FIRST_BACKOFF_S,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._period_s = period_s
        self._first_backoff_s = self._backoff_s = first_backoff_s

    async def run(self) -> None:
        """Connect, publish, and after every failure wait and begin again."""
        while True:
            try:
                await self._session()
            except (aiomqtt.MqttError, OSError) as error:  # a TLS error is an OSError
                where = f"{self._settings.host}:{self._settings.port}"
                _log.warning("MQTT broker %s: %s; next try in %.1f s", where, error, self._backoff_s)
            await asyncio.sleep(self._backoff_s * random.uniform(0.8, 1.2))
            self._backoff_s = min(2 * self._backoff_s, LONGEST_BACKOFF_S)

    def _client(self) -> aiomqtt.Client:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file) if settings.tls else None
        return aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            will=aiomqtt.Will(settings.topic("status"), "offline", qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            timeout=CONNECT_TIMEOUT_S,
            tls_context=context,
            max_queued_outgoing_messages=1000,
            logger=logging.getLogger(f"{__name__}.client"),
        )

    async def _session(self) -> None:
        """Publish until the broker is gone; say ``offline`` ourselves when we leave in order."""
        async with self._client() as client:
            # Only whoever waits for messages is told at once that the connection is lost.
            listening = asyncio.create_task(_listen(client))
            publishing = asyncio.create_task(self._publish_for_ever(client))
            try:
                done, _ = await asyncio.wait((listening, publishing), return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            except asyncio.CancelledError:
                # A farewell that fails must not take the cancellation's place; the last will does its work.
                with contextlib.suppress(aiomqtt.MqttError, OSError):
                    async with asyncio.timeout(FAREWELL_S):
                        await client.publish(self._settings.topic("status"), "offline", qos=1, retain=True)
                raise
            finally:
                await _end(listening, publishing)

    async def _publish_for_ever(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        await client.publish(self._settings.topic("status"), "online", qos=1, retain=True)
        self._backoff_s = self._first_backoff_s
        _log.info("MQTT: connected to %s:%d", self._settings.host, self._settings.port)
        said: dict[str, str] = {}
        while True:
            began = loop.time()
            await self._publish(client, await self._engine.status(max_age_s=self._period_s / 2), said)
            await asyncio.sleep(max(self._period_s / 4, began + self._period_s - loop.time()))

    async def _publish(self, client: aiomqtt.Client, status: Status, said: dict[str, str]) -> None:
        for channel in status.channels:
            asked = None if channel.question is None else channel.question.message
            state = _json(channel, _STATE, waiting_for=asked, engine=status.available)
            if said.get(channel.name) != state:
                await client.publish(self._settings.topic(channel.name, "state"), state, qos=1, retain=True)
                said[channel.name] = state
            if status.available and channel.state in UNDER_WAY:
                telemetry = _json(channel, _TELEMETRY)
                await client.publish(self._settings.topic(channel.name, "telemetry"), telemetry, qos=0)


async def _listen(client: aiomqtt.Client) -> None:
    """Wait for messages, of which there are none; raise ``MqttError`` when the connection is lost."""
    async for _ in client.messages:
        pass


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11, inside the client, loses a cancellation that comes with
    the answer it waits for.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
    await asyncio.gather(*tasks, return_exceptions=True)


def _json(channel: ChannelState, keys: tuple[str, ...], **more: Any) -> str:
    values = channel.model_dump(mode="json", include=set(keys))
    return json.dumps({**{key: values[key] for key in keys}, **more}, allow_nan=False)
