"""The engine stays readable: small classes, plain functions, and nothing is carried out by a guess."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from tests.drives import EXAMPLES
from tests.galvanode.engine.test_other_steps import make as make_with_both
from tests.galvanode.engine.test_run import finish, make, program, step

import galvanode.engine
from galvanode.engine.assignments import assignment_of
from galvanode.engine.carriers import NoCarrier, carrier_of
from galvanode.errors import GalvanodeError
from galvanode.recipe.drives import KINDS, Drive

MOST_LINES, MOST_BRANCHES = 300, 15
ENGINE = Path(galvanode.engine.__file__).parent
MODULES = sorted(ENGINE.rglob("*.py"))
CARRIERS = [path for path in MODULES if path.parent.name == "carriers" and "def carry_out(" in path.read_text()]


class Levitation(Drive):
    kind: Literal["levitation"] = "levitation"
    polled_as: ClassVar[str | None] = "current"


Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_no_class_is_longer_than_a_few_screens_and_no_function_branches_without_end(path: Path):
    tree = ast.parse(path.read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    too_long = {node.name: lines for node in classes if (lines := _lines(node)) > MOST_LINES}
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    too_complex = {node.name: count for node in functions if (count := _branches(node)) > MOST_BRANCHES}
    assert (too_long, too_complex) == ({}, {})


@pytest.mark.parametrize("path", CARRIERS, ids=lambda path: path.stem)
def test_a_carrier_hands_what_it_carries_out_to_no_room_more_than_twice(path: Path):
    rooms = [room for room, _ in groupby([path.stem, *_rooms(ast.parse(path.read_text()), path.stem)])]
    assert [room for room in set(rooms) if rooms.count(room) > 2] == [], " -> ".join(rooms)


def test_one_carrier_knows_nothing_of_another_and_no_room_of_the_engine_knows_them_but_the_run():
    importing = {path.relative_to(ENGINE).as_posix() for path in MODULES if "engine.carriers" in path.read_text()}
    assert importing == {"run.py", "carriers/__init__.py", "carriers/sequenced.py"}  # the last one: its ``alongside``


def test_every_way_to_drive_a_step_has_a_carrier_on_one_of_the_instruments():
    run, _, _ = make_with_both(program())
    for drive in KINDS:
        assert callable(carrier_of(step(EXAMPLES[drive]), run._workplace)), drive


async def test_a_step_that_nothing_can_carry_out_fails_and_nothing_is_sent():
    unknown = step().model_copy(update={"drive": Levitation()})
    run, cycler = make(program(unknown))
    await finish(run)
    assert run.state == "failed"
    assert "levitation" in (run.end_reason or "")
    assert cycler.calls == ["prepare", "safe"]


def test_an_instruction_of_an_unknown_kind_is_not_guessed_at():
    class Dance:
        kind = "dance"

    run, _ = make(program())
    dance: Any = Dance()
    with pytest.raises(NoCarrier, match="dance"):
        carrier_of(dance, run._workplace)


def test_an_unknown_mode_becomes_no_task_of_an_instrument():
    unknown = step().model_copy(update={"drive": Levitation()})
    with pytest.raises(GalvanodeError, match="levitation"):
        assignment_of(unknown, lambda operand: float(operand), 0.1, None)  # type: ignore[arg-type]


def _rooms(tree: ast.Module, own: str) -> Iterator[str]:
    """Yield the rooms to which a carrier hands what it carries out, or what watches it, in the order of its calls."""
    functions = {node.name: node for node in tree.body if isinstance(node, Function)}
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module is not None]
    rooms = {
        alias.name: alias.name if node.module == "galvanode.engine" else str(node.module).rpartition(".")[2]
        for node in imports
        for alias in node.names
        if str(node.module).startswith("galvanode.engine")
    }
    carried = {functions["carry_out"].args.args[0].arg, "watch"}

    def of(function: Function) -> Iterator[str]:
        for call in _calls(function):
            handed = {part.id for each in _handed(call) for part in ast.walk(each) if isinstance(part, ast.Name)}
            if not handed & carried:
                continue
            called = ast.unparse(call.func).split(".")[0]
            if called in functions:
                yield own
                yield from of(functions[called])
            elif called in rooms or called == "workplace":
                yield rooms.get(called, called)

    return of(functions["carry_out"])


def _lines(node: ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _branches(function: Function) -> int:
    """Cyclomatic complexity, boolean operators included; functions inside count for themselves."""
    return 1 + sum(_of(node) for node in _inside(function))


def _of(node: ast.AST) -> int:
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    ways = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)
    return int(isinstance(node, ways))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls in the order in which they are made, branches one after the other."""
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)
    if isinstance(node, ast.Call):
        yield node


def _handed(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield child
            yield from _inside(child)
