"""Programs in an ESPEC controller: its forty places, their text on the wire, and what the air is to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ProgramStep

PLACES = 40
STEPS = 99
GUARANTEED_K = 3.0
"""GRANTY ON: time counts only within this of the set point."""
_FIELD = re.compile(
    r"TEMP(?P<temp>[-+]?\d+(\.\d+)?)|TRAMP ?(?P<ramp>ON|OFF)|TIME(?P<hours>\d+):(?P<minutes>\d+)"
    r"|GRANTY ?(?P<granty>ON|OFF)|PAUSE ?(?P<pause>ON|OFF)|(?P<ref>REF[0-9])"
)
_COUNT = re.compile(r"([AB])\((\d+)\.(\d+)\.(\d+)\)")
_RUN = re.compile(
    r"TEMP(?P<temp>[-+]?\d+(\.\d+)?)|TIME(?P<hours>\d+):(?P<minutes>\d+)|GOTEMP(?P<goal>[-+]?\d+(\.\d+)?)"
)


class BadProgram(Exception):
    """The controller does not take this: the number after ``PRGM WRITE ERR-``."""


@dataclass
class Step:
    """One step, as it is written. degC and minutes."""

    temperature: float = 25.0
    ramp: bool = False
    minutes: int = 60
    guaranteed: bool = False
    pause: bool = False
    refrigerator: str = "REF9"

    def write(self, fields: list[str]) -> None:
        """Take what a command says of the step. Raises ``BadProgram``."""
        for text in fields:
            match = _FIELD.fullmatch(text)
            if match is None:
                raise BadProgram("1")
            if match["temp"]:
                self.temperature = round(float(match["temp"]), 1)
            elif match["ramp"]:
                self.ramp = match["ramp"] == "ON"
            elif match["hours"]:
                self.minutes = _minutes(match["hours"], match["minutes"])
            elif match["granty"]:
                self.guaranteed = match["granty"] == "ON"
            elif match["pause"]:
                self.pause = match["pause"] == "ON"
            else:
                self.refrigerator = match["ref"]

    def text(self, number: int) -> str:
        """Answer to ``PRGM DATA?,RAM:n,STEPm``."""
        return (
            f"{number},TEMP{self.temperature:.1f},TEMP RAMP {_on(self.ramp)},TIME{clock(self.minutes)}"
            f",GRANTY {_on(self.guaranteed)},{self.refrigerator}{',PAUSE ON' if self.pause else ''}"
        )


@dataclass
class Program:
    """One program."""

    name: str = ""
    steps: list[Step] = field(default_factory=list[Step])
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict[str, tuple[int, int, int]])
    """From which step to which, numbered from 1, and how often again."""
    end: str = "HOLD"
    highest: float | None = None
    lowest: float | None = None

    def write(self, fields: list[str]) -> None:
        """Take one ``PRGM DATA WRITE`` after the program's number. Raises ``BadProgram``."""
        match fields:
            case [step, *rest] if (number := re.fullmatch(r"STEP(\d+)", step)) is not None:
                self._write_step(int(number[1]), rest)
            case ["END", ("OFF" | "STANDBY" | "CONSTANT" | "HOLD") as end]:
                self.end = end
            case ["END", "RUN", follower] if re.fullmatch(r"PTN\d+", follower):
                self.end = f"RUN:{follower.removeprefix('PTN')}"
            case ["HTEMP", number]:
                self.highest = _number(number)
            case ["LTEMP", number]:
                self.lowest = _number(number)
            case ["COUNT", *counts] if counts and all(_COUNT.fullmatch(count) for count in counts):
                for letter, first, last, again in _COUNT.findall(",".join(counts)):
                    self.counts[letter] = (int(first), int(last), int(again))
            case _:
                raise BadProgram("1")

    def check(self, lowest: float, highest: float) -> None:
        """Raise ``BadProgram`` for one that cannot run in a chamber of that range, degC."""
        low = lowest if self.lowest is None else self.lowest
        high = highest if self.highest is None else self.highest
        if not self.steps:
            raise BadProgram("2")
        if not all(low <= step.temperature <= high for step in self.steps):
            raise BadProgram("3")
        if not all(1 <= first <= last <= len(self.steps) for first, last, _ in self.counts.values()):
            raise BadProgram("4")

    def text(self) -> str:
        """Answer to ``PRGM DATA?,RAM:n``."""
        counts = ",".join(f"{letter}({'.'.join(map(str, self.counts.get(letter, (0, 0, 0))))})" for letter in "AB")
        return f"{len(self.steps)},<{self.name}>,COUNT,{counts},END({self.end})"

    def detail(self, lowest: float, highest: float) -> str:
        """Answer to ``PRGM DATA?,RAM:n,DETAIL``."""
        low = lowest if self.lowest is None else self.lowest
        high = highest if self.highest is None else self.highest
        return f"{high:.1f},{low:.1f},TEMPOFF"

    def compiled(self) -> list[ProgramStep]:
        """What the air is to do."""
        back = {last - 1: (first - 1, again) for first, last, again in self.counts.values() if again}
        return [
            ProgramStep(
                target=step.temperature + ZERO_CELSIUS,
                duration=60.0 * step.minutes,
                ramp=step.ramp,
                within=GUARANTEED_K if step.guaranteed else None,
                pause=step.pause,
                jump_to=back[number][0] if number in back else None,
                jumps=back[number][1] if number in back else 0,
            )
            for number, step in enumerate(self.steps)
        ]

    def _write_step(self, number: int, fields: list[str]) -> None:
        if not 1 <= number <= min(STEPS, len(self.steps) + 1):
            raise BadProgram("5")
        step = Step() if number > len(self.steps) else self.steps[number - 1]
        step.write(fields)
        if number > len(self.steps):
            self.steps.append(step)


def one_step(text: str) -> tuple[list[ProgramStep], str]:
    """Return the program of ``RUN PRGM, TEMP20.0 TIME1:00 GOTEMP60.0``, and what ``RUN PRGM?`` says of it.

    Raises ``BadProgram``.
    """
    found: dict[str, str] = {}
    for word in text.split():
        match = _RUN.fullmatch(word)
        if match is None:
            raise BadProgram("1")
        found |= {key: value for key, value in match.groupdict().items() if value is not None}
    if "temp" not in found or "hours" not in found:
        raise BadProgram("1")
    begin = float(found["temp"])
    goal = float(found.get("goal", begin))
    minutes = _minutes(found["hours"], found["minutes"])
    steps = [ProgramStep(begin + ZERO_CELSIUS), ProgramStep(goal + ZERO_CELSIUS, 60.0 * minutes, ramp=goal != begin)]
    return steps, f"TEMP{begin:.1f} GOTEMP{goal:.1f} TIME{clock(minutes)} REF9"


def clock(minutes: float) -> str:
    """Hours and minutes, ``1:05``."""
    whole = int(minutes)
    return f"{whole // 60}:{whole % 60:02d}"


def _minutes(hours: str, minutes: str) -> int:
    if int(hours) > 99 or int(minutes) > 59:
        raise BadProgram("1")
    return 60 * int(hours) + int(minutes)


def _number(text: str) -> float:
    try:
        return round(float(text), 1)
    except ValueError:
        raise BadProgram("1") from None


def _on(state: bool) -> str:
    return "ON" if state else "OFF"
