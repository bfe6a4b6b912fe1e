"""The text of a PyBaMM experiment: a Python list of instructions, read by a small grammar and never executed.

Accepted are the list that ``pybamm.Experiment`` takes, with cycles in tuples, ``* 3`` and ``+``; that call itself
with its ``period`` and ``temperature``; ``pybamm.step.string("...", period=..., temperature=..., tags=...)`` for a
step; and plain lines, one instruction each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from galvanode.errors import InvalidInput
from galvanode.yaml_text import MAX_BYTES

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MAX_DEPTH = 20
"""Brackets inside one another."""
MAX_TURNS = 1_000_000

_GRAMMAR = r"""
start: import* [NAME "="] sum
import: "import" dotted ["as" NAME]
?sum: product ("+" product)*
product: [WHOLE "*"] atom ("*" WHOLE)*
?atom: STRING -> instruction
    | list
    | tuple
    | "(" sum ")" -> bracketed
    | call
list: "[" [sum ("," sum)* [","]] "]"
tuple: "(" sum "," [sum ("," sum)* [","]] ")"
call: dotted "(" [argument ("," argument)* [","]] ")"
argument: NAME "=" (value | values) -> named
    | sum
?values: "[" [value ("," value)* [","]] "]"
value: STRING | NUMBER | WHOLE | NAME
dotted: NAME ("." NAME)*
NAME: /[A-Za-z_][A-Za-z0-9_]*/
WHOLE: /\d+/
NUMBER: /-?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?/
STRING: /"[^"\\\n]*"|'[^'\\\n]*'/
COMMENT: /#[^\n]*/
%ignore COMMENT
%ignore /[ \t\r\n\f]+/
"""


@dataclass(frozen=True)
class Spot:
    """A place in the text."""

    line: int
    column: int


@dataclass(frozen=True)
class Option:
    """One argument of a call."""

    text: str
    is_text: bool
    """Whether it stood in quotes."""
    spot: Spot


@dataclass(frozen=True)
class Instruction:
    """One step, as it is written, and what a call around it says."""

    text: str
    spot: Spot
    options: dict[str, Option]


@dataclass(frozen=True)
class Cycle:
    """Steps that are gone through together, so many times."""

    parts: tuple[Part, ...]
    turns: int
    spot: Spot


Part = Instruction | Cycle


@dataclass(frozen=True)
class Experiment:
    """The steps in turn, and what holds for all of them."""

    parts: tuple[Part, ...]
    options: dict[str, Option]


_LINE = re.compile(r"\s*(Charge|Discharge|Hold|Rest|Run)\b", re.IGNORECASE)


def parse_experiment(text: str, source: str) -> Experiment:
    """Read an experiment; ``source`` names the text in errors. Raises ``InvalidInput`` with line and column."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidInput("is larger than 1 MiB; expected an experiment, not data", source=source)
    text = text.removeprefix("\ufeff")
    lines = [(number, line.partition("#")[0].rstrip()) for number, line in enumerate(text.split("\n"), start=1)]
    said = [(number, line) for number, line in lines if line.strip()]
    if not said:
        raise InvalidInput("the file is empty", source=source, line=1, column=1)
    if _LINE.match(said[0][1]):
        parts = [
            Instruction(line.strip(), Spot(number, len(line) - len(line.lstrip()) + 1), {}) for number, line in said
        ]
        return Experiment(tuple(parts), {})
    return _Reader(source).read(text)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark  # here, not at the top: only a conversion pays for it

    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


