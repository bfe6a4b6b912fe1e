"""A program as a table for people: what it does, line by line, with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from galvanode.recipe.limits import window_text
from galvanode.recipe.program import Limits, Loop, Operand, Program, Record, Step, Variable
from galvanode.units import format_quantity


class Row(NamedTuple):
    """One line of the table: a step, or the head of a loop (``step_id`` None)."""

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
    """Return the schedule in the order of the recipe, one row for each step and each loop."""
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
    return rows


def _loop(loop: Loop, indent: int) -> Row:
    ends = [f"{_short(loop.until_s)} are over"] if loop.until_s is not None else []
    ends += [detector.name for detector in loop.stop_when]
    names = ", ".join(f"${name}" for name in loop.ladder)
    what = f"ladder of {names}" if names else "repeat"
    # A loop that time alone bounds has a number of turns only because a number is due.
    turns = "" if loop.until_s is not None and not loop.ladder and loop.turns > _MANY else f"{loop.turns} times"
    return Row(indent, None, what, turns, " or ".join(ends), "", "", loop.line)


_MANY = 100_000


def _step(step: Step, indent: int, values: Mapping[str, tuple[float, ...]]) -> Row:
    setpoint = ""
    if step.setpoint is not None:
        setpoint = _operand(step.setpoint, step.mode, values)
    if step.current_limit is not None:
        setpoint += f", at most {_operand(step.current_limit, 'current', values)}"
    ends = " or ".join(condition.text for condition in step.until)
    record = _record(step.record)
    return Row(indent, step.step_id, step.name, setpoint, ends, record, _limits(step.limits), step.line)


def _operand(operand: Operand, dimension: str, values: Mapping[str, tuple[float, ...]]) -> str:
    if not isinstance(operand, Variable):
        return format_quantity(operand, dimension)
    rungs = values[operand.name]
    first, last = (format_quantity(rungs[turn] * operand.factor, dimension) for turn in (0, -1))
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
