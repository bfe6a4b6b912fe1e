"""How long a program takes at least and at most, and how much it records: told from the program alone.

No cell is asked, so a step that a voltage ends has only the bounds that its time and its charge give.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from galvanode.recipe.program import (
    OPEN_CIRCUIT,
    Condition,
    ImpedancePlan,
    Instruction,
    Loop,
    Operand,
    Program,
    SetChamber,
    Step,
    SweepPlan,
    Variable,
)

_MAX_EVALUATED = 100_000
"""Turns of ladders looked at one by one; beyond it a ladder is bounded by its extremes."""
_PERIODS = 3.0
"""Of the sine that a point of a spectrum takes: one to settle, two to measure (convention)."""
_OVERHEAD_S = 1.0
"""That an instrument may take for a point besides: to choose ranges, to send it."""


class Bounds(NamedTuple):
    """At least and at most; ``high`` is infinite where nothing bounds it."""

    low: float
    high: float

    def times(self, turns: float) -> Bounds:
        """Return the bounds of so many."""
        return Bounds(self.low * turns, self.high * turns if self.high else 0.0)


class Estimate(NamedTuple):
    """Bounds of a whole program, of a block or of a step."""

    duration_s: Bounds
    steps: Bounds
    samples: Bounds


def estimate(program: Program) -> Estimate:
    """Return bounds of duration (s), steps carried out and samples recorded, without expanding loops.

    Assumes that no limit trips and nobody stops the run.
    """
    return _Estimator(program.instructions).block(0, len(program.instructions), {})


class _Estimator:
    def __init__(self, instructions: tuple[Instruction, ...]) -> None:
        self._instructions = instructions
        self._evaluated = 0

    def block(self, start: int, end: int, variables: Mapping[str, Bounds]) -> Estimate:
        """Return the estimate of the instructions from ``start`` up to ``end``."""
        parts: list[Estimate] = []
        index = start
        while index < end:
            instruction = self._instructions[index]
            if isinstance(instruction, Step):
                parts.append(_step(instruction, variables))
            elif isinstance(instruction, SetChamber):
                parts.append(_chamber(instruction))
            elif isinstance(instruction, Loop):
                parts.append(self._loop(instruction, index, variables))
                index = instruction.end
            index += 1
        return _sum(parts)

    def _loop(self, loop: Loop, start: int, variables: Mapping[str, Bounds]) -> Estimate:
        turns = self._turns(loop, start, variables)
        total = _sum(turns) if len(turns) > 1 else Estimate(*(part.times(loop.turns) for part in turns[0]))
        if loop.until_s is not None:
            total = _until(loop.until_s, loop.turns, total, _hull(turns))
        if loop.stop_when_retention is not None:  # nothing is compared before the turn after the one that counts as 1
            fewest = min(loop.turns, loop.stop_when_retention.of_cycle + 1)
            least = Estimate(*(part.times(fewest) for part in _hull(turns)))
            total = Estimate(
                *(Bounds(min(all_.low, few.low), all_.high) for all_, few in zip(total, least, strict=True))
            )
        if loop.stop_when:  # a detector may speak on the first reading
            total = Estimate(*(Bounds(0.0, part.high) for part in total))
        return total

    def _turns(self, loop: Loop, start: int, variables: Mapping[str, Bounds]) -> list[Estimate]:
        """Return the estimate of every turn, or of one that stands for all."""
        names = [name for name in loop.ladder if self._uses(name, start + 1, loop.end)]
        self._evaluated += loop.turns if names else 0
        if not names or self._evaluated > _MAX_EVALUATED:
            extremes = {name: Bounds(min(loop.ladder[name]), max(loop.ladder[name])) for name in names}
            return [self.block(start + 1, loop.end, {**variables, **extremes})]
        return [
            self.block(
                start + 1,
                loop.end,
                {
                    **variables,
                    **{name: Bounds(loop.ladder[name][turn], loop.ladder[name][turn]) for name in names},
                },
            )
            for turn in range(loop.turns)
        ]

    def _uses(self, name: str, start: int, end: int) -> bool:
        return any(
            isinstance(operand, Variable) and operand.name == name
            for instruction in self._instructions[start:end]
            if isinstance(instruction, Step)
            for operand in _operands(instruction)
        )


def _operands(step: Step) -> Iterable[Operand | None]:
    """Return what may vary the time that a step takes."""
    return (
        step.setpoint,
        *(step.sweep.vertices if step.sweep is not None else ()),
        *(condition.value for condition in step.until),
    )


def _sum(parts: Iterable[Estimate]) -> Estimate:
    parts = list(parts)
    return Estimate(
        *(
            Bounds(math.fsum(part[kind].low for part in parts), math.fsum(part[kind].high for part in parts))
            for kind in range(3)
        )
    )


def _hull(parts: list[Estimate]) -> Estimate:
    return Estimate(
        *(Bounds(min(part[kind].low for part in parts), max(part[kind].high for part in parts)) for kind in range(3))
    )


def _until(until_s: float, turns: int, total: Estimate, turn: Estimate) -> Estimate:
    """Bound a loop that also ends with the first turn that ends ``until_s`` after it began."""
    shortest, longest = turn.duration_s
    fewest = max(1, min(turns, math.ceil(until_s / longest))) if longest > 0 else turns
    most = max(1, min(turns, math.ceil(until_s / shortest))) if shortest > 0 else turns
    longest_s = min(total.duration_s.high, until_s + longest, most * longest)
    return Estimate(
        Bounds(min(total.duration_s.low, max(until_s, fewest * shortest)), longest_s),
        Bounds(turn.steps.low * fewest, min(total.steps.high, turn.steps.high * most)),
        Bounds(turn.samples.low * fewest, min(total.samples.high, turn.samples.high * most)),
    )


def _step(step: Step, variables: Mapping[str, Bounds]) -> Estimate:
    ends = [_end(condition, step, variables) for condition in step.until]
    if step.impedance is not None:
        points = float(step.impedance.points)
        return Estimate(_spectrum(step.impedance), Bounds(1.0, 1.0), Bounds(points, points))
    if step.sweep is not None:
        ends.append(_sweep(step.sweep, step, variables))
    duration = Bounds(min(end.low for end in ends), min(end.high for end in ends))
    every_s = step.record.every_s
    changes = step.record.voltage_change is not None or step.record.current_change is not None
    # The first and the last reading of a step are always recorded; they are one where it ends at once.
    return Estimate(
        duration,
        Bounds(1.0, 1.0),
        Bounds(
            1.0 + (_fit(duration.low, every_s) if every_s is not None else float(duration.low > 0)),
            2.0 + _fit(duration.high, step.poll_s if changes else every_s),
        ),
    )


def _spectrum(plan: ImpedancePlan) -> Bounds:
    """Return the time of a spectrum: some periods of each frequency."""
    ratio = (plan.frequency_min / plan.frequency_max) ** (1 / (plan.points - 1))
    periods_s = math.fsum(1 / (plan.frequency_max * ratio**point) for point in range(plan.points))
    return Bounds(_PERIODS * periods_s, _PERIODS * periods_s + _OVERHEAD_S * plan.points)


def _sweep(plan: SweepPlan, step: Step, variables: Mapping[str, Bounds]) -> Bounds:
    """Return the time of a sweep: its span over its rate. The rest voltage lies somewhere inside the limits."""
    window = step.limits.voltage
    rest = Bounds(
        -math.inf if window.min is None else window.min,
        math.inf if window.max is None else window.max,
    )
    legs = [_distance(first, second, {**variables, OPEN_CIRCUIT: rest}) for first, second in pairwise(plan.vertices)]
    return Bounds(
        plan.cycles * math.fsum(leg.low for leg in legs) / plan.rate,
        plan.cycles * math.fsum(leg.high for leg in legs) / plan.rate,
    )


def _distance(first: Operand, second: Operand, variables: Mapping[str, Bounds]) -> Bounds:
    a, b = _value(first, variables), _value(second, variables)
    return Bounds(max(0.0, a.low - b.high, b.low - a.high), max(a.high - b.low, b.high - a.low))


def _chamber(chamber: SetChamber) -> Estimate:
    soak = chamber.soak
    duration = Bounds(0.0, 0.0) if soak is None else Bounds(soak.dwell, soak.timeout)
    return Estimate(duration, Bounds(0.0, 0.0), Bounds(0.0, 0.0))


def _fit(duration_s: float, interval_s: float | None) -> float:
    """Return how many intervals fit: none without one, infinitely many into an infinite time."""
    if interval_s is None:
        return 0.0
    return duration_s // interval_s if math.isfinite(duration_s) else math.inf


def _end(condition: Condition, step: Step, variables: Mapping[str, Bounds]) -> Bounds:
    """Return when a condition ends the step, s after its begin."""
    value = _value(condition.value, variables)
    if condition.quantity == "time":
        return value
    if condition.quantity == "charge" and step.mode == "current" and step.setpoint is not None:
        low, high = _magnitude(_value(step.setpoint, variables))
        return Bounds(_quotient(value.low, high), _quotient(value.high, low) + step.poll_s)
    return Bounds(0.0, math.inf)


def _quotient(charge: float, current: float) -> float:
    """Return the time that a charge takes, s: none for no charge, forever without a current."""
    if charge == 0:
        return 0.0
    return charge / current if current > 0 else math.inf


def _value(operand: Operand, variables: Mapping[str, Bounds]) -> Bounds:
    if not isinstance(operand, Variable):
        return Bounds(operand, operand)
    low, high = variables[operand.name]
    ends = (low * operand.factor, high * operand.factor)
    return Bounds(min(ends), max(ends))


def _magnitude(value: Bounds) -> Bounds:
    ends = (abs(value.low), abs(value.high))
    return Bounds(0.0 if value.low <= 0 <= value.high else min(ends), max(ends))
