"""Keithley 2450 on the wire: native SCPI command set (reference manual 2450-901-01, section 6)."""

from __future__ import annotations

import statistics
import struct
from collections.abc import Iterator
from typing import Any, ClassVar

from galvanode.clock import process_clock
from galvanode_simulator.faults import Fault
from galvanode_simulator.keithley2450 import unit as model
from galvanode_simulator.keithley2450.elements import (
    BINARY_ELEMENTS,
    ELEMENTS,
    Element,
    element_names,
    when,
    with_digits,
)
from galvanode_simulator.keithley2450.sweeps import SweepCommands
from galvanode_simulator.keithley2450.unit import Keithley2450Unit, Sense, Source
from galvanode_simulator.parts.reading_buffer import ReadingBuffer, Record
from galvanode_simulator.scpi import command, command_for
from galvanode_simulator.scpi_status import ScpiError

FIRMWARE = "1.7.12b"
_SOURCES = "CURRent VOLTage"
_SENSES = "CURRent VOLTage RESistance"
_PROTECTION = (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)
_LONG = {"CURR": "CURR:DC", "VOLT": "VOLT:DC", "RES": "RES"}
_SENSE_NAMES = {
    **dict.fromkeys(("CURR", "CURRENT", "CURR:DC", "CURRENT:DC"), "CURR"),
    **dict.fromkeys(("VOLT", "VOLTAGE", "VOLT:DC", "VOLTAGE:DC"), "VOLT"),
    **dict.fromkeys(("RES", "RESISTANCE"), "RES"),
}


def _number(value: float) -> str:
    return f"{value:.6E}"


