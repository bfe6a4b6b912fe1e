"""One run: a program carried out on a channel, step by step, reading by reading.

The state machine is small: ``running`` until the program ends, someone asks for a pause or a stop, a limit
trips, or the instrument is lost; whatever ends it, the channel is brought to its safe state and that is
verified by read-back before the run is said to have ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

from galvanode.clock import Clock
from galvanode.engine.drive import Drive, drive_of
from galvanode.engine.ends import TIME_TOLERANCE_S, Verdict
from galvanode.engine.plans import expected_s, open_circuit_is_needed, plain_ends, staircase, task_of
from galvanode.engine.position import Position
from galvanode.engine.walk import Failed, Walk
from galvanode.engine.watch import Block, Tripped, Watch, inside
from galvanode.engine.wiring import NotWired, Wiring
from galvanode.errors import GalvanodeError
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import CyclerChannel, Envelope, Identity, InstrumentError, ScriptedChannel
from galvanode.instrument.tasks import Impedance, ImpedancePoint, OpenCircuit, Sweep
from galvanode.recipe.program import OPEN_CIRCUIT, Action, Ask, Program, SetChamber, Step, Window
from galvanode.states import FINISHED, RunState
from galvanode.store.records import Event, RunCommit, Sample, StepRecord
from galvanode.units import DIMENSIONS, format_quantity

End = Literal["stop", "interrupt"]
StepEnd = Literal["over", "asked"]
"""The step is over and the position has moved on; somebody asked for something and the step stands where it is."""

_READ_ATTEMPTS = 3
_CHAMBER_POLL_S = 10.0
_OPEN_CIRCUIT_S = 2.0
_MOST_LOOKS = 30
_LATE_S = 0.1
"""Real seconds by which a reading may start late before that is recorded."""


class CommunicationLost(GalvanodeError):
    """The instrument does not answer any more."""


class Unanswerable(GalvanodeError):
    """An answer that does not fit the question."""


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
    ) -> None:
        self.id = run_id
        self.program = program
        self.state: RunState = state
        self.end_reason: str | None = None
        self.position = position or Position()
        self.step: Step | None = None
        self.reading: Reading | None = None
        self.question: Ask | None = None
        """What the run waits for somebody to answer, while it is ``waiting``."""
        self.unsafe: str | None = None
        """Why the safe state could not be verified, if it could not."""
        self.finished = asyncio.Event()
        self._envelope = envelope
        self._wiring = wiring
        self._clock = clock
        self._temperature = temperature
        self._on_change = on_change
        self._resuming = position is not None
        self._pause_wanted = state == "paused"
        self._end: End | None = None
        self._outside_trip: str | None = None
        self._identities: list[Identity] = []
        self._asked = self._pause_wanted
        """Somebody wants the run to pause or to end; looked at on every reading."""
        self._asleep = False
        self._may_go_on = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._walk = Walk(program, self.position, self.note)
        self._watch: Watch | None = None
        self._task_end = ""
        """Why the analyzer's last task ended."""
        self._open_step: StepRecord | None = None
        self._carried: tuple[float, float, float] | None = None
        """Time, voltage and current of the last reading of the step before, while they go on."""
        self._samples: list[Sample] = []
        self._steps: list[StepRecord] = []
        self._events: list[Event] = []
        self._changed = True

    # --- what others ask of a run -------------------------------------------------------------------

    def start(self) -> None:
        """Begin, in a task of its own."""
        self._task = asyncio.get_running_loop().create_task(self._live(), name=f"run {self.id}")

    def pause(self) -> None:
        """Make the channel safe and hold the position."""
        self._pause_wanted = True
        self._wake()

    def resume(self) -> None:
        """Go on after a pause."""
        self._pause_wanted = False
        self._wake()

    def stop(self) -> None:
        """End the run now. Nothing takes that back."""
        self._end = "stop"
        self._wake()

    def interrupt(self) -> None:
        """End the run in this process; it can be taken up again by the next."""
        self._end = self._end or "interrupt"
        self._wake()

    def trip(self, reason: str) -> None:
        """End the run because of something outside it (a lost sensor, an alarm)."""
        self._outside_trip = self._outside_trip or reason
        self.stop()

    def answer(self, value: float | None = None, attachment: str | None = None) -> None:
        """Answer the question that the run waits with; it goes on. Raises ``Unanswerable``.

        ``value`` is the number asked for, in SI; ``attachment`` the name of the stored photo.
        """
        question = self.question
        if question is None:
            raise Unanswerable("the run asks nothing now")
        said = answered(question, value, attachment)
        if question.name is not None and value is not None:
            self.position.variables[question.name] = value
        p = self.position
        waited_s = max(0.0, self._clock.unix() - p.unix_time_s) if p.unix_time_s else 0.0
        p.test_time_s += waited_s
        p.away_s += waited_s
        p.unix_time_s = self._clock.unix()
        details = {"message": question.message, "name": question.name, "value": value, "attachment": attachment}
        self.note("answered", f"{question.message}: {said}", **details)
        self._close_step(said)
        self.question = None
        p.in_step = False
        p.instruction += 1
        self._set_state("running")
        self._wake()

    def take_commit(self) -> RunCommit | None:
        """Return all that happened since the last call, with the position that belongs to it; None if nothing.

        Must be called from the event loop's thread: between two readings samples and position agree.
        """
        if not (self._samples or self._steps or self._events or self._changed):
            return None
        self._walk.keep_endings()
        commit = RunCommit(
            run=self.id,
            samples=self._samples,
            position_json=self.position.to_json(),
            state=self.state,
            end_reason=self.end_reason,
            unix_time_s=self._clock.unix(),
            steps=self._steps,
            events=self._events,
            count=self.position.samples,
        )
        # Only now: if anything above fails, nothing of it is lost.
        self._samples, self._steps, self._events, self._changed = [], [], [], False
        if self._watch is not None:
            self._watch.samples = self._samples
        return commit

    @property
    def progress(self) -> float | None:
        """Share of the program done, 0 to 1, from its outermost loop; None where that says nothing."""
        if self.state in FINISHED:
            return 1.0
        return self._walk.progress

    # --- life ------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """See to it that the run looks at what is asked of it now."""
        self._asked = self._pause_wanted or self._end is not None
        self._may_go_on.set()
        if self._asked and self._asleep and self._task is not None:
            self._task.cancel()  # ends the sleep only: I/O in flight is never cut off

    def _set_state(self, state: RunState, reason: str | None = None) -> None:
        self.state = state
        if reason is not None:
            self.end_reason = reason
        self._changed = True
        self._on_change()

    def note(self, kind: str, message: str, /, **details: Any) -> None:
        """Record an event of this run."""
        test_time = self.position.test_time_s
        self._events.append(Event(self.id, self._clock.unix(), test_time, kind, message, details))

    async def _live(self) -> None:
        try:
            while self._end is None:
                if self._pause_wanted:
                    await self._hold()
                    continue
                self._set_state("running")
                with self._clock.actor():
                    await self._work()
                if self.question is not None and self._end is None and not self._pause_wanted:
                    await self._wait_for_answer(self.question)
                if self._walk.at_end:
                    break
                self._resuming = True
            self._conclude()
        except Tripped as trip:
            self._set_state("tripped", str(trip))
        except CommunicationLost as lost:
            self._set_state("communication_lost", str(lost))
        except GalvanodeError as error:
            self._set_state("failed", str(error))
        except Exception as error:  # a defect of ours must still leave the cell safe and be seen
            self._set_state("failed", f"internal error: {type(error).__name__}: {error}")
            await self._make_safe()
            raise
        finally:
            if self._open_step is not None:
                self._close_step(f"{self.state}: {self.end_reason}")
            if self.unsafe is not None:
                state = "failed" if self.state == "completed" else self.state
                self._set_state(state, f"{self.end_reason}; the channel is not safe: {self.unsafe}")
            self.note("ended", f"{self.state}: {self.end_reason}", state=self.state)
            self.finished.set()

    async def _hold(self) -> None:
        """Hold the position until somebody says go. Raises ``Tripped`` if the channel is not safe."""
        if self.unsafe is not None:
            raise Tripped("it could not be paused safely")
        self.reading = None
        if self.state != "paused":
            self._set_state("paused")
        self._may_go_on.clear()
        await self._may_go_on.wait()
        self._resuming = True

    async def _wait_for_answer(self, question: Ask) -> None:
        """Wait, with the channel safe, until somebody has answered or wants something else. Raises ``Failed``.

        The time that the recipe gives is real time at simulated speed; at full speed there is none to give.
        """
        if self.unsafe is not None:
            raise Tripped("the channel could not be made safe to wait for an answer")
        self.reading = None
        self._set_state("waiting")
        within_s = question.within_s
        if within_s is not None:
            within_s = within_s / self._clock.speed if math.isfinite(self._clock.speed) else None
        try:
            async with asyncio.timeout(within_s):
                while self.question is not None and not self._asked:
                    self._may_go_on.clear()
                    await self._may_go_on.wait()
        except TimeoutError:
            if self.question is None:  # the answer came with the last moment
                return
            raise Failed(f"nobody answered within {question.within_s:g} s: {question.message}") from None

    def _conclude(self) -> None:
        """Say how it stands, from what was asked for and how far the program came."""
        if self.question is not None and not self._asked:
            return
        if self._outside_trip is not None:
            self._set_state("tripped", self._outside_trip)
        elif self._walk.at_end:
            self._set_state("completed", self.position.left_early or "end of recipe")
        elif self._end == "stop":
            self._set_state("stopped", "stopped on request")
        elif self._pause_wanted:
            self._set_state("paused")
        else:
            self._set_state("interrupted", "the engine was shut down")

    async def _work(self) -> None:
        """Walk the program until its end or a request; the channel is safe when this returns or raises.

        How it ended is written down, and its commit asked for, before the channel is made safe: with a bad link
        that takes seconds, and a run that has tripped must not be taken up by another engine.
        """
        try:
            await self._take_up()
            await self._carry_on()
            self._conclude()
        except (Tripped, BadReading, InstrumentError) as error:
            self._set_state("tripped", str(error))
            raise Tripped(str(error)) from error
        except (CommunicationLost, LinkError) as error:
            self._set_state("communication_lost", str(error))
            raise CommunicationLost(str(error)) from error
        except GalvanodeError as error:
            self._set_state("failed", str(error))
            raise
        finally:
            self._carried = None
            self._walk.keep_endings()
            await self._make_safe()

    async def _take_up(self) -> None:
        """Bring the channel into a known state and, after an interruption, see that the cell fits."""
        clock, p = self._clock, self.position
        identities = await self._wiring.identify()
        if self._identities and identities != self._identities:
            raise Tripped(f"another instrument answers: {', '.join(f'{i.model} {i.serial}' for i in identities)}")
        self._identities = identities
        await self._wiring.prepare(self._envelope)
        self._walk.take_up()
        if self._temperature() is None and self.program.safety.temperature != Window():
            self.note("unwatched", "no temperature is measured on this channel: its limits are not watched")
        if not self._resuming:
            self._origin = clock.now()
            return
        gap_s = max(0.0, clock.unix() - p.unix_time_s) if p.unix_time_s else 0.0
        p.away_s += gap_s
        self._origin = clock.now() - p.test_time_s - gap_s
        voltage = await self._open_circuit_voltage()
        if not inside(voltage, self.program.safety.voltage):
            raise Tripped(f"open-circuit voltage {voltage:.4g} V on resuming lies outside the cell's limits")
        p.test_time_s, p.unix_time_s = clock.now() - self._origin, clock.unix()
        self.note(
            "resumed",
            f"resumed after {gap_s:.3g} s at step {p.step_count}, cycle {p.cycle}; open circuit {voltage:.4g} V",
            gap_s=gap_s,
            voltage=voltage,
        )
        p.attempt += 1 if p.in_step else 0

    async def _make_safe(self) -> None:
        """Safe state with read-back; tried again, because nothing matters more. Unsafe until proven otherwise."""
        self.unsafe = "the safe state has not been read back"
        for attempt in range(_READ_ATTEMPTS):
            try:
                await self._wiring.make_safe()
            except Exception as error:  # whatever went wrong, the output may still be on
                self.unsafe = str(error) or repr(error)
                self.note("unsafe", f"safe state not verified (attempt {attempt + 1}): {self.unsafe}")
            else:
                self.unsafe = None
                return

    # --- the program ---------------------------------------------------------------------------------

    async def _carry_on(self) -> None:
        p = self.position
        steps_without_time = 0
        while not self._asked and (instruction := self._walk.next()) is not None:
            began = p.test_time_s
            if isinstance(instruction, Ask):
                await self._ask(instruction)
                return
            if isinstance(instruction, SetChamber):
                await self._set_chamber(instruction)
            else:
                await self._carry_out(instruction)
            steps_without_time = steps_without_time + 1 if p.test_time_s == began else 0
            if steps_without_time > 1000:
                raise Tripped("1000 steps in a row ended as they began; check their end conditions")
            if steps_without_time:
                await asyncio.sleep(0)

    async def _ask(self, question: Ask) -> None:
        """Ask somebody; the channel is made safe before anybody waits."""
        self._carried = None
        self._enter_step(afresh=True)
        self._write_down_step(0, "operator", "rest", None, self._clock.now())
        asked = ("message", "wants", "name", "dimension", "min", "max", "within_s", "line")
        self.note("question", question.message, **{key: getattr(question, key) for key in asked})
        self.question = question

    async def _carry_out(self, step: Step) -> StepEnd:
        """Carry out one step on the instrument that can, until it ends or something is asked of the run."""
        carrier = self._wiring.carrier(step)
        if await self._wiring.switch_to(carrier) or carrier == "analyzer":
            self._carried = None  # nothing goes on from the step before
        self.step = step
        goes_on = self.position.in_step and carrier == "cycler" and step.mode != "sweep"
        if open_circuit_is_needed(step) and not (goes_on and OPEN_CIRCUIT in self.position.variables):
            self.position.variables[OPEN_CIRCUIT] = await self._open_circuit_voltage(carrier)
        if carrier == "analyzer":
            ended = await self._follow(step)
            self._carried = None  # the cell is off at the end of a task
            return ended
        if step.mode == "sweep":
            return await self._sweep(step)
        return await self._poll(step)

    def _begin(
        self, step: Step, setpoint: float | None, began: float, current_floor: float, held: float | None = None
    ) -> Watch:
        """Write down that a step begins, or goes on, now."""
        p = self.position
        if self._carried is not None:
            self._count_the_change_over(began)
        watch = Watch(
            step,
            p,
            self._samples,
            held=setpoint if step.mode == "current" else held,
            blocks=[
                Block(loop_id, p.loops[loop_id], endings) for loop_id, endings in self._walk.endings.items() if endings
            ],
            value=self._walk.value,
            note=self.note,
            current_floor=current_floor,
            test_origin=self._origin,
            began=began,
        )
        self._watch = watch
        self._write_down_step(step.step_id, step.name, step.mode, setpoint, began)
        return watch

    def _write_down_step(self, step_id: int, name: str, mode: str, setpoint: float | None, began: float) -> None:
        p = self.position
        record = StepRecord(
            step_count=p.step_count,
            step_id=step_id,
            name=name,
            mode=mode,
            cycle=p.cycle,
            turn=max((loop.turn for loop in p.loops.values()), default=0),
            setpoint=setpoint,
            started_test_time_s=began - self._origin,
            ended_test_time_s=None,
            end_reason=None,
            attempt=p.attempt,
        )
        self._steps.append(record)
        self._open_step = record

    def _enter_step(self, *, afresh: bool = False) -> None:
        """Begin a new step, or take up the one that stands; ``afresh`` for what cannot go on in its middle."""
        p = self.position
        if not p.in_step:
            p.in_step = True
            p.attempt = 1
            p.step_count += 1
        elif not afresh:
            return
        p.step_time_s = p.step_charge_c = p.step_energy_j = 0.0
        p.step_highest = p.step_lowest = None

    def _asked_for(self) -> str | None:
        """Return what was asked of the run, as the end reason of its step; None if nothing was."""
        if not self._asked:
            return None
        return f"tripped: {self._outside_trip}" if self._outside_trip else self._end or "pause"

    def _end_step(self, watch: Watch, reason: str, asked: str | None) -> StepEnd:
        """Write down why a step ended, and move the position accordingly. Raises ``Tripped`` for a fault."""
        if watch.fault is not None:
            raise Tripped(watch.fault)
        self._carried = watch.last
        self._watch = None
        self._close_step(reason)
        if watch.verdict is None and reason is asked:
            return "asked"
        p = self.position
        p.in_step = False
        p.last_step = watch.keep(self._temperature())
        if watch.left_block is not None:
            self.note("detected", reason, loop=watch.left_block)
        verdict = watch.verdict or Verdict(Action(), reason)
        self._walk.act(verdict, watch.left_block)
        return "over"

    # --- steps that the host polls -----------------------------------------------------------------------

    async def _poll(self, step: Step) -> StepEnd:
        """Carry out a step on the cycler, reading by reading."""
        clock, cycler = self._clock, self._the_cycler()
        now_of, unix_of, sleep_until, read, temperature = (
            clock.now,
            clock.unix,
            clock.sleep_until,
            cycler.read,
            self._temperature,
        )
        real_time = math.isfinite(clock.speed)
        setpoint = self._setpoint(step)
        self._enter_step()
        drive, amps = drive_of(step, setpoint), None
        if drive is None:
            await self._apply(cycler, step, setpoint)
        else:
            amps = await self._first_current(cycler, drive)
            await self._apply_current(cycler, step, amps)
            drive.set(amps)
        wake = due = now_of()
        watch = self._begin(step, setpoint, due, cycler.capabilities.current_floor, amps)
        take, poll_s = watch.take, step.poll_s
        while True:
            if real_time:
                self._note_if_late(wake)
            try:
                reading = await read()
            except LinkError as error:
                reading = await self._read_again(cycler, error)
            self.reading = reading
            now = now_of()
            asked = self._asked_for() if self._asked else None
            reason = take(reading, now, unix_of(), temperature(), asked)
            if reason is not None:
                return self._end_step(watch, reason, asked)
            if drive is not None:
                await self._drive_on(cycler, watch, drive, reading)
            if now >= due - TIME_TOLERANCE_S:  # not when woken before: that would put the next look off
                due += poll_s
                if due <= now:
                    due = now + poll_s
            wake = watch.next_look(now, due)
            if drive is not None:
                wake = min(wake, watch.origin + drive.next_change(watch.step_time))
            if wake <= now:
                wake = now + 1e-3 if real_time else math.nextafter(now, math.inf) + 1e-6
            self._asleep = True
            try:
                await sleep_until(wake)
            except asyncio.CancelledError:
                self._not_really_cancelled()
                wake = now_of()  # woken for the request: not late
            finally:
                self._asleep = False

    async def _first_current(self, cycler: CyclerChannel, drive: Drive) -> float:
        """Return the current that a driven step begins with, from the voltage that there is now."""
        voltage = math.nan
        if self._carried is not None:
            voltage = self._carried[1]
        elif drive.needs_voltage:
            await cycler.rest()
            voltage = (await self._read(cycler)).voltage
        return drive.current(self.position.step_time_s, voltage)

    async def _apply_current(self, cycler: CyclerChannel, step: Step, amps: float) -> None:
        """Set the current that the host has worked out. Raises ``Tripped`` if it lies outside the step's limits."""
        if not inside(amps, step.limits.current) or abs(amps) > self._envelope.current_max:
            raise Tripped(f"{step.name} needs {amps:.4g} A now, which lies outside the limits of its current")
        await self._send(cycler, lambda: cycler.source_current(amps))

    async def _drive_on(self, cycler: CyclerChannel, watch: Watch, drive: Drive, reading: Reading) -> None:
        """Set the current that is due after a reading."""
        amps = drive.current(watch.step_time, reading.voltage)
        if drive.is_worth_setting(amps):
            await self._apply_current(cycler, watch.step, amps)
            watch.redirect(amps, self._clock.now())
            drive.set(amps)

    async def _sweep(self, step: Step) -> StepEnd:
        """Carry out a sweep on the cycler: a staircase, read at the end of each tread.

        A sweep cannot be taken up in its middle: it is repeated, and both attempts are marked.
        """
        plan, clock, cycler = step.sweep, self._clock, self._the_cycler()
        if plan is None:
            raise GalvanodeError(f"step {step.step_id} ({step.name}) has no sweep")
        limit = self._current_limit(step)
        self._enter_step(afresh=True)
        refuse_outside(step, volts=map(self._walk.value, plan.vertices))
        treads = staircase(plan, self._walk.value)
        rate = self._scan_rate(step)
        compensated = 0.0 if plan.compensated is None else self._walk.value(plan.compensated)
        if not 0.0 <= compensated < math.inf:
            raise Failed(f"the resistance of the iR correction is {compensated:g} ohm; it must be 0 or more")
        current = 0.0
        await self._apply_voltage(cycler, step, next(treads), limit)
        began = clock.now()
        watch = self._begin(step, None, began, cycler.capabilities.current_floor)
        watch.record_all = True
        for number, volts in enumerate(_and_then(treads, None), start=1):
            wake = began + number * plan.step / rate
            await self._sleep(wake)
            if math.isfinite(clock.speed):
                self._note_if_late(wake)
            self.reading = await self._read(cycler)
            current = self.reading.current
            asked = self._asked_for()
            reason = watch.take(self.reading, clock.now(), clock.unix(), self._temperature(), asked)
            if reason is None and volts is None:
                reason = "end of the sweep"
            if reason is not None:
                return self._end_step(watch, reason, asked)
            if volts is not None:
                await self._apply_voltage(cycler, step, volts + compensated * current, limit)
        raise AssertionError("a sweep ends with its last tread")

    async def _apply_voltage(self, cycler: CyclerChannel, step: Step, volts: float, limit: float) -> None:
        """Set a voltage of a sweep. Raises ``Tripped`` if the correction carries it outside the step's limits."""
        if not inside(volts, step.limits.voltage):
            raise Tripped(f"{step.name} needs {volts:.4g} V now, which lies outside the limits of its voltage")
        await self._send(cycler, lambda: cycler.source_voltage(volts, limit))

    async def _apply(self, cycler: CyclerChannel, step: Step, setpoint: float | None) -> None:
        """Send the step's set point."""
        if step.mode == "rest" or setpoint is None:
            await self._send(cycler, cycler.rest)
        elif step.mode == "current":
            await self._send(cycler, lambda: cycler.source_current(setpoint))
        else:
            limit = self._current_limit(step)
            await self._send(cycler, lambda: cycler.source_voltage(setpoint, limit))

    async def _send(self, cycler: CyclerChannel, send: Callable[[], Awaitable[None]]) -> None:
        """Send a set point; a lost message is repeated once, from the safe state."""
        for attempt in (1, 2):
            try:
                await send()
            except LinkError as error:
                if attempt == 2:
                    raise
                self.note("link", f"set point not confirmed, sent again: {error}")
                await cycler.make_safe()
            else:
                return

    # --- steps that an instrument runs by itself -----------------------------------------------------------

    async def _follow(self, step: Step) -> StepEnd:
        """Hand a step to the analyzer and take what it streams, until it has ended there.

        Such a step cannot be taken up in its middle: it is repeated, and both attempts are marked.
        """
        analyzer = self._the_analyzer()
        setpoint = self._setpoint(step)
        self._enter_step(afresh=True)
        rest_voltage = self.position.variables.get(OPEN_CIRCUIT)
        task, cutoffs = task_of(step, self._walk.value, self._current_limit(step), rest_voltage)
        if isinstance(task, Sweep):
            refuse_outside(step, volts=task.vertices)
        elif isinstance(task, Impedance) and task.kind == "potentiostatic":
            refuse_outside(step, volts=(task.bias,))
        elif isinstance(task, Impedance):
            refuse_outside(step, amps=(task.bias,))
        await analyzer.start(task, cutoffs)
        began = self._clock.now()
        watch = self._begin(step, setpoint, began, analyzer.capabilities.current_floor)
        watch.record_all = True
        repeats = 1 if step.impedance is None else step.impedance.averages
        for repeat in range(repeats):
            if repeat > 0:
                await analyzer.start(task, cutoffs)
            ended = await self._collect(step, watch, expected_s(task))
            if ended is not None:
                return ended
        return self._end_step(watch, self._task_end, None)

    async def _collect(self, step: Step, watch: Watch, expected: float) -> StepEnd | None:
        """Take what a task streams until it has ended on the instrument (None) or the step has to end."""
        clock, analyzer = self._clock, self._the_analyzer()
        began, began_unix = clock.now(), clock.unix()
        failures = 0
        while True:
            await self._sleep(clock.now() + step.poll_s)
            try:
                collected = await analyzer.collect()
                failures = 0
            except LinkError as error:
                failures += 1
                self.note("link", f"nothing collected, attempt {failures} of {_READ_ATTEMPTS}: {error}")
                if failures == _READ_ATTEMPTS:
                    raise
                continue
            for item in collected.items:
                if isinstance(item, ImpedancePoint):
                    at = item.time_s
                    watch.take_impedance(item, began + at, began_unix + at, self._temperature())
                    continue
                self.reading = item
                at = clock.now() - began if item.instrument_time is None else item.instrument_time
                reason = watch.take(item, began + at, began_unix + at, self._temperature(), None)
                if reason is not None:
                    if not collected.finished:
                        await analyzer.abort()
                    return self._end_step(watch, reason, None)
            watch.check_temperature(self._temperature())
            if collected.finished:
                self._task_end = self._why_it_finished(step, collected.ended_by)
                return None
            if (asked := self._asked_for()) is not None:
                await analyzer.abort()
                return self._end_step(watch, asked, asked)
            if clock.now() - began > expected:
                raise Tripped(f"the instrument has not ended its task within {expected:.0f} s")

    def _why_it_finished(self, step: Step, ended_by: Any) -> str:
        """Return the end reason of a task that has ended on the instrument. Raises ``Tripped`` for a limit."""
        if ended_by is None:
            times = [item.text for item in plain_ends(step) if item.quantity == "time"]
            return times[0] if times else f"end of the {step.mode}"
        for item in plain_ends(step):
            if not item.magnitude and (item.quantity, item.comparison) == (ended_by.quantity, ended_by.comparison):
                return item.text
        raise Tripped(
            f"the instrument ended its task at its limit: {ended_by.quantity} {ended_by.comparison} {ended_by.value:g}"
        )

    # --- the chamber -----------------------------------------------------------------------------------------

    async def _set_chamber(self, instruction: SetChamber) -> StepEnd:
        """Send the chamber to a temperature; the cell is disconnected until that is stable."""
        chamber, clock, p = self._wiring.chamber, self._clock, self.position
        if chamber is None:
            raise NotWired("the channel has no chamber")
        await self._wiring.make_safe()
        self._carried = None
        kelvin = self._walk.value(instruction.temperature)
        self._enter_step(afresh=True)
        began = clock.now()
        self._write_down_step(0, "chamber", "rest", None, began)
        await chamber.set_temperature(kelvin)
        p.test_time_s = clock.now() - self._origin
        soak = instruction.soak
        stable_since: float | None = None
        while soak is not None:
            reading = await chamber.read()
            now = clock.now()
            p.step_time_s, p.test_time_s, p.unix_time_s = now - began, now - self._origin, clock.unix()
            if reading is None or abs(reading.temperature - kelvin) > soak.band:
                stable_since = None
            elif stable_since is None:
                stable_since = now
            if stable_since is not None and now - stable_since >= soak.dwell - TIME_TOLERANCE_S:
                break
            if now - began > soak.timeout:
                raise Tripped(f"the chamber was not stable at {kelvin - 273.15:.1f} degC within {soak.timeout:.0f} s")
            if (asked := self._asked_for()) is not None:
                self._close_step(asked)
                return "asked"
            await self._sleep(now + _CHAMBER_POLL_S)
        self._close_step(f"stable at {kelvin - 273.15:.1f} degC" if soak is not None else "set")
        p.in_step = False
        p.instruction += 1
        return "over"

    # --- small things ------------------------------------------------------------------------------------------

    def _the_cycler(self) -> CyclerChannel:
        if self._wiring.cycler is None:
            raise NotWired("the channel has no cycler")
        return self._wiring.cycler

    def _the_analyzer(self) -> ScriptedChannel:
        if self._wiring.analyzer is None:
            raise NotWired("the channel has no analyzer")
        return self._wiring.analyzer

    async def _open_circuit_voltage(self, carrier: Literal["cycler", "analyzer"] | None = None) -> float:
        """Measure the rest voltage with the instrument that has, or may have, the cell, V."""
        if carrier is None:
            carrier = "cycler" if self._wiring.cycler is not None else "analyzer"
            await self._wiring.switch_to(carrier)
        if carrier == "cycler":
            cycler = self._the_cycler()
            await cycler.rest()
            if self._carried is not None:
                self._count_the_change_over(self._clock.now())
            return (await self._read(cycler)).voltage
        analyzer = self._the_analyzer()
        await analyzer.start(OpenCircuit(_OPEN_CIRCUIT_S, _OPEN_CIRCUIT_S / 4))
        readings: list[Reading] = []
        for _ in range(_MOST_LOOKS):
            await self._sleep(self._clock.now() + _OPEN_CIRCUIT_S / 2)
            collected = await analyzer.collect()
            readings += [item for item in collected.items if isinstance(item, Reading)]
            if collected.finished:
                break
        if not readings:
            raise Tripped("the rest voltage could not be measured")
        return readings[-1].voltage

    def _setpoint(self, step: Step) -> float | None:
        """Return the set point as it is now. Raises ``Failed`` for one that the step must not have."""
        if step.setpoint is None:
            return None
        value = self._walk.value(step.setpoint)
        if step.sign != 0 and not value * step.sign > 0:
            raise Failed(f"the set point of {step.name} comes to {abs(value):g}; its magnitude must be above 0")
        window = {"current": step.limits.current, "voltage": step.limits.voltage}.get(step.mode, Window())
        if not inside(value, window):
            raise Failed(f"the set point of {step.name} comes to {value:.6g}, outside its limits")
        return value

    def _scan_rate(self, step: Step) -> float:
        """Return the rate of a sweep, V/s. Raises ``Failed`` for none."""
        rate = 0.0 if step.sweep is None else self._walk.value(step.sweep.rate)
        if not 0.0 < rate < math.inf:
            raise Failed(f"the rate of {step.name} comes to {rate:g} V/s; it must be above 0")
        return rate

    def _current_limit(self, step: Step) -> float:
        """Magnitude that a held voltage may draw: the smallest of what cell, recipe and step allow, A."""
        window = step.limits.current
        allowed = [self._envelope.current_max]
        if window.min is not None and window.max is not None:
            allowed.append(max(abs(window.min), abs(window.max)))
        if step.current_limit is not None:
            allowed.append(self._walk.value(step.current_limit))
        if not min(allowed) > 0:
            raise Failed(f"the current limit of {step.name} comes to {min(allowed):g} A; it must be above 0")
        return min(allowed)

    async def _sleep(self, until: float) -> None:
        """Sleep in process time; something asked of the run ends the sleep."""
        if self._asked:
            return
        self._asleep = True
        try:
            await self._clock.sleep_until(until)
        except asyncio.CancelledError:
            self._not_really_cancelled()
        finally:
            self._asleep = False

    def _not_really_cancelled(self) -> None:
        """Take back the cancellation by which a request ended a sleep; raise any other."""
        if not self._asked or self._task is None:
            raise asyncio.CancelledError
        self._task.uncancel()

    def _note_if_late(self, wake: float) -> None:
        late_s = (self._clock.now() - wake) / self._clock.speed
        if late_s > _LATE_S:
            self.note("late_poll", f"a reading began {late_s:.3f} s late", late_s=late_s)

    def _close_step(self, reason: str) -> None:
        """Write down why the step ended."""
        if self._open_step is not None:
            closed = replace(self._open_step, ended_test_time_s=self.position.test_time_s, end_reason=reason)
            self._steps.append(closed)
            self._open_step = None
            self._changed = True

    def _count_the_change_over(self, now: float) -> None:
        """Count the charge that the step before still passed while the next set point was on its way."""
        assert self._carried is not None  # noqa: S101
        then, voltage, current = self._carried
        self.position.count(current * (now - then), voltage)
        self._carried = None

    async def _read(self, cycler: CyclerChannel) -> Reading:
        """Read; a lost answer is asked for again."""
        try:
            return await cycler.read()
        except LinkError as error:
            return await self._read_again(cycler, error)

    async def _read_again(self, cycler: CyclerChannel, error: LinkError) -> Reading:
        """Read after a failure; bounded, since current flows unwatched meanwhile."""
        for attempt in range(2, _READ_ATTEMPTS + 1):
            self.note("link", f"reading failed, attempt {attempt} of {_READ_ATTEMPTS}: {error}")
            try:
                return await cycler.read()
            except LinkError as again:
                error = again
        raise CommunicationLost(str(error))


