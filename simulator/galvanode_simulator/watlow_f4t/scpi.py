"""The SCPI side of a simulated F4T: the few commands of the user's guide. What it does not know it ignores."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from galvanode_simulator.faults import Fault
from galvanode_simulator.watlow_f4t import controller as f4t
from galvanode_simulator.watlow_f4t.controller import F4TModel, Refused
from galvanode_simulator.watlow_f4t.desk import Desk

_SHORT = {
    "SOURCE": "SOUR",
    "CLOOP": "CLO",
    "CASCADE": "CASC",
    "PVALUE": "PVAL",
    "SPOINT": "SPO",
    "ERROR": "ERR",
    "RANGE": "RANG",
    "OUTER": "OUT",
    "INNER": "INN",
    "OUTPUT": "OUTP",
    "STATE": "STAT",
    "PROGRAM": "PROG",
    "NUMBER": "NUMB",
    "SELECTED": "SEL",
    "TEMPERATURE": "TEMP",
}
_NODE = re.compile(r"([A-Z]+)(\d*)")
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")


class ScpiInterface(Desk):
    """Answers queries; commands have no answer, and there is no error queue."""

    def __init__(self, model: F4TModel) -> None:
        super().__init__(model)
        loop = "SOUR:CASC1" if model.cascade else "SOUR:CLO1"
        inner = f"{loop}:INN" if model.cascade else loop
        self._queries: dict[str, Callable[[], str]] = {
            "*IDN": lambda: f"Watlow Electric,F4T,{model.serial_number},4.05.0007",
            f"{loop}:SPO": lambda: self._temperature(model.user_setpoint),
            f"{inner}:PVAL": lambda: self._temperature(model.measured()),
            f"{inner}:ERR": lambda: "ERROR" if model.input_error else "NONE",
            f"{loop}:RANG:LOW": lambda: self._temperature(model.lowest),
            f"{loop}:RANG:HIGH": lambda: self._temperature(model.highest),
            "UNIT:TEMP": lambda: "C" if model.units == f4t.CELSIUS else "F",
            "PROG:NUMB": lambda: str(model.profile_number),
            "PROG:NAME": lambda: model.profiles[model.profile_number].name if self._chosen else "",
            "OUTP1:STAT": lambda: "ON" if model.event_runs else "OFF",
        }
        if model.cascade:
            self._queries[f"{loop}:OUT:PVAL"] = lambda: self._temperature(model.product())
            self._queries[f"{loop}:OUT:ERR"] = lambda: "NONE"
        self._commands: dict[str, Callable[[str], None]] = {
            f"{loop}:SPO": self._set_point,
            "UNIT:TEMP": self._units,
            "PROG:NUMB": self._choose,
            "PROG:SEL:STAT": self._steer,
            "OUTP1:STAT": self._output,
        }

    def receive(self, message: bytes) -> bytes:
        """Carry out one line."""
        header, _, argument = message.decode("ascii", "replace").strip().upper().partition(" ")
        name = _short(header.removesuffix("?"))
        self.work()
        if self.take_busy():
            return b""
        self.model.look()
        if header.endswith("?"):
            answer = self._queries.get(name)
            return b"" if answer is None else answer().encode() + b"\n"
        if (act := self._commands.get(name)) is not None:
            try:
                act(argument.strip())
            except (Refused, ValueError):
                return b""
        return b""

    def play(self, fault: Fault, on: bool) -> None:
        """A frozen reading is a stuck chamber; an SCPI error is a line that goes unheard."""
        self.play_in_chamber(fault, on)

    @property
    def _chosen(self) -> bool:
        return self.model.profile_number in self.model.profiles

    def _temperature(self, kelvin: float) -> str:
        return f"{self.model.wire_temperature(kelvin):.4f}"

    def _set_point(self, argument: str) -> None:
        value = float(argument) if _NUMBER.fullmatch(argument) else math.nan
        self.model.set_user_setpoint(self.model.from_wire(value))

    def _units(self, argument: str) -> None:
        units = {"C": f4t.CELSIUS, "F": f4t.FAHRENHEIT}
        self.model.units = units.get(argument, self.model.units)

    def _choose(self, argument: str) -> None:
        self.model.profile_number = int(argument)

    def _steer(self, argument: str) -> None:
        model = self.model
        actions = {
            "START": model.start_profile,
            "STOP": model.terminate_profile,
            "PAUSE": model.pause_profile,
            "RESUME": model.resume_profile,
            "RES": model.resume_profile,
        }
        if argument in actions:
            actions[argument]()

    def _output(self, argument: str) -> None:
        if argument in ("ON", "OFF"):
            self.model.run_output(argument == "ON")


def _short(header: str) -> str:
    """A header in its short form, ``SOUR:CLO1:PVAL``."""
    nodes: list[str] = []
    for node in header.removeprefix(":").split(":"):
        match = _NODE.fullmatch(node)
        nodes.append(_SHORT.get(match[1], match[1]) + match[2] if match else node)
    return ":".join(nodes)
