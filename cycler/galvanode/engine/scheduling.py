"""From a program to the schedule of an instrument that runs it by itself, or to the line that needs the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from galvanode.engine.errors import Failed
from galvanode.engine.plans import current_limit, setpoint_of
from galvanode.errors import GalvanodeError
from galvanode.instrument.roles import Envelope
from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Drive,
    Ending,
    Item,
    Load,
    Power,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
    Voltage,
)
from galvanode.recipe import drives
from galvanode.recipe.formula import evaluate
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import (
    Ask,
    Assign,
    Branch,
    Condition,
    End,
    EndLoop,
    Instruction,
    Jump,
    Loop,
    Program,
    SetChamber,
    Step,
    Window,
)

_ENDS: dict[str, Literal["time", "voltage", "current", "current_magnitude", "charge", "energy"]] = {
    "time": "time",
    "voltage": "voltage",
    "current": "current",
    "current_magnitude": "current_magnitude",
    "charge": "charge",
    "energy": "energy",
}
_ALONE = "an instrument that runs the recipe by itself"


@dataclass(frozen=True)
class Scheduled:
    """A schedule, and where its steps stand in the program."""

    schedule: Schedule
    instructions: dict[int, int]
    """Number of a scheduled step -> its instruction; a ladder's turns are steps of their own."""


def schedule_of(program: Program, envelope: Envelope, *, has_chamber: bool = False) -> Scheduled:
    """Return the schedule of a program. Raises ``CannotExpress`` for the first line that only the host can do.

    ``has_chamber`` leaves limits of the temperature to the host, which reads the chamber for as long as it follows; any
    other channel must have a sensor for them.
    """
    maker = _Maker(program, envelope, has_chamber, dict(program.variables))
    items = maker.items(0, len(program.instructions))
    return Scheduled(Schedule(program.title, items), maker.instructions)


@dataclass
class _Maker:
    program: Program
    envelope: Envelope
    has_chamber: bool
    variables: dict[str, float]
    instructions: dict[int, int] = field(default_factory=dict[int, int])

    def items(self, first: int, end: int) -> tuple[Item, ...]:
        """Make the items of a stretch of the program."""
        made: list[Item] = []
        at = first
        while at < end:
            instruction = self.program.instructions[at]
            if isinstance(instruction, Step):
                made.append(self._step(at, instruction))
            elif isinstance(instruction, Loop):
                made += self._block(at, instruction)
                at = instruction.end
            else:
                _refuse(instruction)
            at += 1
        return tuple(made)

    def _block(self, at: int, loop: Loop) -> tuple[Item, ...]:
        for end in loop.stop_when:
            raise CannotExpress(loop.line, f"'{end.text}' ends a block; {_ALONE} ends one after a count only")
        if loop.until_s is not None:
            raise CannotExpress(loop.line, f"a block ends after a time; {_ALONE} ends one after a count only")
        if loop.ladder:
            return self._rungs(at, loop)
        body = self.items(at + 1, loop.end)
        return body if loop.turns == 1 else (Repeat(body, loop.turns, loop.line),)

    def _rungs(self, at: int, loop: Loop) -> tuple[Item, ...]:
        """Each turn of a ladder has numbers of its own, so it is written out."""
        made: list[Item] = []
        outside = dict(self.variables)
        for turn in range(loop.turns):
            self.variables = outside | {name: values[turn] for name, values in loop.ladder.items()}
            made += self.items(at + 1, loop.end)
        self.variables = outside
        return tuple(made)

    def _step(self, at: int, step: Step) -> ScheduledStep:
        if step.instrument == "analyzer":
            raise CannotExpress(step.line, f"{step.name} is for an analyzer; {_ALONE} carries out every step")
        value = self._values(step.line)
        number = len(self.instructions) + 1
        self.instructions[number] = at
        rule = step.record
        return ScheduledStep(
            number,
            step.name,
            self._drive(step, value),
            tuple(_end(step, end, value) for end in step.until),
            Recording(
                rule.every_s,
                rule.voltage_change,
                rule.current_change,
                rule.charge_change,
                rule.burst_every_s,
                rule.burst_for_s,
            ),
            _bounds(step, self.has_chamber),
            step.line,
        )

    def _drive(self, step: Step, value: Callable[[Operand], float]) -> Drive:
        if isinstance(step.drive, drives.Rest):
            return Rest()
        try:
            setpoint = setpoint_of(step, value)
            if setpoint is None:
                raise _no_such_step(step)
            match step.drive:
                case drives.Current():
                    return Current(setpoint) if setpoint else Rest()
                case drives.Voltage():
                    return Voltage(setpoint, current_limit(step, value, self.envelope))
                case drives.Power():
                    return Power(setpoint)
                case drives.Resistance():
                    return Load(setpoint)
                case _:
                    raise _no_such_step(step)
        except Failed as problem:
            raise CannotExpress(step.line, str(problem)) from None

    def _values(self, line: int) -> Callable[[Operand], float]:
        """Return what says the number that an operand is. Raises ``CannotExpress`` for what is measured first."""

        def variable(name: str) -> float:
            if name not in self.variables:
                raise CannotExpress(line, f"'${name}' is known only once it was measured")
            return self.variables[name]

        def result(quantity: str) -> float:
            raise CannotExpress(line, f"a result ({quantity}) is known only once it was measured")

        def value(operand: Operand) -> float:
            try:
                return evaluate(operand, variable, result)
            except ValueError as problem:
                raise CannotExpress(line, f"a value {problem}") from None

        return value


