"""The steps of a run as a table for people: every step of a loop's first turn, and what its further turns came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from galvanode.commands.executed import ExecutedStep
from galvanode.recipe.program import Ask, Loop, Program, SetChamber, Step

SHOWN_WHOLE = 24
"""A run of so few steps is shown step by step, loops or not."""

RUNGS_SHOWN = 12
"""A ladder of so few values is shown value by value."""


@dataclass(frozen=True)
class MoreTurns:
    """Further turns of a block, together."""

    turns: int
    steps: tuple[ExecutedStep, ...]

    @property
    def duration_s(self) -> float:
        """Of all of them."""
        return sum(step.duration_s for step in self.steps)

    @property
    def charged_c(self) -> float:
        """C that went into the cell."""
        return sum(step.charged_c for step in self.steps)

    @property
    def discharged_c(self) -> float:
        """C that came out of it."""
        return sum(step.discharged_c for step in self.steps)

    @property
    def samples(self) -> int:
        """Recorded in all of them."""
        return sum(step.samples for step in self.steps)

    @property
    def voltage_v(self) -> tuple[float, float] | None:
        """Lowest and highest; None without a sample."""
        return window_of(self.steps)

    @property
    def end_reasons(self) -> list[str]:
        """Why they ended, each reason once and the most frequent first."""
        return [reason for reason, _ in Counter(step.end_reason for step in self.steps).most_common()]


Line = ExecutedStep | MoreTurns


def window_of(steps: Iterable[ExecutedStep]) -> tuple[float, float] | None:
    """Return the lowest and the highest voltage of some steps, V; None without a sample."""
    windows = [step.voltage_v for step in steps if step.voltage_v is not None]
    return (min(low for low, _ in windows), max(high for _, high in windows)) if windows else None


def expansion(program: Program, steps: Sequence[ExecutedStep], *, whole: bool = False) -> list[Line]:
    """Return the lines that show what was carried out, in its order; with ``whole`` one for every step."""
    if whole or len(steps) <= SHOWN_WHOLE:
        return list(steps)
    return _Expansion(program).block([*zip(_places(program, steps), steps, strict=True)], 0)


_Placed = tuple[int, ExecutedStep]
"""The instruction that a step carried out, and the step."""


def _places(program: Program, steps: Sequence[ExecutedStep]) -> list[int]:
    """Return the instruction of every executed step."""
    known: dict[tuple[int, str], list[int]] = {}
    for index, instruction in enumerate(program.instructions):
        match instruction:
            case Step():
                known.setdefault((instruction.step_id, instruction.drive.kind), []).append(index)
            case SetChamber():
                known.setdefault((0, "chamber"), []).append(index)
            case Ask():
                known.setdefault((0, "operator"), []).append(index)
            case _:
                pass
    places: list[int] = []
    for step in steps:
        candidates = known.get((step.step_id, step.mode if step.step_id else step.name), [0])
        before = places[-1] if places else -1
        # Several chambers share a number: it is the next one on the way, or the first of another turn.
        places.append(next((index for index in candidates if index > before), candidates[0]))
    return places


class _Expansion:
    def __init__(self, program: Program) -> None:
        self._instructions = program.instructions
        self._around: list[tuple[int, ...]] = []
        """The loops around each instruction, outermost first."""
        inside: list[int] = []
        for index, instruction in enumerate(program.instructions):
            while inside and index > self._loop(inside[-1]).end:
                inside.pop()
            self._around.append(tuple(inside))
            if isinstance(instruction, Loop):
                inside.append(index)

    def block(self, placed: list[_Placed], depth: int, loop: Loop | None = None) -> list[Line]:
        """Return the lines of what was carried out inside a block, of its first turn, and of the rest together.

        A short ladder is shown rung by rung: that is what it is for.
        """
        turns = self._turns(placed, depth, ladder=loop is not None and bool(loop.ladder))
        shown = len(turns) if loop is not None and loop.ladder and len(turns) <= RUNGS_SHOWN else 1
        lines: list[Line] = []
        for turn in turns[:shown]:
            for child, inside in turn:
                if inside[0][0] == child:
                    lines += [step for _, step in inside]
                else:
                    lines += self.block(inside, depth + 1, self._loop(child))
        if len(turns) > shown:
            rest = [step for turn in turns[shown:] for _, inside in turn for _, step in inside]
            lines.append(MoreTurns(len(turns) - shown, tuple(rest)))
        return lines

    def _turns(self, placed: list[_Placed], depth: int, *, ladder: bool) -> list[list[tuple[int, list[_Placed]]]]:
        """Cut what was carried out inside a block into its turns, each of them into the block's own parts.

        Turns are told by going back; those of a block that is nothing but another loop, by its ladder's next value.
        """
        turns: list[list[tuple[int, list[_Placed]]]] = []
        setpoints: dict[int, float | None] = {}
        for index, step in placed:
            around = self._around[index]
            child = around[depth] if depth < len(around) else index
            last = turns[-1][-1][0] if turns else -1
            next_rung = ladder and setpoints.get(index, step.setpoint) != step.setpoint
            if child == last and child != index and not (next_rung and not self._varies(child)):
                turns[-1][-1][1].append((index, step))
            elif turns and child > last:
                turns[-1].append((child, [(index, step)]))
            else:
                turns.append([(child, [(index, step)])])
                setpoints.clear()
            setpoints[index] = step.setpoint
        return turns

    def _varies(self, index: int) -> bool:
        """Tell whether a loop, or one inside it, has a ladder."""
        inside = self._instructions[index : self._loop(index).end]
        return any(isinstance(item, Loop) and item.ladder for item in inside)

    def _loop(self, index: int) -> Loop:
        loop = self._instructions[index]
        assert isinstance(loop, Loop)  # noqa: S101  (what was put there)
        return loop
