"""The engine stays readable: small classes, plain functions, and nothing is carried out by a guess."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from tests.drives import EXAMPLES
from tests.galvanode.engine.test_other_steps import make as make_with_both
from tests.galvanode.engine.test_run import finish, make, program, step

import galvanode.engine
from galvanode.engine.carriers import NoCarrier, carrier_of
from galvanode.engine.plans import task_of
from galvanode.errors import GalvanodeError
from galvanode.recipe.drives import KINDS, Drive

MOST_LINES, MOST_BRANCHES = 300, 15
ENGINE = Path(galvanode.engine.__file__).parent
MODULES = sorted(ENGINE.rglob("*.py"))


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
        task_of(unknown, lambda operand: float(operand), 0.1, None)  # type: ignore[arg-type]


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


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield child
            yield from _inside(child)
