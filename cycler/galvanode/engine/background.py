"""Tasks that a station does beside everything else; one that fails is said, not lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Background:
    """The station's own tasks."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        """``note`` takes the kind and the message of an event."""
        self._note = note
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Begin a task."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        """Ask every task to end."""
        for task in list(self._tasks):
            task.cancel()

    async def ended(self) -> None:
        """Return when every task has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("task %s failed", task.get_name(), exc_info=error)
            self._note("internal_error", f"{task.get_name()}: {error!r}")
