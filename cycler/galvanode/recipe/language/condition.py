"""Conditions: what ends a step or a block, and what then; what an ``if`` asks. Read by a grammar, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, TypeVar, cast

from pydantic import PlainValidator

from galvanode.document import did_you_mean, found, place_of
from galvanode.recipe.language.expression import (
    Apply,
    Bare,
    Both,
    Compare,
    Either,
    Name,
    Node,
    Written,
    parse,
    show,
    walk,
)
from galvanode.recipe.language.known import AUXILIARY, DETECTORS, MEASURED, Measured, auxiliary
from galvanode.recipe.language.values import Value, read_any, read_value, shown_as, value_of
from galvanode.units import Quantity

T = TypeVar("T")
Where = Literal["until", "stop_when", "if"]

_EXAMPLE = "'voltage >= 4.2 V'"
_DUE = f"a condition such as {_EXAMPLE}"
_MOST_CYCLES = 10_000_000

Symbol = Literal["<=", ">="]
"""Equality counts as reached, so ``>`` and ``>=`` are one: but for an ``if``, see ``Comparison.strict``."""


@dataclass(frozen=True)
class Comparison:
    """``name symbol value`` as the recipe says it."""

    name: str
    """Key of ``MEASURED``; empty where neither side is a measurement alone: then there is a ``subject``."""
    comparison: Symbol
    symbol: str
    """As written."""
    value: Value
    magnitude: bool = False
    """``abs(name)``."""
    over: Value | None = None
    of_cycle: int | None = None
    subject: Value | None = None

    @property
    def strict(self) -> bool:
        """Whether it is written so that equality does not count, which an ``if`` keeps to."""
        return not self.symbol.endswith("=")

    @property
    def measured(self) -> Measured | None:
        """What is measured for it; None for a comparison of values."""
        if self.name.startswith(AUXILIARY) and isinstance(self.value, Quantity):
            return auxiliary(self.name, self.value.dimension)
        return MEASURED.get(self.name)


@dataclass(frozen=True)
class Detect:
    """A detector by name, with its options."""

    name: str
    options: Mapping[str, Value]


@dataclass(frozen=True)
class All:
    """Joined by ``and``."""

    of: tuple[Asked, ...]


@dataclass(frozen=True)
class Some:
    """Joined by ``or``."""

    of: tuple[Asked, ...]


Asked = Comparison | Detect | All | Some


@dataclass(frozen=True)
class Go:
    """What happens then: ``next``, ``break``, ``end``, ``fail``, or ``goto`` a label."""

    do: Literal["next", "break", "goto", "end", "fail"]
    label: str = ""


NEXT = Go("next")


@dataclass(frozen=True)
class Until:
    """One entry of an ``until`` or a ``stop_when``: a condition, and what more the recipe says about it."""

    asked: Asked
    then: Go = NEXT
    held_for: Value | None = None
    not_before: Value | None = None
    by: Value | None = None
    otherwise: Go | None = None
    mapped: bool = False
    """Written as a mapping: the condition stands under ``when``."""

    @property
    def is_plain(self) -> bool:
        """Whether it says no more than its condition."""
        return self == Until(self.asked, mapped=self.mapped)


@lru_cache(maxsize=4096)
def parse_condition(text: str, where: Where) -> Asked:
    """Read a condition. Raises ``ValueError`` that starts with ``is '...'`` and says what was expected."""
    node = parse(text, _DUE)
    try:
        asked = _asked(node, where)
        _counts_up(asked, where)
    except ValueError as problem:
        raise ValueError(f"is {found(text)}{problem}") from None
    return asked


def _asked(node: Node, where: Where) -> Asked:
    """Return what a tree asks. Raises ``ValueError`` with words that go on from ``is '...'``."""
    if isinstance(node, Both):
        return All(tuple(_asked(part, where) for part in node.of))
    if isinstance(node, Either):
        return Some(tuple(_asked(part, where) for part in node.of))
    if isinstance(node, Compare):
        return _comparison(node, where)
    if isinstance(node, Bare) and node.name in DETECTORS:
        if where == "if":
            raise ValueError(f"; '{node.name}' is told from the readings of a step: use it in 'until' or 'stop_when'")
        return Detect(node.name, {})
    if isinstance(node, Bare) and node.name not in MEASURED and not node.name.startswith(AUXILIARY):
        raise ValueError(
            f"; '{node.name[:40]}' is not measured and no detector{_close(node.name, [*MEASURED, *DETECTORS])}"
        )
    raise ValueError(f"; '{_short(show(node))}' alone is no condition; expected such as {_EXAMPLE}")


def _comparison(node: Compare, where: Where) -> Comparison:
    sides = [_measured(side) for side in (node.left, node.right)]
    if sides[0] is None and sides[1] is not None:  # 4 V <= voltage
        sides = [sides[1], None]
        symbol = node.symbol.translate(str.maketrans("<>", "><"))
        node = Compare(node.right, symbol, node.left, node.over, node.of_cycle)
    names = [name for side in (node.left, node.right) for name in _bare(side)]
    for name in names:
        _check_name(name, where)
    comparison: Symbol = "<=" if node.symbol.startswith("<") else ">="
    if sides[0] is None or (where == "if" and _bare(node.right)):
        return _of_values(node, comparison, names, where)
    name, magnitude = sides[0]
    measured = MEASURED[name] if name in MEASURED else _auxiliary(name, node.right)
    if _bare(node.right):
        said = f"'{_bare(node.right)[0]}' is measured too; expected numbers with units and names with '$' beside it"
        raise ValueError(f"; {said}")
    value = _value(node.right, measured.dimensions)
    if (measured.counts_up or magnitude or name == "current_magnitude") and _is_negative(value):
        why = f"{name} counts from 0 in magnitude" if measured.counts_up else f"{show(node.left)} is never below 0"
        raise ValueError(f"; expected no sign: {why}")
    return Comparison(
        name,
        comparison,
        node.symbol,
        value,
        magnitude=magnitude,
        over=_over(node, name, measured),
        of_cycle=_of_cycle(node, name),
    )


def _auxiliary(name: str, value: Node) -> Measured:
    """Return what an auxiliary reading is: of the dimension that it is compared with."""
    number = _value(value, ()) if isinstance(value, Written) else None
    if not isinstance(number, Quantity):
        raise ValueError(f"; expected '{name}' beside a number with its unit, which tells what it is")  # noqa: TRY004
    try:
        return auxiliary(name, number.dimension)
    except ValueError as problem:
        raise ValueError(f"; {problem}") from None


def _of_values(node: Compare, comparison: Symbol, names: list[str], where: Where) -> Comparison:
    """Return a comparison of two values, which only an ``if`` may ask for."""
    if where != "if":
        if names:
            raise ValueError(f"; expected '{names[0]}' alone on one side, and on the other what it is compared with")
        raise ValueError(f"; nothing in it is measured; expected {_DUE}")
    for key, given in (("over", node.over), ("of cycle", node.of_cycle)):
        if given is not None:
            raise ValueError(f"; '{key}' goes with one measured quantity alone on the left")
    left, right = (_value(side, ()) for side in (node.left, node.right))
    return Comparison("", comparison, node.symbol, right, subject=left)


def _measured(node: Node) -> tuple[str, bool] | None:
    """Return the name of a measurement that stands alone, and whether in magnitude; None for anything else."""
    if isinstance(node, Bare):
        return (node.name, False) if node.name not in DETECTORS else None
    if isinstance(node, Apply) and node.op == "abs" and len(node.of) == 1 and isinstance(node.of[0], Bare):
        return node.of[0].name, True
    return None


def _bare(node: Node) -> list[str]:
    names: list[str] = []
    for part in walk(node):
        if isinstance(part, Bare):
            names.append(part.name)
        elif not isinstance(part, (Written, Name, Apply)):
            said = f"'{_short(show(part))}' is a condition inside a comparison; join them with 'and'"
            raise ValueError(f"; {said}")  # noqa: TRY004
    return names


def _check_name(name: str, where: Where) -> None:
    if name in DETECTORS:
        raise ValueError(f"; '{name}' is a detector, which is compared with nothing")
    if name.startswith(AUXILIARY):
        if where == "if":
            raise ValueError(f"; '{name}' is compared while a step runs: use it in 'until' or 'stop_when'")
        return
    measured = MEASURED.get(name)
    if measured is None:
        raise ValueError(f"; '{name[:40]}' is not measured{_close(name, MEASURED)}")
    if measured.is_slope and where == "if":
        raise ValueError(f"; there is a '{name}' only inside a step: use it in 'until'")
    if measured.of_cycles and where == "until":
        raise ValueError(
            f"; '{name}' is known when a cycle ends: use it in 'stop_when' beside the 'repeat', or in 'if'"
        )


def _value(node: Node, dimensions: tuple[str, ...]) -> Value:
    """Return a side of a comparison. Raises ``ValueError`` with words that go on from ``is '...'``."""
    if isinstance(node, Written):
        try:
            return read_value(node.text, *dimensions) if dimensions else read_any(node.text)
        except ValueError as problem:
            raise ValueError(f"; its value {problem}") from None
    for part in walk(node):
        if isinstance(part, Written):
            try:
                read_any(part.text)
            except ValueError as problem:
                raise ValueError(f"; its part {problem}") from None
    return value_of(node, show(node))


def _is_negative(value: Value) -> bool:
    return isinstance(value, Quantity) and value.exact < 0


def _over(node: Compare, name: str, measured: Measured) -> Value | None:
    if node.over is None:
        return None
    if not measured.is_slope:
        raise ValueError(f"; 'over' says how long a slope such as 'dV/dt' is fitted over; '{name}' is none")
    return _value(node.over, ("time",))


def _of_cycle(node: Compare, name: str) -> int | None:
    if node.of_cycle is None:
        return 1 if name == "retention" else None
    if name != "retention":
        raise ValueError(f"; 'of cycle' goes with 'retention', not with '{name}'")
    if not node.of_cycle.isascii() or not node.of_cycle.isdigit() or not 1 <= int(node.of_cycle[:9]) <= _MOST_CYCLES:
        raise ValueError(f"; its cycle is '{node.of_cycle[:20]}'; expected a whole number, 1 or more")
    return int(node.of_cycle)


def _counts_up(asked: Asked, where: Where) -> None:
    """Refuse what holds from the beginning on: ``charge <= 1 mAh`` by itself. Beside an ``and`` it says something."""
    if where == "if":
        return
    for part in asked.of if isinstance(asked, Some) else (asked,):
        measured = part.measured if isinstance(part, Comparison) else None
        if isinstance(part, Comparison) and measured is not None and measured.counts_up and part.comparison == "<=":
            raise ValueError(f"; expected '>=': {part.name} counts up from 0")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _close(name: str, known: Iterable[str]) -> str:
    """Return what a name may be meant to be; all that is known is too much to list."""
    hint = did_you_mean(name, known)
    return hint if "did you mean" in hint else f"; expected {_DUE}"


# --- entries of until and stop_when --------------------------------------------------------------------------------

_KEYS = ("when", "then", "held_for", "not_before", "by", "otherwise")


def _entries(value: object, where: Where) -> tuple[Until, ...]:
    if not isinstance(value, list):
        return (_entry(value, where, (), ""),)
    items = cast("list[object]", value)
    if not items:
        raise ValueError(f"is an empty list; expected {_DUE}")
    return tuple(_entry(item, where, (index,), f"'{where}' ") for index, item in enumerate(items))


def _entry(value: object, where: Where, path: tuple[str | int, ...], name: str) -> Until:
    if isinstance(value, dict):
        return _mapping(cast("dict[str, object]", value), where, path)
    try:
        until = Until(_one(value, where))
        _not_as_for(until, where, value)
    except ValueError as problem:
        if not path:
            raise
        raise place_of(path, f"{name}{problem}") from None
    return until


def _one(value: object, where: Where) -> Asked:
    if not isinstance(value, str):
        raise ValueError(f"is {found(value)}; expected {_DUE}")  # noqa: TRY004
    return parse_condition(value, where)


def _not_as_for(until: Until, where: Where, value: object) -> None:
    """Refuse a lone time, which has a key of its own."""
    asked = until.asked
    if where == "until" and until.is_plain and isinstance(asked, Comparison) and asked.name == "time":
        raise ValueError(f"is {found(value)}; expected the time as 'for: {asked.value.text}' instead")


def _mapping(entry: dict[str, object], where: Where, path: tuple[str | int, ...]) -> Until:
    if "when" not in entry:
        return Until(_detector(entry, where, path))
    for key, part in entry.items():
        if key not in _KEYS:
            raise place_of((*path, key), f"unknown key '{key[:40]}' in '{where}'{did_you_mean(key, _KEYS)}", key=True)
        if part is None:
            raise place_of((*path, key), f"'{key}' is empty; expected a value, or no '{key}' at all", key=True)
    times = {
        key: _read(lambda part: read_value(part, "time"), entry[key], (*path, key), key)
        for key in ("held_for", "not_before", "by")
        if key in entry
    }
    goes = {key: _read(_go, entry[key], (*path, key), key) for key in ("then", "otherwise") if key in entry}
    when = entry["when"]
    asked = (
        _detector(cast("dict[str, object]", when), where, (*path, "when"))
        if isinstance(when, dict)
        else _read(lambda part: _one(part, where), when, (*path, "when"), "when")
    )
    until = Until(asked, goes.get("then", NEXT), **times, otherwise=goes.get("otherwise"), mapped=True)
    if until.otherwise is not None and until.by is None and until.not_before is None:
        said = "'otherwise' is for what comes too late or too soon; expected 'by: 10 h' or 'not_before: 10 min' too"
        raise place_of((*path, "otherwise"), said, key=True)
    try:
        _not_as_for(until, where, when)
    except ValueError as problem:
        raise place_of((*path, "when"), f"'when' {problem}") from None
    return until


def _read(read: Callable[[object], T], value: object, path: tuple[str | int, ...], key: str) -> T:
    try:
        return read(value)
    except ValueError as problem:
        raise place_of(path, f"'{key}' {problem}") from None


_GOTO = re.compile(r"goto\s+(\S+)", re.ASCII)


def _go(value: object) -> Go:
    if value in ("next", "break", "end", "fail"):
        return Go(value)
    match = _GOTO.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"is {found(value)}; expected 'next', 'break', 'end', 'fail', or 'goto' and a label")
    return Go("goto", match[1])


def _detector(value: dict[str, object], where: Where, path: tuple[str | int, ...]) -> Detect:
    """Read ``{short_circuit: {drop: 50 %}}``. Raises what pydantic takes from a validator."""
    name, options = next(iter(value.items())) if value else ("", None)
    if len(value) != 1:
        what = "an empty mapping" if not value else "a mapping without 'when'"
        raise place_of(path, f"'{where}' is {what}; expected 'when: voltage >= 4.2 V' in it")
    if name not in DETECTORS:
        hint = did_you_mean(name, [*DETECTORS, *_KEYS])
        raise place_of(path, f"unknown detector '{name[:40]}'{hint}")
    inner = (*path, name)
    if not isinstance(options, dict):
        said = f"'{name}' is {found(options)}; expected its options, such as '{{drop: 50 %}}'"
        raise place_of(inner, said)
    read: dict[str, Value] = {}
    for key, option in cast("dict[str, object]", options).items():
        if key not in DETECTORS[name]:
            hint = did_you_mean(key, DETECTORS[name])
            raise place_of((*inner, key), f"unknown option '{key[:40]}' of '{name}'{hint}", key=True)
        dimension = DETECTORS[name][key].dimension
        try:
            read[key] = read_value(option, dimension)
        except ValueError as problem:
            raise place_of((*inner, key), f"'{name}.{key}' {problem}") from None
    return Detect(name, read)


Untils = Annotated[
    tuple[Until, ...],
    PlainValidator(lambda value: _entries(value, "until")),
    shown_as("ends"),
]
"""One condition or a list of them, of which any ends the step."""
Stops = Annotated[
    tuple[Until, ...],
    PlainValidator(lambda value: _entries(value, "stop_when")),
    shown_as("ends"),
]
"""One condition or a list of them, of which any ends the block."""
If = Annotated[
    Asked,
    PlainValidator(lambda value: _one(value, "if")),
    shown_as("test"),
]
"""What an ``if`` asks."""


def asked_of(asked: Asked) -> Iterator[Comparison | Detect]:
    """Yield the comparisons and detectors in a condition."""
    if isinstance(asked, (All, Some)):
        for part in asked.of:
            yield from asked_of(part)
    else:
        yield asked
