"""Measured quantities: one entry each.

An entry says all that the house knows of a quantity: its dimension, what a recipe calls it, how it is told from a
reading, its column in the data, its field in a channel's live state, its metric, whether it has limits. Recipes,
engine, store, service and pages read this table; a new quantity is a new entry and nothing else.

Inside everything is SI; a column, a live field and a metric have the column's unit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class Moment(Protocol):
    """All that may be asked at one reading, or between two steps. SI units; NaN is not known."""

    voltage: float
    current: float
    temperature: float | None
    elapsed: float
    """s since the step, or the block, began."""
    charge: float
    """C passed since then, in magnitude."""
    energy: float
    """J passed since then, in magnitude."""
    highest: float
    """Voltage since the step began, V."""
    lowest: float
    cycle: Mapping[str, float]
    """Quantities of the cycle that has ended last."""
    auxiliary: Mapping[str, float]
    """Auxiliary readings by name."""


class Column(NamedTuple):
    """A column of the samples, labelled as in the Battery Data Format."""

    label: str
    type: Literal["float64", "int32", "int64"] = "float64"
    nullable: bool = False
    divisor: float = 1.0
    """SI over the column's unit."""
    zero: float = 0.0
    """What is subtracted first: the zero of degC in K."""

    @property
    def title(self) -> str:
        """Without the unit."""
        return self.label.partition(" / ")[0]

    @property
    def unit(self) -> str:
        """As in the label; ``1`` for what has none."""
        return self.label.partition(" / ")[2] or "1"

    @property
    def is_si(self) -> bool:
        """Its unit is the one that is used inside."""
        return self.divisor == 1.0 and self.zero == 0.0

    def shown(self, value: float) -> float:
        """Return an SI value in the column's unit."""
        return (value - self.zero) / self.divisor


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One quantity. What it does not have is None or empty."""

    name: str
    dimension: str
    """Key of ``units.DIMENSIONS``, or ``number``."""
    column: Column | None = None
    live: str | None = None
    """Field of a channel's live state."""
    metric: str | None = None
    """Ending of its Prometheus name, with the unit."""
    told: str = ""
    """One sentence for people: description of the live field, help of the metric."""
    has_limits: bool = False
    """A recipe's ``safety`` and a cell's envelope may bound it; a reading outside trips the run."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """What a recipe calls it -> dimensions that its value may have there, its own first. Without words a recipe cannot
    ask for it."""
    now: Callable[[Moment], float | None] | None = None
    """How it is told from one moment; None where that takes more than one, or the end of a cycle."""
    slope_of: str | None = None
    """The quantity whose change per second it is, fitted over several readings."""
    of_cycles: bool = False
    """Known when a cycle ends, and at no other time."""
    counts_up: bool = False
    """Begins at 0 with the step, or the run, and only grows."""
    signed: bool = False
    """May be below zero."""
    as_measured: bool = False
    """Compared as it is: it comes from the instrument. What is worked out may miss equality by a rounding."""


def _temperature(moment: Moment) -> float | None:
    return moment.temperature


_VOLTAGES = ("voltage", "potential")
_CURRENTS = ("current", "rate")

QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        name="test_time",
        dimension="time",
        column=Column("Test Time / s"),
        live="test_time_s",
        told="Process time of the run under way.",
        metric="test_time_seconds",
    ),
    Quantity(name="unix_time", dimension="time", column=Column("Unix Time / s")),
    Quantity(
        name="voltage",
        signed=True,
        dimension="voltage",
        column=Column("Voltage / V"),
        live="voltage_V",
        told="Voltage of the cell.",
        metric="voltage_volts",
        has_limits=True,
        words={"voltage": _VOLTAGES},
        now=lambda moment: moment.voltage,
        as_measured=True,
    ),
    Quantity(
        name="current",  # positive charges
        signed=True,
        dimension="current",
        column=Column("Current / A"),
        live="current_A",
        told="Current through the cell; positive charges it.",
        metric="current_amperes",
        has_limits=True,
        words={"current": _CURRENTS, "current_density": ("current_density",)},
        now=lambda moment: moment.current,
        as_measured=True,
    ),
    Quantity(
        name="cycle",  # in a condition: number of the cycle that has ended last, 0 before
        dimension="number",
        column=Column("Cycle Count / 1", "int32"),
        live="cycle",
        told="Number of the cycle under way.",
        words={"cycle": ("number",)},
        of_cycles=True,
        counts_up=True,
        as_measured=True,
    ),
    Quantity(
        name="step_count",
        dimension="number",
        column=Column("Step Count / 1", "int32"),
        live="step_count",
        told="Steps begun so far.",
    ),
    Quantity(
        name="step_id",
        dimension="number",
        column=Column("Step ID", "int32"),
        live="step_id",
        told="Number of the step in the recipe.",
    ),
    Quantity(
        name="time",  # in a condition: since the step, or the block, began
        dimension="time",
        column=Column("Step Time / s"),
        live="step_time_s",
        told="Time since the step began.",
        words={"time": ("time",)},
        now=lambda moment: moment.elapsed,
        counts_up=True,
    ),
    Quantity(
        name="temperature",
        dimension="temperature",
        column=Column("Ambient Temperature / degC", nullable=True, zero=273.15),
        live="temperature_degC",
        told="Temperature at the cell.",
        metric="temperature_celsius",
        has_limits=True,
        words={"temperature": ("temperature",)},
        now=_temperature,
        as_measured=True,
    ),
    # These four count from the start of the run and never reset.
    Quantity(name="charged", dimension="charge", column=Column("Charging Capacity / Ah", divisor=3600.0)),
    Quantity(name="discharged", dimension="charge", column=Column("Discharging Capacity / Ah", divisor=3600.0)),
    Quantity(name="charge_energy", dimension="energy", column=Column("Charging Energy / Wh", divisor=3600.0)),
    Quantity(name="discharge_energy", dimension="energy", column=Column("Discharging Energy / Wh", divisor=3600.0)),
    Quantity(
        name="record",
        dimension="number",
        column=Column("Record Index / 1", "int64"),
        live="samples",
        told="Samples of the run under way.",
        metric="samples",
    ),
    # These three belong to the points of an impedance spectrum, whose voltage is the direct one and whose current is 0.
    Quantity(name="frequency", dimension="frequency", column=Column("Frequency / Hz", nullable=True)),
    Quantity(name="real_impedance", dimension="resistance", column=Column("Real Impedance / ohm", nullable=True)),
    Quantity(
        name="imaginary_impedance", dimension="resistance", column=Column("Imaginary Impedance / ohm", nullable=True)
    ),
    # What follows has no column: it is worked out.
    Quantity(
        name="current_magnitude",
        dimension="current",
        words={"current_magnitude": _CURRENTS},
        now=lambda moment: abs(moment.current),
        as_measured=True,
    ),
    Quantity(
        name="power",  # of the current's sign
        signed=True,
        dimension="power",
        words={"power": ("power",)},
        now=lambda moment: moment.voltage * moment.current,
    ),
    Quantity(
        name="charge",  # since the step, or the block, began
        dimension="charge",
        words={
            "charge": ("charge",),
            "capacity": ("charge",),
            "areal_charge": ("areal_charge",),
            "areal_capacity": ("areal_charge",),
            "specific_charge": ("specific_charge",),
            "specific_capacity": ("specific_charge",),
        },
        now=lambda moment: moment.charge,
        counts_up=True,
    ),
    Quantity(
        name="energy",
        dimension="energy",
        words={
            "energy": ("energy",),
            "areal_energy": ("areal_energy",),
            "specific_energy": ("specific_energy",),
        },
        now=lambda moment: moment.energy,
        counts_up=True,
    ),
    Quantity(
        name="voltage_slope",
        signed=True,
        dimension="scan_rate",
        words={"dV/dt": ("scan_rate",), "voltage_slope": ("scan_rate",)},
        slope_of="voltage",
    ),
    Quantity(
        name="current_slope",
        signed=True,
        dimension="current_slope",
        words={"dI/dt": ("current_slope",), "current_slope": ("current_slope",)},
        slope_of="current",
    ),
    Quantity(
        name="temperature_slope",
        signed=True,
        dimension="heating_rate",
        words={"dT/dt": ("heating_rate",), "temperature_slope": ("heating_rate",)},
        slope_of="temperature",
    ),
    Quantity(
        name="voltage_drop",  # below the highest voltage since the step began: the "-dV" of a charge
        dimension="voltage",
        words={"voltage_drop": ("voltage",)},
        now=lambda moment: moment.highest - moment.voltage,
    ),
    Quantity(
        name="voltage_rise",  # above the lowest voltage since the step began
        dimension="voltage",
        words={"voltage_rise": ("voltage",)},
        now=lambda moment: moment.voltage - moment.lowest,
    ),
    Quantity(name="charge_capacity", dimension="charge", words={"charge_capacity": ("charge",)}, of_cycles=True),
    Quantity(name="discharge_capacity", dimension="charge", words={"discharge_capacity": ("charge",)}, of_cycles=True),
    Quantity(
        name="coulombic_efficiency",
        dimension="fraction",
        words={"coulombic_efficiency": ("fraction",)},
        of_cycles=True,
    ),
    Quantity(name="retention", dimension="fraction", words={"retention": ("fraction",)}, of_cycles=True),
)

BY_NAME: dict[str, Quantity] = {quantity.name: quantity for quantity in QUANTITIES}

SAMPLED: tuple[Quantity, ...] = tuple(quantity for quantity in QUANTITIES if quantity.column is not None)
"""Those with a column, in the order of the columns of a sample."""

CYCLE_QUANTITIES: frozenset[str] = frozenset(quantity.name for quantity in QUANTITIES if quantity.of_cycles)


def column_of(name: str) -> Column:
    """Return the column of a quantity that is sampled."""
    column = BY_NAME[name].column
    if column is None:
        raise KeyError(f"{name} has no column")
    return column


# --- auxiliary readings --------------------------------------------------------------------------------------------

_AUXILIARY_COLUMNS = {
    "temperature": ("Temperature", "degC", 1.0, 273.15),
    "voltage": ("Voltage", "V", 1.0, 0.0),
    "current": ("Current", "A", 1.0, 0.0),
    "pressure": ("Pressure", "Pa", 1.0, 0.0),
}
"""Dimension -> title, unit, divisor and zero of an auxiliary column; others keep their SI value."""


@dataclass(frozen=True)
class Auxiliary:
    """What an instrument reads beside voltage and current: a thermocouple, a second voltmeter, a third electrode.

    It becomes a column, a live value, a metric and, by its name, what limits and ends may be about.
    """

    name: str
    """Letters, digits and underscores: ``t_surface``."""
    dimension: str
    """Key of ``units.DIMENSIONS``."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", self.name) or self.name in _TAKEN:
            raise ValueError(f"{self.name!r} is no name for an auxiliary reading; expected letters, digits and '_'")

    @property
    def column(self) -> Column:
        """Its column, labelled like the Battery Data Format's ``Temperature T1 / degC``."""
        title, unit, divisor, zero = _AUXILIARY_COLUMNS.get(
            self.dimension, (self.dimension.replace("_", " ").capitalize(), "SI", 1.0, 0.0)
        )
        return Column(f"{title} {self.name} / {unit}", nullable=True, divisor=divisor, zero=zero)

    @property
    def quantity(self) -> Quantity:
        """It as an entry of the table."""
        name = self.name
        return Quantity(
            name=name,
            dimension=self.dimension,
            column=self.column,
            has_limits=True,
            signed=True,
            words={name: (self.dimension,)},
            now=lambda moment: _known(moment.auxiliary.get(name)),
            as_measured=True,
        )


_TAKEN = frozenset(BY_NAME) | {word for quantity in QUANTITIES for word in quantity.words}


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
