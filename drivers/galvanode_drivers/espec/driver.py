"""ESPEC temperature chambers with a P-300 or SCP-220 controller (ASCII protocol, CR LF)."""

from __future__ import annotations

import asyncio
import re

from galvanode.instrument.answers import numbers
from galvanode.instrument.links.base import NOT_TOLD
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.reading import ChamberReading
from galvanode.instrument.roles import Identity, InstrumentError, OneChannel, OutOfRange, UnsafeState
from galvanode_drivers.espec import EspecOptions

_ZERO_CELSIUS = 273.15
_TYPE = re.compile(r"(?:[A-Z]{1,2},\s*){1,2}([^,]+),\s*\d+(?:\.\d+)?")
"""Types of one or two sensors, the controller, its highest temperature: ``T,SCP-220,150.0``."""
_ROUNDING = 1e-9
"""Kelvin and back: 233.15 K - 273.15 K is a little less than -40."""


class EspecChamber(OneChannel):
    """ESPEC chamber, temperature only (P-300 and SCP-220 communication manuals)."""

    def __init__(self, link: LineLink, options: EspecOptions) -> None:
        self.link = link
        self.options = options
        self._prefix = "" if options.address is None else f"{options.address},"

    @property
    def name(self) -> str:
        """Name of the chamber in the bench file."""
        return self.link.name

    async def identify(self) -> Identity:
        """Ask for the controller's type (``TYPE?``) and ROM version (``ROM?``)."""
        kind = await self._ask("TYPE?")
        match = _TYPE.fullmatch(kind)
        if match is None:
            self.link.distrust(f"{kind!r} is no type")
            raise InstrumentError(f"{self.name} answered {kind!r} to TYPE?; expected an ESPEC controller")
        return self.link.recognise(Identity("ESPEC", match[1], NOT_TOLD, await self._ask("ROM?")))

    async def set_temperature(self, kelvin: float) -> None:
        """Go to a temperature and hold it; the set point is read back."""
        celsius = kelvin - _ZERO_CELSIUS
        _, _, high, low = await self._temperatures()
        if not low - _ROUNDING <= celsius <= high + _ROUNDING:  # refuses NaN too
            raise OutOfRange(f"{self.name}: {celsius:g} degC; its alarm limits are {low:g} to {high:g} degC")
        await self._tell(f"TEMP, S{celsius:.1f}")
        await self._tell("MODE,CONSTANT")
        _, setpoint, _, _ = await self._temperatures()
        if abs(setpoint - celsius) > 0.06:  # the controller keeps tenths of a degree
            raise InstrumentError(f"{self.name}: set to {celsius:.1f} degC but reads back {setpoint:g} degC")

    async def read(self) -> ChamberReading:
        """Read the temperature, the set point and any alarm."""
        temperature, setpoint, _, _ = await self._temperatures()
        alarms = await self._alarms()
        return ChamberReading(
            temperature + _ZERO_CELSIUS,
            setpoint + _ZERO_CELSIUS,
            f"alarm {','.join(alarms)}" if alarms else None,
        )

    async def make_safe(self) -> None:
        """Stop heating and cooling (standby), verified by read-back."""
        with self.link.urgent():
            await self._tell("MODE,STANDBY")
        mode = await self._ask("MODE?")
        if mode.split(",")[0].strip() not in ("STANDBY", "OFF"):
            self.link.distrust(f"{mode!r} is not the safe state")
            raise UnsafeState(f"{self.name}: mode reads back as {mode!r}; expected STANDBY. Switch it off by hand")

    async def close(self) -> None:
        """Give the link back."""
        await self.link.close()

    async def _temperatures(self) -> tuple[float, float, float, float]:
        answer = await self._ask("TEMP?")
        pv, sp, high, low = numbers(self.link, answer, 4)
        return pv, sp, high, low

    async def _alarms(self) -> list[str]:
        """Return the codes of the alarms that are on: their number comes first, then as many codes."""
        answer = await self._ask("ALARM?")
        count, *codes = (field.strip() for field in answer.split(","))
        if not all(field.isdecimal() for field in (count, *codes)) or int(count) != len(codes):
            raise self.link.distrust(f"{answer[:80]!r} is no answer to ALARM?; expected a number and as many codes")
        return codes

    async def _ask(self, message: str) -> str:
        """Send a monitoring command; a controller that is busy is asked again, twice."""
        for pause_s in (0.2, 0.5, None):
            answer = (await self.link.query(self._prefix + message)).strip()
            if not answer.startswith("NA:"):
                return answer
            if pause_s is None or "NOT READY" not in answer:
                break
            await asyncio.sleep(pause_s)
        raise InstrumentError(f"{self.name} refused {message!r}: {answer}")

    async def _tell(self, message: str) -> None:
        answer = await self._ask(message)
        if not answer.startswith("OK:"):
            raise self.link.distrust(f"{answer[:80]!r} is no answer to {message!r}; expected OK")
