"""Source-measure units of the Keithley 2400 series: what they do to the cell and what they see. Knows no bytes.

Source: user's manual 2400S-900-01 (page numbers below).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from galvanode.clock import process_clock
from galvanode_simulator.cells import Cell
from galvanode_simulator.keithley2400.models import MODELS, Model
from galvanode_simulator.parts.converter import OVER_RANGE, OVERFLOW
from galvanode_simulator.parts.smu import (
    OPEN,
    POWER_LINE_HZ,
    Drive,
    OffState,
    SourceFunction,
    SourceMeasureUnit,
    converters,
    covering,
    named,
)
from galvanode_simulator.scpi_status import ScpiError

SenseFunction = Literal["VOLT", "CURR", "RES"]
SourceMode = Literal["FIX", "SWE", "LIST"]

NOT_A_NUMBER = 9.91e37
MOST_READINGS = 2500
OVERFLOWED, FILTERED, FRONT, IN_COMPLIANCE, PROTECTED = 1, 2, 4, 8, 16
VOLTS_MEASURED, AMPS_MEASURED, OHMS_MEASURED, VOLTS_SOURCED, AMPS_SOURCED = 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15
IN_RANGE_COMPLIANCE, FOUR_WIRE = 1 << 16, 1 << 22
"""Bits of a reading's status word (18-51)."""

_CONVERSION = {"CURR": (1e-5, 3e-6, 1e-11), "VOLT": (5e-6, 1e-6, 1e-6), "RES": (5e-6, 3e-6, 1e-5)}
"""Default resolution is 1 uV on 200 mV and 10 pA on 1 uA (specifications, 5 1/2 digits)."""
_AUTOZERO = 2
"""Conversions of reference and zero beside those of the signals, while autozero is on."""
_OFF_LIMIT = 0.005
"""Of full scale: limit of the NORMAL, ZERO and GUARD off-states (13-9)."""
_SMALLEST_LIMIT = 0.001
"""Of the measure range: compliance cannot be less (18-68)."""
_RELAY_S = 0.015
"""The output relay of the high-impedance off-state settles."""
_AUTO_DELAY_S = 0.001
"""Source autodelay on ranges of 100 uA and above; below, it grows (3-13)."""
_SLOW_DELAY_S = {1e-6: 0.003, 1e-5: 0.002}
_TIMER_WRAPS_S = 100_000.0


@dataclass
class Source:
    """Settings of one source function."""

    ranges: tuple[float, ...]
    range: float
    level: float = 0.0
    triggered: float | None = None
    range_auto: bool = True
    mode: SourceMode = "FIX"
    start: float = 0.0
    stop: float = 0.0
    step: float | None = None
    listed: list[float] = field(default_factory=lambda: [0.0])


@dataclass
class Sense:
    """Settings of one measure function."""

    ranges: tuple[float, ...]
    range: float
    range_auto: bool = True
    lower_limit: float = 0.0
    compliance: float = 0.0
    """V or A; of a source of the other function."""


class Reading(NamedTuple):
    """One source-measure operation: all elements that ``:FORM:ELEM`` can ask for."""

    time: float
    """s of the process clock."""
    volts: float
    amps: float
    ohms: float
    status: int


