"""Benches: which instruments there are, where they answer, and which of them make a channel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar, cast

from pydantic import Field, ValidationError, model_validator

from galvanode.document import Document, Section, did_you_mean, listed, place_of, read_document, validate
from galvanode.errors import InvalidInput
from galvanode.instrument.family import Family, NoLink, Options, Role, families, told_apart
from galvanode.instrument.links.base import SIMULATOR_BACKEND, LinkError, Place, one_name
from galvanode.instrument.roles import (
    Chamber,
    CyclerChannel,
    Instrument,
    ScriptedChannel,
    SequencedChannel,
    Unit,
)
from galvanode.units import Kelvin, Seconds

RoleT = TypeVar("RoleT")

_ROLES: dict[str, tuple[Role, ...]] = {
    "cycler": ("cycler", "sequencer"),
    "analyzer": ("analyzer",),
    "chamber": ("chamber",),
}
"""Key of a channel entry -> roles that can stand there."""


class Reference(NamedTuple):
    """A channel of an instrument as a bench file names it: ``smu``, or ``box/3``."""

    unit: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference. Whether it exists is the bench's to say."""
        unit, _, address = text.partition("/")
        return cls(unit, address)

    def __str__(self) -> str:
        return f"{self.unit}/{self.address}" if self.address else self.unit


class InstrumentEntry(Section):
    """One instrument of a bench file: a unit with one channel or many."""

    driver: str
    resource: str | None = None
    """VISA resource name; a simulated instrument has one made from its name."""
    timeout: Annotated[Seconds, Field(gt=0)] | None = None
    setpoint: Kelvin | None = None
    """Temperature that a chamber is set to when the service starts."""
    options: dict[str, Any] | None = None
    """What the family lets one choose."""
    simulated: dict[str, Any] | None = None
    """What the simulator needs to know; nobody else reads it."""

    @model_validator(mode="before")
    @classmethod
    def _options_inside(cls, data: object) -> object:
        """Tell where an option belongs that stands beside ``options``."""
        if isinstance(data, dict):
            entry = cast("dict[str, object]", data)
            beside = [key for key in entry if key not in cls.model_fields]
            for key in beside and sorted(_options_of(entry.get("driver")).intersection(beside)):
                raise place_of((key,), f"'{key}' belongs into 'options': options: {{{key}: ...}}", key=True)
        return cast("object", data)


class ChannelEntry(Section):
    """One channel: what is wired to one cell, at least one of cycler and analyzer. Each is a ``Reference``."""

    cycler: str | None = None
    analyzer: str | None = None
    chamber: str | None = None

    @property
    def instruments(self) -> list[str]:
        """Names of the instruments that can drive the cell."""
        return [Reference.parse(name).unit for name in (self.cycler, self.analyzer) if name is not None]


class _BenchFile(Section):
    title: str
    visa: str = "@py"
    instruments: dict[str, InstrumentEntry] = Field(min_length=1)
    channels: dict[str, ChannelEntry] = Field(default_factory=dict[str, ChannelEntry])


@dataclass(frozen=True)
class Bench:
    """A bench file that holds together: every family exists, every channel has its instruments."""

    title: str
    visa: str
    """PyVISA backend of the real instruments: ``@py``, or ``@ivi`` for a vendor's VISA library."""
    instruments: dict[str, InstrumentEntry]
    families: dict[str, Family]
    """Of each instrument."""
    options: dict[str, Options]
    """Of each instrument, of its family's type."""
    channels: dict[str, ChannelEntry]
    document: Document
    """Where it was read from, for errors with a place."""

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return Path(self.document.source)

    def resource(self, name: str) -> str:
        """VISA resource name of an instrument."""
        entry = self.instruments[name]
        if entry.resource is not None:
            return entry.resource
        serial = (entry.simulated or {}).get("link") == "serial"
        return f"ASRL{name}::INSTR" if serial else f"TCPIP::{name}::5025::SOCKET"

    def backend(self, name: str, seed: int = 0) -> str:
        """PyVISA library specification through which an instrument is opened."""
        if self.instruments[name].simulated is None:
            return self.visa
        return f"{self.path}?seed={seed}@{SIMULATOR_BACKEND}"

    def references(self, *roles: Role) -> Iterator[Reference]:
        """Every channel of every instrument whose family has one of these roles."""
        for name, family in self.families.items():
            if family.role in roles:
                for address in family.addresses(self.options[name]):
                    yield Reference(name, address)

    def setpoint(self, chamber: str) -> float | None:
        """Temperature that a chamber is set to when the service starts, K."""
        return self.instruments[Reference.parse(chamber).unit].setpoint

    def only(self, wanted: Callable[[str], bool]) -> Bench:
        """Return the bench with those of its instruments, and without channels."""
        names = [name for name in self.instruments if wanted(name)]
        return replace(
            self,
            instruments={name: self.instruments[name] for name in names},
            families={name: self.families[name] for name in names},
            options={name: self.options[name] for name in names},
            channels={},
        )

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
    found: dict[str, Family] = {}
    options: dict[str, Options] = {}
    known = families()
    for name, entry in file.instruments.items():
        found[name] = _family(document, name, entry, known)
        options[name] = _options(document, name, entry, found[name])
    _check_places(document, file, found, options)
    bench = Bench(file.title, file.visa, file.instruments, found, options, file.channels, document)
    if not file.channels:
        return replace(bench, channels=_default_channels(bench))
    users: dict[Reference, str] = {}
    for name, channel in file.channels.items():
        _check_channel(bench, name, channel, users)
    return bench


