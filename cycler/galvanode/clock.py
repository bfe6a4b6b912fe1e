"""Process time: what step timers, polls and records go by.

I/O deadlines are real time and do not come from here.

Times are in seconds. ``now()`` counts from the start of the clock and never goes back; ``unix()`` is the
same instant as a UTC timestamp. One clock serves a whole process: the engine installs it, simulated
instruments in the same process read it.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

SIMULATED_EPOCH_UNIX = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Where simulated time starts, so that the same seed gives the same timestamps."""

_YIELD_EVERY_S = 0.005
"""Real time for which a run may jump through simulated time before other tasks get their turn."""


class Clock(Protocol):
    """Process time, as the engine uses it."""

    speed: float
    """Process seconds per real second; ``inf`` for a clock that jumps."""

    def now(self) -> float:
        """Seconds since the clock started; never goes back."""
        ...

    def unix(self) -> float:
        """The same instant in seconds since 1970-01-01 UTC."""
        ...

    async def sleep_until(self, deadline: float) -> None:
        """Return when ``now()`` has reached ``deadline`` (at once if it has passed)."""
        ...

    @contextmanager
    def actor(self) -> Generator[None]:
        """Inside, the caller takes part in time: a jumping clock waits until it sleeps."""
        ...


class SystemClock:
    """Real time: monotonic, with UTC read once at the start so that it cannot jump."""

    speed = 1.0

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._unix_at_start = time.time()

    def now(self) -> float:
        """Seconds since the clock started."""
        return time.monotonic() - self._started

    def unix(self) -> float:
        """UTC timestamp, in seconds."""
        return self._unix_at_start + self.now()

    async def sleep_until(self, deadline: float) -> None:
        """Sleep in real time; yields even when the deadline has passed."""
        await asyncio.sleep(max(0.0, deadline - self.now()))

    @contextmanager
    def actor(self) -> Generator[None]:
        """Real time waits for nobody: nothing to do."""
        yield


class ScaledClock:
    """Simulated time that runs ``speed`` times as fast as real time."""

    def __init__(self, speed: float, start_unix: float = SIMULATED_EPOCH_UNIX) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed is {speed}; expected a finite number above 0")
        self.speed = speed
        self._started = time.monotonic()
        self._start_unix = start_unix

    def now(self) -> float:
        """Simulated seconds since the clock started."""
        return (time.monotonic() - self._started) * self.speed

    def unix(self) -> float:
        """Simulated UTC timestamp, in seconds."""
        return self._start_unix + self.now()

    async def sleep_until(self, deadline: float) -> None:
        """Sleep ``1/speed`` of the time to the deadline; yields even when it has passed."""
        await asyncio.sleep(max(0.0, (deadline - self.now()) / self.speed))

    @contextmanager
    def actor(self) -> Generator[None]:
        """Scaled time waits for nobody: nothing to do."""
        yield


class _Wake(asyncio.Future[None]):
    """What a sleeper waits for; cancelling it counts at once, before its task gets a turn."""

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__()
        self._clock = clock

    def cancel(self, msg: object | None = None) -> bool:
        """Cancel the sleep."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._clock.woken_by_others()
        return cancelled


class JumpingClock:
    """Simulated time at full speed: when every actor sleeps, it jumps to the first deadline.

    Deterministic: sleepers wake in the order of their deadlines, then of their arrival. Time stands still
    while any actor does something else (waits for I/O, say), and when there is no actor at all.
    """

    speed = math.inf

    def __init__(self, start_unix: float = SIMULATED_EPOCH_UNIX) -> None:
        self._now = 0.0
        self._start_unix = start_unix
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._awake = 0
        self._yield_at = 0.0

    def now(self) -> float:
        """Simulated seconds since the clock started."""
        return self._now

    def unix(self) -> float:
        """Simulated UTC timestamp, in seconds."""
        return self._start_unix + self._now

    async def sleep_until(self, deadline: float) -> None:
        """Sleep in simulated time. Only an actor may call this."""
        if self._awake == 1 and (not self._sleepers or deadline < self._sleepers[0][0]):
            # Everybody else sleeps for longer: jump without a trip through the event loop.
            if deadline > self._now:
                self._now = deadline
            if time.monotonic() > self._yield_at:
                await asyncio.sleep(0)
                self._yield_at = time.monotonic() + _YIELD_EVERY_S
            return
        self._arrivals += 1
        wake = _Wake(self)
        heapq.heappush(self._sleepers, (deadline, self._arrivals, wake))
        self._leave()
        await wake

    @contextmanager
    def actor(self) -> Generator[None]:
        """Inside, time does not jump unless the caller sleeps."""
        self._awake += 1
        try:
            yield
        finally:
            self._leave()

    def woken_by_others(self) -> None:
        """A sleeper was cancelled: it is awake from this instant, though its task runs only later."""
        self._awake += 1

    def _leave(self) -> None:
        """One actor fewer is awake; the last one wakes the first sleeper."""
        self._awake -= 1
        while self._awake == 0 and self._sleepers:
            deadline, _, wake = heapq.heappop(self._sleepers)
            if wake.done():
                continue
            if deadline > self._now:
                self._now = deadline
            self._awake += 1
            wake.set_result(None)


def simulated_clock(speed: float, start_unix: float = SIMULATED_EPOCH_UNIX) -> Clock:
    """Return the simulated clock of that speed; ``inf`` jumps."""
    return JumpingClock(start_unix) if math.isinf(speed) else ScaledClock(speed, start_unix)


_process_clock: Clock = SystemClock()


def process_clock() -> Clock:
    """Return the clock of this process: real time unless another was installed."""
    return _process_clock


def install_clock(clock: Clock) -> None:
    """Make ``clock`` the clock of this process, for the engine and for simulated instruments in it."""
    global _process_clock
    _process_clock = clock
