"""Limits: the cell's envelope, tightened by the recipe and then by a step, and never loosened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from galvanode.cell import TerminalLimits
from galvanode.document import Document, found, label
from galvanode.recipe.compiling.scope import Rungs, Scope
from galvanode.recipe.language.sections import Safety
from galvanode.recipe.language.values import VOLTAGES, Value
from galvanode.recipe.program import Limits, Window
from galvanode.units import Quantity, format_quantity
from galvanode.yaml_text import DocumentPath

_ROUNDING = 1e-12
"""Relative: a density times an area may differ by this from the same current written out."""


@dataclass(frozen=True)
class Bounds:
    """Limits in force, and who set the tightest of them, for messages."""

    limits: Limits
    origin: str


def of_cell(envelope: TerminalLimits) -> Bounds:
    """Return the cell's envelope as limits."""
    return Bounds(
        Limits(
            voltage=Window(min=envelope.voltage_min, max=envelope.voltage_max),
            current=Window(min=-envelope.current_max, max=envelope.current_max),
            temperature=Window(min=envelope.temperature_min, max=envelope.temperature_max),
        ),
        "the cell's envelope",
    )


def tightened(
    outer: Bounds,
    safety: Safety,
    origin: str,
    scope: Scope,
    document: Document,
    path: DocumentPath,
) -> Bounds:
    """Return ``outer`` with what ``safety`` (at ``path`` in the document) says.

    Raises ``InvalidInput`` with its place where a limit lies outside ``outer``, or where nothing is left
    between a lower and an upper one.
    """
    windows: dict[str, dict[str, float]] = {}
    allowed = outer.limits.windows()
    for bound in _bounds(safety):
        at = (*path, *bound.path)
        window = allowed.get(bound.quantity, Window())
        try:
            ends = _ends(bound, window, outer.origin, scope)
        except ValueError as problem:
            raise document.error(at, f"{label(at)} {problem}") from None
        windows.setdefault(bound.quantity, {}).update(ends)
        low, high = (windows[bound.quantity].get(end, getattr(window, end)) for end in ("min", "max"))
        if low is not None and high is not None and low >= high:
            said = f"{label(at)} is {found(bound.value.text)}, which leaves nothing between 'min' and 'max'"
            raise document.error(at, said)
    if not windows:
        return outer
    updated = {name: allowed.get(name, Window()).model_copy(update=ends) for name, ends in windows.items()}
    return Bounds(Limits.of(allowed | updated), origin)


def _ends(bound: _Bound, window: Window, origin: str, scope: Scope) -> dict[str, float]:
    """Return what a bound sets, at the terminals. Raises ``ValueError`` where it lies outside ``window``."""
    quantity = scope.fixed(bound.value, *(VOLTAGES if bound.dimension == "voltage" else (bound.dimension,)))
    number = quantity.si * scope.terminals.factor(quantity.dimension)
    if bound.both_signs and number <= 0:
        raise ValueError(f"is '{bound.value.text}'; expected a value above 0")
    ends = {"min": -number, "max": number} if bound.both_signs else {bound.path[-1]: number}
    if not all(lies_in(window, end) for end in ends.values()):
        allowed = window_text(window, bound.dimension, scope.terminals.area)
        shown = quantity.text if isinstance(bound.value, Quantity) else bound.value.text
        raise ValueError(f"is '{shown}', outside {origin} ({allowed})")
    return {end: _clamped(value, window) for end, value in ends.items()}


def _clamped(number: float, window: Window) -> float:
    """Return a number that may lie outside by rounding as one that does not."""
    if window.min is not None and number < window.min:
        return window.min
    return window.max if window.max is not None and number > window.max else number


@dataclass(frozen=True)
class _Bound:
    path: tuple[str, ...]
    quantity: str
    dimension: str
    value: Value
    both_signs: bool = False


def _bounds(safety: Safety) -> Iterator[_Bound]:
    """Yield what a ``safety`` says, bound by bound."""
    for quantity, window in (("voltage", safety.voltage), ("temperature", safety.temperature)):
        for end in ("min", "max"):
            value = None if window is None else getattr(window, end)
            if value is not None:
                yield _Bound((quantity, end), quantity, quantity, value)
    for name, window in safety.auxiliary.items():
        for end in ("min", "max"):
            value = getattr(window, end)
            if value is not None:
                yield _Bound(("auxiliary", name, end), name, value.dimension, value)
    if safety.current is not None and safety.current.max is not None:
        alone = safety.current.min is None
        if safety.current.min is not None:
            yield _Bound(("current", "min"), "current", "current", safety.current.min)
        yield _Bound(("current", "max"), "current", "current", safety.current.max, both_signs=alone)
    if safety.current_density is not None:
        yield _Bound(
            ("current_density", "max"),
            "current",
            "current_density",
            safety.current_density.max,
            both_signs=True,
        )


def numbers_of(value: Value, scope: Scope, *dimensions: str) -> list[float]:
    """Return what a value is, turn by turn, in SI; nothing for what is worked out while the recipe runs.

    Raises ``ValueError`` like ``Scope.look_up``.
    """
    found = scope.look_up(value, *dimensions, open_circuit=True)
    if isinstance(found, Quantity):
        return [found.si]
    return [rung.si for rung in found.values] if isinstance(found, Rungs) else []


def lies_in(window: Window, number: float) -> bool:
    """Return whether a number lies in a window, its ends among it."""
    slack = _ROUNDING * abs(number)
    return (window.min is None or number >= window.min - slack) and (window.max is None or number <= window.max + slack)


def window_text(window: Window, dimension: str, area: float) -> str:
    """Return ``-5 V to 5 V`` for people; for a current density per ``area``."""
    scale = 1.0 / area if dimension == "current_density" else 1.0
    low, high = (None if end is None else format_quantity(end * scale, dimension) for end in (window.min, window.max))
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}"
