"""Runs a parsed script: a generator that says when it wants to go on.

``run`` yields the script time (s) at which it continues; whoever drives it lets the cell live until then, sets
``now`` and resumes it. Nothing here looks at a clock.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Generator, Iterator

from galvanode_simulator.methodscript.errors import Code, Refused, ScriptError
from galvanode_simulator.methodscript.potentiostat import Potentiostat
from galvanode_simulator.methodscript.program import (
    Argument,
    Condition,
    Number,
    Program,
    Ref,
    Statement,
    Text,
    Word,
)
from galvanode_simulator.methodscript.signatures import TECHNIQUES
from galvanode_simulator.methodscript.values import TIMING, Value, package

COMMAND_S = 20e-6
"""Time that a command takes: an endless loop of commands does not stop the clock."""
MOST_IN_PACKAGE = 26
MOST_ELEMENTS = 100_000
_LARGEST_INTEGER = 2**31
_ROUNDING = 1e-9

Steps = Generator[float, None, None]
Point = tuple[float, Callable[[float], None]]
"""When a point of a measurement loop is due, and what takes it (given its interval)."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class _Break(Exception):
    """``breakloop``."""


class _Aborted(Exception):
    """``abort``, or ``Z`` from the host."""


class Machine:
    """One run of one script at one potentiostat. ``emit`` receives each output line."""

    def __init__(self, program: Program, potentiostat: Potentiostat, emit: Callable[[str], None]) -> None:
        self.now = 0.0
        """Script time, s."""
        self.abort = False
        """Set to end the script; resume the generator then."""
        self.break_measurement = False
        """Set to end the measurement loop; resume the generator then."""
        self.measuring = False
        """Whether a measurement loop runs."""
        self.fail_with: Code | None = None
        """A fault: the next measurement ends with this error."""
        self._program = program
        self._unit = potentiostat
        self._emit_line = emit
        self._variables: dict[str, Value] = {}
        self._arrays: dict[str, list[Value]] = {}
        self._package: list[Value] | None = None
        self._output = True
        self._finishing = False
        self._spent = 0.0
        self._timer = 0.0
        self._timer_read = 0.0
        self._interval = 0.0
        self._next_interval = math.nan

    def run(self) -> Steps:
        """Run to the end. Raises ``ScriptError``, and then ``on_finished:`` is not executed (manual, 10.1)."""
        try:
            yield from self._block(self._program.statements)
        except _Aborted:
            pass
        self._finishing = True
        self._output = True
        yield from self._block(self._program.on_finished)

    # Time and output

    def _until(self, time: float) -> Steps:
        target = max(time, self.now + self._spent)
        self._spent = 0.0
        while self.now < target:
            yield target
            if self.abort and not self._finishing:
                raise _Aborted
            if self.break_measurement:
                return
        if self.abort and not self._finishing:
            raise _Aborted

    def _emit(self, line: str) -> None:
        if self._output:
            self._emit_line(line)

    # Statements

    def _block(self, statements: list[Statement]) -> Steps:
        for statement in statements:
            self._spent += COMMAND_S
            try:
                plain = _PLAIN.get(statement.name)
                if plain is not None:
                    plain(self, statement)
                elif statement.name.startswith("meas_loop"):
                    yield from self._measurement_loop(statement)
                else:
                    yield from _FLOW[statement.name](self, statement)
            except Refused as refused:
                raise ScriptError(refused.code, statement.line) from None

    def _if(self, statement: Statement) -> Steps:
        if self._holds(statement.arguments[0]):
            yield from self._block(statement.body)
        else:
            yield from self._block(statement.else_)

    def _else(self, statement: Statement) -> Steps:
        yield from self._block(statement.body)

    def _loop(self, statement: Statement) -> Steps:
        self._emit("L")
        try:
            while self._holds(statement.arguments[0]):
                yield from self._block(statement.body)
                yield from self._until(self.now)
        except _Break:
            pass
        except _Aborted:
            self._emit("+")
            raise
        self._emit("+")

    def _wait(self, statement: Statement) -> Steps:
        seconds = self._number(statement.arguments[0])
        if seconds < 0:
            raise Refused(Code.NEGATIVE)
        yield from self._until(self.now + seconds)

    def _await_interval(self, statement: Statement) -> Steps:
        if math.isnan(self._next_interval):
            raise Refused(Code.NOT_HERE)
        yield from self._until(self._next_interval)
        self._next_interval = max(self._next_interval, self.now) + self._interval

    def _measure_once(self, statement: Statement) -> Steps:
        seconds, out, kind = statement.arguments
        duration = self._number(seconds)
        if duration < 0:
            raise Refused(Code.NEGATIVE)
        yield from self._until(self.now + duration)
        self._strike()
        self._store(out, self._unit.measure(_word(kind), duration))

    # Measurement loops

    def _measurement_loop(self, statement: Statement) -> Steps:
        points = _POINTS[statement.name](self, statement)
        first = next(points, None)  # what is out of bounds is refused before the loop begins
        self._emit(f"M{TECHNIQUES[statement.name]:04X}")
        self.measuring = True
        self.break_measurement = False
        scan = -1
        before = self.now + self._spent
        try:
            while first is not None:
                number, due, take = first
                if number != scan:
                    if scan >= 0:
                        self._emit("-")
                    self._emit(f"C{number:04X}")
                    scan = number
                late = self.now + self._spent > due + _ROUNDING
                yield from self._until(due)
                if self.break_measurement:
                    break
                self._strike()
                self._late = late
                take(due - before)
                before = due
                yield from self._block(statement.body)
                first = next(points, None)
        except _Break:
            pass
        except _Aborted:
            self._end_measurement(scan)
            raise
        self._end_measurement(scan)

    _late = False

    def _end_measurement(self, scan: int) -> None:
        self.measuring = self.break_measurement = False
        if scan >= 0:
            self._emit("-")
        self._emit("*")

    def _strike(self) -> None:
        if self.fail_with is not None:
            code, self.fail_with = self.fail_with, None
            raise Refused(code)

    def _sweep(self, statement: Statement) -> Iterator[tuple[int, float, Callable[[float], None]]]:
        """LSV and CV: a staircase, each step measured at its end."""
        potential, current, *numbers = statement.arguments
        *vertices, step, rate = (self._number(argument) for argument in numbers)
        self._potentiostatic()
        if step <= 0 or rate <= 0:
            raise Refused(Code.NOT_POSITIVE)
        unit = self._unit
        unit.check_step(step)
        interval = step / rate
        unit.check_interval(interval)
        for volts in vertices:
            unit.set_potential(volts)
        scans = self._scans(statement)
        if statement.name == "meas_loop_cv":
            vertices = [*vertices, vertices[0]]
        path = _staircase(vertices, step)
        if len(path) < 2:
            raise Refused(Code.NO_STEP)
        take = self._taker(statement, potential, current)
        due = self.now + self._spent
        # One scan after another passes through the starting point once, and a single one ends there.
        for scan in range(scans):
            last = scan == scans - 1
            for volts in path if last else path[:-1]:
                unit.set_potential(volts)
                due += interval
                yield (scan if scans > 1 else -1), due, take

    def _scans(self, statement: Statement) -> int:
        for name, (count, *_) in statement.options:
            if name == "nscans":
                scans = self._number(count)
                if not 1 <= scans <= 0xFFFF:
                    raise Refused(Code.OUT_OF_BOUNDS)
                return int(scans)
        return 1

    def _hold(self, statement: Statement) -> Iterator[tuple[int, float, Callable[[float], None]]]:
        """CA and CP: a constant potential or current."""
        potential, current, level, *times = statement.arguments
        if statement.name == "meas_loop_ca":
            self._potentiostatic()
            self._unit.set_potential(self._number(level))
        else:
            self._galvanostatic()
            self._unit.set_current(self._number(level))
        yield from self._ticks(times, self._taker(statement, potential, current))

    def _open_circuit(self, statement: Statement) -> Iterator[tuple[int, float, Callable[[float], None]]]:
        if self._unit.cell_is_on:
            raise Refused(Code.OCP_WITH_CELL_ON)
        potential, *times = statement.arguments
        additional = self._additional(statement)

        def take(interval: float) -> None:
            self._store(potential, self._stamped(self._unit.measure("ab", interval)))
            additional(interval)

        yield from self._ticks(times, take)

    def _ticks(
        self, times: list[Argument], take: Callable[[float], None]
    ) -> Iterator[tuple[int, float, Callable[[float], None]]]:
        interval, duration = (self._number(argument) for argument in times)
        if interval <= 0 or duration <= 0:
            raise Refused(Code.NOT_POSITIVE)
        self._unit.check_interval(interval)
        start = self.now + self._spent
        for nth in range(1, math.floor(duration / interval + 1e-6) + 1):
            yield -1, start + nth * interval, take

    def _spectrum(self, statement: Statement) -> Iterator[tuple[int, float, Callable[[float], None]]]:
        """EIS and GEIS: frequencies on a logarithmic scale, from the first to the last."""
        frequency, real, imaginary, *numbers = statement.arguments
        amplitude, first, last, count, level = (self._number(argument) for argument in numbers)
        galvanostatic = statement.name == "meas_loop_geis"
        if galvanostatic:
            self._galvanostatic()
        else:
            self._potentiostatic()
        self._unit.check_impedance(galvanostatic, amplitude, (first, last))
        if count < 1:
            raise Refused(Code.NOT_POSITIVE)
        if galvanostatic:
            self._unit.set_current(level)
        else:
            self._unit.set_potential(level)
        outputs = next((given for name, given in statement.options if name == "eis_acdc"), None)
        due = self.now + self._spent
        points = int(count)
        for nth in range(points):
            hertz = first * (last / first) ** (nth / (points - 1)) if points > 1 else first

            def take(interval: float, hertz: float = hertz) -> None:
                result = self._unit.impedance(hertz, amplitude)
                self._store(frequency, Value(hertz, "dc"))
                self._store(real, self._stamped(result.real))
                self._store(imaginary, self._stamped(result.imaginary))
                if outputs is not None:
                    for out, value in zip(outputs, result[2:], strict=True):
                        self._store(out, value)

            due = max(due, self.now + self._spent) + self._unit.impedance_duration(hertz)
            yield -1, due, take

    def _taker(self, statement: Statement, potential: Argument, current: Argument) -> Callable[[float], None]:
        """What is measured beside the set point: the current, or under a galvanostat the potential."""
        additional = self._additional(statement)
        unit = self._unit

        def take(interval: float) -> None:
            if unit.galvanostat:
                self._store(potential, self._stamped(unit.measure("ab", interval)))
                self._store(current, unit.measure("ba", interval))
            else:
                self._store(potential, unit.set_point())
                self._store(current, self._stamped(unit.measure("ba", interval)))
            additional(interval)

        return take

    def _additional(self, statement: Statement) -> Callable[[float], None]:
        """``add_meas(channel type variable)``, any number of them."""
        wanted = [given for name, given in statement.options if name == "add_meas"]
        for channel, _, _ in wanted:
            if self._number(channel) != 0:
                raise Refused(Code.NO_SUCH_CHANNEL)
        pairs = [(_word(kind), out) for _, kind, out in wanted]

        def take(interval: float) -> None:
            for kind, out in pairs:
                self._store(out, self._unit.measure(kind, interval))

        return take

    def _stamped(self, value: Value) -> Value:
        """Add the status 'loop timing not met' to the first measured value of a late point."""
        if not self._late:
            return value
        return Value(value.number, value.kind, (value.status or 0) | TIMING, value.range, value.noise)

    def _potentiostatic(self) -> None:
        if self._unit.galvanostat:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        if not self._unit.cell_is_on:
            raise Refused(Code.CELL_IS_OFF)

    def _galvanostatic(self) -> None:
        if not self._unit.galvanostat:
            raise Refused(Code.WRONG_PGSTAT_MODE)
        if not self._unit.cell_is_on:
            raise Refused(Code.CELL_IS_OFF)

    # Plain commands

    def _var(self, statement: Statement) -> None:
        self._variables[_word(statement.arguments[0])] = Value(0.0)

    def _array(self, statement: Statement) -> None:
        size = self._number(statement.arguments[1])
        if not 1 <= size <= MOST_ELEMENTS:
            raise Refused(Code.OUT_OF_BOUNDS)
        self._arrays[_word(statement.arguments[0])] = [Value(0.0)] * int(size)

    def _store_var(self, statement: Statement) -> None:
        out, number, kind = statement.arguments
        self._store(out, Value(self._number(number), _word(kind)))

    def _copy_var(self, statement: Statement) -> None:
        source, out = statement.arguments
        self._store(out, self._value(source))

    def _arithmetic(self, statement: Statement) -> None:
        out, argument = statement.arguments
        value, other = self._value(out), self._number(argument)
        try:
            number = _ARITHMETIC[statement.name](value.number, other)
        except ZeroDivisionError:
            raise Refused(Code.DIVIDED_BY_ZERO) from None
        except (OverflowError, ValueError):
            raise Refused(Code.NAN_OR_INF) from None
        self._store(out, Value(number, value.kind))

    def _int_to_float(self, statement: Statement) -> None:
        value = self._value(statement.arguments[0])
        self._store(statement.arguments[0], Value(float(value.number), value.kind))

    def _float_to_int(self, statement: Statement) -> None:
        value = self._value(statement.arguments[0])
        self._store(statement.arguments[0], Value(int(value.number), value.kind))

    def _alter_vartype(self, statement: Statement) -> None:
        out, kind = statement.arguments
        value = self._value(out)
        self._store(out, Value(value.number, _word(kind), value.status, value.range, value.noise))

    def _array_get(self, statement: Statement) -> None:
        name, index, out = statement.arguments
        assert isinstance(index, Number | Ref)
        self._store(out, self._value(Ref(_word(name), index)))

    def _array_set(self, statement: Statement) -> None:
        name, index, value = statement.arguments
        assert isinstance(index, Number | Ref)
        self._store(Ref(_word(name), index), self._value(value))

    def _mean(self, statement: Statement) -> None:
        values = self._arrays.get(_word(statement.arguments[0]), [])
        if not values:
            raise Refused(Code.NOT_DECLARED)
        mean = math.fsum(value.number for value in values) / len(values)
        self._store(statement.arguments[1], Value(mean, values[0].kind))

    def _break(self, statement: Statement) -> None:
        raise _Break

    def _abort(self, statement: Statement) -> None:
        if not self._finishing:
            raise _Aborted

    def _pck_start(self, statement: Statement) -> None:
        self._package = []

    def _pck_add(self, statement: Statement) -> None:
        if self._package is None:
            raise Refused(Code.PACKAGE_ORDER)
        if len(self._package) >= MOST_IN_PACKAGE:
            raise Refused(Code.PACKAGE_TOO_LONG)
        self._package.append(self._value(statement.arguments[0]))

    def _pck_end(self, statement: Statement) -> None:
        if self._package is None:
            raise Refused(Code.PACKAGE_ORDER)
        values, self._package = self._package, None
        try:
            self._emit(package(values))
        except OverflowError:
            raise Refused(Code.OVERFLOW) from None

    def _send_string(self, statement: Statement) -> None:
        text = statement.arguments[0]
        assert isinstance(text, Text)
        parts = (part if isinstance(part, str) else f"{self._value(part).number:g}" for part in text.parts)
        self._emit("T" + "".join(parts))

    def _timer_start(self, statement: Statement) -> None:
        self._timer = self.now + self._spent

    def _timer_get(self, statement: Statement) -> None:
        if not self._unit.freeze_time:
            self._timer_read = self.now + self._spent - self._timer
        self._store(statement.arguments[0], Value(self._timer_read, "eb"))

    def _set_interval(self, statement: Statement) -> None:
        self._interval = self._number(statement.arguments[0])
        if self._interval <= 0:
            raise Refused(Code.NOT_POSITIVE)
        self._next_interval = self.now + self._interval

    def _set_script_output(self, statement: Statement) -> None:
        self._output = bool(int(self._number(statement.arguments[0])) & 1)

    def _cell_on(self, statement: Statement) -> None:
        self._unit.switch_cell(True)

    def _cell_off(self, statement: Statement) -> None:
        self._unit.switch_cell(False)

    def _set_potential(self, statement: Statement) -> None:
        if self.measuring:
            raise Refused(Code.POTENTIAL_IN_LOOP)
        self._unit.set_potential(self._number(statement.arguments[0]))

    def _set_current(self, statement: Statement) -> None:
        if self.measuring:
            raise Refused(Code.CURRENT_IN_LOOP)
        self._unit.set_current(self._number(statement.arguments[0]))

    def _set_chan(self, statement: Statement) -> None:
        self._unit.select_channel(int(self._number(statement.arguments[0])))

    def _set_mode(self, statement: Statement) -> None:
        self._unit.select_mode(int(self._number(statement.arguments[0])))

    def _set_bandwidth(self, statement: Statement) -> None:
        hertz = self._number(statement.arguments[0])
        if hertz < 0:
            raise Refused(Code.NEGATIVE)
        self._unit.set_bandwidth(hertz)

    def _set_range(self, statement: Statement) -> None:
        kind, *numbers = statement.arguments
        values = [self._number(argument) for argument in numbers]
        verb = {
            "set_range_minmax": self._unit.set_range_window,
            "set_autoranging": self._unit.set_autoranging,
        }.get(statement.name)
        if verb is None:
            self._unit.set_range(_word(kind), values[0])
        else:
            verb(_word(kind), values[0], values[1])

    def _accept(self, statement: Statement) -> None:
        """A command without effect on what is simulated: its arguments are evaluated, its output is 0."""
        for kind, argument in zip(("get_gpio", "get_gpio_msk"), statement.arguments[:1] * 2, strict=False):
            if statement.name == kind:
                self._store(argument, Value(0, "ec"))
        for argument in statement.arguments:
            self._number(argument)

    # Values

    def _value(self, argument: Argument) -> Value:
        if isinstance(argument, Number):
            return Value(argument.value, "aa")
        assert isinstance(argument, Ref)
        if argument.index is None:
            return self._variables.get(argument.name, _UNSET)
        elements, index = self._element(argument)
        return elements[index]

    def _number(self, argument: Argument) -> float:
        return self._value(argument).number

    def _store(self, out: Argument, value: Value) -> None:
        assert isinstance(out, Ref)
        number = value.number
        if isinstance(number, int):
            if not -_LARGEST_INTEGER <= number < _LARGEST_INTEGER:
                raise Refused(Code.OVERFLOW)
        elif not math.isfinite(number) and value.status is None:
            raise Refused(Code.NAN_OR_INF)
        if out.index is None:
            self._variables[out.name] = value
        else:
            elements, index = self._element(out)
            elements[index] = value

    def _element(self, ref: Ref) -> tuple[list[Value], int]:
        assert ref.index is not None
        elements = self._arrays.get(ref.name)
        if elements is None:
            raise Refused(Code.NOT_DECLARED)
        index = self._number(ref.index)
        if not isinstance(index, int) and index != int(index):
            raise Refused(Code.WRONG_DATATYPE)
        if not 0 <= index < len(elements):
            raise Refused(Code.INDEX_OUT_OF_BOUNDS)
        return elements, int(index)

    def _holds(self, argument: Argument) -> bool:
        assert isinstance(argument, Condition)
        results = [_COMPARE[how](self._number(left), self._number(right)) for left, how, right in argument.comparisons]
        outcome = results[0]
        for joint, result in zip(argument.joints, results[1:], strict=True):
            outcome = (outcome and result) if joint == "&" else (outcome or result)
        return outcome


