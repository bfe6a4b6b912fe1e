"""``rest``: open circuit."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe import drives
from galvanode.recipe.program import Step
from galvanode.recipe.verbs.step import EndedStep, UnderWay


class Rest(EndedStep):
    """Open circuit; the voltage is measured."""

    word: ClassVar[str] = "rest"
    elsewhere: ClassVar[tuple[str, ...]] = ("ocv", "open_circuit", "wait")

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return a step without a current."""
        return (step.made(drives.Rest(), until=self.ends(step)),)
