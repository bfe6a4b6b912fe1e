"""What the driver says on the wire, verb by verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from galvanode.instrument.roles import Envelope
from galvanode.instrument.tasks import Cutoff, HoldCurrent, HoldVoltage, Impedance, OpenCircuit, Sweep
from galvanode.testing.transcripts import Verb, after, call, passing, transcripts_of
from galvanode_drivers.emstat4 import FAMILY

ENVELOPE = Envelope(-2.0, 2.0, 0.1)


def verbs() -> dict[str, Verb]:
    prepare, collect, safe = call("prepare", ENVELOPE), call("collect"), call("make_safe")

    def task(*arguments: Any) -> Verb:
        return after(prepare, call("start", *arguments), passing(1.1), collect)

    return {
        "identify": call("identify"),
        "identify-other-instrument": call("identify"),
        "identify-while-a-script-runs": call("identify"),
        "prepare": prepare,
        "open-circuit": task(OpenCircuit(1.0, 0.5)),
        "hold-current": task(HoldCurrent(-0.001, 1.0, 0.5)),
        "hold-voltage": task(HoldVoltage(0.5, 0.01, 1.0, 0.5)),
        "cut-off": task(HoldCurrent(0.001, 10.0, 0.5), (Cutoff("voltage", ">=", 0.0), Cutoff("voltage", "<=", -0.25))),
        "sweep": task(Sweep((0.0, 0.2), 1.0, 0.1, 0.01)),
        "cyclic-voltammogram": task(Sweep((0.0, 0.2, -0.1, 0.0), 2.0, 0.1, 0.01, cycles=2)),
        "impedance": task(Impedance("potentiostatic", 1e5, 1e3, 3, 0.01, 0.0, 0.001)),
        "impedance-galvanostatic": task(Impedance("galvanostatic", 1e5, 1e3, 3, 1e-4, 0.0, 0.001)),
        "out-of-range": after(prepare, call("start", HoldVoltage(6.5, 0.01, 1.0, 0.5))),
        "refused": after(prepare, call("start", OpenCircuit(1.0, 0.5))),
        "error-while-running": task(HoldCurrent(0.001, 10.0, 0.5)),
        "not-a-number": task(OpenCircuit(1.0, 0.5)),
        "abort": after(prepare, call("start", HoldCurrent(0.001, 10.0, 0.5)), passing(1.0), call("abort"), collect),
        "make-safe-from-idle": safe,
        "make-safe-from-running": safe,
        "make-safe-not-confirmed": safe,
    }


TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", verbs())
