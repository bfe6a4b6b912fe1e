"""Runs a parsed script: a generator that says when it wants to go on.

``run`` yields the script time (s) at which it continues; whoever drives it lets the cell live until then, sets
``now`` and resumes it. Nothing here looks at a clock.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator

from galvanode_simulator.methodscript.commands import COMMANDS
from galvanode_simulator.methodscript.errors import Code, Refused, ScriptError
from galvanode_simulator.methodscript.memory import word
from galvanode_simulator.methodscript.potentiostat import Potentiostat
from galvanode_simulator.methodscript.program import Program, Statement
from galvanode_simulator.methodscript.state import State
from galvanode_simulator.methodscript.techniques import NO_SCAN, TECHNIQUES

COMMAND_S = 20e-6
"""Time that a command takes: an endless loop of commands does not stop the clock."""
_LATE_S = 1e-9

Steps = Generator[float, None, None]


class _Break(Exception):
    """``breakloop``."""


class _Aborted(Exception):
    """``abort``, or ``Z`` from the host."""


class Machine:
    """One run of one script at one potentiostat. ``emit`` receives each output line."""

    def __init__(self, program: Program, potentiostat: Potentiostat, emit: Callable[[str], None]) -> None:
        self.state = State(potentiostat, emit)
        self.abort = False
        """Set to end the script; resume the generator then."""
        self.break_measurement = False
        """Set to end the measurement loop; resume the generator then."""
        self._program = program
        self._flow: dict[str, Callable[[Statement], Steps]] = {
            "if": self._if,
            "elseif": self._if,
            "else": self._else,
            "loop": self._loop,
            "wait": self._wait,
            "await_int": self._await_interval,
            "meas": self._measure_once,
            **dict.fromkeys(TECHNIQUES, self._measurement_loop),
        }

    def run(self) -> Steps:
        """Run to the end. Raises ``ScriptError``, and then ``on_finished:`` is not carried out (manual, 10.1)."""
        with contextlib.suppress(_Aborted):
            yield from self._block(self._program.statements)
        self.state.finishing = True
        self.state.output = True
        yield from self._block(self._program.on_finished)

    def _until(self, time: float) -> Steps:
        state = self.state
        target = max(time, state.instant)
        state.spent = 0.0
        while state.now < target:
            yield target
            self._check_abort()
            if self.break_measurement:
                return
        self._check_abort()

    def _check_abort(self) -> None:
        if self.abort and not self.state.finishing:
            raise _Aborted

    def _block(self, statements: list[Statement]) -> Steps:
        state, flow = self.state, self._flow
        for statement in statements:
            state.spent += COMMAND_S
            name = statement.name
            try:
                if name in COMMANDS:
                    COMMANDS[name](state, statement)
                elif name in flow:
                    yield from flow[name](statement)
                elif name == "breakloop":
                    raise _Break
                elif not state.finishing:  # abort
                    raise _Aborted
            except Refused as refused:
                raise ScriptError(refused.code, statement.line) from None

    def _if(self, statement: Statement) -> Steps:
        yield from self._block(statement.body if self.state.memory.holds(statement.arguments[0]) else statement.else_)

    def _else(self, statement: Statement) -> Steps:
        yield from self._block(statement.body)

    def _loop(self, statement: Statement) -> Steps:
        state = self.state
        state.emit("L")
        try:
            while state.memory.holds(statement.arguments[0]):
                yield from self._block(statement.body)
                yield from self._until(state.now)
        except _Break:
            pass
        except _Aborted:
            state.emit("+")
            raise
        state.emit("+")

    def _wait(self, statement: Statement) -> Steps:
        seconds = self.state.memory.number(statement.arguments[0])
        if seconds < 0:
            raise Refused(Code.NEGATIVE)
        yield from self._until(self.state.now + seconds)

    def _await_interval(self, statement: Statement) -> Steps:
        state = self.state
        if math.isnan(state.next_interval):
            raise Refused(Code.NOT_HERE)
        yield from self._until(state.next_interval)
        state.next_interval = max(state.next_interval, state.now) + state.interval

    def _measure_once(self, statement: Statement) -> Steps:
        state = self.state
        seconds, out, kind = statement.arguments
        duration = state.memory.number(seconds)
        if duration < 0:
            raise Refused(Code.NEGATIVE)
        yield from self._until(state.now + duration)
        self._strike()
        state.memory.store(out, state.unit.measure(word(kind), duration))

    def _measurement_loop(self, statement: Statement) -> Steps:
        state = self.state
        number, technique = TECHNIQUES[statement.name]
        points = technique(state, statement)
        point = next(points, None)  # what is out of bounds is refused before the loop begins
        state.emit(f"M{number:04X}")
        state.measuring = True
        self.break_measurement = False
        scan = NO_SCAN
        before = state.instant
        try:
            while point is not None:
                if point.scan != scan:
                    if scan != NO_SCAN:
                        state.emit("-")
                    scan = point.scan
                    state.emit(f"C{scan:04X}")
                state.late = state.instant > point.due + _LATE_S
                yield from self._until(point.due)
                if self.break_measurement:
                    break
                self._strike()
                point.take(point.due - before)
                before = point.due
                yield from self._block(statement.body)
                point = next(points, None)
        except _Break:
            pass
        except _Aborted:
            self._end_measurement(scan)
            raise
        self._end_measurement(scan)

    def _end_measurement(self, scan: int) -> None:
        self.state.measuring = self.break_measurement = False
        if scan != NO_SCAN:
            self.state.emit("-")
        self.state.emit("*")

    def _strike(self) -> None:
        code, self.state.fail_with = self.state.fail_with, None
        if code is not None:
            raise Refused(code)
