"""The items of a method become instructions, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from galvanode.document import Document, did_you_mean, found, label
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.jumps import MOST_TAKEN, Labels, Way, Ways
from galvanode.recipe.compiling.limits import Bounds, tightened
from galvanode.recipe.compiling.operands import condition_of, duration, ends, measured_operand, places_of
from galvanode.recipe.compiling.place import Place
from galvanode.recipe.compiling.scope import Found, Late, Rungs, Scope
from galvanode.recipe.language.arithmetic import kind_of
from galvanode.recipe.language.condition import Comparison, Until, asked_of
from galvanode.recipe.language.looping import MAX_TURNS
from galvanode.recipe.language.parameter import Bound
from galvanode.recipe.language.terminals import Terminals
from galvanode.recipe.language.values import NUMBER, POTENTIAL, Value, expected_words, read_constant, show_dimension
from galvanode.recipe.method.assigned import STEP, first_unset
from galvanode.recipe.method.calls import Calls, assigned_in, called_at, items_of
from galvanode.recipe.method.ladder import ladders_of
from galvanode.recipe.method.model import (
    AnyItem,
    BreakItem,
    CallItem,
    EndItem,
    FailItem,
    GotoItem,
    GroupItem,
    IfItem,
    RepeatItem,
    SetItem,
    StepItem,
)
from galvanode.recipe.method.reader import Recipe
from galvanode.recipe.operand import NOMINAL_CAPACITY, Operand, Variable
from galvanode.recipe.program import (
    Action,
    Ask,
    Assign,
    Branch,
    Condition,
    EndLoop,
    Instruction,
    Jump,
    Limits,
    Loop,
    SetChamber,
    Step,
    Window,
)
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath

MAX_NESTING = 8
MAX_STEPS = 10_000_000
"""Steps a program may carry out, all turns of all loops and all ways back together."""
MAX_INSTRUCTIONS = 50_000
"""Of a program; more than a recipe without calls can have (it has fewer than 100,000 values)."""


@dataclass(frozen=True)
class Frame:
    """One recipe as it is compiled: the outermost one, or one call of another."""

    recipe: Recipe
    prefix: str
    """Of its variables in the program."""
    labels: Labels
    late: dict[str, Late]
    """Its variables, as far as the text has set them."""
    line: int | None = None
    """Of the call in the outermost recipe; None for that recipe itself."""


def frame_of(recipe: Recipe, prefix: str, ways: Ways, line: int | None = None) -> Frame:
    """Return the frame of a recipe. Raises ``InvalidInput`` for a label that is there twice."""
    places: dict[str, DocumentPath] = {}
    for item, path in items_of(recipe):
        if item.label is None:
            continue
        if item.label in places:
            first = recipe.document.place((*places[item.label], "label"))[0]
            said = f"label '{item.label}' is there twice (line {first}); choose another name"
            raise recipe.document.error((*path, "label"), said)
        places[item.label] = path
    return Frame(recipe, prefix, Labels(recipe.document, places, ways), {}, line)


class Method:
    """Instructions as they come, with the numbers of steps and loops."""

    def __init__(self, calls: Calls, terminals: Terminals) -> None:
        self.ways = Ways()
        self._calls = calls
        self._terminals = terminals
        self._instructions: list[Instruction] = []
        self._places: list[tuple[Document, DocumentPath]] = []
        self._steps = 0
        self._loops = 0
        self._called = 0
        self._again = 0
        """Steps that ways back may add."""

    def initial(self, frame: Frame, values: Mapping[str, Quantity], context: Context) -> dict[str, float]:
        """Return the variables that have a value when the program begins: parameters that it sets, and 1C."""
        initially: dict[str, float] = {}
        for name in sorted(assigned_in(frame.recipe) & set(values)):
            quantity = self._at_terminals(name, values[name], context)
            frame.late[name] = Late(kind_of(quantity.dimension, quantity.text), Variable(name=name))
            initially[name] = quantity.si
        if context.scope.counting:
            if NOMINAL_CAPACITY in values:
                said = (
                    f"'{NOMINAL_CAPACITY}' is what 1C is the capacity of, and the recipe sets it; choose another name"
                )
                raise context.error(("parameters", NOMINAL_CAPACITY), said, key=True)
            if self._terminals.capacity is not None:
                initially[NOMINAL_CAPACITY] = self._terminals.capacity
        return initially

    def _at_terminals(self, name: str, quantity: Quantity, context: Context) -> Quantity:
        try:
            return self._terminals.voltage(quantity)
        except ValueError as problem:
            raise context.error(("parameters", name), f"'{name}' {problem}", key=True) from None

    def compile(self, frame: Frame, context: Context) -> int:
        """Compile the whole method of a recipe; return how many steps it carries out."""
        steps = self._block(frame.recipe.text.method, ("method",), frame, context)
        frame.labels.close(MAX_STEPS)
        return steps

    def finished(self, initially: Mapping[str, float]) -> tuple[Instruction, ...]:
        """Return the instructions. Raises ``InvalidInput`` where one may need what has not been set."""
        instructions = self.ways.settled(self._instructions)
        if any(isinstance(item, (Assign, Ask, Branch)) for item in instructions):
            unset = first_unset(instructions, initially)
            if unset is not None:
                index, name = unset
                document, path = self._places[index]
                raise document.error(path, _unset(name))
        return instructions

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _block(self, items: list[Any], path: DocumentPath, frame: Frame, context: Context) -> int:
        """Compile items in turn; return how many steps they carry out."""
        total = 0
        before: list[int] = []
        """Steps of the items above each item."""
        for index, item in enumerate(cast("list[AnyItem]", items)):
            at = (*path, index)
            if item.label is not None:
                frame.labels.reach(at, len(self._instructions))
            steps = self._item(item, at, frame, context)
            before.append(total)
            total += steps
            for way in frame.labels.back_in(path):
                self._count_way(way, total - before[cast("int", way.to[-1])], total, context)
            if total + self._again > MAX_STEPS:
                said = f"makes {total + self._again:,} steps with all its turns; expected at most {MAX_STEPS:,}"
                raise context.error(at, f"the method {said}")
            if len(self._instructions) > MAX_INSTRUCTIONS:
                said = f"makes more than {MAX_INSTRUCTIONS:,} instructions with all that it calls; expected fewer"
                raise context.error(at, f"the method {said}")
        return total

    def _count_way(self, way: Way, steps: int, total: int, context: Context) -> None:
        """Count the steps that a way back adds, as often as it may be taken."""
        left = max(0, MAX_STEPS - total - self._again)
        if way.at_most is None:
            way.at_most = max(1, min(MOST_TAKEN, left // max(1, steps)))
        self._again += way.at_most * steps
        if way.at_most * steps > left:
            said = f"{label(way.at)} goes back over {steps:,} steps up to {way.at_most:,} times"
            raise context.error(way.at, f"{said}; expected at most {MAX_STEPS:,} steps in all")

    def _item(self, item: AnyItem, at: DocumentPath, frame: Frame, context: Context) -> int:
        match item:
            case RepeatItem():
                return self._repeat(item, at, frame, context)
            case GroupItem():
                return self._group(item, at, frame, context)
            case IfItem():
                return self._if(item, at, frame, context)
            case CallItem():
                return self._call(item, at, frame, context)
            case SetItem():
                for name, value in item.assigned.items():
                    self._set(name, value, (*at, "set", name), frame, context)
                return 0
            case StepItem():
                return self._step(item, at, frame, context)
            case GotoItem() | BreakItem() | EndItem() | FailItem():
                self._jump(item, at, frame, context)
                return 0
            case _:
                raise AssertionError(f"no way to compile a {type(item).__name__}")

    def _step(self, item: StepItem, at: DocumentPath, frame: Frame, context: Context) -> int:
        """Compile a step; return how many it carries out: a question to the operator is none."""
        path = (*at, item.word)
        place = Place(path, context, self._number, partial(self._declare_asked, frame, context))
        compiled = item.verb.instructions(place)
        for instruction in compiled:
            self._emit(instruction, path, frame)
        return sum(isinstance(instruction, (Step, SetChamber)) for instruction in compiled)

    def _number(self) -> int:
        self._steps += 1
        return self._steps

    def _emit(self, instruction: Instruction, path: DocumentPath, frame: Frame) -> int:
        """Add an instruction; return its number."""
        if frame.line is not None and not isinstance(instruction, EndLoop):
            instruction = instruction.model_copy(update={"line": frame.line})
        self._instructions.append(instruction)
        self._places.append((frame.recipe.document, path))
        return len(self._instructions) - 1

    def _line(self, path: DocumentPath, context: Context) -> int:
        return context.document.place(path, key=True)[0]

    def _repeat(self, item: RepeatItem, path: DocumentPath, frame: Frame, context: Context) -> int:
        self._check_depth("repeat", path, context)
        at = (*path, "repeat")
        times = None if item.times is None else context.whole(item.times, MAX_TURNS, (*path, "times"))
        ladders = ladders_of(item, path, context)
        rungs = len(next(iter(ladders.values())).values) if ladders else None
        until_s = None if item.duration is None else context.interval(item.duration, (*path, "for"))
        line = self._line(at, context)

        start, loop_id = self._open(path, frame)
        inside = replace(context.inside(ladders).within(at), breaks=Action(do="break"))
        if rungs is not None and times is not None:  # the block so many times at every value
            out = Way(at_most=MAX_STEPS)  # 'break' leaves both
            inner, inner_id = self._open(path, frame)
            steps = times * self._block(item.repeat, at, frame, replace(inside, breaks=self.ways.action(out)))
            self._close(inner, path, frame, Loop(loop_id=inner_id, turns=times, counts_cycles=True, end=0, line=line))
            out.target = len(self._instructions) + 1
        else:
            steps = self._block(item.repeat, at, frame, inside)
        self._check_has_step(start, at, context)
        turns = times if rungs is None else rungs
        self._check_stops(item, path, start, times, context)
        loop = Loop(
            loop_id=loop_id,
            name=item.name or "",
            # Time or a condition alone bounds the loop: how often is not known, so take what a program may have.
            turns=max(1, MAX_STEPS // max(1, steps)) if turns is None else turns,
            ladder={
                f"{frame.prefix}{name}": tuple(value.si for value in rung.values) for name, rung in ladders.items()
            },
            stop_when=ends(item.stop_when, (*path, "stop_when"), replace(context, breaks=None)),
            until_s=until_s,
            counts_cycles=True,
            end=0,
            line=line,
        )
        self._close(start, path, frame, loop)
        return steps if turns is None else steps * turns

    def _check_depth(self, verb: str, path: DocumentPath, context: Context) -> None:
        if context.depth == MAX_NESTING:
            raise context.error(path, f"'{verb}' is nested more than {MAX_NESTING} deep")

    def _check_has_step(self, start: int, path: DocumentPath, context: Context) -> None:
        block = self._instructions[start:]
        if any(isinstance(instruction, (Step, Ask)) for instruction in block):
            return
        what = "only sets the chamber" if any(isinstance(item, SetChamber) for item in block) else "carries out no step"
        said = f"{what}; expected a step in it, such as 'rest: {{for: 10 min}}'"
        raise context.error(path, f"'repeat' {said}", key=True)

    def _check_stops(
        self, item: RepeatItem, path: DocumentPath, start: int, times: int | None, context: Context
    ) -> None:
        """Refuse what a ``stop_when`` beside this block can never tell."""
        places = places_of(item.stop_when, (*path, "stop_when"), context)
        for until, at in zip(item.stop_when, places, strict=True):
            for key, go in (("then", until.then), ("otherwise", until.otherwise)):
                if go is not None and go.do == "break":
                    said = "is 'break', and the 'repeat' is left anyway; leave it out, or name a label with 'goto'"
                    raise context.error((*at, key), f"{label((*at, key))} {said}")
            for cycle in _retentions(until):
                said = self._retention_fault(cycle, item, start, times)
                if said is not None:
                    raise context.error(at, f"{label(at)}: 'retention' {said}")

    def _retention_fault(self, asked: Comparison, item: RepeatItem, start: int, times: int | None) -> str | None:
        block = self._instructions[start + 1 :]
        if item.ladder is not None:
            return "compares turns that are alike; a 'ladder' makes them differ: keep one"
        if any(isinstance(inner, Loop) and not inner.group for inner in block):
            return "compares cycles, which the block inside counts; put it beside that 'repeat'"
        if not any(step.drive.may_discharge for step in block if isinstance(step, Step)):
            return "is about discharge capacity, and no step of the block discharges"
        if times is not None and asked.of_cycle is not None and asked.of_cycle >= times:
            said = f"compares with cycle {asked.of_cycle}, after which none is left of {times:,}"
            return f"{said}; expected an earlier cycle or more 'times'"
        if isinstance(asked.value, Quantity) and not 0 < asked.value.exact < 1:
            return f"is compared with '{asked.value.text}'; expected a share between 0 % and 100 %"
        return None

    def _group(self, item: GroupItem, path: DocumentPath, frame: Frame, context: Context) -> int:
        self._check_depth("group", path, context)
        at = (*path, "group")
        inside = context.within(at)
        if item.safety is not None:
            inside = inside.with_safety(
                item.safety, (*path, "safety"), "the group's 'safety'", loosest_s=context.check_every_s
            )
        if item.record is not None:
            inside = inside.with_record(item.record, (*path, "record"))
        places = places_of(item.stop_when, (*path, "stop_when"), context)
        for until, place in zip(item.stop_when, places, strict=True):
            for asked in asked_of(until.asked):
                if isinstance(asked, Comparison) and asked.measured is not None and asked.measured.of_cycles:
                    said = f"'{asked.name}' is known when a cycle ends; put it beside the 'repeat', or in an 'if'"
                    raise context.error(place, f"{label(place)}: {said}")
        start, loop_id = self._open(path, frame)
        steps = self._block(item.group, at, frame, inside)
        loop = Loop(
            loop_id=loop_id,
            group=True,
            name=item.name or "",
            turns=1,
            stop_when=(
                *duration(item.duration, (*path, "for"), context),
                *ends(item.stop_when, (*path, "stop_when"), context),
            ),
            counts_cycles=False,
            end=0,
            line=self._line(at, context),
        )
        self._close(start, path, frame, loop)
        return steps

    def _open(self, path: DocumentPath, frame: Frame) -> tuple[int, str]:
        """Keep the place of a block's instruction; return it and the block's name."""
        self._loops += 1
        return self._emit(EndLoop(start=0), path, frame), f"loop{self._loops}"

    def _close(self, start: int, path: DocumentPath, frame: Frame, loop: Loop) -> None:
        innermost = not any(isinstance(inner, Loop) and not inner.group for inner in self._instructions[start + 1 :])
        line = loop.line if frame.line is None else frame.line
        update = {"end": len(self._instructions), "counts_cycles": innermost and not loop.group, "line": line}
        self._instructions[start] = loop.model_copy(update=update)
        self._emit(EndLoop(start=start), path, frame)

    # --- ways ------------------------------------------------------------------------------------------------------

    def _if(self, item: IfItem, path: DocumentPath, frame: Frame, context: Context) -> int:
        at = (*path, "if")
        test, text = condition_of(item.condition, at, context, branch=True)
        line = self._line(at, context)
        branch = Branch(test=test, text=text, otherwise=0, line=line)
        index = self._emit(branch, at, frame)
        steps = self._block(item.then, (*path, "then"), frame, context.inner((*path, "then")))
        if item.otherwise is None:
            self._lead(index, len(self._instructions))
            return steps
        over = Way(at_most=MAX_STEPS)
        self._emit(Jump(action=self.ways.action(over), line=line), path, frame)
        self._lead(index, len(self._instructions))
        others = self._block(item.otherwise, (*path, "else"), frame, context.inner((*path, "else")))
        over.target = len(self._instructions)
        return max(steps, others)

    def _lead(self, branch: int, otherwise: int) -> None:
        self._instructions[branch] = self._instructions[branch].model_copy(update={"otherwise": otherwise})

    def _jump(
        self, item: GotoItem | BreakItem | EndItem | FailItem, path: DocumentPath, frame: Frame, context: Context
    ) -> None:
        at = (*path, _JUMPS[type(item)])
        if isinstance(item, GotoItem):
            short = isinstance(context.document.at(at), str)
            name_at = at if short else (*at, "label")
            at_most = item.goto.at_most
            most = None if at_most is None else context.whole(at_most, MAX_TURNS, (*at, "at_most"))
            action = frame.labels.way(item.goto.to, name_at, context.blocks, most)
        elif isinstance(item, BreakItem):
            if context.breaks is None:
                raise context.error(path, "'break' outside of a 'repeat'; expected it inside of one", key=True)
            action = context.breaks.model_copy(update={"text": item.break_})
        else:
            action = Action(do="end", text=item.end) if isinstance(item, EndItem) else Action(do="fail", text=item.fail)
        self._emit(Jump(action=action, line=self._line(at, context)), at, frame)

    # --- variables -------------------------------------------------------------------------------------------------

    def _set(self, name: str, value: Value, at: DocumentPath, frame: Frame, context: Context) -> None:
        before = frame.late.get(name)
        due = "charge" if name == NOMINAL_CAPACITY else None if before is None else before.kind.dimension
        if isinstance(value, Quantity) and due is not None and value.dimension != due:
            try:  # '1 C' is a C-rate, or the coulomb that is due
                value = read_constant(value.text, due)
            except ValueError as problem:
                raise context.error(at, f"{label(at)} {problem}") from None
        found, operand = measured_operand(value, at, context)
        kind = found.kind if isinstance(found, Late) else kind_of(found.dimension, _first(found).text)
        if kind.dimension is None:
            raise context.error(at, f"{label(at)} is '{value.text}', of a dimension that has no name here")
        if due is not None and kind.dimension != due:
            said = f"{label(at)} is '{value.text}', {kind.words}; expected {expected_words(due)}"
            raise context.error(at, f"{said}, as {'1C needs it' if name == NOMINAL_CAPACITY else 'it was before'}")
        self._declare(name, Late(kind, Variable(name=_full(name, frame))), at, frame, context)
        line = self._line(at, context)
        text = context.text(value)
        made = Assign(name=_full(name, frame), value=operand, dimension=kind.dimension, text=text, line=line)
        self._emit(made, at, frame)

    def _declare(self, name: str, late: Late, at: DocumentPath, frame: Frame, context: Context) -> None:
        """Make a name a variable of the recipe, unless it is something else. Raises ``InvalidInput``."""
        taken = None if name in frame.late or name == NOMINAL_CAPACITY else context.scope.taken(name)
        if taken is not None:
            raise context.error(at, f"'{name}' is {taken}; choose another name", key=True)
        frame.late.setdefault(name, late)

    def _declare_asked(self, frame: Frame, context: Context, name: str, like: Quantity, at: DocumentPath) -> str:
        """Make what an operator is asked for a variable, of the dimension of its default; return its full name."""
        before = frame.late.get(name)
        due = "charge" if name == NOMINAL_CAPACITY else None if before is None else before.kind.dimension
        if due is not None and due != like.dimension:
            said = f"asks for {show_dimension(like.dimension)}; expected {expected_words(due)}"
            raise context.error((*at, "default"), f"'{name}' {said}")
        full = _full(name, frame)
        self._declare(
            name, Late(kind_of(like.dimension, like.text), Variable(name=full)), (*at, "name"), frame, context
        )
        return full

    # --- other recipes ---------------------------------------------------------------------------------------------

    def _call(self, item: CallItem, path: DocumentPath, frame: Frame, context: Context) -> int:
        name = item.call.recipe
        recipe = self._calls[frame.recipe, name]
        line = self._line((*path, "call"), context) if frame.line is None else frame.line
        self._called += 1
        inner = frame_of(recipe, f"{name}{self._called}.", self.ways, line)
        scope = self._scope_of_call(item, path, frame, inner, context)
        bounds, check_every_s = _tightened(recipe, name, scope, context)
        inside = Context(
            recipe.document,
            self._terminals,
            cell=context.cell,
            scope=scope,
            bounds=bounds,
            record=context.record,
            check_every_s=check_every_s,
            shelf=recipe.shelf,
            labels=inner.labels,
        )
        return self.compile(inner, inside.with_record(recipe.text.record, ("record",)))

    def _scope_of_call(self, item: CallItem, path: DocumentPath, frame: Frame, inner: Frame, context: Context) -> Scope:
        """Return the names that the called recipe begins with; those that it sets anew are set before it."""
        at = (*path, "call", "with")
        known = inner.recipe.parameters
        for given in item.call.arguments:
            if given not in known:
                hint = did_you_mean(given, known) if known else "; it has none"
                said = f"unknown parameter '{given[:40]}' of '{item.call.recipe}'{hint}"
                raise context.error((*at, given), said, key=True)
        bound = Bound(known, self._terminals)
        ladders: dict[str, Rungs] = {}
        for name in known:
            place = (*at, name) if name in item.call.arguments else called_at(frame.recipe, path)
            so_far = Scope(bound.values, self._terminals, ladders, inner.late)
            value = self._argument(name, item, place, bound, so_far, frame, context)
            if isinstance(value, Quantity):
                bound.values[name] = value
            elif isinstance(value, Rungs):
                ladders[name] = value
            else:
                inner.late[name] = value
        context_of = replace(context, scope=replace(context.scope, parameters=bound.values))
        for name in sorted(assigned_in(inner.recipe) & set(known)):
            one = inner.late.get(name) or ladders.pop(name, None)
            quantity = bound.values.pop(name, None)
            if quantity is not None:
                quantity = self._at_terminals(name, quantity, context_of)
                number: Operand = quantity.si
                kind, text = kind_of(quantity.dimension, quantity.text), quantity.text
            elif one is not None:
                number, text = one.operand, item.call.arguments[name].text
                kind = one.kind if isinstance(one, Late) else kind_of(one.dimension, one.values[0].text)
            else:
                raise AssertionError("a parameter without a value")
            full = f"{inner.prefix}{name}"
            inner.late[name] = Late(kind, Variable(name=full))
            made = Assign(name=full, value=number, dimension=kind.dimension or NUMBER, text=text, line=inner.line or 1)
            self._emit(made, path, frame)
        return Scope(
            bound.values, self._terminals, ladders, inner.late, counting=context.scope.counting, prefix=inner.prefix
        )

    def _argument(
        self,
        name: str,
        item: CallItem,
        at: DocumentPath,
        bound: Bound,
        so_far: Scope,
        frame: Frame,
        context: Context,
    ) -> Found:
        """Return what a parameter of a called recipe is, after those above it (``so_far``). Raises ``InvalidInput``."""
        given = item.call.arguments.get(name)
        dimension = bound.parameter(name).dimension
        try:
            if given is None:
                value: Found = so_far.look_up(bound.parameter(name).default)
            elif isinstance(given, Quantity):
                value = given if given.dimension == dimension else read_constant(given.text, dimension)
            else:
                value = _as_due(context.scope.look_up(given), given, dimension)
            low, high = bound.range_of(name)
            for one in value.values if isinstance(value, Rungs) else (value,) if isinstance(value, Quantity) else ():
                bound.check(name, self._like(one, dimension))
        except ValueError as problem:
            said = f"parameter '{name}' of '{item.call.recipe}' {problem}"
            raise context.error(at, said) from None
        if isinstance(value, Late):
            self._guard(name, value, (low, high), at, frame, context)
        return value

    def _like(self, quantity: Quantity, dimension: str) -> Quantity:
        """Return a voltage at the terminals as the potential that is due, so that its range can be looked at."""
        if dimension != POTENTIAL or quantity.dimension != "voltage":
            return quantity
        return Quantity(quantity.exact + self._terminals.offset, POTENTIAL, quantity.text)

    def _guard(
        self,
        name: str,
        value: Late,
        ends_: tuple[Quantity | None, Quantity | None],
        at: DocumentPath,
        frame: Frame,
        context: Context,
    ) -> None:
        """Let the run look at what cannot be looked at before: an argument that has to lie in its parameter's range."""
        for end, comparison in zip(ends_, (">=", "<="), strict=True):
            if end is None:
                continue
            limit = self._terminals.voltage(end) if value.kind.point != "potential" else end
            text = f"'{name}' {comparison} {end.text}"
            test = Condition(
                quantity="value",
                comparison=">=" if comparison == ">=" else "<=",
                value=limit.si,
                text=text,
                subject=value.operand,
            )
            line = self._line(at, context)
            here = len(self._instructions)
            over = Way(at_most=MAX_STEPS, target=here + 3)
            self._emit(Branch(test=test, text=text, otherwise=here + 2, line=line), at, frame)
            self._emit(Jump(action=self.ways.action(over), line=line), at, frame)
            failed = Action(do="fail", text=f"{text} does not hold for what the recipe calls with")
            self._emit(Jump(action=failed, line=line), at, frame)


