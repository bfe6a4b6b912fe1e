"""What PalmSens instruments send: packages, errors, who they are.

Sources: MethodSCRIPT manual 1.8 (chapters 4 to 6, appendices A to C), communication protocols of EmStat4 1.3 and
EmStat Pico 1.6, the maker's examples.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import NamedTuple

from galvanode.instrument.reading import BadReading

_OFFSET = 1 << 27
_EXPONENTS = {
    "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, " ": 0, "i": 0,
    "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_VARIABLE = re.compile(r"([a-z]{2})(?:([0-9A-Fa-f]{7})([afpnum kMGTPEi])|( {5}nan))((?:,[0-9][0-9A-Fa-f]{1,2})*)")
_ERROR = re.compile(r"!([0-9A-Fa-f]{4})(?:: Line (\d+)(?:, Col (\d+))?)?")
OVERLOAD = 2
"""Status bit: the range in use, the highest if it changes by itself, does not take the value."""


class Variable(NamedTuple):
    """One variable of a package: its type (``ba`` is a current), value in SI and status bits."""

    kind: str
    value: float
    status: int
    range: int | None


def decode(line: str) -> list[Variable]:
    """Return the variables of a package line ``P...``. Raises ``BadReading`` for one that is damaged, and for NaN."""
    # The last variable may end with the blank that stands for no prefix, which a reader may have taken off.
    fields = line[1:].split(";")
    variables: list[Variable] = []
    for field in fields:
        match = _VARIABLE.fullmatch(field) or _VARIABLE.fullmatch(field + " ")
        if match is None:
            raise BadReading(f"{line[:80]!r} is no data package")
        kind, digits, prefix, _, metadata = match.groups()
        if digits is None:
            raise BadReading(f"{line[:80]!r} holds not-a-number")
        status, number = 0, None
        for item in metadata.split(",")[1:]:
            if item[0] == "1":
                status = int(item[1:], 16)
            elif item[0] == "2":
                number = int(item[1:], 16)
        value = float(f"{int(digits, 16) - _OFFSET}e{_EXPONENTS[prefix]}")
        variables.append(Variable(kind, value, status, number))
    return variables


class Fault(NamedTuple):
    """An error line: ``!0032: Line 12`` or, before a script runs, ``e!4001: Line 1, Col 16``."""

    code: int
    line: int | None

    def text(self, script: list[str]) -> str:
        """Say what is wrong, and with which line of the script."""
        words = f"error {self.code:04X}, {ERRORS.get(self.code, 'not in the table of this driver')}"
        if self.line is not None and 1 <= self.line <= len(script):
            words += f", in line {self.line} of the script: {script[self.line - 1].strip()!r}"
        return words


def fault_of(line: str) -> Fault | None:
    """Return the error that a line tells, None if it tells none."""
    match = _ERROR.search(line)
    if match is None:
        return None
    return Fault(int(match[1], 16), int(match[2]) if match[2] else None)


@dataclass(frozen=True)
class Model:
    """What a model can do. V, A, Hz, s (manual 1.8, appendix B)."""

    name: str
    potential: tuple[float, float]
    current: float
    frequency: tuple[float, float]
    amplitude: float
    """Highest amplitude of potentiostatic impedance, V rms."""
    shortest_interval: float
    galvanostat: bool
    mode: int = 3
    """Potentiostat mode of everything but impedance, which needs 3."""
    bandwidth: float = 1e6
    """Hz, for impedance."""
    window: float = math.inf
    """Widest span of potentials in one measurement, V."""


_PICO = Model(
    "EmStat Pico",
    (-1.25, 2.0),
    3e-3,
    (0.016, 200e3),
    0.429,
    5e-3,
    galvanostat=False,
    mode=2,
    bandwidth=200e3,
    window=2.2,
)
MODELS = {
    "es4_hr": Model("EmStat4 HR", (-6.0, 6.0), 0.2, (1e-5, 200e3), 0.9, 2e-3, galvanostat=True),
    "es4_lr": Model("EmStat4 LR", (-3.0, 3.0), 0.03, (1e-5, 200e3), 0.9, 2e-3, galvanostat=True),
    "mes4hr": Model("MultiEmStat4 HR", (-6.0, 6.0), 0.2, (1e-5, 200e3), 0.9, 2e-3, galvanostat=True),
    "mes4lr": Model("MultiEmStat4 LR", (-3.0, 3.0), 0.03, (1e-5, 200e3), 0.9, 2e-3, galvanostat=True),
    "nexus1": Model("Nexus", (-10.0, 10.0), 1.0, (1e-5, 1e6), 0.3, 2e-3, galvanostat=True),
    "espico": _PICO,
    "senswb": replace(_PICO, name="Sensit Wearable"),
}
"""By the first six characters of the firmware version."""

ERRORS = {
    0x0001: "unspecified",
    0x0002: "a variable type is not valid",
    0x0003: "the command is unknown",
    0x0004: "the register is unknown",
    0x0005: "the register cannot be written",
    0x0006: "not possible in the present communication mode",
    0x0007: "an argument has an unexpected value",
    0x0008: "the command is too long",
    0x0009: "the command took too long",
    0x000B: "no memory for the variable",
    0x000C: "no script is loaded",
    0x000E: "overflow while averaging",
    0x000F: "the potential is out of range",
    0x0010: "a variable became not-a-number or infinite",
    0x0011: "the frequency is not valid",
    0x0012: "the amplitude is not valid",
    0x0014: "open circuit cannot be measured with the cell on",
    0x001A: "the calibration is not valid",
    0x001B: "not supported by this instrument",
    0x001C: "the potential step is below the converter's resolution",
    0x001E: "the amplitude is below the converter's resolution",
    0x001F: "the technique is not licensed",
    0x0020: "only one channel can be in high speed or maximum range mode",
    0x0021: "the potentiostat mode is not supported",
    0x0023: "not possible in the selected potentiostat mode",
    0x0024: "too many variables to measure",
    0x0028: "division by zero",
    0x002F: "there is no such channel",
    0x0032: "critical overload of the cell, measurement stopped to prevent damage",
    0x0033: "memory error",
    0x003E: "something timed out",
    0x0048: "not a multichannel instrument",
    0x004B: "the argument is too short",
    0x0052: "characters were lost on the line to the instrument",
    0x0058: "timing error in a fast measurement",
    0x005A: "the timing cannot be met",
    0x005B: "the variable type is already being measured",
    0x006D: "not a hexadecimal number",
    0x0080: "the counter electrode oscillates",
    0x0084: "the variable type has no ranges",
    0x4001: "the script command is unknown",
    0x4004: "unexpected character",
    0x4005: "the script is too large",
    0x4008: "the optional argument is not valid for this command",
    0x400B: "measurement loops cannot be nested",
    0x400C: "not possible here",
    0x400D: "too many blocks inside one another",
    0x400E: "a block does not begin or end here",
    0x400F: "an index is outside its array",
    0x4018: "the script ends too early",
    0x401A: "not possible inside a measurement loop",
    0x401B: "the commands of a package are out of order",
    0x401C: "too many variables in a package",
    0x4026: "the variable is declared twice",
    0x4027: "the cell must be on",
    0x4028: "the cell must be off",
    0x4029: "the sweep has no step",
    0x402B: "a variable's name is not valid",
    0x402C: "a variable's name is too long",
    0x4032: "the potential cannot be set inside a measurement loop",
    0x4033: "the current cannot be set inside a measurement loop",
    0x4037: "a computation overflowed",
    0x4038: "an array is not accessed as one",
    0x4039: "a number is not well formed",
    0x4200: "an argument must not be negative",
    0x4202: "an argument must not be zero",
    0x4204: "an argument must be above zero",
    0x4205: "an argument is out of bounds",
    0x4206: "an argument does not suit this instrument",
    0x4207: "an argument is of the wrong number type",
    0x420A: "an argument too many",
    0x420B: "a variable is not declared",
    0x420D: "a literal where a variable is expected",
    0x420E: "an array where a variable is expected",
    0x7FFF: "fatal, the instrument must be reset",
}
"""The codes that a script of this driver, its wiring or its firmware can bring up (appendix A)."""
