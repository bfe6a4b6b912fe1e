"""What socket and serial line have in common: framed messages in, replies in order, some of them late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from galvanode_simulator.wire import Disconnected, Framer, Wire

_LOOK_S = 0.005
"""Real time between two looks at an instrument that speaks without being asked."""


class ReplyStream:
    """One conversation over a byte stream. A late reply holds up those behind it, as in a real line."""

    def __init__(self, wire: Wire, send: Callable[[bytes], None], hang_up: Callable[[], None]) -> None:
        self._wire = wire
        self._send = send
        self._hang_up = hang_up
        self._framer = Framer()
        self._free_at = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._look: asyncio.TimerHandle | None = None
        if wire.talks:
            self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._listen)

    def feed(self, data: bytes) -> None:
        """Execute the messages that are complete now."""
        for message in self._framer.feed(data):
            try:
                replies = self._wire.exchange(message)
            except Disconnected:
                self.close()
                self._hang_up()
                return
            for reply in replies:
                self._reply(reply.data, reply.delay)

    def close(self) -> None:
        """Forget what is under way."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _listen(self) -> None:
        """Pass on what the instrument says of its own accord."""
        if data := self._wire.unasked():
            self._reply(data, 0.0)
        self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._listen)

    def _reply(self, data: bytes, delay: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = max(now + delay, self._free_at)
        if due <= now and not self._timers:
            self._send(data)
            return
        self._free_at = due

        def send() -> None:
            self._timers.discard(timer)
            self._send(data)

        timer = loop.call_at(due, send)
        self._timers.add(timer)
