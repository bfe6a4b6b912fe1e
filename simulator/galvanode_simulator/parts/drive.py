"""A source at a cell: a set point with a limit that clamps, over any stretch of time."""

from __future__ import annotations

import math
from collections.abc import Callable

from galvanode_simulator.cells.base import Cell

_TOLERANCE = 1e-9
_MOST_CHANGES = 64
"""Changes between source and limit within one stretch; a cell that asks for more is held where it is."""


def drive_current(cell: Cell, amps: float, voltage_limit: float, duration: float) -> None:
    """Let ``duration`` seconds pass at a current, clamped where it needs over ``voltage_limit`` volts."""
    if cell.voltage_bound(amps) <= voltage_limit:
        cell.hold_current(amps, duration)
        return
    for _ in range(_MOST_CHANGES):
        if duration <= 0.0:
            return
        volts = cell.voltage(amps)
        if abs(volts) < voltage_limit * (1.0 - _TOLERANCE):
            free = _time_until(cell, amps, duration, voltage_limit)
            cell.hold_current(amps, free)
            duration -= free
        else:
            duration -= cell.hold_voltage(math.copysign(voltage_limit, volts), duration)
    cell.hold_current(amps if abs(cell.voltage(amps)) <= voltage_limit else 0.0, duration)


def drive_voltage(cell: Cell, volts: float, current_limit: float, duration: float) -> None:
    """Let ``duration`` seconds pass at a voltage, clamped where it takes more than ``current_limit`` amps."""
    for _ in range(_MOST_CHANGES):
        if duration <= 0.0:
            return
        amps = cell.current(volts)
        if abs(amps) <= current_limit * (1.0 + _TOLERANCE):
            duration -= cell.hold_voltage(volts, duration)
        else:
            held = math.copysign(current_limit, amps)
            clamped = _time_until_voltage(cell, held, duration, volts)
            cell.hold_current(held, clamped)
            duration -= clamped
    cell.hold_voltage(volts, duration)


def at_terminals_of_current(cell: Cell, amps: float, voltage_limit: float) -> tuple[float, float, bool]:
    """Return voltage, current and whether the limit acts, for a current source now."""
    volts = cell.voltage(amps)
    if abs(volts) <= voltage_limit:
        return volts, amps, False
    volts = math.copysign(voltage_limit, volts)
    return volts, cell.current(volts), True


def at_terminals_of_voltage(cell: Cell, volts: float, current_limit: float) -> tuple[float, float, bool]:
    """Return voltage, current and whether the limit acts, for a voltage source now."""
    amps = cell.current(volts)
    if abs(amps) <= current_limit:
        return volts, amps, False
    amps = math.copysign(current_limit, amps)
    return cell.voltage(amps), amps, True


def _time_until(cell: Cell, amps: float, duration: float, voltage_limit: float) -> float:
    """Seconds until |V| reaches the limit at this current, at most ``duration``."""
    return _bisect(lambda t: abs(cell.voltage_after(amps, t)) >= voltage_limit, duration)


def _time_until_voltage(cell: Cell, amps: float, duration: float, volts: float) -> float:
    """Seconds until the voltage arrives at ``volts`` at this current, at most ``duration``."""
    sign = math.copysign(1.0, amps)
    return _bisect(lambda t: sign * (cell.voltage_after(amps, t) - volts) >= 0.0, duration)


def _bisect(reached: Callable[[float], bool], duration: float) -> float:
    """First moment at which ``reached`` holds, for a condition that stays once it has come."""
    if not reached(duration):
        return duration
    low, high = 0.0, duration
    while high - low > 1e-12 * duration + 1e-12:
        middle = 0.5 * (low + high)
        if reached(middle):
            high = middle
        else:
            low = middle
    return high
