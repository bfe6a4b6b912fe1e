"""A profile: a current or a power that changes with time, from a CSV file or from points in the recipe."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple, cast

from galvanode.document import found, label
from galvanode.errors import InvalidInput
from galvanode.recipe.compiling.context import FASTEST_S, LONGEST_S, Context
from galvanode.recipe.compiling.limits import lies_in, window_text
from galvanode.recipe.language.bodies import Profile
from galvanode.recipe.language.shelf import Shelf
from galvanode.recipe.language.values import NUMBER
from galvanode.recipe.program import ProfilePlan
from galvanode.units import Quantity, format_quantity, read_quantity
from galvanode.yaml_text import DocumentPath

MAX_ROWS = 100_000

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}\.csv", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_LONGEST = 60
"""Characters of one value of a file."""
_HEADER = "'time_s' and 'current_A' or 'power_W'"
_DUE = {"current": "a current such as '1 mA'", "power": "a power such as '5 mW'"}

Driven = Literal["current", "power"]

_DRIVEN: dict[str, Driven] = {"current": "current", "power": "power", "current_density": "current"}
"""Dimension of a value -> what is driven."""


class _Points(NamedTuple):
    """What a profile says, in SI at the terminals."""

    driven: Driven
    times: list[float]
    values: list[float]
    named: Callable[[int], tuple[str, DocumentPath]]
    """What a message calls a point, and where the recipe says it."""


def profile_plan(body: Profile, path: DocumentPath, context: Context) -> ProfilePlan:
    """Return what is run through, every current inside the limits. Raises ``InvalidInput``."""
    points = _of_file(body, path, context) if body.points is None else _of_points(body, path, context)
    scale = _scale(body, path, context)
    points = points._replace(values=[value * scale for value in points.values])
    _in_order(points, context)
    _inside_limits(points, context)
    return ProfilePlan(quantity=points.driven, times=tuple(points.times), values=tuple(points.values))


def _scale(body: Profile, path: DocumentPath, context: Context) -> float:
    if body.scale is None:
        return 1.0
    at = (*path, "scale")
    scale = context.fixed(body.scale, NUMBER, at)
    if scale.exact == 0:
        raise context.error(at, f"{label(at)} is '{scale.text}', which leaves nothing of the profile; expected another")
    return scale.si


def _in_order(points: _Points, context: Context) -> None:
    def refuse(index: int, said: str) -> InvalidInput:
        name, at = points.named(index)
        return context.error(at, f"{name} is at {points.times[index]:.9g} s{said}")

    if points.times[0] != 0:
        raise refuse(0, "; expected the first one at 0 s")
    for index, (earlier, later) in enumerate(pairwise(points.times), start=1):
        if later - earlier < FASTEST_S * (1 - 1e-9):
            raise refuse(index, f", after one at {earlier:.9g} s; expected times that increase by 1 ms or more")
    if points.times[-1] > LONGEST_S:
        raise refuse(len(points.times) - 1, "; expected at most 30 years")


def _inside_limits(points: _Points, context: Context) -> None:
    """Refuse a current outside the limits. The last value is where the profile ends and is not applied.

    What current a power takes only the cell can tell: the engine's limits see to that.
    """
    if points.driven != "current":
        return
    for bounds in (context.cell, context.bounds):
        window = bounds.limits.current
        for index, value in enumerate(points.values[:-1]):
            if not lies_in(window, value):
                name, at = points.named(index)
                allowed = window_text(window, "current", context.terminals.area)
                said = f"{name} is {format_quantity(value, 'current')}, outside {bounds.origin} ({allowed})"
                raise context.error(at, said)


def _of_points(body: Profile, path: DocumentPath, context: Context) -> _Points:
    """Return the points that stand in the recipe."""
    driven: Driven | None = body.quantity
    times: list[float] = []
    values: list[float] = []
    for index, (time, value) in enumerate(body.points or ()):
        at = (*path, "points", index)
        times.append(context.fixed(time, "time", (*at, 0)).si)
        quantity = context.fixed(value, None, (*at, 1))
        is_what = _DRIVEN.get(quantity.dimension)
        if is_what is None or (driven is not None and is_what != driven):
            due = " or ".join(_DUE.values()) if driven is None else _DUE[driven]
            raise context.error((*at, 1), f"a point's value is '{quantity.text}'; expected {due}")
        driven = is_what
        values.append(quantity.si * context.terminals.factor(quantity.dimension))

    def named(index: int) -> tuple[str, DocumentPath]:
        return f"point {index + 1} of {label((*path, 'points'))}", (*path, "points", index)

    return _Points(cast("Driven", driven), times, values, named)


# --- a CSV file --------------------------------------------------------------------------------------------------


def _of_file(body: Profile, path: DocumentPath, context: Context) -> _Points:
    at = (*path, "file")
    name = cast("str", body.file)
    if _FILE_NAME.fullmatch(name) is None:
        said = f"{label(at)} is {found(name)}; expected the name of a file beside the recipe, such as 'wltp.csv'"
        raise context.error(at, said)
    try:
        table = _table(_text(name, context.shelf), body.quantity)
    except ValueError as problem:
        raise context.error(at, f"{label(at)}: '{name}'{problem}") from None
    factor = context.terminals.factor(table.dimension)
    lines = table.lines
    return _Points(
        _DRIVEN[table.dimension],
        table.times,
        [value * factor for value in table.values] if factor != 1 else table.values,
        lambda index: (f"{label(at)}: '{name}', line {lines[index]}", at),
    )


def _text(name: str, shelf: Shelf) -> str:
    """Return the text of a file beside the recipe or in the library. Raises ``ValueError``."""
    text = shelf.find(name, "profiles")
    if text is None:
        known = ", ".join(shelf.names(".csv", "profiles"))
        raise ValueError(f" is neither beside the recipe nor in the library; there is {known or 'no profile at all'}")
    return text


class _Table(NamedTuple):
    dimension: str
    """Of the values: a key of ``_DRIVEN``."""
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


def _table(text: str, quantity: str | None) -> _Table:
    """Read a table with a header. Raises ``ValueError`` that goes on after the file's name."""
    rows = _rows(text)
    line, header = next(rows, (1, []))
    if not header:
        raise ValueError(f" is empty; expected a header with {_HEADER}")
    columns = [column for index, name in enumerate(header) if (column := _column(index, name)) is not None]
    time = next((column for column in columns if column.unit.dimension == "time"), None)
    driven = [column for column in columns if _DRIVEN.get(column.unit.dimension) in ((quantity,) if quantity else _ALL)]
    if time is None or not driven:
        there = ", ".join(f"'{name[:40]}'" for name in header[:8])
        raise ValueError(f", line {line}: has no column {_missing(time, quantity)} (there is {there})")
    if len(driven) > 1:
        both = " and ".join(f"'{column.name}'" for column in driven[:2])
        raise ValueError(f", line {line}: has {both}; say which with 'quantity: current' or 'quantity: power'")
    table = _Table(driven[0].unit.dimension, [], [], [])
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
