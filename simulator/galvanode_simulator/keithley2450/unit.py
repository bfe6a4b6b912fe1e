"""Keithley 2450 source-measure unit: what it does to the cell and what it sees. Knows no bytes.

Sources: reference manual 2450-901-01 rev. B (page numbers below), data sheet for ranges and resolution.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from galvanode_simulator.cells import Cell
from galvanode_simulator.parts.converter import OVER_RANGE, OVERFLOW
from galvanode_simulator.parts.reading_buffer import ReadingBuffer, Record
from galvanode_simulator.parts.smu import (
    OPEN,
    POWER_LINE_HZ,
    Drive,
    OffState,
    SourceFunction,
    SourceMeasureUnit,
    converters,
)
from galvanode_simulator.scpi_status import ScpiError

SenseFunction = Literal["CURR", "VOLT", "RES"]

VOLTAGE_RANGES = (0.02, 0.2, 2.0, 20.0, 200.0)
CURRENT_RANGES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RESISTANCE_RANGES = (2e1, 2e2, 2e3, 2e4, 2e5, 2e6, 2e7, 2e8)
RANGES = {"CURR": CURRENT_RANGES, "VOLT": VOLTAGE_RANGES, "RES": RESISTANCE_RANGES}
DEFAULT_BUFFER = 100_000
MOST_READINGS = 6_875_000

OVER_VOLTAGE, READ_BACK, OVER_TEMPERATURE, IN_LIMIT, FOUR_WIRE, OUTPUT_ON = 4, 8, 16, 32, 64, 128
"""Source status bits (8-33; over-voltage and read-back from firmware 1.6 on)."""

_LEVELS = {
    "CURR": tuple(OVER_RANGE * full for full in CURRENT_RANGES),
    "VOLT": tuple(OVER_RANGE * full for full in VOLTAGE_RANGES),
    "RES": tuple(OVER_RANGE * full for full in RESISTANCE_RANGES),
}
_CONVERSION = {"CURR": (1e-6, 1e-6, 5e-14), "VOLT": (5e-7, 3e-7, 4e-7), "RES": (5e-7, 1e-6, 1e-6)}
"""Resolution and noise as parts of full scale, noise floor (rms at 1 power line cycle).

