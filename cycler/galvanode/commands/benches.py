"""What a bench says before any of its instruments is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from galvanode.cell import read_cell
from galvanode.document import read_document
from galvanode.engine.envelopes import admit_envelope, envelope_of
from galvanode.engine.wiring import ChamberControl, NotWired, Wiring
from galvanode.errors import InvalidInput
from galvanode.instrument.bench import Bench, unopened
from galvanode.recipe.outlook.warnings import Reach
from galvanode.recipe.program import Program, Step


def channel_named_after(bench: Bench, cell: Path) -> str | None:
    """Return the channel that bears the cell file's name (``-`` as ``_``), if there is one."""
    name = cell.stem.replace("-", "_")
    return name if name in bench.channels else None


def admit_cell(bench: Bench, channel: str | None, cell: Path) -> None:
    """Refuse a cell whose envelope the channel, or no channel of the bench, can be set to. Raises ``InvalidInput``."""
    document, under_test = read_document(cell), read_cell(cell)
    refusal: InvalidInput | None = None
    drives = unopened(bench).channels
    for one in drives.values() if channel is None else (drives[channel],):
        wiring = Wiring(one.cycler, one.analyzer, sequencer=one.sequencer)
        try:
            admit_envelope(wiring, envelope_of(under_test, wiring), document)
        except InvalidInput as error:
            refusal = refusal or error
        else:
            return
    if refusal is not None:
        raise refusal


def admit_program(bench: Bench, channel: str, program: Program, recipe: Path, cell: Path) -> None:
    """Refuse what the instruments of a channel cannot do, as they say without being opened. Raises ``Refused``."""
    # Here, not at the top: only a check against a bench needs it.
    from galvanode.engine.admission import Offer, admit, admit_whole
    from galvanode.engine.sensing import refuse_unmeasured

    drives = unopened(bench).channels[channel]
    chamber = None if drives.chamber is None else _UNOPENED_CHAMBER
    wiring = Wiring(drives.cycler, drives.analyzer, chamber, drives.sequencer)
    offer = Offer.of(wiring)
    if not offer.alone:
        admit(program, offer, str(recipe))
    refuse_unmeasured(program, offer, _named(recipe), _named(cell))
    if offer.alone:
        admit_whole(program, wiring, envelope_of(read_cell(cell), wiring), str(recipe))


def _named(file: Path) -> tuple[str, str]:
    return str(file), file.read_text(encoding="utf-8-sig")


async def _not_open(*_: float) -> None:
    raise LookupError("the chamber is not open")


_UNOPENED_CHAMBER = ChamberControl(_not_open, _not_open)


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
