"""PalmSens EmStat4, EmStat Pico, Sensit and Nexus: potentiostats that run a script (MethodSCRIPT) by themselves.

Sources: MethodSCRIPT manual 1.8, communication protocol of EmStat4 1.3, the maker's examples. Wiring: WE at the
positive terminal, CE and RE together at the negative one, so that a positive current charges.
"""

from __future__ import annotations

import asyncio
from collections import deque

from galvanode.instrument.links.base import NOT_TOLD, LinkTimeout
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import (
    Capabilities,
    Envelope,
    Identity,
    InstrumentError,
    OneChannel,
    OutOfRange,
    UnsafeState,
)
from galvanode.instrument.tasks import Collected, Cutoff, ImpedancePoint, Task
from galvanode_drivers.emstat4 import EmStat4Options
from galvanode_drivers.emstat4.protocol import MODELS, OVERLOAD, Model, decode, fault_of
from galvanode_drivers.emstat4.script import CUT_OFF, SAFE, End, Plan, write

_PAUSE_AFTER_ERROR_S = 0.1
"""The instrument ignores what comes within 50 ms of an error that it has told (maker's examples)."""
_MOST_LINES, _MOST_OF_STRANGERS = 100_000, 1000
"""Lines of a running script that may come before an answer, and before it is known who sends them."""
_NO_CURRENT = 1e-6
"""A. With the cell off, more than this is a current that flows: 1 % of the range, ten times its offset."""
_SILENCES = 3
"""Looks in vain after the last sample, after which the instrument is asked whether the script has ended."""
_MARKERS = "eMCL+-*"
"""First letters of lines that mark where loops begin and end."""
_OF_SCRIPTS = _MARKERS + "PT!Z"
"""First letters of lines that a running script may send."""


