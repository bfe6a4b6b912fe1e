"""Runs on paper for impedance, sweeps, holds and cycles: samples and steps whose truth is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galvanode.analysis import Accuracy, RunData
from galvanode.analysis.circuit import parse_circuit

AREA_CM2 = 0.785
THICKNESS_CM = 0.05
FREQUENCY = np.logspace(np.log10(2e5), -1, 71)
BOLTZMANN = 8.617333262e-5
EXACT = Accuracy(0.0, 0.0)
"""What is told of noise alone must hold without an instrument's accuracy."""

LABELS = (
    *("Test Time / s", "Voltage / V", "Current / A", "Cycle Count / 1", "Step Count / 1", "Step Time / s"),
    *("Charging Capacity / Ah", "Discharging Capacity / Ah", "Ambient Temperature / degC"),
    *("Frequency / Hz", "Real Impedance / ohm", "Imaginary Impedance / ohm"),
)

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass
class Paper:
    """A run that is written down step by step."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    time: float = 0.0
    charged: float = 0.0
    discharged: float = 0.0

    def spectrum(self, frequency: Floats, z: Complexes, temperature: float | Sequence[float] | None = 25.0) -> Paper:
        """Measure a spectrum, temperatures in degC."""
        temperatures = temperature if isinstance(temperature, Sequence) else [temperature] * len(frequency)
        start = self.begin("impedance")
        for f, value, celsius in zip(frequency, z, temperatures, strict=True):
            self.time += 0.1 if f <= 0 else max(0.1, 3.0 / f)
            self.row(0.0, 0.0, start, celsius, (f, value.real, value.imag))
        return self.end()

    def sweep(self, potential: Floats, density: Floats, rate: float = 1e-3, attempt: int = 1) -> Paper:
        """Sweep; potential at the terminals in V, current density in mA/cm2."""
        start = self.begin("sweep", attempt=attempt)
        steps = np.abs(np.diff(potential, prepend=potential[:1]))
        for volts, each, dv in zip(potential, density, steps, strict=True):
            self.time += dv / rate
            self.row(volts, each * 1e-3 * AREA_CM2, start)
        return self.end()

    def hold(self, voltage: float, times: Floats, currents: Floats) -> Paper:
        """Hold a voltage."""
        start = self.begin("voltage")
        for elapsed, amps in zip(times, currents, strict=True):
            self.time = start + elapsed
            self.row(voltage, amps, start)
        return self.end()

    def current(self, amps: float, seconds: float, poll: float, cycle: int, reason: str | None = "voltage") -> Paper:
        """Hold a current; the counters are exact."""
        start = self.begin("current")
        elapsed = 0.0
        while True:
            self.row(3.5, amps, start, cycle=cycle)
            if elapsed >= seconds:
                break
            dt = min(poll, seconds - elapsed)
            elapsed += dt
            self.time += dt
            self.charged += max(amps, 0.0) * dt / 3600
            self.discharged += max(-amps, 0.0) * dt / 3600
        return self.end(reason)

    def begin(self, mode: str, attempt: int = 1) -> float:
        count = len({step["step_count"] for step in self.steps}) + (attempt == 1)
        self.steps.append(
            {
                "step_count": count,
                "mode": mode,
                "attempt": attempt,
                "started_test_time_s": self.time,
                "ended_test_time_s": None,
                "end_reason": None,
            }
        )
        return self.time

    def row(
        self,
        volts: float,
        amps: float,
        start: float,
        celsius: float | None = None,
        point: Iterable[float | None] = (None, None, None),
        cycle: int = 0,
    ) -> None:
        count = self.steps[-1]["step_count"]
        counted = (self.charged, self.discharged, celsius)
        self.rows.append((self.time, volts, amps, cycle, count, self.time - start, *counted, *point))

    def end(self, reason: str | None = "end") -> Paper:
        if reason is not None:
            self.steps[-1].update(ended_test_time_s=self.time, end_reason=reason)
        self.time += 60.0
        return self

    def data(self, **fields: Any) -> RunData:
        """Return the run as an analysis gets it."""
        columns = zip(*self.rows, strict=True) if self.rows else [[] for _ in LABELS]
        samples = pa.table({name: pa.array(c, pa.float64()) for name, c in zip(LABELS, columns, strict=True)})
        schema = pa.schema(
            [
                ("step_count", pa.int32()),
                ("mode", pa.string()),
                ("attempt", pa.int32()),
                ("started_test_time_s", pa.float64()),
                ("ended_test_time_s", pa.float64()),
                ("end_reason", pa.string()),
            ]
        )
        known: dict[str, Any] = {"area_m2": AREA_CM2 * 1e-4, "thickness_m": THICKNESS_CM * 1e-2}
        return RunData(samples, pa.Table.from_pylist(self.steps, schema=schema), **{**known, **fields})


def noisy(z: Complexes, noise: float, random: np.random.Generator) -> Complexes:
    """Return a spectrum with noise, of each component, that is a part of |Z|."""
    return z * (1 + noise * (random.normal(size=len(z)) + 1j * random.normal(size=len(z))))


def of(circuit: str, *values: float, frequency: Floats = FREQUENCY) -> Complexes:
    """Return the impedance of a circuit."""
    return parse_circuit(circuit).impedance(frequency, np.array(values))


@dataclass(frozen=True)
class Pellet:
    """An electrolyte between blocking electrodes."""

    conductivity_s_cm: float = 1e-3
    """At 25 degC."""
    energy_ev: float = 0.3
    """Of sigma T."""
    boundaries: float = 0.3
    """Their part of the resistance."""
    boundary_f: float = 1e-8
    tail_q: float = 1e-5
    tail_n: float = 0.9
    electronic_s_cm: float = 1e-9

    @staticmethod
    def drawn(random: np.random.Generator) -> Pellet:
        """Return one of the pellets of a laboratory."""
        return Pellet(
            conductivity_s_cm=10 ** random.uniform(-4.5, -2.5),
            energy_ev=random.uniform(0.2, 0.5),
            boundaries=random.choice([0.0, random.uniform(0.15, 0.6)]),
            boundary_f=10 ** random.uniform(-9, -7.5),
            tail_q=10 ** random.uniform(-6, -4.5),
            tail_n=random.uniform(0.75, 0.98),
            electronic_s_cm=10 ** random.uniform(-11, -8),
        )

    def at(self, kelvin: float) -> float:
        """Return the conductivity in S/cm."""
        factor = np.exp(-self.energy_ev / BOLTZMANN * (1 / kelvin - 1 / 298.15))
        return float(self.conductivity_s_cm * 298.15 / kelvin * factor)

    def impedance(self, frequency: Floats = FREQUENCY, kelvin: float = 298.15) -> Complexes:
        """Return its spectrum in ohm."""
        s = 2j * np.pi * frequency
        whole = THICKNESS_CM / (self.at(kelvin) * AREA_CM2)
        bulk, between = whole * (1 - self.boundaries), whole * self.boundaries
        z = bulk / (1 + s * bulk * 2e-11)
        if between:
            z = z + between / (1 + (s * between * self.boundary_f) ** 0.92)
        z = z + 1 / (self.tail_q * s**self.tail_n)
        leak = THICKNESS_CM / (self.electronic_s_cm * AREA_CM2)
        return z * leak / (z + leak)