_OPENING = re.compile(r"""(?P<skip>"[^"\\\n]*"|'[^'\\\n]*'|#[^\n]*)|(?P<open>[(\[])|(?P<close>[)\]])""")


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source

    def read(self, text: str) -> Experiment:
        from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

        self._refuse_depth(text)
        try:
            tree = _parser().parse(text)
        except UnexpectedToken as problem:
            ended = problem.token.type == "$END"
            seen = "the text ends" if ended else f"'{_short(str(problem.token))}' stands"
            spot = Spot(text.count("\n") + 1, 1) if ended else Spot(problem.line, problem.column)
            self._refuse(spot, f"{seen} where something else was expected in a list of instructions")
        except UnexpectedCharacters as problem:
            spot = Spot(problem.line, problem.column)
            self._refuse(spot, f"'{_short(text[problem.pos_in_stream :])}' is not readable in a list of instructions")
        except UnexpectedInput:
            raise InvalidInput("is not readable as a list of instructions", source=self._source) from None
        return self._experiment(tree)

    def _refuse_depth(self, text: str) -> None:
        depth = 0
        for match in _OPENING.finditer(text):
            if match["open"]:
                depth += 1
            elif match["close"]:
                depth -= 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, match.start()) + 1
                column = match.start() - text.rfind("\n", 0, match.start())
                self._refuse(Spot(line, column), f"nested more than {MAX_DEPTH} deep")

    def _experiment(self, tree: Tree[Token]) -> Experiment:
        body: Any = tree.children[-1]
        while _kind(body) == "product" and len(body.children) == 1:
            body = body.children[0]
        if _kind(body) == "call" and _name(body).split(".")[-1] == "Experiment":
            positional, options = self._arguments(body, ("period", "temperature", "termination"))
            return Experiment(self._experiment_list(positional), options)
        return Experiment(self._experiment_list(body), {})

    def _experiment_list(self, node: Any) -> tuple[Part, ...]:
        if _kind(node) == "instruction" or _kind(node) == "tuple":
            self._refuse(_spot(node), "expected a list of instructions, '[...]', around it")
        return self._parts(node)

    def _parts(self, node: Any) -> tuple[Part, ...]:
        """Return what a sum, a product, a list ... of instructions holds."""
        match _kind(node):
            case "sum":
                return tuple(part for child in node.children for part in self._parts(child))
            case "product":
                return self._product(node)
            case "bracketed":
                return self._parts(node.children[0])
            case "list":
                return _merged([part for child in node.children for part in self._element(child)])
            case "tuple":
                return (Cycle(tuple(part for child in node.children for part in self._element(child)), 1, _spot(node)),)
            case "instruction":
                return (Instruction(_unquoted(node.children[0]), _spot(node), {}),)
            case _:
                return (self._step(node),)

    def _element(self, node: Any) -> tuple[Part, ...]:
        """Return what one element of a list is: a list inside a list is a cycle, as JSON has no tuples."""
        while _kind(node) == "product" and len(node.children) == 1:
            node = node.children[0]
        if _kind(node) == "product":
            self._refuse(_spot(node), "multiplied inside a list; multiply a list, '[...] * 3'")
        parts = self._parts(node)
        return (Cycle(parts, 1, _spot(node)),) if _kind(node) == "list" else parts

    def _product(self, node: Any) -> tuple[Part, ...]:
        turns = 1
        inner = None
        for child in node.children:
            if not hasattr(child, "children"):
                turns = turns * int(child[:9]) if len(child) < 9 else MAX_TURNS + 1
                if not 1 <= turns <= MAX_TURNS:
                    self._refuse(_spot(child), f"expected a whole number from 1 to {MAX_TURNS:,}")
            else:
                inner = child
        if len(node.children) == 1:
            return self._parts(inner)
        if _kind(inner) in ("instruction", "tuple", "call"):
            self._refuse(_spot(node), "only a list can be multiplied, '[...] * 3'")
        parts = self._parts(inner)
        if _kind(inner) == "list" and len(parts) == 1 and isinstance(parts[0], Cycle) and parts[0].turns == 1:
            return (Cycle(parts[0].parts, turns, parts[0].spot),)
        return (Cycle(parts, turns, _spot(node)),)

    def _step(self, node: Any) -> Instruction:
        name = _name(node)
        if name.split(".")[-1] != "string":
            said = f"'{_short(name)}(...)' is not read; expected a text such as \"Charge at 1 A until 4.1 V\""
            self._refuse(_spot(node), said)
        positional, options = self._arguments(node, ("period", "temperature", "tags"))
        while _kind(positional) == "product" and len(positional.children) == 1:
            positional = positional.children[0]
        if _kind(positional) != "instruction":
            self._refuse(_spot(positional), 'expected one text, such as "Charge at 1 A until 4.1 V"')
        return Instruction(_unquoted(positional.children[0]), _spot(positional), options)

    def _arguments(self, call: Any, known: tuple[str, ...]) -> tuple[Any, dict[str, Option]]:
        positional: list[Any] = []
        options: dict[str, Option] = {}
        for child in call.children[1:]:
            if _kind(child) != "named":
                positional.append(child.children[0] if _kind(child) == "argument" else child)
                continue
            key, value = child.children
            name = str(key)
            if name not in known:
                self._refuse(_spot(key), f"'{_short(name)}' is not something that a recipe can say")
            if name in options:
                self._refuse(_spot(key), f"'{name}' is there twice")
            tokens = value.children if hasattr(value, "children") else [value]
            if _kind(value) == "values":
                if len(tokens) != 1:
                    self._refuse(_spot(key), f"'{name}' is a list of {len(tokens)}; expected one text")
                tokens = tokens[0].children
            token = tokens[0]
            if str(token) == "None":
                continue
            options[name] = Option(_unquoted(token), token.type == "STRING", _spot(token))
        if len(positional) != 1:
            self._refuse(
                _spot(call),
                f"'{_short(_name(call))}(...)' has {len(positional)} arguments without a name; expected one",
            )
        return positional[0], options

    def _refuse(self, spot: Spot, message: str) -> NoReturn:
        raise InvalidInput(message, source=self._source, line=spot.line, column=spot.column)


def _merged(parts: list[Part]) -> tuple[Part, ...]:
    """Return the parts of a list, cycles that are written out one after the other as one."""
    merged: list[Part] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, Cycle) and isinstance(last, Cycle) and _same(part, last):
            merged[-1] = Cycle(last.parts, last.turns + part.turns, last.spot)
        else:
            merged.append(part)
    return tuple(merged)


def _same(one: Part, two: Part) -> bool:
    """Return whether two parts say the same, wherever they stand."""
    if isinstance(one, Instruction) and isinstance(two, Instruction):
        return one.text == two.text and _texts(one) == _texts(two)
    if isinstance(one, Cycle) and isinstance(two, Cycle) and len(one.parts) == len(two.parts):
        return all(_same(first, second) for first, second in zip(one.parts, two.parts, strict=True))
    return False


def _texts(instruction: Instruction) -> dict[str, str]:
    return {name: option.text for name, option in instruction.options.items()}


def _kind(node: Any) -> str:
    return str(getattr(node, "data", "token"))


def _name(call: Any) -> str:
    return ".".join(str(token) for token in call.children[0].children)


def _spot(node: Any) -> Spot:
    place = getattr(node, "meta", node)
    return Spot(getattr(place, "line", 1), getattr(place, "column", 1))


def _unquoted(token: Token) -> str:
    return str(token)[1:-1] if token.type == "STRING" else str(token)


def _short(text: str) -> str:
    text = " ".join(text[:60].split())
    return text if len(text) <= 30 else text[:27] + "..."
