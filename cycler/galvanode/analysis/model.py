"""What an analysis takes and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NotRequired, TypedDict, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.errors import InvalidInput
from galvanode.quantities import column_of

TEST_TIME = column_of("test_time").label
VOLTAGE = column_of("voltage").label
CURRENT = column_of("current").label
CYCLE = column_of("cycle").label
STEP = column_of("step_count").label
STEP_TIME = column_of("time").label
CHARGED = column_of("charged").label
DISCHARGED = column_of("discharged").label
TEMPERATURE = column_of("temperature").label
FREQUENCY = column_of("frequency").label
REAL_IMPEDANCE = column_of("real_impedance").label
IMAGINARY_IMPEDANCE = column_of("imaginary_impedance").label

Floats = NDArray[np.float64]

T = TypeVar("T")


class Accuracy(NamedTuple):
    """What the instrument may be off by, as a part of the reading: bounds that 95 % of instruments keep.

    The defaults are those of a common potentiostat's data sheet; a source-measure unit is ten times better.
    """

    voltage: float = 1e-3
    current: float = 2e-3

    @property
    def impedance(self) -> float:
        """Of a ratio of voltage and current."""
        return float(np.hypot(self.voltage, self.current))


COMMON_POTENTIOSTAT = Accuracy()


@dataclass(frozen=True)
class RunData:
    """Everything that an analysis may look at."""

    samples: pa.Table
    """In the labels of the Battery Data Format, in order of time."""
    steps: pa.Table
    """``step_count``, ``attempt``, ``mode``, ``started_test_time_s``, ``ended_test_time_s``, ``end_reason``
    and more; may lack rows, and ends of steps that still run."""
    area_m2: float | None
    """Of the cell's electrodes."""
    thickness_m: float | None = None
    """Of the electrolyte."""
    active_mass_kg: float | None = None
    nominal_capacity_c: float | None = None
    """What 1C refers to."""
    reference_offset_v: float = 0.0
    """What to add to a voltage at the terminals to have it against Li+/Li."""
    accuracy: Accuracy = COMMON_POTENTIOSTAT
    """Part of every 95 % interval of a figure that depends on it."""
    circuit: str | None = None
    """For impedance, such as ``R0-p(R1,CPE1)-CPE2``; None: chosen by what describes the spectrum."""
    series_resistance_ohm: float | None = None
    """By which potentials of sweeps are corrected; None: they are not."""
    _kept: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)

    def column(self, name: str) -> Floats:
        """Return a column of the samples; raise ``InvalidInput`` if it is missing or holds NaN or nulls."""
        if name not in self.samples.column_names:
            raise InvalidInput(f"the samples have no column {name!r}")
        values = self.samples.column(name).to_numpy().astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InvalidInput(f"sample {bad[0] + 1}: {name!r} is not a number; no figure can be trusted")
        return values

    def nullable(self, name: str) -> Floats:
        """Return a column with NaN where a sample has no value; all NaN if there is no such column."""
        if name not in self.samples.column_names:
            return np.full(self.samples.num_rows, np.nan)
        return self.samples.column(name).to_numpy().astype(np.float64)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """Return what ``compute`` returns, computed once: several analyses look at the same spectra."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]

    def area_cm2(self) -> float:
        """Return the electrode area; raise ``InvalidInput`` if it is not known."""
        if self.area_m2 is None or not 0 < self.area_m2 < np.inf:
            raise InvalidInput(f"the cell's area is {self.area_m2} m2; expected one above 0, for current densities")
        return self.area_m2 * 1e4


@dataclass(frozen=True)
class Result:
    """One figure for people: a number with its unit, a word, or None where the data do not tell."""

    value: float | str | None
    unit: str | None = None
    low: float | None = None
    """Lower end of the 95 % interval, where there is one."""
    high: float | None = None


class Series(TypedDict):
    """One line of a plot."""

    name: str
    unit: str
    values: list[float]
    x: NotRequired[list[float]]
    """Its own abscissa, instead of the plot's."""
    markers: NotRequired[bool]
    """Points rather than a line."""


class Plot(TypedDict):
    """A small plot: lines over an abscissa."""

    title: str
    x: Series
    y: list[Series]
    equal_axes: NotRequired[bool]
    """One unit is as long on both axes."""
    log_x: NotRequired[bool]
    log_y: NotRequired[bool]


def number(value: float | None, unit: str) -> Result:
    """Return a number as a result; what is not finite is not known."""
    return Result(float(value) if value is not None and np.isfinite(value) else None, unit)


def interval(value: float | None, low: float | None, high: float | None, unit: str) -> Result:
    """Return a number with its 95 % interval; bounds that are not finite are left out."""
    if value is None or not np.isfinite(value):
        return Result(None, unit)
    bounds = [None if b is None or not np.isfinite(b) else float(b) for b in (low, high)]
    return Result(float(value), unit, *bounds)


_CUT_SHORT = frozenset({"pause", "stop", "interrupt", "tripped", "communication_lost", "failed"})
"""How the end reason of a step begins that did not come to its own end."""


def came_to_its_end(reason: str | None) -> bool:
    """Tell from its end reason whether a step ended by itself; one that still runs has none."""
    return reason is not None and reason.split(":")[0] not in _CUT_SHORT
