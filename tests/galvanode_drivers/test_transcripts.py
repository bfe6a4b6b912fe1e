"""What each verb of a driver says on the wire, line by line, as it was recorded and read against the manual.

A transcript is a text file beside this one, ``<driver>/transcripts/<verb>.txt``:

    # a comment
    > what the driver sends
    < what the instrument answers
    = what the verb returns, or ! the error that it raises

A driver that sends anything else fails; the failure prints a new transcript, taken from the simulated
instrument, to be read against the manual before it replaces the old one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.galvanode_drivers.simulated import DRIVERS, ENVELOPE, FAMILIES, Bound, Verb

from galvanode.clock import process_clock
from galvanode.errors import GalvanodeError
from galvanode.instrument.bench import has_role
from galvanode.instrument.links.base import GuardedLink
from galvanode.instrument.roles import ScriptedChannel
from galvanode.instrument.tasks import Cutoff, HoldCurrent, HoldVoltage, Impedance, OpenCircuit, Sweep

HERE = Path(__file__).parent
CELSIUS = 273.15


class Differs(AssertionError):
    """The driver left its transcript."""


class Replay(GuardedLink):
    """A link that plays one transcript and nothing else."""

    def __init__(self, lines: list[str], streams: bool) -> None:
        super().__init__("it", "nowhere")
        self._lines = lines
        self.streams = streams
        """Whether the instrument also speaks without being asked."""
        self.at = 0

    async def query(self, message: str) -> str:
        self._sent(message)
        answer = self._next()
        if not answer.startswith("< "):
            raise Differs(f"an answer to {message!r} is waited for; the transcript has {answer!r}")
        return answer[2:]

    async def write(self, message: str) -> None:
        for line in message.split("\n"):
            self._sent(line)
        if not self.streams and self.at < len(self._lines) and self._lines[self.at].startswith("< "):
            raise Differs(f"the answer to {message!r} is not read")

    async def read_line(self) -> str:
        line = self._next()
        if not line.startswith("<"):
            raise Differs(f"a line is waited for; the transcript has {line!r}")
        return line[2:]

    async def read_lines(self) -> list[str]:
        lines: list[str] = []
        while self.at < len(self._lines) and self._lines[self.at].startswith("<"):
            lines.append(self._next()[2:])
        return lines

    async def assure(self) -> None: ...

    async def close(self) -> None: ...

    def end(self, result: str) -> None:
        expected = self._next()
        if expected != result:
            raise Differs(f"the outcome is {result!r}; the transcript has {expected!r}")
        if self.at != len(self._lines):
            raise Differs(f"the transcript goes on with {self._lines[self.at]!r}")

    def _sent(self, message: str) -> None:
        expected = self._next()
        if expected != f"> {message}".rstrip():
            raise Differs(f"sent {message!r}; the transcript has {expected!r}")

    def _next(self) -> str:
        self.at += 1
        return self._lines[self.at - 1] if self.at <= len(self._lines) else "(its end)"


def after(*verbs: Verb) -> Verb:
    """One verb after the other; the last one's result counts."""

    async def all_of_them(driver: Any) -> Any:
        result = None
        for verb in verbs:
            result = await verb(driver)
        return result

    return all_of_them


def call(method: str, *arguments: Any) -> Verb:
    """One verb of a driver."""
    return lambda driver: getattr(driver, method)(*arguments)


def keithley2450() -> dict[str, Verb]:
    plate, strip = call("source_current", 0.00125), call("source_current", -0.00125)
    hold = call("source_voltage", 1.25, 0.01)
    read, safe = call("read"), call("make_safe")
    return {
        "identify": call("identify"),
        "identify-other-model": call("identify"),
        "identify-other-language": call("identify"),
        "prepare": call("prepare", ENVELOPE),
        "rest": after(call("rest"), read),
        "source-current": after(plate, read, strip, read, call("source_current", 0.0)),
        "source-current-out-of-range": call("source_current", 1.06),
        "source-voltage": after(hold, read, call("source_voltage", -0.5, 0.005), read),
        "source-voltage-after-current": after(strip, hold, read, plate, read),
        "read-in-compliance": after(call("source_current", 0.05), read),
        "read-overflow": after(hold, read),
        "read-output-off": after(plate, read),
        "refused": plate,
        "make-safe-from-idle": safe,
        "make-safe-from-running": after(plate, safe),
        "make-safe-not-confirmed": safe,
    }


def espec() -> dict[str, Verb]:
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


async def a_second(driver: Any) -> None:
    """Let simulated time pass; nothing is to be seen of it on the wire."""
    clock: Any = process_clock()
    clock.pass_time(1.0)


def emstat4() -> dict[str, Verb]:
    prepare, collect, safe = call("prepare", ENVELOPE), call("collect"), call("make_safe")

    def task(*arguments: Any) -> Verb:
        return after(prepare, call("start", *arguments), a_second, collect)

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
        "abort": after(prepare, call("start", HoldCurrent(0.001, 10.0, 0.5)), a_second, call("abort"), collect),
        "make-safe-from-idle": safe,
        "make-safe-from-running": safe,
        "make-safe-not-confirmed": safe,
    }


VERBS: dict[str, dict[str, Verb]] = {"keithley2450": keithley2450(), "emstat4": emstat4(), "espec": espec()}
CASES = [(driver, verb) for driver, verbs in VERBS.items() for verb in verbs]


async def _outcome(verb: Verb, driver: Any) -> str:
    try:
        return f"= {await verb(driver)!r}"
    except Differs:
        raise
    except GalvanodeError as error:
        return f"! {type(error).__name__}: {error}"


async def _recorded_anew(bound: Bound, verb: Verb) -> str:
    outcome = await _outcome(verb, bound.driver)
    return "\n".join([*bound.link.lines, outcome])


@pytest.mark.parametrize(("driver", "verb"), CASES, ids=[f"{driver}-{verb}" for driver, verb in CASES])
async def test_a_verb_says_on_the_wire_exactly_what_its_transcript_holds(
    driver: str, verb: str, bound_to: Callable[[str], Bound]
):
    path = HERE / driver / "transcripts" / f"{verb}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    streams = has_role(DRIVERS[driver], ScriptedChannel)
    replay = Replay([line for line in lines if line and not line.startswith("#")], streams)
    try:
        replay.end(await _outcome(VERBS[driver][verb], DRIVERS[driver](replay, FAMILIES[driver].options())))
    except Differs as difference:
        anew = await _recorded_anew(bound_to(driver), VERBS[driver][verb])
        pytest.fail(f"{path.name}, line {replay.at}: {difference}\n\nat the simulated instrument:\n{anew}\n")


def test_every_driver_has_transcripts_and_every_transcript_a_verb():
    assert set(VERBS) == set(DRIVERS)
    found = {(path.parents[1].name, path.stem) for path in HERE.glob("*/transcripts/*.txt")}
    assert found == set(CASES)
