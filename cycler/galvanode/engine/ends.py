"""What ends a step or a block, asked of one reading after the other: conditions, debounce, deadlines, actions."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from galvanode.analysis.detectors import DETECTORS, ShortCircuit
from galvanode.errors import GalvanodeError
from galvanode.quantities import BY_NAME, CYCLE_QUANTITIES
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Action, AllOf, Condition, Detector, End, Test

TIME_TOLERANCE_S = 1e-6
CHARGE_TOLERANCE = 1e-9
"""Of what is waited for, where it is not measured but worked out (a sum, a difference, a ratio): a rounding must not
miss equality."""
_SLOPE_MOST = 1000
"""Readings kept of a slope's time: a fit must not hold up the other channels."""
_SLOPE_READINGS = 10
"""A slope that names no time is fitted over so many readings."""


class CannotTell(GalvanodeError):
    """A condition asks for what is not measured here."""


class Moment:
    """All that a condition may ask about, at one reading or between two steps. SI units."""

    __slots__ = (
        "auxiliary",
        "charge",
        "current",
        "cycle",
        "elapsed",
        "energy",
        "highest",
        "lowest",
        "resting",
        "step_count",
        "temperature",
        "test_time",
        "voltage",
    )

    def __init__(self) -> None:
        self.test_time = 0.0
        self.step_count = 0
        self.voltage = self.current = math.nan
        self.temperature: float | None = None
        self.resting = False
        self.elapsed = self.charge = self.energy = 0.0
        """Since the step, or the block, began."""
        self.highest, self.lowest = -math.inf, math.inf
        """Voltage since the step began."""
        self.cycle: Mapping[str, float] = {}
        """Cycle quantities of the turn that has ended last; ``retention`` with its cycle: ``retention 1``."""
        self.auxiliary: Mapping[str, float] = {}
        """Auxiliary readings by name."""


class Verdict(NamedTuple):
    """An end that has come."""

    action: Action
    reason: str


