"""The Keithley 2400 series on the wire: its own SCPI tree (user's manual 2400S-900-01, section 18)."""

from __future__ import annotations

import math
import re
import statistics
import struct
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from galvanode.clock import process_clock
from galvanode_simulator.faults import Fault
from galvanode_simulator.framing import Framer, LineFramer, MarkerFramer
from galvanode_simulator.keithley2400.unit import (
    IN_COMPLIANCE,
    IN_RANGE_COMPLIANCE,
    MOST_READINGS,
    NOT_A_NUMBER,
    OVERFLOWED,
    PROTECTED,
    Keithley2400Unit,
    Reading,
    SenseFunction,
    Source,
)
from galvanode_simulator.parts.converter import OVER_RANGE
from galvanode_simulator.scpi import ScpiInterface, command, command_for
from galvanode_simulator.scpi_status import Register, ScpiError, Status

_FIRMWARE = "C33   Mar 31 2015 09:32:39/A02  /K/J"
_SOURCES = "CURRent VOLTage"
_SENSES = "CURRent VOLTage RESistance"
_ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT")
_LONG = {"CURR": '"CURR:DC"', "VOLT": '"VOLT:DC"', "RES": '"RES"'}
_SENSE_NAMES = {
    **dict.fromkeys(("CURR", "CURRENT", "CURR:DC", "CURRENT:DC"), "CURR"),
    **dict.fromkeys(("VOLT", "VOLTAGE", "VOLT:DC", "VOLTAGE:DC"), "VOLT"),
    **dict.fromkeys(("RES", "RESISTANCE"), "RES"),
}
_ELEMENT_NAMES = {
    **{name: name for name in _ELEMENTS},
    "VOLTAGE": "VOLT",
    "CURRENT": "CURR",
    "RESISTANCE": "RES",
    "STATUS": "STAT",
}
_WHILE_RUNNING = re.compile(rb"\s*(:?ABOR(T)?|\*RST|\*TRG|:?SYST(EM)?:PRES(ET)?)\s*(;.*)?", re.IGNORECASE)
"""What acts while the trigger model runs; all else waits (16-3)."""
_READING, _OVERFLOW, _AVAILABLE, _FULL, _ENABLED, _PROTECTED, _COMPLIANCE = 64, 128, 256, 512, 2048, 8192, 16384
"""Bits of the measurement event register (15-13)."""
_IDLE = 1024
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "MEAN": statistics.fmean,
    "SDEV": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
    "MAX": max,
    "MIN": min,
    "PKPK": lambda values: max(values) - min(values),
}


def _number(value: float) -> str:
    return f"{value:.6E}"


