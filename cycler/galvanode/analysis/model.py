"""What an analysis takes and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.errors import InvalidInput

TEST_TIME = "Test Time / s"
VOLTAGE = "Voltage / V"
CURRENT = "Current / A"
CYCLE = "Cycle Count / 1"
STEP = "Step Count / 1"
STEP_TIME = "Step Time / s"
CHARGED = "Charging Capacity / Ah"
DISCHARGED = "Discharging Capacity / Ah"

Floats = NDArray[np.float64]


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

    def column(self, name: str) -> Floats:
        """Return a column of the samples; raise ``InvalidInput`` if it is missing or holds NaN or nulls."""
        if name not in self.samples.column_names:
            raise InvalidInput(f"the samples have no column {name!r}")
        values = self.samples.column(name).to_numpy().astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InvalidInput(f"sample {bad[0] + 1}: {name!r} is not a number; no figure can be trusted")
        return values

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


class Series(TypedDict):
    """One line of a plot."""

    name: str
    unit: str
    values: list[float]


class Plot(TypedDict):
    """A small plot: lines over one abscissa."""

    title: str
    x: Series
    y: list[Series]


def number(value: float | None, unit: str) -> Result:
    """Return a number as a result; what is not finite is not known."""
    return Result(float(value) if value is not None and np.isfinite(value) else None, unit)
