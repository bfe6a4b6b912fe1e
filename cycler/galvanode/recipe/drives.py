"""What a step of a program does to the cell: one class for each way, which says all that the house asks about it.

A drive is plain data in SI. Who needs to know something about a step (how long it takes, what it holds, which
instrument can do it) asks its drive; nobody compares kinds. Adding a way is a class here and a carrier of the engine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple

from galvanode.recipe.formula import parts
from galvanode.recipe.intervals import Bounds, value_of
from galvanode.recipe.operand import OPEN_CIRCUIT, Formula, Operand, Plain, Variable
from galvanode.units import format_quantity

Say = Callable[[Operand, str], str]
"""Puts an operand of a dimension into words."""
Known = Callable[[Operand | None], tuple[float, ...] | None]
"""Returns every number that an operand may be; None where that is not known before the run."""
Sign = Literal[-1, 0, 1]

_PERIODS = 3.0
"""Of the sine that a point of a spectrum takes: one to settle, two to measure (convention)."""
_OVERHEAD_S = 1.0
"""That an instrument may take for a point besides: to choose ranges, to send it."""


class Reached(NamedTuple):
    """A value that the instrument must be able to set."""

    what: str
    value: Operand
    dimension: Literal["voltage", "current"]


class Drive(Plain):
    """What holds for a drive unless its class says otherwise."""

    dimension: ClassVar[str | None] = None
    """Of what is held."""
    ends_by_itself: ClassVar[bool] = False
    """Over when what it does has been done."""
    records_itself: ClassVar[bool] = False
    """What it records follows from what it does."""
    in_one_piece: ClassVar[bool] = False
    """Cannot be taken up in its middle: it is repeated from its start."""
    limits_current: ClassVar[bool] = False
    """The current is what the cell draws, up to a limit at which the instrument itself acts."""
    counted: ClassVar[Literal["charge", "energy"] | None] = None
    """What grows at the rate that is held."""
    polled_as: ClassVar[str | None] = None
    """Mode of an instrument with which the host can do it, reading by reading; None for not at all."""
    scripted_as: ClassVar[str | None] = None
    """Mode of an instrument that does it by itself; None where there is none."""
    prefers: ClassVar[Literal["cycler", "analyzer"]] = "cycler"
    """Which instrument does it better, where both can."""

    @property
    def held(self) -> Operand | None:
        """What is held constant: A, V, W or ohm."""
        return None

    @property
    def signed(self) -> Sign:
        """Sign that what is held must have when it is worked out; 0 where either will do."""
        return 0

    @property
    def limit(self) -> Operand | None:
        """Magnitude in A that may be drawn; None for the cell's envelope."""
        return None

    @property
    def by_host_only(self) -> bool:
        """The host must regulate from reading to reading."""
        return self.scripted_as is None

    @property
    def lasts_s(self) -> float | None:
        """When it ends by itself, where that is known beforehand."""
        return None

    @property
    def may_discharge(self) -> bool:
        """A negative current may flow."""
        return False

    def operands(self) -> tuple[Operand, ...]:
        """Return everything that is worked out when the step begins."""
        return tuple(item for item in (self.held, self.limit) if item is not None)

    def needs_rest_voltage(self) -> bool:
        """Tell whether the voltage at rest must be measured first."""
        needed = (part for operand in self.operands() for part in parts(operand))
        return any(isinstance(part, Variable) and part.name == OPEN_CIRCUIT for part in needed)

    def sign(self, known: Known) -> int:
        """Return 1 where it charges, -1 where it discharges, 0 where it may do either or none."""
        del known
        return self.signed

    def constant(self, quantity: str, known: Known) -> tuple[tuple[float, ...], str] | None:
        """Return what a quantity is throughout, by every value of what is held, and why; None where it may vary."""
        del quantity, known
        return None

    def own_end(self, variables: Mapping[str, Bounds]) -> Bounds | None:
        """Return when it ends by itself, s; None for never."""
        del variables
        return None if self.lasts_s is None else Bounds(self.lasts_s, self.lasts_s)

    def own_samples(self) -> float | None:
        """Return how many samples it makes; None where time and the step's record decide."""
        return None

    def changes(self) -> int:
        """Return how many samples its own changes make beside the record's."""
        return 0

    def reaches(self) -> Iterator[Reached]:
        """Yield what the instrument must be able to set."""
        if self.limit is not None:
            yield Reached("current limit", self.limit, "current")

    def paces(self, known: Known) -> Iterator[tuple[str, float]]:
        """Yield what it asks of the instrument's speed: what, and the time for one reading in s."""
        del known
        yield from ()

    def text(self, say: Say) -> str:
        """Return what is set, for people."""
        held = "" if self.held is None or self.dimension is None else say(self.held, self.dimension)
        return held if self.limit is None else f"{held}, at most {say(self.limit, 'current')}"

    def end_text(self) -> str:
        """Return how it ends by itself, for people; empty for what does not."""
        return ""

    def record_text(self) -> str | None:
        """Return what is recorded, for people; None where the step's record says it."""
        return None


