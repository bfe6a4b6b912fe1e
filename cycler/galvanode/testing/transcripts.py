r"""Transcripts: what each verb of a driver says on the wire, line by line, as recorded and read against the manual.

A transcript is a text file, ``<verb>.txt``:

    # a comment
    > what the driver sends
    < what the instrument answers
    = what the verb returns, or ! the error that it raises

Bytes that are no printable text are written ``\x0d``; the end of a line is left out where a family speaks in lines.
A package that brings a family has its driver held to its transcripts:

    TestTranscripts = transcripts_of(FAMILY, Path(__file__).parent / "transcripts", {"identify": call("identify"), ...})

``pytest --record-transcripts`` writes those that are missing or no longer true anew, as the simulated instrument
answers. Read them against the manual before you commit them; what an instrument does in trouble is edited by hand.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from galvanode.clock import process_clock
from galvanode.errors import GalvanodeError
from galvanode.instrument.family import Family
from galvanode.instrument.links.lines import Lines
from galvanode.testing.instruments import Bound, HandClock, StandIn, bound, time_by_hand

OPTION = "--record-transcripts"
Verb = Callable[[Any], Awaitable[Any]]
"""What is done with a driver."""


class Differs(AssertionError):
    """The driver left its transcript."""


def call(method: str, *arguments: Any) -> Verb:
    """One verb of a driver."""
    return lambda driver: getattr(driver, method)(*arguments)


def after(*verbs: Verb) -> Verb:
    """One verb after the other; the last one's result counts."""

    async def all_of_them(driver: Any) -> Any:
        result = None
        for verb in verbs:
            result = await verb(driver)
        return result

    return all_of_them


def passing(seconds: float) -> Verb:
    """Let simulated time pass; nothing is to be seen of it on the wire."""

    async def wait(_: Any) -> None:
        clock: Any = process_clock()
        clock.pass_time(seconds)

    return wait


def transcripts_of(family: Family, folder: Path, verbs: Mapping[str, Verb]) -> type:
    """Return the tests that hold a driver to the transcripts in a folder, as a class for pytest to collect."""

    class Transcripts:
        @pytest.fixture
        def clock(self) -> Iterator[HandClock]:
            with time_by_hand() as clock:
                yield clock

        @pytest.mark.parametrize("verb", verbs)
        def test_a_verb_says_on_the_wire_exactly_what_its_transcript_holds(
            self, verb: str, clock: HandClock, tmp_path: Path, request: pytest.FixtureRequest
        ) -> None:
            path = folder / f"{verb}.txt"
            lines = _lines_of(path)
            try:
                _play(family, [line for line in lines if not line.startswith("#")], verbs[verb], tmp_path, clock)
            except Differs as difference:
                anew = _record(family, verbs[verb], tmp_path, clock)
                if request.config.getoption(OPTION):
                    comments = [line for line in lines if line.startswith("#")]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text("\n".join([*comments, *anew, ""]), encoding="utf-8")
                told = "\n".join(anew)
                pytest.fail(f"{path.name}, {difference}\n\nat the simulated instrument:\n{told}\n")

        def test_every_transcript_has_a_verb(self) -> None:
            assert {path.stem for path in folder.glob("*.txt")} == set(verbs)

    Transcripts.__doc__ = f"Transcripts of {family.name}."
    return Transcripts


class Player(StandIn):
    """An instrument that plays one transcript and nothing else."""

    def __init__(self, device: Any, lines: list[str], ending: bytes) -> None:
        super().__init__(device)
        self._lines = lines
        self._ending = ending
        self._at = 0
        self._difference: Differs | None = None

    def receive(self, message: bytes) -> bytes:
        """Take what stands in the transcript, and answer what stands there."""
        expected, said = self._next(), _line(">", message)
        if said != expected:
            self._differs(f"the driver sent {said!r}; the transcript has {expected!r}")
        return self.unasked(0.0)

    def unasked(self, patience: float) -> bytes:
        """Say what stands in the transcript."""
        del patience
        said = b""
        while self._at < len(self._lines) and self._lines[self._at].startswith("<"):
            said += _bytes(self._next()[2:]) + self._ending
        return said

    def end(self, outcome: str) -> None:
        """Compare how the verb ended. Raises ``Differs``."""
        if self._difference is not None:
            raise self._difference
        expected = self._next()
        if expected != outcome:
            self._differs(f"the outcome is {outcome!r}; the transcript has {expected!r}")
        if self._at != len(self._lines):
            self._differs(f"the transcript goes on with {self._lines[self._at]!r}")

    def _next(self) -> str:
        self._at += 1
        return self._lines[self._at - 1] if self._at <= len(self._lines) else "(its end)"

    def _differs(self, how: str) -> None:
        if self._difference is None:
            self._difference = Differs(f"line {self._at}: {how}")
        raise self._difference


def _play(family: Family, lines: list[str], verb: Verb, folder: Path, clock: HandClock) -> None:
    with bound(family, folder, clock) as one:
        player = Player(one.tap.device, lines, _ending(family, one))
        one.instrument.wire.attach(player)
        player.end(_outcome(verb, one.channel))


def _record(family: Family, verb: Verb, folder: Path, clock: HandClock) -> list[str]:
    with bound(family, folder, clock) as one:
        outcome = _outcome(verb, one.channel)
        ending = _ending(family, one)
        told: list[str] = []
        for way, data in one.tap.heard:
            parts = data.split(ending)[: -1 if data.endswith(ending) else None] if ending and way == "<" else [data]
            told += [_line(way, part) for part in parts]
        return [*told, outcome]


def _outcome(verb: Verb, driver: Any) -> str:
    async def whole() -> Any:
        return await verb(driver)

    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return f"= {runner.run(whole())!r}"
    except GalvanodeError as error:
        return f"! {type(error).__name__}: {error}"


def _ending(family: Family, one: Bound) -> bytes:
    """What ends an answer and is left out of a transcript: that of lines."""
    settings = family.link(family.options.model_validate(dict(one.family.facts.options)))
    return settings.read_termination.encode() if isinstance(settings, Lines) else b""


def _lines_of(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line] if path.exists() else []


_PLAIN = re.compile(rb"[^\x20-\x7e]|\\")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")


def _line(way: str, data: bytes) -> str:
    text = _PLAIN.sub(lambda found: b"\\x%02x" % found[0][0], data).decode("ascii")
    return f"{way} {text}".rstrip()


def _bytes(text: str) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode("ascii"))
