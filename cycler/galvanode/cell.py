"""The cell under test as a technician knows it: geometry, conditions, and its envelope."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from galvanode.document import Document, Section, parse_document, place_of, read_document, validate
from galvanode.units import (
    Amps,
    AmpsPerSquareMetre,
    Coulombs,
    CoulombsPerKilogram,
    Kelvin,
    Kilograms,
    SquareMetres,
    Volts,
    expected,
    parse_quantity,
)


class TerminalLimits(NamedTuple):
    """The envelope in numbers at the terminals."""

    voltage_min: float
    """V."""
    voltage_max: float
    """V."""
    current_max: float
    """A, magnitude of either sign."""
    temperature_min: float | None
    """K."""
    temperature_max: float | None
    """K."""


class VoltageWindow(Section):
    """Lowest and highest voltage at the terminals, V."""

    min: Volts
    max: Volts

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min >= self.max:
            raise place_of(("max",), "'voltage.max' is not above 'voltage.min'")
        return self


class CurrentBound(Section):
    """Largest current of either sign, A."""

    max: Annotated[Amps, Field(gt=0)]


class CurrentDensityBound(Section):
    """Largest current density of either sign, A/m2."""

    max: Annotated[AmpsPerSquareMetre, Field(gt=0)]


class TemperatureWindow(Section):
    """Lowest and highest temperature, K."""

    min: Kelvin | None = None
    max: Kelvin | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise place_of(("max",), "'temperature.max' is not above 'temperature.min'")
        return self


class CellEnvelope(Section):
    """What the cell may be exposed to, whatever a recipe asks for."""

    voltage: VoltageWindow
    current: CurrentBound | None = None
    current_density: CurrentDensityBound | None = None
    temperature: TemperatureWindow | None = None

    @model_validator(mode="after")
    def _one_current(self) -> Self:
        if self.current is None and self.current_density is None:
            raise place_of((), "'envelope' needs a 'current' or a 'current_density' with its 'max'")
        if self.current is not None and self.current_density is not None:
            raise place_of(
                ("current_density",),
                "'envelope' has both 'current' and 'current_density'; keep one",
                key=True,
            )
        return self


def _or_unknown(dimension: str) -> BeforeValidator:
    def read(value: object) -> float | Literal["unknown"]:
        if value == "unknown":
            return "unknown"
        try:
            number = parse_quantity(value, dimension)
        except ValueError as problem:
            raise ValueError(f"{problem}, or 'unknown'") from None
        if dimension != "temperature" and number < 0:
            raise ValueError(f"is '{value}'; expected {expected(dimension)}, not a negative one, or 'unknown'")
        return number

    return BeforeValidator(read)


class CellUnderTest(Section):
    """A cell definition.

    Results of different laboratories cannot be compared without area, thickness, temperature and pressure
    (Puls et al., Nat. Energy 2024), so none of these may be left out; the last three may say ``unknown``.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    chemistry: str = ""
    area: Annotated[SquareMetres, Field(gt=0)]
    """m2."""
    electrolyte_thickness: Annotated[float | Literal["unknown"], _or_unknown("length")]
    """m."""
    temperature: Annotated[float | Literal["unknown"], _or_unknown("temperature")]
    """K, at which it is tested."""
    stack_pressure: Annotated[float | Literal["unknown"], _or_unknown("pressure")]
    """Pa."""
    active_mass: Annotated[Kilograms, Field(gt=0)] | None = None
    """kg."""
    specific_capacity: Annotated[CoulombsPerKilogram, Field(gt=0)] | None = None
    """C/kg of active mass that 1C refers to."""
    nominal_capacity: Annotated[Coulombs, Field(gt=0)] | None = None
    """C that 1C refers to: as stated, or ``active_mass`` times ``specific_capacity``; None where neither is known."""
    reference_offset: Volts = 0.0
    """V to add to a voltage at the terminals to have it against Li+/Li: 0.62 V for Li-In, 0 V for lithium."""
    envelope: CellEnvelope

    @model_validator(mode="after")
    def _one_capacity(self) -> Self:
        if self.specific_capacity is None:
            return self
        if self.nominal_capacity is not None:
            said = "the cell has both 'nominal_capacity' and 'specific_capacity'; keep one, since 1C follows from it"
            raise place_of(("specific_capacity",), said, key=True)
        if self.active_mass is None:
            said = "'specific_capacity' needs the 'active_mass' that it refers to, such as 'active_mass: 12 mg'"
            raise place_of(("specific_capacity",), said, key=True)
        return self

    @property
    def states_reference(self) -> bool:
        """Whether the definition itself says how its voltage stands to Li+/Li."""
        return "reference_offset" in self.model_fields_set

    def envelope_limits(self) -> TerminalLimits:
        """Return the envelope in V, A and K at the terminals."""
        envelope = self.envelope
        if envelope.current is not None:
            current = envelope.current.max
        elif envelope.current_density is not None:
            current = envelope.current_density.max * self.area
        else:
            raise AssertionError("an envelope without a current was validated")
        temperature = envelope.temperature or TemperatureWindow()
        return TerminalLimits(envelope.voltage.min, envelope.voltage.max, current, temperature.min, temperature.max)


def read_cell(path: Path) -> CellUnderTest:
    """Read a cell definition from a YAML file. Raises ``InvalidInput``."""
    return _cell(read_document(path))


def parse_cell(text: str, source: str) -> CellUnderTest:
    """Read a cell definition from YAML text; ``source`` names it in errors. Raises ``InvalidInput``."""
    return _cell(parse_document(text, source))


def _cell(document: Document) -> CellUnderTest:
    cell = validate(document, CellUnderTest)
    if cell.active_mass is None or cell.specific_capacity is None:
        return cell
    return cell.model_copy(update={"nominal_capacity": cell.active_mass * cell.specific_capacity})
