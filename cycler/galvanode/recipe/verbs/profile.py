"""``profile``: a current or a power that changes with time, from a CSV file or from points in the recipe."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, cast

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic import model_validator as validator

from galvanode.document import found, label, place_of
from galvanode.errors import InvalidInput
from galvanode.recipe import drives
from galvanode.recipe.compiling.context import FASTEST_S, LONGEST_S, Context
from galvanode.recipe.compiling.limits import lies_in, window_text
from galvanode.recipe.compiling.operands import ends
from galvanode.recipe.compiling.profile_table import DRIVEN, Driven, read_table
from galvanode.recipe.language.condition import Untils
from galvanode.recipe.language.sections import Label
from galvanode.recipe.language.shelf import Shelf
from galvanode.recipe.language.values import NUMBER, Number, Value, read_any_value, read_value, shown_as
from galvanode.recipe.program import Step
from galvanode.recipe.verbs.step import RecordedStep, UnderWay
from galvanode.units import format_quantity
from galvanode.yaml_text import DocumentPath

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}\.csv", re.ASCII | re.IGNORECASE)
_DUE = {"current": "a current such as '1 mA'", "power": "a power such as '5 mW'"}

Points = tuple[tuple[Value, Value], ...]


def _points(value: object) -> Points:
    if not isinstance(value, list) or len(cast("list[object]", value)) < 2:
        raise ValueError(f"is {found(value)}; expected two points or more, such as {_POINTS}")
    return tuple(_point(item, index) for index, item in enumerate(cast("list[object]", value)))


_POINTS = "'[[0 s, 1 mA], [10 s, -2 mA], [20 s, 0 mA]]'"


def _point(value: object, index: int) -> tuple[Value, Value]:
    if not isinstance(value, list) or len(cast("list[object]", value)) != 2:
        raise place_of((index,), "a point is no pair; expected a time and a value, such as '[10 s, -2 mA]'")
    time, driven = cast("list[object]", value)
    try:
        seconds = read_value(time, "time")
    except ValueError as problem:
        raise place_of((index, 0), f"a point's time {problem}") from None
    try:
        return seconds, read_any_value(driven)
    except ValueError as problem:
        raise place_of((index, 1), f"a point's value {problem}") from None


_A_FILE = WithJsonSchema({"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_. -]*\.[cC][sS][vV]$"})


class Profile(RecordedStep):
    """A current or a power that changes with time, from a CSV file or from points."""

    word: ClassVar[str] = "profile"
    elsewhere: ClassVar[tuple[str, ...]] = ("drive_cycle",)

    file: Annotated[Label, _A_FILE] | None = Field(
        None,
        description="CSV file beside the recipe or in the library: columns 'time_s' and 'current_A' or 'power_W', "
        "other units after the '_'.",
    )
    points: Annotated[Points, PlainValidator(_points), shown_as("points")] | None = Field(
        None, description="Times and values; each holds until the next one's time, and the last one is the end."
    )
    quantity: Literal["current", "power"] | None = Field(None, description="Which column, where the file has both.")
    scale: Number | None = Field(None, description="What all values are multiplied with.")
    until: Untils = ()

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: a file or points."""
        return [*super().rules(), {"oneOf": [{"required": ["file"]}, {"required": ["points"]}]}]

    @validator(mode="after")
    def _one_source(self) -> Self:
        if self.file is None and self.points is None:
            raise place_of((), f"the profile has no values; expected 'file: wltp.csv' or 'points: {_POINTS[1:-1]}'")
        if self.file is not None and self.points is not None:
            raise place_of(("points",), "the profile has both 'file' and 'points'; keep one", key=True)
        return self

    def files(self) -> tuple[str, ...]:
        """Return the file that it reads, if any."""
        return () if self.file is None else (self.file,)

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the step that runs through the profile."""
        path, context = step.path, step.context
        plan = _plan(self, path, context)
        return (step.made(plan, until=ends(self.until, (*path, "until"), context)),)


class _Values(NamedTuple):
    """What a profile says, in SI at the terminals."""

    driven: Driven
    times: list[float]
    values: list[float]
    named: Callable[[int], tuple[str, DocumentPath]]
    """What a message calls a point, and where the recipe says it."""


def _plan(body: Profile, path: DocumentPath, context: Context) -> drives.Profile:
    """Return what is run through, every current inside the limits. Raises ``InvalidInput``."""
    points = _of_file(body, path, context) if body.points is None else _of_points(body, path, context)
    scale = _scale(body, path, context)
    points = points._replace(values=[value * scale for value in points.values])
    _in_order(points, context)
    _inside_limits(points, context)
    return drives.Profile(quantity=points.driven, times=tuple(points.times), values=tuple(points.values))


def _scale(body: Profile, path: DocumentPath, context: Context) -> float:
    if body.scale is None:
        return 1.0
    at = (*path, "scale")
    scale = context.fixed(body.scale, NUMBER, at)
    if scale.exact == 0:
        raise context.error(at, f"{label(at)} is '{scale.text}', which leaves nothing of the profile; expected another")
    return scale.si


def _in_order(points: _Values, context: Context) -> None:
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


def _inside_limits(points: _Values, context: Context) -> None:
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


def _of_points(body: Profile, path: DocumentPath, context: Context) -> _Values:
    """Return the points that stand in the recipe."""
    driven: Driven | None = body.quantity
    times: list[float] = []
    values: list[float] = []
    for index, (time, value) in enumerate(body.points or ()):
        at = (*path, "points", index)
        times.append(context.fixed(time, "time", (*at, 0)).si)
        quantity = context.fixed(value, None, (*at, 1))
        is_what = DRIVEN.get(quantity.dimension)
        if is_what is None or (driven is not None and is_what != driven):
            due = " or ".join(_DUE.values()) if driven is None else _DUE[driven]
            raise context.error((*at, 1), f"a point's value is '{quantity.text}'; expected {due}")
        driven = is_what
        values.append(quantity.si * context.terminals.factor(quantity.dimension))

    def named(index: int) -> tuple[str, DocumentPath]:
        return f"point {index + 1} of {label((*path, 'points'))}", (*path, "points", index)

    return _Values(cast("Driven", driven), times, values, named)


def _of_file(body: Profile, path: DocumentPath, context: Context) -> _Values:
    at = (*path, "file")
    name = cast("str", body.file)
    if _FILE_NAME.fullmatch(name) is None:
        said = f"{label(at)} is {found(name)}; expected the name of a file beside the recipe, such as 'wltp.csv'"
        raise context.error(at, said)
    try:
        table = read_table(_text(name, context.shelf), body.quantity)
    except ValueError as problem:
        raise context.error(at, f"{label(at)}: '{name}'{problem}") from None
    factor = context.terminals.factor(table.dimension)
    lines = table.lines
    return _Values(
        DRIVEN[table.dimension],
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
