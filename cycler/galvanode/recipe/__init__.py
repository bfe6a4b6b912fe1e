"""YAML recipe -> validated recipe -> program of plain data.

Pure: no instrument, no clock, no I/O but the files it is given. What reads and compiles is imported when it is first
asked for: an engine carries programs out without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galvanode.recipe.method.calls import files_beside
    from galvanode.recipe.method.compiler import compile_recipe
    from galvanode.recipe.method.reader import Recipe, parse_recipe, read_recipe
    from galvanode.recipe.outlook.describe import Row, describe
    from galvanode.recipe.outlook.estimate import Bounds, Estimate, estimate

__all__ = [
    "Bounds",
    "Estimate",
    "Recipe",
    "Row",
    "compile_recipe",
    "describe",
    "estimate",
    "files_beside",
    "parse_recipe",
    "read_recipe",
]

_WHERE = {
    "files_beside": "method.calls",
    "compile_recipe": "method.compiler",
    "Recipe": "method.reader",
    "parse_recipe": "method.reader",
    "read_recipe": "method.reader",
    "Row": "outlook.describe",
    "describe": "outlook.describe",
    "Bounds": "outlook.estimate",
    "Estimate": "outlook.estimate",
    "estimate": "outlook.estimate",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
