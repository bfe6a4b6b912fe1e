"""Error codes of the firmware (MethodSCRIPT manual, appendix A)."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """What the firmware says with ``!XXXX``."""

    INVALID_VARTYPE = 0x0002
    UNKNOWN_COMMAND = 0x0003
    UNKNOWN_REGISTER = 0x0004
    READ_ONLY_REGISTER = 0x0005
    WRONG_MODE = 0x0006
    LINE_TOO_LONG = 0x0008
    NO_SCRIPT = 0x000C
    INVALID_POTENTIAL = 0x000F
    NAN_OR_INF = 0x0010
    INVALID_FREQUENCY = 0x0011
    INVALID_AMPLITUDE = 0x0012
    OCP_WITH_CELL_ON = 0x0014
    UNSUPPORTED = 0x001B
    STEP_BELOW_LSB = 0x001C
    UNSUPPORTED_PGSTAT_MODE = 0x0021
    WRONG_PGSTAT_MODE = 0x0023
    TOO_MANY_TO_MEASURE = 0x0024
    DIVIDED_BY_ZERO = 0x0028
    NO_SUCH_CHANNEL = 0x002F
    CRITICAL_OVERLOAD = 0x0032
    NO_MULTI_DEVICE = 0x0048
    ARGUMENT_TOO_SHORT = 0x004B
    TIMING_IMPOSSIBLE = 0x005A
    NOT_HEXADECIMAL = 0x006D
    NO_RANGES = 0x0084
    UNKNOWN_SCRIPT_COMMAND = 0x4001
    UNEXPECTED_CHARACTER = 0x4004
    SCRIPT_TOO_LARGE = 0x4005
    INVALID_OPTION = 0x4008
    NESTED_MEAS_LOOP = 0x400B
    NOT_HERE = 0x400C
    SCOPE_TOO_DEEP = 0x400D
    SCOPE_MISMATCH = 0x400E
    INDEX_OUT_OF_BOUNDS = 0x400F
    UNEXPECTED_END = 0x4018
    PACKAGE_ORDER = 0x401B
    PACKAGE_TOO_LONG = 0x401C
    ALREADY_DECLARED = 0x4026
    CELL_IS_OFF = 0x4027
    NO_STEP = 0x4029
    INVALID_NAME = 0x402B
    NAME_TOO_LONG = 0x402C
    POTENTIAL_IN_LOOP = 0x4032
    CURRENT_IN_LOOP = 0x4033
    OVERFLOW = 0x4037
    BAD_ARRAY_ACCESS = 0x4038
    BAD_LITERAL = 0x4039
    NEGATIVE = 0x4200
    NOT_POSITIVE = 0x4204
    OUT_OF_BOUNDS = 0x4205
    NOT_ON_THIS_INSTRUMENT = 0x4206
    WRONG_DATATYPE = 0x4207
    TOO_MANY_ARGUMENTS = 0x420A
    NOT_DECLARED = 0x420B
    LITERAL_NOT_ALLOWED = 0x420D
    ARRAY_NOT_ALLOWED = 0x420E


class ScriptError(Exception):
    """A script was refused (with line and column) or stopped while it ran (with its line)."""

    def __init__(self, code: Code, line: int = 0, column: int | None = None) -> None:
        super().__init__(code, line, column)
        self.code = code
        self.line = line
        self.column = column

    @property
    def text(self) -> str:
        """``!4001: Line 1, Col 16``, or ``!0028: Line 4`` while it ran."""
        place = f", Col {self.column}" if self.column is not None else ""
        return f"!{self.code:04X}: Line {self.line}{place}"


class Refused(Exception):
    """The potentiostat cannot do what a command asks; the interpreter adds the line."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code