def _as_due(found_: Found, value: Value, dimension: str) -> Found:
    """Return an argument that is of the dimension that a parameter has. Raises ``ValueError``."""
    is_of = found_.kind.dimension if isinstance(found_, Late) else found_.dimension
    if is_of == dimension or (dimension == POTENTIAL and is_of == "voltage" and not isinstance(found_, Quantity)):
        return found_
    if is_of == NUMBER and dimension == "fraction":
        return found_ if isinstance(found_, Late) else _fraction(found_)
    words = "of a dimension that has no name here" if is_of is None else show_dimension(is_of)
    raise ValueError(f"is {found(value.text)}, {words}; expected {expected_words(dimension)}")


def _fraction(found_: Quantity | Rungs) -> Found:
    if isinstance(found_, Quantity):
        return found_._replace(dimension="fraction")
    return replace(found_, dimension="fraction")


def _tightened(recipe: Recipe, name: str, scope: Scope, context: Context) -> tuple[Bounds, float]:
    """Return the limits inside a called recipe, and how often they are looked at: of either the tighter one."""
    safety, at = recipe.text.safety, ("safety",)
    own = tightened(context.cell, safety, f"the 'safety' of '{name}'", scope, recipe.document, at)
    check_every_s = context.check_every_s
    if safety.check_every is not None:
        inside = replace(context, document=recipe.document, scope=scope)
        check_every_s = min(check_every_s, inside.interval(safety.check_every, (*at, "check_every")))
    if own is context.cell:
        return context.bounds, check_every_s
    called, outside = own.limits.windows(), context.bounds.limits.windows()
    windows = {
        name: _intersection(called.get(name, Window()), outside.get(name, Window())) for name in called | outside
    }
    for quantity, window in windows.items():
        if window.min is not None and window.max is not None and window.min >= window.max:
            said = f"'safety.{quantity}' leaves nothing of what the recipe that calls '{name}' allows"
            raise recipe.document.error((*at, quantity), said)
    origin = f"the 'safety' of '{name}', or of what calls it"
    return Bounds(Limits.of(windows), origin), check_every_s


