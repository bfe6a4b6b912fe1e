"""Source delays and sweeps of the Keithley 2450 on the wire (reference manual 2450-901-01, 6-68 and 6-78 to 6-90)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from galvanode_simulator.keithley2450.unit import (
    MOST_LISTED,
    OVER_RANGE,
    RANGES,
    USER_DELAYS,
    Keithley2450Unit,
    SourceFunction,
    Sweep,
)
from galvanode_simulator.parts.reading_buffer import ReadingBuffer
from galvanode_simulator.scpi import ScpiInterface, command
from galvanode_simulator.scpi_status import ScpiError

F = TypeVar("F", bound=Callable[..., Any])
Ranging = Literal["AUTO", "BEST", "FIX"]

_FUNCTIONS = (("CURRent", "CURR"), ("VOLTage", "VOLT"))
_HOW = "[<NRf>], [<NRf>], [<AUTO|BEST|FIXed>], [<bool>], [<bool>], [<string>]"
"""Delay, count, range type, abort at the limit, there and back, buffer."""
_MOST_POINTS = 1_000_000
_MOST_AT_ONCE = 100
_MOST_TURNS = 268_435_455
_AUTO = -1.0


def _for_sources(pattern: str) -> Callable[[F], F]:
    def mark(function: F) -> F:
        for long, short in _FUNCTIONS:
            function = command(pattern.replace("{}", long), short)(function)
        return function

    return mark


def _for_user_delays(tail: str) -> Callable[[F], F]:
    def mark(function: F) -> F:
        for long, short in _FUNCTIONS:
            for number in range(1, USER_DELAYS + 1):
                function = command(f":SOURce#1:{long}:DELay:USER{number}{tail}", short, str(number))(function)
        return function

    return mark


class SweepCommands(ScpiInterface):
    """Commands that load a sweep; ``:INIT`` runs it."""

    unit: Keithley2450Unit

    def buffer(self, name: str) -> ReadingBuffer:
        """Return a reading buffer by its name. Raises 1115."""
        buffer = self.unit.buffers.get(name)
        if buffer is None:
            raise ScpiError(1115, text="Parameter error, buffer does not exist")
        return buffer

    @_for_user_delays(" <NRf:S>")
    def _set_user_delay(self, function: SourceFunction, number: str, seconds: float) -> None:
        if not 0.0 <= seconds <= 10_000.0:
            raise ScpiError(-222)
        self.unit.sources[function].user_delays[int(number) - 1] = seconds

    @_for_user_delays("?")
    def _user_delay(self, function: SourceFunction, number: str) -> str:
        return f"{self.unit.sources[function].user_delays[int(number) - 1]:.6E}"

    @_for_sources(f":SOURce#1:SWEep:{{}}:LINear <NRf>, <NRf>, <NRf>, {_HOW}")
    def _linear(self, function: SourceFunction, start: float, stop: float, points: float, *how: Any) -> None:
        number = _points(points)
        self._load_sweep(function, [start + (stop - start) * index / (number - 1) for index in range(number)], *how)

    @_for_sources(f":SOURce#1:SWEep:{{}}:LINear:STEP <NRf>, <NRf>, <NRf>, {_HOW}")
    def _steps(self, function: SourceFunction, start: float, stop: float, step: float, *how: Any) -> None:
        if step <= 0.0:
            raise ScpiError(-222)
        number = _points(math.floor(abs(stop - start) / step + 1e-9) + 1)
        signed = math.copysign(step, stop - start)
        self._load_sweep(function, [start + signed * index for index in range(number)], *how)

    @_for_sources(f":SOURce#1:SWEep:{{}}:LOG <NRf>, <NRf>, <NRf>, {_HOW}, [<NRf>]")
    def _logarithmic(self, function: SourceFunction, start: float, stop: float, points: float, *how: Any) -> None:
        given = list(how)
        asymptote: float = given.pop() if len(given) > _HOW.count("[") else 0.0
        number, first, last = _points(points), start - asymptote, stop - asymptote
        if first * last <= 0.0:
            raise ScpiError(-222)
        levels = [asymptote + first * (last / first) ** (index / (number - 1)) for index in range(number)]
        self._load_sweep(function, levels, *given)

    @_for_sources(":SOURce#1:SWEep:{}:LIST [<NRf>], [<NRf>], [<NRf>], [<bool>], [<string>]")
    def _listed(
        self,
        function: SourceFunction,
        start: float = 1.0,
        delay: float = 0.0,
        count: float = 1.0,
        fail_abort: bool = True,
        buffer: str = "defbuffer1",
    ) -> None:
        levels = self.unit.sources[function].listed
        if not 1 <= round(start) <= len(levels):
            raise ScpiError(-222)
        self._load_sweep(function, levels[round(start) - 1 :], delay, count, "AUTO", fail_abort, False, buffer)

    @_for_sources(":SOURce#1:LIST:{} <NRf>*")
    def _set_list(self, function: SourceFunction, *levels: float) -> None:
        self.unit.sources[function].listed = _levels(function, levels)

    @_for_sources(":SOURce#1:LIST:{}:APPend <NRf>*")
    def _append(self, function: SourceFunction, *levels: float) -> None:
        source = self.unit.sources[function]
        longer = source.listed + _levels(function, levels)
        if len(longer) > MOST_LISTED:
            raise ScpiError(-223)
        source.listed = longer

    @_for_sources(":SOURce#1:LIST:{}?")
    def _list(self, function: SourceFunction) -> str:
        return ",".join(f"{level:.6E}" for level in self.unit.sources[function].listed)

    @_for_sources(":SOURce#1:LIST:{}:POINts?")
    def _list_points(self, function: SourceFunction) -> str:
        return str(len(self.unit.sources[function].listed))

    def _load_sweep(
        self,
        function: SourceFunction,
        levels: list[float],
        delay: float = _AUTO,
        count: float = 1.0,
        ranging: Ranging = "BEST",
        fail_abort: bool = True,
        dual: bool = False,
        buffer: str = "defbuffer1",
    ) -> None:
        if not (delay in (_AUTO, 0.0) or 50e-6 <= delay <= 10_000.0) or not 0 <= count <= _MOST_TURNS:
            raise ScpiError(-222)
        path = (*_levels(function, levels, _MOST_POINTS), *(reversed(levels) if dual else ()))
        pause = None if delay == _AUTO else delay
        self.unit.trigger_loop = Sweep(function, path, pause, round(count), ranging, fail_abort, self.buffer(buffer))


def _points(number: float) -> int:
    if not 2 <= round(number) <= _MOST_POINTS:
        raise ScpiError(-222)
    return round(number)


def _levels(function: SourceFunction, levels: Any, most: int = _MOST_AT_ONCE) -> list[float]:
    """Check a list of levels, A or V. Raises -109, -222 and -223."""
    if not levels:
        raise ScpiError(-109)
    if len(levels) > most:
        raise ScpiError(-223)
    highest = OVER_RANGE * RANGES[function][-1] * (1 + 1e-12)
    if any(abs(level) > highest for level in levels):
        raise ScpiError(-222)
    return list(levels)
