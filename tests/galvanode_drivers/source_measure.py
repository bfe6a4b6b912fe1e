"""What the transcripts of every source-measure unit hold its driver to."""

from __future__ import annotations

from galvanode.instrument.roles import Envelope
from galvanode.testing.transcripts import Verb, after, call

ENVELOPE = Envelope(-2.0, 2.0, 0.1)
PLATE, STRIP = call("source_current", 0.00125), call("source_current", -0.00125)
HOLD = call("source_voltage", 1.25, 0.01)
READ, SAFE = call("read"), call("make_safe")

VERBS: dict[str, Verb] = {
    "identify": call("identify"),
    "identify-other-model": call("identify"),
    "prepare": call("prepare", ENVELOPE),
    "rest": after(call("rest"), READ),
    "source-current": after(PLATE, READ, STRIP, READ, call("source_current", 0.0)),
    "source-current-out-of-range": call("source_current", 1.06),
    "source-voltage": after(HOLD, READ, call("source_voltage", -0.5, 0.005), READ),
    "source-voltage-after-current": after(STRIP, HOLD, READ, PLATE, READ),
    "read-in-compliance": after(call("source_current", 0.05), READ),
    "read-overflow": after(HOLD, READ),
    "read-output-off": after(PLATE, READ),
    "refused": PLATE,
    "make-safe-from-running": after(PLATE, SAFE),
    "make-safe-not-confirmed": SAFE,
}
