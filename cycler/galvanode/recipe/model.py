"""What a recipe says, as validated models: still in the technician's words, not yet bound to a cell."""

from __future__ import annotations

from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, Tag
from pydantic import model_validator as validator

from galvanode.document import Section, did_you_mean, found, place_of
from galvanode.recipe.bodies import (
    Chamber,
    Charge,
    ConstantCurrent,
    ConstantVoltage,
    CyclicVoltammetry,
    Discharge,
    Impedance,
    Label,
    Plate,
    RecordWhen,
    Rest,
    Safety,
    Strip,
    Sweep,
    Text,
)
from galvanode.recipe.known import ANALYSES
from galvanode.recipe.looping import (
    MAX_TURNS,
    Detect,
    FromToBy,
    Retained,
    read_ladder,
    read_retention,
    read_stop_when,
)
from galvanode.recipe.parameter import Parameter, read_parameters
from galvanode.recipe.values import Count, Interval, Value, count_up_to


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


class ChargeItem(Section):
    """``- charge: {rate: 0.2C, until: voltage >= 4.2 V}``."""

    charge: Charge


class DischargeItem(Section):
    """``- discharge: {rate: 0.2C, until: voltage <= 2.5 V}``."""

    discharge: Discharge


class SweepItem(Section):
    """``- sweep: {to: 5 V, rate: 0.1 mV/s}``."""

    sweep: Sweep


class CyclicVoltammetryItem(Section):
    """``- cyclic_voltammetry: {vertices: [4.5 V, 2.5 V], rate: 1 mV/s, cycles: 3}``."""

    cyclic_voltammetry: CyclicVoltammetry


class ImpedanceItem(Section):
    """``- impedance: {from: 1 MHz, to: 0.1 Hz}``."""

    impedance: Impedance


class ChamberItem(Section):
    """``- chamber: {set: 60 degC, until: stable}``."""

    chamber: Chamber


class RepeatItem(Section):
    """A block that is repeated: so many times, over a ladder, for a time, or while capacity is retained."""

    repeat: Annotated[list[Item], Field(min_length=1)]
    times: Annotated[Count, count_up_to(MAX_TURNS)] | None = None
    ladder: Annotated[dict[str, FromToBy | tuple[Value, ...]], PlainValidator(read_ladder)] | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Annotated[tuple[Detect, ...], PlainValidator(read_stop_when)] = ()
    until_retention: Annotated[Retained, PlainValidator(read_retention)] | None = None

    @validator(mode="after")
    def _bounded(self) -> Self:
        if self.times is None and self.ladder is None and self.duration is None and self.until_retention is None:
            said = "'repeat' cannot end; expected 'times: 10', a 'ladder', 'for: 100 h' or 'until_retention' beside it"
            raise place_of(("repeat",), said, key=True)
        if self.until_retention is not None and self.ladder is not None:
            said = "'until_retention' compares turns that are alike; a 'ladder' makes them differ: keep one"
            raise place_of(("until_retention",), said, key=True)
        return self


_ITEMS: dict[str, str] = {
    "rest": "RestItem",
    "constant_current": "ConstantCurrentItem",
    "plate": "PlateItem",
    "strip": "StripItem",
    "constant_voltage": "ConstantVoltageItem",
    "charge": "ChargeItem",
    "discharge": "DischargeItem",
    "sweep": "SweepItem",
    "cyclic_voltammetry": "CyclicVoltammetryItem",
    "impedance": "ImpedanceItem",
    "chamber": "ChamberItem",
    "repeat": "RepeatItem",
}
_OTHER_WORDS = {
    "hold": "constant_voltage",
    "chronoamperometry": "constant_voltage",
    "dc_polarisation": "constant_voltage",
    "chronopotentiometry": "constant_current",
    "cccv": "charge",
    "cc_cv": "charge",
    "lsv": "sweep",
    "linear_sweep": "sweep",
    "cv": "cyclic_voltammetry",
    "eis": "impedance",
    "peis": "impedance",
    "geis": "impedance",
    "ocv": "rest",
    "open_circuit": "rest",
    "wait": "rest",
    "temperature": "chamber",
}
"""What a step is called elsewhere -> what it is called here."""
_BESIDE_REPEAT = ("times", "ladder", "for", "stop_when", "until_retention")
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
    here = None if beside else _OTHER_WORDS.get(first.lower())
    hint = did_you_mean(first, known) if here is None else f"; here it is called '{here}'"
    return place_of((first,), f"unknown step '{first[:40]}'{hint}", key=True)


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
    | Annotated[ChargeItem, Tag("ChargeItem")]
    | Annotated[DischargeItem, Tag("DischargeItem")]
    | Annotated[SweepItem, Tag("SweepItem")]
    | Annotated[CyclicVoltammetryItem, Tag("CyclicVoltammetryItem")]
    | Annotated[ImpedanceItem, Tag("ImpedanceItem")]
    | Annotated[ChamberItem, Tag("ChamberItem")]
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
