"""``constant_voltage``: a voltage that is held."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from galvanode.recipe import drives
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.values import VOLTAGES, CurrentBound, Voltage
from galvanode.recipe.program import Step
from galvanode.recipe.verbs.step import EndedStep, UnderWay


class ConstantVoltage(EndedStep):
    """A voltage at the terminals; also for a DC polarisation."""

    word: ClassVar[str] = "constant_voltage"
    elsewhere: ClassVar[tuple[str, ...]] = ("hold", "chronoamperometry", "dc_polarisation")

    voltage: Voltage
    current_limit: CurrentBound | None = Field(
        None, description="The most that it may draw; without it, what the cell's envelope allows."
    )

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the step that holds the voltage."""
        setpoint = operand(self.voltage, VOLTAGES, (*step.path, "voltage"), step.context, open_circuit=True)
        drive = drives.Voltage(setpoint=setpoint, current_limit=step.current_limit(self.current_limit))
        return (step.made(drive, until=self.ends(step)),)
