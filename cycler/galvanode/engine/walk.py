"""The way through a program: blocks, branches, variables, and the position that all of it comes down to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from galvanode.engine.ends import CannotTell, Ending, Moment, Verdict, parts_of, test_of, told
from galvanode.engine.errors import Failed
from galvanode.engine.position import LoopPosition, Position
from galvanode.quantities import BY_NAME, CYCLE_QUANTITIES
from galvanode.recipe.formula import evaluate
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import (
    Action,
    Ask,
    Assign,
    Branch,
    Condition,
    EndLoop,
    Instruction,
    Jump,
    Loop,
    Program,
    SetChamber,
    Step,
    Test,
)

_TIME_TOLERANCE_S = 1e-6
_MOST_BETWEEN_STEPS = 10_000
"""Instructions in a row without a step: beyond it the program goes round in a circle."""


class Walk:
    """A position in a program, and how it moves on. Changes the position and nothing else."""

    def __init__(
        self, program: Program, position: Position, note: Callable[..., None] = lambda kind, message, **details: None
    ) -> None:
        """``note`` takes what is worth an event: a kind, a message and details."""
        self.program = program
        self.position = position
        self.endings: dict[str, list[Ending]] = {}
        """Block -> what ends it, for the blocks that the position is inside of, from the outermost on."""
        self._note = note
        self._blocks = {
            instruction.loop_id: (index, instruction)
            for index, instruction in enumerate(program.instructions)
            if isinstance(instruction, Loop)
        }
        self._reference_turns = frozenset(_reference_turns(program))
        if position.instruction == 0 and not position.variables:
            position.variables.update(program.variables)

    def take_up(self) -> None:
        """Make the endings of the blocks that the position is inside of, as they were."""
        for loop_id, here in self.position.loops.items():
            endings = [Ending(end) for end in self._blocks[loop_id][1].stop_when]
            for ending, state in zip(endings, here.endings, strict=False):
                ending.restore(state)
            self.endings[loop_id] = endings

    def keep_endings(self) -> None:
        """Put what the endings remember where the position is stored."""
        for loop_id, endings in self.endings.items():
            self.position.loops[loop_id].endings = [ending.state() for ending in endings]

    @property
    def at_end(self) -> bool:
        """The program is over."""
        return self.position.instruction >= len(self.program.instructions)

    @property
    def progress(self) -> float | None:
        """Share of the program done, 0 to 1, from its outermost repeat; None where that says nothing."""
        p = self.position
        for loop_id, (_, loop) in self._blocks.items():
            if loop_id in p.loops and not loop.group:
                here = p.loops[loop_id]
                shares = [here.turn / loop.turns]
                if loop.until_s is not None and loop.until_s > 0:
                    shares.append((p.test_time_s - p.away_s - here.started_s) / loop.until_s)
                return min(1.0, max(shares))
        return None

    def next(self) -> Step | SetChamber | Ask | None:
        """Walk on to the next thing to carry out; None at the end of the program. Raises ``Failed``."""
        instructions, walked = self.program.instructions, 0
        while not self.at_end:
            instruction: Instruction = instructions[self.position.instruction]
            if isinstance(instruction, (Step, SetChamber, Ask)):
                return instruction
            walked += 1
            if walked > _MOST_BETWEEN_STEPS:
                raise Failed(f"the recipe goes round in a circle without a step (line {self._line(instruction)})")
            if isinstance(instruction, Loop):
                self._enter(instruction)
            elif isinstance(instruction, EndLoop):
                loop = instructions[instruction.start]
                assert isinstance(loop, Loop)  # noqa: S101  (how programs are made)
                self._turn(loop)
            elif isinstance(instruction, Branch):
                holds = self.holds(instruction.test, instruction.line)
                self.position.instruction = self.position.instruction + 1 if holds else instruction.otherwise
            elif isinstance(instruction, Assign):
                self._assign(instruction)
                self.position.instruction += 1
            else:
                self._jump(instruction)
        return None

    # --- numbers -------------------------------------------------------------------------------------------

    def value(self, operand: Operand) -> float:
        """Return the number that an operand stands for now. Raises ``Failed`` where it stands for none."""
        if isinstance(operand, float):
            return operand
        try:
            return evaluate(operand, self._variable, self._result)
        except ValueError as problem:
            line = self._line(self.program.instructions[min(self.position.instruction, self._last)])
            raise Failed(f"a value in line {line} of the recipe {problem}") from None

    def holds(self, test: Test, line: int) -> bool:
        """Tell whether a test holds between two steps. Raises ``Failed`` where that cannot be told."""
        if any(isinstance(part, Condition) and _is_slope(part.quantity) for part in parts_of(test)):
            raise Failed(f"the condition in line {line} is about a slope, which there is only inside a step")
        measured = (
            {part.quantity for part in parts_of(test) if isinstance(part, Condition)} - CYCLE_QUANTITIES - {"value"}
        )
        if measured and not self.position.last_step:
            raise Failed(f"the condition in line {line} is about the step before, and there has been none")
        return test_of(test, self.value, iter(()))(self.moment())

    def moment(self) -> Moment:
        """Return what was measured last: of the step that has ended, and of the turn."""
        moment, last = Moment(), self.position.last_step
        moment.test_time, moment.step_count = self.position.test_time_s, self.position.step_count
        moment.voltage, moment.current = last.get("voltage", moment.voltage), last.get("current", moment.current)
        moment.temperature = last.get("temperature")
        moment.elapsed, moment.charge = last.get("time", 0.0), last.get("charge", 0.0)
        moment.energy = last.get("energy", 0.0)
        moment.highest = last.get("highest", moment.highest)
        moment.lowest = last.get("lowest", moment.lowest)
        moment.cycle = self.position.last_turn
        moment.auxiliary = last
        return moment

    def _variable(self, name: str) -> float:
        try:
            return self.position.variables[name]
        except KeyError:
            raise ValueError(f"needs '${name}', which has not been set") from None

    def _result(self, quantity: str) -> float:
        last, turn = self.position.last_step, self.position.last_turn
        if quantity in CYCLE_QUANTITIES:
            found = turn.get("retention 1" if quantity == "retention" else quantity)
            if found is None and quantity in ("charge_capacity", "discharge_capacity") and not self._counts_turns:
                p = self.position  # a recipe without a repeat: all that the run has passed
                found = p.charge_c if quantity == "charge_capacity" else p.discharge_c
            if found is None and quantity == "cycle":
                found = 0.0
        else:
            found = self._told(quantity) if last else None
        if found is None or not math.isfinite(found):
            raise ValueError(f"needs the {quantity.replace('_', ' ')}, which has not been measured yet")
        return found

    def _told(self, quantity: str) -> float | None:
        """Return what the step that has ended last says of a quantity; None where it does not."""
        try:
            return told(quantity)(self.moment())
        except CannotTell:
            return None

    @property
    def _counts_turns(self) -> bool:
        return any(not loop.group for _, loop in self._blocks.values())

    def _assign(self, assign: Assign) -> None:
        number = self.value(assign.value)
        self.position.variables[assign.name] = number
        details = {"name": assign.name, "value": number, "dimension": assign.dimension, "line": assign.line}
        self._note("set", f"{assign.name} = {assign.text}", **details)

    # --- where to go ---------------------------------------------------------------------------------------

    def act(self, verdict: Verdict, loop_id: str | None = None) -> None:
        """Move on after a step or block that has ended: ``loop_id`` is the block, None for the step.

        Raises ``Failed`` if that is what the recipe asks for.
        """
        p, action = self.position, verdict.action
        if action.do == "next" and loop_id is None:
            p.instruction += 1
        elif action.do == "next":
            self._leave_early(self._blocks[loop_id or ""][1], verdict.reason)
        elif action.do == "goto":
            owner = p.instruction if loop_id is None else self._blocks[loop_id][0]
            self._go_to(action, f"{owner} to {action.target}")
        else:
            if loop_id is not None:  # whatever it says is said of the block, not of what it is in the middle of
                p.instruction = self._blocks[loop_id][0]
            self._do(action, verdict.reason)

    def _jump(self, jump: Jump) -> None:
        if jump.action.do == "goto":
            self._go_to(jump.action, str(self.position.instruction))
        else:
            self._do(jump.action, jump.action.text or f"'{jump.action.do}' in line {jump.line} of the recipe")

    def _do(self, action: Action, reason: str) -> None:
        p = self.position
        if action.do == "fail":
            raise Failed(reason)
        if action.do == "end":
            p.left_early = reason
            self._leave_all_but(())
            p.instruction = len(self.program.instructions)
            return
        around = [
            loop for first, loop in self._blocks.values() if not loop.group and first <= p.instruction <= loop.end
        ]
        if not around:  # a break that no repeat is around of is refused when the recipe is compiled
            raise Failed(f"'{action.do}' outside a repeat")
        self._leave(around[-1])

    def _go_to(self, action: Action, key: str) -> None:
        p = self.position
        taken = p.jumps[key] = p.jumps.get(key, 0) + 1
        if taken > action.at_most:
            line = self._line(self.program.instructions[p.instruction])
            raise Failed(f"'goto' in line {line} of the recipe was taken {action.at_most} times, which is the most")
        target = len(self.program.instructions) if action.target is None else action.target
        self._leave_all_but([loop_id for loop_id, (first, loop) in self._blocks.items() if first < target <= loop.end])
        p.instruction = target

    def _enter(self, loop: Loop) -> None:
        p = self.position
        here = LoopPosition(-1, p.test_time_s - p.away_s)
        here.charge_began_c, here.discharge_began_c = p.charge_c, p.discharge_c
        here.energy_began_j = p.charge_energy_j + p.discharge_energy_j
        p.loops[loop.loop_id] = here
        self.endings[loop.loop_id] = [Ending(end) for end in loop.stop_when]
        self._turn(loop)

    def _turn(self, loop: Loop) -> None:
        """Begin the block's next turn, or leave it."""
        p = self.position
        here = p.loops[loop.loop_id]
        if here.turn >= 0 and not loop.group:
            turn = self._ended_turn(loop, here)
            if (verdict := self._ended_by(loop, turn)) is not None:
                self.act(verdict, loop.loop_id)
                return
        here.turn += 1
        timed_out = (
            loop.until_s is not None
            and here.turn > 0
            and p.test_time_s - p.away_s - here.started_s >= loop.until_s - _TIME_TOLERANCE_S
        )
        if here.turn >= loop.turns or timed_out:
            self._leave(loop)
            return
        here.charge_before_c, here.discharge_before_c = p.charge_c, p.discharge_c
        p.variables.update({name: values[here.turn] for name, values in loop.ladder.items()})
        if loop.counts_cycles:
            p.cycle += 1
        p.instruction = self._blocks[loop.loop_id][0] + 1

    def _ended_turn(self, loop: Loop, here: LoopPosition) -> dict[str, float]:
        """Return the cycle quantities of the turn that is over; keep them if it is a cycle."""
        p, number = self.position, here.turn + 1
        charged, discharged = p.charge_c - here.charge_before_c, p.discharge_c - here.discharge_before_c
        if number in self._reference_turns:
            here.references_c[str(number)] = discharged
        turn = {"charge_capacity": charged, "discharge_capacity": discharged, "cycle": float(number)}
        if charged > 0:
            turn["coulombic_efficiency"] = discharged / charged
        for reference, capacity in here.references_c.items():
            if int(reference) < number and capacity > 0:
                turn[f"retention {reference}"] = discharged / capacity
        if loop.counts_cycles:
            p.last_turn = turn
        return turn

    def _ended_by(self, loop: Loop, turn: dict[str, float]) -> Verdict | None:
        """Return what ends the block now that one of its turns is over."""
        p, here = self.position, self.position.loops[loop.loop_id]
        moment = self.moment()
        moment.cycle = turn
        moment.elapsed = p.test_time_s - p.away_s - here.started_s
        moment.charge = p.charge_c - here.charge_began_c + p.discharge_c - here.discharge_began_c
        moment.energy = p.charge_energy_j + p.discharge_energy_j - here.energy_began_j
        for ending in self.endings[loop.loop_id]:
            if ending.about_cycles:
                ending.begin_step(self.value)
                verdict = ending.update(moment)
                if verdict is not None:
                    return verdict._replace(reason=_with_figures(verdict.reason, ending, turn))
        return None

    def _leave_early(self, loop: Loop, reason: str) -> None:
        if not loop.group:
            self.position.left_early = reason
        self._leave(loop)

    def _leave(self, loop: Loop) -> None:
        first = self._blocks[loop.loop_id][0]
        inside = [inner.loop_id for inner in self.program.instructions[first : loop.end] if isinstance(inner, Loop)]
        for loop_id in inside:
            self._forget(loop_id)
        self.position.instruction = loop.end + 1

    def _leave_all_but(self, kept: list[str] | tuple[str, ...]) -> None:
        for loop_id in [loop_id for loop_id in self.position.loops if loop_id not in kept]:
            self._forget(loop_id)

    def _forget(self, loop_id: str) -> None:
        p = self.position
        p.loops.pop(loop_id, None)
        self.endings.pop(loop_id, None)
        for name in self._blocks[loop_id][1].ladder:
            p.variables.pop(name, None)

    @property
    def _last(self) -> int:
        return len(self.program.instructions) - 1

    def _line(self, instruction: Any) -> int | str:
        return getattr(instruction, "line", "?")


