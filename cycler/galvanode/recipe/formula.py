"""What an operand of a program comes to: arithmetic over numbers, variables and results, in SI."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from galvanode.recipe.operand import Formula, Operand, Quantity, Result, Variable

MAX_DEPTH = 16
"""How deep formulas may be nested."""


def evaluate(operand: Operand, variable: Callable[[str], float], result: Callable[[Quantity], float]) -> float:
    """Return the number that an operand is.

    ``variable`` and ``result`` say what a name and a measured quantity are now. Raises ``ValueError`` where the
    number is not finite or does not exist (a division by zero), and passes on what they raise.
    """
    number = _number(operand, variable, result)
    if not math.isfinite(number):
        raise ValueError(f"comes to {number}, which is no number to work with")
    return number


def _number(operand: Operand, variable: Callable[[str], float], result: Callable[[Quantity], float]) -> float:
    if isinstance(operand, Variable):
        return variable(operand.name) * operand.factor
    if isinstance(operand, Result):
        return result(operand.quantity) * operand.factor
    if not isinstance(operand, Formula):
        return operand
    numbers = [_number(part, variable, result) for part in operand.of]
    try:
        return _apply(operand.op, numbers)
    except ZeroDivisionError:
        raise ValueError("divides by zero") from None


def _apply(op: str, numbers: list[float]) -> float:
    first = numbers[0]
    match op:
        case "+":
            return math.fsum(numbers)
        case "*":
            return math.prod(numbers)
        case "-":
            return first - numbers[1]
        case "/":
            return first / numbers[1]
        case "neg":
            return -first
        case "abs":
            return abs(first)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case _:  # the square root, the last one there is
            if first < 0:
                raise ValueError(f"takes the square root of {first:g}")
            return math.sqrt(first)


def parts(operand: Operand | None) -> Iterator[Variable | Result]:
    """Yield the variables and results in an operand."""
    if isinstance(operand, Formula):
        for part in operand.of:
            yield from parts(part)
    elif isinstance(operand, (Variable, Result)):
        yield operand
