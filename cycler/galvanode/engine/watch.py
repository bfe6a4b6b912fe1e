"""What becomes of a reading: is it to be trusted, what does it add up to, does it end the step, is it a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from galvanode.engine.ends import CHARGE_TOLERANCE, TIME_TOLERANCE_S, CannotTell, Ending, Moment, Verdict
from galvanode.engine.position import LoopPosition, Position
from galvanode.errors import GalvanodeError
from galvanode.instrument.reading import Reading
from galvanode.instrument.tasks import ImpedancePoint
from galvanode.recipe.program import Action, Condition, Operand, Step, Window
from galvanode.store.records import Sample

_FROZEN_AFTER = 30
"""As many readings the same to the last digit in a row: no converter does that."""
_NEXT = Action()
_NEAREST = 20.0
"""Times as often as the poll that a voltage is looked at, at most, as it nears an end."""
_NEAREST_S = 0.05
"""And never more often than that, s."""
_QUICK = frozenset(("time", "charge", "voltage", "current", "current_magnitude"))
"""What the hot path compares by itself."""


class Tripped(GalvanodeError):
    """A limit was crossed, or a reading cannot be trusted: the run ends and is not resumed by itself."""


class Block(NamedTuple):
    """A block that the step lies in, and what ends it."""

    loop_id: str
    here: LoopPosition
    endings: list[Ending]


class Watch:
    """One attempt of one step, reading by reading. Times are process time, s; everything else is SI."""

    # ``take`` is the hot path of the engine: once per reading of every run. Hence plain attributes, and no calls
    # where arithmetic does.

    def __init__(
        self,
        step: Step,
        position: Position,
        samples: list[Sample],
        *,
        held: float | None,
        blocks: list[Block],
        value: Callable[[Operand], float],
        note: Callable[..., None],
        current_floor: float,
        test_origin: float,
        began: float,
    ) -> None:
        """``held`` is the current that must flow, A, or None for one that may vary; ``blocks`` come from the outermost
        on; ``began`` is when the set point was confirmed, process time.
        """
        limits = step.limits
        self.step = step
        self.samples = samples
        self.fault: str | None = None
        self.verdict: Verdict | None = None
        """What the recipe has to say of the end, if it ends by the recipe."""
        self.left_block: str | None = None
        """The block that ended with it, if not the step alone did."""
        self.record_all = False
        """Every reading is a sample: a sweep, or what an instrument streams at the interval it was asked for."""
        self.origin = began - position.step_time_s
        self._position = position
        self._note = note
        self._test_origin = test_origin
        self._floor = current_floor
        self._voltage_min, self._voltage_max = _low(limits.voltage.min), _high(limits.voltage.max)
        self._current_min, self._current_max = _low(limits.current.min), _high(limits.current.max)
        self._temperature_min, self._temperature_max = _low(limits.temperature.min), _high(limits.temperature.max)
        if step.mode in ("voltage", "sweep"):  # where the instrument's limit acts, its own error must not trip the run
            self._current_min -= 0.01 * abs(self._current_min)
            self._current_max += 0.01 * abs(self._current_max)
        self._resting = step.mode == "rest"
        self._held = 0.0 if self._resting else held
        self._tolerance = 0.0 if self._held is None else max(0.02 * abs(self._held), current_floor)
        self._limited = False
        self._read_ends(blocks, value)
        record = step.record
        self._record_every = _high(record.every_s)
        self._voltage_change, self._current_change = _high(record.voltage_change), _high(record.current_change)
        self._charge_change = _high(record.charge_change)
        self._burst_every = self._burst_for = 0.0
        if record.burst_every_s is not None and record.burst_for_s is not None:
            self._burst_every, self._burst_for = record.burst_every_s, record.burst_for_s
        self._recorded_charge = position.step_charge_c
        self._next_record = -math.inf
        self._recorded_voltage = self._recorded_current = math.inf
        self._last = self._before = began
        self._voltage = self._voltage_before = self._current = math.nan
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
        elif in_compliance and not self._limited and self.step.mode == "sweep":
            self._limited = True
            self._note(
                "limited", f"the instrument's current limit acts at {current:.4g} A: the potential is not reached"
            )
        if fault is not None:
            pass
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
        self._before, self._voltage_before = self._last, self._voltage
        self._last, self._voltage, self._current = now, voltage, current
        p.step_time_s = step_time = now - self.origin
        p.test_time_s = test_time = now - self._test_origin
        p.unix_time_s = unix

        if voltage > self._highest:
            self._highest = p.step_highest = voltage
        if voltage < self._lowest:
            self._lowest = p.step_lowest = voltage

        # Ends: what stands further out comes first; then the step's own, in the recipe's order; then what was asked.
        reason = fault
        if fault is None:
            for loop_id, detect, ending in self._detecting:
                said = detect(test_time, voltage, 0.0 if self._resting else current, p.step_count)
                if said is not None:
                    reason = ending.detected(said)
                    self.verdict, self.left_block = Verdict(ending.end.then, reason), loop_id
                    break
            if self._moments and reason is None:
                try:
                    reason = self._ended(voltage, current, temperature, test_time)
                except CannotTell as problem:
                    reason = fault = str(problem)
            if reason is None:
                for quantity, at_least, value, text in self._plain:
                    if quantity == "time":
                        reached = step_time >= value - TIME_TOLERANCE_S
                    elif quantity == "charge":
                        reached = p.step_charge_c >= value * (1 - CHARGE_TOLERANCE)
                    elif quantity == "voltage":
                        reached = voltage >= value if at_least else voltage <= value
                    else:
                        size = abs(current) if quantity == "current_magnitude" else current
                        reached = size >= value if at_least else size <= value
                    if reached:
                        reason, self.verdict = text, Verdict(_NEXT, text)
                        break
                else:
                    reason = asked

        # Record.
        if (
            first
            or reason is not None
            or self.record_all
            or step_time >= self._next_record - TIME_TOLERANCE_S
            or abs(voltage - self._recorded_voltage) >= self._voltage_change
            or abs(current - self._recorded_current) >= self._current_change
            or p.step_charge_c - self._recorded_charge >= self._charge_change * (1 - CHARGE_TOLERANCE)
        ):
            p.samples += 1
            self.samples.append(self._sample(unix, voltage, current, temperature))
            self._recorded_voltage, self._recorded_current, self._recorded_charge = voltage, current, p.step_charge_c
            if step_time >= self._next_record - TIME_TOLERANCE_S:
                self._next_record = self._record_after(step_time)
        self._first = False
        self.fault = fault
        return reason

    def take_impedance(self, point: ImpedancePoint, now: float, unix: float, temperature: float | None) -> None:
        """Take one frequency of a spectrum: always a sample. Raises ``Tripped`` if it is no number."""
        numbers = (point.frequency, point.real, point.imaginary, point.voltage)
        if not all(math.isfinite(number) for number in numbers):
            raise Tripped(f"the impedance at {point.frequency:g} Hz is not a number")
        p = self._position
        p.step_time_s, p.test_time_s, p.unix_time_s = now - self.origin, now - self._test_origin, unix
        p.samples += 1
        self.samples.append(
            self._sample(unix, point.voltage, 0.0, temperature, (point.frequency, point.real, point.imaginary))
        )
        self._last = now
        if not self._voltage_min <= point.voltage <= self._voltage_max:  # it is a sample all the same
            raise Tripped(_outside("voltage", point.voltage, "V", self._voltage_min, self._voltage_max))
        self.check_temperature(temperature)

    def _sample(
        self,
        unix: float,
        voltage: float,
        current: float,
        temperature: float | None,
        impedance: tuple[float, float, float] | tuple[None, None, None] = (None, None, None),
    ) -> Sample:
        """Return the sample of this moment; the position has been moved on to it."""
        p = self._position
        return Sample(
            p.test_time_s,
            unix,
            voltage,
            current,
            p.cycle,
            p.step_count,
            self.step.step_id,
            p.step_time_s,
            temperature,
            p.charge_c,
            p.discharge_c,
            p.charge_energy_j,
            p.discharge_energy_j,
            p.samples,
            *impedance,
        )

    def check_temperature(self, temperature: float | None) -> None:
        """Raise ``Tripped`` for a temperature (K) outside the step's limits; for when nothing else is measured."""
        if temperature is not None and not self._temperature_min <= temperature <= self._temperature_max:
            raise Tripped(_outside("temperature", temperature, "K", self._temperature_min, self._temperature_max))

    def next_look(self, now: float, due: float) -> float:
        """Return when to read next: the poll, or sooner if the step ends or a record is due before."""
        origin = self.origin
        wake = min(due, origin + self._next_record, origin + self._end_time)
        current = abs(self._current)
        if self._waits_for_charge and current > 0:
            charge = self._position.step_charge_c
            reached = charge + CHARGE_TOLERANCE * charge
            due_charge = self._recorded_charge + self._charge_change
            for end in self._end_charges:
                if reached < end < due_charge:  # one that is passed waits for something else
                    due_charge = end
            wake = min(wake, now + max(0.0, due_charge - charge) / current)
        if self._moments:
            wake = min(wake, self._next_due(now, current))
        if self._approached:
            wake = min(wake, self._approach(now, due))
        return wake

    def _approach(self, now: float, due: float) -> float:
        """Return when to look as the voltage nears an end: half way to where a straight line through the last two
        readings meets it. A cut-off is not passed by what the cell does within a whole poll.
        """
        elapsed = self._last - self._before
        if elapsed <= 0:
            return math.inf
        wake = math.inf
        change = self._voltage - self._voltage_before
        for limit in self._approached:
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
        self._last, self._current, self._held = now, amps, amps
        self._tolerance = max(0.02 * abs(amps), self._floor)
        self._same = 0

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
        return {name: number for name, number in kept.items() if math.isfinite(number)}

    @property
    def last(self) -> tuple[float, float, float]:
        """Time, voltage and current of the last reading."""
        return self._last, self._voltage, self._current

    def _read_ends(self, blocks: list[Block], value: Callable[[Operand], float]) -> None:
        """Sort what may end the step: what the hot path looks at itself, and what it asks of an ``Ending``."""
        step = self.step
        simple = [end.plain for end in step.until]
        plain = all(item is not None and item.quantity in _QUICK and not item.magnitude for item in simple)
        self._plain = [
            (item.quantity, item.comparison == ">=", value(item.value), item.text)
            for item in simple
            if plain and item is not None
        ]
        if step.profile is not None:
            self._plain.append(("time", True, step.profile.times[-1], "end of the profile"))
        own = [] if plain else [Ending(end) for end in step.until]
        self._moments: list[tuple[Moment, Block | None, list[Ending]]] = [
            (Moment(), block, block.endings) for block in blocks if block.endings
        ]
        if own:
            self._moments.append((Moment(), None, own))
        for _, _, endings in self._moments:
            for ending in endings:
                ending.begin_step(value)
        # The usual case has a way of its own: nothing but detectors around the step.
        self._detecting: list[tuple[str, Callable[[float, float, float, int], str | None], Ending]] = []
        if all(ending.lone_detector is not None for block in blocks for ending in block.endings):
            self._moments = [item for item in self._moments if item[1] is None]
            self._detecting = [
                (block.loop_id, ending.lone_detector.update, ending)
                for block in blocks
                for ending in block.endings
                if ending.lone_detector is not None
            ]
        self._approached = [
            value(end.test.value)
            for end in step.until
            if isinstance(end.test, Condition) and end.test.quantity == "voltage" and not end.test.magnitude
        ]
        self._nearest = max(step.poll_s / _NEAREST, min(step.poll_s, _NEAREST_S))
        times = [v for q, least, v, _ in self._plain if q == "time" and least]
        charges = [v for q, least, v, _ in self._plain if q == "charge" and least]
        for ending in own:
            charges += ending.charges
        self._end_time = min(times, default=math.inf)
        self._end_charges = charges
        self._waits_for_charge = bool(charges) or step.record.charge_change is not None
        # A step that is taken up again goes on with its extremes.
        highest, lowest = self._position.step_highest, self._position.step_lowest
        self._highest, self._lowest = _low(highest), _high(lowest)

    @property
    def step_time(self) -> float:
        """s since the step began, at the last reading."""
        return self._position.step_time_s

    def _ended(self, voltage: float, current: float, temperature: float | None, test_time: float) -> str | None:
        """Ask everything that may end the step or a block around it; return why, and keep the verdict."""
        p = self._position
        throughput, energy = p.charge_c + p.discharge_c, p.charge_energy_j + p.discharge_energy_j
        for moment, block, endings in self._moments:
            moment.test_time, moment.step_count = test_time, p.step_count
            moment.voltage, moment.current, moment.resting = voltage, current, self._resting
            moment.temperature, moment.cycle = temperature, p.last_turn
            moment.highest, moment.lowest = self._highest, self._lowest
            if block is None:
                moment.elapsed, moment.charge, moment.energy = p.step_time_s, p.step_charge_c, p.step_energy_j
            else:
                here = block.here
                moment.elapsed = test_time - p.away_s - here.started_s
                # Two sums apart: their difference must not fall below 0 by a rounding.
                moment.charge = max(0.0, throughput - (here.charge_began_c + here.discharge_began_c))
                moment.energy = max(0.0, energy - here.energy_began_j)
            found: Verdict | None = None
            for ending in endings:  # each of them sees each reading
                if block is None or not ending.about_cycles:
                    verdict = ending.update(moment)
                    found = found or verdict
            if found is not None:
                self.verdict = found
                self.left_block = None if block is None else block.loop_id
                return found.reason
        return None

    def _next_due(self, now: float, current: float) -> float:
        """Return when an ending may come by time or charge alone, process time."""
        wake = math.inf
        for moment, block, endings in self._moments:
            for ending in endings:
                if block is not None and ending.about_cycles:
                    continue  # looked at when a turn ends, whatever the time
                due = ending.next_due(moment.elapsed)
                if due < math.inf:
                    wake = min(wake, now + max(0.0, due - moment.elapsed))
                if block is not None and current > 0:
                    for charge in ending.charges:
                        if charge > moment.charge * (1 + CHARGE_TOLERANCE):
                            wake = min(wake, now + (charge - moment.charge) / current)
        return wake

    def _record_after(self, step_time: float) -> float:
        """Return the step time of the next record that time asks for: on the grid, the burst's while it lasts."""
        every, after = self._record_every, math.inf
        if every < math.inf:
            after = (math.floor(step_time / every + 1e-9) + 1) * every
        if step_time < self._burst_for - TIME_TOLERANCE_S:
            burst = (math.floor(step_time / self._burst_every + 1e-6) + 1) * self._burst_every
            after = min(after, burst, self._burst_for)
        return after


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
