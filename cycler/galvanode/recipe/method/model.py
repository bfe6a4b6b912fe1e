"""What a recipe says, as validated models: still in the technician's words, not yet bound to a cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, create_model
from pydantic import model_validator as validator

from galvanode.document import Section, did_you_mean, found, listed, place_of
from galvanode.recipe.language import patterns
from galvanode.recipe.language.condition import Comparison, If, Stops, Until, asked_of
from galvanode.recipe.language.known import ANALYSES, MEASURED
from galvanode.recipe.language.looping import MAX_TURNS, Rungs, read_ladder
from galvanode.recipe.language.migrate import VERSION
from galvanode.recipe.language.parameter import Parameter, read_parameters
from galvanode.recipe.language.sections import Label, RecordWhen, Safety, Text
from galvanode.recipe.language.values import (
    A_COUNT,
    NAME,
    NAME_RULE,
    Count,
    Interval,
    Value,
    count_up_to,
    read_any_value,
    read_assigned,
    shown_as,
)
from galvanode.recipe.verbs import VERBS
from galvanode.recipe.verbs.step import Verb


def _label(value: object) -> object:
    if not isinstance(value, str) or LABEL.fullmatch(value) is None:
        raise ValueError(f"is {found(value)}; expected letters, digits, '_' and '-', starting with a letter")
    return value


LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}", re.ASCII)
A_LABEL = WithJsonSchema({"type": "string", "pattern": f"^{LABEL.pattern}$"})
_A_NAME = {"pattern": f"^{patterns.NAME}$"}


class AnyItem(Section):
    """What every item may say."""

    label: Annotated[str, BeforeValidator(_label), A_LABEL] | None = Field(None, description="Where a 'goto' leads.")

    @classmethod
    def kind_of(cls, value: object) -> type[Section]:
        """Return the model of the item that a value is."""
        word = _word(cast("dict[str, object]", value)) if isinstance(value, dict) else None
        return cls if word is None or cls is not AnyItem else model_of(word)


class StepItem(AnyItem):
    """One step, ``- rest: {for: 10 min}``: for each verb there is a class with one more field, the verb's word."""

    word: ClassVar[str]

    @property
    def verb(self) -> Verb:
        """What stands under the word."""
        return getattr(self, self.word)


@cache
def _step_item(verb: type[Verb]) -> type[StepItem]:
    """Return the model of the items of a verb."""
    fields: dict[str, Any] = {verb.word: (verb, ...)}
    item = create_model(f"{verb.__name__}Item", __base__=StepItem, __module__=__name__, **fields)
    item.word = verb.word
    return item


class RepeatItem(AnyItem):
    """A block that is repeated: so many times, over a ladder, for a time, or until something holds."""

    repeat: Items = Field(
        description="A block that is repeated: 'times', over a 'ladder', 'for' a time, until 'stop_when'."
    )
    name: Label | None = Field(None, description="What the block is called.")
    times: Annotated[Count, count_up_to(MAX_TURNS), A_COUNT] | None = Field(
        None, description="How often the block runs; at every value, beside a ladder."
    )
    ladder: Annotated[dict[str, Rungs], PlainValidator(read_ladder), shown_as("ladder")] | None = Field(
        None, description="Variables that take one value after the other, together."
    )
    duration: Interval | None = Field(
        None, alias="for", description="A repeat ends with the turn that reaches it; a group ends at once."
    )
    stop_when: Stops = Field((), description="What ends the block, at any reading inside it.")

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
        goes = [until.then for until in _untils(item)]
        if isinstance(item, (RepeatItem, GroupItem)):
            goes += [until.then for until in item.stop_when]
        if any(go.do != "next" for go in goes) or any(_leaves(block) for _, block in blocks_of(item)):
            return True
    return False


def _untils(item: AnyItem) -> Sequence[Until]:
    """Return what ends a step."""
    untils = getattr(item.verb, "until", ()) if isinstance(item, StepItem) else ()
    return untils if isinstance(untils, tuple) else ()


class GroupItem(AnyItem):
    """A block that is gone through once, with what holds for all of it."""

    group: Items = Field(description="A block that is gone through once, with ends, limits or records of its own.")
    name: Label | None = None
    duration: Interval | None = Field(None, alias="for")
    stop_when: Stops = ()
    safety: Safety | None = Field(None, description="Tighter limits for this group.")
    record: RecordWhen | None = Field(None, description="What this group records; what it does not mention stays.")


class IfItem(AnyItem):
    """``- if: $capacity >= 2 mAh`` with ``then`` and perhaps ``else``."""

    condition: If = Field(alias="if")
    then: Items = Field(description="What is done if the condition holds.")
    otherwise: Items | None = Field(None, alias="else", description="What is done if it does not.")