def _is_slope(name: str) -> bool:
    entry = BY_NAME.get(name)
    return entry is not None and entry.slope_of is not None


def _reference_turns(program: Program) -> set[int]:
    """Return the turns whose discharge capacity something in the program compares with."""
    tests: list[Test] = []
    for instruction in program.instructions:
        if isinstance(instruction, Branch):
            tests.append(instruction.test)
        elif isinstance(instruction, Loop):
            tests += [end.test for end in instruction.stop_when]
        elif isinstance(instruction, Step):
            tests += [end.test for end in instruction.until]
    asked = {
        part.of_cycle
        for test in tests
        for part in parts_of(test)
        if isinstance(part, Condition) and part.of_cycle is not None
    }
    return asked | {1}


def _with_figures(reason: str, ending: Ending, turn: dict[str, float]) -> str:
    """Return the reason with what was measured: a turn's end has no reading that shows it."""
    shown: list[str] = []
    for part in parts_of(ending.end.test):
        if not isinstance(part, Condition):
            continue
        name = f"retention {part.of_cycle or 1}" if part.quantity == "retention" else part.quantity
        if part.quantity in ("retention", "coulombic_efficiency") and name in turn:
            shown.append(f"{part.quantity.replace('_', ' ')} {turn[name]:.1%}")
    return f"{reason} ({', '.join(shown)})" if shown else reason
