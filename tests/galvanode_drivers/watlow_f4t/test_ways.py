"""Each way of reaching an F4T passes the conformance suite, and says on the wire what its transcripts hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from galvanode.instrument.family import Facts
from galvanode.testing.conformance import conformance_of
from galvanode.testing.transcripts import Verb, after, call, transcripts_of
from galvanode_drivers.watlow_f4t import FAMILY

SCPI = replace(FAMILY, facts=Facts(options={"protocol": "scpi"}))
CASCADE = replace(FAMILY, facts=Facts(options={"control": "cascade"}, simulated={"units": "C"}))
HIGH_FIRST = replace(FAMILY, facts=Facts(options={"word_order": "high_low"}))

Test_over_scpi = conformance_of(SCPI)
Test_with_a_cascade = conformance_of(CASCADE)
Test_high_word_first = conformance_of(HIGH_FIRST)


def verbs() -> dict[str, Verb]:
    warm = call("set_temperature", 60.0 + 273.15)
    return {
        "identify": call("identify"),
        "set-temperature": warm,
        "set-temperature-out-of-range": call("set_temperature", 151.0 + 273.15),
        "read": call("read"),
        "make-safe": after(warm, call("make_safe")),
    }


TestModbus = transcripts_of(FAMILY, Path(__file__).parent / "transcripts" / "modbus", verbs())
TestScpi = transcripts_of(SCPI, Path(__file__).parent / "transcripts" / "scpi", verbs())
