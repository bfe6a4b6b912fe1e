"""The current that the host works out from reading to reading: for a power, a resistance, a profile."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

from galvanode.engine.ends import TIME_TOLERANCE_S
from galvanode.engine.errors import Tripped
from galvanode.engine.trust import inside
from galvanode.errors import GalvanodeError
from galvanode.instrument.roles import Envelope
from galvanode.recipe import drives
from galvanode.recipe.program import Step

_LOWEST_V = 1e-3
"""Below it no current of a cell's size makes a power."""
_WORTH_SETTING = 1e-5
"""Relative change of a current that is set anew: below it lies the resolution of any instrument here."""


class Regulator:
    """A current as a function of time and voltage. One for each attempt of a step."""

    def __init__(
        self,
        step: Step,
        kind: Literal["current", "power", "resistance"],
        profile: drives.Profile,
        current_max: float,
    ) -> None:
        """``kind`` says what the values of the profile are; ``current_max`` is the magnitude that the cell bears, A."""
        self._name = step.name
        self._kind = kind
        self._profile = profile
        self._window, self._current_max = step.limits.current, current_max
        self._flows = math.nan
        self.needs_voltage = kind != "current"

    def current(self, step_time: float, voltage: float) -> float:
        """Return the current that must flow from now on, A: the one before, where it is as good.

        Raises ``Tripped`` where there is none, or none within the step's limits.
        """
        amps = self._worked_out(step_time, voltage)
        if abs(amps - self._flows) <= _WORTH_SETTING * max(abs(amps), abs(self._flows)):
            return self._flows
        if not inside(amps, self._window) or abs(amps) > self._current_max:
            raise Tripped(f"{self._name} needs {amps:.4g} A now, which lies outside the limits of its current")
        self._flows = amps
        return amps

    def _worked_out(self, step_time: float, voltage: float) -> float:
        number = bisect_right(self._profile.times, step_time + TIME_TOLERANCE_S) - 1
        value = self._profile.values[max(0, number)]
        if self._kind == "current":
            return value
        if self._kind == "resistance":
            return -voltage / value
        if value == 0:
            return 0.0
        if voltage < _LOWEST_V:
            raise Tripped(f"{self._name}: at {voltage:.4g} V no current makes {value:g} W")
        return value / voltage

    def next_change(self, step_time: float) -> float:
        """Return the step time of the next point of the profile; infinity after the last."""
        number = bisect_right(self._profile.times, step_time + TIME_TOLERANCE_S)
        return self._profile.times[number] if number < len(self._profile.times) else math.inf


def regulator_of(step: Step, setpoint: float | None, envelope: Envelope) -> Regulator:
    """Return what works out the current of a step. Raises ``Tripped`` for a set point that none makes."""
    most = envelope.current_max
    match step.drive:
        case drives.Profile() as profile:
            return Regulator(step, profile.quantity, profile, most)
        case drives.Resistance() if setpoint is not None:
            if not setpoint > 0:
                raise Tripped(f"{step.name} has a resistance of {setpoint:g} ohm; it must be above 0")
            return Regulator(step, "resistance", _always("current", setpoint), most)
        case drives.Power() if setpoint is not None:
            return Regulator(step, "power", _always("power", setpoint), most)
        case other:
            raise GalvanodeError(f"step {step.step_id} ({step.name}): no current follows from {other.kind!r}")


def _always(quantity: Literal["current", "power"], value: float) -> drives.Profile:
    return drives.Profile(quantity=quantity, times=(0.0,), values=(value,))