class Keithley2400Unit(SourceMeasureUnit):
    """State of the instrument and its cell."""

    def __init__(
        self,
        cell: Cell,
        seed: int = 0,
        temperature: Callable[[], float] | None = None,
        lead_resistance: float = 0.1,
        *,
        model: Model = MODELS["2400"],
        ideal: bool = False,
    ) -> None:
        self.model = model
        self.ranges = {"VOLT": model.voltages, "CURR": model.currents, "RES": model.resistances}
        super().__init__(cell, converters(self.ranges, _CONVERSION, seed, ideal), temperature, lead_resistance)
        self.switched_on = self._now
        self.buffer: list[Reading] = []
        self.buffer_size = 100
        self.buffer_feeds = False
        self.latest: list[Reading] = []
        """What the last ``:INIT`` or ``:READ?`` took."""
        self._path: list[float] = []
        """Levels of a sweep; none for a fixed source."""
        self._remaining = 0.0
        self._armed = False
        """Waits for a trigger from the bus or the front panel."""
        self.new_reading: Callable[[Reading], None] = lambda _: None
        self.reset()

    def reset(self) -> None:
        """``*RST``: output off, NORMAL off-state, default settings. The buffer and the timer are left alone."""
        self.abort()
        self.set_output(False)
        self.source_function: SourceFunction = "VOLT"
        self.sources = {name: Source(self.ranges[name], self.ranges[name][0]) for name in ("CURR", "VOLT")}
        self.senses = {
            "CURR": Sense(self.ranges["CURR"], covering(self.ranges["CURR"], 105e-6), compliance=105e-6),
            "VOLT": Sense(self.ranges["VOLT"], covering(self.ranges["VOLT"], 21.0), compliance=21.0),
            "RES": Sense(self.ranges["RES"], 2.0e5),
        }
        self.measured: tuple[SenseFunction, ...] = ("CURR",)
        self.concurrent = True
        self.over_voltage = None
        self.off_state: OffState = "NORM"
        self.nplc = 1.0
        self.autozero = True
        self.four_wire = False
        self.terminals = "FRON"
        self.filter_on, self.filter_type, self.filter_count = False, "REP", 10
        self.delay, self.delay_auto = 0.0, True
        self.output_auto_off = False
        self.arm_count, self.trigger_count, self.trigger_delay = 1.0, 1, 0.0
        self.arm_source, self.arm_timer = "IMM", 0.1
        self.sweep_spacing, self.sweep_points, self.sweep_up = "LIN", MOST_READINGS, True
        self._unsettled = False
        self.settings_changed()

    # Output and source

    def settings_changed(self) -> None:
        """Work out what the terminals do and what a reading needs. Call after a change of any setting."""
        source = self.sources[self.source_function]
        self._relay_open = not self.output and self.off_state == "HIMP"
        self._drive = self._driven(source) if self.output else self._at_rest(source)
        signals = max(1, len(self.measured))
        repeated = self.filter_count if self.filter_on and self.filter_type == "REP" else 1
        self._duration = self.nplc / POWER_LINE_HZ * (signals + (_AUTOZERO if self.autozero else 0)) * repeated
        self._averaging = 1.0 / math.sqrt(self.nplc * (self.filter_count if self.filter_on else 1))

    def _driven(self, source: Source) -> Drive:
        return self.source(self.source_function, source.level, min(self.compliance()))

    def compliance(self) -> tuple[float, float]:
        """Return real and range compliance of the present source: V for a current, A for a voltage (6-2)."""
        sense = self.senses["VOLT" if self.source_function == "CURR" else "CURR"]
        return sense.compliance, math.inf if sense.range_auto else OVER_RANGE * sense.range

    def _at_rest(self, source: Source) -> Drive:
        """What the terminals do with the output off (13-9)."""
        if self.off_state == "HIMP":
            return OPEN
        if self.off_state == "GUAR":
            return ("CURR", 0.0, _OFF_LIMIT * self._present_range("VOLT"))
        smallest = _OFF_LIMIT * self._present_range("CURR")
        if self.off_state == "NORM":
            return ("VOLT", 0.0, smallest)
        limit = self.senses["CURR"].compliance if self.source_function == "VOLT" else abs(source.level)
        return ("VOLT", 0.0, max(limit, smallest))

    def _present_range(self, function: SourceFunction) -> float:
        if function == self.source_function:
            return self.sources[function].range
        return covering(self.ranges[function], self.senses[function].compliance)

    def set_output(self, on: bool) -> None:
        """Switch the output; a stuck one stays on."""
        if not self.switch(on):
            return
        self._unsettled = on
        if self.off_state == "HIMP":
            self._spend(_RELAY_S)
        self.settings_changed()
        details: dict[str, Any] = {"on": on}
        if on:
            details |= {"function": self.source_function, "level": self.sources[self.source_function].level}
        else:
            details["off_state"] = self.off_state
        self._event("output", details)

    def select_source(self, function: SourceFunction) -> None:
        """Change the source function, which switches the output off."""
        if function != self.source_function:
            self.set_output(False)
            self.source_function = function
            self._fits(function, self.sources[function].range, min(self.compliance()))
            self.settings_changed()

    def set_level(self, function: SourceFunction, level: float) -> None:
        """Set the source's level, V or A."""
        source = self.sources[function]
        highest = OVER_RANGE * (source.ranges[-1] if source.range_auto else source.range)
        if not abs(level) <= highest * (1 + 1e-12):
            raise ScpiError(-222)
        full = covering(source.ranges, abs(level)) if source.range_auto else source.range
        self._fits(function, full, self._limit_of(function))
        self._unsettled |= level != source.level
        source.level, source.range = level, full
        self.settings_changed()
        self._event("level", {"function": function, "level": level, "on": self.output})

    def set_source_range(self, function: SourceFunction, value: float) -> None:
        """Choose the range that covers a value, and keep it."""
        source = self.sources[function]
        if not abs(value) <= OVER_RANGE * source.ranges[-1]:
            raise ScpiError(-222)
        full = covering(source.ranges, abs(value))
        self._fits(function, full, self._limit_of(function))
        source.range, source.range_auto = full, False
        source.level = math.copysign(min(abs(source.level), OVER_RANGE * full), source.level)
        self.settings_changed()

    def auto_source_range(self, function: SourceFunction, on: bool) -> None:
        """Let the source choose its range by its level, or keep the present one."""
        source = self.sources[function]
        source.range_auto = on
        if on:
            source.range = covering(source.ranges, abs(source.level))
        self.settings_changed()

    def set_compliance(self, function: SourceFunction, limit: float) -> None:
        """Set the limit of a source of the other function, measured as ``function``: V or A."""
        low = self.model.smallest_limit if function == "CURR" else 200e-6
        sense = self.senses[function]
        if not low <= abs(limit) <= OVER_RANGE * sense.ranges[-1] * (1 + 1e-12):
            raise ScpiError(-222)
        if not sense.range_auto and abs(limit) < _SMALLEST_LIMIT * sense.range:
            raise ScpiError(822, text="Too small for sense range")
        other: SourceFunction = "VOLT" if function == "CURR" else "CURR"
        self._fits(other, self.sources[other].range, abs(limit))
        sense.compliance = abs(limit)
        if not sense.range_auto:
            sense.range = min(sense.range, covering(sense.ranges, abs(limit)))
        self.settings_changed()
        self._event("limit", {"function": other, "limit": abs(limit)})

    def set_sense_range(self, function: SenseFunction, value: float) -> None:
        """Measure on the range that covers a value; no range above that of the compliance can be chosen (18-62)."""
        sense = self.senses[function]
        if not abs(value) <= OVER_RANGE * sense.ranges[-1]:
            raise ScpiError(-222)
        full = named(sense.ranges, abs(value))
        if function != "RES":
            if function == self.source_function:
                raise ScpiError(-221)
            if full > covering(sense.ranges, sense.compliance):
                raise ScpiError(824, text="Cannot exceed compliance range")
            if sense.compliance < _SMALLEST_LIMIT * full:
                raise ScpiError(822, text="Too small for sense range")
        sense.range, sense.range_auto = full, False
        self.settings_changed()

    def _limit_of(self, source: SourceFunction) -> float:
        return self.senses["VOLT" if source == "CURR" else "CURR"].compliance

    def _fits(self, function: SourceFunction, full: float, limit: float) -> None:
        """Raise error 826 for a range and a limit that no instrument of this power has together."""
        volts, amps = self.model.widest_voltage, self.model.widest_current
        beyond, most = (amps, volts) if function == "CURR" else (volts, amps)
        if full > beyond and limit > OVER_RANGE * most * (1 + 1e-9):
            raise ScpiError(826, text="Attempt to exceed power limit")

    def set_over_voltage(self, volts: float) -> None:
        """Set the protection: the highest level that is not above ``volts``, none beyond the last (18-81)."""
        levels, magnitude = self.model.protection, abs(volts)
        if magnitude > OVER_RANGE * self.model.voltages[-1]:
            raise ScpiError(-222)
        if magnitude > levels[-1]:
            self.over_voltage = None
        else:
            self.over_voltage = max((level for level in levels if level <= magnitude), default=levels[0])
        self.settings_changed()

    def set_off_state(self, state: OffState) -> None:
        """Set what the terminals do while the output is off."""
        self.off_state = state
        self.settings_changed()
        self._event("off_state", {"function": self.source_function, "off_state": state})

    # Readings

    def select(self, functions: tuple[SenseFunction, ...], on: bool = True) -> None:
        """Measure some functions, or no longer; without concurrent measurement only the last of them."""
        if on and not self.concurrent:
            self.measured = functions[-1:]
        elif on:
            self.measured = (*self.measured, *(one for one in functions if one not in self.measured))
        else:
            self.measured = tuple(one for one in self.measured if one not in functions)
        self.settings_changed()

    def initiate(self) -> None:
        """``:INIT``: go through the trigger model. Raises 803 with the output off, -213 while it runs."""
        if self.running:
            raise ScpiError(-213)
        if not self.output:
            if not self.output_auto_off:
                raise ScpiError(803, text="Not permitted with OUTPUT off")
            self.set_output(True)
        self.latest = []
        self._path = self._levels()
        self._remaining = self.arm_count * self.trigger_count
        self._armed = self.arm_source in ("BUS", "MAN", "TLIN")
        if not self._armed:
            self._plan(self._ready_at())

    @property
    def running(self) -> bool:
        """Whether the trigger model has left idle."""
        return self._due < math.inf or self._armed

    @property
    def endless(self) -> bool:
        """Whether only a trigger or ``:ABOR`` brings it on."""
        return self._armed or (self.running and math.isinf(self._remaining))

    def trigger(self) -> bool:
        """``*TRG``: pass the arm layer that waits for the bus; return whether it did."""
        if not self._armed:
            return False
        self._armed = False
        self._plan(self._ready_at())
        return True

    def finish(self) -> None:
        """Be at work until the trigger model is idle again."""
        while self._due < math.inf and not math.isinf(self._remaining):
            self._go_to(self._due)

    def abort(self) -> None:
        """``:ABOR``: back to idle."""
        self._due, self._armed, self._remaining = math.inf, False, 0.0

    def autozero_once(self) -> None:
        """Measure reference and zero once."""
        self._spend(_AUTOZERO * self.nplc / POWER_LINE_HZ)

    def _levels(self) -> list[float]:
        """Levels that the trigger model steps through; none for a fixed source."""
        source = self.sources[self.source_function]
        if source.mode == "LIST":
            return list(source.listed)
        if source.mode == "FIX":
            return []
        points = self.sweep_points
        if source.step:
            points = math.floor(abs(source.stop - source.start) / abs(source.step) + 1e-9) + 1
        last = max(1, points - 1)
        if self.sweep_spacing == "LOG":
            if source.start * source.stop <= 0:
                raise ScpiError(-221)
            ratio = source.stop / source.start
            levels = [source.start * ratio ** (number / last) for number in range(points)]
        else:
            span = source.stop - source.start
            levels = [source.start + span * number / last for number in range(points)]
        return levels if self.sweep_up else levels[::-1]

    def _plan(self, start: float) -> None:
        """Trigger delay, source, source delay, measure (6-7)."""
        start += self.trigger_delay
        if self._path:
            level = self._path[len(self.latest) % len(self._path)]
            self.set_level(self.source_function, level)
        if self._unsettled:
            self._unsettled = False
            if self._awaited:
                start += self._auto_delay() if self.delay_auto else self.delay
        self._due = start

    def _auto_delay(self) -> float:
        return _SLOW_DELAY_S.get(self._present_range("CURR"), _AUTO_DELAY_S)

    def _take_due(self) -> None:
        start = self._due
        reading = self._reading(start)
        self.latest.append(reading)
        if len(self.latest) > MOST_READINGS:
            del self.latest[0]
        self._store(reading)
        self.new_reading(reading)
        self._remaining -= 1
        if self._remaining > 0:
            pause = self.arm_timer if self.arm_source == "TIM" else 0.0
            self._plan(start + max(self._duration, pause))
            return
        self._due = math.inf
        self._free_at = max(self._free_at, start + self._duration)
        if self.output_auto_off:
            self.set_output(False)

    def _store(self, reading: Reading) -> None:
        if self.buffer_feeds:
            self.buffer.append(reading)
            self.buffer_feeds = len(self.buffer) < self.buffer_size

    def _reading(self, at: float) -> Reading:
        volts, amps, limited = self.terminals_now()
        if self._relay_open:
            volts = amps = 0.0
        four_wire = self.four_wire and self.output
        seen = volts if four_wire else volts + amps * self.lead_resistance
        seen_volts = self._digits("VOLT", seen, self.cell.voltage_noise)
        seen_amps = self._digits("CURR", amps)
        if self.freeze_readings:
            seen_volts, seen_amps = self._frozen(seen_volts, seen_amps)
        ohms = self._digits("RES", seen / amps if amps else OVERFLOW) if "RES" in self.measured else NOT_A_NUMBER
        status = self._status(limited, four_wire, (seen_volts, seen_amps, ohms))
        return Reading(self._stamp(at), seen_volts, seen_amps, ohms, status)

    def _digits(self, function: SenseFunction, true: float, noise: float = 0.0) -> float:
        """Return what is read of a quantity; one that is only sourced reads as it was programmed (18-50)."""
        if function not in self.measured:
            return self.sources[function].level if function == self.source_function else NOT_A_NUMBER
        sense = self.senses[function]
        if function == self.source_function:
            fixed = sense.ranges.index(self.sources[function].range)
        else:
            fixed = None if sense.range_auto else sense.ranges.index(sense.range)
        return self._converters[function].digitise(true, fixed, 0, self._averaging, noise)

    def _status(self, limited: bool, four_wire: bool, values: tuple[float, ...]) -> int:
        real, of_range = self.compliance()
        protected = self.over_voltage is not None and self.over_voltage_acts()
        held = limited and self.output and not protected
        return (
            (OVERFLOWED if any(OVERFLOW <= abs(value) < NOT_A_NUMBER for value in values) else 0)
            | (FILTERED if self.filter_on else 0)
            | (FRONT if self.terminals == "FRON" else 0)
            | (IN_COMPLIANCE if held and real <= of_range else 0)
            | (IN_RANGE_COMPLIANCE if held and real > of_range else 0)
            | (PROTECTED if protected else 0)
            | (VOLTS_MEASURED if "VOLT" in self.measured else 0)
            | (AMPS_MEASURED if "CURR" in self.measured else 0)
            | (OHMS_MEASURED if "RES" in self.measured else 0)
            | (VOLTS_SOURCED if self.source_function == "VOLT" else AMPS_SOURCED)
            | (FOUR_WIRE if four_wire else 0)
        )

    def timer(self, time: float) -> float:
        """Return the instrument's time stamp of a time, s: counted from power on, back to zero after 100,000 s."""
        return (time - self.switched_on) % _TIMER_WRAPS_S

    def reset_timer(self) -> None:
        """``:SYST:TIME:RES``."""
        self.switched_on = max(self._now, process_clock().now())
