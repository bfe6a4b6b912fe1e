"""Cuts the bytes that come to a simulated instrument into HTTP requests."""

from __future__ import annotations

import h11

from galvanode_simulator.framing import LONGEST_FRAME, Pending


class HttpFramer(Pending):
    """HTTP requests, head and body. What is none is dropped with all that came with it."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the requests that are complete now."""
        self.pending += data
        requests: list[bytes] = []
        while self.pending:
            try:
                left = _after_request(self.pending)
            except h11.RemoteProtocolError:
                self.clear()
                break
            if left is None:
                break
            requests.append(self.pending[: len(self.pending) - left])
            self.pending = self.pending[len(self.pending) - left :]
        return requests


def _after_request(data: bytes) -> int | None:
    """Number of bytes behind the first request; None if it is not complete."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_FRAME)
    connection.receive_data(data)
    while (event := connection.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.EndOfMessage):
            return len(connection.trailing_data[0])
    return None
