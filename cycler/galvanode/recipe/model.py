"""What a recipe says, as validated models: still in the technician's words, not yet bound to a cell."""

from __future__ import annotations

from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag
from pydantic import model_validator as validator

from galvanode.document import did_you_mean, found, place_of
from galvanode.recipe.condition import Untils
from galvanode.recipe.known import ANALYSES, DETECTORS
from galvanode.recipe.values import (
    NAME,
    Current,
    CurrentBound,
    CurrentCeiling,
    CurrentChange,
    CurrentDensity,
    CurrentFloor,
    CurrentMagnitude,
    DensityBound,
    DensityMagnitude,
    Interval,
    Reference,
    Temperature,
    Time,
    Value,
    Voltage,
    VoltageChange,
    expected_words,
    read_any,
    read_any_value,
    read_value,
    reference,
)
from galvanode.units import Quantity

MAX_TURNS = 10_000_000


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


def _text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; expected text")
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=10_000)]
Label = Annotated[str, BeforeValidator(_text), Field(max_length=200)]


class VoltageWindow(_Section):
    """V at the terminals."""

    min: Voltage | None = None
    max: Voltage | None = None


class CurrentWindow(_Section):
    """A. ``max`` alone bounds either sign. Zero is a bound: ``{min: -5 mA, max: 0 A}`` only discharges."""

    min: CurrentFloor | None = None
    max: CurrentCeiling | None = None

    @validator(mode="after")
    def _has_max(self) -> Self:
        if self.max is None:
            raise place_of((), "'max' is missing in 'safety.current'; expected a current such as '5 mA'")
        return self


class DensityWindow(_Section):
    """A/m2, of either sign."""

    max: DensityBound


class TemperatureWindow(_Section):
    """K."""

    min: Temperature | None = None
    max: Temperature | None = None


class Safety(_Section):
    """Limits that trip the run, and how often they are looked at."""

    voltage: VoltageWindow | None = None
    current: CurrentWindow | None = None
    current_density: DensityWindow | None = None
    temperature: TemperatureWindow | None = None
    check_every: Interval | None = None

    @validator(mode="after")
    def _one_current(self) -> Self:
        if self.current is not None and self.current_density is not None:
            raise place_of(("current_density",), _BOTH.format("safety"), key=True)
        return self


_BOTH = "'{}' has both 'current' and 'current_density'; keep one"


class RecordWhen(_Section):
    """When a reading becomes a sample: any of these."""

    every: Interval | None = None
    voltage_change: VoltageChange | None = None
    current_change: CurrentChange | None = None


class StepBody(_Section):
    """What every step may say."""

    name: Label | None = None
    duration: Time | None = Field(None, alias="for")
    until: Untils = ()
    record: RecordWhen | None = None
    safety: Safety | None = None

    @validator(mode="after")
    def _ends(self) -> Self:
        if self.duration is None and not self.until:
            raise place_of(
                (), "the step cannot end; expected 'for: 10 min' or 'until: voltage >= 4.2 V' in it, or both"
            )
        return self


class Rest(StepBody):
    """Open circuit."""


class _Driven(StepBody):
    @validator(mode="after")
    def _one_current(self) -> Self:
        current, density = getattr(self, "current", None), getattr(self, "current_density", None)
        if current is None and density is None:
            raise place_of((), "'current' or 'current_density' is missing")
        if current is not None and density is not None:
            raise place_of(("current_density",), _BOTH.format("the step"), key=True)
        return self


class ConstantCurrent(_Driven):
    """A current with its sign: positive charges."""

    current: Current | None = None
    current_density: CurrentDensity | None = None


class Plate(_Driven):
    """A current given in magnitude; plating is positive and stripping negative."""

    current: CurrentMagnitude | None = None
    current_density: DensityMagnitude | None = None


class Strip(Plate):
    """As plating, the other way."""


class ConstantVoltage(StepBody):
    """A voltage at the terminals."""

    voltage: Voltage
    current_limit: CurrentBound | None = None


class RestItem(_Section):
    """``- rest: {for: 10 min}``."""

    rest: Rest


class ConstantCurrentItem(_Section):
    """``- constant_current: {current: 1 mA, until: voltage >= 4.2 V}``."""

    constant_current: ConstantCurrent


