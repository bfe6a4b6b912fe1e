"""A recipe becomes an aurora-unicycler protocol."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from galvanode.cell import CellUnderTest
from galvanode.exchange.amounts import COULOMBS_PER_MAH, shifted, tidied
from galvanode.exchange.leaving import Leaving
from galvanode.exchange.outline import Act, Again, Amount, Item, Outline, Stop, Warm, outline
from galvanode.exchange.unicycler import NO_NAME, VERSION
from galvanode.recipe import Recipe, drives
from galvanode.recipe.program import Record, Window

TARGET = "aurora-unicycler"
SCAN_STEP_V = 1e-3
"""Between the samples of a sweep in a recipe that does not say."""
TAKES_ZERO_FOR_NONE = "aurora-unicycler takes 0 for no limit"

Json = dict[str, Any]


def unicycler_from_recipe(
    recipe: Recipe, cell: CellUnderTest | None, parameters: Mapping[str, str], leaving: Leaving
) -> str:
    """Return the JSON of the protocol that a recipe on a cell is.

    Without a cell C-rates stay C-rates of a sample that the protocol does not know. Raises ``InvalidInput`` with
    the line of what such a protocol cannot say.
    """
    return _Export(outline(recipe, cell, parameters, leaving, TARGET), leaving).text()


_COMMON = (drives.Rest, drives.Current, drives.Voltage)
"""What both have, and whose records a protocol shares."""


class _Export:
    def __init__(self, said: Outline, leaving: Leaving) -> None:
        self._said = said
        self._leaving = leaving
        self._blocks = 0
        self._tags: set[str] = set()

    def text(self) -> str:
        said = self._said
        if said.analyses:
            self._leave("analysis", None, f"'analysis' ({', '.join(said.analyses)}) is done here, not there")
        capacity = None if said.capacity is None else tidied(said.capacity / COULOMBS_PER_MAH)
        method = self._items(said.items)
        protocol = {
            "unicycler": {"version": VERSION},
            "sample": {"name": said.cell or NO_NAME, "capacity_mAh": capacity},
            "record": self._record(),
            "safety": self._safety(),
            "method": method,
        }
        return json.dumps(protocol, indent=4, ensure_ascii=False, allow_nan=False) + "\n"

    def _record(self) -> Json:
        acts = [act for act in self._said.acts() if isinstance(act.step.drive, _COMMON)]
        records = [act.step.record for act in acts]
        first = records[0] if records else Record(every_s=10.0)
        for act, record in zip(acts, records, strict=True):
            if record.charge_change is not None or record.burst_every_s is not None:
                what = "charge_change" if record.charge_change is not None else "burst"
                self._leave("record", act, f"'record: {what}', which a protocol does not have")
            elif record.every_s is None:
                self._leave("record", act, "a 'record' without 'every'; a protocol needs one")
            elif record != first:
                self._leave("record", act, "a 'record' of its own; a protocol has one for all steps")
        every = [record.every_s for record in records if record.every_s is not None]
        return {
            "current_mA": None if first.current_change is None else shifted(first.current_change, 3),
            "voltage_V": first.voltage_change,
            "time_s": min(every, default=10.0),
        }

    def _safety(self) -> Json:
        said = self._said
        for act in said.acts():
            if act.own_limits:
                self._leave("safety", act, "a 'safety' or a 'check_every' of its own; a protocol has one for all steps")
        if said.limits.temperature != Window():
            self._leave("safety", None, "'safety: temperature', which a protocol does not have")
        current = said.limits.current
        return {
            "max_voltage_V": said.limits.voltage.max,
            "min_voltage_V": said.limits.voltage.min,
            "max_current_mA": None if current.max is None else shifted(current.max, 3),
            "min_current_mA": None if current.min is None else shifted(current.min, 3),
            "max_capacity_mAh": None,
            "delay_s": None,
        }

    def _items(self, items: tuple[Item, ...]) -> list[Json]:
        method: list[Json] = []
        for item in items:
            if isinstance(item, Warm):
                said = f"'chamber' sets {item.kelvin - 273.15:g} degC, which a protocol cannot"
                self._leaving.part("chamber", said, self._said.source, item.line)
            elif isinstance(item, Again):
                method += self._again(item)
            else:
                method += self._act(item)
        return method

    def _again(self, item: Again) -> list[Json]:
        inside = self._items(item.items)
        if item.group is not None:
            return [*([{"step": "tag", "tag": self._tag(item.group)}] if item.group else []), *inside]
        if not inside:
            return []
        return self._looped(inside, item.turns)

    def _looped(self, inside: list[Json], turns: int) -> list[Json]:
        self._blocks += 1
        tag = self._tag(f"repeat {self._blocks}")
        return [{"step": "tag", "tag": tag}, *inside, {"step": "loop", "loop_to": tag, "cycle_count": turns}]

    def _tag(self, name: str) -> str:
        """Return a tag of this name that is not there yet."""
        tag, number = name, 1
        while tag in self._tags:
            number += 1
            tag = f"{name} ({number})"
        self._tags.add(tag)
        return tag

    def _act(self, act: Act) -> list[Json]:
        named = {} if act.name is None else {"id": act.name}
        match act.step.drive:
            case drives.Sweep() as plan:
                steps = self._sweep(act, plan)
            case drives.Impedance() as plan:
                steps = [self._impedance(act, plan)]
            case drives.Rest():
                steps = [self._rest(act)]
            case drives.Current() if act.setpoint is not None:
                steps = [self._current(act, act.setpoint)]
            case drives.Voltage() if act.setpoint is not None:
                steps = [self._voltage(act, act.setpoint)]
            case other:
                self._refuse(act, f"'{other.kind}' is a kind of step that a protocol does not have")
        return [{**named, **step} for step in steps]

    def _rest(self, act: Act) -> Json:
        seconds, others = self._time(act)
        if seconds is None or others:
            what = f"the end '{others[0].text}'" if others else "no time"
            self._refuse(act, f"{what}; a protocol's open_circuit_voltage ends by time alone")
        return {"step": "open_circuit_voltage", "until_time_s": seconds}

    def _current(self, act: Act, amount: Amount) -> Json:
        if amount.si == 0:
            self._refuse(act, "a current of 0, which a protocol's constant_current cannot have")
        seconds, others = self._time(act)
        volts = None
        for stop in others:
            due = ">=" if amount.si > 0 else "<="
            if stop.quantity != "voltage" or stop.comparison != due or len(others) > 1:
                self._refuse(act, f"the end '{stop.text}', which a protocol's constant_current does not have")
            volts = stop.amount.si
        self._zero(act, "until_voltage_V", volts, seconds)
        return {
            "step": "constant_current",
            "rate_C": amount.rate,
            "current_mA": shifted(amount.si, 3) if amount.rate is None else None,
            "until_time_s": seconds,
            "until_voltage_V": volts,
        }

    def _voltage(self, act: Act, volts: Amount) -> Json:
        if act.current_limit is not None and not act.drawn_anyway:
            self._refuse(act, "a 'current_limit', which a protocol's constant_voltage does not have")
        seconds, others = self._time(act)
        small: Amount | None = None
        for stop in others:
            limit = _smallest(stop, act)
            if limit is None or len(others) > 1:
                self._refuse(act, f"the end '{stop.text}', which a protocol's constant_voltage does not have")
            small = limit
        if small is not None:
            self._zero(act, "until_current_mA", small.si, seconds)
        return {
            "step": "constant_voltage",
            "voltage_V": volts.si,
            "until_time_s": seconds,
            "until_rate_C": None if small is None else small.rate,
            "until_current_mA": None if small is None or small.rate is not None else shifted(small.si, 3),
        }

    def _impedance(self, act: Act, plan: drives.Impedance) -> Json:
        if plan.bias != "open_circuit":
            self._refuse(act, "a 'bias'; a protocol's impedance_spectroscopy is at open circuit")
        # There the amplitude is the sine's own, as in EC-Lab; here it is its root mean square.
        peak = tidied(plan.amplitude * math.sqrt(2))
        return {
            "step": "impedance_spectroscopy",
            "amplitude_V": peak if plan.control == "potentiostatic" else None,
            "amplitude_mA": shifted(peak, 3) if plan.control == "galvanostatic" else None,
            "start_frequency_Hz": plan.frequency_max,
            "end_frequency_Hz": plan.frequency_min,
            "points_per_decade": plan.points_per_decade,
            "measures_per_point": plan.averages,
            "drift_correction": False,
        }

    def _sweep(self, act: Act, plan: drives.Sweep) -> list[Json]:
        for given, what in (
            (plan.compensated is not None, "an 'ir_correction'"),
            (act.current_limit is not None, "a 'current_limit'"),
            (bool(act.stops), "an end before the last voltage"),
        ):
            if given:
                self._refuse(act, f"{what}, which a protocol's voltage_scan does not have")
        if plan.step != SCAN_STEP_V:
            self._leave("record", act, "a 'step' other than 1 mV, which a protocol's voltage_scan does not have")
        scans = [
            {
                "step": "voltage_scan",
                "start_voltage_V": start,
                "end_voltage_V": end,
                "scan_rate_mV_per_s": shifted(act.scan_rate, 3),
            }
            for start, end in zip(act.vertices, act.vertices[1:], strict=False)
        ]
        return scans if plan.cycles == 1 else self._looped(scans, plan.cycles)

    def _time(self, act: Act) -> tuple[float | None, list[Stop]]:
        """Return the time after which a step ends, and its other ends."""
        times = [stop for stop in act.stops if stop.quantity == "time"]
        others = [stop for stop in act.stops if stop.quantity != "time"]
        if len(times) > 1 or any(stop.comparison != ">=" or stop.amount.si <= 0 for stop in times):
            self._refuse(act, f"the end '{times[-1].text}', which is no time after which a protocol's step ends")
        return (times[0].amount.si if times else None), others

    def _zero(self, act: Act, key: str, value: float | None, seconds: float | None) -> None:
        """Refuse a limit of 0 that would be lost, and warn of one that may be."""
        if value != 0:
            return
        if seconds is None:
            self._refuse(act, f"ends at 0 alone ('{key}: 0'), and {TAKES_ZERO_FOR_NONE}; give it a 'for' too")
        self._leaving.note(
            f"{act.where}: '{key}: 0' is in the protocol, but {TAKES_ZERO_FOR_NONE} in some of its own conversions: "
            "look at what the cycler gets"
        )

    def _leave(self, part: str, act: Act | None, what: str) -> None:
        where, line = ("", None) if act is None else (act.where, act.step.line)
        self._leaving.part(part, what, self._said.source, line, where=where)

    def _refuse(self, act: Act, what: str) -> NoReturn:
        self._said.refuse(act.step.line, f"{act.where}: {what}")


def _smallest(stop: Stop, act: Act) -> Amount | None:
    """Return the current at which a hold ends, below 0 for that of a discharge; None if it ends otherwise."""
    amount = stop.amount
    if stop.quantity == "current_magnitude" and stop.comparison == "<=" and amount.si >= 0:
        before = None if act.after is None else act.after.setpoint
        discharged = before is not None and before.si < 0 and amount.si > 0
        rate = amount.rate
        return Amount(-amount.si, None if rate is None else -rate) if discharged else amount
    signed = stop.quantity == "current" and (
        (stop.comparison == "<=" and amount.si >= 0) or (stop.comparison == ">=" and amount.si < 0)
    )
    return amount if signed else None
