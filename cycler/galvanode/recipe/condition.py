"""Conditions that end a step: ``voltage >= 4.2 V``, read by a small grammar and never evaluated."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, cast

from pydantic import PlainValidator, WithJsonSchema

from galvanode.document import did_you_mean, found, place_of
from galvanode.recipe.values import CURRENTS, VOLTAGES, Reference, Value, read_value

if TYPE_CHECKING:
    from lark import Lark, Token

_GRAMMAR = r"""
start: NAME COMPARISON (REFERENCE | QUANTITY)
NAME: /[A-Za-z_]+/
COMPARISON: ">=" | "<=" | ">" | "<"
REFERENCE: /\$[A-Za-z_][A-Za-z0-9_]*/
QUANTITY: /([-+.0-9]|C *\/)[^<>=$]*/
%ignore " "
"""

DIMENSIONS_OF: dict[str, tuple[str, ...]] = {
    "voltage": VOLTAGES,
    "current": CURRENTS,
    "current_magnitude": CURRENTS,
    "current_density": ("current_density",),
    "charge": ("charge",),
    "capacity": ("charge",),
    "areal_charge": ("areal_charge",),
    "areal_capacity": ("areal_charge",),
    "energy": ("energy",),
    "temperature": ("temperature",),
}
"""What a condition may be about, and the dimensions that its value may have. Voltage and current have a sign;
charge and energy count from the start of the step, in magnitude."""

COUNTED = frozenset(("charge", "areal_charge", "energy"))
"""Dimensions that start at zero with the step and only grow."""

_EXAMPLE = "'voltage >= 4.2 V'"


class Until(NamedTuple):
    """One condition as the recipe says it."""

    name: str
    comparison: Literal["<=", ">="]
    """Equality counts as reached, so ``>`` and ``>=`` are one."""
    value: Value
    symbol: str
    """The comparison as written."""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark  # here, not at the top: only recipes with conditions pay for it

    return Lark(_GRAMMAR, parser="lalr")


@lru_cache(maxsize=4096)
def parse_until(text: str) -> Until:
    """Read one condition. Raises ``ValueError`` that starts with ``is '...'`` and says what was expected."""
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text.replace("−", "-"))
    except UnexpectedInput:
        raise ValueError(f"is {found(text)}; expected a condition such as {_EXAMPLE}") from None
    name, symbol, value = (str(cast("Token", token)) for token in tree.children)
    if name == "time":
        raise ValueError(f"is {found(text)}; expected the time as 'for: {value.strip()}' instead")
    if name not in DIMENSIONS_OF:
        raise ValueError(f"is {found(text)}; '{name}' is not measured{did_you_mean(name, DIMENSIONS_OF)}")
    dimensions = DIMENSIONS_OF[name]
    try:
        read = read_value(value, *dimensions)
    except ValueError as problem:
        raise ValueError(f"is {found(text)}; its value {problem}") from None
    if dimensions[0] in COUNTED:
        if not isinstance(read, Reference) and read.exact < 0:
            raise ValueError(f"is {found(text)}; expected no sign: {name} counts from 0 in magnitude")
        if symbol.startswith("<"):
            raise ValueError(f"is {found(text)}; expected '>=': {name} counts up from 0")
    if name == "current_magnitude" and not isinstance(read, Reference) and read.exact < 0:
        raise ValueError(f"is {found(text)}; expected no sign: {name} is never below 0")
    return Until(name, "<=" if symbol.startswith("<") else ">=", read, symbol)


def _read(value: object) -> tuple[Until, ...]:
    if not isinstance(value, list):
        return (_one(value),)
    texts = cast("list[object]", value)
    if not texts:
        raise ValueError(f"is an empty list; expected a condition such as {_EXAMPLE}")
    conditions: list[Until] = []
    for index, text in enumerate(texts):
        try:
            conditions.append(_one(text))
        except ValueError as problem:
            raise place_of((index,), f"'until' {problem}") from None
    return tuple(conditions)


def _one(value: object) -> Until:
    if not isinstance(value, str):
        raise ValueError(f"is {found(value)}; expected a condition such as {_EXAMPLE}")  # noqa: TRY004
    return parse_until(value)


Untils = Annotated[
    tuple[Until, ...],
    PlainValidator(_read),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
"""One condition or a list of them, of which any ends the step."""
