"""Measurement loops: which points they have, when each is due, and what is measured there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from galvanode_simulator.methodscript.errors import Code, Refused
from galvanode_simulator.methodscript.memory import word
from galvanode_simulator.methodscript.program import Argument, Statement
from galvanode_simulator.methodscript.state import State
from galvanode_simulator.methodscript.values import TIMING, Value

NO_SCAN = -1
_WHOLE = 1e-6
"""Rounding of durations and spans that are multiples of interval or step."""

Take = Callable[[float], None]
"""Measures a point and stores its variables, given the interval that it took (s)."""


class Point(NamedTuple):
    """One point of a loop. The number of its scan is ``NO_SCAN`` where there is one at most."""

    scan: int
    due: float
    take: Take


Points = Callable[[State, Statement], Iterator[Point]]


def _sweep(state: State, statement: Statement) -> Iterator[Point]:
    """LSV and CV: a staircase, each step measured at its end."""
    potential, current, *numbers = statement.arguments
    *vertices, step, rate = state.memory.numbers(numbers)
    _needs_potentiostat(state)
    if step <= 0 or rate <= 0:
        raise Refused(Code.NOT_POSITIVE)
    unit = state.unit
    unit.check_step(step)
    interval = step / rate
    unit.check_interval(interval)
    for volts in vertices:
        unit.set_potential(volts)
    scans = _scans(state, statement)
    if statement.name == "meas_loop_cv":
        vertices = [*vertices, vertices[0]]
    path = staircase(vertices, step)
    if len(path) < 2:
        raise Refused(Code.NO_STEP)
    take = _taker(state, statement, potential, current)
    due = state.instant
    # One scan after another passes through the starting point once; the last one ends there.
    for scan in range(scans):
        for volts in path if scan == scans - 1 else path[:-1]:
            unit.set_potential(volts)
            due += interval
            yield Point(scan if scans > 1 else NO_SCAN, due, take)


def staircase(vertices: list[float], step: float) -> list[float]:
    """Potentials from the first vertex to the last in whole steps."""
    path = [vertices[0]]
    for target in vertices[1:]:
        start = path[-1]
        steps = math.floor(abs(target - start) / step + _WHOLE)
        signed = math.copysign(step, target - start)
        path += [start + nth * signed for nth in range(1, steps + 1)]
    return path


def _scans(state: State, statement: Statement) -> int:
    for name, (count, *_) in statement.options:
        if name == "nscans":
            scans = state.memory.number(count)
            if not 1 <= scans <= 0xFFFF:
                raise Refused(Code.OUT_OF_BOUNDS)
            return int(scans)
    return 1


def _hold_potential(state: State, statement: Statement) -> Iterator[Point]:
    """CA: a constant potential."""
    potential, current, level, *times = statement.arguments
    _needs_potentiostat(state)
    state.unit.set_potential(state.memory.number(level))
    yield from _ticks(state, times, _taker(state, statement, potential, current))


def _hold_current(state: State, statement: Statement) -> Iterator[Point]:
    """CP: a constant current."""
    potential, current, level, *times = statement.arguments
    _needs_galvanostat(state)
    state.unit.set_current(state.memory.number(level))
    yield from _ticks(state, times, _taker(state, statement, potential, current))


def _open_circuit(state: State, statement: Statement) -> Iterator[Point]:
    """OCP: the potential with the cell off."""
    if state.unit.cell_is_on:
        raise Refused(Code.OCP_WITH_CELL_ON)
    potential, *times = statement.arguments
    additional = _additional(state, statement)

    def take(interval: float) -> None:
        state.memory.store(potential, _stamped(state, state.unit.measure("ab", interval)))
        additional(interval)

    yield from _ticks(state, times, take)


def _ticks(state: State, times: list[Argument], take: Take) -> Iterator[Point]:
    interval, duration = state.memory.numbers(times)
    if interval <= 0 or duration <= 0:
        raise Refused(Code.NOT_POSITIVE)
    state.unit.check_interval(interval)
    start = state.instant
    for nth in range(1, math.floor(duration / interval + _WHOLE) + 1):
        yield Point(NO_SCAN, start + nth * interval, take)


def _spectrum(state: State, statement: Statement) -> Iterator[Point]:
    """EIS and GEIS: frequencies on a logarithmic scale, from the first to the last."""
    frequency, real, imaginary, *numbers = statement.arguments
    amplitude, first, last, count, level = state.memory.numbers(numbers)
    galvanostatic = statement.name == "meas_loop_geis"
    if galvanostatic:
        _needs_galvanostat(state)
    else:
        _needs_potentiostat(state)
    state.unit.check_impedance(galvanostatic, amplitude, (first, last))
    if count < 1:
        raise Refused(Code.NOT_POSITIVE)
    if galvanostatic:
        state.unit.set_current(level)
    else:
        state.unit.set_potential(level)
    outputs = next((given for name, given in statement.options if name == "eis_acdc"), None)
    store = state.memory.store
    due = state.instant
    points = int(count)
    for nth in range(points):
        hertz = first * (last / first) ** (nth / (points - 1)) if points > 1 else first

        def take(interval: float, hertz: float = hertz) -> None:
            result = state.unit.impedance(hertz, amplitude)
            store(frequency, Value(hertz, "dc"))
            store(real, _stamped(state, result.real))
            store(imaginary, _stamped(state, result.imaginary))
            if outputs is not None:
                for out, value in zip(outputs, result[2:], strict=True):
                    store(out, value)

        due = max(due, state.instant) + state.unit.impedance_duration(hertz)
        yield Point(NO_SCAN, due, take)


def _taker(state: State, statement: Statement, potential: Argument, current: Argument) -> Take:
    """What is measured beside the set point: the current, or under a galvanostat the potential."""
    additional = _additional(state, statement)
    unit, store = state.unit, state.memory.store

    def take(interval: float) -> None:
        if unit.galvanostat:
            store(potential, _stamped(state, unit.measure("ab", interval)))
            store(current, unit.measure("ba", interval))
        else:
            store(potential, unit.set_point())
            store(current, _stamped(state, unit.measure("ba", interval)))
        additional(interval)

    return take


def _additional(state: State, statement: Statement) -> Take:
    """``add_meas(channel type variable)``, any number of them."""
    wanted = [given for name, given in statement.options if name == "add_meas"]
    for channel, _, _ in wanted:
        if state.memory.number(channel) != 0:
            raise Refused(Code.NO_SUCH_CHANNEL)
    pairs = [(word(kind), out) for _, kind, out in wanted]

    def take(interval: float) -> None:
        for kind, out in pairs:
            state.memory.store(out, state.unit.measure(kind, interval))

    return take


def _stamped(state: State, value: Value) -> Value:
    """Add the status 'timing not met' to what a late point has measured."""
    if not state.late:
        return value
    return Value(value.number, value.kind, (value.status or 0) | TIMING, value.range, value.noise)


def _needs_potentiostat(state: State) -> None:
    if state.unit.galvanostat:
        raise Refused(Code.WRONG_PGSTAT_MODE)
    if not state.unit.cell_is_on:
        raise Refused(Code.CELL_IS_OFF)


def _needs_galvanostat(state: State) -> None:
    if not state.unit.galvanostat:
        raise Refused(Code.WRONG_PGSTAT_MODE)
    if not state.unit.cell_is_on:
        raise Refused(Code.CELL_IS_OFF)


TECHNIQUES: dict[str, tuple[int, Points]] = {
    "meas_loop_lsv": (0x00, _sweep),
    "meas_loop_cv": (0x05, _sweep),
    "meas_loop_ca": (0x07, _hold_potential),
    "meas_loop_cp": (0x0A, _hold_current),
    "meas_loop_ocp": (0x0B, _open_circuit),
    "meas_loop_eis": (0x0D, _spectrum),
    "meas_loop_geis": (0x0E, _spectrum),
}
"""What follows ``M`` where the loop begins (manual, table 5), and its points."""
