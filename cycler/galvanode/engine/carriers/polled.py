"""Steps that the host polls: the cycler holds a set point, or one current after the other that the host works out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

from galvanode.engine.drive import Drive, drive_of
from galvanode.engine.ends import TIME_TOLERANCE_S
from galvanode.engine.errors import Tripped
from galvanode.engine.plans import current_limit, setpoint_of
from galvanode.engine.trust import inside
from galvanode.engine.watch import Watch
from galvanode.engine.workplace import Workplace
from galvanode.errors import GalvanodeError
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import Reading
from galvanode.recipe import drives
from galvanode.recipe.program import Step

DRIVES = (drives.Rest, drives.Current, drives.Voltage, drives.Power, drives.Resistance, drives.Profile)


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a step on the cycler, reading by reading."""
    await workplace.connect(step, "cycler", goes_on=True)
    setpoint = setpoint_of(step, workplace.walk.value)
    workplace.book.enter_step()
    drive = drive_of(step, setpoint)
    if drive is None:
        held = setpoint if isinstance(step.drive, drives.Current) else None
        await workplace.send(workplace.wiring.the_cycler, _setting(step, setpoint, workplace))
    else:
        held = await _first_current(drive, workplace)
        await _set_current(step, held, drive, workplace)
    began = workplace.clock.now()
    floor = workplace.wiring.the_cycler.capabilities.current_floor
    watch = workplace.begin(step, setpoint, began, floor, held=held)
    await _watch(watch, _Pace(step.poll_s, began, workplace.real_time), drive, workplace)


async def _watch(watch: Watch, pace: _Pace, drive: Drive | None, workplace: Workplace) -> None:
    """Read until the step ends. The hot path of the engine."""
    clock, summons, cycler = workplace.clock, workplace.summons, workplace.wiring.the_cycler
    now_of, unix_of, sleep_until, temperature = clock.now, clock.unix, clock.sleep_until, workplace.temperature
    read, take, next_look, next_wake = cycler.read, watch.take, watch.next_look, pace.next_wake
    real_time, wake = workplace.real_time, pace.due
    while True:
        if real_time:
            workplace.note_if_late(wake)
        try:
            reading = await read()
        except LinkError as error:
            reading = await workplace.read_again(cycler, error)
        workplace.reading = reading
        now = now_of()
        asked = summons.why if summons.asked else None
        reason = take(reading, now, unix_of(), temperature(), asked)
        if reason is not None:
            workplace.end(watch, reason, asked)
            return
        if drive is not None:
            await _drive_on(watch, drive, reading, workplace)
        wake = next_wake(now, next_look(now, pace.after(now)))
        if drive is not None:
            wake = min(wake, watch.origin + drive.next_change(watch.step_time))
        summons.asleep = True
        try:
            await sleep_until(wake)
        except asyncio.CancelledError:
            summons.not_really_cancelled()
            wake = now_of()  # woken for the request: not late
        finally:
            summons.asleep = False


class _Pace:
    """The grid of times at which a step is read: counted from where it began, not summed up."""

    def __init__(self, poll_s: float, began: float, real_time: bool) -> None:
        self.due = began
        self._poll_s = poll_s
        self._began = began
        self._count = 0
        self._real_time = real_time

    def after(self, now: float) -> float:
        """Return when the next reading is due, after one at ``now``.

        One that was woken for before it was due leaves the grid as it is; one that is late begins a new grid.
        """
        if now >= self.due - TIME_TOLERANCE_S:
            self._count += 1
            self.due = self._began + self._count * self._poll_s
            if self.due <= now:
                self._began, self._count, self.due = now, 1, now + self._poll_s
        return self.due

    def next_wake(self, now: float, wake: float) -> float:
        """Return when to wake: as asked, but after ``now``, and only once for two times that are the same but for
        rounding.
        """
        if self.due - TIME_TOLERANCE_S <= wake:
            return self.due
        if wake > now:
            return wake
        return now + 1e-3 if self._real_time else math.nextafter(now, math.inf) + 1e-6


def _setting(step: Step, setpoint: float | None, workplace: Workplace) -> Callable[[], Awaitable[None]]:
    """Return what sends the set point of a step that the instrument holds."""
    cycler = workplace.wiring.the_cycler
    if isinstance(step.drive, drives.Rest):
        return cycler.rest
    if setpoint is None:
        raise GalvanodeError(f"step {step.step_id} ({step.name}) has no set point")
    if isinstance(step.drive, drives.Current):
        return lambda: cycler.source_current(setpoint)
    if isinstance(step.drive, drives.Voltage):
        limit = current_limit(step, workplace.walk.value, workplace.envelope)
        return lambda: cycler.source_voltage(setpoint, limit)
    raise GalvanodeError(f"step {step.step_id} ({step.name}): a cycler cannot hold {step.drive.kind!r}")


async def _first_current(drive: Drive, workplace: Workplace) -> float:
    """Return the current that a driven step begins with, from the voltage that there is now, A."""
    voltage, passing = math.nan, workplace.book.passing
    if passing is not None:
        voltage = passing.voltage
    elif drive.needs_voltage:
        cycler = workplace.wiring.the_cycler
        await cycler.rest()
        voltage = (await workplace.read(cycler)).voltage
    return drive.current(workplace.position.step_time_s, voltage)


async def _set_current(step: Step, amps: float, drive: Drive, workplace: Workplace) -> None:
    """Set the current that the host has worked out. Raises ``Tripped`` if it lies outside the step's limits."""
    if not inside(amps, step.limits.current) or abs(amps) > workplace.envelope.current_max:
        raise Tripped(f"{step.name} needs {amps:.4g} A now, which lies outside the limits of its current")
    cycler = workplace.wiring.the_cycler
    await workplace.send(cycler, lambda: cycler.source_current(amps))
    drive.set(amps)


async def _drive_on(watch: Watch, drive: Drive, reading: Reading, workplace: Workplace) -> None:
    """Set the current that is due after a reading."""
    amps = drive.current(watch.step_time, reading.voltage)
    if drive.is_worth_setting(amps):
        await _set_current(watch.step, amps, drive, workplace)
        watch.redirect(amps, workplace.clock.now())
