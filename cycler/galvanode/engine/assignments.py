"""From a step to the task of an instrument that runs it by itself, with all that following it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from galvanode.engine.errors import Tripped
from galvanode.engine.plans import refuse_outside
from galvanode.errors import GalvanodeError
from galvanode.instrument.tasks import (
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    Impedance,
    OpenCircuit,
    Sweep,
    Task,
)
from galvanode.recipe import drives
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Condition, Step

_LONGEST_S = 30 * 86400.0
"""Asked of an instrument where only the host knows when a step ends (a charge, say)."""
_PERIODS = 3.0
_PER_POINT_S = 1.0
_HEARD_WITHIN_S = 10.0
"""Beyond what lies between two samples: the current flows unwatched meanwhile, inside the task's own cut-offs."""


@dataclass(frozen=True)
class Assignment:
    """What an instrument is handed of a step."""

    task: Task
    cutoffs: tuple[Cutoff, ...]
    """The ends that it watches itself."""
    times: int
    """How often the task is carried out, one after the other."""
    planned_s: float | None
    """When a task ends by itself, s after it began; None where the instrument alone knows."""
    longest_s: float
    """What takes longer has stalled."""
    silent_s: float
    """So long nothing may come at a time, s: longer, and the instrument is not heard any more."""
    ends: tuple[Condition, ...]
    """The ends of the step that are one comparison each."""
    end_text: str
    """Why the step ends where the task has come to its own end."""

    def why(self, ended_by: Cutoff | None) -> str:
        """Return the end reason of a task that has ended on the instrument. Raises ``Tripped`` for a limit."""
        if ended_by is None:
            return self.end_text
        for item in self.ends:
            if not item.magnitude and (item.quantity, item.comparison) == (ended_by.quantity, ended_by.comparison):
                return item.text
        limit = f"{ended_by.quantity} {ended_by.comparison} {ended_by.value:g}"
        raise Tripped(f"the instrument ended its task at its limit: {limit}")


def assignment_of(
    step: Step, value: Callable[[Operand], float], current_limit: float, open_circuit: float | None
) -> Assignment:
    """Return what an instrument is handed of a step. Raises ``Failed`` for what would leave the step's limits."""
    ends = tuple(item for item in (end.plain for end in step.until) if item is not None)
    timed = [item for item in ends if item.quantity == "time"]
    duration = min((value(item.value) for item in timed), default=_LONGEST_S)
    task = _task_of(step, value, duration, current_limit, open_circuit)
    assignment = Assignment(
        task=task,
        cutoffs=_cutoffs(ends, value),
        times=step.drive.averages if isinstance(step.drive, drives.Impedance) else 1,
        planned_s=_planned_s(task),
        longest_s=_longest_s(task),
        silent_s=_HEARD_WITHIN_S + 2.0 * _interval_s(task),
        ends=ends,
        end_text=timed[0].text if timed else f"end of the {step.drive.kind}",
    )
    _refuse_what_leaves_the_limits(step, task)
    return assignment


def _task_of(
    step: Step, value: Callable[[Operand], float], duration: float, current_limit: float, open_circuit: float | None
) -> Task:
    interval = step.poll_s if step.record.every_s is None else min(step.record.every_s, step.poll_s)
    match step.drive:
        case drives.Sweep() as plan:
            vertices = tuple(value(vertex) for vertex in plan.vertices)
            return Sweep(vertices, value(plan.rate), plan.step, current_limit, plan.cycles)
        case drives.Impedance() as plan:
            return _impedance(plan, value, current_limit, open_circuit)
        case drives.Rest():
            return OpenCircuit(duration, interval)
        case drives.Current(setpoint=setpoint):
            return HoldCurrent(value(setpoint), duration, interval)
        case drives.Voltage(setpoint=setpoint):
            return HoldVoltage(value(setpoint), current_limit, duration, interval)
        case other:
            raise GalvanodeError(f"step {step.step_id} ({step.name}): no task of an instrument is {other.kind!r}")


def _cutoffs(ends: tuple[Condition, ...], value: Callable[[Operand], float]) -> tuple[Cutoff, ...]:
    return tuple(
        Cutoff("voltage" if item.quantity == "voltage" else "current", item.comparison, value(item.value))
        for item in ends
        if item.quantity in ("voltage", "current") and not item.magnitude
    )


def _refuse_what_leaves_the_limits(step: Step, task: Task) -> None:
    if isinstance(task, Sweep):
        refuse_outside(step, volts=task.vertices)
    elif isinstance(task, Impedance) and task.kind == "potentiostatic":
        refuse_outside(step, volts=(task.bias,))
    elif isinstance(task, Impedance):
        refuse_outside(step, amps=(task.bias,))


def _planned_s(task: Task) -> float | None:
    if isinstance(task, Impedance):
        return None
    if isinstance(task, Sweep):
        return (task.cycles * _span(task) + task.step) / task.rate
    return task.duration_s


def _longest_s(task: Task) -> float:
    """Return how long a task takes at most, generously, s."""
    if isinstance(task, Sweep):
        return task.cycles * _span(task) / task.rate * 1.2 + 60.0
    if isinstance(task, Impedance):
        step = (task.frequency_min / task.frequency_max) ** (1.0 / max(1, task.points - 1))
        frequencies = (task.frequency_max * step**n for n in range(task.points))
        return sum(10 * _PERIODS / f + 10 * _PER_POINT_S for f in frequencies) + 60.0
    return task.duration_s * 1.05 + 60.0


def _interval_s(task: Task) -> float:
    """Return how far two samples of a task lie apart at most, s."""
    if isinstance(task, Sweep):
        return task.step / task.rate
    if isinstance(task, Impedance):
        return 10 * _PERIODS / task.frequency_min + 10 * _PER_POINT_S
    return task.interval_s


def _span(sweep: Sweep) -> float:
    """Return how far one cycle goes, there and back, V."""
    return sum(abs(b - a) for a, b in pairwise(sweep.vertices))


def _impedance(
    plan: drives.Impedance, value: Callable[[Operand], float], current_limit: float, open_circuit: float | None
) -> Impedance:
    if isinstance(plan.bias, str):
        bias = 0.0 if plan.control == "galvanostatic" or open_circuit is None else open_circuit
    else:
        bias = value(plan.bias)
    return Impedance(
        kind=plan.control,
        frequency_max=plan.frequency_max,
        frequency_min=plan.frequency_min,
        points=plan.points,
        amplitude=plan.amplitude,
        bias=bias,
        current_limit=current_limit,
    )
