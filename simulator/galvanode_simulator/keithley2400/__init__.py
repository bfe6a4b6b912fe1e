"""The simulated Keithley 2400 series."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from galvanode.units import Ohms
from galvanode_simulator.family import CellSettings, SimulatedUnit, UnitSimulator, Workshop
from galvanode_simulator.keithley2400.interface import Keithley2400Interface
from galvanode_simulator.keithley2400.models import MODELS
from galvanode_simulator.keithley2400.unit import Keithley2400Unit

_TERMINATORS = {"CR": b"\r", "LF": b"\n", "CRLF": b"\r\n", "LFCR": b"\n\r"}


class Settings(CellSettings):
    """The ``simulated:`` section of a 2400."""

    model: Literal["2400", "2401", "2410", "2420", "2425", "2440"] = "2400"
    lead_resistance: Ohms = Field(default=0.1, ge=0)
    ideal: bool = False
    """Every reading is true to the last digit sent: no noise, no gain error, no ranges' resolution."""


def _build(workshop: Workshop[Settings]) -> SimulatedUnit:
    settings, seed = workshop.settings, workshop.seed
    model = Keithley2400Unit(
        workshop.cell(),
        seed,
        workshop.temperature(),
        settings.lead_resistance,
        model=MODELS[settings.model],
        ideal=settings.ideal,
    )
    on_serial_line = settings.link == "serial"
    terminator = _TERMINATORS[str(workshop.options.get("terminator", "CR"))] if on_serial_line else b"\n"
    interface = Keithley2400Interface(model, f"{seed % 10**7:07d}", terminator)
    return SimulatedUnit(interface, model, cells={"": model})


SIMULATOR = UnitSimulator(Settings, _build)
