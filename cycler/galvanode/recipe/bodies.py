"""What stands inside a step: its own keys, those that every step has, limits and records."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field
from pydantic import model_validator as validator

from galvanode.document import Section, listed, place_of
from galvanode.recipe.condition import Untils
from galvanode.recipe.values import (
    Amplitude,
    Bias,
    Count,
    Current,
    CurrentBound,
    CurrentCeiling,
    CurrentChange,
    CurrentDensity,
    CurrentFloor,
    CurrentMagnitude,
    DensityBound,
    DensityMagnitude,
    Frequency,
    Interval,
    Rate,
    ScanRate,
    StartVoltage,
    Temperature,
    TemperatureChange,
    Time,
    Voltage,
    VoltageChange,
    count_up_to,
    read_constant,
)

MAX_SCANS = 10_000
"""Cycles of one cyclic voltammetry."""
MAX_PER_DECADE = 100
"""Points of an impedance."""


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
            said = "'safety' has both 'current' and 'current_density'; keep one"
            raise place_of(("current_density",), said, key=True)
        return self


class RecordWhen(Section):
    """When a reading becomes a sample: any of these."""

    every: Interval | None = None
    voltage_change: VoltageChange | None = None
    current_change: CurrentChange | None = None


class AnyStep(Section):
    """What every step of an instrument may say."""

    name: Label | None = None
    instrument: Literal["cycler", "analyzer"] | None = None
    safety: Safety | None = None


def _ends(duration: object, until: object) -> None:
    if duration is None and not until:
        said = "the step cannot end; expected 'for: 10 min' or 'until: voltage >= 4.2 V' in it, or both"
        raise place_of((), said)


class StepBody(AnyStep):
    """What a step may say that ends by time or by a condition."""

    duration: Time | None = Field(None, alias="for")
    until: Untils = ()
    record: RecordWhen | None = None

    @validator(mode="after")
    def _can_end(self) -> Self:
        _ends(self.duration, self.until)
        return self


class Rest(StepBody):
    """Open circuit."""


class _Driven(StepBody):
    @validator(mode="after")
    def _one_current(self) -> Self:
        known = [key for key in ("rate", "current", "current_density") if key in type(self).model_fields]
        given = [key for key in known if getattr(self, key) is not None]
        if not given:
            raise place_of((), f"the step has no {listed(known)}; expected one of them")
        if len(given) > 1:
            said = f"the step has both '{given[0]}' and '{given[1]}'; keep one"
            raise place_of((given[1],), said, key=True)
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


class ThenHold(Section):
    """The voltage that ended a charge or discharge, held while the current falls."""

    duration: Time | None = Field(None, alias="for")
    until: Untils = ()

    @validator(mode="after")
    def _can_end(self) -> Self:
        if self.duration is None and not self.until:
            said = "the hold cannot end; expected 'until: current <= 0.05C' or 'for: 1 h' in it, or both"
            raise place_of((), said)
        return self


class Charge(_Driven):
    """A current in magnitude, in C-rates too; and, if wanted, a hold at the voltage that ended it."""

    rate: Rate | None = None
    current: CurrentMagnitude | None = None
    current_density: DensityMagnitude | None = None
    then_hold: ThenHold | None = None

    @validator(mode="after")
    def _voltage_to_hold(self) -> Self:
        if self.then_hold is None:
            return self
        if [until.name for until in self.until] != ["voltage"] or self.duration is not None:
            said = (
                "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' "
                "beside it"
            )
            raise place_of(("then_hold",), said, key=True)
        return self


class Discharge(Charge):
    """As a charge, the other way."""


class _Scanned(AnyStep):
    """What both kinds of voltammetry may say. They end by themselves; ``until`` may end them sooner."""

    start: StartVoltage = Field(None, alias="from")
    rate: ScanRate
    step: VoltageChange = Field(default_factory=lambda: read_constant("1 mV", "voltage"))
    current_limit: CurrentBound | None = None
    until: Untils = ()


class Sweep(_Scanned):
    """A voltage that runs from one value to another."""

    to: Voltage


class CyclicVoltammetry(_Scanned):
    """A voltage that runs from its start through the vertices and back, so many times."""

    vertices: Annotated[list[Voltage], Field(min_length=1, max_length=100)]
    cycles: Annotated[Count, count_up_to(MAX_SCANS)] = 1


class Impedance(AnyStep):
    """A spectrum from a high frequency to a low one."""

    kind: Literal["potentiostatic", "galvanostatic"] = "potentiostatic"
    start: Frequency = Field(alias="from")
    to: Frequency
    points_per_decade: Annotated[Count, count_up_to(MAX_PER_DECADE)] = 10
    amplitude: Amplitude | None = None
    bias: Bias = None


class Chamber(Section):
    """A temperature for the chamber, and whether to wait for it."""

    temperature: Temperature = Field(alias="set")
    until: Literal["stable"] | None = None
    band: TemperatureChange = Field(default_factory=lambda: read_constant("0.5 K", "temperature"))
    duration: Interval = Field(default_factory=lambda: read_constant("30 min", "time"), alias="for")
    within: Interval = Field(default_factory=lambda: read_constant("4 h", "time"))

    @validator(mode="after")
    def _waits(self) -> Self:
        given = [
            key
            for key, field in (("band", "band"), ("for", "duration"), ("within", "within"))
            if field in self.model_fields_set
        ]
        if self.until is None and given:
            said = f"'{given[0]}' is about a stable temperature; add 'until: stable' or leave it out"
            raise place_of((given[0],), said, key=True)
        return self
