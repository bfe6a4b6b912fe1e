"""A program as a table for people: what it does, line by line, with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from galvanode.recipe.compiling.limits import window_text
from galvanode.recipe.operand import NOMINAL_CAPACITY, OPEN_CIRCUIT, Formula, Operand, Result, Variable
from galvanode.recipe.program import (
    Action,
    Ask,
    Assign,
    Branch,
    End,
    EndLoop,
    Instruction,
    Jump,
    Limits,
    Loop,
    Program,
    Record,
    SetChamber,
    Step,
)
from galvanode.units import DIMENSIONS, format_quantity

_MANY = 100_000
"""Turns from which on their number is there only because one is due."""
_SECONDS_PER_HOUR = 3600.0


class Row(NamedTuple):
    """One line of the table: a step (``step_id``), or what stands between the steps (None)."""

    indent: int
    """Blocks around it."""
    step_id: int | None
    what: str
    setpoint: str
    ends: str
    record: str
    limits: str
    line: int
    """Of the recipe."""


def describe(program: Program) -> list[Row]:
    """Return the schedule in the order of the recipe, one row for each step and each thing between the steps."""
    return _Table(program).rows


class _Table:
    def __init__(self, program: Program) -> None:
        self._instructions = program.instructions
        self._auxiliaries = program.auxiliaries
        self._ladders: dict[str, tuple[float, ...]] = {}
        self.rows: list[Row] = []
        self._block(0, len(program.instructions), 0)

    def _block(self, start: int, end: int, indent: int) -> None:
        index = start
        while index < end:
            index = self._item(index, self._instructions[index], indent)

    def _item(self, index: int, instruction: Instruction, indent: int) -> int:
        """Add the rows of an instruction, and of the block that it begins; return what comes after."""
        match instruction:
            case Loop():
                self._ladders.update(instruction.ladder)
                self.rows.append(self._loop(instruction, indent))
                self._block(index + 1, instruction.end, indent + 1)
                return instruction.end + 1
            case Branch():
                return self._branch(index, instruction, indent)
            case Step():
                self.rows.append(self._step(instruction, indent))
            case SetChamber():
                self.rows.append(self._chamber(instruction, indent))
            case Jump():
                text = self._action(instruction.action)
                self.rows.append(_between(indent, text, instruction.action.text, instruction.line))
            case Assign():
                text = f"set ${instruction.name}"
                self.rows.append(_between(indent, text, instruction.text, instruction.line))
            case Ask():
                self.rows.append(_ask(instruction, indent))
            case EndLoop():
                pass
        return index + 1

    def _branch(self, index: int, branch: Branch, indent: int) -> int:
        self.rows.append(_between(indent, "if", branch.text, branch.line))
        over = self._after_else(branch)
        if over is None:
            self._block(index + 1, branch.otherwise, indent + 1)
            return branch.otherwise
        self._block(index + 1, branch.otherwise - 1, indent + 1)
        self.rows.append(_between(indent, "else", "", branch.line))
        self._block(branch.otherwise, over, indent + 1)
        return over

    def _after_else(self, branch: Branch) -> int | None:
        """Return where the way on lies after an ``else``, over which the last jump before it leads; None without."""
        last = self._instructions[branch.otherwise - 1]
        if not isinstance(last, Jump) or last.line != branch.line:
            return None  # a 'goto' of the recipe's own; in the line of the 'if' it comes to the same as an 'else'
        target = last.action.target
        return None if target is None or target < branch.otherwise else target

    # --- rows ------------------------------------------------------------------------------------------------

    def _loop(self, loop: Loop, indent: int) -> Row:
        ends = [f"{_short(loop.until_s)} are over"] if loop.until_s is not None else []
        ends += [self._end(end) for end in loop.stop_when]
        names = ", ".join(f"${name}" for name in loop.ladder)
        if loop.group:
            what, turns = loop.name or "group", ""
        else:
            what = loop.name or (f"ladder of {names}" if names else "repeat")
            # A loop that time or a test alone bounds has a number of turns only because one is due.
            open_ended = bool(ends) and not loop.ladder and loop.turns > _MANY
            turns = "" if open_ended else f"{loop.turns} times"
        return Row(indent, None, what, turns, _either(ends), "", "", loop.line)

    def _step(self, step: Step, indent: int) -> Row:
        drive = step.drive
        setpoint, own_end, record = drive.text(self._operand), drive.end_text(), drive.record_text()
        ends = _either([*(self._end(end) for end in step.until), *([own_end] if own_end else [])])
        recorded = _record(step.record) if record is None else record
        name = step.name if step.instrument is None else f"{step.name} ({step.instrument})"
        limits = _limits(step.limits, self._auxiliaries)
        return Row(indent, step.step_id, name, setpoint, ends, recorded, limits, step.line)

    def _chamber(self, chamber: SetChamber, indent: int) -> Row:
        ends, soak = "at once", chamber.soak
        if soak is not None:
            ends = f"within {soak.band:g} K for {_short(soak.dwell)}, or fails after {_short(soak.timeout)}"
        temperature = self._operand(chamber.temperature, "temperature")
        return Row(indent, None, "chamber", temperature, ends, "", "", chamber.line)

    # --- words -----------------------------------------------------------------------------------------------

    def _end(self, end: End) -> str:
        parts = [end.text]
        if end.held_s > 0:
            parts.append(f"held for {_short(end.held_s)}")
        if end.not_before_s is not None:
            parts.append(f"not before {_short(end.not_before_s)}")
        if end.by_s is not None:
            parts.append(f"by {_short(end.by_s)}")
        if end.then.do != "next":
            parts.append(f"then {self._action(end.then)}")
        if end.not_before_s is not None or end.by_s is not None:
            parts.append(f"otherwise {self._action(end.otherwise)}")
        return ", ".join(parts)

    def _action(self, action: Action) -> str:
        if action.do != "goto":
            return action.do
        times = f", at most {action.at_most} times" if action.at_most < Action().at_most else ""
        target = action.target
        if target is None or target >= len(self._instructions):
            return f"goto the end{times}"
        instruction = self._instructions[target]
        if isinstance(instruction, EndLoop):
            return f"goto the end of the block{times}"
        return f"goto line {instruction.line}{times}"

    def _operand(self, operand: Operand, dimension: str) -> str:
        if isinstance(operand, float):
            return format_quantity(operand, dimension)
        rungs = self._ladders.get(operand.name) if isinstance(operand, Variable) else None
        if rungs is None or not isinstance(operand, Variable):
            return _formula(operand, dimension)
        ends = (rungs[0], rungs[-1]) if rungs[0] != rungs[-1] else (min(rungs, key=abs), max(rungs, key=abs))
        first, last = (format_quantity(rung * operand.factor, dimension) for rung in ends)
        return f"{first} to {last}" if first != last else first


def _either(ends: list[str]) -> str:
    """Return all of them, kept apart where one says more than its condition."""
    return ("; or " if any(", " in end for end in ends) else " or ").join(ends)


def _between(indent: int, what: str, setpoint: str, line: int) -> Row:
    """Return the row of what is no step and takes no time."""
    return Row(indent, None, what, setpoint, "", "", "", line)


def _ask(ask: Ask, indent: int) -> Row:
    ends = {"confirmation": "confirmed", "number": f"a number for ${ask.name}", "photo": "a photo"}[ask.wants]
    if ask.dimension is not None:
        low, high = (None if end is None else _in_units(end, ask.dimension) for end in (ask.min, ask.max))
        ends += "" if low is None else f" from {low}"
        ends += "" if high is None else f" up to {high}"
    if ask.within_s is not None:
        ends += f", or fails after {_short(ask.within_s)}"
    return Row(indent, None, "operator", " ".join(ask.message.split()), ends, "", "", ask.line)


def _in_units(number: float, dimension: str) -> str:
    return format_quantity(number, dimension) if dimension in DIMENSIONS else f"{number:.9g}"


def _formula(operand: Operand, dimension: str = "") -> str:
    """Return what is worked out while the program runs, as arithmetic.

    Numbers that are of its dimension have a unit; others, factors and divisors, are in SI.
    """
    match operand:
        case Variable(name=name, factor=factor):
            if name == NOMINAL_CAPACITY and dimension == "current":
                return f"{factor * _SECONDS_PER_HOUR:.9g}C of the capacity that is set"
            return _scaled("open circuit" if name == OPEN_CIRCUIT else f"${name}", factor)
        case Result(quantity=quantity, factor=factor):
            return _scaled(quantity.replace("_", " "), factor)
        case Formula(op=op, of=of):
            inner = "" if op in ("*", "/", "sqrt") else dimension
            if op in ("+", "-", "*", "/"):
                texts = [_formula(part, inner) for part in of]
                return f" {op} ".join(
                    f"({text})" if _is_sum(part) else text for part, text in zip(of, texts, strict=True)
                )
            if op == "neg":
                return f"-({_formula(of[0], inner)})" if _is_sum(of[0]) else f"-{_formula(of[0], inner)}"
            return f"{op}({', '.join(_formula(part, inner) for part in of)})"
        case _:
            return format_quantity(operand, dimension) if dimension else f"{operand:.9g}"


def _is_sum(operand: Operand) -> bool:
    return isinstance(operand, Formula) and operand.op in ("+", "-", "/", "*", "neg")


def _scaled(name: str, factor: float) -> str:
    if factor == 1:
        return name
    return f"-{name}" if factor == -1 else f"{factor:.9g} x {name}"


def _record(record: Record) -> str:
    parts: list[str] = []
    if record.every_s is not None:
        parts.append(f"every {_short(record.every_s)}")
    for change, dimension in (
        (record.voltage_change, "voltage"),
        (record.current_change, "current"),
        (record.charge_change, "charge"),
    ):
        if change is not None:
            parts.append(f"at {format_quantity(change, dimension)} of change")
    if record.burst_every_s is not None and record.burst_for_s is not None:
        parts.append(f"every {_short(record.burst_every_s)} for the first {_short(record.burst_for_s)}")
    return ", ".join(parts)


def _limits(limits: Limits, auxiliaries: Mapping[str, str]) -> str:
    texts = [
        f"{name} {window_text(window, auxiliaries[name], area=1.0)}"
        if name in auxiliaries
        else window_text(window, name, area=1.0)
        for name, window in limits.windows().items()
        if window.min is not None or window.max is not None
    ]
    return ", ".join(texts)


def _short(seconds: float) -> str:
    return format_quantity(seconds, "time")
