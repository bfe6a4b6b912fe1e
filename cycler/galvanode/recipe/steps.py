"""One step of a recipe becomes one instruction, its numbers checked against what the cell allows."""

from __future__ import annotations

from typing import Literal, cast

from galvanode.document import label
from galvanode.recipe.condition import COUNTED, DIMENSION_OF, Until
from galvanode.recipe.context import LONGEST_S, Context
from galvanode.recipe.limits import lies_in, window_text
from galvanode.recipe.model import ConstantVoltage, Rest, StepBody
from galvanode.recipe.program import Condition, Operand, Record, Step, Variable, Window
from galvanode.recipe.program import Quantity as Measured
from galvanode.recipe.scope import Rungs
from galvanode.recipe.values import Reference, Value, expected_words
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath

_MEASURED: dict[str, Measured] = {
    "time": "time",
    "voltage": "voltage",
    "current": "current",
    "current_density": "current",
    "charge": "charge",
    "areal_charge": "charge",
    "energy": "energy",
    "temperature": "temperature",
}
"""Dimension in the recipe -> what the engine measures at the terminals."""


def compile_step(verb: str, body: StepBody, path: DocumentPath, context: Context, step_id: int) -> Step:
    """Return the instruction of a step; ``path`` is where its body stands. Raises ``InvalidInput``."""
    if body.safety is not None:
        context = context.with_safety(
            body.safety, (*path, "safety"), "the step's 'safety'", loosest_s=context.check_every_s
        )
    if body.record is not None:
        context = context.with_record(body.record, (*path, "record"))
    record, every_s = context.record, context.record.every_s
    if record == Record():  # a recipe that says nothing about records keeps every reading
        record = Record(every_s=context.check_every_s)
    mode, setpoint = _setpoint(verb, body, path, context)
    return Step(
        mode=mode,
        name=body.name or verb,
        step_id=step_id,
        setpoint=setpoint,
        current_limit=_current_limit(body, path, context),
        until=_until(body, path, context),
        record=record,
        poll_s=context.check_every_s if every_s is None else min(every_s, context.check_every_s),
        limits=context.bounds.limits,
        line=context.document.place(path, key=True)[0],
    )


def _setpoint(
    verb: str, body: StepBody, path: DocumentPath, context: Context
) -> tuple[Literal["rest", "current", "voltage"], Operand | None]:
    if isinstance(body, Rest):
        return "rest", None
    if isinstance(body, ConstantVoltage):
        return "voltage", _operand(body.voltage, "voltage", (*path, "voltage"), context)
    key = "current" if getattr(body, "current_density", None) is None else "current_density"
    sign = -1.0 if verb == "strip" else 1.0
    value = cast("Value", getattr(body, key))
    above_zero = verb in ("plate", "strip")
    return "current", _operand(value, key, (*path, key), context, sign=sign, above_zero=above_zero)


def _current_limit(body: StepBody, path: DocumentPath, context: Context) -> Operand | None:
    if not isinstance(body, ConstantVoltage) or body.current_limit is None:
        return None
    return _operand(body.current_limit, "current", (*path, "current_limit"), context, above_zero=True)


def _until(body: StepBody, path: DocumentPath, context: Context) -> tuple[Condition, ...]:
    conditions: list[Condition] = []
    if body.duration is not None:
        operand = _operand(body.duration, "time", (*path, "for"), context)
        text = f"for {context.text(body.duration)}"
        conditions.append(Condition(quantity="time", comparison=">=", value=operand, text=text))
    listed = isinstance(context.document.at((*path, "until")), list)
    for index, until in enumerate(body.until):
        at = (*path, "until", index) if listed else (*path, "until")
        conditions.append(_condition(until, at, context))
    return tuple(conditions)


def _condition(until: Until, path: DocumentPath, context: Context) -> Condition:
    dimension = DIMENSION_OF[until.name]
    operand = _operand(until.value, dimension, path, context)
    text = f"{until.name} {until.symbol} {context.text(until.value)}"
    return Condition(quantity=_MEASURED[dimension], comparison=until.comparison, value=operand, text=text)


def _operand(
    value: Value,
    dimension: str,
    path: DocumentPath,
    context: Context,
    *,
    sign: float = 1.0,
    above_zero: bool = False,
) -> Operand:
    """Return a number in SI at the terminals, or the variable that holds it; checked for every turn."""
    factor = sign * (context.area if dimension in ("areal_charge", "current_density") else 1.0)
    try:
        found = context.scope.look_up(value, dimension)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} {problem}") from None
    for quantity in found.values if isinstance(found, Rungs) else (found,):
        fault = _fault(quantity, dimension, factor, context, above_zero=above_zero)
        if fault is not None:
            named = f"is '{value.text}', which is" if isinstance(value, Reference) else "is"
            raise context.error(path, f"{label(path)} {named} '{quantity.text}'{fault}")
    if isinstance(found, Rungs):
        return Variable(name=cast("Reference", value).name, factor=factor)
    return found.si * factor


def _fault(value: Quantity, dimension: str, factor: float, context: Context, *, above_zero: bool) -> str | None:
    """Return what is wrong with asking an instrument for this value on this cell; None if nothing."""
    if above_zero and value.exact <= 0:
        return f"; expected {expected_words(dimension)}, above 0"
    if (dimension in COUNTED or dimension == "time") and value.exact < 0:
        return "; expected 0 or more"
    if dimension == "time" and value.exact > LONGEST_S:
        return "; expected at most 30 years"
    measured = _MEASURED[dimension]
    if measured in ("voltage", "current", "temperature"):
        for bounds in (context.cell, context.bounds):
            window = cast("Window", getattr(bounds.limits, measured))
            if not lies_in(window, value.si * factor):
                return f", outside {bounds.origin} ({window_text(window, dimension, context.area)})"
    return None
