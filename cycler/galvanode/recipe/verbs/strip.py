"""``strip``: a negative current, given in magnitude."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe.verbs.driven import Sign
from galvanode.recipe.verbs.plate import Plate


class Strip(Plate):
    """A negative current, given in magnitude."""

    word: ClassVar[str] = "strip"
    sign: ClassVar[Sign] = -1
