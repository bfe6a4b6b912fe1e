"""Quantities that people write, ``0.1 mA/cm^2``, as SI numbers of a known dimension.

A number is read as an exact fraction and becomes a float once, at the end: 2.3 mA/cm^2 is 23.0 A/m2 and not
22.999999999999996. The units that people write are in ``unit_names``; pint, which takes 0.4 s to load, is asked only
for what is not there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction as Exact
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, cast

from pydantic import BeforeValidator, WithJsonSchema

from galvanode.unit_names import NAMED, Exponents, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

    import pint

_LONGEST = 60
"""Characters; no quantity needs more."""

_LARGEST = 1e30
"""In SI units; beyond it a number is a slip of the keyboard. Its inverse is the smallest above zero."""
_LEAST, _MOST = 1 / Exact(_LARGEST), Exact(_LARGEST)

_NUMBER_AND_UNIT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)\s*(.*)", re.ASCII)
_FACTOR = re.compile("([A-Za-z\u00b5\u03a9\u00b0]+|1)\\^?(-?[1-9])?")
_AGAINST = re.compile(r"\svs\.?(\s|$)")
_SPELLINGS = str.maketrans(
    {"\u2212": "-", "\u00b2": "^2", "\u00b3": "^3", "\u00b7": "*", "\u03bc": "\u00b5", "\u2126": "\u03a9"}
)
"""What people paste: minus sign, superscripts, middle dot, Greek mu for micro, ohm sign for omega."""


@dataclass(frozen=True)
class Dimension:
    """What a kind of quantity is called and how it is shown to people."""

    words: str
    """With its article, for messages: "a voltage"."""
    example: str
    unit: str
    """The SI unit."""
    shown: tuple[str, ...]
    """Units for people, smallest first."""


DIMENSIONS: dict[str, Dimension] = {
    "voltage": Dimension("a voltage", "5 V", "V", ("µV", "mV", "V", "kV")),
    "current": Dimension("a current", "5 mA", "A", ("pA", "nA", "µA", "mA", "A")),
    "current_density": Dimension("a current density", "0.1 mA/cm^2", "A/m^2", ("mA/cm^2",)),
    "time": Dimension("a time", "30 min", "s", ("µs", "ms", "s", "min", "h")),
    "charge": Dimension("a charge", "2 mAh", "A*s", ("µAh", "mAh", "Ah")),
    "areal_charge": Dimension("an areal charge", "0.1 mAh/cm^2", "A*s/m^2", ("mAh/cm^2",)),
    "specific_charge": Dimension("a specific charge", "155 mAh/g", "A*s/kg", ("mAh/g",)),
    "energy": Dimension("an energy", "5 mWh", "J", ("µWh", "mWh", "Wh", "kWh")),
    "areal_energy": Dimension("an areal energy", "1 mWh/cm^2", "J/m^2", ("mWh/cm^2",)),
    "specific_energy": Dimension("a specific energy", "500 mWh/g", "J/kg", ("mWh/g",)),
    "molar_energy": Dimension("a molar energy", "19.2 kJ/mol", "J/mol", ("J/mol", "kJ/mol")),
    "specific_current": Dimension("a specific current", "100 mA/g", "A/kg", ("mA/g",)),
    "power": Dimension("a power", "5 mW", "W", ("nW", "µW", "mW", "W", "kW")),
    "areal_power": Dimension("an areal power", "1 mW/cm^2", "W/m^2", ("mW/cm^2",)),
    "specific_power": Dimension("a specific power", "1 W/g", "W/kg", ("mW/g", "W/g")),
    "temperature": Dimension("a temperature", "25 degC", "K", ("degC",)),
    "length": Dimension("a length", "0.8 mm", "m", ("nm", "µm", "mm", "m")),
    "area": Dimension("an area", "0.785 cm^2", "m^2", ("cm^2", "m^2")),
    "mass": Dimension("a mass", "12 mg", "kg", ("µg", "mg", "g", "kg")),
    "areal_mass": Dimension("a mass loading", "6.4 mg/cm^2", "kg/m^2", ("mg/cm^2",)),
    "pressure": Dimension("a pressure", "0.5 MPa", "Pa", ("Pa", "kPa", "MPa", "GPa")),
    "resistance": Dimension("a resistance", "10 ohm", "ohm", ("mohm", "ohm", "kohm", "Mohm", "Gohm")),
    "areal_resistance": Dimension(
        "an areal resistance", "10.3 ohm cm^2", "ohm*m^2", ("mohm cm^2", "ohm cm^2", "kohm cm^2")
    ),
    "conductivity": Dimension("a conductivity", "0.5 mS/cm", "S/m", ("nS/cm", "µS/cm", "mS/cm", "S/cm")),
    "capacitance": Dimension("a capacitance", "2 µF", "F", ("pF", "nF", "µF", "mF", "F")),
    "areal_capacitance": Dimension("an areal capacitance", "10 µF/cm^2", "F/m^2", ("µF/cm^2", "mF/cm^2")),
    "frequency": Dimension("a frequency", "1 kHz", "1/s", ("mHz", "Hz", "kHz", "MHz")),
    "scan_rate": Dimension("a scan rate", "0.1 mV/s", "V/s", ("µV/s", "mV/s", "V/s")),
    "current_slope": Dimension("a change of current", "1 µA/min", "A/s", ("nA/s", "µA/s", "mA/s", "A/s")),
    "heating_rate": Dimension("a heating rate", "1 degC/min", "K/s", ("degC/min",)),
    "diffusivity": Dimension("a diffusion coefficient", "1e-14 cm^2/s", "m^2/s", ("cm^2/s",)),
    "fraction": Dimension("a fraction", "30 %", "", ("%",)),
}
"""Every kind of quantity Galvanode knows, by name."""


_BASE = ("[length]", "[mass]", "[time]", "[current]", "[temperature]", "[substance]")


class Quantity(NamedTuple):
    """A quantity as written and what it means. Equal values may have different texts."""

    exact: Exact
    """In the SI unit of its dimension (temperatures in K), free of rounding."""
    dimension: str
    text: str
    """As a person wrote it."""

    @property
    def si(self) -> float:
        """The value as the nearest float, in SI."""
        return float(self.exact)


def _found(text: object) -> str:
    if isinstance(text, str):
        return f"'{text if len(text) <= 40 else text[:37] + '...'}'"
    if text is None:
        return "empty"
    if isinstance(text, bool):
        return str(text).lower()
    if isinstance(text, (int, float)):
        return f"{_shortened(str(text))} without a unit"
    return "a mapping" if isinstance(text, dict) else "a list"


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def expected(dimension: str) -> str:
    """Return the words that say what is due: ``a voltage such as '5 V'``."""
    kind = DIMENSIONS[dimension]
    return f"{kind.words} such as '{kind.example}'"


def _within_reach(exact: Exact) -> bool:
    return exact == 0 or _LEAST <= abs(exact) <= _MOST


def _split(text: object, due: str) -> tuple[Exact, str, str]:
    """Return number, unit and the cleaned text."""
    if not isinstance(text, str):
        raise ValueError(f"is {_found(text)}; expected {due}")  # noqa: TRY004 (pydantic wants ValueError)
    clean = text.translate(_SPELLINGS).strip()
    if len(clean) > _LONGEST:
        raise ValueError(f"is {_found(text)}, longer than {_LONGEST} characters; expected {due}")
    match = _NUMBER_AND_UNIT.fullmatch(clean)
    if match is None:
        raise ValueError(f"is {_found(text)}; expected {due}")
    number, unit = match.groups()
    if unit.startswith(","):
        raise ValueError(f"is {_found(text)}; expected {due}, with a point as the decimal sign")
    return Exact(number), unit, clean


def read_quantity(text: object, due: str = "a number with a unit, such as '30 min'") -> Quantity:
    """Read a quantity of any dimension in ``DIMENSIONS``; ``due`` says what was expected.

    Raises ``ValueError`` with a message that starts ``is '...'`` and ends with what was expected.
    """
    number, unit, clean = _split(text, due)
    if not unit:
        raise ValueError(f"is {_found(text)} without a unit; expected {due}")
    if _AGAINST.search(unit):
        raise ValueError(f"is {_found(text)}, a potential against a reference; expected {due}")
    try:
        dimension, factor, offset = _unit(unit)
    except ValueError as problem:
        raise ValueError(f"is {_found(text)}, but {problem}; expected {due}") from None
    if dimension is None:
        raise ValueError(f"is {_found(text)}; expected {due}")
    exact = number * factor + offset
    if not _within_reach(exact):
        size = "large" if abs(exact) > 1 else "small"
        raise ValueError(f"is {_found(text)}, too {size} to be meant; expected {due}")
    if dimension == "temperature" and exact < 0:
        raise ValueError(f"is {_found(text)}, below absolute zero; expected {due}")
    return Quantity(exact, dimension, clean)


def parse_exact(text: object, dimension: str) -> Quantity:
    """Read a quantity of the given dimension without rounding.

    A fraction may also be a bare number. Raises ``ValueError`` like ``parse_quantity``.
    """
    due = expected(dimension)
    if dimension == "fraction":
        bare = _bare_fraction(text, due)
        if bare is not None:
            return bare
    quantity = read_quantity(text, due)
    if quantity.dimension != dimension:
        raise ValueError(f"is {_found(text)}; expected {due}")
    return quantity


def _bare_fraction(text: object, due: str) -> Quantity | None:
    if isinstance(text, bool):
        return None
    if isinstance(text, (int, float)):
        text = repr(text)
    elif not isinstance(text, str):
        return None
    number, unit, clean = _split(text, due)
    if unit:
        return None
    if not _within_reach(number):
        raise ValueError(f"is {_found(text)}, too large or too small to be meant; expected {due}")
    return Quantity(number, "fraction", clean)


def parse_quantity(text: object, dimension: str) -> float:
    """Return a quantity as a float in SI (temperatures in K).

    ``text`` is what a person wrote, whatever its type; ``dimension`` a key of ``DIMENSIONS``. Raises
    ``ValueError("is '5 A'; expected a voltage such as '5 V'")`` for another dimension, a missing or unknown
    unit, NaN, infinity, and anything that is not a number with a unit.
    """
    return parse_exact(text, dimension).si


def format_quantity(value: float, dimension: str) -> str:
    """Return an SI value for people, ``0.1 mA/cm^2``, to nine digits and in a unit that suits its size."""
    units = DIMENSIONS[dimension].shown
    best = units[0]
    magnitude = abs(value)
    for unit in units:
        _, factor, offset = _unit(unit)
        if offset:  # degC: one unit, and zero is somewhere else
            return f"{_digits(value / float(factor) - float(offset / factor))} {unit}"
        # Not a bare comparison: 0.0036 C/m2 is 1e-3 of a unit in one rounding and less in another.
        if magnitude >= float(factor) * (1 - 1e-12):
            best = unit
    if value == 0 or not math.isfinite(value):
        best = DIMENSIONS[dimension].example.partition(" ")[2]
    return f"{_digits(float(value / float(_unit(best)[1])))} {best}"


def _digits(number: float) -> str:
    return f"{number:.9g}" if number else "0"  # no "-0"


@lru_cache(maxsize=64)
def exponents(dimension: str) -> Exponents:
    """Return the exponents of a dimension's SI unit; all zero for a fraction."""
    unit = _from_names(DIMENSIONS[dimension].unit) if DIMENSIONS[dimension].unit else None
    return (0,) * len(_BASE) if unit is None else unit.powers


