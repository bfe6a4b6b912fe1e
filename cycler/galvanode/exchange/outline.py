"""A recipe as other programs can say it: steps and repeats with plain numbers, everything else refused by name.

It is taken from the compiled program, so that potentials, expressions, ladders and called recipes are what they come
to. C-rates would be currents there: what halves when the cell's capacity is half as large was one, and stays one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn

from galvanode.cell import CellUnderTest
from galvanode.errors import InvalidInput
from galvanode.exchange.amounts import SECONDS_PER_HOUR, tidied
from galvanode.exchange.anycell import any_cell
from galvanode.exchange.leaving import Leaving
from galvanode.recipe import Recipe, compile_recipe, drives
from galvanode.recipe.compiling.limits import of_cell
from galvanode.recipe.formula import evaluate
from galvanode.recipe.operand import NOMINAL_CAPACITY, Operand, Quantity
from galvanode.recipe.program import (
    AllOf,
    AnyOf,
    Ask,
    Assign,
    Branch,
    Condition,
    End,
    EndLoop,
    Instruction,
    Jump,
    Limits,
    Loop,
    Program,
    SetChamber,
    Step,
    Test,
    Window,
)
from galvanode.recipe.verbs import VERBS

MAX_STEPS = 5_000
"""Steps of an outline, ladders written out."""
CHECK_EVERY_S = 10.0
"""How often a recipe looks at its limits that does not say."""


@dataclass(frozen=True)
class Amount:
    """A number in SI; ``rate`` is set where it is a current in units of the capacity per hour."""

    si: float
    rate: float | None = None


@dataclass(frozen=True)
class Stop:
    """One comparison that ends a step and leads to the next one."""

    quantity: Quantity
    comparison: Literal["<=", ">="]
    amount: Amount
    text: str


@dataclass(frozen=True)
class Act:
    """A step, its numbers known."""

    step: Step
    setpoint: Amount | None
    """A, V, W or ohm."""
    vertices: tuple[float, ...]
    """V, of a sweep."""
    scan_rate: float
    """V/s, of a sweep; 0 of anything else."""
    current_limit: Amount | None
    stops: tuple[Stop, ...]
    own_limits: bool
    """Whether the step is watched more closely than the recipe."""
    after: Act | None = None
    """The charge or discharge that this step is the hold of."""

    @property
    def where(self) -> str:
        """``step 3, charge``."""
        return f"step {self.step.step_id}, {self.step.name}"

    @property
    def name(self) -> str | None:
        """What the recipe calls the step, where it gives it a name."""
        return None if self.step.name in VERBS else self.step.name

    @property
    def drawn_anyway(self) -> bool:
        """Whether the current limit is that of the charge before, which a hold of its voltage never passes."""
        before = self.after
        if before is None or before.setpoint is None or self.current_limit is None:
            return False
        if not isinstance(before.step.drive, drives.Current):
            return False
        held = any(stop.quantity == "voltage" and stop.amount == self.setpoint for stop in before.stops)
        return held and math.isclose(abs(before.setpoint.si), self.current_limit.si, rel_tol=1e-12)


@dataclass(frozen=True)
class Warm:
    """A temperature for the chamber, without waiting."""

    kelvin: float
    line: int


@dataclass(frozen=True)
class Again:
    """A block that is gone through so many times."""

    items: tuple[Item, ...]
    turns: int
    line: int
    group: str | None = None
    """Name of a group, which is gone through once; None for a repeat."""


Item = Act | Again | Warm


@dataclass(frozen=True)
class Outline:
    """What is left of a recipe."""

    source: str
    title: str
    items: tuple[Item, ...]
    limits: Limits
    """Of the recipe, and of the cell's envelope where there was a cell."""
    own_limits: bool
    """Whether the recipe itself, or a step, has any."""
    capacity: float | None
    """C that 1C is; None where nothing says so."""
    capacity_set: bool
    """Whether the recipe itself says so."""
    analyses: tuple[str, ...]
    cell: str | None
    """Name of the cell."""

    def acts(self) -> list[Act]:
        """Return the steps in the order in which they are written."""
        return _acts(self.items)

    def refuse(self, line: int | None, message: str) -> NoReturn:
        """Raise ``InvalidInput`` at a line of the recipe."""
        raise InvalidInput(message, source=self.source, line=line)


