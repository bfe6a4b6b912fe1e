"""The simulated ESPEC chamber."""

from __future__ import annotations

from pydantic import Field

from galvanode.units import Kelvin, KelvinPerSecond, Seconds
from galvanode_simulator.espec.interface import ZERO_CELSIUS, ChamberModel, EspecInterface
from galvanode_simulator.family import SimulatedUnit, UnitSettings, UnitSimulator, Workshop


class Settings(UnitSettings):
    """The ``simulated:`` section of a chamber."""

    ambient: Kelvin = 25.0 + ZERO_CELSIUS
    ramp: KelvinPerSecond = Field(default=3.0 / 60.0, gt=0)
    time_constant: Seconds = Field(default=120.0, gt=0)
    highest: Kelvin = 150.0 + ZERO_CELSIUS
    lowest: Kelvin = -40.0 + ZERO_CELSIUS


def _build(workshop: Workshop[Settings]) -> SimulatedUnit:
    settings = workshop.settings
    model = ChamberModel(
        workshop.seed,
        ambient=settings.ambient,
        ramp=settings.ramp,
        time_constant=settings.time_constant,
        highest=settings.highest,
        lowest=settings.lowest,
    )
    return SimulatedUnit(EspecInterface(model), model, air={"": model.temperature})


SIMULATOR = UnitSimulator(Settings, _build)
