"""The table of a profile: a CSV file with a column of times and one of currents or powers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from galvanode.document import found
from galvanode.units import Quantity, read_quantity

MAX_ROWS = 100_000

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_LONGEST = 60
"""Characters of one value of a file."""
_HEADER = "'time_s' and 'current_A' or 'power_W'"

Driven = Literal["current", "power"]

DRIVEN: dict[str, Driven] = {"current": "current", "power": "power", "current_density": "current"}
"""Dimension of a value -> what is driven."""


class Table(NamedTuple):
    """Times and values."""

    dimension: str
    """Of the values: a key of ``DRIVEN``."""
    times: list[float]
    """s."""
    values: list[float]
    """SI."""
    lines: list[int]
    """Of the file, from 1."""


class _Column(NamedTuple):
    place: int
    name: str
    unit: Quantity


def read_table(text: str, quantity: str | None) -> Table:
    """Read a table with a header. Raises ``ValueError`` that goes on after the file's name."""
    rows = _rows(text)
    line, header = next(rows, (1, []))
    if not header:
        raise ValueError(f" is empty; expected a header with {_HEADER}")
    columns = [column for index, name in enumerate(header) if (column := _column(index, name)) is not None]
    time = next((column for column in columns if column.unit.dimension == "time"), None)
    driven = [column for column in columns if DRIVEN.get(column.unit.dimension) in ((quantity,) if quantity else _ALL)]
    if time is None or not driven:
        there = ", ".join(f"'{name[:40]}'" for name in header[:8])
        raise ValueError(f", line {line}: has no column {_missing(time, quantity)} (there is {there})")
    if len(driven) > 1:
        both = " and ".join(f"'{column.name}'" for column in driven[:2])
        raise ValueError(f", line {line}: has {both}; say which with 'quantity: current' or 'quantity: power'")
    table = Table(driven[0].unit.dimension, [], [], [])
    for number, cells in rows:
        if len(table.lines) == MAX_ROWS:
            raise ValueError(f" has more than {MAX_ROWS:,} rows; expected that or fewer")
        table.times.append(_number(cells, time, number))
        table.values.append(_number(cells, driven[0], number))
        table.lines.append(number)
    if len(table.lines) < 2:
        raise ValueError(" has fewer than two rows; expected one for each change and one for the end")
    return table


_ALL: tuple[Driven, ...] = ("current", "power")


def _missing(time: _Column | None, quantity: str | None) -> str:
    if time is None:
        return "'time_s'"
    return {"current": "'current_A'", "power": "'power_W'"}.get(quantity or "", "'current_A' or 'power_W'")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is neither empty nor a comment. Raises ``ValueError``."""
    lines = text.splitlines()
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
            except (csv.Error, ValueError):
                raise ValueError(f", line {number}: cannot be read as a row of a table") from None
            yield number, cells


def _column(index: int, name: str) -> _Column | None:
    """Return a column by its header, ``current_mA``: None for one that is about something else."""
    what, _, unit = name.strip().rpartition("_")
    try:
        one = read_quantity(f"1 {unit}")
    except ValueError:
        return None
    due = {"time": ("time",), "current": ("current",), "power": ("power",), "current_density": ("current_density",)}
    return _Column(index, name.strip(), one) if one.dimension in due.get(what.lower(), ()) else None


def _number(cells: list[str], column: _Column, line: int) -> float:
    """Return a cell in SI. Raises ``ValueError``."""
    text = cells[column.place].strip() if column.place < len(cells) else ""
    if len(text) > _LONGEST or _NUMBER.fullmatch(text) is None:
        said = found(text) if text else "empty"
        raise ValueError(f", line {line}: '{column.name}' is {said}; expected a number such as '0.5'")
    exact = column.unit.exact
    # Dividing by a thousand rounds once; multiplying by a thousandth twice.
    number = float(text) * exact.numerator / exact.denominator
    if not abs(number) <= _LARGEST:
        raise ValueError(f", line {line}: '{column.name}' is '{text}', too large to be meant")
    return number


_LARGEST = 1e30
