"""Arithmetic and conditions as a person writes them, read by a small grammar and never evaluated as Python.

``parse`` makes a tree of what a text says; ``show`` writes a tree as text again. Neither knows what a name means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

from galvanode.document import found

if TYPE_CHECKING:
    from lark import Lark, Token

LONGEST = 500
"""Characters of an expression or a condition."""
DEEPEST = 14
"""Operators inside one another. What a program may nest (16) leaves room for a sign and a size of the cell."""

Operator = Literal["+", "-", "*", "/", "neg", "abs", "sqrt", "min", "max"]


@dataclass(frozen=True)
class Written:
    """A number or a quantity, ``0.1 mA/cm^2``, as it is written."""

    text: str


@dataclass(frozen=True)
class Name:
    """``$name``, or ``$cell.name`` with the dot in it."""

    name: str


@dataclass(frozen=True)
class Bare:
    """A name without ``$``: a measured quantity, a detector, ``open_circuit``."""

    name: str


@dataclass(frozen=True)
class Apply:
    """An operator or a function and what it is applied to."""

    op: Operator
    of: tuple[Node, ...]


@dataclass(frozen=True)
class Compare:
    """``left symbol right``, over a time, of a cycle."""

    left: Node
    symbol: str
    right: Node
    over: Node | None = None
    of_cycle: str | None = None


@dataclass(frozen=True)
class Both:
    """``and``."""

    of: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """``or``."""

    of: tuple[Node, ...]


Node = Written | Name | Bare | Apply | Compare | Both | Either

_UNIT_NAME = (
    r"(?!(?:(?i:and|or)|of|over|vs)\b)[A-Za-z\u00b5\u03a9\u00b0]++(?:(?:\^|\*\*)-?[1-9]|[1-9])?(?!\s*\(|[A-Za-z0-9_])"
)
_VALUE = (
    r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3}(?![A-Za-z0-9]))?"
    rf"(?:\s*(?:%|(?:(?<=\s)1\/)?{_UNIT_NAME}(?:(?:\*|\/|\s+){_UNIT_NAME})*))?"
    r"(?:\s+vs\.?\s+[A-Za-z0-9+\/\u207a]+)?"
)
_GRAMMAR = rf"""
?start: either
?either: both (_OR both)*
?both: relation (_AND relation)*
?relation: sum
    | sum COMPARISON sum [_OVER (VALUE | REFERENCE)] [_OF _CYCLE VALUE] -> compare
?sum: product
    | sum "+" product -> plus
    | sum "-" product -> minus
?product: signed
    | product "*" signed -> times
    | product "/" signed -> over
?signed: atom
    | "-" signed -> neg
?atom: VALUE | RATE | REFERENCE | NAME
    | FUNCTION "(" sum ("," sum)* ")" -> function
    | "(" either ")"
