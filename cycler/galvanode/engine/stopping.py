"""What may end a step while it is carried out: its own ends, those of the blocks around it, and when to look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from galvanode.engine.ends import CHARGE_TOLERANCE, TIME_TOLERANCE_S, Ending, Moment, Verdict
from galvanode.engine.position import LoopPosition, Position
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Action, Condition, Step

_NEXT = Action()
_QUICK = frozenset(("time", "charge", "voltage", "current", "current_magnitude"))
"""What can be compared without a ``Moment``."""

_ENERGY_LATE_S = 1e-3
"""After the time at which an energy would be reached at the power of the last reading, which changes a little."""

Holds = Callable[[float, float, float, float], bool]
"""Of step time, charge of the step, voltage and current."""


class Block(NamedTuple):
    """A block that the step lies in, and what ends it."""

    loop_id: str
    here: LoopPosition
    endings: list[Ending]


class Stopping:
    """All that may end one attempt of one step, asked of each reading; its numbers are worked out now."""

    # What stands further out comes first; then the step's own ends, in the recipe's order.

    def __init__(
        self,
        step: Step,
        position: Position,
        blocks: list[Block],
        value: Callable[[Operand], float],
        resting: bool,
        auxiliary: Mapping[str, float],
    ) -> None:
        """``blocks`` come from the outermost on; ``auxiliary`` holds the last auxiliary readings by name, for good."""
        self.auxiliary = auxiliary
        self.left_block: str | None = None
        """The block that ends with the step, if not the step alone does."""
        self._position = position
        self._resting = resting
        self._quick: list[tuple[Holds, str]] = []
        self._moments: list[tuple[Moment, Block | None, list[Ending]]] = []
        self._detecting: list[tuple[str, Callable[[float, float, float, int], str | None], Ending]] = []
        self.time = math.inf
        """Step time at which the step ends at the latest, s."""
        self.charges: list[float] = []
        """Charges of the step at which it may end, C."""
        self.voltages = _voltages(step, value)
        """Voltages that end the step, V."""
        self._read_blocks([block for block in blocks if block.endings], value)
        self._read_own(step, value)
        if step.drive.lasts_s is not None:
            self._end_at(step.drive.lasts_s, f"end of the {step.drive.kind}")

    def _read_blocks(self, blocks: list[Block], value: Callable[[Operand], float]) -> None:
        for block in blocks:
            for ending in block.endings:
                ending.begin_step(value)
        # The usual case has a way of its own: nothing but detectors around the step.
        lone = [(block, ending, ending.lone_detector) for block in blocks for ending in block.endings]
        self._detecting = [
            (block.loop_id, detector.update, ending) for block, ending, detector in lone if detector is not None
        ]
        if len(self._detecting) < len(lone):
            self._detecting = []
            self._moments = [(Moment(), block, block.endings) for block in blocks]

    def _read_own(self, step: Step, value: Callable[[Operand], float]) -> None:
        compared = _compared(step, value)
        if compared is None:
            own = [Ending(end) for end in step.until]
            for ending in own:
                ending.begin_step(value)
                self.charges += ending.charges
            self._moments.append((Moment(), None, own))
            return
        for item, limit in compared:
            self._quick.append((_quick(item, limit), item.text))
            if item.quantity == "time" and item.comparison == ">=":
                self.time = min(self.time, limit)
            elif item.quantity == "charge" and item.comparison == ">=":
                self.charges.append(limit)

    def _end_at(self, limit: float, text: str) -> None:
        self._quick.append((lambda time, charge, voltage, current: time >= limit - TIME_TOLERANCE_S, text))
        self.time = min(self.time, limit)

    def verdict(self, voltage: float, current: float, temperature: float | None) -> Verdict | None:
        """Return what a reading that the position has counted ends, and why; None if it ends nothing.

        Raises ``CannotTell``.
        """
        p = self._position
        for loop_id, detect, ending in self._detecting:
            said = detect(p.test_time_s, voltage, 0.0 if self._resting else current, p.step_count)
            if said is not None:
                self.left_block = loop_id
                return Verdict(ending.end.then, ending.detected(said))
        if self._moments and (found := self._ended(voltage, current, temperature)) is not None:
            return found
        for holds, text in self._quick:
            if holds(p.step_time_s, p.step_charge_c, voltage, current):
                return Verdict(_NEXT, text)
        return None

    def _ended(self, voltage: float, current: float, temperature: float | None) -> Verdict | None:
        """Ask everything that takes more than one comparison."""
        for moment, block, endings in self._moments:
            self._look(moment, block, voltage, current, temperature)
            found: Verdict | None = None
            for ending in endings:  # each of them sees each reading
                if block is None or not ending.about_cycles:
                    verdict = ending.update(moment)
                    found = found or verdict
            if found is not None:
                self.left_block = None if block is None else block.loop_id
                return found
        return None

    def _look(
        self, moment: Moment, block: Block | None, voltage: float, current: float, temperature: float | None
    ) -> None:
        """Put into a moment what is known now, of the step or of the block."""
        p = self._position
        moment.test_time, moment.step_count = p.test_time_s, p.step_count
        moment.voltage, moment.current, moment.resting = voltage, current, self._resting
        moment.temperature, moment.cycle, moment.auxiliary = temperature, p.last_turn, self.auxiliary
        moment.highest = voltage if p.step_highest is None else p.step_highest
        moment.lowest = voltage if p.step_lowest is None else p.step_lowest
        if block is None:
            moment.elapsed, moment.charge, moment.energy = p.step_time_s, p.step_charge_c, p.step_energy_j
            return
        here = block.here
        moment.elapsed = p.test_time_s - p.away_s - here.started_s
        # Two sums apart: their difference must not fall below 0 by a rounding.
        moment.charge = max(0.0, p.charge_c + p.discharge_c - (here.charge_began_c + here.discharge_began_c))
        moment.energy = max(0.0, p.charge_energy_j + p.discharge_energy_j - here.energy_began_j)

    @property
    def watches_more(self) -> bool:
        """Something around the step takes more than one comparison: ``next_due`` may say a time."""
        return bool(self._moments)

    def next_due(self, now: float, current: float) -> float:
        """Return when something around the step may end by time, charge or energy alone, process time."""
        wake = math.inf
        for moment, block, endings in self._moments:
            for ending in endings:
                if block is not None and ending.about_cycles:
                    continue  # looked at when a turn ends, whatever the time
                due = ending.next_due(moment.elapsed)
                if due < math.inf:
                    wake = min(wake, now + max(0.0, due - moment.elapsed))
                if block is not None and current > 0:
                    wake = min(wake, now + _left(ending.charges, moment.charge) / current)
                if ending.energies and (power := abs(moment.voltage) * current) > 0:
                    wake = min(wake, now + _left(ending.energies, moment.energy) / power + _ENERGY_LATE_S)
        return wake


def _left(amounts: Iterable[float], counted: float) -> float:
    """Return what is missing to the next charge, or energy, that may end a step or a block; infinity for none."""
    reached = counted * (1 + CHARGE_TOLERANCE)
    return min((amount for amount in amounts if amount > reached), default=math.inf) - counted


def _compared(step: Step, value: Callable[[Operand], float]) -> list[tuple[Condition, float]] | None:
    """Return the ends of a step with their numbers, if each of them is one plain comparison; None if not."""
    simple = [end.plain for end in step.until]
    found = [item for item in simple if item is not None and item.quantity in _QUICK and not item.magnitude]
    return [(item, value(item.value)) for item in found] if len(found) == len(simple) else None


def _voltages(step: Step, value: Callable[[Operand], float]) -> list[float]:
    tests = [end.test for end in step.until]
    voltages = [test for test in tests if isinstance(test, Condition) and test.quantity == "voltage"]
    return [value(test.value) for test in voltages if not test.magnitude]


def _quick(condition: Condition, limit: float) -> Holds:
    """Return a function that tells whether a step's own end has come."""
    at_least = condition.comparison == ">="
    match condition.quantity:
        case "time":
            return lambda time, charge, voltage, current: time >= limit - TIME_TOLERANCE_S
        case "charge":
            least = limit * (1 - CHARGE_TOLERANCE)
            return lambda time, charge, voltage, current: charge >= least
        case "voltage" if at_least:
            return lambda time, charge, voltage, current: voltage >= limit
        case "voltage":
            return lambda time, charge, voltage, current: voltage <= limit
        case "current" if at_least:
            return lambda time, charge, voltage, current: current >= limit
        case "current":
            return lambda time, charge, voltage, current: current <= limit
        case "current_magnitude" if at_least:
            return lambda time, charge, voltage, current: abs(current) >= limit
        case "current_magnitude":
            return lambda time, charge, voltage, current: abs(current) <= limit
        case other:
            raise ValueError(f"{other!r} takes more than one comparison")
