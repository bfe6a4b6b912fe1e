"""Ladders as a recipe writes them: variables that take one value after the other, turn by turn."""

from __future__ import annotations

from typing import cast

from pydantic import Field

from galvanode.document import Section, did_you_mean, found, place_of
from galvanode.recipe.language.values import (
    NAME,
    NAME_RULE,
    NUMBER,
    Count,
    Value,
    read_any_value,
    read_count,
    read_value,
)

MAX_TURNS = 10_000_000
MAX_PER_DECADE = 1000
"""Points of a geometric ladder."""


class Spaced(Section):
    """A ladder from one value towards another; the last value is the last that does not pass ``to``."""

    start: Value = Field(alias="from")
    to: Value
    by: Value | None = None
    factor: Value | None = None
    points_per_decade: Count | None = None


Rungs = Spaced | tuple[Value, ...]


def read_ladder(value: object) -> dict[str, Rungs]:
    """Read the variables of a ladder and how they run. Raises what pydantic takes from a validator."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 (pydantic wants ValueError)
            f"is {found(value)}; expected a variable and its values, such as {_LADDER}"
        )
    if not value:
        raise ValueError(f"is empty; expected a variable and its values, such as {_LADDER}")
    rungs: dict[str, Rungs] = {}
    for name, spec in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a variable; {NAME_RULE}", key=True)
        rungs[name] = _rungs(name, spec)
    return rungs


_LADDER = "'current_density: {from: 0.1 mA/cm^2, to: 1 mA/cm^2, by: 0.1 mA/cm^2}'"


def _rungs(name: str, spec: object) -> Rungs:
    if isinstance(spec, list):
        values = cast("list[object]", spec)
        if not values:
            raise place_of((name,), f"'ladder.{name}' is an empty list; expected its values")
        return tuple(_placed(item, (name, index), f"'ladder.{name}'") for index, item in enumerate(values))
    if not isinstance(spec, dict):
        raise place_of((name,), f"'ladder.{name}' is {found(spec)}; expected {_LADDER} or a list of values")
    parts = cast("dict[str, object]", spec)
    for key in parts:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            raise place_of((name, key), f"unknown key '{key[:40]}' in 'ladder.{name}'{hint}", key=True)
    for key in ("from", "to"):
        if key not in parts:
            raise place_of((name,), f"'{key}' is missing in 'ladder.{name}'")
    ways = [key for key in _WAYS if key in parts]
    if not ways:
        said = f"'by' is missing in 'ladder.{name}'; expected 'by' for equal steps, 'factor' or 'points_per_decade'"
        raise place_of((name,), said)
    if len(ways) > 1:
        said = f"'ladder.{name}' has both '{ways[0]}' and '{ways[1]}'; keep one"
        raise place_of((name, ways[1]), said, key=True)
    read = {
        key: _placed(parts[key], (name, key), f"'{name}.{key}'", _DIMENSIONS.get(key))
        for key in ("from", "to", *ways)
        if key != "points_per_decade"
    }
    per_decade: Count | None = None
    if "points_per_decade" in parts:
        try:
            per_decade = read_count(parts["points_per_decade"], MAX_PER_DECADE)
        except ValueError as problem:
            raise place_of((name, "points_per_decade"), f"'{name}.points_per_decade' {problem}") from None
    return Spaced.model_construct(
        start=read["from"],
        to=read["to"],
        by=read.get("by"),
        factor=read.get("factor"),
        points_per_decade=per_decade,
    )


_WAYS = ("by", "factor", "points_per_decade")
_KEYS = ("from", "to", *_WAYS)
_DIMENSIONS = {"factor": NUMBER}


def _placed(value: object, path: tuple[str | int, ...], name: str, dimension: str | None = None) -> Value:
    """Read a value, of any dimension for None, whose errors say their place below the value validated."""
    try:
        return read_any_value(value) if dimension is None else read_value(value, dimension)
    except ValueError as problem:
        raise place_of(path, f"{name} {problem}") from None