def _options_of(driver: object) -> set[str]:
    """Names of the options of a family; none where there is no such family."""
    try:
        return set(families()[str(driver)].options.model_fields)
    except (KeyError, InvalidInput):
        return set()


def _family(document: Document, name: str, entry: InstrumentEntry, known: Mapping[str, Family]) -> Family:
    place = ("instruments", name)
    if not name.isidentifier():
        message = f"instrument {name!r}: expected a name of letters, digits and underscores"
        raise document.error(place, message, key=True)
    if entry.driver not in known:
        message = f"'driver' is {entry.driver!r}; expected one of {', '.join(known)}"
        raise document.error((*place, "driver"), message)
    if entry.resource is None and entry.simulated is None:
        message = f"instrument {name!r} needs a 'resource', such as 'TCPIP::10.0.0.5::5025::SOCKET'"
        raise document.error(place, message, key=True)
    try:
        family = known[entry.driver]
    except InvalidInput as error:
        raise document.error((*place, "driver"), error.message) from error
    if entry.setpoint is not None and family.role != "chamber":
        raise document.error((*place, "setpoint"), f"{name!r} ({family.name}) is no chamber and has no 'setpoint'")
    return family


def _check_places(
    document: Document, file: _BenchFile, kinds: Mapping[str, Family], options: Mapping[str, Options]
) -> None:
    """Refuse two names for one instrument: what one does, the other would not know of."""
    at: dict[str, list[str]] = {}
    for name, entry in file.instruments.items():
        if entry.resource is None:
            continue
        neighbours = at.setdefault(one_name(entry.resource), [])
        for other in neighbours:
            if not told_apart(kinds[name], options[name], kinds[other], options[other]):
                raise document.error(("instruments", name, "resource"), _same_place(name, other, kinds[name]))
        neighbours.append(name)


def _same_place(name: str, other: str, family: Family) -> str:
    said = f"{name!r} is at the resource of {other!r}; expected an instrument of its own"
    return f"{said}, or another {listed(f'options.{key}' for key in family.apart)} for each" if family.apart else said


def _options(document: Document, name: str, entry: InstrumentEntry, family: Family) -> Options:
    if entry.options is not None:
        return validate(document, family.options, ("instruments", name, "options"))
    try:
        return family.options()
    except ValidationError as problem:
        missing = ", ".join(repr(fault["loc"][0]) for fault in problem.errors())
        message = f"instrument {name!r} needs 'options' with {missing}"
        raise document.error(("instruments", name), message, key=True) from None


def _default_channels(bench: Bench) -> dict[str, ChannelEntry]:
    """Without a section 'channels' every channel that can drive a cell is one of the station's."""
    channels: dict[str, ChannelEntry] = {}
    for key in ("cycler", "analyzer"):
        for reference in bench.references(*_ROLES[key]):
            name = "_".join(filter(None, reference))
            if name in channels:
                message = f"two channels would be called {name!r}; expected a section 'channels' that names them"
                raise bench.document.error(("instruments", reference.unit), message, key=True)
            channels[name] = ChannelEntry.model_validate({key: str(reference)})
    order = list(bench.instruments)
    return dict(sorted(channels.items(), key=lambda item: order.index(item[1].instruments[0])))


def _check_channel(bench: Bench, name: str, channel: ChannelEntry, users: dict[Reference, str]) -> None:
    """Refuse a channel without a drive, and one whose instruments are not there, not of that kind, or taken."""
    place = ("channels", name)
    if "/" in name or not name.isprintable():
        message = f"channel {name!r}: expected a name that can be printed, without '/'"
        raise bench.document.error(place, message, key=True)
    if not channel.instruments:
        message = f"channel {name!r} has nothing to drive its cell; expected a 'cycler', an 'analyzer' or both"
        raise bench.document.error(place, message, key=True)
    for key, roles in _ROLES.items():
        text: str | None = getattr(channel, key)
        if text is None:
            continue
        reference = Reference.parse(text)
        _check_reference(bench, (*place, key), reference, roles)
        if key == "chamber":
            continue
        if reference in users:
            message = f"'{reference}' belongs to channel {users[reference]!r} already"
            raise bench.document.error((*place, key), message)
        users[reference] = name


