"""Elements of a Keithley 2450 reading: what ``:READ?`` and ``:TRAC:DATA?`` write of a record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from galvanode.clock import process_clock
from galvanode_simulator.instruments.reading_buffer import ReadingBuffer, Record
from galvanode_simulator.scpi_status import ScpiError

Element = Callable[[ReadingBuffer, Record], str]

_MOST_ELEMENTS = 14
_UNITS = ("Volt DC", "Amp DC", "Ohm")


def when(time: float) -> datetime:
    """UTC of a time of the process clock, s."""
    clock = process_clock()
    return datetime.fromtimestamp(clock.unix() + (time - clock.now()), UTC)


def _seconds(time: float) -> tuple[int, float]:
    clock = process_clock()
    whole, fraction = divmod(clock.unix() + (time - clock.now()), 1.0)
    return int(whole), fraction


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
    "FRAC": lambda _, record: f"{_seconds(record.time)[1]:.9f}",
    "TST": lambda _, record: when(record.time).strftime("%m/%d/%Y %H:%M:%S.%f"),
    "DATE": lambda _, record: when(record.time).strftime("%m/%d/%Y"),
    "TIME": lambda _, record: when(record.time).strftime("%H:%M:%S.%f"),
    "UNIT": lambda _, record: _UNITS[record.flags >> 8 & 15],
    "SOURUNIT": lambda _, record: _UNITS[record.flags >> 12 & 15],
    "FORM": lambda _, record: f"{record.value:+.6E} {_UNITS[record.flags >> 8 & 15]}",
    "SOURFORM": lambda _, record: f"{record.source:+.6E} {_UNITS[record.flags >> 12 & 15]}",
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