class EmStat4(OneChannel):
    """PalmSens EmStat4, EmStat Pico, Sensit and Nexus (MethodSCRIPT manual 1.8).

    ``capabilities`` are those of an EmStat4 HR until the instrument has said what it is. A current limit ends
    a task on this instrument: a potentiostat cannot hold a current back while it holds a potential.
    """

    capabilities: Capabilities

    def __init__(self, link: LineLink, options: EmStat4Options) -> None:
        self.link = link
        self.options = options
        self.capabilities = type(self).capabilities
        self._model: Model | None = None
        self._envelope: Envelope | None = None
        self._plan: Plan | None = None
        self._lines: deque[str] = deque()
        """Lines of the task's script that ``collect`` has not looked at."""
        self._over = True
        self._end: End | None = None
        self._samples = 0
        self._silences = 0

    @property
    def name(self) -> str:
        """Name of the instrument in the bench file."""
        return self.link.name

    async def identify(self) -> Identity:
        """Ask for firmware version (``t``), serial number (``i``) and version of the script language (``v``)."""
        await self.link.write("t")
        version = (await self._answer("t", strangers=True))[1:]
        model = MODELS.get(version[:6])
        if model is None:
            raise self._stranger(version)
        await self._answer("R", "B")
        self._model = model
        self.capabilities = _capabilities(model)
        digits = version[6:].partition("#")[0]
        firmware = f"{digits[:1]}.{digits[1:2]}.{digits[2:]}".rstrip(".")
        serial, language = await self._ask("i"), await self._ask("v")
        identity = Identity("PalmSens", model.name, serial, f"{firmware}, MethodSCRIPT {language}")
        return self.link.recognise(identity)

    async def prepare(self, envelope: Envelope) -> None:
        """Stop what runs, switch the cell off and remember the envelope, which goes into every script."""
        await self.make_safe()
        if self._model is None:
            await self.identify()
        self._envelope = envelope
        self._lines.clear()
        self._plan = None

    async def start(self, task: Task, cutoffs: tuple[Cutoff, ...] = ()) -> None:
        """Write the script for a task, send it and wait until the instrument has accepted it."""
        if self._model is None or self._envelope is None:
            raise OutOfRange(f"{self.name} has no envelope yet; prepare it first")
        if not self._over:
            raise InstrumentError(f"{self.name} still runs a task; abort it first")
        plan = write(task, cutoffs, self._envelope, self._model)
        self._lines.clear()
        self._plan, self._end, self._samples, self._silences = plan, None, 0, 0
        self._over = True  # until the instrument has accepted it
        self._lines.extend(await self._send_script(plan.script))
        self._over = False

    async def collect(self) -> Collected:
        """Decode what has arrived. After an error of the script the cell is switched off, and the error raised."""
        if not self._over:
            self._lines.extend(_clean(line) for line in await self.link.read_lines())
            await self._notice_lost_end()
        items: list[Reading | ImpedancePoint] = []
        while self._lines:
            line = self._lines[0]
            try:
                item = self._decoded(line)
            except (BadReading, InstrumentError) as error:
                if items:
                    break  # these first; the line is looked at again
                self._lines.popleft()
                if isinstance(error, InstrumentError):
                    # Not even on_finished: is carried out after an error (manual, 10.1): the cell is still on.
                    await asyncio.sleep(_PAUSE_AFTER_ERROR_S)
                    await self.make_safe()
                raise
            self._lines.popleft()
            if item is not None:
                items.append(item)
        finished = self._over and not self._lines
        ended_by = self._end.cutoff if finished and self._end is not None else None
        return Collected(items, finished, ended_by)

    async def abort(self) -> None:
        """End the task now, switch the cell off and verify it. What has arrived can still be collected."""
        await self.make_safe()

    async def make_safe(self) -> None:
        """Stop any script and open the cell's circuit; verified by measuring that no current flows."""
        with self.link.urgent():
            await self._stop_script()
            self._over = True
            await self._switch_off()
        await self.link.assure()

    async def close(self) -> None:
        """Give the link back."""
        await self.link.close()

    # Lines of a running script

    def _decoded(self, line: str) -> Reading | ImpedancePoint | None:
        """Return the sample of a line, None if it holds none. Raises ``BadReading`` and ``InstrumentError``."""
        if line.startswith("P"):
            return self._sample(line)
        if line.startswith("T" + CUT_OFF):
            self._met(line)
        elif not line:
            self._over = True
        elif (fault := fault_of(line)) is not None:
            script = self._plan.script if self._plan is not None else []
            raise InstrumentError(f"{self.name} stopped: {fault.text(script)}")
        elif line[0] not in _MARKERS:
            self.link.distrust(f"{line[:80]!r} is no line of a script's output")
            raise BadReading(f"{line[:80]!r} is no line of a script's output")
        return None

    def _met(self, line: str) -> None:
        number = line.removeprefix("T" + CUT_OFF)
        ends = self._plan.ends if self._plan is not None else ()
        if not number.isdecimal() or int(number) >= len(ends):
            raise BadReading(f"{line[:80]!r} names no cut-off")
        if self._end is None:
            self._end = ends[int(number)]

    def _sample(self, line: str) -> Reading | ImpedancePoint:
        variables = decode(line)
        found = {variable.kind: variable.value for variable in variables}
        overloaded = any(variable.status & OVERLOAD for variable in variables)
        time = found.get("eb")
        volts = _first(found, "ab", "ci", "da")
        if time is None or volts is None:
            raise BadReading(f"{line[:80]!r} lacks time or potential")
        self._samples += 1
        if "dc" in found:
            if "cc" not in found or "cd" not in found or overloaded:
                problem = "is of an overloaded range" if overloaded else "lacks the impedance"
                raise BadReading(f"{line[:120]!r} {problem}")
            return ImpedancePoint(time, found["dc"], found["cc"], found["cd"], volts)
        amps = _first(found, "ba", "db")
        if amps is None:
            raise BadReading(f"{line[:80]!r} lacks the current")
        return Reading(volts, amps, time, overloaded, self._end.tripped if self._end is not None else None)

    async def _notice_lost_end(self) -> None:
        """Ask whether the script has ended if its last sample is in and the line that ends it does not come."""
        plan = self._plan
        if self._lines or plan is None or (self._samples < plan.samples and self._end is None):
            self._silences = 0
            return
        self._silences += 1
        if self._silences >= _SILENCES:
            await self._stop_script()
            self._over = True

    # Commands

    async def _answer(self, *beginnings: str, strangers: bool = False) -> str:
        """Wait for the line that begins so; lines of a running script before it are kept.

        ``strangers`` refuses lines that no instrument of this family sends.
        """
        for _ in range(_MOST_OF_STRANGERS if strangers else _MOST_LINES):
            line = _clean(await self.link.read_line())
            if line.startswith(beginnings):
                return line
            if strangers and line and line[0] not in _OF_SCRIPTS:
                raise self._stranger(line)
            if not self._over:
                self._lines.append(line)
        if strangers:
            raise self._stranger("")
        raise self.link.distrust("it does not answer, and sends other lines without end")

    def _stranger(self, answer: str) -> InstrumentError:
        return InstrumentError(
            f"{self.name} answered {answer!r} to t; expected an EmStat4, EmStat Pico, Sensit or Nexus"
        )

    async def _ask(self, command: str) -> str:
        """Ask for a one-line answer; ``NOT_TOLD`` while a script runs, which may not be asked then."""
        await self.link.write(command)
        answer = (await self._answer(command))[1:]
        if answer.startswith("!"):
            await asyncio.sleep(_PAUSE_AFTER_ERROR_S)
            return NOT_TOLD
        return answer

    async def _send_script(self, script: list[str]) -> list[str]:
        """Have a script executed. Return what came with the answer; raises ``InstrumentError`` if it is refused."""
        await self.link.write("\n".join(["e", *script]))
        await self.link.write("")  # an empty line ends it
        answer = await self._answer("e")
        fault = fault_of(answer)
        if fault is not None:
            await asyncio.sleep(_PAUSE_AFTER_ERROR_S)
            raise InstrumentError(f"{self.name} refused the script: {fault.text(script)}")
        return [answer[1:]] if answer != "e" else []  # older firmware goes on in the same line

    async def _stop_script(self) -> None:
        """Abort and get in step again, as the maker's examples do. An empty line ends what was half sent."""
        for last in (False, True):
            await self.link.write("\nZ")
            try:
                answer = await self._answer("Z")
                break
            except LinkTimeout:  # what was half sent ended in an error, and Z came too soon after it
                if last:
                    raise
                await asyncio.sleep(_PAUSE_AFTER_ERROR_S)
        else:
            return
        if answer == "Z":
            await self._read_to_end()
        elif answer == "Z!0006":  # nothing runs
            await asyncio.sleep(_PAUSE_AFTER_ERROR_S)
        else:
            raise self.link.distrust(f"{answer[:80]!r} is no answer to Z; expected Z or Z!0006")

    async def _read_to_end(self) -> list[str]:
        """Read the rest of a script's output; return it. What belongs to the task is kept for ``collect``."""
        rest: list[str] = []
        for _ in range(_MOST_LINES):
            line = _clean(await self.link.read_line())
            rest.append(line)
            if not self._over:
                self._lines.append(line)
            if not line or fault_of(line) is not None:
                return rest
        raise self.link.distrust("it does not end its script")

    async def _switch_off(self) -> None:
        """Switch the cell off with a script of its own, and measure that no current flows."""
        by_hand = "Disconnect the cell by hand"
        try:
            output = [*await self._send_script(SAFE), *await self._read_to_end()]
            packages = [decode(line) for line in output if line.startswith("P")]
        except (InstrumentError, BadReading) as error:
            self.link.distrust(str(error))
            raise UnsafeState(f"{self.name} could not be made safe: {error}. {by_hand}") from error
        if output[-1] or len(packages) != 1:
            raise UnsafeState(f"{self.name} answered {output} to the script that switches the cell off. {by_hand}")
        current = packages[0][0]
        if current.kind != "ba" or current.status & OVERLOAD or not abs(current.value) <= _NO_CURRENT:
            raise UnsafeState(f"{self.name} is off but measures {current.value:g} A; expected none. {by_hand}")


def _clean(line: str) -> str:
    """A line without the characters of flow control: an EmStat Pico sends XON when it starts."""
    return line.strip("\x11\x13\r")


def _capabilities(model: Model) -> Capabilities:
    modes = {"rest", "voltage", "sweep", "impedance"} | ({"current"} if model.galvanostat else set[str]())
    return Capabilities(
        modes=frozenset(modes),  # type: ignore[arg-type]
        voltage=model.potential,
        current=(-model.current, model.current),
        fastest_poll_s=model.shortest_interval,
        current_floor=1e-8,
        frequency=model.frequency,
    )


EmStat4.capabilities = _capabilities(MODELS["es4_hr"])


def _first(found: dict[str, float], *kinds: str) -> float | None:
    return next((found[kind] for kind in kinds if kind in found), None)
