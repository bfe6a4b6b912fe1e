"""Ladders: variables that take one value after the other, without rounding."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction as Exact

from galvanode.document import label
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.scope import Rungs
from galvanode.recipe.language.looping import MAX_PER_DECADE, Spaced
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, Value, is_difference
from galvanode.recipe.method.model import RepeatItem
from galvanode.recipe.operand import Variable
from galvanode.units import Quantity, format_quantity
from galvanode.yaml_text import DocumentPath

MAX_RUNGS = 10_000


def ladders_of(item: RepeatItem, path: DocumentPath, context: Context) -> dict[str, Rungs]:
    """Return the variables of a loop and their values, as many for each. Raises ``InvalidInput``."""
    ladders: dict[str, Rungs] = {}
    for name, spec in (item.ladder or {}).items():
        at = (*path, "ladder", name)
        taken = context.scope.taken(name)
        if taken is not None:
            raise context.error(at, f"'{name}' is {taken}; choose another name", key=True)
        found = _listed(spec, at, context) if isinstance(spec, tuple) else _spaced(spec, at, context)
        ladders[name] = replace(found, operand=Variable(name=context.scope.prefix + name), loop=context.depth + 1)
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
    return Rungs(voltages[0].dimension, voltages, 0.0)


def _spaced(spec: Spaced, path: DocumentPath, context: Context) -> Rungs:
    start, to = (context.fixed(value, None, (*path, key)) for key, value in (("from", spec.start), ("to", spec.to)))
    if to.dimension != start.dimension:
        said = f"{label((*path, 'to'))} is '{to.text}'; expected the dimension of '{start.text}'"
        raise context.error((*path, "to"), said)
    if spec.by is not None:
        return _equal(spec.by, start, to, path, context)
    key = "factor" if spec.factor is not None else "points_per_decade"
    at = (*path, key)
    for end, quantity in (("from", start), ("to", to)):
        if quantity.exact == 0 or quantity.dimension == POTENTIAL or not is_difference(quantity):
            due = "a value other than 0" if quantity.exact == 0 else "a plain quantity, not a point on a scale"
            said = f"{label((*path, end))} is '{quantity.text}'; expected {due} beside '{key}'"
            raise context.error((*path, end), said)
    if (start.exact < 0) != (to.exact < 0):
        said = f"{label((*path, 'to'))} is '{to.text}'; expected the sign of '{start.text}' beside '{key}'"
        raise context.error((*path, "to"), said)
    try:
        if spec.factor is not None:
            values = equal_factors(start, to, context.fixed(spec.factor, NUMBER, at))
        else:
            per_decade = context.whole(spec.points_per_decade or 0, MAX_PER_DECADE, at)
            values = equal_shares(start, to, per_decade)
    except ValueError as problem:
        raise context.error(at, f"{label(at)} {problem}") from None
    return Rungs(start.dimension, values, 0.0)


def _equal(step: Value, start: Quantity, to: Quantity, path: DocumentPath, context: Context) -> Rungs:
    at = (*path, "by")
    by = context.fixed(step, None, at)
    if by.dimension != ("voltage" if start.dimension == POTENTIAL else start.dimension):
        due = "a voltage such as '0.1 V'" if start.dimension == POTENTIAL else f"the dimension of '{start.text}'"
        raise context.error(at, f"{label(at)} is '{by.text}'; expected {due}")
    if not is_difference(by):
        due = "a difference in K, such as '10 K'"
        raise context.error(at, f"{label(at)} is '{by.text}'; expected {due}")
    start, to = _rungs((start, to), path, context).values
    try:
        return Rungs(start.dimension, equal_steps(start, to, by), 0.0)
    except ValueError as problem:
        raise context.error(at, f"{label(at)} {problem}") from None


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


def equal_factors(start: Quantity, to: Quantity, factor: Quantity) -> tuple[Quantity, ...]:
    """Return start, start * factor, ... up to and including ``to``, exactly. Both have one sign and are not 0.

    Raises ``ValueError`` for a factor of 0 or below, of 1, one that leads away, and for more than ``MAX_RUNGS`` values.
    """
    if factor.exact <= 0 or factor.exact == 1:
        raise ValueError(f"is '{factor.text}'; expected a number above 0, other than 1")
    ratio = to.exact / start.exact
    if ratio != 1 and (ratio > 1) != (factor.exact > 1):
        raise ValueError(f"is '{factor.text}', which leads away from '{to.text}'; expected its inverse")
    if math.log(ratio) / math.log(factor.exact) > MAX_RUNGS:
        raise ValueError(f"is '{factor.text}', which makes too many values; expected at most {MAX_RUNGS:,}")
    # A float says how many there are but for the last one, which may be ``to`` itself.
    count = max(0, math.floor(math.log(ratio) / math.log(factor.exact)) - 1)
    while (start.exact * factor.exact ** (count + 1) / to.exact - 1) * (1 if factor.exact > 1 else -1) <= 0:
        count += 1
    unit = _shared_unit(start, start)
    return tuple(_rung(start.exact * factor.exact**turn, start, unit) for turn in range(count + 1))


def equal_shares(start: Quantity, to: Quantity, per_decade: int) -> tuple[Quantity, ...]:
    """Return so many values for each decade from start on, up to and including ``to``, if it is one of them.

    Whole decades are exact; what lies between is rounded to twelve digits. Raises ``ValueError`` for more than
    ``MAX_RUNGS`` values.
    """
    decades = math.log10(to.exact / start.exact)
    count = math.floor(abs(decades) * per_decade + 1e-9)
    if count >= MAX_RUNGS:
        raise ValueError(f"is {per_decade}, which makes {count + 1:,} values; expected at most {MAX_RUNGS:,}")
    sign = 1 if decades >= 0 else -1
    unit = _shared_unit(start, start)
    return tuple(_rung(start.exact * _power_of_ten(sign * turn, per_decade), start, unit) for turn in range(count + 1))


def _power_of_ten(numerator: int, denominator: int) -> Exact:
    whole, rest = divmod(numerator, denominator)
    return Exact(10) ** whole * (Exact(f"{10 ** (rest / denominator):.12g}") if rest else 1)


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
