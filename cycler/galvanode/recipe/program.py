"""The program that a recipe compiles to: plain data in SI units, no behaviour.

The engine walks ``instructions`` with a counter. Loops stay loops (a program of 10,000 cycles has a few
instructions), so what varies from turn to turn is a ``Variable``, looked up when its step begins.
A program survives JSON: ``Program.model_validate_json(program.model_dump_json())`` equals it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""Version of the program's own layout; a stored program of another version is refused by name."""

Quantity = Literal[
    "voltage", "current", "time", "charge", "areal_charge", "energy", "temperature"
]  # V, A, s, C, C/m2, J, K; time, charge and energy count from the start of the step, charge in magnitude


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Variable(_Plain):
    """A number known when the step begins: the loop variable ``name`` times ``factor``."""

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


class Step(_Plain):
    """One step that the instrument carries out. Positive current charges (plates)."""

    kind: Literal["step"] = "step"
    mode: Literal["rest", "current", "voltage"]
    name: str
    """What the recipe calls it: rest, plate, strip, constant_current, constant_voltage ..."""
    step_id: int
    """1-based number of the step in the recipe, the same in every turn of a loop (BDF ``Step ID``)."""
    setpoint: Operand | None = None
    """A or V; None for a rest."""
    current_limit: Operand | None = None
    """Magnitude in A that a constant-voltage step may draw; None for the cell's envelope."""
    until: tuple[Condition, ...]
    """Any of them ends the step; a step without one is refused when the recipe is read."""
    record: Record
    poll_s: float
    """Process seconds between readings."""
    limits: Limits
    line: int


class Loop(_Plain):
    """Start of a repeated block; the block ends at instruction ``end``, an ``EndLoop``."""

    kind: Literal["loop"] = "loop"
    loop_id: str
    turns: int
    """How often the block runs; for a ladder the number of its values. Where ``until_s`` alone ends the loop,
    a ceiling that is not meant to be reached."""
    ladder: dict[str, tuple[float, ...]] = {}
    """Loop variable -> value of each turn, SI."""
    stop_when: tuple[Detector, ...] = ()
    """Any of them, on any reading inside the block, leaves the loop."""
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


Instruction = Annotated[Step | Loop | EndLoop, Field(discriminator="kind")]


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
