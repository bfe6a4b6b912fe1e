"""Numbers on their way between a recipe and another program's text, without a digit lost or made up."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction as Exact

SECONDS_PER_HOUR = 3600
COULOMBS_PER_MAH = 3.6

_ULPS = 4
"""Roundings that a product and a quotient of two floats may leave; a decimal so close is the one that was meant."""


def plain(value: float | Decimal) -> str:
    """Return a number without an exponent where that is short: ``4.2``, ``1800``, ``1e-09``."""
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if exact == 0:
        return "0"
    if -7 <= exact.adjusted() <= 9:
        text = f"{exact:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{exact.normalize():e}".replace("e+", "e")


def shifted(value: float, digits: int) -> float:
    """Return ``value`` times ten to the power of ``digits``, by moving the decimal point and nothing else."""
    return float(Decimal(repr(value)).scaleb(digits))


def tidied(value: float) -> float:
    """Return the shortest decimal, or the simplest fraction, that a number can have been before it was multiplied."""
    if value == 0 or not math.isfinite(value):
        return value
    near = _ULPS * math.ulp(value)
    short = [float(f"{value:.{digits}g}") for digits in range(1, 16)]
    simple = float(Exact(value).limit_denominator(1000))
    candidates = (*short[:12], simple, *short[12:])
    return next((number for number in candidates if number and abs(number - value) <= near), value)


def time_text(seconds: float) -> str:
    """Return ``1.5 h``, ``10 min`` or ``90 s``, exactly."""
    exact = Exact(repr(seconds))
    for unit, size, parts in (("h", 3600, 4), ("min", 60, 1)):
        if exact >= size and (exact * parts / size).denominator == 1:
            return f"{plain(float(exact / size))} {unit}"
    return f"{plain(seconds)} s"


def rate_text(rate: float) -> str:
    """Return a C-rate above 0 as a recipe says it: ``0.1C``, ``C/3``. Raises ``ValueError`` for one it cannot say."""
    text = f"{Decimal(repr(rate)):f}"
    whole, _, decimals = text.partition(".")
    if len(whole) <= 6 and len(decimals.rstrip("0")) <= 12:
        return f"{plain(rate)}C"
    share = Exact(rate).limit_denominator(1000)
    if share and float(share) == rate:
        return f"C/{share.denominator}" if share.numerator == 1 else f"{share.numerator} * C/{share.denominator}"
    raise ValueError(f"is {rate!r}, a C-rate with more than 12 decimals; expected fewer, or a fraction such as 'C/3'")