def answered(question: Ask, value: float | None, attachment: str | None) -> str:
    """Return an answer in words. Raises ``Unanswerable`` for one that does not fit the question."""
    if question.wants == "photo":
        if attachment is None or value is not None:
            raise Unanswerable("the run asks for a photo")
        return f"photo {attachment}"
    if attachment is not None:
        raise Unanswerable(f"the run asks for a {question.wants}, not for a photo")
    if question.wants == "confirmation":
        if value is not None:
            raise Unanswerable("the run asks for a confirmation, not for a number")
        return "confirmed"
    if value is None or not math.isfinite(value):
        raise Unanswerable("the run asks for a number")
    shown = format_quantity(value, question.dimension) if question.dimension in DIMENSIONS else f"{value:g}"
    for bound, wrong, words in ((question.min, -1, "at least"), (question.max, 1, "at most")):
        if bound is not None and (value - bound) * wrong > 0:
            due = format_quantity(bound, question.dimension) if question.dimension in DIMENSIONS else f"{bound:g}"
            raise Unanswerable(f"the answer is {shown}; expected {words} {due}")
    return shown


def refuse_outside(step: Step, volts: Iterable[float] = (), amps: Iterable[float] = ()) -> None:
    """Raise ``Failed`` for what would leave the step's limits: known only now, and nothing is sent yet."""
    for values, window, unit in ((volts, step.limits.voltage, "V"), (amps, step.limits.current, "A")):
        for value in values:
            if not inside(value, window):
                raise Failed(f"{step.name} comes to {value:.6g} {unit}, outside its limits")


def _and_then(items: Iterator[float], last: None) -> Iterator[float | None]:
    yield from items
    yield last
