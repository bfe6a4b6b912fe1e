"""What a carrier works with: a run's instruments, its way through the program, its book, what is asked of it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from galvanode.clock import Clock
from galvanode.engine.book import Book
from galvanode.engine.errors import CommunicationLost, Summoned, Tripped
from galvanode.engine.position import Position
from galvanode.engine.summons import Summons
from galvanode.engine.walk import Walk
from galvanode.engine.wiring import Carrier, Wiring
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import CyclerChannel, Envelope, ScriptedChannel
from galvanode.instrument.tasks import OpenCircuit
from galvanode.recipe.operand import OPEN_CIRCUIT
from galvanode.recipe.program import Ask, Step

T = TypeVar("T")

READ_ATTEMPTS = 3
_LATE_S = 0.1
"""Real seconds by which a reading may start late before that is recorded."""
_OPEN_CIRCUIT_S = 2.0
_SOON_S = 0.05
"""So long after its end a measurement of the rest voltage is looked at for the first time."""
_MOST_LOOKS = 30


@dataclass
class Workplace:
    """One run's. What a step needs from its beginning to its end, whatever carries it out."""

    envelope: Envelope
    wiring: Wiring
    clock: Clock
    walk: Walk
    book: Book
    summons: Summons
    temperature: Callable[[], float | None]
    """Of the cell, K; None where none is measured."""
    step: Step | None = None
    """The step under way, or the last one."""
    reading: Reading | None = None
    """The last one, for people."""
    question: Ask | None = None
    """What somebody has to answer before the run goes on."""
    real_time: bool = field(init=False)
    """Time passes by itself, so that a reading can be late."""

    def __post_init__(self) -> None:
        self.real_time = math.isfinite(self.clock.speed)

    @property
    def position(self) -> Position:
        """Where the run stands."""
        return self.book.position

    # --- a step ----------------------------------------------------------------------------------------

    async def connect(self, step: Step, carrier: Carrier, *, goes_on: bool) -> None:
        """Let an instrument have the cell for a step, and measure the rest voltage if the step refers to it.

        ``goes_on`` says that the step can be taken up in its middle: then the rest voltage measured before holds.
        """
        if await self.wiring.switch_to(carrier) or carrier == "analyzer":
            self.book.passing = None
        self.step = step
        variables = self.position.variables
        known = goes_on and self.position.in_step and OPEN_CIRCUIT in variables
        if step.drive.needs_rest_voltage() and not known:
            variables[OPEN_CIRCUIT] = await self.rest_voltage(carrier)

    def note_if_late(self, wake: float) -> None:
        """Write down that a reading begins late, if it does."""
        if not self.real_time:
            return
        late_s = (self.clock.now() - wake) / self.clock.speed
        if late_s > _LATE_S:
            self.book.note("late_poll", f"a reading began {late_s:.3f} s late", late_s=late_s)

    # --- the cycler ------------------------------------------------------------------------------------

    async def send(self, instrument: CyclerChannel | ScriptedChannel, send: Callable[[], Awaitable[None]]) -> None:
        """Send a set point or a task; a lost message is repeated once, from the safe state."""
        try:
            await send()
        except LinkError as error:
            self.book.note("link", f"set point not confirmed, sent again: {error}")
            await instrument.make_safe()
            await send()

    async def heard(
        self, ask: Callable[[], Awaitable[T]], failed: str = "not heard", error: LinkError | None = None
    ) -> T:
        """Ask; a lost answer, which may end no run, is asked for again. ``error`` is that of a first attempt."""
        attempt = 1 if error is None else 2
        while True:
            if error is not None:
                self.book.note("link", f"{failed}, attempt {attempt} of {READ_ATTEMPTS}: {error}")
            try:
                return await ask()
            except LinkError as again:
                if attempt == READ_ATTEMPTS:
                    raise
                attempt, error = attempt + 1, again

    async def read(self, cycler: CyclerChannel, error: LinkError | None = None) -> Reading:
        """Read, for the first time or after an ``error``; bounded, since current flows unwatched meanwhile.

        Raises ``CommunicationLost``.
        """
        try:
            return await self.heard(cycler.read, "reading failed", error)
        except LinkError as lost:
            raise CommunicationLost(str(lost)) from lost

    # --- the rest voltage ------------------------------------------------------------------------------

    async def voltage_now(self) -> float:
        """Return the voltage that the cycler measured last, if the cell is still as it was; else that at rest, V."""
        passing = self.book.passing
        return await self.rest_voltage("cycler") if passing is None else passing.voltage

    async def rest_voltage(self, carrier: Carrier) -> float:
        """Measure the rest voltage with the instrument that has the cell, V. Raises ``Summoned``, ``Tripped``."""
        if carrier == "analyzer":
            return await self._rest_voltage_by_script()
        cycler = self.wiring.the_cycler
        await self.send(cycler, cycler.rest)
        self.book.count_what_passed(self.clock.now())
        return (await self.read(cycler)).voltage

    async def _rest_voltage_by_script(self) -> float:
        analyzer = self.wiring.the_analyzer
        await self.send(analyzer, lambda: analyzer.start(OpenCircuit(_OPEN_CIRCUIT_S, _OPEN_CIRCUIT_S / 4)))
        readings: list[Reading] = []
        due = self.clock.now() + _OPEN_CIRCUIT_S + _SOON_S
        for look in range(_MOST_LOOKS):
            await self.summons.sleep(due + look * _OPEN_CIRCUIT_S / 2)
            if self.summons.asked:
                raise Summoned("asked for while the rest voltage was measured")
            collected = await self.heard(analyzer.collect)
            readings += [item for item in collected.items if isinstance(item, Reading)]
            if collected.finished:
                break
        else:
            await analyzer.abort()  # its end was lost on the way: the next task is not refused for that
        if not readings:
            raise Tripped("the rest voltage could not be measured")
        return readings[-1].voltage
