"""Elements of a Keithley 2450 reading: what ``:READ?`` and ``:TRAC:DATA?`` write of a record."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime

from galvanode.clock import process_clock
from galvanode_simulator.keithley2450.unit import CURRENT_RANGES, RESISTANCE_RANGES, VOLTAGE_RANGES
from galvanode_simulator.parts.converter import OVER_RANGE, OVERFLOW
from galvanode_simulator.parts.reading_buffer import ReadingBuffer, Record
from galvanode_simulator.scpi_status import ScpiError

Element = Callable[[ReadingBuffer, Record], str]

_MOST_ELEMENTS = 14
_UNITS = ("Volt DC", "Amp DC", "Ohm")
_SYMBOLS = ("V", "A", "Ohm")
_PREFIXES = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M"}
_RANGES = tuple(
    (ranges, tuple(OVER_RANGE * full for full in ranges))
    for ranges in (VOLTAGE_RANGES, CURRENT_RANGES, RESISTANCE_RANGES)
)


def when(time: float) -> datetime:
    """UTC of a time of the process clock, s."""
    clock = process_clock()
    return datetime.fromtimestamp(clock.unix() + (time - clock.now()), UTC)


def _seconds(time: float) -> tuple[int, int]:
    """Whole seconds since 1970 and nanoseconds; as one number they would be good to a quarter of a microsecond."""
    clock = process_clock()
    start, part = divmod(round(clock.unix() - clock.now(), 6), 1.0)
    passed, rest = divmod(time, 1.0)
    more, nanoseconds = divmod(round((part + rest) * 1e9), 10**9)
    return int(start) + int(passed) + more, nanoseconds


def _written(time: float, form: str) -> str:
    return datetime.fromtimestamp(_seconds(time)[0], UTC).strftime(form)


def _stamp(time: float) -> str:
    """Time stamps count nanoseconds: ``03/01/2013 14:46:07.714614838`` (8-36)."""
    seconds, nanoseconds = _seconds(time)
    return f"{datetime.fromtimestamp(seconds, UTC):%m/%d/%Y %H:%M:%S}.{nanoseconds:09d}"


def formatted(value: float, floor: int, unit: int) -> str:
    """Return a value as the front panel shows it in five and a half digits: ``-00.0024 mV`` (6-5).

    The range is the lowest that takes the value, at least that with the index ``floor``.
    """
    if abs(value) >= OVERFLOW:
        return "Overflow"
    ranges, levels = _RANGES[unit]
    full = ranges[max(floor, min(bisect_left(levels, abs(value)), len(ranges) - 1))]
    power = math.floor(math.log10(full) + 1e-9)
    prefix = 3 * math.floor(power / 3)
    whole = power - prefix + 1
    return f"{value / 10.0**prefix:+0{8}.{6 - whole}f} {_PREFIXES[prefix]}{_SYMBOLS[unit]}"


def _relative(buffer: ReadingBuffer, record: Record) -> str:
    first = buffer.first_time
    return f"{record.time - first:.6f}" if first is not None else "0.000000"


ELEMENTS: dict[str, Element] = {
    "READ": lambda _, record: f"{record.value:.6E}",
    "SOUR": lambda _, record: f"{record.source:.6E}",
    "REL": _relative,
    "STAT": lambda _, record: "0",
    "SOURSTAT": lambda _, record: str(record.flags & 0xFF),
    "SEC": lambda _, record: str(_seconds(record.time)[0]),
    "FRAC": lambda _, record: f"0.{_seconds(record.time)[1]:09d}",
    "TST": lambda _, record: _stamp(record.time),
    "DATE": lambda _, record: _written(record.time, "%m/%d/%Y"),
    "TIME": lambda _, record: _written(record.time, "%H:%M:%S"),
    "UNIT": lambda _, record: _UNITS[record.flags >> 8 & 15],
    "SOURUNIT": lambda _, record: _UNITS[record.flags >> 12 & 15],
    "FORM": lambda _, record: formatted(record.value, record.flags >> 16 & 15, record.flags >> 8 & 15),
    "SOURFORM": lambda _, record: formatted(record.source, record.flags >> 20 & 15, record.flags >> 12 & 15),
}


def with_digits(digits: int) -> dict[str, Element]:
    """Writers for ``:FORM:ASC:PREC``: readings and source values in that many digits."""
    form = f".{digits - 1}E"
    return {
        **ELEMENTS,
        "READ": lambda _, record: format(record.value, form),
        "SOUR": lambda _, record: format(record.source, form),
    }


_NAMES = {
    **{name: name for name in ELEMENTS},
    "READING": "READ",
    "SOURCE": "SOUR",
    "RELATIVE": "REL",
    "STATUS": "STAT",
    "SOURSTATUS": "SOURSTAT",
    "SECONDS": "SEC",
    "FRACTIONAL": "FRAC",
    "TSTAMP": "TST",
    "SOURFORMATTED": "SOURFORM",
    "FORMATTED": "FORM",
}

BINARY_ELEMENTS: dict[str, Callable[[ReadingBuffer, Record], float]] = {
    "READ": lambda _, record: record.value,
    "SOUR": lambda _, record: record.source,
    "REL": lambda buffer, record: record.time - (buffer.first_time or 0.0),
}
"""The only elements that ``:FORM REAL`` and ``SREAL`` can send (manual 6-112)."""


def element_names(elements: tuple[str, ...]) -> list[str]:
    """Short forms of the elements asked for, READ if there are none. Raises -223 and -224."""
    if len(elements) > _MOST_ELEMENTS:
        raise ScpiError(-223)
    names = [_NAMES.get(element) for element in elements] or ["READ"]
    known = [name for name in names if name is not None]
    if len(known) != len(names):
        raise ScpiError(-224)
    return known
