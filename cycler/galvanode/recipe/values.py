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
POTENTIAL = "potential"
"""Dimension of a voltage against Li+/Li; a plain voltage is one at the terminals."""
C_RATE = "rate"
"""Dimension of a current in units of the cell's capacity per hour. Its SI value is that number: 0.2 for 0.2C."""

VOLTAGES = ("voltage", POTENTIAL)
"""What a place on the voltage axis may be given as; a difference of voltages is a plain voltage."""
CURRENTS = ("current", C_RATE)

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
    if match is None:
        raise ValueError(f"is {found(value)}; expected '$' and a name, such as '$half_cycle'")
    return Reference(match[1])


def read_value(value: object, *dimensions: str) -> Value:
    """Read a value of one of these dimensions. Raises ``ValueError`` with what was expected: the first."""
    return reference(value) or read_constant(value, *dimensions)


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


_RATE = re.compile(r"(\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})\s*C|C\s*/\s*(\d{1,6}(?:\.\d{0,12})?)", re.ASCII)


def _c_rate(value: object) -> Quantity | None:
    """Read ``0.2C`` or ``C/5``; None for anything else."""
    match = _RATE.fullmatch(_written(value))
    if match is None:
        return None
    if match[1] is not None:
        return Quantity(Exact(match[1]), C_RATE, f"{match[1]}C")
    hours = Exact(match[2])
    return None if hours == 0 else Quantity(1 / hours, C_RATE, f"C/{match[2]}")


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
    return reference(value) or read_any(value)


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
_TEXT = WithJsonSchema({"type": "string"})

Voltage = Annotated[Value, _reader(*VOLTAGES), _TEXT]
VoltageChange = Annotated[Value, _positive("voltage", "a voltage above 0, such as '1 mV'"), _TEXT]
Current = Annotated[Value, _reader("current"), _TEXT]
CurrentChange = Annotated[Value, _positive("current", "a current above 0, such as '1 µA'"), _TEXT]
CurrentMagnitude = Annotated[Value, _positive("current", f"a current {_MAGNITUDE}"), _TEXT]
CurrentBound = Annotated[Value, _positive("current", "a current above 0, such as '5 mA'"), _TEXT]
CurrentFloor = Annotated[
    Value, _reader("current", check=_not_positive, due="a current of 0 or below, such as '-5 mA'"), _TEXT
]
CurrentCeiling = Annotated[
    Value, _reader("current", check=_not_negative, due="a current of 0 or above, such as '5 mA'"), _TEXT
]
CurrentDensity = Annotated[Value, _reader("current_density"), _TEXT]
DensityMagnitude = Annotated[Value, _positive("current_density", f"a current density {_MAGNITUDE}"), _TEXT]
DensityBound = Annotated[Value, _positive("current_density", "a current density above 0, such as '5 mA/cm^2'"), _TEXT]
Rate = Annotated[Value, _positive(C_RATE, f"a C-rate {_MAGNITUDE}"), _TEXT]
ScanRate = Annotated[Value, _positive("scan_rate", "a scan rate above 0: the voltages give the direction"), _TEXT]
Frequency = Annotated[Value, _positive("frequency", "a frequency above 0, such as '1 kHz'"), _TEXT]
Temperature = Annotated[Value, _reader("temperature"), _TEXT]
Time = Annotated[Value, _reader("time", check=_not_negative, due="a time of 0 or more, such as '30 min'"), _TEXT]
Interval = Annotated[Value, _positive("time", "a time above 0, such as '10 s'"), _TEXT]


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
    _TEXT,
]
"""None for ``open_circuit``."""
Bias = Annotated[
    Value | None,
    _or_open_circuit(read_any_value, "'open_circuit', a voltage such as '3 V' or a current such as '1 mA'"),
    _TEXT,
]
"""A voltage or a current, as the kind of the impedance asks; None for ``open_circuit``."""
Amplitude = Annotated[Value, PlainValidator(read_any_value), _TEXT]
"""A voltage or a current, as the kind of the impedance asks."""


def is_difference(quantity: Quantity) -> bool:
    """Return whether a temperature is written in K: ``5 degC`` would be a difference of 278.15 K."""
    return quantity.dimension != "temperature" or quantity.text.rstrip().endswith("K")


def _temperature_change(value: object) -> Value:
    result = read_value(value, "temperature")
    if isinstance(result, Quantity) and not (is_difference(result) and result.exact > 0):
        raise ValueError(f"is {found(value)}; expected a difference above 0 in K, such as '0.5 K'")
    return result


TemperatureChange = Annotated[Value, PlainValidator(_temperature_change), _TEXT]

Count = int | Reference


def read_count(value: object, most: int) -> Count:
    """Read a whole number from 1 to ``most``, or the name of one. Raises ``ValueError``."""
    try:
        name = reference(value)
    except ValueError:
        name = None
    if name is not None:
        return name
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"is {found(value)}; expected a whole number from 1 to {most:,}")
    return value


def count_up_to(most: int) -> PlainValidator:
    """Return the reader of a whole number from 1 to ``most``."""
    return PlainValidator(lambda value: read_count(value, most))
