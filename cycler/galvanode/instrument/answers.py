"""Answers taken apart: what fits is returned, what does not fit leaves the link distrusted."""

from __future__ import annotations

from galvanode.instrument.links.base import Link
from galvanode.instrument.reading import Garbled, measured

_COUNTS = ("no", "one", "two", "three", "four", "five", "six")


def numbers(link: Link, answer: str, count: int, separator: str = ",") -> list[float]:
    """Return the numbers of an answer.

    Raises ``Unfit`` for an answer of another shape, and ``BadReading`` for not-a-number and overflow: the
    instrument's own words for a measurement that it could not make.
    """
    fields = answer.split(separator)
    if len(fields) == count:
        try:
            return [measured(field) for field in fields]
        except Garbled:
            pass
    wanted = "a number" if count == 1 else f"{_COUNTS[count]} numbers"
    raise link.distrust(f"{answer[:80]!r} does not fit the question; expected {wanted}")
