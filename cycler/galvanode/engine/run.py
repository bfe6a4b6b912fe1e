"""One run: a program carried out on a channel, step by step, reading by reading.

The state machine is small: ``running`` until the program ends, someone asks for a pause or a stop, a limit
trips, or the instrument is lost; whatever ends it, the channel is brought to its safe state and that is
verified by read-back before the run is said to have ended.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from galvanode.analysis.detectors import DETECTORS, ShortCircuit
from galvanode.clock import Clock
from galvanode.engine.position import LoopPosition, Position
from galvanode.errors import GalvanodeError
from galvanode.instrument.link import LinkError
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import CyclerChannel, Envelope, Identity, InstrumentError
from galvanode.recipe.program import EndLoop, Loop, Operand, Program, Step, Variable, Window
from galvanode.store.records import Event, RunCommit, StepRecord

State = Literal[
    "queued",
    "running",
    "paused",
    "completed",
    "stopped",
    "tripped",
    "interrupted",
    "communication_lost",
    "failed",
]
End = Literal["stop", "interrupt"]
StepEnd = Literal["over", "left", "asked"]
"""The step is over; its loop was left; somebody asked for something and the step stands where it is."""

FINISHED: frozenset[State] = frozenset({"completed", "stopped", "tripped", "communication_lost", "failed"})

_READ_ATTEMPTS = 3
_FROZEN_AFTER = 30
"""Identical voltage and current, to the last digit, on this many readings in a row: no converter does that."""
_LATE_S = 0.1
"""Real seconds by which a reading may start late before that is recorded."""
_TIME_TOLERANCE_S = 1e-6
_ZERO_CELSIUS = 273.15


class Tripped(GalvanodeError):
    """A limit was crossed, or a reading cannot be trusted: the run ends and is not resumed by itself."""


class CommunicationLost(GalvanodeError):
    """The instrument does not answer any more."""


class Run:
    """One run on one channel. Its position and everything since the last commit can be taken at any time."""

    def __init__(
        self,
        run_id: str,
        program: Program,
        envelope: Envelope,
        cycler: CyclerChannel,
        clock: Clock,
        *,
        position: Position | None = None,
        state: State = "queued",
        temperature: Callable[[], float | None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = run_id
        self.program = program
        self.state: State = state
        self.end_reason: str | None = None
        self.position = position or Position()
        self.step: Step | None = None
        self.reading: Reading | None = None
        self.unsafe: str | None = None
        """Why the safe state could not be verified, if it could not."""
        self.finished = asyncio.Event()
        self._envelope = envelope
        self._cycler = cycler
        self._clock = clock
        self._temperature = temperature
        self._on_change = on_change
        self._resuming = position is not None
        self._pause_wanted = state == "paused"
        self._end: End | None = None
        self._outside_trip: str | None = None
        self._identity: Identity | None = None
        self._asked = self._pause_wanted
        """Somebody wants the run to pause or to end; looked at on every reading."""
        self._asleep = False
        self._may_go_on = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._loops = {
            instruction.loop_id: (index, instruction)
            for index, instruction in enumerate(program.instructions)
            if isinstance(instruction, Loop)
        }
        self._detectors: dict[str, list[ShortCircuit]] = {}
        self._open_step: StepRecord | None = None
        self._carried: tuple[float, float, float] | None = None
        """Time, voltage and current of the last reading of the step before, while they go on."""
        self._rows: list[tuple[Any, ...]] = []
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

    def take_commit(self) -> RunCommit | None:
        """Return all that happened since the last call, with the position that belongs to it; None if nothing.

        Must be called from the event loop's thread: between two readings samples and position agree.
        """
        if not (self._rows or self._steps or self._events or self._changed):
            return None
        self._keep_detectors()
        commit = RunCommit(
            run=self.id,
            rows=self._rows,
            position_json=self.position.to_json(),
            state=self.state,
            end_reason=self.end_reason,
            unix_time_s=self._clock.unix(),
            steps=self._steps,
            events=self._events,
            samples=self.position.samples,
        )
        # Only now: if anything above fails, nothing of it is lost.
        self._rows, self._steps, self._events, self._changed = [], [], [], False
        return commit

    @property
    def pending_rows(self) -> int:
        """Samples not yet taken for a commit."""
        return len(self._rows)

    @property
    def progress(self) -> float | None:
        """Share of the program done, 0 to 1, from its outermost loop; None where that says nothing."""
        if self.state in FINISHED:
            return 1.0
        for loop_id, (_, instruction) in self._loops.items():
            if loop_id in self.position.loops:
                loop = self.position.loops[loop_id]
                shares = [loop.turn / instruction.turns]
                if instruction.until_s is not None and instruction.until_s > 0:
                    passed = self.position.test_time_s - self.position.away_s - loop.started_s
                    shares.append(passed / instruction.until_s)
                return min(1.0, max(shares))
        return None

    # --- life ------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """See to it that the run looks at what is asked of it now."""
        self._asked = self._pause_wanted or self._end is not None
        self._may_go_on.set()
        if self._asked and self._asleep and self._task is not None:
            self._task.cancel()  # ends the sleep only: I/O in flight is never cut off

    def _set_state(self, state: State, reason: str | None = None) -> None:
        self.state = state
        if reason is not None:
            self.end_reason = reason
        self._changed = True
        self._on_change()

    def note(self, kind: str, message: str, **details: Any) -> None:
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
                if self._at_end:
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
        if self.state != "paused":
            self._set_state("paused")
        self._may_go_on.clear()
        await self._may_go_on.wait()
        self._resuming = True

    @property
    def _at_end(self) -> bool:
        return self.position.instruction >= len(self.program.instructions)

    def _conclude(self) -> None:
        """Say how it stands, from what was asked for and how far the program came."""
        if self._outside_trip is not None:
            self._set_state("tripped", self._outside_trip)
        elif self._at_end:
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
            await self._walk()
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
            self._keep_detectors()
            await self._make_safe()

    async def _take_up(self) -> None:
        """Bring the channel into a known state and, after an interruption, see that the cell fits."""
        clock, p = self._clock, self.position
        identity = await self._cycler.identify()
        if self._identity is not None and identity != self._identity:
            raise Tripped(f"another instrument answers: {identity.model} {identity.serial}")
        self._identity = identity
        await self._cycler.prepare(self._envelope)
        for loop_id, here in p.loops.items():
            self._detectors[loop_id] = _detectors(self._loops[loop_id][1], here.detectors)
        if self._temperature() is None and self.program.safety.temperature != Window():
            self.note("unwatched", "no temperature is measured on this channel: its limits are not watched")
        if not self._resuming:
            self._origin = clock.now()
            return
        gap_s = max(0.0, clock.unix() - p.unix_time_s) if p.unix_time_s else 0.0
        p.away_s += gap_s
        self._origin = clock.now() - p.test_time_s - gap_s
        await self._cycler.rest()
        voltage = (await self._cycler.read()).voltage
        limits = self.program.safety.voltage
        if not _low(limits.min) <= voltage <= _high(limits.max):
            raise Tripped(f"open-circuit voltage {voltage:.4g} V on resuming lies outside the cell's limits")
        p.test_time_s = clock.now() - self._origin
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
                await self._cycler.make_safe()
            except Exception as error:  # whatever went wrong, the output may still be on
                self.unsafe = str(error) or repr(error)
                self.note("unsafe", f"safe state not verified (attempt {attempt + 1}): {self.unsafe}")
            else:
                self.unsafe = None
                return

    # --- the program ---------------------------------------------------------------------------------

    async def _walk(self) -> None:
        p, instructions = self.position, self.program.instructions
        steps_without_time = 0
        while not self._at_end and not self._asked:
            match instructions[p.instruction]:
                case Loop() as loop:
                    self._enter(loop)
                case EndLoop(start=start):
                    self._turn(instructions[start])  # type: ignore[arg-type]
                case Step() as step:
                    began = p.test_time_s
                    if await self._carry_out(step) == "over":
                        p.instruction += 1
                    steps_without_time = steps_without_time + 1 if p.test_time_s == began else 0
                    if steps_without_time > 1000:
                        raise Tripped("1000 steps in a row ended as they began; check their end conditions")
                    if steps_without_time:
                        await asyncio.sleep(0)

    def _enter(self, loop: Loop) -> None:
        p = self.position
        p.loops[loop.loop_id] = LoopPosition(-1, p.test_time_s - p.away_s)
        self._detectors[loop.loop_id] = _detectors(loop, [])
        self._turn(loop)

    def _turn(self, loop: Loop) -> None:
        """Begin the loop's next turn, or leave it."""
        p = self.position
        here = p.loops[loop.loop_id]
        here.turn += 1
        timed_out = (
            loop.until_s is not None
            and here.turn > 0
            and p.test_time_s - p.away_s - here.started_s >= loop.until_s - _TIME_TOLERANCE_S
        )
        if here.turn >= loop.turns or timed_out:
            self._leave(loop)
            return
        p.variables.update({name: values[here.turn] for name, values in loop.ladder.items()})
        if loop.counts_cycles:
            p.cycle += 1
        p.instruction = self._loops[loop.loop_id][0] + 1

    def _leave(self, loop: Loop) -> None:
        p = self.position
        first = self._loops[loop.loop_id][0]
        for inner in self.program.instructions[first : loop.end]:
            if isinstance(inner, Loop):
                p.loops.pop(inner.loop_id, None)
                self._detectors.pop(inner.loop_id, None)
                for name in inner.ladder:
                    p.variables.pop(name, None)
        p.instruction = loop.end + 1

    def _keep_detectors(self) -> None:
        """Put the detectors' state where the position is stored."""
        for loop_id, detectors in self._detectors.items():
            self.position.loops[loop_id].detectors = [detector.state() for detector in detectors]

    def _value(self, operand: Operand) -> float:
        if isinstance(operand, Variable):
            return self.position.variables[operand.name] * operand.factor
        return operand

    def _current_limit(self, step: Step) -> float:
        """Magnitude that a held voltage may draw: the smallest of what cell, recipe and step allow, A."""
        window = step.limits.current
        allowed = [self._envelope.current_max]
        if window.min is not None and window.max is not None:
            allowed.append(max(abs(window.min), abs(window.max)))
        if step.current_limit is not None:
            allowed.append(self._value(step.current_limit))
        return min(allowed)

    async def _apply(self, step: Step, setpoint: float | None) -> None:
        """Send the step's set point; a lost message is repeated once, from the safe state."""
        for attempt in (1, 2):
            try:
                if step.mode == "rest" or setpoint is None:
                    await self._cycler.rest()
                elif step.mode == "current":
                    await self._cycler.source_current(setpoint)
                else:
                    await self._cycler.source_voltage(setpoint, self._current_limit(step))
            except LinkError as error:
                if attempt == 2:
                    raise
                self.note("link", f"set point not confirmed, sent again: {error}")
                await self._cycler.make_safe()
            else:
                return

    async def _carry_out(self, step: Step) -> StepEnd:
        """Carry out one step, until it ends or something is asked of the run.

        This is the hot path: once per reading, through every run of every channel. It is one function and
        works on local names because a call costs as much as the arithmetic it would wrap.
        """
        p, clock, cycler = self.position, self._clock, self._cycler
        now_of, unix_of, sleep_until, read = clock.now, clock.unix, clock.sleep_until, cycler.read
        real_time = math.isfinite(clock.speed)
        origin = self._origin
        self.step = step
        setpoint = None if step.setpoint is None else self._value(step.setpoint)
        if not p.in_step:
            p.in_step = True
            p.attempt = 1
            p.step_count += 1
            p.step_time_s = p.step_charge_c = p.step_energy_j = 0.0
        await self._apply(step, setpoint)

        last = now_of()
        if self._carried is not None:
            self._count_the_change_over(last)
        step_origin = last - p.step_time_s
        turn = max((loop.turn for loop in p.loops.values()), default=0)
        began = StepRecord(
            step_count=p.step_count,
            step_id=step.step_id,
            name=step.name,
            mode=step.mode,
            cycle=p.cycle,
            turn=turn,
            setpoint=setpoint,
            started_test_time_s=last - origin,
            ended_test_time_s=None,
            end_reason=None,
            attempt=p.attempt,
        )
        self._steps.append(began)
        self._open_step = began

        voltage_min, voltage_max = _low(step.limits.voltage.min), _high(step.limits.voltage.max)
        current_min, current_max = _low(step.limits.current.min), _high(step.limits.current.max)
        temperature_max = _high(step.limits.temperature.max)
        temperature_min = _low(step.limits.temperature.min)
        resting = step.mode == "rest"
        held_current = setpoint if step.mode == "current" else 0.0 if step.mode == "rest" else None
        tolerance = 0.0 if held_current is None else max(0.02 * abs(held_current), cycler.capabilities.current_floor)
        if step.mode == "voltage":  # where the instrument's limit acts, its own error must not trip the run
            current_min, current_max = current_min - 0.01 * abs(current_min), current_max + 0.01 * abs(current_max)
        ends = [
            (condition.quantity, condition.comparison == ">=", self._value(condition.value), condition.text)
            for condition in step.until
        ]
        end_time = min((v for q, ge, v, _ in ends if q == "time" and ge), default=math.inf)
        end_charge = min((v for q, ge, v, _ in ends if q == "charge" and ge), default=math.inf)
        every, dv, di = step.record.every_s, step.record.voltage_change, step.record.current_change
        record_every = math.inf if every is None else every
        voltage_change = math.inf if dv is None else dv
        current_change = math.inf if di is None else di
        next_record = -math.inf
        recorded_voltage = recorded_current = math.inf
        poll_s = step.poll_s
        watchers = [(loop_id, detector) for loop_id, detectors in self._detectors.items() for detector in detectors]
        previous_voltage = previous_current = math.nan
        instrument_time_before = -math.inf
        same = 0
        first = True
        wake = due = last

        while True:
            if real_time:
                late_s = (now_of() - wake) / clock.speed
                if late_s > _LATE_S:
                    self.note("late_poll", f"a reading began {late_s:.3f} s late", late_s=late_s)
            try:
                reading = await read()
            except LinkError as error:
                reading = await self._read_again(error)
            now = now_of()
            voltage, current, instrument_time, in_compliance, tripped = reading
            self.reading = reading

            # Trust: is this a new, true measurement of what was asked for?
            temperature = self._temperature()
            fault = None
            if tripped is not None:
                fault = f"the instrument reports: {tripped}"
            elif held_current is not None and in_compliance:
                fault = f"the instrument's voltage limit acts at {voltage:.4g} V: the current is not held"
            elif not voltage_min <= voltage <= voltage_max:  # also true for NaN
                fault = _outside("voltage", voltage, "V", voltage_min, voltage_max)
            elif not current_min <= current <= current_max:
                fault = _outside("current", current, "A", current_min, current_max)
            elif temperature is not None and not temperature_min <= temperature <= temperature_max:
                fault = _outside("temperature", temperature, "K", temperature_min, temperature_max)
            elif held_current is not None and not abs(current - held_current) <= tolerance:
                fault = f"the current is {current:.4g} A; {held_current:.4g} A is asked for"
            elif instrument_time is not None and instrument_time <= instrument_time_before:
                fault = "the instrument sent the same measurement twice: its own time stands still"
            if instrument_time is not None:
                instrument_time_before = instrument_time
            if voltage == previous_voltage and current == previous_current:
                same += 1
                if same >= _FROZEN_AFTER:
                    fault = f"readings are frozen at {voltage:.6g} V, {current:.6g} A"
            else:
                same = 0
            if fault is not None and not (math.isfinite(voltage) and math.isfinite(current)):
                raise Tripped(fault)

            # Count: trapezoids between readings, charge and discharge apart.
            if first:
                previous_voltage, previous_current = voltage, current
            elapsed = now - last
            charge = 0.5 * (current + previous_current) * elapsed
            energy = 0.5 * (voltage * current + previous_voltage * previous_current) * elapsed
            if charge >= 0:
                p.charge_c += charge
                p.charge_energy_j += energy
                p.step_charge_c += charge
            else:
                p.discharge_c -= charge
                p.discharge_energy_j -= energy
                p.step_charge_c -= charge
            p.step_energy_j += abs(energy)
            last, previous_voltage, previous_current = now, voltage, current
            p.step_time_s = step_time = now - step_origin
            p.test_time_s = test_time = now - origin
            p.unix_time_s = unix_of()

            # Ends, in the recipe's order.
            reason = fault
            for quantity, at_least, value, text in ends if fault is None else ():
                if quantity == "time":
                    reached = step_time >= value - _TIME_TOLERANCE_S
                elif quantity == "charge":
                    reached = p.step_charge_c >= value * (1 - 1e-9)
                elif quantity == "voltage":
                    reached = voltage >= value if at_least else voltage <= value
                elif quantity == "current":
                    reached = current >= value if at_least else current <= value
                elif quantity == "energy":
                    reached = p.step_energy_j >= value
                elif quantity == "temperature":
                    if temperature is None:
                        raise Tripped("the step ends by temperature, but no temperature is measured")
                    reached = temperature >= value if at_least else temperature <= value
                else:
                    raise GalvanodeError(f"the engine cannot end a step by {quantity}")
                if reached:
                    reason = text
                    break
            left_loop = None
            for loop_id, detector in watchers if fault is None else ():
                detected = detector.update(test_time, voltage, 0.0 if resting else current, p.step_count)
                if detected is not None:
                    reason, left_loop = detected, loop_id
                    break
            asked = self._asked and reason is None
            if asked:
                reason = f"tripped: {self._outside_trip}" if self._outside_trip else self._end or "pause"

            # Record.
            if (
                first
                or reason is not None
                or step_time >= next_record - _TIME_TOLERANCE_S
                or abs(voltage - recorded_voltage) >= voltage_change
                or abs(current - recorded_current) >= current_change
            ):
                p.samples += 1
                self._rows.append(
                    (
                        test_time,
                        p.unix_time_s,
                        voltage,
                        current,
                        p.cycle,
                        p.step_count,
                        step.step_id,
                        step_time,
                        None if temperature is None else temperature - _ZERO_CELSIUS,
                        p.charge_c / 3600,
                        p.discharge_c / 3600,
                        p.charge_energy_j / 3600,
                        p.discharge_energy_j / 3600,
                        p.samples,
                        None,
                        None,
                        None,
                    )
                )
                recorded_voltage, recorded_current = voltage, current
                if step_time >= next_record - _TIME_TOLERANCE_S:
                    next_record = (
                        (math.floor(step_time / record_every + 1e-9) + 1) * record_every
                        if record_every < math.inf
                        else math.inf
                    )
            first = False
            if fault is not None:
                raise Tripped(fault)
            if reason is not None:
                self._carried = (now, voltage, current)
                self._close_step(reason)
                if asked:
                    return "asked"
                p.in_step = False
                if left_loop is None:
                    return "over"
                self._leave_early(left_loop, reason)
                return "left"

            # Sleep until the next poll, or sooner if the step ends or a record is due before.
            if now >= due - _TIME_TOLERANCE_S:  # not when woken before: that would put the next look off
                due += poll_s
                if due <= now:
                    due = now + poll_s
            wake = min(due, step_origin + next_record, step_origin + end_time)
            if current != 0 and end_charge < math.inf:
                wake = min(wake, now + max(0.0, end_charge - p.step_charge_c) / abs(current))
            if wake <= now:
                wake = now + 1e-3 if real_time else math.nextafter(now, math.inf) + 1e-6
            self._asleep = True
            try:
                await sleep_until(wake)
            except asyncio.CancelledError:
                if not self._asked or self._task is None:
                    raise
                self._task.uncancel()
                wake = now_of()  # woken for the request: not late
            finally:
                self._asleep = False

    def _close_step(self, reason: str) -> None:
        """Write down why the step ended."""
        if self._open_step is not None:
            closed = replace(self._open_step, ended_test_time_s=self.position.test_time_s, end_reason=reason)
            self._steps.append(closed)
            self._open_step = None
            self._changed = True

    def _leave_early(self, loop_id: str, reason: str) -> None:
        """Leave the loop whose detector spoke."""
        self.position.left_early = reason
        self.note("detected", reason, loop=loop_id)
        self._leave(self._loops[loop_id][1])

    def _count_the_change_over(self, now: float) -> None:
        """Count the charge that the step before still passed while the next set point was on its way."""
        assert self._carried is not None  # noqa: S101
        then, voltage, current = self._carried
        charge, p = current * (now - then), self.position
        if charge >= 0:
            p.charge_c += charge
            p.charge_energy_j += voltage * charge
        else:
            p.discharge_c -= charge
            p.discharge_energy_j -= voltage * charge
        self._carried = None

    async def _read_again(self, error: LinkError) -> Reading:
        """Read after a failure; bounded, since current flows unwatched meanwhile."""
        for attempt in range(2, _READ_ATTEMPTS + 1):
            self.note("link", f"reading failed, attempt {attempt} of {_READ_ATTEMPTS}: {error}")
            try:
                return await self._cycler.read()
            except LinkError as again:
                error = again
        raise CommunicationLost(str(error))


def _detectors(loop: Loop, states: list[dict[str, Any]]) -> list[ShortCircuit]:
    detectors = [DETECTORS[item.name](item.options) for item in loop.stop_when]
    for detector, state in zip(detectors, states, strict=False):
        detector.restore(state)
    return detectors


def _low(limit: float | None) -> float:
    return -math.inf if limit is None else limit


def _high(limit: float | None) -> float:
    return math.inf if limit is None else limit


def _outside(quantity: str, value: float, unit: str, low: float, high: float) -> str:
    if value < low:
        return f"{quantity} {value:.5g} {unit} is below its limit of {low:.5g} {unit}"
    if value > high:
        return f"{quantity} {value:.5g} {unit} is above its limit of {high:.5g} {unit}"
    return f"{quantity} is not a number"
