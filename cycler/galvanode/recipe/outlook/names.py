"""Names that a recipe gives and never uses: parameters, variables of ladders, variables that it sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from galvanode.document import Document
from galvanode.recipe.operand import NOMINAL_CAPACITY
from galvanode.yaml_text import DocumentPath

_NAME = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


class Unused(NamedTuple):
    """A name, and where it is given."""

    kind: str
    """For people: ``parameter``, ``variable``, ``ladder's variable``."""
    name: str
    line: int


def unused_names(document: Document) -> list[Unused]:
    """Return the names that are given in a recipe's document, and that no ``$name`` in it stands for."""
    nodes = list(_walk(document.data, ()))
    used: dict[str, list[DocumentPath]] = {}
    for path, node in nodes:
        for name in _NAME.findall(node) if isinstance(node, str) else ():
            used.setdefault(name, []).append(path)
    given = list(_given(nodes))
    parameters = {name for kind, name, _ in given if kind == "parameter"}
    return [
        Unused(kind, name, document.place(path, key=True)[0])
        for kind, name, path in given
        if not (kind != "parameter" and (name in parameters or name == NOMINAL_CAPACITY))
        # Where a name is given it may be spoken of: a variable's own value before, a parameter's own range.
        and all(place[: len(path)] == path for place in used.get(name, ()))
    ]


def _given(nodes: list[tuple[DocumentPath, object]]) -> Iterator[tuple[str, str, DocumentPath]]:
    """Yield every name that is given: what it is, the name, its path."""
    for path, node in nodes:
        if not path or not isinstance(node, dict):
            continue
        names = cast("Mapping[str, Any]", node)
        if path == ("parameters",):
            kind = "parameter"
        elif path[0] == "method" and path[-1] == "set" and isinstance(path[-2], int):
            kind = "variable"
        elif path[0] == "method" and path[-1] == "ladder":
            kind = "ladder's variable"
        else:
            continue
        for name in names:
            yield kind, name, (*path, name)


def _walk(node: object, path: DocumentPath) -> Iterator[tuple[DocumentPath, object]]:
    """Yield every value of a document with its path."""
    yield path, node
    items: Iterable[tuple[str | int, object]] = ()
    if isinstance(node, dict):
        items = cast("Mapping[str, object]", node).items()
    elif isinstance(node, list):
        items = enumerate(cast("list[object]", node))
    for key, value in items:
        yield from _walk(value, (*path, key))
