"""What a recipe says, as validated models: still in the technician's words, not yet bound to a cell."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Discriminator, Field, PlainValidator, Tag
from pydantic import model_validator as validator

from galvanode.document import Section, did_you_mean, found, listed, place_of
from galvanode.recipe.language.bodies import (
    Chamber,
    Charge,
    ConstantCurrent,
    ConstantPower,
    ConstantResistance,
    ConstantVoltage,
    CyclicVoltammetry,
    Discharge,
    Impedance,
    Label,
    Operator,
    Plate,
    Profile,
    RecordWhen,
    Rest,
    Safety,
    Strip,
    Sweep,
    Text,
)
from galvanode.recipe.language.condition import Comparison, If, Stops, asked_of
from galvanode.recipe.language.known import ANALYSES
from galvanode.recipe.language.looping import MAX_TURNS, Rungs, read_ladder
from galvanode.recipe.language.parameter import Parameter, read_parameters
from galvanode.recipe.language.values import (
    NAME,
    NAME_RULE,
    Count,
    Interval,
    Value,
    count_up_to,
    read_any_value,
    read_assigned,
)


def _label(value: object) -> object:
    if not isinstance(value, str) or LABEL.fullmatch(value) is None:
        raise ValueError(f"is {found(value)}; expected letters, digits, '_' and '-', starting with a letter")
    return value


LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", re.ASCII)


class AnyItem(Section):
    """What every item may say."""

    label: Annotated[str, BeforeValidator(_label)] | None = None
    """Where a ``goto`` may lead."""


class RestItem(AnyItem):
    """``- rest: {for: 10 min}``."""

    rest: Rest


class ConstantCurrentItem(AnyItem):
    """``- constant_current: {current: 1 mA, until: voltage >= 4.2 V}``."""

    constant_current: ConstantCurrent


class ConstantPowerItem(AnyItem):
    """``- constant_power: {power: -5 mW, until: voltage <= 2.5 V}``."""

    constant_power: ConstantPower


class ConstantResistanceItem(AnyItem):
    """``- constant_resistance: {resistance: 100 ohm, until: voltage <= 2.5 V}``."""

    constant_resistance: ConstantResistance


class ProfileItem(AnyItem):
    """``- profile: {file: wltp.csv, quantity: current}``."""

    profile: Profile


class OperatorItem(AnyItem):
    """``- operator: {message: Weigh the cell, asks: number, name: mass, default: 10 mg}``."""

    operator: Operator


class PlateItem(AnyItem):
    """``- plate: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    plate: Plate


class StripItem(AnyItem):
    """``- strip: {current_density: 0.1 mA/cm^2, for: 30 min}``."""

    strip: Strip


class ConstantVoltageItem(AnyItem):
    """``- constant_voltage: {voltage: 4.2 V, until: current <= 0.1 mA}``."""

    constant_voltage: ConstantVoltage


class ChargeItem(AnyItem):
    """``- charge: {rate: 0.2C, until: voltage >= 4.2 V}``."""

    charge: Charge


class DischargeItem(AnyItem):
    """``- discharge: {rate: 0.2C, until: voltage <= 2.5 V}``."""

    discharge: Discharge


class SweepItem(AnyItem):
    """``- sweep: {to: 5 V, rate: 0.1 mV/s}``."""

    sweep: Sweep


class CyclicVoltammetryItem(AnyItem):
    """``- cyclic_voltammetry: {vertices: [4.5 V, 2.5 V], rate: 1 mV/s, cycles: 3}``."""

    cyclic_voltammetry: CyclicVoltammetry


class ImpedanceItem(AnyItem):
    """``- impedance: {from: 1 MHz, to: 0.1 Hz}``."""

    impedance: Impedance


class ChamberItem(AnyItem):
    """``- chamber: {set: 60 degC, until: stable}``."""

    chamber: Chamber