class Keithley2450Interface(SweepCommands):
    """Commands of the 2450. ``unit`` is the model; the interface only translates."""

    error_queue_depth: ClassVar[int] = 1000

    def __init__(self, unit: Keithley2450Unit, serial_number: str = "04400001") -> None:
        super().__init__()
        self.unit = unit
        self.identification = f"KEITHLEY INSTRUMENTS,MODEL 2450,{serial_number},{FIRMWARE}"
        self.status.no_error = '0,"No error;0;0 0"'
        self.begin_message = unit.advance
        self._format = "ASC"
        self._precision = 0
        self._swapped = True
        self._elements: dict[tuple[str, ...], tuple[Element, ...]] = {}

    def stamp(self) -> str:
        """Event logs of the 2450 carry the event's type and time."""
        return ";1;" + when(process_clock().now()).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]

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

    # Numbers with MIN, MAX and DEF

    @staticmethod
    def _value(given: float | str, low: float, high: float, default: float) -> float:
        if isinstance(given, str):
            return {"MIN": low, "MAX": high, "DEF": default}[given]
        if not low <= given <= high:
            raise ScpiError(-222)
        return given

    @staticmethod
    def _asked(now: float, which: str | None, low: float, high: float, default: float) -> str:
        if which is None:
            return _number(now)
        return _number({"MIN": low, "MAX": high, "DEF": default}[which])

    # System

    @command("*RST")
    def _reset(self) -> None:
        self.unit.reset()
        self._format, self._precision, self._swapped = "ASC", 0, True
        self._elements.clear()

    @command("*LANG?")
    def _language(self) -> str:
        return "SCPI"

    @command("*LANG <name>")
    def _set_language(self, language: str) -> None:
        if language not in ("SCPI", "TSP", "SCPI2400", "SCPI34401"):
            raise ScpiError(-224, language)

    @command("*TRG")
    def _trigger(self) -> None:
        """Nothing waits for it: the loops and sweeps that can be loaded start at once."""

    @command(":SYSTem:EVENtlog:NEXT?")
    def _next_event(self) -> str:
        return self.status.next_error()

    @command(":SYSTem:EVENtlog:COUNt? [<name>]")
    def _event_count(self, kind: str = "ALL") -> str:
        return str(len(self.status.errors)) if kind in ("ALL", "ERR", "ERROR") else "0"

    @command(":SYSTem:CLEar")
    def _clear_events(self) -> None:
        self.status.errors.clear()

    @command(":SYSTem:BEEPer[:IMMediate] <NRf:HZ>, <NRf:S>")
    def _beep(self, frequency: float, duration: float) -> None:
        if not (20 <= frequency <= 20e3 and 0.001 <= duration <= 100):
            raise ScpiError(-222)

    @command(":SYSTem:LFRequency?")
    def _line_frequency(self) -> str:
        return f"{model.POWER_LINE_HZ:.0f}"

    @command(":SYSTem:VERSion?")
    def _version(self) -> str:
        return "1996.0"

    @command(":SYSTem:ACCess?")
    def _access(self) -> str:
        return "FULL"

    @command(":DISPlay:SCReen <name>")
    @command(":DISPlay:LIGHt:STATe <name>")
    def _display(self, what: str) -> None:
        """The display is not simulated."""

    @command(":DISPlay:CLEar")
    def _clear_display(self) -> None:
        """The display is not simulated."""

    @command_for("USER1 USER2", ":DISPlay:{}:TEXT[:DATA] <string>")
    def _text(self, line: str, text: str) -> None:
        """The display is not simulated."""

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
        return "1" if self.unit.output else "0"

    @command(":OUTPut#1:INTerlock:TRIPped?")
    def _interlock(self) -> str:
        return "1"

    @command_for(_SOURCES, ":OUTPut#1:{}:SMODe <NORMal|HIMPedance|ZERO|GUARd>")
    def _set_off_state(self, function: Any, state: Any) -> None:
        self.unit.set_off_state(function, state)

    @command(":OUTPut#1:SMODe <NORMal|HIMPedance|ZERO|GUARd>")
    def _set_off_states(self, state: Any) -> None:
        self.unit.set_off_state("CURR", state)
        self.unit.set_off_state("VOLT", state)

    @command_for(_SOURCES, ":OUTPut#1:{}:SMODe?")
    def _off_state(self, function: str) -> str:
        return self.unit.sources[function].off_state

    @command(":OUTPut#1:SMODe?")
    def _off_state_now(self) -> str:
        return self.unit.sources[self.unit.source_function].off_state

    # Source

    @command(":SOURce#1:FUNCtion[:MODE] <CURRent|VOLTage>")
    def _set_source_function(self, function: Any) -> None:
        self.unit.select_source(function)

    @command(":SOURce#1:FUNCtion[:MODE]?")
    def _source_function(self) -> str:
        return self.unit.source_function

    @command(":SOURce#1:CURRent[:LEVel][:IMMediate][:AMPLitude] <numeric:A>", "CURR")
    @command(":SOURce#1:VOLTage[:LEVel][:IMMediate][:AMPLitude] <numeric:V>", "VOLT")
    def _set_level(self, function: Any, level: float | str) -> None:
        if isinstance(level, str):
            top = model.OVER_RANGE * model.RANGES[function][-1]
            level = {"MIN": -top, "MAX": top, "DEF": 0.0}[level]
        self.unit.set_level(function, level)

    @command_for(_SOURCES, ":SOURce#1:{}[:LEVel][:IMMediate][:AMPLitude]? [<MINimum|MAXimum|DEFault>]")
    def _level(self, function: str, which: str | None = None) -> str:
        top = model.OVER_RANGE * model.RANGES[function][-1]
        return self._asked(self.unit.sources[function].level, which, -top, top, 0.0)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe <numeric>")
    def _set_source_range(self, function: Any, value: float | str) -> None:
        ranges = model.RANGES[function]
        top = model.OVER_RANGE * ranges[-1]
        self.unit.set_source_range(function, self._value(value, 0.0, top, ranges[0]))

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe? [<MINimum|MAXimum|DEFault>]")
    def _source_range(self, function: str, which: str | None = None) -> str:
        ranges = model.RANGES[function]
        return self._asked(self.unit.sources[function].range, which, ranges[0], ranges[-1], ranges[0])

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe:AUTO <bool>")
    def _set_source_auto(self, function: Any, on: bool) -> None:
        self.unit.auto_source_range(function, on)

    @command_for(_SOURCES, ":SOURce#1:{}:RANGe:AUTO?")
    def _source_auto(self, function: str) -> str:
        return str(int(self._source(function).range_auto))

    @command(":SOURce#1:CURRent:VLIMit[:LEVel] <numeric:V>", "CURR")
    @command(":SOURce#1:VOLTage:ILIMit[:LEVel] <numeric:A>", "VOLT")
    def _set_limit(self, function: Any, value: float | str) -> None:
        low, high, default = _LIMITS[function]
        self.unit.set_limit(function, self._value(value, low, high, default))

    @command(":SOURce#1:CURRent:VLIMit[:LEVel]? [<MINimum|MAXimum|DEFault>]", "CURR")
    @command(":SOURce#1:VOLTage:ILIMit[:LEVel]? [<MINimum|MAXimum|DEFault>]", "VOLT")
    def _limit(self, function: str, which: str | None = None) -> str:
        return self._asked(self._source(function).limit, which, *_LIMITS[function])

    @command(":SOURce#1:CURRent:VLIMit[:LEVel]:TRIPped?", "CURR")
    @command(":SOURce#1:VOLTage:ILIMit[:LEVel]:TRIPped?", "VOLT")
    def _limit_tripped(self, function: str) -> str:
        unit = self.unit
        return str(int(unit.output and unit.source_function == function and unit.terminals_now()[2]))

    @command(f":SOURce#1:VOLTage:PROTection[:LEVel] <{'|'.join(f'PROT{v}' for v in _PROTECTION)}|NONE>")
    def _set_protection(self, level: str) -> None:
        self.unit.set_over_voltage(None if level == "NONE" else float(level.removeprefix("PROT")))

    @command(":SOURce#1:VOLTage:PROTection[:LEVel]?")
    def _protection(self) -> str:
        level = self.unit.over_voltage
        return "NONE" if level is None else f"PROT{level:.0f}"

    @command(":SOURce#1:VOLTage:PROTection:TRIPped?")
    def _protection_tripped(self) -> str:
        return str(int(self.unit.over_voltage_acts()))

    @command_for(_SOURCES, ":SOURce#1:{}:READ:BACK <bool>")
    def _set_read_back(self, function: str, on: bool) -> None:
        self._source(function).read_back = on
        self.unit.settings_changed()

    @command_for(_SOURCES, ":SOURce#1:{}:READ:BACK?")
    def _read_back(self, function: str) -> str:
        return str(int(self._source(function).read_back))

    @command_for(_SOURCES, ":SOURce#1:{}:DELay <numeric:S>")
    def _set_delay(self, function: str, seconds: float | str) -> None:
        source = self._source(function)
        source.delay, source.delay_auto = self._value(seconds, 0.0, 1e4, 0.0), False

    @command_for(_SOURCES, ":SOURce#1:{}:DELay? [<MINimum|MAXimum|DEFault>]")
    def _delay(self, function: str, which: str | None = None) -> str:
        return self._asked(self._source(function).delay, which, 0.0, 1e4, 0.0)

    @command_for(_SOURCES, ":SOURce#1:{}:DELay:AUTO <bool>")
    def _set_delay_auto(self, function: str, on: bool) -> None:
        self._source(function).delay_auto = on

    @command_for(_SOURCES, ":SOURce#1:{}:DELay:AUTO?")
    def _delay_auto(self, function: str) -> str:
        return str(int(self._source(function).delay_auto))

    @command_for(_SOURCES, ":SOURce#1:{}:HIGH:CAPacitance <bool>")
    def _set_high_capacitance(self, function: str, on: bool) -> None:
        self._source(function).high_capacitance = on

    @command_for(_SOURCES, ":SOURce#1:{}:HIGH:CAPacitance?")
    def _high_capacitance(self, function: str) -> str:
        return str(int(self._source(function).high_capacitance))

    def _source(self, function: str) -> Source:
        return self.unit.sources[function]

    # Sense

    @command(":SENSe#1:FUNCtion[:ON] <string>")
    def _set_sense_function(self, function: str) -> None:
        name: Any = _SENSE_NAMES.get(function.strip().upper())
        if name is None:
            raise ScpiError(-224, function)
        self.unit.sense_function = name
        self.unit.settings_changed()

    @command(":SENSe#1:FUNCtion[:ON]?")
    def _sense_function(self) -> str:
        return f'"{_LONG[self.unit.sense_function]}"'

    @command(":SENSe#1:COUNt <numeric>")
    def _set_count(self, count: float | str) -> None:
        self.unit.count = round(self._value(count, 1, 300_000, 1))

    @command(":SENSe#1:COUNt?")
    def _count(self) -> str:
        return str(self.unit.count)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:NPLCycles <numeric>")
    def _set_nplc(self, function: str, cycles: float | str) -> None:
        self._sense(function).nplc = self._value(cycles, 0.01, 10.0, 1.0)
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:NPLCycles? [<MINimum|MAXimum|DEFault>]")
    def _nplc(self, function: str, which: str | None = None) -> str:
        return self._asked(self._sense(function).nplc, which, 0.01, 10.0, 1.0)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe[:UPPer] <numeric>")
    def _set_sense_range(self, function: str, value: float | str) -> None:
        ranges = model.RANGES[function]
        asked = self._value(value, 0.0, model.OVER_RANGE * ranges[-1], ranges[0])
        sense = self._sense(function)
        sense.range, sense.range_auto = model.covering(function, asked), False
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe[:UPPer]? [<MINimum|MAXimum|DEFault>]")
    def _sense_range(self, function: str, which: str | None = None) -> str:
        ranges = model.RANGES[function]
        return self._asked(self._sense(function).range, which, ranges[0], ranges[-1], ranges[0])

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO <bool>")
    def _set_sense_auto(self, function: str, on: bool) -> None:
        self._sense(function).range_auto = on
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO?")
    def _sense_auto(self, function: str) -> str:
        return str(int(self._sense(function).range_auto))

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO:LLIMit <numeric>")
    def _set_lower_limit(self, function: str, value: float | str) -> None:
        ranges = model.RANGES[function]
        asked = self._value(value, 0.0, ranges[-1], ranges[0])
        self._sense(function).range_lower_limit = model.covering(function, asked)
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RANGe:AUTO:LLIMit?")
    def _lower_limit(self, function: str) -> str:
        return _number(self._sense(function).range_lower_limit)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RSENse <bool>")
    def _set_four_wire(self, function: str, on: bool) -> None:
        self._sense(function).four_wire = on
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RSENse?")
    def _four_wire(self, function: str) -> str:
        return str(int(self._sense(function).four_wire))

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AZERo[:STATe] <bool>")
    def _set_autozero(self, function: str, on: bool) -> None:
        self._sense(function).autozero = on
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AZERo[:STATe]?")
    def _autozero(self, function: str) -> str:
        return str(int(self._sense(function).autozero))

    @command(":SENSe#1:AZERo:ONCE")
    def _autozero_once(self) -> None:
        """References are always fresh here, but to measure them takes its time."""
        self.unit.autozero_once()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage[:STATe] <bool>")
    def _set_filter(self, function: str, on: bool) -> None:
        self._sense(function).filter_on = on
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage[:STATe]?")
    def _filter(self, function: str) -> str:
        return str(int(self._sense(function).filter_on))

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage:TCONtrol <REPeat|MOVing>")
    def _set_filter_type(self, function: str, kind: str) -> None:
        self._sense(function).filter_type = kind
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage:TCONtrol?")
    def _filter_type(self, function: str) -> str:
        return self._sense(function).filter_type

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage:COUNt <numeric>")
    def _set_filter_count(self, function: str, count: float | str) -> None:
        self._sense(function).filter_count = round(self._value(count, 1, 100, 10))
        self.unit.settings_changed()

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:AVERage:COUNt?")
    def _filter_count(self, function: str) -> str:
        return str(self._sense(function).filter_count)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RELative:STATe <bool>")
    def _set_relative_on(self, function: str, on: bool) -> None:
        self._sense(function).relative_on = on

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RELative:STATe?")
    def _relative_on(self, function: str) -> str:
        return str(int(self._sense(function).relative_on))

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RELative <numeric>")
    def _set_relative(self, function: str, value: float | str) -> None:
        top = model.OVER_RANGE * model.RANGES[function][-1]
        self._sense(function).relative = self._value(value, -top, top, 0.0)

    @command_for(_SENSES, ":SENSe#1:{}[:DC]:RELative?")
    def _relative_value(self, function: str) -> str:
        return _number(self._sense(function).relative)

    def _sense(self, function: str) -> Sense:
        return self.unit.senses[function]

    # Readings

    @command(":READ? [<string>], [<name>]*")
    def _read(self, buffer: str = "defbuffer1", *elements: str) -> str:
        target = self.buffer(buffer)
        return self._written(target, self.unit.measure(target), elements)

    @command(":FETCh? [<string>], [<name>]*")
    def _fetch(self, buffer: str = "defbuffer1", *elements: str) -> str:
        target = self.buffer(buffer)
        if target.count == 0:
            raise ScpiError(-230)
        return self._written(target, target.record(target.count), elements)

    @command(":MEASure:CURRent[:DC]? [<string>], [<name>]*", "CURR")
    @command(":MEASure:VOLTage[:DC]? [<string>], [<name>]*", "VOLT")
    @command(":MEASure:RESistance? [<string>], [<name>]*", "RES")
    def _measure_function(self, function: Any, buffer: str = "defbuffer1", *elements: str) -> str:
        self.unit.sense_function = function
        self.unit.settings_changed()
        target = self.buffer(buffer)
        return self._written(target, self.unit.measure(target), elements)

    @command(":MEASure? [<string>], [<name>]*")
    def _measure(self, buffer: str = "defbuffer1", *elements: str) -> str:
        target = self.buffer(buffer)
        return self._written(target, self.unit.measure(target), elements)

    def _written(self, buffer: ReadingBuffer, record: Record, elements: tuple[str, ...]) -> str:
        if self._format != "ASC":
            return self._block(buffer, iter((record,)), elements)
        writers = self._elements.get(elements)
        if writers is None:
            known = ELEMENTS if self._precision == 0 else with_digits(self._precision)
            writers = self._elements[elements] = tuple(known[name] for name in element_names(elements))
        return ",".join([writer(buffer, record) for writer in writers])

    def _block(self, buffer: ReadingBuffer, records: Iterator[Record], elements: tuple[str, ...]) -> str:
        names = element_names(elements)
        if any(name not in BINARY_ELEMENTS for name in names):
            raise ScpiError(1133, text="Parameter, invalid element for binary format")
        numbers = [BINARY_ELEMENTS[name](buffer, record) for record in records for name in names]
        kind = ("<" if self._swapped else ">") + str(len(numbers)) + ("d" if self._format == "REAL" else "f")
        # Bytes travel as latin-1 text through the interface; the length is not sent (488.2 #0 form).
        return "#0" + struct.pack(kind, *numbers).decode("latin-1")

    # Format

    @command(":FORMat[:DATA] <ASCii|REAL|SREal>")
    def _set_format(self, kind: str) -> None:
        self._format = kind

    @command(":FORMat[:DATA]?")
    def _format_query(self) -> str:
        return self._format

    @command(":FORMat:ASCii:PRECision <numeric>")
    def _set_precision(self, digits: float | str) -> None:
        self._precision = round(self._value(digits, 0, 16, 0))
        self._elements.clear()

    @command(":FORMat:ASCii:PRECision?")
    def _precision_query(self) -> str:
        return str(self._precision)

    @command(":FORMat:BORDer <NORMal|SWAPped>")
    def _set_order(self, order: str) -> None:
        self._swapped = order == "SWAP"

    @command(":FORMat:BORDer?")
    def _order(self) -> str:
        return "SWAP" if self._swapped else "NORM"

    # Buffers

    @command(":TRACe:MAKE <string>, <NRf>, [<STANdard|COMPact|FULL|WRITable|FULLWRITable>]")
    def _make(self, name: str, points: float, style: str = "STAN") -> None:
        if name in self.unit.buffers:
            raise ScpiError(1115, text="Parameter error, buffer already exists")
        if not name.isidentifier():
            raise ScpiError(-224, name)
        self.unit.buffers[name] = ReadingBuffer(name, _points(points), "ONCE")

    @command(":TRACe:DELete <string>")
    def _delete(self, name: str) -> None:
        self.buffer(name)
        if name.startswith("defbuffer"):
            raise ScpiError(-221)
        del self.unit.buffers[name]

    @command(":TRACe:CLEar [<string>]")
    def _clear(self, name: str = "defbuffer1") -> None:
        self.buffer(name).clear()

    @command(":TRACe:POINts <NRf>, [<string>]")
    def _set_points(self, points: float, name: str = "defbuffer1") -> None:
        self.buffer(name).resize(_points(points))

    @command(":TRACe:POINts? [<string>]")
    def _points_query(self, name: str = "defbuffer1") -> str:
        return str(self.buffer(name).capacity)

    @command(":TRACe:ACTual? [<string>]")
    @command(":TRACe:ACTual:END? [<string>]")
    def _actual(self, name: str = "defbuffer1") -> str:
        return str(self.buffer(name).count)

    @command(":TRACe:ACTual:STARt? [<string>]")
    def _actual_start(self, name: str = "defbuffer1") -> str:
        return str(min(1, self.buffer(name).count))

    @command(":TRACe:FILL:MODE <CONTinuous|ONCE>, [<string>]")
    def _set_fill(self, mode: Any, name: str = "defbuffer1") -> None:
        buffer = self.buffer(name)
        if buffer.count:
            raise ScpiError(-221)
        buffer.fill = mode

    @command(":TRACe:FILL:MODE? [<string>]")
    def _fill(self, name: str = "defbuffer1") -> str:
        return self.buffer(name).fill

    @command(":TRACe:TRIGger [<string>]")
    def _trace_trigger(self, name: str = "defbuffer1") -> None:
        self.unit.measure(self.buffer(name))

    @command(":TRACe:DATA? <NRf>, <NRf>, [<string>], [<name>]*")
    def _data(self, start: float, end: float, name: str = "defbuffer1", *elements: str) -> str:
        buffer = self.buffer(name)
        first, last = round(start), round(end)
        if not 1 <= first <= last <= buffer.count:
            raise ScpiError(-222)
        records = buffer.records(first, last)
        if self._format != "ASC":
            return self._block(buffer, records, elements)
        return ",".join(self._written(buffer, record, elements) for record in records)

    @command(":TRACe:STATistics:AVERage? [<string>]")
    def _average(self, name: str = "defbuffer1") -> str:
        return _number(statistics.fmean(self._values(name)))

    @command(":TRACe:STATistics:MAXimum? [<string>]")
    def _maximum(self, name: str = "defbuffer1") -> str:
        return _number(max(self._values(name)))

    @command(":TRACe:STATistics:MINimum? [<string>]")
    def _minimum(self, name: str = "defbuffer1") -> str:
        return _number(min(self._values(name)))

    @command(":TRACe:STATistics:STDDev? [<string>]")
    def _deviation(self, name: str = "defbuffer1") -> str:
        values = self._values(name)
        return _number(statistics.stdev(values) if len(values) > 1 else 0.0)

    @command(":TRACe:STATistics:PK2Pk? [<string>]")
    def _peak_to_peak(self, name: str = "defbuffer1") -> str:
        values = self._values(name)
        return _number(max(values) - min(values))

    @command(":TRACe:STATistics:CLEar [<string>]")
    def _clear_statistics(self, name: str = "defbuffer1") -> None:
        self.buffer(name)

    def _values(self, name: str) -> list[float]:
        buffer = self.buffer(name)
        values = [record.value for record in buffer.records(1, buffer.count)]
        return values or [9.91e37]

    # Trigger model

    @command(":TRIGger:LOAD <string>, [<NRf>], [<NRf>], [<string>]")
    def _load(self, kind: str, amount: float = 1.0, delay: float = 0.0, buffer: str = "defbuffer1") -> None:
        name = kind.upper()
        if name == "EMPTY":
            self.unit.trigger_loop = None
            return
        if name not in ("SIMPLELOOP", "DURATIONLOOP"):
            raise ScpiError(-224, kind)
        if amount <= 0 or not 0 <= delay <= 10_000:
            raise ScpiError(-222)
        self.unit.trigger_loop = (name, (amount, delay, self.buffer(buffer)))

    @command(":INITiate[:IMMediate]")
    def _initiate(self) -> None:
        self.unit.start_loop()

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

    @command(":ABORt")
    def _abort(self) -> None:
        self.unit.abort()

    @command(":TRIGger:STATe?")
    def _trigger_state(self) -> str:
        state = "IDLE" if self.unit.run is None else "RUNNING"
        return f"{state};{state};{0 if self.unit.run is None else 2}"


_LIMITS = {"CURR": (0.02, 210.0, 21.0), "VOLT": (1e-9, 1.05, 1.05e-4)}


def _points(number: float) -> int:
    if not 10 <= number <= model.MOST_READINGS:
        raise ScpiError(-222)
    return round(number)
