"""Where a step of a recipe stands, and what it may ask of the method around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from galvanode.recipe.compiling.context import Context
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath


@dataclass(frozen=True)
class Place:
    """One item of a method as it is compiled."""

    path: DocumentPath
    """Of what stands under the verb."""
    context: Context
    number: Callable[[], int]
    """Returns the number of the next step, from 1."""
    declare: Callable[[str, Quantity, DocumentPath], str]
    """Makes a name a variable of the recipe, of the dimension of a value that stands at a path; returns its name in the
    program. Raises ``InvalidInput`` where the name is something else."""

    @property
    def line(self) -> int:
        """Of the recipe, from 1."""
        return self.context.document.place(self.path, key=True)[0]
