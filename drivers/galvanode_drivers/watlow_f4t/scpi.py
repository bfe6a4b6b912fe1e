"""The F4T's SCPI commands (user's guide 0600-0093, page 219; firmware 4.05 and later for limits and cascade)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from galvanode.instrument.answers import numbers
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.roles import Identity
from galvanode.instrument.scpi import identity_in
from galvanode_drivers.watlow_f4t import F4TOptions

_PAUSE_S = 0.1
"""After a command, which has no answer: the controller is slow to take the next line."""


class ScpiSpeech:
    """Commands of one loop or cascade. There is no error queue: what was set is read back."""

    def __init__(self, link: LineLink, options: F4TOptions) -> None:
        self._link = link
        node = "CLOOP" if options.control == "loop" else "CASCADE"
        self._node = f":SOURCE:{node}{options.number}"
        self._value = self._node if options.control == "loop" else f"{self._node}:OUTER"

    async def identity(self) -> Identity:
        """Ask ``*IDN?``."""
        told = identity_in(await self._link.query("*IDN?"), self._link)
        return replace(told, manufacturer="Watlow")

    async def in_celsius(self) -> bool:
        """Whether numbers on the wire are in Celsius."""
        return await self._word(":UNIT:TEMPERATURE?", "C", "F") == "C"

    async def limits(self) -> tuple[float, float]:
        """Lowest and highest set point."""
        return await self._number(f"{self._node}:RANGE:LOW?"), await self._number(f"{self._node}:RANGE:HIGH?")

    async def temperature(self) -> float:
        """Process value."""
        return await self._number(f"{self._value}:PVALUE?")

    async def user_set_point(self) -> float:
        """Set point of the user."""
        return await self._number(f"{self._node}:SPOINT?")

    async def set_point(self, value: float) -> None:
        """Change the set point of the user."""
        await self._tell(f"{self._node}:SPOINT {value:.4f}")

    async def switch_on(self) -> None:
        """Output 1 on: heater and refrigerator."""
        await self._tell(":OUTPUT1:STATE ON")

    async def switch_off(self) -> None:
        """Output 1 off, and no profile."""
        await self._tell(":OUTPUT1:STATE OFF")
        await self.end_profile()

    async def is_on(self) -> bool:
        """Whether output 1 is on."""
        return await self._word(":OUTPUT1:STATE?", "ON", "OFF") == "ON"

    async def is_off(self) -> bool:
        """Whether output 1 is off."""
        return not await self.is_on()

    async def end_profile(self) -> None:
        """End a profile that runs."""
        await self._tell(":PROGRAM:SELECTED:STATE STOP")

    async def alarm(self) -> str | None:
        """Alarms are not told here; an error of the sensor is."""
        state = await self._word(f"{self._value}:ERROR?", "NONE", "ERROR")
        return "sensor error" if state == "ERROR" else None

    async def _number(self, query: str) -> float:
        (value,) = numbers(self._link, await self._link.query(query), 1)
        return value

    async def _word(self, query: str, *known: str) -> str:
        answer = (await self._link.query(query)).strip().upper()
        if answer not in known:
            raise self._link.distrust(f"{answer[:60]!r} is no answer to {query}; expected one of {', '.join(known)}")
        return answer

    async def _tell(self, message: str) -> None:
        await self._link.write(message)
        await asyncio.sleep(_PAUSE_S)
