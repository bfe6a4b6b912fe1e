"""The envelope of a cell at the instruments of a channel: what they are set to before anything is switched on."""

from __future__ import annotations

from galvanode.cell import CellUnderTest
from galvanode.document import Document
from galvanode.engine.wiring import Wiring
from galvanode.instrument.roles import Bounded, CannotHold, Envelope


def envelope_of(cell: CellUnderTest, wiring: Wiring) -> Envelope:
    """Return the cell's envelope, its current no larger than what the instruments can give anyway."""
    limits = cell.envelope_limits()
    most = max(abs(amps) for item in wiring.instruments for amps in item.capabilities.current)
    return Envelope(limits.voltage_min, limits.voltage_max, min(limits.current_max, most))


def admit_envelope(wiring: Wiring, envelope: Envelope, cell: Document) -> None:
    """Refuse a cell whose envelope an instrument cannot be set to. Raises ``InvalidInput`` with the cell's line."""
    for instrument in wiring.instruments:
        if not isinstance(instrument, Bounded):
            continue
        try:
            instrument.refuse_envelope(envelope)
        except CannotHold as error:
            said = f"the instrument cannot hold this envelope: {error}"
            raise cell.error(_stands_at(error.bound, envelope, cell), said) from error


def _stands_at(bound: str, envelope: Envelope, cell: Document) -> tuple[str, ...]:
    """Where a cell's definition states a bound."""
    if bound == "voltage":
        return ("envelope", "voltage", "max" if abs(envelope.voltage_max) >= abs(envelope.voltage_min) else "min")
    absolute = ("envelope", "current", "max")
    return absolute if cell.at(absolute) is not None else ("envelope", "current_density", "max")
