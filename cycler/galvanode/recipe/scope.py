"""What ``$name`` stands for: parameters as set, and the variables of the ladders around a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput
from galvanode.recipe.parameter import Parameter
from galvanode.recipe.terminals import Terminals
from galvanode.recipe.values import POTENTIAL, Reference, Value, expected_words, read_constant, show_dimension
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
    terminals: Terminals
    ladders: Mapping[str, Rungs] = field(default_factory=dict[str, Rungs])

    def inside(self, ladders: Mapping[str, Rungs]) -> Scope:
        """Return the scope inside a ladder."""
        return Scope(self.parameters, self.terminals, {**self.ladders, **ladders})

    def fixed(self, value: Value, *dimensions: str) -> Quantity:
        """Return the quantity that a value is, whatever turn a loop is in.

        As ``look_up``; raises ``ValueError`` for the variable of a ladder too.
        """
        found = self.look_up(value, *dimensions)
        if isinstance(found, Rungs):
            said = f"is '{value.text}', which a ladder varies; expected a value that stays the same"
            raise ValueError(said)  # noqa: TRY004 (what is wrong is the value, not its Python type)
        return found

    def look_up(self, value: Value, *dimensions: str) -> Quantity | Rungs:
        """Return what a value is, or what it becomes turn by turn.

        Where a potential against Li+/Li is accepted it comes as the voltage at the terminals. Without dimensions
        any is accepted, as it stands. Raises ``ValueError`` for an unknown name and for another dimension.
        """
        found = self._named(value) if isinstance(value, Reference) else value
        if not dimensions:
            return found
        if found.dimension not in dimensions:
            what = f", {show_dimension(found.dimension)}" if isinstance(value, Reference) else ""
            raise ValueError(f"is '{value.text}'{what}; expected {expected_words(dimensions[0])}")
        if isinstance(found, Quantity) and found.dimension == POTENTIAL:
            return self.terminals.voltage(found)
        return found

    def _named(self, name: Reference) -> Quantity | Rungs:
        found = self.ladders.get(name.name) or self.parameters.get(name.name)
        if found is None:
            hint = did_you_mean(name.name, [*self.parameters, *self.ladders])
            raise ValueError(f"is '{name.text}', which is no parameter and no ladder's variable{hint}")
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