class Rest(Drive):
    """No current: open circuit."""

    kind: Literal["rest"] = "rest"
    polled_as: ClassVar[str | None] = "rest"
    scripted_as: ClassVar[str | None] = "rest"

    def constant(self, quantity: str, known: Known) -> tuple[tuple[float, ...], str] | None:
        """Return that nothing flows."""
        del known
        none = quantity in ("current", "current_magnitude", "power", "charge", "energy")
        return ((0.0,), "no current flows in a rest") if none else None


class _Held(Drive):
    setpoint: Operand

    @property
    def held(self) -> Operand:
        return self.setpoint

    def _as_held(self, known: Known) -> tuple[tuple[float, ...], str] | None:
        numbers = known(self.setpoint)
        return None if numbers is None else (numbers, f"the step holds its {self.dimension} constant")


class _Directed(_Held):
    """A current or a power: its sign is the direction."""

    required_sign: Sign = 0
    """Sign that the set point must have when it is worked out; 0 where either will do."""

    @property
    def signed(self) -> Sign:
        return self.required_sign

    @property
    def may_discharge(self) -> bool:
        if isinstance(self.setpoint, Variable) and self.required_sign != 0:
            return self.required_sign < 0
        return not isinstance(self.setpoint, float) or self.setpoint < 0

    def sign(self, known: Known) -> int:
        numbers = known(self.setpoint)
        if self.required_sign or numbers is None:
            return self.required_sign
        return 1 if min(numbers) > 0 else -1 if max(numbers) < 0 else 0


class Current(_Directed):
    """A current that the instrument holds, A."""

    kind: Literal["current"] = "current"
    dimension: ClassVar[str | None] = "current"
    counted: ClassVar[Literal["charge", "energy"] | None] = "charge"
    polled_as: ClassVar[str | None] = "current"
    scripted_as: ClassVar[str | None] = "current"

    def constant(self, quantity: str, known: Known) -> tuple[tuple[float, ...], str] | None:
        """Return the current that is held."""
        return self._as_held(known) if quantity in ("current", "current_magnitude") else None

    def reaches(self) -> Iterator[Reached]:
        """Yield the current."""
        yield Reached("set point", self.setpoint, "current")

    def drawn_at(self, voltage: Operand) -> Operand:
        """Return the magnitude of the current at a voltage, A: the same at any."""
        del voltage
        return magnitude(self.setpoint)


class Voltage(_Held):
    """A voltage at the terminals that the instrument holds, V."""

    kind: Literal["voltage"] = "voltage"
    dimension: ClassVar[str | None] = "voltage"
    limits_current: ClassVar[bool] = True
    polled_as: ClassVar[str | None] = "voltage"
    scripted_as: ClassVar[str | None] = "voltage"

    current_limit: Operand | None = None
    """Magnitude in A that it may draw; None for the cell's envelope."""
    direction: Sign = 0
    """Of the hold after a charge (+1) or a discharge (-1): which way its current may flow; 0 for either."""

    @property
    def limit(self) -> Operand | None:
        """What it may draw."""
        return self.current_limit

    @property
    def may_discharge(self) -> bool:
        """It depends on the cell."""
        return True

    def reaches(self) -> Iterator[Reached]:
        """Yield the voltage, and the current limit."""
        yield Reached("set point", self.setpoint, "voltage")
        yield from super().reaches()


class Power(_Directed):
    """A power, W; the host works the current out from the voltage of the reading before."""

    kind: Literal["power"] = "power"
    dimension: ClassVar[str | None] = "power"
    counted: ClassVar[Literal["charge", "energy"] | None] = "energy"
    polled_as: ClassVar[str | None] = "current"

    def constant(self, quantity: str, known: Known) -> tuple[tuple[float, ...], str] | None:
        """Return the power that is held."""
        return self._as_held(known) if quantity == "power" else None

    def drawn_at(self, voltage: Operand) -> Operand:
        """Return the magnitude of the current at a voltage, A: P/V."""
        return _quotient(self.setpoint, voltage)


class Resistance(_Held):
    """A load that discharges the cell, ohm; the host works the current out."""

    kind: Literal["resistance"] = "resistance"
    dimension: ClassVar[str | None] = "resistance"
    polled_as: ClassVar[str | None] = "current"

    @property
    def signed(self) -> Sign:
        """A load is above 0."""
        return 1

    @property
    def may_discharge(self) -> bool:
        """That is what a load does."""
        return True

    def drawn_at(self, voltage: Operand) -> Operand:
        """Return the magnitude of the current at a voltage, A: V/R."""
        return _quotient(voltage, self.setpoint)


