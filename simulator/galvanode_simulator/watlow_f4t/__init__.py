"""The simulated chamber with a Watlow F4T controller."""

from __future__ import annotations

from pydantic import Field

from galvanode.units import Seconds
from galvanode_simulator.family import SimulatedUnit, UnitSimulator, Workshop
from galvanode_simulator.parts.chamber import ChamberSettings
from galvanode_simulator.watlow_f4t.controller import AUTO, CELSIUS, FAHRENHEIT, F4TModel
from galvanode_simulator.watlow_f4t.scpi import ScpiInterface


class Settings(ChamberSettings):
    """The ``simulated:`` section of a chamber with an F4T."""

    product_time_constant: Seconds = Field(default=600.0, gt=0)
    """With which the product in the chamber follows its air."""
    units: str = Field(default="F", pattern="^[CF]$")
    """In which the controller sends temperatures; F as it is delivered."""


def _build(workshop: Workshop[Settings]) -> SimulatedUnit:
    settings, options = workshop.settings, workshop.options
    model = F4TModel.of(settings, workshop.seed)
    model.begin(workshop.seed % 2**31, settings.product_time_constant, options["control"] == "cascade")
    model.units = CELSIUS if settings.units == "C" else FAHRENHEIT
    if options["protocol"] == "scpi":
        model.loop_mode, model.event_runs = AUTO, False  # output 1 is the chamber's switch there
        return SimulatedUnit(ScpiInterface(model), model, air={"": model.temperature})
    from galvanode_simulator.watlow_f4t.modbus import ModbusInterface  # imports pymodbus

    interface = ModbusInterface(model, options["word_order"] == "low_high")
    return SimulatedUnit(interface, model, air={"": model.temperature})


SIMULATOR = UnitSimulator(Settings, _build)
