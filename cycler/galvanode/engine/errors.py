"""What ends a run otherwise than by its recipe."""

from __future__ import annotations

from galvanode.errors import GalvanodeError


class Tripped(GalvanodeError):
    """A limit was crossed, or a reading cannot be trusted: the run ends and is not resumed by itself."""


class CommunicationLost(GalvanodeError):
    """The instrument does not answer any more."""


class Failed(GalvanodeError):
    """The recipe says that this is a failure, or asks for what cannot be."""


class Unanswerable(GalvanodeError):
    """An answer that does not fit the question."""
