"""Whether a reading is to be trusted: a new, true measurement of what was asked for, inside the limits of its step."""

from __future__ import annotations

import math
from collections.abc import Callable

from galvanode.engine.errors import Tripped
from galvanode.instrument.reading import Reading
from galvanode.recipe import drives
from galvanode.recipe.program import Step, Window

_FROZEN_AFTER = 30
"""As many readings the same to the last digit in a row: no converter does that."""


class Trust:
    """What is demanded of the readings of one attempt of one step."""

    def __init__(self, step: Step, held: float | None, current_floor: float, note: Callable[..., None]) -> None:
        """``held`` is the current that must flow, A, or None for one that may vary."""
        limits = step.limits
        self._sweeping = isinstance(step.drive, drives.Sweep)
        self._note = note
        self._floor = current_floor
        self._voltage_min, self._voltage_max = bounds(limits.voltage)
        self._current_min, self._current_max = bounds(limits.current)
        self._temperature_min, self._temperature_max = bounds(limits.temperature)
        if step.drive.limits_current:  # where the instrument's limit acts, its own error must not trip the run
            self._current_min -= 0.01 * abs(self._current_min)
            self._current_max += 0.01 * abs(self._current_max)
        self._limited = False
        self._instrument_time = -math.inf
        self._voltage = self._current = math.nan
        self._same = 0
        self.hold(held)

    def hold(self, amps: float | None) -> None:
        """Demand this current from now on; None for any inside the limits."""
        self._held, self._same = amps, 0
        self._tolerance = 0.0 if amps is None else max(0.02 * abs(amps), self._floor)
        # The two together, for the usual case: what lies inside needs no closer look.
        self._low, self._high = self._current_min, self._current_max
        if amps is not None:
            self._low, self._high = max(self._low, amps - self._tolerance), min(self._high, amps + self._tolerance)

    def fault(self, reading: Reading, temperature: float | None) -> str | None:
        """Take a reading; return why it is not to be trusted, or None.

        Raises ``Tripped`` for one that cannot even be stored.
        """
        voltage, current, instrument_time, in_compliance, tripped, _ = reading
        fault = None
        if (
            in_compliance
            or tripped is not None
            or not (self._voltage_min <= voltage <= self._voltage_max and self._low <= current <= self._high)
            or (temperature is not None and not self._temperature_min <= temperature <= self._temperature_max)
        ):
            fault = self._told(reading) or self._measured(voltage, current, temperature)
        if instrument_time is not None:
            if fault is None and instrument_time <= self._instrument_time:
                fault = "the instrument sent the same measurement twice: its own time stands still"
            self._instrument_time = instrument_time
        if voltage == self._voltage and current == self._current:
            fault = self._frozen(fault)
        else:
            self._voltage, self._current, self._same = voltage, current, 0
        if fault is not None:
            _refuse_what_is_no_number(voltage, current, fault)
        return fault

    def check_voltage(self, voltage: float) -> None:
        """Raise ``Tripped`` for a voltage outside the step's limits."""
        if not self._voltage_min <= voltage <= self._voltage_max:
            raise Tripped(outside("voltage", voltage, "V", self._voltage_min, self._voltage_max))

    def check_temperature(self, temperature: float | None) -> None:
        """Raise ``Tripped`` for a temperature (K) outside the step's limits; for when nothing else is measured."""
        if temperature is not None and not self._temperature_min <= temperature <= self._temperature_max:
            raise Tripped(outside("temperature", temperature, "K", self._temperature_min, self._temperature_max))

    def _told(self, reading: Reading) -> str | None:
        """Return what the instrument itself says against a reading."""
        if reading.tripped is not None:
            return f"the instrument reports: {reading.tripped}"
        if not reading.in_compliance:
            return None
        if self._held is not None:
            return f"the instrument's voltage limit acts at {reading.voltage:.4g} V: the current is not held"
        if self._sweeping and not self._limited:
            self._limited = True
            text = f"the instrument's current limit acts at {reading.current:.4g} A: the potential is not reached"
            self._note("limited", text)
        return None

    def _measured(self, voltage: float, current: float, temperature: float | None) -> str | None:
        """Return what the numbers say against a reading."""
        if not self._voltage_min <= voltage <= self._voltage_max:  # also true for NaN
            return outside("voltage", voltage, "V", self._voltage_min, self._voltage_max)
        if not self._current_min <= current <= self._current_max:
            return outside("current", current, "A", self._current_min, self._current_max)
        if temperature is not None and not self._temperature_min <= temperature <= self._temperature_max:
            return outside("temperature", temperature, "K", self._temperature_min, self._temperature_max)
        if self._held is not None and not abs(current - self._held) <= self._tolerance:
            return f"the current is {current:.4g} A; {self._held:.4g} A is asked for"
        return None

    def _frozen(self, fault: str | None) -> str | None:
        self._same += 1
        if self._same < _FROZEN_AFTER:
            return fault
        return f"readings are frozen at {self._voltage:.6g} V, {self._current:.6g} A"


def bounds(window: Window) -> tuple[float, float]:
    """Return both bounds of a window, infinite where there is none."""
    return -math.inf if window.min is None else window.min, math.inf if window.max is None else window.max


def inside(value: float, window: Window) -> bool:
    """Tell whether a value lies inside a window, both bounds included; NaN does not."""
    low, high = bounds(window)
    return low <= value <= high


def outside(quantity: str, value: float, unit: str, low: float, high: float) -> str:
    """Return in words on which side of its limits a value lies."""
    if value < low:
        return f"{quantity} {value:.5g} {unit} is below its limit of {low:.5g} {unit}"
    if value > high:
        return f"{quantity} {value:.5g} {unit} is above its limit of {high:.5g} {unit}"
    return f"{quantity} is not a number"


def _refuse_what_is_no_number(voltage: float, current: float, fault: str) -> None:
    if not (math.isfinite(voltage) and math.isfinite(current)):
        raise Tripped(fault)
