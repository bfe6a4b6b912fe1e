"""``plate``: a positive current, given in magnitude."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe import drives
from galvanode.recipe.language.values import CurrentMagnitude, DensityMagnitude
from galvanode.recipe.verbs.driven import DrivenStep


class Plate(DrivenStep):
    """A positive current, given in magnitude."""

    word: ClassVar[str] = "plate"
    sign: ClassVar[drives.Sign] = 1

    current: CurrentMagnitude | None = None
    current_density: DensityMagnitude | None = None