class PlateItem(_Section):
    """``- plate: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    plate: Plate


class StripItem(_Section):
    """``- strip: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    strip: Strip


class ConstantVoltageItem(_Section):
    """``- constant_voltage: {voltage: 4.2 V, until: current <= 0.1 mA}``."""

    constant_voltage: ConstantVoltage


class FromToBy(_Section):
    """A ladder in equal steps; the last value is the last that does not pass ``to``."""

    start: Value = Field(alias="from")
    to: Value
    by: Value


def _ladder(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 (pydantic wants ValueError)
            f"is {found(value)}; expected a variable and its values, such as {_LADDER}"
        )
    if not value:
        raise ValueError(f"is empty; expected a variable and its values, such as {_LADDER}")
    rungs: dict[str, FromToBy | tuple[Value, ...]] = {}
    for name, spec in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a variable; {_NAME_RULE}", key=True)
        rungs[name] = _rungs(name, spec)
    return rungs


_LADDER = "'current_density: {from: 0.1 mA/cm^2, to: 1 mA/cm^2, by: 0.1 mA/cm^2}'"
_NAME_RULE = "expected letters, digits and '_', starting with a letter"


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


class Detect(_Section):
    """A detector by name, with its options."""

    name: str
    options: dict[str, Value]


def _stop_when(value: object) -> tuple[Detect, ...]:
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


def _times(value: object) -> int | Reference:
    try:
        name = reference(value)
    except ValueError:
        name = None
    if name is not None:
        return name
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_TURNS:
        raise ValueError(f"is {found(value)}; expected a whole number from 1 to {MAX_TURNS:,}")
    return value


class RepeatItem(_Section):
    """A block that is repeated: so many times, over a ladder, or for a time."""

    repeat: Annotated[list[Item], Field(min_length=1)]
    times: Annotated[int | Reference, PlainValidator(_times)] | None = None
    ladder: Annotated[dict[str, FromToBy | tuple[Value, ...]], PlainValidator(_ladder)] | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Annotated[tuple[Detect, ...], PlainValidator(_stop_when)] = ()

    @validator(mode="after")
    def _bounded(self) -> Self:
        if self.times is None and self.ladder is None and self.duration is None:
            raise place_of(
                ("repeat",),
                "'repeat' cannot end; expected 'times: 10', a 'ladder' or 'for: 100 h' beside it",
                key=True,
            )
        return self


_ITEMS: dict[str, str] = {
    "rest": "RestItem",
    "constant_current": "ConstantCurrentItem",
    "plate": "PlateItem",
    "strip": "StripItem",
    "constant_voltage": "ConstantVoltageItem",
    "repeat": "RepeatItem",
}
_BESIDE_REPEAT = ("times", "ladder", "for", "stop_when")
_EXAMPLE = "'rest: {for: 10 min}'"


def _one_verb(value: object) -> object:
    """Refuse what is not one step, in words about steps."""
    if not isinstance(value, dict):
        raise place_of((), f"a step is {found(value)}; expected a mapping such as {_EXAMPLE}")
    item = cast("dict[str, object]", value)
    verbs = [key for key in item if key in _ITEMS]
    if not verbs:
        raise _no_verb(item)
    if "repeat" in verbs:
        others = [verb for verb in verbs if verb != "repeat"]
    else:
        others = [key for key in item if key != verbs[0]]
        if others and others[0] not in _ITEMS:
            said = f"'{others[0][:40]}' stands beside '{verbs[0]}'; indent it to stand inside"
            raise place_of((others[0],), said, key=True)
    if others:
        said = f"'{others[0]}' in the same item as '{verbs[0]}'; start every step with '- '"
        raise place_of((others[0],), said, key=True)
    return item


def _no_verb(item: dict[str, object]) -> Exception:
    if not item:
        return place_of((), f"a step is empty; expected one such as {_EXAMPLE}")
    beside = [key for key in item if key in _BESIDE_REPEAT]
    first = next((key for key in item if key not in _BESIDE_REPEAT), None)
    if first is None:
        return place_of((beside[0],), f"'repeat' is missing beside '{beside[0]}'", key=True)
    known = ("repeat",) if beside else tuple(_ITEMS)
    return place_of((first,), f"unknown step '{first[:40]}'{did_you_mean(first, known)}", key=True)


