"""Versions of the recipe language: an old one is brought up to date in memory, a later one is refused by name."""

from __future__ import annotations

import re

from galvanode.document import Document, found, label
from galvanode.yaml_text import Data, DocumentPath

VERSION = 2
"""Of the recipe language."""


def migrated(document: Document) -> Document:
    """Return a recipe's document in the present version of the language, its places as they were.

    A document without ``version`` is one of version 1. Raises ``InvalidInput`` for a version that does not exist yet.
    """
    data = document.data
    if not isinstance(data, dict):
        return document
    version = data.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        due = "1 or 2" if VERSION == 2 else f"1 to {VERSION}"
        raise document.error(("version",), f"'version' is {found(version)}; expected {due}")
    if version > VERSION:
        said = f"version {version}; this Galvanode reads up to {VERSION}"
        raise document.error(("version",), said)
    return _from_1(document) if version == 1 else document


_RETENTION = re.compile(r".{1,60}? +of +cycle +[1-9][0-9]{0,6}", re.ASCII)


def _from_1(document: Document) -> Document:
    """Bring ``until_retention: 80 % of cycle 1`` up to date: it is a ``stop_when`` now."""
    moved: dict[DocumentPath, DocumentPath] = {}
    data = _renewed(document, document.data, (), moved)
    return document.rearranged(data, moved) if moved else document


def _renewed(document: Document, node: Data, path: DocumentPath, moved: dict[DocumentPath, DocumentPath]) -> Data:
    """Return a value of the document, and what is in it, in the present language."""
    if isinstance(node, list):
        return [_renewed(document, inner, (*path, index), moved) for index, inner in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if "repeat" in node and "until_retention" in node and isinstance(path[-1] if path else None, int):
        node = _with_stop(document, node, path, moved)
    return {key: _renewed(document, inner, (*path, key), moved) for key, inner in node.items()}


def _with_stop(
    document: Document, item: dict[str, Data], path: DocumentPath, moved: dict[DocumentPath, DocumentPath]
) -> dict[str, Data]:
    old, new = (*path, "until_retention"), (*path, "stop_when")
    text = item["until_retention"]
    if not isinstance(text, str) or _RETENTION.fullmatch(text.strip()) is None:
        raise document.error(old, f"{label(old)} is {found(text)}; expected such as '80 % of cycle 1'")
    before: list[Data] = []
    if "stop_when" in item:
        stops = item["stop_when"]
        before = stops if isinstance(stops, list) else [stops]
        if not isinstance(stops, list):
            moved[new] = (*new, 0)
    moved[old] = (*new, len(before)) if before else new
    changed = {key: value for key, value in item.items() if key not in ("until_retention", "stop_when")}
    said = f"retention <= {text.strip()}"
    changed["stop_when"] = [*before, said] if before else said
    return changed