def _no_such_step(step: Step) -> CannotExpress:
    kind = step.drive.kind
    name = step.name if step.name == kind else f"{step.name} ({kind})"
    return CannotExpress(step.line, f"{name}: no step of {_ALONE}")


def _refuse(instruction: Instruction) -> None:
    match instruction:
        case SetChamber(line=line):
            raise CannotExpress(line, f"a temperature is set, which {_ALONE} cannot do")
        case Branch(line=line, text=text):
            raise CannotExpress(line, f"'{text}' decides what comes next, which {_ALONE} cannot do")
        case Jump(line=line, action=action):
            raise CannotExpress(line, f"a '{action.do}' stands as a step, which {_ALONE} does not have")
        case Assign(line=line, name=name, text=text):
            raise CannotExpress(line, f"'{name}: {text}' is worked out while it runs, which {_ALONE} cannot do")
        case Ask(line=line):
            raise CannotExpress(line, f"a question is asked, which {_ALONE} cannot do")
        case EndLoop():
            return
        case _:
            raise GalvanodeError(f"no schedule has an instruction {instruction.kind!r}")


def _end(step: Step, end: End, value: Callable[[Operand], float]) -> Ending:
    if (more := _beside_its_test(end)) is not None:
        raise CannotExpress(step.line, f"'{end.text}' {more}, which {_ALONE} cannot do")
    condition = end.plain
    if condition is None or (quantity := _quantity(condition)) is None:
        raise CannotExpress(step.line, f"'{end.text}' ends a step, which {_ALONE} cannot tell")
    return Ending(quantity, condition.comparison, value(condition.value), end.text)


def _beside_its_test(end: End) -> str | None:
    """Tell what an end asks for beside that its test holds; None where it leads on at once, whenever that is."""
    if end.then.do != "next":
        return f"leads to '{end.then.do}'"
    if end.held_s:
        return f"must hold for {end.held_s:g} s"
    if end.not_before_s is not None or end.by_s is not None:
        return "must come within a given time"
    return None


def _quantity(
    condition: Condition,
) -> Literal["time", "voltage", "current", "current_magnitude", "charge", "energy"] | None:
    if condition.magnitude:
        return "current_magnitude" if condition.quantity in ("current", "current_magnitude") else None
    return _ENDS.get(condition.quantity)


def _bounds(step: Step, has_chamber: bool) -> Bounds:
    limits = step.limits
    temperature = Window() if has_chamber else limits.temperature
    return Bounds(
        voltage_min=limits.voltage.min,
        voltage_max=limits.voltage.max,
        current_min=limits.current.min,
        current_max=limits.current.max,
        temperature_min=temperature.min,
        temperature_max=temperature.max,
    )
