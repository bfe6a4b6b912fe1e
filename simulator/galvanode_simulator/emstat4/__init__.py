"""The simulated PalmSens instruments."""

from __future__ import annotations

from typing import Literal

from galvanode_simulator.emstat4.interface import EmStat4Interface
from galvanode_simulator.emstat4.models import MODELS
from galvanode_simulator.emstat4.unit import EmStat4Unit
from galvanode_simulator.family import CellSettings, SimulatedUnit, UnitSimulator, Workshop


class Settings(CellSettings):
    """The ``simulated:`` section of a PalmSens instrument."""

    model: Literal["emstat4_lr", "emstat4_hr", "emstat_pico", "nexus"] = "emstat4_hr"


def _build(workshop: Workshop[Settings]) -> SimulatedUnit:
    seed = workshop.seed
    model = EmStat4Unit(workshop.cell(), MODELS[workshop.settings.model], seed, workshop.temperature())
    return SimulatedUnit(EmStat4Interface(model, f"{seed % 10**6:06d}"), model, cells={"": model})


SIMULATOR = UnitSimulator(Settings, _build)
