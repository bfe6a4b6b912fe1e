"""What a bench says before any of its instruments is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from galvanode.engine.wiring import NotWired, Wiring
from galvanode.instrument.bench import Bench, driver_classes
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
    drivers, entry = driver_classes(), bench.channels[channel]
    # A wiring only looks at capabilities to tell who carries out what, and classes have them as well.
    cycler, analyzer = (
        None if name is None else drivers[bench.instruments[name].driver] for name in (entry.cycler, entry.analyzer)
    )
    if not all(hasattr(item, "capabilities") for item in (cycler, analyzer) if item is not None):
        return lambda _: None
    wiring = Wiring(cycler, analyzer)

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
