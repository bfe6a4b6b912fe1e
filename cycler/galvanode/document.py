"""A file that a person wrote: plain data whose values know their place, and its way into a pydantic model."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from galvanode.errors import InvalidInput
from galvanode.yaml_text import MAX_BYTES, Data, DocumentPath, Places, load

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, eq=False)
class Document:
    """What a file says and where it says it."""

    source: str
    data: Data
    _values: Places = field(repr=False)
    _keys: Places = field(repr=False)

    def place(self, path: Iterable[str | int], key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at ``path``, or of its key.

        Where the document has no such path, the place of the longest part of it that exists.
        """
        path = tuple(path)
        if key and path in self._keys:
            return self._keys[path]
        while path not in self._values:
            path = path[:-1]
        return self._values[path]

    def at(self, path: Iterable[str | int]) -> Data:
        """Return the value at ``path``; None where there is none."""
        node = self.data
        for part in path:
            node = _child(node, part)
            if node is _ABSENT:
                return None
        return cast("Data", node)

    def rearranged(self, data: Data, moved: Mapping[DocumentPath, DocumentPath]) -> Document:
        """Return the document with other data, whose values know the places of what they were made from.

        ``moved`` says what became of a path, and of all below it; anything else stays where it was.
        """
        values, keys = (
            {_moved(path, moved): place for path, place in all_.items()} for all_ in (self._values, self._keys)
        )
        return Document(self.source, data, values, keys)

    def error(self, path: Iterable[str | int], message: str, key: bool = False) -> InvalidInput:
        """Return (not raise) the error that a person sees for the value, or the key, at ``path``."""
        line, column = self.place(path, key)
        return InvalidInput(message, source=self.source, line=line, column=column)


def _moved(path: DocumentPath, moved: Mapping[DocumentPath, DocumentPath]) -> DocumentPath:
    for length in range(len(path), 0, -1):
        if path[:length] in moved:
            return moved[path[:length]] + path[length:]
    return path


_ABSENT = object()


def _child(node: object, part: str | int) -> object:
    """Return the value in a mapping or list, or ``_ABSENT``."""
    if isinstance(node, dict) and isinstance(part, str):
        return cast("dict[str, object]", node).get(part, _ABSENT)
    if isinstance(node, list) and isinstance(part, int) and 0 <= part < len(node):
        return cast("list[object]", node)[part]
    return _ABSENT


def read_document(path: Path) -> Document:
    """Read a YAML file. Raises ``InvalidInput``, also where the file cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise InvalidInput(f"cannot be read: {reason}", source=path) from None
    if len(content) > MAX_BYTES:
        raise InvalidInput("is larger than 1 MiB; expected a text that a person wrote", source=path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = content[: problem.start]
        raise InvalidInput(
            "is not UTF-8 text here; save the file as UTF-8",
            source=path,
            line=before.count(b"\n") + 1,
            column=problem.start - (before.rfind(b"\n") + 1) + 1,
        ) from None
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Read YAML text; ``source`` names it in errors. Raises ``InvalidInput`` with line and column."""
    data, values, keys = load(text, source)
    return Document(source, data, values, keys)


def validate(document: Document, model: type[ModelT], at: DocumentPath = ()) -> ModelT:
    """Return the value at ``at`` as a pydantic model.

    Raises ``InvalidInput`` for the first fault, with its place, what was found and what was expected. An
    unknown key comes before what it may have caused: a missing one.
    """
    try:
        return model.model_validate(document.at(at))
    except ValidationError as problem:
        faults = [_Fault(document, model, at, cast("dict[str, Any]", error)) for error in problem.errors()]
        raise min(faults, key=lambda fault: fault.order).as_error() from None


def place_of(path: DocumentPath, message: str, key: bool = False) -> PydanticCustomError:
    """Return an error for a validator to raise.

    ``message`` is shown as it stands, at ``path`` below the value validated.
    """
    context: dict[str, Any] = {"at": path, "key": key, "said": message}
    return PydanticCustomError("placed", "{said}", context)


class Section(BaseModel):
    """A mapping in a file: only the keys it knows, and none of them left empty."""

    # Deferred: a recipe uses few of the verbs, and to build the validators of all takes a third of a second.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_empty(cls, data: object) -> object:
        """Refuse ``max:`` without a value, which would otherwise read as no limit at all."""
        if isinstance(data, dict):
            for key, value in cast("dict[str, object]", data).items():
                if value is None and key in cls._optional_keys():
                    said = f"'{key}' is empty; expected a value, or no '{key}' at all"
                    raise place_of((key,), said, key=True)
        return cast("object", data)

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what a JSON Schema of it demands beside the fields, all of it."""
        return []

    @classmethod
    def kind_of(cls, value: object) -> type[Section]:
        """Return the model that reads a value where this one is said to stand: itself, unless it is one of several."""
        del value
        return cls

    @classmethod
    def _optional_keys(cls) -> set[str]:
        fields = cls.model_fields.items()
        return {info.alias or name for name, info in fields if not info.is_required()}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'current'?``, or what is known, to end a message with."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; expected {listed(names)}" if names else ""


def listed(names: Iterable[str]) -> str:
    """Return ``'a', 'b' or 'c'``."""
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" or {quoted[-1]}"


def found(value: object) -> str:
    """Return words for what a person wrote: ``'5 A'``, ``a list``, ``true``, ``empty``."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{_short(value)}'"
    if isinstance(value, (int, float)):
        return _short(str(value))
    return "a mapping" if isinstance(value, dict) else "a list"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."


