"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from pathlib import Path

from galvanode.instrument.roles import Envelope
from galvanode.testing.transcripts import Verb, after, call, transcripts_of
from galvanode_drivers.keithley2400 import FAMILY

ENVELOPE = Envelope(-2.0, 2.0, 0.1)


def verbs() -> dict[str, Verb]:
    plate, strip = call("source_current", 0.00125), call("source_current", -0.00125)
    hold = call("source_voltage", 1.25, 0.01)
    read, safe = call("read"), call("make_safe")
    return {
        "identify": call("identify"),
        "identify-other-model": call("identify"),
        "prepare": call("prepare", ENVELOPE),
        "rest": after(call("rest"), read),
        "source-current": after(plate, read, strip, read, call("source_current", 0.0)),
        "source-current-out-of-range": call("source_current", 1.06),
        "source-voltage": after(hold, read, call("source_voltage", -0.5, 0.005), read),
        "source-voltage-after-current": after(strip, hold, read, plate, read),
        "read-in-compliance": after(call("source_current", 0.05), read),
        "read-over-voltage": after(plate, read),
        "read-overflow": after(hold, read),
        "read-output-off": after(plate, read),
        "refused": plate,
        "protection-rounded-down": call("prepare", ENVELOPE),
        "make-safe-from-running": after(plate, safe),
        "make-safe-not-confirmed": safe,
    }


TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", verbs())
