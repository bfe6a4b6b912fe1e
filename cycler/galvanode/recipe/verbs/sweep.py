"""``sweep``: linear sweep voltammetry."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.values import VOLTAGES, Voltage
from galvanode.recipe.operand import Operand
from galvanode.recipe.verbs.scan import Places, Scan
from galvanode.recipe.verbs.step import UnderWay


class Sweep(Scan):
    """Linear sweep voltammetry."""

    word: ClassVar[str] = "sweep"
    elsewhere: ClassVar[tuple[str, ...]] = ("lsv", "linear_sweep")

    to: Voltage = Field(description="Where it ends.")

    def turns(self, start: Operand, step: UnderWay) -> tuple[list[Operand], Places, int]:
        """Return where it ends."""
        at = (*step.path, "to")
        return [operand(self.to, VOLTAGES, at, step.context, open_circuit=True)], [at], 1
