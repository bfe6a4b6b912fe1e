"""Commands that take no time worth waiting for: variables, settings, packages."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from galvanode_simulator.methodscript.errors import Code, Refused
from galvanode_simulator.methodscript.memory import word
from galvanode_simulator.methodscript.program import Statement
from galvanode_simulator.methodscript.state import State
from galvanode_simulator.methodscript.values import Value, package

MOST_IN_PACKAGE = 26

Command = Callable[[State, Statement], None]


def _divide(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        return int(left / right)  # towards zero, as in C
    return left / right


_BINARY: dict[str, Callable[[float, float], float]] = {
    "add_var": operator.add,
    "sub_var": operator.sub,
    "mul_var": operator.mul,
    "div_var": _divide,
    "mod_var": math.fmod,
    "pow_var": math.pow,
}
_UNARY: dict[str, Callable[[float], float]] = {"int_to_float": float, "float_to_int": int, "log_var": math.log}


def _var(state: State, statement: Statement) -> None:
    state.memory.declare(word(statement.arguments[0]))


def _array(state: State, statement: Statement) -> None:
    name, size = statement.arguments
    state.memory.declare(word(name), state.memory.number(size))


def _store_var(state: State, statement: Statement) -> None:
    out, number, kind = statement.arguments
    state.memory.store(out, Value(state.memory.number(number), word(kind)))


def _copy_var(state: State, statement: Statement) -> None:
    source, out = statement.arguments
    state.memory.store(out, state.memory.value(source))


def _compute(state: State, statement: Statement) -> None:
    out, *others = statement.arguments
    value = state.memory.value(out)
    try:
        if others:
            number = _BINARY[statement.name](value.number, state.memory.number(others[0]))
        else:
            number = _UNARY[statement.name](value.number)
    except ZeroDivisionError:
        raise Refused(Code.DIVIDED_BY_ZERO) from None
    except (OverflowError, ValueError):
        raise Refused(Code.NAN_OR_INF) from None
    state.memory.store(out, Value(number, value.kind))


def _alter_vartype(state: State, statement: Statement) -> None:
    out, kind = statement.arguments
    value = state.memory.value(out)
    state.memory.store(out, Value(value.number, word(kind), value.status, value.range, value.noise))


def _array_get(state: State, statement: Statement) -> None:
    name, index, out = statement.arguments
    state.memory.store(out, state.memory.value(state.memory.element(name, index)))


def _array_set(state: State, statement: Statement) -> None:
    name, index, value = statement.arguments
    state.memory.store(state.memory.element(name, index), state.memory.value(value))


def _mean(state: State, statement: Statement) -> None:
    name, out = statement.arguments
    values = state.memory.array(word(name))
    mean = math.fsum(value.number for value in values) / len(values)
    state.memory.store(out, Value(mean, values[0].kind))


def _pck_start(state: State, statement: Statement) -> None:
    state.package = []


def _pck_add(state: State, statement: Statement) -> None:
    if state.package is None:
        raise Refused(Code.PACKAGE_ORDER)
    if len(state.package) >= MOST_IN_PACKAGE:
        raise Refused(Code.PACKAGE_TOO_LONG)
    state.package.append(state.memory.value(statement.arguments[0]))


def _pck_end(state: State, statement: Statement) -> None:
    if state.package is None:
        raise Refused(Code.PACKAGE_ORDER)
    values, state.package = state.package, None
    try:
        state.emit(package(values))
    except OverflowError:
        raise Refused(Code.OVERFLOW) from None


def _send_string(state: State, statement: Statement) -> None:
    state.emit("T" + state.memory.text(statement.arguments[0]))


def _set_script_output(state: State, statement: Statement) -> None:
    state.output = bool(int(state.memory.number(statement.arguments[0])) & 1)


def _timer_start(state: State, statement: Statement) -> None:
    state.timer = state.instant


def _timer_get(state: State, statement: Statement) -> None:
    if not state.unit.freeze_time:
        state.timer_read = state.instant - state.timer
    state.memory.store(statement.arguments[0], Value(state.timer_read, "eb"))


def _set_interval(state: State, statement: Statement) -> None:
    state.interval = state.memory.number(statement.arguments[0])
    if state.interval <= 0:
        raise Refused(Code.NOT_POSITIVE)
    state.next_interval = state.now + state.interval


def _cell_on(state: State, statement: Statement) -> None:
    state.unit.switch_cell(True)


def _cell_off(state: State, statement: Statement) -> None:
    state.unit.switch_cell(False)


def _set_potential(state: State, statement: Statement) -> None:
    if state.measuring:
        raise Refused(Code.POTENTIAL_IN_LOOP)
    state.unit.set_potential(state.memory.number(statement.arguments[0]))


def _set_current(state: State, statement: Statement) -> None:
    if state.measuring:
        raise Refused(Code.CURRENT_IN_LOOP)
    state.unit.set_current(state.memory.number(statement.arguments[0]))


def _set_channel(state: State, statement: Statement) -> None:
    state.unit.select_channel(int(state.memory.number(statement.arguments[0])))


def _set_mode(state: State, statement: Statement) -> None:
    state.unit.select_mode(int(state.memory.number(statement.arguments[0])))


def _set_bandwidth(state: State, statement: Statement) -> None:
    hertz = state.memory.number(statement.arguments[0])
    if hertz < 0:
        raise Refused(Code.NEGATIVE)
    state.unit.set_bandwidth(hertz)


def _set_range(state: State, statement: Statement) -> None:
    kind, largest = statement.arguments
    state.unit.set_range(word(kind), state.memory.number(largest))


def _set_range_window(state: State, statement: Statement) -> None:
    kind, low, high = statement.arguments
    state.unit.set_range_window(word(kind), state.memory.number(low), state.memory.number(high))


def _set_autoranging(state: State, statement: Statement) -> None:
    kind, low, high = statement.arguments
    state.unit.set_autoranging(word(kind), state.memory.number(low), state.memory.number(high))


def _accept(state: State, statement: Statement) -> None:
    """A command without effect on what is simulated; its arguments are evaluated."""
    state.memory.numbers(statement.arguments)


def _get_pins(state: State, statement: Statement) -> None:
    state.memory.store(statement.arguments[0], Value(0, "ec"))


COMMANDS: dict[str, Command] = {
    "var": _var,
    "array": _array,
    "store_var": _store_var,
    "copy_var": _copy_var,
    **dict.fromkeys((*_BINARY, *_UNARY), _compute),
    "alter_vartype": _alter_vartype,
    "array_get": _array_get,
    "array_set": _array_set,
    "mean": _mean,
    "pck_start": _pck_start,
    "pck_add": _pck_add,
    "pck_end": _pck_end,
    "send_string": _send_string,
    "set_script_output": _set_script_output,
    "timer_start": _timer_start,
    "timer_get": _timer_get,
    "set_int": _set_interval,
    "cell_on": _cell_on,
    "cell_off": _cell_off,
    "set_e": _set_potential,
    "set_i": _set_current,
    "set_pgstat_chan": _set_channel,
    "set_pgstat_mode": _set_mode,
    "set_max_bandwidth": _set_bandwidth,
    "set_range": _set_range,
    "set_range_minmax": _set_range_window,
    "set_autoranging": _set_autoranging,
    "get_gpio": _get_pins,
    "get_gpio_msk": _get_pins,
    **dict.fromkeys(
        (
            "set_gpio_cfg",
            "set_gpio_pullup",
            "set_gpio",
            "set_gpio_msk",
            "set_channel_sync",
            "set_acquisition_frac",
            "set_acquisition_frac_autoadjust",
            "notify_led",
            "beep",
        ),
        _accept,
    ),
}
