"""A PyBaMM experiment becomes a recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from galvanode.cell import CellUnderTest
from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput
from galvanode.exchange.amounts import plain, rate_text, time_text
from galvanode.exchange.pybamm_text import Cycle, Experiment, Instruction, Option, Part, Spot, parse_experiment
from galvanode.exchange.written import MAX_STEPS, Body, Item, Recipe, Repeated, Said, Where, quoted, write

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?"
_PERIOD = re.compile(r"(.*?)\s+\(([^()]*?)\s*period\)")
_TIME = re.compile(rf"({_NUMBER})\s*([A-Za-z]*)", re.ASCII)
_VALUE = re.compile(rf"(?:C\s*/\s*(?P<hours>{_NUMBER})|(?P<number>{_NUMBER})\s*(?P<unit>[A-Za-z%]*))", re.ASCII)
_SECONDS = {
    **dict.fromkeys(("second", "seconds", "s", "sec"), 1),
    **dict.fromkeys(("minute", "minutes", "m", "min"), 60),
    **dict.fromkeys(("hour", "hours", "h", "hr"), 3600),
}
_UNITS = {"A": "current", "V": "voltage", "W": "power", "Ohm": "resistance", "C": "rate"}
_VERBS = ("Charge", "Discharge", "Hold", "Rest")
_LONGEST = 200
"""Characters of an instruction."""
_EXAMPLE = "'Charge at 1 A for 2 hours or until 4.1 V'"


def recipe_from_pybamm(text: str, source: str, cell: CellUnderTest | None) -> str:
    """Return the recipe, as YAML text, that an experiment says.

    Raises ``InvalidInput`` with the place of what is no experiment, and of what a recipe cannot say.
    """
    return write(_Import(parse_experiment(text, source), source).recipe(), cell)


@dataclass(frozen=True)
class _Value:
    """``1 A``, ``C/10``."""

    kind: str
    """``current``, ``voltage``, ``power``, ``resistance`` or ``rate``."""
    number: Decimal

    def text(self) -> str:
        """Return it, without its sign, as a recipe says it. Raises ``ValueError`` for a C-rate that it cannot."""
        if self.kind == "rate":
            return rate_text(float(abs(self.number)))
        unit = {"current": "A", "voltage": "V", "power": "W", "resistance": "ohm"}[self.kind]
        if self.kind in ("current", "power") and 0 < abs(self.number) < 1:
            return f"{plain(abs(self.number).scaleb(3))} m{unit}"
        return f"{plain(abs(self.number))} {unit}"


class _Import:
    def __init__(self, experiment: Experiment, source: str) -> None:
        self._experiment = experiment
        self._source = source
        self._steps = 0
        self._warm: list[str | None] = []
        """Temperature of every step, in their order."""

    def recipe(self) -> Recipe:
        """Return what the experiment says."""
        options = self._experiment.options
        header: dict[str, tuple[Body, Where]] = {}
        if "termination" in options:
            where = Where("termination", *_at(options["termination"].spot))
            self._refuse(where, "ends the whole experiment; a recipe has no such end")
        if "period" in options:
            where = Where("period", *_at(options["period"].spot))
            header["record"] = ({"every": self._period(options["period"], where)}, where)
        instructions = _instructions(self._experiment.parts)
        if len(instructions) > MAX_STEPS:
            over = instructions[MAX_STEPS]
            where = Where(f"step {MAX_STEPS + 1:,}", *_at(over.spot))
            self._refuse(where, f"is more than {MAX_STEPS:,} steps; write cycles as '[(...)] * 100'")
        self._warm = [self._temperature(instruction) for instruction in instructions]
        if not instructions:
            raise InvalidInput("has no instructions", source=self._source)
        everywhere = self._warm[0] if len(set(self._warm)) == 1 else None
        items, _ = self._items(self._experiment.parts, everywhere)
        if everywhere is not None:
            option = options.get("temperature", instructions[0].options.get("temperature"))
            where = Where("temperature", *_at(instructions[0].spot if option is None else option.spot))
            items = [Said("chamber", {"set": everywhere}, where), *items]
        return Recipe(
            source=self._source,
            title="Experiment from PyBaMM",
            remarks=("Converted from a PyBaMM experiment.",),
            items=items,
            header=header,
        )

    def _items(self, parts: Sequence[Part], warm: str | None) -> tuple[list[Item], str | None]:
        """Return the items, and the temperature after them; ``warm`` is that before them, None if not known."""
        items: list[Item] = []
        for part in parts:
            if isinstance(part, Cycle):
                where = Where(f"cycle of {len(part.parts)} steps", part.spot.line, part.spot.column)
                if not part.parts:
                    self._refuse(where, "is empty")
                # A later turn may begin at another temperature than the first.
                inside, warm = self._items(part.parts, warm if len(set(self._warm)) == 1 else None)
                items.append(Repeated(tuple(inside), part.turns, where))
                continue
            self._steps += 1
            step = _Step(part, self._steps, self._source)
            wanted = self._warm[self._steps - 1]
            if wanted is None and len(set(self._warm)) > 1:
                step.refuse("has no temperature, and others have one; give each its own")
            if wanted != warm and wanted is not None:
                items.append(Said("chamber", {"set": wanted}, step.where))
                warm = wanted
            items.append(step.said())
        return items, warm

    def _temperature(self, instruction: Instruction) -> str | None:
        option = instruction.options.get("temperature", self._experiment.options.get("temperature"))
        if option is None:
            return None
        where = Where("temperature", *_at(option.spot))
        text = option.text.strip() if option.is_text else f"{option.text} K"
        match = _VALUE.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None or match["unit"] not in ("oC", "K"):
            self._refuse(where, f"is '{option.text[:40]}'; expected such as '25 oC' or 298.15")
        unit = "degC" if match["unit"] == "oC" else "K"
        return f"{plain(Decimal(match['number']))} {unit}"

    def _period(self, option: Option, where: Where) -> str:
        text = option.text if option.is_text else f"{option.text} s"
        try:
            return time_text(_seconds(text))
        except ValueError as problem:
            self._refuse(where, f"the period {problem}")

    def _refuse(self, where: Where, message: str) -> NoReturn:
        said = f"{where.words}: {message}"
        raise InvalidInput(said, source=self._source, line=where.line, column=where.column)


def _instructions(parts: Sequence[Part]) -> list[Instruction]:
    found: list[Instruction] = []
    for part in parts:
        found += _instructions(part.parts) if isinstance(part, Cycle) else [part]
    return found


def _at(spot: Spot) -> tuple[int, int]:
    return spot.line, spot.column


def _seconds(text: str) -> float:
    """Read ``10 minutes``. Raises ``ValueError``."""
    match = _TIME.fullmatch(text.strip())
    if match is None or match[2] not in _SECONDS:
        raise ValueError(f"is '{text[:40]}'; expected a number of seconds, minutes or hours")
    seconds = Decimal(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise ValueError(f"is '{text[:40]}'; expected more than 0")
    return float(seconds)


class _Step:
    """One instruction on its way to a step."""

    def __init__(self, instruction: Instruction, number: int, source: str) -> None:
        self._instruction = instruction
        self._source = source
        shown = " ".join(instruction.text.split())
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        self.where = Where(f"step {number}, '{shown}'", instruction.spot.line, instruction.spot.column)

    def said(self) -> Said:
        """Return the step of the recipe."""
        text = self._instruction.text.strip()
        if len(text) > _LONGEST:
            self.refuse(f"has {len(text):,} characters; expected at most {_LONGEST}, such as {_EXAMPLE}")
        period, text = self._period(text)
        text, until = self._split(text, r"\s+(?:or\s+)?until\s+", "until")
        text, duration = self._split(text, r"\s+for\s+", "for")
        if until is None and duration is None:
            self.refuse(f"says neither for how long nor until when; expected such as {_EXAMPLE}")
        word, value = self._instructed(text)
        body: dict[str, str | Body] = {}
        if duration is not None:
            body["for"] = self._time(duration, "time")
        signed = value is not None and value.number == 0 and word != "Hold"
        if until is not None:
            body["until"], sided = self._until(until, word, value)
            signed = signed or sided
        verb, driven = self._driven(word, value, signed)
        body = {**driven, **body}
        if period is not None:
            body["record"] = {"every": period}
        if "tags" in self._instruction.options:
            body["name"] = quoted(self._instruction.options["tags"].text)
        return Said(verb, body, self.where)

    def _period(self, text: str) -> tuple[str | None, str]:
        option = self._instruction.options.get("period")
        match = _PERIOD.fullmatch(text)
        if match is None:
            if "period)" in text:
                self.refuse("expected the period at its end, such as ' (10 second period)'")
            if option is None:
                return None, text
            return self._time(option.text if option.is_text else f"{option.text} s", "period"), text
        if option is not None:
            self.refuse("has its period twice")
        return self._time(match[2], "period"), match[1]

    def _time(self, text: str, what: str) -> str:
        try:
            return time_text(_seconds(text))
        except ValueError as problem:
            self.refuse(f"the {what} {problem}")

    def _split(self, text: str, pattern: str, word: str) -> tuple[str, str | None]:
        parts = re.split(pattern, text)
        if len(parts) > 2:
            self.refuse(f"has '{word}' more than once")
        return parts[0], (parts[1] if len(parts) == 2 else None)

    def _instructed(self, text: str) -> tuple[str, _Value | None]:
        """Return the first word, and what it is done with."""
        word, _, rest = text.strip().partition(" ")
        if word not in _VERBS:
            self.refuse(f"begins with '{word[:20]}'{did_you_mean(word.capitalize(), _VERBS)}")
        if word == "Rest":
            if rest.strip():
                self.refuse(f"'{rest.strip()[:30]}' after 'Rest'; expected 'for' or 'until'")
            return word, None
        at, _, value = rest.strip().partition(" ")
        if at != "at":
            self.refuse(f"'{at[:20]}' after '{word}'; expected 'at' and a value")
        read = self._value(value.strip())
        if word == "Hold":
            if read.kind != "voltage":
                self.refuse("holds what is no voltage; write 'Charge' or 'Discharge', which say the direction")
            return word, read
        if read.kind == "voltage":
            self.refuse(f"'{word} at' a voltage; expected 'Hold at'")
        if read.number < 0:
            self.refuse(f"has a negative value; '{word}' gives the direction")
        if read.kind == "resistance" and (word == "Charge" or read.number == 0):
            self.refuse("a cell cannot be charged by a resistance, nor discharged by one of 0")
        return word, read

    def _value(self, text: str) -> _Value:
        match = _VALUE.fullmatch(text)
        if match is None:
            self.refuse(f"'{text[:30]}' is no value; expected such as '1 A', 'C/10' or '4.1 V'")
        if match["hours"] is not None:
            hours = Decimal(match["hours"])
            if hours <= 0:
                self.refuse(f"'{text[:30]}' is no C-rate; expected such as 'C/10'")
            return _Value("rate", Decimal(repr(1 / float(hours))))
        unit = match["unit"]
        milli = unit[1:] if unit.startswith("m") else None
        kind = _UNITS.get(unit) or _UNITS.get(milli or "")
        if kind is None:
            self.refuse(f"'{text[:30]}' has no unit known there; expected A, mA, C, W, V or Ohm")
        number = Decimal(match["number"])
        return _Value(kind, number if unit in _UNITS else number.scaleb(-3))

    def _driven(self, word: str, value: _Value | None, signed: bool) -> tuple[str, dict[str, str]]:
        """Return the verb and what drives the step; ``signed`` where the verb must not say the direction."""
        if value is None:
            return "rest", {}
        if word == "Hold":
            return "constant_voltage", {"voltage": ("-" if value.number < 0 else "") + self._text(value)}
        if not signed:
            return word.lower(), {value.kind: self._text(value)}
        if value.kind == "rate":
            if value.number != 0:
                self.refuse("has an end that a recipe can say beside a current or a power, and not beside a C-rate")
            value = _Value("current", value.number)
        sign = "-" if word == "Discharge" and value.number != 0 and value.kind != "resistance" else ""
        return f"constant_{value.kind}", {value.kind: f"{sign}{self._text(value)}"}

    def _until(self, text: str, word: str, value: _Value | None) -> tuple[str, bool]:
        """Return the end, and whether it needs a verb that says no direction."""
        text = text.strip()
        operator = text[0] if text[:1] in ("<", ">") else None
        end = self._value(text[1:].strip() if operator else text)
        if end.kind == "voltage":
            return self._until_voltage(end, operator, word, value)
        if end.kind not in ("current", "rate"):
            self.refuse(f"ends at '{text[:30]}'; expected a voltage, a current or a C-rate")
        if not operator:
            if end.number < 0:
                self.refuse(f"ends at '{text[:30]}', which no magnitude of a current is below")
            return f"current_magnitude <= {self._text(end)}", False
        if end.kind == "rate":
            self.refuse(f"ends at '{text[:30]}', a C-rate with a side, which PyBaMM itself does not look at")
        # PyBaMM's currents are positive in a discharge.
        sign = "-" if end.number > 0 else ""
        return f"current {'<=' if operator == '>' else '>='} {sign}{self._text(end)}", word not in ("Rest", "Hold")

    def _until_voltage(self, end: _Value, operator: str | None, word: str, value: _Value | None) -> tuple[str, bool]:
        volts = ("-" if end.number < 0 else "") + self._text(end)
        way = {"Charge": ">", "Discharge": "<"}.get(word) if value is not None and value.number != 0 else None
        if operator is None and way is None:
            said = "ends at a voltage without a side, which PyBaMM itself does not look at"
            self.refuse(f"{said}; write 'until > {volts}' or 'until < {volts}'")
        return f"voltage {operator or way}= {volts}", way is not None and operator not in (None, way)

    def _text(self, value: _Value) -> str:
        try:
            return value.text()
        except ValueError as problem:
            self.refuse(f"its C-rate {problem}")

    def refuse(self, message: str) -> NoReturn:
        """Raise ``InvalidInput`` at the instruction."""
        said = f"{self.where.words}: {message}"
        raise InvalidInput(said, source=self._source, line=self.where.line, column=self.where.column)
