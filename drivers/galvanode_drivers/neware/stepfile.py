"""Makes the step file of BTS 8 out of a schedule, or says which line it cannot say.

Voltages are in 0.1 mV, times in ms, currents in mA, powers in mW, capacities in mA s (``Scale`` 1). ``Step_Type`` and
names as in step files that the BTS client writes.
"""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from galvanode.instrument.roles import Envelope
from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Ending,
    Item,
    Load,
    Power,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
    Voltage,
)

TICK_S = 0.1
"""A channel measures ten times a second; nothing shorter can be asked of it."""
_DECIVOLT_MV, _MILLI = 1e4, 1e3
_SAME_V = 1e-9
_VERSION, _CLIENT = "17", "BTS Client 8.0.0.478(2024.06.24)(R3)"
"""Of the format that is written, which the instrument checks."""
_NAMESPACE = uuid.UUID("6d0f1f6e-3a5e-5c8e-9d55-5f4b8c1f6f0a")
_LOOP, _END = 5, 6
_REST = 4
_TYPES: dict[type[Current | Voltage | Power], tuple[int, int]] = {Current: (1, 2), Voltage: (3, 19), Power: (9, 8)}
"""``Step_Type`` of a charge and of a discharge."""


class Ratings(NamedTuple):
    """What a channel reaches."""

    voltage: tuple[float, float]
    """V, lowest and highest."""
    current: float
    """A of either sign."""


@dataclass
class StepFile:
    """A step file and what its numbers mean."""

    xml: bytes
    numbers: dict[int, int] = field(default_factory=dict[int, int])
    """``Step_ID`` -> number of the scheduled step."""


def write_step_file(schedule: Schedule, ratings: Ratings, envelope: Envelope | None = None, tag: str = "") -> StepFile:
    """Return the step file of a schedule. Raises ``CannotExpress`` for the first line that it cannot say."""
    root = ET.Element("root")
    config = ET.SubElement(
        root,
        "config",
        type="Step File",
        version=_VERSION,
        client_version=_CLIENT,
        Guid=str(uuid.uuid5(_NAMESPACE, tag)),
    )
    _head(config, tag)
    whole = ET.SubElement(config, "Whole_Prt")
    _protect(whole, _tightest(Bounds(), envelope))
    info = ET.SubElement(config, "Step_Info")
    writer = _Writer(info, ratings, envelope)
    writer.items(schedule.items)
    writer.add(_END)
    info.set("Num", str(len(info)))
    bus = ET.SubElement(config, "SMBUS")
    ET.SubElement(bus, "SMBUS_Info", Num="0", AdjacentInterval="0")
    ET.indent(root)
    return StepFile(ET.tostring(root, encoding="utf-8", xml_declaration=True), writer.numbers)


def _head(config: ET.Element, tag: str) -> None:
    head = ET.SubElement(config, "Head_Info")
    ET.SubElement(head, "Operate", Value="66")
    ET.SubElement(head, "Scale", Value="1")
    ET.SubElement(head, "Start_Step", Value="1", Hide_Ctrl_Step="0")
    ET.SubElement(head, "Creator", Value="Galvanode")
    ET.SubElement(head, "Remark", Value=tag)
    ET.SubElement(head, "RateType", Value="103")  # currents in amperes, not in C-rates


