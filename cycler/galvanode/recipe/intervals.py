"""Arithmetic with bounds: what an operand may come to while a program runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from galvanode.quantities import BY_NAME
from galvanode.recipe.operand import Formula, Operand, Result, Variable


class Bounds(NamedTuple):
    """At least and at most; ``high`` is infinite where nothing bounds it."""

    low: float
    high: float

    def times(self, turns: float) -> Bounds:
        """Return the bounds of so many."""
        return Bounds(_product(self.low, turns), _product(self.high, turns))


UNKNOWN = Bounds(-math.inf, math.inf)


def hull_of(values: Iterable[float]) -> Bounds:
    """Return the bounds of some numbers, one at least."""
    values = tuple(values)
    return Bounds(min(values), max(values))


def value_of(operand: Operand, variables: Mapping[str, Bounds]) -> Bounds:
    """Return the bounds of an operand, given those of the variables that are known."""
    if isinstance(operand, Variable):
        return variables.get(operand.name, UNKNOWN).times(1.0) if operand.factor == 1 else _scaled(operand, variables)
    if isinstance(operand, Result):
        entry = BY_NAME.get(operand.quantity)
        measured = UNKNOWN if entry is None or entry.signed else Bounds(0.0, math.inf)
        return _multiplied(measured, Bounds(operand.factor, operand.factor))
    if isinstance(operand, Formula):
        return _applied(operand.op, [value_of(part, variables) for part in operand.of])
    return Bounds(operand, operand)


def magnitude(value: Bounds) -> Bounds:
    """Return the bounds without sign."""
    ends = (abs(value.low), abs(value.high))
    return Bounds(0.0 if value.low <= 0 <= value.high else min(ends), max(ends))


def _scaled(variable: Variable, variables: Mapping[str, Bounds]) -> Bounds:
    return _multiplied(variables.get(variable.name, UNKNOWN), Bounds(variable.factor, variable.factor))


def _applied(op: str, parts: list[Bounds]) -> Bounds:
    first = parts[0]
    match op:
        case "+":
            return Bounds(sum(part.low for part in parts), sum(part.high for part in parts))
        case "-":
            return Bounds(first.low - parts[1].high, first.high - parts[1].low)
        case "*":
            for part in parts[1:]:
                first = _multiplied(first, part)
            return first
        case "/":
            return _divided(first, parts[1])
        case "neg":
            return Bounds(-first.high, -first.low)
        case "abs":
            return magnitude(first)
        case "min":
            return Bounds(min(part.low for part in parts), min(part.high for part in parts))
        case "max":
            return Bounds(max(part.low for part in parts), max(part.high for part in parts))
        case _:  # the square root, of nothing below zero
            return Bounds(math.sqrt(max(0.0, first.low)), math.sqrt(max(0.0, first.high)))


def _product(a: float, b: float) -> float:
    """Return the product, 0 where one of them is 0 and the other has no bound."""
    return 0.0 if a == 0 or b == 0 else a * b


def _multiplied(a: Bounds, b: Bounds) -> Bounds:
    return hull_of(_product(x, y) for x in a for y in b)


def _divided(a: Bounds, b: Bounds) -> Bounds:
    if b.low <= 0 <= b.high:  # a division by zero fails the run; close to it there is no bound
        return UNKNOWN
    return _multiplied(a, Bounds(1 / b.high, 1 / b.low))