@lru_cache(maxsize=1)
def _by_exponents() -> dict[Exponents, str]:
    return {exponents(name): name for name in DIMENSIONS}


def dimension_of(powers: Exponents) -> str | None:
    """Return the dimension with these exponents; None where it has no name here. No power at all is a fraction."""
    return _by_exponents().get(powers)


@lru_cache(maxsize=4096)
def _unit(text: str) -> tuple[str | None, Exact, Exact]:
    """Return dimension (None if it has no name here), factor and offset to SI of a unit.

    Raises ``ValueError`` with words for an unknown or unreadable unit.
    """
    if text == "%":  # the only unit without a dimension that is accepted: not rad, not ppm
        return "fraction", Exact(1, 100), Exact(0)
    unit = _from_names(text)
    if unit is None:
        unit = _from_pint(text)
    dimension = dimension_of(unit.powers) if any(unit.powers) else None
    return (None, Exact(1), Exact(0)) if dimension is None else (dimension, unit.factor, unit.offset)


def _from_names(text: str) -> Unit | None:
    """Return a unit made of the names of ``unit_names``; None where another one is in it."""
    factors = _factors(text)
    powers, factor = [0] * len(_BASE), Exact(1)
    for name, power in factors:
        if name == "1":
            continue
        unit = NAMED.get(name)
        if unit is None:
            return None
        factor *= unit.factor**power
        powers = [sum_ + power * own for sum_, own in zip(powers, unit.powers, strict=True)]
    named = [(name, power) for name, power in factors if name != "1"]
    # A temperature has its zero only where it stands alone: 1 degC/min is 1 K/min.
    offset = NAMED[named[0][0]].offset if len(named) == 1 and named[0][1] == 1 else Exact(0)
    return Unit(tuple(powers), factor, offset)