Resolution is 10 nV on 20 mV and 10 fA on 10 nA (data sheet, 6 1/2 digits).
"""
_UNIT_CODES = {"VOLT": 0, "CURR": 1, "RES": 2}
_NORMAL_LIMIT = 0.1
"""NORMAL off-state: current limit at 10 % of the present current range (8-139)."""
_AUTOZERO = 2
"""Conversions of reference and zero beside that of the signal, while autozero is on (6-55)."""
_SHORTEST_LOOP_S = 1e-4
_AUTO_DELAY_S = (0.05, 0.05, 0.003, 0.002, 0.001, 0.001, 0.001, 0.001, 0.001)
"""Source autodelay by current range (2-111); a current source on its 1 A range takes twice the last."""
_AUTO_DELAY_HIGH_CAPACITANCE_S = (0.1, 0.1, 0.02, 0.01, 0.01, 0.01, 0.005, 0.005, 0.005)
USER_DELAYS = 5
MOST_LISTED = 2500


@dataclass
class Source:
    """Settings of one source function."""

    range_auto: bool = True
    range: float = 0.0
    level: float = 0.0
    limit: float = 0.0
    delay: float = 0.0
    delay_auto: bool = True
    read_back: bool = True
    high_capacitance: bool = False
    off_state: OffState = "NORM"
    user_delays: list[float] = field(default_factory=lambda: [0.0] * USER_DELAYS)
    """s; for dynamic delay blocks of a trigger model, which are not simulated."""
    listed: list[float] = field(default_factory=list[float])
    """Levels of a list sweep."""


@dataclass
class Sense:
    """Settings of one measure function."""

    range_auto: bool = True
    range: float = 0.0
    range_lower_limit: float = 0.0
    nplc: float = 1.0
    four_wire: bool = False
    autozero: bool = True
    filter_on: bool = False
    filter_type: str = "REP"
    filter_count: int = 10
    relative_on: bool = False
    relative: float = 0.0


@dataclass
class TriggerRun:
    """A loop that takes readings by itself."""

    buffer: ReadingBuffer
    interval: float
    remaining: float
    """Readings still to take; ``inf`` for a loop that ends by time."""
    end_time: float
    sweep: SweepRun | None = None


@dataclass(frozen=True)
class Sweep:
    """A staircase as it was loaded into the trigger model."""

    function: SourceFunction
    levels: tuple[float, ...]
    delay: float | None
    """s, in addition to the source delay; None for autodelay."""
    count: int
    """Times that it runs; 0 for ever."""
    ranging: Literal["AUTO", "BEST", "FIX"]
    fail_abort: bool
    buffer: ReadingBuffer


@dataclass
class SweepRun:
    """Where a sweep stands."""

    sweep: Sweep
    point: int = 0
    turn: int = 1


class Keithley2450Unit(SourceMeasureUnit):
    """State of the instrument and its cell. All numbers in SI; time from the process clock."""

    def __init__(
        self,
        cell: Cell,
        seed: int = 0,
        temperature: Callable[[], float] | None = None,
        lead_resistance: float = 0.1,
        *,
        ideal: bool = False,
    ) -> None:
        super().__init__(cell, converters(RANGES, _CONVERSION, seed, ideal), temperature, lead_resistance)
        self.buffers: dict[str, ReadingBuffer] = {}
        self.reset()

    def reset(self) -> None:
        """``*RST``: output off, NORMAL off-state, default settings, only the default buffers, empty."""
        self.set_output(False)
        self.source_function: SourceFunction = "VOLT"
        self.sense_function: SenseFunction = "CURR"
        self.sources = {
            "CURR": Source(range=1e-8, limit=21.0),
            "VOLT": Source(range=0.02, limit=1.05e-4),
        }
        self.senses = {
            "CURR": Sense(range=1e-8, range_lower_limit=1e-8),
            "VOLT": Sense(range=0.02, range_lower_limit=0.02),
            "RES": Sense(range=2e5, range_lower_limit=2e1),
        }
        self.over_voltage = None
        self.count = 1
        self.terminals = "FRON"
        self.trigger_loop: tuple[str, tuple[Any, ...]] | Sweep | None = None
        self._unsettled = False
        self.run: TriggerRun | None = None
        self._due = math.inf
        self.buffers = {name: ReadingBuffer(name, DEFAULT_BUFFER, "CONT") for name in ("defbuffer1", "defbuffer2")}
        self._settled()

    def _settled(self) -> None:
        """Work out what the terminals do from now on: (function, level, limit)."""
        source = self.sources[self.source_function]
        self._drive = self._driven(source) if self.output else self._at_rest(source)
        self._plan_reading(source)

    def _driven(self, source: Source) -> Drive:
        return self.source(self.source_function, source.level, source.limit)

    def _at_rest(self, source: Source) -> Drive:
        """What the terminals do with the output off (6-32)."""
        if source.off_state == "HIMP":
            return OPEN
        if source.off_state == "GUAR":
            return ("CURR", 0.0, 0.1 * self._present_range("VOLT"))
        tenth = _NORMAL_LIMIT * self._present_range("CURR")
        if source.off_state == "NORM":
            return ("VOLT", 0.0, tenth)
        return ("VOLT", 0.0, source.limit if self.source_function == "VOLT" else max(abs(source.level), tenth))

    def _plan_reading(self, source: Source) -> None:
        """Work out once what every reading needs, until a setting changes."""
        function = self.sense_function
        sense = self.senses[function]
        four_wire = sense.four_wire and self.output  # with the output off always two-wire (6-58)
        self._relay_open = not self.output and source.off_state == "HIMP"
        self._lead = 0.0 if four_wire else self.lead_resistance
        self._measure = self._converters[function].digitise
        self._read_back = self._converters[self.source_function].digitise if source.read_back else None
        self._source_level = source.level
        self._sense = sense
        # Where source and measure function are the same, the source's range is the measure range.
        ranges = RANGES[function]
        fixed = not (sense.range_auto or function == self.source_function)
        self._fixed_range = ranges.index(sense.range) if fixed else None
        self._lowest_range = ranges.index(sense.range_lower_limit)
        averaged = sense.filter_count if sense.filter_on else 1
        self._averaging = 1.0 / math.sqrt(sense.nplc * averaged)
        conversions = 1 + (_AUTOZERO if sense.autozero else 0)
        repeated = averaged if sense.filter_type == "REP" else 1
        self._duration = sense.nplc / POWER_LINE_HZ * conversions * repeated
        self._flags = (
            (OUTPUT_ON if self.output else 0)
            | (FOUR_WIRE if four_wire else 0)
            | (READ_BACK if source.read_back else 0)
            | _UNIT_CODES[function] << 8
            | _UNIT_CODES[self.source_function] << 12
            | max(self._lowest_range, self._fixed_range or 0) << 16
            | RANGES[self.source_function].index(source.range) << 20
        )

    def _present_range(self, function: SourceFunction) -> float:
        """Full scale of a range as it stands: the source's own, or the one that its limit needs."""
        source = self.sources[self.source_function]
        if function == self.source_function:
            return cover(function, abs(source.level)) if source.range_auto else source.range
        return cover(function, source.limit)

    # Source

    def set_output(self, on: bool) -> None:
        """Switch the output; a stuck one stays on."""
        if not self.switch(on):
            return
        self._unsettled = on
        self._settled()
        details: dict[str, Any] = {"on": on}
        if on:
            details |= {"function": self.source_function, "level": self.sources[self.source_function].level}
        else:
            details["off_state"] = self.sources[self.source_function].off_state
        self._event("output", details)

    def select_source(self, function: SourceFunction) -> None:
        """Change the source function, which switches the output off."""
        if function != self.source_function:
            self.set_output(False)
            self.source_function = function
            self._settled()

    def set_level(self, function: SourceFunction, level: float) -> None:
        """Set the source's level, V or A."""
        source = self.sources[function]
        highest = _LEVELS[function][-1] if source.range_auto else OVER_RANGE * source.range
        if not abs(level) <= highest * (1 + 1e-12):
            raise ScpiError(-222)
        self._unsettled |= level != source.level
        source.level = level
        if source.range_auto:
            source.range = cover(function, abs(level))
        self._settled()
        self._event("level", {"function": function, "level": level, "on": self.output})

    def auto_source_range(self, function: SourceFunction, on: bool) -> None:
        """Let the source choose its range by its level, or keep the present one."""
        source = self.sources[function]
        source.range_auto = on
        if on:
            source.range = cover(function, abs(source.level))
        self._settled()

    def set_source_range(self, function: SourceFunction, value: float) -> None:
        """Choose the range that covers a value, and keep it."""
        full = covering(function, value)
        source = self.sources[function]
        if abs(source.level) > OVER_RANGE * full:
            raise ScpiError(-221)
        source.range, source.range_auto = full, False
        self._settled()

    def set_limit(self, function: SourceFunction, limit: float) -> None:
        """Voltage limit of the current source (V), current limit of the voltage source (A)."""
        low, high = (0.02, 210.0) if function == "CURR" else (1e-9, 1.05)
        if not low <= limit <= high:
            raise ScpiError(-222)
        self.sources[function].limit = limit
        self._settled()
        self._event("limit", {"function": function, "limit": limit})

    def set_off_state(self, function: SourceFunction, state: OffState) -> None:
        """Set what the terminals do while the output is off."""
        self.sources[function].off_state = state
        self._settled()
        self._event("off_state", {"function": function, "off_state": state})

    def set_over_voltage(self, volts: float | None) -> None:
        """Set the over-voltage protection, V; None for none."""
        self.over_voltage = volts
        self._settled()

    def settings_changed(self) -> None:
        """Call after a change of any setting that has no method of its own."""
        self._settled()

    # Measure

    def measure(self, buffer: ReadingBuffer) -> Record:
        """Take ``count`` readings into a buffer, one after the other, and return the last one."""
        if self.run is not None:
            raise ScpiError(-213)
        start = self._ready_at()
        if self._unsettled:
            settling = self._settling()
            start += settling if self._awaited else 0.0
        if start > self._now:
            self._go_to(start)
        record = self._reading(start)
        buffer.append(record)
        for _ in range(self.count - 1):
            start += self._duration
            self._go_to(start)
            record = self._reading(start)
            buffer.append(record)
        self._free_at = start + self._duration
        return record

    def autozero_once(self) -> None:
        """Measure reference and zero once."""
        self._spend(_AUTOZERO * self._sense.nplc / POWER_LINE_HZ)

    def _settling(self) -> float:
        """Source delay before the first reading after the source went on or changed its level, s."""
        self._unsettled = False
        if not self.output:
            return 0.0
        source = self.sources[self.source_function]
        return auto_delay(self.source_function, source) if source.delay_auto else source.delay

    def _reading(self, at: float) -> Record:
        volts, amps, limited = self.terminals_now()
        if self._relay_open:
            volts = amps = 0.0  # the instrument measures itself
        seen = volts + amps * self._lead
        noise = self.cell.voltage_noise
        fixed, lowest, averaging = self._fixed_range, self._lowest_range, self._averaging
        if self.sense_function == "VOLT":
            value = self._measure(seen, fixed, lowest, averaging, noise)
        elif self.sense_function == "CURR":
            value = self._measure(amps, fixed, lowest, averaging)
        else:
            value = self._measure(seen / amps if amps != 0.0 else OVERFLOW, fixed, lowest, averaging)
        if self._read_back is None:
            source = self._source_level
        elif self.source_function == "CURR":
            source = self._read_back(amps, None, 0, averaging)
        else:
            source = self._read_back(seen, None, 0, averaging, noise)
        if self._sense.relative_on:
            value -= self._sense.relative
        if self.freeze_readings:
            value, source = self._frozen(value, source)
        flags = self._flags
        if limited:
            flags |= IN_LIMIT
            if self.over_voltage is not None and self.over_voltage_acts():
                flags |= OVER_VOLTAGE
        return Record(self._stamp(at), value, source, flags)

    # Trigger model

    def start_loop(self) -> None:
        """``:INIT``: run the loop or sweep that is loaded."""
        if self.run is not None:
            raise ScpiError(-213)
        if self.trigger_loop is None:
            raise ScpiError(-221)
        if isinstance(self.trigger_loop, Sweep):
            self._start_sweep(self.trigger_loop)
            return
        kind, (amount, delay, buffer) = self.trigger_loop
        interval = max(delay + self._duration, _SHORTEST_LOOP_S)
        start = self._ready_at()
        self._due = start + interval
        if kind == "SIMPLELOOP":
            self.run = TriggerRun(buffer, interval, amount, math.inf)
        else:
            self.run = TriggerRun(buffer, interval, math.inf, start + amount)

    def _start_sweep(self, sweep: Sweep) -> None:
        self.select_source(sweep.function)
        source = self.sources[sweep.function]
        if sweep.ranging == "AUTO":
            source.range_auto = True
        elif sweep.ranging == "BEST":
            source.range = cover(sweep.function, max(abs(level) for level in sweep.levels))
            source.range_auto = False
        sweep.buffer.clear()
        self.set_level(sweep.function, sweep.levels[0])
        self.set_output(True)
        self.run = TriggerRun(sweep.buffer, 0.0, math.inf, math.inf, SweepRun(sweep))
        self._await_point(sweep.delay, self._ready_at())

    def _await_point(self, delay: float | None, start: float) -> None:
        """Plan the reading of the level that has just been set."""
        settling = self._settling()
        if delay is None:
            source = self.sources[self.source_function]
            delay = 0.0 if source.delay_auto else auto_delay(self.source_function, source)
        self._due = start + max(delay + settling + self._duration, _SHORTEST_LOOP_S)

    def _take_due(self) -> None:
        run = self.run
        if run is None:
            self._due = math.inf
            return
        record = self._reading(self._due)
        kept = run.buffer.append(record)
        if run.sweep is not None:
            self._next_point(run.sweep, bool(record.flags & IN_LIMIT))
            return
        run.remaining -= 1
        self._due += run.interval
        if not kept or run.remaining <= 0 or self._due > run.end_time:
            self.abort()

    def _next_point(self, at: SweepRun, limited: bool) -> None:
        """Go on to the next level, or end with the output off, as the trigger model of a sweep does."""
        sweep = at.sweep
        at.point += 1
        if at.point == len(sweep.levels):
            at.point, at.turn = 0, at.turn + 1
        over = at.point == 0 and sweep.count and at.turn > sweep.count
        if over or (limited and sweep.fail_abort):
            self.abort()
            self.set_output(False)
            return
        self.set_level(sweep.function, sweep.levels[at.point])
        self._await_point(sweep.delay, self._due)

    def finish(self) -> None:
        """``*WAI`` and ``*OPC?``: be at work until the trigger model is idle. One without end is not waited for."""
        while (run := self.run) is not None and self._ends(run):
            self._go_to(self._due)
            self._free_at = max(self._free_at, self._now)

    @staticmethod
    def _ends(run: TriggerRun) -> bool:
        if run.sweep is not None:
            return run.sweep.sweep.count > 0
        return run.remaining < math.inf or run.end_time < math.inf

    def abort(self) -> None:
        """``:ABOR``: stop the trigger model."""
        self.run = None
        self._due = math.inf


def cover(function: str, magnitude: float) -> float:
    """Return the full scale of the lowest range that takes a magnitude."""
    ranges = RANGES[function]
    return ranges[min(bisect_left(_LEVELS[function], magnitude), len(ranges) - 1)]


def covering(function: str, value: float) -> float:
    """Return the lowest range for a value that a controller asks for. Raises -222 beyond the highest."""
    if not 0 <= value <= _LEVELS[function][-1]:
        raise ScpiError(-222)
    ranges = RANGES[function]
    # A range is selected by values up to its name; 105 % of it is for signals, not for names.
    return ranges[min(bisect_left(ranges, value * (1 - 1e-12)), len(ranges) - 1)]


def auto_delay(function: SourceFunction, source: Source) -> float:
    """Return what a source with autodelay waits for after a change, s (manual 2-111)."""
    amps = source.range if function == "CURR" else cover("CURR", source.limit)
    number = CURRENT_RANGES.index(amps)
    table = _AUTO_DELAY_HIGH_CAPACITANCE_S if source.high_capacitance else _AUTO_DELAY_S
    doubled = function == "CURR" and amps == CURRENT_RANGES[-1] and not source.high_capacitance
    return table[number] * (2.0 if doubled else 1.0)
