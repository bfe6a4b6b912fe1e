"""Checking a recipe before anything is started: read and compiled as the engine will, and told in words."""

from __future__ import annotations

import math

from galvanode.cell import parse_cell
from galvanode.recipe import Recipe, compile_recipe, describe, estimate, parse_recipe
from galvanode.recipe.outlook.warnings import warnings_of
from galvanode.recipe.program import Program
from galvanode.service.models import CheckRequest, RecipeParameter, Schedule, ScheduleLine, ScheduleWarning
from galvanode.units import format_quantity

MOST_LINES = 500


def check(request: CheckRequest) -> Schedule:
    """Return what would be run; without a cell there are no lines. Raises ``InvalidInput`` with its place."""
    recipe = parse_recipe(request.recipe, request.recipe_name)
    if request.cell is None:
        return Schedule(title=recipe.title, parameters=recipe_parameters(recipe), analyses=list(recipe.analyses))
    cell = parse_cell(request.cell, request.cell_name)
    program = compile_recipe(recipe, cell, request.parameters)
    found = estimate(program)
    return Schedule(
        title=program.title,
        parameters=recipe_parameters(recipe),
        values=dict(program.parameters),
        lines=[ScheduleLine.model_validate(row._asdict()) for row in describe(program)[:MOST_LINES]],
        shortest_s=found.duration_s.low,
        longest_s=_finite(found.duration_s.high),
        most_samples=_finite(found.samples.high),
        limits=_limits(program, cell.area),
        analyses=list(program.analyses),
        warnings=[ScheduleWarning.model_validate(item._asdict()) for item in warnings_of(program, recipe)[:MOST_LINES]],
    )


def recipe_parameters(recipe: Recipe) -> list[RecipeParameter]:
    """Return what may be set when the recipe is started, as its author wrote it."""
    return [
        RecipeParameter(
            name=name,
            default=parameter.default.text,
            min=None if parameter.min is None else parameter.min.text,
            max=None if parameter.max is None else parameter.max.text,
        )
        for name, parameter in recipe.parameters.items()
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _limits(program: Program, area_m2: float) -> list[str]:
    """Return what trips the run, in words."""
    found: list[str] = []
    for name, window in program.safety.windows().items():
        dimension = program.auxiliaries.get(name, name)
        if window.min is not None:
            found.append(f"{name} below {format_quantity(window.min, dimension)}")
        if window.max is not None:
            text = f"{name} above {format_quantity(window.max, dimension)}"
            if name == "current":
                text += f" ({format_quantity(window.max / area_m2, 'current_density')})"
            found.append(text)
    return found