def _from_pint(text: str) -> Unit:
    """Return a unit that pint knows. Raises ``ValueError`` with words."""
    import pint.errors  # not at the top: see _registry

    registry = _registry()
    plain = "*".join(name if name == "1" else f"{name}**{power}" for name, power in _factors(text))
    try:
        unit = registry.parse_units(plain)
        found = unit.dimensionality
        zero = Exact(cast("Any", registry.Quantity(Exact(0), unit).to_base_units().magnitude))
        one = Exact(cast("Any", registry.Quantity(Exact(1), unit).to_base_units().magnitude))
        powers = tuple(cast("int", found.get(base, 0)) for base in _BASE)
        if any(base not in _BASE for base in found):  # bits, candelas: of no dimension here
            powers = (0,) * len(_BASE)
    except pint.errors.UndefinedUnitError:
        raise ValueError(f"'{text}' is not a known unit") from None
    except (pint.errors.PintError, ValueError, TypeError, ArithmeticError, AssertionError):
        raise ValueError(f"'{text}' is not readable as a unit") from None
    return Unit(powers, one - zero, zero)


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    import pint  # here, not at the top: 0.4 s that only rare units pay

    # pint's stub says float; fractions are supported and tested by pint.
    return pint.UnitRegistry(non_int_type=cast("type[float]", Exact))


