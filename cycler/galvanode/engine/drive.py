"""Steps whose current the host works out from reading to reading: power, resistance, profiles."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

from galvanode.engine.ends import TIME_TOLERANCE_S
from galvanode.engine.errors import Tripped
from galvanode.recipe import drives
from galvanode.recipe.program import Step

_LOWEST_V = 1e-3
"""Below it no current of a cell's size makes a power."""
_WORTH_SETTING = 1e-5
"""Relative change of a current that is set anew: below it lies the resolution of any instrument here."""


class Drive:
    """A current as a function of time and voltage. One for each attempt of a step."""

    def __init__(self, name: str, kind: Literal["current", "power", "resistance"], profile: drives.Profile) -> None:
        self._name = name
        self._kind = kind
        self._profile = profile
        self._last = math.nan
        self.needs_voltage = kind != "current"

    def current(self, step_time: float, voltage: float) -> float:
        """Return the current that is due, A. Raises ``Tripped`` where there is none."""
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

    def is_worth_setting(self, amps: float) -> bool:
        """Tell whether a current differs from the one that flows."""
        return abs(amps - self._last) > _WORTH_SETTING * max(abs(amps), abs(self._last))

    def set(self, amps: float) -> None:
        """Remember what has been set."""
        self._last = amps

    def next_change(self, step_time: float) -> float:
        """Return the step time of the next point of the profile; infinity after the last."""
        number = bisect_right(self._profile.times, step_time + TIME_TOLERANCE_S)
        return self._profile.times[number] if number < len(self._profile.times) else math.inf


def drive_of(step: Step, setpoint: float | None) -> Drive | None:
    """Return what drives a step; None for one whose set point the instrument holds."""
    match step.drive:
        case drives.Profile() as profile:
            return Drive(step.name, profile.quantity, profile)
        case drives.Resistance() if setpoint is not None:
            if not setpoint > 0:
                raise Tripped(f"{step.name} has a resistance of {setpoint:g} ohm; it must be above 0")
            always = drives.Profile(quantity="current", times=(0.0,), values=(setpoint,))
            return Drive(step.name, "resistance", always)
        case drives.Power() if setpoint is not None:
            return Drive(step.name, "power", drives.Profile(quantity="power", times=(0.0,), values=(setpoint,)))
        case _:
            return None
