"""Where a program may go from each of its instructions."""

from __future__ import annotations

from collections.abc import Iterator

from galvanode.recipe.outlook.foresight import blocks_around
from galvanode.recipe.program import Action, Branch, End, EndLoop, Jump, Loop, Program, Step


class Flow:
    """Which instruction may follow which, whatever is measured."""

    def __init__(self, program: Program) -> None:
        self._instructions = program.instructions
        self._end = len(program.instructions)
        self._blocks = blocks_around(program)
        self._ending = self._which_may_end()

    def ends_from(self, index: int) -> bool:
        """Tell whether the end of the run may be reached from an instruction."""
        return index >= self._end or index in self._ending

    def _which_may_end(self) -> set[int]:
        before: dict[int, list[int]] = {}
        for index in range(self._end):
            for follower in self._followers(index):
                before.setdefault(min(follower, self._end), []).append(index)
        found: set[int] = set()
        waiting = [self._end]
        while waiting:
            for index in before.get(waiting.pop(), ()):
                if index not in found:
                    found.add(index)
                    waiting.append(index)
        return found

    def _followers(self, index: int) -> Iterator[int]:
        instruction = self._instructions[index]
        for block in self._blocks[index]:
            for end in block.stop_when:
                yield from self._led_to(end, index, block.end + 1)
        if isinstance(instruction, Jump):
            yield from self._target(instruction.action, index, index + 1)
        elif isinstance(instruction, Branch):
            yield index + 1
            yield instruction.otherwise
        elif isinstance(instruction, Loop):
            yield index + 1
        elif isinstance(instruction, EndLoop):
            yield instruction.start
            yield index + 1  # after the last turn
        elif isinstance(instruction, Step):
            if instruction.drive.ends_by_itself:
                yield index + 1
            for end in instruction.until:
                yield from self._led_to(end, index, index + 1)
        else:
            yield index + 1

    def _led_to(self, end: End, index: int, following: int) -> Iterator[int]:
        yield from self._target(end.then, index, following)
        if end.by_s is not None or end.not_before_s is not None:
            yield from self._target(end.otherwise, index, following)

    def _target(self, action: Action, index: int, following: int) -> Iterator[int]:
        match action.do:
            case "next":
                yield following
            case "break":
                repeats = [block for block in self._blocks[index] if not block.group]
                yield repeats[-1].end + 1 if repeats else self._end
            case "goto":
                yield following if action.target is None else action.target
            case _:  # end and fail
                yield self._end
