"""Reads a script line by line and refuses it at the first fault, as the firmware does while it receives it.

The column of a fault is the one after the word that is wrong: ``fail!`` in column 1 gives ``Col 6``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from galvanode_simulator.methodscript.errors import Code, ScriptError
from galvanode_simulator.methodscript.program import (
    Argument,
    Condition,
    Number,
    Program,
    Ref,
    Statement,
    Text,
    Word,
)
from galvanode_simulator.methodscript.signatures import (
    NOT_SIMULATED,
    SIGNATURES,
    VARTYPES,
    Signature,
)
from galvanode_simulator.methodscript.values import literal

LONGEST_LINE = 256
LONGEST_SCRIPT = 65_536
LONGEST_NAME = 32
DEEPEST = 16
OPERATORS = ("==", "!=", ">=", "<=", ">", "<")

_TOKEN = re.compile(r'\s*(?:(f?"[^"]*")|([a-z_][a-z0-9_]*\()|([A-Za-z0-9_+\-.:!=<>&|]+(?:\[[^\]\s]*\])?)|(\)))')
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ELEMENT = re.compile(r"([a-z][a-z0-9_]*)\[([^\]]*)\]")
_INTERPOLATION = re.compile(r"\{([^{}]*)\}")


class _Token(NamedTuple):
    text: str
    end: int
    """Column after it."""


class Parser:
    """One script. ``feed`` each line, then ``finish``. Lines count from 1.

    ``unsupported`` names commands that this instrument does not have.
    """

    def __init__(self, unsupported: Container[str] = ()) -> None:
        self._unsupported = unsupported
        self._program = Program()
        self._block = self._program.statements
        self._open: list[tuple[Statement, list[Statement]]] = []
        """Statements that wait for their end, with the block each of them stands in."""
        self._variables: set[str] = set()
        self._arrays: set[str] = set()
        self._finishing = False
        self._line = 0
        self._size = 0

    def feed(self, text: str) -> None:
        """Read one line. Raises ``ScriptError``."""
        self._line += 1
        self._size += len(text) + 1
        if len(text) >= LONGEST_LINE:
            raise self._error(Code.LINE_TOO_LONG, LONGEST_LINE)
        if self._size > LONGEST_SCRIPT:
            raise self._error(Code.SCRIPT_TOO_LARGE, len(text) + 1)
        tokens = self._tokens(text)
        if not tokens:
            return
        head, *rest = tokens
        if head.text == "on_finished:":
            self._begin_finish(head, rest)
            return
        signature = SIGNATURES.get(head.text)
        if head.text in NOT_SIMULATED or head.text in self._unsupported:
            raise self._error(Code.UNSUPPORTED, head.end)
        if signature is None:
            raise self._error(Code.UNKNOWN_SCRIPT_COMMAND, head.end)
        statement = Statement(head.text, self._line)
        self._arguments(statement, signature, rest, head.end)
        self._place(statement, head)

    def finish(self) -> Program:
        """Return the program. Raises ``ScriptError`` if something is still open."""
        if self._open:
            raise self._error(Code.UNEXPECTED_END, 1)
        return self._program

    # Lines

    def _tokens(self, text: str) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while at < len(text):
            rest = text[at:].lstrip()
            if not rest or rest.startswith("#"):
                break
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._error(Code.UNEXPECTED_CHARACTER, len(text) - len(rest) + 2)
            at = match.end()
            tokens.append(_Token(match[0].strip(), at + 1))
        return tokens

    def _begin_finish(self, head: _Token, rest: list[_Token]) -> None:
        if rest:
            raise self._error(Code.TOO_MANY_ARGUMENTS, rest[0].end)
        if self._open or self._finishing:
            raise self._error(Code.SCOPE_MISMATCH, head.end)
        self._finishing = True
        self._block = self._program.on_finished

    # Blocks

    def _place(self, statement: Statement, head: _Token) -> None:
        name = statement.name
        if name == "endloop":
            self._close(head, _is_loop)
        elif name == "endif":
            self._close(head, lambda opened: opened.name in ("if", "elseif", "else"))
            while self._open and self._open[-1][0].else_ is self._block:  # each elseif stands in an if
                self._block = self._open.pop()[1]
        elif name in ("elseif", "else"):
            if not self._open or self._open[-1][0].name not in ("if", "elseif"):
                raise self._error(Code.SCOPE_MISMATCH, head.end)
            opened = self._open[-1][0]
            self._block = opened.else_
            opened.else_.append(statement)
            self._enter(statement, head)
        elif name == "breakloop":
            if not any(_is_loop(opened) for opened, _ in self._open):
                raise self._error(Code.NOT_HERE, head.end)
            self._block.append(statement)
        else:
            measuring = name.startswith("meas_loop")
            if measuring and any(opened.name.startswith("meas_loop") for opened, _ in self._open):
                raise self._error(Code.NESTED_MEAS_LOOP, head.end)
            self._block.append(statement)
            if name in ("if", "loop") or measuring:
                self._enter(statement, head)

    def _enter(self, statement: Statement, head: _Token) -> None:
        if len(self._open) >= DEEPEST:
            raise self._error(Code.SCOPE_TOO_DEEP, head.end)
        self._open.append((statement, self._block))
        self._block = statement.body

    def _close(self, head: _Token, fits: Callable[[Statement], bool]) -> None:
        if not self._open or not fits(self._open[-1][0]):
            raise self._error(Code.SCOPE_MISMATCH, head.end)
        self._block = self._open.pop()[1]

    # Arguments

    def _arguments(self, statement: Statement, signature: Signature, tokens: list[_Token], end: int) -> None:
        tokens = list(tokens)
        required = len(signature.arguments) - signature.optional
        for position, kind in enumerate(signature.arguments):
            if not tokens or tokens[0].text.endswith("("):
                if position >= required:
                    break
                raise self._error(Code.UNEXPECTED_CHARACTER, tokens[0].end if tokens else end + 1)
            if kind == "if":
                statement.arguments.append(self._condition(tokens))
                continue
            token = tokens.pop(0)
            end = token.end
            statement.arguments.append(self._argument(kind, token))
            if kind == "new":
                (self._arrays if statement.name == "array" else self._variables).add(token.text)
        while tokens:
            token = tokens.pop(0)
            if not token.text.endswith("("):
                raise self._error(Code.TOO_MANY_ARGUMENTS, token.end)
            self._option(statement, signature, token, tokens)

    def _option(self, statement: Statement, signature: Signature, head: _Token, tokens: list[_Token]) -> None:
        name = head.text[:-1]
        kinds = signature.options.get(name)
        if kinds is None:
            raise self._error(Code.INVALID_OPTION, head.end)
        given: list[Argument] = []
        end = head.end
        for kind in kinds:
            if not tokens or tokens[0].text == ")":
                raise self._error(Code.UNEXPECTED_CHARACTER, tokens[0].end if tokens else end + 1)
            token = tokens.pop(0)
            end = token.end
            given.append(self._argument(kind, token))
        if not tokens or tokens[0].text != ")":
            raise self._error(Code.TOO_MANY_ARGUMENTS if tokens else Code.UNEXPECTED_CHARACTER, end + 1)
        tokens.pop(0)
        statement.options.append((name, given))

    def _argument(self, kind: str, token: _Token) -> Argument:
        text = token.text
        match kind:
            case "new":
                return self._declared(token)
            case "type":
                if text not in VARTYPES:
                    raise self._error(Code.INVALID_VARTYPE, token.end)
                return Word(text)
            case "text":
                return self._string(token)
            case "array":
                if text not in self._arrays:
                    raise self._error(Code.NOT_DECLARED, token.end)
                return Word(text)
            case "out":
                if not _NAME.match(text):
                    raise self._error(Code.LITERAL_NOT_ALLOWED, token.end)
                return self._reference(token)
            case "literal":
                return self._literal(token)
            case _:
                return self._operand(token)

    def _operand(self, token: _Token) -> Number | Ref:
        return self._reference(token) if _NAME.match(token.text) else self._literal(token)

    def _declared(self, token: _Token) -> Word:
        if not _NAME.fullmatch(token.text):
            raise self._error(Code.INVALID_NAME, token.end)
        if len(token.text) > LONGEST_NAME:
            raise self._error(Code.NAME_TOO_LONG, token.end)
        if token.text in self._variables or token.text in self._arrays:
            raise self._error(Code.ALREADY_DECLARED, token.end)
        return Word(token.text)

    def _reference(self, token: _Token) -> Ref:
        element = _ELEMENT.fullmatch(token.text)
        if element is None:
            if token.text in self._arrays:
                raise self._error(Code.ARRAY_NOT_ALLOWED, token.end)
            if token.text not in self._variables:
                raise self._error(Code.NOT_DECLARED, token.end)
            return Ref(token.text)
        if element[1] not in self._arrays:
            known = element[1] in self._variables
            raise self._error(Code.BAD_ARRAY_ACCESS if known else Code.NOT_DECLARED, token.end)
        return Ref(element[1], self._operand(_Token(element[2], token.end)))

    def _literal(self, token: _Token) -> Number:
        try:
            return Number(literal(token.text))
        except ValueError:
            starts_well = token.text[:1].isdigit() or token.text[:1] in "+-"
            raise self._error(Code.BAD_LITERAL if starts_well else Code.UNEXPECTED_CHARACTER, token.end) from None

    def _string(self, token: _Token) -> Text:
        text = token.text
        if not text.endswith('"'):
            raise self._error(Code.UNEXPECTED_CHARACTER, token.end)
        if not text.startswith("f"):
            return Text((text[1:-1],))
        parts: list[str | Ref] = []
        for position, part in enumerate(_INTERPOLATION.split(text[2:-1])):
            parts.append(self._reference(_Token(part.strip(), token.end)) if position % 2 else part)
        return Text(tuple(parts))

    def _condition(self, tokens: list[_Token]) -> Condition:
        comparisons: list[tuple[Number | Ref, str, Number | Ref]] = []
        joints: list[str] = []
        while True:
            if len(tokens) < 3:
                raise self._error(Code.UNEXPECTED_CHARACTER, tokens[-1].end + 1 if tokens else 1)
            left, operator, right = tokens.pop(0), tokens.pop(0), tokens.pop(0)
            if operator.text not in OPERATORS:
                raise self._error(Code.UNEXPECTED_CHARACTER, operator.end)
            comparisons.append((self._operand(left), operator.text, self._operand(right)))
            if not tokens or tokens[0].text not in ("&", "|"):
                return Condition(tuple(comparisons), tuple(joints))
            joints.append(tokens.pop(0).text)

    def _error(self, code: Code, column: int) -> ScriptError:
        return ScriptError(code, self._line, column)


def _is_loop(statement: Statement) -> bool:
    return statement.name == "loop" or statement.name.startswith("meas_loop")


def parse(lines: Iterable[str], unsupported: Container[str] = ()) -> Program:
    """Parse a whole script, without the ``e`` before it and the empty line after it. Raises ``ScriptError``."""
    parser = Parser(unsupported)
    for line in lines:
        parser.feed(line)
    return parser.finish()