class RepeatItem(AnyItem):
    """A block that is repeated: so many times, over a ladder, for a time, or until something holds."""

    repeat: Annotated[list[Item], Field(min_length=1)]
    name: Label | None = None
    times: Annotated[Count, count_up_to(MAX_TURNS)] | None = None
    ladder: Annotated[dict[str, Rungs], PlainValidator(read_ladder)] | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Stops = ()

    @validator(mode="after")
    def _bounded(self) -> Self:
        if self.times is None and self.ladder is None and self.duration is None and not self._may_end():
            said = "'repeat' cannot end; expected 'times: 10', a 'ladder', 'for: 100 h' or a condition in 'stop_when'"
            raise place_of(("repeat",), f"{said} beside it", key=True)
        return self

    def _may_end(self) -> bool:
        """Tell whether something but a detector may end it: a condition beside it, a way out of its block."""
        conditions = any(isinstance(part, Comparison) for until in self.stop_when for part in asked_of(until.asked))
        return conditions or _leaves(self.repeat)


def _leaves(items: list[Item]) -> bool:
    """Tell whether a ``break``, a ``goto``, an ``end`` or a ``fail`` stands in a block, or in an ``until`` of it."""
    for item in items:
        if isinstance(item, (GotoItem, BreakItem, EndItem, FailItem)):
            return True
        goes = [until.then for until in getattr(body_of(item), "until", ())]
        if isinstance(item, (RepeatItem, GroupItem)):
            goes += [until.then for until in item.stop_when]
        if any(go.do != "next" for go in goes) or any(_leaves(block) for _, block in blocks_of(item)):
            return True
    return False


class GroupItem(AnyItem):
    """A block that is gone through once, with what holds for all of it."""

    group: Annotated[list[Item], Field(min_length=1)]
    name: Label | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Stops = ()
    safety: Safety | None = None
    record: RecordWhen | None = None


class IfItem(AnyItem):
    """``- if: $capacity >= 2 mAh`` with ``then`` and perhaps ``else``."""

    condition: If = Field(alias="if")
    then: Annotated[list[Item], Field(min_length=1)]
    otherwise: Annotated[list[Item], Field(min_length=1)] | None = Field(None, alias="else")


class Goto(Section):
    """A label to go on at, and how often."""

    to: str = Field(alias="label")
    at_most: Annotated[int, count_up_to(MAX_TURNS)] | None = None


def _goto(value: object) -> object:
    if isinstance(value, str):
        return Goto.model_construct(to=value.strip())
    return value


class GotoItem(AnyItem):
    """``- goto: again``, ``- goto: {label: again, at_most: 5}``."""

    goto: Annotated[Goto, BeforeValidator(_goto)]


Why = Annotated[str, Field(max_length=200)]


class BreakItem(AnyItem):
    """``- break``: on after the innermost repeat."""

    break_: Why = Field("", alias="break")


class EndItem(AnyItem):
    """``- end``: the run is complete."""

    end: Why = ""


class FailItem(AnyItem):
    """``- fail: cell is dead``."""

    fail: Why = ""


def _assignments(value: object) -> dict[str, Value]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"is {found(value) if value != {} else 'empty'}; expected such as '{{capacity: charge}}'")
    read: dict[str, Value] = {}
    for name, right in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a variable; {NAME_RULE}", key=True)
        try:
            read[name] = read_assigned(right)
        except ValueError as problem:
            raise place_of((name,), f"'set.{name}' {problem}") from None
    return read


class SetItem(AnyItem):
    """``- set: {capacity: charge, half: $capacity / 2}``."""

    assigned: Annotated[dict[str, Value], PlainValidator(_assignments)] = Field(alias="set")


def _recipe_name(value: object) -> object:
    if not isinstance(value, str) or _RECIPE_NAME.fullmatch(value) is None:
        due = "the name of a recipe such as 'formation': small letters, digits and '-', no folder, no '.yaml'"
        raise ValueError(f"is {found(value)}; expected {due}")
    return value


_RECIPE_NAME = re.compile(r"[a-z0-9-]{1,100}", re.ASCII)


def _arguments(value: object) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise ValueError(f"is {found(value)}; expected parameters and values, such as '{{rate: 0.2C}}'")  # noqa: TRY004
    read: dict[str, Value] = {}
    for name, given in cast("dict[str, object]", value).items():
        try:
            read[name] = read_any_value(given)
        except ValueError as problem:
            raise place_of((name,), f"'with.{name[:40]}' {problem}") from None
    return read


