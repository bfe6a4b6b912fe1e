"""PalmSens potentiostat: what it does to the cell and what it sees. Knows neither scripts nor bytes.

Two electrodes: WE at the cell's positive terminal, CE and RE at the negative one, so that a positive current
charges. With the cell off its terminals are open, and the electrometer still sees the cell's potential.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from galvanode.clock import process_clock
from galvanode_simulator.cells import Cell
from galvanode_simulator.emstat4.models import Model, Range
from galvanode_simulator.methodscript.errors import Code, Refused
from galvanode_simulator.methodscript.potentiostat import ImpedanceResult
from galvanode_simulator.methodscript.values import OVERLOAD, OVERLOAD_WARNING, UNDERLOAD, Value
from galvanode_simulator.noise import gaussian, seeded
from galvanode_simulator.parts.drive import (
    at_terminals_of_current,
    at_terminals_of_voltage,
    drive_current,
    drive_voltage,
)

OFF, LOW_SPEED, HIGH_SPEED, MAX_RANGE, GALVANOSTAT = 0, 2, 3, 4, 6
"""``set_pgstat_mode``."""

# Of full scale: 2.92, 2.46 and 0.123 times the name of a range that measures three times its name.
_OVERLOAD, _WARNING, _UNDERLOAD = 0.973, 0.82, 0.041
_CURRENT_NOISE, _POTENTIAL_NOISE = 3e-5, 2e-5
"""rms of a conversion of 1 ms, as parts of full scale."""
_CONVERSION_S = 1e-3
_ACQUISITION = 0.25
"""Part of an interval during which it measures."""
_RANGE_CHANGE_S = 0.01
_CURRENT_GAIN, _POTENTIAL_GAIN = 3e-4, 1e-4
"""Scatter of calibration, inside the data sheet's 0.2 % of current and 0.1 % of potential."""
_IMPEDANCE_NOISE, _LEAST_AC_V = 5e-4, 2e-6
_PERIODS, _SETTLING_S = 3.0, 0.1
_ROUNDING = 1e-9


