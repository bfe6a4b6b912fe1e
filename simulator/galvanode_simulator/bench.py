"""Builds the simulated instruments of a bench file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from galvanode.document import did_you_mean, validate
from galvanode.instrument.bench import Bench, Reference, read_bench
from galvanode.instrument.family import families
from galvanode.units import Ohms
from galvanode_simulator.cells import CELLS, Cell, ResistorCell, build_cell
from galvanode_simulator.family import CellChoice, Channel, Model, SimulatedUnit, UnitSettings, UnitSimulator
from galvanode_simulator.noise import seeded
from galvanode_simulator.shared_cell import SharedCell
from galvanode_simulator.wire import Wire

EventSink = Callable[[str, str, dict[str, Any]], None]
"""Called with an instrument's name, what happened and its details."""

RESISTOR = "resistor"
"""Name of the plain resistor among the cells."""


class ResistorParameters(BaseModel):
    """Parameters of the plain resistor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resistance: Ohms = Field(default=1000.0, gt=0)


@dataclass
class SimulatedInstrument:
    """One simulated instrument: its wire for links, its model for tests."""

    name: str
    driver: str
    resource: str
    link: Literal["tcp", "serial"]
    port: int | None
    wire: Wire
    model: Any
    """The family's own ``Model``."""
    cells: Mapping[str, Channel]
    air: Mapping[str, Callable[[], float]]
    """As in ``SimulatedUnit``."""

    def report_to(self, sink: EventSink | None) -> None:
        """Send the instrument's events to ``sink``."""
        model: Model = self.model
        if sink is None:
            model.on_event = None
            return
        name = self.name

        def report(kind: str, details: dict[str, Any]) -> None:
            sink(name, kind, details)

        model.on_event = report


def build_bench(bench: Bench, seed: int = 0) -> dict[str, SimulatedInstrument]:
    """Build every simulated instrument of a bench, by name. Raises ``InvalidInput`` with its place.

    The same bench and seed give the same cells and the same noise.
    """
    builder = _Builder(bench, seed)
    return {name: builder.finished(name) for name, entry in bench.instruments.items() if entry.simulated is not None}


def read_and_build(path: Path, seed: int = 0) -> dict[str, SimulatedInstrument]:
    """Read a bench file and build its simulated instruments. Raises ``InvalidInput``."""
    return build_bench(read_bench(path), seed)


class _Builder:
    """Builds units when they are asked for: one may be wired to the cell of another, or stand in its air."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.seed = seed
        self._families = families()
        self._built: dict[str, tuple[SimulatedUnit, UnitSettings]] = {}
        self._under_way: list[str] = []
        self._shared: dict[Reference, SharedCell] = {}

    def is_simulated(self, name: str) -> bool:
        """Whether a bench has such an instrument, and simulated."""
        return name in self.bench.instruments and self.bench.instruments[name].simulated is not None

    def finished(self, name: str) -> SimulatedInstrument:
        """Return a unit with its wire."""
        unit, settings = self._unit(name)
        driver = self.bench.instruments[name].driver
        wire = Wire(name, driver, unit.device, settings.faults)
        return SimulatedInstrument(
            name,
            driver,
            self.bench.resource(name),
            settings.link,
            settings.port,
            wire,
            unit.model,
            unit.cells,
            unit.air,
        )

    def unit(self, name: str, place: tuple[str, ...]) -> SimulatedUnit:
        """Return the unit that is named at ``place``. Raises ``InvalidInput`` for one that waits for itself."""
        if name in self._under_way:
            circle = ", ".join(repr(one) for one in self._under_way)
            raise self.bench.document.error(place, f"{circle} are wired to each other's cells in a circle")
        return self._unit(name)[0]

    def shared(self, owner: Reference, unit: SimulatedUnit) -> SharedCell:
        """Return the cell of a channel, made one that several can be wired to."""
        if owner not in self._shared:
            channel = unit.cells[owner.address]
            self._shared[owner] = SharedCell(channel.cell)
            channel.cell = self._shared[owner].terminal(unit.device.advance)
        return self._shared[owner]

    def advance(self, name: str) -> None:
        """Let a unit live until now."""
        self._built[name][0].device.advance()

    def _unit(self, name: str) -> tuple[SimulatedUnit, UnitSettings]:
        if name not in self._built:
            self._under_way.append(name)
            simulator = self._simulator(name)
            settings = validate(self.bench.document, simulator.settings, ("instruments", name, "simulated"))
            self._built[name] = simulator.build(_Workshop(self, name, settings)), settings
            self._under_way.remove(name)
        return self._built[name]

    def _simulator(self, name: str) -> UnitSimulator[Any]:
        """The simulator of an instrument's own family, or of the one that it is to be taken from."""
        entry = self.bench.instruments[name]
        other: Any = (entry.simulated or {}).get("instrument")
        known = self._families
        kind = str(other or entry.driver)
        found = known[kind].load_simulator() if kind in known else None
        if isinstance(found, UnitSimulator):
            return found
        key, place = ("instrument", ("simulated", "instrument")) if other else ("driver", ("driver",))
        able = [one for one, family in known.items() if family.simulator is not None]
        raise self.bench.document.error(
            ("instruments", name, *place), f"{key!r} is {kind!r}, which has no simulator" + did_you_mean(kind, able)
        )


