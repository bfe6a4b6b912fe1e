"""Benches: which instruments there are, where they answer, and which of them make a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from galvanode.document import Document, read_document, validate
from galvanode.errors import InvalidInput
from galvanode.instrument.links.base import SIMULATOR_BACKEND, Place
from galvanode.instrument.links.lines import LineLink, Lines
from galvanode.instrument.roles import Chamber, CyclerChannel, Instrument, ScriptedChannel
from galvanode.units import Kelvin, Seconds

DRIVERS = "galvanode.drivers"
"""Entry point group in which drivers register."""


class InstrumentEntry(BaseModel):
    """One instrument of a bench file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    driver: str
    resource: str | None = None
    """VISA resource name; a simulated instrument has one made from its name."""
    timeout: Seconds | None = None
    baud_rate: int | None = Field(default=None, gt=0)
    setpoint: Kelvin | None = None
    """Temperature that a chamber is set to when the service starts."""
    simulated: dict[str, Any] | None = None
    """What the simulator needs to know; nobody else reads it."""


class ChannelEntry(BaseModel):
    """One channel: the instruments wired to one cell, at least one of cycler and analyzer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cycler: str | None = None
    analyzer: str | None = None
    chamber: str | None = None

    @property
    def instruments(self) -> list[str]:
        """Names of the instruments that can drive the cell."""
        return [name for name in (self.cycler, self.analyzer) if name is not None]


class _BenchFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    visa: str = "@py"
    instruments: dict[str, InstrumentEntry] = Field(min_length=1)
    channels: dict[str, ChannelEntry] = {}


@dataclass(frozen=True)
class Bench:
    """A bench file that holds together: every driver exists, every channel has its instruments."""

    title: str
    visa: str
    """PyVISA backend of the real instruments: ``@py``, or ``@ivi`` for a vendor's VISA library."""
    instruments: dict[str, InstrumentEntry]
    channels: dict[str, ChannelEntry]
    document: Document
    """Where it was read from, for errors with a place."""

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return Path(self.document.source)

    def resource(self, name: str) -> str:
        """VISA resource name of an instrument."""
        return self.instruments[name].resource or f"TCPIP::{name}::5025::SOCKET"

    def backend(self, name: str, seed: int = 0) -> str:
        """PyVISA library specification through which an instrument is opened."""
        if self.instruments[name].simulated is None:
            return self.visa
        return f"{self.path}?seed={seed}@{SIMULATOR_BACKEND}"

    def outside_simulation(self) -> list[str]:
        """Names of the instruments that may be real: neither simulated nor served by this machine.

        Accelerated time on a real instrument would cut every duration short, so it is refused for these.
        """
        return [
            name
            for name, entry in self.instruments.items()
            if entry.simulated is None and not _is_local(self.resource(name))
        ]


def _is_local(resource: str) -> bool:
    upper = resource.upper()
    return upper.startswith(("TCPIP::127.", "TCPIP::LOCALHOST::", "TCPIP0::127.", "ASRL/DEV/PTS/"))


def read_bench(path: Path) -> Bench:
    """Read a bench file. Raises ``InvalidInput`` with the place of the fault."""
    document = read_document(path)
    file = validate(document, _BenchFile)
    known = driver_classes()
    for name, entry in file.instruments.items():
        place = ("instruments", name)
        if not name.isidentifier():
            message = f"instrument {name!r}: expected a name of letters, digits and underscores"
            raise document.error(place, message, key=True)
        if entry.driver not in known:
            message = f"'driver' is {entry.driver!r}; expected one of {', '.join(sorted(known))}"
            raise document.error((*place, "driver"), message)
        if entry.resource is None and entry.simulated is None:
            message = f"instrument {name!r} needs a 'resource', such as 'TCPIP::10.0.0.5::5025::SOCKET'"
            raise document.error(place, message, key=True)
    users: dict[str, str] = {}
    channels = file.channels or _default_channels(file, known)
    roles: dict[str, type] = {"cycler": CyclerChannel, "analyzer": ScriptedChannel, "chamber": Chamber}
    for name, channel in channels.items():
        if not channel.instruments:
            message = f"channel {name!r} has nothing to drive its cell; expected a 'cycler', an 'analyzer' or both"
            raise document.error(("channels", name), message, key=True)
        for key, role in roles.items():
            if (instrument := getattr(channel, key)) is not None:
                _check_reference(document, file, known, ("channels", name, key), instrument, role)
        for key in ("cycler", "analyzer"):
            instrument = getattr(channel, key)
            if instrument in users:
                message = f"{instrument!r} belongs to channel {users[instrument]!r} already"
                raise document.error(("channels", name, key), message)
            if instrument is not None:
                users[instrument] = name
    return Bench(
        title=file.title,
        visa=file.visa,
        instruments=file.instruments,
        channels=channels,
        document=document,
    )


