"""The simulated Keithley 2450."""

from __future__ import annotations

from pydantic import Field

from galvanode.units import Ohms
from galvanode_simulator.family import CellSettings, SimulatedUnit, UnitSimulator, Workshop
from galvanode_simulator.keithley2450.interface import Keithley2450Interface
from galvanode_simulator.keithley2450.unit import Keithley2450Unit


class Settings(CellSettings):
    """The ``simulated:`` section of a 2450."""

    lead_resistance: Ohms = Field(default=0.1, ge=0)
    ideal: bool = False
    """Every reading is true to the last digit sent: no noise, no gain error, no ranges' resolution."""


def _build(workshop: Workshop[Settings]) -> SimulatedUnit:
    settings, seed = workshop.settings, workshop.seed
    model = Keithley2450Unit(
        workshop.cell(), seed, workshop.temperature(), settings.lead_resistance, ideal=settings.ideal
    )
    interface = Keithley2450Interface(model, serial_number=f"{seed % 10**8:08d}")
    return SimulatedUnit(interface, model, cells={"": model})


SIMULATOR = UnitSimulator(Settings, _build)
