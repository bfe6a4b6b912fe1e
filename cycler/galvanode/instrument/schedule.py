"""What an instrument that runs the whole recipe by itself is asked to do, and what it has measured. SI units.

A schedule is plain: numbers known beforehand, steps in a row, blocks with a count. Whatever a recipe says beyond that
(a formula over what was measured, a branch, a question to the operator) needs the host and is refused before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from galvanode.errors import GalvanodeError
from galvanode.instrument.reading import Reading


class CannotExpress(GalvanodeError):
    """The instrument cannot do what a line of the recipe asks for; nothing was sent."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line
        """1-based line of the recipe."""
        self.what = what
        """What cannot be done, and by whom."""


@dataclass(frozen=True)
class Rest:
    """Leave the cell at open circuit."""


@dataclass(frozen=True)
class Current:
    """Hold a current."""

    current: float
    """A, positive charges; not 0."""


@dataclass(frozen=True)
class Voltage:
    """Hold a voltage at the terminals."""

    voltage: float
    """V."""
    current_limit: float
    """A of either sign that may be drawn, above 0."""


@dataclass(frozen=True)
class Power:
    """Hold a power."""

    power: float
    """W, positive charges; not 0."""


@dataclass(frozen=True)
class Load:
    """Discharge through a resistance that the instrument plays."""

    resistance: float
    """ohm, above 0."""


Drive = Rest | Current | Voltage | Power | Load


@dataclass(frozen=True)
class Ending:
    """Ends a step when it holds; equality counts."""

    quantity: Literal["time", "voltage", "current", "current_magnitude", "charge", "energy"]
    """Time, charge and energy are those since the step began, the last two in magnitude."""
    comparison: Literal["<=", ">="]
    value: float
    """s, V, A, C or J."""
    text: str = ""
    """As the recipe says it."""


@dataclass(frozen=True)
class Bounds:
    """What ends the run at once when a measurement lies outside; None where there is no bound. Zero is a bound."""

    voltage_min: float | None = None
    """V."""
    voltage_max: float | None = None
    """V."""
    current_min: float | None = None
    """A, positive charges."""
    current_max: float | None = None
    """A, positive charges."""
    temperature_min: float | None = None
    """K."""
    temperature_max: float | None = None
    """K."""


@dataclass(frozen=True)
class Recording:
    """When a measurement is recorded: any of these, and always the first and the last of a step."""

    every_s: float | None = None
    voltage_change: float | None = None
    """V."""
    current_change: float | None = None
    """A."""
    charge_change: float | None = None
    """C, in magnitude."""
    burst_every_s: float | None = None
    """Every so often for the first ``burst_for_s`` of the step; both or neither."""
    burst_for_s: float | None = None


@dataclass(frozen=True)
class ScheduledStep:
    """One step."""

    number: int
    """1-based, in the order of the schedule, the same in every turn of a block; records carry it."""
    name: str
    """What the recipe calls it."""
    drive: Drive
    ends: tuple[Ending, ...]
    """Any of them ends the step; at least one."""
    record: Recording
    bounds: Bounds
    line: int


@dataclass(frozen=True)
class Repeat:
    """A block that is run ``times`` times."""

    body: tuple[Item, ...]
    times: int
    """1 or more."""
    line: int


Item = ScheduledStep | Repeat


@dataclass(frozen=True)
class Schedule:
    """All that the instrument runs, from the first item to the last."""

    title: str
    items: tuple[Item, ...]

    @property
    def steps(self) -> tuple[ScheduledStep, ...]:
        """Every step once, in order; ``steps[n - 1].number`` is ``n``."""
        return tuple(_steps(self.items))


def _steps(items: tuple[Item, ...]) -> Iterator[ScheduledStep]:
    for item in items:
        if isinstance(item, ScheduledStep):
            yield item
        else:
            yield from _steps(item.body)


class Record(NamedTuple):
    """One measurement that the instrument has recorded."""

    number: int
    """1-based and without a gap since the schedule began."""
    step: int
    """``ScheduledStep.number``."""
    begins: bool
    """It is the first of the step, or of the step's next turn."""
    time_s: float
    """The instrument's time since the step began."""
    voltage: float
    """V."""
    current: float
    """A, positive charges."""
    charge: float
    """C since the step began, in magnitude, as the instrument counts it."""
    energy: float
    """J since the step began, in magnitude, as the instrument counts it."""
    unix_time_s: float | None = None
    """The instrument's own clock, as good as that is; None if it has none."""


ScheduleState = Literal["running", "paused", "finished", "stopped", "protected"]
"""``stopped`` by whomever, ``protected`` by a bound or by the instrument's own limits. The output is off in the last
three."""


class Followed(NamedTuple):
    """What has been recorded since the last look."""

    records: list[Record]
    """In order, the first being the one after the record asked for; a bounded number of them."""
    more: bool
    """More records wait already: look again at once."""
    state: ScheduleState
    """As it was before the records were taken: one that is over and has no more has been fetched whole."""
    reason: str
    """Why it is in this state, in the instrument's own words; empty where it says nothing."""
    now: Reading | None
    """What flows at this moment; None where nothing does."""
