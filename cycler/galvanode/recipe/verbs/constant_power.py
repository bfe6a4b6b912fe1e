"""``constant_power``: a power with its sign."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe.language.values import Power
from galvanode.recipe.verbs.driven import DrivenStep


class ConstantPower(DrivenStep):
    """A power with its sign: positive charges."""

    word: ClassVar[str] = "constant_power"

    power: Power
