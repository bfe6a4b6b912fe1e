"""Symmetric cells on paper: samples and steps of a run whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from galvanode.analysis import RunData

AREA_CM2 = 0.785
SAMPLES = [
    *("Test Time / s", "Voltage / V", "Current / A", "Cycle Count / 1", "Step Count / 1", "Step Time / s"),
    *("Charging Capacity / Ah", "Discharging Capacity / Ah"),
]
STEPS = pa.schema(
    [
        ("step_count", pa.int32()),
        ("mode", pa.string()),
        ("setpoint", pa.float64()),
        ("started_test_time_s", pa.float64()),
        ("ended_test_time_s", pa.float64()),
        ("end_reason", pa.string()),
        ("attempt", pa.int32()),
    ]
)


@dataclass
class Bench:
    """Runs steps on a cell and keeps what an engine would have stored."""

    resistance: Callable[[float, float, float], float] = lambda time, elapsed, current: 130.0
    """Ohm, of test time, time in the step, current."""
    noise_v: float = 1e-4
    poll_s: float = 10.0
    seed: int = 1
    time: float = 0.0
    charged: float = 0.0
    discharged: float = 0.0
    rows: list[tuple[float, ...]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def step(
        self,
        current: float,
        duration: float,
        reason: str | None = "time",
        mode: str = "current",
        attempt: int = 1,
        elapsed: float = 0.0,
    ) -> None:
        """Hold a current (0: rest) up to ``duration`` seconds of step time."""
        count = len({s["step_count"] for s in self.steps}) + (1 if attempt == 1 else 0)
        started = self.time
        while True:
            volts = current * self.resistance(self.time, elapsed, current) + self.random.gauss(0, self.noise_v)
            cycle = (count + 1) // 2
            self.rows.append((self.time, volts, current, cycle, count, elapsed, self.charged, self.discharged))
            if elapsed >= duration:
                break
            dt = min(self.poll_s, duration - elapsed)
            elapsed += dt
            self.time += dt
            self.charged += max(current, 0.0) * dt / 3600
            self.discharged += max(-current, 0.0) * dt / 3600
        ended = None if reason is None else self.time
        row = dict(zip(STEPS.names, (count, mode, current, started, ended, reason, attempt), strict=True))
        self.steps.append(row)

    def data(self, area_cm2: float | None = AREA_CM2) -> RunData:
        """Return the run as an analysis gets it."""
        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in SAMPLES]
        arrays = [pa.array(c, pa.float64()) for c in columns]
        samples = pa.table(dict(zip(SAMPLES, arrays, strict=True)))
        steps = pa.Table.from_pylist(self.steps, schema=STEPS)
        return RunData(samples, steps, None if area_cm2 is None else area_cm2 * 1e-4)


def amps(density: float) -> float:
    """Return the current of a current density in mA/cm2."""
    return density * 1e-3 * AREA_CM2


def ladder(
    bench: Bench,
    densities: Sequence[float],
    half_cycle_s: float = 1800.0,
    capacity: float | None = None,
    short_above: float = math.inf,
    shorted: float = 0.02,
    told: bool = True,
    onset: float = 0.5,
) -> Bench:
    """Plate and strip at each density until the cell shorts in the first half-cycle above ``short_above``.

    ``capacity`` (mAh/cm2) makes it a ladder of fixed capacity. The resistance falls to ``shorted`` of its
    value at ``onset`` of the half-cycle. ``told``: the engine's detector has seen it and says so.
    """
    sound = bench.resistance
    for density in densities:
        time = half_cycle_s if capacity is None else capacity / density * 3600
        if density <= short_above + 1e-9:
            bench.step(amps(density), time)
            bench.step(-amps(density), time)
            continue
        falls_at = onset * time
        bench.resistance = lambda t, elapsed, i, at=falls_at: sound(t, elapsed, i) * (shorted if elapsed >= at else 1)
        kind = "hard" if shorted < 0.1 else "soft"
        if told:
            bench.step(amps(density), falls_at + 3 * bench.poll_s, f"short_circuit: {kind}: V/I fell")
        else:
            bench.step(amps(density), time)
            bench.step(-amps(density), time)
        break
    return bench
