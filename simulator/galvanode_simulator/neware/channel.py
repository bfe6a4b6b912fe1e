"""One channel: runs a step file on its cell by itself, counts and records. Knows neither XML nor bytes.

It lives in ticks of 0.1 s of process time, whenever it is looked at: from one look to the next it finds in closed form
the first tick at which something happens (a record, an end, a protection), so that what it does depends neither on who
looks nor on how often. Noise is in the records, ends act on the mean: a channel filters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from galvanode.clock import process_clock
from galvanode_simulator.cells import Cell
from galvanode_simulator.neware.models import TICK_S, Model
from galvanode_simulator.neware.records import (
    LOG_CONTINUED,
    LOG_FINISHED,
    LOG_PAUSED,
    LOG_PROTECTED,
    LOG_STARTED,
    LOG_STOPPED,
    Layer,
    LogEntry,
    Row,
    Test,
)
from galvanode_simulator.neware.source import Source
from galvanode_simulator.neware.stepfile import FileStep, Kind, StepFile
from galvanode_simulator.neware.strides import LONGEST_STRIDE, first_tick, mean_of_decay, next_stride, ticks_of

Status = Literal["finish", "working", "stop", "protect", "pause"]
STARTABLE: frozenset[Status] = frozenset(("finish", "stop", "protect"))

_ROUNDING = 1e-9
_STRIDE_OF_POWER = 10


@dataclass
class _Position:
    """Where a running channel stands."""

    step: FileStep
    started: float
    """Process time of the step's tick 0."""
    tick: int = 0
    clamped: bool = False
    """A voltage that is to be held is not reached yet: the current is at its limit."""
    charge: float = 0.0
    energy: float = 0.0
    over_since: int | None = None
    """Tick since which a protection is violated."""
    stride: int = 1
    first: Row | None = None


