"""What a recipe must do on a capacitor, worked out from the recipe itself and from physics.

Reads ``language`` and imports nothing of Galvanode. It walks the tree of the recipe, not a compiled program, and
its cell is a formula. Readings are at the documented instants: when the set point is confirmed, at every poll, and
sooner where a time or a charge that something waits for, or a record, is due. Charge is the sum of trapezoids between
readings, as it is for an engine that only sees readings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.stack.reference.language import (
    Action,
    Compare,
    End,
    Group,
    If,
    Item,
    Jump,
    Measured,
    Name,
    Number,
    Op,
    Rate,
    Recipe,
    Record,
    Repeat,
    Set,
    Step,
    Test,
    Value,
    bare,
)
from tests.stack.reference.physics import (
    SUM_TOLERANCE,
    TIME_TOLERANCE_S,
    VOLTAGE_TOLERANCE_V,
    WORTH_SETTING,
    Capacitor,
    Drive,
    Impossible,
    Unsuitable,
)
from tests.stack.reference.recorder import Kept, Recorder, with_inner

_MOST_AMPS = 0.05
"""Of the cell's envelope, of either sign."""
_MOST_READINGS = 1500
_MOST_STEPS = 150
_MOST_MOVES = 500
_SAME_READINGS = 25
_CYCLE_QUANTITIES = ("charge_capacity", "discharge_capacity", "coulombic_efficiency", "retention", "cycle")


# --- what comes of it --------------------------------------------------------------------------------------------


@dataclass
class StepDone:
    """One step that was carried out."""

    step_id: int
    verb: str
    cycle: int
    started: float
    ended: float = 0.0
    reason: str = ""
    charged: float = 0.0
    """C, of the intervals in which current charged."""
    discharged: float = 0.0
    readings: list[tuple[float, float, float]] = field(default_factory=list)
    """Time in the step, voltage, current."""
    samples: list[float] = field(default_factory=list)
    """Times in the step that are recorded."""


@dataclass
class Outcome:
    """A whole run."""

    state: str
    reason: str
    steps: list[StepDone]
    cell: Capacitor
    variables: dict[str, float]
    set_to: list[tuple[str, float]]
    """Every assignment, in order."""
    parameters: dict[str, str]
    """As written."""


@dataclass
class Moment:
    """What a condition may ask about. Times, charges and energies since a step or a block began."""

    voltage: float = math.nan
    current: float = math.nan
    elapsed: float = 0.0
    charge: float = 0.0
    energy: float = 0.0
    highest: float = math.nan
    lowest: float = math.nan
    turn: dict[str, float] = field(default_factory=dict)
    known: bool = True
    readings: list[tuple[float, float, float]] = field(default_factory=list)


@dataclass
class Block:
    """A repeat or a group that the run is inside of."""

    item: Repeat | Group
    ends: list[Waiting]
    began: float
    charge_began: float
    energy_began: float


@dataclass
class Waiting:
    """An end that is waited for, and since when its test has held."""

    end: End
    value: Value | None = None
    """Of a plain duration."""
    since: float | None = None

    @property
    def text(self) -> str:
        return str(self.end.test)


class _Leave(Exception):
    def __init__(self, block: Block) -> None:
        self.block = block


class _Go(Exception):
    def __init__(self, label: str) -> None:
        self.label = label


class _Over(Exception):
    def __init__(self, state: str, reason: str) -> None:
        self.state, self.reason = state, reason


# --- the interpreter -----------------------------------------------------------------------------------------------


