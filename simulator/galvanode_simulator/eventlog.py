"""Log of what simulated instruments did, one JSON object a line, with real and simulated time."""

from __future__ import annotations

import json
import time
from typing import Any, TextIO

from galvanode.clock import process_clock


class EventLog:
    """Writes each event at once: a reader in another process sees it before the next command runs.

    Fields: ``unix_time_s`` and ``monotonic_s`` (real), ``simulated_s``, ``instrument``, ``event`` and the
    event's own: ``output`` {on, ...}, ``off_state``, ``level``, ``limit``, ``setpoint``, ``mode``, ``short``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, instrument: str, event: str, details: dict[str, Any]) -> None:
        """Log one event."""
        line = {
            "unix_time_s": time.time(),
            "monotonic_s": time.monotonic(),
            "simulated_s": process_clock().now(),
            "instrument": instrument,
            "event": event,
            **details,
        }
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()
