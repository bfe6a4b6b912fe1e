"""SIGTERM and SIGINT as a future, the same on every platform."""

from __future__ import annotations

import asyncio
import signal


def ending_signals() -> asyncio.Future[None]:
    """Return a future that SIGTERM or SIGINT completes, instead of killing the process."""
    loop = asyncio.get_running_loop()
    ending: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ending.done():
            ending.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, end)
        except NotImplementedError:  # Windows: the event loop takes no signals; Python's own handler does
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(end))
    return ending