_UNSET = Value(0.0)


def _word(argument: Argument) -> str:
    assert isinstance(argument, Word)
    return argument.text


def _staircase(vertices: list[float], step: float) -> list[float]:
    """Potentials from the first vertex to the last, each vertex on the way included."""
    path = [vertices[0]]
    for target in vertices[1:]:
        start = path[-1]
        steps = math.floor(abs(target - start) / step + 1e-6)
        signed = math.copysign(step, target - start)
        path += [start + nth * signed for nth in range(1, steps + 1)]
    return path


def _divide(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        return int(left / right)  # towards zero, as in C
    return left / right


def _power(left: float, right: float) -> float:
    result = left**right
    if isinstance(result, complex):
        raise ValueError(result)
    return result


_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "add_var": operator.add,
    "sub_var": operator.sub,
    "mul_var": operator.mul,
    "div_var": _divide,
    "mod_var": math.fmod,
    "pow_var": _power,
    "log_var": math.log,
}

_POINTS: dict[str, Callable[[Machine, Statement], Iterator[tuple[int, float, Callable[[float], None]]]]] = {
    "meas_loop_lsv": Machine._sweep,
    "meas_loop_cv": Machine._sweep,
    "meas_loop_ca": Machine._hold,
    "meas_loop_cp": Machine._hold,
    "meas_loop_ocp": Machine._open_circuit,
    "meas_loop_eis": Machine._spectrum,
    "meas_loop_geis": Machine._spectrum,
}

