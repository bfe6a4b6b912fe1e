"""The life of one run: a program carried out on a channel, and what is asked of it on the way.

The state machine is small: ``running`` until the program ends, someone asks for a pause or a stop, a limit
trips, or the instrument is lost; whatever ends it, the channel is brought to its safe state and that is
verified by read-back before the run is said to have ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import ExitStack, suppress

from galvanode.clock import Clock
from galvanode.engine.book import Book
from galvanode.engine.carriers import carrier_of, operator, sequenced
from galvanode.engine.errors import SHUT_DOWN, Failed, Summoned, Tripped, ended_by
from galvanode.engine.position import Position
from galvanode.engine.summons import Summons
from galvanode.engine.trust import inside
from galvanode.engine.walk import Walk
from galvanode.engine.wiring import Wiring
from galvanode.engine.workplace import Workplace
from galvanode.errors import GalvanodeError
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import Envelope, Identity
from galvanode.recipe.program import Ask, Program, Step
from galvanode.states import FINISHED, RunState
from galvanode.store.records import RunCommit

_SAFE_ATTEMPTS = 3
_MOST_WITHOUT_TIME = 1000
"""Steps in a row that may end as they began."""


class Run:
    """One run on one channel. Its position and everything since the last commit can be taken at any time."""

    def __init__(
        self,
        run_id: str,
        program: Program,
        envelope: Envelope,
        wiring: Wiring,
        clock: Clock,
        *,
        position: Position | None = None,
        state: RunState = "queued",
        temperature: Callable[[], float | None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
        tag: str | None = None,
    ) -> None:
        """``tag`` is what an instrument that outlives the host keeps of the run; without one its name."""
        self.id = run_id
        self._tag = tag or run_id
        self.program = program
        self.state: RunState = state
        self.end_reason: str | None = None
        self.unsafe: str | None = None
        """Why the safe state could not be verified, if it could not."""
        self.finished = asyncio.Event()
        self._clock = clock
        self._wiring = wiring
        self._on_change = on_change
        self._resuming = position is not None
        self._identities: list[Identity] = []
        self._book = Book(run_id, position or Position(), clock, wiring.auxiliaries)
        self._walk = Walk(program, self._book.position, self._book.note)
        self._alone = wiring.sequencer is not None
        self._summons = Summons(clock, paused=state == "paused" and not self._alone)
        self._workplace = Workplace(envelope, wiring, clock, self._walk, self._book, self._summons, temperature)

    # --- what others ask of a run -------------------------------------------------------------------

    def start(self) -> None:
        """Begin, in a task of its own. Simulated time stands still until that task joins the clock."""
        arrival, loop = ExitStack(), asyncio.get_running_loop()
        arrival.enter_context(self._clock.actor())
        self._summons.called(loop.create_task(self._live(), name=f"run {self.id}"))
        loop.call_soon(arrival.close)

    @property
    def can_pause(self) -> bool:
        """False for a run that the instrument carries out alone: nobody here could make it wait."""
        return not self._alone

    def pause(self) -> None:
        """Make the channel safe and hold the position; nothing happens where the run cannot pause."""
        self._summons.pause(self.can_pause)

    def resume(self) -> None:
        """Go on after a pause."""
        self._summons.pause(False)

    def stop(self) -> None:
        """End the run now. Nothing takes that back."""
        self._summons.stop()

    def interrupt(self) -> None:
        """End the run in this process; it can be taken up again by the next."""
        self._summons.interrupt()

    def trip(self, reason: str) -> None:
        """End the run because of something outside it (a lost sensor, an alarm)."""
        self._summons.trip(reason)

    def answer(self, value: float | None = None, attachment: str | None = None) -> None:
        """Answer the question that the run waits with; it goes on. Raises ``Unanswerable``.

        ``value`` is the number asked for, in SI; ``attachment`` the name of the stored photo.
        """
        operator.answer(self._workplace, value, attachment)
        self._set_state("running")
        self._summons.wake()

    def take_commit(self) -> RunCommit | None:
        """Return all that happened since the last call, with the position that belongs to it; None if nothing.

        Must be called from the event loop's thread: between two readings samples and position agree.
        """
        self._walk.keep_endings()
        return self._book.take(self.state, self.end_reason)

    @property
    def position(self) -> Position:
        """Where the run stands."""
        return self._book.position

    @property
    def step(self) -> Step | None:
        """The step under way, or the last one."""
        return self._workplace.step

    @property
    def reading(self) -> Reading | None:
        """The last reading of the step under way."""
        return self._workplace.reading

    @property
    def auxiliary(self) -> dict[str, float]:
        """The last auxiliary readings by name, in the units of their columns."""
        return self._book.beside.shown()

    @property
    def question(self) -> Ask | None:
        """What the run waits for somebody to answer, while it is ``waiting``."""
        return self._workplace.question

    @property
    def progress(self) -> float | None:
        """Share of the program done, 0 to 1, from its outermost loop; None where that says nothing."""
        if self.state in FINISHED:
            return 1.0
        return self._walk.progress

    # --- life ------------------------------------------------------------------------------------------

    def _set_state(self, state: RunState, reason: str | None = None) -> None:
        self.state = state
        if reason is not None:
            self.end_reason = reason
        self._book.changed = True
        self._on_change()

    async def _live(self) -> None:
        try:
            await self._go_on_until_the_end()
            self._conclude()
        except GalvanodeError as error:
            self._tell_why(error)
        except BaseException as error:  # a defect, of ours or a driver's, must still leave the cell safe and be seen
            self._tell_why(error)
            if not isinstance(error, asyncio.CancelledError):
                await self._make_safe()
            if isinstance(error, SystemExit):  # a driver does not speak for the other channels
                raise RuntimeError(f"run {self.id} asked the engine to end") from error  # noqa: TRY004
            raise
        finally:
            try:
                self._close_the_book()
            finally:
                self.finished.set()

    def _tell_why(self, error: BaseException) -> None:
        """Say how the run stands after an error. One that does nothing when the engine ends stands as it did."""
        if not isinstance(error, asyncio.CancelledError) or self.state in ("queued", "running"):
            self._set_state(*ended_by(error))

    def _close_the_book(self) -> None:
        self._book.close_step(f"{self.state}: {self.end_reason}")
        if self.unsafe is not None:
            state = "failed" if self.state == "completed" else self.state
            self._set_state(state, f"{self.end_reason}; the channel is not safe: {self.unsafe}")
        self._book.note("ended", f"{self.state}: {self.end_reason}", state=self.state)

    async def _go_on_until_the_end(self) -> None:
        """Work, pause and wait in turn, until the program is over or the end is asked for."""
        summons = self._summons
        while summons.end is None:
            if summons.paused:
                await self._hold()
                continue
            self._set_state("running")
            with self._clock.actor():
                await self._work()
            question = self.question
            if question is not None and not summons.asked:
                await self._wait_for_answer(question)
            if self._walk.at_end:
                return
            self._resuming = True

    async def _hold(self) -> None:
        """Hold the position until somebody says go. Raises ``Tripped`` if the channel is not safe."""
        if self.unsafe is not None:
            raise Tripped("it could not be paused safely")
        self._workplace.reading = None
        if self.state != "paused":
            self._set_state("paused")
        await self._summons.news()
        self._resuming = True

    async def _wait_for_answer(self, question: Ask) -> None:
        """Wait, with the channel safe, until somebody has answered or wants something else. Raises ``Failed``.

        The time that the recipe gives is real time at simulated speed; at full speed there is none to give.
        """
        if self.unsafe is not None:
            raise Tripped("the channel could not be made safe to wait for an answer")
        self._workplace.reading = None
        self._set_state("waiting")
        asked_s, speed = question.within_s, self._clock.speed
        within_s = None if asked_s is None or math.isinf(speed) else asked_s / speed
        try:
            async with asyncio.timeout(within_s):
                while self.question is not None and not self._summons.asked:
                    await self._summons.news()
        except TimeoutError:
            if self.question is None:  # the answer came with the last moment
                return
            raise Failed(f"nobody answered within {question.within_s:g} s: {question.message}") from None

    def _conclude(self) -> None:
        """Say how it stands, from what was asked for and how far the program came."""
        summons = self._summons
        if self.question is not None and not summons.asked:
            return
        if summons.tripped is not None:
            self._set_state("tripped", summons.tripped)
        elif self._walk.at_end:
            self._set_state("completed", self.position.left_early or "end of recipe")
        elif summons.end == "stop":
            self._set_state("stopped", "stopped on request")
        elif summons.paused:
            self._set_state("paused")
        else:
            self._set_state("interrupted", SHUT_DOWN)

    async def _work(self) -> None:
        """Walk the program until its end or a request; the channel is safe when this returns or raises.

        How it ended is written down, and its commit asked for, before the channel is made safe: with a bad link
        that takes seconds, and a run that has tripped must not be taken up by another engine.
        """
        try:
            if self._alone:
                await sequenced.carry_out(self.program, self._tag, self._workplace, self._take_up)
            else:
                with suppress(Summoned):
                    await self._take_up()
                    await self._carry_on()
            self._conclude()
        except BaseException as error:
            self._tell_why(error)
            raise
        finally:
            self._book.passing = None
            self._walk.keep_endings()
            if not (self._alone and self.state == "interrupted"):
                await self._make_safe()

    async def _take_up(self) -> None:
        """Bring the channel into a known state and, after an interruption, see that the cell fits."""
        identities = await self._workplace.heard(self._wiring.identify)
        if self._identities and identities != self._identities:
            raise Tripped(f"another instrument answers: {', '.join(f'{i.model} {i.serial}' for i in identities)}")
        self._identities = identities
        await self._workplace.heard(lambda: self._wiring.prepare(self._workplace.envelope))
        self._walk.take_up()
        if self._resuming and not self._alone:
            await self._resume()
        else:
            self._book.origin = self._clock.now() - self.position.test_time_s

    async def _resume(self) -> None:
        """Go on where the position stands, if the cell is as it should be. Raises ``Tripped`` if not."""
        clock, p, book = self._clock, self.position, self._book
        gap_s = max(0.0, clock.unix() - p.unix_time_s) if p.unix_time_s else 0.0
        book.origin = clock.now() - p.test_time_s - gap_s
        await self._wiring.switch_to(self._wiring.first)
        voltage = await self._workplace.rest_voltage(self._wiring.first)
        p.away_s += gap_s  # what ends the measurement leaves the position as it was
        if not inside(voltage, self.program.safety.voltage):
            raise Tripped(f"open-circuit voltage {voltage:.4g} V on resuming lies outside the cell's limits")
        p.test_time_s, p.unix_time_s = clock.now() - book.origin, clock.unix()
        told = f"resumed after {gap_s:.3g} s at step {p.step_count}, cycle {p.cycle}; open circuit {voltage:.4g} V"
        book.note("resumed", told, gap_s=gap_s, voltage=voltage)
        p.attempt += 1 if p.in_step else 0

    async def _carry_on(self) -> None:
        """Have one instruction after the other carried out."""
        p, walk, summons, workplace = self.position, self._walk, self._summons, self._workplace
        workplace.question = None  # one that a pause came between is asked again
        steps_without_time = 0
        while not summons.asked and self.question is None and (instruction := walk.next()) is not None:
            began = p.test_time_s
            await carrier_of(instruction, workplace)(instruction, workplace)
            steps_without_time = steps_without_time + 1 if p.test_time_s == began else 0
            if steps_without_time > _MOST_WITHOUT_TIME:
                raise Tripped("1000 steps in a row ended as they began; check their end conditions")
            if steps_without_time:
                await asyncio.sleep(0)

    async def _make_safe(self) -> None:
        """Safe state with read-back; tried again, because nothing matters more. Unsafe until proven otherwise."""
        self.unsafe = "the safe state has not been read back"
        for attempt in range(_SAFE_ATTEMPTS):
            try:
                await self._wiring.make_safe()
            except Exception as error:  # whatever went wrong, the output may still be on
                self.unsafe = str(error) or repr(error)
                self._book.note("unsafe", f"safe state not verified (attempt {attempt + 1}): {self.unsafe}")
            else:
                self.unsafe = None
                return