class Ending:
    """One ``End``, with what it remembers from reading to reading."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.about_cycles = any(
            isinstance(part, Condition) and part.quantity in CYCLE_QUANTITIES for part in parts_of(end.test)
        )
        self._detectors = [_Detecting(part) for part in parts_of(end.test) if isinstance(part, Detector)]
        self._held_since: float | None = None
        self._holds: Callable[[Moment], bool] = _never
        self.times: list[float] = []
        """s after the start at which it may become true by time alone."""
        self.charges: list[float] = []
        """C after the start at which it may become true by charge alone."""
        self.energies: list[float] = []
        """J after the start at which it may become true by energy alone."""

    def begin_step(self, value: Callable[[Operand], float]) -> None:
        """Work out its numbers anew: a step begins. What is told from several readings of a step starts afresh."""
        self.times = [] if self.end.by_s is None else [self.end.by_s]
        if self.end.not_before_s is not None:
            self.times.append(self.end.not_before_s)
        self.charges, self.energies = [], []
        counted = {"time": self.times, "charge": self.charges, "energy": self.energies}
        for part in parts_of(self.end.test):
            if isinstance(part, Condition) and part.quantity in counted:
                counted[part.quantity].append(value(part.value))
        self._holds = test_of(self.end.test, value, iter(self._detectors))

    def update(self, moment: Moment) -> Verdict | None:
        """Take one reading; return what is to be done if this is the end."""
        end = self.end
        if self._holds(moment):
            if self._held_since is None:
                self._held_since = moment.elapsed
            if moment.elapsed - self._held_since >= end.held_s - TIME_TOLERANCE_S:
                if end.not_before_s is not None and moment.elapsed < end.not_before_s - TIME_TOLERANCE_S:
                    return Verdict(end.otherwise, f"too early, after {moment.elapsed:.6g} s: {self.why}")
                return Verdict(end.then, self.why)
        else:
            self._held_since = None
        if end.by_s is not None and moment.elapsed >= end.by_s - TIME_TOLERANCE_S:
            return Verdict(end.otherwise, f"not within {end.by_s:.6g} s: {end.text}")
        return None

    @property
    def why(self) -> str:
        """The end reason: what the recipe says, or what its detector does."""
        said = next((detecting.said for detecting in self._detectors if detecting.said is not None), None)
        return self.end.text if said is None else said

    @property
    def lone_detector(self) -> ShortCircuit | None:
        """The detector, where this end is nothing else: no debounce, no deadline. ``detected`` keeps its word."""
        end = self.end
        alone = isinstance(end.test, Detector) and end.held_s == 0 and end.not_before_s is None and end.by_s is None
        return self._detectors[0].detector if alone else None

    def detected(self, said: str) -> str:
        """Return the end reason of a lone detector that has spoken."""
        self._detectors[0].said = said
        return said

    def next_due(self, elapsed: float) -> float:
        """Return when to look at the latest, s after the start: infinity if any time will do."""
        due = math.inf if self._held_since is None else self._held_since + self.end.held_s
        for time in self.times:
            if elapsed + TIME_TOLERANCE_S < time < due:
                due = time
        return due

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart, as JSON-ready data."""
        return {
            "detectors": [detecting.detector.state() for detecting in self._detectors],
            "said": [detecting.said for detecting in self._detectors],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        for detecting, kept in zip(self._detectors, state["detectors"], strict=False):
            detecting.detector.restore(kept)
        for detecting, said in zip(self._detectors, state["said"], strict=False):
            detecting.said = said


class _Detecting:
    """A detector as a condition: it has spoken, or not yet."""

    def __init__(self, detector: Detector) -> None:
        self.detector: ShortCircuit = DETECTORS[detector.name](detector.options)
        self.said: str | None = None

    def __call__(self, moment: Moment) -> bool:
        current = 0.0 if moment.resting else moment.current
        said = self.detector.update(moment.test_time, moment.voltage, current, moment.step_count)
        self.said = self.said or said
        return self.said is not None


def parts_of(test: Test) -> Iterator[Condition | Detector]:
    """Yield the comparisons and detectors of a test, in the recipe's order."""
    if isinstance(test, (Condition, Detector)):
        yield test
        return
    for part in test.of:
        yield from parts_of(part)


def test_of(test: Test, value: Callable[[Operand], float], detectors: Iterator[_Detecting]) -> Callable[[Moment], bool]:
    """Return a function that tells whether a test holds; its numbers are worked out now.

    Every part sees every reading, whatever the others say: a detector and a slope must not miss one.
    """
    if isinstance(test, Detector):
        return next(detectors)
    if isinstance(test, Condition):
        return _comparison(test, value)
    parts = [test_of(part, value, detectors) for part in test.of]
    together = all if isinstance(test, AllOf) else any
    return lambda moment: together([part(moment) for part in parts])


def _comparison(condition: Condition, value: Callable[[Operand], float]) -> Callable[[Moment], bool]:
    quantity, at_least = condition.quantity, condition.comparison == ">="
    limit = value(condition.value)
    if quantity == "value":
        subject = value(0.0 if condition.subject is None else condition.subject)
        outcome = _compare(condition, subject, limit, CHARGE_TOLERANCE * max(abs(subject), abs(limit)))
        return lambda moment: outcome
    if quantity == "time" and at_least and not condition.strict:
        return lambda moment: moment.elapsed >= limit - TIME_TOLERANCE_S
    entry = BY_NAME.get(quantity)
    slope_of = None if entry is None else entry.slope_of
    measured = _measured(condition) if slope_of is None else _slope(condition, slope_of)
    magnitude = condition.magnitude
    slack = 0.0 if entry is None or entry.as_measured else CHARGE_TOLERANCE * abs(limit)
    if quantity == "time":
        slack = 2 * TIME_TOLERANCE_S  # one that a clock may be early by, one that a reading may be late by

    def holds(moment: Moment) -> bool:
        now = measured(moment)
        if now is None:
            return False
        if magnitude:
            now = abs(now)
        return _compare(condition, now, limit, slack)

    return holds


def _compare(condition: Condition, now: float, limit: float, slack: float) -> bool:
    """Return how a number compares, where what differs by no more than ``slack`` counts as equal."""
    if condition.comparison == ">=":
        return now > limit + slack if condition.strict else now >= limit - slack
    return now < limit - slack if condition.strict else now <= limit + slack


def _measured(condition: Condition) -> Callable[[Moment], float | None]:
    """Return a function that tells the quantity of a condition from one moment."""
    quantity = BY_NAME.get(condition.quantity)
    if quantity is not None and quantity.of_cycles:
        key = f"retention {condition.of_cycle or 1}" if quantity.name == "retention" else quantity.name
        return lambda moment: moment.cycle.get(key)
    return told(condition.quantity)


def told(name: str) -> Callable[[Moment], float | None]:
    """Return a function that tells a quantity, or the auxiliary reading of that name, from one moment.

    It raises ``CannotTell`` where nothing on the channel measures it.
    """
    quantity = BY_NAME.get(name)
    if quantity is None:
        return lambda moment: _there(moment.auxiliary.get(name), name)
    now = quantity.now
    if now is None:
        raise GalvanodeError(f"the engine knows no way to tell the quantity {name!r} from one reading")
    if quantity.column is not None and quantity.column.nullable:
        return lambda moment: _there(now(moment), name)
    return now


def _there(value: float | None, name: str) -> float:
    if value is None:
        raise CannotTell(f"a condition is about the {name.replace('_', ' ')}, but none is measured on this channel")
    return value


def _slope(condition: Condition, slope_of: str) -> Callable[[Moment], float | None]:
    """Return a function that fits a straight line to the readings up to now; None while they span too little."""
    of, over_s = told(slope_of), condition.over_s
    readings: deque[tuple[float, float]] = deque(maxlen=_SLOPE_READINGS if over_s is None else None)

    def slope(moment: Moment) -> float | None:
        now = of(moment)
        if now is None:
            return None
        if over_s is not None and len(readings) > 1 and moment.test_time - readings[-2][0] < over_s / _SLOPE_MOST:
            readings.pop()  # the newest is always there; of the others no more than tell a straight line
        readings.append((moment.test_time, now))
        if over_s is None:
            if len(readings) < _SLOPE_READINGS:
                return None
        else:
            start = moment.test_time - over_s + TIME_TOLERANCE_S
            if readings[0][0] > start:
                return None
            while readings[1][0] <= start:
                readings.popleft()
        return _fitted(readings)

    return slope


def _fitted(readings: deque[tuple[float, float]]) -> float | None:
    """Return the slope of the least-squares line; None where all readings are of one instant."""
    count = len(readings)
    mean_t = math.fsum(t for t, _ in readings) / count
    mean_x = math.fsum(x for _, x in readings) / count
    spread = math.fsum((t - mean_t) ** 2 for t, _ in readings)
    if spread <= 0:
        return None
    return math.fsum((t - mean_t) * (x - mean_x) for t, x in readings) / spread


def _never(moment: Moment) -> bool:
    return False