class _Fault:
    """One error of pydantic's, in the words and at the place of the file."""

    def __init__(self, document: Document, model: type[BaseModel], at: DocumentPath, error: dict[str, Any]) -> None:
        self._document = document
        self._kind = cast("str", error["type"])
        self._said = cast("str", error["msg"])
        self._context = cast("dict[str, Any]", error.get("ctx") or {})
        location = cast("DocumentPath", error["loc"])
        self._model = model
        self._at = at
        self._missing = location[-1] if self._kind == "missing" else None
        self._path = at + _existing(document.at(at), location)
        self._location = location
        self._on_key = self._kind == "extra_forbidden"
        if self._kind == "placed":
            self._path += tuple(self._context["at"])
            self._on_key = bool(self._context["key"])

    @property
    def order(self) -> tuple[bool, bool, tuple[int, int]]:
        return self._kind != "extra_forbidden", self._missing is not None, self._place()

    def _place(self) -> tuple[int, int]:
        return self._document.place(self._path, self._on_key)

    def as_error(self) -> InvalidInput:
        return self._document.error(self._path, self._message(), self._on_key)

    def _message(self) -> str:
        if self._kind == "placed":
            return self._said
        name = label(self._path)
        if self._kind == "extra_forbidden":
            word = str(self._path[-1])
            known = _keys_at(self._model, self._location[:-1], self._document.at(self._at))
            where = label(self._path[:-1])
            inside = f" in {where}" if where != _WHOLE else ""
            return f"unknown key '{_short(word)}'{inside}{did_you_mean(word, known)}"
        if self._missing is not None:
            return f"'{self._missing}' is missing" + (f" in {name}" if name != _WHOLE else "")
        data = self._document.at(self._path)
        value = "empty" if data in ([], {}, "") else found(data)
        if self._kind == "value_error":
            said = self._said.removeprefix("Value error, ")
            return f"{name} {said}" if said.startswith("is ") else f"{name}: {said}"
        return f"{name} is {value}; {self._expectation(value)}"

    def _expectation(self, value: str) -> str:
        if self._kind in ("model_type", "dict_type", "model_attributes_type"):
            return "expected a mapping ('key: value')"
        if self._kind in ("list_type", "tuple_type"):
            return "expected a list ('- ...')"
        if self._kind == "string_type":
            return "expected text" + (f", such as '{value}' in quotes" if value not in _NO_TEXT else "")
        if self._kind.startswith(("int_", "int")):
            return "expected a whole number"
        if self._kind.startswith("bool"):
            return "expected true or false"
        if self._kind == "literal_error":
            return f"expected {self._context.get('expected', '')}"
        if self._kind in ("too_short", "string_too_short"):
            return "expected something in it"
        if self._kind in ("too_long", "string_too_long"):
            what = "characters" if "string" in self._kind else "items"
            return f"expected at most {self._context['max_length']:,} {what}"
        if self._kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
            return f"expected a value {self._said.removeprefix('Input should be ')}"
        said = self._said.removeprefix("Input should be ").removeprefix("Input should ")
        return f"expected {said}"


_NO_TEXT = ("empty", "a mapping", "a list")
_WHOLE = "the file"


def label(path: DocumentPath) -> str:
    """Return what a message calls a value: the last two names of its path, ``'voltage.max'``."""
    names = [str(part) for part in path if isinstance(part, str)][-2:]
    return f"'{'.'.join(names)}'" if names else _WHOLE


def _existing(node: object, location: DocumentPath) -> DocumentPath:
    """Return the parts of pydantic's location that the document has (not its tags of unions)."""
    path: list[str | int] = []
    for part in location:
        child = _child(node, part)
        if child is not _ABSENT:
            node = child
            path.append(part)
    return tuple(path)


def _keys_at(model: type[BaseModel], location: DocumentPath, value: object) -> set[str]:
    """Return the keys that the model at a location of pydantic's knows; ``value`` is what the whole model reads."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        models = [_kind_of(candidate, value) for candidate in models]
        child = _child(value, part)
        value = value if child is _ABSENT else child
        if isinstance(part, int):
            continue
        inner = [
            found_model
            for candidate in models
            for name, info in candidate.model_fields.items()
            if part in (name, info.alias)
            for found_model in _models_in(info.annotation)
        ]
        named = [candidate for candidate in models if candidate.__name__ == part]
        models = inner or named or models
    fields = [field for candidate in models for field in _kind_of(candidate, value).model_fields.items()]
    return {info.alias or name for name, info in fields}


def _kind_of(model: type[BaseModel], value: object) -> type[BaseModel]:
    return model.kind_of(value) if issubclass(model, Section) else model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, list, dict, tuple):
        for argument in get_args(annotation):
            yield from _models_in(argument)
