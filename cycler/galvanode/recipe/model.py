"""What a recipe says, as validated models: still in the technician's words, not yet bound to a cell."""

from __future__ import annotations

from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, Tag
from pydantic import model_validator as validator

from galvanode.document import Section, did_you_mean, found, place_of
from galvanode.recipe.condition import Untils
from galvanode.recipe.known import ANALYSES
from galvanode.recipe.looping import Detect, FromToBy, read_ladder, read_stop_when, read_times
from galvanode.recipe.parameter import Parameter, read_parameters
from galvanode.recipe.values import (
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
)


def _text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; expected text")
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=10_000)]
Label = Annotated[str, BeforeValidator(_text), Field(max_length=200)]


class VoltageWindow(Section):
    """V at the terminals."""

    min: Voltage | None = None
    max: Voltage | None = None


class CurrentWindow(Section):
    """A. ``max`` alone bounds either sign. Zero is a bound: ``{min: -5 mA, max: 0 A}`` only discharges."""

    min: CurrentFloor | None = None
    max: CurrentCeiling | None = None

    @validator(mode="after")
    def _has_max(self) -> Self:
        if self.max is None:
            raise place_of((), "'max' is missing in 'safety.current'; expected a current such as '5 mA'")
        return self


class DensityWindow(Section):
    """A/m2, of either sign."""

    max: DensityBound


class TemperatureWindow(Section):
    """K."""

    min: Temperature | None = None
    max: Temperature | None = None


class Safety(Section):
    """Limits that trip the run, and how often they are looked at."""

    voltage: VoltageWindow | None = None
    current: CurrentWindow | None = None
    current_density: DensityWindow | None = None
    temperature: TemperatureWindow | None = None
    check_every: Interval | None = None

    @validator(mode="after")
    def _one_current(self) -> Self:
        if self.current is not None and self.current_density is not None:
            raise place_of(("current_density",), _BOTH.format("'safety'"), key=True)
        return self


_BOTH = "{} has both 'current' and 'current_density'; keep one"


class RecordWhen(Section):
    """When a reading becomes a sample: any of these."""

    every: Interval | None = None
    voltage_change: VoltageChange | None = None
    current_change: CurrentChange | None = None


class StepBody(Section):
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
            raise place_of((), "the step has no 'current' or 'current_density'; expected one of them")
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


class RestItem(Section):
    """``- rest: {for: 10 min}``."""

    rest: Rest


class ConstantCurrentItem(Section):
    """``- constant_current: {current: 1 mA, until: voltage >= 4.2 V}``."""

    constant_current: ConstantCurrent


class PlateItem(Section):
    """``- plate: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    plate: Plate


class StripItem(Section):
    """``- strip: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    strip: Strip


class ConstantVoltageItem(Section):
    """``- constant_voltage: {voltage: 4.2 V, until: current <= 0.1 mA}``."""

    constant_voltage: ConstantVoltage


class RepeatItem(Section):
    """A block that is repeated: so many times, over a ladder, or for a time."""

    repeat: Annotated[list[Item], Field(min_length=1)]
    times: Annotated[int | Reference, PlainValidator(read_times)] | None = None
    ladder: Annotated[dict[str, FromToBy | tuple[Value, ...]], PlainValidator(read_ladder)] | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Annotated[tuple[Detect, ...], PlainValidator(read_stop_when)] = ()

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


class RecipeText(Section):
    """A whole recipe."""

    title: Label
    description: Text = ""
    parameters: Annotated[dict[str, Parameter], PlainValidator(read_parameters)] = Field(
        default_factory=dict[str, Parameter]
    )
    safety: Safety = Safety()
    record: RecordWhen = RecordWhen()
    analysis: Annotated[tuple[str, ...], PlainValidator(_analysis)] = ()
    method: Annotated[list[Item], Field(min_length=1)]


RepeatItem.model_rebuild()
RecipeText.model_rebuild()