class Call(Section):
    """Another recipe, and what its parameters are."""

    recipe: Annotated[str, BeforeValidator(_recipe_name)]
    arguments: Annotated[dict[str, Value], PlainValidator(_arguments)] = Field(
        default_factory=dict[str, Value], alias="with"
    )


def _call(value: object) -> object:
    if isinstance(value, str):
        return Call.model_construct(recipe=cast("str", _recipe_name(value)), arguments={})
    return value


class CallItem(AnyItem):
    """``- call: formation``, ``- call: {recipe: cccv-cycling, with: {rate: 0.2C}}``."""

    call: Annotated[Call, BeforeValidator(_call)]


def blocks_of(item: AnyItem) -> tuple[tuple[str, list[Item]], ...]:
    """Return the lists of items inside an item, by their keys."""
    if isinstance(item, RepeatItem):
        return (("repeat", item.repeat),)
    if isinstance(item, GroupItem):
        return (("group", item.group),)
    if isinstance(item, IfItem):
        return (("then", item.then), *(() if item.otherwise is None else (("else", item.otherwise),)))
    return ()


def verb_of(item: AnyItem) -> str:
    """Return the key of an item that says what it is."""
    return _VERBS[type(item)]


def body_of(item: AnyItem) -> Any:
    """Return what stands under an item's verb, where that is a mapping of its own; None for the others."""
    return getattr(item, verb_of(item), None)


_CLASSES: dict[str, type[AnyItem]] = {
    "rest": RestItem,
    "constant_current": ConstantCurrentItem,
    "plate": PlateItem,
    "strip": StripItem,
    "constant_power": ConstantPowerItem,
    "constant_resistance": ConstantResistanceItem,
    "constant_voltage": ConstantVoltageItem,
    "charge": ChargeItem,
    "discharge": DischargeItem,
    "sweep": SweepItem,
    "cyclic_voltammetry": CyclicVoltammetryItem,
    "impedance": ImpedanceItem,
    "profile": ProfileItem,
    "operator": OperatorItem,
    "chamber": ChamberItem,
    "repeat": RepeatItem,
    "group": GroupItem,
    "if": IfItem,
    "goto": GotoItem,
    "break": BreakItem,
    "end": EndItem,
    "fail": FailItem,
    "set": SetItem,
    "call": CallItem,
}
"""Verb -> model of the item."""
_VERBS = {model: verb for verb, model in _CLASSES.items()}
_ITEMS = {verb: model.__name__ for verb, model in _CLASSES.items()}
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
    "load": "constant_resistance",
    "drive_cycle": "profile",
    "ask": "operator",
}
"""What a step is called elsewhere -> what it is called here."""
_BESIDE: dict[str, tuple[str, ...]] = {
    "repeat": ("times", "ladder", "for", "stop_when", "name"),
    "group": ("for", "stop_when", "safety", "record", "name"),
    "if": ("then", "else"),
}
"""Keys that stand beside a verb, and not inside."""
_BARE = ("break", "end", "fail")
_EXAMPLE = "'rest: {for: 10 min}'"


def _one_verb(value: object) -> object:
    """Refuse what is not one step, in words about steps."""
    if isinstance(value, str) and value in _BARE:
        return {value: ""}
    if not isinstance(value, dict):
        hint = did_you_mean(value, _BARE) if isinstance(value, str) else ""
        close = hint if "did you mean" in hint else f"; expected a mapping such as {_EXAMPLE}"
        raise place_of((), f"a step is {found(value)}{close}")
    item = cast("dict[str, object]", value)
    verb = _verb(item)
    if verb is None:
        raise _no_verb(item)
    for key in item:
        if key in _ITEMS and key != verb:
            said = f"'{key}' in the same item as '{verb}'; start every step with '- '"
            raise place_of((key,), said, key=True)
        if key not in (verb, "label") and verb not in _BESIDE:
            known = ("label",)
            close = did_you_mean(key, known)
            hint = close if "did you mean" in close else "; indent it to stand inside"
            raise place_of((key,), f"'{key[:40]}' stands beside '{verb}'{hint}", key=True)
    if verb == "repeat" and "until_retention" in item:
        said = "'until_retention' is 'stop_when: retention <= 80 % of cycle 1' since version 2"
        raise place_of(("until_retention",), said, key=True)
    return item


