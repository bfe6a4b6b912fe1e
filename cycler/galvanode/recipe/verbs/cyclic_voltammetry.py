"""``cyclic_voltammetry``: from the start through the vertices and back."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.values import A_COUNT, VOLTAGES, Count, Voltage, count_up_to
from galvanode.recipe.operand import Operand
from galvanode.recipe.verbs.scan import Places, Scan
from galvanode.recipe.verbs.step import UnderWay

MAX_SCANS = 10_000
"""Cycles of one cyclic voltammetry."""


class CyclicVoltammetry(Scan):
    """From the start through the vertices and back."""

    word: ClassVar[str] = "cyclic_voltammetry"
    elsewhere: ClassVar[tuple[str, ...]] = ("cv",)

    vertices: Annotated[
        list[Voltage], Field(min_length=1, max_length=100, description="The voltages that it turns round at.")
    ]
    cycles: Annotated[Count, count_up_to(MAX_SCANS), A_COUNT] = Field(
        1, description="How often all of it is run through."
    )

    def turns(self, start: Operand, step: UnderWay) -> tuple[list[Operand], Places, int]:
        """Return the vertices and the start again, which stands where the last one does."""
        path, context = step.path, step.context
        places: Places = [(*path, "vertices", index) for index in range(len(self.vertices))]
        cycles = context.whole(self.cycles, MAX_SCANS, (*path, "cycles"))
        values = zip(self.vertices, places, strict=True)
        vertices = [operand(value, VOLTAGES, at, context, open_circuit=True) for value, at in values]
        return [*vertices, start], [*places, places[-1]], cycles
