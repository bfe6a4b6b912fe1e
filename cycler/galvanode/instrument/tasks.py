"""What an instrument that runs a whole step by itself is asked to do, and what it sends back. SI units.

What is held or swept is sampled as the task begins, within 0.1 s or with the first interval if that is shorter, then
after each interval. Cut-offs act on every sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from galvanode.instrument.reading import Reading


@dataclass(frozen=True)
class Cutoff:
    """Ends the task on the instrument itself when it holds; equality counts."""

    quantity: Literal["voltage", "current"]
    comparison: Literal["<=", ">="]
    value: float


@dataclass(frozen=True)
class OpenCircuit:
    """Measure the voltage without current (chronopotentiometry with the cell off)."""

    duration_s: float
    interval_s: float


@dataclass(frozen=True)
class HoldCurrent:
    """Hold a current (chronopotentiometry); positive charges."""

    current: float
    duration_s: float
    interval_s: float


@dataclass(frozen=True)
class HoldVoltage:
    """Hold a voltage (chronoamperometry) with at most ``current_limit`` A of either sign."""

    voltage: float
    current_limit: float
    duration_s: float
    interval_s: float


@dataclass(frozen=True)
class Sweep:
    """Linear sweep through ``vertices`` in turn, starting at the first, ``cycles`` times.

    Two vertices are a linear sweep; three or more, the last equal to the first, a cyclic voltammogram.
    """

    vertices: tuple[float, ...]
    rate: float
    """V/s, above 0."""
    step: float
    """V between samples, above 0."""
    current_limit: float
    cycles: int = 1


@dataclass(frozen=True)
class Impedance:
    """Impedance spectrum from high to low frequency, logarithmically spaced."""

    kind: Literal["potentiostatic", "galvanostatic"]
    frequency_max: float
    """Hz."""
    frequency_min: float
    """Hz."""
    points: int
    amplitude: float
    """V rms or A rms."""
    bias: float
    """V (potentiostatic, against the cell's terminals) or A (galvanostatic)."""
    current_limit: float


Task = OpenCircuit | HoldCurrent | HoldVoltage | Sweep | Impedance


class ImpedancePoint(NamedTuple):
    """One frequency of a spectrum. Z = real + j imaginary; a capacitor's imaginary part is negative."""

    time_s: float
    """Instrument's time since the task began."""
    frequency: float
    """Hz."""
    real: float
    """ohm."""
    imaginary: float
    """ohm."""
    voltage: float
    """V, DC at the terminals while it was measured."""


class Collected(NamedTuple):
    """What has arrived since the last look."""

    items: list[Reading | ImpedancePoint]
    finished: bool
    """The task has ended on the instrument, and the cell is off there."""
    ended_by: Cutoff | None
    """The cut-off that ended it; None if it ran to its end."""
