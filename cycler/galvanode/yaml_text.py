"""YAML text to plain data, with the line and column of every key and value.

The core schema of YAML 1.2, and less: no anchors, aliases, tags or merge keys, so that a file is as big as
it looks. Nothing is constructed but dicts, lists, text, numbers, booleans and None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from galvanode.errors import InvalidInput

MAX_BYTES = 1 << 20
MAX_DEPTH = 50
MAX_NODES = 100_000
_MAX_DIGITS = 100
"""Of a number: also keeps Python's int() from meeting a million of them."""

Data = dict[str, "Data"] | list["Data"] | str | int | float | bool | None
DocumentPath = tuple[str | int, ...]
Places = dict[DocumentPath, tuple[int, int]]
"""Path in the document -> line and column, from 1."""


def load(text: str, source: str) -> tuple[Data, Places, Places]:
    """Return the data of one YAML document, the places of its values and those of its keys.

    Raises ``InvalidInput`` with line and column; ``source`` names the text in it.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidInput("is larger than 1 MiB; expected a text that a person wrote", source=source)
    _refuse_characters(text, source)
    return _Reader(text, source).read()


_TAB_INDENTATION = re.compile(r"^ *\t", re.MULTILINE)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAB = "a tab; expected spaces for the indentation"


def _refuse_characters(text: str, source: str) -> None:
    unprintable = _UNPRINTABLE.search(text)
    if unprintable is not None:
        code = f"U+{ord(unprintable[0]):04X}"
        raise _error_at(text, unprintable.start(), f"an unprintable character ({code}); remove it", source)
    tab = _TAB_INDENTATION.search(text)
    if tab is not None:
        raise _error_at(text, tab.end() - 1, _TAB, source)


def _error_at(text: str, index: int, message: str, source: str) -> InvalidInput:
    line = text.count("\n", 0, index) + 1
    return InvalidInput(message, source=source, line=line, column=index - text.rfind("\n", 0, index))


_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


_OPENED = {"while parsing a flow mapping": "{", "while parsing a flow sequence": "["}
"""What the parser was about -> the bracket that it waits to see closed."""


_TOKENS = {
    "'<scalar>'": "a value",
    "'<stream end>'": "the end of the file",
    "'\\x00'": "the end of the file",
}
"""What the parser calls what it met -> what a person would."""


class _Reader:
    """Builds data from the parser's events, counting as it goes."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._nodes = 0
        self._values: Places = {}
        self._keys: Places = {}

    def read(self) -> tuple[Data, Places, Places]:
        from ruamel.yaml import YAML  # 30 ms: only where a file is read
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        self._events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(self._text))
        try:
            data = self._document()
        except MarkedYAMLError as problem:
            raise self._syntax_error(problem) from None
        except YAMLError as problem:
            raise InvalidInput(f"is not YAML: {problem}", source=self._source) from None
        except (ValueError, OverflowError) as problem:  # a huge escape or version number, inside the parser
            raise InvalidInput(f"is not YAML: {problem}", source=self._source) from None
        return data, self._values, self._keys

    def _document(self) -> Data:
        data: Data = None
        documents = 0
        for event in self._events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._error(event, "a second YAML document ('---'); expected one per file")
                if event.version not in (None, (1, 2), "1.2") or event.tags:
                    raise self._error(event, "a YAML directive ('%'); expected plain YAML 1.2 without one")
            elif kind not in ("StreamStartEvent", "DocumentEndEvent", "StreamEndEvent"):
                data = self._node(event, ())
        if documents == 0 or data is None:
            raise InvalidInput("the file is empty", source=self._source, line=1, column=1)
        return data

    def _node(self, event: Any, path: DocumentPath, empty_place: tuple[int, int] = (1, 1)) -> Data:
        kind = type(event).__name__
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._error(event, f"more than {MAX_NODES} values; expected a text that a person wrote")
        if len(path) > MAX_DEPTH:
            raise self._error(event, f"nested more than {MAX_DEPTH} deep")
        if kind == "AliasEvent":
            raise self._error(event, f"an alias ('*{event.anchor[:40]}'); write the value out instead")
        if event.anchor is not None:
            raise self._error(event, f"an anchor ('&{event.anchor[:40]}'); write the value out instead")
        if event.ctag is not None:
            raise self._error(event, f"a tag ('{str(event.ctag)[:60]}'); write the plain value instead")
        place = (event.start_mark.line + 1, event.start_mark.column + 1)
        if kind == "ScalarEvent":
            # The parser puts an empty value where the next token begins: say the key's place.
            implied = event.value == "" and event.style is None
            self._values[path] = empty_place if implied else place
            return self._scalar(event)
        self._values[path] = place
        return self._mapping(path) if kind == "MappingStartEvent" else self._sequence(path)

    def _mapping(self, path: DocumentPath) -> Data:
        data: dict[str, Data] = {}
        for event in self._events:
            kind = type(event).__name__
            if kind == "MappingEndEvent":
                break
            if kind != "ScalarEvent" or event.anchor is not None or event.ctag is not None:
                raise self._error(event, "a key that is not plain text; expected 'key: value'")
            key = cast("str", event.value)
            if key == "<<" and event.style is None:
                raise self._error(event, "a merge key ('<<'); write the values out instead")
            if key == "":
                raise self._error(event, "an empty key; expected 'key: value'")
            inner = (*path, key)
            place = (event.start_mark.line + 1, event.start_mark.column + 1)
            if inner in self._keys:
                first = self._keys[inner][0]
                raise self._error(event, f"'{key[:40]}' is there twice (first on line {first})")
            self._keys[inner] = place
            data[key] = self._node(next(self._events), inner, place)
        return data

    def _sequence(self, path: DocumentPath) -> Data:
        data: list[Data] = []
        for event in self._events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            data.append(self._node(event, (*path, len(data)), self._values[path]))
        return data

    def _scalar(self, event: Any) -> Data:
        text = cast("str", event.value)
        if event.style is not None:  # quoted or a block: text
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _NOT_FINITE.fullmatch(text):
            raise self._error(event, f"{text} is not a finite number")
        is_int = _INT.fullmatch(text) is not None
        if not is_int and _FLOAT.fullmatch(text) is None:
            return text
        if len(text) > _MAX_DIGITS:
            raise self._error(event, f"a number of {len(text)} characters; expected at most {_MAX_DIGITS}")
        if is_int:
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise self._error(event, f"{text} is too large for a number")
        return number

    def _error(self, event: Any, message: str) -> InvalidInput:
        mark = event.start_mark
        return InvalidInput(message, source=self._source, line=mark.line + 1, column=mark.column + 1)

    def _syntax_error(self, problem: Any) -> InvalidInput:
        mark = problem.problem_mark or problem.context_mark
        said = str(problem.problem or problem.context or "cannot be read as YAML")
        if "'\\t'" in said:
            said = _TAB
        elif "mapping values are not allowed" in said:
            said = "a ':' where none may be; check the indentation, or put the text in quotes"
        elif "expected <block end>" in said:
            said = "this line does not fit the indentation of the lines above"
        elif "could not find expected ':'" in said:
            said = "expected 'key: value' with a ':' on this line"
        elif "cannot start any token" in said:
            said = said.replace("that cannot start any token", "where a value begins; put it in quotes")
        elif problem.context in _OPENED and problem.context_mark is not None:
            bracket, begun = _OPENED[problem.context], problem.context_mark
            said = f"{said}: the '{bracket}' of line {begun.line + 1}, column {begun.column + 1} is not closed"
        elif problem.context and problem.context != said:
            said = f"{said} ({problem.context})"
        for word, meant in _TOKENS.items():
            said = said.replace(word, meant)
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return InvalidInput(said, source=self._source, line=line, column=column)
