"""Numbers of MethodSCRIPT: literals in scripts, values of variables, fields of data packages.

A literal is an integer with an SI prefix (``-500m``) or an integer proper (``11i``, ``0x1F``). A field is seven
hexadecimal digits, offset by 2^27, with the finest SI prefix that has room for the value (manual, 4.2 and 4.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

EXPONENTS = {
    "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0,
    "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
OFFSET = 1 << 27
LARGEST = OFFSET - 1
NOT_A_NUMBER = "     nan"

TIMING, OVERLOAD, UNDERLOAD, OVERLOAD_WARNING = 1, 2, 4, 8
"""Bits of the status that is sent with a measured value."""

_DECIMAL = re.compile(r"([+-]?\d+)([afpnumkMGTPEi]?)")
_BASED = re.compile(r"0x([0-9A-Fa-f]+)i?|0b([01]+)i?")
_LARGEST_LITERAL = 2**31
_PREFIXES = {exponent: prefix or " " for prefix, exponent in EXPONENTS.items()}


@dataclass(frozen=True, slots=True)
class Value:
    """What a variable holds: a number (an ``int`` is an integer), its type and what is known of its measurement."""

    number: float
    kind: str = "aa"
    status: int | None = None
    range: int | None = None
    noise: int | None = None

    def field(self) -> str:
        """Return the variable as it stands in a package: ``ba48D503Dp,10,288``."""
        text = self.kind + (integer_field(self.number) if isinstance(self.number, int) else float_field(self.number))
        if self.status is not None:
            text += f",1{self.status:X}"
        if self.range is not None:
            text += f",2{self.range:02X}"
        if self.noise is not None:
            text += f",4{self.noise:X}"
        return text


def literal(text: str) -> float:
    """Return the number of a literal; an ``int`` for an integer. Raises ``ValueError``."""
    if match := _BASED.fullmatch(text):
        number = int(match[1], 16) if match[1] else int(match[2], 2)
        if number > 0xFFFFFFFF:
            raise ValueError(text)
        return number if number < _LARGEST_LITERAL else number - (1 << 32)
    match = _DECIMAL.fullmatch(text)
    if match is None or not -_LARGEST_LITERAL <= int(match[1]) < _LARGEST_LITERAL:
        raise ValueError(text)
    if match[2] == "i":
        return int(match[1])
    return float(f"{match[1]}e{EXPONENTS[match[2]]}")


def integer_field(number: int) -> str:
    """Seven digits and ``i``. Raises ``OverflowError``."""
    if not -OFFSET <= number <= LARGEST:
        raise OverflowError(number)
    return f"{number + OFFSET:07X}i"


def float_field(number: float) -> str:
    """Seven digits and the finest prefix; what does not fit at all is sent as not-a-number."""
    if number == 0.0:
        return f"{OFFSET:07X} "
    if not math.isfinite(number):
        return NOT_A_NUMBER
    exponent = max(-18, 3 * math.ceil(math.log10(abs(number) / LARGEST) / 3))
    for power in (exponent, exponent + 3):  # rounding up may need one digit more
        digits = round(number * 10.0**-power)
        if abs(digits) <= LARGEST and power in _PREFIXES:
            return f"{digits + OFFSET:07X}{_PREFIXES[power]}"
    return NOT_A_NUMBER


def package(values: Iterable[Value]) -> str:
    """Return a data package without its line ending. Raises ``OverflowError``."""
    return "P" + ";".join(value.field() for value in values)
