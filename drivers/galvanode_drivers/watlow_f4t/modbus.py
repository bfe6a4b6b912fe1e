"""The F4T's Modbus registers (user's guide 0600-0093, pages 225 to 260). Every parameter takes two of them."""

from __future__ import annotations

import asyncio
import struct

from galvanode.instrument.links.modbus import BUSY, ModbusLink, ModbusRefused
from galvanode.instrument.roles import Identity
from galvanode_drivers.watlow_f4t import F4TOptions

_SERIAL_NUMBER, _SOFTWARE, _PART_NUMBER, _PART_NUMBER_LENGTH = 12, (4, 6, 8), 16, 15
_UNITS, _FAHRENHEIT, _CELSIUS = 6730, 30, 15
_ALARM_STATE, _NEXT_ALARM = 1356, 100
_QUIET = {61: "none", 88: "startup", 12: "blocked"}
_LOUD = {37: "high", 53: "low", 28: "sensor error"}
_AUTO, _MANUAL, _OFF = 10, 54, 62
_PROFILE_STATE, _RUNNING, _PAUSED = 16568, 149, 146
_PROFILE_REQUEST, _TERMINATE = 16566, 148

_LOOP = {"mode": 2730, "limits": 2774, "set point": 2782, "actual mode": 2814, "temperature": 2820}
_CASCADE = {"mode": 4010, "limits": 4034, "set point": 4042, "actual mode": 4012, "temperature": 4180}
_NEXT_LOOP, _NEXT_CASCADE = 160, 200


class ModbusSpeech:
    """Registers of one loop or cascade."""

    def __init__(self, link: ModbusLink, options: F4TOptions) -> None:
        self._link = link
        self._alarms = options.alarms
        self._low_word_first = options.word_order == "low_high"
        table, step = (_LOOP, _NEXT_LOOP) if options.control == "loop" else (_CASCADE, _NEXT_CASCADE)
        self._at = {name: address + (options.number - 1) * step for name, address in table.items()}

    async def identity(self) -> Identity:
        """Part number, serial number and software of the controller."""
        letters = await self._words(_PART_NUMBER, _PART_NUMBER_LENGTH)
        part_number = "".join(chr(letter) if 32 <= letter < 127 else "" for letter in letters).strip()
        serial = self._long(await self._words(_SERIAL_NUMBER, 2))
        software = [str(self._long(await self._words(address, 2))) for address in _SOFTWARE]
        return Identity("Watlow", part_number, str(serial), ".".join(software))

    async def in_celsius(self) -> bool:
        """Whether numbers on the wire are in Celsius."""
        return await self._one_of(_UNITS, _FAHRENHEIT, _CELSIUS) == _CELSIUS

    async def limits(self) -> tuple[float, float]:
        """Lowest and highest set point."""
        words = await self._words(self._at["limits"], 4)
        return self._float(words[:2]), self._float(words[2:])

    async def temperature(self) -> float:
        """Process value."""
        return self._float(await self._words(self._at["temperature"], 2))

    async def user_set_point(self) -> float:
        """Set point of the user."""
        return self._float(await self._words(self._at["set point"], 2))

    async def set_point(self, value: float) -> None:
        """Change the set point of the user."""
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        await self._write(self._at["set point"], [low, high] if self._low_word_first else [high, low])

    async def switch_on(self) -> None:
        """Automatic mode."""
        await self._write(self._at["mode"], [_AUTO])

    async def switch_off(self) -> None:
        """Mode off; a profile would switch it on again."""
        await self._write(self._at["mode"], [_OFF])
        await self.end_profile()

    async def is_on(self) -> bool:
        """Whether it is in automatic mode."""
        return await self._modes() == (_AUTO, _AUTO)

    async def is_off(self) -> bool:
        """Whether it is off, and no profile runs."""
        return await self._modes() == (_OFF, _OFF) and not await self._profile_runs()

    async def end_profile(self) -> None:
        """End a profile that runs."""
        if await self._profile_runs():
            await self._write(_PROFILE_REQUEST, [_TERMINATE])

    async def alarm(self) -> str | None:
        """Numbers of the alarms that are on, and which side."""
        loud: list[str] = []
        for number in range(self._alarms):
            state = await self._one_of(_ALARM_STATE + number * _NEXT_ALARM, *_QUIET, *_LOUD)
            if state in _LOUD:
                loud.append(f"alarm {number + 1} {_LOUD[state]}")
        return ", ".join(loud) or None

    async def _modes(self) -> tuple[int, int]:
        """The mode that was set, and the actual one."""
        modes = (_AUTO, _MANUAL, _OFF)
        return await self._one_of(self._at["mode"], *modes), await self._one_of(self._at["actual mode"], *modes)

    async def _profile_runs(self) -> bool:
        (state,) = await self._words(_PROFILE_STATE, 1)
        return state in (_RUNNING, _PAUSED)

    async def _one_of(self, address: int, *known: int) -> int:
        (word,) = await self._words(address, 1)
        if word not in known:
            raise self._link.distrust(f"register {address} holds {word}; expected one of {', '.join(map(str, known))}")
        return word

    def _float(self, words: list[int]) -> float:
        low, high = words if self._low_word_first else words[::-1]
        return struct.unpack(">f", struct.pack(">HH", high, low))[0]

    def _long(self, words: list[int]) -> int:
        low, high = words if self._low_word_first else words[::-1]
        return struct.unpack(">i", struct.pack(">HH", high, low))[0]

    async def _words(self, address: int, count: int) -> list[int]:
        """Read registers; a controller that is busy is asked again, twice."""
        for pause_s in (0.1, 0.3):
            try:
                return await self._link.read_holding(address, count)
            except ModbusRefused as refusal:
                if refusal.code != BUSY:
                    raise
            await asyncio.sleep(pause_s)
        return await self._link.read_holding(address, count)

    async def _write(self, address: int, words: list[int]) -> None:
        """Write registers; a controller that is busy is told again, twice."""
        for pause_s in (0.1, 0.3):
            try:
                return await self._link.write(address, words)
            except ModbusRefused as refusal:
                if refusal.code != BUSY:
                    raise
            await asyncio.sleep(pause_s)
        return await self._link.write(address, words)
