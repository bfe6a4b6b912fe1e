"""What becomes of a reading: is it to be trusted, what does it add up to, does it end the step, is it a sample."""

from __future__ import annotations

import math
from collections.abc import Callable

from galvanode.engine.book import Book, Passing
from galvanode.engine.ends import CHARGE_TOLERANCE, CannotTell, Verdict
from galvanode.engine.errors import Tripped
from galvanode.engine.recording import Recorder
from galvanode.engine.stopping import Block, Stopping
from galvanode.engine.trust import Trust
from galvanode.instrument.reading import Reading
from galvanode.instrument.tasks import ImpedancePoint
from galvanode.quantities import Auxiliary
from galvanode.recipe import drives
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Action, Step

_NEAREST = 20.0
"""Times as often as the poll that a voltage is looked at, at most, as it nears an end."""
_NEAREST_S = 0.05
"""And never more often than that, s."""
_AT_ONCE_S = 0.1
"""A step that took no longer ended with its first reading."""


class Watch:
    """One attempt of one step, reading by reading. Times are process time, s; everything else is SI."""

    # ``take`` and ``next_look`` are the hot path of the engine: once per reading of every run.

    def __init__(
        self,
        step: Step,
        book: Book,
        *,
        held: float | None,
        blocks: list[Block],
        value: Callable[[Operand], float],
        current_floor: float,
        began: float,
        record_all: bool,
        carried: tuple[Auxiliary, ...] = (),
    ) -> None:
        """``held`` is the current that must flow, A, or None for one that may vary; ``blocks`` come from the outermost
        on; ``began`` is when the set point was confirmed; ``record_all`` makes a sample of each
        reading; ``carried`` is what its instrument reads beside voltage and current.
        """
        p = self._position = book.position
        resting = isinstance(step.drive, drives.Rest)
        self.step = step
        self.fault: str | None = None
        self.verdict: Verdict | None = None
        """What the recipe has to say of the end, if it ends by the recipe."""
        self.began = began
        self.origin = began - p.step_time_s
        self._test_origin = book.origin
        self._trust = Trust(step, 0.0 if resting else held, current_floor, book.note)
        self._stopping = Stopping(step, p, blocks, value, resting, book.beside.known)
        # A charge that found the cell beyond its voltage is followed by no hold that would take out what is in there.
        at_once = p.step_time_s == 0 and p.last_step.get("time", math.inf) <= _AT_ONCE_S
        self._one_way = step.drive.direction if at_once and isinstance(step.drive, drives.Voltage) else 0
        self._current_floor = current_floor
        self._recorder = Recorder(step, p, book.samples, book.beside, everything=record_all)
        self._beside = book.beside if carried else None
        self._carried = carried
        # A step that is taken up again goes on with its extremes.
        self._highest = -math.inf if p.step_highest is None else p.step_highest
        self._lowest = math.inf if p.step_lowest is None else p.step_lowest
        self._last = self._before = began
        self._voltage = self._voltage_before = self._current = math.nan
        self._nearest = max(step.poll_s / _NEAREST, min(step.poll_s, _NEAREST_S))
        self._waits_for_charge = bool(self._stopping.charges) or step.record.charge_change is not None

    def take(
        self, reading: Reading, now: float, unix: float, temperature: float | None, asked: str | None
    ) -> str | None:
        """Take one reading; return why the step ends with it, or None.

        ``asked`` is why the step ends if it does not end by itself. A reading that cannot be trusted sets ``fault``;
        it is a sample all the same. Raises ``Tripped`` for a reading that cannot even be stored.
        """
        voltage, current = reading[0], reading[1]
        reason = self._trust.fault(reading, temperature)
        if self._beside is not None:
            self._beside.take(self._carried, reading.auxiliary)
            reason = reason or self._beside.fault(self.step.limits.auxiliary)
        self.fault = reason
        self._count(voltage, current, now)
        self._position.unix_time_s = unix
        if reason is None:
            try:
                verdict = self._stopping.verdict(voltage, current, temperature)
            except CannotTell as problem:
                reason = self.fault = str(problem)
            else:
                self.verdict = verdict
                reason = asked if verdict is None else verdict.reason
            if self._one_way and self.fault is None:
                reason = self._left_out(current) or reason
        self._recorder.take(voltage, current, temperature, reason is not None)
        return reason

    def _left_out(self, current: float) -> str | None:
        """Return why a hold is left out, if its first current flows the wrong way."""
        way, self._one_way = self._one_way, 0
        if current * way >= -self._current_floor:
            return None
        what, other = ("charge", "discharge") if way > 0 else ("discharge", "charge")
        reason = f"left out: the cell was beyond the voltage when the {what} began, and to hold it would {other} it"
        self.verdict = Verdict(Action(), reason)
        return reason

    def take_impedance(self, point: ImpedancePoint, now: float, unix: float, temperature: float | None) -> None:
        """Take one frequency of a spectrum: always a sample. Raises ``Tripped`` if it is no number."""
        impedance = (point.frequency, point.real, point.imaginary)
        if not all(map(math.isfinite, (*impedance, point.voltage))):
            raise Tripped(f"the impedance at {point.frequency:g} Hz is not a number")
        p = self._position
        p.step_time_s, p.test_time_s, p.unix_time_s = now - self.origin, now - self._test_origin, unix
        self._recorder.write(point.voltage, 0.0, temperature, impedance)
        self._last = now
        self._trust.check_voltage(point.voltage)  # it is a sample all the same
        self._trust.check_temperature(temperature)

    def check_temperature(self, temperature: float | None) -> None:
        """Raise ``Tripped`` for a temperature (K) outside the step's limits; for when nothing else is measured."""
        self._trust.check_temperature(temperature)

    def _count(self, voltage: float, current: float, now: float) -> None:
        """Count what passed since the reading before: trapezoids, charge and discharge apart."""
        p, last = self._position, self._last
        voltage_before, current_before = self._voltage, self._current
        if current_before != current_before:  # NaN: the first reading
            voltage_before, current_before = voltage, current
        elapsed = now - last
        charge = 0.5 * (current + current_before) * elapsed
        energy = 0.5 * (voltage * current + voltage_before * current_before) * elapsed
        if charge >= 0:
            p.charge_c += charge
            p.charge_energy_j += energy
            p.step_charge_c += charge
        else:
            p.discharge_c -= charge
            p.discharge_energy_j -= energy
            p.step_charge_c -= charge
        p.step_energy_j += abs(energy)
        p.step_time_s, p.test_time_s = now - self.origin, now - self._test_origin
        self._before, self._voltage_before = last, voltage_before
        self._last, self._voltage, self._current = now, voltage, current
        if voltage > self._highest:
            self._highest = p.step_highest = voltage
        if voltage < self._lowest:
            self._lowest = p.step_lowest = voltage

    def next_look(self, now: float, due: float) -> float:
        """Return when to read next: the poll, or sooner if the step ends or a record is due before."""
        wake = min(due, self.origin + self._recorder.next_time, self.origin + self._stopping.time)
        current = abs(self._current)
        if self._waits_for_charge and current > 0:
            wake = min(wake, now + max(0.0, self._next_charge() - self._position.step_charge_c) / current)
        if self._stopping.watches_more:
            wake = min(wake, self._stopping.next_due(now, current))
        if self._stopping.voltages:
            wake = min(wake, self._approach(now, due))
        return wake

    def _next_charge(self) -> float:
        """Return the charge of the step at which it may end, or a record is due, C."""
        charge = self._position.step_charge_c
        reached = charge + CHARGE_TOLERANCE * charge
        due = self._recorder.charge + self._recorder.charge_change
        for end in self._stopping.charges:
            if reached < end < due:  # one that is passed waits for something else
                due = end
        return due

    def _approach(self, now: float, due: float) -> float:
        """Return when to look as the voltage nears an end: half way to where a straight line through the last two
        readings meets it. A cut-off is not passed by what the cell does within a whole poll.
        """
        elapsed = self._last - self._before
        if elapsed <= 0:
            return math.inf
        wake = math.inf
        change = self._voltage - self._voltage_before
        for limit in self._stopping.voltages:
            left = limit - self._voltage
            if left * change > 0:
                wake = min(wake, max(0.5 * left / change * elapsed, self._nearest))
        # Just before the poll it is left to that: two readings at one instant tell no more than one.
        return now + wake if now + wake < due - self._nearest else math.inf

    def redirect(self, amps: float, now: float) -> None:
        """The host has set another current in the middle of the step: count what flowed until then."""
        p, charge = self._position, self._current * (now - self._last)
        p.count(charge, self._voltage)
        p.step_charge_c += abs(charge)
        p.step_energy_j += abs(self._voltage * charge)
        self._last, self._current = now, amps
        self._trust.hold(amps)

    def keep(self, temperature: float | None) -> dict[str, float]:
        """Return what the steps after this one may ask about it."""
        p = self._position
        kept = {
            "voltage": self._voltage,
            "current": self._current,
            "time": p.step_time_s,
            "charge": p.step_charge_c,
            "energy": p.step_energy_j,
            "highest": self._highest,
            "lowest": self._lowest,
        }
        if temperature is not None:
            kept["temperature"] = temperature
        kept |= self._stopping.auxiliary
        return {name: number for name, number in kept.items() if math.isfinite(number)}

    @property
    def step_time(self) -> float:
        """s since the step began, at the last reading."""
        return self._position.step_time_s

    @property
    def left_block(self) -> str | None:
        """The block that ended with the step, if not the step alone did."""
        return self._stopping.left_block

    @property
    def passing(self) -> Passing:
        """The last reading, as what goes on until the next set point."""
        return Passing(self._last, self._voltage, self._current)
