"""``operator``: something that a person must do or say before the recipe goes on."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic import model_validator as validator

from galvanode.document import found, label, place_of
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.place import Place
from galvanode.recipe.language import patterns
from galvanode.recipe.language.sections import Text
from galvanode.recipe.language.values import (
    ANY_VALUE,
    NAME,
    NAME_RULE,
    POTENTIAL,
    Interval,
    Value,
    expected_words,
    read_any_value,
)
from galvanode.recipe.program import Ask
from galvanode.recipe.verbs.step import Verb
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath


def _variable(value: object) -> object:
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        raise ValueError(f"is {found(value)}; {NAME_RULE}")
    return value


_A_NAME = WithJsonSchema({"type": "string", "pattern": f"^{patterns.NAME}$"})
_ABOUT = ("name", "default", "min", "max")
"""Keys about a number."""
AnyValue = Annotated[Value, PlainValidator(read_any_value), ANY_VALUE]


class Operator(Verb):
    """Make the cell safe and wait until somebody has answered."""

    word: ClassVar[str] = "operator"
    elsewhere: ClassVar[tuple[str, ...]] = ("ask",)

    message: Text = Field(description="What is to be done, or asked.")
    asks: Literal["confirmation", "number", "photo"] = Field(
        "confirmation", description="What the answer is; a confirmation if nothing is said."
    )
    name: Annotated[str, BeforeValidator(_variable), _A_NAME] | None = Field(
        None, description="Variable that the number becomes."
    )
    default: AnyValue | None = Field(None, description="Gives the number's dimension, and is what a dry run answers.")
    min: AnyValue | None = Field(None, description="The least that is accepted.")
    max: AnyValue | None = Field(None, description="The most that is accepted.")
    within: Interval | None = Field(
        None, description="The run fails without an answer; without it the cell waits for as long as it takes."
    )

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: what is about a number only beside one."""
        number = {"properties": {"asks": {"const": "number"}}, "required": ["asks"]}
        none_of_it = {"not": {"anyOf": [{"required": [key]} for key in _ABOUT]}}
        return [{"if": number, "then": {"required": ["name", "default"]}, "else": none_of_it}]

    @validator(mode="after")
    def _about_a_number(self) -> Self:
        if self.asks != "number":
            given = [key for key in _ABOUT if getattr(self, key) is not None]
            if given:
                said = f"'{given[0]}' is about a number; add 'asks: number' or leave it out"
                raise place_of((given[0],), said, key=True)
        elif self.name is None:
            raise place_of((), "'name' is missing beside 'asks: number'; expected the variable that it becomes")
        elif self.default is None:
            said = "'default' is missing beside 'asks: number'; expected an answer such as '10 mg'"
            raise place_of((), f"{said}: it says what is asked for, and a dry run answers with it")
        return self

    def sets(self) -> tuple[str, ...]:
        """Return the variable that a number becomes, if one is asked for."""
        return () if self.name is None else (self.name,)

    def instructions(self, place: Place) -> tuple[Ask, ...]:
        """Return the question. Raises ``InvalidInput``."""
        ask = _ask(self, place.path, place.context)
        if self.name is None or self.default is None:
            return (ask,)
        default = place.context.fixed(self.default, None, (*place.path, "default"))
        return (ask.model_copy(update={"name": place.declare(self.name, default, place.path)}),)


def _ask(body: Operator, path: DocumentPath, context: Context) -> Ask:
    """Return the instruction; ``path`` is where its body stands. Raises ``InvalidInput``."""
    within_s = None if body.within is None else context.interval(body.within, (*path, "within"))
    line = context.document.place(path, key=True)[0]
    if body.name is None or body.default is None:
        return Ask(message=body.message, wants=body.asks, within_s=within_s, line=line)
    default = context.fixed(body.default, None, (*path, "default"))
    if default.dimension == POTENTIAL:
        at = (*path, "default")
        raise context.error(
            at, f"{label(at)} is '{default.text}'; expected a voltage at the terminals, such as '3.6 V'"
        )
    low, high = (_bound(key, value, default, path, context) for key, value in (("min", body.min), ("max", body.max)))
    if low is not None and high is not None and low.exact > high.exact:
        at = (*path, "max")
        raise context.error(at, f"{label(at)} is '{high.text}'; expected at least the {low.text} of 'min'")
    for bound, due in ((low, "at least"), (high, "at most")):
        if bound is not None and (default.exact < bound.exact if due == "at least" else default.exact > bound.exact):
            at = (*path, "default")
            raise context.error(at, f"{label(at)} is '{default.text}'; expected {due} {bound.text}")
    return Ask(
        message=body.message,
        wants="number",
        name=body.name,
        dimension=default.dimension,
        min=None if low is None else low.si,
        max=None if high is None else high.si,
        default=default.si,
        within_s=within_s,
        line=line,
    )


def _bound(key: str, value: Value | None, default: Quantity, path: DocumentPath, context: Context) -> Quantity | None:
    if value is None:
        return None
    bound = context.fixed(value, None, (*path, key))
    if bound.dimension != default.dimension:
        at = (*path, key)
        raise context.error(at, f"{label(at)} is '{bound.text}'; expected {expected_words(default.dimension)}")
    return bound