class Goto(Section):
    """A label to go on at, and how often."""

    to: Annotated[str, A_LABEL] = Field(alias="label")
    at_most: Annotated[int, count_up_to(MAX_TURNS), A_COUNT] | None = Field(
        None, description="How often; once more fails the run. 10,000 if nothing is said."
    )


def _goto(value: object) -> object:
    if isinstance(value, str):
        return Goto.model_construct(to=value.strip())
    return value


class GotoItem(AnyItem):
    """``- goto: again``, ``- goto: {label: again, at_most: 5}``."""

    goto: Annotated[Goto, BeforeValidator(_goto, json_schema_input_type=Annotated[str, A_LABEL] | Goto)] = Field(
        description="Go on at the item with this 'label', in this block or in one around it."
    )


Why = Annotated[str, Field(max_length=200), WithJsonSchema({"type": "string", "minLength": 1})]


class BreakItem(AnyItem):
    """``- break``: on after the innermost repeat."""

    break_: Why = Field("", alias="break", description="Leave the innermost repeat. With a text that says why.")


class EndItem(AnyItem):
    """``- end``: the run is complete."""

    end: Why = Field("", description="Complete the run. With a text that says why.")


class FailItem(AnyItem):
    """``- fail: cell is dead``."""

    fail: Why = Field("", description="End the run as failed. With a text that says why.")


_VALUES = WithJsonSchema(
    {
        "type": "object",
        "propertyNames": _A_NAME,
        "minProperties": 1,
        "additionalProperties": {"described": "any"},
    }
)


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

    assigned: Annotated[dict[str, Value], PlainValidator(_assignments), _VALUES] = Field(
        alias="set",
        description="Variables, and what they become: '$name', arithmetic, or what was measured in the step that has "
        f"just ended: {', '.join(MEASURED)}.",
    )


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


_RecipeName = Annotated[
    str, BeforeValidator(_recipe_name), WithJsonSchema({"type": "string", "pattern": "^[a-z0-9-]+$"})
]


class Call(Section):
    """Another recipe, and what its parameters are."""

    recipe: _RecipeName
    arguments: Annotated[dict[str, Value], PlainValidator(_arguments), _VALUES] = Field(
        default_factory=dict[str, Value], alias="with", description="Its parameters, and what they are set to."
    )


def _call(value: object) -> object:
    if isinstance(value, str):
        return Call.model_construct(recipe=cast("str", _recipe_name(value)), arguments={})
    return value


class CallItem(AnyItem):
    """``- call: formation``, ``- call: {recipe: cccv-cycling, with: {rate: 0.2C}}``."""

    call: Annotated[Call, BeforeValidator(_call, json_schema_input_type=_RecipeName | Call)] = Field(
        description="Another recipe, beside this one or in the library, by its plain name."
    )


def blocks_of(item: AnyItem) -> tuple[tuple[str, list[Item]], ...]:
    """Return the lists of items inside an item, by their keys."""
    if isinstance(item, RepeatItem):
        return (("repeat", item.repeat),)
    if isinstance(item, GroupItem):
        return (("group", item.group),)
    if isinstance(item, IfItem):
        return (("then", item.then), *(() if item.otherwise is None else (("else", item.otherwise),)))
    return ()


