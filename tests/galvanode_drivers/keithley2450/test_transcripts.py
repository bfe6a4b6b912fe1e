"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from pathlib import Path

from tests.galvanode_drivers.source_measure import SAFE, VERBS

from galvanode.testing.transcripts import call, transcripts_of
from galvanode_drivers.keithley2450 import FAMILY

OWN = {
    "identify-other-language": call("identify"),
    "make-safe-from-idle": SAFE,
}

TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", VERBS | OWN)
