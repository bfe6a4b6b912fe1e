"""From what a recipe plans to what an instrument is asked for, with every operand resolved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from galvanode.engine.errors import Failed
from galvanode.engine.trust import inside
from galvanode.errors import GalvanodeError
from galvanode.instrument.roles import Envelope
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
from galvanode.recipe.program import Condition, Step, Window

_LONGEST_S = 30 * 86400.0
"""Asked of an instrument where only the host knows when a step ends (a charge, say)."""
_PERIODS = 3.0
_PER_POINT_S = 1.0


def plain_ends(step: Step) -> list[Condition]:
    """Return the ends of a step that are one comparison each: what an instrument can watch by itself."""
    return [item for item in (end.plain for end in step.until) if item is not None]


def task_of(
    step: Step, value: Callable[[Operand], float], current_limit: float, open_circuit: float | None
) -> tuple[Task, tuple[Cutoff, ...]]:
    """Return the task for an instrument that runs a step by itself, and the ends that it watches itself."""
    duration, interval, cutoffs = _duration(step, value), _interval(step), _cutoffs(step, value)
    match step.drive:
        case drives.Sweep() as plan:
            vertices = tuple(value(vertex) for vertex in plan.vertices)
            return Sweep(vertices, value(plan.rate), plan.step, current_limit, plan.cycles), cutoffs
        case drives.Impedance() as plan:
            return _impedance(plan, value, current_limit, open_circuit), cutoffs
        case drives.Rest():
            return OpenCircuit(duration, interval), cutoffs
        case drives.Current(setpoint=setpoint):
            return HoldCurrent(value(setpoint), duration, interval), cutoffs
        case drives.Voltage(setpoint=setpoint):
            return HoldVoltage(value(setpoint), current_limit, duration, interval), cutoffs
        case other:
            raise GalvanodeError(f"step {step.step_id} ({step.name}): no task of an instrument is {other.kind!r}")


def _duration(step: Step, value: Callable[[Operand], float]) -> float:
    times = [value(item.value) for item in plain_ends(step) if item.quantity == "time"]
    return min(times, default=_LONGEST_S)


def _interval(step: Step) -> float:
    return step.poll_s if step.record.every_s is None else min(step.record.every_s, step.poll_s)


def _cutoffs(step: Step, value: Callable[[Operand], float]) -> tuple[Cutoff, ...]:
    return tuple(
        Cutoff("voltage" if item.quantity == "voltage" else "current", item.comparison, value(item.value))
        for item in plain_ends(step)
        if item.quantity in ("voltage", "current") and not item.magnitude
    )


def setpoint_of(step: Step, value: Callable[[Operand], float]) -> float | None:
    """Return the set point as it is now. Raises ``Failed`` for one that the step must not have."""
    drive = step.drive
    if drive.held is None:
        return None
    setpoint = value(drive.held)
    if drive.signed != 0 and not setpoint * drive.signed > 0:
        raise Failed(f"the set point of {step.name} comes to {abs(setpoint):g}; its magnitude must be above 0")
    window = {"current": step.limits.current, "voltage": step.limits.voltage}.get(drive.dimension or "", Window())
    if not inside(setpoint, window):
        raise Failed(f"the set point of {step.name} comes to {setpoint:.6g}, outside its limits")
    return setpoint


def scan_rate(name: str, plan: drives.Sweep, value: Callable[[Operand], float]) -> float:
    """Return the rate of a sweep, V/s. Raises ``Failed`` for none."""
    rate = value(plan.rate)
    if not 0.0 < rate < math.inf:
        raise Failed(f"the rate of {name} comes to {rate:g} V/s; it must be above 0")
    return rate


def current_limit(step: Step, value: Callable[[Operand], float], envelope: Envelope) -> float:
    """Magnitude that a held voltage may draw: the smallest of what cell, recipe and step allow, A."""
    window = step.limits.current
    allowed = [envelope.current_max]
    if window.min is not None and window.max is not None:
        allowed.append(max(abs(window.min), abs(window.max)))
    if step.drive.limit is not None:
        allowed.append(value(step.drive.limit))
    if not min(allowed) > 0:
        raise Failed(f"the current limit of {step.name} comes to {min(allowed):g} A; it must be above 0")
    return min(allowed)


def refuse_outside(step: Step, volts: Iterable[float] = (), amps: Iterable[float] = ()) -> None:
    """Raise ``Failed`` for what would leave the step's limits: known only now, and nothing is sent yet."""
    for values, window, unit in ((volts, step.limits.voltage, "V"), (amps, step.limits.current, "A")):
        for value in values:
            if not inside(value, window):
                raise Failed(f"{step.name} comes to {value:.6g} {unit}, outside its limits")


def planned_s(task: Task) -> float | None:
    """Return when a task ends by itself, s after it began; None where the instrument alone knows."""
    if isinstance(task, Impedance):
        return None
    if isinstance(task, Sweep):
        span = sum(abs(b - a) for a, b in pairwise(task.vertices))
        return (task.cycles * span + task.step) / task.rate
    return task.duration_s


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


def staircase(plan: drives.Sweep, value: Callable[[Operand], float]) -> Iterator[float]:
    """Yield the voltages of a sweep that the host drives, one for each ``plan.step`` over its rate, V."""
    vertices = [value(vertex) for vertex in plan.vertices]
    yield vertices[0]
    for _ in range(plan.cycles):
        for start, stop in pairwise(vertices):
            count = max(1, math.ceil(abs(stop - start) / plan.step - 1e-9))
            for n in range(1, count + 1):
                yield stop if n == count else start + math.copysign(n * plan.step, stop - start)


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
