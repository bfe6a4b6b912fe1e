"""A recipe made from another program's text: written as YAML a person can read, then checked as any recipe is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from galvanode.cell import CellUnderTest
from galvanode.errors import InvalidInput
from galvanode.exchange.anycell import any_cell
from galvanode.recipe import compile_recipe, parse_recipe

MAX_STEPS = 5_000
"""Steps of a foreign text, repeats written once."""
WIDTH = 120

Scalar = str
"""As it stands in the YAML: plain, or in quotes."""
Body = Mapping[str, "Scalar | Sequence[Scalar] | Body"]


@dataclass(frozen=True)
class Where:
    """A place in the foreign text."""

    words: str
    """``step 3, constant_current``."""
    line: int
    column: int


@dataclass(frozen=True)
class Said:
    """One step of the recipe."""

    verb: str
    body: Body
    where: Where
    remarks: tuple[str, ...] = ()
    """Comments above it."""


@dataclass(frozen=True)
class Repeated:
    """A block that is repeated."""

    items: tuple[Item, ...]
    times: int
    where: Where
    remarks: tuple[str, ...] = ()


Item = Said | Repeated


@dataclass(frozen=True)
class Recipe:
    """What goes into the file."""

    source: str
    """Of the foreign text, for errors."""
    title: str
    remarks: Sequence[str]
    items: Sequence[Item]
    header: Mapping[str, tuple[Body, Where]] = field(default_factory=dict[str, tuple[Body, Where]])
    """``parameters``, ``safety``, ``record``."""
    remarks_after: Sequence[str] = ()


def quoted(text: str) -> Scalar:
    """Return any text as a YAML scalar in double quotes, on one line."""
    return '"' + "".join(map(_escaped, text)) + '"'


_PLAIN = re.compile("[ !#-\\[\\]-~\xa0-\u2027\u202f-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if _PLAIN.fullmatch(character) else f"\\U{ord(character):08X}"


def write(recipe: Recipe, cell: CellUnderTest | None) -> str:
    """Return the YAML text of a recipe that compiles on ``cell``; on a cell that allows everything without one.

    Raises ``InvalidInput`` at the place of the foreign text that a fault comes from.
    """
    lines = _Lines()
    for remark in recipe.remarks:
        lines.remark(0, remark)
    lines.add(0, "version: 2")
    lines.add(0, f"title: {quoted(recipe.title)}")
    for name, (body, where) in recipe.header.items():
        lines.section(name, body, where)
    lines.add(0, "method:")
    lines.items(recipe.items, 1)
    for remark in recipe.remarks_after:
        lines.remark(1, remark)
    text = "\n".join(lines.lines) + "\n"
    try:
        compile_recipe(parse_recipe(text, "converted"), cell or any_cell())
    except InvalidInput as problem:
        raise lines.translated(problem, recipe.source) from None
    return text


class _Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self._wheres: list[Where | None] = []

    def add(self, depth: int, text: str, where: Where | None = None) -> None:
        self.lines.append("  " * depth + text)
        self._wheres.append(where)

    def remark(self, depth: int, text: str) -> None:
        """Write a comment: one line, whatever is in it."""
        self.add(depth, f"# {quoted(text)[1:-1]}" if _unprintable(text) else f"# {text}".rstrip())

    def section(self, name: str, body: Body, where: Where) -> None:
        one = f"{name}: {flow(body)}"
        if len(one) <= WIDTH:
            self.add(0, one, where)
            return
        self.add(0, f"{name}:", where)
        for key, value in body.items():
            self.add(1, f"{key}: {_value(value)}", where)

    def items(self, items: Sequence[Item], depth: int) -> None:
        for item in items:
            for remark in item.remarks:
                self.remark(depth, remark)
            if isinstance(item, Said):
                self._step(item, depth)
            else:
                self.add(depth, "- repeat:", item.where)
                self.items(item.items, depth + 2)
                self.add(depth + 1, f"times: {item.times}", item.where)

    def _step(self, said: Said, depth: int) -> None:
        one = f"- {said.verb}: {flow(said.body)}"
        if 2 * depth + len(one) <= WIDTH:
            self.add(depth, one, said.where)
            return
        self.add(depth, f"- {said.verb}:", said.where)
        for key, value in said.body.items():
            self.add(depth + 2, f"{key}: {_value(value)}", said.where)

    def translated(self, problem: InvalidInput, source: str) -> InvalidInput:
        """Return an error of the recipe as one of the foreign text."""
        line = problem.line
        where = self._wheres[line - 1] if line is not None and 0 < line <= len(self._wheres) else None
        if where is None:
            return InvalidInput(f"makes no recipe: {problem.message}", source=source)
        said = f"{where.words}: {problem.message}"
        return InvalidInput(said, source=source, line=where.line, column=where.column)


def _unprintable(text: str) -> bool:
    return any(_PLAIN.fullmatch(character) is None for character in text if character not in '"\\')


def flow(body: Body) -> str:
    """Return ``{rate: 0.1C, for: 1 h}``."""
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in body.items()) + "}"


def _value(value: Scalar | Sequence[Scalar] | Body) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return flow(value)
    return "[" + ", ".join(value) + "]"