def _factors(text: str) -> list[tuple[str, int]]:
    """Return the factors of ``mA/cm2``: ``mA`` to the 1, ``cm`` to the -2.

    Only names, one-digit exponents, ``/`` and ``*`` or a space between: it cannot be an expression of another kind.
    Raises ``ValueError``.
    """
    written = text.replace("**", "^")
    factors = re.split(r"\s*[/*]\s*|\s+", written)
    operators = re.findall(r"\s*([/*])\s*|\s+", written)  # "" for a space, which multiplies
    found: list[tuple[str, int]] = []
    for operator, factor in zip(["", *operators], factors, strict=True):
        match = _FACTOR.fullmatch(factor)
        if match is None or match[1].startswith("delta"):
            raise ValueError(f"'{text}' is not readable as a unit")
        power = int(match[2] or 1)
        found.append((match[1], -power if operator == "/" else power))
    return found


def _validator(dimension: str) -> Callable[[object], float]:
    def validate(value: object) -> float:
        return parse_quantity(value, dimension)

    return validate


def _schema(dimension: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "description": expected(dimension), "examples": [DIMENSIONS[dimension].example]}
    )


Volts = Annotated[float, BeforeValidator(_validator("voltage")), _schema("voltage")]
Amps = Annotated[float, BeforeValidator(_validator("current")), _schema("current")]
AmpsPerSquareMetre = Annotated[float, BeforeValidator(_validator("current_density")), _schema("current_density")]
Seconds = Annotated[float, BeforeValidator(_validator("time")), _schema("time")]
Coulombs = Annotated[float, BeforeValidator(_validator("charge")), _schema("charge")]
CoulombsPerSquareMetre = Annotated[float, BeforeValidator(_validator("areal_charge")), _schema("areal_charge")]
CoulombsPerKilogram = Annotated[float, BeforeValidator(_validator("specific_charge")), _schema("specific_charge")]
Joules = Annotated[float, BeforeValidator(_validator("energy")), _schema("energy")]
JoulesPerMole = Annotated[float, BeforeValidator(_validator("molar_energy")), _schema("molar_energy")]
Watts = Annotated[float, BeforeValidator(_validator("power")), _schema("power")]
Kelvin = Annotated[float, BeforeValidator(_validator("temperature")), _schema("temperature")]
Metres = Annotated[float, BeforeValidator(_validator("length")), _schema("length")]
SquareMetres = Annotated[float, BeforeValidator(_validator("area")), _schema("area")]
Kilograms = Annotated[float, BeforeValidator(_validator("mass")), _schema("mass")]
KilogramsPerSquareMetre = Annotated[float, BeforeValidator(_validator("areal_mass")), _schema("areal_mass")]
Pascals = Annotated[float, BeforeValidator(_validator("pressure")), _schema("pressure")]
Ohms = Annotated[float, BeforeValidator(_validator("resistance")), _schema("resistance")]
OhmSquareMetres = Annotated[float, BeforeValidator(_validator("areal_resistance")), _schema("areal_resistance")]
SiemensPerMetre = Annotated[float, BeforeValidator(_validator("conductivity")), _schema("conductivity")]
Farads = Annotated[float, BeforeValidator(_validator("capacitance")), _schema("capacitance")]
FaradsPerSquareMetre = Annotated[float, BeforeValidator(_validator("areal_capacitance")), _schema("areal_capacitance")]
Hertz = Annotated[float, BeforeValidator(_validator("frequency")), _schema("frequency")]
VoltsPerSecond = Annotated[float, BeforeValidator(_validator("scan_rate")), _schema("scan_rate")]
KelvinPerSecond = Annotated[float, BeforeValidator(_validator("heating_rate")), _schema("heating_rate")]
SquareMetresPerSecond = Annotated[float, BeforeValidator(_validator("diffusivity")), _schema("diffusivity")]
Fraction = Annotated[
    float,
    BeforeValidator(_validator("fraction")),
    WithJsonSchema({"type": ["string", "number"], "description": expected("fraction")}),
]
"""``30 %`` or 0.3; not bounded here."""