def _default_channels(file: _BenchFile, known: Mapping[str, type]) -> dict[str, ChannelEntry]:
    """Without a section 'channels' every instrument that can drive a cell is a channel of its own."""
    channels: dict[str, ChannelEntry] = {}
    for name, entry in file.instruments.items():
        if issubclass_of_role(known[entry.driver], CyclerChannel):
            channels[name] = ChannelEntry(cycler=name)
        elif issubclass_of_role(known[entry.driver], ScriptedChannel):
            channels[name] = ChannelEntry(analyzer=name)
    return channels


def _check_reference(
    document: Document,
    file: _BenchFile,
    known: Mapping[str, type],
    place: tuple[str, ...],
    name: str,
    role: type,
) -> None:
    entry = file.instruments.get(name)
    if entry is None:
        message = f"{name!r} is no instrument of this bench; expected one of {', '.join(file.instruments)}"
        raise document.error(place, message)
    if not issubclass_of_role(known[entry.driver], role):
        raise document.error(place, f"{name!r} is a {entry.driver}, which is no {role.__name__}")


def issubclass_of_role(driver: type, role: type) -> bool:
    """Tell whether a driver class has the methods of a role (``CyclerChannel``, ``Chamber``)."""
    methods = [name for name in dir(role) if not name.startswith("_")]
    return all(callable(getattr(driver, name, None)) for name in methods)


class Driver(Protocol):
    """A driver class: made from a link, with the settings that its family frames messages by."""

    link_settings: Lines

    def __call__(self, link: LineLink) -> Instrument:
        """Make the driver of the instrument at the end of a link."""
        ...


def driver_classes() -> dict[str, Any]:
    """Return the installed drivers by name."""
    return {entry.name: entry.load() for entry in entry_points(group=DRIVERS)}


@dataclass(frozen=True)
class OpenChannel:
    """A channel with its instruments open."""

    name: str
    cycler: CyclerChannel | None
    analyzer: ScriptedChannel | None
    chamber: str | None


@dataclass(frozen=True)
class OpenBench:
    """A bench with its instruments open."""

    bench: Bench
    instruments: dict[str, Instrument]
    channels: dict[str, OpenChannel]

    @cached_property
    def chambers(self) -> dict[str, Chamber]:
        """The chambers by name. Found once: a large bench has many instruments to ask what they are."""
        return {name: item for name, item in self.instruments.items() if isinstance(item, Chamber)}

    async def close(self) -> None:
        """Give all links back."""
        for instrument in self.instruments.values():
            await instrument.close()


def open_bench(bench: Bench, seed: int = 0) -> OpenBench:
    """Make the drivers of a bench. Real instruments are reached with the first message."""
    known = driver_classes()
    instruments: dict[str, Instrument] = {}
    for name, entry in bench.instruments.items():
        driver: Driver = known[entry.driver]
        settings = driver.link_settings
        if entry.baud_rate is not None:
            settings = replace(settings, serial=replace(settings.serial, baud_rate=entry.baud_rate))
        link = settings.open(name, Place(bench.resource(name), bench.backend(name, seed), entry.timeout))
        instruments[name] = instrument = driver(link)
        link.identify_by(instrument.identify)
    channels: dict[str, OpenChannel] = {}
    for name, channel in bench.channels.items():
        cycler = None if channel.cycler is None else instruments[channel.cycler]
        analyzer = None if channel.analyzer is None else instruments[channel.analyzer]
        if not isinstance(cycler, CyclerChannel | None) or not isinstance(analyzer, ScriptedChannel | None):
            raise InvalidInput(f"the instruments of channel {name!r} cannot do their part", source=bench.path)
        channels[name] = OpenChannel(name, cycler, analyzer, channel.chamber)
    return OpenBench(bench, instruments, channels)
