"""What is known of a program before it runs: what operands come to, and whether a condition can hold in a step."""

from __future__ import annotations

import itertools
import math
from typing import Literal, cast

from galvanode.recipe.formula import evaluate, parts
from galvanode.recipe.operand import Operand, Variable
from galvanode.recipe.program import AllOf, Ask, Assign, Condition, Detector, End, Loop, Program, Step, Test, Window
from galvanode.units import format_quantity

_MOST_VALUES = 10_000

Verdict = Literal["never", "at once", "open"]
"""Of a condition in a step: it can never hold, it holds at the first reading, or only a cell can tell."""

_COUNTED = frozenset(("time", "charge", "energy", "voltage_drop", "voltage_rise"))
"""0 at the first reading of a step, and never less."""


class Values:
    """What operands come to, as far as that is known before anything is measured."""

    def __init__(self, program: Program) -> None:
        changed = {item.name for item in program.instructions if isinstance(item, Assign | Ask)}
        varied: dict[str, tuple[float, ...]] = {name: (value,) for name, value in program.variables.items()}
        for instruction in program.instructions:
            if isinstance(instruction, Loop):
                for name, rungs in instruction.ladder.items():
                    varied[name] = (*varied.get(name, ()), *rungs)
        self._varied = {name: tuple(dict.fromkeys(rungs)) for name, rungs in varied.items() if name not in changed}

    def of(self, operand: Operand | None) -> tuple[float, ...] | None:
        """Return every number that an operand may be, or None if that is not known.

        Variables of one ladder are taken in all combinations: more than there are, never fewer.
        """
        if operand is None:
            return None
        if isinstance(operand, float):
            return (operand,)
        needed = list(parts(operand))
        names = sorted({part.name for part in needed if isinstance(part, Variable)})
        if any(not isinstance(part, Variable) for part in needed) or any(name not in self._varied for name in names):
            return None
        if math.prod(len(self._varied[name]) for name in names) > _MOST_VALUES:
            return None
        found: list[float] = []
        for combination in itertools.product(*(self._varied[name] for name in names)):
            known = dict(zip(names, combination, strict=True))
            try:
                found.append(evaluate(operand, known.__getitem__, _nothing_measured))
            except ValueError:  # that combination comes to no number: the run says so, if it is ever met
                continue
        return tuple(found) or None

    def one(self, operand: Operand | None) -> float | None:
        """Return the number that an operand is, if it is always the same known one."""
        values = self.of(operand)
        return values[0] if values is not None and min(values) == max(values) else None


def _nothing_measured(quantity: str) -> float:
    raise ValueError(f"{quantity} is not known yet")


def blocks_around(program: Program) -> list[tuple[Loop, ...]]:
    """Return, for each instruction, the blocks that it lies in, outermost first."""
    found: list[tuple[Loop, ...]] = []
    inside: tuple[Loop, ...] = ()
    for index, instruction in enumerate(program.instructions):
        while inside and index > inside[-1].end:
            inside = inside[:-1]
        found.append(inside)
        if isinstance(instruction, Loop):
            inside = (*inside, instruction)
    return found


def ends_by_time(end: End) -> bool:
    """Tell whether an end is one comparison ``time >= ...``."""
    test = end.test
    return isinstance(test, Condition) and test.quantity == "time" and test.comparison == ">="


def longest_s(step: Step, values: Values) -> float | None:
    """Return what a ``for`` or another end by time bounds a step to, in its longest turn, s; None for no bound."""
    bounds = [
        max(times)
        for end in step.until
        if isinstance(end.test, Condition) and ends_by_time(end) and (times := values.of(end.test.value))
    ]
    if step.drive.lasts_s is not None:
        bounds.append(step.drive.lasts_s)
    return min(bounds, default=None)


def verdict(test: Test, step: Step, values: Values) -> tuple[Verdict, str]:
    """Tell whether a test can hold in a step; and why it cannot, or why it does at once."""
    if isinstance(test, Detector):
        return "open", ""
    if isinstance(test, Condition):
        return _verdict_of_condition(test, step, values)
    verdicts = [verdict(inner, step, values) for inner in test.of]
    decisive: Verdict = "never" if isinstance(test, AllOf) else "at once"
    for found in verdicts:
        if found[0] == decisive:
            return found
    return verdicts[0] if len({found for found, _ in verdicts}) == 1 else ("open", "")


def _verdict_of_condition(condition: Condition, step: Step, values: Values) -> tuple[Verdict, str]:
    longest = longest_s(step, values)
    if condition.over_s is not None and longest is not None:
        window, lasts = format_quantity(condition.over_s, "time"), format_quantity(longest, "time")
        if condition.over_s >= longest:
            return "never", f"a slope over {window} is known only after that, and the step lasts {lasts} at most"
    numbers = values.of(condition.value)
    if numbers is None:
        return "open", ""
    found = {_compared(condition, number, step, values) for number in numbers}
    return found.pop() if len(found) == 1 else ("open", "")


def _compared(condition: Condition, value: float, step: Step, values: Values) -> tuple[Verdict, str]:
    quantity, at_least = condition.quantity, condition.comparison == ">="
    magnitude = condition.magnitude or quantity in _COUNTED or quantity == "current_magnitude"
    words = f"the {quantity.replace('_', ' ')}"
    if quantity in _COUNTED and not at_least and value >= 0:
        return "at once", f"{words} begins at 0"
    if magnitude and value <= 0 and at_least:
        return "at once", f"{words} is never below 0"
    if magnitude and value < 0:
        return "never", f"{words} is never below 0"
    constant = step.drive.constant(quantity, values.of)
    if constant is None:
        return _beyond_limits(quantity, at_least, magnitude, value, step, values)
    numbers, why = constant
    known = tuple(abs(number) for number in numbers) if magnitude else numbers
    held = {number >= value if at_least else number <= value for number in known}
    if len(held) > 1:
        return "open", ""
    return ("at once" if held.pop() else "never"), why


def _beyond_limits(
    quantity: str, at_least: bool, magnitude: bool, value: float, step: Step, values: Values
) -> tuple[Verdict, str]:
    """A quantity that is watched trips the run before it gets past its limit."""
    dimension = "current" if quantity == "current_magnitude" else quantity
    if dimension not in ("voltage", "current", "temperature") or (magnitude and not at_least):
        return "open", ""
    allowed = values.of(step.drive.limit) if dimension == "current" else None
    if allowed is not None and (value > max(allowed) if at_least else value < -max(allowed)):
        return "never", f"the step draws {format_quantity(max(allowed), 'current')} at most"
    window = cast("Window", getattr(step.limits, dimension))
    bounds = [window.max if at_least else window.min]
    if magnitude:
        bounds.append(None if window.min is None else -window.min)
    known = [bound for bound in bounds if bound is not None]
    if len(known) < len(bounds):
        return "open", ""
    bound = max(known) if at_least else min(known)
    if value > bound if at_least else value < bound:
        return "never", f"the run trips at {format_quantity(bound, dimension)}"
    return "open", ""
