"""The wire to one simulated instrument: messages in, replies out, with faults in between.

Every link (PyVISA backend, TCP, serial) talks to an instrument through its ``Wire`` and nothing else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from galvanode.clock import process_clock
from galvanode_simulator.faults import MODEL_FAULTS, ActiveFault, Fault
from galvanode_simulator.framing import Framer, LineFramer

_NUMBER = re.compile(rb"[-+]?\d+\.\d+(?:E[-+]?\d+)?", re.IGNORECASE)
_OF_LINES = frozenset({"drop_reply", "garble", "truncate"})
"""Faults that can strike a line that was not asked for."""


class Device(Protocol):
    """The bytes side of an instrument."""

    def receive(self, message: bytes) -> bytes:
        """Execute one message (without its terminator) and return the whole reply; empty if there is none."""
        ...

    def advance(self) -> None:
        """Let simulated time pass inside the instrument until now."""
        ...

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the instrument itself."""
        ...

    def query_error(self, code: int) -> None:
        """Note that the controller broke the message exchange: -410 interrupted, -420 unterminated."""
        ...


@runtime_checkable
class Talker(Protocol):
    """A device that also speaks without being asked."""

    def unasked(self, patience: float) -> bytes:
        """Return what it has said of its own accord by now, in whole lines.

        With ``patience`` it goes ahead of the clock, by that many seconds at most, until it says something:
        a host that waits for a line stops a simulated clock that would have to pass first.
        """
        ...


@runtime_checkable
class Worker(Protocol):
    """A device that takes its time over what it is told."""

    def busy(self) -> float:
        """Process time, s, for which it is still at work on what it was told; 0 if it is free.

        A device carries out a message when it gets it, as of the time at which it will have done so. A link to
        another process holds the answer, and every message after it, until then. A host in the same process does
        not wait, and nobody asks.
        """
        ...


@runtime_checkable
class Framed(Protocol):
    """A device whose messages are no lines that end with LF."""

    def framer(self) -> Framer:
        """Return what cuts the bytes of one connection into messages."""
        ...


class Reply(NamedTuple):
    """What comes back, and how late (real time, s)."""

    data: bytes
    delay: float


class Disconnected(Exception):
    """The instrument hung up."""


