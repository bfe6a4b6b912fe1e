"""YAML recipe -> validated recipe -> program of plain data.

Pure: no instrument, no clock, no I/O but the files it is given.
"""

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
