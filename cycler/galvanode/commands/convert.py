"""``galvanode convert``: recipes from other programs, and for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from galvanode.cell import read_cell
from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput
from galvanode.exchange import FORMATS, Format, Leaving, convert, exported, format_of
from galvanode.library import find_file
from galvanode.recipe import read_recipe
from galvanode.yaml_text import MAX_BYTES

_SUFFIXES: dict[str, Format] = {
    ".yaml": "galvanode",
    ".yml": "galvanode",
    ".json": "unicycler",
    ".py": "pybamm",
    ".txt": "pybamm",
}


def convert_file(
    source: Path,
    target: Path,
    *,
    is_: str | None,
    to: str | None,
    cell: Path | None,
    parameters: dict[str, str],
    leave_out: Sequence[str],
    force: bool,
) -> list[str]:
    """Write ``source`` in another format to ``target``; return what was left out, and other notes, line by line.

    Raises ``InvalidInput`` with the place of what cannot be read or said; then nothing is written.
    """
    if source.suffix in ("", ".yaml", ".yml"):
        source = find_file(source)
    text = _read(source)
    from_ = _format(is_, "--from") or format_of(text)
    if from_ is None:
        raise InvalidInput(f"is of no format that it shows; say which with --from: {_known()}", source=source)
    into = _format(to, "--to") or _SUFFIXES.get(target.suffix.lower())
    if into is None:
        raise InvalidInput(f"its name says no format; say which with --to: {_known()}", source=target)
    leaving = Leaving(leave_out)
    under_test = None if cell is None else read_cell(find_file(cell, "cells"))
    if from_ == "galvanode" and into != from_:  # from the file, beside which the recipes are that it calls
        converted = exported(read_recipe(source), into, under_test, parameters, leaving)
    else:
        converted = convert(text, str(source), from_, into, cell=under_test, parameters=parameters, leaving=leaving)
    _write(target, converted, force)
    return leaving.notes


def _known() -> str:
    return ", ".join(FORMATS[:-1]) + f" or {FORMATS[-1]}"


def _format(name: str | None, option: str) -> Format | None:
    for known in FORMATS:
        if name == known:
            return known
    if name is not None:
        raise InvalidInput(f"{option} is '{name[:40]}'{did_you_mean(name, FORMATS)}")
    return None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise InvalidInput(f"cannot be read: {problem.strerror or problem}", source=path) from None
    if len(content) > MAX_BYTES:
        raise InvalidInput("is larger than 1 MiB; expected a recipe, not data", source=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        column = problem.start - (content.rfind(b"\n", 0, problem.start) + 1) + 1
        raise InvalidInput("is not UTF-8 text here", source=path, line=line, column=column) from None


def _write(path: Path, text: str, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidInput("is there already; choose another name, or say --force", source=path) from None
    except OSError as problem:
        raise InvalidInput(f"cannot be written: {problem.strerror or problem}", source=path) from None
