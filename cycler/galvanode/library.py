"""The recipes, cells and benches that come with Galvanode."""

from __future__ import annotations

import difflib
from pathlib import Path

from galvanode.errors import InvalidInput


def library() -> Path:
    """Return the folder ``protocols``: inside the installed package, or at the top of a checkout."""
    packaged = Path(__file__).parent / "protocols"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "protocols"


def find_file(name: str | Path, folder: str = "") -> Path:
    """Return the file that a person means: a path, or the name of one in the library's ``folder``.

    Raises ``InvalidInput`` that lists what the library has.
    """
    path = Path(name)
    if path.is_file():
        return path
    shelf = library() / folder
    for candidate in (shelf / path.name, shelf / f"{path.name}.yaml"):
        if candidate.is_file():
            return candidate
    known = sorted(item.stem for item in shelf.glob("*.yaml"))
    close = difflib.get_close_matches(path.name.lower().removesuffix(".yaml"), known, n=1)
    hint = f"; did you mean '{close[0]}'? Expected" if close else "; expected"
    said = f"no such file{hint} a path, or a name in the library: {', '.join(known)}"
    raise InvalidInput(said, source=path)
