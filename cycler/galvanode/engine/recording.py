"""Which readings become samples, and what a sample holds."""

from __future__ import annotations

import math

from galvanode.engine.beside import Beside
from galvanode.engine.ends import CHARGE_TOLERANCE, TIME_TOLERANCE_S
from galvanode.engine.position import Position
from galvanode.recipe.program import Record, Step
from galvanode.store.records import Sample

_Impedance = tuple[float | None, float | None, float | None]
_NO_IMPEDANCE: _Impedance = (None, None, None)


class Recorder:
    """The record rule of one attempt of one step. Samples go to ``samples`` as they are due."""

    def __init__(
        self, step: Step, position: Position, samples: list[Sample], beside: Beside, *, everything: bool
    ) -> None:
        """``everything`` makes a sample of each reading: a sweep, or what an instrument streams at its interval."""
        rule = step.record
        self.charge_change = _never_if_none(rule.charge_change)
        self.charge = position.step_charge_c
        """``step_charge_c`` at the last sample, C."""
        self.next_time = -math.inf
        """Step time of the next sample that time asks for, s."""
        self._everything = everything
        self._position = position
        self._step_id = step.step_id
        self._append = samples.append
        self._beside = beside
        self._every, self._burst_every, self._burst_for = _intervals(rule)
        self._voltage_change, self._current_change = map(_never_if_none, (rule.voltage_change, rule.current_change))
        self._voltage = self._current = math.inf

    def take(self, voltage: float, current: float, temperature: float | None, last: bool) -> None:
        """Take a reading that the position has counted; ``last`` for the one that ends the step."""
        p = self._position
        step_time, charge = p.step_time_s, p.step_charge_c
        on_time = step_time >= self.next_time - TIME_TOLERANCE_S
        if (
            on_time
            or last
            or self._everything
            or abs(voltage - self._voltage) >= self._voltage_change
            or abs(current - self._current) >= self._current_change
            or charge - self.charge >= self.charge_change * (1 - CHARGE_TOLERANCE)
        ):
            self.write(voltage, current, temperature)
            self._voltage, self._current, self.charge = voltage, current, charge
            if on_time:
                self.next_time = self._after(step_time)

    def write(
        self, voltage: float, current: float, temperature: float | None, impedance: _Impedance = _NO_IMPEDANCE
    ) -> None:
        """Make a sample of what was measured (V, A, K; Hz, ohm, ohm) and of the position. The one place that does."""
        p = self._position
        p.samples += 1
        frequency, real, imaginary = impedance
        self._append(
            Sample(
                p.test_time_s,
                p.unix_time_s,
                voltage,
                current,
                p.cycle,
                p.step_count,
                self._step_id,
                p.step_time_s,
                temperature,
                p.charge_c,
                p.discharge_c,
                p.charge_energy_j,
                p.discharge_energy_j,
                p.samples,
                frequency,
                real,
                imaginary,
                self._beside.values,
            )
        )

    def _after(self, step_time: float) -> float:
        """Return the step time of the next sample that time asks for: on the grid, the burst's while it lasts."""
        # A reading that was early by a rounding has served its place on the grid.
        step_time += TIME_TOLERANCE_S
        after = math.inf
        if self._every < math.inf:
            after = (math.floor(step_time / self._every) + 1) * self._every
        if step_time < self._burst_for:
            burst = (math.floor(step_time / self._burst_every) + 1) * self._burst_every
            after = min(after, burst, self._burst_for)
        return after


def _intervals(rule: Record) -> tuple[float, float, float]:
    """Return every how many seconds, and every how many for how long at first; infinity and 0 for never."""
    every = _never_if_none(rule.every_s)
    if rule.burst_every_s is None or rule.burst_for_s is None:
        return every, 0.0, 0.0
    return every, rule.burst_every_s, rule.burst_for_s


def _never_if_none(interval: float | None) -> float:
    return math.inf if interval is None else interval