def _intersection(first: Window, second: Window) -> Window:
    lows = [end for end in (first.min, second.min) if end is not None]
    highs = [end for end in (first.max, second.max) if end is not None]
    return Window(min=max(lows, default=None), max=min(highs, default=None))


_JUMPS: dict[type[AnyItem], str] = {GotoItem: "goto", BreakItem: "break", EndItem: "end", FailItem: "fail"}


def _full(name: str, frame: Frame) -> str:
    return name if name == NOMINAL_CAPACITY else f"{frame.prefix}{name}"


def _first(found_: Quantity | Rungs) -> Quantity:
    return found_ if isinstance(found_, Quantity) else found_.values[0]


def _retentions(until: Until) -> list[Comparison]:
    return [part for part in asked_of(until.asked) if isinstance(part, Comparison) and part.name == "retention"]


def _unset(name: str) -> str:
    if name == STEP:
        return "this is about the step before, and there may have been none; expected a step before it on every way"
    if name == NOMINAL_CAPACITY:
        said = "this needs to know what 1C is, and the cell states no capacity"
        return f"{said}; expected 'set: {{{NOMINAL_CAPACITY}: charge}}' before it on every way"
    shown = name.rpartition(".")[2]
    said = f"'${shown}' may not have been set when this begins"
    return f"{said}; expected a 'set' before it on every way, outside of 'if'"