def _acts(items: tuple[Item, ...]) -> list[Act]:
    found: list[Act] = []
    for item in items:
        if isinstance(item, Again):
            found += _acts(item.items)
        elif isinstance(item, Act):
            found.append(item)
    return found


def outline(
    recipe: Recipe, cell: CellUnderTest | None, parameters: Mapping[str, str], leaving: Leaving, target: str
) -> Outline:
    """Return what a recipe on a cell comes to; without a cell, if it does not depend on one.

    ``target`` names the program that will read it, for errors. Raises ``InvalidInput`` with the line of what
    no program that we know can say.
    """
    source = recipe.document.source
    whole = _compiled(recipe, cell, any_cell(), parameters)
    if cell is None:
        other = _compiled(recipe, None, any_cell(area_cm2=2), parameters)
        for one, two in zip(whole.instructions, other.instructions, strict=True):
            if one != two:
                said = f"{_words(one)} depends on the area of the cell; say which cell with '--cell'"
                raise InvalidInput(said, source=source, line=_line(one))
    used = cell or any_cell()
    walk = _Walk(source, target, leaving, whole, _with_half_the_capacity(recipe, used, parameters) or whole, used)
    items = walk.block(0, len(whole.instructions), walk.names, 0)
    envelope = of_cell(used.envelope_limits()).limits
    stated = Limits(
        voltage=_stated(whole.safety.voltage, envelope.voltage) if cell is None else whole.safety.voltage,
        current=_stated(whole.safety.current, envelope.current) if cell is None else whole.safety.current,
        temperature=_stated(whole.safety.temperature, envelope.temperature),
    )
    return Outline(
        source=source,
        title=recipe.title,
        items=items,
        limits=stated,
        own_limits=whole.safety != envelope or any(act.own_limits for act in _acts(items)),
        capacity=walk.set_capacity or (None if cell is None else cell.nominal_capacity),
        capacity_set=walk.set_capacity is not None,
        analyses=whole.analyses,
        cell=None if cell is None else cell.name,
    )


def _compiled(
    recipe: Recipe, cell: CellUnderTest | None, other: CellUnderTest, parameters: Mapping[str, str]
) -> Program:
    """Return the program of a recipe on ``cell``, or on ``other`` where there is none."""
    try:
        return compile_recipe(recipe, cell or other, parameters)
    except InvalidInput as problem:
        if cell is not None:
            raise
        said = f"{problem.message} (no cell was given: say which with '--cell')"
        raise InvalidInput(said, source=problem.source, line=problem.line, column=problem.column) from None


def _with_half_the_capacity(recipe: Recipe, cell: CellUnderTest, parameters: Mapping[str, str]) -> Program | None:
    """Return the program on a cell of half the capacity; None where that says nothing about C-rates."""
    if cell.nominal_capacity is None:
        return None
    half = cell.model_copy(update={"nominal_capacity": cell.nominal_capacity / 2})
    try:
        return compile_recipe(recipe, half, parameters)
    except InvalidInput:  # then its currents are written in amperes, which is as true
        return None


def _stated(window: Window, outer: Window) -> Window:
    """Return the ends of a window that are not those around it."""
    return Window(
        min=None if window.min == outer.min else window.min,
        max=None if window.max == outer.max else window.max,
    )


def _words(instruction: Instruction) -> str:
    """Return what a person calls an instruction."""
    match instruction:
        case Step():
            return f"step {instruction.step_id}, {instruction.name}:"
        case Loop():
            return "'group'" if instruction.group else "'repeat'"
        case SetChamber():
            return "'chamber'"
        case Branch():
            return "'if'"
        case Jump():
            return f"'{instruction.action.do}'"
        case Assign():
            return f"'set: {instruction.name}'"
        case Ask():
            return "'operator'"
        case EndLoop():
            return "the end of a block"


def _line(instruction: Instruction) -> int | None:
    return None if isinstance(instruction, EndLoop) else instruction.line


Pair = tuple[float, float]
"""A number, and what it is on a cell with half the capacity."""
Names = Mapping[str, Pair]


