"""Values in a recipe: a quantity of the dimension that is due, ``$name``, or arithmetic with them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction as Exact
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from galvanode.document import found
from galvanode.recipe.language.expression import Apply, Bare, Name, Node, Written, is_meant, parse, walk
from galvanode.units import DIMENSIONS, Quantity, expected, parse_exact, read_quantity

NUMBER = "number"
"""Dimension of a parameter that is a bare number."""
POTENTIAL = "potential"
"""Dimension of a voltage against Li+/Li; a plain voltage is one at the terminals."""
C_RATE = "rate"
"""Dimension of a current in units of the cell's capacity per hour. Its SI value is that number: 0.2 for 0.2C."""

VOLTAGES = ("voltage", POTENTIAL)
"""What a place on the voltage axis may be given as; a difference of voltages is a plain voltage."""
CURRENTS = ("current", C_RATE)

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)", re.ASCII)
_OPERATORS = re.compile(r"[-+*/(),]")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
NAME_RULE = "expected letters, digits and '_', starting with a letter"
_BARE_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """``$name``, or ``$cell.name`` with the dot in it."""

    name: str

    @property
    def text(self) -> str:
        """As a person wrote it."""
        return f"${self.name}"


@dataclass(frozen=True)
class Expression:
    """Arithmetic: ``$capacity / 2 h``. What it comes to, and of which dimension, is told when it is compiled."""

    node: Node
    text: str
    """As a person wrote it."""


Value = Quantity | Reference | Expression


_WORDS = {
    NUMBER: ("a number without a unit", "a number without a unit"),
    POTENTIAL: ("a potential such as '4.2 V vs Li+/Li'", "a potential vs Li+/Li"),
    C_RATE: ("a C-rate such as '0.5C'", "a C-rate"),
}


def expected_words(dimension: str) -> str:
    """Return what is due, also where it is no physical quantity: ``a voltage such as '5 V'``."""
    return _WORDS[dimension][0] if dimension in _WORDS else expected(dimension)


def show_dimension(dimension: str) -> str:
    """Return ``a current density``, also where it is no physical quantity."""
    return _WORDS[dimension][1] if dimension in _WORDS else DIMENSIONS[dimension].words


def reference(value: object) -> Reference | None:
    """Return the reference that ``$name`` is; None for anything else. Raises ``ValueError`` for ``$2``."""
    if not isinstance(value, str) or not value.strip().startswith("$"):
        return None
    match = _REFERENCE.fullmatch(value.strip())
    if match is not None:
        return Reference(match[1])
    if _OPERATORS.search(value) is not None:
        return None
    raise ValueError(f"is {found(value)}; expected '$' and a name, such as '$half_cycle'")


def read_value(value: object, *dimensions: str) -> Value:
    """Read a value of one of these dimensions. Raises ``ValueError`` with what was expected: the first.

    The dimension of arithmetic is not looked at: the recipe around it has to say what its names are.
    """
    named = reference(value)
    if named is not None:
        return named
    try:
        return read_constant(value, *dimensions)
    except ValueError as problem:
        return _arithmetic(value, expected_words(dimensions[0]), problem)


def _arithmetic(value: object, due: str, problem: ValueError) -> Value:
    """Read a value that is no quantity, because of ``problem``, as arithmetic. Raises ``ValueError``."""
    if not isinstance(value, str) or not is_meant(value):
        raise problem
    try:
        node = parse(value, due)
    except ValueError:
        if "$" in value or "(" in value:
            raise
        raise problem from None
    if isinstance(node, Written):
        raise problem
    for part in walk(node):
        if isinstance(part, Written):
            try:
                read_any(part.text)
            except ValueError as fault:
                raise ValueError(f"is {found(value)}; its part {fault}") from None
    return value_of(node, value)


def value_of(node: Node, text: str) -> Value:
    """Return the value that a tree is."""
    return Reference(node.name) if isinstance(node, Name) else Expression(node, " ".join(text.split()))


def read_assigned(value: object) -> Value:
    """Read the right side of a ``set``: a value of any dimension, or arithmetic with what was measured too."""
    if isinstance(value, str):
        named = reference(value)
        if named is not None:
            return named
    try:
        return read_any(value)
    except ValueError as problem:
        if not isinstance(value, str) or _NUMBERED.match(value) is not None:
            return _arithmetic(value, _ASSIGNED, problem)
        node = parse(value, _ASSIGNED)
        if isinstance(node, Bare):
            return Expression(node, node.name)
        if not isinstance(node, Apply):
            raise ValueError(f"is {found(value)}; expected {_ASSIGNED}") from None  # noqa: TRY004
        return _arithmetic(value, _ASSIGNED, problem)


