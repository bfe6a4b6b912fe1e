"""The program walked beside an instrument that runs it: its records become steps, charge, cycles and samples."""

from __future__ import annotations

import math

from galvanode.engine.ends import Verdict
from galvanode.engine.errors import Tripped
from galvanode.engine.plans import setpoint_of
from galvanode.engine.recording import Recorder
from galvanode.engine.scheduling import Scheduled
from galvanode.engine.trust import Trust
from galvanode.engine.workplace import Workplace
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import SequencedChannel
from galvanode.instrument.schedule import Ending, Followed, Record, ScheduledStep
from galvanode.recipe.program import Action, Step

_SELDOM_S = 60.0
_NEXT = Action()
_RESOLUTION = 1e-3
"""Part of an end by which the record that it makes may lie before it, or beyond."""


class Alongside:
    """Where the instrument is in the program, record by record."""

    def __init__(self, scheduled: Scheduled, workplace: Workplace) -> None:
        self._scheduled = scheduled
        self._workplace = workplace
        self._step: Step | None = None
        self._planned: ScheduledStep | None = None
        self._last: Record | None = None
        self._recorder: Recorder | None = None
        self._trust: Trust | None = None

    @property
    def look_s(self) -> float:
        """s until the next look: as often as the recipe asks for, but not without need.

        Nothing depends on it but what people see, and how soon a temperature trips: at full speed nobody looks.
        """
        fastest = self._workplace.wiring.the_sequencer.capabilities.fastest_poll_s
        if not self._workplace.real_time:
            return max(fastest, _SELDOM_S)
        poll_s = fastest if self._step is None else self._step.poll_s
        return max(fastest, min(poll_s, _SELDOM_S))

    async def remember(self, sequencer: SequencedChannel) -> None:
        """Take up the step that the position stands in, with the last record of it that is committed."""
        p = self._workplace.position
        if p.fetched == 0 or not p.in_step:
            return
        records = (await sequencer.follow(p.fetched - 1)).records
        if not records or records[0].number != p.fetched:
            raise Tripped(f"the instrument has record {p.fetched} no more; what it measured cannot be told")
        self._last = records[0]
        self._open(self._next_step(records[0]), records[0].step)

    def take(self, followed: Followed) -> bool:
        """Take what a look has found; True if the program is over on the instrument.

        Raises ``Tripped`` for what ends it otherwise.
        """
        self.take_records(followed)
        workplace = self._workplace
        workplace.reading = followed.now or workplace.reading
        if self._trust is not None:
            self._trust.check_temperature(workplace.temperature())
        if followed.more or followed.state in ("running", "paused"):
            return False
        if followed.state == "protected":
            raise Tripped(f"the instrument protects: {followed.reason or 'it does not say why'}")
        if followed.state == "stopped":
            raise Tripped(f"the schedule was stopped at the instrument: {followed.reason or 'it does not say why'}")
        self._end()
        if (more := workplace.walk.next()) is not None:
            raise Tripped(f"the instrument has finished before line {more.line} of the recipe")
        return True

    def take_records(self, followed: Followed) -> None:
        """Count records and make samples of them. Raises ``Tripped`` for one that does not fit the program."""
        for record in followed.records:
            self._take(record)

    def _take(self, record: Record) -> None:
        p = self._workplace.position
        if record.number != p.fetched + 1:
            raise Tripped(f"record {record.number} of the instrument came after {p.fetched}: some are missing")
        if record.begins:
            self._end()
            self._begin(record)
        elif self._planned is None or self._planned.number != record.step:
            raise Tripped(f"record {record.number} is of step {record.step}, which has not begun")
        self._count(record)
        p.fetched, self._last = record.number, record
        if self._recorder is not None:
            self._recorder.write(record.voltage, record.current, self._workplace.temperature())
        self._workplace.reading = Reading(record.voltage, record.current, None, False, None)
        if self._trust is not None:
            self._trust.check_voltage(record.voltage)

    def _count(self, record: Record) -> None:
        """Move the position on by what the instrument has counted since the record before."""
        p = self._workplace.position
        numbers = (record.time_s, record.voltage, record.current, record.charge, record.energy)
        if not all(map(math.isfinite, numbers)):
            raise Tripped(f"record {record.number} of the instrument is not a number")
        charge, energy = record.charge - p.step_charge_c, record.energy - p.step_energy_j
        passed_s = record.time_s - p.step_time_s
        if min(passed_s, charge, energy) < -1e-9:
            raise Tripped(f"record {record.number} counts back: time, charge or energy of the step has fallen")
        if self._charges(record):
            p.charge_c += charge
            p.charge_energy_j += energy
        else:
            p.discharge_c += charge
            p.discharge_energy_j += energy
        p.step_time_s, p.step_charge_c, p.step_energy_j = record.time_s, record.charge, record.energy
        p.test_time_s += passed_s
        p.unix_time_s = p.unix_time_s + passed_s if record.unix_time_s is None else record.unix_time_s
        p.step_highest = max(record.voltage, -math.inf if p.step_highest is None else p.step_highest)
        p.step_lowest = min(record.voltage, math.inf if p.step_lowest is None else p.step_lowest)

    def _charges(self, record: Record) -> bool:
        """Tell whether what passed before a record went into the cell; the last one of a step may show no current."""
        if record.current != 0.0 or self._last is None:
            return record.current >= 0.0
        return self._last.current >= 0.0

    def _begin(self, record: Record) -> None:
        """Begin the step that the program says comes next; it must be the one that the instrument begins."""
        step = self._next_step(record)
        self._workplace.book.enter_step()
        self._open(step, record.step)

    def _next_step(self, record: Record) -> Step:
        workplace = self._workplace
        found = workplace.walk.next()
        expected = self._scheduled.instructions.get(record.step)
        if not isinstance(found, Step) or expected != workplace.position.instruction:
            told = "none is due" if found is None else f"line {found.line} of the recipe is due"
            raise Tripped(f"the instrument carries out step {record.step} of its schedule, but {told}")
        return found

    def _open(self, step: Step, number: int) -> None:
        workplace, book = self._workplace, self._workplace.book
        self._step = workplace.step = step
        self._planned = self._scheduled.schedule.steps[number - 1]
        self._trust = Trust(step, None, 0.0, book.note)
        self._recorder = Recorder(step, book.position, book.samples, book.beside, everything=True)
        setpoint = setpoint_of(step, workplace.walk.value)
        began = book.origin + book.position.test_time_s - book.position.step_time_s
        book.open_step(step.step_id, step.name, step.drive.kind, setpoint, began)

    def _end(self) -> None:
        """Close the step that has ended on the instrument, if one is open, and move on."""
        if self._planned is None or self._last is None:
            return
        workplace, p, last = self._workplace, self._workplace.position, self._last
        reason = _why(self._planned.ends, last)
        workplace.book.close_step(reason)
        p.in_step = False
        p.last_step = {
            "voltage": last.voltage,
            "current": last.current,
            "time": last.time_s,
            "charge": last.charge,
            "energy": last.energy,
        }
        workplace.walk.act(Verdict(_NEXT, reason))
        self._step = self._planned = self._last = None


def _why(ends: tuple[Ending, ...], last: Record) -> str:
    """Return the end, in the recipe's words, that the last record of a step comes closest to, or lies beyond."""
    measured = {
        "time": last.time_s,
        "voltage": last.voltage,
        "current": last.current,
        "current_magnitude": abs(last.current),
        "charge": last.charge,
        "energy": last.energy,
    }
    texts: list[tuple[float, str]] = []
    for end in ends:
        sign = 1.0 if end.comparison == ">=" else -1.0
        short = sign * (end.value - measured[end.quantity]) / max(abs(end.value), 1e-6)
        texts.append((max(0.0, short - _RESOLUTION), end.text))
    return min(texts, key=lambda item: item[0], default=(0.0, "ended by the instrument"))[1]