class _Workshop:
    """Builds what one unit needs; ``galvanode_simulator.family.Workshop``."""

    def __init__(self, builder: _Builder, name: str, settings: Any) -> None:
        self._builder = builder
        self._bench = builder.bench
        self.name = name
        self.settings = settings
        self.seed = seeded(builder.seed, settings.seed, name)

    @property
    def options(self) -> Mapping[str, Any]:
        """The ``options:`` section, defaults included."""
        return self._bench.options[self.name].model_dump()

    def cell(self, choice: CellChoice | None = None, address: str = "", *place: str) -> Cell:
        """Return the cell at a channel: new, or that of ``cell_of``."""
        chosen: CellChoice = self.settings if choice is None else choice
        if chosen.cell_of is None:
            seed = seeded(self.seed, address) if address else self.seed
            return _new_cell(self._bench, chosen, self._at(*place), seed)
        owner, unit = self._owner(chosen.cell_of, self._at(*place, "cell_of"))
        # The terminal advances this unit, at the earliest when the bench is in use.
        return self._builder.shared(owner, unit).terminal(lambda: self._builder.advance(self.name))

    def temperature(
        self, choice: CellChoice | None = None, address: str = "", *place: str
    ) -> Callable[[], float] | None:
        """Return what tells the temperature around the cell: of the chamber chosen, or else of the channel's."""
        chosen: CellChoice = self.settings if choice is None else choice
        if chosen.cell_of is not None:
            owner, unit = self._owner(chosen.cell_of, self._at(*place, "cell_of"))
            return unit.cells[owner.address].temperature
        if chosen.chamber is not None:
            return self._air(chosen.chamber, self._at(*place, "chamber"))
        own = str(Reference(self.name, address))
        for channel in self._bench.channels.values():
            if own in (channel.cycler, channel.analyzer) and channel.chamber is not None:
                chamber = Reference.parse(channel.chamber)
                if self._builder.is_simulated(chamber.unit):
                    return self._air(channel.chamber, self._at())
        return None

    def mistake(self, message: str, *place: str) -> Exception:
        """Return the error for what stands at ``place`` below the settings."""
        return self._bench.document.error(self._at(*place), message)

    def _at(self, *place: str) -> tuple[str, ...]:
        return ("instruments", self.name, "simulated", *place)

    def _owner(self, wanted: str, place: tuple[str, ...]) -> tuple[Reference, SimulatedUnit]:
        """The channel whose simulated cell this one is wired to as well."""
        owner = Reference.parse(wanted)
        if self._builder.is_simulated(owner.unit) and owner.unit != self.name:
            unit = self._builder.unit(owner.unit, place)
            if owner.address in unit.cells:
                return owner, unit
        able = [
            str(one)
            for one in self._bench.references("cycler", "analyzer", "sequencer")
            if self._builder.is_simulated(one.unit) and one.unit != self.name
        ]
        message = f"'cell_of' is {wanted!r}, which is no instrument with a simulated cell" + did_you_mean(wanted, able)
        raise self._bench.document.error(place, message)

    def _air(self, wanted: str, place: tuple[str, ...]) -> Callable[[], float]:
        chamber = Reference.parse(wanted)
        if self._builder.is_simulated(chamber.unit) and chamber.unit != self.name:
            air = self._builder.unit(chamber.unit, place).air
            if chamber.address in air:
                return air[chamber.address]
        able = [str(one) for one in self._bench.references("chamber") if self._builder.is_simulated(one.unit)]
        message = f"'chamber' is {wanted!r}, which is no simulated chamber of this bench" + did_you_mean(wanted, able)
        raise self._bench.document.error(place, message)


def _new_cell(bench: Bench, choice: CellChoice, at: tuple[str, ...], seed: int) -> Cell:
    wanted = choice.cell or ""
    overridden = bool(choice.overrides)
    if wanted == RESISTOR:
        resistor = (
            validate(bench.document, ResistorParameters, (*at, "overrides")) if overridden else ResistorParameters()
        )
        return ResistorCell(resistor.resistance)
    preset = CELLS.get(wanted)
    if preset is None:
        raise bench.document.error(
            (*at, "cell"),
            f"'cell' is {wanted!r}, which is no simulated cell" + did_you_mean(wanted, [*CELLS, RESISTOR]),
        )
    if overridden:
        given = validate(bench.document, type(preset), (*at, "overrides"))
        preset = preset.model_copy(update={field: getattr(given, field) for field in given.model_fields_set})
    return build_cell(preset, seed)
