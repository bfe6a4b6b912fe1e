"""An aurora-unicycler protocol becomes a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from galvanode.cell import CellUnderTest
from galvanode.document import Document, did_you_mean, found, validate
from galvanode.errors import InvalidInput
from galvanode.exchange import unicycler
from galvanode.exchange.amounts import COULOMBS_PER_MAH, plain, rate_text, shifted, tidied, time_text
from galvanode.exchange.json_text import parse_json
from galvanode.exchange.leaving import Leaving
from galvanode.exchange.unicycler import NO_NAME, STEPS, Loop, Protocol, Step, Tag
from galvanode.exchange.written import MAX_STEPS, Body, Item, Recipe, Repeated, Said, Where, quoted, write

MAX_NESTING = 8
"""Loops around one another, as in a recipe."""
CAPACITY = "capacity"
"""Parameter of the recipe that is the sample's capacity."""


def recipe_from_unicycler(text: str, source: str, cell: CellUnderTest | None, leaving: Leaving) -> str:
    """Return the recipe, as YAML text, that a protocol in JSON says.

    Raises ``InvalidInput`` with the place of what is no protocol, and of what a recipe cannot say.
    """
    document = parse_json(text, source)
    if not isinstance(document.data, dict):
        said = f"is {found(document.data)}; expected the JSON object of an aurora-unicycler protocol"
        raise document.error((), said)
    protocol = validate(document, Protocol)
    return write(_Import(document, protocol, leaving, cell).recipe(), cell)


@dataclass(frozen=True)
class _Numbered:
    """A step with its number, tags counted, as loops refer to it."""

    number: int
    step: Step


@dataclass(frozen=True)
class _Span:
    """A loop, and its place in the method from 0."""

    index: int
    loop: Loop


