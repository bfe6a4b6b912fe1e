"""The web side's way to the engine: bounded in time and in number, so that no page can disturb a cell."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from pydantic import ValidationError

from galvanode.engine.control import EngineUnavailable, Refused
from galvanode.service.answers import WAITING
from galvanode.service.models import ChamberState, ChannelState, EngineState, Question, Status
from galvanode.service.problems import Busy

_log = logging.getLogger(__name__)

STATUS_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 20.0
"""A stop reads back that the output is off; a slow serial instrument takes seconds for that."""
MAX_CALLS_AT_ONCE = 8

_STOPS = frozenset({"stop", "stop_all"})


class Client(Protocol):
    """What is used of ``galvanode.engine.control.ControlClient``."""

    async def call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Ask the engine. Raises ``EngineUnavailable`` or ``Refused``."""
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


AreaOf = Callable[[str], Awaitable[float | None]]
QuestionOf = Callable[[str], Awaitable[Question | None]]


async def _no_question(_: str) -> Question | None:
    return None


class EngineLink:
    """Commands to the engine, and one shared status however many ask for it.

    A connection carries one call at a time, so that each of the three has its own in the running service:
    a stop never waits behind a status or a submission.
    """

    def __init__(
        self,
        client: Client,
        area_of: AreaOf,
        question_of: QuestionOf = _no_question,
        *,
        commands: Client | None = None,
        stops: Client | None = None,
    ) -> None:
        self._client = client
        self._commands = commands or client
        self._stops = stops or client
        self._area_of = area_of
        self._question_of = question_of
        self._calls = 0
        self._asking: asyncio.Task[None] | None = None
        self._status = Status(engine=None, available=False)
        self._asked_at = -1e9

    async def command(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Call the engine; a stop never waits behind other calls.

        Raises ``EngineUnavailable``, ``Refused``, or, for other calls than stops, ``Busy``.
        """
        if self._calls >= MAX_CALLS_AT_ONCE and method not in _STOPS:
            raise Busy("too many commands at once; try again")
        self._calls += 1
        try:
            client = self._stops if method in _STOPS else self._commands
            return await _call(client, method, params or {}, COMMAND_TIMEOUT_S)
        finally:
            self._calls -= 1

    async def status(self, max_age_s: float = 0.3) -> Status:
        """Return the station's state, at most that old; asked for once, whoever waits for it.

        Never raises: while the engine is unavailable it is the last known state, marked as such.
        """
        if time.monotonic() - self._asked_at > max_age_s:
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask(), name="engine status")
                self._asking.add_done_callback(self._asked)
            await asyncio.shield(self._asking)
        return self._status

    def _asked(self, _: asyncio.Task[None]) -> None:
        self._asking = None

    async def _ask(self) -> None:
        try:
            answer = await _call(self._client, "status", {}, STATUS_TIMEOUT_S)
            channels = [await self._channel(entry) for entry in answer["channels"]]
            self._status = Status(
                engine=EngineState.model_validate(answer["engine"]),
                available=True,
                channels=channels,
                chambers=[ChamberState.model_validate(entry) for entry in answer["chambers"]],
            )
        except (EngineUnavailable, Refused, KeyError, TypeError, ValidationError) as error:
            if not isinstance(error, EngineUnavailable):
                _log.error("the engine's status is not understood: %r", error)
            self._status = self._status.model_copy(update={"engine": None, "available": False})
        finally:
            self._asked_at = time.monotonic()

    async def _channel(self, entry: dict[str, Any]) -> ChannelState:
        """Add what the engine does not say and the store knows: the open question, the area for the current density."""
        channel = ChannelState.model_validate({**entry, "question": None})
        if channel.run is not None and channel.state == WAITING:
            # The output is off and nothing is read: the last reading, with its current, would be a lie by now.
            asked = await self._question_of(channel.run)
            channel = channel.model_copy(update={"question": asked, "voltage_V": None, "current_A": None})
        if channel.run is None or channel.current_A is None:
            return channel
        area_m2 = await self._area_of(channel.run)
        if area_m2 is None or not area_m2 > 0:
            return channel
        density = channel.current_A * 1e3 / (area_m2 * 1e4)
        return channel.model_copy(update={"current_density_mA_cm2": density})

    async def close(self) -> None:
        """Give the connection back."""
        if self._asking is not None:
            await asyncio.wait({self._asking})
        for client in dict.fromkeys((self._client, self._commands, self._stops)):
            await client.close()


async def _call(client: Client, method: str, params: dict[str, Any], timeout_s: float) -> Any:
    try:
        async with asyncio.timeout(timeout_s):
            return await client.call(method, params)
    except TimeoutError:
        raise EngineUnavailable(f"no answer to {method!r} within {timeout_s:g} s") from None
