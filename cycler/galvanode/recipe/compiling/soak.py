"""The chamber's temperature, and waiting until it is stable."""

from __future__ import annotations

from galvanode.document import label
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.bodies import Chamber
from galvanode.recipe.program import SetChamber, Soak
from galvanode.yaml_text import DocumentPath


def compile_chamber(body: Chamber, path: DocumentPath, context: Context) -> SetChamber:
    """Return the instruction; ``path`` is where its body stands. Raises ``InvalidInput``."""
    return SetChamber(
        temperature=operand(body.temperature, ("temperature",), (*path, "set"), context),
        soak=None if body.until is None else _soak(body, path, context),
        line=context.document.place(path, key=True)[0],
    )


def _soak(body: Chamber, path: DocumentPath, context: Context) -> Soak:
    band = context.difference(body.band, (*path, "band"))
    dwell, within = (*path, "for"), (*path, "within")
    dwell_s, within_s = context.interval(body.duration, dwell), context.interval(body.within, within)
    if within_s < dwell_s:
        said = f"{label(within)} is '{context.text(body.within)}', less than the {context.text(body.duration)} of 'for'"
        raise context.error(within, f"{said}; expected more, or the chamber can never be in time")
    return Soak(band=band, dwell=dwell_s, timeout=within_s)
