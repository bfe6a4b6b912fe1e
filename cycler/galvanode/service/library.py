"""The recipes and cells that come with Galvanode, as the API shows them; read again when a file changed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import parse_recipe
from galvanode.service.checking import recipe_parameters
from galvanode.service.models import LibraryCell, LibraryRecipe


def recipes(folder: Path) -> list[LibraryRecipe]:
    """Return the recipes in a folder, by name; a file that is not valid says so in its description."""
    return [_recipe(path, _stamp(path)) for path in _files(folder)]


def cells(folder: Path) -> list[LibraryCell]:
    """Return the cells in the folder's ``cells``, by name."""
    return [_cell(path, _stamp(path)) for path in _files(folder / "cells")]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.yaml") if path.is_file())


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=256)
def _recipe(path: Path, stamp: tuple[int, int]) -> LibraryRecipe:
    del stamp  # part of the cache's key
    text = path.read_text(encoding="utf-8")
    try:
        recipe = parse_recipe(text, path.name)
    except InvalidInput as error:
        return LibraryRecipe(name=path.stem, title=path.stem, description=f"not valid: {error}", text=text)
    return LibraryRecipe(
        name=path.stem,
        title=recipe.title,
        description=recipe.description or None,
        text=text,
        parameters=recipe_parameters(recipe),
    )


@lru_cache(maxsize=256)
def _cell(path: Path, stamp: tuple[int, int]) -> LibraryCell:
    del stamp  # part of the cache's key
    text = path.read_text(encoding="utf-8")
    try:
        title = parse_cell(text, path.name).name
    except InvalidInput as error:
        title = f"{path.stem} (not valid: {error})"
    return LibraryCell(name=path.stem, title=title, text=text)
