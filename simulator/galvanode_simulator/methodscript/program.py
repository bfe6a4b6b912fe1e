"""A parsed script: statements with their arguments, blocks inside blocks."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True, slots=True)
class Ref:
    """A variable, or with an index an element of an array."""

    name: str
    index: Number | Ref | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A variable type, or the name of an array."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string: literal parts and, in an f-string, variables between them."""

    parts: tuple[str | Ref, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons joined by ``&`` or ``|``, evaluated from left to right."""

    comparisons: tuple[tuple[Number | Ref, str, Number | Ref], ...]
    joints: tuple[str, ...] = ()


Argument = Number | Ref | Word | Text | Condition


@dataclass(slots=True)
class Statement:
    """One command. ``else_`` is what follows an ``if`` that does not hold: ``elseif`` and ``else``."""

    name: str
    line: int
    arguments: list[Argument] = field(default_factory=list[Argument])
    options: list[tuple[str, list[Argument]]] = field(default_factory=list[tuple[str, list[Argument]]])
    body: list[Statement] = field(default_factory=list["Statement"])
    else_: list[Statement] = field(default_factory=list["Statement"])


@dataclass(slots=True)
class Program:
    """A whole script, and what follows ``on_finished:``."""

    statements: list[Statement] = field(default_factory=list[Statement])
    on_finished: list[Statement] = field(default_factory=list[Statement])
