"""Recipes as data, and as the text that a technician would write. Knows nothing of how Galvanode reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

_UNITS = {
    "V": Fraction(1),
    "mV": Fraction(1, 1000),
    "A": Fraction(1),
    "mA": Fraction(1, 1000),
    "µA": Fraction(1, 10**6),
    "s": Fraction(1),
    "ms": Fraction(1, 1000),
    "min": Fraction(60),
    "mC": Fraction(1, 1000),
    "mAh": Fraction(36, 10),
    "µAh": Fraction(36, 10**4),
    "mJ": Fraction(1, 1000),
    "mW": Fraction(1, 1000),
    "ohm": Fraction(1),
    "mV/s": Fraction(1, 1000),
    "mA/s": Fraction(1, 1000),
    "%": Fraction(1, 100),
    "": Fraction(1),
}

# --- values ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """``3.1 V``."""

    digits: str
    unit: str = ""

    @property
    def si(self) -> float:
        return float(Fraction(self.digits) * _UNITS[self.unit])

    def __str__(self) -> str:
        return f"{self.digits} {self.unit}".strip()


@dataclass(frozen=True)
class Rate:
    """``2C``."""

    digits: str

    @property
    def per_hour(self) -> float:
        return float(Fraction(self.digits))

    def __str__(self) -> str:
        return f"{self.digits}C"


@dataclass(frozen=True)
class Name:
    """``$name``: a parameter, a ladder's or a set variable."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@dataclass(frozen=True)
class Measured:
    """A quantity that is measured, ``abs(...)`` of it, its slope ``over`` a time, ``of cycle`` so many."""

    quantity: str
    magnitude: bool = False
    over: Number | None = None
    of_cycle: int | None = None

    def __str__(self) -> str:
        return f"abs({self.quantity})" if self.magnitude else self.quantity


@dataclass(frozen=True)
class Op:
    """``left op right``, or ``min(left, right)`` and ``max(left, right)``."""

    op: str
    left: Value
    right: Value

    def __str__(self) -> str:
        if self.op in ("min", "max"):
            return f"{self.op}({self.left}, {self.right})"
        return f"({self.left} {self.op} {self.right})"


Value = Number | Rate | Name | Measured | Op


def bare(value: Value) -> str:
    """The value without the brackets that only stand around a part of something."""
    text = str(value)
    return text[1:-1] if isinstance(value, Op) and text.startswith("(") else text


# --- conditions and ends -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compare:
    """``voltage >= 3.1 V``."""

    left: Value
    sign: str
    right: Value

    def __str__(self) -> str:
        text = f"{bare(self.left)} {self.sign} {bare(self.right)}"
        if isinstance(self.left, Measured):
            text += "" if self.left.over is None else f" over {self.left.over}"
            text += "" if self.left.of_cycle is None else f" of cycle {self.left.of_cycle}"
        return text


@dataclass(frozen=True)
class Joined:
    """Tests with ``and``, or with ``or``, between them."""

    word: str
    parts: tuple[Test, ...]

    def __str__(self) -> str:
        return f" {self.word} ".join(f"({part})" if isinstance(part, Joined) else str(part) for part in self.parts)


Test = Compare | Joined


@dataclass(frozen=True)
class Action:
    """What happens next: next, break, goto (a label), end or fail."""

    do: str = "next"
    label: str = ""

    def __str__(self) -> str:
        return f"goto {self.label}" if self.do == "goto" else self.do


@dataclass(frozen=True)
class End:
    """One end of a step or a block, as its ``until`` or ``stop_when`` says it."""

    test: Test
    then: Action = Action()
    held_for: Number | None = None
    not_before: Number | None = None
    by: Number | None = None
    otherwise: Action | None = None

    @property
    def plain(self) -> Any:
        more = {
            "then": None if self.then == Action() else str(self.then),
            "held_for": _text(self.held_for),
            "not_before": _text(self.not_before),
            "by": _text(self.by),
            "otherwise": _text(self.otherwise),
        }
        given = {key: value for key, value in more.items() if value is not None}
        return {"when": str(self.test), **given} if given else str(self.test)


@dataclass(frozen=True)
class Record:
    """When readings become samples."""

    every: Number | None = None
    voltage_change: Number | None = None
    current_change: Number | None = None
    charge_change: Number | None = None
    burst_every: Number | None = None
    burst_for: Number | None = None

    @property
    def plain(self) -> dict[str, Any]:
        keys = ("every", "voltage_change", "current_change", "charge_change")
        plain: dict[str, Any] = {key: str(getattr(self, key)) for key in keys if getattr(self, key) is not None}
        if self.burst_every is not None:
            plain["burst"] = {"every": str(self.burst_every), "for": str(self.burst_for)}
        return plain


