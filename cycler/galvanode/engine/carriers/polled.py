"""Steps of which the cycler holds the set point, and the host reads what comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from galvanode.engine import attempt
from galvanode.engine.plans import current_limit, setpoint_of
from galvanode.engine.polling import read_until_end
from galvanode.engine.workplace import Workplace
from galvanode.errors import GalvanodeError
from galvanode.instrument.roles import CyclerChannel
from galvanode.recipe import drives
from galvanode.recipe.program import Step

DRIVES = (drives.Rest, drives.Current, drives.Voltage)


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a step on the cycler, reading by reading."""
    await workplace.connect(step, "cycler", goes_on=True)
    cycler, value = workplace.wiring.the_cycler, workplace.walk.value
    setpoint = setpoint_of(step, value)
    limit = current_limit(step, value, workplace.envelope) if step.drive.limits_current else None
    workplace.book.enter_step()
    await workplace.send(cycler, _order(step, setpoint, limit, cycler))
    held = setpoint if isinstance(step.drive, drives.Current) else None
    watch = attempt.begin(step, "cycler", workplace, setpoint=setpoint, held=held)
    await read_until_end(watch, workplace)


def _order(
    step: Step, setpoint: float | None, limit: float | None, cycler: CyclerChannel
) -> Callable[[], Awaitable[None]]:
    """Return what sends a set point, and the limit of the current where it is a voltage."""
    match step.drive:
        case drives.Rest():
            return cycler.rest
        case drives.Current() if setpoint is not None:
            return lambda: cycler.source_current(setpoint)
        case drives.Voltage() if setpoint is not None and limit is not None:
            return lambda: cycler.source_voltage(setpoint, limit)
        case other:
            raise GalvanodeError(f"step {step.step_id} ({step.name}): a cycler cannot hold {other.kind!r}")