class _Writer:
    def __init__(self, info: ET.Element, ratings: Ratings, envelope: Envelope | None) -> None:
        self.numbers: dict[int, int] = {}
        self._info = info
        self._ratings = ratings
        self._envelope = envelope

    def add(self, kind: int) -> ET.Element:
        """Append a step of a type."""
        number = len(self._info) + 1
        return ET.SubElement(self._info, f"Step{number}", Step_ID=str(number), Step_Type=str(kind))

    def items(self, items: Sequence[Item]) -> None:
        """Append steps and blocks."""
        before: ScheduledStep | None = None
        for item in items:
            if isinstance(item, Repeat):
                self._block(item)
                before = None
            else:
                self._step(item, before)
                before = item

    def _block(self, block: Repeat) -> None:
        first = len(self._info) + 1
        self.items(block.body)
        if block.times == 1:
            return
        other = ET.SubElement(ET.SubElement(self.add(_LOOP), "Limit"), "Other")
        ET.SubElement(other, "Start_Step", Value=str(first))
        ET.SubElement(other, "Cycle_Count", Value=str(block.times))

    def _step(self, step: ScheduledStep, before: ScheduledStep | None) -> None:
        sign = _direction(step, before)
        self._check(step)
        drive = step.drive
        if isinstance(drive, Load):
            raise CannotExpress(step.line, "a Neware channel is not driven at a constant resistance by this driver")
        kind = _REST if isinstance(drive, Rest) else _TYPES[type(drive)][0 if sign > 0 else 1]
        element = self.add(kind)
        self.numbers[int(element.get("Step_ID", ""))] = step.number
        _record(element, step)
        limits = ET.SubElement(ET.SubElement(element, "Limit"), "Main")
        match drive:
            case Current():
                _put(limits, "Curr", abs(drive.current) * _MILLI)
            case Voltage():
                _put(limits, "Volt", drive.voltage * _DECIVOLT_MV)
                _put(limits, "Curr", drive.current_limit * _MILLI)
            case Power():
                _put(limits, "Pow", abs(drive.power) * _MILLI)
            case Rest():
                pass
        for name, value in _ends(step, sign).items():
            _put(limits, name, value)
        _protect(element, _tightest(step.bounds, self._envelope))

    def _check(self, step: ScheduledStep) -> None:
        """Refuse what lies outside the channel's ratings."""
        low, high = self._ratings.voltage
        volts = [end.value for end in step.ends if end.quantity == "voltage"]
        drive = step.drive
        if isinstance(drive, Voltage):
            volts.append(drive.voltage)
        for value in volts:
            if not low <= value <= high:
                raise CannotExpress(step.line, f"{value:g} V; this Neware channel has {low:g} to {high:g} V")
        amps = abs(drive.current) if isinstance(drive, Current) else 0.0
        amps = drive.current_limit if isinstance(drive, Voltage) else amps
        if not 0.0 <= amps <= self._ratings.current * (1.0 + 1e-9):
            raise CannotExpress(step.line, f"{amps:g} A; this Neware channel has {self._ratings.current:g} A")
        if isinstance(drive, Power) and not abs(drive.power) <= self._ratings.current * high:
            most = self._ratings.current * high
            raise CannotExpress(step.line, f"{abs(drive.power):g} W; this Neware channel has {most:g} W")
        if step.bounds.temperature_min is not None or step.bounds.temperature_max is not None:
            raise CannotExpress(
                step.line,
                "recipe or cell limit the temperature; a Neware channel has no sensor, and watches no temperature",
            )


def _direction(step: ScheduledStep, before: ScheduledStep | None) -> int:
    """1 for a step that charges, -1 for one that discharges, 0 for a rest. A held voltage must be told to do either."""
    match step.drive:
        case Current(current):
            return 1 if current > 0 else -1
        case Power(power):
            return 1 if power > 0 else -1
        case Voltage():
            return _direction_of_hold(step, step.drive.voltage, before)
        case _:
            return 0


def _direction_of_hold(step: ScheduledStep, voltage: float, before: ScheduledStep | None) -> int:
    signed = {_side(end) for end in step.ends if end.quantity == "current"}
    if len(signed) == 1 and 0 not in signed:
        return signed.pop()
    if before is not None and isinstance(before.drive, Current | Power):
        sign = _direction(before, None)
        reached = [sign * end.value for end in before.ends if end.quantity == "voltage"]
        if reached and sign * voltage >= min(reached) - _SAME_V:  # the cell is not beyond: it ended there at the latest
            return sign
    raise CannotExpress(
        step.line,
        "a Neware channel holds a voltage either by charging or by discharging, and the recipe does not tell which: "
        "let the hold follow a charge or a discharge to that voltage, or end it at a current with its sign",
    )


def _side(end: Ending) -> int:
    """Sign of the current that falls to this end: 1 for ``<= 1 mA``, -1 for ``>= -1 mA``, 0 for neither."""
    if end.comparison == "<=" and end.value > 0:
        return 1
    return -1 if end.comparison == ">=" and end.value < 0 else 0


_CAN_END = {"time": "Time", "voltage": "Stop_Volt", "current": "Stop_Curr", "charge": "Cap"}


def _ends(step: ScheduledStep, sign: int) -> dict[str, float]:
    """Return what ends a step, in the file's units; of several ends of a kind the one that is reached first."""
    found: dict[str, float] = {}
    for end in step.ends:
        name, value = _end(step, end, sign)
        first = max if (name == "Stop_Volt" and sign < 0) or name == "Stop_Curr" else min
        found[name] = first(found.get(name, value), value)
    if not found:
        raise CannotExpress(step.line, "a step that nothing ends")
    if isinstance(step.drive, Rest) and set(found) != {"Time"}:
        raise CannotExpress(step.line, "a Neware channel ends a rest after a time and by nothing else")
    return found


