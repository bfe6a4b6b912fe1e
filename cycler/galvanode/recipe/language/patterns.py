"""Regular expressions of what a value may look like, for the published JSON Schema (ECMA 262, and Python's alike).

An editor has only these to tell ``5 A`` from a voltage. They accept all that the compiler does in the units that people
write, and arithmetic whatever it is made of: that is looked at when the recipe is compiled.
"""

from __future__ import annotations

from galvanode.recipe.language.known import CELL, DETECTORS, MEASURED
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL

_NUMBER = r"[-+\u2212]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_PREFIX = "[GMkmuµμnp]?"
_PER, _TIMES = r"\s*/\s*", r"(?:\s*[*·]\s*|\s+)"


def _named(symbol: str, words: str) -> str:
    """Return a unit with its prefixes: ``mV``, ``millivolts``."""
    return rf"(?:{_PREFIX}{symbol}|(?:giga|mega|kilo|milli|micro|nano|pico)?{words})"


def _power(unit: str, exponent: int) -> str:
    superscript = {2: "\u00b2", 3: "\u00b3"}[exponent]
    return rf"{unit}(?:(?:\^|\*\*)?{exponent}|{superscript})"


_VOLT = _named("V", "volts?")
_AMP = _named("A", "(?:amps?|amperes?)")
_WATT = _named("W", "watts?")
_OHM = _named("(?:ohms?|\u03a9|\u2126)", "ohms?")
_SECOND = (
    r"(?:[muµμn]?s|(?:milli|micro)?seconds?|secs?|min|minutes?|h|hr|hours?|d|days?|weeks?|fortnights?|months?|years?)"
)
_HOUR = "(?:h|hr|hours?)"
_METRE = _named("m", "met(?:er|re)s?").replace("[GMk", "[cdGMk")
_GRAM = _named("g", "grams?")
_CHARGE = rf"(?:{_AMP}{_TIMES}?{_HOUR}|{_AMP}{_TIMES}s|{_PREFIX}C|coulombs?)"
_ENERGY = rf"(?:{_WATT}{_TIMES}?{_HOUR}|{_WATT}{_TIMES}s|{_PREFIX}J|joules?)"
_KELVIN = r"(?:m?K|kelvins?|degC|°C|celsius|degF|°F|fahrenheit)"
_AREA = rf"(?:{_power(_METRE, 2)})"


def _per_area(unit: str) -> str:
    return rf"(?:{unit}{_PER}{_AREA}|{unit}{_TIMES}{_METRE}(?:\^|\*\*)?-2)"


def _per(unit: str, other: str) -> str:
    return rf"(?:{unit}{_PER}{other}|{unit}{_TIMES}{other}(?:\^|\*\*)?-1)"


UNITS: dict[str, str] = {
    "voltage": _VOLT,
    "current": _AMP,
    "current_density": _per_area(_AMP),
    "time": _SECOND,
    "charge": _CHARGE,
    "areal_charge": _per_area(_CHARGE),
    "specific_charge": _per(_CHARGE, _GRAM),
    "energy": _ENERGY,
    "areal_energy": _per_area(_ENERGY),
    "specific_energy": _per(_ENERGY, _GRAM),
    "power": _WATT,
    "temperature": _KELVIN,
    "resistance": _OHM,
    "frequency": rf"(?:{_named('Hz', 'hertz')}|1{_PER}s)",
    "scan_rate": _per(_VOLT, _SECOND),
    "current_slope": _per(_AMP, _SECOND),
    "heating_rate": _per(r"(?:K|kelvins?|degC|°C|delta_degC)", _SECOND),
}
"""Dimension -> how its units may be written."""

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
REFERENCE = rf"\$(?:{NAME}|cell\.(?:{'|'.join(sorted(CELL))}))"
ARITHMETIC = r"[^<>=]*(?:\$|\(|\s[-+*/\u2212\u00d7\u00b7]\s)[^<>=]*"
"""Whatever has a name, a bracket or an operator between spaces in it."""


def quantity(*dimensions: str) -> str:
    """Return how a quantity of one of these dimensions is written, without anchors."""
    return "(?:" + "|".join(_quantity(dimension) for dimension in dimensions) + ")"


def _quantity(dimension: str) -> str:
    if dimension == NUMBER:
        return _NUMBER
    if dimension == "fraction":
        return rf"{_NUMBER}\s*%?"
    if dimension == C_RATE:
        return r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)\s*C|C\s*/\s*\d+(?:\.\d*)?)"
    if dimension == POTENTIAL:
        return rf"{_NUMBER}\s*{_VOLT}\s+vs\.?\s+(?:Li[+\u207a]/Li|Li/Li[+\u207a])"
    return rf"{_NUMBER}\s*{UNITS[dimension]}"


def value(*dimensions: str) -> str:
    """Return the pattern of a value of one of these dimensions, ``$name`` or arithmetic."""
    return rf"^\s*(?:{quantity(*dimensions)}|{ARITHMETIC})\s*$"


_COMPARISON = r"\s*(?:>=|<=|>|<|\u2264|\u2265)\s*"
_AUXILIARY = r"auxiliary\.[A-Za-z][A-Za-z0-9_]*"
_ANY_MEASURED = "|".join((_AUXILIARY, *sorted((*MEASURED, *DETECTORS), key=len, reverse=True)))


def _simple() -> str:
    """Return the pattern of one comparison with a quantity of its own dimension."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, measured in MEASURED.items():
        names.setdefault(measured.dimensions, []).append(name)
    more = rf"(?:\s+over\s+{quantity('time')}|\s+of\s+cycle\s+\d+)?"
    auxiliary = rf"(?:{_either([_AUXILIARY])}){_COMPARISON}[^<>$]*\d[^<>$]*"
    return (
        auxiliary
        + "|"
        + "|".join(
            rf"(?:{_either(known)}){_COMPARISON}{quantity(*dimensions)}{more}"
            rf"|{quantity(*dimensions)}{_COMPARISON}(?:{_either(known)})"
            for dimensions, known in names.items()
        )
    )


def _either(names: list[str]) -> str:
    joined = "|".join(names)
    return rf"{joined}|abs\(\s*(?:{joined})\s*\)"


def condition() -> str:
    """Return the pattern of a condition of ``until`` and ``stop_when``.

    One comparison is held to its dimension; several, and arithmetic, only to speak of something that is measured.
    """
    first = rf"[(\s]*(?:abs\(\s*)?(?:{_ANY_MEASURED})\b"
    joined = rf"{first}.*\b(?:[aA][nN][dD]|[oO][rR])\b.*"
    compared = rf"{first}[\s)]*{_COMPARISON}{ARITHMETIC}|{ARITHMETIC}{_COMPARISON}{first}[\s)]*"
    return rf"^\s*(?:{_simple()}|{'|'.join(sorted(DETECTORS))}|{joined}|{compared})\s*$"


def test() -> str:
    """Return the pattern of the condition of ``if``: any arithmetic on both sides."""
    return r"^[^<>]+(?:[<>]=?|\u2264|\u2265)[^<>]+"
