"""What ends a run otherwise than by its recipe."""

from __future__ import annotations

import asyncio

from galvanode.errors import GalvanodeError
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import BadReading
from galvanode.instrument.roles import InstrumentError
from galvanode.states import RunState

SHUT_DOWN = "the engine was shut down"


class Tripped(GalvanodeError):
    """A limit was crossed, or a reading cannot be trusted: the run ends and is not resumed by itself."""


class CommunicationLost(GalvanodeError):
    """The instrument does not answer any more."""


class Failed(GalvanodeError):
    """The recipe says that this is a failure, or asks for what cannot be."""


class Summoned(GalvanodeError):
    """Something was asked of the run before its step had begun; it ends what it was doing for that."""


class Unanswerable(GalvanodeError):
    """An answer that does not fit the question."""


def ended_by(error: BaseException) -> tuple[RunState, str]:
    """Return the state of a run that an error has ended, and the reason in words."""
    match error:
        case Tripped() | BadReading() | InstrumentError():
            return "tripped", str(error)
        case CommunicationLost() | LinkError():
            return "communication_lost", str(error)
        case GalvanodeError():
            return "failed", str(error)
        case asyncio.CancelledError():
            return "interrupted", SHUT_DOWN
        case _:
            return "failed", f"internal error: {type(error).__name__}: {error}"
