"""How long a program takes at least and at most, and how much it records: told from the program alone.

No cell is asked, so a step that a voltage ends has only the bounds that its time and its charge give. Where a program
may go several ways, the bounds hold for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from galvanode.recipe.formula import parts as parts_of
from galvanode.recipe.intervals import Bounds, hull_of, value_of
from galvanode.recipe.operand import Operand, Variable
from galvanode.recipe.outlook.times import Coming, comings, densest, due, operands_of, own_end, samples_of
from galvanode.recipe.program import (
    Action,
    Ask,
    Assign,
    Branch,
    End,
    EndLoop,
    Instruction,
    Jump,
    Loop,
    Program,
    SetChamber,
    Step,
)

__all__ = ["Bounds", "Estimate", "estimate"]

_MAX_EVALUATED = 100_000
"""Instructions in turns of ladders looked at one by one; beyond it a ladder is bounded by its extremes."""
_MOST_BACK = 50
"""Ways back looked at one by one; beyond it they are bounded together."""


class Estimate(NamedTuple):
    """Bounds of a whole program, of a block or of a step."""

    duration_s: Bounds
    steps: Bounds
    samples: Bounds

    @property
    def least(self) -> _Cost:
        """All the lower bounds."""
        return self.duration_s.low, self.steps.low, self.samples.low

    @property
    def most(self) -> _Cost:
        """All the upper bounds."""
        return self.duration_s.high, self.steps.high, self.samples.high


_Cost = tuple[float, float, float]
"""Seconds, steps, samples."""
_NOTHING: _Cost = (0.0, 0.0, 0.0)


class _Way(NamedTuple):
    """Where an instruction or a block leads; each ``goto`` is a way of its own, with its own count."""

    do: str
    target: int = -1
    origin: int = -1
    at_most: float = math.inf


_NEXT, _BREAK, _FAIL = _Way("next"), _Way("break"), _Way("fail")
_Exits = dict[_Way, Estimate]
"""What it takes to leave by each of the ways that there are."""
_Variables = Mapping[str, Bounds]


def estimate(program: Program) -> Estimate:
    """Return bounds of duration (s), steps carried out and samples recorded, without expanding loops.

    Assumes that no limit trips, that nobody stops the run and that it does not fail, unless it can do nothing else.
    """
    found = _Estimator(program).whole()
    completed = [cost for way, cost in found.items() if way != _FAIL]
    return _hull(completed or found.values() or [_ENDLESS])


_ENDLESS = Estimate(*(Bounds(math.inf, math.inf) for _ in range(3)))
_AT_ONCE = Estimate(*(Bounds(0.0, 0.0) for _ in range(3)))


class _Estimator:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._instructions = program.instructions
        self._evaluated = 0

    def whole(self) -> _Exits:
        """Return the ways in which the program ends."""
        return self._block(0, len(self._instructions), _assigned(self._program))

    def _block(self, start: int, end: int, variables: _Variables) -> _Exits:
        """Return the ways out of the instructions from ``start`` up to ``end``; to reach ``end`` is ``next``."""
        exits = {index: self._exits(index, variables) for index in self._starts(start, end)}
        if all(len(ways) == 1 and _NEXT in ways for ways in exits.values()):  # nearly always: one after the other
            return {_NEXT: _sum(ways[_NEXT] for ways in exits.values())}
        following = {
            index: item.end + 1 if isinstance(item := self._instructions[index], Loop) else index + 1 for index in exits
        }
        return _Paths(start, end, exits, following).out()

    def _starts(self, start: int, end: int) -> Iterator[int]:
        """Yield the instructions of a block, each block inside it as one."""
        index = start
        while index < end:
            yield index
            item = self._instructions[index]
            index = item.end + 1 if isinstance(item, Loop) else index + 1

    def _exits(self, index: int, variables: _Variables) -> _Exits:
        match instruction := self._instructions[index]:
            case Step():
                return _step(instruction, index, variables)
            case Loop():
                return self._loop(instruction, index, variables)
            case SetChamber():
                soak = instruction.soak
                waits = Bounds(0.0, 0.0) if soak is None else Bounds(soak.dwell, soak.timeout)
                return {_NEXT: _AT_ONCE._replace(duration_s=waits)}
            case Ask():
                waits = Bounds(0.0, math.inf if instruction.within_s is None else instruction.within_s)
                return {_NEXT: _AT_ONCE._replace(duration_s=waits)}
            case Branch():
                return {_NEXT: _AT_ONCE, _Way("goto", instruction.otherwise, index): _AT_ONCE}
            case Jump():
                return {_way(instruction.action, index): _AT_ONCE}
            case Assign() | EndLoop():
                return {_NEXT: _AT_ONCE}

    # --- blocks ----------------------------------------------------------------------------------------------

    def _loop(self, loop: Loop, start: int, variables: _Variables) -> _Exits:
        turns = self._turns(loop, start, variables)
        turn = _hull([cost for found in turns for cost in found.values()] or [_ENDLESS])
        exits = _repeated(turns, loop.turns)
        if loop.until_s is not None:
            whole = _hull([found[_NEXT] for found in turns if _NEXT in found] or [_ENDLESS])
            exits = {
                way: _until(loop.until_s, loop.turns, cost, whole) if way == _NEXT else _by(loop, cost, whole, turn)
                for way, cost in exits.items()
            }
        if not loop.group and _BREAK in exits:
            left = exits.pop(_BREAK)
            exits[_NEXT] = _hull([exits[_NEXT], left]) if _NEXT in exits else left
        for end in loop.stop_when:
            exits = self._stopped(end, exits, loop, start, turn, variables)
        return exits

    def _turns(self, loop: Loop, start: int, variables: _Variables) -> list[_Exits]:
        """Return the ways out of every turn, or of one that stands for all."""
        names = [name for name in loop.ladder if self._uses(name, start + 1, loop.end)]
        self._evaluated += loop.turns * (loop.end - start) if names else 0
        if not names or self._evaluated > _MAX_EVALUATED:
            extremes = {name: hull_of(loop.ladder[name]) for name in names}
            return [self._block(start + 1, loop.end, {**variables, **extremes})]
        return [
            self._block(
                start + 1,
                loop.end,
                {**variables, **{name: Bounds(loop.ladder[name][turn], loop.ladder[name][turn]) for name in names}},
            )
            for turn in range(loop.turns)
        ]

    def _uses(self, name: str, start: int, end: int) -> bool:
        return any(
            isinstance(part, Variable) and part.name == name
            for instruction in self._instructions[start:end]
            for operand in _operands(instruction)
            for part in parts_of(operand)
        )

    def _stopped(
        self, end: End, exits: _Exits, loop: Loop, start: int, turn: Estimate, variables: _Variables
    ) -> _Exits:
        """Return the ways out of a block that an end may cut short."""
        comes = list(comings(end, due(end.test, None, variables)))
        most = _hull(exits.values() or [_ENDLESS]).most
        latest = max((coming.when.high for coming in comes), default=math.inf)
        if latest < most[0]:
            most = self._cut(most, latest, start, loop.end)
            exits = {
                way: _estimate(cost.least, _lower(cost.most, most))
                for way, cost in exits.items()
                if cost.duration_s.low <= latest
            }
        for action, when, turns in comes:
            fewest = min(turns, loop.turns)
            least = max(when.low, turn.duration_s.times(fewest).low)
            if least > most[0]:
                continue
            way = _way(action, start)
            if way == _BREAK and not loop.group:  # of the repeat that it stands beside
                way = _NEXT
            cut = Estimate(
                Bounds(least, min(most[0], when.high if when.high >= least else most[0])),
                Bounds(turn.steps.times(fewest).low, most[1]),
                Bounds(turn.samples.times(fewest).low, most[2]),
            )
            exits[way] = _hull([exits[way], cut]) if way in exits else cut
        return exits

    def _cut(self, most: _Cost, latest_s: float, start: int, end: int) -> _Cost:
        """Return at most what fits into a time: steps without an end record no more often than they look."""
        _, steps, samples = most
        if not math.isfinite(samples) and math.isfinite(steps):
            rates = [densest(item) for item in self._instructions[start:end] if isinstance(item, Step)]
            samples = 2 * steps + math.ceil(latest_s * max(rates, default=0.0))
        return latest_s, steps, samples


def _repeated(turns: list[_Exits], count: int) -> _Exits:
    """Return the ways out of a block gone through turn by turn: ``turns`` has each of them, or one for all."""
    exits: dict[_Way, list[Estimate]] = {}
    reached = _AT_ONCE
    for turn in turns:
        times = count if len(turns) == 1 else 1
        on = turn.get(_NEXT)
        for way, cost in turn.items():
            if way != _NEXT:
                before = reached.most if on is None else _plus(reached.most, _times(on.most, times - 1))
                exits.setdefault(way, []).append(_estimate(_plus(reached.least, cost.least), _plus(before, cost.most)))
        if on is None:
            break
        reached = _estimate(_plus(reached.least, _times(on.least, times)), _plus(reached.most, _times(on.most, times)))
    else:
        exits[_NEXT] = [reached]
    return {way: _hull(costs) for way, costs in exits.items()}


def _until(until_s: float, turns: int, total: Estimate, turn: Estimate) -> Estimate:
    """Bound a loop that also ends with the first turn that ends ``until_s`` after it began."""
    shortest, longest = turn.duration_s
    fewest = max(1, min(turns, math.ceil(until_s / longest))) if longest > 0 else turns
    most = max(1, min(turns, math.ceil(until_s / shortest))) if shortest > 0 else turns
    longest_s = min(total.duration_s.high, until_s + longest, most * longest)
    return Estimate(
        Bounds(min(total.duration_s.low, max(until_s, fewest * shortest)), longest_s),
        Bounds(turn.steps.low * fewest, min(total.steps.high, turn.steps.high * most)),
        Bounds(turn.samples.low * fewest, min(total.samples.high, turn.samples.high * most)),
    )


def _by(loop: Loop, total: Estimate, whole: Estimate, turn: Estimate) -> Estimate:
    """Bound a way out of the middle of a loop that begins no turn later than its time after it began."""
    until_s = loop.until_s or 0.0
    shortest = whole.duration_s.low
    most = min(float(loop.turns), until_s / shortest + 1) if shortest > 0 else float(loop.turns)
    limit = _plus(_times(whole.most, most), turn.most)
    return _estimate(total.least, _lower(total.most, (min(limit[0], until_s + turn.duration_s.high), *limit[1:])))


class _Paths:
    """The ways through a block, from instruction to instruction."""

    def __init__(self, start: int, end: int, exits: dict[int, _Exits], following: dict[int, int]) -> None:
        self._start = start
        self._end = end
        self._exits = exits
        self._following = following

    def out(self) -> _Exits:
        """Return the ways out: what the cheapest and the dearest path to each of them take."""
        least = self._cheapest()
        back = [way for index, way in self._steps(least) if self._leads(way) and self._to(index, way) <= index]
        most = self._dearest_of_all(back)
        exits: dict[_Way, list[Estimate]] = {}
        for index, way in self._steps(least):
            if not self._leads(way):
                cost = self._exits[index][way]
                exits.setdefault(way, []).append(
                    _estimate(_plus(least[index], cost.least), _plus(most[index], cost.most))
                )
        if self._end in least:
            exits[_NEXT] = [_estimate(least[self._end], most[self._end])]
        return {way: _hull(costs) for way, costs in exits.items()}

    def _steps(self, reached: Mapping[int, _Cost]) -> Iterator[tuple[int, _Way]]:
        """Yield each instruction that is reached with each of its ways."""
        for index, exits in self._exits.items():
            for way in exits if index in reached else ():
                yield index, way

    def _leads(self, way: _Way) -> bool:
        """Tell whether a way stays in the block."""
        return way == _NEXT or (way.do == "goto" and self._start <= way.target <= self._end)

    def _to(self, index: int, way: _Way) -> int:
        return self._following[index] if way == _NEXT else way.target

    def _cheapest(self) -> dict[int, _Cost]:
        """Return the least that it takes to reach each instruction that can be reached, each kind for itself."""
        seconds, steps, samples = (self._shortest(kind) for kind in range(3))
        return {index: (seconds[index], steps[index], samples[index]) for index in seconds}

    def _shortest(self, kind: int) -> dict[int, float]:
        """Return the least of one kind to each instruction (Dijkstra's way: ways back cost no passes of their own)."""
        least: dict[int, float] = {}
        waiting = [(0.0, self._start)]
        while waiting:
            reached, index = heappop(waiting)
            if index in least:
                continue
            least[index] = reached
            for way, cost in self._exits.get(index, {}).items():
                if self._leads(way):
                    heappush(waiting, (reached + cost[kind].low, self._to(index, way)))
        return least

    def _dearest_of_all(self, back: list[_Way]) -> dict[int, _Cost]:
        """Return the most that it takes to reach each instruction, going back as often as may be.

        Such a path goes on from the start to a first way back, and from there on from target to target; what comes
        after the last of them is no longer a part of what is gone through again.
        """
        most, until_back = self._dearest(self._start)
        if not back:
            return most
        if len(back) > _MOST_BACK:
            return self._dearest_at_all(back)
        again = until_back
        lasts: list[tuple[dict[int, _Cost], _Cost]] = []
        for way in back:
            lasts.append(self._dearest(way.target))
            again = _plus(again, _times(lasts[-1][1], way.at_most))
        for highs, once in lasts:
            for index, high in highs.items():
                reached = _less(_plus(again, high), once)
                most[index] = _higher(most.get(index, reached), reached)
        return most

    def _dearest_at_all(self, back: list[_Way]) -> dict[int, _Cost]:
        """Return the most for any instruction: everything in the block, once more for each way back."""
        everything = _NOTHING
        for exits in self._exits.values():
            everything = _plus(everything, _hull(exits.values() or [_AT_ONCE]).most)
        everything = _times(everything, 1 + math.fsum(way.at_most for way in back))
        return dict.fromkeys([*self._exits, self._end], everything)

    def _dearest(self, start: int) -> tuple[dict[int, _Cost], _Cost]:
        """Return the most from ``start`` to each instruction without going back, and to where it first goes back."""
        highs: dict[int, _Cost] = {start: _NOTHING}
        until_back = _NOTHING
        for index, exits in self._exits.items():
            for way, cost in exits.items() if index in highs else ():
                if not self._leads(way):
                    continue
                reached = _plus(highs[index], cost.most)
                to = self._to(index, way)
                if to > index:
                    highs[to] = _higher(highs.get(to, reached), reached)
                else:
                    until_back = _higher(until_back, reached)
        return highs, until_back


# --- one instruction -------------------------------------------------------------------------------------------


def _way(action: Action, origin: int) -> _Way:
    if action.do == "goto" and action.target is not None:
        return _Way("goto", action.target, origin, float(action.at_most))
    return _Way(action.do)


def _step(step: Step, index: int, variables: _Variables) -> _Exits:
    comes = [coming for end in step.until for coming in comings(end, due(end.test, step, variables))]
    by_itself = own_end(step, variables)
    if by_itself is not None:
        comes.append(Coming(Action(), by_itself, 0))
    latest = _latest(step, variables, by_itself)
    exits: dict[_Way, list[Estimate]] = {}
    for action, when, _ in comes:
        if when.low > latest:
            continue
        duration = Bounds(when.low, min(when.high, latest))
        cost = Estimate(duration, Bounds(1.0, 1.0), samples_of(step, duration))
        exits.setdefault(_way(action, index), []).append(cost)
    return {way: _hull(costs) for way, costs in exits.items()}


def _latest(step: Step, variables: _Variables, by_itself: Bounds | None) -> float:
    """Return when a step is over at the latest, whichever end it is that comes first."""
    ends = [max(coming.when.high for coming in comings(end, due(end.test, step, variables))) for end in step.until]
    return min(ends if by_itself is None else [*ends, by_itself.high], default=math.inf)


def _operands(instruction: Instruction) -> Iterator[Operand | None]:
    """Yield what may vary the time that an instruction takes."""
    if isinstance(instruction, Step):
        yield from instruction.drive.operands()
        yield from operands_of(end.test for end in instruction.until)
    elif isinstance(instruction, Loop):
        yield from operands_of(end.test for end in instruction.stop_when)


def _assigned(program: Program) -> dict[str, Bounds]:
    """Return what the variables may come to that change while the program runs."""
    values = {name: [Bounds(value, value)] for name, value in program.variables.items()}
    for instruction in program.instructions:
        if isinstance(instruction, Assign):  # what it is made of may be assigned as well; that is not followed
            values.setdefault(instruction.name, []).append(value_of(instruction.value, {}))
        elif isinstance(instruction, Ask) and instruction.name is not None:
            low = -math.inf if instruction.min is None else instruction.min
            high = math.inf if instruction.max is None else instruction.max
            values.setdefault(instruction.name, []).append(Bounds(low, high))
    return {
        name: Bounds(min(value.low for value in found), max(value.high for value in found))
        for name, found in values.items()
    }


# --- sums and hulls --------------------------------------------------------------------------------------------


def _estimate(least: _Cost, most: _Cost) -> Estimate:
    return Estimate(*(Bounds(low, high) for low, high in zip(least, most, strict=True)))


def _plus(a: _Cost, b: _Cost) -> _Cost:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _less(a: _Cost, b: _Cost) -> _Cost:
    """Return the difference; endless less endless is endless."""
    seconds, steps, samples = (x - y if math.isfinite(x) else x for x, y in zip(a, b, strict=True))
    return seconds, steps, samples


def _times(cost: _Cost, turns: float) -> _Cost:
    seconds, steps, samples = (part * turns if part and turns else 0.0 for part in cost)
    return seconds, steps, samples


def _lower(a: _Cost, b: _Cost) -> _Cost:
    return min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2])


def _higher(a: _Cost, b: _Cost) -> _Cost:
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2])


def _sum(found: Iterable[Estimate]) -> Estimate:
    parts = list(found)
    return Estimate(
        *(
            Bounds(math.fsum(part[kind].low for part in parts), math.fsum(part[kind].high for part in parts))
            for kind in range(3)
        )
    )


def _hull(found: Collection[Estimate]) -> Estimate:
    return Estimate(
        *(Bounds(min(part[kind].low for part in found), max(part[kind].high for part in found)) for kind in range(3))
    )
