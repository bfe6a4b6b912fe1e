"""A recipe, bound to a cell and to its parameters, becomes a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from galvanode.cell import CellUnderTest
from galvanode.document import label
from galvanode.recipe.bodies import AnyStep
from galvanode.recipe.context import Context
from galvanode.recipe.known import DETECTORS
from galvanode.recipe.ladder import ladders_of
from galvanode.recipe.limits import of_cell
from galvanode.recipe.looping import MAX_TURNS, Detect, Retained
from galvanode.recipe.model import ChamberItem, Item, RepeatItem
from galvanode.recipe.program import Detector, EndLoop, Instruction, Loop, Program, Retention, Step, Variable
from galvanode.recipe.reader import Recipe
from galvanode.recipe.scope import Scope, set_parameters
from galvanode.recipe.soak import compile_chamber
from galvanode.recipe.steps import compile_step
from galvanode.recipe.terminals import terminals_of
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
    terminals = terminals_of(cell)
    scope = Scope(values, terminals)
    context = Context(recipe.document, terminals, cell=envelope, scope=scope, bounds=envelope)
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
            elif isinstance(item, ChamberItem):
                self.instructions.append(compile_chamber(item.chamber, (*at, "chamber"), context))
                steps += 1
            else:
                verb = next(iter(type(item).model_fields))
                self._steps += 1
                body = cast("AnyStep", getattr(item, verb))
                compiled = compile_step(verb, body, (*at, verb), context, self._steps)
                self.instructions.extend(compiled)
                steps += len(compiled)
            if steps > MAX_STEPS:
                said = f"makes {steps:,} steps with all its turns; expected at most {MAX_STEPS:,}"
                raise context.error(at, f"the method {said}")
        return steps

    def _repeat(self, item: RepeatItem, path: DocumentPath, context: Context) -> int:
        if context.depth == MAX_NESTING:
            raise context.error(path, f"'repeat' is nested more than {MAX_NESTING} deep")
        times = None if item.times is None else context.whole(item.times, MAX_TURNS, (*path, "times"))
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
        if not any(isinstance(instruction, Step) for instruction in self.instructions[start:]):
            said = "'repeat' only sets the chamber; expected a step in it, such as 'rest: {for: 10 min}'"
            raise context.error((*path, "repeat"), said, key=True)
        turns = times if rungs is None else rungs
        loop = Loop(
            loop_id=loop_id,
            # Time or retention alone bounds the loop: how often is not known, so take what a program may have.
            turns=max(1, MAX_STEPS // steps) if turns is None else turns,
            ladder={name: tuple(value.si for value in rung.values) for name, rung in ladders.items()},
            stop_when=_detectors(item, path, context),
            stop_when_retention=self._retention(item.until_retention, times, path, start, context),
            until_s=until_s,
            counts_cycles=True,
            end=0,
            line=line,
        )
        self._close(start, loop)
        return steps if turns is None else steps * turns

    def _retention(
        self, retained: Retained | None, times: int | None, path: DocumentPath, start: int, context: Context
    ) -> Retention | None:
        """Return what ends the loop that began at ``start``; it must be one whose turns are cycles."""
        if retained is None:
            return None
        at = (*path, "until_retention")
        block = self.instructions[start + 1 :]
        if any(isinstance(inner, Loop) for inner in block):
            said = "compares cycles, which the block inside counts; put it beside that 'repeat'"
            raise context.error(at, f"'until_retention' {said}", key=True)
        if not any(_may_discharge(step) for step in block if isinstance(step, Step)):
            said = "is about discharge capacity, and no step of the block discharges"
            raise context.error(at, f"'until_retention' {said}", key=True)
        if times is not None and retained.cycle >= times:
            said = f"compares with cycle {retained.cycle}, after which none is left of {times:,}"
            raise context.error(at, f"'until_retention' {said}; expected an earlier cycle or more 'times'")
        fraction = context.fixed(retained.fraction, "fraction", at)
        if not 0 < fraction.exact < 1:
            said = f"{label(at)} is '{fraction.text}'; expected a share between 0 % and 100 %"
            raise context.error(at, said)
        return Retention(below=fraction.si, of_cycle=retained.cycle)

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


def _may_discharge(step: Step) -> bool:
    if step.mode == "current":
        return step.setpoint.factor < 0 if isinstance(step.setpoint, Variable) else (step.setpoint or 0.0) < 0
    return step.mode in ("voltage", "sweep")


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
