"""What instruments report, as values the engine can trust."""

from __future__ import annotations

import math
from typing import NamedTuple

from galvanode.errors import GalvanodeError

SCPI_OVERFLOW = 9.9e37
"""SCPI-99 sends +9.9E37 for overflow, -9.9E37 for underflow and 9.91E37 for not-a-number."""


class BadReading(GalvanodeError):
    """A number from an instrument is no measurement: NaN, overflow, or not a number at all."""


class Garbled(BadReading):
    """Text stands where a number should: the answer was damaged on its way, or belongs to another question."""


class Reading(NamedTuple):
    """One measurement of a cycler channel. Positive current charges the cell."""

    voltage: float
    """V at the terminals."""
    current: float
    """A."""
    instrument_time: float | None
    """The instrument's own time of the measurement, s; must advance from reading to reading."""
    in_compliance: bool
    """The instrument's limit acts: the set point is not held."""
    tripped: str | None
    """What the instrument itself protected against, in its own words; None if nothing."""
    auxiliary: tuple[float, ...] = ()
    """SI; one for each of the channel's ``auxiliaries``, in their order. NaN where one was not read."""


class ChamberReading(NamedTuple):
    """One measurement of a temperature chamber."""

    temperature: float
    """K."""
    setpoint: float
    """K."""
    alarm: str | None
    """The chamber's alarm in its own words; None if there is none."""


def measured(text: str) -> float:
    """Return the number that an instrument sent; raise ``BadReading`` for NaN, overflow or noise."""
    try:
        value = float(text.replace("_", "?"))  # Python takes 1_0 for a number
    except ValueError:
        raise Garbled(f"{text[:40]!r} is not a number") from None
    if not -SCPI_OVERFLOW < value < SCPI_OVERFLOW:  # also false for NaN
        kind = "not-a-number" if math.isnan(value) or value > SCPI_OVERFLOW else "overflow"
        raise BadReading(f"{text.strip()} means {kind}")
    return value
