"""Ladders: variables that take one value after the other, without rounding."""

from __future__ import annotations

from fractions import Fraction as Exact

from galvanode.document import label
from galvanode.recipe.context import Context
from galvanode.recipe.looping import FromToBy
from galvanode.recipe.model import RepeatItem
from galvanode.recipe.program import OPEN_CIRCUIT
from galvanode.recipe.scope import Rungs
from galvanode.recipe.values import C_RATE, POTENTIAL, Value, is_difference
from galvanode.units import Quantity, format_quantity
from galvanode.yaml_text import DocumentPath

MAX_RUNGS = 10_000


def ladders_of(item: RepeatItem, path: DocumentPath, context: Context) -> dict[str, Rungs]:
    """Return the variables of a loop and their values, as many for each. Raises ``InvalidInput``."""
    ladders: dict[str, Rungs] = {}
    for name, spec in (item.ladder or {}).items():
        at = (*path, "ladder", name)
        if name == OPEN_CIRCUIT:
            raise context.error(at, f"'{name}' is the rest voltage of the cell; choose another name", key=True)
        if name in context.scope.parameters or name in context.scope.ladders:
            kind = "parameter" if name in context.scope.parameters else "ladder's variable"
            raise context.error(at, f"'{name}' is already a {kind}; choose another name", key=True)
        ladders[name] = _listed(spec, at, context) if isinstance(spec, tuple) else _spaced(spec, at, context)
    first = next(iter(ladders), "")
    for name, rungs in ladders.items():
        if len(rungs.values) != len(ladders[first].values):
            said = (
                f"'{name}' has {len(rungs.values)} values and '{first}' has {len(ladders[first].values)}; "
                "expected as many of each"
            )
            raise context.error((*path, "ladder", name), said, key=True)
    return ladders


def _listed(values: tuple[Value, ...], path: DocumentPath, context: Context) -> Rungs:
    if len(values) > MAX_RUNGS:
        said = f"{label(path)} has {len(values):,} values; expected at most {MAX_RUNGS:,}"
        raise context.error(path, said)
    first = context.fixed(values[0], None, (*path, 0))
    rest = [context.fixed(value, None, (*path, index)) for index, value in enumerate(values[1:], start=1)]
    for index, quantity in enumerate(rest, start=1):
        if quantity.dimension != first.dimension:
            due = f"the same dimension as '{first.text}'"
            said = f"{label(path)} has '{quantity.text}' in its list; expected {due}"
            raise context.error((*path, index), said)
    return _rungs((first, *rest), path, context)


def _rungs(values: tuple[Quantity, ...], path: DocumentPath, context: Context) -> Rungs:
    """Return the values of a variable, potentials among them as voltages at the terminals."""
    try:
        voltages = tuple(context.terminals.voltage(value) for value in values)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} {problem}") from None
    return Rungs(voltages[0].dimension, voltages)


def _spaced(spec: FromToBy, path: DocumentPath, context: Context) -> Rungs:
    start, to, by = (
        context.fixed(value, None, (*path, key))
        for key, value in (("from", spec.start), ("to", spec.to), ("by", spec.by))
    )
    if to.dimension != start.dimension:
        said = f"{label((*path, 'to'))} is '{to.text}'; expected the dimension of '{start.text}'"
        raise context.error((*path, "to"), said)
    if by.dimension != ("voltage" if start.dimension == POTENTIAL else start.dimension):
        due = "a voltage such as '0.1 V'" if start.dimension == POTENTIAL else f"the dimension of '{start.text}'"
        raise context.error((*path, "by"), f"{label((*path, 'by'))} is '{by.text}'; expected {due}")
    if not is_difference(by):
        due = "a difference in K, such as '10 K'"
        raise context.error((*path, "by"), f"{label((*path, 'by'))} is '{by.text}'; expected {due}")
    start, to = _rungs((start, to), path, context).values
    try:
        return Rungs(start.dimension, equal_steps(start, to, by))
    except ValueError as problem:
        raise context.error((*path, "by"), f"{label((*path, 'by'))} {problem}") from None


def equal_steps(start: Quantity, to: Quantity, by: Quantity) -> tuple[Quantity, ...]:
    """Return start, start + by, ... up to and including ``to``, exactly: 0.05 to 4 by 0.05 are 80 values.

    Raises ``ValueError`` for a step of zero, one that leads away, and for more than ``MAX_RUNGS`` values.
    """
    if by.exact == 0:
        raise ValueError(f"is '{by.text}'; expected a step other than 0")
    count = (to.exact - start.exact) // by.exact + 1
    if count < 1:
        raise ValueError(f"is '{by.text}', which leads away from '{to.text}'; expected the other sign")
    if count > MAX_RUNGS:
        raise ValueError(f"is '{by.text}', which makes {count:,} values; expected at most {MAX_RUNGS:,}")
    unit = _shared_unit(start, by)
    return tuple(_rung(start.exact + turn * by.exact, start, unit) for turn in range(count))


def _shared_unit(start: Quantity, by: Quantity) -> tuple[str, Exact] | None:
    """Return the unit in which a rung can be written the way the recipe writes it, with its size in SI."""
    for quantity in (start, by):
        number, _, unit = quantity.text.partition(" ")
        if unit and quantity.exact:
            return unit, quantity.exact / Exact(number)
    return None


def _rung(exact: Exact, like: Quantity, unit: tuple[str, Exact] | None) -> Quantity:
    if like.dimension in ("temperature", "voltage"):  # one has its zero elsewhere, the other perhaps a reference
        text = format_quantity(float(exact), like.dimension)
    elif like.dimension == C_RATE:
        text = f"{float(exact):.9g}C"
    else:
        text = f"{float(exact):.9g}" if unit is None else f"{float(exact / unit[1]):.9g} {unit[0]}"
    return Quantity(exact, like.dimension, text)
