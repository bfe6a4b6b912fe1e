"""What both sides of a simulated F4T have in common: it takes its time, and may be busy."""

from __future__ import annotations

from galvanode.clock import process_clock
from galvanode_simulator.faults import Fault
from galvanode_simulator.watlow_f4t.controller import F4TModel

_ANSWER_S = 0.03
"""From a request to its answer."""


class Desk:
    """Time and faults of the controller."""

    def __init__(self, model: F4TModel) -> None:
        self.model = model
        self._free_at = 0.0
        self._busy_once = False

    def work(self) -> None:
        """Begin to work on a request."""
        self._free_at = process_clock().now() + _ANSWER_S

    def busy(self) -> float:
        """Process time until the answer is ready, s."""
        return max(0.0, self._free_at - process_clock().now())

    def take_busy(self) -> bool:
        """Whether this request comes at a bad time."""
        busy, self._busy_once = self._busy_once, False
        return busy

    def advance(self) -> None:
        """Let time pass until now."""
        self.model.look()

    def query_error(self, code: int) -> None:
        """The controller knows no such thing."""

    def play_in_chamber(self, fault: Fault, on: bool) -> None:
        """Play a fault of the chamber."""
        if fault.kind == "frozen_reading":
            self.model.freeze = on
        elif fault.kind == "scpi_error" and on:
            self._busy_once = True
