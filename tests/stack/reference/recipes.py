"""Recipes of all shapes, for Hypothesis: small ones first, and numbers that meet each other often.

The cell is the capacitor of ``interpreter``: 10 mA raises it by 10 mV a second, and 0.1 V at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache

from hypothesis import strategies as st
from tests.stack.reference.language import (
    Action,
    Compare,
    End,
    Group,
    Hold,
    If,
    Item,
    Joined,
    Jump,
    Measured,
    Name,
    Number,
    Op,
    Rate,
    Recipe,
    Record,
    Repeat,
    Set,
    Step,
    Test,
    Value,
)

PARAMETERS: dict[str, tuple[str, Value]] = {
    "v": ("voltage", Number("3.1", "V")),
    "i": ("current", Number("5", "mA")),
    "q": ("charge", Number("25", "mC")),
    "t": ("time", Number("3", "s")),
}
"""Name -> dimension and default. All of them are there from the start, so that they are known on every path."""

_TIMES = ("0", "0.5", "0.7", "1", "2", "2.5", "3", "5.3", "8")
_CURRENTS = ("0", "1", "5", "10", "20")
_CHARGES = ("0", "5", "10", "25", "37", "100")
_ENERGIES = ("0", "20", "70", "150")
_OFFSETS = ("0", "0.05", "0.1", "-0.05", "-0.1", "0.2", "-0.2", "0.01", "0.13")
_POWERS = ("0", "15", "31", "-31")


@dataclass(frozen=True)
class Scope:
    """What may be named at one place of a recipe."""

    start: str
    """Voltage of the cell in the beginning, V."""
    labels: tuple[str, ...] = ()
    in_repeat: bool = False
    depth: int = 0
    ladder: tuple[str, ...] = ()
    """Ladder variables around: each is a current."""


@dataclass
class _Names:
    used: int = 0
    labels: list[str] = field(default_factory=list)


@cache
def _pick(digits: tuple[str, ...], unit: str) -> st.SearchStrategy[Number]:
    return st.sampled_from(digits).map(lambda text: Number(text, unit))


@cache
def _voltages(scope: Scope) -> st.SearchStrategy[Number]:
    near = tuple(_decimal(Fraction(scope.start) + Fraction(offset)) for offset in _OFFSETS)
    return _pick((*near, "0"), "V")


def _decimal(number: Fraction) -> str:
    return f"{float(number):.9g}"


@cache
def _values(scope: Scope, dimension: str) -> st.SearchStrategy[Value]:
    """Numbers, variables and sums of a dimension."""
    plain = {
        "voltage": _voltages(scope),
        "current": _pick((*_CURRENTS, "-5", "-10", "-20"), "mA"),
        "charge": _pick(_CHARGES, "mC"),
        "time": _pick(_TIMES, "s"),
        "energy": _pick(_ENERGIES, "mJ"),
        "power": _pick(_POWERS, "mW"),
    }[dimension]
    names = [name for name, (kind, _) in PARAMETERS.items() if kind == dimension]
    if dimension == "current":
        names += scope.ladder
    if not names:
        return plain
    named = st.sampled_from(names).map(Name)
    small = {"voltage": Number("0.037", "V"), "current": Number("3", "mA"), "charge": Number("7", "mC")}.get(
        dimension, Number("1.5", "s")
    )
    sums = st.one_of(
        st.builds(Op, st.sampled_from("+-"), named, st.just(small)),
        st.builds(Op, st.just("/"), named, st.just(Number("2"))),
        st.builds(Op, st.sampled_from(("min", "max")), named, plain),
    )
    return st.one_of(plain, plain, named, sums)


# --- conditions ----------------------------------------------------------------------------------------------

_AT_LEAST = st.sampled_from((">=", ">"))
_SIGNS = st.sampled_from((">=", "<=", ">", "<"))


@cache
@st.composite
def _comparison(draw: st.DrawFn, scope: Scope, verb: str, where: str) -> Compare:
    """``where`` is until, block or if."""
    quantities = ["voltage", "voltage", "current", "current_magnitude", "charge", "energy", "voltage_drop", "power"]
    if where == "if" and draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(tuple(PARAMETERS)))
        return Compare(Name(name), draw(_SIGNS), draw(_values(scope, PARAMETERS[name][0])))
    if where != "until":
        quantities.append("voltage_rise")
    quantity = draw(st.sampled_from(quantities))
    sign = draw(_SIGNS)
    if quantity in ("charge", "energy"):
        sign = draw(_AT_LEAST)
        return Compare(Measured(quantity), sign, draw(_values(scope, quantity).filter(_unsigned)))
    if quantity in ("voltage_drop", "voltage_rise"):
        return Compare(Measured(quantity), draw(_AT_LEAST), draw(_pick(("0", "0.033", "0.105"), "V")))
    if quantity == "power":
        return Compare(Measured("power"), sign, draw(_pick(_POWERS, "mW")))
    if quantity == "voltage":
        if where == "until" and verb in ("charge", "discharge"):
            sign = ">=" if verb == "charge" else "<="
        return Compare(Measured("voltage"), sign, draw(_values(scope, "voltage")))
    if quantity == "current_magnitude" or verb in ("charge", "discharge"):
        quantity = draw(st.sampled_from((quantity, "current_magnitude")))
        return Compare(Measured(quantity), sign, draw(_pick(_CURRENTS, "mA")))
    left = Measured("current", magnitude=draw(st.booleans()))
    numbers = _pick(_CURRENTS, "mA") if left.magnitude else _values(scope, "current")
    return Compare(left, sign, draw(numbers))


def _unsigned(value: Value) -> bool:
    """A sum that may fall below zero is no limit for what is never below zero."""
    return not (isinstance(value, Op) and value.op == "-")


@cache
@st.composite
def _tests(draw: st.DrawFn, scope: Scope, verb: str, where: str, depth: int = 2) -> Test:
    if depth == 0 or draw(st.integers(0, 3)) < 3:
        return draw(_comparison(scope, verb, where))
    parts = [draw(_tests(scope, verb, where, depth - 1)) for _ in range(2)]
    if draw(st.booleans()):
        sign = draw(_SIGNS if where == "if" else _AT_LEAST)
        parts.append(Compare(Measured("time"), sign, draw(_pick(_TIMES, "s"))))
    return Joined(draw(st.sampled_from(("and", "or"))), tuple(parts))


@cache
def _actions(scope: Scope) -> st.SearchStrategy[Action]:
    actions = [Action("next"), Action("next"), Action("end"), Action("fail")]
    actions += [Action("goto", label) for label in scope.labels]
    if scope.in_repeat:
        actions += [Action("break"), Action("break")]
    return st.sampled_from(actions)


@cache
@st.composite
def _end(draw: st.DrawFn, scope: Scope, verb: str, where: str) -> End:
    end = End(draw(_tests(scope, verb, where)))
    if draw(st.booleans()):
        return end
    timed = _pick(_TIMES[1:], "s")
    held = draw(st.none() | timed)
    by = draw(st.none() | timed)
    not_before = draw(st.none() | timed)
    if by is not None and not_before is not None and by.si <= not_before.si:
        not_before = None
    otherwise = None if by is None and not_before is None else draw(st.none() | _actions(scope))
    return End(end.test, draw(_actions(scope)), held, not_before, by, otherwise)


@cache
def _ends(scope: Scope, verb: str, where: str, least: int = 0) -> st.SearchStrategy[tuple[End, ...]]:
    return st.lists(_end(scope, verb, where), min_size=least, max_size=2).map(tuple)


@cache
@st.composite
def _about_cycles(draw: st.DrawFn, scope: Scope) -> End:
    quantity = draw(st.sampled_from(("charge_capacity", "discharge_capacity", "cycle", "coulombic_efficiency")))
    action = draw(_actions(scope))
    if quantity == "cycle":
        return End(Compare(Measured("cycle"), ">=", Number(draw(st.sampled_from("123")))), action)
    if quantity == "coulombic_efficiency":
        return End(Compare(Measured(quantity), draw(_SIGNS), Number("97", "%")), action)
    return End(Compare(Measured(quantity), draw(_SIGNS), draw(_pick(("0", "26", "61"), "mC"))), action)


# --- records ----------------------------------------------------------------------------------------------------


@cache
@st.composite
def _records(draw: st.DrawFn) -> Record:
    burst = draw(st.none() | st.sampled_from((("0.2", "1"), ("0.3", "0.7"))))
    return Record(
        every=draw(st.none() | _pick(("0.5", "1", "2", "0.7"), "s")),
        voltage_change=draw(st.none() | _pick(("3.3", "17"), "mV")),
        current_change=draw(st.none() | _pick(("0.7",), "mA")),
        charge_change=draw(st.none() | _pick(("7", "10"), "mC")),
        burst_every=None if burst is None else Number(burst[0], "s"),
        burst_for=None if burst is None else Number(burst[1], "s"),
    )


# --- items ------------------------------------------------------------------------------------------------------


_VERBS = (
    "rest",
    *["constant_current"] * 3,
    *("plate", "strip", "charge", "discharge"),
    *["constant_voltage"] * 2,
    *("constant_power", "constant_resistance", "profile"),
)
_PROFILES = (
    (("0", "10"), ("2", "-5"), ("4.5", "0")),
    (("0", "0"), ("1.3", "5"), ("2", "-20"), ("2.5", "1"), ("3", "0")),
)


@st.composite
def _steps(draw: st.DrawFn, scope: Scope, label: str) -> Step:
    verb = draw(st.sampled_from(_VERBS))
    record = draw(st.none() | st.none() | _records().filter(lambda one: one.plain != {}))
    if verb == "profile":
        points = draw(st.sampled_from(_PROFILES))
        until = draw(_ends(scope, verb, "until"))
        numbers = tuple((Number(time, "s"), Number(current, "mA")) for time, current in points)
        return Step(verb, until=until, points=numbers, record=record, label=label)
    timed = verb == "rest" or draw(st.integers(0, 3)) > 0
    duration = draw(_pick(_TIMES, "s") | st.just(Name("t"))) if timed else None
    until = draw(_ends(scope, verb, "until", 0 if timed else 1))
    if verb == "rest":
        return Step(verb, duration=duration, until=until, record=record, label=label)
    if verb == "constant_power":
        return Step(verb, "power", draw(_pick(_POWERS, "mW")), duration, until, record=record, label=label)
    if verb == "constant_resistance":
        return Step(
            verb, "resistance", draw(_pick(("150", "1000"), "ohm")), duration, until, record=record, label=label
        )
    if verb == "constant_voltage":
        level = draw(_values(scope, "voltage"))
        limit = draw(st.none() | _pick(_CURRENTS[1:], "mA"))
        return Step(verb, "voltage", level, duration, until, limit, record=record, label=label)
    if verb == "constant_current":
        level = draw(_values(scope, "current"))
    elif verb in ("charge", "discharge") and draw(st.booleans()):
        return _with_hold(draw, scope, Step(verb, "rate", Rate(draw(st.sampled_from(("2", "5", "10")))), label=label))
    else:
        level = draw(_pick(_CURRENTS[1:], "mA") | st.sampled_from(("i", *scope.ladder)).map(Name))
    return Step(verb, "current", level, duration, until, record=record, label=label)


def _with_hold(draw: st.DrawFn, scope: Scope, step: Step) -> Step:
    """A charge to a voltage that it can reach, and mostly a hold there."""
    way = 1 if step.verb == "charge" else -1
    voltage = Number(_decimal(Fraction(scope.start) + way * Fraction(draw(st.sampled_from(("0.05", "0.13"))))), "V")
    sign = ">=" if step.verb == "charge" else "<="
    step = replace(step, until=(End(Compare(Measured("voltage"), sign, voltage)),))
    if draw(st.integers(0, 3)) == 0:
        return step
    until = draw(_ends(scope, "rest", "until").filter(_few))
    return replace(step, hold=Hold(draw(_pick(_TIMES, "s")), until))


def _few(ends: tuple[End, ...]) -> bool:
    return len(ends) < 2


@st.composite
def _sets(draw: st.DrawFn, scope: Scope, label: str) -> Set:
    name = draw(st.sampled_from((*PARAMETERS, "nominal_capacity")))
    if name == "nominal_capacity":  # 10 mC become 0.28 mA at 1C
        return Set(((name, Op("*", Measured("charge"), Number("100"))),), label)
    dimension = PARAMETERS[name][0]
    measured = {"voltage": "voltage", "current": "current", "charge": "charge", "time": "time"}[dimension]
    value = draw(
        st.one_of(
            st.just(Measured(measured)),
            _values(scope, dimension),
            st.builds(Op, st.sampled_from(("min", "max")), st.just(Measured(measured)), _values(scope, dimension)),
            st.builds(Op, st.just("/"), st.just(Measured(measured)), st.just(Number("3"))),
        )
    )
    return Set(((name, value),), label)


@st.composite
def _items(draw: st.DrawFn, scope: Scope, names: _Names, label: str) -> Item:
    kinds = ["step"] * 6 + ["set"]
    if scope.depth < 3:
        kinds += ["repeat", "ladder", "group", "if", "if"]
    if scope.labels:
        kinds.append("goto")
    if scope.depth:
        kinds.append("jump")
    match draw(st.sampled_from(kinds)):
        case "step":
            return draw(_steps(scope, label))
        case "set":
            return draw(_sets(scope, label))
        case "goto":
            to, at_most = draw(st.sampled_from(scope.labels)), draw(st.sampled_from((1, 2, 3)))
            return Jump("goto", to, at_most, label)
        case "jump":
            return Jump(draw(st.sampled_from(("end", "fail", *["break"] * 3 * scope.in_repeat))))
        case "if":
            inside = replace(scope, depth=scope.depth + 1)
            test = draw(_tests(scope, "", "if"))
            then = draw(_blocks(inside, names))
            return If(test, then, draw(st.just(()) | _blocks(inside, names)), label)
        case "group":
            inside = replace(scope, depth=scope.depth + 1)
            duration = draw(st.none() | _pick(("0.5", "1", "3", "7.5"), "s"))
            stop_when = draw(_ends(scope, "", "block", 1 if duration is None else 0).filter(_few))
            record = draw(st.none() | st.none() | _records().filter(lambda one: one.plain != {}))
            return Group(draw(_blocks(inside, names)), duration, stop_when, record, label)
        case "repeat":
            inside = replace(scope, depth=scope.depth + 1, in_repeat=True)
            body = draw(_blocks(inside, names, with_step=True))
            times = draw(st.none() | st.integers(1, 3))
            spans = _pick(("2", "5", "11"), "s")
            duration = draw(spans if times is None else st.none() | spans)
            stop_when = draw(st.just(()) | _block_ends(scope) | _about_cycles(_beside(scope)).map(lambda end: (end,)))
            return Repeat(body, times, duration=duration, stop_when=stop_when, label=label)
        case _:
            names.used += 1
            variable = f"x{names.used}"
            inside = replace(scope, depth=scope.depth + 1, in_repeat=True, ladder=(*scope.ladder, variable))
            body = draw(_blocks(inside, names, with_step=True))
            times = draw(st.none() | st.none() | st.integers(1, 2))
            stop_when = draw(st.just(()) | _block_ends(scope))
            return Repeat(body, times, ((variable, draw(_RUNGS)),), stop_when=stop_when, label=label)


_RUNGS = st.one_of(
    st.lists(_pick(_CURRENTS[1:], "mA"), min_size=1, max_size=3).map(tuple),
    st.sampled_from(
        (
            {"from": Number("2", "mA"), "to": Number("6.5", "mA"), "by": Number("2", "mA")},
            {"from": Number("8", "mA"), "to": Number("3", "mA"), "by": Number("-2.5", "mA")},
            {"from": Number("1", "mA"), "to": Number("10", "mA"), "factor": 2},
            {"from": Number("16", "mA"), "to": Number("4", "mA"), "factor": "0.5"},
            {"from": Number("1", "mA"), "to": Number("10", "mA"), "points_per_decade": 2},
        )
    ),
)


def _beside(scope: Scope) -> Scope:
    """What a ``stop_when`` may name: a repeat is left by it anyway, so that there is nothing to break out of."""
    return replace(scope, in_repeat=False)


def _block_ends(scope: Scope) -> st.SearchStrategy[tuple[End, ...]]:
    return _ends(_beside(scope), "", "block")


@st.composite
def _blocks(draw: st.DrawFn, scope: Scope, names: _Names, with_step: bool = False) -> tuple[Item, ...]:
    count = draw(st.integers(1, 3 if scope.depth else 5))
    labels = [""] * count
    for index in range(count):
        if draw(st.integers(0, 4)) == 0:
            names.labels.append(f"l{len(names.labels) + 1}")
            labels[index] = names.labels[-1]
    inside = replace(scope, labels=(*scope.labels, *filter(None, labels)))
    items = [draw(_items(inside, names, label)) for label in labels]
    # A bare word takes no label: what refers to one would not compile.
    for index, (item, label) in enumerate(zip(items, labels, strict=True)):
        if label and isinstance(item, Jump) and item.do != "goto":
            items[index] = draw(_steps(inside, label))
    if with_step and not any(isinstance(item, Step) for item in items):
        items.append(draw(_steps(inside, "")))
    return tuple(items)


@st.composite
def recipes(draw: st.DrawFn) -> tuple[Recipe, float]:
    """Draw a recipe, and the voltage of the cell before it, V."""
    start = draw(st.sampled_from(("3", "3", "0", "0.05", "-0.1")))
    scope, names = Scope(start), _Names()
    first = Step("rest", duration=Number("1", "s"))
    method = (first, *draw(_blocks(scope, names)))
    defaults = {name: value for name, (_, value) in PARAMETERS.items()}
    defaults["v"] = Number(_decimal(Fraction(start) + Fraction("0.1")), "V")
    parameters = tuple(defaults.items())
    record = draw(st.just(Record()) | _records())
    return Recipe(method, parameters, record), float(start)
