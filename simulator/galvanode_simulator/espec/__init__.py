"""The simulated ESPEC chamber."""

from __future__ import annotations

from galvanode_simulator.espec.interface import EspecInterface
from galvanode_simulator.family import SimulatedUnit, UnitSimulator, Workshop
from galvanode_simulator.parts.chamber import ChamberModel, ChamberSettings


def _build(workshop: Workshop[ChamberSettings]) -> SimulatedUnit:
    model = ChamberModel.of(workshop.settings, workshop.seed)
    interface = EspecInterface(model, workshop.options.get("address"))
    return SimulatedUnit(interface, model, air={"": model.temperature})


SIMULATOR = UnitSimulator(ChamberSettings, _build)
