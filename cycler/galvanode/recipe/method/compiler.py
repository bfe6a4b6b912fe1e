"""A recipe, bound to a cell and to its parameters, becomes a program."""

from __future__ import annotations

from collections.abc import Mapping

from galvanode.cell import CellUnderTest
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.limits import of_cell
from galvanode.recipe.compiling.scope import Scope
from galvanode.recipe.language.parameter import set_parameters
from galvanode.recipe.language.terminals import terminals_of
from galvanode.recipe.method.blocks import Method, frame_of
from galvanode.recipe.method.calls import assigned_in, resolve
from galvanode.recipe.method.reader import Recipe
from galvanode.recipe.operand import NOMINAL_CAPACITY
from galvanode.recipe.program import Program


def compile_recipe(recipe: Recipe, cell: CellUnderTest, parameters: Mapping[str, str] | None = None) -> Program:
    """Return the program of a recipe on a cell.

    ``parameters`` are overrides as a person writes them: ``{"step": "0.2 mA/cm^2"}``. Deterministic; reads nothing
    but the recipes that it calls and the profiles that it names. Raises ``InvalidInput``: with its place for what the
    recipe says, without one for an override that is unknown, of another dimension or out of its range.
    """
    calls = resolve(recipe)
    envelope = of_cell(cell.envelope_limits())
    terminals = terminals_of(cell)
    values = set_parameters(recipe.document, recipe.parameters, parameters or {}, terminals)
    counting = any(NOMINAL_CAPACITY in assigned_in(one) for one in (recipe, *calls.recipes))
    method = Method(calls, terminals)
    frame = frame_of(recipe, "", method.ways)
    scope = Scope(values, terminals, late=frame.late, counting=counting)
    context = Context(
        recipe.document,
        terminals,
        cell=envelope,
        scope=scope,
        bounds=envelope,
        shelf=recipe.shelf,
        labels=frame.labels,
    )
    context = context.with_safety(recipe.text.safety, ("safety",), "the recipe's 'safety'", loosest_s=float("inf"))
    context = context.with_record(recipe.text.record, ("record",))
    initially = method.initial(frame, values, context)
    method.compile(frame, context)
    return Program(
        title=recipe.title,
        instructions=method.finished(initially),
        safety=context.bounds.limits,
        parameters={name: value.text for name, value in values.items()},
        variables=initially,
        auxiliaries=context.auxiliaries,
        analyses=tuple(dict.fromkeys(name for one in (recipe, *calls.recipes) for name in one.analyses)),
    )
