"""The files that a recipe may name: those beside it, then those of the library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from galvanode.library import library

MAX_BYTES = 5_000_000
"""Of one file."""


class Shelf:
    """Files by name, never by path: of a folder, or sent along with the recipe; then those of the library.

    What was taken from beside the recipe is kept in ``used``, so that it can be sent along.
    """

    def __init__(self, folder: Path | None = None, files: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.used: dict[str, str] = {}
        self._files = dict(files or {})

    def beside(self, name: str) -> str | None:
        """Return the text of a file beside the recipe; None where there is none. Raises ``ValueError``."""
        if Path(name).name != name:
            return None
        text = self._files.get(name)
        if text is None and self.folder is not None:
            text = _text(self.folder / name)
        if text is not None:
            self.used[name] = text
        return text

    def find(self, name: str, under: str) -> str | None:
        """Return the text of a file beside the recipe, or in the library's folder ``under``. Raises ``ValueError``."""
        text = self.beside(name)
        return text if text is not None or Path(name).name != name else _text(library() / under / name)

    def names(self, suffix: str, under: str = "") -> list[str]:
        """Return the names that there are, for a message."""
        folders = [library() / under, *(() if self.folder is None else (self.folder,))]
        found = {path.name for folder in folders for path in folder.glob(f"*{suffix}")}
        return sorted(found | {name for name in self._files if name.endswith(suffix)})


def _text(path: Path) -> str | None:
    """Return the text of a file; None where there is none. Raises ``ValueError`` that goes on after its name."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as problem:
        raise ValueError(f" cannot be read: {problem.strerror or problem}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f" is larger than {MAX_BYTES / 1e6:g} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(" is not UTF-8 text; save the file as UTF-8") from None
