"""What the simulator of an instrument family brings, and the workshop that it builds its units with.

class Settings(CellSettings):
    lead_resistance: Ohms = 0.1

def build(workshop: Workshop[Settings]) -> SimulatedUnit:
    model = Acme100Unit(workshop.cell(), workshop.temperature(), workshop.settings.lead_resistance)
    return SimulatedUnit(Acme100Interface(model), model, cells={"": model})

SIMULATOR = UnitSimulator(Settings, build)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from galvanode_simulator.cells import Cell
from galvanode_simulator.faults import Fault
from galvanode_simulator.wire import Device

SettingsT = TypeVar("SettingsT", bound="UnitSettings")
SettingsT_co = TypeVar("SettingsT_co", bound="UnitSettings", covariant=True)


class UnitSettings(BaseModel):
    """The ``simulated:`` section of any instrument. A family's own derives from this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instrument: str | None = None
    """Family whose simulated instrument it is, where another driver is to drive it: a laboratory's own, under test."""
    seed: int = 0
    link: Literal["tcp", "serial"] = "tcp"
    port: int | None = Field(default=None, ge=0, le=65535)
    faults: list[Fault] = []


class CellChoice(BaseModel):
    """The cell at a channel: one of its own, or that of another instrument."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str | None = None
    """A preset's name, or ``resistor``."""
    cell_of: str | None = None
    """The channel whose cell this one is wired to as well: ``smu``, ``box/3``."""
    chamber: str | None = None
    overrides: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_cell(self) -> CellChoice:
        if (self.cell is None) == (self.cell_of is None):
            raise ValueError("expected either 'cell', a simulated cell, or 'cell_of', the name of another instrument")
        return self


class CellSettings(UnitSettings, CellChoice):
    """The ``simulated:`` section of an instrument with one channel."""


class Channel(Protocol):
    """A channel's model, as far as its cell is concerned."""

    cell: Cell
    temperature: Callable[[], float] | None
    """Around the cell, K; None leaves it at 25 degC."""


class Model(Protocol):
    """What tests and the event log see of a simulated instrument."""

    on_event: Callable[[str, dict[str, Any]], None] | None


@dataclass(frozen=True)
class SimulatedUnit:
    """One simulated instrument as its family builds it."""

    device: Device
    """The side of the bytes."""
    model: Model
    """The side of the physics."""
    cells: Mapping[str, Channel] = field(default_factory=dict[str, Channel])
    """Channels with a cell, by address; others may be wired to the same cell."""
    air: Mapping[str, Callable[[], float]] = field(default_factory=dict[str, Callable[[], float]])
    """Temperatures that a chamber gives to the cells in it, K, by the chamber's address."""


class Workshop(Protocol[SettingsT_co]):
    """What a simulator builds one unit of a bench with."""

    @property
    def name(self) -> str:
        """Name of the instrument in the bench file."""
        ...

    @property
    def settings(self) -> SettingsT_co:
        """The ``simulated:`` section."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """The ``options:`` section, defaults included: what is set on the instrument's front panel too."""
        ...

    @property
    def seed(self) -> int:
        """Seed of this unit's own randomness: from the bench's, its settings' and its name."""
        ...

    def cell(self, choice: CellChoice | None = None, address: str = "", *place: str) -> Cell:
        """Return the cell at a channel: new, or that of ``cell_of``.

        ``choice`` is by default the settings themselves, and stands at ``place`` below them. Raises ``InvalidInput``.
        """
        ...

    def temperature(
        self, choice: CellChoice | None = None, address: str = "", *place: str
    ) -> Callable[[], float] | None:
        """Return what tells the temperature around the cell, K: of the chamber chosen, or else of the channel's."""
        ...

    def mistake(self, message: str, *place: str) -> Exception:
        """Return the error to raise for what stands at ``place`` below the settings."""
        ...


@dataclass(frozen=True)
class UnitSimulator(Generic[SettingsT]):
    """The simulator of a family."""

    settings: type[SettingsT]
    """The ``simulated:`` section of its instruments."""
    build: Callable[[Workshop[SettingsT]], SimulatedUnit]
