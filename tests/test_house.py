"""What is known stands in one place: measured on the sources, so that it stays so."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import get_args

import pytest

from galvanode.quantities import SAMPLED
from galvanode.recipe.verbs import VERBS
from galvanode.states import RunState
from galvanode_drivers import FAMILIES

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "cycler" / "galvanode"
DRIVERS = ROOT / "drivers" / "galvanode_drivers"
SIMULATOR = ROOT / "simulator" / "galvanode_simulator"
PAGES = SERVICE / "service" / "static"
WRITTEN_FROM_THE_TABLES = PAGES / "vocabulary.js"

STATES = frozenset(get_args(RunState))
LABELS = frozenset(quantity.column.label for quantity in SAMPLED if quantity.column is not None)
MOST_LINES_OF_A_CLASS = 300
MOST_COMPLEX = 15


@cache
def sources() -> list[Path]:
    """Return every Python source that is installed."""
    return sorted(path for root in ("cycler", "drivers", "simulator") for path in (ROOT / root).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT).as_posix()}:{line}"


def collections_of(path: Path) -> Iterator[tuple[int, set[object]]]:
    """Yield the line and the constants of every collection that is written out."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Set | ast.List | ast.Tuple):
            yield node.lineno, {each.value for each in node.elts if isinstance(each, ast.Constant)}
        elif isinstance(node, ast.Dict):
            yield node.lineno, {each.value for each in node.keys if isinstance(each, ast.Constant)}


@cache
def said(path: Path) -> list[tuple[int, str]]:
    """Return the line and the text of every name, import and constant: what a program says, not what it explains."""
    return list(_said(path))


def _said(path: Path) -> Iterator[tuple[int, str]]:
    explained = {id(node.value) for node in ast.walk(tree(path)) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree(path)):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in explained:
                yield node.lineno, text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.ImportFrom(module=str(text)):
                yield node.lineno, text
            case ast.ClassDef(name=text) | ast.FunctionDef(name=text) | ast.alias(name=text):
                yield node.lineno, text
            case _:
                pass


def test_states_of_a_run_are_listed_in_one_place() -> None:
    listed = {
        place(path, line) for path in sources() for line, found in collections_of(path) if len(found & STATES) >= 4
    }
    assert {each.split(":")[0] for each in listed} == {"cycler/galvanode/states.py"}, sorted(listed)


def test_pages_have_the_states_and_labels_that_were_written_for_them() -> None:
    for path in sorted(PAGES.glob("*.js")):
        if path == WRITTEN_FROM_THE_TABLES:
            continue
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            quoted = set(re.findall(r'"(\w+)"', text))
            assert len(quoted & STATES) < 4, place(path, line)
            assert not [label for label in LABELS if f'"{label}"' in text], place(path, line)


def test_labels_of_columns_are_written_in_one_place() -> None:
    written = {place(path, line) for path in sources() for line, text in said(path) if text in LABELS}
    assert {each.split(":")[0] for each in written} == {"cycler/galvanode/quantities.py"}, sorted(written)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_named_in_its_own_folders_only(family: str) -> None:
    name = re.compile(rf"(?<![a-z]){family}(?![a-z])", re.IGNORECASE)
    own = {DRIVERS / family, SIMULATOR / family}
    elsewhere = [
        place(path, line)
        for path in sources()
        if not own.intersection(path.parents)
        for line, text in said(path)
        if name.search(text)
    ]
    assert not elsewhere


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_has_driver_simulator_and_tests_under_its_name(family: str) -> None:
    for folder in (DRIVERS, SIMULATOR):
        assert (folder / family / "__init__.py").is_file()
    assert any((ROOT / "tests" / "galvanode_drivers" / family).rglob("*")), "no tests, no transcripts"


def test_all_families_of_this_repository_come_through_one_entry() -> None:
    ours = {entry.name for entry in entry_points(group="galvanode.families") if entry.value.startswith("galvanode_")}
    assert ours == {"galvanode"}


@pytest.mark.parametrize("word", VERBS)
def test_a_verb_is_a_module_and_a_line_in_the_list(word: str) -> None:
    module = VERBS[word].__module__
    assert module == f"galvanode.recipe.verbs.{word}"
    importing = {path.relative_to(ROOT).as_posix() for path in sources() for _, text in said(path) if text == module}
    package = "cycler/galvanode/recipe/verbs"
    assert f"{package}/__init__.py" in importing
    assert not [name for name in importing if not name.startswith(f"{package}/")]


@pytest.mark.parametrize("path", sorted((SERVICE / "engine").rglob("*.py")), ids=lambda path: path.stem)
def test_a_class_of_the_engine_can_be_read_in_one_go(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= MOST_LINES_OF_A_CLASS, f"{place(path, node.lineno)}: {node.name}: {lines} lines"


def test_no_function_is_too_complex_and_none_is_excepted() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert ruff["mccabe"]["max-complexity"] <= MOST_COMPLEX
    assert "C901" in ruff["select"]
    excepted = [*ruff["ignore"], *(rule for rules in ruff["per-file-ignores"].values() for rule in rules)]
    assert not {"C", "C9", "C90", "C901"}.intersection(excepted)
    assert not [path for path in sources() if re.search(r"#\s*noqa\b[^#]*\bC901\b", path.read_text(encoding="utf-8"))]