class Channel:
    """A channel and its cell. SI; times from the process clock."""

    def __init__(
        self,
        cell: Cell,
        model: Model,
        seed: int = 0,
        temperature: Callable[[], float] | None = None,
        *,
        upload_lag: float = 0.0,
        ideal: bool = False,
    ) -> None:
        self.source = Source(cell, model, seed, temperature, ideal=ideal)
        self.model = model
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        cell.on_event = self._event
        self._upload_lag = upload_lag
        self.status: Status = "finish"
        self.test = Test(0, "")
        self.cycle = 1
        self.stuck_output = False
        self._file = StepFile(())
        self._turns: dict[int, int] = {}
        self._at: _Position | None = None
        self._paused_at: float | None = None
        self._seconds_before = 0.0
        """At work in the steps before this one."""
        self._now = process_clock().now()

    # What it is asked

    def start(self, file: StepFile, barcode: str) -> bool:
        """Begin; False if it is at work, or if the file asks for more than the unit has."""
        self.live_until(process_clock().now())
        if self.status not in STARTABLE or not all(self._within_reach(step) for step in file.steps):
            return False
        self.test = Test(self.test.number + 1, barcode)
        self.status, self.cycle, self._file, self._turns = "working", 1, file, {}
        self._seconds_before = 0.0
        self._log(LOG_STARTED)
        self._event("output", {"on": True})
        self._begin(1, self._now)
        return True

    def stop(self) -> bool:
        """End; False if nothing is at work."""
        self.live_until(process_clock().now())
        if self.status not in ("working", "pause"):
            return False
        if self.stuck_output:
            self._event("output_stuck", {})
            return True  # as it says; it goes on all the same
        self._end("stop", LOG_STOPPED)
        return True

    def pause(self) -> bool:
        """Open the circuit and hold the step, as somebody at the BTS client does; False if nothing is at work."""
        self.live_until(process_clock().now())
        if self.status != "working":
            return False
        self.status, self._paused_at = "pause", self._now
        self._log(LOG_PAUSED)
        self._event("output", {"on": False})
        return True

    def resume(self) -> bool:
        """Go on with the step that was paused; False if none is."""
        self.live_until(process_clock().now())
        if self.status != "pause" or self._at is None or self._paused_at is None:
            return False
        self._at.started += self._now - self._paused_at
        self.status, self._paused_at = "working", None
        self._log(LOG_CONTINUED)
        self._event("output", {"on": True})
        return True

    # What it shows

    @property
    def step(self) -> FileStep | None:
        """The step at work."""
        return None if self._at is None else self._at.step

    @property
    def counted(self) -> tuple[float, float, float]:
        """Seconds, C and J of the step at work."""
        at = self._at
        return (0.0, 0.0, 0.0) if at is None else (at.tick * TICK_S, at.charge, at.energy)

    @property
    def seconds_at_work(self) -> float:
        """Seconds since the start, less those of pauses; 0 where nothing is at work."""
        return 0.0 if self._at is None else self._seconds_before + self._at.tick * TICK_S

    @property
    def whole(self) -> bool:
        """Everything that was recorded can be fetched, and nothing more will be recorded."""
        return self.status in STARTABLE and self.test.shown(process_clock().now()) == len(self.test.rows)

    def measure(self) -> tuple[float, float]:
        """Voltage and current at this moment, as measured on average: the live reply has too few digits for noise."""
        volts, amps = self._terminals()
        return self.source.seen_voltage(volts), self.source.seen_current(amps)

    # Time

    def live_until(self, time: float) -> None:
        """Let the cell live; a time that has passed already does nothing."""
        while self.status == "working" and self._at is not None:
            ticks = math.floor((time - self._at.started) / TICK_S + _ROUNDING) - self._at.tick
            if ticks < 1:
                return
            self._work(self._at, ticks)
        if time > self._now:
            self.source.warm()
            self.cell.hold_current(0.0, time - self._now)
            self._now = time

    def _work(self, at: _Position, ticks: int) -> None:
        """Let at most so many ticks pass, up to the first at which something happens."""
        self.source.warm()
        if self._drives_voltage(at):
            self._hold_voltage(at, ticks)
        else:
            self._hold_current(at, ticks)
        self._look(at)

    def _hold_current(self, at: _Position, ticks: int) -> None:
        amps = self.source.current(at.step)
        longest = _STRIDE_OF_POWER if at.step.power is not None else LONGEST_STRIDE
        ticks = min(ticks, longest, self._ticks_to_time(at), self._ticks_to_charge(at, amps))
        if at.over_since is not None:
            ticks = 1
        happens = self._voltage_events(at)
        if ticks > 1 and happens(self.cell.voltage_after(amps, ticks * TICK_S)):
            ticks = first_tick(lambda n: happens(self.cell.voltage_after(amps, n * TICK_S)), ticks)
        before = self.cell.voltage(amps)
        self.cell.hold_current(amps, ticks * TICK_S)
        self._pass(at, ticks)
        seen = self.source.seen_current(amps)
        volts = 0.5 * (self.source.seen_voltage(before) + self.source.seen_voltage(self.cell.voltage(amps)))
        at.charge += abs(seen) * ticks * TICK_S
        at.energy += abs(seen * volts) * ticks * TICK_S

    def _hold_voltage(self, at: _Position, ticks: int) -> None:
        volts = self.source.voltage(at.step)
        ticks = 1 if at.over_since is not None else min(ticks, at.stride, self._ticks_to_time(at))
        before = self.source.driven(at.step, self.cell.current(volts))
        left = ticks * TICK_S
        if before == 0.0:
            self.cell.hold_current(0.0, left)
        else:
            while left > 1e-9:
                left -= self.cell.hold_voltage(volts, left)
        self._pass(at, ticks)
        after = self.source.driven(at.step, self.cell.current(volts))
        charge = (
            mean_of_decay(abs(self.source.seen_current(before)), abs(self.source.seen_current(after))) * ticks * TICK_S
        )
        at.charge += charge
        at.energy += charge * abs(self.source.seen_voltage(volts))
        at.stride = next_stride(abs(before), abs(after), ticks, at.step.stop_current)

    def _pass(self, at: _Position, ticks: int) -> None:
        at.tick += ticks
        self._now = at.started + at.tick * TICK_S

    # What is driven

    @property
    def cell(self) -> Cell:
        """The cell at the terminals."""
        return self.source.cell

    def _drives_voltage(self, at: _Position) -> bool:
        return at.step.voltage is not None and at.step.kind.sign != 0 and not at.clamped

    def _terminals(self) -> tuple[float, float]:
        """True voltage and current now."""
        at = self._at
        if at is None or self.status != "working":
            return self.cell.voltage(0.0), 0.0
        if self._drives_voltage(at):
            return self.source.at_voltage(at.step)
        amps = self.source.current(at.step)
        return self.cell.voltage(amps), amps

    # When something happens

    def _ticks_to_time(self, at: _Position) -> int:
        """Ticks to the next record by time and to the end by time; 1 or more."""
        ends = [LONGEST_STRIDE]
        if at.step.time is not None:
            ends.append(ticks_of(at.step.time) - at.tick)
        if at.step.record.time is not None:
            every = max(1, ticks_of(at.step.record.time))
            ends.append(every - at.tick % every)
        return max(1, min(ends))

    def _ticks_to_charge(self, at: _Position, amps: float) -> int:
        seen = abs(self.source.seen_current(amps))
        bounds = [bound for bound in (at.step.charge, at.step.protect.charge_max) if bound is not None]
        if not bounds or seen == 0.0:
            return LONGEST_STRIDE
        return max(1, math.ceil((min(bounds) - at.charge) / (seen * TICK_S) - _ROUNDING))

    def _voltage_events(self, at: _Position) -> Callable[[float], bool]:
        """Return the test whether at a true voltage something happens: an end, a protection, a record."""
        step, protect = at.step, at.step.protect
        lows = [bound for bound in (protect.voltage_min, self.model.voltage[0]) if bound is not None]
        highs = [bound for bound in (protect.voltage_max, self.model.voltage[1]) if bound is not None]
        if step.kind is Kind.REST:
            lows.remove(self.model.voltage[0])  # an open circuit may have any voltage
        stop = step.voltage if at.clamped else step.stop_voltage
        if stop is not None:
            (highs if step.kind.sign > 0 else lows).append(stop)
        last, change = self.test.rows[-1].voltage, step.record.voltage
        if change is not None:
            lows.append(last - change * (1.0 - _ROUNDING))
            highs.append(last + change * (1.0 - _ROUNDING))
        low, high = max(lows, default=-math.inf), min(highs, default=math.inf)
        seen = self.source.seen_voltage
        return lambda volts: not low < seen(volts) < high

    def _look(self, at: _Position) -> None:
        """Measure, record, and do what follows from it."""
        volts, amps = self._terminals()
        seen, seen_amps = self.source.seen_voltage(volts), self.source.seen_current(amps)
        if self._violated(at, seen, seen_amps):
            at.over_since = at.tick if at.over_since is None else at.over_since
            if (at.tick - at.over_since) * TICK_S >= at.step.protect.delay - _ROUNDING:
                self._record(at, *self.source.read(volts, amps))
                self._end("protect", LOG_PROTECTED)
                return
        else:
            at.over_since = None
        if at.clamped and self._reached(at.step.voltage, seen, at.step.kind.sign):
            at.clamped, at.stride = False, 1
        elif stop := self._ended(at, seen, seen_amps):
            self._record(at, *_as_ended(at.step, stop, *self.source.read(volts, amps)))
            self._next(at)
            return
        if self._to_be_recorded(at, seen, seen_amps):
            self._record(at, *self.source.read(volts, amps))

    @staticmethod
    def _reached(bound: float | None, volts: float, sign: int) -> bool:
        return bound is not None and sign * (volts - bound) >= -_ROUNDING

    def _ended(self, at: _Position, volts: float, amps: float) -> str:
        """What has ended the step; empty if nothing has."""
        step = at.step
        if step.time is not None and at.tick >= ticks_of(step.time):
            return "time"
        if step.charge is not None and at.charge >= step.charge * (1.0 - _ROUNDING):
            return "charge"
        if step.kind.sign and self._reached(step.stop_voltage, volts, step.kind.sign):
            return "voltage"
        if step.stop_current is not None and not at.clamped and abs(amps) <= step.stop_current:
            return "current"
        return ""

    def _violated(self, at: _Position, volts: float, amps: float) -> bool:
        protect, low, high = at.step.protect, *self.model.voltage
        bounds = (
            volts > high * (1.0 + _ROUNDING),
            amps != 0.0 and volts < low - _ROUNDING,
            protect.voltage_max is not None and volts > protect.voltage_max,
            protect.voltage_min is not None and volts < protect.voltage_min,
            protect.current_max is not None and amps > protect.current_max * (1.0 + _ROUNDING),
            protect.current_min is not None and amps < protect.current_min * (1.0 + _ROUNDING),
            protect.charge_max is not None and at.charge > protect.charge_max,
        )
        return any(bounds)

    def _to_be_recorded(self, at: _Position, volts: float, amps: float) -> bool:
        record, last = at.step.record, self.test.rows[-1]
        return (
            (record.time is not None and at.tick % max(1, ticks_of(record.time)) == 0)
            or (record.voltage is not None and abs(volts - last.voltage) >= record.voltage * (1.0 - _ROUNDING))
            or (record.current is not None and abs(amps - last.current) >= record.current * (1.0 - _ROUNDING))
        )

    # Steps

    def _begin(self, number: int, time: float) -> None:
        """Go to a step; loops take no time."""
        step = self._file.steps[number - 1]
        while step.kind is Kind.LOOP:
            step = self._file.steps[self._after_loop(step) - 1]
        if step.kind is Kind.END:
            self._end("finish", LOG_FINISHED)
            return
        self.test.steps_begun += 1
        at = self._at = _Position(step, time)
        if step.voltage is not None:
            amps = self.source.driven(at.step, self.cell.current(self.source.voltage(at.step)))
            at.clamped = abs(amps) > self.source.limit(step)
        self._event("step", {"step": step.number, "type": step.kind.word})
        self._record(at, *self.source.read(*self._terminals()))

    def _after_loop(self, loop: FileStep) -> int:
        turns = self._turns[loop.number] = self._turns.get(loop.number, 0) + 1
        if turns < loop.cycles:
            self.cycle += 1
            return loop.start_step
        self._turns[loop.number] = 0
        return loop.number + 1

    def _next(self, at: _Position) -> None:
        self._close(at)
        self._seconds_before += at.tick * TICK_S
        self._begin(at.step.number + 1, self._now)

    def _close(self, at: _Position) -> None:
        if at.first is not None:
            self.test.layers.append(Layer(at.first, self.test.rows[-1]))

    def _end(self, status: Status, code: int) -> None:
        """The program is over, however."""
        at = self._at
        if at is not None and status != "finish":
            if self.status == "working" and self.test.rows[-1].tick != at.tick:
                self._record(at, *self.source.read(*self._terminals()))
            self._close(at)
        was_on = self.status == "working"
        self.status, self._at, self._paused_at = status, None, None
        self._log(code)
        if was_on:
            self._event("output", {"on": False})

    # What it leaves

    def _record(self, at: _Position, volts: float, amps: float) -> None:
        clock = process_clock()
        unix = clock.unix() + (self._now - clock.now())
        row = Row(
            len(self.test.rows) + 1,
            at.step.number,
            self.cycle,
            at.step.kind.word,
            at.tick,
            unix,
            volts,
            amps,
            at.charge,
            at.energy,
        )
        self.test.rows.append(row)
        self.test.shown_at.append(self._now + self._upload_lag)
        at.first = at.first or row

    def _log(self, code: int) -> None:
        clock = process_clock()
        self.test.log.append(LogEntry(max(1, len(self.test.rows)), code, clock.unix() + (self._now - clock.now())))

    def _within_reach(self, step: FileStep) -> bool:
        low, high = self.model.voltage
        voltages = (step.voltage, step.stop_voltage)
        powers_ok = step.power is None or step.power <= self.model.current * self.model.voltage_range
        return (
            all(low <= volts <= high for volts in voltages if volts is not None)
            and (step.current is None or 0.0 < step.current <= self.model.current)
            and powers_ok
        )

    def _event(self, kind: str, details: dict[str, Any]) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)


def _as_ended(step: FileStep, stop: str, volts: float, amps: float) -> tuple[float, float]:
    """The measurement that has ended a step is the one that met the end: noise does not hide that."""
    if stop == "voltage" and step.stop_voltage is not None:
        return (max if step.kind.sign > 0 else min)(volts, step.stop_voltage), amps
    if stop == "current" and step.stop_current is not None:
        return volts, math.copysign(min(abs(amps), step.stop_current), amps)
    return volts, amps
