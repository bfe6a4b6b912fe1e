"""The web side's way to the engine: bounded in time and in number, so that no page can disturb a cell."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from galvanode.engine import contract
from galvanode.engine.contract import A, Request
from galvanode.errors import EngineUnavailable, Refused
from galvanode.service.answers import WAITING
from galvanode.service.models import ChannelState, Question, Status
from galvanode.service.problems import Busy

_log = logging.getLogger(__name__)

STATUS_TIMEOUT_S = 2.0
MAX_CALLS_AT_ONCE = 8


class Client(Protocol):
    """What is used of ``galvanode.engine.control.ControlClient``."""

    async def ask(self, request: Request[A]) -> A:
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
    """Commands to the engine, and one shared status however many ask for it."""

    def __init__(self, client: Client, area_of: AreaOf, question_of: QuestionOf = _no_question) -> None:
        self._client = client
        self._area_of = area_of
        self._question_of = question_of
        self._calls = 0
        self._asking: asyncio.Task[None] | None = None
        self._status = Status(engine=None, available=False)
        self._asked_at = -1e9

    async def command(self, request: Request[A]) -> A:
        """Ask the engine; what is urgent never waits behind anything else.

        Raises ``EngineUnavailable``, ``Refused``, or, for what is not urgent, ``Busy``.
        """
        if request.urgent:
            return await self._client.ask(request)
        if self._calls >= MAX_CALLS_AT_ONCE:
            raise Busy("too many commands at once; try again")
        self._calls += 1
        try:
            return await self._client.ask(request)
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
            async with asyncio.timeout(STATUS_TIMEOUT_S):
                found = await self._client.ask(contract.Status())
            channels = [await self._shown(channel) for channel in found.channels]
            self._status = Status(engine=found.engine, available=True, channels=channels, chambers=found.chambers)
        except (EngineUnavailable, Refused, TimeoutError) as error:
            if isinstance(error, Refused):
                _log.error("the engine refuses to say how things stand: %s", error)
            self._status = self._status.model_copy(update={"engine": None, "available": False})
        finally:
            self._asked_at = time.monotonic()

    async def _shown(self, state: contract.ChannelState) -> ChannelState:
        """Add what the engine does not say and the store knows: the open question, the area for the current density."""
        channel = ChannelState(**state.model_dump())
        if channel.run is not None and channel.state == WAITING:
            # The output is off and nothing is read: the last reading, with its current, would be a lie by now.
            asked = await self._question_of(channel.run)
            channel = channel.model_copy(update={"question": asked, "voltage_V": None, "current_A": None})
        if channel.run is None or (amps := channel.live("current")) is None:
            return channel
        area_m2 = await self._area_of(channel.run)
        if area_m2 is None or not area_m2 > 0:
            return channel
        density = amps * 1e3 / (area_m2 * 1e4)
        return channel.model_copy(update={"current_density_mA_cm2": density})

    async def close(self) -> None:
        """Give the connection back."""
        if self._asking is not None:
            await asyncio.wait({self._asking})
        await self._client.close()
