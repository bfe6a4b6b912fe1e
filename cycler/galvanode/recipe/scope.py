"""What ``$name`` stands for: parameters as set, and the variables of the ladders around a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput
from galvanode.recipe.parameter import Parameter
from galvanode.recipe.values import Reference, Value, expected_words, read_constant, show_dimension
from galvanode.units import Quantity


@dataclass(frozen=True)
class Rungs:
    """The values of a ladder's variable, exact and in turn."""

    dimension: str
    values: tuple[Quantity, ...]


@dataclass(frozen=True)
class Scope:
    """Names that are known at one place of a recipe."""

    parameters: Mapping[str, Quantity]
    ladders: Mapping[str, Rungs] = field(default_factory=dict[str, Rungs])

    def inside(self, ladders: Mapping[str, Rungs]) -> Scope:
        """Return the scope inside a ladder."""
        return Scope(self.parameters, {**self.ladders, **ladders})

    def fixed(self, value: Value, dimension: str | None) -> Quantity:
        """Return the quantity that a value is, whatever turn a loop is in.

        ``dimension`` None accepts any. Raises ``ValueError`` for an unknown name, another dimension, and for
        the variable of a ladder.
        """
        found = self.look_up(value, dimension)
        if isinstance(found, Rungs):
            said = f"is '{value.text}', which a ladder varies; expected a value that stays the same"
            raise ValueError(said)  # noqa: TRY004 (what is wrong is the value, not its Python type)
        return found

    def look_up(self, value: Value, dimension: str | None) -> Quantity | Rungs:
        """Return what a value is, or what it becomes turn by turn. Raises ``ValueError``."""
        if not isinstance(value, Reference):
            return value
        found = self.ladders.get(value.name) or self.parameters.get(value.name)
        if found is None:
            hint = did_you_mean(value.name, [*self.parameters, *self.ladders])
            raise ValueError(f"is '{value.text}', which is no parameter and no ladder's variable{hint}")
        if dimension is not None and found.dimension != dimension:
            what = show_dimension(found.dimension)
            raise ValueError(f"is '{value.text}', {what}; expected {expected_words(dimension)}")
        return found


def set_parameters(known: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, Quantity]:
    """Return every parameter's value: as given, or its default.

    Raises ``InvalidInput`` without a place, since what is given does not come from the file.
    """
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) if known else "; the recipe has none"
            raise InvalidInput(f"unknown parameter '{name[:40]}'{hint}")
    return {
        name: _set(name, parameter, given[name]) if name in given else parameter.default
        for name, parameter in known.items()
    }


def _set(name: str, parameter: Parameter, text: str) -> Quantity:
    try:
        quantity = read_constant(text, parameter.dimension)
        parameter.check(quantity)
    except ValueError as problem:
        raise InvalidInput(f"parameter '{name}' {problem}") from None
    return quantity
