"""What holds at one place of the method: names, limits, record, and how to speak of that place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from galvanode.document import Document, label
from galvanode.errors import InvalidInput
from galvanode.recipe.compiling.jumps import Labels, Ways, action_of
from galvanode.recipe.compiling.limits import Bounds, tightened
from galvanode.recipe.compiling.scope import Rungs, Scope
from galvanode.recipe.language.condition import Go
from galvanode.recipe.language.sections import RecordWhen, Safety
from galvanode.recipe.language.shelf import Shelf
from galvanode.recipe.language.terminals import Terminals
from galvanode.recipe.language.values import NUMBER, Count, Expression, Reference, Value, expected_words, is_difference
from galvanode.recipe.program import Action, Record
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
    """Blocks around this place."""
    blocks: tuple[DocumentPath, ...] = (("method",),)
    """The lists of items that this place lies in, from the outermost on."""
    breaks: Action | None = None
    """What leaves the innermost repeat; None outside of one."""
    labels: Labels | None = None
    """Of this document."""
    shelf: Shelf = field(default_factory=Shelf)
    """Where the recipe lies, with what stands beside it; None for a text without a file."""

    auxiliaries: dict[str, str] = field(default_factory=dict[str, str])
    """Name -> dimension of every auxiliary reading that the method, or what it calls, is about so far."""

    def uses(self, name: str, dimension: str, path: DocumentPath) -> None:
        """Note that an auxiliary reading is asked for. Raises ``InvalidInput`` where it was another quantity before."""
        before = self.auxiliaries.setdefault(name, dimension)
        if before != dimension:
            said = f"takes '{name}' for {expected_words(dimension)}, which was {expected_words(before)} before"
            raise self.error(path, f"{label(path)} {said}")

    def error(self, path: DocumentPath, message: str, key: bool = False) -> InvalidInput:
        """Return the error that a person sees for the value, or the key, at ``path``."""
        return self.document.error(path, message, key)

    def action(self, go: Go, path: DocumentPath) -> Action:
        """Return the action that the recipe names at ``path``. Raises ``InvalidInput``."""
        labels = self.labels or Labels(self.document, {}, Ways())
        return action_of(go, path, labels, self.blocks, self.breaks, self.document)

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
            named = "" if isinstance(value, Quantity) else f"'{value.text}', which is "
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
        if not isinstance(count, (Reference, Expression)):
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
        """Return a value for people: a parameter as it is set, a ladder's variable by its name, arithmetic as it is."""
        if isinstance(value, Quantity):
            return self.terminals.text(value)
        if isinstance(value, Reference) and value.name in self.scope.parameters:
            return self.terminals.text(self.scope.parameters[value.name])
        return value.text

    def inside(self, ladders: Mapping[str, Rungs]) -> Context:
        """Return the context inside a ladder."""
        return replace(self, scope=self.scope.inside(ladders))

    def within(self, block: DocumentPath) -> Context:
        """Return the context of a list of items inside this one."""
        return replace(self.inner(block), depth=self.depth + 1)

    def inner(self, block: DocumentPath) -> Context:
        """Return the context of a branch: a list of items inside this one that counts as no deeper."""
        return replace(self, blocks=(*self.blocks, block))

    def with_safety(self, safety: Safety, path: DocumentPath, origin: str, *, loosest_s: float) -> Context:
        """Return the context under a ``safety``, whose limits may only tighten. Raises ``InvalidInput``.

        ``loosest_s`` is the longest ``check_every`` that it may ask for.
        """
        bounds = tightened(self.bounds, safety, origin, self.scope, self.document, path)
        for name, window in safety.auxiliary.items():
            for value in (window.min, window.max):
                if value is not None:
                    self.uses(name, value.dimension, (*path, "auxiliary", name))
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
        if record.burst is not None:
            at = (*path, "burst")
            changed["burst_every_s"] = self.interval(record.burst.every, (*at, "every"))
            changed["burst_for_s"] = self.interval(record.burst.duration, (*at, "for"))
            if changed["burst_every_s"] >= changed["burst_for_s"]:
                said = f"{label((*at, 'every'))} is '{self.text(record.burst.every)}'; expected less than the"
                raise self.error((*at, "every"), f"{said} {self.text(record.burst.duration)} of 'for'")
        for key, dimension in (
            ("voltage_change", "voltage"),
            ("current_change", "current"),
            ("charge_change", "charge"),
        ):
            value = cast("Value | None", getattr(record, key))
            if value is None:
                continue
            quantity = self.fixed(value, dimension, (*path, key))
            if quantity.exact <= 0:
                said = f"{label((*path, key))} is '{quantity.text}'; expected a value above 0"
                raise self.error((*path, key), said)
            changed[key] = quantity.si
        return replace(self, record=self.record.model_copy(update=changed)) if changed else self
