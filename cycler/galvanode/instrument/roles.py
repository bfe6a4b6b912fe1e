"""Roles: what the engine may ask of an instrument. A driver implements one or more of them.

Structural types (``typing.Protocol``): a driver inherits nothing from here.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, Self, runtime_checkable

from galvanode.errors import GalvanodeError
from galvanode.instrument.accuracy import Accuracy
from galvanode.instrument.reading import ChamberReading, Reading
from galvanode.instrument.schedule import Followed, Schedule
from galvanode.instrument.tasks import Collected, Cutoff, Task
from galvanode.quantities import Auxiliary


class UnsafeState(GalvanodeError):
    """The safe state could not be verified by read-back: current may be flowing."""


class OutOfRange(GalvanodeError):
    """A set point that the instrument cannot do; nothing was sent."""


class CannotHold(OutOfRange):
    """A bound of an envelope that the instrument cannot be set to."""

    def __init__(self, bound: Literal["voltage", "current"], message: str) -> None:
        super().__init__(message)
        self.bound = bound


@contextmanager
def holding(bound: Literal["voltage", "current"]) -> Generator[None]:
    """Inside, a value out of range is a bound of the envelope. Raises ``CannotHold``."""
    try:
        yield
    except OutOfRange as error:
        raise CannotHold(bound, str(error)) from error


class InstrumentError(GalvanodeError):
    """The instrument refused a command or is not what the bench file says it is."""


@dataclass(frozen=True)
class Capabilities:
    """What a cycler channel can do; the engine refuses a program that asks for more."""

    modes: frozenset[Literal["rest", "current", "voltage", "sweep", "impedance"]]
    voltage: tuple[float, float]
    """V, lowest and highest."""
    current: tuple[float, float]
    """A, lowest and highest."""
    fastest_poll_s: float
    """Shortest real time between two readings, s."""
    current_floor: float = 1e-6
    """A by which a current that is held may read wrong, whatever its size: offset of the lowest ranges."""
    frequency: tuple[float, float] | None = None
    """Hz, lowest and highest of an impedance measurement; None without one."""
    auxiliaries: tuple[Auxiliary, ...] = ()
    """What is read beside voltage and current: ``Reading.auxiliary`` has one for each."""
    accuracy: Accuracy | None = None
    """Of readings, by the data sheet; None where no data sheet was read."""


@dataclass(frozen=True)
class Envelope:
    """Bounds that the instrument itself must hold, programmed before the output goes on. V and A.

    Raises ``OutOfRange`` for bounds that bound nothing: NaN, infinity, a window that is empty.
    """

    voltage_min: float
    voltage_max: float
    current_max: float
    """Magnitude, either sign."""

    def __post_init__(self) -> None:
        finite = all(math.isfinite(bound) for bound in (self.voltage_min, self.voltage_max, self.current_max))
        if not (finite and self.voltage_min < self.voltage_max and self.current_max > 0):
            raise OutOfRange(f"{self} bounds nothing; expected finite numbers, a window and a current above zero")


@dataclass(frozen=True)
class Identity:
    """Who answers: the four fields of ``*IDN?`` or what comes closest."""

    manufacturer: str
    model: str
    serial: str
    firmware: str


@runtime_checkable
class Instrument(Protocol):
    """What every unit does, and each of its channels."""

    async def identify(self) -> Identity:
        """Ask who answers; raise ``InstrumentError`` if it is not this driver's family."""
        ...

    async def make_safe(self) -> None:
        """Bring the instrument into its safe state and verify that by read-back.

        For a source: output off and terminals open (high impedance). Works from any state, on an
        instrument in use, without ``prepare``. Raises ``UnsafeState`` if the read-back disagrees. Of a unit: all
        of its channels.
        """
        ...


@runtime_checkable
class Unit(Instrument, Protocol):
    """One connection, with one channel or many."""

    def channel(self, address: str) -> Instrument:
        """Return the channel of that address; it plays the role of the family."""
        ...

    async def close(self) -> None:
        """Give the link back. Does not touch the instrument's state."""
        ...


class OneChannel:
    """A unit that is its own only channel derives from this."""

    def channel(self, address: str) -> Self:
        """Return the unit: there is no other channel. Its address is empty."""
        if address:
            raise ValueError(f"{address!r} is no channel; expected an empty address")
        return self


