"""Writes the script for a task: MethodSCRIPT, as a person would write it.

Every script switches the cell off under ``on_finished:``, which is carried out at its end and after an abort,
but not after an error (manual 1.8, 10.1): then the driver does it. Cut-offs act on the instrument, after each
sample; the sample that meets one is still sent.

A measurement loop sends its first sample after one interval. So that a task has one at its start, what is held is
measured by the same loop three times: for a moment, to the end of the first interval, and for the rest.
"""

from __future__ import annotations

import itertools
import math
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import NamedTuple

from galvanode.instrument.roles import Envelope, OutOfRange
from galvanode.instrument.tasks import (
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    Impedance,
    OpenCircuit,
    Sweep,
    Task,
)
from galvanode_drivers.emstat4.protocol import Model

CUT_OFF = "cut-off "
"""What the instrument says, with the number of the cut-off, before the sample that meets it."""

_PREFIXES = (("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3), ("u", -6), ("n", -9), ("p", -12), ("f", -15), ("a", -18))
_LARGEST = 2**31 - 1
_BANDWIDTH_BY_INTERVAL = 5.85
"""Bandwidth x interval, as the maker's software sets it."""
_LARGEST_BANDWIDTH = 10e3
_LOWEST_CURRENT, _LOWEST_POTENTIAL = 1e-9, 50e-3
"""Where ranges that change by themselves end."""
_VOLTAGE_MARGIN, _CURRENT_MARGIN = 5e-3, 0.01
"""V, and part of the current: the envelope is a guard, and noise at its bound is no fault."""
_MULTIPLE = 1e-6
_LONGEST_UNWATCHED_S = 1.0
"""Between samples that are further apart, the cut-offs are looked at this often."""
_FIRST_S = 10e-3
"""When a task's first sample is due. Where samples are closer than twice this, the first of them comes as soon."""
_SQRT2 = math.sqrt(2.0)
_POTENTIAL = "add_meas(0 ab potential)"
"""The applied potential says nothing of what the cell has: under overload they differ."""


class End(NamedTuple):
    """What ends a task early. ``tripped`` is the reason if that is a bound rather than a cut-off of the task."""

    cutoff: Cutoff
    tripped: str | None = None


class Plan(NamedTuple):
    """A script, what its cut-offs mean, and how many samples it sends if none of them acts."""

    script: list[str]
    ends: tuple[End, ...]
    samples: int


class _Grid(NamedTuple):
    """When something that is held is measured: s, and one of ``every`` measurements is sent."""

    interval: float
    duration: float
    every: int
    samples: int
    """That are sent, without the one at the start."""

    @property
    def starts(self) -> bool:
        """Whether a sample at the start is sent beside those of the grid."""
        return _has_start(self.interval)

    @property
    def names(self) -> list[str]:
        """Variables that measuring so needs."""
        return [*(["count"] if self.every > 1 else []), *(["pass", "interval", "span"] if self.starts else [])]


SAFE = [
    "var current",
    "set_pgstat_chan 0",
    "cell_off",
    "set_pgstat_mode 3",
    "set_range ba 100u",
    "set_autoranging ba 100u 100u",
    "meas 20m current ba",
    "pck_start",
    "    pck_add current",
    "pck_end",
]
"""Switches the cell off, whatever was before, and measures whether a current still flows."""


def literal(value: float, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return a number as an integer with an SI prefix: ``-500m``.

    Nothing is lost of a number that has such a form; of others, seven digits and more are kept. Raises
    ``OutOfRange`` for what is not finite or too large.
    """
    if not math.isfinite(value):
        raise OutOfRange(f"{value} cannot be sent; expected a finite number")
    exact = Decimal(f"{value:.12g}")
    if exact == 0:
        return "0"
    nearest = None
    for prefix, exponent in _PREFIXES:
        scaled = exact.scaleb(-exponent)
        if abs(scaled) > _LARGEST:
            break
        whole = scaled.to_integral_value(rounding)
        nearest = f"{int(whole)}{prefix}"
        if whole == scaled:
            return nearest
    if nearest is None:
        raise OutOfRange(f"{value:g} cannot be sent; the largest number is 2.1e18")
    return nearest


def write(task: Task, cutoffs: tuple[Cutoff, ...], envelope: Envelope, model: Model) -> Plan:
    """Write the script for a task. Raises ``OutOfRange`` for what the model cannot do."""
    return _Writer(cutoffs, envelope, model).write(task)


class _Writer:
    def __init__(self, cutoffs: tuple[Cutoff, ...], envelope: Envelope, model: Model) -> None:
        self.model = model
        self.envelope = envelope
        self.ends = [End(cutoff) for cutoff in cutoffs]
        for cutoff in cutoffs:
            if not math.isfinite(cutoff.value):
                raise OutOfRange(f"a cut-off at {cutoff.value} never acts; expected a finite number")
        self._thresholds = [cutoff.value for cutoff in cutoffs]
        for quantity, comparison, bound, margin in (
            ("voltage", ">=", envelope.voltage_max, _VOLTAGE_MARGIN),
            ("voltage", "<=", envelope.voltage_min, -_VOLTAGE_MARGIN),
            ("current", ">=", envelope.current_max, _CURRENT_MARGIN * envelope.current_max),
            ("current", "<=", -envelope.current_max, -_CURRENT_MARGIN * envelope.current_max),
        ):
            unit = "V" if quantity == "voltage" else "A"
            reason = f"envelope: {quantity} {'above' if comparison == '>=' else 'below'} {bound:g} {unit}"
            self.ends.append(End(Cutoff(quantity, comparison, bound), reason))  # type: ignore[arg-type]
            self._thresholds.append(bound + margin)

    def write(self, task: Task) -> Plan:
        match task:
            case OpenCircuit():
                return self._open_circuit(task)
            case HoldCurrent():
                return self._hold_current(task)
            case HoldVoltage():
                return self._hold_voltage(task)
            case Sweep():
                return self._sweep(task)
            case Impedance():
                return self._impedance(task)

    # Tasks

    def _open_circuit(self, task: OpenCircuit) -> Plan:
        grid = self._grid(task.interval_s, task.duration_s)
        lines = [
            *self._settings(self.model.mode, _bandwidth(grid.interval, grid.starts)),
            *self._potential_range(),
            "cell_off",
            *self._held("meas_loop_ocp potential", grid),
        ]
        return self._plan(grid.names, lines, grid.samples + grid.starts)

    def _hold_current(self, task: HoldCurrent) -> Plan:
        self._needs_galvanostat()
        amps = self._current(task.current)
        grid = self._grid(task.interval_s, task.duration_s)
        lines = [
            *self._settings(6, _bandwidth(grid.interval, grid.starts)),
            *self._potential_range(),
            f"set_range db {literal(abs(task.current))}",
            f"set_i {amps}",
            "cell_on",
            *self._held(f"meas_loop_cp potential current {amps}", grid),
        ]
        return self._plan(grid.names, lines, grid.samples + grid.starts)

    def _hold_voltage(self, task: HoldVoltage) -> Plan:
        volts = self._potential(task.voltage)
        grid = self._grid(task.interval_s, task.duration_s)
        lines = [
            *self._settings(self.model.mode, _bandwidth(grid.interval, grid.starts)),
            f"set_range_minmax da {volts} {volts}",
            *self._potential_range(),
            *self._current_limit(task.current_limit),
            f"set_e {volts}",
            "cell_on",
            *self._held(f"meas_loop_ca applied current {volts}", grid, _POTENTIAL),
        ]
        return self._plan([*grid.names, "applied"], lines, grid.samples + grid.starts)

    def _sweep(self, task: Sweep) -> Plan:
        vertices = task.vertices
        if len(vertices) < 2 or any(a == b for a, b in itertools.pairwise(vertices)):
            raise OutOfRange(f"a sweep through {vertices} has no way to go; expected two potentials or more, each new")
        literals = [self._potential(volts) for volts in vertices]
        if not (0 < task.step < math.inf and 0 < task.rate < math.inf and task.cycles >= 1):
            raise OutOfRange(f"{task}: expected a step, a rate and a number of cycles above zero")
        interval = task.step / task.rate
        self._interval(interval)
        first = int(_has_start(interval))
        low, high = min(vertices), max(vertices)
        if high - low > self.model.window:
            raise OutOfRange(
                f"{high - low:g} V from end to end; {self.model.name} spans {self.model.window:g} V at most"
            )
        lines = [
            *self._settings(self.model.mode, _bandwidth(interval, first > 0)),
            f"set_range_minmax da {literal(low)} {literal(high)}",
            *self._potential_range(),
            *self._current_limit(task.current_limit),
            f"set_e {literals[0]}",
            "cell_on",
            "timer_start",
            *(self._first_of_sweep(literals[0], interval) if first else []),
        ]
        spans = [abs(b - a) for a, b in itertools.pairwise(vertices)]
        closed = len(vertices) in (3, 4) and vertices[0] == vertices[-1]
        if closed and all(_is_multiple(span, task.step) for span in spans):
            begin, there, back = literals[:3]
            scans = f" nscans({task.cycles}i)" if task.cycles > 1 else ""
            lines += [
                f"meas_loop_cv applied current {begin} {there} {back} {literal(task.step)} {literal(task.rate)}"
                f" {_POTENTIAL}{scans}",
                *self._sample(),
                "endloop",
            ]
            return self._plan(["applied"], lines, task.cycles * round(sum(spans) / task.step) + 1 + first)
        legs, samples = self._legs(task)
        if task.cycles == 1:
            return self._plan(["applied"], [*lines, *legs], samples + first)
        lines += [
            f"loop cycle < {task.cycles}i",
            *(f"    {line}" for line in legs),
            "    add_var cycle 1i",
            "endloop",
        ]
        return self._plan(["applied", "cycle"], lines, task.cycles * samples + first)

    def _first_of_sweep(self, volts: str, interval: float) -> list[str]:
        """A sample at the first vertex, where the sweep then spends its first interval."""
        moment = literal(_FIRST_S)
        return [
            f"meas_loop_ca applied current {volts} {moment} {moment} {_POTENTIAL}",
            *self._sample(),
            "endloop",
            f"set_max_bandwidth {literal(_bandwidth(interval))}",
        ]

    def _legs(self, task: Sweep) -> tuple[list[str], int]:
        """A linear sweep from vertex to vertex, in equal steps that reach it, and how many samples that makes.

        No vertex is passed twice.
        """
        lines: list[str] = []
        samples = 0
        for number, (start, end) in enumerate(itertools.pairwise(task.vertices)):
            steps = math.ceil(abs(end - start) / task.step - _MULTIPLE)
            step = abs(end - start) / steps
            self._interval(step / task.rate)
            begin = start if number == 0 or steps < 2 else start + math.copysign(step, end - start)
            samples += steps + (begin == start)
            lines += [
                f"meas_loop_lsv applied current {literal(begin)} {literal(end)} {_part(step)} "
                f"{literal(task.rate)} {_POTENTIAL}",
                *self._sample(),
                "endloop",
            ]
        return lines, samples

    def _impedance(self, task: Impedance) -> Plan:
        low, high = self.model.frequency
        if not low <= task.frequency_min <= task.frequency_max <= high:  # refuses NaN too
            raise OutOfRange(
                f"{task.frequency_max:g} to {task.frequency_min:g} Hz; {self.model.name} measures from {high:g} Hz "
                f"down to {low:g} Hz"
            )
        if not (1 <= task.points <= 9999 and (task.points > 1 or task.frequency_min == task.frequency_max)):
            raise OutOfRange(f"{task.points} points; expected 2 to 9999, or 1 at a single frequency")
        galvanostatic = task.kind == "galvanostatic"
        lines = [*self._settings(6 if galvanostatic else 3, self.model.bandwidth), *self._potential_range()]
        if galvanostatic:
            self._needs_galvanostat()
            peak = abs(task.bias) + _SQRT2 * task.amplitude
            level = self._current(task.bias)
            if not (task.amplitude > 0 and peak <= self.model.current):
                raise OutOfRange(
                    f"{task.amplitude:g} A rms; expected above 0, with a peak up to {self.model.current:g} A"
                )
            lines += [f"set_range db {literal(peak)}", f"set_i {level}"]
        else:
            level = self._potential(task.bias)
            if not 0 < task.amplitude <= self.model.amplitude:
                raise OutOfRange(f"{task.amplitude:g} V rms; expected above 0, up to {self.model.amplitude:g} V")
            lines += [
                f"set_range_minmax da {level} {level}",
                *self._current_limit(task.current_limit),
                f"set_e {level}",
            ]
        # All of the spectrum hangs on one command; its DC values are what the cut-offs look at.
        lines += [
            "cell_on",
            "timer_start",
            f"{'meas_loop_geis' if galvanostatic else 'meas_loop_eis'} frequency real imaginary "
            f"{literal(task.amplitude)} {literal(task.frequency_max)} {literal(task.frequency_min)} {task.points}i "
            f"{level} eis_acdc(ac_potential potential ac_current current)",
            *self._sample("frequency", "real", "imaginary"),
            "endloop",
        ]
        names = ["frequency", "real", "imaginary", "ac_potential", "ac_current"]
        return self._plan(names, lines, task.points)

    # Parts

    def _plan(self, names: list[str], lines: list[str], samples: int) -> Plan:
        script = [
            *(f"var {name}" for name in ("time", "potential", "current", "stop", *names)),
            "store_var current 0 ba",
            *(f"store_var {name} 0i ja" for name in ("stop", "count", "cycle", "pass") if name in ("stop", *names)),
            "set_pgstat_chan 0",
            *lines,
            "on_finished:",
            "    cell_off",
        ]
        return Plan(script, tuple(self.ends), samples)

    def _settings(self, mode: int, bandwidth: float) -> list[str]:
        return ["cell_off", f"set_pgstat_mode {mode}", f"set_max_bandwidth {literal(bandwidth)}"]

    def _potential_range(self) -> list[str]:
        largest = max(abs(self.envelope.voltage_min), abs(self.envelope.voltage_max)) + _VOLTAGE_MARGIN
        highest = literal(min(largest, self.model.potential[1]))
        return [f"set_range ab {highest}", f"set_autoranging ab {literal(_LOWEST_POTENTIAL)} {highest}"]

    def _current_limit(self, limit: float) -> list[str]:
        """Ranges up to the limit, and a cut-off at it: a potentiostat cannot hold a current back."""
        if not 0 < limit < math.inf:
            raise OutOfRange(f"a limit of {limit:g} A; expected above 0")
        for comparison, bound in ((">=", limit), ("<=", -limit)):
            self.ends.append(End(Cutoff("current", comparison, bound)))  # type: ignore[arg-type]
            self._thresholds.append(bound)
        highest = literal(min(limit, self.model.current))
        return [f"set_range ba {highest}", f"set_autoranging ba {literal(_LOWEST_CURRENT)} {highest}"]

    def _held(self, loop: str, grid: _Grid, options: str = "") -> list[str]:
        """Measure what is held: at the start, after each interval, and so at the very end of the duration.

        The timer says how long the first interval still is: all times are counted from the start.
        """
        tail = f" {options}" if options else ""
        if not grid.starts:
            times = f"{_part(grid.interval)} {_whole(grid.duration)}"
            return ["timer_start", f"{loop} {times}{tail}", *self._sample(every=grid.every), "endloop"]
        several = grid.samples * grid.every > 1
        return [
            *([f"store_var count {grid.every - 1}i ja"] if grid.every > 1 else []),
            f"store_var interval {literal(_FIRST_S)} eb",
            "copy_var interval span",
            "timer_start",
            f"loop pass < {3 if several else 2}i",
            f"    {loop} interval span{tail}",
            *(f"    {line}" for line in self._sample(every=grid.every)),
            "    endloop",
            "    add_var pass 1i",
            f"    store_var interval {_part(grid.interval)} eb",
            "    if pass == 1i",
            f"        set_max_bandwidth {literal(_bandwidth(grid.interval))}",
            "        timer_get time",
            "        sub_var interval time",
            "        copy_var interval span",
            *(["    else", f"        store_var span {_whole(grid.duration - grid.interval)} eb"] if several else []),
            "    endif",
            "endloop",
        ]

    def _sample(self, *results: str, every: int = 1) -> list[str]:
        """Look at the cut-offs, and send one sample out of so many, or the one that meets a cut-off.

        The cut-off is told before its sample, and the script ends behind it.
        """
        lines = ["timer_get time"] if every == 1 else ["timer_get time", "add_var count 1i"]
        keyword = "if"
        for number, (end, threshold) in enumerate(zip(self.ends, self._thresholds, strict=True)):
            name = "potential" if end.cutoff.quantity == "voltage" else "current"
            lines += [
                f"{keyword} {name} {end.cutoff.comparison} {literal(threshold)}",
                f'    send_string "{CUT_OFF}{number}"',
                "    store_var stop 1i ja",
            ]
            if every > 1:
                lines.append(f"    store_var count {every}i ja")
            keyword = "elseif"
        lines.append("endif")
        package = [
            "pck_start",
            *(f"    pck_add {name}" for name in ("time", *results, "potential", "current")),
            "pck_end",
        ]
        if every == 1:
            lines += package
        else:
            lines += [f"if count >= {every}i", "    store_var count 0i ja"]
            lines += [*(f"    {line}" for line in package), "endif"]
        lines += ["if stop == 1i", "    abort", "endif"]
        return [f"    {line}" for line in lines]

    def _grid(self, interval: float, duration: float) -> _Grid:
        """The interval that is asked for or a little less: the last sample comes at the very end of the duration."""
        if not 0 < duration < math.inf:
            raise OutOfRange(f"{duration:g} s; expected a duration above 0")
        self._interval(interval)
        samples = max(1, math.ceil(duration / interval - _MULTIPLE))
        every = max(1, math.ceil(duration / samples / _LONGEST_UNWATCHED_S - _MULTIPLE))
        exact = duration / (samples * every)
        if exact < self.model.shortest_interval:
            raise OutOfRange(
                f"{duration:g} s is shorter than the shortest interval, {self.model.shortest_interval:g} s"
            )
        return _Grid(exact, duration, every, samples)

    def _interval(self, seconds: float) -> None:
        if not self.model.shortest_interval <= seconds < math.inf:
            raise OutOfRange(f"an interval of {seconds:g} s; expected at least {self.model.shortest_interval:g} s")

    def _potential(self, volts: float) -> str:
        low, high = self.model.potential
        if not low <= volts <= high:  # refuses NaN too
            raise OutOfRange(f"{volts:g} V; {self.model.name} applies {low:g} to {high:g} V")
        envelope = self.envelope
        if not envelope.voltage_min <= volts <= envelope.voltage_max:
            raise OutOfRange(f"{volts:g} V; the envelope is {envelope.voltage_min:g} to {envelope.voltage_max:g} V")
        return literal(volts)

    def _current(self, amps: float) -> str:
        if not abs(amps) <= self.model.current:
            raise OutOfRange(f"{amps:g} A; {self.model.name} applies up to {self.model.current:g} A of either sign")
        if abs(amps) > self.envelope.current_max:
            raise OutOfRange(f"{amps:g} A; the envelope ends at {self.envelope.current_max:g} A")
        return literal(amps)

    def _needs_galvanostat(self) -> None:
        if not self.model.galvanostat:
            raise OutOfRange(f"{self.model.name} has no galvanostat: it cannot hold a current")


def _has_start(interval: float) -> bool:
    return interval >= 2 * _FIRST_S


def _part(value: float) -> str:
    """An interval or a step: never a little more than its part of the whole, which would cost the last sample."""
    return literal(value, ROUND_DOWN)


def _whole(value: float) -> str:
    """A duration: never a little less than its intervals together."""
    return literal(value, ROUND_UP)


def _bandwidth(interval: float, starts: bool = False) -> float:
    """Bandwidth for samples so far apart, or before them for the one at the start."""
    shortest = _FIRST_S if starts else interval
    return min(float(f"{_BANDWIDTH_BY_INTERVAL / shortest:.4g}"), _LARGEST_BANDWIDTH)


def _is_multiple(span: float, step: float) -> bool:
    ratio = span / step
    return abs(ratio - round(ratio)) < _MULTIPLE * max(1.0, ratio) and round(ratio) >= 1
