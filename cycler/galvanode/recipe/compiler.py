"""A recipe, bound to a cell and to its parameters, becomes a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from galvanode.cell import CellUnderTest
from galvanode.document import label
from galvanode.recipe.context import Context
from galvanode.recipe.known import DETECTORS
from galvanode.recipe.ladder import ladders_of
from galvanode.recipe.limits import of_cell
from galvanode.recipe.looping import MAX_TURNS, Detect
from galvanode.recipe.model import Item, RepeatItem, StepBody
from galvanode.recipe.program import Detector, EndLoop, Instruction, Loop, Program
from galvanode.recipe.reader import Recipe
from galvanode.recipe.scope import Scope, set_parameters
from galvanode.recipe.steps import compile_step
from galvanode.recipe.values import NUMBER, Reference
from galvanode.yaml_text import DocumentPath

MAX_NESTING = 8
MAX_STEPS = 10_000_000
"""Steps a program may carry out, all turns of all loops together."""


def compile_recipe(recipe: Recipe, cell: CellUnderTest, parameters: Mapping[str, str] | None = None) -> Program:
    """Return the program of a recipe on a cell.

    ``parameters`` are overrides as a person writes them: ``{"step": "0.2 mA/cm^2"}``. Pure and
    deterministic. Raises ``InvalidInput``: with its place for what the recipe says, without one for an
    override that is unknown, of another dimension or out of its range.
    """
    values = set_parameters(recipe.parameters, parameters or {})
    envelope = of_cell(cell.envelope_limits())
    context = Context(recipe.document, cell.area, cell=envelope, scope=Scope(values), bounds=envelope)
    context = context.with_safety(recipe.text.safety, ("safety",), "the recipe's 'safety'", loosest_s=float("inf"))
    context = context.with_record(recipe.text.record, ("record",))
    method = _Method()
    method.block(recipe.text.method, ("method",), context)
    return Program(
        title=recipe.title,
        instructions=tuple(method.instructions),
        safety=context.bounds.limits,
        parameters={name: value.text for name, value in values.items()},
        analyses=recipe.analyses,
    )


class _Method:
    """Instructions as they come, with the numbers of steps and loops."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self._steps = 0
        self._loops = 0

    def block(self, items: list[Item], path: DocumentPath, context: Context) -> int:
        """Compile items in turn; return how many steps they carry out."""
        steps = 0
        for index, item in enumerate(items):
            at = (*path, index)
            if isinstance(item, RepeatItem):
                steps += self._repeat(item, at, context)
            else:
                verb = next(iter(type(item).model_fields))
                self._steps += 1
                body = cast("StepBody", getattr(item, verb))
                self.instructions.append(compile_step(verb, body, (*at, verb), context, self._steps))
                steps += 1
            if steps > MAX_STEPS:
                said = f"makes {steps:,} steps with all its turns; expected at most {MAX_STEPS:,}"
                raise context.error(at, f"the method {said}")
        return steps

    def _repeat(self, item: RepeatItem, path: DocumentPath, context: Context) -> int:
        if context.depth == MAX_NESTING:
            raise context.error(path, f"'repeat' is nested more than {MAX_NESTING} deep")
        times = _times(item.times, (*path, "times"), context)
        ladders = ladders_of(item, path, context)
        rungs = len(next(iter(ladders.values())).values) if ladders else None
        until_s = None if item.duration is None else context.interval(item.duration, (*path, "for"))
        line = context.document.place((*path, "repeat"), key=True)[0]
        inside = context.inside(ladders)

        start, loop_id = self._open()
        if rungs is not None and times is not None:  # the block so many times at every value
            inner, inner_id = self._open()
            steps = times * self.block(item.repeat, (*path, "repeat"), inside)
            self._close(inner, Loop(loop_id=inner_id, turns=times, counts_cycles=True, end=0, line=line))
        else:
            steps = self.block(item.repeat, (*path, "repeat"), inside)
        turns = times if rungs is None else rungs
        loop = Loop(
            loop_id=loop_id,
            # Time alone bounds the loop: how many turns fit is not known, so take what a program may have.
            turns=max(1, MAX_STEPS // steps) if turns is None else turns,
            ladder={name: tuple(value.si for value in rung.values) for name, rung in ladders.items()},
            stop_when=_detectors(item, path, context),
            until_s=until_s,
            counts_cycles=True,
            end=0,
            line=line,
        )
        self._close(start, loop)
        return steps if turns is None else steps * turns

    def _open(self) -> tuple[int, str]:
        """Keep the place of a loop's instruction; return it and the loop's name."""
        self._loops += 1
        self.instructions.append(EndLoop(start=0))
        return len(self.instructions) - 1, f"loop{self._loops}"

    def _close(self, start: int, loop: Loop) -> None:
        innermost = not any(isinstance(inner, Loop) for inner in self.instructions[start + 1 :])
        end = len(self.instructions)
        self.instructions[start] = loop.model_copy(update={"end": end, "counts_cycles": innermost})
        self.instructions.append(EndLoop(start=start))


def _times(times: int | Reference | None, path: DocumentPath, context: Context) -> int | None:
    if not isinstance(times, Reference):
        return times
    quantity = context.fixed(times, NUMBER, path)
    if quantity.exact.denominator != 1 or not 1 <= quantity.exact <= MAX_TURNS:
        said = f"is '{times.text}', which is {quantity.text}; expected a whole number from 1 to {MAX_TURNS:,}"
        raise context.error(path, f"{label(path)} {said}")
    return int(quantity.exact)


def _detectors(item: RepeatItem, path: DocumentPath, context: Context) -> tuple[Detector, ...]:
    listed = isinstance(context.document.at((*path, "stop_when")), list)
    return tuple(
        _detector(detect, (*path, "stop_when", *((index,) if listed else ())), context)
        for index, detect in enumerate(item.stop_when)
    )


def _detector(detect: Detect, path: DocumentPath, context: Context) -> Detector:
    options: dict[str, float] = {}
    for key, value in detect.options.items():
        option = DETECTORS[detect.name][key]
        at = (*path, detect.name, key)
        quantity = context.fixed(value, option.dimension, at)
        if not option.above < quantity.si < option.below or (option.whole and quantity.exact.denominator != 1):
            raise context.error(at, f"{label(at)} is '{quantity.text}'; expected {option.due}")
        options[option.name] = quantity.si
    return Detector(name=detect.name, options=options)
