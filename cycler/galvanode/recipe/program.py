"""The program that a recipe compiles to: plain data in SI units, no behaviour.

The engine walks ``instructions`` with a counter. Loops stay loops (a program of 10,000 cycles has a few
instructions), so what varies from turn to turn, or is known only once it was measured, is an ``Operand``: a number, a
variable, a result of the step that has ended, or arithmetic over those, worked out when its instruction begins.
A program survives JSON: ``Program.model_validate_json(program.model_dump_json())`` equals it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from galvanode.recipe.drives import AnyDrive
from galvanode.recipe.operand import Operand, Plain, Quantity

FORMAT = 3
"""Version of the program's own layout; a stored program of another version is refused by name."""


class Condition(Plain):
    """``quantity comparison value``. Equality counts as reached."""

    kind: Literal["compare"] = "compare"
    quantity: Quantity
    """``value`` compares ``subject``, which is no measurement."""
    comparison: Literal["<=", ">="]
    value: Operand
    text: str
    """As the recipe says it; becomes the step's end reason."""
    magnitude: bool = False
    """Compare the quantity without its sign."""
    over_s: float | None = None
    """Of a slope: fitted over the readings of so many seconds; None for the last ten readings. Not known before."""
    of_cycle: int | None = None
    """Of ``retention``: the 1-based turn of the innermost repeat whose discharge capacity counts as 1."""
    subject: Operand | None = None
    strict: bool = False
    """Equality does not count: of a branch, which looks once and waits for nothing."""


class Detector(Plain):
    """A detector of ``galvanode.analysis.detectors`` by name, with its options: holds once it speaks."""

    kind: Literal["detector"] = "detector"
    name: str
    options: dict[str, float] = Field(default_factory=dict[str, float])


class AllOf(Plain):
    """Every one of them holds, at the same reading."""

    kind: Literal["all"] = "all"
    of: tuple[Test, ...]


class AnyOf(Plain):
    """One of them holds."""

    kind: Literal["any"] = "any"
    of: tuple[Test, ...]


Test = Annotated[Condition | Detector | AllOf | AnyOf, Field(discriminator="kind")]


class Action(Plain):
    """What happens next: ``next`` goes on after the step or block, ``break`` after the innermost repeat."""

    do: Literal["next", "break", "goto", "end", "fail"] = "next"
    """``end`` completes the run, ``fail`` ends it as failed."""
    target: int | None = None
    """Of a ``goto``: the instruction to go on with. The loops that it does not lie in are left."""
    text: str = ""
    """Of an ``end`` or a ``fail`` that stands by itself: why, for people."""
    at_most: int = 10_000
    """Of a ``goto`` that stands by itself: how often it is taken; once more fails the run."""


FAIL = Action(do="fail")


class End(Plain):
    """What ends a step (``until``) or a block (``stop_when``), and what happens then."""

    test: Test
    text: str
    """As the recipe says it; becomes the end reason."""
    then: Action = Action()
    held_s: float = 0.0
    """The test must have held at every reading for so long; one reading is enough for 0."""
    not_before_s: float | None = None
    """The test must not hold sooner after the start of the step or block; if it does, ``otherwise``."""
    by_s: float | None = None
    """The test must have held by then; if not, ``otherwise``."""
    otherwise: Action = FAIL

    @property
    def plain(self) -> Condition | None:
        """The condition, where this is one comparison that leads to what comes next, at once; None otherwise."""
        simple = (
            isinstance(self.test, Condition)
            and self.then.do == "next"
            and self.held_s == 0
            and self.not_before_s is None
            and self.by_s is None
        )
        return self.test if simple and isinstance(self.test, Condition) else None


class Window(Plain):
    """Bounds, each None where there is none. Zero is a bound."""

    min: float | None = None
    max: float | None = None


class Limits(Plain):
    """What trips the run when a reading lies outside. V, A and K at the terminals."""

    voltage: Window = Window()
    current: Window = Window()
    temperature: Window = Window()
    auxiliary: dict[str, Window] = Field(default_factory=dict[str, Window])
    """Of auxiliary readings by name."""

    def windows(self) -> dict[str, Window]:
        """Return every window by the name of what it bounds."""
        return {"voltage": self.voltage, "current": self.current, "temperature": self.temperature, **self.auxiliary}

    @classmethod
    def of(cls, windows: Mapping[str, Window]) -> Limits:
        """Return the limits that have these windows, by the name of what they bound."""
        own = {name: windows[name] for name in ("voltage", "current", "temperature") if name in windows}
        auxiliary = {name: window for name, window in windows.items() if name not in own}
        return cls(**own, auxiliary=auxiliary)


class Record(Plain):
    """When a reading becomes a sample: any of these, and always the first and the last of a step."""

    every_s: float | None = None
    voltage_change: float | None = None
    current_change: float | None = None
    charge_change: float | None = None
    """C, in magnitude."""
    burst_every_s: float | None = None
    """Every so often for the first ``burst_for_s`` of the step; both or neither."""
    burst_for_s: float | None = None