class _Walk:
    """Goes through a program and, beside it, through that for half the capacity."""

    def __init__(
        self, source: str, target: str, leaving: Leaving, program: Program, half: Program, cell: CellUnderTest
    ) -> None:
        self._source = source
        self._target = target
        self._leaving = leaving
        self._program = program
        self._half = half
        self._capacity = cell.nominal_capacity
        self._steps = 0
        self.set_capacity: float | None = None
        self.names: Names = {
            name: (value, half.variables.get(name, value)) for name, value in program.variables.items()
        }

    def block(self, start: int, end: int, names: Names, depth: int) -> tuple[Item, ...]:
        """Return what the instructions from ``start`` up to ``end`` come to."""
        items: list[Item] = []
        names = dict(names)
        at = start
        while at < end:
            one, two = self._program.instructions[at], self._half.instructions[at]
            at += 1
            if isinstance(one, Step) and isinstance(two, Step):
                items.append(self._act(one, two, names, items[-1] if items else None))
            elif isinstance(one, Loop) and isinstance(two, Loop):
                items += self._loop(one, two, at, names, depth)
                at = one.end + 1
            elif isinstance(one, SetChamber) and isinstance(two, SetChamber):
                if one.soak is not None:
                    said = f"'chamber' waits until the temperature is stable, which {self._target} cannot"
                    self._leaving.part("chamber", said, self._source, one.line)
                items.append(Warm(self._amount(one.temperature, two.temperature, names, one).si, one.line))
            elif isinstance(one, Assign) and isinstance(two, Assign) and depth == 0:
                self._assign(one, two, names, bool(items))
            elif not isinstance(one, EndLoop):
                self._refuse(one, _words(one))
            self._count(one)
        return tuple(items)

    def _loop(self, one: Loop, two: Loop, start: int, names: Names, depth: int) -> list[Item]:
        kind = "'group'" if one.group else "'repeat'"
        if one.stop_when:
            self._refuse(one, f"{kind} with an end of its own ('{one.stop_when[0].text}')")
        if one.until_s is not None:
            self._refuse(one, "'repeat' with 'for'")
        if one.group:
            return [Again(self.block(start, one.end, names, depth + 1), 1, one.line, one.name)]
        if not one.ladder:
            return [Again(self.block(start, one.end, names, depth + 1), one.turns, one.line)]
        items: list[Item] = []
        for turn in range(one.turns):
            rungs = {name: (values[turn], two.ladder[name][turn]) for name, values in one.ladder.items()}
            items += self.block(start, one.end, {**names, **rungs}, depth + 1)
        return items

    def _assign(self, one: Assign, two: Assign, names: dict[str, Pair], late: bool) -> None:
        value = self._pair(one.value, two.value, names, one)
        if one.name != NOMINAL_CAPACITY:
            names[one.name] = value
            return
        if late or self.set_capacity is not None or value[0] != value[1] or value[0] <= 0:
            self._refuse(one, "'set: nominal_capacity' other than once, at the beginning, to a charge")
        names[one.name] = (value[0], value[0] / 2)
        self._capacity = self.set_capacity = value[0]

    def _act(self, one: Step, two: Step, names: Names, before: Item | None) -> Act:
        if one.instrument is not None:
            self._refuse(one, f"{_words(one)} 'instrument: {one.instrument}'")
        setpoint = None
        first, second = one.drive, two.drive
        if first.held is not None and second.held is not None:
            setpoint = self._amount(first.held, second.held, names, one)
        limit = None
        if first.limit is not None and second.limit is not None:
            limit = self._amount(first.limit, second.limit, names, one)
        vertices: tuple[float, ...] = ()
        scan_rate = 0.0
        if isinstance(first, drives.Sweep) and isinstance(second, drives.Sweep):
            pairs = zip(first.vertices, second.vertices, strict=True)
            vertices = tuple(self._amount(low, high, names, one).si for low, high in pairs)
            scan_rate = self._amount(first.rate, second.rate, names, one).si
        stops = [stop for ends in zip(one.until, two.until, strict=True) for stop in self._stops(*ends, names, one)]
        return Act(
            step=one,
            setpoint=setpoint,
            vertices=vertices,
            scan_rate=scan_rate,
            current_limit=limit,
            stops=tuple(stops),
            own_limits=one.limits != self._program.safety or _watched(one),
            after=before if isinstance(before, Act) and _holds(one, before.step) else None,
        )

    def _stops(self, one: End, two: End, names: Names, step: Step) -> list[Stop]:
        """Return the comparisons that an end is, any of which ends the step."""
        bare = one.model_copy(update={"test": _AT_ONCE.test, "text": ""})
        if bare != _AT_ONCE:
            self._refuse(step, f"{_words(step)} an end with more to it than a condition ('{one.text}')")
        tests = list(zip(_any_of(one.test), _any_of(two.test), strict=True))
        stops: list[Stop] = []
        for test, other in tests:
            simple = isinstance(test, Condition) and test.over_s is None and test.of_cycle is None
            if (
                not isinstance(test, Condition)
                or not isinstance(other, Condition)
                or not simple
                or test.subject is not None
            ):
                self._refuse(step, f"{_words(step)} the end '{one.text}'")
            if test.quantity == "value":
                self._refuse(step, f"{_words(step)} the end '{one.text}'")
            quantity: Quantity = test.quantity
            if test.magnitude and quantity != "current_magnitude":
                if quantity != "current":
                    self._refuse(step, f"{_words(step)} the end '{one.text}'")
                quantity = "current_magnitude"
            amount = self._amount(test.value, other.value, names, step)
            stops.append(Stop(quantity, test.comparison, amount, test.text))
        return stops

    def _amount(self, one: Operand, two: Operand, names: Names, at: Instruction) -> Amount:
        value, half = self._pair(one, two, names, at)
        if value == half:
            return Amount(value)
        if self._capacity is None or not math.isclose(half * 2, value, rel_tol=1e-12):
            self._refuse(at, f"{_words(at)} a value that depends on the capacity otherwise than a C-rate does")
        return Amount(value, tidied(value * SECONDS_PER_HOUR / self._capacity))

    def _pair(self, one: Operand, two: Operand, names: Names, at: Instruction) -> Pair:
        def known(which: int, name: str) -> float:
            if name not in names:
                self._refuse(at, f"{_words(at)} '${name}', which is known only while the recipe runs")
            return names[name][which]

        def measured(quantity: Quantity) -> float:
            self._refuse(at, f"{_words(at)} '{quantity}', which is known only while the recipe runs")

        try:
            return (
                evaluate(one, lambda name: known(0, name), measured),
                evaluate(two, lambda name: known(1, name), measured),
            )
        except ValueError as problem:
            raise InvalidInput(f"{_words(at)} a value {problem}", source=self._source, line=_line(at)) from None

    def _count(self, at: Instruction) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            said = f"{_words(at)} comes after {MAX_STEPS:,} steps, ladders written out; expected fewer"
            raise InvalidInput(said, source=self._source, line=_line(at))

    def _refuse(self, at: Instruction, what: str) -> NoReturn:
        said = f"{what}: {self._target} cannot say that"
        raise InvalidInput(said, source=self._source, line=_line(at))


_AT_ONCE = End(test=Condition(quantity="time", comparison=">=", value=0.0, text=""), text="")
"""An end that leads to the next step as soon as its test holds."""


def _any_of(test: Test) -> tuple[Test, ...]:
    """Return the tests of which any is enough."""
    if isinstance(test, AnyOf):
        return tuple(inner for part in test.of for inner in _any_of(part))
    if isinstance(test, AllOf) and len(test.of) == 1:
        return _any_of(test.of[0])
    return (test,)


def _holds(step: Step, before: Step) -> bool:
    """Return whether a step is the hold of the charge before it: both are one step of the recipe."""
    held = isinstance(step.drive, drives.Voltage) and isinstance(before.drive, drives.Flowing)
    return held and step.step_id == before.step_id


def _watched(step: Step) -> bool:
    """Return whether a recipe asks for a step's limits to be looked at more often than it would by itself."""
    if (
        not isinstance(step.drive, drives.Rest | drives.Current | drives.Voltage)
        or step.record.burst_every_s is not None
    ):
        return False
    every_s = step.record.every_s
    return step.poll_s != (CHECK_EVERY_S if every_s is None else min(every_s, CHECK_EVERY_S))
