"""A value of a recipe becomes a number at the terminals, or what the program works it out from, checked on this cell.

What steps need: ``operand`` for a set point, ``duration`` for a ``for``, ``ends`` for an ``until``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from galvanode.document import label
from galvanode.recipe.compiling.context import LONGEST_S, Context
from galvanode.recipe.compiling.limits import lies_in, window_text
from galvanode.recipe.compiling.scope import Found, Late, Rungs
from galvanode.recipe.language.arithmetic import scaled
from galvanode.recipe.language.condition import All, Asked, Comparison, Detect, Some, Until
from galvanode.recipe.language.known import AUXILIARY, DETECTORS, Measured
from galvanode.recipe.language.values import C_RATE, Value, expected_words, show_dimension
from galvanode.recipe.operand import NOMINAL_CAPACITY, Formula, Operand, Variable
from galvanode.recipe.program import FAIL, Action, AllOf, AnyOf, Condition, Detector, End, Test, Window
from galvanode.units import Quantity, format_quantity
from galvanode.yaml_text import DocumentPath

_LIMITED = {
    "voltage": "voltage",
    "current": "current",
    "current_density": "current",
    C_RATE: "current",
    "temperature": "temperature",
}
"""Dimension in the recipe -> the limit that it must lie in, at the terminals."""
_NEVER_BELOW_ZERO = frozenset(
    ("time", "charge", "areal_charge", "specific_charge", "energy", "areal_energy", "specific_energy")
)
_SECONDS_PER_HOUR = 3600.0


def operand(
    value: Value,
    dimensions: tuple[str, ...],
    path: DocumentPath,
    context: Context,
    *,
    sign: float = 1.0,
    above_zero: bool = False,
    limited: bool = True,
    either_sign: bool = False,
    open_circuit: bool = False,
) -> Operand:
    """Return a number in SI at the terminals, or what it is worked out from when its instruction begins.

    The value may have any of the ``dimensions`` (the first one is what a message expects); a potential against Li+/Li
    comes as a voltage, a C-rate and a current density as a current. ``sign`` multiplies it. With ``above_zero`` it
    must be, for every turn. With ``limited`` (and ``either_sign``, with one of both signs) it must lie inside the
    cell's envelope and the limits in force, as far as it is known beforehand: what a run-time value comes to, the
    engine checks against the step's limits and its ``sign``. With ``open_circuit`` arithmetic with ``open_circuit``
    is accepted (``open_circuit + 10 mV``). Raises ``InvalidInput`` with its place.
    """
    try:
        found = context.scope.look_up(value, *dimensions, open_circuit=open_circuit)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} {problem}") from None
    counting = found.dimension == C_RATE and context.scope.counting
    try:
        factor = sign if counting else sign * context.terminals.factor(found.dimension)
    except ValueError as problem:
        raise context.error(path, f"{label(path)} is '{context.text(value)}', {problem}") from None
    for quantity in _values_of(found):
        fault = _sign_fault(quantity, above_zero=above_zero)
        if fault is None and limited and not (counting and NOMINAL_CAPACITY in context.scope.late):
            fault = _limit_fault(quantity, sign, context, either_sign=either_sign)
        if fault is not None:
            named = "is" if isinstance(value, Quantity) else f"is '{value.text}', which is"
            raise context.error(path, f"{label(path)} {named} '{quantity.text}'{fault}")
    if counting:
        return _counted(found, sign)
    return found.si * factor if isinstance(found, Quantity) else scaled(found.operand, factor)


def _counted(found: Found, sign: float) -> Operand:
    """Return a C-rate where 1C is what the run has set it to."""
    if isinstance(found, Quantity):
        return Variable(name=NOMINAL_CAPACITY, factor=sign * float(found.exact / 3600))
    one_c = Variable(name=NOMINAL_CAPACITY, factor=sign / _SECONDS_PER_HOUR)
    return Formula(op="*", of=(found.operand, one_c))


def _values_of(found: Found) -> Iterable[Quantity]:
    if isinstance(found, Late):
        return ()
    return found.values if isinstance(found, Rungs) else (found,)


def _sign_fault(value: Quantity, *, above_zero: bool) -> str | None:
    """Return what is wrong with the size of a value; None if nothing."""
    sign = value.exact.numerator  # of a fraction; comparing the fraction itself takes ten times as long
    if above_zero and sign <= 0:
        return f"; expected {expected_words(value.dimension)}, above 0"
    if sign < 0 and value.dimension in _NEVER_BELOW_ZERO:
        return "; expected 0 or more"
    if value.dimension == "time" and value.si > LONGEST_S:
        return "; expected at most 30 years"
    return None


def _limit_fault(value: Quantity, sign: float, context: Context, *, either_sign: bool) -> str | None:
    """Return what is wrong with asking an instrument for this value on this cell; None if nothing."""
    limit = _LIMITED.get(value.dimension)
    if limit is None:
        return None
    try:
        number = value.si * sign * context.terminals.factor(value.dimension)
    except ValueError:  # a C-rate, and the cell states no capacity: the run sets it
        return None
    by_rate = value.dimension == C_RATE
    for bounds in (context.cell, context.bounds):
        window = cast("Window", getattr(bounds.limits, limit))
        if not (lies_in(window, number) or (either_sign and lies_in(window, -number))):
            allowed = window_text(window, limit if by_rate else value.dimension, context.terminals.area)
            is_what = f" or {format_quantity(number, limit)}" if by_rate else ""
            return f"{is_what}, outside {bounds.origin} ({allowed})"
    return None


def measured_operand(value: Value, path: DocumentPath, context: Context) -> tuple[Found, Operand]:
    """Return a value in which bare names stand for what was measured, and its operand in SI. Raises ``InvalidInput``.

    Of any dimension; a potential comes as the voltage at the terminals.
    """
    try:
        found = context.scope.at_terminals(context.scope.measured(value))
    except ValueError as problem:
        raise context.error(path, f"{label(path)} {problem}") from None
    return found, found.si if isinstance(found, Quantity) else found.operand


def duration(value: Value | None, path: DocumentPath, context: Context) -> tuple[End, ...]:
    """Return the end that a ``for`` is: none without one. Raises ``InvalidInput``."""
    if value is None:
        return ()
    number = operand(value, ("time",), path, context)
    text = f"for {context.text(value)}"
    return (End(test=Condition(quantity="time", comparison=">=", value=number, text=text), text=text),)


def ends(
    untils: tuple[Until, ...], path: DocumentPath, context: Context, *, magnitude: bool = False
) -> tuple[End, ...]:
    """Return what an ``until`` or a ``stop_when`` at ``path`` says.

    With ``magnitude`` a current counts without its sign. Raises ``InvalidInput`` with its place.
    """
    places = places_of(untils, path, context)
    return tuple(_end(until, at, context, magnitude) for until, at in zip(untils, places, strict=True))


def places_of(untils: tuple[Until, ...], path: DocumentPath, context: Context) -> list[DocumentPath]:
    """Return where each entry stands: an ``until`` is a list or a single one."""
    listed = isinstance(context.document.at(path), list)
    return [(*path, index) if listed else path for index in range(len(untils))]


def _end(until: Until, path: DocumentPath, context: Context, magnitude: bool) -> End:
    when = (*path, "when") if until.mapped else path
    test, text = condition_of(until.asked, when, context, magnitude=magnitude)
    if until.is_plain:
        return End(test=test, text=text)
    held, not_before, by = (
        None if value is None else context.fixed(value, "time", (*path, key))
        for key, value in (("held_for", until.held_for), ("not_before", until.not_before), ("by", until.by))
    )
    for key, time in (("held_for", held), ("not_before", not_before), ("by", by)):
        fault = None if time is None else _sign_fault(time, above_zero=False)
        if time is not None and fault is not None:
            raise context.error((*path, key), f"{label((*path, key))} is '{time.text}'{fault}")
    if by is not None and not_before is not None and by.exact <= not_before.exact:
        said = f"{label((*path, 'by'))} is '{by.text}', and 'not_before' '{not_before.text}'; expected more than that"
        raise context.error((*path, "by"), said)
    otherwise: Action = FAIL
    if until.otherwise is not None:
        otherwise = context.action(until.otherwise, (*path, "otherwise"))
    return End(
        test=test,
        text=text,
        then=context.action(until.then, (*path, "then")),
        held_s=0.0 if held is None else held.si,
        not_before_s=None if not_before is None else not_before.si,
        by_s=None if by is None else by.si,
        otherwise=otherwise,
    )


def condition_of(
    asked: Asked, path: DocumentPath, context: Context, *, magnitude: bool = False, branch: bool = False
) -> tuple[Test, str]:
    """Return the test that a condition at ``path`` is, and how it reads. Raises ``InvalidInput``.

    With ``magnitude`` a current counts without its sign. What is waited for must lie inside the limits, it could not
    come otherwise. A ``branch`` only looks, once: it may ask for anything, and ``<`` is less there.
    """
    if isinstance(asked, (All, Some)):
        made = [condition_of(part, path, context, magnitude=magnitude, branch=branch) for part in asked.of]
        texts = [
            f"({text})" if isinstance(part, Some) and isinstance(asked, All) else text
            for part, (_, text) in zip(asked.of, made, strict=True)
        ]
        tests = tuple(test for test, _ in made)
        if isinstance(asked, All):
            return AllOf(of=tests), " and ".join(texts)
        return AnyOf(of=tests), " or ".join(texts)
    if isinstance(asked, Detect):
        return _detector(asked, path, context), asked.name
    measured = asked.measured
    if measured is None:
        condition = _of_values(asked, path, context, strict=branch and asked.strict)
    else:
        condition = _of_measured(asked, measured, path, context, magnitude=magnitude, branch=branch)
    return condition, condition.text


def _of_measured(
    asked: Comparison, measured: Measured, path: DocumentPath, context: Context, *, magnitude: bool, branch: bool
) -> Condition:
    quantity = measured.quantity
    if asked.name.startswith(AUXILIARY):
        context.uses(quantity, measured.dimensions[0], path)
    if magnitude and quantity == "current":
        quantity = "current_magnitude"
    without_sign = asked.magnitude or quantity == "current_magnitude"
    number = operand(
        asked.value,
        measured.dimensions,
        path,
        context,
        limited=not branch and quantity not in ("voltage_drop", "voltage_rise"),
        either_sign=without_sign,
    )
    over_s = None
    if asked.over is not None:
        over_s = context.above_zero(asked.over, "time", path).si
    name = f"abs({asked.name})" if asked.magnitude else asked.name
    over = "" if asked.over is None else f" over {context.text(asked.over)}"
    cycle = "" if asked.of_cycle is None else f" of cycle {asked.of_cycle}"
    return Condition(
        quantity=quantity,
        comparison=asked.comparison,
        value=number,
        text=f"{name} {asked.symbol} {context.text(asked.value)}{over}{cycle}",
        magnitude=asked.magnitude,
        over_s=over_s,
        of_cycle=asked.of_cycle,
        strict=branch and asked.strict,
    )


def _of_values(asked: Comparison, path: DocumentPath, context: Context, *, strict: bool) -> Condition:
    """Return a comparison of two values, of which none need be measured."""
    subject = asked.subject
    if subject is None:
        raise AssertionError("a comparison without its left side")
    (left, first), (right, second) = (measured_operand(value, path, context) for value in (subject, asked.value))
    pair = {_named(left), _named(right)}
    if len(pair) > 1 and pair != {"number", "fraction"}:
        words = [f"'{value.text}' ({_words(found)})" for value, found in ((subject, left), (asked.value, right))]
        said = f"compares {words[0]} with {words[1]}; expected the same dimension on both sides"
        raise context.error(path, f"{label(path)} {said}")
    text = f"{context.text(subject)} {asked.symbol} {context.text(asked.value)}"
    return Condition(
        quantity="value", comparison=asked.comparison, value=second, text=text, subject=first, strict=strict
    )


def _named(found: Found) -> str:
    if isinstance(found, Late):
        return found.kind.dimension or str(found.kind.powers)
    return found.dimension


def _words(found: Found) -> str:
    return found.kind.words if isinstance(found, Late) else show_dimension(found.dimension)


def _detector(detect: Detect, path: DocumentPath, context: Context) -> Detector:
    options: dict[str, float] = {}
    for key, value in detect.options.items():
        option = DETECTORS[detect.name][key]
        at = (*path, detect.name, key)
        quantity = context.fixed(value, option.dimension, at)
        if not option.above < quantity.si < option.below or (option.whole and quantity.exact.denominator != 1):
            raise context.error(at, f"{label(at)} is '{quantity.text}'; expected {option.due}")
        options[option.name] = quantity.si
    return Detector(name=detect.name, options=options)
