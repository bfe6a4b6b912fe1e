"""What socket and serial line have in common: framed messages in, replies in order, some of them late."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from galvanode_simulator.wire import Disconnected, Wire

_LOOK_S = 0.005
"""Real time between two looks at an instrument that speaks without being asked."""


class ReplyStream:
    """One conversation over a byte stream. A late reply holds up those behind it, as in a real line.

    The instrument hears a message when it has done what it was told before, whoever told it.
    """

    def __init__(self, wire: Wire, send: Callable[[bytes], None], hang_up: Callable[[], None]) -> None:
        self._wire = wire
        wire.served = True
        self._send = send
        self._hang_up = hang_up
        self._framer = wire.framer()
        self._waiting: deque[bytes] = deque()
        self._turn: asyncio.TimerHandle | None = None
        self._free_at = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._look: asyncio.TimerHandle | None = None
        if wire.talks:
            self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._listen)

    def feed(self, data: bytes) -> None:
        """Execute the messages that are complete now, each in its turn."""
        self._waiting.extend(self._framer.feed(data))
        if self._turn is None:
            self._work()

    def _work(self) -> None:
        self._turn = None
        while self._waiting:
            busy = self._wire.busy()
            if busy > 0.0:
                self._turn = asyncio.get_running_loop().call_later(busy, self._work)
                return
            try:
                replies = self._wire.exchange(self._waiting.popleft())
            except Disconnected:
                self.close()
                self._hang_up()
                return
            if replies:
                busy = self._wire.busy()
                for reply in replies:
                    self._reply(reply.data, reply.delay + busy)

    def close(self) -> None:
        """Forget what is under way."""
        for pending in (self._look, self._turn):
            if pending is not None:
                pending.cancel()
        self._look = self._turn = None
        self._waiting.clear()
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
