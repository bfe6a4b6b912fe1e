"""What an ESPEC controller does with its programs: keeps them, runs them, tells of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime

from galvanode.clock import process_clock
from galvanode_simulator.espec.programs import PLACES, BadProgram, Program, clock, one_step
from galvanode_simulator.parts.chamber import ZERO_CELSIUS, ChamberModel, Mode, ProgramStep

_PLACE = re.compile(r"RAM:(\d+)")


class Refused(Exception):
    """The controller answers ``NA:`` and a reason."""


class Operation:
    """Programs of one chamber."""

    def __init__(self, chamber: ChamberModel) -> None:
        self.chamber = chamber
        chamber.at_end = self._ended
        self._programs: dict[int, tuple[Program, datetime]] = {}
        self._edited: dict[int, Program] = {}
        self._running: int | None = None
        """Place of the program that runs or holds at its end; 0 for the one that a host has sent."""
        self._sent = ""
        self._holds = False

    @property
    def detail(self) -> str:
        """Answer to ``MODE?,DETAIL``."""
        chamber = self.chamber
        if chamber.mode != "RUN":
            return chamber.mode
        kind = "RMT RUN" if self._running == 0 else "RUN"
        if self._holds:
            return f"{kind} END HOLD"
        return f"{kind} PAUSE" if chamber.program is not None and chamber.program.paused else kind

    def run(self, place: str, step: int = 1) -> None:
        """Run a program from one of its steps, numbered from 1."""
        number = _place(place)
        program = self._kept(number)
        if not 1 <= step <= len(program.steps):
            raise Refused("PARA ERR")
        self._running, self._holds = number, False
        self.chamber.run(program.compiled(), step - 1)

    def tell(self, head: str, options: list[str], text: str) -> None:
        """Carry out ``PRGM``, ``PRGM DATA WRITE``, ``PRGM ERASE`` or ``RUN PRGM``."""
        match head, options:
            case "PRGM", ["RUN", place]:
                self.run(place)
            case "PRGM", ["RUN", place, step] if re.fullmatch(r"STEP\d+", step):
                self.run(place, int(step.removeprefix("STEP")))
            case "PRGM", [("PAUSE" | "CONTINUE" | "ADVANCE") as word]:
                self._steer(word)
            case "PRGM", ["END", ("HOLD" | "CONST" | "OFF" | "STANDBY") as end]:
                self._program_of_chamber()
                self._finish("CONSTANT" if end == "CONST" else end)
            case "PRGM DATA WRITE", [program, *fields] if re.fullmatch(r"PGM\d+", program) and fields:
                self._write(int(program.removeprefix("PGM")), fields, text)
            case "PRGM ERASE", [place]:
                self._erase(_place(place))
            case "RUN PRGM", [step]:
                steps, self._sent = _understood(step)
                self._running, self._holds = 0, False
                self.chamber.run(steps)
            case _:
                raise Refused("PARA ERR")

    def told(self, head: str, options: list[str]) -> str:
        """Answer a question about programs."""
        low, high = self.chamber.lowest - ZERO_CELSIUS, self.chamber.highest - ZERO_CELSIUS
        match head, options:
            case "PRGM MON?", []:
                return self._monitor(("A", "B"))
            case "RUN PRGM MON?", []:
                return self._monitor(("A",))
            case "PRGM SET?", []:
                number, program = self._current()
                return f"RAM:{number},{program.name},END({program.end})"
            case "RUN PRGM?", []:
                if not self._sent:
                    raise Refused("DATA NOT READY")
                return self._sent
            case "PRGM USE?", ["RAM"]:
                return ",".join(map(str, (len(self._programs), *sorted(self._programs))))
            case "PRGM USE?", [place]:
                program, written = self._programs.get(_place(place), (None, None))
                if program is None:
                    raise Refused("DATA NOT READY")
                return f"{program.name},{written:%y.%m/%d}"
            case "PRGM DATA?", [place]:
                return self._kept(_place(place)).text()
            case "PRGM DATA?", [place, "DETAIL"]:
                return self._kept(_place(place)).detail(low, high)
            case "PRGM DATA?", [place, step] if re.fullmatch(r"STEP\d+", step):
                number, program = int(step.removeprefix("STEP")), self._kept(_place(place))
                if not 1 <= number <= len(program.steps):
                    raise Refused("PARA ERR")
                return program.steps[number - 1].text(number)
            case _:
                raise Refused("PARA ERR")

    def _kept(self, number: int) -> Program:
        if number not in self._programs:
            raise Refused("DATA NOT READY")
        return self._programs[number][0]

    def _current(self) -> tuple[int, Program]:
        if self.chamber.mode != "RUN" or not self._running:
            raise Refused("DATA NOT READY")
        return self._running, self._kept(self._running)

    def _program_of_chamber(self) -> None:
        if self.chamber.mode != "RUN":
            raise Refused("DATA NOT READY")

    def _monitor(self, counters: tuple[str, ...]) -> str:
        """Step, set point, time left, and how often the counted steps come again."""
        chamber, program = self.chamber, self.chamber.program
        self._program_of_chamber()
        celsius = f"{chamber.setpoint - ZERO_CELSIUS:.1f}"
        if program is None:
            return ",".join(["0", celsius, "0:00", *("0" for _ in counters)])
        counts = self._kept(self._running).counts if self._running else {}
        left = [
            str(counts[letter][2] - program.jumped.get(counts[letter][1] - 1, 0)) if letter in counts else "0"
            for letter in counters
        ]
        return ",".join([str(program.index + 1), celsius, clock(program.left / 60.0), *left])

    def _steer(self, word: str) -> None:
        program = self.chamber.program
        if program is None:
            raise Refused("DATA NOT READY")
        if word == "PAUSE":
            program.paused = True
        elif word == "CONTINUE":
            program.go_on()
        else:
            program.paused = False
            program.next_step()
        self.chamber.advance()

    def _ended(self) -> None:
        """The program has ended by itself."""
        end = self._kept(self._running).end if self._running else "HOLD"
        if end.startswith("RUN:") and int(end.removeprefix("RUN:")) in self._programs:
            self._running = int(end.removeprefix("RUN:"))
            self.chamber.run(self._kept(self._running).compiled())
        else:
            self._finish("HOLD" if end.startswith("RUN:") else end)

    def _finish(self, end: str) -> None:
        """End the program; with ``HOLD`` its last set point goes on."""
        if end == "HOLD":
            self.chamber.program = None
            self._holds = True
            return
        modes: dict[str, Mode] = {"OFF": "OFF", "STANDBY": "STANDBY", "CONSTANT": "CONSTANT"}
        self._running, self._holds = None, False
        self.chamber.set_mode(modes[end])

    def _write(self, number: int, fields: list[str], text: str) -> None:
        if not 1 <= number <= PLACES:
            raise Refused("DATA OUT OF RANGE")
        match fields:
            case [("EDIT START" | "OVER WRITE START") as how]:
                self._begin_edit(number, how)
            case [("EDIT END" | "OVER WRITE END" | "EDIT CANCEL" | "OVER WRITE CANCEL") as how]:
                program = self._under_edit(number)
                if how.endswith("END"):
                    low, high = self.chamber.lowest - ZERO_CELSIUS, self.chamber.highest - ZERO_CELSIUS
                    _checked(lambda: program.check(low, high))
                    self._programs[number] = (program, datetime.fromtimestamp(process_clock().unix(), UTC))
                del self._edited[number]
            case ["NAME", _]:
                self._under_edit(number).name = text.split(",", 3)[3].strip()[:20]
            case _:
                program = self._under_edit(number)
                _checked(lambda: program.write(fields))

    def _begin_edit(self, number: int, how: str) -> None:
        if number in self._edited or (self.chamber.mode == "RUN" and self._running == number):
            raise Refused("CONT NOT READY-2")
        kept = self._programs.get(number)
        if kept is not None and how == "EDIT START":
            self._edited[number] = deepcopy(kept[0])
        else:
            self._edited[number] = Program()

    def _under_edit(self, number: int) -> Program:
        if number not in self._edited:
            raise Refused("PRGM WRITE ERR-0")
        return self._edited[number]

    def _erase(self, number: int) -> None:
        self._kept(number)
        if self.chamber.mode == "RUN" and self._running == number:
            raise Refused("CONT NOT READY-2")
        del self._programs[number]


def _place(text: str) -> int:
    match = _PLACE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= PLACES:
        raise Refused("PARA ERR")
    return int(match[1])


def _checked(action: Callable[[], None]) -> None:
    try:
        action()
    except BadProgram as error:
        raise Refused(f"PRGM WRITE ERR-{error}") from None


def _understood(step: str) -> tuple[list[ProgramStep], str]:
    try:
        return one_step(step)
    except BadProgram:
        raise Refused("PARA ERR") from None