class Profile(Drive):
    """A current or a power that changes with time; each value holds until the next one's time."""

    kind: Literal["profile"] = "profile"
    ends_by_itself: ClassVar[bool] = True
    polled_as: ClassVar[str | None] = "current"

    quantity: Literal["current", "power"]
    times: tuple[float, ...]
    """s after the start of the step, increasing; the first is 0, the last is where the profile ends."""
    values: tuple[float, ...]
    """A or W, positive charges; as many as ``times``. The last one is not applied: it ends there."""

    @property
    def lasts_s(self) -> float:
        """The time of the last point."""
        return self.times[-1]

    @property
    def may_discharge(self) -> bool:
        """It may."""
        return True

    def changes(self) -> int:
        """Return how many points there are."""
        return len(self.times)

    def reaches(self) -> Iterator[Reached]:
        """Yield the least and the most of a current."""
        if self.quantity == "current":
            yield Reached("profile's value", min(self.values), "current")
            yield Reached("profile's value", max(self.values), "current")

    def paces(self, known: Known) -> Iterator[tuple[str, float]]:
        """Yield the shortest time between two points."""
        del known
        yield "follows a profile that changes after", min(later - sooner for sooner, later in pairwise(self.times))

    def text(self, say: Say) -> str:
        """Return the range of the profile."""
        low, high = (say(value, self.quantity) for value in (min(self.values[:-1]), max(self.values[:-1])))
        return f"{self.quantity} from {low} to {high}, {len(self.times)} points"

    def end_text(self) -> str:
        """Return when it ends."""
        return f"end of profile after {format_quantity(self.lasts_s, 'time')}"


class Sweep(Drive):
    """Voltages run through at a constant rate, starting at the first."""

    kind: Literal["sweep"] = "sweep"
    ends_by_itself: ClassVar[bool] = True
    records_itself: ClassVar[bool] = True
    in_one_piece: ClassVar[bool] = True
    limits_current: ClassVar[bool] = True
    polled_as: ClassVar[str | None] = "voltage"
    scripted_as: ClassVar[str | None] = "sweep"
    prefers: ClassVar[Literal["cycler", "analyzer"]] = "analyzer"

    vertices: tuple[Operand, ...]
    """V at the terminals. Two are a linear sweep; three or more, the last equal to the first, a cyclic one."""
    rate: Operand
    """V/s, above 0; one ladder may lead through several."""
    step: float
    """V between samples, and of the staircase where the host drives it; above 0."""
    cycles: int = 1
    """How often all the vertices are run through."""
    compensated: Operand | None = None
    """Resistance in ohm whose voltage drop is added to what is applied (iR correction); None for none. Driven by the
    host, from the current of the reading before."""
    current_limit: Operand | None = None
    """Magnitude in A that it may draw; None for the cell's envelope."""

    @property
    def limit(self) -> Operand | None:
        """What it may draw."""
        return self.current_limit

    @property
    def by_host_only(self) -> bool:
        """An iR correction goes from reading to reading."""
        return self.compensated is not None

    @property
    def may_discharge(self) -> bool:
        """It depends on the cell."""
        return True

    def operands(self) -> tuple[Operand, ...]:
        """Return vertices, rate, resistance and limit."""
        others = (item for item in (self.compensated, self.current_limit) if item is not None)
        return (*self.vertices, self.rate, *others)

    def own_end(self, variables: Mapping[str, Bounds]) -> Bounds:
        """Return its span over its rate."""
        legs = [_distance(first, second, variables) for first, second in pairwise(self.vertices)]
        rate = value_of(self.rate, variables)
        return Bounds(
            self.cycles * math.fsum(leg.low for leg in legs) / rate.high,
            self.cycles * math.fsum(leg.high for leg in legs) / rate.low,
        )

    def reaches(self) -> Iterator[Reached]:
        """Yield the current limit and the vertices."""
        yield from super().reaches()
        for vertex in self.vertices:
            yield Reached("vertex", vertex, "voltage")

    def paces(self, known: Known) -> Iterator[tuple[str, float]]:
        """Yield the time at one voltage, at the fastest rate."""
        rates = known(self.rate)
        if rates:
            yield "stays at a voltage of its sweep for", self.step / max(rates)

    def text(self, say: Say) -> str:
        """Return what is run through and how fast."""
        vertices = " to ".join(say(vertex, "voltage") for vertex in self.vertices)
        times = f", {self.cycles} times" if self.cycles > 1 else ""
        corrected = "" if self.compensated is None else f", {say(self.compensated, 'resistance')} made up for"
        limited = "" if self.current_limit is None else f", at most {say(self.current_limit, 'current')}"
        return f"{vertices} at {say(self.rate, 'scan_rate')}{times}{corrected}{limited}"

    def end_text(self) -> str:
        """Return that it ends."""
        return "end of sweep"

    def record_text(self) -> str:
        """Return the voltage between samples."""
        return f"every {format_quantity(self.step, 'voltage')}"


