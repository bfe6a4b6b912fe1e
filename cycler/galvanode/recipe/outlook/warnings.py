"""What looks wrong in a recipe that is valid: told from the recipe and its program alone, nothing is measured.

A warning is a question to the author, not a verdict: each names the line and says what would happen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from galvanode.quantities import CYCLE_QUANTITIES
from galvanode.recipe.method.reader import Recipe
from galvanode.recipe.operand import Operand
from galvanode.recipe.outlook.flow import Flow
from galvanode.recipe.outlook.foresight import Values, blocks_around, ends_by_time, longest_s, verdict
from galvanode.recipe.outlook.names import unused_names
from galvanode.recipe.program import Action, Condition, End, Instruction, Jump, Loop, Program, Step, Window
from galvanode.units import format_quantity


class Warning(NamedTuple):  # noqa: A001 (that is what it is; Python's own are for programs)
    """Something that looks wrong."""

    line: int | None
    """Of the recipe, from 1; None where it is about the whole."""
    text: str


class Reach(NamedTuple):
    """What the instrument that carries out a step can do."""

    voltage: tuple[float, float]
    """V, lowest and highest."""
    current: tuple[float, float]
    """A, lowest and highest."""
    fastest_s: float | None
    """s between two readings; None for an instrument that measures by itself."""


def warnings_of(
    program: Program, recipe: Recipe, reach: Callable[[Step], Reach | None] = lambda _: None
) -> list[Warning]:
    """Return what looks wrong, in the order of the recipe's lines.

    ``program`` is what ``recipe`` compiled to. ``reach`` says what the instrument for a step can do, None where
    that is not known.
    """
    found: list[Warning] = []
    values, blocks, instructions = Values(program), blocks_around(program), program.instructions
    for index, instruction in enumerate(instructions):
        if isinstance(instruction, Step):
            look = _Look(instruction, values, blocks[index])
            found += look.at_ends()
            found += look.at_hold(instructions[index + 1] if index + 1 < len(instructions) else None)
            found += look.at_record()
            found += look.at_limits()
            found += look.at_instrument(reach(instruction))
    found += _gotos(program)
    found += [
        Warning(line, f"{kind} '{name}' is not used: nothing in the recipe says '${name}'")
        for kind, name, line in unused_names(recipe.document)
    ]
    return sorted(set(found), key=lambda item: (item.line or 0, item.text))


_SAME_VOLTAGE_V = 1e-6


@dataclass(frozen=True)
class _Look:
    """A look at one step of the program."""

    step: Step
    values: Values
    blocks: tuple[Loop, ...]
    """Around it."""

    def at_ends(self) -> Iterator[Warning]:
        """Conditions that can never hold, or that hold at once; a step that cannot end."""
        impossible = 0
        for end in self.step.until:
            found, why = verdict(end.test, self.step, self.values)
            if found != "never" and (unheld := self._held_too_long(end)):
                found, why = "never", unheld
            if found == "never" and end.by_s is None:
                impossible += 1
                yield self._warning(f"'{end.text}' can never hold: {why}")
            elif found == "at once" and end.held_s == 0 and not ends_by_time(end):
                yield self._warning(f"'{end.text}' holds at the first reading: {why}")
            elif found == "open":
                yield from self._at_voltage(end)
        if impossible == len(self.step.until) and not self.step.drive.ends_by_itself and not self._ended_from_outside():
            yield self._warning("cannot end: none of its ends can ever hold")

    def at_hold(self, following: Instruction | None) -> Iterator[Warning]:
        """A charge to one voltage, and a hold at another."""
        step, held_at = self.step, _voltage_held(following)
        if step.drive.counted is None or held_at is None:
            return
        sign = step.drive.sign(self.values.of)
        for end in step.until:
            condition = end.test
            if not isinstance(condition, Condition) or condition.quantity != "voltage" or end.then.do != "next":
                continue
            if (condition.comparison == ">=") != (sign > 0):
                continue
            limit, held = self.values.one(condition.value), self.values.one(held_at)
            if limit is not None and held is not None and abs(limit - held) > _SAME_VOLTAGE_V:
                verb = "charges" if sign > 0 else "discharges"
                to, at = format_quantity(limit, "voltage"), format_quantity(held, "voltage")
                yield self._warning(f"{verb} to {to}, and the hold after it is at {at}")

    def at_record(self) -> Iterator[Warning]:
        """A record that comes later than the step's end."""
        record, longest = self.step.record, longest_s(self.step, self.values)
        other = (record.voltage_change, record.current_change, record.charge_change, record.burst_every_s)
        if record.every_s is None or longest is None or any(item is not None for item in other):
            return
        if record.every_s > longest and not self.step.drive.records_itself:
            every, lasts = format_quantity(record.every_s, "time"), format_quantity(longest, "time")
            yield self._warning(
                f"is recorded every {every} but lasts {lasts}: only its first and last reading are kept"
            )

    def at_limits(self) -> Iterator[Warning]:
        """A set point on the very limit, where noise trips the run."""
        windows = {"voltage": self.step.limits.voltage, "current": self.step.limits.current}
        dimension = self.step.drive.dimension
        if dimension in windows:
            yield from self._on_the_limit(windows[dimension], dimension)

    def at_instrument(self, reach: Reach | None) -> Iterator[Warning]:
        """What the instrument cannot do."""
        if reach is None:
            return
        if reach.fastest_s is not None:
            yield from self._too_fast(reach.fastest_s)
        windows = {"voltage": reach.voltage, "current": reach.current}
        for what, value, dimension in self.step.drive.reaches():
            yield from self._out_of_reach(what, value, windows[dimension], dimension)

    def _held_too_long(self, end: End) -> str | None:
        longest = longest_s(self.step, self.values)
        if longest is None or end.held_s <= longest or ends_by_time(end):
            return None
        held, lasts = format_quantity(end.held_s, "time"), format_quantity(longest, "time")
        return f"it must hold for {held}, and the step lasts {lasts} at most"

    def _at_voltage(self, end: End) -> Iterator[Warning]:
        """An end at the very limit, which trips instead."""
        step, condition = self.step, end.test
        if not isinstance(condition, Condition) or condition.quantity != "voltage" or step.drive.dimension == "voltage":
            return
        upwards = condition.comparison == ">="
        limit = step.limits.voltage.max if upwards else step.limits.voltage.min
        if limit is not None and self.values.one(condition.value) == limit:
            past = format_quantity(limit, "voltage")
            yield self._warning(f"'{end.text}' is the limit itself: a reading past {past} trips the run instead")

    def _on_the_limit(self, window: Window, dimension: str) -> Iterator[Warning]:
        for value in self.values.of(self.step.drive.held) or ():
            if value in (window.min, window.max):
                shown = format_quantity(value, dimension)
                yield self._warning(f"set point {shown} is the limit itself: a little noise trips the run")
                return

    def _too_fast(self, fastest_s: float) -> Iterator[Warning]:
        step = self.step
        asked = [
            ("looks at its limits every", step.poll_s),
            ("is recorded in its burst every", step.record.burst_every_s),
            ("is recorded every", None if step.drive.records_itself else step.record.every_s),
            *step.drive.paces(self.values.of),
        ]
        for what, seconds in asked:
            if seconds is not None and seconds < fastest_s:
                shown, fastest = format_quantity(seconds, "time"), format_quantity(fastest_s, "time")
                yield self._warning(f"{what} {shown}, but the instrument takes {fastest} for a reading")

    def _out_of_reach(
        self, what: str, operand: Operand | None, window: tuple[float, float], dimension: str
    ) -> Iterator[Warning]:
        for value in self.values.of(operand) or ():
            if not window[0] <= value <= window[1]:
                low, high = (format_quantity(end, dimension) for end in window)
                shown = format_quantity(value, dimension)
                yield self._warning(f"{what} {shown} is outside the instrument's range, {low} to {high}")
                return

    def _ended_from_outside(self) -> bool:
        """Tell whether a block around the step may end it."""
        return any(
            not (isinstance(end.test, Condition) and end.test.quantity in CYCLE_QUANTITIES)
            for block in self.blocks
            for end in block.stop_when
        )

    def _warning(self, text: str) -> Warning:
        return Warning(self.step.line, f"step {self.step.step_id} ({self.step.name}) {text}")


