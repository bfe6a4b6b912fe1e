"""What stands inside a step: its own keys, those that every step has, limits and records."""

from __future__ import annotations

from typing import Annotated, Literal, Self, cast

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic import model_validator as validator

from galvanode.document import Section, found, listed, place_of
from galvanode.recipe.language.condition import Untils
from galvanode.recipe.language.values import (
    NAME,
    NAME_RULE,
    Amplitude,
    Bias,
    ChargeChange,
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
    Number,
    Power,
    PowerMagnitude,
    Rate,
    Resistance,
    ScanRate,
    Share,
    StartVoltage,
    Temperature,
    TemperatureChange,
    Time,
    Value,
    Voltage,
    VoltageChange,
    count_up_to,
    read_any_value,
    read_constant,
    read_value,
)

MAX_SCANS = 10_000
"""Cycles of one cyclic voltammetry."""
MAX_PER_DECADE = 100
"""Points of an impedance."""
MAX_AVERAGES = 100
"""Times that one spectrum is measured."""


def _text(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; expected text")
    return value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=10_000)]
Label = Annotated[str, BeforeValidator(_text), Field(max_length=200)]


def _variable(value: object) -> object:
    if not isinstance(value, str) or NAME.fullmatch(value) is None:
        raise ValueError(f"is {found(value)}; {NAME_RULE}")
    return value


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


class Burst(Section):
    """Readings in quick succession at the beginning of a step."""

    every: Interval
    duration: Interval = Field(alias="for")


class RecordWhen(Section):
    """When a reading becomes a sample: any of these."""

    every: Interval | None = None
    voltage_change: VoltageChange | None = None
    current_change: CurrentChange | None = None
    charge_change: ChargeChange | None = None
    burst: Burst | None = None


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


DRIVES = ("rate", "current", "current_density", "power", "resistance")
"""What a step may be driven by; one of them."""


class _Driven(StepBody):
    @validator(mode="after")
    def _one_drive(self) -> Self:
        known = [key for key in DRIVES if key in type(self).model_fields]
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


class ConstantPower(StepBody):
    """A power with its sign: positive charges."""

    power: Power


class ConstantResistance(StepBody):
    """A load that the cell discharges through."""

    resistance: Resistance


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
    """A current or a power in magnitude; and, if wanted, a hold at the voltage that ended it."""

    rate: Rate | None = None
    current: CurrentMagnitude | None = None
    current_density: DensityMagnitude | None = None
    power: PowerMagnitude | None = None
    then_hold: ThenHold | None = None


class Discharge(Charge):
    """As a charge, the other way; through a load, too."""

    resistance: Resistance | None = None


class IrCorrection(Section):
    """The resistance whose voltage drop is made up for, and how much of it."""

    resistance: Resistance
    share: Share = Field(default_factory=lambda: read_constant("100 %", "fraction"))


class _Scanned(AnyStep):
    """What both kinds of voltammetry may say. They end by themselves; ``until`` may end them sooner."""

    start: StartVoltage = Field(None, alias="from")
    rate: ScanRate
    step: VoltageChange = Field(default_factory=lambda: read_constant("1 mV", "voltage"))
    current_limit: CurrentBound | None = None
    ir_correction: IrCorrection | None = None
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
    averages: Annotated[Count, count_up_to(MAX_AVERAGES)] = 1


Points = tuple[tuple[Value, Value], ...]


def _points(value: object) -> Points:
    if not isinstance(value, list) or len(cast("list[object]", value)) < 2:
        raise ValueError(f"is {found(value)}; expected two points or more, such as {_POINTS}")
    return tuple(_point(item, index) for index, item in enumerate(cast("list[object]", value)))


_POINTS = "'[[0 s, 1 mA], [10 s, -2 mA], [20 s, 0 mA]]'"


def _point(value: object, index: int) -> tuple[Value, Value]:
    if not isinstance(value, list) or len(cast("list[object]", value)) != 2:
        raise place_of((index,), "a point is no pair; expected a time and a value, such as '[10 s, -2 mA]'")
    time, driven = cast("list[object]", value)
    try:
        seconds = read_value(time, "time")
    except ValueError as problem:
        raise place_of((index, 0), f"a point's time {problem}") from None
    try:
        return seconds, read_any_value(driven)
    except ValueError as problem:
        raise place_of((index, 1), f"a point's value {problem}") from None


class Profile(AnyStep):
    """A current or a power that changes with time. It ends by itself; ``until`` may end it sooner."""

    file: Label | None = None
    points: Annotated[Points, PlainValidator(_points)] | None = None
    quantity: Literal["current", "power"] | None = None
    scale: Number | None = None
    until: Untils = ()
    record: RecordWhen | None = None

    @validator(mode="after")
    def _one_source(self) -> Self:
        if self.file is None and self.points is None:
            raise place_of((), f"the profile has no values; expected 'file: wltp.csv' or 'points: {_POINTS[1:-1]}'")
        if self.file is not None and self.points is not None:
            raise place_of(("points",), "the profile has both 'file' and 'points'; keep one", key=True)
        return self


class Operator(Section):
    """Something for a person to do or to say before the recipe goes on."""

    message: Text
    asks: Literal["confirmation", "number", "photo"] = "confirmation"
    name: Annotated[str, BeforeValidator(_variable)] | None = None
    default: Annotated[Value, PlainValidator(read_any_value)] | None = None
    min: Annotated[Value, PlainValidator(read_any_value)] | None = None
    max: Annotated[Value, PlainValidator(read_any_value)] | None = None
    within: Interval | None = None

    @validator(mode="after")
    def _about_a_number(self) -> Self:
        about = ("name", "default", "min", "max")
        if self.asks != "number":
            given = [key for key in about if getattr(self, key) is not None]
            if given:
                said = f"'{given[0]}' is about a number; add 'asks: number' or leave it out"
                raise place_of((given[0],), said, key=True)
        elif self.name is None:
            raise place_of((), "'name' is missing beside 'asks: number'; expected the variable that it becomes")
        elif self.default is None:
            said = "'default' is missing beside 'asks: number'; expected an answer such as '10 mg'"
            raise place_of((), f"{said}: it says what is asked for, and a dry run answers with it")
        return self


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
