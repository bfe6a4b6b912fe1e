"""Parameters of a recipe: a default with a unit, and the range they may be set within.

Default and range may be arithmetic with the cell (``$cell.nominal_capacity / 10 h``) and with the parameters above.
Their dimension is known when the recipe is read, their value when it meets a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from galvanode.document import Document, Section, did_you_mean, found, label, place_of
from galvanode.errors import InvalidInput
from galvanode.recipe.language.arithmetic import Kind, Term, kind_of, known, quantity_of, work_out
from galvanode.recipe.language.known import CELL
from galvanode.recipe.language.terminals import Terminals
from galvanode.recipe.language.values import (
    NAME,
    NAME_RULE,
    Reference,
    Value,
    expected_words,
    read_any_value,
    read_constant,
)
from galvanode.units import Quantity


class Parameter(Section):
    """A parameter with its default and the range it may be set within."""

    default: Value
    min: Value | None = None
    max: Value | None = None
    dimension: str
    """Of all three: key of ``galvanode.units.DIMENSIONS``, or one of ``galvanode.recipe.language.values``."""
    kind: Kind
    """As arithmetic sees it."""


def read_parameters(value: object) -> dict[str, Parameter]:
    """Read the parameters by name. Raises what pydantic takes from a validator."""
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004
            f"is {found(value)}; expected names and defaults, such as 'half_cycle: 30 min'"
        )
    parameters: dict[str, Parameter] = {}
    for name, spec in cast("dict[str, object]", value).items():
        if not NAME.fullmatch(name):
            raise place_of((name,), f"'{name[:40]}' is no name for a parameter; {NAME_RULE}", key=True)
        parameters[name] = _parameter(name, spec, parameters)
    return parameters


def _parameter(name: str, spec: object, above: Mapping[str, Parameter]) -> Parameter:
    if not isinstance(spec, dict):
        default = _value(spec, (name,), f"'{name}'")
        kind = _kind(default, (name,), f"'{name}'", above)
        return Parameter.model_construct(default=default, dimension=_dimension(default, kind, above), kind=kind)
    parts = cast("dict[str, object]", spec)
    for key in parts:
        if key not in _KEYS:
            hint = did_you_mean(key, _KEYS)
            raise place_of((name, key), f"unknown key '{key[:40]}' in 'parameters.{name}'{hint}", key=True)
    if "default" not in parts:
        raise place_of((name,), f"'default' is missing in 'parameters.{name}'")
    read = {key: _value(item, (name, key), f"'{name}.{key}'") for key, item in parts.items()}
    kinds = {key: _kind(item, (name, key), f"'{name}.{key}'", above) for key, item in read.items()}
    dimensions = {key: _dimension(item, kinds[key], above) for key, item in read.items()}
    for key in ("min", "max"):
        if key in dimensions and dimensions[key] != dimensions["default"]:
            due = expected_words(dimensions["default"])
            raise place_of((name, key), f"'{name}.{key}' is '{read[key].text}'; expected {due}")
    parameter = Parameter.model_construct(
        default=read["default"],
        min=read.get("min"),
        max=read.get("max"),
        dimension=dimensions["default"],
        kind=kinds["default"],
    )
    fixed = {key: item if isinstance(item, Quantity) else None for key, item in read.items()}
    if fixed["default"] is not None:
        try:
            _in_range(fixed["default"], fixed.get("min"), fixed.get("max"))
        except ValueError as problem:
            raise place_of((name, "default"), f"'{name}.default' {problem}") from None
    return parameter


_KEYS = ("default", "min", "max")


def _value(value: object, path: tuple[str | int, ...], name: str) -> Value:
    try:
        return read_any_value(value)
    except ValueError as problem:
        raise place_of(path, f"{name} {problem}") from None


def _dimension(value: Value, kind: Kind, above: Mapping[str, Parameter]) -> str:
    if isinstance(value, Quantity):
        return value.dimension
    if isinstance(value, Reference) and value.name in above:
        return above[value.name].dimension
    return kind.dimension or ""


def _kind(value: Value, path: tuple[str | int, ...], name: str, above: Mapping[str, Parameter]) -> Kind:
    """Return the kind of a value, whatever the cell. Raises what pydantic takes from a validator."""

    def unbound(of: str) -> Term:
        before, _, of_cell = of.partition(".")
        if before == "cell" and of_cell in CELL:
            return Term(kind_of(CELL[of_cell]), None, 0.0)
        if of in above:
            return Term(above[of].kind, None, 0.0)
        if before == "cell":
            raise ValueError(
                f"takes '${of}', which is nothing that a cell's definition says{did_you_mean(of_cell, CELL)}"
            )
        known = [*above, *(f"cell.{key}" for key in CELL)]
        raise ValueError(f"takes '${of}', which is no parameter above it{did_you_mean(of, known)}")

    try:
        kind = _work_out(value, unbound).kind
    except ValueError as problem:
        raise place_of(path, f"{name} is {found(value.text)}, which {problem}") from None
    if kind.dimension is None:
        raise place_of(path, f"{name} is {found(value.text)}, of a dimension that has no name here")
    return kind


def _work_out(value: Value, name: Callable[[str], Term]) -> Term:
    if isinstance(value, Quantity):
        return known(value)
    if isinstance(value, Reference):
        return name(value.name)
    return work_out(value.node, name, _bare)


def _bare(name: str) -> Term:
    raise ValueError(f"has '{name[:40]}' in it; expected numbers with units and names with '$'")


def _in_range(value: Quantity, low: Quantity | None, high: Quantity | None) -> None:
    """Raise ``ValueError`` unless a value lies in the range."""
    if low is not None and value.exact < low.exact:
        raise ValueError(f"is '{value.text}'; expected at least {low.text}")
    if high is not None and value.exact > high.exact:
        raise ValueError(f"is '{value.text}'; expected at most {high.text}")


class Bound:
    """A recipe's parameters as they come to their values, one after the other, on one cell."""

    def __init__(self, known: Mapping[str, Parameter], terminals: Terminals) -> None:
        self.values: dict[str, Quantity] = {}
        self._known = known
        self._terminals = terminals

    def parameter(self, name: str) -> Parameter:
        """Return a parameter as the recipe says it."""
        return self._known[name]

    def default(self, name: str) -> Quantity:
        """Return the default. Raises ``ValueError`` where the cell does not say what it takes."""
        return self._quantity(self._known[name].default)

    def check(self, name: str, value: Quantity) -> None:
        """Raise ``ValueError`` unless a value has the parameter's dimension and lies in its range."""
        parameter = self._known[name]
        if value.dimension != parameter.dimension:
            raise ValueError(f"is '{value.text}'; expected {expected_words(parameter.dimension)}")
        low, high = self.range_of(name)
        _in_range(value, low, high)

    def range_of(self, name: str) -> tuple[Quantity | None, Quantity | None]:
        """Return the lowest and the highest value, None where there is none."""
        parameter = self._known[name]
        low, high = (None if end is None else self._quantity(end) for end in (parameter.min, parameter.max))
        return low, high

    def _quantity(self, value: Value) -> Quantity:
        if isinstance(value, Quantity):
            return value

        def name(of: str) -> Term:
            before, dot, of_cell = of.partition(".")
            if before == "cell" and dot:
                if of_cell not in self._terminals.cell:
                    raise ValueError(f"needs '${of}', which {self._terminals.unknown(of_cell)}")
                return known(self._terminals.cell[of_cell])
            if of not in self.values:
                raise ValueError(f"needs '${of}', which is set to what is only known while the recipe runs")
            return known(self.values[of])

        try:
            return quantity_of(_work_out(value, name))
        except ValueError as problem:
            raise ValueError(f"is {found(value.text)}, which {problem}") from None


def set_parameters(
    document: Document, parameters: Mapping[str, Parameter], given: Mapping[str, str], terminals: Terminals
) -> dict[str, Quantity]:
    """Return every parameter's value: as given, or its default on this cell.

    Raises ``InvalidInput``: without a place for what is given, since that does not come from the file, and with its
    place for a default that this cell does not allow.
    """
    for name in given:
        if name not in parameters:
            hint = did_you_mean(name, parameters) if parameters else "; the recipe has none"
            raise InvalidInput(f"unknown parameter '{name[:40]}'{hint}")
    bound = Bound(parameters, terminals)
    for name, parameter in parameters.items():
        try:
            value = read_constant(given[name], parameter.dimension) if name in given else bound.default(name)
            bound.check(name, value)
        except ValueError as problem:
            if name in given:
                raise InvalidInput(f"parameter '{name}' {problem}") from None
            at = ("parameters", name, "default")
            raise document.error(at, f"{label(at)} {problem}") from None
        bound.values[name] = value
    return bound.values
