"""Step files of BTS 8: the XML that a channel is handed when it starts, read as the instrument reads it.

    <root><config type="Step File" version="17">
      <Head_Info><Scale Value="1"/> ... </Head_Info>
      <Whole_Prt><Protect><Main>...</Main></Protect><Record><Main>...</Main></Record></Whole_Prt>
      <Step_Info Num="2">
        <Step1 Step_ID="1" Step_Type="1">
          <Limit><Main><Curr Value="1.5"/><Stop_Volt Value="42000"/></Main></Limit>
        </Step1>
        <Step2 Step_ID="2" Step_Type="6"/>
      </Step_Info>
    </config></root>

Voltages are in 0.1 mV, times in ms, currents in mA, powers in mW, capacities in mA s; the last three times ``Scale``.
Sources: step files and converters that are public (aurora-unicycler, NewareNDA and others).
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

_DECLARATION = re.compile(rb'^\s*<\?xml[^>]*?encoding="([A-Za-z0-9_-]+)"[^>]*\?>')
_VOLT, _SECOND, _AMP, _WATT, _COULOMB = 1e4, 1e3, 1e3, 1e3, 1e3
"""How many of the file's units make one."""


class StepFileError(ValueError):
    """A step file that the instrument does not take."""


class Kind(IntEnum):
    """``Step_Type``."""

    CURRENT_CHARGE = 1
    CURRENT_DISCHARGE = 2
    VOLTAGE_CHARGE = 3
    REST = 4
    LOOP = 5
    END = 6
    CURRENT_VOLTAGE_CHARGE = 7
    POWER_DISCHARGE = 8
    POWER_CHARGE = 9
    VOLTAGE_DISCHARGE = 19
    CURRENT_VOLTAGE_DISCHARGE = 20

    @property
    def sign(self) -> int:
        """Of the current: 1 charges, -1 discharges, 0 for what drives none."""
        return _SIGNS[self]

    @property
    def word(self) -> str:
        """What replies call it."""
        return _WORDS[self]


_SIGNS = {
    Kind.CURRENT_CHARGE: 1,
    Kind.CURRENT_DISCHARGE: -1,
    Kind.VOLTAGE_CHARGE: 1,
    Kind.REST: 0,
    Kind.LOOP: 0,
    Kind.END: 0,
    Kind.CURRENT_VOLTAGE_CHARGE: 1,
    Kind.POWER_DISCHARGE: -1,
    Kind.POWER_CHARGE: 1,
    Kind.VOLTAGE_DISCHARGE: -1,
    Kind.CURRENT_VOLTAGE_DISCHARGE: -1,
}
_WORDS = {
    Kind.CURRENT_CHARGE: "cc",
    Kind.CURRENT_DISCHARGE: "dc",
    Kind.VOLTAGE_CHARGE: "cv",
    Kind.REST: "rest",
    Kind.LOOP: "--",
    Kind.END: "end",
    Kind.CURRENT_VOLTAGE_CHARGE: "cccv",
    Kind.POWER_DISCHARGE: "dp",
    Kind.POWER_CHARGE: "cp",
    Kind.VOLTAGE_DISCHARGE: "dv",
    Kind.CURRENT_VOLTAGE_DISCHARGE: "cccd",
}
_NEEDS = {
    Kind.CURRENT_CHARGE: ("Curr",),
    Kind.CURRENT_DISCHARGE: ("Curr",),
    Kind.VOLTAGE_CHARGE: ("Volt",),
    Kind.REST: ("Time",),
    Kind.CURRENT_VOLTAGE_CHARGE: ("Curr", "Volt"),
    Kind.POWER_DISCHARGE: ("Pow",),
    Kind.POWER_CHARGE: ("Pow",),
    Kind.VOLTAGE_DISCHARGE: ("Volt",),
    Kind.CURRENT_VOLTAGE_DISCHARGE: ("Curr", "Volt"),
}
_OF_LIMITS = frozenset(("Curr", "Volt", "Pow", "Time", "Stop_Volt", "Stop_Curr", "Cap", "Rate", "Stop_Rate"))
"""What a step's limits may say; the rates are for people."""


class Recording(NamedTuple):
    """When a measurement is recorded: any of these. s, V, A."""

    time: float | None = None
    voltage: float | None = None
    current: float | None = None


class Protection(NamedTuple):
    """What stops the channel. V, A (charge positive), C, s."""

    voltage_max: float | None = None
    voltage_min: float | None = None
    current_max: float | None = None
    current_min: float | None = None
    charge_max: float | None = None
    delay: float = 0.0


NO_RECORDING, NO_PROTECTION = Recording(), Protection()


@dataclass(frozen=True)
class FileStep:
    """One step. Magnitudes in SI; the kind has the sign."""

    number: int
    kind: Kind
    current: float | None = None
    voltage: float | None = None
    power: float | None = None
    time: float | None = None
    stop_voltage: float | None = None
    stop_current: float | None = None
    charge: float | None = None
    record: Recording = NO_RECORDING
    protect: Protection = NO_PROTECTION
    start_step: int = 0
    """Of a loop: where it goes back to."""
    cycles: int = 0
    """Of a loop: how often what lies between is run in all."""


@dataclass(frozen=True)
class StepFile:
    """A whole file."""

    steps: tuple[FileStep, ...]