def _end(step: ScheduledStep, end: Ending, sign: int) -> tuple[str, float]:
    """Return the name and the value of one end."""
    said = f"'{end.text}'" if end.text else f"{end.quantity} {end.comparison} {end.value:g}"
    match end.quantity, end.comparison:
        case "time", ">=" if end.value >= TICK_S * (1 - 1e-9):
            return "Time", end.value * 1e3
        case "time", ">=":
            raise CannotExpress(step.line, f"{said}: a step of a Neware channel lasts {TICK_S:g} s or longer")
        case "charge", ">=" if end.value > 0:
            return "Cap", end.value * 1e3
        case "voltage", comparison if not isinstance(step.drive, Voltage | Rest):
            if (comparison == ">=") == (sign > 0):
                return "Stop_Volt", end.value * _DECIVOLT_MV
            side = "from below" if sign > 0 else "from above"
            raise CannotExpress(step.line, f"{said}: a Neware channel ends this step at a voltage reached {side} only")
        case "current_magnitude", "<=" if isinstance(step.drive, Voltage) and end.value > 0:
            return "Stop_Curr", end.value * _MILLI
        case "current", _ if isinstance(step.drive, Voltage) and _side(end) == sign:
            return "Stop_Curr", abs(end.value) * _MILLI
        case _:
            raise CannotExpress(step.line, f"{said} cannot end a step like this on a Neware channel")


def _record(element: ET.Element, step: ScheduledStep) -> None:
    rule: Recording = step.record
    if rule.charge_change is not None:
        raise CannotExpress(step.line, "a Neware channel records at no change of charge")
    if rule.burst_every_s is not None:
        raise CannotExpress(step.line, "a Neware channel records a step at one interval; it has no faster beginning")
    if rule.every_s is not None and rule.every_s < TICK_S * (1 - 1e-9):
        raise CannotExpress(step.line, f"a record every {rule.every_s:g} s; a Neware channel has {TICK_S:g} s at best")
    main = ET.SubElement(ET.SubElement(element, "Record"), "Main")
    changes = rule.voltage_change is not None or rule.current_change is not None
    every_s = rule.every_s if rule.every_s is not None or changes else _SELDOM_S
    for name, value, unit in (
        ("Time", every_s, 1e3),
        ("Volt", rule.voltage_change, _DECIVOLT_MV),
        ("Curr", rule.current_change, _MILLI),
    ):
        if value is not None:
            _put(main, name, value * unit)


_SELDOM_S = 3600.0
"""The instrument wants one record condition at least; a recipe without one gets this beside both ends of a step."""


def _tightest(bounds: Bounds, envelope: Envelope | None) -> Bounds:
    """Return the bounds of a step inside the envelope."""
    if envelope is None:
        return bounds
    return Bounds(
        voltage_min=_highest(bounds.voltage_min, envelope.voltage_min),
        voltage_max=_lowest(bounds.voltage_max, envelope.voltage_max),
        current_min=_highest(bounds.current_min, -envelope.current_max),
        current_max=_lowest(bounds.current_max, envelope.current_max),
    )


def _highest(*bounds: float | None) -> float | None:
    return max(_given(bounds), default=None)


def _lowest(*bounds: float | None) -> float | None:
    return min(_given(bounds), default=None)


def _given(bounds: Iterable[float | None]) -> list[float]:
    return [bound for bound in bounds if bound is not None]


def _protect(element: ET.Element, bounds: Bounds) -> None:
    sides = (
        ("Volt", bounds.voltage_max, bounds.voltage_min, _DECIVOLT_MV),
        ("Curr", bounds.current_max, bounds.current_min, _MILLI),
    )
    if all(high is None and low is None for _, high, low, _ in sides):
        return
    main = ET.SubElement(ET.SubElement(element, "Protect"), "Main")
    for name, high, low, unit in sides:
        quantity = ET.SubElement(main, name)
        if high is not None:
            _put(quantity, "Upper", high * unit)
        if low is not None:
            _put(quantity, "Lower", low * unit)


def _put(element: ET.Element, name: str, value: float) -> None:
    ET.SubElement(element, name, Value=f"{value:.9f}".rstrip("0").rstrip("."))