@runtime_checkable
class Bounded(Protocol):
    """A channel that knows beforehand which envelopes it cannot hold."""

    def refuse_envelope(self, envelope: Envelope) -> None:
        """Raise ``CannotHold`` for bounds that the instrument cannot be set to. Sends nothing."""
        ...


@runtime_checkable
class CyclerChannel(Instrument, Protocol):
    """One channel that drives a cell, polled by the host."""

    capabilities: Capabilities

    async def prepare(self, envelope: Envelope) -> None:
        """Reset, set up the measurement and program the envelope. The output stays off."""
        ...

    async def rest(self) -> None:
        """Leave the cell at open circuit, its voltage measured."""
        ...

    async def source_current(self, amps: float) -> None:
        """Hold a current; positive charges. Raises ``OutOfRange`` and sends nothing if it cannot."""
        ...

    async def source_voltage(self, volts: float, current_limit: float) -> None:
        """Hold a voltage with at most ``current_limit`` A of either sign."""
        ...

    async def read(self) -> Reading:
        """Measure voltage and current together. Raises ``BadReading`` for NaN and overflow."""
        ...


@runtime_checkable
class ScriptedChannel(Instrument, Protocol):
    """One channel of an instrument that runs a whole step by itself and streams what it measures."""

    capabilities: Capabilities

    async def prepare(self, envelope: Envelope) -> None:
        """Bring the instrument into a known state and remember the envelope. The cell stays off."""
        ...

    async def start(self, task: Task, cutoffs: tuple[Cutoff, ...] = ()) -> None:
        """Hand a task to the instrument and let it begin; returns once the instrument has accepted it.

        The envelope and ``cutoffs`` act on the instrument; the cell is off there when the task ends, however
        it ends. Raises ``OutOfRange`` and sends nothing if the instrument cannot do it.
        """
        ...

    async def collect(self) -> Collected:
        """Take what has arrived since the last call, without waiting for more. Readings carry the
        instrument's time since the task began.
        """
        ...

    async def abort(self) -> None:
        """End the task now; the cell is off afterwards."""
        ...


@runtime_checkable
class SequencedChannel(Instrument, Protocol):
    """One channel of an instrument that is handed the whole recipe, runs it without us, and is followed.

    It outlives the host: after a restart the engine asks what is ``attached`` there, says ``attach`` if it is the run's
    own, and follows it from the last record it has. Only ``make_safe`` and ``stop`` end what it does.
    """

    capabilities: Capabilities

    def refuse(self, schedule: Schedule) -> None:
        """Raise ``CannotExpress`` for the first line that this instrument cannot do. Asks the instrument nothing."""
        ...

    async def prepare(self, envelope: Envelope) -> None:
        """Remember the envelope; a schedule that is started watches it. What runs is left running."""
        ...

    async def start(self, schedule: Schedule, tag: str) -> None:
        """Hand over a schedule and let it begin; returns once the instrument has accepted it.

        The instrument keeps ``tag``, the name of the run. Raises ``CannotExpress`` and sends nothing if it cannot do
        it, ``InstrumentError`` if it refuses or something runs there already.
        """
        ...

    async def attached(self) -> str | None:
        """Return the tag of what runs there, or was the last to run there; None if nothing carries a tag."""
        ...

    def attach(self, schedule: Schedule, tag: str) -> None:
        """Follow from now on what was started as that, by another process; for one that is ``attached``."""
        ...

    async def follow(self, after: int) -> Followed:
        """Return what was recorded after record ``after`` (0 for all of it), a bounded number, and how it stands.

        For what ``start`` or ``attach`` have named. Raises ``InstrumentError`` if something else was started since.
        """
        ...

    async def stop(self) -> None:
        """End the schedule; the output is off afterwards. What was recorded stays there to be fetched."""
        ...


@runtime_checkable
class Chamber(Instrument, Protocol):
    """A temperature chamber."""

    async def set_temperature(self, kelvin: float) -> None:
        """Go to a temperature and hold it; verified by read-back of the set point."""
        ...

    async def read(self) -> ChamberReading:
        """Read the temperature, the set point and any alarm."""
        ...