def _voltage_held(instruction: Instruction | None) -> Operand | None:
    """Return the voltage that an instruction holds; None for any other."""
    if isinstance(instruction, Step) and instruction.drive.dimension == "voltage":
        return instruction.drive.held
    return None


_UNSTATED = Action(do="goto").at_most
"""How often a ``goto`` is taken whose author did not say."""


def _gotos(program: Program) -> Iterator[Warning]:
    """Gotos that go back: with nothing that leads out, or without a bound."""
    flow: Flow | None = None
    for index, instruction in enumerate(program.instructions):
        if isinstance(instruction, Jump):
            actions = [(instruction.action, "'goto'")]
        elif isinstance(instruction, Step):
            actions = [(end.then, f"'{end.text}'") for end in instruction.until]
            actions += [(end.otherwise, f"'{end.text}'") for end in instruction.until]
        else:
            continue
        for action, what in actions:
            if action.do != "goto" or action.target is None or action.target > index:
                continue
            flow = flow or Flow(program)
            by_itself = isinstance(instruction, Jump)
            if not flow.ends_from(action.target):
                then = f"after {action.at_most:,} times the run fails" if by_itself else "the run would not end"
                yield Warning(instruction.line, f"{what} goes back, and nothing leads out of what it repeats: {then}")
            elif by_itself and action.at_most == _UNSTATED:
                said = f"goes back without a bound; say how often with 'at_most' ({_UNSTATED:,} times without it)"
                yield Warning(instruction.line, f"{what} {said}")
