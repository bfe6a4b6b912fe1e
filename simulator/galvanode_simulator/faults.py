"""Faults on the wire and inside an instrument, from tests or from a bench file.

    faults:
      - {kind: drop_reply, match: ":READ?", skip: 10, count: 1}   # the 11th reading is never answered
      - {kind: reading, value: "9.91E37", after: 30 min}           # from then on, not-a-number

``match`` is a part of the message (upper or lower case), ``skip`` lets that many matching messages pass
first, ``count`` is how many are hit (all, if absent), ``after`` waits for that much simulated time.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from galvanode.units import Seconds

FaultKind = Literal[
    "drop_reply",
    "delay_reply",
    "double_reply",
    "garble",
    "truncate",
    "reading",
    "frozen_reading",
    "frozen_time",
    "disconnect",
    "refuse_connection",
    "scpi_error",
    "stuck_output",
]

MODEL_FAULTS = frozenset({"frozen_reading", "frozen_time", "stuck_output"})
"""Played by the instrument's model rather than on the wire."""


class Fault(BaseModel):
    """One fault of one instrument."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    match: str = ""
    skip: int = Field(default=0, ge=0)
    count: int | None = Field(default=None, ge=1)
    after: Seconds = Field(default=0.0, ge=0)
    """Simulated time since the instrument started, s."""
    delay: Seconds = Field(default=1.0, ge=0)
    """Of ``delay_reply``; real time, s."""
    value: str = "9.91E37"
    """What ``reading`` puts in the place of every number of the reply."""
    code: int = -310
    """What ``scpi_error`` puts into the queue."""


class ActiveFault:
    """A fault with its counts."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._match = fault.match.encode().upper()
        self._to_skip = fault.skip
        self._left = fault.count

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it should."""
        return self._left == 0

    def strikes(self, message: bytes, elapsed: float) -> bool:
        """Whether it strikes this message; counts it."""
        if self._left == 0 or elapsed < self.fault.after or self._match not in message.upper():
            return False
        if self._to_skip > 0:
            self._to_skip -= 1
            return False
        if self._left is not None:
            self._left -= 1
        return True
