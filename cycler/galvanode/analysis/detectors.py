"""Detectors: what is told from one reading after the other, while the cell runs or later from its samples.

A detector takes its options, by name, when it is made. ``update`` returns the reason, for people, when it
finds what it looks for. Its state is plain data, so that a resumed run goes on detecting.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol

_BIG = 1e30
"""Beyond any voltage, current or resistance; comparisons with it are false for NaN."""

_NOT_YET_FLOWING = 10.0
"""A current that grows by more than this within a half-cycle was not yet flowing before."""

_SURE = 0.8
"""Margin under what a sound cell must show at least."""

_REST = 1e-3
"""A current below this fraction of the largest one seen is the noise of a rest."""


class Detector(Protocol):
    """What the engine asks of a detector."""

    def update(self, time_s: float, voltage: float, current: float, step_count: int) -> str | None:
        """Take one reading (s, V, A; 0 A in a rest); return why the detector is alarmed, or None.

        Raises ``ValueError`` if one of them is not a finite number or time goes back.
        """
        ...

    def interrupted(self) -> None:
        """Say that the cell was left alone for a while inside a step (a pause, a restart)."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything it remembers, as JSON-ready data."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state; implies ``interrupted``."""
        ...


class _HalfCycle(NamedTuple):
    """What a half-cycle that is over says about the next one. Ohm, V, A, s."""

    lowest: float
    ohmic: float
    highest: float
    end: float
    current: float
    lasted: float


class ShortCircuit:
    """Short circuit of a symmetric cell (0 V at open circuit), told from r = V/I.

    A half-cycle is successive readings of one step with one sign of the current. Within it r of a sound
    cell stays or grows (interfaces charge, concentration builds up); r of a shorted one falls. Alarmed
    when ``confirm`` successive readings say one of

    A. *Fall*: r < (1 - drop) r_max, r_max the highest r of this half-cycle (itself seen ``confirm`` times).
    B. *Lost proportionality*: ``settle_s`` after the half-cycle began, r < (1 - drop) s r_low and
       r < 0.8 s r_sound. Of the half-cycle before, which lasted T: r_low is its lowest settled r, r_end its
       last. s = min(1, 2 |I_end/I|): the voltage of a sound cell may grow less than the current, but not
       fall. r_sound = r_after + (r_end - r_after) t/2T, the least that a sound cell shows: r_after =
       (r_end I_end + (I - I_end) r_ohmic)/I is where r begins if the concentration polarisation stays and
       only the ohmic part follows the current, and diffusion turns that round within 2T. r_ohmic is what
       r_low and r_end give when extrapolated in sqrt(t) from the first settled reading to the beginning.

    In both, the voltage must have fallen by ``noise_V``, so that noise on a small voltage alarms nobody.
    *Hard* if |r| is under ``hard_fraction`` of what it fell from (the voltage falls to nearly 0 and follows
    V = I R with a small R), *soft* otherwise (Counihan, Joule 2023; Menkin, Faraday Discuss. 2023).

    Options: ``drop`` 0.5, ``confirm`` 3 readings, ``settle_s`` 5 s, ``hard_fraction`` 0.1, ``noise_V``
    0.5 mV. Raises ``ValueError`` for any other and for values that make no sense.
    """

    name = "short_circuit"
    DEFAULTS: ClassVar = {
        "drop": 0.5,
        "confirm": 3.0,
        "settle_s": 5.0,
        "hard_fraction": 0.1,
        "noise_V": 0.5e-3,
    }

    _STATE = (
        "_step",
        "_sign",
        "_began",
        "_settled_at",
        "_time",
        "_r",
        "_current",
        "_most_current",
        "_rest_below",
        "_highest",
        "_allowed",
        "_pending",
        "_pending_count",
        "_lowest",
        "_first_settled",
        "_fall_below",
        "_lost_below",
        "_count",
    )
    """What ``state`` stores as it is; infinite values, which JSON lacks, are those of a new detector."""

    __slots__ = (*_STATE, "_before", "_confirm", "_hard", "_interrupted", "_keep", "_noise", "_settle")

    def __init__(self, options: dict[str, float]) -> None:
        chosen = self._checked(options)
        self._keep = 1.0 - chosen["drop"]
        self._confirm = int(chosen["confirm"])
        self._settle = chosen["settle_s"]
        self._hard = chosen["hard_fraction"]
        self._noise = chosen["noise_V"]
        self._before: _HalfCycle | None = None
        self._interrupted = False
        self._reset()

    def update(self, time_s: float, voltage: float, current: float, step_count: int) -> str | None:
        """Take one reading (s, V, A; 0 A in a rest); return why the cell is taken for shorted, or None.

        Raises ``ValueError`` if one of them is not a finite number or time goes back.
        """
        if -self._rest_below <= current <= self._rest_below:
            self._rest(time_s, voltage)
            return None
        r = voltage / current
        if not (-_BIG < r < _BIG and -_BIG < current < _BIG and time_s >= self._time):
            _refuse(time_s, voltage, current, self._time)
        if step_count != self._step or not 0.0 < current * self._sign <= self._most_current:
            self._begin(time_s, current, step_count)
        self._time = time_s
        if (r < self._fall_below or r < self._lost_below) and self._lies_low(time_s, r, current):
            return self._confirmed(r, current)
        # Only readings beyond suspicion say what a sound cell does.
        self._count = 0
        self._r, self._current = r, current
        if r > self._highest:
            self._rises(r, current)
        elif self._pending_count:
            self._pending, self._pending_count = math.inf, 0
        if r < self._lowest and time_s >= self._settled_at:
            if self._lowest == math.inf:
                self._first_settled = time_s
            self._lowest = r
        return None

    def interrupted(self) -> None:
        """Say that the cell was left alone for a while: what had built up inside it has relaxed."""
        self._interrupted = True
        self._most_current = -math.inf  # so that the next reading asks what to do

    def state(self) -> dict[str, Any]:
        """Return everything it remembers, as JSON-ready data."""
        values = {name[1:]: getattr(self, name) for name in self._STATE}
        stored = {k: None if v is not None and math.isinf(v) else v for k, v in values.items()}
        return stored | {"before": None if self._before is None else list(self._before)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from such a state, the cell having been left alone since."""
        self._reset()
        for name in self._STATE:
            if state[name[1:]] is not None:
                setattr(self, name, state[name[1:]])
        self._before = None if state["before"] is None else _HalfCycle(*state["before"])
        self.interrupted()

    @classmethod
    def _checked(cls, options: dict[str, float]) -> dict[str, float]:
        if unknown := sorted(set(options) - set(cls.DEFAULTS)):
            raise ValueError(f"short_circuit has no option {unknown[0]!r}; expected {', '.join(cls.DEFAULTS)}")
        chosen = cls.DEFAULTS | options
        for option in ("drop", "hard_fraction"):
            if not 0 < chosen[option] < 1:
                raise ValueError(f"short_circuit: {option} is {chosen[option]}; expected a number between 0 and 1")
        if not (1 <= chosen["confirm"] <= 1000 and chosen["confirm"] == int(chosen["confirm"])):
            raise ValueError(f"short_circuit: confirm is {chosen['confirm']}; expected a whole number, 1 to 1000")
        for option in ("settle_s", "noise_V"):
            if not 0 <= chosen[option] < math.inf:
                raise ValueError(f"short_circuit: {option} is {chosen[option]}; expected a number, 0 or more")
        return chosen

    def _reset(self) -> None:
        self._step: int | None = None
        self._sign = 0.0
        self._began = self._settled_at = self._first_settled = self._r = self._current = self._rest_below = 0.0
        self._time = -math.inf
        self._most_current = -math.inf
        self._lowest = self._allowed = math.inf
        self._lost_below = -math.inf
        self._count = 0
        self._forget_highest()

    def _forget_highest(self) -> None:
        self._highest = self._fall_below = -math.inf
        self._pending, self._pending_count = math.inf, 0

    def _rest(self, time_s: float, voltage: float) -> None:
        if not (-_BIG < voltage < _BIG and time_s >= self._time):
            _refuse(time_s, voltage, 0.0, self._time)
        self._time = time_s
        if self._step is not None:
            self._end()

    def _begin(self, time_s: float, current: float, step_count: int) -> None:
        """Begin a half-cycle, or go on with this one after an interruption."""
        goes_on = self._interrupted and step_count == self._step and current * self._sign > 0.0
        if not goes_on and self._step is not None:
            self._end()
        self._interrupted = False
        self._settled_at = time_s + self._settle
        self._most_current = _NOT_YET_FLOWING * abs(current)
        self._rest_below = max(self._rest_below, _REST * abs(current))
        self._count = 0
        self._forget_highest()
        if goes_on:
            return
        self._step, self._sign, self._began = step_count, math.copysign(1.0, current), time_s
        self._lowest = self._allowed = math.inf
        self._lost_below = -math.inf
        before = self._before
        if before is None or abs(current) * _REST > abs(before.current):
            return
        self._lost_below = self._too_low(self._proportional(before, current), current)
        if 0.0 < current / before.current < 1.0:
            # A step down: what the larger current built up makes r look high, and goes.
            self._allowed = before.highest

    def _end(self) -> None:
        """Keep of this half-cycle what the next one is judged by, if it settled."""
        self._step, self._count = None, 0
        self._most_current = -math.inf
        if math.isfinite(self._lowest):
            lasted = self._time - self._began
            built_up = math.sqrt((self._first_settled - self._began) / lasted) if lasted > 0.0 else 0.0
            rise = (self._r - self._lowest) / (1.0 - built_up) if built_up < 1.0 else 0.0
            ohmic = self._r - rise
            # A half-cycle of a few readings never confirmed a highest one.
            highest = self._highest if math.isfinite(self._highest) else max(self._r, self._lowest)
            self._before = _HalfCycle(self._lowest, ohmic, highest, self._r, self._current, lasted)

    def _rises(self, r: float, current: float) -> None:
        """Raise the highest r to what ``confirm`` successive readings exceed."""
        self._pending = min(self._pending, r)
        self._pending_count += 1
        if self._pending_count >= self._confirm:
            self._highest = min(self._pending, self._allowed)
            self._fall_below = self._too_low(self._highest, current)
            self._pending, self._pending_count = math.inf, 0

    def _too_low(self, reference: float, current: float) -> float:
        """Return below which r the cell has lost too much of ``reference``."""
        if reference <= 0.0:
            return -math.inf
        return min(self._keep * reference, reference - self._noise / abs(current))

    def _lies_low(self, time_s: float, r: float, current: float) -> bool:
        """Tell whether a reading that is suspect falls under A or B."""
        before = self._before
        if r < self._fall_below:
            return True
        if before is None or time_s < self._settled_at:
            return False
        after = (before.end * before.current + (current - before.current) * before.ohmic) / current
        turned = (time_s - self._began) / (2.0 * before.lasted) if before.lasted > 0.0 else 1.0
        sound = after + (before.end - after) * turned
        if sound <= 0.0:  # the old polarisation still outweighs the current: no short could hold that up
            return False
        return r < min(_SURE * sound, sound - self._noise / abs(current)) * _sublinear(before, current)

    def _confirmed(self, r: float, current: float) -> str | None:
        """Count a reading that lies low; return the reason once there are enough."""
        self._count += 1
        if self._count < self._confirm:
            return None
        self._count = 0
        reference, since = self._highest, "within the half-cycle"
        if r >= self._fall_below and self._before is not None:
            reference, since = self._proportional(self._before, current), "since the half-cycle before"
        kind = "hard" if abs(r) < self._hard * reference else "soft"
        return f"short_circuit: {kind}: V/I fell from {reference:.4g} ohm to {r:.4g} ohm {since}"

    @staticmethod
    def _proportional(before: _HalfCycle, current: float) -> float:
        """Return the r that a current may be expected to show after that half-cycle."""
        return before.lowest * _sublinear(before, current)


DETECTORS: dict[str, type[ShortCircuit]] = {ShortCircuit.name: ShortCircuit}
"""By the name that a recipe uses."""


def _sublinear(before: _HalfCycle, current: float) -> float:
    """Return the fraction of r that a step up of the current may cost a sound cell, and more."""
    return min(1.0, 2.0 * abs(before.current / current))


def _refuse(time_s: float, voltage: float, current: float, last_time_s: float) -> NoReturn:
    if time_s < last_time_s:
        raise ValueError(f"time went back from {last_time_s} s to {time_s} s")
    raise ValueError(f"no measurement: {voltage} V, {current} A at {time_s} s")
