"""How long a step takes at least and at most, and which of its ends it may come to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from galvanode.quantities import CYCLE_QUANTITIES
from galvanode.recipe.intervals import Bounds, magnitude, value_of
from galvanode.recipe.operand import OPEN_CIRCUIT, Operand
from galvanode.recipe.program import Action, AllOf, AnyOf, Condition, Detector, End, Record, Step, Test

Variables = Mapping[str, Bounds]


class Due(NamedTuple):
    """When a test holds for the first time, s after the step or block began."""

    low: float
    high: float
    stays: bool
    """Once it holds it goes on holding."""
    turns: int = 0
    """Of the loop that must have ended before."""


class Coming(NamedTuple):
    """An action that an end may lead to, and when."""

    action: Action
    when: Bounds
    turns: int


def comings(end: End, due: Due) -> Iterator[Coming]:
    """Yield what an end may lead to: its own action, and the other one where it comes too soon or not in time."""
    low = due.low + end.held_s
    high = due.high + end.held_s if due.stays or end.held_s == 0 else math.inf
    earliest = low if end.not_before_s is None else max(low, end.not_before_s)
    latest = high if end.by_s is None else min(high, end.by_s)
    if end.not_before_s is not None and low < end.not_before_s:
        yield Coming(end.otherwise, Bounds(low, min(high, end.not_before_s)), due.turns)
    if earliest <= latest:
        yield Coming(end.then, Bounds(earliest, latest), due.turns)
    if end.by_s is not None and high > end.by_s:
        yield Coming(end.otherwise, Bounds(end.by_s, end.by_s), 0)


def due(test: Test, step: Step | None, variables: Variables) -> Due:
    """Return when a test may hold: in a step, or (None) at some time inside a block."""
    if isinstance(test, Detector):  # may speak on the first reading
        return Due(0.0, math.inf, stays=False)
    if isinstance(test, Condition):
        return _condition(test, step, variables)
    parts = [due(part, step, variables) for part in test.of]
    if isinstance(test, AnyOf):
        return Due(
            min(part.low for part in parts),
            min(part.high for part in parts),
            stays=all(part.stays for part in parts),
            turns=min(part.turns for part in parts),
        )
    stay = all(part.stays for part in parts)
    return Due(
        max(part.low for part in parts),
        max(part.high for part in parts) if stay else math.inf,
        stays=stay,
        turns=max(part.turns for part in parts),
    )


def _condition(condition: Condition, step: Step | None, variables: Variables) -> Due:
    value = value_of(condition.value, variables)
    value = Bounds(max(0.0, value.low), max(0.0, value.high))
    if condition.quantity in CYCLE_QUANTITIES:  # the first turn's retention is 1
        turns = 1 if condition.of_cycle is None else condition.of_cycle + 1
        return Due(0.0, math.inf, stays=False, turns=turns)
    if condition.over_s is not None:  # of a slope, not known before
        return Due(condition.over_s, math.inf, stays=False)
    counted = condition.quantity in ("time", "charge", "energy")
    if counted and condition.comparison == "<=":  # holds at first
        return Due(0.0, 0.0, stays=False)
    if condition.quantity == "time":
        return Due(*value, stays=True)
    if step is None or step.drive.held is None or step.drive.counted != condition.quantity:
        return Due(0.0, math.inf, stays=counted)
    low, high = magnitude(value_of(step.drive.held, variables))
    return Due(_quotient(value.low, high), _quotient(value.high, low) + step.poll_s, stays=True)


def _quotient(amount: float, rate: float) -> float:
    """Return the time that a charge or an energy takes, s: none for nothing, forever at no rate."""
    if amount == 0:
        return 0.0
    return amount / rate if rate > 0 else math.inf


def own_end(step: Step, variables: Variables) -> Bounds | None:
    """Return when a step ends by itself; None for one that does not. The rest voltage lies inside the limits."""
    window = step.limits.voltage
    rest = Bounds(
        -math.inf if window.min is None else window.min,
        math.inf if window.max is None else window.max,
    )
    return step.drive.own_end({**variables, OPEN_CIRCUIT: rest})


def samples_of(step: Step, duration: Bounds) -> Bounds:
    """Return how many samples a step records in so long a time."""
    own = step.drive.own_samples()
    if own is not None:
        return Bounds(own, own)
    record = step.record
    burst = Bounds(0.0, 0.0)
    if record.burst_every_s is not None and record.burst_for_s is not None:
        burst = Bounds(*(fit(min(seconds, record.burst_for_s), record.burst_every_s) for seconds in duration))
    regular = fit(duration.high, step.poll_s if _by_change(record) else record.every_s)
    # The first and the last reading of a step are always recorded; they are one where it ends at once.
    least = fit(duration.low, record.every_s) if record.every_s is not None else float(duration.low > 0)
    return Bounds(1.0 + max(least, burst.low), 2.0 + regular + burst.high + step.drive.changes())


def densest(step: Step) -> float:
    """Return the samples per second that a step may record, beside its first and its last."""
    intervals = [step.poll_s if _by_change(step.record) else step.record.every_s, step.record.burst_every_s]
    return math.fsum(1 / interval for interval in intervals if interval is not None)


def _by_change(record: Record) -> bool:
    changes = (record.voltage_change, record.current_change, record.charge_change)
    return any(change is not None for change in changes)


def fit(duration_s: float, interval_s: float | None) -> float:
    """Return how many intervals fit: none without one, infinitely many into an infinite time."""
    if interval_s is None:
        return 0.0
    # Not //: 1 s are 100 times 10 ms, and 99 in floating point.
    return float(math.floor(duration_s / interval_s + 1e-9)) if math.isfinite(duration_s) else math.inf


def operands_of(tests: Iterable[Test]) -> Iterator[Operand]:
    """Yield what the tests compare with."""
    for test in tests:
        if isinstance(test, Condition):
            yield test.value
        elif isinstance(test, (AllOf, AnyOf)):
            yield from operands_of(test.of)