# --- items -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hold:
    """``then_hold``: the voltage that ended a charge or a discharge, held."""

    duration: Value | None = None
    until: tuple[End, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        return _ends(self.duration, self.until)


@dataclass(frozen=True)
class Step:
    """A step of the instrument; ``level`` is what ``key`` says: a current, a rate, a voltage."""

    verb: str
    key: str = ""
    level: Value | None = None
    duration: Value | None = None
    until: tuple[End, ...] = ()
    current_limit: Number | None = None
    hold: Hold | None = None
    points: tuple[tuple[Number, Number], ...] = ()
    """Of a profile: times, and the currents from then on."""
    record: Record | None = None
    label: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        body: dict[str, Any] = {} if self.level is None else {self.key: bare(self.level)}
        if self.points:
            body["points"] = [[str(time), str(current)] for time, current in self.points]
        if self.current_limit is not None:
            body["current_limit"] = str(self.current_limit)
        body |= _ends(self.duration, self.until)
        if self.hold is not None:
            body["then_hold"] = self.hold.plain
        if self.record is not None:
            body["record"] = self.record.plain
        return _labelled({self.verb: body}, self.label)


@dataclass(frozen=True)
class Repeat:
    """A block that is repeated."""

    body: tuple[Item, ...]
    times: int | None = None
    ladder: tuple[tuple[str, Any], ...] = ()
    """Variable -> its values, a tuple, or its from, to and by, factor or
    points_per_decade, a dictionary."""
    duration: Number | None = None
    stop_when: tuple[End, ...] = ()
    label: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        item: dict[str, Any] = {"repeat": [part.plain for part in self.body]}
        if self.ladder:
            item["ladder"] = {
                name: [str(value) for value in values]
                if isinstance(values, tuple)
                else {key: str(value) for key, value in values.items()}
                for name, values in self.ladder
            }
        if self.times is not None:
            item["times"] = self.times
        if self.duration is not None:
            item["for"] = str(self.duration)
        if self.stop_when:
            item["stop_when"] = _listed(self.stop_when)
        return _labelled(item, self.label)


@dataclass(frozen=True)
class Group:
    """A block with a duration or limits of its own."""

    body: tuple[Item, ...]
    duration: Number | None = None
    stop_when: tuple[End, ...] = ()
    record: Record | None = None
    label: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        item: dict[str, Any] = {"group": [part.plain for part in self.body]}
        if self.duration is not None:
            item["for"] = str(self.duration)
        if self.stop_when:
            item["stop_when"] = _listed(self.stop_when)
        if self.record is not None:
            item["record"] = self.record.plain
        return _labelled(item, self.label)


@dataclass(frozen=True)
class If:
    """One of two blocks."""

    test: Test
    then: tuple[Item, ...]
    otherwise: tuple[Item, ...] = ()
    label: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        item: dict[str, Any] = {"if": str(self.test), "then": [part.plain for part in self.then]}
        if self.otherwise:
            item["else"] = [part.plain for part in self.otherwise]
        return _labelled(item, self.label)


@dataclass(frozen=True)
class Set:
    """Variables and what they become."""

    values: tuple[tuple[str, Value], ...]
    label: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        return _labelled({"set": {name: bare(value) for name, value in self.values}}, self.label)


@dataclass(frozen=True)
class Jump:
    """``goto``, ``break``, ``end`` or ``fail`` that stands by itself."""

    do: str
    to: str = ""
    at_most: int | None = None
    label: str = ""

    @property
    def plain(self) -> Any:
        if self.do != "goto":
            return self.do
        target: Any = self.to if self.at_most is None else {"label": self.to, "at_most": self.at_most}
        return _labelled({"goto": target}, self.label)


Item = Step | Repeat | Group | If | Set | Jump


@dataclass(frozen=True)
class Recipe:
    """A whole recipe."""

    method: tuple[Item, ...]
    parameters: tuple[tuple[str, Value], ...] = ()
    record: Record = field(default_factory=Record)
    check_every: Number = field(default_factory=lambda: Number("1", "s"))
    voltage: tuple[Number, Number] = (Number("-4", "V"), Number("6", "V"))
    """Limits that trip the run."""

    @property
    def text(self) -> str:
        head: dict[str, Any] = {"version": 2, "title": "Generated"}
        if self.parameters:
            head["parameters"] = {name: {"default": str(value)} for name, value in self.parameters}
        low, high = self.voltage
        head["safety"] = {"voltage": {"min": str(low), "max": str(high)}, "check_every": str(self.check_every)}
        if self.record.plain:
            head["record"] = self.record.plain
        lines = [f"{key}: {_flow(value)}" for key, value in head.items()]
        return "\n".join([*lines, "method:", *_block([item.plain for item in self.method], "  ")]) + "\n"


# --- text --------------------------------------------------------------------------------------------------


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _listed(ends: tuple[End, ...]) -> Any:
    return ends[0].plain if len(ends) == 1 else [end.plain for end in ends]


def _ends(duration: Value | None, until: tuple[End, ...]) -> dict[str, Any]:
    body: dict[str, Any] = {} if duration is None else {"for": bare(duration)}
    if until:
        body["until"] = _listed(until)
    return body


def _labelled(item: dict[str, Any], label: str) -> dict[str, Any]:
    return {"label": label, **item} if label else item


def _block(items: list[Any], indent: str) -> list[str]:
    """Items one below the other, the blocks in them too; all else in one line."""
    lines: list[str] = []
    for item in items:
        if isinstance(item, str):
            lines.append(f"{indent}- {item}")
            continue
        mark = "- "
        for key, value in item.items():
            if key in ("repeat", "group", "then", "else"):
                lines += [f"{indent}{mark}{key}:", *_block(value, indent + "    ")]
            else:
                lines.append(f"{indent}{mark}{key}: {_flow(value)}")
            mark = "  "
    return lines


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    text = str(value)
    return f'"{text}"' if any(mark in text for mark in ",[]{}>%&*") else text
