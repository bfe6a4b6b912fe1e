"""What stands beside ``repeat``: over which ladder, until which detector speaks or how much capacity is left."""

from __future__ import annotations

import re
from typing import cast

from pydantic import Field

from galvanode.document import Section, did_you_mean, found, place_of
from galvanode.recipe.known import DETECTORS
from galvanode.recipe.values import NAME, NAME_RULE, Value, read_any_value, read_value

MAX_TURNS = 10_000_000


class FromToBy(Section):
    """A ladder in equal steps; the last value is the last that does not pass ``to``."""

    start: Value = Field(alias="from")
    to: Value
    by: Value


def read_ladder(value: object) -> dict[str, FromToBy | tuple[Value, ...]]:
    """Read the variables of a ladder and how they run. Raises what pydantic takes from a validator."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 (pydantic wants ValueError)
            f"is {found(value)}; expected a variable and its values, such as {_LADDER}"
        )
    if not value:
        raise ValueError(f"is empty; expected a variable and its values, such as {_LADDER}")
    rungs: dict[str, FromToBy | tuple[Value, ...]] = {}
    for name, spec in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a variable; {NAME_RULE}", key=True)
        rungs[name] = _rungs(name, spec)
    return rungs


_LADDER = "'current_density: {from: 0.1 mA/cm^2, to: 1 mA/cm^2, by: 0.1 mA/cm^2}'"


def _rungs(name: str, spec: object) -> FromToBy | tuple[Value, ...]:
    if isinstance(spec, list):
        values = cast("list[object]", spec)
        if not values:
            raise place_of((name,), f"'ladder.{name}' is an empty list; expected its values")
        return tuple(_placed(item, (name, index), f"'ladder.{name}'") for index, item in enumerate(values))
    if not isinstance(spec, dict):
        raise place_of((name,), f"'ladder.{name}' is {found(spec)}; expected {_LADDER} or a list of values")
    parts = cast("dict[str, object]", spec)
    for key in parts:
        if key not in _FROM_TO_BY:
            hint = did_you_mean(key, _FROM_TO_BY)
            raise place_of((name, key), f"unknown key '{key[:40]}' in 'ladder.{name}'{hint}", key=True)
    for key in _FROM_TO_BY:
        if key not in parts:
            raise place_of((name,), f"'{key}' is missing in 'ladder.{name}'")
    read = {key: _placed(parts[key], (name, key), f"'{name}.{key}'") for key in _FROM_TO_BY}
    return FromToBy.model_construct(start=read["from"], to=read["to"], by=read["by"])


_FROM_TO_BY = ("from", "to", "by")


def _placed(value: object, path: tuple[str | int, ...], name: str, dimension: str | None = None) -> Value:
    """Read a value, of any dimension for None, whose errors say their place below the value validated."""
    try:
        return read_any_value(value) if dimension is None else read_value(value, dimension)
    except ValueError as problem:
        raise place_of(path, f"{name} {problem}") from None


class Detect(Section):
    """A detector by name, with its options."""

    name: str
    options: dict[str, Value]


def read_stop_when(value: object) -> tuple[Detect, ...]:
    """Read one detector or a list of them. Raises what pydantic takes from a validator."""
    if not isinstance(value, list):
        return (_detect(value, ()),)
    if not value:
        raise ValueError("is an empty list; expected a detector such as 'short_circuit'")
    return tuple(_detect(item, (index,)) for index, item in enumerate(cast("list[object]", value)))


def _detect(value: object, path: tuple[str | int, ...]) -> Detect:
    if isinstance(value, str):
        name, options = value, None
    elif isinstance(value, dict) and len(cast("dict[str, object]", value)) == 1:
        ((name, options),) = cast("dict[str, object]", value).items()
    else:
        said = f"'stop_when' is {found(value)}; expected a detector such as 'short_circuit'"
        raise place_of(path, said)
    if name not in DETECTORS:
        raise place_of(path, f"unknown detector '{name[:40]}'{did_you_mean(name, DETECTORS)}")
    if isinstance(value, str):
        return Detect(name=name, options={})
    inner = (*path, name)
    if not isinstance(options, dict):
        said = f"'{name}' is {found(options)}; expected its options, such as '{{drop: 50 %}}'"
        raise place_of(inner, said)
    read: dict[str, Value] = {}
    for key, option in cast("dict[str, object]", options).items():
        if key not in DETECTORS[name]:
            hint = did_you_mean(key, DETECTORS[name])
            raise place_of((*inner, key), f"unknown option '{key[:40]}' of '{name}'{hint}", key=True)
        read[key] = _placed(option, (*inner, key), f"'{name}.{key}'", DETECTORS[name][key].dimension)
    return Detect.model_construct(name=name, options=read)


class Retained(Section):
    """``80 % of cycle 1``: what the discharge capacity must not fall to, of that of an earlier turn."""

    fraction: Value
    cycle: int


_RETENTION = re.compile(r"(.{1,60}?) +of +cycle +([1-9][0-9]{0,6})", re.ASCII)


def read_retention(value: object) -> Retained:
    """Read ``80 % of cycle 1``. Raises ``ValueError``."""
    match = _RETENTION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"is {found(value)}; expected such as '80 % of cycle 1'")
    try:
        fraction = read_value(match[1], "fraction")
    except ValueError as problem:
        raise ValueError(f"is {found(value)}; its share {problem}") from None
    return Retained.model_construct(fraction=fraction, cycle=int(match[2]))
