"""A source-measure unit at a cell: time, source, limits and converters, whatever language it speaks."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from galvanode.clock import process_clock
from galvanode_simulator.cells import Cell
from galvanode_simulator.faults import Fault
from galvanode_simulator.noise import gaussian, seeded
from galvanode_simulator.parts.converter import OVER_RANGE, Converter, IdealConverter
from galvanode_simulator.parts.drive import (
    at_terminals_of_current,
    at_terminals_of_voltage,
    drive_current,
    drive_voltage,
)

SourceFunction = Literal["CURR", "VOLT"]
OffState = Literal["NORM", "HIMP", "ZERO", "GUAR"]
Drive = tuple[SourceFunction, float, float]
"""What the terminals do: function, level, limit."""
Conversion = tuple[float, float, float]
"""Resolution and noise as parts of full scale, noise floor (rms at one power line cycle)."""

OPEN: Drive = ("CURR", 0.0, math.inf)
"""The relay is open."""
POWER_LINE_HZ = 50.0
_BETWEEN_READINGS_S = 1e-3
"""By which two readings differ in time at least, where nobody waits for either."""
_GAIN_ERROR = 3e-5
"""Scatter of calibration, far inside the 0.01 % and more of the data sheets."""


class SourceMeasureUnit:
    """What it does to the cell and what it sees of it. All numbers in SI; time from the process clock.

    A family's own model sets ``_drive`` whenever a setting changes, and takes its readings. The instrument's time
    goes ahead of the process clock while it is at work: ``busy`` tells by how much.
    """

    output: bool

    def __init__(
        self,
        cell: Cell,
        converters: Mapping[str, Converter],
        temperature: Callable[[], float] | None = None,
        lead_resistance: float = 0.1,
    ) -> None:
        self.cell = cell
        self.temperature = temperature
        """Of the cell, K; None leaves the cell at 25 degC."""
        self.lead_resistance = lead_resistance
        """ohm; seen in two-wire measurements."""
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        cell.on_event = self._event
        self._converters = converters
        # Faults that the model itself has to play.
        self.stuck_output = False
        self.frozen_reading: tuple[float, float] | None = None
        self.freeze_readings = False
        self.freeze_time = False

        self.output = False
        self.over_voltage: float | None = None
        """V; None for no protection."""
        self._drive: Drive = OPEN
        self._now = self._clock = process_clock().now()
        """Up to when the cell has lived, and what the process clock said when it was looked at last."""
        self._free_at = self._now
        """When it will have done what it was told."""
        self._awaited = False
        """The link to it waits while it is at work. Nobody waits in process, where the time of a jumping clock stands
        still meanwhile: there the cell must not live ahead of it, or charge would pass that nobody can count."""
        self._stamped = self._now
        self._due = math.inf
        """When the next reading of a running trigger model is complete."""

    # Time

    def advance(self) -> None:
        """Let the cell live until now; a running trigger model takes its readings on the way."""
        now = process_clock().now()
        if now < self._clock:  # a clock that begins anew
            self._now = self._free_at = now
        self._clock = now
        self._go_to(now)

    def busy(self) -> float:
        """Seconds of process time until it has done what it was told; whoever asks waits for so long."""
        self._awaited = True
        return max(0.0, self._free_at - process_clock().now())

    def _go_to(self, time: float) -> None:
        """Let the cell live until a time, which may lie ahead of the process clock while the instrument is at work."""
        while self._due <= time:
            due = self._due
            self._live(due - self._now)
            self._now = max(self._now, due)
            self._take_due()
        if time > self._now:
            self._live(time - self._now)
            self._now = time

    def _take_due(self) -> None:
        """Take the reading that is due, and say when the next one is."""
        self._due = math.inf

    def _ready_at(self) -> float:
        """When it can begin with something new."""
        return max(self._now, self._free_at) if self._awaited else self._now

    def _stamp(self, at: float) -> float:
        """Return the time of a reading, which never stands still by itself."""
        if not self.freeze_time:
            self._stamped = max(at, self._stamped + _BETWEEN_READINGS_S)
        return self._stamped

    def _spend(self, seconds: float) -> None:
        """Be at work for a time on top of what is under way."""
        self._free_at = max(self._now, self._free_at) + seconds

    def _live(self, duration: float) -> None:
        if duration <= 0.0:
            return
        cell = self.cell
        if self.temperature is not None:
            cell.set_temperature(self.temperature())
        kind, level, limit = self._drive
        if kind == "CURR":
            drive_current(cell, level, limit, duration)
        else:
            drive_voltage(cell, level, limit, duration)

    # Source

    def source(self, function: SourceFunction, level: float, limit: float) -> Drive:
        """Return what the terminals do while the output is on, over-voltage protection included."""
        protection = math.inf if self.over_voltage is None else self.over_voltage
        if function == "CURR":
            return ("CURR", level, min(limit, protection))
        return ("VOLT", math.copysign(min(abs(level), protection), level), limit)

    def terminals_now(self) -> tuple[float, float, bool]:
        """Return true voltage (V), true current (A) and whether the limit acts."""
        kind, level, limit = self._drive
        if kind == "CURR":
            return at_terminals_of_current(self.cell, level, limit)
        return at_terminals_of_voltage(self.cell, level, limit)

    def over_voltage_acts(self) -> bool:
        """Whether the output is held at the protection level."""
        if self.over_voltage is None or not self.output:
            return False
        return abs(self.terminals_now()[0]) >= self.over_voltage * (1 - 1e-6)

    def switch(self, on: bool) -> bool:
        """Switch the output, and return whether that changed it; a stuck one stays on."""
        if self.stuck_output and self.output and not on:
            self._event("output_stuck", {})
            return False
        changed = on != self.output
        self.output = on
        return changed

    # Faults and events

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the model."""
        match fault.kind:
            case "frozen_reading":
                self.freeze_readings = on
                self.frozen_reading = None
            case "frozen_time":
                self.freeze_time = on
            case "stuck_output":
                self.stuck_output = on
            case _:
                pass

    def _frozen(self, first: float, second: float) -> tuple[float, float]:
        """Return the pair of readings at which they are frozen."""
        if self.frozen_reading is None:
            self.frozen_reading = (first, second)
        return self.frozen_reading

    def _event(self, kind: str, details: dict[str, Any]) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)


def converters(
    ranges: Mapping[str, Sequence[float]], conversion: Mapping[str, Conversion], seed: int, ideal: bool
) -> dict[str, Converter]:
    """Return the converters of an instrument: its calibration and its noise come from the seed."""
    if ideal:
        return {name: IdealConverter(full) for name, full in ranges.items()}
    gauss, calibration = gaussian(seeded(seed, "noise")), gaussian(seeded(seed, "calibration"))
    return {
        name: Converter(full, *conversion[name], 1.0 + _GAIN_ERROR * calibration(), gauss)
        for name, full in ranges.items()
    }


def covering(ranges: Sequence[float], magnitude: float) -> float:
    """Return the lowest range that takes a magnitude, each up to 105 % of its name; the highest if none does."""
    levels = [OVER_RANGE * full for full in ranges]
    return ranges[min(bisect_left(levels, magnitude * (1 - 1e-12)), len(ranges) - 1)]


def named(ranges: Sequence[float], value: float) -> float:
    """Return the range that a controller asks for by a value: the lowest whose name is not below it."""
    return ranges[min(bisect_left(ranges, value * (1 - 1e-12)), len(ranges) - 1)]
