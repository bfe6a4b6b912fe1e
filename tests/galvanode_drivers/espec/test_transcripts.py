"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from pathlib import Path

from galvanode.testing.transcripts import Verb, after, call, transcripts_of
from galvanode_drivers.espec import FAMILY

CELSIUS = 273.15


def verbs() -> dict[str, Verb]:
    return {
        "identify": call("identify"),
        "identify-other-instrument": call("identify"),
        "set-temperature": after(call("set_temperature", 60.0 + CELSIUS), call("read")),
        "set-temperature-below-zero": call("set_temperature", -20.0 + CELSIUS),
        "set-temperature-out-of-range": call("set_temperature", 151.0 + CELSIUS),
        "set-temperature-protected": call("set_temperature", 60.0 + CELSIUS),
        "set-temperature-not-taken": call("set_temperature", 60.0 + CELSIUS),
        "read": call("read"),
        "read-with-alarms": call("read"),
        "read-busy": call("read"),
        "make-safe-from-idle": call("make_safe"),
        "make-safe-from-running": after(call("set_temperature", 60.0 + CELSIUS), call("make_safe")),
        "make-safe-not-confirmed": call("make_safe"),
    }


TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", verbs())
