"""A value of a recipe becomes a number at the terminals, or the variable that holds it, checked on this cell."""

from __future__ import annotations

from typing import cast

from galvanode.document import label
from galvanode.recipe.condition import COUNTED, DIMENSIONS_OF, Until
from galvanode.recipe.context import LONGEST_S, Context
from galvanode.recipe.limits import lies_in, window_text
from galvanode.recipe.program import Condition, Operand, Variable, Window
from galvanode.recipe.program import Quantity as Measured
from galvanode.recipe.scope import Rungs
from galvanode.recipe.values import C_RATE, Reference, Value, expected_words
from galvanode.units import Quantity, format_quantity
from galvanode.yaml_text import DocumentPath

_MEASURED: dict[str, Measured] = {
    "time": "time",
    "voltage": "voltage",
    "current": "current",
    "current_density": "current",
    C_RATE: "current",
    "charge": "charge",
    "areal_charge": "charge",
    "energy": "energy",
    "temperature": "temperature",
}
"""Dimension in the recipe -> what the engine measures at the terminals."""


def operand(
    value: Value,
    dimensions: tuple[str, ...],
    path: DocumentPath,
    context: Context,
    *,
    sign: float = 1.0,
    above_zero: bool = False,
) -> Operand:
    """Return a number in SI at the terminals, or the variable that holds it; checked for every turn.

    The value may have any of the ``dimensions``. Raises ``InvalidInput`` with its place.
    """
    try:
        found = context.scope.look_up(value, *dimensions)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} {problem}") from None
    try:
        factor = sign * context.terminals.factor(found.dimension)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} is '{context.text(value)}', {problem}") from None
    for quantity in found.values if isinstance(found, Rungs) else (found,):
        fault = _fault(quantity, factor, context, above_zero=above_zero)
        if fault is not None:
            named = f"is '{value.text}', which is" if isinstance(value, Reference) else "is"
            raise context.error(path, f"{label(path)} {named} '{quantity.text}'{fault}")
    if isinstance(found, Rungs):
        return Variable(name=cast("Reference", value).name, factor=factor)
    return found.si * factor


def _fault(value: Quantity, factor: float, context: Context, *, above_zero: bool) -> str | None:
    """Return what is wrong with asking an instrument for this value on this cell; None if nothing."""
    dimension = value.dimension
    if above_zero and value.exact <= 0:
        return f"; expected {expected_words(dimension)}, above 0"
    if (dimension in COUNTED or dimension == "time") and value.exact < 0:
        return "; expected 0 or more"
    if dimension == "time" and value.exact > LONGEST_S:
        return "; expected at most 30 years"
    measured = _MEASURED[dimension]
    if measured in ("voltage", "current", "temperature"):
        number = value.si * factor
        shown, is_what = (
            (measured, f" or {format_quantity(number, measured)}") if dimension == C_RATE else (dimension, "")
        )
        for bounds in (context.cell, context.bounds):
            window = cast("Window", getattr(bounds.limits, measured))
            if not lies_in(window, number):
                allowed = window_text(window, shown, context.terminals.area)
                return f"{is_what}, outside {bounds.origin} ({allowed})"
    return None


def condition(until: Until, path: DocumentPath, context: Context, *, magnitude: bool = False) -> Condition:
    """Return an end condition; with ``magnitude`` a current counts without its sign. Raises ``InvalidInput``."""
    number = operand(until.value, DIMENSIONS_OF[until.name], path, context)
    text = f"{until.name} {until.symbol} {context.text(until.value)}"
    quantity = _MEASURED[DIMENSIONS_OF[until.name][0]]
    if until.name == "current_magnitude" or (magnitude and quantity == "current"):
        quantity = "current_magnitude"
    return Condition(quantity=quantity, comparison=until.comparison, value=number, text=text)


def duration(value: Value | None, path: DocumentPath, context: Context) -> tuple[Condition, ...]:
    """Return the condition that a ``for`` is: none without one. Raises ``InvalidInput``."""
    if value is None:
        return ()
    number = operand(value, ("time",), path, context)
    return (Condition(quantity="time", comparison=">=", value=number, text=f"for {context.text(value)}"),)


def conditions(
    untils: tuple[Until, ...], path: DocumentPath, context: Context, *, magnitude: bool = False
) -> tuple[Condition, ...]:
    """Return the conditions of an ``until`` at ``path``. Raises ``InvalidInput``."""
    places = places_of(untils, path, context)
    return tuple(condition(until, at, context, magnitude=magnitude) for until, at in zip(untils, places, strict=True))


def places_of(untils: tuple[Until, ...], path: DocumentPath, context: Context) -> list[DocumentPath]:
    """Return where each condition stands: an ``until`` is a list or a single one."""
    listed = isinstance(context.document.at(path), list)
    return [(*path, index) if listed else path for index in range(len(untils))]
