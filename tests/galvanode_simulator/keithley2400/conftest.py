"""Simulated instruments of the 2400 series that are spoken to directly."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from galvanode_simulator.cells import PRESETS, Cell, LiSymmetricCell, ResistorCell
from galvanode_simulator.keithley2400.interface import Keithley2400Interface
from galvanode_simulator.keithley2400.models import MODELS
from galvanode_simulator.keithley2400.unit import Keithley2400Unit


class Bench2400:
    """One of the series with its cell; ``say`` sends a message and returns the reply as text."""

    def __init__(self, clock, cell: Cell, seed: int = 0, temperature=None, *, model: str = "2400") -> None:
        self.clock = clock
        self.cell = cell
        self.unit = Keithley2400Unit(cell, seed, temperature, model=MODELS[model])
        self.interface = Keithley2400Interface(self.unit)

    def say(self, message: str) -> str:
        return self.interface.receive(message.encode()).decode("latin-1").removesuffix("\n")

    def numbers(self, message: str) -> list[float]:
        return [float(field) for field in self.say(message).split(",")]

    def errors(self) -> list[str]:
        found = []
        while not (answer := self.say(":SYST:ERR?")).startswith("0,"):
            found.append(answer.split(",")[0])
        return found


@pytest.fixture
def make_smu(clock) -> Callable[..., Bench2400]:
    """Make one at any cell: ``make_smu(cell, seed, temperature, model="2440")``."""
    return partial(Bench2400, clock)


@pytest.fixture
def smu(make_smu) -> Bench2400:
    """A 2400 at a healthy Li | Li cell."""
    return make_smu(LiSymmetricCell(PRESETS["llzto-zni2"], 1))


@pytest.fixture
def resistor_smu(make_smu) -> Bench2400:
    """A 2400 at 1 kohm."""
    return make_smu(ResistorCell(1000.0))
