"""PalmSens EmStat4, EmStat Pico and Nexus on the wire: communication protocol around a running script.

A command is a line; its answer begins with the command's letter. A script comes line by line after ``e`` or
``l`` and ends with an empty line. While it runs, its output streams as its time comes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from galvanode.clock import process_clock
from galvanode_simulator.emstat4.unit import EmStat4Unit
from galvanode_simulator.faults import Fault
from galvanode_simulator.methodscript import Machine, Parser, ScriptError
from galvanode_simulator.methodscript.errors import Code
from galvanode_simulator.methodscript.interpreter import Steps
from galvanode_simulator.methodscript.program import Program
from galvanode_simulator.methodscript.signatures import GALVANOSTAT, SIGNATURES

DEAF_S = 0.05
"""Real time for which input is ignored after an error; what is left of a refused script is lost in it."""
_CAPABILITIES = {"t": 1, "CC": 32, "CM": 33, "S": 34, "G": 35, "l": 36, "r": 37, "e": 38, "i": 48, "v": 49,
                 "m": 60, "h": 96, "H": 97, "Z": 98, "Y": 99}  # fmt: skip
_LONGEST_OUTPUT = 1 << 20
"""Bytes of output that wait for a host; beyond that the oldest are lost."""
_SETTABLE = {0x01: 8, 0x02: 8, 0x07: 2}
"""Registers and the hexadecimal digits they take: peripherals, permission, advanced options."""
_UNIQUE_ID = 0x06


class EmStat4Interface:
    """One instrument's end of the line."""

    def __init__(self, unit: EmStat4Unit, serial_number: str = "0001") -> None:
        self.unit = unit
        self.serial_number = unit.model.serial_prefix + serial_number
        self._registers = {number: "0" * digits for number, digits in _SETTABLE.items()}
        self._output: list[bytes] = []
        self._waiting = 0
        self._parser: Parser | None = None
        self._receiving = ""
        self._refused = False
        self._loaded: Program | None = None
        self._machine: Machine | None = None
        self._steps: Steps | None = None
        self._wake = 0.0
        self._offset = 0.0
        """Process time minus script time: grows while the script is halted."""
        self._halted_at: float | None = None
        self._deaf_until = -math.inf
        self._fail_with: Code | None = None

    # Device

    def receive(self, message: bytes) -> bytes:
        """Take one line; return all that there is to say by now."""
        self.advance()
        if time.monotonic() >= self._deaf_until:
            self._line(message.decode("latin-1"))
        return self._take()

    def unasked(self, patience: float) -> bytes:
        """What the script has put out by now; with ``patience``, let it go on until it says something."""
        self.advance()
        said = self._take()
        if said or patience <= 0.0:
            return said
        until = process_clock().now() + patience
        while not self._output and self._runs and self._wake + self._offset <= until:
            self._resume()
        return self._take()

    def advance(self) -> None:
        """Let cell and script live until now."""
        now = process_clock().now()
        while self._runs and self._wake + self._offset <= now:
            self._resume()
        self.unit.live_until(now)

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the instrument itself."""
        self.advance()
        match fault.kind:
            case "stuck_output":
                self.unit.stuck_output = on
            case "frozen_reading":
                self.unit.freeze_readings = on
            case "frozen_time":
                self.unit.freeze_time = on
            case "scpi_error" if on:  # an error of the running script, or else of the next one
                code = Code(fault.code) if fault.code in set(Code) else Code.CRITICAL_OVERLOAD
                if self._machine is not None:
                    self._machine.state.fail_with = code
                else:
                    self._fail_with = code
            case _:
                pass

    def query_error(self, code: int) -> None:
        """The protocol has no such thing."""

    # Lines

    def _line(self, text: str) -> None:
        if self._parser is not None:
            self._script_line(text, self._parser)
        elif self._machine is not None:
            self._while_running(text.strip(), self._machine)
        else:
            self._command(text.strip())

    def _command(self, text: str) -> None:
        match text:
            case "":
                self._say("")
            case "t":
                self._version()
            case "i":
                self._say(f"i{self.serial_number}")
            case "v":
                self._say(f"v{self.unit.model.script_version}")
            case "m":
                self._error("m", Code.NO_MULTI_DEVICE)
            case "CC":
                self._say("CC" + _bits(_CAPABILITIES.values()))
            case "CM":
                self._say("CM" + _bits(it.capability for name, it in SIGNATURES.items() if self._supports(name)))
            case "e" | "l":
                self._receiving = text
                self._parser = Parser(frozenset() if self.unit.model.galvanostat else GALVANOSTAT)
            case "r" if self._loaded is None:
                self._error("r", Code.NO_SCRIPT)
            case "r":
                self._say("r")
                self._run()
            case "h" | "H" | "Z" | "Y" | "R":
                self._error(text, Code.WRONG_MODE)
            case _ if text[0] in "GS":
                self._register(text[0], text[1:])
            case _:
                self._error(text[0], Code.UNKNOWN_COMMAND)

    def _while_running(self, text: str, machine: Machine) -> None:
        match text:
            case "":
                return
            case "t":
                self._version()
            case "Z":
                self._say("Z")
                self._go_on()
                machine.abort = True
                self._poke()
            case "Y" if machine.state.measuring:
                self._say("Y")
                machine.break_measurement = True
                self._poke()
            case "h" if self._halted_at is None:
                self._say("h")
                self._halted_at = self.unit.now
            case "H" if self._halted_at is not None:
                self._say("H")
                self._go_on()
            case "R":
                self._error("R", Code.UNSUPPORTED)
            case _:
                self._error(text[0], Code.WRONG_MODE)

    def _version(self) -> None:
        model = self.unit.model
        self._say(f"t{model.key}{model.firmware}#{model.built}")
        self._say("R*")

    def _register(self, letter: str, argument: str) -> None:
        try:
            number = int(argument[:2], 16)
        except ValueError:
            self._error(letter, Code.NOT_HEXADECIMAL if argument else Code.ARGUMENT_TOO_SHORT)
            return
        if number == _UNIQUE_ID:
            if letter == "G":
                self._say(f"G{self.serial_number.encode().hex().upper()[:16]:0>16}")
            else:
                self._error("S", Code.READ_ONLY_REGISTER)
        elif number not in _SETTABLE:
            self._error(letter, Code.UNKNOWN_REGISTER)
        elif letter == "G":
            self._say(f"G{self._registers[number]}")
        elif len(argument) != 2 + _SETTABLE[number]:
            self._error("S", Code.ARGUMENT_TOO_SHORT)
        elif not all(digit in "0123456789abcdefABCDEF" for digit in argument):
            self._error("S", Code.NOT_HEXADECIMAL)
        else:
            self._registers[number] = argument[2:].upper()
            self._say("S")

    def _supports(self, name: str) -> bool:
        return self.unit.model.galvanostat or name not in GALVANOSTAT

    # Scripts

    def _script_line(self, text: str, parser: Parser) -> None:
        try:
            if text.strip():
                parser.feed(text)
                return
            self._loaded = parser.finish()
        except ScriptError as error:
            self._parser = self._loaded = None
            self._say(self._receiving + error.text)
            self._deafen()
            return
        self._parser = None
        self._say(self._receiving)
        if self._receiving == "e":
            self._run()

    def _run(self) -> None:
        if self._loaded is None:
            return
        self._machine = Machine(self._loaded, self.unit, self._say)
        self._machine.state.fail_with, self._fail_with = self._fail_with, None
        self._steps = self._machine.run()
        self._offset = self.unit.now
        self._halted_at = None
        self._wake = 0.0
        self._resume()

    @property
    def _runs(self) -> bool:
        return self._steps is not None and self._halted_at is None

    def _resume(self) -> None:
        """Let the cell live until the script goes on, and let it go on."""
        machine, steps = self._machine, self._steps
        if machine is None or steps is None:
            return
        self.unit.live_until(self._wake + self._offset)
        machine.state.now = self._wake
        try:
            self._wake = next(steps)
        except StopIteration:
            self._end()
        except ScriptError as error:
            self._say(error.text)
            self._deafen()
            self._end()

    def _poke(self) -> None:
        """Resume the script at once, before the time it waits for."""
        self._wake = min(self._wake, self.unit.now - self._offset)
        self._resume()

    def _go_on(self) -> None:
        if self._halted_at is not None:
            self._offset += self.unit.now - self._halted_at
            self._halted_at = None

    def _end(self) -> None:
        self._machine = self._steps = None
        self._say("")

    # Output

    def _say(self, line: str) -> None:
        data = line.encode("latin-1") + b"\n"
        self._output.append(data)
        self._waiting += len(data)
        while self._waiting > _LONGEST_OUTPUT:
            self._waiting -= len(self._output.pop(0))

    def _take(self) -> bytes:
        if not self._output:
            return b""
        said = b"".join(self._output)
        self._output.clear()
        self._waiting = 0
        return said

    def _error(self, letter: str, code: Code) -> None:
        self._say(f"{letter}!{code:04X}")
        self._deafen()

    def _deafen(self) -> None:
        self._deaf_until = time.monotonic() + DEAF_S


def _bits(numbers: Iterable[int | None]) -> str:
    """64 hexadecimal digits with these bits set."""
    value = 0
    for number in numbers:
        value |= 1 << number if number is not None else 0
    return f"{value:064X}"