class Wire:
    """One instrument's end of every link to it."""

    def __init__(self, name: str, driver: str, device: Device, faults: Iterable[Fault] = ()) -> None:
        self.name = name
        self.driver = driver
        self.device = device
        self.receive = device.receive
        self.framer = device.framer if isinstance(device, Framed) else LineFramer
        self._ending = len(self.framer().ending)
        self._talker = device if isinstance(device, Talker) else None
        self._worker = device if isinstance(device, Worker) else None
        self.served = False
        """It leads to another process: what the instrument takes its time over is waited for."""
        self._free_at = 0.0
        self._started = process_clock().now()
        self._faults = [ActiveFault(fault) for fault in faults]
        self._playing: list[ActiveFault] = []

    def attach(self, device: Device) -> None:
        """Put another device at the end of the wire: one that listens in, or plays a part. Messages end as before."""
        self.device = device
        self.receive = device.receive
        if self._talker is not None and isinstance(device, Talker):
            self._talker = device

    @property
    def faulty(self) -> bool:
        """Whether messages must go through ``exchange`` rather than straight to ``receive``."""
        return bool(self._faults or self._playing)

    def inject(self, kind: str | None = None, **options: Any) -> None:
        """Add a fault: ``wire.inject("drop_reply", count=1)``; without a kind, end all faults.

        ``after`` and ``delay`` are written as in a bench file, ``"10 min"``.
        """
        if kind is None:
            for active in self._playing:
                self.device.play(active.fault, False)
            self._faults, self._playing = [], []
            return
        self._faults.append(ActiveFault(Fault.model_validate({"kind": kind, **options})))

    def connect(self) -> None:
        """Call before a link opens. Raises ``Disconnected`` if the instrument refuses."""
        for active in self._faults:
            if active.fault.kind == "refuse_connection" and active.strikes(b"", self._elapsed()):
                raise Disconnected(self.name)

    def exchange(self, message: bytes) -> list[Reply]:
        """Execute one message through the faults. Raises ``Disconnected``."""
        if not self.faulty:
            reply = self._receive(message)
            return [Reply(reply, 0.0)] if reply else []
        elapsed = self._elapsed()
        striking = [
            active.fault
            for active in self._faults
            if active.fault.kind != "refuse_connection" and active.strikes(message, elapsed)
        ]
        self._play_model_faults(striking)
        if any(fault.kind == "disconnect" for fault in striking):
            self._drop_spent()
            raise Disconnected(self.name)
        for fault in striking:
            if fault.kind == "scpi_error":
                self.device.play(fault, True)
        data = self._receive(message)
        delay = 0.0
        for fault in striking:
            data, delay = _on_the_wire(fault, data, delay, self._ending)
        self._drop_spent()
        return [Reply(data, delay)] if data else []

    def busy(self) -> float:
        """Real time, s, until the instrument has done what it was told and listens again."""
        return max(0.0, self._free_at - time.monotonic())

    def _receive(self, message: bytes) -> bytes:
        """Hand a message to the device, and note how long it will be at work on it."""
        if self._worker is None or not self.served:
            return self.device.receive(message)
        before = self._worker.busy()
        reply = self.device.receive(message)
        took = self._worker.busy() - before
        if took > 0.0:
            self._free_at = max(self._free_at, time.monotonic()) + took / process_clock().speed
        return reply

    @property
    def talks(self) -> bool:
        """Whether the instrument says things that it was not asked."""
        return self._talker is not None

    def unasked(self, patience: float = 0.0) -> bytes:
        """What the instrument has said of its own accord. Faults strike it line by line."""
        if self._talker is None:
            return b""
        data = self._talker.unasked(patience)
        if not (data and self.faulty):
            return data
        elapsed = self._elapsed()
        lines = b"".join(self._struck(line, elapsed) for line in data.splitlines(keepends=True))
        self._drop_spent()
        return lines

    def _struck(self, line: bytes, elapsed: float) -> bytes:
        for active in self._faults:
            if active.fault.kind in _OF_LINES and active.strikes(line, elapsed):
                line, _ = _on_the_wire(active.fault, line, 0.0, self._ending)
        return line

    def _play_model_faults(self, striking: list[Fault]) -> None:
        for active in list(self._playing):
            if active.spent and active.fault not in striking:
                self.device.play(active.fault, False)
                self._playing.remove(active)
        for active in self._faults:
            if active.fault in striking and active.fault.kind in MODEL_FAULTS and active not in self._playing:
                self.device.play(active.fault, True)
                self._playing.append(active)

    def _drop_spent(self) -> None:
        self._faults = [active for active in self._faults if not active.spent]

    def _elapsed(self) -> float:
        return process_clock().now() - self._started


def _on_the_wire(fault: Fault, data: bytes, delay: float, ending: int) -> tuple[bytes, float]:
    if not data:
        return data, delay
    match fault.kind:
        case "drop_reply":
            return b"", delay
        case "delay_reply":
            return data, delay + fault.delay
        case "double_reply":
            return data + data, delay
        case "garble":
            # Bit 6 flipped in every third byte, the terminator left alone: what a bad ground does.
            body = data[: len(data) - ending]
            first = min(1, len(body) - 1)
            bad = bytes(byte ^ 0x40 if index % 3 == first else byte for index, byte in enumerate(body))
            return bad + data[len(body) :], delay
        case "truncate":
            return data[: len(data) // 2], delay
        case "reading":
            return _NUMBER.sub(fault.value.encode(), data), delay
        case _:
            return data, delay
