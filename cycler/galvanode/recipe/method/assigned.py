"""Whether every variable has been set, and a step been carried out, on every way to where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from galvanode.quantities import CYCLE_QUANTITIES
from galvanode.recipe.formula import parts
from galvanode.recipe.operand import OPEN_CIRCUIT, Operand, Variable
from galvanode.recipe.program import (
    Action,
    AllOf,
    AnyOf,
    Ask,
    Assign,
    Branch,
    Condition,
    EndLoop,
    Instruction,
    Jump,
    Loop,
    SetChamber,
    Step,
    Test,
)

STEP = "the step before"
"""Stands for what the step that has ended last has measured."""


def first_unset(instructions: Sequence[Instruction], initially: Iterable[str]) -> tuple[int, str] | None:
    """Return the first instruction that may need a name before it is set, with that name; None if there is none.

    ``initially`` are the names that are known when the program begins. Variables of ladders are left out: where they
    are known the text of the recipe says.
    """
    ladders = {name for item in instructions if isinstance(item, Loop) for name in item.ladder}
    reads = [frozenset(_read(item)) - ladders for item in instructions]
    names = sorted(frozenset().union(*reads)) if reads else []
    if not names:
        return None
    bit = {name: 1 << number for number, name in enumerate(names)}
    known = [-1] * (len(instructions) + 1)
    entry = sum(bit[name] for name in set(initially) if name in bit)
    known[0] = entry
    ways = _ways(instructions)
    pending, waiting = [0], {0}
    while pending:
        index = pending.pop()
        waiting.discard(index)
        item = instructions[index]
        after = known[index]
        if isinstance(item, (Assign, Ask)) and item.name in bit:
            after |= bit[item.name]
        elif isinstance(item, Step) and STEP in bit:
            after |= bit[STEP]
        for follower in ways[index]:
            met = known[follower] & after if known[follower] != -1 else after
            if met != known[follower]:
                known[follower] = met
                if follower < len(instructions) and follower not in waiting:
                    waiting.add(follower)
                    pending.append(follower)
    for index, wanted in enumerate(reads):
        for name in sorted(wanted):
            if known[index] != -1 and not known[index] & bit[name]:
                return index, name
    return None


def _ways(instructions: Sequence[Instruction]) -> list[set[int]]:
    """Return which instructions may follow each one, whatever is measured. One behind the last is the end."""
    around: list[int] = []
    ways: list[set[int]] = []
    for index, item in enumerate(instructions):
        while around and _loop(instructions, around[-1]).end < index:
            around.pop()
        followers: set[int] = set()
        if isinstance(item, EndLoop):
            followers.add(index + 1)
            if not _loop(instructions, item.start).group:
                followers.add(item.start + 1)
        elif isinstance(item, Branch):
            followers.update((index + 1, item.otherwise))
        elif isinstance(item, Jump):
            followers.update(_action(item.action, around, instructions, None))
        else:
            followers.add(index + 1)
        if isinstance(item, Step):
            for end in item.until:
                for action in (end.then, end.otherwise):
                    followers.update(_action(action, around, instructions, index + 1))
        if isinstance(item, (Step, SetChamber, Ask, EndLoop)):
            for level, start in enumerate(around):
                block = _loop(instructions, start)
                for end in block.stop_when:
                    for action in (end.then, end.otherwise):
                        followers.update(_action(action, around[:level], instructions, block.end + 1))
        ways.append(followers)
        if isinstance(item, Loop):
            around.append(index)
    return ways


def _loop(instructions: Sequence[Instruction], index: int) -> Loop:
    loop = instructions[index]
    if not isinstance(loop, Loop):
        raise AssertionError("a block that does not begin with one")  # noqa: TRY004
    return loop


def _action(
    action: Action, around: Sequence[int], instructions: Sequence[Instruction], following: int | None
) -> Iterator[int]:
    if action.do == "next" and following is not None:
        yield following
    elif action.do == "goto" and action.target is not None:
        yield action.target
    elif action.do == "break":
        inside = [start for start in around if not _loop(instructions, start).group]
        if inside:
            yield _loop(instructions, inside[-1]).end + 1


def _read(item: Instruction) -> Iterator[str]:
    """Yield the names that an instruction asks for when it begins."""
    if isinstance(item, Step):
        operands = [*item.drive.operands(), *(value for end in item.until for value in _values(end.test))]
        yield from _variables(operands)
    elif isinstance(item, Loop):
        yield from _variables(value for end in item.stop_when for value in _values(end.test))
    elif isinstance(item, SetChamber):
        yield from _variables((item.temperature,))
    elif isinstance(item, Assign):
        yield from _names((item.value,))
    elif isinstance(item, Branch):
        yield from _names(_values(item.test))
        if any(part.quantity not in CYCLE_QUANTITIES and part.quantity != "value" for part in _conditions(item.test)):
            yield STEP


def _conditions(test: Test) -> Iterator[Condition]:
    if isinstance(test, (AllOf, AnyOf)):
        for part in test.of:
            yield from _conditions(part)
    elif isinstance(test, Condition):
        yield test


def _values(test: Test) -> Iterator[Operand | None]:
    for condition in _conditions(test):
        yield condition.value
        yield condition.subject


def _variables(operands: Iterable[Operand | None]) -> Iterator[str]:
    for operand in operands:
        for part in parts(operand):
            if isinstance(part, Variable) and part.name != OPEN_CIRCUIT:
                yield part.name


def _names(operands: Iterable[Operand | None]) -> Iterator[str]:
    for operand in operands:
        for part in parts(operand):
            if isinstance(part, Variable):
                yield part.name
            elif part.quantity not in CYCLE_QUANTITIES:
                yield STEP
