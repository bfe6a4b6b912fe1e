"""What the tests of both formats share."""

from __future__ import annotations

from typing import Any

from galvanode.cell import parse_cell
from galvanode.recipe import compile_recipe, parse_recipe

CELL = parse_cell(
    """\
name: Cell
area: 0.785 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 4 mAh
reference_offset: 0.62 V
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 100 mA}}
""",
    "cell.yaml",
)

_FOR_PEOPLE = {"title", "text", "line", "parameters"}


def program(recipe: str) -> Any:
    """Return what a recipe does, without its words and lines."""
    return bare(compile_recipe(parse_recipe(recipe, "recipe.yaml"), CELL, {}).model_dump())


def bare(value: Any) -> Any:
    """Return plain data without what is only for people."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if key not in _FOR_PEOPLE}
    return [bare(inner) for inner in value] if isinstance(value, (list, tuple)) else value
