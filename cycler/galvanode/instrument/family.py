"""Families: what there is to know of one kind of instrument, in one place.

A family is found through the entry point group ``galvanode.families``. An entry loads a ``Family``, or a mapping of
them by name that imports a family when it is asked for:

    [project.entry-points."galvanode.families"]
    acme100 = "galvanode_acme:FAMILY"
"""

from __future__ import annotations

import logging
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, cast

from galvanode.document import Section
from galvanode.errors import InvalidInput
from galvanode.instrument.links.base import LinkSettings
from galvanode.instrument.roles import Unit

logger = logging.getLogger(__name__)

GROUP = "galvanode.families"
"""Entry point group in which families register."""

Role = Literal["cycler", "analyzer", "sequencer", "chamber"]
"""What a channel is to the engine: polled, handed a step, handed the whole recipe, or the air around a cell."""


class Options(Section):
    """The ``options:`` section of a bench entry. A family that has some derives from this."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the conformance suite must know of a family to try it at its simulator.

    Messages are bytes without what ends them; answers are whole.
    """

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The ``options:`` section of the bench entry, as written."""
    simulated: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The ``simulated:`` section, as written. The cell is a resistor of ``ohms``."""
    resource: str = "TCPIP::10.0.0.5::5025::SOCKET"
    ohms: float = 1000.0
    envelope: tuple[float, float, float] = (-2.0, 2.0, 0.1)
    """V, V and A, as in ``roles.Envelope``."""
    current: float = 0.001
    """A that the instrument can hold in the envelope; ``too_much`` is one that the envelope's voltages do not allow."""
    too_much: float = 0.05
    accuracy: float = 2e-3
    """Part of a reading by which it may be wrong at these values."""
    strangers: tuple[bytes, ...] = (b"ACME,WIDGET 9000,1,1.0\r\n", b"ERROR\r\n", b"\r\n", b"1\r\n", b"NA:CMD ERR\r\n")
    """What other instruments answer to the question who they are."""
    misfits: tuple[bytes, ...] = (
        b"\r\n",
        b",\r\n",
        b"1\r\n",
        b"1,2\r\n",
        b"1,2,3,4,5,6,7\r\n",
        b"a,b,c,d\r\n",
        b"1;2;3;4\r\n",
    )
    """Answers that are no reading."""
    left: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict[str, tuple[bytes, ...]])
    """Situation -> messages by which another program, or the front panel, left the instrument in it."""
    settings: tuple[bytes, ...] = ()
    """Messages by which another program changed what a reading is: ranges, filters, formats."""
    switched_off: tuple[bytes, ...] = ()
    """Messages by which somebody switches the output off, which the next reading must tell."""
    stuck_output: bool = True
    """Whether the simulator plays an output that does not switch off, and the driver can notice it."""
    own_time: bool = True
    """Whether a reading carries the instrument's own time."""
    temperatures: tuple[float, float] = (233.15, 423.15)
    """K, lowest and highest set point of the simulated chamber; one beyond is refused."""


class Driver(Protocol):
    """A driver class: makes the unit at the end of a link. Says nothing on it yet."""

    def __call__(self, link: Any, options: Any) -> Unit:
        """Make the driver; link and options are those of its family."""
        ...


@dataclass(frozen=True, kw_only=True)
class Family:
    """Instruments of one kind: who makes them, how they are reached, what drives and what simulates them.

    A module that holds one imports nothing heavy: drivers and simulators are named, and imported when first used.
    """

    name: str
    """The word in a bench file, ``driver: keithley2450``."""
    title: str
    makers: tuple[str, ...]
    models: tuple[str, ...]
    driver: str
    """``package.module:Class``, a ``Driver``."""
    simulator: str | None = None
    """``package.module:NAME``, a ``galvanode_simulator.family.UnitSimulator``."""
    role: Role
    """Of its channels."""
    channels: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    """Their addresses on the unit, or what tells them from the options; none: the unit is its only channel."""
    options: type[Options] = Options
    apart: tuple[str, ...] = ()
    """Which options tell units apart that answer at one resource: the address on a bus, the number at a server."""
    link: Callable[[Any], LinkSettings]
    """How a unit is reached, from its options."""
    facts: Facts = field(default_factory=Facts)

    def addresses(self, options: Options) -> tuple[str, ...]:
        """Addresses of a unit's channels; the one address of a unit that is its only channel is empty."""
        found = self.channels(options) if callable(self.channels) else self.channels
        return found or ("",)

    def load_driver(self) -> Driver:
        """Import the driver class. Raises ``InvalidInput`` where that cannot be done."""
        return self._load(self.driver)

    def load_simulator(self) -> Any:
        """Import the ``UnitSimulator``; None if the family has none. Raises ``InvalidInput``."""
        return None if self.simulator is None else self._load(self.simulator)

    def _load(self, target: str) -> Any:
        module, _, name = target.partition(":")
        try:
            return getattr(import_module(module), name)
        except Exception as error:  # whatever a module does while it is imported
            message = f"{target!r}, of the instrument family {self.name!r}, cannot be loaded: {error!r}"
            raise InvalidInput(message) from error


