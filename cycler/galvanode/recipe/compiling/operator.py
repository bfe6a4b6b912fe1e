"""Something that a person must do or say before the recipe goes on."""

from __future__ import annotations

from galvanode.document import label
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.language.bodies import Operator
from galvanode.recipe.language.values import POTENTIAL, Value, expected_words
from galvanode.recipe.program import Ask
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath


def compile_operator(body: Operator, path: DocumentPath, context: Context) -> Ask:
    """Return the instruction; ``path`` is where its body stands. Raises ``InvalidInput``."""
    within_s = None if body.within is None else context.interval(body.within, (*path, "within"))
    line = context.document.place(path, key=True)[0]
    if body.name is None or body.default is None:
        return Ask(message=body.message, wants=body.asks, within_s=within_s, line=line)
    default = context.fixed(body.default, None, (*path, "default"))
    if default.dimension == POTENTIAL:
        at = (*path, "default")
        raise context.error(
            at, f"{label(at)} is '{default.text}'; expected a voltage at the terminals, such as '3.6 V'"
        )
    low, high = (_bound(key, value, default, path, context) for key, value in (("min", body.min), ("max", body.max)))
    if low is not None and high is not None and low.exact > high.exact:
        at = (*path, "max")
        raise context.error(at, f"{label(at)} is '{high.text}'; expected at least the {low.text} of 'min'")
    for bound, due in ((low, "at least"), (high, "at most")):
        if bound is not None and (default.exact < bound.exact if due == "at least" else default.exact > bound.exact):
            at = (*path, "default")
            raise context.error(at, f"{label(at)} is '{default.text}'; expected {due} {bound.text}")
    return Ask(
        message=body.message,
        wants="number",
        name=body.name,
        dimension=default.dimension,
        min=None if low is None else low.si,
        max=None if high is None else high.si,
        default=default.si,
        within_s=within_s,
        line=line,
    )


def _bound(key: str, value: Value | None, default: Quantity, path: DocumentPath, context: Context) -> Quantity | None:
    if value is None:
        return None
    bound = context.fixed(value, None, (*path, key))
    if bound.dimension != default.dimension:
        at = (*path, key)
        raise context.error(at, f"{label(at)} is '{bound.text}'; expected {expected_words(default.dimension)}")
    return bound
