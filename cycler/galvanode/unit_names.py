"""The units that people write, by name, with exact factors to SI: what is read without loading a library of units.

Each name here means what pint means by it (a test compares all of them); a name that is not here, pint may know.
"""

from __future__ import annotations

from fractions import Fraction as Exact
from typing import NamedTuple

Exponents = tuple[int, ...]
"""Of length, mass, time, current, temperature and amount of substance."""


class Unit(NamedTuple):
    """One unit: a value of it times ``factor``, plus ``offset`` where it stands alone, is SI."""

    powers: Exponents
    factor: Exact
    offset: Exact = Exact(0)


_LENGTH, _MASS, _TIME = (1, 0, 0, 0, 0, 0), (0, 1, 0, 0, 0, 0), (0, 0, 1, 0, 0, 0)
_CURRENT, _TEMPERATURE, _SUBSTANCE = (0, 0, 0, 1, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0, 0, 0, 1)
_VOLTAGE, _RESISTANCE, _CONDUCTANCE = (2, 1, -3, -1, 0, 0), (2, 1, -3, -2, 0, 0), (-2, -1, 3, 2, 0, 0)
_CHARGE, _CAPACITANCE = (0, 0, 1, 1, 0, 0), (-2, -1, 4, 2, 0, 0)
_ENERGY, _POWER, _PRESSURE, _FREQUENCY = (
    (2, 1, -2, 0, 0, 0),
    (2, 1, -3, 0, 0, 0),
    (-1, 1, -2, 0, 0, 0),
    (0, 0, -1, 0, 0, 0),
)

_PREFIXES: tuple[tuple[str, str, int], ...] = (
    ("giga", "G", 9),
    ("mega", "M", 6),
    ("kilo", "k", 3),
    ("centi", "c", -2),
    ("milli", "m", -3),
    ("micro", "µ", -6),
    ("micro", "u", -6),
    ("nano", "n", -9),
    ("pico", "p", -12),
)

_PREFIXED: tuple[tuple[tuple[str, ...], tuple[str, ...], Exponents, Exact], ...] = (
    (("V",), ("volt", "volts"), _VOLTAGE, Exact(1)),
    (("A",), ("amp", "ampere", "amperes"), _CURRENT, Exact(1)),
    (("W",), ("watt", "watts"), _POWER, Exact(1)),
    (("Ω", "ohm"), ("ohm", "ohms"), _RESISTANCE, Exact(1)),
    (("S",), ("siemens",), _CONDUCTANCE, Exact(1)),
    (("F",), ("farad", "farads"), _CAPACITANCE, Exact(1)),
    (("C",), ("coulomb", "coulombs"), _CHARGE, Exact(1)),
    (("Ah",), (), _CHARGE, Exact(3600)),
    (("J",), ("joule", "joules"), _ENERGY, Exact(1)),
    (("Wh",), (), _ENERGY, Exact(3600)),
    (("s",), ("second", "seconds"), _TIME, Exact(1)),
    (("Hz",), ("hertz",), _FREQUENCY, Exact(1)),
    (("m",), ("meter", "meters", "metre", "metres"), _LENGTH, Exact(1)),
    (("g",), ("gram", "grams"), _MASS, Exact(1, 1000)),
    (("K",), ("kelvin", "kelvins"), _TEMPERATURE, Exact(1)),
    (("mol",), ("mole", "moles"), _SUBSTANCE, Exact(1)),
    (("Pa",), ("pascal", "pascals"), _PRESSURE, Exact(1)),
)
"""Symbols, words, dimension, factor: those that take the prefixes."""

_ZERO_CELSIUS = Exact(27315, 100)
_ALONE: tuple[tuple[tuple[str, ...], Unit], ...] = (
    (("min", "minute", "minutes"), Unit(_TIME, Exact(60))),
    (("h", "hr", "hour", "hours"), Unit(_TIME, Exact(3600))),
    (("d", "day", "days"), Unit(_TIME, Exact(86400))),
    (("week", "weeks"), Unit(_TIME, Exact(7 * 86400))),
    (("degC", "°C", "celsius"), Unit(_TEMPERATURE, Exact(1), _ZERO_CELSIUS)),
    (("bar",), Unit(_PRESSURE, Exact(100_000))),
)


def _named() -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for symbols, words, powers, factor in _PREFIXED:
        for name in (*symbols, *words):
            found[name] = Unit(powers, factor)
        for word, symbol, decade in _PREFIXES:
            unit = Unit(powers, factor * Exact(10) ** decade)
            found.update((f"{symbol}{name}", unit) for name in symbols)
            found.update((f"{word}{name}", unit) for name in words)
    for names, unit in _ALONE:  # after the others: 'min' is no milli-inch, 'h' takes no prefix
        found.update((name, unit) for name in names)
    return found


NAMED = _named()
"""Name -> unit."""