def told_apart(one: Family, options: Options, other: Family, others: Options) -> bool:
    """Whether two units that answer at one resource are two: each has an address of its own there."""
    addresses = [[getattr(its, key) for key in family.apart] for family, its in ((one, options), (other, others))]
    if not all(addresses) or len(addresses[0]) != len(addresses[1]):
        return False
    return any(None not in pair and pair[0] != pair[1] for pair in zip(*addresses, strict=True))


class FamiliesIn(Mapping[str, Family]):
    """The families of a package: each sub-package is one, bears its name and holds it as ``FAMILY``.

    Modules of the package are what families share. A family is imported when it is asked for.
    """

    def __init__(self, package: str, path: Iterable[str]) -> None:
        """``package`` and ``path`` are its ``__name__`` and ``__path__``."""
        self._package = package
        self._names = sorted(module.name for module in pkgutil.iter_modules(path) if module.ispkg)

    def __getitem__(self, name: str) -> Family:
        if name not in self._names:
            raise KeyError(name)
        return import_module(f"{self._package}.{name}").FAMILY

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Families(Mapping[str, Family]):
    """The families of several sources. A name that two of them bring is refused when it is asked for."""

    def __init__(self, sources: Mapping[str, Mapping[str, Family]]) -> None:
        """``sources`` are families by name, by where they come from."""
        self._sources: dict[str, list[str]] = {}
        self._mappings = sources
        for source, mapping in sources.items():
            for name in mapping:
                self._sources.setdefault(name, []).append(source)

    def __getitem__(self, name: str) -> Family:
        sources = self._sources[name]
        if len(sources) > 1:
            raise InvalidInput(f"several packages bring an instrument family {name!r}: {', '.join(sources)}")
        try:
            family: Any = self._mappings[sources[0]][name]
        except Exception as error:  # whatever a module does while it is imported
            raise InvalidInput(f"the instrument family {name!r} of {sources[0]} cannot be loaded: {error!r}") from error
        if not isinstance(family, Family):
            raise InvalidInput(f"{sources[0]} brings {family!r} under the name {name!r}; expected a Family")
        if family.name != name:
            raise InvalidInput(f"{sources[0]} brings the family {family.name!r} under the name {name!r}")
        return family

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._sources))

    def __len__(self) -> int:
        return len(self._sources)


def families() -> Families:
    """Return the installed families by name. A package that cannot be imported is left out, and that is logged."""
    return _found_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _found_on(path: tuple[str, ...]) -> Families:
    """Look for families once per ``sys.path``: every installed package is asked for its entry points."""
    sources: dict[str, Mapping[str, Family]] = {}
    for entry in entry_points(group=GROUP):
        try:
            sources[_source_of(entry)] = _by_name(entry.name, entry.load())
        except Exception:  # whatever a package does while it is imported, the others' cells must be reached
            logger.exception("the instrument families of %s cannot be loaded", _source_of(entry))
    return Families(sources)


def _by_name(name: str, loaded: Any) -> Mapping[str, Family]:
    """Return what an entry point loads as families by name. Raises ``TypeError`` for what is none of both."""
    if isinstance(loaded, Family):
        return {name: loaded}
    if isinstance(loaded, Mapping) and all(isinstance(key, str) for key in cast("Mapping[Any, Any]", loaded)):
        return cast("Mapping[str, Family]", loaded)
    raise TypeError(f"{loaded!r} is neither a Family nor a mapping of families by name")


def _source_of(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist is not None else entry.module
    return f"{package} ({entry.name} = {entry.value})"


class NoLink:
    """The link of a unit that is not opened: it has a name, and nobody answers."""

    def __init__(self, name: str) -> None:
        self.name = name
