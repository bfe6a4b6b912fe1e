"""The chambers of a station: set at the start, read while runs need them, and a trip for those when they are lost."""

from __future__ import annotations

import asyncio
import math
from contextlib import ExitStack
from dataclasses import dataclass, field

from galvanode.clock import Clock
from galvanode.engine.commits import Commits
from galvanode.engine.contract import ChamberState
from galvanode.engine.table import Channel, Table
from galvanode.engine.wiring import ChamberControl
from galvanode.errors import Refused
from galvanode.instrument.bench import OpenBench
from galvanode.instrument.reading import ChamberReading
from galvanode.quantities import column_of
from galvanode.recipe.program import Program, SetChamber

CHAMBER_EVERY_S = 60.0
"""Process seconds between readings of a chamber."""
IDLE_CHAMBER_EVERY_S = 5.0
"""Real seconds between readings of a chamber that no run needs."""
_MOST_FAILURES = 3
_CELSIUS = column_of("temperature").shown


@dataclass
class _Known:
    """What is known of one chamber."""

    reading: ChamberReading | None = None
    failures: int = 0
    message: str = ""
    not_set: str = ""
    """Why the chamber is not at the set point of the bench file, if it is not."""
    watched: bool = False
    presence: ExitStack = field(default_factory=ExitStack)


class Chambers:
    """The chambers of a bench."""

    def __init__(self, bench: OpenBench, table: Table, commits: Commits, clock: Clock) -> None:
        self._bench = bench
        self._table = table
        self._commits = commits
        self._clock = clock
        self._known = {name: _Known() for name in bench.chambers}

    async def start(self) -> None:
        """Set every chamber, side by side, and keep looking at them."""
        await asyncio.gather(*(self._set_up(name) for name in self._known))
        self._commits.background.spawn(self._look_at_idle_ones(), "idle chambers")

    # --- what others ask for -----------------------------------------------------------------------------

    def control(self, name: str) -> ChamberControl:
        """Return what a run may ask of a chamber."""

        async def read() -> ChamberReading | None:
            await self._read(name)
            known = self._known[name]
            return None if known.failures else known.reading

        return ChamberControl(self._bench.chambers[name].set_temperature, read)

    def temperature(self, name: str | None) -> float | None:
        """Return the last temperature of a chamber, K; None without one."""
        reading = None if name is None else self._known[name].reading
        return None if reading is None else reading.temperature

    def states(self) -> list[ChamberState]:
        """Return how the chambers stand."""
        return [self._state(name, known) for name, known in self._known.items()]

    async def refuse_if_failing(self, channel: Channel) -> None:
        """A run at the wrong temperature is worth nothing: set the chamber again, and refuse if it refuses."""
        name = channel.open.chamber
        if name is None:
            return
        known = self._known[name]
        if known.not_set or known.failures:
            await self._set_up(name)
        if problem := known.not_set or known.message:
            raise Refused(f"chamber {name!r} of channel {channel.name!r}: {problem}")

    def refuse_if_shared(self, channel: Channel, sets_it: bool) -> None:
        """A recipe that sets the temperature needs the chamber for itself."""
        others = [] if channel.open.chamber is None else self._table.runs_in(channel.open.chamber)
        setting = [run for run in others if sets_the_chamber(run.program)]
        if setting or (others and sets_it):
            run = (setting or others)[0]
            raise Refused(f"run {run.id} stands in the same chamber, and its temperature would change")

    def watch(self) -> None:
        """Read every chamber that a run needs regularly from this very instant on.

        It joins the clock here and not in its task, so that simulated time cannot pass in between.
        """
        for name, known in self._known.items():
            if not known.watched and self._is_needed(name):
                known.watched = True
                known.presence.enter_context(self._clock.actor())
                self._commits.background.spawn(self._watch(name, known), f"chamber {name}")

    # --- how ---------------------------------------------------------------------------------------------

    async def _set_up(self, name: str) -> None:
        known, setpoint = self._known[name], self._bench.bench.setpoint(name)
        chamber = self._bench.chambers[name]
        try:
            await chamber.identify()
            if setpoint is not None:
                await chamber.set_temperature(setpoint)
        except Exception as error:  # a chamber that cannot be set must be seen, whatever the reason
            known.not_set = str(error) or repr(error)
            self._commits.note("chamber", f"{name}: {known.not_set}")
        else:
            known.not_set = ""
        await self._read(name)

    def _is_needed(self, chamber: str) -> bool:
        """Tell whether a run that goes on depends on a chamber; a paused one does not hold the clock."""
        return any(run.state in ("queued", "running") for run in self._table.runs_in(chamber))

    async def _look_at_idle_ones(self) -> None:
        """Keep what people see of a chamber fresh while no run needs it.

        Not at full simulated speed, where time stands still meanwhile and a reading would only use up noise.
        """
        while math.isfinite(self._clock.speed):
            await asyncio.sleep(IDLE_CHAMBER_EVERY_S)
            await asyncio.gather(*(self._read(name) for name, known in self._known.items() if not known.watched))

    async def _watch(self, name: str, known: _Known) -> None:
        try:
            with known.presence:
                due = self._clock.now()
                while self._is_needed(name):
                    await self._read(name)
                    due = max(due + CHAMBER_EVERY_S, self._clock.now())
                    await self._clock.sleep_until(due)
        finally:
            known.watched = False

    async def _read(self, name: str) -> None:
        known = self._known[name]
        try:
            known.reading = await self._bench.chambers[name].read()
        except Exception as error:  # a defect of a driver, too, must not leave a chamber unwatched
            known.failures += 1
            known.message = str(error)
            if known.failures >= _MOST_FAILURES:
                known.reading = None
                self._trip_users(name, f"chamber {name} is lost: {error}")
        else:
            known.failures, known.message = 0, ""
            if known.reading.alarm is not None:
                self._trip_users(name, f"chamber {name} reports {known.reading.alarm}")
                await self._stop(name)

    async def _stop(self, name: str) -> None:
        """A chamber with an alarm is put into standby: it must not go on heating."""
        try:
            await self._bench.chambers[name].make_safe()
        except Exception as error:  # told to people; the chamber's own limiter is the layer below
            self._commits.note("chamber", f"{name} could not be put into standby: {error}")

    def _trip_users(self, name: str, reason: str) -> None:
        """The loss of an auxiliary sensor is a trip, and so is the chamber's own alarm."""
        for run in self._table.runs_in(name):
            run.trip(reason)

    def _state(self, name: str, known: _Known) -> ChamberState:
        reading = known.reading
        return ChamberState(
            name=name,
            temperature_degC=None if reading is None else _CELSIUS(reading.temperature),
            setpoint_degC=None if reading is None else _CELSIUS(reading.setpoint),
            alarm=None if reading is None else reading.alarm,
            ok=known.failures == 0 and not known.message and not known.not_set,
            message=known.not_set or known.message,
        )


def sets_the_chamber(program: Program) -> bool:
    """Tell whether a program changes its chamber's temperature."""
    return any(isinstance(instruction, SetChamber) for instruction in program.instructions)