_NUMBERED = re.compile(r"\s*[-+]?\.?[0-9]")
_ASSIGNED = "a value such as '2 mAh' or '$capacity / 2', or what was measured, such as 'charge'"


def read_constant(value: object, *dimensions: str) -> Quantity:
    """Read a quantity of one of these dimensions. Raises ``ValueError`` with what was expected: the first."""
    for dimension, read in _READERS.items():
        quantity = read(value) if dimension in dimensions else None
        if quantity is not None:
            return quantity
    if dimensions[0] in _READERS:
        raise ValueError(f"is {found(value)}; expected {expected_words(dimensions[0])}")
    return parse_exact(value, dimensions[0])


def _bare(value: object) -> Quantity | None:
    text = repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(text, str) or _BARE_NUMBER.fullmatch(text.strip()) is None:
        return None
    return Quantity(Exact(text.strip()), NUMBER, text.strip())


_LONGEST = 60
"""Characters of a quantity; keeps the patterns from meeting a megabyte."""


def _written(value: object) -> str:
    """Return a text that may be a quantity; empty for anything else."""
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST else ""


_POTENTIAL = re.compile(r"(.*?)\s+vs\.?\s+(.*)")
_LITHIUM = ("Li+/Li", "Li/Li+")


def _potential(value: object) -> Quantity | None:
    """Read ``4.22 V vs Li+/Li``; None for what names no reference. Raises ``ValueError`` for another one."""
    match = _POTENTIAL.fullmatch(_written(value))
    if match is None:
        return None
    if match[2].replace("\u207a", "+") not in _LITHIUM:
        raise ValueError(f"is {found(value)}; expected its reference as 'vs Li+/Li'")
    voltage = parse_exact(match[1], "voltage")
    return Quantity(voltage.exact, POTENTIAL, f"{voltage.text} vs {_LITHIUM[0]}")


_RATE = re.compile(r"([-+]?)(?:(\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})\s*C|C\s*/\s*(\d{1,6}(?:\.\d{0,12})?))", re.ASCII)


def _c_rate(value: object) -> Quantity | None:
    """Read ``0.2C``, ``C/5`` or ``-0.2C``; None for anything else."""
    match = _RATE.fullmatch(_written(value))
    if match is None:
        return None
    sign = -1 if match[1] == "-" else 1
    if match[2] is not None:
        return Quantity(sign * Exact(match[2]), C_RATE, f"{match[1]}{match[2]}C")
    hours = Exact(match[3])
    return None if hours == 0 else Quantity(sign / hours, C_RATE, f"{match[1]}C/{match[3]}")


_READERS: dict[str, Callable[[object], Quantity | None]] = {NUMBER: _bare, POTENTIAL: _potential, C_RATE: _c_rate}


def read_any(value: object) -> Quantity:
    """Read a quantity of any dimension, a bare number among them. Raises ``ValueError``.

    ``1 C`` is a C-rate; where only a charge can be meant it is a coulomb.
    """
    for read in _READERS.values():
        quantity = read(value)
        if quantity is not None:
            return quantity
    return read_quantity(value)


def read_any_value(value: object) -> Value:
    """Read a value of any dimension. Raises ``ValueError``."""
    named = reference(value)
    if named is not None:
        return named
    try:
        return read_any(value)
    except ValueError as problem:
        return _arithmetic(value, "a number with a unit, such as '30 min'", problem)


def _reader(*dimensions: str, check: Callable[[Exact], bool] | None = None, due: str = "") -> PlainValidator:
    def read(value: object) -> Value:
        result = read_value(value, *dimensions)
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


def _positive(dimension: str, due: str) -> PlainValidator:
    return _reader(dimension, check=_above_zero, due=due)


_MAGNITUDE = "above 0: the step's name gives the direction"


def shown_as(name: str) -> WithJsonSchema:
    """Return the mark that a value is described under this name in the published JSON Schema."""
    return WithJsonSchema({"described": name})


