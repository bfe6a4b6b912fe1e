"""The way through a program: loops, ladders, what leaves them, and the position that all of it comes down to."""

from __future__ import annotations

from galvanode.analysis.detectors import DETECTORS, ShortCircuit
from galvanode.engine.position import LoopPosition, Position
from galvanode.recipe.program import EndLoop, Instruction, Loop, Operand, Program, SetChamber, Step, Variable

_TIME_TOLERANCE_S = 1e-6


class Walk:
    """A position in a program, and how it moves on. Changes the position and nothing else."""

    def __init__(self, program: Program, position: Position) -> None:
        self.program = program
        self.position = position
        self.detectors: dict[str, list[ShortCircuit]] = {}
        """Loop -> its detectors, for the loops that the position is inside of."""
        self._loops = {
            instruction.loop_id: (index, instruction)
            for index, instruction in enumerate(program.instructions)
            if isinstance(instruction, Loop)
        }

    def take_up(self) -> None:
        """Make the detectors of the loops that the position is inside of, as they were."""
        for loop_id, here in self.position.loops.items():
            detectors = _detectors(self._loops[loop_id][1])
            for detector, state in zip(detectors, here.detectors, strict=False):
                detector.restore(state)
            self.detectors[loop_id] = detectors

    def keep_detectors(self) -> None:
        """Put the detectors' state where the position is stored."""
        for loop_id, detectors in self.detectors.items():
            self.position.loops[loop_id].detectors = [detector.state() for detector in detectors]

    @property
    def at_end(self) -> bool:
        """The program is over."""
        return self.position.instruction >= len(self.program.instructions)

    @property
    def progress(self) -> float | None:
        """Share of the program done, 0 to 1, from its outermost loop; None where that says nothing."""
        p = self.position
        for loop_id, (_, loop) in self._loops.items():
            if loop_id in p.loops:
                here = p.loops[loop_id]
                shares = [here.turn / loop.turns]
                if loop.until_s is not None and loop.until_s > 0:
                    shares.append((p.test_time_s - p.away_s - here.started_s) / loop.until_s)
                return min(1.0, max(shares))
        return None

    def next(self) -> Step | SetChamber | None:
        """Walk on to the next thing to carry out; None at the end of the program."""
        instructions = self.program.instructions
        while not self.at_end:
            instruction: Instruction = instructions[self.position.instruction]
            if isinstance(instruction, Loop):
                self._enter(instruction)
            elif isinstance(instruction, EndLoop):
                loop = instructions[instruction.start]
                assert isinstance(loop, Loop)  # noqa: S101  (how programs are made)
                self._turn(loop)
            else:
                return instruction
        return None

    def value(self, operand: Operand) -> float:
        """Return the number that an operand stands for now."""
        if isinstance(operand, Variable):
            return self.position.variables[operand.name] * operand.factor
        return operand

    def leave_early(self, loop_id: str, reason: str) -> None:
        """Leave the loop whose detector spoke."""
        self.position.left_early = reason
        self._leave(self._loops[loop_id][1])

    def _enter(self, loop: Loop) -> None:
        p = self.position
        p.loops[loop.loop_id] = LoopPosition(-1, p.test_time_s - p.away_s)
        self.detectors[loop.loop_id] = _detectors(loop)
        self._turn(loop)

    def _turn(self, loop: Loop) -> None:
        """Begin the loop's next turn, or leave it."""
        p = self.position
        here = p.loops[loop.loop_id]
        if here.turn >= 0 and (faded := self._faded(loop, here)) is not None:
            self.leave_early(loop.loop_id, faded)
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
        here.discharge_before_c = p.discharge_c
        p.variables.update({name: values[here.turn] for name, values in loop.ladder.items()})
        if loop.counts_cycles:
            p.cycle += 1
        p.instruction = self._loops[loop.loop_id][0] + 1

    def _faded(self, loop: Loop, here: LoopPosition) -> str | None:
        """Return why the loop is over for its cell's loss of capacity, if it is."""
        limit = loop.stop_when_retention
        if limit is None:
            return None
        capacity = self.position.discharge_c - here.discharge_before_c
        if here.turn + 1 == limit.of_cycle:
            here.reference_discharge_c = capacity
        if here.reference_discharge_c is None or here.reference_discharge_c <= 0.0 or here.turn + 1 <= limit.of_cycle:
            return None
        retention = capacity / here.reference_discharge_c
        if retention > limit.below:
            return None
        return f"retention {retention:.1%} of cycle {limit.of_cycle} (limit {limit.below:.1%})"

    def _leave(self, loop: Loop) -> None:
        p = self.position
        first = self._loops[loop.loop_id][0]
        for inner in self.program.instructions[first : loop.end]:
            if isinstance(inner, Loop):
                p.loops.pop(inner.loop_id, None)
                self.detectors.pop(inner.loop_id, None)
                for name in inner.ladder:
                    p.variables.pop(name, None)
        p.instruction = loop.end + 1


def _detectors(loop: Loop) -> list[ShortCircuit]:
    return [DETECTORS[item.name](item.options) for item in loop.stop_when]
