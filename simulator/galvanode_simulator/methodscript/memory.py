"""Variables and arrays of a running script."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TypeVar

from galvanode_simulator.methodscript.errors import Code, Refused
from galvanode_simulator.methodscript.program import Argument, Condition, Number, Ref, Text, Word
from galvanode_simulator.methodscript.values import Value

MOST_ELEMENTS = 100_000
_LARGEST_INTEGER = 2**31
_UNSET = Value(0.0)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

T = TypeVar("T")


def _expect(argument: Argument | None, kind: type[T]) -> T:
    """The parser has made sure of it; a mistake in the table of signatures shows here."""
    if not isinstance(argument, kind):
        raise TypeError(f"{argument!r} is no {kind.__name__}")
    return argument


def word(argument: Argument) -> str:
    """A variable type, or a name."""
    return _expect(argument, Word).text


class Memory:
    """What the variables of one run hold. Every method raises ``Refused`` with the firmware's code."""

    def __init__(self) -> None:
        self._variables: dict[str, Value] = {}
        self._arrays: dict[str, list[Value]] = {}

    def declare(self, name: str, size: float | None = None) -> None:
        """``var``, or with a size ``array``."""
        if size is None:
            self._variables[name] = _UNSET
        elif 1 <= size <= MOST_ELEMENTS:
            self._arrays[name] = [_UNSET] * int(size)
        else:
            raise Refused(Code.OUT_OF_BOUNDS)

    def value(self, argument: Argument) -> Value:
        """What a literal, a variable or an element stands for."""
        if isinstance(argument, Number):
            return Value(argument.value)
        ref = _expect(argument, Ref)
        if ref.index is None:
            return self._variables.get(ref.name, _UNSET)
        return self.array(ref.name)[self._index(ref)]

    def number(self, argument: Argument) -> float:
        """The same, without its type."""
        return self.value(argument).number

    def numbers(self, arguments: list[Argument]) -> list[float]:
        """Several of them."""
        return [self.value(argument).number for argument in arguments]

    def store(self, out: Argument, value: Value) -> None:
        """Write a variable or an element. What was measured may be not-a-number, what was computed may not."""
        number = value.number
        if isinstance(number, int):
            if not -_LARGEST_INTEGER <= number < _LARGEST_INTEGER:
                raise Refused(Code.OVERFLOW)
        elif not math.isfinite(number) and value.status is None:
            raise Refused(Code.NAN_OR_INF)
        ref = _expect(out, Ref)
        if ref.index is None:
            self._variables[ref.name] = value
        else:
            self.array(ref.name)[self._index(ref)] = value

    def array(self, name: str) -> list[Value]:
        """The elements of an array."""
        elements = self._arrays.get(name)
        if elements is None:  # its declaration stands in a branch that was not taken
            raise Refused(Code.NOT_DECLARED)
        return elements

    def element(self, name: Argument, index: Argument) -> Ref:
        """An element, for commands that name array and index apart."""
        return Ref(word(name), Number(self.number(index)))

    def holds(self, argument: Argument) -> bool:
        """Whether a condition is true."""
        condition = _expect(argument, Condition)
        outcome = False
        for joint, (left, how, right) in zip(("|", *condition.joints), condition.comparisons, strict=True):
            result = _COMPARE[how](self.number(left), self.number(right))
            outcome = (outcome and result) if joint == "&" else (outcome or result)
        return outcome

    def text(self, argument: Argument) -> str:
        """A string with the values of its variables."""
        parts = _expect(argument, Text).parts
        return "".join(part if isinstance(part, str) else f"{self.number(part):g}" for part in parts)

    def _index(self, ref: Ref) -> int:
        index = self.number(_expect(ref.index, Number | Ref))  # type: ignore[arg-type]
        if index != int(index):
            raise Refused(Code.WRONG_DATATYPE)
        if not 0 <= index < len(self.array(ref.name)):
            raise Refused(Code.INDEX_OUT_OF_BOUNDS)
        return int(index)
