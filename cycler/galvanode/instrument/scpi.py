"""SCPI instruments as a table of settings: one line per command of the manual.

    source_current = Setting(":SOUR:CURR {:.9E}", unit="A", limits=(-1.05, 1.05))

A value outside its limits is refused, never clipped; every setting is followed by a look at the
instrument's error queue in the same message, so that a refusal is known at once and costs no trip.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, TypeVar, overload

from galvanode.instrument.family import Options
from galvanode.instrument.links.base import Link
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.reading import BadReading, measured
from galvanode.instrument.roles import Identity, InstrumentError, OneChannel, OutOfRange

_NUMBER = re.compile(r"[-+]?[0-9.]+(E[-+]?[0-9]+)?", re.IGNORECASE)
_CODE = re.compile(r"[-+]?\d{1,5}")

V = TypeVar("V", float, bool, str, int)


_READ_BACK = 2e-6
"""Instruments answer in seven digits."""


class BoundSetting(Generic[V]):
    """One setting of one instrument."""

    def __init__(self, setting: Setting[V], instrument: ScpiInstrument) -> None:
        self._setting = setting
        self._instrument = instrument

    def message(self, value: V) -> str:
        """Return the command with its argument. Raises ``OutOfRange``."""
        return self._setting.message(value, self._instrument.own_limits.get(self._setting.name))

    @property
    def name(self) -> str:
        """Its name in the driver."""
        return self._setting.name

    async def set(self, value: V) -> None:
        """Send the value. Raises ``OutOfRange`` before sending, ``InstrumentError`` if it is refused."""
        await self._instrument.command(self.message(value))

    async def get(self) -> V:
        """Ask for the value."""
        setting = self._setting
        answer = await self._instrument.link.query(setting.query)
        try:
            return setting.parse(answer)
        except (InstrumentError, BadReading):
            self._instrument.link.distrust(f"{answer[:60]!r} is no value of {setting.name}")
            raise


class Setting(Generic[V]):
    """A command with one argument: its text, unit, range and how to ask for it.

    ``query`` defaults to the command's header with a question mark.
    """

    def __init__(
        self,
        command: str,
        *,
        unit: str = "",
        limits: tuple[float, float] | None = None,
        choices: tuple[str, ...] | None = None,
        query: str | None = None,
        cast: Callable[[str], V] | None = None,
    ) -> None:
        self.command = command
        self.unit = unit
        self.limits = limits
        self.choices = choices
        self.query = command.split(" ")[0] + "?" if query is None else query
        self.cast = cast
        self.name = command

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instrument: None, owner: type) -> Setting[V]: ...
    @overload
    def __get__(self, instrument: ScpiInstrument, owner: type) -> BoundSetting[V]: ...
    def __get__(self, instrument: ScpiInstrument | None, owner: type) -> Any:
        return self if instrument is None else BoundSetting(self, instrument)

    def message(self, value: V, limits: tuple[float, float] | None = None) -> str:
        """Return the command with its argument. ``limits`` go before those of the table. Raises ``OutOfRange``."""
        limits = limits or self.limits
        if self.choices is not None and value not in self.choices:
            raise OutOfRange(f"{self.name} is {value!r}; expected one of {', '.join(self.choices)}")
        if isinstance(value, bool):
            return self.command.format(int(value))
        if isinstance(value, float | int):
            if not math.isfinite(value):
                raise OutOfRange(f"{self.name} is {value}; expected a finite number")
            if limits is not None and not limits[0] <= value <= limits[1]:
                low, high = limits
                raise OutOfRange(f"{self.name} is {value:g} {self.unit}; expected {low:g} to {high:g} {self.unit}")
        return self.command.format(value)

    def parse(self, answer: str) -> V:
        """Return the value in an answer. Raises ``InstrumentError``; ``BadReading`` for NaN and overflow."""
        text = answer.strip()
        try:
            if self.cast is not None:
                return self.cast(text)
            return measured(text)  # type: ignore[return-value]
        except ValueError:
            raise InstrumentError(f"{self.query} answered {answer[:60]!r}; expected a value of {self.name}") from None


def _same(sent: object, found: object) -> bool:
    if isinstance(sent, float) and isinstance(found, float):
        return math.isclose(sent, found, rel_tol=_READ_BACK)
    return sent == found


def _told(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def on_off(text: str) -> bool:
    """Parse an SCPI boolean."""
    if text in ("1", "ON"):
        return True
    if text in ("0", "OFF"):
        return False
    raise ValueError(text)


def keyword(text: str) -> str:
    """Parse SCPI character data."""
    return text.strip().strip('"').upper()


def identity_in(answer: str, link: Link) -> Identity:
    """Return who answered ``*IDN?``. Raises ``Unfit`` for what is no identity."""
    fields = [field.strip() for field in answer.split(",", 3)]
    if len(fields) != 4 or _NUMBER.fullmatch(fields[0]):  # no maker is a number; a model may be
        raise link.distrust(f"{answer[:80]!r} answers *IDN?; expected maker, model, serial number and firmware")
    return Identity(*fields)


class ScpiInstrument(OneChannel):
    """An IEEE 488.2 instrument with an error queue."""

    error_query = ":SYST:ERR?"
    own_limits: Mapping[str, tuple[float, float]] = MappingProxyType({})
    """Limits of settings that depend on the model, by name; the others are those of the table."""

    def __init__(self, link: LineLink, options: Options) -> None:
        self.link = link
        self.options = options

    @property
    def name(self) -> str:
        """Name of the instrument in the bench file."""
        return self.link.name

    async def command(self, message: str) -> None:
        """Send a command and ask in the same message whether it was accepted.

        Raises ``InstrumentError`` with the instrument's own words.
        """
        answer = await self.link.query(f"{message};{self.error_query}")
        if self._error_in(answer):
            raise InstrumentError(f"{self.name} refused {message!r}: {answer.strip()}")

    async def confirmed(self, setting: BoundSetting[V], value: V) -> None:
        """Send a value and read it back. Raises ``InstrumentError`` if the instrument took another one."""
        await setting.set(value)
        found = await setting.get()
        if not _same(value, found):
            raise InstrumentError(f"{self.name}: {setting.name} set to {_told(value)} reads back as {_told(found)}")

    async def clear_errors(self) -> list[str]:
        """Empty the error queue and return what was in it."""
        errors: list[str] = []
        while len(errors) < 100:  # the deepest queue of a supported instrument is shorter
            answer = (await self.link.query(self.error_query)).strip()
            if not self._error_in(answer):
                return errors
            errors.append(answer)
        raise InstrumentError(f"{self.name} reports errors without end; the last is {errors[-1]}")

    async def identity(self) -> Identity:
        """Ask ``*IDN?``. Raises ``Unfit`` for what is none, such as a reading that comes late on a serial line."""
        answer = await self.link.query("*IDN?")
        return identity_in(answer, self.link)

    def _error_in(self, answer: str) -> bool:
        """Whether an entry of the error queue is an error. Raises ``Unfit`` if it is no entry."""
        code, comma, _ = answer.partition(",")
        if not (comma and _CODE.fullmatch(code.strip())):
            raise self.link.distrust(f"{answer[:80]!r} is no entry of the error queue; expected a number and a text")
        return int(code) != 0

    async def close(self) -> None:
        """Give the link back."""
        await self.link.close()
