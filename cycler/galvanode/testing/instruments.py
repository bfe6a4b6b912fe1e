"""A family's driver at its simulated instrument, in this process, with a tap on the wire between the two."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvisa

from galvanode.clock import install_clock, process_clock
from galvanode.instrument.bench import Reference, open_bench, read_bench
from galvanode.instrument.family import Family
from galvanode.instrument.links.base import Link, Place
from galvanode.instrument.roles import Envelope
from galvanode_simulator.bench import SimulatedInstrument
from galvanode_simulator.cells import Cell
from galvanode_simulator.faults import Fault
from galvanode_simulator.wire import Device

RESOURCE = "TCPIP::10.0.0.5::5025::SOCKET"


class HandClock:
    """Simulated time that stands still until ``pass_time``."""

    speed = 1.0

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        """Process time, s."""
        return self.time

    def unix(self) -> float:
        """Time of day, s since 1970."""
        return 1767225600.0 + self.time

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds


@contextmanager
def time_by_hand() -> Generator[HandClock]:
    """Install a clock that only moves when it is told to."""
    before = process_clock()
    hand = HandClock()
    install_clock(hand)  # type: ignore[arg-type]  # nobody sleeps by it
    try:
        yield hand
    finally:
        install_clock(before)


class StandIn:
    """A device in the place of another one, which it leaves to do all that passes no bytes."""

    def __init__(self, device: Any) -> None:
        self.device = device

    def advance(self) -> None:
        """Let simulated time pass inside the instrument until now."""
        self.device.advance()

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the instrument itself."""
        self.device.play(fault, on)

    def query_error(self, code: int) -> None:
        """Note that the controller broke the message exchange."""
        self.device.query_error(code)


class Tap(StandIn):
    """A device with an ear on it: what was said, in order; ``instead`` may put another answer in its place."""

    def __init__(self, device: Any) -> None:
        super().__init__(device)
        self.heard: list[tuple[str, bytes]] = []
        """``>`` and a message to the instrument, ``<`` and what it answered."""
        self.instead: Callable[[bytes], bytes | None] = lambda message: None

    @property
    def sent(self) -> list[bytes]:
        """Messages to the instrument."""
        return [data for way, data in self.heard if way == ">"]

    def receive(self, message: bytes) -> bytes:
        """Pass a message on."""
        self.heard.append((">", message))
        answer = self.instead(message)
        return self._answered(self.device.receive(message) if answer is None else answer)

    def unasked(self, patience: float) -> bytes:
        """Pass on what the instrument says of its own accord, if it ever does."""
        said: bytes = self.device.unasked(patience) if hasattr(self.device, "unasked") else b""
        return self._answered(said)

    def _answered(self, data: bytes) -> bytes:
        if data:
            self.heard.append(("<", data))
        return data


class Probe:
    """A cell with a meter at its terminals: what an instrument does to it, as the cell feels it."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self.driven = False
        """Whether a current flowed or a voltage was held since this was last set."""

    def hold_current(self, amps: float, duration: float) -> None:
        """Pass it on."""
        self.driven |= amps != 0.0 and duration > 0.0
        self._cell.hold_current(amps, duration)

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Pass it on."""
        self.driven |= duration > 0.0
        return self._cell.hold_voltage(volts, duration)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._cell, attribute)


@dataclass
class Bound:
    """A driver, and the instrument that it does not know to be simulated."""

    family: Family
    unit: Any
    """The driver."""
    address: str
    """Of the channel that is looked at."""
    instrument: SimulatedInstrument
    tap: Tap
    clock: HandClock
    bench: Path

    @property
    def channel(self) -> Any:
        """The channel that is looked at, in the family's role."""
        return self.unit.channel(self.address)

    @property
    def envelope(self) -> Envelope:
        """The envelope of the family's facts."""
        return Envelope(*self.family.facts.envelope)

    def inject(self, kind: str | None = None, **options: Any) -> None:
        """Begin a fault on the wire; without a kind, end all."""
        self.instrument.wire.inject(kind, **options)

    def say(self, message: bytes) -> None:
        """What somebody else does with the instrument meanwhile: the front panel, another program."""
        self.tap.device.receive(message)

    def is_off(self) -> bool:
        """Whether the instrument leaves the cell alone: for a second no current flows and no voltage is held."""
        device: Device = self.tap.device
        device.advance()
        holder = self.instrument.cells[self.address]
        cell = holder.cell
        holder.cell = probe = Probe(cell)  # type: ignore[assignment]  # the rest is the cell's own
        try:
            self.clock.pass_time(1.0)
            device.advance()
        finally:
            holder.cell = cell
        return not probe.driven

    def driver_at(self, place: Place) -> Any:
        """Return another driver of the family, which reaches its instrument somewhere else: on a serial line, say."""
        return self._driver_and_link(place)[0]

    def another_driver(self) -> tuple[Any, Link]:
        """Return another driver at the same instrument, and its link."""
        bench = read_bench(self.bench)
        return self._driver_and_link(Place(bench.resource("it"), bench.backend("it")))

    def _driver_and_link(self, place: Place) -> tuple[Any, Link]:
        options = self.family.options.model_validate(dict(self.family.facts.options))
        link = self.family.link(options).open(self.family.name, place)
        return self.family.load_driver()(link, options), link

    def air(self) -> float:
        """Temperature that a simulated chamber gives to the cells in it, K."""
        return self.instrument.air[self.address]()


@contextmanager
def bound(family: Family, folder: Path, clock: HandClock, resource: str = "") -> Generator[Bound]:
    """Open the driver of a family at its simulated instrument."""
    facts = family.facts
    path = folder / f"{family.name}.yaml"
    entry = {"driver": family.name, "resource": resource or facts.resource, "simulated": dict(facts.simulated)}
    if facts.options:
        entry["options"] = dict(facts.options)
    path.write_text(json.dumps({"title": family.title, "instruments": {"it": entry}}), encoding="utf-8")
    bench = read_bench(path)
    manager: Any = pyvisa.ResourceManager(bench.backend("it"))
    try:
        instrument: SimulatedInstrument = manager.visalib.instruments["it"]
        tap = Tap(instrument.wire.device)
        instrument.wire.attach(tap)
        reference: Reference = next(iter(bench.references(family.role)))
        opened = open_bench(bench)
        yield Bound(family, opened.units["it"], reference.address, instrument, tap, clock, path)
    finally:
        manager.close()


def nobody(_: bytes) -> bytes | None:
    """Answer nothing at all, for ``Tap.instead``."""
    return b""


NO_NUMBERS = (math.nan, math.inf, -math.inf)
