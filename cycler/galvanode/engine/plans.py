"""From what a recipe plans to what an instrument is asked for, with every operand resolved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

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
from galvanode.recipe.formula import parts
from galvanode.recipe.program import OPEN_CIRCUIT, Condition, ImpedancePlan, Operand, Step, SweepPlan, Variable

_LONGEST_S = 30 * 86400.0
"""Asked of an instrument where only the host knows when a step ends (a charge, say)."""
_PERIODS = 3.0
_PER_POINT_S = 1.0


def open_circuit_is_needed(step: Step) -> bool:
    """Tell whether a step refers to the rest voltage, which then must be measured first."""
    plan = step.impedance
    if plan is not None and plan.kind == "potentiostatic" and plan.bias == OPEN_CIRCUIT:
        return True
    operands: list[Operand | str | None] = [step.setpoint, *(() if step.sweep is None else step.sweep.vertices)]
    if plan is not None:
        operands.append(plan.bias)
    return any(
        isinstance(part, Variable) and part.name == OPEN_CIRCUIT
        for item in operands
        if not isinstance(item, str)
        for part in parts(item)
    )


def plain_ends(step: Step) -> list[Condition]:
    """Return the ends of a step that are one comparison each: what an instrument can watch by itself."""
    return [item for item in (end.plain for end in step.until) if item is not None]


def task_of(
    step: Step, value: Callable[[Operand], float], current_limit: float, open_circuit: float | None
) -> tuple[Task, tuple[Cutoff, ...]]:
    """Return the task for an instrument that runs a step by itself, and the ends that it watches itself."""
    interval = step.poll_s if step.record.every_s is None else min(step.record.every_s, step.poll_s)
    times = [value(item.value) for item in plain_ends(step) if item.quantity == "time"]
    duration = min(times, default=_LONGEST_S)
    cutoffs = tuple(
        Cutoff("voltage" if item.quantity == "voltage" else "current", item.comparison, value(item.value))
        for item in plain_ends(step)
        if item.quantity in ("voltage", "current") and not item.magnitude
    )
    if step.mode == "sweep" and step.sweep is not None:
        plan = step.sweep
        vertices = tuple(value(vertex) for vertex in plan.vertices)
        return Sweep(vertices, value(plan.rate), plan.step, current_limit, plan.cycles), cutoffs
    if step.mode == "impedance" and step.impedance is not None:
        return _impedance(step.impedance, value, current_limit, open_circuit), cutoffs
    if step.mode == "rest":
        return OpenCircuit(duration, interval), cutoffs
    if step.setpoint is None:
        raise GalvanodeError(f"step {step.step_id} ({step.name}) has no set point")
    if step.mode == "current":
        return HoldCurrent(value(step.setpoint), duration, interval), cutoffs
    return HoldVoltage(value(step.setpoint), current_limit, duration, interval), cutoffs


def expected_s(task: Task) -> float:
    """Return how long a task takes at most, generously, s; what takes longer has stalled."""
    if isinstance(task, Sweep):
        span = sum(abs(b - a) for a, b in pairwise(task.vertices))
        return task.cycles * span / task.rate * 1.2 + 60.0
    if isinstance(task, Impedance):
        step = (task.frequency_min / task.frequency_max) ** (1.0 / max(1, task.points - 1))
        frequencies = (task.frequency_max * step**n for n in range(task.points))
        return sum(10 * _PERIODS / f + 10 * _PER_POINT_S for f in frequencies) + 60.0
    return task.duration_s * 1.05 + 60.0


def staircase(plan: SweepPlan, value: Callable[[Operand], float]) -> Iterator[float]:
    """Yield the voltages of a sweep that the host drives, one for each ``plan.step`` over its rate, V."""
    vertices = [value(vertex) for vertex in plan.vertices]
    yield vertices[0]
    for _ in range(plan.cycles):
        for start, stop in pairwise(vertices):
            count = max(1, math.ceil(abs(stop - start) / plan.step - 1e-9))
            for n in range(1, count + 1):
                yield stop if n == count else start + math.copysign(n * plan.step, stop - start)


def _impedance(
    plan: ImpedancePlan, value: Callable[[Operand], float], current_limit: float, open_circuit: float | None
) -> Impedance:
    if plan.bias == OPEN_CIRCUIT:
        bias = 0.0 if plan.kind == "galvanostatic" or open_circuit is None else open_circuit
    else:
        bias = value(plan.bias)  # type: ignore[arg-type]
    return Impedance(
        kind=plan.kind,
        frequency_max=plan.frequency_max,
        frequency_min=plan.frequency_min,
        points=plan.points,
        amplitude=plan.amplitude,
        bias=bias,
        current_limit=current_limit,
    )
