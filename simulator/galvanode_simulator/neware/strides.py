"""How far a channel may go before it looks at its cell again, in ticks."""

from __future__ import annotations

import math
from collections.abc import Callable

from galvanode_simulator.neware.models import TICK_S

LONGEST_STRIDE = 600
"""Ticks at a constant current between two looks at the cell."""
_MOST_CHANGE = 0.05
"""Part by which the current of a held voltage may change from one look to the next."""
_ROUNDING = 1e-9


def ticks_of(seconds: float) -> int:
    """Ticks after which so many seconds have passed."""
    return math.ceil(seconds / TICK_S - _ROUNDING)


def first_tick(reached: Callable[[int], bool], most: int) -> int:
    """First number of ticks at which ``reached`` holds, for a condition that stays once it has come."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if reached(middle):
            high = middle
        else:
            low = middle
    return high


def mean_of_decay(first: float, last: float) -> float:
    """Mean of a quantity that decays exponentially from one value to the other."""
    low, high = sorted((first, last))
    if low <= 0.0 or high - low < 1e-6 * high:
        return 0.5 * (first + last)
    return (high - low) / math.log(high / low)


def next_stride(before: float, after: float, ticks: int, stop: float | None) -> int:
    """Ticks to the next look while a voltage is held: fewer the faster the current changes and the nearer its end."""
    if min(before, after) <= 0.0:
        return LONGEST_STRIDE if before == after else 1
    rate = abs(math.log(before / after)) / ticks
    if rate == 0.0:
        return min(2 * ticks, LONGEST_STRIDE)
    longest = _MOST_CHANGE / rate
    if stop is not None and stop > 0.0 and before > after:
        longest = min(longest, 0.5 * math.log(max(after / stop, 1.0)) / rate)
    return max(1, min(int(longest), 2 * ticks, LONGEST_STRIDE))
