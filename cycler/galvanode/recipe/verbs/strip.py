"""``strip``: a negative current, given in magnitude."""

from __future__ import annotations

from typing import ClassVar

from galvanode.recipe import drives
from galvanode.recipe.verbs.plate import Plate


class Strip(Plate):
    """A negative current, given in magnitude."""

    word: ClassVar[str] = "strip"
    sign: ClassVar[drives.Sign] = -1
