"""A program as a table for people: what it does, line by line, with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from galvanode.recipe.limits import window_text
from galvanode.recipe.program import (
    OPEN_CIRCUIT,
    ImpedancePlan,
    Limits,
    Loop,
    Operand,
    Program,
    Record,
    SetChamber,
    Step,
    SweepPlan,
    Variable,
)
from galvanode.units import format_quantity


class Row(NamedTuple):
    """One line of the table: a step, or the head of a loop or a chamber's temperature (``step_id`` None)."""

    indent: int
    """Loops around it."""
    step_id: int | None
    what: str
    setpoint: str
    ends: str
    record: str
    limits: str
    line: int
    """Of the recipe."""


def describe(program: Program) -> list[Row]:
    """Return the schedule in the order of the recipe, one row for each step, each loop and each temperature."""
    rows: list[Row] = []
    ends: list[int] = []
    values: dict[str, tuple[float, ...]] = {}
    for index, instruction in enumerate(program.instructions):
        while ends and index >= ends[-1]:
            ends.pop()
        if isinstance(instruction, Loop):
            rows.append(_loop(instruction, len(ends)))
            ends.append(instruction.end)
            values.update(instruction.ladder)
        elif isinstance(instruction, Step):
            rows.append(_step(instruction, len(ends), values))
        elif isinstance(instruction, SetChamber):
            rows.append(_chamber(instruction, len(ends), values))
    return rows


def _loop(loop: Loop, indent: int) -> Row:
    ends = [f"{_short(loop.until_s)} are over"] if loop.until_s is not None else []
    ends += [detector.name for detector in loop.stop_when]
    if loop.stop_when_retention is not None:
        retention = loop.stop_when_retention
        ends.append(f"retention <= {format_quantity(retention.below, 'fraction')} of cycle {retention.of_cycle}")
    names = ", ".join(f"${name}" for name in loop.ladder)
    what = f"ladder of {names}" if names else "repeat"
    # A loop that time or retention alone bounds has a number of turns only because a number is due.
    open_ended = loop.until_s is not None or loop.stop_when_retention is not None
    turns = "" if open_ended and not loop.ladder and loop.turns > _MANY else f"{loop.turns} times"
    return Row(indent, None, what, turns, " or ".join(ends), "", "", loop.line)


_MANY = 100_000


def _step(step: Step, indent: int, values: Mapping[str, tuple[float, ...]]) -> Row:
    setpoint, own_end, record = "", "", _record(step.record)
    if step.setpoint is not None:
        setpoint = _operand(step.setpoint, step.mode, values)
    elif step.sweep is not None:
        setpoint, own_end = _sweep(step.sweep, values), "end of sweep"
        record = f"every {format_quantity(step.sweep.step, 'voltage')}"
    elif step.impedance is not None:
        setpoint, own_end, record = _impedance(step.impedance, values), "end of spectrum", "every frequency"
    if step.current_limit is not None:
        setpoint += f", at most {_operand(step.current_limit, 'current', values)}"
    ends = " or ".join([condition.text for condition in step.until] + ([own_end] if own_end else []))
    name = step.name if step.instrument is None else f"{step.name} ({step.instrument})"
    return Row(indent, step.step_id, name, setpoint, ends, record, _limits(step.limits), step.line)


def _sweep(plan: SweepPlan, values: Mapping[str, tuple[float, ...]]) -> str:
    vertices = " to ".join(_operand(vertex, "voltage", values) for vertex in plan.vertices)
    times = f", {plan.cycles} times" if plan.cycles > 1 else ""
    return f"{vertices} at {format_quantity(plan.rate, 'scan_rate')}{times}"


def _impedance(plan: ImpedancePlan, values: Mapping[str, tuple[float, ...]]) -> str:
    driven = "voltage" if plan.kind == "potentiostatic" else "current"
    first, last = (format_quantity(hertz, "frequency") for hertz in (plan.frequency_max, plan.frequency_min))
    bias = "open circuit" if isinstance(plan.bias, str) else _operand(plan.bias, driven, values)
    return f"{first} to {last}, {plan.points} points, {format_quantity(plan.amplitude, driven)} rms at {bias}"


def _chamber(chamber: SetChamber, indent: int, values: Mapping[str, tuple[float, ...]]) -> Row:
    ends, soak = "at once", chamber.soak
    if soak is not None:
        ends = f"within {soak.band:g} K for {_short(soak.dwell)}, or fails after {_short(soak.timeout)}"
    return Row(
        indent, None, "chamber", _operand(chamber.temperature, "temperature", values), ends, "", "", chamber.line
    )


def _operand(operand: Operand, dimension: str, values: Mapping[str, tuple[float, ...]]) -> str:
    if not isinstance(operand, Variable):
        return format_quantity(operand, dimension)
    if operand.name == OPEN_CIRCUIT:
        return "open circuit"
    rungs = values[operand.name]
    ends = (rungs[0], rungs[-1]) if rungs[0] != rungs[-1] else (min(rungs, key=abs), max(rungs, key=abs))
    first, last = (format_quantity(rung * operand.factor, dimension) for rung in ends)
    return f"{first} to {last}" if first != last else first


def _record(record: Record) -> str:
    parts: list[str] = []
    if record.every_s is not None:
        parts.append(f"every {_short(record.every_s)}")
    if record.voltage_change is not None:
        parts.append(f"at {format_quantity(record.voltage_change, 'voltage')} of change")
    if record.current_change is not None:
        parts.append(f"at {format_quantity(record.current_change, 'current')} of change")
    return ", ".join(parts)


def _limits(limits: Limits) -> str:
    return ", ".join(
        window_text(window, quantity, area=1.0)
        for quantity, window in (
            ("voltage", limits.voltage),
            ("current", limits.current),
            ("temperature", limits.temperature),
        )
        if window.min is not None or window.max is not None
    )


def _short(seconds: float) -> str:
    return format_quantity(seconds, "time")
