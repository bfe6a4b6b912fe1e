"""JSON text to a document whose values know their line and column: strict, bounded, every key once."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from typing import cast

from galvanode.document import Document
from galvanode.errors import InvalidInput
from galvanode.yaml_text import MAX_BYTES, MAX_DEPTH, MAX_NODES, Data, DocumentPath, Places

_MAX_DIGITS = 100
"""Of a number: also keeps Python's int() from meeting a million of them."""
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORD = re.compile(r"-?[A-Za-z_]+", re.ASCII)
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(text: str, source: str) -> Document:
    """Read one JSON value; ``source`` names the text in errors.

    Raises ``InvalidInput`` with line and column for what is no JSON, for NaN and infinities, a key that is there
    twice, and more than a person or a program of ours would write.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidInput("is larger than 1 MiB; expected a protocol, not data", source=source)
    return _Reader(text.removeprefix("\ufeff"), source).read()


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._nodes = 0
        self._values: Places = {}
        self._keys: Places = {}
        self._strings = json.JSONDecoder()
        self._newlines = [index for index, character in enumerate(text) if character == "\n"]

    def read(self) -> Document:
        data, end = self._value(self._skip(0), ())
        end = self._skip(end)
        if end < len(self._text):
            raise self._error(end, "text after the end of the JSON value")
        return Document(self._source, data, self._values, self._keys)

    def _value(self, at: int, path: DocumentPath) -> tuple[Data, int]:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(at, f"more than {MAX_NODES} values; expected a protocol, not data")
        if len(path) > MAX_DEPTH:
            raise self._error(at, f"nested more than {MAX_DEPTH} deep")
        self._values[path] = self._place(at)
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, path)
            case "[":
                return self._array(at, path)
            case '"':
                return self._string(at)
            case "":
                raise self._error(at, "the text ends where a JSON value was expected")
            case _:
                return self._scalar(at)

    def _object(self, at: int, path: DocumentPath) -> tuple[Data, int]:
        data: dict[str, Data] = {}
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "}":
            return data, at + 1
        while True:
            if self._text[at : at + 1] != '"':
                raise self._error(at, f"{self._seen(at)} where a key in double quotes was expected")
            key, end = self._string(at)
            inner = (*path, key)
            if inner in self._keys:
                said = f"'{key[:40]}' is there twice (first on line {self._keys[inner][0]})"
                raise self._error(at, said)
            self._keys[inner] = self._place(at)
            end = self._skip(end)
            if self._text[end : end + 1] != ":":
                raise self._error(end, f"{self._seen(end)} where a ':' was expected")
            data[key], end = self._value(self._skip(end + 1), inner)
            at, closed = self._next(end, "}")
            if closed:
                return data, at

    def _array(self, at: int, path: DocumentPath) -> tuple[Data, int]:
        data: list[Data] = []
        at = self._skip(at + 1)
        if self._text[at : at + 1] == "]":
            return data, at + 1
        while True:
            value, end = self._value(at, (*path, len(data)))
            data.append(value)
            at, closed = self._next(end, "]")
            if closed:
                return data, at

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Return where the next member begins, or where the text goes on after the closing bracket, and which."""
        at = self._skip(at)
        found = self._text[at : at + 1]
        if found not in (",", closing) or not found:
            raise self._error(at, f"{self._seen(at)} where ',' or '{closing}' was expected")
        return (at + 1, True) if found == closing else (self._skip(at + 1), False)

    def _string(self, at: int) -> tuple[str, int]:
        try:
            value, end = self._strings.raw_decode(self._text, at)
        except json.JSONDecodeError as problem:
            said = problem.msg[:1].lower() + problem.msg[1:]
            raise self._error(problem.pos, f"is no JSON: {said}") from None
        if _SURROGATE.search(cast("str", value)):
            raise self._error(at, "a text with half a character (a lone surrogate)")
        return cast("str", value), end

    def _scalar(self, at: int) -> tuple[Data, int]:
        word = _WORD.match(self._text, at)
        if word is not None:
            if word[0] in _CONSTANTS:
                return _CONSTANTS[word[0]], word.end()
            kind = "is not a finite number" if word[0].lstrip("-") in ("NaN", "Infinity") else "is no JSON value"
            raise self._error(at, f"{word[0][:40]} {kind}")
        number = _NUMBER.match(self._text, at)
        if number is None:
            raise self._error(at, f"{self._seen(at)} where a JSON value was expected")
        if len(number[0]) > _MAX_DIGITS:
            said = f"a number of {len(number[0])} characters; expected at most {_MAX_DIGITS}"
            raise self._error(at, said)
        if number[2] is None and number[3] is None:
            return int(number[0]), number.end()
        value = float(number[0])
        if value in (float("inf"), float("-inf")):
            raise self._error(at, f"{number[0]} is too large for a number")
        return value, number.end()

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return at if match is None else match.end()

    def _seen(self, at: int) -> str:
        return f"'{self._text[at]}'" if at < len(self._text) else "the end of the text"

    def _place(self, at: int) -> tuple[int, int]:
        line = bisect_left(self._newlines, at)
        start = self._newlines[line - 1] + 1 if line else 0
        return line + 1, at - start + 1

    def _error(self, at: int, message: str) -> InvalidInput:
        line, column = self._place(at)
        return InvalidInput(message, source=self._source, line=line, column=column)
