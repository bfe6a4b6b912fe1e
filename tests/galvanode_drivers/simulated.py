"""Every driver at its simulated instrument, in process, with all that passes over the link written down."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyvisa

from galvanode.instrument.bench import Bench, open_bench, read_bench
from galvanode.instrument.family import families
from galvanode.instrument.links.base import Unfit
from galvanode.instrument.links.lines import LineLink, Lines
from galvanode.instrument.roles import Envelope, Identity
from galvanode_simulator.bench import SimulatedInstrument

FAMILIES = families()
DRIVERS: dict[str, Any] = {
    name: family.load_driver()
    for name, family in FAMILIES.items()
    if isinstance(family.link(family.options.model_validate(family.facts.options)), Lines)
}
"""Those that are spoken to in lines."""
OHMS = 1000.0
ENVELOPE = Envelope(-2.0, 2.0, 0.1)


class HandClock:
    """Simulated time that stands still until ``pass_time``."""

    speed = 1.0

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return 1767225600.0 + self.time

    def pass_time(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Recorder:
    """A link that writes down what goes over another one; ``instead`` may put another answer in place."""

    link: LineLink
    lines: list[str] = field(default_factory=list[str])
    instead: Callable[[str], str | None] = lambda message: None
    _last: str = ""

    @property
    def name(self) -> str:
        return self.link.name

    def identify_by(self, identify: Callable[[], Awaitable[Identity]]) -> None:
        self.link.identify_by(identify)

    def recognise(self, identity: Identity) -> Identity:
        return self.link.recognise(identity)

    def distrust(self, reason: str) -> Unfit:
        return self.link.distrust(reason)

    def urgent(self) -> AbstractContextManager[None]:
        return self.link.urgent()

    async def assure(self) -> None:
        await self.link.assure()

    @property
    def sent(self) -> list[str]:
        return [line[2:] for line in self.lines if line.startswith("> ")]

    async def query(self, message: str) -> str:
        self.lines.append(f"> {message}")
        answer = self.instead(message)
        if answer is None:
            answer = await self.link.query(message)
        self.lines.append(f"< {answer}")
        return answer

    async def write(self, message: str) -> None:
        self.lines += [f"> {line}".rstrip() for line in message.split("\n")]
        self._last = message
        await self.link.write(message)

    async def read_line(self) -> str:
        line = self.instead(self._last)
        if line is None:
            line = await self.link.read_line()
        self.lines.append(f"< {line}".rstrip())
        return line

    async def read_lines(self) -> list[str]:
        lines = await self.link.read_lines()
        self.lines += [f"< {line}".rstrip() for line in lines]
        return lines

    async def close(self) -> None:
        await self.link.close()


@dataclass
class Bound:
    """A driver, its link, and the instrument that it does not know to be simulated."""

    name: str
    driver: Any
    link: Recorder
    instrument: SimulatedInstrument
    clock: HandClock

    @property
    def model(self) -> Any:
        """``Keithley2450Unit``, ``EmStat4Unit`` or ``ChamberModel``."""
        return self.instrument.model

    def inject(self, kind: str, **options: Any) -> None:
        """Begin a fault."""
        self.instrument.wire.inject(kind, **options)

    def say(self, message: str) -> None:
        """What somebody else does with the instrument meanwhile: the front panel, another program."""
        self.instrument.wire.receive(message.encode())


def bind(name: str, folder: Path, clock: HandClock, resource: str) -> Bound:
    """Open the driver of that name at its simulated instrument."""
    path = folder / f"{name}.yaml"
    entry = f"{{driver: {name}, resource: '{resource}', simulated: {json.dumps(FAMILIES[name].facts.simulated)}}}"
    path.write_text(f"title: t\ninstruments:\n  {name}: {entry}\n")
    bench: Bench = read_bench(path)
    driver: Any = open_bench(bench).units[name]
    driver.link = link = Recorder(driver.link)
    library: Any = pyvisa.ResourceManager(bench.backend(name)).visalib
    return Bound(name, driver, link, library.instruments[name], clock)


def release(bound: Bound, folder: Path) -> None:
    """Forget the simulated instrument: the next one begins anew."""
    pyvisa.ResourceManager(read_bench(folder / f"{bound.name}.yaml").backend(bound.name)).close()


Verb = Callable[[Any], Awaitable[Any]]