VALUE.3: /{_VALUE}/
RATE.3: /C\s*\/\s*\d+(?:\.\d*)?(?![A-Za-z])/
REFERENCE: /\$[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?/
FUNCTION.2: /(?:min|max|abs|sqrt)(?=\s*\()/
NAME.1: /d[VIT]\/dt\b|auxiliary\.[A-Za-z][A-Za-z0-9_]*|[A-Za-z_][A-Za-z0-9_]*/
COMPARISON: ">=" | "<=" | ">" | "<"
_AND.4: /and\b/i
_OR.4: /or\b/i
_OVER.4: /over\b/
_OF.4: /of\b/
_CYCLE.4: /cycle\b/
%ignore /\s+/
"""
_SPELLINGS = str.maketrans(
    {
        "\u2212": "-",
        "\u00d7": "*",
        "\u00b7": "*",
        "\u2264": "<=",
        "\u2265": ">=",
        "\u00b2": "^2",
        "\u00b3": "^3",
        "\u03bc": "\u00b5",
        "\u2126": "\u03a9",
    }
)  # fmt: skip
"""What people paste: minus, times and comparison signs, superscripts, Greek mu for micro, ohm sign for omega."""


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark, Transformer, v_args  # here, not at the top: only recipes with conditions pay for it

    def text(token: Token) -> str:
        return " ".join(str(token).split())

    @v_args(inline=True)
    class Builder(Transformer[Any, Any]):
        """Makes nodes as the parser goes: nothing recurses into what a person wrote."""

        def VALUE(self, token: Token) -> Node:  # noqa: N802 (terminals are named so)
            return Written(text(token))

        RATE = VALUE

        def REFERENCE(self, token: Token) -> Node:  # noqa: N802
            return Name(str(token)[1:])

        def NAME(self, token: Token) -> Node:  # noqa: N802
            return Bare(str(token))

        def either(self, *parts: Node) -> Node:
            return Either(parts)

        def both(self, *parts: Node) -> Node:
            return Both(parts)

        def compare(self, left: Node, symbol: Token, right: Node, over: Node | None, cycle: Node | None) -> Node:
            return Compare(left, str(symbol), right, over, None if cycle is None else cast("Written", cycle).text)

        def plus(self, left: Node, right: Node) -> Node:
            return Apply("+", (left, right))

        def minus(self, left: Node, right: Node) -> Node:
            return Apply("-", (left, right))

        def times(self, left: Node, right: Node) -> Node:
            return Apply("*", (left, right))

        def over(self, left: Node, right: Node) -> Node:
            return Apply("/", (left, right))

        def neg(self, part: Node) -> Node:
            if isinstance(part, Written) and not part.text.startswith(("-", "C")):
                return Written(f"-{part.text}")  # -5 degC is five degrees below zero, not the negative of 278.15 K
            return Apply("neg", (part,))

        def function(self, name: Token, *parts: Node) -> Node:
            return Apply(cast("Operator", str(name)), parts)

    return Lark(_GRAMMAR, parser="lalr", transformer=Builder(), maybe_placeholders=True)


@lru_cache(maxsize=4096)
def parse(text: str, due: str) -> Node:
    """Return what a text says; ``due`` says what was expected: ``a condition such as 'voltage >= 4.2 V'``.

    Raises ``ValueError`` that starts with ``is '...'``.
    """
    from lark.exceptions import UnexpectedInput

    if len(text) > LONGEST:
        raise ValueError(f"is {found(text)}, longer than {LONGEST} characters; expected {due}")
    clean = text.translate(_SPELLINGS)
    try:
        node = cast("Node", _parser().parse(clean))
    except UnexpectedInput as problem:
        at_end = getattr(getattr(problem, "token", None), "type", "") == "$END"
        rest = "" if at_end else clean[problem.pos_in_stream or 0 :].strip()
        where = "which is not complete" if not rest else f"not readable from '{_short(rest)}' on"
        raise ValueError(f"is {found(text)}, {where}; expected {due}") from None
    if depth(node) > DEEPEST:
        raise ValueError(f"is {found(text)}, nested more than {DEEPEST} deep; use 'set' for a part of it")
    return node


def _short(text: str) -> str:
    return text if len(text) <= 16 else text[:13] + "..."


def depth(node: Node) -> int:
    """Return how deep operators are nested; 1 for a name or a number."""
    level, nodes = 0, [node]
    while nodes:
        level += 1
        nodes = [inner for outer in nodes for inner in parts(outer)]
    return level


def parts(node: Node) -> tuple[Node, ...]:
    """Return what a node is made of."""
    if isinstance(node, (Apply, Both, Either)):
        return node.of
    if isinstance(node, Compare):
        return (node.left, node.right, *(() if node.over is None else (node.over,)))
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything in it."""
    nodes = [node]
    while nodes:
        here = nodes.pop()
        yield here
        nodes.extend(reversed(parts(here)))


_LEVEL = {"+": 3, "-": 3, "*": 4, "/": 4, "neg": 5}
_MEANT = re.compile(r"\$|\(|\s[-+*/]\s|[*/]\s*[\d.]|[A-Za-z%\d]\+\s*[\d.]")


def is_meant(text: str) -> bool:
    """Return whether a text that is no quantity looks like arithmetic: for the right words in an error."""
    return _MEANT.search(text) is not None


def show(node: Node) -> str:
    """Return a tree as a person would write it; ``parse`` reads the same tree from it."""
    return _show(node, 0)


def _show(node: Node, around: int) -> str:
    level, text = _written(node)
    return f"({text})" if level < around else text


def _written(node: Node) -> tuple[int, str]:
    """Return the text of a node and how strongly it holds together."""
    if isinstance(node, Written):
        return (5 if node.text.startswith("-") else 6), node.text
    if isinstance(node, Name):
        return 6, f"${node.name}"
    if isinstance(node, Bare):
        return 6, node.name
    if isinstance(node, Both):
        return 1, " and ".join(_show(part, 2) for part in node.of)
    if isinstance(node, Either):
        return 0, " or ".join(_show(part, 1) for part in node.of)
    if isinstance(node, Compare):
        over = "" if node.over is None else f" over {_show(node.over, 6)}"
        cycle = "" if node.of_cycle is None else f" of cycle {node.of_cycle}"
        return 2, f"{_show(node.left, 3)} {node.symbol} {_show(node.right, 3)}{over}{cycle}"
    if node.op not in _LEVEL:
        return 6, f"{node.op}({', '.join(_show(part, 3) for part in node.of)})"
    level = _LEVEL[node.op]
    if node.op == "neg":
        return level, f"-{_show(node.of[0], 6)}"
    left, right = node.of
    return level, f"{_show(left, level)} {node.op} {_show(right, level + 1)}"
