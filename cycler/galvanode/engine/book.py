"""What a run has to write down: samples, steps and events since the last commit, beside the position they led to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from galvanode.clock import Clock
from galvanode.engine.beside import Beside
from galvanode.engine.position import Position
from galvanode.quantities import Auxiliary
from galvanode.states import RunState
from galvanode.store.records import Event, RunCommit, Sample, StepRecord


class Passing(NamedTuple):
    """The last reading of a step whose current goes on until the next set point is confirmed."""

    time: float
    """Process time, s."""
    voltage: float
    current: float


class Book:
    """The records of one run. Samples, steps and position agree whenever the run sleeps or waits."""

    def __init__(self, run_id: str, position: Position, clock: Clock, auxiliaries: tuple[Auxiliary, ...] = ()) -> None:
        self.position = position
        self.beside = Beside(auxiliaries)
        self.samples: list[Sample] = []
        """The same list for as long as the run lives."""
        self.origin = 0.0
        """Process time at which test time is 0, s."""
        self.passing: Passing | None = None
        """What still flows between two steps; None if nothing does."""
        self.changed = True
        """Something of the run has changed that no sample, step or event tells."""
        self._run_id = run_id
        self._clock = clock
        self._open: StepRecord | None = None
        self._steps: list[StepRecord] = []
        self._events: list[Event] = []

    def note(self, kind: str, message: str, /, **details: Any) -> None:
        """Write down an event."""
        test_time = self.position.test_time_s
        self._events.append(Event(self._run_id, self._clock.unix(), test_time, kind, message, details))

    def enter_step(self, *, afresh: bool = False) -> None:
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

    def open_step(self, step_id: int, name: str, mode: str, setpoint: float | None, began: float) -> None:
        """Write down that a step begins, or goes on; ``began`` is process time."""
        p = self.position
        self._open = StepRecord(
            step_count=p.step_count,
            step_id=step_id,
            name=name,
            mode=mode,
            cycle=p.cycle,
            turn=max((loop.turn for loop in p.loops.values()), default=0),
            setpoint=setpoint,
            started_test_time_s=began - self.origin,
            attempt=p.attempt,
        )
        self._steps.append(self._open)

    def close_step(self, reason: str) -> None:
        """Write down why the open step ended; nothing if none is open."""
        if self._open is None:
            return
        self._steps.append(replace(self._open, ended_test_time_s=self.position.test_time_s, end_reason=reason))
        self._open = None
        self.changed = True

    def count_what_passed(self, now: float) -> None:
        """Count the charge that the step before still passed while the next set point was on its way."""
        if self.passing is not None:
            then, voltage, current = self.passing
            self.position.count(current * (now - then), voltage)
            self.passing = None

    def take(self, state: RunState, end_reason: str | None) -> RunCommit | None:
        """Return all that was written since the last call, with the position that belongs to it; None if nothing."""
        if not (self.samples or self._steps or self._events or self.changed):
            return None
        commit = RunCommit(
            run=self._run_id,
            samples=self.samples[:],
            position_json=self.position.to_json(),
            state=state,
            end_reason=end_reason,
            unix_time_s=self._clock.unix(),
            steps=self._steps,
            events=self._events,
            count=self.position.samples,
            auxiliaries=self.beside.auxiliaries,
        )
        # Only now: if anything above fails, nothing of it is lost.
        self.samples.clear()
        self._steps, self._events, self.changed = [], [], False
        return commit
