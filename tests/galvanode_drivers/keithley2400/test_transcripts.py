"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from pathlib import Path

from tests.galvanode_drivers.source_measure import ENVELOPE, PLATE, READ, VERBS

from galvanode.testing.transcripts import after, call, transcripts_of
from galvanode_drivers.keithley2400 import FAMILY

OWN = {
    "read-over-voltage": after(PLATE, READ),
    "protection-rounded-down": call("prepare", ENVELOPE),
}

TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", VERBS | OWN)