class _Ranging:
    """The ranges of one measured quantity, fixed or automatic."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        self.ranges = tuple(ranges)
        self.index = self.low = self.high = len(self.ranges) - 1

    def covering(self, magnitude: float) -> int:
        """Index of the lowest range that takes a magnitude; the highest if none does."""
        for index, item in enumerate(self.ranges):
            if magnitude <= item.full * (1.0 + _ROUNDING):
                return index
        return len(self.ranges) - 1

    def fix(self, magnitude: float) -> None:
        """Start in the range that takes a magnitude, and stay there."""
        self.index = self.low = self.high = self.covering(magnitude)

    def automatic(self, low: float, high: float) -> None:
        """Change between the ranges that take these magnitudes."""
        self.low, self.high = sorted((self.covering(low), self.covering(high)))
        self.index = min(max(self.index, self.low), self.high)

    @property
    def limit(self) -> float:
        """The most that the highest range in use measures."""
        return self.ranges[self.high].full

    def adapt(self, magnitude: float, changes: int) -> None:
        """Change range by at most so many steps towards the one that suits."""
        for _ in range(changes):
            full = self.ranges[self.index].full
            if magnitude > _WARNING * full and self.index < self.high:
                self.index += 1
            elif magnitude < _UNDERLOAD * full and self.index > self.low:
                self.index -= 1
            else:
                return

    def status(self, magnitude: float) -> int:
        """Status bits of a measured magnitude in the present range."""
        part = magnitude / self.ranges[self.index].full
        if part > _OVERLOAD:
            return OVERLOAD
        if part > _WARNING:
            return OVERLOAD_WARNING
        return UNDERLOAD if part < _UNDERLOAD else 0


class EmStat4Unit:
    """State of the instrument and its cell. SI; time from the process clock."""

    def __init__(
        self,
        cell: Cell,
        model: Model,
        seed: int = 0,
        temperature: Callable[[], float] | None = None,
    ) -> None:
        self.cell = cell
        self.model = model
        self.temperature = temperature
        """Of the cell, K; None leaves the cell at 25 degC."""
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        cell.on_event = self._event
        self._gauss = gaussian(seeded(seed, "noise"))
        calibration = gaussian(seeded(seed, "calibration"))
        self._current_gain = 1.0 + _CURRENT_GAIN * calibration()
        self._potential_gain = 1.0 + _POTENTIAL_GAIN * calibration()
        # Faults that the model itself has to play.
        self.stuck_output = False
        self.freeze_readings = False
        self.freeze_time = False
        self._frozen: dict[str, Value] = {}

        self.mode = OFF
        self.cell_is_on = False
        self.volts = 0.0
        """Applied potential as the converter makes it, V."""
        self.amps = 0.0
        """Applied current, A."""
        self.bandwidth = 0.0
        self._current = _Ranging(model.current_ranges)
        self._potential = _Ranging(model.potential_ranges)
        self._applied = _Ranging(model.current_ranges)
        self._now = process_clock().now()

    # Time

    @property
    def now(self) -> float:
        """Up to when the cell has lived."""
        return self._now

    def live_until(self, time: float) -> None:
        """Let the cell live; a time that has passed already does nothing."""
        duration = time - self._now
        if duration <= 0.0:
            return
        self._now = time
        cell = self.cell
        if self.temperature is not None:
            cell.set_temperature(self.temperature())
        if not self.cell_is_on:
            cell.hold_current(0.0, duration)
        elif self.galvanostat:
            drive_current(cell, self.amps, self.model.compliance, duration)
        else:
            drive_voltage(cell, self.volts, self._current.limit, duration)

    # Settings

    @property
    def galvanostat(self) -> bool:
        """Whether the present mode holds a current."""
        return self.mode == GALVANOSTAT

    def select_channel(self, channel: int) -> None:
        """There is one channel, 0; others can only be switched off."""
        if channel not in (0, 1):
            raise Refused(Code.NO_SUCH_CHANNEL)

    def select_mode(self, mode: int) -> None:
        """Change the mode, which switches the cell off and the ranges to the highest."""
        if mode != OFF and mode not in self.model.potential:
            raise Refused(Code.UNSUPPORTED_PGSTAT_MODE)
        if mode == self.mode:
            return
        self.switch_cell(False)
        if self.cell_is_on:
            return  # what is stuck goes on as it was
        self.mode = mode
        ranges = self.model.high_speed_ranges if mode in (HIGH_SPEED, GALVANOSTAT) else self.model.current_ranges
        self._current = _Ranging(ranges)
        self._applied = _Ranging(ranges)
        self._potential = _Ranging(self.model.potential_ranges)

    def set_range(self, kind: str, largest: float) -> None:
        """Fix a range; of the applied potential there is one."""
        if kind == "da":
            self._check_potential(largest)
        else:
            self._ranging(kind).fix(abs(largest))

    def set_range_window(self, kind: str, low: float, high: float) -> None:
        """Fix a range that takes both ends."""
        if kind == "da":
            self._check_potential(low)
            self._check_potential(high)
        else:
            self._ranging(kind).fix(max(abs(low), abs(high)))

    def set_autoranging(self, kind: str, low: float, high: float) -> None:
        """Let the range change by itself."""
        if kind != "da":
            self._ranging(kind).automatic(abs(low), abs(high))

    def set_bandwidth(self, hertz: float) -> None:
        """Set the bandwidth; noise and speed of the simulated instrument do not depend on it."""
        self.bandwidth = hertz

    def set_potential(self, volts: float) -> None:
        """Apply a potential, as near as the converter comes."""
        self._check_potential(volts)
        if self.galvanostat:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        step = self.model.step
        changed = round(volts / step) * step
        if changed != self.volts:
            self.volts = changed
            if self.cell_is_on:
                self._event("level", {"function": "VOLT", "level": changed, "on": True})

    def set_current(self, amps: float) -> None:
        """Apply a current."""
        if not self.galvanostat:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        if not abs(amps) <= self._applied.limit * (1.0 + _ROUNDING):
            raise Refused(Code.OUT_OF_BOUNDS)
        if amps != self.amps:
            self.amps = amps
            if self.cell_is_on:
                self._event("level", {"function": "CURR", "level": amps, "on": True})

    def switch_cell(self, on: bool) -> None:
        """Connect the cell or open the circuit; a stuck relay stays closed."""
        if on and self.mode == OFF:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        if self.stuck_output and self.cell_is_on and not on:
            self._event("output_stuck", {})
            return
        if on != self.cell_is_on:
            self.cell_is_on = on
            function, level = ("CURR", self.amps) if self.galvanostat else ("VOLT", self.volts)
            details: dict[str, Any] = {"on": on}
            if on:
                details |= {"function": function, "level": level}
            self._event("output", details)

    # Checks

    def check_step(self, volts: float) -> None:
        """Refuse a step smaller than the converter's."""
        if volts < self.model.step * (1.0 - _ROUNDING):
            raise Refused(Code.STEP_BELOW_LSB)

    def check_interval(self, seconds: float) -> None:
        """Refuse an interval that is too short."""
        if seconds < self.model.shortest_interval * (1.0 - _ROUNDING):
            raise Refused(Code.TIMING_IMPOSSIBLE)

    def check_impedance(self, galvanostatic: bool, amplitude: float, frequencies: tuple[float, float]) -> None:
        """Refuse a mode, a frequency or an amplitude that is out of reach."""
        if not galvanostatic and self.mode != HIGH_SPEED:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        low, high = self.model.frequency
        if not all(low * (1 - _ROUNDING) <= hertz <= high * (1 + _ROUNDING) for hertz in frequencies):
            raise Refused(Code.INVALID_FREQUENCY)
        largest = self._applied.limit / math.sqrt(2.0) if galvanostatic else self.model.amplitude
        if not 0 < amplitude <= largest * (1 + _ROUNDING):
            raise Refused(Code.INVALID_AMPLITUDE)

    # Measure

    def terminals(self) -> tuple[float, float, bool]:
        """Return true voltage (V), true current (A) and whether a limit acts."""
        if not self.cell_is_on:
            return self.cell.voltage(0.0), 0.0, False
        if self.galvanostat:
            return at_terminals_of_current(self.cell, self.amps, self.model.compliance)
        return at_terminals_of_voltage(self.cell, self.volts, self._current.limit)

    def set_point(self) -> Value:
        """The applied potential or current."""
        return Value(self.amps, "db") if self.galvanostat else Value(self.volts, "da")

    def measure(self, kind: str, aperture: float) -> Value:
        """Measure potential (``ab``) or current (``ba``)."""
        if kind not in ("ab", "ba"):
            raise Refused(Code.INVALID_VARTYPE)
        if self.freeze_readings and kind in self._frozen:
            return self._frozen[kind]
        volts, amps, limited = self.terminals()
        averaged = math.sqrt(max(1.0, _ACQUISITION * aperture / _CONVERSION_S))
        changes = max(1, int(aperture / _RANGE_CHANGE_S))
        if kind == "ba":
            ranging, true, noise = self._measured_current, amps * self._current_gain, _CURRENT_NOISE
        else:
            ranging, noise = self._potential, _POTENTIAL_NOISE
            true = volts * self._potential_gain + self.cell.voltage_noise * self._gauss() / averaged
        ranging.adapt(abs(true), changes)
        item = ranging.ranges[ranging.index]
        status = ranging.status(abs(true))
        if kind == "ba" and self.galvanostat:
            status = 0  # the range is that of the applied current, which it cannot exceed
        elif limited and self.galvanostat == (kind == "ab"):
            status = OVERLOAD  # what is held back is not what is held
        read = true + noise * item.full / averaged * self._gauss()
        value = Value(min(max(read, -item.full), item.full), kind, status, item.number, 0)
        self._frozen[kind] = value
        return value

    @property
    def _measured_current(self) -> _Ranging:
        return self._applied if self.galvanostat else self._current

    def impedance_duration(self, frequency: float) -> float:
        """A few periods, after the first has settled."""
        return _SETTLING_S + _PERIODS / frequency

    def impedance(self, frequency: float, amplitude: float) -> ImpedanceResult:
        """Measure the impedance at the present set point; amplitude in V rms or A rms."""
        volts, amps, _ = self.terminals()
        true = self.cell.impedance(frequency, amps)
        modulus = max(abs(true), 1e-12)
        ac_volts, ac_amps = (amplitude * modulus, amplitude) if self.galvanostat else (amplitude, amplitude / modulus)
        peak_amps = abs(amps) + math.sqrt(2.0) * ac_amps
        peak_volts = abs(volts) + math.sqrt(2.0) * ac_volts
        currents, potentials = self._measured_current, self._potential
        currents.adapt(peak_amps, len(currents.ranges))
        potentials.adapt(peak_volts, len(potentials.ranges))
        item, gain = currents.ranges[currents.index], potentials.ranges[potentials.index]
        averaged = math.sqrt(max(1.0, _ACQUISITION * self.impedance_duration(frequency) / _CONVERSION_S))
        sigma = math.hypot(
            _IMPEDANCE_NOISE,
            _CURRENT_NOISE * item.full / averaged / ac_amps,
            (_LEAST_AC_V + _POTENTIAL_NOISE * 0.05 * gain.full / averaged) / ac_volts,
        )
        part = complex(1.0 + sigma * self._gauss(), sigma * self._gauss())
        seen = true * part * self._potential_gain / self._current_gain
        status = OVERLOAD if peak_amps > item.full else 0
        volt_status = OVERLOAD if self.galvanostat and peak_volts > gain.full else 0
        return ImpedanceResult(
            Value(seen.real, "cc", status, item.number, 0),
            Value(seen.imag, "cd", volt_status, gain.number, 0),
            Value(ac_volts * self._potential_gain, "ch", volt_status, gain.number, 0),
            Value(volts * self._potential_gain + _POTENTIAL_NOISE * gain.full / averaged * self._gauss(),
                  "ci", volt_status, gain.number, 0),
            Value(ac_amps * self._current_gain, "cj", status, item.number, 0),
            Value(amps * self._current_gain + _CURRENT_NOISE * item.full / averaged * self._gauss(),
                  "ck", status, item.number, 0),
        )  # fmt: skip

    def _check_potential(self, volts: float) -> None:
        low, high = self.model.potential.get(self.mode, (-math.inf, math.inf))
        if not low - _ROUNDING <= volts <= high + _ROUNDING:
            raise Refused(Code.INVALID_POTENTIAL)

    def _ranging(self, kind: str) -> _Ranging:
        match kind:
            case "ba":
                return self._current
            case "ab":
                return self._potential
            case "db":
                return self._applied
            case _:
                raise Refused(Code.NO_RANGES)

    def _event(self, kind: str, details: dict[str, Any]) -> None:
        if self.on_event is not None:
            self.on_event(kind, details)
