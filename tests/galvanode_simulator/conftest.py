"""What the simulator's tests share: a clock that only moves when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from galvanode.testing.instruments import HandClock, time_by_hand
from galvanode_simulator.cells import PRESETS, Cell, LiSymmetricCell, ResistorCell
from galvanode_simulator.keithley2450.interface import Keithley2450Interface
from galvanode_simulator.keithley2450.unit import Keithley2450Unit


class Bench2450:
    """A 2450 with its cell and its clock; ``say`` sends a message and returns the reply as text."""

    def __init__(self, clock: HandClock, cell: Cell, seed: int = 0, temperature=None) -> None:
        self.clock = clock
        self.cell = cell
        self.unit = Keithley2450Unit(cell, seed, temperature)
        self.interface = Keithley2450Interface(self.unit)

    def say(self, message: str) -> str:
        return self.interface.receive(message.encode()).decode("latin-1").removesuffix("\n")

    def errors(self) -> list[str]:
        found = []
        while not (answer := self.say(":SYST:ERR?")).startswith("0,"):
            found.append(answer.split(",")[0])
        return found


@pytest.fixture
def clock() -> Iterator[HandClock]:
    with time_by_hand() as clock:
        yield clock


@pytest.fixture
def smu(clock: HandClock) -> Bench2450:
    """A 2450 at a healthy Li | Li cell."""
    return Bench2450(clock, LiSymmetricCell(PRESETS["llzto-zni2"], 1))


@pytest.fixture
def resistor_smu(clock: HandClock) -> Bench2450:
    """A 2450 at 1 kohm."""
    return Bench2450(clock, ResistorCell(1000.0))


@pytest.fixture
def make_smu(clock: HandClock) -> Callable[..., Bench2450]:
    """Make a 2450 at any cell: ``make_smu(cell, seed, temperature)``."""
    return partial(Bench2450, clock)
