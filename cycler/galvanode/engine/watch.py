"""What becomes of a reading: is it to be trusted, what does it add up to, does it end the step, is it a sample."""

from __future__ import annotations

import math
from typing import Any

from galvanode.analysis.detectors import ShortCircuit
from galvanode.engine.position import Position
from galvanode.errors import GalvanodeError
from galvanode.instrument.reading import Reading
from galvanode.instrument.tasks import ImpedancePoint
from galvanode.recipe.program import Step, Window

_FROZEN_AFTER = 30
"""As many readings the same to the last digit in a row: no converter does that."""
TIME_TOLERANCE_S = 1e-6
_ZERO_CELSIUS = 273.15


class Tripped(GalvanodeError):
    """A limit was crossed, or a reading cannot be trusted: the run ends and is not resumed by itself."""


class Watch:
    """One attempt of one step, reading by reading. Times are process time, s; everything else is SI."""

    # ``take`` is the hot path of the engine: once per reading of every run. Hence plain attributes, and no calls
    # where arithmetic does.

    def __init__(
        self,
        step: Step,
        position: Position,
        rows: list[tuple[Any, ...]],
        *,
        setpoint: float | None,
        ends: list[tuple[str, bool, float, str]],
        detectors: list[tuple[str, ShortCircuit]],
        current_floor: float,
        test_origin: float,
        began: float,
    ) -> None:
        """``ends`` are (quantity, at least, value, text); ``began`` is when the set point was confirmed."""
        limits = step.limits
        self.step = step
        self.rows = rows
        self.fault: str | None = None
        self.left_loop: str | None = None
        self.record_all = False
        """Every reading is a sample: a sweep, or what an instrument streams at the interval it was asked for."""
        self.origin = began - position.step_time_s
        self._position = position
        self._ends = ends
        self._detectors = detectors
        self._test_origin = test_origin
        self._voltage_min, self._voltage_max = _low(limits.voltage.min), _high(limits.voltage.max)
        self._current_min, self._current_max = _low(limits.current.min), _high(limits.current.max)
        self._temperature_min, self._temperature_max = _low(limits.temperature.min), _high(limits.temperature.max)
        if step.mode in ("voltage", "sweep"):  # where the instrument's limit acts, its own error must not trip the run
            self._current_min -= 0.01 * abs(self._current_min)
            self._current_max += 0.01 * abs(self._current_max)
        self._resting = step.mode == "rest"
        self._held = setpoint if step.mode == "current" else 0.0 if self._resting else None
        self._tolerance = 0.0 if self._held is None else max(0.02 * abs(self._held), current_floor)
        self.end_time = min((v for q, least, v, _ in ends if q == "time" and least), default=math.inf)
        self._end_charge = min((v for q, least, v, _ in ends if q == "charge" and least), default=math.inf)
        every, dv, di = step.record.every_s, step.record.voltage_change, step.record.current_change
        self._record_every = math.inf if every is None else every
        self._voltage_change = math.inf if dv is None else dv
        self._current_change = math.inf if di is None else di
        self._next_record = -math.inf
        self._recorded_voltage = self._recorded_current = math.inf
        self._last = began
        self._voltage = self._current = math.nan
        self._instrument_time = -math.inf
        self._same = 0
        self._first = True

    def take(
        self, reading: Reading, now: float, unix: float, temperature: float | None, asked: str | None
    ) -> str | None:
        """Take one reading; return why the step ends with it, or None.

        ``asked`` is why the step ends if it does not end by itself. A reading that cannot be trusted sets ``fault``;
        it is a sample all the same. Raises ``Tripped`` for a reading that cannot even be stored.
        """
        voltage, current, instrument_time, in_compliance, tripped = reading
        p, held, first = self._position, self._held, self._first

        # Trust: is this a new, true measurement of what was asked for?
        fault = None
        if tripped is not None:
            fault = f"the instrument reports: {tripped}"
        elif held is not None and in_compliance:
            fault = f"the instrument's voltage limit acts at {voltage:.4g} V: the current is not held"
        elif not self._voltage_min <= voltage <= self._voltage_max:  # also true for NaN
            fault = _outside("voltage", voltage, "V", self._voltage_min, self._voltage_max)
        elif not self._current_min <= current <= self._current_max:
            fault = _outside("current", current, "A", self._current_min, self._current_max)
        elif temperature is not None and not self._temperature_min <= temperature <= self._temperature_max:
            fault = _outside("temperature", temperature, "K", self._temperature_min, self._temperature_max)
        elif held is not None and not abs(current - held) <= self._tolerance:
            fault = f"the current is {current:.4g} A; {held:.4g} A is asked for"
        if instrument_time is not None:
            if fault is None and instrument_time <= self._instrument_time:
                fault = "the instrument sent the same measurement twice: its own time stands still"
            self._instrument_time = instrument_time
        if voltage == self._voltage and current == self._current:
            self._same += 1
            if self._same >= _FROZEN_AFTER:
                fault = f"readings are frozen at {voltage:.6g} V, {current:.6g} A"
        else:
            self._same = 0
        if fault is not None and not (math.isfinite(voltage) and math.isfinite(current)):
            raise Tripped(fault)

        # Count: trapezoids between readings, charge and discharge apart.
        if first:
            self._voltage, self._current = voltage, current
        elapsed = now - self._last
        charge = 0.5 * (current + self._current) * elapsed
        energy = 0.5 * (voltage * current + self._voltage * self._current) * elapsed
        if charge >= 0:
            p.charge_c += charge
            p.charge_energy_j += energy
            p.step_charge_c += charge
        else:
            p.discharge_c -= charge
            p.discharge_energy_j -= energy
            p.step_charge_c -= charge
        p.step_energy_j += abs(energy)
        self._last, self._voltage, self._current = now, voltage, current
        p.step_time_s = step_time = now - self.origin
        p.test_time_s = test_time = now - self._test_origin
        p.unix_time_s = unix

        # Ends, in the recipe's order; then the detectors; then what people asked for.
        reason = fault
        if fault is None:
            for quantity, at_least, value, text in self._ends:
                if quantity == "time":
                    reached = step_time >= value - TIME_TOLERANCE_S
                elif quantity == "charge":
                    reached = p.step_charge_c >= value * (1 - 1e-9)
                elif quantity == "energy":
                    reached = p.step_energy_j >= value
                else:
                    measured = self._measured(quantity, voltage, current, temperature)
                    reached = measured >= value if at_least else measured <= value
                if reached:
                    reason = text
                    break
            for loop_id, detector in self._detectors:
                detected = detector.update(test_time, voltage, 0.0 if self._resting else current, p.step_count)
                if detected is not None:
                    reason, self.left_loop = detected, loop_id
                    break
            if reason is None:
                reason = asked

        # Record.
        if (
            first
            or reason is not None
            or self.record_all
            or step_time >= self._next_record - TIME_TOLERANCE_S
            or abs(voltage - self._recorded_voltage) >= self._voltage_change
            or abs(current - self._recorded_current) >= self._current_change
        ):
            p.samples += 1
            self.rows.append(
                (
                    test_time,
                    unix,
                    voltage,
                    current,
                    p.cycle,
                    p.step_count,
                    self.step.step_id,
                    step_time,
                    None if temperature is None else temperature - _ZERO_CELSIUS,
                    p.charge_c / 3600,
                    p.discharge_c / 3600,
                    p.charge_energy_j / 3600,
                    p.discharge_energy_j / 3600,
                    p.samples,
                    None,
                    None,
                    None,
                )
            )
            self._recorded_voltage, self._recorded_current = voltage, current
            if step_time >= self._next_record - TIME_TOLERANCE_S:
                every = self._record_every
                self._next_record = (math.floor(step_time / every + 1e-9) + 1) * every if every < math.inf else math.inf
        self._first = False
        self.fault = fault
        return reason

    def take_impedance(self, point: ImpedancePoint, now: float, unix: float, temperature: float | None) -> None:
        """Take one frequency of a spectrum: always a sample. Raises ``Tripped`` if it is no number."""
        numbers = (point.frequency, point.real, point.imaginary, point.voltage)
        if not all(math.isfinite(number) for number in numbers):
            raise Tripped(f"the impedance at {point.frequency:g} Hz is not a number")
        if not self._voltage_min <= point.voltage <= self._voltage_max:
            raise Tripped(_outside("voltage", point.voltage, "V", self._voltage_min, self._voltage_max))
        p = self._position
        p.step_time_s, p.test_time_s, p.unix_time_s = now - self.origin, now - self._test_origin, unix
        p.samples += 1
        self.rows.append(
            (
                p.test_time_s,
                unix,
                point.voltage,
                0.0,
                p.cycle,
                p.step_count,
                self.step.step_id,
                p.step_time_s,
                None if temperature is None else temperature - _ZERO_CELSIUS,
                p.charge_c / 3600,
                p.discharge_c / 3600,
                p.charge_energy_j / 3600,
                p.discharge_energy_j / 3600,
                p.samples,
                point.frequency,
                point.real,
                point.imaginary,
            )
        )
        self._last = now

    def next_look(self, now: float, due: float) -> float:
        """Return when to read next: the poll, or sooner if the step ends or a record is due before."""
        wake = min(due, self.origin + self._next_record, self.origin + self.end_time)
        if self._end_charge < math.inf and self._current != 0:
            left = max(0.0, self._end_charge - self._position.step_charge_c)
            wake = min(wake, now + left / abs(self._current))
        return wake

    @property
    def last(self) -> tuple[float, float, float]:
        """Time, voltage and current of the last reading."""
        return self._last, self._voltage, self._current

    def _measured(self, quantity: str, voltage: float, current: float, temperature: float | None) -> float:
        if quantity == "voltage":
            return voltage
        if quantity == "current":
            return current
        if quantity == "current_magnitude":
            return abs(current)
        if quantity == "temperature":
            if temperature is None:
                raise Tripped("the step ends by temperature, but no temperature is measured")
            return temperature
        raise GalvanodeError(f"the engine cannot end a step by {quantity}")


def inside(value: float, window: Window) -> bool:
    """Tell whether a value lies inside a window, both bounds included; NaN does not."""
    return _low(window.min) <= value <= _high(window.max)


def _low(limit: float | None) -> float:
    return -math.inf if limit is None else limit


def _high(limit: float | None) -> float:
    return math.inf if limit is None else limit


def _outside(quantity: str, value: float, unit: str, low: float, high: float) -> str:
    if value < low:
        return f"{quantity} {value:.5g} {unit} is below its limit of {low:.5g} {unit}"
    if value > high:
        return f"{quantity} {value:.5g} {unit} is above its limit of {high:.5g} {unit}"
    return f"{quantity} is not a number"
