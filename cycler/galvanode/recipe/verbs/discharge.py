"""``discharge``: by C-rate, current or power, or through a load."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe import drives
from galvanode.recipe.language.values import Resistance
from galvanode.recipe.verbs.charge import Charge


class Discharge(Charge):
    """A discharge by C-rate, current, power or through a load."""

    word: ClassVar[str] = "discharge"
    elsewhere: ClassVar[tuple[str, ...]] = ()
    sign: ClassVar[drives.Sign] = -1

    resistance: Resistance | None = None