def _tag(value: object) -> str | None:
    if isinstance(value, dict):
        item = cast("dict[str, object]", value)
        return next((_ITEMS[key] for key in ("repeat", *item) if key in item and key in _ITEMS), None)
    return type(value).__name__


Item = Annotated[
    Annotated[RestItem, Tag("RestItem")]
    | Annotated[ConstantCurrentItem, Tag("ConstantCurrentItem")]
    | Annotated[PlateItem, Tag("PlateItem")]
    | Annotated[StripItem, Tag("StripItem")]
    | Annotated[ConstantVoltageItem, Tag("ConstantVoltageItem")]
    | Annotated[RepeatItem, Tag("RepeatItem")],
    Discriminator(_tag),
    BeforeValidator(_one_verb),
]


class Parameter(_Section):
    """A parameter with its default and the range it may be set within."""

    default: Quantity
    min: Quantity | None = None
    max: Quantity | None = None

    @property
    def dimension(self) -> str:
        """Key of ``galvanode.units.DIMENSIONS``, or ``number``."""
        return self.default.dimension

    def check(self, value: Quantity) -> None:
        """Raise ``ValueError`` unless ``value`` has the dimension and lies in the range."""
        if value.dimension != self.dimension:
            raise ValueError(f"is '{value.text}'; expected {expected_words(self.dimension)}")
        if self.min is not None and value.exact < self.min.exact:
            raise ValueError(f"is '{value.text}'; expected at least {self.min.text}")
        if self.max is not None and value.exact > self.max.exact:
            raise ValueError(f"is '{value.text}'; expected at most {self.max.text}")


def _parameters(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004
            f"is {found(value)}; expected names and defaults, such as 'half_cycle: 30 min'"
        )
    parameters: dict[str, Parameter] = {}
    for name, spec in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a parameter; {_NAME_RULE}", key=True)
        parameters[name] = _parameter(name, spec)
    return parameters


def _parameter(name: str, spec: object) -> Parameter:
    if not isinstance(spec, dict):
        return Parameter.model_construct(default=_constant(spec, (name,), f"'{name}'"))
    parts = cast("dict[str, object]", spec)
    for key in parts:
        if key not in Parameter.model_fields:
            hint = did_you_mean(key, Parameter.model_fields)
            raise place_of((name, key), f"unknown key '{key[:40]}' in 'parameters.{name}'{hint}", key=True)
    if "default" not in parts:
        raise place_of((name,), f"'default' is missing in 'parameters.{name}'")
    read = {key: _constant(item, (name, key), f"'{name}.{key}'") for key, item in parts.items()}
    for key in ("min", "max"):
        if key in read and read[key].dimension != read["default"].dimension:
            due = expected_words(read["default"].dimension)
            raise place_of((name, key), f"'{name}.{key}' is '{read[key].text}'; expected {due}")
    parameter = Parameter.model_construct(default=read["default"], min=read.get("min"), max=read.get("max"))
    try:
        parameter.check(parameter.default)
    except ValueError as problem:
        raise place_of((name, "default"), f"'{name}.default' {problem}") from None
    return parameter


def _constant(value: object, path: tuple[str | int, ...], name: str) -> Quantity:
    try:
        return read_any(value)
    except ValueError as problem:
        raise place_of(path, f"{name} {problem}") from None


def _analysis(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"is {found(value)}; expected a list, such as '[{ANALYSES[0]}]'")  # noqa: TRY004
    names = cast("list[Any]", value)
    for index, name in enumerate(names):
        if not isinstance(name, str) or name not in ANALYSES:
            word = name if isinstance(name, str) else found(name)
            raise place_of((index,), f"unknown analysis '{word[:40]}'{did_you_mean(word, ANALYSES)}")
        if name in names[:index]:
            raise place_of((index,), f"analysis '{name}' is there twice")
    return tuple(names)


class RecipeText(_Section):
    """A whole recipe."""

    title: Label
    description: Text = ""
    parameters: Annotated[dict[str, Parameter], PlainValidator(_parameters)] = {}
    safety: Safety = Safety()
    record: RecordWhen = RecordWhen()
    analysis: Annotated[tuple[str, ...], PlainValidator(_analysis)] = ()
    method: Annotated[list[Item], Field(min_length=1)]


RepeatItem.model_rebuild()
RecipeText.model_rebuild()