_FLOW: dict[str, Callable[[Machine, Statement], Steps]] = {
    "if": Machine._if,
    "elseif": Machine._if,
    "else": Machine._else,
    "loop": Machine._loop,
    "wait": Machine._wait,
    "await_int": Machine._await_interval,
    "meas": Machine._measure_once,
}

_PLAIN: dict[str, Callable[[Machine, Statement], None]] = {
    "var": Machine._var,
    "array": Machine._array,
    "store_var": Machine._store_var,
    "copy_var": Machine._copy_var,
    **dict.fromkeys(_ARITHMETIC, Machine._arithmetic),
    "int_to_float": Machine._int_to_float,
    "float_to_int": Machine._float_to_int,
    "alter_vartype": Machine._alter_vartype,
    "array_get": Machine._array_get,
    "array_set": Machine._array_set,
    "mean": Machine._mean,
    "breakloop": Machine._break,
    "abort": Machine._abort,
    "pck_start": Machine._pck_start,
    "pck_add": Machine._pck_add,
    "pck_end": Machine._pck_end,
    "send_string": Machine._send_string,
    "timer_start": Machine._timer_start,
    "timer_get": Machine._timer_get,
    "set_int": Machine._set_interval,
    "set_script_output": Machine._set_script_output,
    "cell_on": Machine._cell_on,
    "cell_off": Machine._cell_off,
    "set_e": Machine._set_potential,
    "set_i": Machine._set_current,
    "set_pgstat_chan": Machine._set_chan,
    "set_pgstat_mode": Machine._set_mode,
    "set_max_bandwidth": Machine._set_bandwidth,
    "set_range": Machine._set_range,
    "set_range_minmax": Machine._set_range,
    "set_autoranging": Machine._set_range,
    **dict.fromkeys(
        (
            "set_gpio_cfg",
            "set_gpio_pullup",
            "set_gpio",
            "get_gpio",
            "set_gpio_msk",
            "get_gpio_msk",
            "set_channel_sync",
            "set_acquisition_frac",
            "set_acquisition_frac_autoadjust",
            "notify_led",
            "beep",
        ),
        Machine._accept,
    ),
}