class Step(Plain):
    """One step that the instrument carries out. Positive current charges (plates)."""

    kind: Literal["step"] = "step"
    drive: Annotated[AnyDrive, Field(discriminator="kind")]
    """What is done to the cell."""
    name: str
    """What the recipe calls it: rest, plate, strip, constant_current, constant_voltage ..."""
    step_id: int
    """1-based number of the step in the recipe, the same in every turn of a loop (BDF ``Step ID``). Both phases of
    a charge with a hold after it are one step of the recipe: they share name and number."""
    instrument: Literal["cycler", "analyzer"] | None = None
    """Which of the channel's instruments carries it out; None for any that can."""
    until: tuple[End, ...]
    """Any of them ends the step; the first that holds. Empty only for a drive that ends by itself."""
    record: Record
    poll_s: float
    """Process seconds between readings."""
    limits: Limits
    line: int


class Soak(Plain):
    """What counts as a stable temperature."""

    band: float
    """K to either side of the set temperature, above 0."""
    dwell: float
    """s without a break inside the band."""
    timeout: float
    """s after which a chamber that is not stable fails the run; at least ``dwell``."""


class SetChamber(Plain):
    """Send the channel's chamber to a temperature. The cell rests meanwhile."""

    kind: Literal["set_chamber"] = "set_chamber"
    temperature: Operand
    """K."""
    soak: Soak | None = None
    """Go on only when the temperature is stable; None to go on at once."""
    line: int


class Loop(Plain):
    """Start of a block that is repeated, or (``group``) gone through once; it ends at instruction ``end``."""

    kind: Literal["loop"] = "loop"
    loop_id: str
    group: bool = False
    """Not a loop for ``break``, nor for the counting of cycles."""
    name: str = ""
    turns: int
    """How often the block runs; 1 for a group, for a ladder the number of its values. Where nothing but ``until_s`` or
    ``stop_when`` ends the loop, a ceiling that is not meant to be reached."""
    ladder: dict[str, tuple[float, ...]] = Field(default_factory=dict[str, tuple[float, ...]])
    """Loop variable -> value of each turn: SI, a C-rate as its number (0.2 for 0.2C)."""
    stop_when: tuple[End, ...] = ()
    """Any of them leaves the block, or does what it says: at any reading inside the block, or, if it is about a cycle
    quantity, at the end of a turn. A group's ``for`` is among them."""
    until_s: float | None = None
    """Of a repeat: leave it at the end of the first turn that ends this long after it began."""
    counts_cycles: bool
    """True for an innermost repeat: each of its turns is one cycle."""
    end: int
    line: int


class EndLoop(Plain):
    """End of the block that began at instruction ``start``."""

    kind: Literal["end_loop"] = "end_loop"
    start: int


class Branch(Plain):
    """Go on with the next instruction if the test holds, with instruction ``otherwise`` if not."""

    kind: Literal["branch"] = "branch"
    test: Test
    """Without detectors."""
    text: str
    otherwise: int
    line: int


class Jump(Plain):
    """Do what the action says: a ``goto``, a ``break``, an ``end`` or a ``fail`` that stands as a step."""

    kind: Literal["jump"] = "jump"
    action: Action
    line: int


class Assign(Plain):
    """Set a variable."""

    kind: Literal["assign"] = "assign"
    name: str
    value: Operand
    dimension: str
    text: str
    """The right side, as the recipe says it."""
    line: int


class Ask(Plain):
    """Make the cell safe and wait until somebody has answered."""

    kind: Literal["ask"] = "ask"
    message: str
    wants: Literal["confirmation", "number", "photo"]
    name: str | None = None
    """Variable that a number becomes."""
    dimension: str | None = None
    """Of that number."""
    min: float | None = None
    max: float | None = None
    default: float | None = None
    """Of a number: what a dry run answers, SI."""
    within_s: float | None = None
    """s after which the run fails without an answer; None to wait for as long as it takes."""
    line: int


Instruction = Annotated[Step | Loop | EndLoop | SetChamber | Branch | Jump | Assign | Ask, Field(discriminator="kind")]


class Program(Plain):
    """A compiled recipe, bound to its parameters and its cell."""

    format: Literal[3] = FORMAT
    title: str
    instructions: tuple[Instruction, ...]
    safety: Limits
    """The recipe's and the cell's limits together; a step's own are at least as tight."""
    parameters: dict[str, str] = Field(default_factory=dict[str, str])
    """As used, with units, for people: ``{"half_cycle": "30 min"}``."""
    variables: dict[str, float] = Field(default_factory=dict[str, float])
    """Values that variables have when the program begins, SI: what ``Assign`` and ``Ask`` may change."""
    auxiliaries: dict[str, str] = Field(default_factory=dict[str, str])
    """Name -> dimension of what it asks for beside voltage and current: the channel must have them."""
    analyses: tuple[str, ...] = ()
    """Names of ``galvanode.analysis`` to run on the data of this recipe."""


AllOf.model_rebuild()
AnyOf.model_rebuild()
