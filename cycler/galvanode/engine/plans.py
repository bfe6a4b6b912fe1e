"""The numbers of a step as they are now: every operand resolved, and refused where it must not be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from galvanode.engine.errors import Failed
from galvanode.engine.trust import inside
from galvanode.instrument.roles import Envelope
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Step, Window


def setpoint_of(step: Step, value: Callable[[Operand], float]) -> float | None:
    """Return the set point as it is now. Raises ``Failed`` for one that the step must not have."""
    drive = step.drive
    if drive.held is None:
        return None
    setpoint = value(drive.held)
    if drive.signed != 0 and not setpoint * drive.signed > 0:
        raise Failed(f"the set point of {step.name} comes to {abs(setpoint):g}; its magnitude must be above 0")
    window = {"current": step.limits.current, "voltage": step.limits.voltage}.get(drive.dimension or "", Window())
    if not inside(setpoint, window):
        raise Failed(f"the set point of {step.name} comes to {setpoint:.6g}, outside its limits")
    return setpoint


def current_limit(step: Step, value: Callable[[Operand], float], envelope: Envelope) -> float:
    """Magnitude that a held voltage may draw: the smallest of what cell, recipe and step allow, A."""
    window = step.limits.current
    allowed = [envelope.current_max]
    if window.min is not None and window.max is not None:
        allowed.append(max(abs(window.min), abs(window.max)))
    if step.drive.limit is not None:
        allowed.append(value(step.drive.limit))
    if not min(allowed) > 0:
        raise Failed(f"the current limit of {step.name} comes to {min(allowed):g} A; it must be above 0")
    return min(allowed)


def refuse_outside(step: Step, volts: Iterable[float] = (), amps: Iterable[float] = ()) -> None:
    """Raise ``Failed`` for what would leave the step's limits: known only now, and nothing is sent yet."""
    for values, window, unit in ((volts, step.limits.voltage, "V"), (amps, step.limits.current, "A")):
        for value in values:
            if not inside(value, window):
                raise Failed(f"{step.name} comes to {value:.6g} {unit}, outside its limits")
