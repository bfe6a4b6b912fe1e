"""Steps that the host regulates: the cycler holds one current after the other, worked out from each reading."""

from __future__ import annotations

import math

from galvanode.engine import attempt
from galvanode.engine.plans import setpoint_of
from galvanode.engine.polling import read_until_end
from galvanode.engine.regulator import regulator_of
from galvanode.engine.workplace import Workplace
from galvanode.instrument.reading import Reading
from galvanode.recipe import drives
from galvanode.recipe.program import Step

DRIVES = (drives.Power, drives.Resistance, drives.Profile)


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a step on the cycler, with the current that is due at each reading. Raises ``Tripped`` for none."""
    await workplace.connect(step, "cycler", goes_on=True)
    cycler, clock = workplace.wiring.the_cycler, workplace.clock
    setpoint = setpoint_of(step, workplace.walk.value)
    regulator = regulator_of(step, setpoint, workplace.envelope)
    workplace.book.enter_step()
    voltage = await workplace.voltage_now() if regulator.needs_voltage else math.nan
    flows = regulator.current(workplace.position.step_time_s, voltage)
    await workplace.send(cycler, lambda: cycler.source_current(flows))
    watch = attempt.begin(step, "cycler", workplace, setpoint=setpoint, held=flows)

    async def regulate(reading: Reading) -> float:
        nonlocal flows
        amps = regulator.current(watch.step_time, reading.voltage)
        if amps != flows:
            flows = amps
            await workplace.send(cycler, lambda: cycler.source_current(amps))
            watch.redirect(amps, clock.now())
        return watch.origin + regulator.next_change(watch.step_time)

    await read_until_end(watch, workplace, regulate)
