"""What each step of a run came to: how long it took, what it passed, how many samples, between which voltages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galvanode.store.read import Store
from galvanode.store.schema import CHARGED, DISCHARGED, STEP_COUNT, VOLTAGE

_C_PER_AH = 3600.0


@dataclass(frozen=True)
class ExecutedStep:
    """One step as it was carried out; a step of the recipe has one of these for each turn of its loops."""

    count: int
    """1-based number of the step in the run."""
    step_id: int
    """1-based number of the step in the recipe; 0 for a chamber's temperature."""
    name: str
    mode: str
    cycle: int
    setpoint: float | None
    """In the SI unit of the mode; None where the step has no single one."""
    started_s: float
    duration_s: float
    end_reason: str
    charged_c: float
    """C that went into the cell, 0 or more."""
    discharged_c: float
    """C that came out of it, 0 or more."""
    samples: int
    voltage_v: tuple[float, float] | None
    """Lowest and highest; None without a sample."""

    @property
    def charge_c(self) -> float:
        """C passed in the step, positive for a charge."""
        return self.charged_c - self.discharged_c


def executed_steps(store: Store, run: str) -> list[ExecutedStep]:
    """Return the steps of a run in their order. Raises ``InvalidInput`` if there is no such run."""
    table = store.steps(run).to_pylist()
    record = store.run(run)
    samples = store.samples(run, columns=[STEP_COUNT, VOLTAGE, CHARGED, DISCHARGED])
    found = _by_step(
        samples.column(STEP_COUNT).to_numpy(),
        samples.column(VOLTAGE).to_numpy(),
        samples.column(CHARGED).to_numpy() * _C_PER_AH,
        samples.column(DISCHARGED).to_numpy() * _C_PER_AH,
    )
    steps: list[ExecutedStep] = []
    for row in table:
        measured = found.get(row["step_count"], _NOTHING)
        ended = row["ended_test_time_s"]
        steps.append(
            ExecutedStep(
                count=row["step_count"],
                step_id=row["step_id"],
                name=row["name"],
                mode=row["mode"],
                cycle=row["cycle"],
                setpoint=row["setpoint"],
                started_s=row["started_test_time_s"],
                duration_s=(record.test_time_s if ended is None else ended) - row["started_test_time_s"],
                end_reason=row["end_reason"] or "",
                charged_c=measured.charged_c,
                discharged_c=measured.discharged_c,
                samples=measured.samples,
                voltage_v=measured.voltage_v,
            )
        )
    return steps


@dataclass(frozen=True)
class _Measured:
    charged_c: float
    discharged_c: float
    samples: int
    voltage_v: tuple[float, float] | None


_NOTHING = _Measured(0.0, 0.0, 0, None)


def _by_step(
    counts: NDArray[np.int32],
    voltage: NDArray[np.float64],
    charged: NDArray[np.float64],
    discharged: NDArray[np.float64],
) -> dict[int, _Measured]:
    """Return what the samples of each step come to; the counters run on from step to step, as their differences do."""
    if not counts.size:
        return {}
    first = np.flatnonzero(np.diff(counts, prepend=counts[0] - 1))
    last = np.append(first[1:], counts.size) - 1
    lowest, highest = np.minimum.reduceat(voltage, first), np.maximum.reduceat(voltage, first)
    into, out = (np.diff(counter[last], prepend=0.0) for counter in (charged, discharged))
    return {
        int(counts[at]): _Measured(
            max(0.0, float(into[index])),
            max(0.0, float(out[index])),
            int(last[index] - at + 1),
            (float(lowest[index]), float(highest[index])),
        )
        for index, at in enumerate(first)
    }
