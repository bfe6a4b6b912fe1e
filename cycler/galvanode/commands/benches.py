"""What a bench says before any of its instruments is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from galvanode.engine.wiring import NotWired, Wiring
from galvanode.instrument.bench import Bench, unopened
from galvanode.recipe.outlook.warnings import Reach
from galvanode.recipe.program import Step


def channel_named_after(bench: Bench, cell: Path) -> str | None:
    """Return the channel that bears the cell file's name (``-`` as ``_``), if there is one."""
    name = cell.stem.replace("-", "_")
    return name if name in bench.channels else None


def reach_of(bench: Bench, channel: str) -> Callable[[Step], Reach | None]:
    """Return what says which range and which pace the instrument of a channel has for a step; None if unknown.

    Nothing is opened: it is what the drivers say of their instruments.
    """
    drives = unopened(bench).channels[channel]
    if drives.sequencer is not None:
        return lambda _: None
    wiring = Wiring(drives.cycler, drives.analyzer)

    def reach(step: Step) -> Reach | None:
        try:
            carrier = wiring.carrier(step)
        except NotWired:
            return None
        found = wiring.capabilities(carrier)
        if found is None:
            return None
        return Reach(found.voltage, found.current, found.fastest_poll_s if carrier == "cycler" else None)

    return reach
