"""Builds the simulated instruments of a bench file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from galvanode.document import did_you_mean, validate
from galvanode.instrument.bench import Bench, InstrumentEntry, read_bench
from galvanode.units import Kelvin, KelvinPerSecond, Ohms, Seconds
from galvanode_simulator.cells import CELLS, Cell, ResistorCell, build_cell
from galvanode_simulator.faults import Fault
from galvanode_simulator.instruments.emstat4 import EmStat4Interface
from galvanode_simulator.instruments.emstat4_models import MODELS
from galvanode_simulator.instruments.emstat4_unit import EmStat4Unit
from galvanode_simulator.instruments.espec import ZERO_CELSIUS, ChamberModel, EspecInterface
from galvanode_simulator.instruments.keithley2450 import Keithley2450Interface
from galvanode_simulator.instruments.keithley2450_unit import Keithley2450Unit
from galvanode_simulator.noise import seeded
from galvanode_simulator.shared_cell import SharedCell
from galvanode_simulator.wire import Wire

EventSink = Callable[[str, str, dict[str, Any]], None]
"""Called with an instrument's name, what happened and its details."""

RESISTOR = "resistor"
"""Name of the plain resistor among the cells."""


class _Simulated(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str | None = None
    """Driver whose simulated instrument it is, where another driver is to drive it: a laboratory's own, under test."""
    seed: int = 0
    link: Literal["tcp", "serial"] = "tcp"
    port: int | None = Field(default=None, ge=0, le=65535)
    faults: list[Fault] = []


class SimulatedCycler(_Simulated):
    """The ``simulated:`` section of a source-measure unit."""

    cell: str
    chamber: str | None = None
    overrides: dict[str, Any] = {}
    lead_resistance: Ohms = Field(default=0.1, ge=0)
    ideal: bool = False
    """Every reading is true to the last digit sent: no noise, no gain error, no ranges' resolution."""


class SimulatedPotentiostat(_Simulated):
    """The ``simulated:`` section of a PalmSens instrument: a cell of its own, or that of another instrument."""

    model: Literal["emstat4_lr", "emstat4_hr", "emstat_pico", "nexus"] = "emstat4_hr"
    cell: str | None = None
    cell_of: str | None = None
    chamber: str | None = None
    overrides: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_cell(self) -> Self:
        if (self.cell is None) == (self.cell_of is None):
            raise ValueError("expected either 'cell', a simulated cell, or 'cell_of', the name of another instrument")
        return self


class SimulatedChamber(_Simulated):
    """The ``simulated:`` section of a chamber."""

    ambient: Kelvin = 25.0 + ZERO_CELSIUS
    ramp: KelvinPerSecond = Field(default=3.0 / 60.0, gt=0)
    time_constant: Seconds = Field(default=120.0, gt=0)
    highest: Kelvin = 150.0 + ZERO_CELSIUS
    lowest: Kelvin = -40.0 + ZERO_CELSIUS


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
    """``Keithley2450Unit``, ``EmStat4Unit`` or ``ChamberModel``."""

    def report_to(self, sink: EventSink | None) -> None:
        """Send the instrument's events to ``sink``."""
        if sink is None:
            self.model.on_event = None
            return
        name = self.name

        def report(kind: str, details: dict[str, Any]) -> None:
            sink(name, kind, details)

        self.model.on_event = report


def build_bench(bench: Bench, seed: int = 0) -> dict[str, SimulatedInstrument]:
    """Build every simulated instrument of a bench, by name. Raises ``InvalidInput`` with its place.

    The same bench and seed give the same cells and the same noise.
    """
    instruments: dict[str, SimulatedInstrument] = {}
    chambers: dict[str, ChamberModel] = {}
    potentiostats: list[str] = []
    for name, entry in bench.instruments.items():
        if entry.simulated is not None and _kind(entry) == "espec":
            settings = validate(bench.document, SimulatedChamber, ("instruments", name, "simulated"))
            chambers[name] = _chamber(settings, seeded(seed, settings.seed, name))
            instruments[name] = _instrument(bench, name, settings, EspecInterface(chambers[name]), chambers[name])
    for name, entry in bench.instruments.items():
        if entry.simulated is None or name in instruments:
            continue
        if _kind(entry) == "emstat4":
            potentiostats.append(name)
            continue
        if _kind(entry) != "keithley2450":
            key = "driver" if _kind(entry) == entry.driver else "instrument"
            raise bench.document.error(
                ("instruments", name, *(() if key == "driver" else ("simulated",)), key),
                f"{key!r} is {_kind(entry)!r}, which has no simulator; expected 'keithley2450', 'emstat4' or 'espec'",
            )
        settings = validate(bench.document, SimulatedCycler, ("instruments", name, "simulated"))
        own_seed = seeded(seed, settings.seed, name)
        temperature = _temperature(bench, name, settings, chambers)
        cell = _cell(bench, name, settings, own_seed)
        unit = Keithley2450Unit(cell, own_seed, temperature, settings.lead_resistance, ideal=settings.ideal)
        interface = Keithley2450Interface(unit, serial_number=f"{own_seed % 10**8:08d}")
        instruments[name] = _instrument(bench, name, settings, interface, unit)
    shared: dict[str, SharedCell] = {}
    for name in potentiostats:
        instruments[name] = _potentiostat(bench, name, seed, instruments, chambers, shared)
    return {name: instruments[name] for name in bench.instruments if name in instruments}


def _kind(entry: InstrumentEntry) -> str:
    """Name of the driver that a simulated instrument is made for."""
    return str((entry.simulated or {}).get("instrument") or entry.driver)


def read_and_build(path: Path, seed: int = 0) -> dict[str, SimulatedInstrument]:
    """Read a bench file and build its simulated instruments. Raises ``InvalidInput``."""
    return build_bench(read_bench(path), seed)


def _instrument(bench: Bench, name: str, settings: _Simulated, device: Any, model: Any) -> SimulatedInstrument:
    driver = bench.instruments[name].driver
    wire = Wire(name, driver, device, settings.faults)
    return SimulatedInstrument(name, driver, bench.resource(name), settings.link, settings.port, wire, model)


def _chamber(settings: SimulatedChamber, seed: int) -> ChamberModel:
    return ChamberModel(
        seed,
        ambient=settings.ambient,
        ramp=settings.ramp,
        time_constant=settings.time_constant,
        highest=settings.highest,
        lowest=settings.lowest,
    )


def _potentiostat(
    bench: Bench,
    name: str,
    seed: int,
    instruments: Mapping[str, SimulatedInstrument],
    chambers: Mapping[str, ChamberModel],
    shared: dict[str, SharedCell],
) -> SimulatedInstrument:
    settings = validate(bench.document, SimulatedPotentiostat, ("instruments", name, "simulated"))
    own_seed = seeded(seed, settings.seed, name)
    if settings.cell_of is None:
        cell, temperature = _cell(bench, name, settings, own_seed), _temperature(bench, name, settings, chambers)
    else:
        owner = _owner_of_cell(bench, name, settings.cell_of, instruments)
        if owner.name not in shared:
            shared[owner.name] = SharedCell(owner.model.cell)
            owner.model.cell = shared[owner.name].terminal(owner.wire.device.advance)
        # The terminal advances the instrument that is made with it, at the earliest when the bench is in use.
        cell, temperature = shared[owner.name].terminal(lambda: wired.wire.device.advance()), owner.model.temperature
    unit = EmStat4Unit(cell, MODELS[settings.model], own_seed, temperature)
    wired = _instrument(bench, name, settings, EmStat4Interface(unit, f"{own_seed % 10**6:06d}"), unit)
    return wired


def _owner_of_cell(
    bench: Bench, name: str, owner: str, instruments: Mapping[str, SimulatedInstrument]
) -> SimulatedInstrument:
    """The instrument whose simulated cell another one is wired to as well."""
    found = instruments.get(owner)
    if found is None or isinstance(found.model, ChamberModel):
        others = [key for key, item in instruments.items() if not isinstance(item.model, ChamberModel)]
        raise bench.document.error(
            ("instruments", name, "simulated", "cell_of"),
            f"'cell_of' is {owner!r}, which is no instrument with a simulated cell" + did_you_mean(owner, others),
        )
    return found


def _temperature(
    bench: Bench, name: str, settings: SimulatedCycler | SimulatedPotentiostat, chambers: Mapping[str, ChamberModel]
) -> Callable[[], float] | None:
    """The chamber around the cell: the one named here, or else the one that the channel has."""
    if settings.chamber is not None:
        if settings.chamber not in chambers:
            raise bench.document.error(
                ("instruments", name, "simulated", "chamber"),
                f"'chamber' is {settings.chamber!r}, which is no simulated chamber of this bench"
                + did_you_mean(settings.chamber, chambers),
            )
        return chambers[settings.chamber].temperature
    for channel in bench.channels.values():
        if channel.cycler == name and channel.chamber is not None and channel.chamber in chambers:
            return chambers[channel.chamber].temperature
    return None


def _cell(bench: Bench, name: str, settings: SimulatedCycler | SimulatedPotentiostat, seed: int) -> Cell:
    at = ("instruments", name, "simulated")
    wanted = settings.cell or ""
    overridden = bool(settings.overrides)
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
