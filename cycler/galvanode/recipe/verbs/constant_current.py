"""``constant_current``: a current with its sign."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe.language.values import Current, CurrentDensity
from galvanode.recipe.verbs.driven import DrivenStep


class ConstantCurrent(DrivenStep):
    """A current with its sign: positive charges."""

    word: ClassVar[str] = "constant_current"
    elsewhere: ClassVar[tuple[str, ...]] = ("chronopotentiometry",)

    current: Current | None = None
    current_density: CurrentDensity | None = None