class _Status(Status):
    """The status model with a register of measurement events; the instrument's own errors carry a plus sign."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth)
        self.measurement = Register()

    def next_error(self) -> str:
        answer = super().next_error()
        return f"+{answer}" if answer[0] in "123456789" else answer

    def clear(self) -> None:
        super().clear()
        self.measurement.event = 0

    def preset(self) -> None:
        super().preset()
        self.measurement.enable = 0

    def byte(self) -> int:
        """``*STB?``: b0 is the summary of the measurement events (15-9)."""
        byte = (super().byte() & ~64) | int(self.measurement.summary)
        return byte | (64 if byte & self.service_enable else 0)


class Keithley2400Interface(ScpiInterface):
    """Commands of the 2400 series. ``unit`` is the model; the interface only translates.

    ``terminator`` is that of its RS-232 port; the other links end lines with LF.
    """

    error_queue_depth: ClassVar[int] = 10
    discards_after_error: ClassVar[bool] = True

    def __init__(self, unit: Keithley2400Unit, serial_number: str = "1000001", terminator: bytes = b"\n") -> None:
        super().__init__()
        self.unit = unit
        self.status: _Status = _Status(self.error_queue_depth)
        self.identification = f"KEITHLEY INSTRUMENTS INC.,MODEL {unit.model.name},{serial_number},{_FIRMWARE}"
        self.status.operation.condition = _IDLE
        self._terminator = terminator
        self._waiting: list[bytes] = []
        self._format, self._swapped = "ASC", False
        self._elements: tuple[str, ...] = _ELEMENTS
        self._absolute = True
        self._statistic = "MEAN"
        self._configured: SenseFunction | None = None
        unit.new_reading = self._note

    def framer(self) -> Framer:
        """Return what cuts the bytes of one connection into messages."""
        return LineFramer() if self._terminator == b"\n" else MarkerFramer(self._terminator)

    def receive(self, message: bytes) -> bytes:
        """Execute a message; while the trigger model runs, most have to wait for it."""
        self.unit.advance()
        if self.unit.running and not _WHILE_RUNNING.fullmatch(message):
            if self.unit.endless:
                self._waiting.append(message)
                return b""
            self.unit.finish()
        replies = super().receive(message.strip())
        while self._waiting and not self.unit.endless:
            self.unit.finish()
            replies += super().receive(self._waiting.pop(0).strip())
        return replies if self._terminator == b"\n" else replies.replace(b"\n", self._terminator)

    def advance(self) -> None:
        """Let the cell live until now."""
        self.unit.advance()

    def busy(self) -> float:
        """Seconds of process time for which it is still at work on what it was told."""
        return self.unit.busy()

    def play(self, fault: Fault, on: bool) -> None:
        """Begin or end a fault of the instrument itself."""
        if fault.kind == "scpi_error":
            if on:
                self.record(ScpiError(fault.code))
        else:
            self.unit.play(fault, on)

    def _note(self, reading: Reading) -> None:
        """Tell the status model of a reading."""
        unit, status = self.unit, reading.status
        condition = _READING | _ENABLED
        condition |= _OVERFLOW if status & OVERFLOWED else 0
        condition |= _PROTECTED if status & PROTECTED else 0
        condition |= _COMPLIANCE if status & (IN_COMPLIANCE | IN_RANGE_COMPLIANCE) else 0
        condition |= _AVAILABLE if len(unit.buffer) > 1 else 0
        condition |= _FULL if unit.buffer and len(unit.buffer) >= unit.buffer_size else 0
        self.status.measurement.update(condition)

    @staticmethod
    def _value(given: float | str, low: float, high: float, default: float) -> float:
        if isinstance(given, str):
            return {"MIN": low, "MAX": high, "DEF": default}[given]
        if not low <= given <= high:
            raise ScpiError(-222)
        return given

    @staticmethod
    def _asked(now: float, which: str | None, low: float, high: float, default: float) -> str:
        return _number(now if which is None else {"MIN": low, "MAX": high, "DEF": default}[which])

    # System

    @command("*RST")
    def _reset(self) -> None:
        self.unit.reset()
        self._format, self._swapped, self._elements = "ASC", False, _ELEMENTS
        self._statistic, self._configured = "MEAN", None

    @command(":SYSTem:PRESet")
    def _preset_system(self) -> None:
        self._reset()

    @command("*TRG")
    def _trigger(self) -> None:
        if not self.unit.trigger():
            raise ScpiError(-211)

    @command("*OPC")
    def _opc(self) -> None:
        self.unit.finish()
        self.status.events |= 1

    @command("*OPC?")
    def _opc_query(self) -> str:
        self.unit.finish()
        return "1"

    @command("*WAI")
    def _wai(self) -> None:
        self.unit.finish()

    @command("*OPT?")
    def _options(self) -> str:
        return "0"

    @command(":SYSTem:ERRor:ALL?")
    def _all_errors(self) -> str:
        answers = [self.status.next_error()]
        while self.status.errors:
            answers.append(self.status.next_error())
        return ",".join(answers)

    @command(":SYSTem:CLEar")
    def _clear_errors(self) -> None:
        self.status.errors.clear()

    @command(":STATus:QUEue[:NEXT]?")
    def _queue(self) -> str:
        return self.status.next_error()

    @command(":STATus:MEASurement[:EVENt]?")
    def _measurement_events(self) -> str:
        return str(self.status.measurement.read())

    @command(":STATus:MEASurement:CONDition?")
    def _measurement_condition(self) -> str:
        return str(self.status.measurement.condition)

    @command(":STATus:MEASurement:ENABle <NRf>")
    def _set_measurement_enable(self, mask: float) -> None:
        if not 0 <= mask <= 65535:
            raise ScpiError(-222)
        self.status.measurement.enable = round(mask)

    @command(":STATus:MEASurement:ENABle?")
    def _measurement_enable(self) -> str:
        return str(self.status.measurement.enable)

    @command(":SYSTem:AZERo[:STATe] <bool|ONCE>")
    def _set_autozero(self, state: bool | str) -> None:
        self.unit.autozero = state is True
        self.unit.settings_changed()
        if state == "ONCE":
            self.unit.autozero_once()

    @command(":SYSTem:AZERo[:STATe]?")
    def _autozero(self) -> str:
        return str(int(self.unit.autozero))

    @command(":SYSTem:RSENse <bool>")
    def _set_four_wire(self, on: bool) -> None:
        self.unit.four_wire = on
        self.unit.settings_changed()

    @command(":SYSTem:RSENse?")
    def _four_wire(self) -> str:
        return str(int(self.unit.four_wire))

    @command(":SYSTem:TIME?")
    def _time(self) -> str:
        return _number(self.unit.timer(process_clock().now()))

    @command(":SYSTem:TIME:RESet")
    def _reset_time(self) -> None:
        self.unit.reset_timer()

    @command(":SYSTem:LFRequency?")
    def _line_frequency(self) -> str:
        return "50"

    @command(":SYSTem:VERSion?")
    def _version(self) -> str:
        return "1996.0"

    @command(":SYSTem:BEEPer[:IMMediate] <NRf:HZ>, <NRf:S>")
    def _beep(self, frequency: float, duration: float) -> None:
        if not (65 <= frequency <= 2e6 and 0 <= duration <= 7.9):
            raise ScpiError(-222)

    @command(":SYSTem:BEEPer:STATe <bool>")
    @command(":DISPlay:ENABle <bool>")
    @command(":DISPlay[:WINDow#2]:TEXT:STATe <bool>")
    def _front_panel(self, on: bool) -> None:
        """The front panel is not simulated."""

    @command(":DISPlay:DIGits <numeric>")
    def _digits(self, digits: float | str) -> None:
        """The front panel is not simulated."""

    @command(":DISPlay[:WINDow#2]:TEXT[:DATA] <string>")
    def _text(self, text: str) -> None:
        """The front panel is not simulated."""

    @command(":SYSTem:LOCal")
    @command(":SYSTem:REMote")
    @command(":SYSTem:RWLock")
    @command(":DISPlay:CNDisplay")
    def _keys(self) -> None:
        """The front panel is not simulated."""

    @command(":ROUTe:TERMinals <FRONt|REAR>")
    def _set_terminals(self, side: str) -> None:
        if side != self.unit.terminals:
            self.unit.set_output(False)
            self.unit.terminals = side

    @command(":ROUTe:TERMinals?")
    def _terminals(self) -> str:
        return self.unit.terminals

    # Output

    @command(":OUTPut#1[:STATe] <bool>")
    def _set_output(self, on: bool) -> None:
        self.unit.set_output(on)

    @command(":OUTPut#1[:STATe]?")
    def _output(self) -> str:
        return str(int(self.unit.output))

    @command(":OUTPut#1:SMODe <HIMPedance|NORMal|ZERO|GUARd>")
    def _set_off_state(self, state: Any) -> None:
        self.unit.set_off_state(state)

    @command(":OUTPut#1:SMODe?")
    def _off_state(self) -> str:
        return self.unit.off_state

    @command(":OUTPut#1:ENABle[:STATe] <bool>")
    def _set_enable_line(self, on: bool) -> None:
        """Nothing is connected to the output enable line."""

    @command(":OUTPut#1:ENABle[:STATe]?")
    def _enable_line(self) -> str:
        return "0"

    @command(":OUTPut#1:ENABle:TRIPped?")
    def _enable_tripped(self) -> str:
        return "0"

    # Source

    @command(":SOURce#1:FUNCtion[:MODE] <CURRent|VOLTage>")
    def _set_source_function(self, function: Any) -> None:
        self.unit.select_source(function)

    @command(":SOURce#1:FUNCtion[:MODE]?")
    def _source_function(self) -> str:
        return self.unit.source_function

    @command_for(_SOURCES, ":SOURce#1:{}:MODE <FIXed|SWEep|LIST>")
    def _set_mode(self, function: str, mode: Any) -> None:
        self._source(function).mode = mode

    @command_for(_SOURCES, ":SOURce#1:{}:MODE?")
    def _mode(self, function: str) -> str:
        return self._source(function).mode

    @command(":SOURce#1:CURRent[:LEVel][:IMMediate][:AMPLitude] <numeric:A>", "CURR")
    @command(":SOURce#1:VOLTage[:LEVel][:IMMediate][:AMPLitude] <numeric:V>", "VOLT")
    def _set_level(self, function: Any, level: float | str) -> None:
        if isinstance(level, str):
            top = OVER_RANGE * self._source(function).ranges[-1]
            level = {"MIN": -top, "MAX": top, "DEF": 0.0}[level]
        self.unit.set_level(function, level)

    @command_for(_SOURCES, ":SOURce#1:{}[:LEVel][:IMMediate][:AMPLitude]? [<MINimum|MAXimum|DEFault>]")
    def _level(self, function: str, which: str | None = None) -> str:
        source = self._source(function)
        top = OVER_RANGE * source.ranges[-1]
        return self._asked(source.level, which, -top, top, 0.0)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe <numeric>")
    def _set_source_range(self, function: Any, value: float | str) -> None:
        ranges = self._source(function).ranges
        if isinstance(value, str):
            value = {"MIN": ranges[0], "MAX": ranges[-1], "DEF": ranges[0]}[value]
        self.unit.set_source_range(function, value)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe?")
    def _source_range(self, function: str) -> str:
        return _number(self._source(function).range)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe:AUTO <bool>")
    def _set_source_auto(self, function: Any, on: bool) -> None:
        self.unit.auto_source_range(function, on)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe:AUTO?")
    def _source_auto(self, function: str) -> str:
        return str(int(self._source(function).range_auto))

    @command_for(_SOURCES, ":SOURce#1:{}:STARt <NRf>")
    def _set_start(self, function: str, level: float) -> None:
        self._source(function).start = self._within(function, level)

    @command_for(_SOURCES, ":SOURce#1:{}:STARt?")
    def _start(self, function: str) -> str:
        return _number(self._source(function).start)

    @command_for(_SOURCES, ":SOURce#1:{}:STOP <NRf>")
    def _set_stop(self, function: str, level: float) -> None:
        self._source(function).stop = self._within(function, level)

    @command_for(_SOURCES, ":SOURce#1:{}:STOP?")
    def _stop(self, function: str) -> str:
        return _number(self._source(function).stop)

    @command_for(_SOURCES, ":SOURce#1:{}:STEP <NRf>")
    def _set_step(self, function: str, step: float) -> None:
        self._source(function).step = self._within(function, step) or None

    @command_for(_SOURCES, ":SOURce#1:{}:STEP?")
    def _step(self, function: str) -> str:
        return _number(self._source(function).step or 0.0)

    @command_for(_SOURCES, ":SOURce#1:LIST:{} <NRf>*")
    def _set_list(self, function: str, *levels: float) -> None:
        if not levels:
            raise ScpiError(-109)
        self._source(function).listed = [self._within(function, level) for level in levels[:MOST_READINGS]]

    @command_for(_SOURCES, ":SOURce#1:LIST:{}:APPend <NRf>*")
    def _append(self, function: str, *levels: float) -> None:
        self._source(function).listed += [self._within(function, level) for level in levels]

    @command_for(_SOURCES, ":SOURce#1:LIST:{}?")
    def _list(self, function: str) -> str:
        return ",".join(_number(level) for level in self._source(function).listed)

    @command_for(_SOURCES, ":SOURce#1:LIST:{}:POINts?")
    def _list_points(self, function: str) -> str:
        return str(len(self._source(function).listed))

    @command(":SOURce#1:SWEep:SPACing <LINear|LOGarithmic>")
    def _set_spacing(self, spacing: str) -> None:
        self.unit.sweep_spacing = spacing

    @command(":SOURce#1:SWEep:POINts <numeric>")
    def _set_sweep_points(self, points: float | str) -> None:
        self.unit.sweep_points = round(self._value(points, 2, MOST_READINGS, MOST_READINGS))
        for source in self.unit.sources.values():
            source.step = None

    @command(":SOURce#1:SWEep:POINts?")
    def _sweep_points(self) -> str:
        return str(self.unit.sweep_points)

    @command(":SOURce#1:SWEep:DIRection <UP|DOWN>")
    def _set_direction(self, direction: str) -> None:
        self.unit.sweep_up = direction == "UP"

    @command(":SOURce#1:SWEep:RANGing <BEST|AUTO|FIXed>")
    def _set_ranging(self, ranging: str) -> None:
        source = self.unit.sources[self.unit.source_function]
        self.unit.auto_source_range(self.unit.source_function, ranging != "FIX" or source.range_auto)

    @command(":SOURce#1:DELay <numeric:S>")
    def _set_delay(self, seconds: float | str) -> None:
        self.unit.delay, self.unit.delay_auto = self._value(seconds, 0.0, 999.9999, 0.0), False

    @command(":SOURce#1:DELay? [<MINimum|MAXimum|DEFault>]")
    def _delay(self, which: str | None = None) -> str:
        return self._asked(self.unit.delay, which, 0.0, 999.9999, 0.0)

    @command(":SOURce#1:DELay:AUTO <bool>")
    def _set_delay_auto(self, on: bool) -> None:
        self.unit.delay_auto = on

    @command(":SOURce#1:DELay:AUTO?")
    def _delay_auto(self) -> str:
        return str(int(self.unit.delay_auto))

    @command(":SOURce#1:CLEar[:IMMediate]")
    def _clear_source(self) -> None:
        self.unit.set_output(False)

    @command(":SOURce#1:CLEar:AUTO <bool>")
    def _set_auto_off(self, on: bool) -> None:
        self.unit.output_auto_off = on

    @command(":SOURce#1:CLEar:AUTO?")
    def _auto_off(self) -> str:
        return str(int(self.unit.output_auto_off))

    @command(":SOURce#1:VOLTage:PROTection[:LEVel] <numeric:V|NONE>")
    def _set_protection(self, level: float | str) -> None:
        lowest, none = self.unit.model.protection[0], OVER_RANGE * self.unit.model.voltages[-1]
        if isinstance(level, str):
            level = {"NONE": none, "MAX": none, "DEF": none, "MIN": lowest}[level]
        self.unit.set_over_voltage(level)

    @command(":SOURce#1:VOLTage:PROTection[:LEVel]? [<MINimum|MAXimum|DEFault>]")
    def _protection(self, which: str | None = None) -> str:
        none = OVER_RANGE * self.unit.model.voltages[-1]
        now = none if self.unit.over_voltage is None else self.unit.over_voltage
        return self._asked(now, which, self.unit.model.protection[0], none, none)

    @command(":SOURce#1:VOLTage:PROTection:TRIPped?")
    def _protection_tripped(self) -> str:
        return str(int(self.unit.over_voltage_acts()))

    def _source(self, function: str) -> Source:
        return self.unit.sources[function]

    def _within(self, function: str, level: float) -> float:
        if abs(level) > OVER_RANGE * self.unit.ranges[function][-1] * (1 + 1e-12):
            raise ScpiError(-222)
        return level

    # Sense

    @command(":SENSe#1:FUNCtion[:ON] <string>*")
    def _select(self, *functions: str) -> None:
        self.unit.select(_functions(functions))

    @command(":SENSe#1:FUNCtion:OFF <string>*")
    def _deselect(self, *functions: str) -> None:
        self.unit.select(_functions(functions), on=False)

    @command(":SENSe#1:FUNCtion[:ON]:ALL")
    def _select_all(self) -> None:
        self.unit.select(("VOLT", "CURR", "RES"))

    @command(":SENSe#1:FUNCtion:OFF:ALL")
    def _deselect_all(self) -> None:
        self.unit.select(("VOLT", "CURR", "RES"), on=False)

    @command(":SENSe#1:FUNCtion[:ON]?")
    def _selected(self) -> str:
        return ",".join(_LONG[one] for one in ("VOLT", "CURR", "RES") if one in self.unit.measured)

    @command(":SENSe#1:FUNCtion[:ON]:COUNt?")
    def _selected_count(self) -> str:
        return str(len(self.unit.measured))

    @command(":SENSe#1:FUNCtion:CONCurrent <bool>")
    def _set_concurrent(self, on: bool) -> None:
        self.unit.concurrent = on
        if not on:  # voltage, unless it is sourced (18-59)
            self.unit.measured = ("CURR",) if self.unit.source_function == "VOLT" else ("VOLT",)
            self.unit.settings_changed()

    @command(":SENSe#1:FUNCtion:CONCurrent?")
    def _concurrent(self) -> str:
        return str(int(self.unit.concurrent))

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:NPLCycles <numeric>")
    def _set_nplc(self, function: str, cycles: float | str) -> None:
        self.unit.nplc = self._value(cycles, 0.01, 10.0, 1.0)  # one setting for all functions (7-8)
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:NPLCycles? [<MINimum|MAXimum|DEFault>]")
    def _nplc(self, function: str, which: str | None = None) -> str:
        return self._asked(self.unit.nplc, which, 0.01, 10.0, 1.0)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe[:UPPer] <numeric>")
    def _set_sense_range(self, function: Any, value: float | str) -> None:
        ranges = self.unit.ranges[function]
        if isinstance(value, str):
            value = {"MIN": ranges[0], "MAX": ranges[-1], "DEF": ranges[0]}[value]
        self.unit.set_sense_range(function, value)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe[:UPPer]?")
    def _sense_range(self, function: str) -> str:
        if function == self.unit.source_function:
            return _number(self._source(function).range)
        return _number(self.unit.senses[function].range)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO <bool>")
    def _set_sense_auto(self, function: str, on: bool) -> None:
        if on and function == self.unit.source_function:
            raise ScpiError(-221)
        self.unit.senses[function].range_auto = on
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO?")
    def _sense_auto(self, function: str) -> str:
        return str(int(self.unit.senses[function].range_auto))

    @command(":SENSe#1:CURRent[:DC]:PROTection[:LEVel] <numeric:A>", "CURR")
    @command(":SENSe#1:VOLTage[:DC]:PROTection[:LEVel] <numeric:V>", "VOLT")
    def _set_compliance(self, function: Any, limit: float | str) -> None:
        if isinstance(limit, str):
            low, high, default = self._compliance_bounds(function)
            limit = {"MIN": low, "MAX": high, "DEF": default}[limit]
        self.unit.set_compliance(function, limit)

    @command_for(_SOURCES, ":SENSe#1:{}[:DC]:PROTection[:LEVel]? [<MINimum|MAXimum|DEFault>]")
    def _compliance(self, function: str, which: str | None = None) -> str:
        return self._asked(self.unit.senses[function].compliance, which, *self._compliance_bounds(function))

    @command_for(_SOURCES, ":SENSe#1:{}[:DC]:PROTection:TRIPped?")
    def _compliance_tripped(self, function: str) -> str:
        unit = self.unit
        acts = unit.output and unit.source_function != function and unit.terminals_now()[2]
        return str(int(acts and not unit.over_voltage_acts()))

    def _compliance_bounds(self, function: str) -> tuple[float, float, float]:
        model = self.unit.model
        highest = OVER_RANGE * self.unit.ranges[function][-1]
        return (model.smallest_limit, highest, 105e-6) if function == "CURR" else (200e-6, highest, 21.0)

    @command(":SENSe#1:RESistance:MODE <MANual|AUTO>")
    def _set_ohms_mode(self, mode: str) -> None:
        if mode == "AUTO":
            raise ScpiError(-241, "auto ohms")

    @command(":SENSe#1:RESistance:MODE?")
    def _ohms_mode(self) -> str:
        return "MAN"

    @command(":SENSe#1:AVERage[:STATe] <bool>")
    def _set_filter(self, on: bool) -> None:
        self.unit.filter_on = on
        self.unit.settings_changed()

    @command(":SENSe#1:AVERage[:STATe]?")
    def _filter(self) -> str:
        return str(int(self.unit.filter_on))

    @command(":SENSe#1:AVERage:TCONtrol <REPeat|MOVing>")
    def _set_filter_type(self, kind: str) -> None:
        self.unit.filter_type = kind
        self.unit.settings_changed()

    @command(":SENSe#1:AVERage:TCONtrol?")
    def _filter_type(self) -> str:
        return self.unit.filter_type

    @command(":SENSe#1:AVERage:COUNt <numeric>")
    def _set_filter_count(self, count: float | str) -> None:
        self.unit.filter_count = round(self._value(count, 1, 100, 10))
        self.unit.settings_changed()

    @command(":SENSe#1:AVERage:COUNt?")
    def _filter_count(self) -> str:
        return str(self.unit.filter_count)

    # Readings

    @command(":READ?")
    def _read(self) -> str:
        self.unit.initiate()
        return self._fetch()

    @command(":FETCh?")
    def _fetch(self) -> str:
        unit = self.unit
        unit.finish()
        if not unit.latest:
            raise ScpiError(-230)
        return self._written([(reading, unit.timer(reading.time)) for reading in unit.latest])

    @command_for(_SENSES, ":CONFigure:{}[:DC]")
    def _configure(self, function: Any) -> None:
        unit = self.unit
        unit.abort()
        unit.measured = (function,)
        unit.arm_count, unit.trigger_count, unit.trigger_delay = 1.0, 1, 0.0
        unit.arm_source = "IMM"
        unit.settings_changed()
        self._configured = function

    @command(":CONFigure?")
    def _configuration(self) -> str:
        return "" if self._configured is None else _LONG[self._configured]

    @command_for(_SENSES, ":MEASure:{}[:DC]?")
    def _measure_function(self, function: Any) -> str:
        self._configure(function)
        return self._read()

    @command(":MEASure?")
    def _measure(self) -> str:
        return self._read()

    @command(":FORMat[:DATA] <ASCii|REAL|SREal>, [<NRf>]")
    def _set_format(self, kind: str, bits: float = 32) -> None:
        if bits != 32:
            raise ScpiError(-224)
        self._format = "ASC" if kind == "ASC" else "SRE"

    @command(":FORMat[:DATA]?")
    def _format_query(self) -> str:
        return "ASC" if self._format == "ASC" else "REAL,32"

    @command(":FORMat:BORDer <NORMal|SWAPped>")
    def _set_order(self, order: str) -> None:
        self._swapped = order == "SWAP"

    @command(":FORMat:BORDer?")
    def _order(self) -> str:
        return "SWAP" if self._swapped else "NORM"

    @command(":FORMat:ELEMents[:SENSe#1] <name>*")
    def _set_elements(self, *names: str) -> None:
        if not names:
            raise ScpiError(-109)
        known = [_ELEMENT_NAMES.get(name) for name in names]
        if None in known:
            raise ScpiError(-224)
        self._elements = tuple(name for name in _ELEMENTS if name in known)  # in an order of its own (18-50)

    @command(":FORMat:ELEMents[:SENSe#1]?")
    def _elements_query(self) -> str:
        return ",".join(self._elements)

    def _written(self, readings: list[tuple[Reading, float]]) -> str:
        numbers = [number for reading, time in readings for number in self._numbers(reading, time)]
        if self._format == "ASC":
            return ",".join([f"{number:+.6E}" for number in numbers])
        kind = ("<" if self._swapped else ">") + str(len(numbers)) + "f"
        # Bytes travel as latin-1 text through the interface; the length is not sent (488.2 #0 form).
        return "#0" + struct.pack(kind, *numbers).decode("latin-1")

    def _numbers(self, reading: Reading, time: float) -> list[float]:
        values = (reading.volts, reading.amps, reading.ohms, time, reading.status)
        return [value for name, value in zip(_ELEMENTS, values, strict=True) if name in self._elements]

    # Trigger model

    @command(":INITiate[:IMMediate]")
    def _initiate(self) -> None:
        self.unit.initiate()

    @command(":ABORt")
    def _abort(self) -> None:
        self.unit.abort()

    @command(":ARM:COUNt <numeric>")
    def _set_arm_count(self, count: float | str) -> None:
        if not isinstance(count, str) and count >= 9.9e37:
            self.unit.arm_count = math.inf
            return
        self.unit.arm_count = round(self._value(count, 1, MOST_READINGS, 1))

    @command(":ARM:COUNt?")
    def _arm_count(self) -> str:
        return "+9.9E37" if math.isinf(self.unit.arm_count) else f"{self.unit.arm_count:.0f}"

    @command(":ARM:SOURce <IMMediate|TLINk|TIMer|MANual|BUS>")
    def _set_arm_source(self, source: str) -> None:
        self.unit.arm_source = source

    @command(":ARM:SOURce?")
    def _arm_source(self) -> str:
        return self.unit.arm_source

    @command(":ARM:TIMer <numeric:S>")
    def _set_arm_timer(self, seconds: float | str) -> None:
        self.unit.arm_timer = self._value(seconds, 0.001, 99_999.99, 0.1)

    @command(":ARM:TIMer?")
    def _arm_timer(self) -> str:
        return _number(self.unit.arm_timer)

    @command(":TRIGger:COUNt <numeric>")
    def _set_trigger_count(self, count: float | str) -> None:
        self.unit.trigger_count = round(self._value(count, 1, MOST_READINGS, 1))

    @command(":TRIGger:COUNt?")
    def _trigger_count(self) -> str:
        return str(self.unit.trigger_count)

    @command(":TRIGger:SOURce <IMMediate|TLINk>")
    def _set_trigger_source(self, source: str) -> None:
        if source != "IMM":
            raise ScpiError(-241, "trigger link")

    @command(":TRIGger:DELay <numeric:S>")
    def _set_trigger_delay(self, seconds: float | str) -> None:
        self.unit.trigger_delay = self._value(seconds, 0.0, 999.9999, 0.0)

    @command(":TRIGger:DELay?")
    def _trigger_delay(self) -> str:
        return _number(self.unit.trigger_delay)

    @command(":TRIGger:OUTPut <name>*")
    @command(":ARM:OUTPut <name>*")
    def _set_trigger_output(self, *events: str) -> None:
        """Nothing is connected to the trigger link."""

    @command(":TRIGger:OLINe <numeric>")
    @command(":TRIGger:ILINe <numeric>")
    @command(":ARM:OLINe <numeric>")
    @command(":ARM:ILINe <numeric>")
    def _set_trigger_line(self, line: float | str) -> None:
        self._value(line, 1, 4, 1)

    @command(":TRIGger:CLEar")
    def _clear_trigger(self) -> None:
        """No input trigger is ever pending."""

    # Buffer

    @command(":TRACe:DATA?")
    def _data(self) -> str:
        unit = self.unit
        unit.finish()
        if not unit.buffer:
            raise ScpiError(-230)
        times = [reading.time for reading in unit.buffer]
        before = [times[0]] * len(times) if self._absolute else [times[0], *times[:-1]]
        stamped = zip(unit.buffer, times, before, strict=True)
        return self._written([(reading, time - earlier) for reading, time, earlier in stamped])

    @command(":TRACe:CLEar")
    def _clear(self) -> None:
        self._storage_idle()
        self.unit.buffer = []

    @command(":TRACe:POINts <numeric>")
    def _set_points(self, points: float | str) -> None:
        self._storage_idle()
        self.unit.buffer_size = round(self._value(points, 1, MOST_READINGS, 100))
        self.unit.buffer = []

    @command(":TRACe:POINts?")
    def _points(self) -> str:
        return str(self.unit.buffer_size)

    @command(":TRACe:POINts:ACTual?")
    def _actual(self) -> str:
        return str(len(self.unit.buffer))

    @command(":TRACe:FREE?")
    def _free(self) -> str:
        used = len(self.unit.buffer)
        return f"{(MOST_READINGS - used) * 24}, {used * 24}"

    @command(":TRACe:FEED <SENSe|CALCulate|CALCulate2>")
    def _set_feed(self, feed: str) -> None:
        self._storage_idle()
        if not feed.startswith("SENS"):
            raise ScpiError(-241, feed)

    @command(":TRACe:FEED?")
    def _feed(self) -> str:
        return "SENS1"

    @command(":TRACe:FEED:CONTrol <NEXT|NEVer>")
    def _set_control(self, control: str) -> None:
        if control == "NEXT":
            self.unit.buffer = []
        self.unit.buffer_feeds = control == "NEXT"

    @command(":TRACe:FEED:CONTrol?")
    def _control(self) -> str:
        return "NEXT" if self.unit.buffer_feeds else "NEV"

    @command(":TRACe:TSTamp:FORMat <ABSolute|DELTa>")
    def _set_stamps(self, form: str) -> None:
        self._absolute = form == "ABS"

    @command(":TRACe:TSTamp:FORMat?")
    def _stamps(self) -> str:
        return "ABS" if self._absolute else "DELT"

    @command(":CALCulate3:FORMat <MEAN|SDEViation|MAXimum|MINimum|PKPK>")
    def _set_statistic(self, statistic: str) -> None:
        self._statistic = statistic

    @command(":CALCulate3:FORMat?")
    def _statistic_query(self) -> str:
        return self._statistic

    @command(":CALCulate3:DATA?")
    def _statistics(self) -> str:
        buffer = self.unit.buffer
        if not buffer:
            raise ScpiError(-230)
        columns = [[one.volts for one in buffer], [one.amps for one in buffer], [one.ohms for one in buffer]]
        figure = _STATISTICS[self._statistic]
        return ",".join(
            f"{figure(column) if column[0] != NOT_A_NUMBER else NOT_A_NUMBER:+.6E}"
            for name, column in zip(_ELEMENTS[:3], columns, strict=True)
            if name in self._elements
        )

    def _storage_idle(self) -> None:
        if self.unit.buffer_feeds and self.unit.buffer:
            raise ScpiError(800, text="Illegal with storage active")


def _functions(names: tuple[str, ...]) -> tuple[Any, ...]:
    if not names:
        raise ScpiError(-109)
    found = [_SENSE_NAMES.get(name.strip().upper()) for name in names]
    if None in found:
        raise ScpiError(-224)
    return tuple(found)
