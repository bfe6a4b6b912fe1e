"""YAML recipe -> validated recipe -> program of plain data.

Pure: no instrument, no clock, no I/O but the files it is given.
"""

from galvanode.recipe.compiler import compile_recipe
from galvanode.recipe.describe import Row, describe
from galvanode.recipe.estimate import Bounds, Estimate, estimate
from galvanode.recipe.reader import Recipe, parse_recipe, read_recipe

__all__ = [
    "Bounds",
    "Estimate",
    "Recipe",
    "Row",
    "compile_recipe",
    "describe",
    "estimate",
    "parse_recipe",
    "read_recipe",
]