def _verb(item: dict[str, object]) -> str | None:
    """Return the verb of an item: of a block, whose other keys stand beside it, first."""
    return next((key for key in (*_BESIDE, *item) if key in item and key in _ITEMS), None)


def _no_verb(item: dict[str, object]) -> Exception:
    if not item:
        return place_of((), f"a step is empty; expected one such as {_EXAMPLE}")
    blocks = [verb for verb, keys in _BESIDE.items() if any(key in keys for key in item)]
    beside = {key for keys in _BESIDE.values() for key in (*keys, "label")}
    first = next((key for key in item if key not in beside), None)
    if first is None:
        key = next(iter(item))
        missing = f"{listed(blocks)} is missing" if blocks else "a step is missing"
        return place_of((key,), f"{missing} beside '{key}'", key=True)
    known = tuple(blocks) or tuple(_ITEMS)
    here = None if blocks else _OTHER_WORDS.get(first.lower())
    hint = f"; here it is called '{here}'" if here is not None else _close(first, known)
    return place_of((first,), f"unknown step '{first[:40]}'{hint}", key=True)


def _close(word: str, known: tuple[str, ...]) -> str:
    """Return the hint that is meant: 'rset' is nearer to 'rest', a step, than to 'set'."""
    steps = tuple(verb for verb in known if verb not in _CONTROL)
    hint = did_you_mean(word, steps)
    if "did you mean" in hint or not steps:
        return hint or did_you_mean(word, known)
    control = did_you_mean(word, known)
    return control if "did you mean" in control else hint


_CONTROL = ("repeat", "group", "if", "goto", "break", "end", "fail", "set", "call")


def _tag(value: object) -> str | None:
    if isinstance(value, dict):
        verb = _verb(cast("dict[str, object]", value))
        return None if verb is None else _ITEMS[verb]
    return type(value).__name__


Item = Annotated[
    Annotated[RestItem, Tag("RestItem")]
    | Annotated[ConstantCurrentItem, Tag("ConstantCurrentItem")]
    | Annotated[PlateItem, Tag("PlateItem")]
    | Annotated[StripItem, Tag("StripItem")]
    | Annotated[ConstantPowerItem, Tag("ConstantPowerItem")]
    | Annotated[ConstantResistanceItem, Tag("ConstantResistanceItem")]
    | Annotated[ConstantVoltageItem, Tag("ConstantVoltageItem")]
    | Annotated[ChargeItem, Tag("ChargeItem")]
    | Annotated[DischargeItem, Tag("DischargeItem")]
    | Annotated[SweepItem, Tag("SweepItem")]
    | Annotated[CyclicVoltammetryItem, Tag("CyclicVoltammetryItem")]
    | Annotated[ImpedanceItem, Tag("ImpedanceItem")]
    | Annotated[ProfileItem, Tag("ProfileItem")]
    | Annotated[OperatorItem, Tag("OperatorItem")]
    | Annotated[ChamberItem, Tag("ChamberItem")]
    | Annotated[RepeatItem, Tag("RepeatItem")]
    | Annotated[GroupItem, Tag("GroupItem")]
    | Annotated[IfItem, Tag("IfItem")]
    | Annotated[GotoItem, Tag("GotoItem")]
    | Annotated[BreakItem, Tag("BreakItem")]
    | Annotated[EndItem, Tag("EndItem")]
    | Annotated[FailItem, Tag("FailItem")]
    | Annotated[SetItem, Tag("SetItem")]
    | Annotated[CallItem, Tag("CallItem")],
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

    version: int = 1
    """Looked at before anything else, in ``migrate``."""
    title: Label
    description: Text = ""
    example_cell: Label | None = None
    parameters: Annotated[dict[str, Parameter], PlainValidator(read_parameters)] = Field(
        default_factory=dict[str, Parameter]
    )
    safety: Safety = Safety()
    record: RecordWhen = RecordWhen()
    analysis: Annotated[tuple[str, ...], PlainValidator(_analysis)] = ()
    method: Annotated[list[Item], Field(min_length=1)]


RepeatItem.model_rebuild()
GroupItem.model_rebuild()
IfItem.model_rebuild()
RecipeText.model_rebuild()
