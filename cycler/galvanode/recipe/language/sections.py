"""What several parts of a recipe may say: texts, limits, records."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic import model_validator as validator

from galvanode.document import Section, place_of
from galvanode.quantities import Auxiliary
from galvanode.recipe.language.values import (
    AnyQuantity,
    ChargeChange,
    CurrentCeiling,
    CurrentChange,
    CurrentFloor,
    DensityBound,
    Interval,
    Temperature,
    Voltage,
    VoltageChange,
)


def _text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; expected text")
    return value


_SOME_TEXT = WithJsonSchema({"type": "string", "minLength": 1})
Text = Annotated[str, BeforeValidator(_text), Field(max_length=10_000), _SOME_TEXT]
Label = Annotated[str, BeforeValidator(_text), Field(max_length=200), _SOME_TEXT]


class _Window(Section):
    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: a bound."""
        return [{"minProperties": 1}]


class VoltageWindow(_Window):
    """At the terminals."""

    min: Voltage | None = None
    max: Voltage | None = None


class CurrentWindow(Section):
    """'max' alone bounds either sign."""

    # Zero is a bound: {min: -5 mA, max: 0 A} only discharges.
    min: CurrentFloor | None = None
    max: CurrentCeiling | None = None

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands."""
        return [{"required": ["max"]}]

    @validator(mode="after")
    def _has_max(self) -> Self:
        if self.max is None:
            raise place_of((), "'max' is missing in 'safety.current'; expected a current such as '5 mA'")
        return self


class DensityWindow(Section):
    """Of either sign; instead of 'current'."""

    max: DensityBound


class TemperatureWindow(_Window):
    """Needs a sensor on the channel."""

    min: Temperature | None = None
    max: Temperature | None = None


class AuxiliaryWindow(_Window):
    """Of one auxiliary reading, in its own unit."""

    min: AnyQuantity | None = None
    max: AnyQuantity | None = None


class Safety(Section):
    """Limits that trip the run."""

    voltage: VoltageWindow | None = None
    current: CurrentWindow | None = None
    current_density: DensityWindow | None = None
    temperature: TemperatureWindow | None = None
    auxiliary: dict[str, AuxiliaryWindow] = Field(
        default={}, description="Of what the channel reads beside voltage and current, by name."
    )
    check_every: Interval | None = Field(
        default=None, description="The longest time between two readings; 10 s if nothing is said."
    )

    @validator(mode="after")
    def _auxiliaries(self) -> Self:
        for name, window in self.auxiliary.items():
            dimensions = {bound.dimension for bound in (window.min, window.max) if bound is not None}
            if not dimensions:
                raise place_of(("auxiliary", name), f"'{name}' has no bound; expected 'min', 'max' or both", key=True)
            if len(dimensions) > 1:
                raise place_of(("auxiliary", name, "max"), f"'{name}.max' is of another dimension than its 'min'")
            try:
                Auxiliary(name, dimensions.pop())
            except ValueError as problem:
                raise place_of(("auxiliary", name), str(problem), key=True) from None
        return self

    @validator(mode="after")
    def _one_current(self) -> Self:
        if self.current is not None and self.current_density is not None:
            said = "'safety' has both 'current' and 'current_density'; keep one"
            raise place_of(("current_density",), said, key=True)
        return self


class Burst(Section):
    """In quick succession at the beginning of every step."""

    every: Interval = Field(description="Between readings, 1 ms or more.")
    duration: Interval = Field(alias="for", description="For so long.")


class RecordWhen(Section):
    """Which readings become samples: any of these."""

    every: Interval | None = Field(default=None, description="After so long.")
    voltage_change: VoltageChange | None = Field(default=None, description="After so much of a change.")
    current_change: CurrentChange | None = Field(default=None, description="After so much of a change.")
    charge_change: ChargeChange | None = Field(
        default=None, description="After so much charge has passed, of either sign."
    )
    burst: Burst | None = None
