"""Values in a recipe: a quantity of the dimension that is due, or ``$name`` of a parameter or a ladder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as Exact
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from galvanode.document import found
from galvanode.units import DIMENSIONS, Quantity, expected, parse_exact, read_quantity

NUMBER = "number"
"""Dimension of a parameter that is a bare number."""

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
NAME_RULE = "expected letters, digits and '_', starting with a letter"
_BARE_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """``$name``."""

    name: str

    @property
    def text(self) -> str:
        """As a person wrote it."""
        return f"${self.name}"


Value = Quantity | Reference


def expected_words(dimension: str) -> str:
    """Return what is due, also for a bare number."""
    return "a number without a unit" if dimension == NUMBER else expected(dimension)


def show_dimension(dimension: str) -> str:
    """Return ``a current density``, also for a bare number."""
    return "a number without a unit" if dimension == NUMBER else DIMENSIONS[dimension].words


def reference(value: object) -> Reference | None:
    """Return the reference that ``$name`` is; None for anything else. Raises ``ValueError`` for ``$2``."""
    if not isinstance(value, str) or not value.strip().startswith("$"):
        return None
    match = _REFERENCE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"is {found(value)}; expected '$' and a name, such as '$half_cycle'")
    return Reference(match[1])


def read_value(value: object, dimension: str) -> Value:
    """Read a value of one dimension. Raises ``ValueError`` with what was expected."""
    return reference(value) or read_constant(value, dimension)


def read_constant(value: object, dimension: str) -> Quantity:
    """Read a quantity of one dimension, or a bare number. Raises ``ValueError`` with what was expected."""
    if dimension != NUMBER:
        return parse_exact(value, dimension)
    number = _bare(value)
    if number is None:
        raise ValueError(f"is {found(value)}; expected {expected_words(NUMBER)}")
    return number


def _bare(value: object) -> Quantity | None:
    text = repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(text, str) or _BARE_NUMBER.fullmatch(text.strip()) is None:
        return None
    return Quantity(Exact(text.strip()), NUMBER, text.strip())


def read_any(value: object) -> Quantity:
    """Read a quantity of any dimension, a bare number among them. Raises ``ValueError``."""
    return _bare(value) or read_quantity(value)


def read_any_value(value: object) -> Value:
    """Read a value of any dimension. Raises ``ValueError``."""
    return reference(value) or read_any(value)


def _reader(dimension: str, check: Callable[[Exact], bool] | None, due: str) -> PlainValidator:
    def read(value: object) -> Value:
        result = read_value(value, dimension)
        if check is not None and isinstance(result, Quantity) and not check(result.exact):
            raise ValueError(f"is {found(value)}; expected {due}")
        return result

    return PlainValidator(read)


def _not_negative(exact: Exact) -> bool:
    return exact >= 0


def _not_positive(exact: Exact) -> bool:
    return exact <= 0


def _above_zero(exact: Exact) -> bool:
    return exact > 0


_MAGNITUDE = "above 0: the step's name gives the direction"
_TEXT = WithJsonSchema({"type": "string"})

Voltage = Annotated[Value, _reader("voltage", None, ""), _TEXT]
VoltageChange = Annotated[Value, _reader("voltage", _above_zero, "a voltage above 0, such as '1 mV'"), _TEXT]
Current = Annotated[Value, _reader("current", None, ""), _TEXT]
CurrentChange = Annotated[Value, _reader("current", _above_zero, "a current above 0, such as '1 µA'"), _TEXT]
CurrentMagnitude = Annotated[Value, _reader("current", _above_zero, f"a current {_MAGNITUDE}"), _TEXT]
CurrentBound = Annotated[Value, _reader("current", _above_zero, "a current above 0, such as '5 mA'"), _TEXT]
CurrentFloor = Annotated[Value, _reader("current", _not_positive, "a current of 0 or below, such as '-5 mA'"), _TEXT]
CurrentCeiling = Annotated[Value, _reader("current", _not_negative, "a current of 0 or above, such as '5 mA'"), _TEXT]
CurrentDensity = Annotated[Value, _reader("current_density", None, ""), _TEXT]
DensityMagnitude = Annotated[Value, _reader("current_density", _above_zero, f"a current density {_MAGNITUDE}"), _TEXT]
DensityBound = Annotated[
    Value, _reader("current_density", _above_zero, "a current density above 0, such as '5 mA/cm^2'"), _TEXT
]
Temperature = Annotated[Value, _reader("temperature", None, ""), _TEXT]
Time = Annotated[Value, _reader("time", _not_negative, "a time of 0 or more, such as '30 min'"), _TEXT]
Interval = Annotated[Value, _reader("time", _above_zero, "a time above 0, such as '10 s'"), _TEXT]
