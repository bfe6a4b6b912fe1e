"""Parameters of a recipe: a default with a unit, and the range they may be set within."""

from __future__ import annotations

from typing import cast

from galvanode.document import Section, did_you_mean, found, place_of
from galvanode.recipe.values import NAME, NAME_RULE, expected_words, read_any
from galvanode.units import Quantity


class Parameter(Section):
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
