"""A recipe becomes a PyBaMM experiment: a Python text that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NoReturn

from galvanode.cell import CellUnderTest
from galvanode.exchange.amounts import plain, rate_text, time_text
from galvanode.exchange.leaving import Leaving
from galvanode.exchange.outline import Act, Again, Amount, Item, Outline, Stop, Warm, outline
from galvanode.recipe import Recipe, drives

TARGET = "a PyBaMM experiment"
_WORDS = {"h": "hour", "min": "minute", "s": "second"}
_INDENT = "    "


def pybamm_from_recipe(
    recipe: Recipe, cell: CellUnderTest | None, parameters: Mapping[str, str], leaving: Leaving
) -> str:
    """Return the Python text of the experiment that a recipe on a cell is.

    C-rates stay C-rates of PyBaMM's nominal capacity, unless the recipe itself says what 1C is. Raises
    ``InvalidInput`` with the line of what an experiment cannot say.
    """
    return _Export(outline(recipe, cell, parameters, leaving, TARGET), leaving).text()


class _Export:
    def __init__(self, said: Outline, leaving: Leaving) -> None:
        self._said = said
        self._leaving = leaving
        self._periods = {act.step.record.every_s for act in said.acts()}
        self._temperatures: set[str | None] = set()

    def text(self) -> str:
        said = self._said
        self._refuse_what_is_left()
        _, _ = self._terms(said.items, None, dry=True)
        terms, _ = self._terms(said.items, None)
        options = self._options()
        lines = [f"# {_comment(said.title)}", "import pybamm", "", "experiment = pybamm.Experiment("]
        lines += _indented(_sum(terms), 1)
        lines[-1] += ","
        lines += [f"{_INDENT}{name}={_string(value)}," for name, value in options.items()]
        return "\n".join([*lines, ")"]) + "\n"

    def _options(self) -> dict[str, str]:
        """Return what holds for every step."""
        options: dict[str, str] = {}
        (period,) = self._periods if len(self._periods) == 1 else (None,)
        if period is not None:
            options["period"] = _time(period)
        (temperature,) = self._temperatures if len(self._temperatures) == 1 else (None,)
        if temperature is not None:
            options["temperature"] = temperature
        return options

    def _refuse_what_is_left(self) -> None:
        said = self._said
        if said.own_limits:
            self._leave("safety", None, "'safety' and 'check_every'; an experiment trips at nothing")
        if said.analyses:
            self._leave("analysis", None, f"'analysis' ({', '.join(said.analyses)}) is done here, not there")
        for act in said.acts():
            record = act.step.record
            for key in ("voltage_change", "current_change", "charge_change", "burst_every_s"):
                if getattr(record, key) is not None:
                    word = key.removesuffix("_every_s")
                    self._leave("record", act, f"'record: {word}'; an experiment records by time alone")

    def _terms(self, items: tuple[Item, ...], warm: str | None, dry: bool = False) -> tuple[list[_Term], str | None]:
        """Return lists of instructions to be added up, and the temperature after them."""
        terms: list[_Term] = []
        for item in items:
            if isinstance(item, Warm):
                warm = _temperature(item.kelvin)
            elif isinstance(item, Act):
                self._temperatures.add(warm)
                line = "" if dry else self._step(item, warm)
                if terms and terms[-1].turns is None:
                    terms[-1].lines.append(line)
                else:
                    terms.append(_Term([line]))
            else:
                inner, warm = self._again(item, warm, dry)
                terms += inner
        return terms, warm

    def _again(self, item: Again, warm: str | None, dry: bool) -> tuple[list[_Term], str | None]:
        inside, after = self._terms(item.items, warm, dry)
        if item.group is not None:
            if inside and item.group:
                inside[0].remark(_comment(item.group))
            return inside, after
        if after == warm or item.turns == 1:
            return _times(inside, item.turns), after
        later, _ = self._terms(item.items, after, dry)  # the temperature is another one from the second turn on
        return [*_times(inside, 1), *_times(later, item.turns - 1)], after

    def _step(self, act: Act, warm: str | None) -> str:
        text = self._instruction(act)
        options: list[str] = []
        if len(self._temperatures) > 1 and warm is not None:
            options.append(f"temperature={_string(warm)}")
        if act.name is not None:
            options.append(f"tags={_string(self._tag(act, act.name))}")
        if len(self._periods) > 1 and act.step.record.every_s is not None:
            text += f" ({_time(act.step.record.every_s)} period)"
        if not options:
            return f"{_string(text)},"
        return f"pybamm.step.string({_string(text)}, {', '.join(options)}),"

    def _tag(self, act: Act, name: str) -> str:
        if not name.isprintable() or '"' in name or "\\" in name:
            self._refuse(act, f"the name '{_comment(name)}', which a tag in Python would have to be quoted for")
        return name

    def _instruction(self, act: Act) -> str:
        times = [stop for stop in act.stops if stop.quantity == "time"]
        others = [stop for stop in act.stops if stop.quantity != "time"]
        drive = act.step.drive
        if not isinstance(drive, drives.Rest | drives.Voltage | drives.Flowing):
            self._refuse(act, f"'{drive.kind}' is a kind of step that an instruction does not have")
        if len(times) > 1 or any(stop.comparison != ">=" or stop.amount.si <= 0 for stop in times):
            self._refuse(act, f"the end '{times[-1].text}', which is no time that an instruction has")
        if len(others) > 1:
            self._refuse(
                act, f"the ends '{others[0].text}' and '{others[1].text}'; an instruction has one beside its time"
            )
        if act.current_limit is not None and not act.drawn_anyway:
            self._refuse(act, "a 'current_limit', which an instruction does not have")
        text = self._driven(act)
        if times:
            text += f" for {_time(times[0].amount.si)}"
        if others:
            text += f"{' or' if times else ''} until {self._until(others[0], act)}"
        return text

    def _driven(self, act: Act) -> str:
        amount = act.setpoint
        if amount is None:
            return "Rest"
        match act.step.drive:
            case drives.Voltage():
                return f"Hold at {plain(amount.si)} V"
            case drives.Resistance():
                return f"Discharge at {plain(amount.si)} Ohm"
            case drive:
                verb = "Charge" if amount.si > 0 else "Discharge"
                size = Amount(abs(amount.si), None if amount.rate is None else abs(amount.rate))
                return f"{verb} at {self._size(size, 'W' if isinstance(drive, drives.Power) else 'A')}"

    def _size(self, amount: Amount, unit: str) -> str:
        if amount.rate is not None and not self._said.capacity_set:
            try:
                text = rate_text(amount.rate)
            except ValueError:
                text = ""
            return f"{plain(amount.rate)}C" if "*" in text or not text else text
        if 0 < amount.si < 1:
            return f"{plain(Decimal(repr(amount.si)).scaleb(3))} m{unit}"
        return f"{plain(amount.si)} {unit}"

    def _until(self, stop: Stop, act: Act) -> str:
        amount = stop.amount
        if stop.quantity == "voltage":
            side = stop.comparison[0]
            setpoint = act.setpoint.si if act.setpoint is not None else 0.0
            driven = isinstance(act.step.drive, drives.Flowing) and setpoint != 0
            charges = setpoint > 0 and not isinstance(act.step.drive, drives.Resistance)
            expected = driven and side == (">" if charges else "<")
            return f"{plain(amount.si)} V" if expected else f"{side} {plain(amount.si)} V"
        if stop.quantity == "current_magnitude" and stop.comparison == "<=" and amount.si >= 0:
            return self._size(amount, "A")
        if stop.quantity != "current":
            self._refuse(act, f"the end '{stop.text}', which an instruction does not have")
        if amount.rate is not None and self._said.capacity is None:
            said = f"the end '{stop.text}' is in amperes there; say which cell with '--cell'"
            self._refuse(act, f"{said}, or write 'current_magnitude'")
        # PyBaMM's currents are positive in a discharge.
        return f"{'>' if stop.comparison == '<=' else '<'} {plain(-amount.si)} A"

    def _leave(self, part: str, act: Act | None, what: str) -> None:
        where, line = ("", None) if act is None else (act.where, act.step.line)
        self._leaving.part(part, what, self._said.source, line, where=where)

    def _refuse(self, act: Act, what: str) -> NoReturn:
        self._said.refuse(act.step.line, f"{act.where}: {what}")


class _Term:
    """A list of instructions; with ``turns``, a cycle of them, or a sum, that often."""

    def __init__(self, lines: list[str], turns: int | None = None, inner: list[_Term] | None = None) -> None:
        self.lines = lines
        self.turns = turns
        self.inner = inner

    def remark(self, text: str) -> None:
        """Put a comment before the first instruction."""
        if self.inner is None:
            self.lines.insert(0, f"# {text}")
        else:
            self.inner[0].remark(text)


def _times(inside: list[_Term], turns: int) -> list[_Term]:
    if not inside:
        return []
    if len(inside) == 1 and inside[0].turns is None:
        return [_Term(inside[0].lines, turns)]
    return [_Term([], turns, inside)]


def _sum(terms: list[_Term]) -> list[str]:
    """Return the lines of ``[...] + [...] * 3``."""
    lines: list[str] = []
    for term in terms:
        own = _lines(term)
        lines += [f"+ {own[0]}", *own[1:]] if lines else own
    return lines or ["[]"]


def _lines(term: _Term) -> list[str]:
    if term.turns is None:
        return ["[", *_indented(term.lines, 1), "]"]
    if term.inner is not None:
        return ["(", *_indented(_sum(term.inner), 1), f") * {term.turns}"]
    return ["[", f"{_INDENT}(", *_indented(term.lines, 2), f"{_INDENT})", f"] * {term.turns}"]


def _indented(lines: list[str], depth: int) -> list[str]:
    return [_INDENT * depth + line for line in lines]


def _string(text: str) -> str:
    return f'"{text}"'


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _time(seconds: float) -> str:
    number, _, unit = time_text(seconds).partition(" ")
    return f"{number} {_WORDS[unit]}{'' if number == '1' else 's'}"


def _temperature(kelvin: float) -> str:
    return f"{plain(Decimal(repr(kelvin)) - Decimal('273.15'))} oC"