class Impedance(Drive):
    """A spectrum from high to low frequency, logarithmically spaced, both ends among it."""

    kind: Literal["impedance"] = "impedance"
    ends_by_itself: ClassVar[bool] = True
    records_itself: ClassVar[bool] = True
    in_one_piece: ClassVar[bool] = True
    scripted_as: ClassVar[str | None] = "impedance"
    prefers: ClassVar[Literal["cycler", "analyzer"]] = "analyzer"

    control: Literal["potentiostatic", "galvanostatic"]
    """Whether the voltage or the current is driven."""
    frequency_max: float
    """Hz."""
    frequency_min: float
    """Hz, below ``frequency_max``."""
    points_per_decade: int
    amplitude: float
    """V rms (potentiostatic) or A rms (galvanostatic), above 0."""
    averages: int = 1
    """How often the whole spectrum is measured; every one of them is recorded."""
    bias: Operand | Literal["open_circuit"]
    """V at the terminals (potentiostatic) or A (galvanostatic). At open circuit no direct current flows: the rest
    voltage measured when the step begins, or 0 A."""

    @property
    def points(self) -> int:
        """How many frequencies that is, 2 or more."""
        decades = math.log10(self.frequency_max / self.frequency_min)
        return max(2, round(decades * self.points_per_decade) + 1)

    def operands(self) -> tuple[Operand, ...]:
        """Return the bias."""
        return () if isinstance(self.bias, str) else (self.bias,)

    def needs_rest_voltage(self) -> bool:
        """Tell whether it is measured about the rest voltage."""
        about_rest = isinstance(self.bias, str) and self.control == "potentiostatic"
        return about_rest or super().needs_rest_voltage()

    def own_end(self, variables: Mapping[str, Bounds]) -> Bounds:
        """Return the time of a spectrum: some periods of each frequency."""
        del variables
        ratio = (self.frequency_min / self.frequency_max) ** (1 / (self.points - 1))
        periods_s = math.fsum(1 / (self.frequency_max * ratio**point) for point in range(self.points))
        once = Bounds(_PERIODS * periods_s, _PERIODS * periods_s + _OVERHEAD_S * self.points)
        return once.times(self.averages)

    def own_samples(self) -> float:
        """Return the number of points of all spectra."""
        return float(self.points * self.averages)

    def text(self, say: Say) -> str:
        """Return frequencies, amplitude and bias."""
        driven = "voltage" if self.control == "potentiostatic" else "current"
        first, last = (format_quantity(hertz, "frequency") for hertz in (self.frequency_max, self.frequency_min))
        bias = "open circuit" if isinstance(self.bias, str) else say(self.bias, driven)
        times = f", {self.averages} times" if self.averages > 1 else ""
        amplitude = format_quantity(self.amplitude, driven)
        return f"{first} to {last}, {self.points} points, {amplitude} rms at {bias}{times}"

    def end_text(self) -> str:
        """Return that it ends."""
        return "end of spectrum"

    def record_text(self) -> str:
        """Return that every point is recorded."""
        return "every frequency"


AnyDrive = Rest | Current | Voltage | Power | Resistance | Profile | Sweep | Impedance
Flowing = Current | Power | Resistance
"""What makes a current flow that can be told from the voltage."""

KINDS: dict[str, type[Drive]] = {
    drive.model_fields["kind"].default: drive
    for drive in (Rest, Current, Voltage, Power, Resistance, Profile, Sweep, Impedance)
}
"""By the word that a run's tables have for it (``mode``)."""


def magnitude(value: Operand) -> Operand:
    """Return the magnitude of a set point, whose sign is its factor's where it is a variable's."""
    if isinstance(value, float):
        return abs(value)
    if isinstance(value, Variable):
        return Variable(name=value.name, factor=abs(value.factor))
    return Formula(op="abs", of=(value,))


def _quotient(first: Operand, second: Operand) -> Operand:
    """Return the magnitude of a quotient; 0 of nothing over 0."""
    if isinstance(first, float) and isinstance(second, float):
        return abs(first / second) if second != 0.0 else 0.0
    return magnitude(Formula(op="/", of=(first, second)))


def _distance(first: Operand, second: Operand, variables: Mapping[str, Bounds]) -> Bounds:
    a, b = value_of(first, variables), value_of(second, variables)
    return Bounds(max(0.0, a.low - b.high, b.low - a.high), max(a.high - b.low, b.high - a.low))