class Interpreter:
    """Carries out one recipe."""

    def __init__(self, recipe: Recipe, cell: Capacitor | None = None, capacity: float = 3.6) -> None:
        """``capacity`` in C is what 1C is of; so many A are 1C for an hour."""
        self.recipe = recipe
        self.cell = cell or Capacitor()
        self.capacity = capacity
        self.now = 0.0
        self.charged = self.discharged = 0.0
        self.energy = 0.0
        self.cycle = 0
        self.variables: dict[str, float] = {}
        self.blocks: list[Block] = []
        self.steps: list[StepDone] = []
        self.set_to: list[tuple[str, float]] = []
        self.last = Moment(known=False)
        self.turn: dict[str, float] = {}
        self.jumps: dict[int, int] = {}
        self.moves = self.readings = 0
        self.records = [recipe.record]
        self.ids = {id(step): number for number, step in enumerate(_steps_of(recipe.method), start=1)}
        self.limits = tuple(number.si for number in recipe.voltage)

    def run(self) -> Outcome:
        """Carry it out and say what came of it."""
        self.variables = {name: self.value(value) for name, value in self.recipe.parameters}
        state, reason = "completed", "end of recipe"
        try:
            self.items(self.recipe.method)
        except _Over as over:
            state, reason = over.state, over.reason
        except Impossible as impossible:
            state, reason = "tripped", str(impossible)
        written = {name: str(value) for name, value in self.recipe.parameters}
        return Outcome(state, reason, self.steps, self.cell, self.variables, self.set_to, written)

    # Control

    def items(self, items: tuple[Item, ...]) -> None:
        """Carry out items in turn; a ``goto`` to one of them goes on there."""
        index = 0
        while index < len(items):
            self.moves += 1
            if self.moves > _MOST_MOVES:
                raise Unsuitable("it goes on and on")
            try:
                self.item(items[index])
            except _Go as go:
                labels = [getattr(item, "label", "") for item in items]
                if go.label not in labels:
                    raise
                index = labels.index(go.label)
            else:
                index += 1

    def item(self, item: Item) -> None:
        match item:
            case Step():
                self.step(item)
            case Repeat() | Group():
                self.block(item)
            case If():
                self.items(item.then if self.holds(item.test, self.between()) else item.otherwise)
            case Set():
                for name, value in item.values:
                    self.variables[name] = self.value(value, self.between())
                    self.set_to.append((name, self.variables[name]))
            case Jump():
                self.jump(item)

    def jump(self, jump: Jump) -> None:
        if jump.do == "goto":
            taken = self.jumps[id(jump)] = self.jumps.get(id(jump), 0) + 1
            if taken > (10_000 if jump.at_most is None else jump.at_most):
                raise _Over("failed", "goto")
        self.act(Action(jump.do, jump.to), jump.do, None)

    def act(self, action: Action, reason: str, block: Block | None) -> None:
        """Do what an end says, that of ``block`` or that of a step; returns for a step that goes on."""
        if action.do == "next":
            if block is not None:
                raise _Leave(block)
            return
        if action.do == "goto":
            raise _Go(action.label)
        if action.do == "break":
            around = self.blocks if block is None else self.blocks[: self.blocks.index(block) + 1]
            raise _Leave(next(one for one in reversed(around) if isinstance(one.item, Repeat)))
        raise _Over("completed" if action.do == "end" else "failed", reason)

    def block(self, item: Repeat | Group) -> None:
        ends = [Waiting(end) for end in item.stop_when]
        if isinstance(item, Group) and item.duration is not None:
            ends.insert(0, _duration(item.duration))
        passed = self.charged + self.discharged
        block = Block(item, ends, self.now, passed, self.energy)
        self.blocks.append(block)
        if isinstance(item, Group) and item.record is not None:
            self.records.append(with_inner(self.records[-1], item.record))
        try:
            if isinstance(item, Group):
                self.items(item.body)
            else:
                self.turns(item, block)
        except _Leave as leave:
            if leave.block is not block:
                raise
        finally:
            self.blocks.pop()
            if isinstance(item, Group) and item.record is not None:
                self.records.pop()
            if isinstance(item, Repeat):
                for name, _ in item.ladder:
                    self.variables.pop(name, None)

    def turns(self, item: Repeat, block: Block) -> None:
        innermost = not any(isinstance(inner, Repeat) for inner in _all_items(item.body))
        reference: dict[int, float] = {}
        for number, values in enumerate(_turns(item), start=1):
            self.variables |= {name: self.value(value) for name, value in values.items()}
            self.cycle += innermost
            before = self.charged, self.discharged
            self.items(item.body)
            charged, discharged = self.charged - before[0], self.discharged - before[1]
            reference[number] = discharged
            turn = {"charge_capacity": charged, "discharge_capacity": discharged, "cycle": float(number)}
            if charged > 0:
                turn["coulombic_efficiency"] = discharged / charged
            turn |= {
                f"retention {one}": discharged / capacity
                for one, capacity in reference.items()
                if capacity > 0 and one < number
            }
            if innermost:
                self.turn = turn
            moment = self.since(block)
            moment.turn = turn
            for waiting in block.ends:
                if _about_cycles(waiting.end.test) and (verdict := self.look(waiting, moment)):
                    self.act(*verdict, block)
            if item.duration is not None and self.now - block.began >= item.duration.si - TIME_TOLERANCE_S:
                return

    # Steps

    def step(self, step: Step) -> None:
        ends = [Waiting(end) for end in step.until]
        if step.duration is not None:
            ends.insert(0, _duration(step.duration))
        drive = self.drive(step)
        if drive is not None:
            self.cell.source = ("current", self.allowed(drive.current(0.0, self.last.voltage)), 0.0)
            self.carry_out(step, ends, drive=drive)
            return
        level = 0.0 if step.verb == "rest" else self.checked(step, self.level(step))
        magnitude = step.verb in ("charge", "discharge")
        if step.verb == "constant_voltage":
            limit = math.inf if step.current_limit is None else step.current_limit.si
            self.cell.source = ("voltage", level, min(limit, _MOST_AMPS))
        else:
            self.cell.source = ("current", level, 0.0)
        self.carry_out(step, ends, magnitude)
        if step.hold is None:
            return
        test = step.until[0].test
        assert isinstance(test, Compare)
        ends = [Waiting(end) for end in step.hold.until]
        if step.hold.duration is not None:
            ends.insert(0, _duration(step.hold.duration))
        self.cell.source = ("voltage", self.value(test.right), abs(level))
        self.carry_out(step, ends, magnitude=True)

    def level(self, step: Step) -> float:
        assert step.level is not None
        level = self.value(step.level, self.between())
        if isinstance(step.level, Rate):
            level *= self.variables.get("nominal_capacity", self.capacity) / 3600.0
        if step.verb in ("strip", "discharge"):
            level = -level
        return level

    def checked(self, step: Step, level: float) -> float:
        """A set point that is known only now must have the sign that its verb says, and lie inside the limits."""
        if (step.verb in ("plate", "charge") and level <= 0) or (step.verb in ("strip", "discharge") and level >= 0):
            raise _Over("failed", "the sign of a set point")
        low, high = self.limits if step.key == "voltage" else (-_MOST_AMPS, _MOST_AMPS)
        if min(abs(level - low), abs(level - high)) < 1e-9:
            raise Unsuitable("a set point at its limit")
        if not low <= level <= high:
            raise _Over("failed", "a set point outside its limits")
        return level

    def drive(self, step: Step) -> Drive | None:
        """What a computer makes of a step that the instrument cannot hold."""
        if step.points:
            return Drive("profile", tuple((time.si, current.si) for time, current in step.points))
        if step.verb in ("constant_power", "constant_resistance"):
            assert step.level is not None
            return Drive(step.verb, ((0.0, self.value(step.level, self.between())),))
        return None

    def allowed(self, current: float) -> float:
        if abs(current) > _MOST_AMPS:
            raise _Over("tripped", "current")
        return current

    def carry_out(self, step: Step, ends: list[Waiting], magnitude: bool = False, drive: Drive | None = None) -> None:
        """Take reading after reading until something ends the step, and do what that says."""
        done, recorder, poll = self.begin(step)
        here = Moment(highest=-math.inf, lowest=math.inf, readings=done.readings)
        polls, before = 0, None
        earlier: tuple[float, float] | None = None
        while True:
            voltage, current = self.cell.reading
            self.count(done, here, before, voltage, current)
            before = voltage, current
            tripped = not self.limits[0] <= voltage <= self.limits[1]
            verdict, block = (None, None) if tripped else self.verdict(here, ends, magnitude)
            if verdict is None and drive is not None and drive.over(here.elapsed):
                verdict = Action(), f"end of the {step.verb}"
            recorder.take(here.elapsed, Kept(voltage, current, here.charge), last=tripped or verdict is not None)
            done.ended, done.reason = self.now, "tripped" if verdict is None else verdict[1]
            if tripped:
                raise _Over("tripped", "voltage")
            if verdict is not None:
                break
            if drive is not None:
                before = voltage, self.driven(drive, here)
            if self.now - done.started >= polls * poll - TIME_TOLERANCE_S:
                polls += 1
            waits = [done.started + polls * poll - self.now, recorder.wait(here.elapsed, here.charge, before[1])]
            waits += [] if drive is None else [drive.next(here.elapsed) - here.elapsed]
            waits += [wait for one in ends for wait in self.waits(one, here, before[1])]
            for other in self.blocks:
                waits += [w for one in other.ends for w in self.waits(one, self.since(other, here), before[1])]
            near = self.approaching(ends, here.elapsed, voltage, earlier, poll)
            waits += [wait for wait in near if wait < waits[0] - max(poll / 20, min(poll, 0.05))]
            earlier = here.elapsed, voltage
            self.wait(min(waits))
        self.last = here
        self.act(*verdict, block)

    def approaching(
        self, ends: list[Waiting], elapsed: float, voltage: float, earlier: tuple[float, float] | None, poll: float
    ) -> Iterator[float]:
        """Yield when to look as the voltage nears an end of its own: half way, on a straight line."""
        for one in ends:
            limit = None if one.value is not None else self.voltage_waited_for(one)
            if limit is None or earlier is None:
                continue
            slope = (voltage - earlier[1]) / (elapsed - earlier[0])
            if (limit - voltage) * slope > 0:
                yield max((limit - voltage) / slope / 2, poll / 20, min(poll, 0.05))

    def voltage_waited_for(self, waiting: Waiting) -> float | None:
        """Return the voltage that an end is about, and nothing else; None for any other."""
        test = waiting.end.test
        alone = isinstance(test, Compare) and test.left == Measured("voltage")
        return self.value(test.right, self.last) if alone else None

    def begin(self, step: Step) -> tuple[StepDone, Recorder, float]:
        """Begin a step; return also what records it, and the seconds between polls."""
        if len(self.steps) == _MOST_STEPS:
            raise Unsuitable("too many steps")
        done = StepDone(self.ids[id(step)], step.verb, self.cycle, self.now)
        self.steps.append(done)
        record = self.records[-1] if step.record is None else with_inner(self.records[-1], step.record)
        if record.every is record.voltage_change is record.current_change is record.charge_change is None:
            record = with_inner(record, Record(every=self.recipe.check_every))  # all readings are kept
        recorder = Recorder(record)
        done.samples = recorder.samples
        check_every = self.recipe.check_every.si
        return done, recorder, check_every if record.every is None else min(record.every.si, check_every)

    def verdict(
        self, here: Moment, ends: list[Waiting], magnitude: bool
    ) -> tuple[tuple[Action, str] | None, Block | None]:
        """Ask the blocks around, from the outermost on, then the step itself; every end sees the reading."""
        for block in self.blocks:
            moment = self.since(block, here)
            found = [self.look(waiting, moment) for waiting in block.ends if not _about_cycles(waiting.end.test)]
            if any(found):
                return next(filter(None, found)), block
        found = [self.look(waiting, here, magnitude) for waiting in ends]
        return next(filter(None, found), None), None

    def driven(self, drive: Drive, here: Moment) -> float:
        """Set the current that is due after a reading; return what flows from now on."""
        due, held = drive.current(here.elapsed, here.voltage), self.cell.source[1]
        if abs(due - held) > WORTH_SETTING * max(abs(due), abs(held)):
            self.cell.source = ("current", self.allowed(due), 0.0)
            return due
        return here.current

    def count(
        self, done: StepDone, here: Moment, before: tuple[float, float] | None, voltage: float, current: float
    ) -> None:
        """Add what has passed since the reading before."""
        elapsed = self.now - done.started
        if before is not None:
            seconds = elapsed - here.elapsed
            charge = 0.5 * (current + before[1]) * seconds
            energy = 0.5 * (voltage * current + before[0] * before[1]) * seconds
            here.charge += abs(charge)
            here.energy += abs(energy)
            self.energy += energy if charge >= 0 else -energy
            if charge >= 0:
                self.charged += charge
                done.charged += charge
            else:
                self.discharged -= charge
                done.discharged -= charge
        here.voltage, here.current, here.elapsed = voltage, current, elapsed
        here.highest, here.lowest = max(here.highest, voltage), min(here.lowest, voltage)
        here.turn = self.turn
        done.readings.append((elapsed, voltage, current))
        self.readings += 1
        same = [one[1:] == (voltage, current) for one in done.readings[-_SAME_READINGS:]]
        if len(same) == _SAME_READINGS and all(same):
            raise Unsuitable("an engine takes readings that are all the same for a broken instrument")
        if self.readings > _MOST_READINGS:
            raise Unsuitable("too many readings")

    def wait(self, seconds: float) -> None:
        self.cell.wait(seconds)
        self.now += seconds

    # Ends

    def look(self, waiting: Waiting, moment: Moment, magnitude: bool = False) -> tuple[Action, str] | None:
        """Take a reading; return what to do, and why, if this is an end."""
        end = waiting.end
        if waiting.value is not None:
            due = self.value(waiting.value, self.last)
            reached = moment.elapsed >= due - TIME_TOLERANCE_S
            return (end.then, f"for {bare(waiting.value)}") if reached else None
        if self.holds(end.test, moment, magnitude):
            waiting.since = moment.elapsed if waiting.since is None else waiting.since
            held = 0.0 if end.held_for is None else end.held_for.si
            if moment.elapsed - waiting.since >= held - TIME_TOLERANCE_S:
                if end.not_before is not None and moment.elapsed < end.not_before.si - TIME_TOLERANCE_S:
                    return end.otherwise or Action("fail"), f"too early: {waiting.text}"
                return end.then, waiting.text
        else:
            waiting.since = None
        if end.by is not None and moment.elapsed >= end.by.si - TIME_TOLERANCE_S:
            return end.otherwise or Action("fail"), f"not within: {waiting.text}"
        return None

    def waits(self, waiting: Waiting, moment: Moment, current: float) -> Iterator[float]:
        """Yield in how many seconds an end may come by time or by charge alone."""
        end = waiting.end
        if waiting.value is not None:
            yield self.value(waiting.value, self.last) - moment.elapsed
            return
        dues = [number.si for number in (end.by, end.not_before) if number is not None]
        if waiting.since is not None and end.held_for is not None:
            dues.append(waiting.since + end.held_for.si)
        for part in _comparisons(end.test):
            if part.left == Measured("time"):
                dues.append(self.value(part.right, self.last))
            if part.left == Measured("charge") and current != 0:
                limit = self.value(part.right, self.last)
                left = limit - moment.charge
                if left > SUM_TOLERANCE * limit:
                    yield max(left / abs(current), TIME_TOLERANCE_S)
        yield from (due - moment.elapsed for due in dues if due > moment.elapsed + TIME_TOLERANCE_S)

    def holds(self, test: Test, moment: Moment, magnitude: bool = False) -> bool:
        """Tell whether a test holds. In a charge or discharge a current counts without its sign."""
        if not isinstance(test, Compare):
            # All parts, whatever the others say: each of them may be too close to tell.
            parts = [self.holds(part, moment, magnitude) for part in test.parts]
            return all(parts) if test.word == "and" else any(parts)
        left, right = self.value(test.left, moment), self.value(test.right, self.last)
        if left is None:
            return False
        if magnitude and test.left in (Measured("current"), Measured("current_density")):
            left = abs(left)
        at_least = test.sign.startswith(">")
        slack = _slack(test.left, right)
        apart = abs(left - right)
        if slack == 0 and not isinstance(test.right, (Number, Name)) and 0 < apart <= 1e-8 * max(abs(left), abs(right)):
            raise Unsuitable("too close to tell")
        return left >= right - slack if at_least else left <= right + slack

    # Values

    def value(self, value: Value, moment: Moment | None = None) -> float:
        """Return a value in SI."""
        match value:
            case Number():
                return value.si
            case Rate():
                return value.per_hour
            case Name():
                return self.variables[value.name]
            case Measured():
                assert moment is not None
                return self.measured(value, moment)
            case Op():
                left, right = self.value(value.left, moment), self.value(value.right, moment)
                if value.op == "/" and right == 0:
                    raise _Over("failed", "division by zero")
                return _OPERATORS[value.op](left, right)

    def measured(self, what: Measured, moment: Moment) -> float:
        if what.quantity in _CYCLE_QUANTITIES:
            name = f"retention {what.of_cycle or 1}" if what.quantity == "retention" else what.quantity
            return moment.turn.get(name, math.nan)
        if not moment.known:
            raise _Over("failed", f"the {what.quantity} has not been measured yet")
        number = {
            "voltage": moment.voltage,
            "current": moment.current,
            "current_magnitude": abs(moment.current),
            "power": moment.voltage * moment.current,
            "time": moment.elapsed,
            "charge": moment.charge,
            "energy": moment.energy,
            "voltage_drop": moment.highest - moment.voltage,
            "voltage_rise": moment.voltage - moment.lowest,
        }[what.quantity]
        return abs(number) if what.magnitude else number

    def between(self) -> Moment:
        """What was measured in the step that has ended last, and in the turn."""
        self.last.turn = self.turn
        return self.last

    def since(self, block: Block, here: Moment | None = None) -> Moment:
        """The same reading, with times, charges and energies since a block began."""
        here = here or self.last
        return Moment(
            voltage=here.voltage,
            current=here.current,
            elapsed=self.now - block.began,
            charge=self.charged + self.discharged - block.charge_began,
            energy=self.energy - block.energy_began,
            highest=here.highest,
            lowest=here.lowest,
            turn=here.turn,
            readings=here.readings,
        )


_OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "min": min,
    "max": max,
}
_READ = ("voltage", "current", "current_magnitude")


def _slack(left: Value, right: float) -> float:
    """By how much a quantity that is no reading, but worked out from several, may miss its limit: equality counts."""
    if not isinstance(left, Measured) or left.quantity in _READ:
        return 0.0
    if left.quantity == "time":
        return TIME_TOLERANCE_S
    return VOLTAGE_TOLERANCE_V if left.quantity in ("voltage_drop", "voltage_rise") else SUM_TOLERANCE * abs(right)


def _duration(value: Value) -> Waiting:
    return Waiting(End(Compare(Measured("time"), ">=", value)), value)


def _comparisons(test: Test) -> Iterator[Compare]:
    if isinstance(test, Compare):
        yield test
        return
    for part in test.parts:
        yield from _comparisons(part)


def _about_cycles(test: Test) -> bool:
    return any(
        isinstance(part.left, Measured) and part.left.quantity in _CYCLE_QUANTITIES for part in _comparisons(test)
    )


def _turns(item: Repeat) -> Iterator[dict[str, Value]]:
    """Yield what a ladder's variables are in each turn."""
    rungs = {name: _rungs(values) for name, values in item.ladder}
    times = item.times
    if times is None and not rungs:
        times = _MOST_MOVES
    for number in range(min((len(values) for values in rungs.values()), default=1)):
        for _ in range(1 if times is None else times):
            yield {name: values[number] for name, values in rungs.items()}


