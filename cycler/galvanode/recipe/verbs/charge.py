"""``charge``: by C-rate, current or power, and a hold at the voltage that ended it."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import Field
from pydantic import model_validator as validator

from galvanode.document import Section, label, place_of
from galvanode.document import found as shown
from galvanode.recipe import drives
from galvanode.recipe.compiling.operands import duration, ends, places_of
from galvanode.recipe.language.condition import Untils
from galvanode.recipe.language.values import CurrentMagnitude, DensityMagnitude, PowerMagnitude, Rate, Time
from galvanode.recipe.program import Condition, End, Step
from galvanode.recipe.verbs.driven import DrivenStep
from galvanode.recipe.verbs.step import UnderWay


class ThenHold(Section):
    """Hold the voltage that ended the step, at no more than its current."""

    duration: Time | None = Field(None, alias="for", description="How long at most.")
    until: Untils = ()

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: an end."""
        return [{"anyOf": [{"required": ["for"]}, {"required": ["until"]}]}]

    @validator(mode="after")
    def _can_end(self) -> Self:
        if self.duration is None and not self.until:
            said = "the hold cannot end; expected 'until: current <= 0.05C' or 'for: 1 h' in it, or both"
            raise place_of((), said)
        return self


class Charge(DrivenStep):
    """A charge by C-rate, current or power; with 'then_hold' a CC-CV."""

    word: ClassVar[str] = "charge"
    elsewhere: ClassVar[tuple[str, ...]] = ("cccv", "cc_cv")
    sign: ClassVar[drives.Sign] = 1

    rate: Rate | None = None
    current: CurrentMagnitude | None = None
    current_density: DensityMagnitude | None = None
    power: PowerMagnitude | None = None
    then_hold: ThenHold | None = None

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the charge or discharge, and the hold at the voltage that ended it."""
        until = self.ends(step, magnitude=True)
        self._check_way(until, step)
        drive = self.drive(step)
        driven = step.made(drive, until=until)
        if self.then_hold is None:
            return (driven,)
        # The hold comes next: so it must, whatever else may lead elsewhere, only after the voltage was reached.
        leading = [end for end in driven.until if "next" in (end.then.do, end.otherwise.do)]
        held = _voltage_of(leading[0]) if len(leading) == 1 and leading[0].otherwise.do != "next" else None
        if held is None:
            said = "'then_hold' holds the voltage that ended the step; expected one voltage in 'until'"
            raise step.context.error((*step.path, "then_hold"), f"{said} and no 'for' beside it", key=True)
        return driven, self._hold(self.then_hold, step, drive, held)

    def _check_way(self, until: tuple[End, ...], step: UnderWay) -> None:
        """Raise ``InvalidInput`` for a voltage that a charge, or a discharge, leads away from."""
        due, way = ("<=", "falls") if self.sign < 0 else (">=", "rises")
        path, context = (*step.path, "until"), step.context
        conditions = until[len(until) - len(self.until) :]  # without the end by time
        for end, at in zip(conditions, places_of(self.until, path, context), strict=True):
            condition = _voltage_of(end)
            if condition is not None and end.then.do == "next" and condition.comparison != due:
                place = (*at, "when") if isinstance(context.document.at(at), dict) else at
                said = f"is {shown(context.document.at(place))}; expected '{due}': the voltage {way} in a {self.word}"
                raise context.error(place, f"{label(at)} {said}")

    def _hold(self, hold: ThenHold, step: UnderWay, drive: drives.Flowing, voltage: Condition) -> Step:
        """Return the hold: never more current than flowed when the voltage was reached."""
        at, context = (*step.path, "then_hold"), step.context
        until = (
            *duration(hold.duration, (*at, "for"), context),
            *ends(hold.until, (*at, "until"), context, magnitude=True),
        )
        limit = drive.drawn_at(voltage.value)
        if limit == 0.0:
            said = f"'then_hold' would hold 0 V, where a {drive.dimension} says nothing about the current"
            raise context.error(at, f"{said}; expected another voltage in 'until'", key=True)
        line = context.document.place(at, key=True)[0]
        held = drives.Voltage(setpoint=voltage.value, current_limit=limit, direction=self.sign)
        return step.made(held, until=until, line=line)


def _voltage_of(end: End) -> Condition | None:
    """Return the voltage, with its sign, that alone makes an end; None for any other end."""
    test = end.test
    return test if isinstance(test, Condition) and test.quantity == "voltage" and not test.magnitude else None