class _Import:
    def __init__(self, document: Document, protocol: Protocol, leaving: Leaving, cell: CellUnderTest | None) -> None:
        self._document = document
        self._protocol = protocol
        self._leaving = leaving
        self._capacity = None if cell is None else cell.nominal_capacity

    def recipe(self) -> Recipe:
        """Return what the protocol says."""
        sample = self._protocol.sample
        items, trailing = self._method()
        header: dict[str, tuple[Body, Where]] = {}
        if sample.capacity_mAh is not None:
            where = self._where("sample, capacity_mAh", ("sample", "capacity_mAh"))
            if sample.capacity_mAh <= 0:
                self._refuse(where, f"is {plain(sample.capacity_mAh)}; expected a capacity above 0")
            known = self._capacity is not None and tidied(self._capacity / COULOMBS_PER_MAH) == sample.capacity_mAh
            if not known:  # the recipe says what 1C is, whatever the cell does
                header["parameters"] = ({CAPACITY: {"default": f"{plain(sample.capacity_mAh)} mAh"}}, where)
                items = [Said("set", {"nominal_capacity": f"${CAPACITY}"}, where), *items]
        safety = self._safety()
        if safety:
            header["safety"] = (safety, self._where("safety", ("safety",)))
        header["record"] = (self._record(), self._where("record", ("record",)))
        named = sample.name not in ("", NO_NAME)
        return Recipe(
            source=self._document.source,
            title=f"Protocol of {sample.name}"[:200] if named else "Protocol from aurora-unicycler",
            remarks=("Converted from an aurora-unicycler protocol.",),
            items=items,
            header=header,
            remarks_after=trailing,
        )

    def _record(self) -> Body:
        record = self._protocol.record
        changes = (("voltage_change", record.voltage_V, "V"), ("current_change", record.current_mA, "mA"))
        body = {"every": time_text(record.time_s)}
        return body | {key: f"{plain(value)} {unit}" for key, value, unit in changes if value is not None}

    def _safety(self) -> Body:
        safety = self._protocol.safety
        body: dict[str, Body] = {}
        voltage = {"min": safety.min_voltage_V, "max": safety.max_voltage_V}
        if any(value is not None for value in voltage.values()):
            body["voltage"] = {key: f"{plain(value)} V" for key, value in voltage.items() if value is not None}
        low, high = safety.min_current_mA, safety.max_current_mA
        if low is not None and high is not None:
            both = high > 0 and low == -high
            ends = {"max": high} if both else {"min": low, "max": high}
            body["current"] = {key: f"{plain(value)} mA" for key, value in ends.items()}
        elif low is not None or high is not None:
            key = "max_current_mA" if low is None else "min_current_mA"
            self._safety_without(key, "a limit for currents of one sign only; a recipe limits both, give both")
        if safety.max_capacity_mAh is not None:
            self._safety_without("max_capacity_mAh", "a recipe has no such limit; 'until: charge >= ...' ends a step")
        if safety.delay_s:
            self._safety_without("delay_s", "a recipe's limits trip at the first reading outside")
        return body

    def _safety_without(self, key: str, why: str) -> None:
        value = getattr(self._protocol.safety, key)
        where = self._where(f"safety, {key}", ("safety", key))
        self._leaving.part(
            "safety", f"{where.words}: {plain(value)}: {why}", self._document.source, where.line, where.column
        )

    def _method(self) -> tuple[list[Item], list[str]]:
        """Return the items of the method, and the tags after the last of them."""
        raw = self._protocol.method
        if len(raw) > MAX_STEPS:
            said = f"'method' has {len(raw):,} steps; expected at most {MAX_STEPS:,}"
            raise self._document.error(("method",), said)
        steps = [_Numbered(number, self._step(number)) for number in range(1, len(raw) + 1)]
        spans = self._spans(steps)
        return self._block(steps, spans, 0, len(steps))

    def _step(self, number: int) -> Step:
        """Return a step, read by the model that its name calls for."""
        path = ("method", number - 1)
        data = self._document.at(path)
        where = self._where(f"step {number}", path)
        if not isinstance(data, dict):
            self._refuse(where, f"is {found(data)}; expected an object with a 'step'")
        kind = data.get("step")
        if not isinstance(kind, str) or kind not in STEPS:
            if "step" not in data:
                self._refuse(where, "'step' is missing; it says what kind of step it is")
            hint = did_you_mean(kind, STEPS) if isinstance(kind, str) else f"; expected such as '{next(iter(STEPS))}'"
            self._refuse(where, f"unknown step {found(kind)}{hint}")
        try:
            return validate(self._document, STEPS[kind], path)
        except InvalidInput as problem:
            said = f"step {number}, {kind}: {problem.message}"
            raise InvalidInput(said, source=problem.source, line=problem.line, column=problem.column) from None

    def _spans(self, steps: Sequence[_Numbered]) -> dict[int, list[_Span]]:
        """Return where loops begin: index of the first step -> its loops, the outermost first.

        A loop goes back; so as a block it begins where it goes back to and ends where it stands. Two blocks
        of which neither holds the other are no repeats.
        """
        tags: dict[str, int] = {}
        spans: dict[int, list[_Span]] = {}
        closed: list[tuple[int, int]] = []
        for index, item in enumerate(steps):
            step = item.step
            if isinstance(step, Tag):
                if step.tag in tags:
                    self._refuse_step(item, f"tag '{step.tag}' is there twice (first at step {tags[step.tag] + 1})")
                tags[step.tag] = index
            if not isinstance(step, Loop):
                continue
            start = self._target(steps, index, step, tags)
            while start < index and isinstance(steps[start].step, Tag):
                start += 1
            if start == index:
                self._refuse_step(item, "loops over no step")
            for first, last in closed:
                if first < start <= last:
                    said = (
                        f"begins inside the loop that ends at step {last + 1}; a recipe's repeats are nested, or apart"
                    )
                    self._refuse_step(item, said)
            closed.append((start, index))
            spans.setdefault(start, []).insert(0, _Span(index, step))
            if len(spans[start]) > MAX_NESTING:
                self._refuse_step(item, f"is nested more than {MAX_NESTING} deep")
        return spans

    def _target(self, steps: Sequence[_Numbered], index: int, loop: Loop, tags: dict[str, int]) -> int:
        """Return the index of the first step of a loop: the one after the tag, or the one with the number."""
        if isinstance(loop.loop_to, str):
            if loop.loop_to not in tags:
                later = any(isinstance(item.step, Tag) and item.step.tag == loop.loop_to for item in steps)
                what = "comes after it; a loop goes back" if later else f"is missing{did_you_mean(loop.loop_to, tags)}"
                self._refuse_step(steps[index], f"its tag '{loop.loop_to}' {what}")
            return tags[loop.loop_to]
        if loop.loop_to > index:
            self._refuse_step(steps[index], f"'loop_to' is {loop.loop_to}; expected an earlier step")
        return loop.loop_to - 1

    def _block(
        self, steps: Sequence[_Numbered], spans: dict[int, list[_Span]], start: int, end: int, around: int = 0
    ) -> tuple[list[Item], list[str]]:
        """Return the items of steps ``start`` up to ``end``, of whose loops ``around`` are already open."""
        items: list[Item] = []
        remarks: list[str] = []
        at = start
        while at < end:
            loops = spans.get(at, [])[around if at == start else 0 :]
            if loops:
                inside, after = self._block(steps, spans, at, loops[0].index, len(spans[at]) - len(loops) + 1)
                where = self._where_step(steps[loops[0].index])
                items.append(Repeated(tuple(inside), loops[0].loop.cycle_count, where, (*remarks, *_id(loops[0].loop))))
                remarks = after
                at = loops[0].index + 1
            else:
                step = steps[at].step
                if isinstance(step, Tag):
                    remarks += [f"tag: {step.tag}", *_id(step)]
                else:
                    items.append(self._said(steps[at], tuple(remarks)))
                    remarks = []
                at += 1
        return items, remarks

    def _said(self, item: _Numbered, remarks: tuple[str, ...]) -> Said:
        step = item.step
        match step:
            case unicycler.OpenCircuitVoltage():
                verb, body = "rest", {"for": self._time(item, step.until_time_s)}
            case unicycler.ConstantCurrent():
                verb, body = self._current(item, step)
            case unicycler.ConstantVoltage():
                verb, body = "constant_voltage", self._voltage(item, step)
            case unicycler.ImpedanceSpectroscopy():
                verb, body = "impedance", self._impedance(item, step)
            case unicycler.VoltageScan():
                verb, body = "sweep", self._scan(item, step)
            case Loop() | Tag():
                raise AssertionError("a loop and a tag are no steps of a recipe")
        named = {} if step.id is None else {"name": quoted(step.id)}
        return Said(verb, {**body, **named}, self._where_step(item), remarks)

    def _time(self, item: _Numbered, seconds: float) -> str:
        if seconds <= 0:
            said = f"'until_time_s' is {plain(seconds)}, which ends the step before it begins"
            self._refuse_step(item, f"{said}; expected more, or null")
        return time_text(seconds)

    def _current(self, item: _Numbered, step: unicycler.ConstantCurrent) -> tuple[str, Body]:
        if step.rate_C is not None and step.current_mA is not None:
            self._refuse_step(item, "has both 'rate_C' and 'current_mA'; keep one")
        value = step.rate_C if step.current_mA is None else step.current_mA
        if value is None:
            self._refuse_step(item, "has neither 'rate_C' nor 'current_mA'")
        if value == 0:
            self._refuse_step(item, "has a current of 0; a rest is an 'open_circuit_voltage'")
        body: dict[str, str] = {}
        if step.current_mA is None:
            body["rate"] = self._rate(item, "rate_C", abs(value))
        else:
            body["current"] = f"{plain(abs(value))} mA"
        if step.until_time_s is not None:
            body["for"] = self._time(item, step.until_time_s)
        if step.until_voltage_V is not None:  # 0 V is a voltage like any other
            body["until"] = f"voltage {'>=' if value > 0 else '<='} {plain(step.until_voltage_V)} V"
        if step.until_time_s is None and step.until_voltage_V is None:
            self._refuse_step(item, "cannot end; expected 'until_time_s' or 'until_voltage_V'")
        return ("charge" if value > 0 else "discharge"), body

    def _voltage(self, item: _Numbered, step: unicycler.ConstantVoltage) -> Body:
        if step.until_rate_C is not None and step.until_current_mA is not None:
            self._refuse_step(item, "has both 'until_rate_C' and 'until_current_mA'; keep one")
        body = {"voltage": f"{plain(step.voltage_V)} V"}
        if step.until_time_s is not None:
            body["for"] = self._time(item, step.until_time_s)
        if step.until_rate_C is not None:
            size = "0 A" if step.until_rate_C == 0 else self._rate(item, "until_rate_C", abs(step.until_rate_C))
            body["until"] = _small(step.until_rate_C, size)
        elif step.until_current_mA is not None:
            body["until"] = _small(step.until_current_mA, f"{plain(abs(step.until_current_mA))} mA")
        if len(body) == 1:
            self._refuse_step(item, "cannot end; expected 'until_time_s', 'until_rate_C' or 'until_current_mA'")
        return body

    def _impedance(self, item: _Numbered, step: unicycler.ImpedanceSpectroscopy) -> Body:
        if step.drift_correction:
            self._refuse_step(item, "'drift_correction' is true; a recipe's impedance has none")
        if (step.amplitude_V is None) == (step.amplitude_mA is None):
            what = "neither 'amplitude_V' nor" if step.amplitude_V is None else "both 'amplitude_V' and"
            self._refuse_step(item, f"has {what} 'amplitude_mA'; expected one of them")
        body = {} if step.amplitude_mA is None else {"kind": "galvanostatic"}
        body |= {
            "from": f"{plain(step.start_frequency_Hz)} Hz",
            "to": f"{plain(step.end_frequency_Hz)} Hz",
            "points_per_decade": str(step.points_per_decade),
        }
        if step.amplitude_mA is not None:
            body["amplitude"] = _rms(step.amplitude_mA, "mA")
        elif step.amplitude_V is not None:
            body["amplitude"] = _rms(shifted(step.amplitude_V, 3), "mV")
        return body if step.measures_per_point == 1 else {**body, "averages": str(step.measures_per_point)}

    def _scan(self, item: _Numbered, step: unicycler.VoltageScan) -> Body:
        if step.start_voltage_V == step.end_voltage_V:
            self._refuse_step(item, "starts and ends at the same voltage")
        return {
            "from": f"{plain(step.start_voltage_V)} V",
            "to": f"{plain(step.end_voltage_V)} V",
            "rate": f"{plain(step.scan_rate_mV_per_s)} mV/s",
        }

    def _rate(self, item: _Numbered, key: str, rate: float) -> str:
        try:
            return rate_text(rate)
        except ValueError as problem:
            self._refuse_step(item, f"'{key}' {problem}")

    def _where(self, words: str, path: Sequence[str | int]) -> Where:
        return Where(words, *self._document.place(path))

    def _where_step(self, item: _Numbered) -> Where:
        return self._where(f"step {item.number}, {item.step.step}", ("method", item.number - 1))

    def _refuse_step(self, item: _Numbered, message: str) -> NoReturn:
        self._refuse(self._where_step(item), message)

    def _refuse(self, where: Where, message: str) -> NoReturn:
        said = f"{where.words}: {message}"
        raise InvalidInput(said, source=self._document.source, line=where.line, column=where.column)


def _id(step: Step) -> Iterator[str]:
    """Yield what is left of the id of a step that has no name in a recipe."""
    if step.id is not None:
        yield f"id: {step.id}"


def _small(limit: float, size: str) -> str:
    """Return the end of a hold: below 0 the current is that of a discharge."""
    if limit >= 0:
        return f"current_magnitude <= {size}"
    return f"current >= -{size}"


def _rms(peak: float, unit: str) -> str:
    """Return an amplitude that is there the sine's own, as in EC-Lab; in a recipe it is its root mean square."""
    rms = tidied(peak / math.sqrt(2))
    return f"{plain(rms)} {unit}" if rms == float(f"{rms:.6g}") else f"{plain(peak)} {unit} / sqrt(2)"