def _rungs(values: Any) -> list[Value]:
    """All values of a ladder's variable: those listed, in equal steps, or in equal ratios."""
    if isinstance(values, tuple):
        return list(values)
    start, to = (Fraction(values[key].digits) for key in ("from", "to"))
    if "by" in values:
        by = Fraction(values["by"].digits)
        rungs = [start + by * number for number in range(int((to - start) // by) + 1)]
    elif "factor" in values:
        factor, rungs = Fraction(values["factor"]), [start]
        while abs(rungs[-1] * factor - start) <= abs(to - start):
            rungs.append(rungs[-1] * factor)
    else:
        per_decade = int(values["points_per_decade"])
        count = round(abs(math.log10(to / start)) * per_decade)
        rungs = [Fraction(float(start) * float(to / start) ** (number / count)) for number in range(count + 1)]
    return [Number(str(rung), values["from"].unit) for rung in rungs]


def _all_items(items: tuple[Item, ...]) -> Iterator[Item]:
    """Yield items and everything inside of them, as the recipe writes them."""
    for item in items:
        yield item
        match item:
            case Repeat() | Group():
                yield from _all_items(item.body)
            case If():
                yield from _all_items(item.then)
                yield from _all_items(item.otherwise)
            case _:
                pass


def _steps_of(items: tuple[Item, ...]) -> Iterator[Step]:
    yield from (item for item in _all_items(items) if isinstance(item, Step))