def read_step_file(data: bytes) -> StepFile:
    """Read a step file. Raises ``StepFileError``."""
    config = _root(data).find("config")
    if config is None or config.get("type") != "Step File":
        raise StepFileError("no <config type='Step File'>")
    scale = _number(config.find("Head_Info/Scale"), 1.0) or 1.0
    reader = _Reader(scale)
    whole_record = reader.recording(config.find("Whole_Prt/Record/Main"), NO_RECORDING)
    whole_protect = reader.protection(config.find("Whole_Prt/Protect/Main"), NO_PROTECTION)
    info = config.find("Step_Info")
    if info is None or not len(info):
        raise StepFileError("no steps in <Step_Info>")
    if info.get("Num") != str(len(info)):
        raise StepFileError(f"<Step_Info> has {len(info)} steps and says {info.get('Num')}")
    steps = tuple(reader.step(element, index, whole_record, whole_protect) for index, element in enumerate(info, 1))
    if steps[-1].kind is not Kind.END:
        raise StepFileError("the last step is no end")
    return StepFile(steps)


def _root(data: bytes) -> ET.Element:
    declared = _DECLARATION.match(data)
    encoding = declared.group(1).decode() if declared else "utf-8"
    try:
        text = data[declared.end() if declared else 0 :].decode(encoding).lstrip("\ufeff")
        if "<!DOCTYPE" in text:
            raise StepFileError("a step file has no document type")
        return ET.fromstring(text)  # noqa: S314  without a document type there are no entities to expand
    except (LookupError, UnicodeDecodeError, ET.ParseError) as problem:
        raise StepFileError(f"not XML: {problem}") from None


class _Reader:
    def __init__(self, scale: float) -> None:
        self._units = {
            "Curr": _AMP * scale,
            "Stop_Curr": _AMP * scale,
            "Pow": _WATT * scale,
            "Cap": _COULOMB * scale,
            "Volt": _VOLT,
            "Stop_Volt": _VOLT,
            "Time": _SECOND,
            "Delay_Time": _SECOND,
        }

    def recording(self, main: ET.Element | None, otherwise: Recording) -> Recording:
        """Read a <Record>; ``otherwise`` is what holds without one."""
        if main is None:
            return otherwise
        return Recording(self._value(main, "Time"), self._value(main, "Volt"), self._value(main, "Curr"))

    def protection(self, main: ET.Element | None, whole: Protection) -> Protection:
        """Read a <Protect>; what it does not say is as in ``whole``."""
        if main is None:
            return whole
        said = {
            "voltage_max": self._bound(main, "Volt", "Upper"),
            "voltage_min": self._bound(main, "Volt", "Lower"),
            "current_max": self._bound(main, "Curr", "Upper"),
            "current_min": self._bound(main, "Curr", "Lower"),
            "charge_max": self._bound(main, "Cap", "Upper"),
            "delay": self._value(main, "Delay_Time"),
        }
        return whole._replace(**{name: value for name, value in said.items() if value is not None})

    def step(self, element: ET.Element, index: int, record: Recording, protect: Protection) -> FileStep:
        """Read one step."""
        if element.tag != f"Step{index}" or element.get("Step_ID") != str(index):
            raise StepFileError(f"step {index} is <{element.tag} Step_ID='{element.get('Step_ID')}'>")
        kind = _kind(element, index)
        step = FileStep(
            index,
            kind,
            record=self.recording(element.find("Record/Main"), record),
            protect=self.protection(element.find("Protect/Main"), protect),
        )
        if kind is Kind.END:
            return step
        if kind is Kind.LOOP:
            return _loop(step, element.find("Limit/Other"))
        return self._limited(step, element.find("Limit/Main"))

    def _limited(self, step: FileStep, main: ET.Element | None) -> FileStep:
        if main is None:
            raise StepFileError(f"step {step.number} has no limits")
        if unknown := {child.tag for child in main} - _OF_LIMITS:
            raise StepFileError(f"step {step.number} has unknown limits: {', '.join(sorted(unknown))}")
        if missing := [name for name in _NEEDS[step.kind] if main.find(name) is None]:
            raise StepFileError(f"step {step.number} has no {missing[0]}")
        return replace(
            step,
            current=self._value(main, "Curr"),
            voltage=self._value(main, "Volt"),
            power=self._value(main, "Pow"),
            time=self._value(main, "Time"),
            stop_voltage=self._value(main, "Stop_Volt"),
            stop_current=self._value(main, "Stop_Curr"),
            charge=self._value(main, "Cap"),
        )

    def _value(self, main: ET.Element, name: str) -> float | None:
        number = _number(main.find(name), None)
        return None if number is None else number / self._units[name]

    def _bound(self, main: ET.Element, quantity: str, side: str) -> float | None:
        number = _number(main.find(f"{quantity}/{side}"), None)
        return None if number is None else number / self._units[quantity]


def _kind(element: ET.Element, index: int) -> Kind:
    try:
        return Kind(int(element.get("Step_Type", "")))
    except ValueError:
        raise StepFileError(f"step {index} has the unknown type {element.get('Step_Type')!r}") from None


def _loop(step: FileStep, other: ET.Element | None) -> FileStep:
    start = None if other is None else _number(other.find("Start_Step"), None)
    cycles = None if other is None else _number(other.find("Cycle_Count"), None)
    if start is None or cycles is None or not 1 <= start < step.number or cycles < 1:
        raise StepFileError(f"step {step.number} is a loop without a step before it to go back to, or without a count")
    return replace(step, start_step=int(start), cycles=int(cycles))


def _number(element: ET.Element | None, otherwise: float | None) -> float | None:
    if element is None:
        return otherwise
    try:
        number = float(element.get("Value", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise StepFileError(f"<{element.tag} Value='{element.get('Value')}'> is no number")
    return number