def _check_reference(bench: Bench, place: tuple[str, ...], reference: Reference, roles: tuple[Role, ...]) -> None:
    unit, address = reference
    if unit not in bench.instruments:
        able = [str(one) for one in bench.references(*roles)]
        message = f"{unit!r} is no instrument of this bench" + did_you_mean(str(reference), able)
        raise bench.document.error(place, message)
    family = bench.families[unit]
    if family.role not in roles:
        message = f"{unit!r} ({family.name}) has the role {family.role!r}; expected {listed(roles)}" + _own_key(family)
        raise bench.document.error(place, message)
    addresses = family.addresses(bench.options[unit])
    if address in addresses:
        return
    if addresses == ("",):
        raise bench.document.error(place, f"{unit!r} is one channel; expected '{unit}', not '{reference}'")
    message = f"{unit!r} has the channels {', '.join(addresses)}; expected one of them, such as '{unit}/{addresses[0]}'"
    raise bench.document.error(place, message)


def _own_key(family: Family) -> str:
    """Return where an instrument of that role stands in a channel, to end a message with."""
    return next(f", or '{key}' as the key of this one" for key, roles in _ROLES.items() if family.role in roles)


def has_role(driver: type, role: type) -> bool:
    """Tell whether a driver class has the methods of a role (``CyclerChannel``, ``Chamber``)."""
    methods = [name for name in dir(role) if not name.startswith("_")]
    return all(callable(getattr(driver, name, None)) for name in methods)


@dataclass(frozen=True)
class OpenChannel:
    """A channel with its instruments open."""

    name: str
    cycler: CyclerChannel | None
    analyzer: ScriptedChannel | None
    sequencer: SequencedChannel | None
    """Under the key ``cycler``, in its place."""
    chamber: str | None


@dataclass(frozen=True)
class OpenBench:
    """A bench with its instruments open."""

    bench: Bench
    units: dict[str, Unit]
    """The connections, by the name of the instrument."""
    channels: dict[str, OpenChannel]

    @cached_property
    def chambers(self) -> dict[str, Chamber]:
        """The chambers by name. Found once: a large bench has many instruments to ask what they are."""
        return {str(at): _as(Chamber, self.bench, self.units, str(at)) for at in self.bench.references("chamber")}

    async def close(self) -> None:
        """Give all links back."""
        for unit in self.units.values():
            await unit.close()


def open_bench(bench: Bench, seed: int = 0) -> OpenBench:
    """Make the drivers of a bench. Real instruments are reached with the first message. Raises ``InvalidInput``."""
    units: dict[str, Unit] = {}
    for name, family in bench.families.items():
        options = bench.options[name]
        place = Place(bench.resource(name), bench.backend(name, seed), bench.instruments[name].timeout)
        try:
            link = family.link(options).open(name, place)
        except LinkError as error:  # nobody is reached yet: it is the name of the place
            raise bench.document.error(("instruments", name, "resource"), str(error)) from error
        units[name] = unit = family.load_driver()(link, options)
        link.identify_by(unit.identify)
    return _with_channels(bench, units)


def unopened(bench: Bench) -> OpenBench:
    """Return the drivers of a bench without any link, to be asked what their instruments can do."""
    units = {name: family.load_driver()(NoLink(name), bench.options[name]) for name, family in bench.families.items()}
    return _with_channels(bench, units)


def _with_channels(bench: Bench, units: dict[str, Unit]) -> OpenBench:
    def channel(role: type[RoleT], key: Role, reference: str | None) -> RoleT | None:
        if reference is None or bench.families[Reference.parse(reference).unit].role != key:
            return None
        return _as(role, bench, units, reference)

    channels = {
        name: OpenChannel(
            name,
            channel(CyclerChannel, "cycler", entry.cycler),
            channel(ScriptedChannel, "analyzer", entry.analyzer),
            channel(SequencedChannel, "sequencer", entry.cycler),
            entry.chamber,
        )
        for name, entry in bench.channels.items()
    }
    return OpenBench(bench, units, channels)


def _as(role: type[RoleT], bench: Bench, units: Mapping[str, Unit], reference: str) -> RoleT:
    """Return a channel of a unit in its role. Raises ``InvalidInput`` for a driver that does not do its part."""
    unit, address = Reference.parse(reference)
    channel: Instrument = units[unit].channel(address)
    if not isinstance(channel, role):
        message = f"the driver of {reference!r} ({bench.families[unit].driver}) is no {role.__name__}"
        raise InvalidInput(message, source=bench.path)
    return channel
