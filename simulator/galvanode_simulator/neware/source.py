"""What a channel does at its cell's terminals, and what it sees there. It brings to its set point what it measures."""

from __future__ import annotations

from collections.abc import Callable

from galvanode_simulator.cells import Cell
from galvanode_simulator.neware.models import Meter, Model
from galvanode_simulator.neware.stepfile import FileStep, Kind
from galvanode_simulator.noise import gaussian, seeded

_STEPS_OF_POWER, _LEAST_V = 8, 1e-3


class Source:
    """The analogue side of a channel. True volts and amps at the terminals, seen ones as the meters have them."""

    def __init__(
        self, cell: Cell, model: Model, seed: int, temperature: Callable[[], float] | None, *, ideal: bool
    ) -> None:
        self.cell = cell
        self.temperature = temperature
        """Of the cell, K; None leaves the cell at 25 degC."""
        self._model = model
        gauss, calibration = gaussian(seeded(seed, "noise")), gaussian(seeded(seed, "calibration"))
        self._volts = Meter((model.voltage_range,), calibration, gauss, ideal=ideal)
        self._amps = Meter(model.current_ranges, calibration, gauss, ideal=ideal)

    def warm(self) -> None:
        """Let the cell have the temperature around it."""
        if self.temperature is not None:
            self.cell.set_temperature(self.temperature())

    def limit(self, step: FileStep) -> float:
        """The current that a step may draw, A in magnitude."""
        return self._model.current if step.current is None else step.current

    def voltage(self, step: FileStep) -> float:
        """The true voltage while a step's voltage is held."""
        return self._volts.true_for(step.voltage or 0.0, 0)

    def current(self, step: FileStep) -> float:
        """The true current while a step's current, its power or nothing is driven."""
        if step.kind is Kind.REST:
            return 0.0
        sign = step.kind.sign
        set_point = sign * (self.limit(step) if step.power is None else self._of_power(step.power, sign))
        return self._amps.true_for(set_point, self._amps.range_of(abs(set_point)))

    def driven(self, step: FileStep, amps: float) -> float:
        """What flows of a current while a voltage is held: a charge does not discharge, nor the reverse."""
        return amps if amps * step.kind.sign > 0.0 else 0.0

    def at_voltage(self, step: FileStep) -> tuple[float, float]:
        """True voltage and current while a step's voltage is held."""
        volts = self.voltage(step)
        amps = self.driven(step, self.cell.current(volts))
        return (volts, amps) if amps else (self.cell.voltage(0.0), 0.0)

    def seen_voltage(self, volts: float) -> float:
        """A voltage as measured on average."""
        return self._volts.seen(volts, 0)

    def seen_current(self, amps: float) -> float:
        """A current as measured on average; with the circuit open it is 0 to the last digit."""
        return self._amps.seen(amps, self._amps.range_of(abs(amps))) if amps else 0.0

    def read(self, volts: float, amps: float) -> tuple[float, float]:
        """Measure once, noise and all."""
        read = self._volts.read(volts, 0, self.cell.voltage_noise)
        return read, self._amps.read(amps, self._amps.range_of(abs(amps))) if amps else 0.0

    def _of_power(self, watts: float, sign: int) -> float:
        """A in magnitude: I = P / V(I), which converges fast, the cell's resistance being small against V / I."""
        amps = 0.0
        for _ in range(_STEPS_OF_POWER):
            amps = min(watts / max(abs(self.cell.voltage(sign * amps)), _LEAST_V), self._model.current)
        return amps
