"""What holds at one place of the method: names, limits, record, and how to speak of that place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from galvanode.document import Document, label
from galvanode.errors import InvalidInput
from galvanode.recipe.bodies import RecordWhen, Safety
from galvanode.recipe.limits import Bounds, tightened
from galvanode.recipe.program import Record
from galvanode.recipe.scope import Rungs, Scope
from galvanode.recipe.terminals import Terminals
from galvanode.recipe.values import NUMBER, Count, Reference, Value, expected_words, is_difference
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath

CHECK_EVERY_S = 10.0
"""How often limits are looked at where a recipe does not say."""
FASTEST_S = 1e-3
"""No host-driven instrument is polled more often."""
LONGEST_S = 1e9
"""Some 30 years."""


_NOTHING = Record()


@dataclass(frozen=True)
class Context:
    """Immutable: each loop and step has its own."""

    document: Document
    terminals: Terminals
    cell: Bounds
    """The cell's envelope."""
    scope: Scope
    bounds: Bounds
    """Limits in force."""
    record: Record = _NOTHING
    check_every_s: float = CHECK_EVERY_S
    depth: int = 0
    """Loops around this place."""

    def error(self, path: DocumentPath, message: str, key: bool = False) -> InvalidInput:
        """Return the error that a person sees for the value, or the key, at ``path``."""
        return self.document.error(path, message, key)

    def fixed(self, value: Value, dimension: str | None, path: DocumentPath) -> Quantity:
        """Return a value that does not change from turn to turn; None accepts any. Raises ``InvalidInput``."""
        try:
            return self.scope.fixed(value, *(() if dimension is None else (dimension,)))
        except ValueError as problem:
            raise self.error(path, f"{label(path)} {problem}") from None

    def above_zero(self, value: Value, dimension: str, path: DocumentPath) -> Quantity:
        """Return a value above 0 that does not change from turn to turn. Raises ``InvalidInput``."""
        quantity = self.fixed(value, dimension, path)
        if quantity.exact <= 0:
            named = f"'{value.text}', which is " if isinstance(value, Reference) else ""
            said = f"{label(path)} is {named}'{quantity.text}'; expected {expected_words(dimension)}, above 0"
            raise self.error(path, said)
        return quantity

    def difference(self, value: Value, path: DocumentPath) -> float:
        """Return a difference of temperatures, K. Raises ``InvalidInput``."""
        quantity = self.fixed(value, "temperature", path)
        if not is_difference(quantity) or quantity.exact <= 0:
            said = f"{label(path)} is '{quantity.text}'; expected a difference above 0 in K, such as '0.5 K'"
            raise self.error(path, said)
        return quantity.si

    def whole(self, count: Count, most: int, path: DocumentPath) -> int:
        """Return a whole number from 1 to ``most``. Raises ``InvalidInput``."""
        if not isinstance(count, Reference):
            return count
        quantity = self.fixed(count, NUMBER, path)
        if quantity.exact.denominator != 1 or not 1 <= quantity.exact <= most:
            said = f"is '{count.text}', which is {quantity.text}; expected a whole number from 1 to {most:,}"
            raise self.error(path, f"{label(path)} {said}")
        return int(quantity.exact)

    def interval(self, value: Value, path: DocumentPath) -> float:
        """Return an interval between polls or records, s. Raises ``InvalidInput``."""
        seconds = self.fixed(value, "time", path)
        if not FASTEST_S <= seconds.si <= LONGEST_S:
            said = f"{label(path)} is '{seconds.text}'; expected a time from 1 ms to 30 years"
            raise self.error(path, said)
        return seconds.si

    def text(self, value: Value) -> str:
        """Return a value for people: a parameter as it is set, a ladder's variable by its name."""
        if isinstance(value, Reference):
            if value.name not in self.scope.parameters:
                return value.text
            value = self.scope.parameters[value.name]
        return self.terminals.text(value)

    def inside(self, ladders: Mapping[str, Rungs]) -> Context:
        """Return the context of a loop's block."""
        return replace(self, scope=self.scope.inside(ladders), depth=self.depth + 1)

    def with_safety(self, safety: Safety, path: DocumentPath, origin: str, *, loosest_s: float) -> Context:
        """Return the context under a ``safety``, whose limits may only tighten. Raises ``InvalidInput``.

        ``loosest_s`` is the longest ``check_every`` that it may ask for.
        """
        bounds = tightened(self.bounds, safety, origin, self.scope, self.document, path)
        if safety.check_every is None:
            return replace(self, bounds=bounds)
        at = (*path, "check_every")
        check_every_s = self.interval(safety.check_every, at)
        if check_every_s > loosest_s:
            said = f"{label(at)} is '{self.text(safety.check_every)}', less often than"
            raise self.error(at, f"{said} the {loosest_s:g} s of the recipe; expected that or less")
        return replace(self, bounds=bounds, check_every_s=check_every_s)

    def with_record(self, record: RecordWhen, path: DocumentPath) -> Context:
        """Return the context under a ``record``: what it does not mention stays. Raises ``InvalidInput``."""
        changed: dict[str, float] = {}
        if record.every is not None:
            changed["every_s"] = self.interval(record.every, (*path, "every"))
        for key, dimension in (("voltage_change", "voltage"), ("current_change", "current")):
            value = cast("Value | None", getattr(record, key))
            if value is None:
                continue
            quantity = self.fixed(value, dimension, (*path, key))
            if quantity.exact <= 0:
                said = f"{label((*path, key))} is '{quantity.text}'; expected a value above 0"
                raise self.error((*path, key), said)
            changed[key] = quantity.si
        return replace(self, record=self.record.model_copy(update=changed)) if changed else self
