"""``constant_resistance``: a load."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe.language.values import Resistance
from galvanode.recipe.verbs.driven import DrivenStep


class ConstantResistance(DrivenStep):
    """A load that the cell discharges through."""

    word: ClassVar[str] = "constant_resistance"
    elsewhere: ClassVar[tuple[str, ...]] = ("load",)

    resistance: Resistance
