"""IEEE 488.2 status: event register, status byte, SCPI registers and the error queue."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_TEXTS = {
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -112: "Program mnemonic too long",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -121: "Invalid character in number",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -141: "Invalid character data",
    -151: "Invalid string data",
    -200: "Execution error",
    -211: "Trigger ignored",
    -213: "Init ignored",
    -220: "Parameter error",
    -221: "Settings conflict",
    -222: "Parameter data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -225: "Out of memory",
    -230: "Data corrupt or stale",
    -241: "Hardware missing",
    -300: "Device-specific error",
    -310: "System error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}

_OPERATION_COMPLETE, _QUERY, _DEVICE, _EXECUTION, _COMMAND, _POWER_ON = 1, 4, 8, 16, 32, 128


class ScpiError(Exception):
    """An error that goes into the instrument's queue."""

    def __init__(self, code: int, detail: str = "", text: str | None = None) -> None:
        self.code = code
        self.detail = detail
        self.text = text or _TEXTS.get(code, "Device-specific error")
        super().__init__(code, self.text)

    @property
    def event(self) -> int:
        """Bit of the standard event status register."""
        if -200 < self.code <= -100:
            return _COMMAND
        if -300 < self.code <= -200:
            return _EXECUTION
        if -500 < self.code <= -400:
            return _QUERY
        return _DEVICE


@dataclass
class Register:
    """Condition, event (set by a condition that becomes true, cleared by reading) and enable."""

    condition: int = 0
    event: int = 0
    enable: int = 0

    def update(self, condition: int) -> None:
        """Set the condition; bits that become true are latched."""
        self.event |= condition & ~self.condition
        self.condition = condition

    def read(self) -> int:
        """Return the event register and clear it."""
        event, self.event = self.event, 0
        return event

    @property
    def summary(self) -> bool:
        """Whether an enabled event is set."""
        return bool(self.event & self.enable)


class Status:
    """Everything that ``*CLS``, ``*ESR?``, ``*STB?`` and ``SYST:ERR?`` are about."""

    no_error = '0,"No error"'

    def __init__(self, depth: int) -> None:
        self.errors: deque[tuple[ScpiError, str]] = deque()
        self.depth = depth
        self.events = _POWER_ON
        self.event_enable = 0
        self.service_enable = 0
        self.operation = Register()
        self.questionable = Register()
        self.message_available = False

    def add(self, error: ScpiError, stamp: str) -> None:
        """Queue an error; when the queue is full its last entry becomes -350."""
        self.events |= error.event
        if len(self.errors) < self.depth:
            self.errors.append((error, stamp))
        else:
            overflow = ScpiError(-350)
            self.events |= overflow.event
            self.errors[-1] = (overflow, stamp)

    def next_error(self) -> str:
        """Return the oldest error as the instrument writes it and take it out of the queue."""
        if not self.errors:
            return self.no_error
        error, stamp = self.errors.popleft()
        return f'{error.code},"{error.text}{stamp}"'

    def read_events(self) -> int:
        """``*ESR?``: read and clear."""
        events, self.events = self.events, 0
        return events

    def clear(self) -> None:
        """``*CLS``: events and errors, not the enables."""
        self.errors.clear()
        self.events = 0
        self.operation.event = 0
        self.questionable.event = 0

    def preset(self) -> None:
        """``STAT:PRES``: the enables of the SCPI registers."""
        self.operation.enable = 0
        self.questionable.enable = 0

    def byte(self) -> int:
        """``*STB?``: b2 EAV, b3 QSB, b4 MAV, b5 ESB, b6 MSS, b7 OSB."""
        byte = (
            (4 if self.errors else 0)
            | (8 if self.questionable.summary else 0)
            | (16 if self.message_available else 0)
            | (32 if self.events & self.event_enable else 0)
            | (128 if self.operation.summary else 0)
        )
        return byte | (64 if byte & self.service_enable else 0)
