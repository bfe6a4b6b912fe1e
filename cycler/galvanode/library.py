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
    """Return the file that a person means: a path, or the plain name of one in the library's ``folder``.

    A path that leads nowhere is never taken for a name: the library's ``formation`` is not the ``mine/formation.yaml``
    that was meant. Raises ``InvalidInput`` that lists what the library has.
    """
    path = Path(name)
    if path.is_file():
        return path
    shelf = library() / folder
    named = shelf / f"{path}.yaml"
    if path.name == str(path) and named.is_file():
        return named
    known = sorted(item.stem for item in shelf.glob("*.yaml"))
    close = difflib.get_close_matches(path.name.lower().removesuffix(".yaml"), known, n=1)
    hint = f"; did you mean '{close[0]}'? Expected" if close else "; expected"
    said = f"no such file{hint} a path, or a name in the library: {', '.join(known)}"
    raise InvalidInput(said, source=path)
