"""What is asked of a run while it is under way, and the sleep that it ends."""

from __future__ import annotations

import asyncio
from typing import Literal

from galvanode.clock import Clock

End = Literal["stop", "interrupt"]


class Summons:
    """Pause, stop, interruption and trip of one run. The last three are never taken back."""

    def __init__(self, clock: Clock, *, paused: bool = False) -> None:
        self.paused = paused
        self.end: End | None = None
        self.tripped: str | None = None
        """Why something outside the run ends it."""
        self.asked = paused
        """Somebody wants the run to pause or to end; looked at on every reading."""
        self.asleep = False
        """The run's task sleeps, so that a request may end that; never true while an instrument is spoken to."""
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def called(self, task: asyncio.Task[None]) -> None:
        """Say which task carries the run out."""
        self._task = task

    def pause(self, wanted: bool) -> None:
        """Ask for a pause, or take that back."""
        self.paused = wanted
        self.wake()

    def stop(self) -> None:
        """Ask for the end."""
        self.end = "stop"
        self.wake()

    def interrupt(self) -> None:
        """Ask for the end in this process, unless the end is asked for already."""
        self.end = self.end or "interrupt"
        self.wake()

    def trip(self, reason: str) -> None:
        """Ask for the end because of something outside the run; the first reason stands."""
        self.tripped = self.tripped or reason
        self.stop()

    def wake(self) -> None:
        """See to it that the run looks at what is asked of it now."""
        self.asked = self.paused or self.end is not None
        self._news.set()
        if self.asked and self.asleep and self._task is not None:
            self._task.cancel()  # ends the sleep only: I/O in flight is never cut off

    async def news(self) -> None:
        """Wait until something is asked or answered."""
        self._news.clear()
        await self._news.wait()

    async def sleep(self, until: float) -> None:
        """Sleep in process time; something asked of the run ends the sleep."""
        if self.asked:
            return
        self.asleep = True
        try:
            await self._clock.sleep_until(until)
        except asyncio.CancelledError:
            self.not_really_cancelled()
        finally:
            self.asleep = False

    def not_really_cancelled(self) -> None:
        """Take back the cancellation by which a request ended a sleep; raise any other."""
        if not self.asked or self._task is None:
            raise asyncio.CancelledError
        self._task.uncancel()

    @property
    def why(self) -> str | None:
        """What is asked for, as the end reason of a step; None if nothing is."""
        if not self.asked:
            return None
        return f"tripped: {self.tripped}" if self.tripped else self.end or "pause"
