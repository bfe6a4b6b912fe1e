"""The program that a recipe compiles to: plain data in SI units, no behaviour.

The engine walks ``instructions`` with a counter. Loops stay loops (a program of 10,000 cycles has a few
instructions), so what varies from turn to turn is a ``Variable``, looked up when its step begins.
A program survives JSON: ``Program.model_validate_json(program.model_dump_json())`` equals it.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""Version of the program's own layout; a stored program of another version is refused by name."""

Quantity = Literal[
    "voltage", "current", "current_magnitude", "time", "charge", "areal_charge", "energy", "temperature"
]  # V, A, A, s, C, C/m2, J, K; time, charge and energy count from the start of the step, charge in magnitude

OPEN_CIRCUIT = "open_circuit"
"""Name of the variable that is the rest voltage in V, measured when the step that uses it begins."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Variable(_Plain):
    """A number known when the step begins: the loop variable ``name``, or ``OPEN_CIRCUIT``, times ``factor``."""

    name: str
    factor: float = 1.0


Operand = float | Variable


class Condition(_Plain):
    """``quantity comparison value``: ends the step when it holds. Equality counts as reached."""

    quantity: Quantity
    comparison: Literal["<=", ">="]
    value: Operand
    text: str
    """As the recipe says it; becomes the step's end reason."""


class Window(_Plain):
    """Bounds, each None where there is none. Zero is a bound."""

    min: float | None = None
    max: float | None = None


class Limits(_Plain):
    """What trips the run when a reading lies outside. V, A and K at the terminals."""

    voltage: Window = Window()
    current: Window = Window()
    temperature: Window = Window()


class Record(_Plain):
    """When a reading becomes a sample: any of these, and always the first and the last of a step."""

    every_s: float | None = None
    voltage_change: float | None = None
    current_change: float | None = None


class Detector(_Plain):
    """A detector of ``galvanode.analysis.detectors`` by name, with its options."""

    name: str
    options: dict[str, float] = {}


class SweepPlan(_Plain):
    """Voltages run through at a constant rate, starting at the first."""

    vertices: tuple[Operand, ...]
    """V at the terminals. Two are a linear sweep; three or more, the last equal to the first, a cyclic one."""
    rate: float
    """V/s, above 0."""
    step: float
    """V between samples, and of the staircase where the host drives it; above 0."""
    cycles: int = 1
    """How often all the vertices are run through."""


class ImpedancePlan(_Plain):
    """A spectrum from high to low frequency, logarithmically spaced, both ends among it."""

    kind: Literal["potentiostatic", "galvanostatic"]
    frequency_max: float
    """Hz."""
    frequency_min: float
    """Hz, below ``frequency_max``."""
    points_per_decade: int
    amplitude: float
    """V rms (potentiostatic) or A rms (galvanostatic), above 0."""
    bias: Operand | Literal["open_circuit"]
    """V at the terminals (potentiostatic) or A (galvanostatic). At open circuit no direct current flows: the rest
    voltage measured when the step begins, or 0 A."""

    @property
    def points(self) -> int:
        """How many frequencies that is, 2 or more."""
        decades = math.log10(self.frequency_max / self.frequency_min)
        return max(2, round(decades * self.points_per_decade) + 1)


class Step(_Plain):
    """One step that the instrument carries out. Positive current charges (plates)."""

    kind: Literal["step"] = "step"
    mode: Literal["rest", "current", "voltage", "sweep", "impedance"]
    name: str
    """What the recipe calls it: rest, plate, strip, constant_current, constant_voltage ..."""
    step_id: int
    """1-based number of the step in the recipe, the same in every turn of a loop (BDF ``Step ID``). Both phases of
    a charge with a hold after it are one step of the recipe: they share name and number."""
    setpoint: Operand | None = None
    """A or V; None for a rest, a sweep and an impedance."""
    sweep: SweepPlan | None = None
    """Of a sweep, and of nothing else."""
    impedance: ImpedancePlan | None = None
    """Of an impedance, and of nothing else."""
    current_limit: Operand | None = None
    """Magnitude in A that a constant-voltage step or a sweep may draw; None for the cell's envelope."""
    instrument: Literal["cycler", "analyzer"] | None = None
    """Which of the channel's instruments carries it out; None for any that can."""
    until: tuple[Condition, ...]
    """Any of them ends the step. Empty only for what ends by itself: a sweep or an impedance."""
    record: Record
    poll_s: float
    """Process seconds between readings."""
    limits: Limits
    line: int


class Soak(_Plain):
    """What counts as a stable temperature."""

    band: float
    """K to either side of the set temperature, above 0."""
    dwell: float
    """s without a break inside the band."""
    timeout: float
    """s after which a chamber that is not stable fails the run; at least ``dwell``."""


class SetChamber(_Plain):
    """Send the channel's chamber to a temperature. The cell rests meanwhile."""

    kind: Literal["set_chamber"] = "set_chamber"
    temperature: Operand
    """K."""
    soak: Soak | None = None
    """Go on only when the temperature is stable; None to go on at once."""
    line: int


class Retention(_Plain):
    """Discharge capacity of a turn over that of an earlier one."""

    below: float
    """Fraction at which, and below which, the loop is left."""
    of_cycle: int
    """1-based turn of the loop whose discharge capacity counts as 1; nothing is compared before it has ended."""


class Loop(_Plain):
    """Start of a repeated block; the block ends at instruction ``end``, an ``EndLoop``."""

    kind: Literal["loop"] = "loop"
    loop_id: str
    turns: int
    """How often the block runs; for a ladder the number of its values. Where nothing but ``until_s`` or
    ``stop_when_retention`` ends the loop, a ceiling that is not meant to be reached."""
    ladder: dict[str, tuple[float, ...]] = {}
    """Loop variable -> value of each turn: SI, a C-rate as its number (0.2 for 0.2C)."""
    stop_when: tuple[Detector, ...] = ()
    """Any of them, on any reading inside the block, leaves the loop."""
    stop_when_retention: Retention | None = None
    """Leave the loop at the end of the first turn whose discharge capacity has fallen so far."""
    until_s: float | None = None
    """Leave the loop at the end of the first turn that ends this long after the loop began."""
    counts_cycles: bool
    """True for an innermost loop: each of its turns is one cycle."""
    end: int
    line: int


class EndLoop(_Plain):
    """End of the block that began at instruction ``start``."""

    kind: Literal["end_loop"] = "end_loop"
    start: int


Instruction = Annotated[Step | Loop | EndLoop | SetChamber, Field(discriminator="kind")]


class Program(_Plain):
    """A compiled recipe, bound to its parameters and its cell."""

    format: Literal[1] = FORMAT
    title: str
    instructions: tuple[Instruction, ...]
    safety: Limits
    """The recipe's and the cell's limits together; a step's own are at least as tight."""
    parameters: dict[str, str] = {}
    """As used, with units, for people: ``{"half_cycle": "30 min"}``."""
    analyses: tuple[str, ...] = ()
    """Names of ``galvanode.analysis`` to run on the data of this recipe."""