AnyQuantity = Annotated[Quantity, PlainValidator(read_any), WithJsonSchema({"type": "string"})]
Voltage = Annotated[Value, _reader(*VOLTAGES), shown_as("voltage")]
VoltageChange = Annotated[Value, _positive("voltage", "a voltage above 0, such as '1 mV'"), shown_as("voltage_change")]
Current = Annotated[Value, _reader("current"), shown_as("current")]
CurrentChange = Annotated[Value, _positive("current", "a current above 0, such as '1 µA'"), shown_as("current")]
CurrentMagnitude = Annotated[Value, _positive("current", f"a current {_MAGNITUDE}"), shown_as("current")]
CurrentBound = Annotated[Value, _positive("current", "a current above 0, such as '5 mA'"), shown_as("current")]
CurrentFloor = Annotated[
    Value, _reader("current", check=_not_positive, due="a current of 0 or below, such as '-5 mA'"), shown_as("current")
]
CurrentCeiling = Annotated[
    Value, _reader("current", check=_not_negative, due="a current of 0 or above, such as '5 mA'"), shown_as("current")
]
CurrentDensity = Annotated[Value, _reader("current_density"), shown_as("current_density")]
DensityMagnitude = Annotated[
    Value, _positive("current_density", f"a current density {_MAGNITUDE}"), shown_as("current_density")
]
DensityBound = Annotated[
    Value, _positive("current_density", "a current density above 0, such as '5 mA/cm^2'"), shown_as("current_density")
]
Rate = Annotated[Value, _positive(C_RATE, f"a C-rate {_MAGNITUDE}"), shown_as("rate")]
Power = Annotated[Value, _reader("power"), shown_as("power")]
PowerMagnitude = Annotated[Value, _positive("power", f"a power {_MAGNITUDE}"), shown_as("power")]
Resistance = Annotated[
    Value, _positive("resistance", "a resistance above 0, such as '100 ohm'"), shown_as("resistance")
]
ChargeChange = Annotated[Value, _positive("charge", "a charge above 0, such as '1 µAh'"), shown_as("charge")]
Share = Annotated[Value, _positive("fraction", "a share above 0, such as '85 %'"), shown_as("fraction")]
Number = Annotated[Value, _reader(NUMBER), shown_as("number")]
ScanRate = Annotated[
    Value, _positive("scan_rate", "a scan rate above 0: the voltages give the direction"), shown_as("scan_rate")
]
Frequency = Annotated[Value, _positive("frequency", "a frequency above 0, such as '1 kHz'"), shown_as("frequency")]
Temperature = Annotated[Value, _reader("temperature"), shown_as("temperature")]
Time = Annotated[
    Value, _reader("time", check=_not_negative, due="a time of 0 or more, such as '30 min'"), shown_as("time")
]
Interval = Annotated[Value, _positive("time", "a time above 0, such as '10 s'"), shown_as("time")]


def _or_open_circuit(read: Callable[[object], Value], due: str) -> PlainValidator:
    def validate(value: object) -> Value | None:
        if value == "open_circuit":
            return None
        try:
            return read(value)
        except ValueError:
            raise ValueError(f"is {found(value)}; expected {due}") from None

    return PlainValidator(validate)


StartVoltage = Annotated[
    Value | None,
    _or_open_circuit(lambda value: read_value(value, *VOLTAGES), "'open_circuit' or a voltage such as '3 V'"),
    shown_as("start_voltage"),
]
"""None for ``open_circuit``."""
Bias = Annotated[
    Value | None,
    _or_open_circuit(read_any_value, "'open_circuit', a voltage such as '3 V' or a current such as '1 mA'"),
    shown_as("bias"),
]
"""A voltage or a current, as the kind of the impedance asks; None for ``open_circuit``."""
Amplitude = Annotated[Value, PlainValidator(read_any_value), shown_as("voltage_or_current")]
"""A voltage or a current, as the kind of the impedance asks."""


def is_difference(quantity: Quantity) -> bool:
    """Return whether a temperature is written in K: ``5 degC`` would be a difference of 278.15 K."""
    return quantity.dimension != "temperature" or quantity.text.rstrip().endswith("K")


def _temperature_change(value: object) -> Value:
    result = read_value(value, "temperature")
    if isinstance(result, Quantity) and not (is_difference(result) and result.exact > 0):
        raise ValueError(f"is {found(value)}; expected a difference above 0 in K, such as '0.5 K'")
    return result


TemperatureChange = Annotated[Value, PlainValidator(_temperature_change), shown_as("temperature")]

Count = int | Reference | Expression


def read_count(value: object, most: int) -> Count:
    """Read a whole number from 1 to ``most``, or the name of one, or arithmetic. Raises ``ValueError``."""
    said = f"is {found(value)}; expected a whole number from 1 to {most:,}"
    if isinstance(value, str):
        try:
            read = read_value(value, NUMBER)
        except ValueError:
            raise ValueError(said) from None
        if not isinstance(read, Quantity):
            return read
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(said)
    return value


A_COUNT = shown_as("count")
ANY_VALUE = shown_as("any")


def count_up_to(most: int) -> PlainValidator:
    """Return the reader of a whole number from 1 to ``most``."""
    return PlainValidator(lambda value: read_count(value, most))