_CONTROL: dict[str, type[AnyItem]] = {
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
"""Word -> model of an item that is no step."""


def words() -> list[str]:
    """Return the words that say what an item is, those of steps first."""
    return [*VERBS, *_CONTROL]


def model_of(word: str) -> type[AnyItem]:
    """Return the model of the items that a word makes."""
    return _step_item(VERBS[word]) if word in VERBS else _CONTROL[word]


_BESIDE: dict[str, tuple[str, ...]] = {
    "repeat": ("times", "ladder", "for", "stop_when", "name"),
    "group": ("for", "stop_when", "safety", "record", "name"),
    "if": ("then", "else"),
}
"""Keys that stand beside a verb, and not inside."""
_BARE = ("break", "end", "fail")
_EXAMPLE = "'rest: {for: 10 min}'"


def _item(value: object) -> AnyItem:
    """Read one item; refuse what is not one step, in words about steps."""
    if isinstance(value, AnyItem):
        return value
    if isinstance(value, str) and value in _BARE:
        return model_of(value).model_validate({value: ""})
    if not isinstance(value, dict):
        hint = did_you_mean(value, _BARE) if isinstance(value, str) else ""
        close = hint if "did you mean" in hint else f"; expected a mapping such as {_EXAMPLE}"
        raise place_of((), f"a step is {found(value)}{close}")
    item = cast("dict[str, object]", value)
    word = _word(item)
    if word is None:
        raise _no_word(item)
    _stands_alone(word, item)
    return model_of(word).model_validate(item)


def _stands_alone(word: str, item: dict[str, object]) -> None:
    """Refuse what does not belong beside a verb."""
    for key in item:
        if key != word and (key in VERBS or key in _CONTROL):
            raise place_of((key,), f"'{key}' in the same item as '{word}'; start every step with '- '", key=True)
        if key not in (word, "label") and word not in _BESIDE:
            close = did_you_mean(key, ("label",))
            hint = close if "did you mean" in close else _where_it_may_stand(key, word)
            raise place_of((key,), f"'{key[:40]}' stands beside '{word}'{hint}", key=True)
    if word == "repeat" and "until_retention" in item:
        said = "'until_retention' is 'stop_when: retention <= 80 % of cycle 1' since version 2"
        raise place_of(("until_retention",), said, key=True)


def _where_it_may_stand(key: str, word: str) -> str:
    """Return what to do with a key that stands beside a verb, to end a message with."""
    blocks = [block for block, keys in _BESIDE.items() if key in keys]
    fields = VERBS[word].model_fields if word in VERBS else {}
    if not blocks or key in {info.alias or name for name, info in fields.items()}:
        return "; indent it to stand inside"
    return f"; it belongs to {listed(blocks)}"


def _word(item: dict[str, object]) -> str | None:
    """Return what an item is: a block, whose other keys stand beside it, first."""
    return next((key for key in (*_BESIDE, *item) if key in item and (key in VERBS or key in _CONTROL)), None)


def _no_word(item: dict[str, object]) -> Exception:
    if not item:
        return place_of((), f"a step is empty; expected one such as {_EXAMPLE}")
    blocks = [verb for verb, keys in _BESIDE.items() if any(key in keys for key in item)]
    beside = {key for keys in _BESIDE.values() for key in (*keys, "label")}
    first = next((key for key in item if key not in beside), None)
    if first is None:
        key = next(iter(item))
        missing = f"{listed(blocks)} is missing" if blocks else "a step is missing"
        return place_of((key,), f"{missing} beside '{key}'", key=True)
    here = None if blocks else _called_here(first.lower())
    hint = f"; here it is called '{here}'" if here is not None else _close(first, blocks or words())
    return place_of((first,), f"unknown step '{first[:40]}'{hint}", key=True)


def _called_here(word: str) -> str | None:
    """Return the verb for a word of other programs; None where there is none."""
    return next((verb.word for verb in VERBS.values() if word in verb.elsewhere), None)


def _close(word: str, known: Sequence[str]) -> str:
    """Return the hint that is meant: 'rset' is nearer to 'rest', a step, than to 'set'."""
    steps = tuple(verb for verb in known if verb not in _CONTROL)
    hint = did_you_mean(word, steps)
    if "did you mean" in hint or not steps:
        return hint or did_you_mean(word, known)
    control = did_you_mean(word, known)
    return control if "did you mean" in control else hint


Item = Annotated[AnyItem, PlainValidator(_item), shown_as("item")]
Items = Annotated[list[Item], Field(min_length=1)]


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


_ANALYSES = WithJsonSchema({"type": "array", "items": {"enum": list(ANALYSES)}, "uniqueItems": True})
_PARAMETERS = WithJsonSchema(
    {"type": "object", "propertyNames": _A_NAME, "additionalProperties": {"described": "parameter"}}
)


class RecipeText(Section):
    """A recipe of Galvanode, version 2 of the language. See docs/how-to/write-a-recipe.md."""

    version: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": VERSION})] = Field(
        1, description="Version of the recipe language; 1 where it is missing."
    )  # looked at before anything else, in ``migrate``
    title: Label = Field(description="What the recipe is called.")
    description: Text = Field("", description="What it is for, and where it comes from.")
    example_cell: Label | None = Field(
        None, description="Cell of the library that 'galvanode check' takes when none is given."
    )
    parameters: Annotated[dict[str, Parameter], PlainValidator(read_parameters), _PARAMETERS] = Field(
        default_factory=dict[str, Parameter],
        description="What may be set when the recipe is run, each with a default: '$name' in the method.",
    )
    safety: Safety = Field(Safety(), description="Limits that trip the run; inside the cell's envelope.")
    record: RecordWhen = Field(
        RecordWhen(), description="Which readings become samples. Without it every reading does."
    )
    analysis: Annotated[tuple[str, ...], PlainValidator(_analysis), _ANALYSES] = Field(
        (), description="Figures that are worked out from the run's data."
    )
    method: Items = Field(description="The steps, in their order.")


RepeatItem.model_rebuild()
GroupItem.model_rebuild()
IfItem.model_rebuild()
RecipeText.model_rebuild()
