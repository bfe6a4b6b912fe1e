"""What a current, a power or a load drives: what the verbs that say one of them share."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator as validator

from galvanode.document import label, listed, place_of
from galvanode.recipe import drives
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.limits import numbers_of
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.values import C_RATE, Value
from galvanode.recipe.program import Step
from galvanode.recipe.verbs.step import EndedStep, UnderWay
from galvanode.units import format_quantity
from galvanode.yaml_text import DocumentPath

_KEYS = ("rate", "current", "current_density", "power", "resistance")
"""What a step may be driven by; one of them."""


class DrivenStep(EndedStep):
    """A step that says one of ``rate``, ``current``, ``current_density``, ``power`` or ``resistance``."""

    sign: ClassVar[drives.Sign] = 0
    """Of the current where its magnitude is given; 0 where it is given with its sign."""

    @classmethod
    def ways(cls) -> list[str]:
        """Return the keys that may drive it."""
        return [key for key in _KEYS if key in cls.model_fields]

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: one of the keys that may drive it."""
        choice = [key for key in cls.ways() if not cls.model_fields[key].is_required()]
        return [*super().rules(), *([{"oneOf": [{"required": [key]} for key in choice]}] if choice else [])]

    @validator(mode="after")
    def _one_drive(self) -> Self:
        known = self.ways()
        given = [key for key in known if getattr(self, key) is not None]
        if not given:
            raise place_of((), f"the step has no {listed(known)}; expected one of them")
        if len(given) > 1:
            said = f"the step has both '{given[0]}' and '{given[1]}'; keep one"
            raise place_of((given[1],), said, key=True)
        return self

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the step that is driven until it ends."""
        return (step.made(self.drive(step), until=self.ends(step)),)

    def drive(self, step: UnderWay) -> drives.Flowing:
        """Return what drives the cell, with its sign, possible on this cell. Raises ``InvalidInput``."""
        key = next(key for key in self.ways() if getattr(self, key) is not None)
        value: Value = getattr(self, key)
        path, context = (*step.path, key), step.context
        if key == "resistance":
            setpoint = operand(value, ("resistance",), path, context, above_zero=True)
            _possible(key, value, path, context)
            return drives.Resistance(setpoint=setpoint)
        dimension = C_RATE if key == "rate" else key
        factor, above_zero = float(self.sign or 1), self.sign != 0
        setpoint = operand(value, (dimension,), path, context, sign=factor, above_zero=above_zero)
        if key != "power":
            return drives.Current(setpoint=setpoint, required_sign=self.sign)
        _possible(key, value, path, context)
        return drives.Power(setpoint=setpoint, required_sign=self.sign)


def _possible(key: Literal["power", "resistance"], value: Value, path: DocumentPath, context: Context) -> None:
    """Raise ``InvalidInput`` for what no voltage and current inside the limits make; the engine sees to the rest."""
    numbers = [abs(number) for number in numbers_of(value, context.scope, key)]
    for bounds in (context.cell, context.bounds):
        voltage, current = bounds.limits.voltage, bounds.limits.current
        if voltage.min is None or voltage.max is None or current.min is None or current.max is None:
            continue
        said = None
        if key == "power":
            volts, amps = max(-voltage.min, voltage.max), max(-current.min, current.max)
            if max(numbers, default=0.0) > volts * amps * _ROUNDING:
                reach = f"{format_quantity(volts, 'voltage')} x {format_quantity(amps, 'current')}"
                said = f"expected at most {format_quantity(volts * amps, 'power')}, which is {reach} of"
        elif voltage.min > 0:
            drawn = voltage.min / min(numbers, default=math.inf)
            if drawn > -current.min * _ROUNDING:
                allowed = format_quantity(-current.min, "current")
                said = f"expected one that draws {allowed} or less, not {format_quantity(drawn, 'current')}, at the"
                said += " lowest voltage of"
        if said is not None:
            raise context.error(path, f"{label(path)} is '{context.text(value)}'; {said} {bounds.origin}")


_ROUNDING = 1 + 1e-9
