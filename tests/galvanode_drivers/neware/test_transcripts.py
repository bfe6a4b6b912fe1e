"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from galvanode.instrument.roles import Envelope
from galvanode.instrument.schedule import Bounds, Current, Ending, Recording, Rest, Schedule, ScheduledStep
from galvanode.testing.transcripts import Verb, after, call, transcripts_of
from galvanode_drivers.neware import FAMILY

ENVELOPE = Envelope(-2.0, 2.0, 0.01)
SCHEDULE = Schedule(
    "a rest and a charge",
    (
        ScheduledStep(1, "rest", Rest(), (Ending("time", ">=", 2.0),), Recording(every_s=1.0), Bounds(), 1),
        ScheduledStep(2, "charge", Current(1e-3), (Ending("time", ">=", 1.0),), Recording(every_s=1.0), Bounds(), 2),
    ),
)
THERE = r"D:\steps"
"""A folder of the server's computer: the simulated server, which has none such, starts nothing from it."""
AT_A_SERVER = replace(
    FAMILY, facts=replace(FAMILY.facts, options={**FAMILY.facts.options, "step_files_at_server": THERE, "channels": 2})
)


def attach(channel: Any) -> Any:
    """Follow what was started as ``r0007``."""

    async def attached() -> None:
        channel.attach(SCHEDULE, "r0007")

    return attached()


def verbs() -> dict[str, Verb]:
    follow = after(attach, call("follow", 0))
    return {
        "identify": call("identify"),
        "identify-unit-not-there": call("identify"),
        "identify-not-logged-in": call("identify"),
        "attached": call("attached"),
        "start": after(call("prepare", ENVELOPE), call("start", SCHEDULE, "r0007")),
        "start-refused": after(call("prepare", ENVELOPE), call("start", SCHEDULE, "r0007")),
        "start-at-work": after(call("prepare", ENVELOPE), call("start", SCHEDULE, "r0007")),
        "follow-working": follow,
        "follow-not-handed-over": follow,
        "follow-finished": after(attach, call("follow", 2)),
        "follow-protected": follow,
        "follow-another-test": follow,
        "stop": call("stop"),
        "stop-from-idle": call("stop"),
        "make-safe": call("make_safe"),
    }


TestTranscripts = transcripts_of(AT_A_SERVER, Path(__file__).parent / "transcripts", verbs())
