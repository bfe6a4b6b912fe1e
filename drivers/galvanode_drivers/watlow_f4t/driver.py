"""Watlow F4T: a chamber's temperature, over Modbus TCP or SCPI (user's guide 0600-0093, chapter 6)."""

from __future__ import annotations

import math
from typing import Any

from galvanode.instrument.reading import BadReading, ChamberReading
from galvanode.instrument.roles import Identity, InstrumentError, OneChannel, OutOfRange, UnsafeState
from galvanode_drivers.watlow_f4t import F4TOptions
from galvanode_drivers.watlow_f4t.speech import Speech

_ZERO_CELSIUS = 273.15
_ROUNDING_K = 1e-3
"""What a temperature loses in a float of 32 bits, in the other scale and back."""
_COLDEST, _HOTTEST = 100.0, 1500.0
"""K. What lies outside is no temperature of a chamber, but a broken sensor or somebody else's number."""


class WatlowF4T(OneChannel):
    """Watlow F4T temperature controller.

    Numbers on the wire are in the unit that the controller is set to, which is asked each time: it can be changed at
    the panel. Over SCPI the chamber is switched on and off with output 1, as its makers wire it; over Modbus by the
    mode of its loop.
    """

    def __init__(self, link: Any, options: F4TOptions) -> None:
        """``link`` is a ``ModbusLink`` or a ``LineLink``, as the options say."""
        self.link = link
        self.options = options
        if options.protocol == "scpi":
            from galvanode_drivers.watlow_f4t.scpi import ScpiSpeech

            self._speech: Speech = ScpiSpeech(link, options)
        else:
            from galvanode_drivers.watlow_f4t.modbus import ModbusSpeech

            self._speech = ModbusSpeech(link, options)

    @property
    def name(self) -> str:
        """Name of the chamber in the bench file."""
        return self.link.name

    async def identify(self) -> Identity:
        """Ask for model, serial number and software."""
        identity = await self._speech.identity()
        if not identity.model.startswith("F4T"):
            self.link.distrust(f"{identity.model!r} is no F4T")
            raise InstrumentError(f"{self.name} is a {identity.model[:40]!r}; expected a Watlow F4T")
        return self.link.recognise(identity)

    async def set_temperature(self, kelvin: float) -> None:
        """Go to a temperature and hold it; set point and operation are read back. A profile that runs is ended."""
        celsius_on_wire = await self._speech.in_celsius()
        low, high = [_kelvin(value, celsius_on_wire) for value in await self._speech.limits()]
        if not low - _ROUNDING_K <= kelvin <= high + _ROUNDING_K:  # refuses NaN too
            raise OutOfRange(
                f"{self.name}: {kelvin - _ZERO_CELSIUS:g} degC; its set point range is "
                f"{low - _ZERO_CELSIUS:g} to {high - _ZERO_CELSIUS:g} degC"
            )
        await self._speech.end_profile()
        await self._speech.set_point(_on_wire(min(max(kelvin, low), high), celsius_on_wire))
        await self._speech.switch_on()
        taken = self._believed(await self._speech.user_set_point(), celsius_on_wire)
        if abs(taken - kelvin) > 2.0 * _ROUNDING_K:
            raise InstrumentError(
                f"{self.name}: set to {kelvin - _ZERO_CELSIUS:.2f} degC but reads back {taken - _ZERO_CELSIUS:.2f} degC"
            )
        if not await self._speech.is_on():
            raise InstrumentError(f"{self.name}: its set point is taken but it does not run; look at its panel")

    async def read(self) -> ChamberReading:
        """Read the temperature, the set point and any alarm."""
        celsius_on_wire = await self._speech.in_celsius()
        temperature = self._believed(await self._speech.temperature(), celsius_on_wire)
        setpoint = self._believed(await self._speech.user_set_point(), celsius_on_wire)
        return ChamberReading(temperature, setpoint, await self._speech.alarm())

    async def make_safe(self) -> None:
        """Stop heating and cooling, verified by read-back; a profile that runs is ended."""
        with self.link.urgent():
            await self._speech.switch_off()
        await self.link.assure()
        if not await self._speech.is_off():
            raise UnsafeState(f"{self.name}: it does not read back as off. Switch the chamber off by hand")

    async def close(self) -> None:
        """Give the link back."""
        await self.link.close()

    def _believed(self, value: float, celsius_on_wire: bool) -> float:
        """A temperature in K. Raises ``BadReading`` for what is none."""
        kelvin = _kelvin(value, celsius_on_wire)
        if not (math.isfinite(value) and _COLDEST < kelvin < _HOTTEST):
            self.link.distrust(f"{value} is no temperature")
            raise BadReading(f"{self.name}: {value} is no temperature; look at its sensor")
        return kelvin


def _kelvin(value: float, celsius_on_wire: bool) -> float:
    return (value if celsius_on_wire else (value - 32.0) / 1.8) + _ZERO_CELSIUS


def _on_wire(kelvin: float, celsius_on_wire: bool) -> float:
    celsius = kelvin - _ZERO_CELSIUS
    return celsius if celsius_on_wire else 1.8 * celsius + 32.0
