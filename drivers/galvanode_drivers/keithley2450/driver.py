"""Keithley 2450 source-measure unit, native SCPI command set (reference manual 2450-901-01)."""

from __future__ import annotations

from typing import Literal

from galvanode.instrument.accuracy import Accuracy, RangeAccuracy
from galvanode.instrument.answers import numbers
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.reading import Reading
from galvanode.instrument.roles import (
    Capabilities,
    Envelope,
    Identity,
    InstrumentError,
    OutOfRange,
    UnsafeState,
    holding,
)
from galvanode.instrument.scpi import ScpiInstrument, Setting, keyword, on_off
from galvanode_drivers.keithley2450 import Keithley2450Options

_OVP_LEVELS = (2, 5, 10, 20, 40, 60, 80, 100, 120, 140, 160, 180)

_POWER_LINE_HZ = 50.0
_AUTOZERO_EVERY_S = 60.0
"""Reference and zero are measured once a minute: with every reading (the default) they take two thirds of its time."""

# Source status bits that stand for a fault (manual 8-33; bit 2 from firmware 1.6 on).
_OVER_VOLTAGE, _OVER_TEMPERATURE, _IN_LIMIT, _OUTPUT_ON = 4, 16, 32, 128


_ACCURACY = Accuracy(
    voltage=(
        RangeAccuracy(0.02, 1.0e-3, 150e-6),
        RangeAccuracy(0.2, 1.2e-4, 200e-6),
        RangeAccuracy(2.0, 1.2e-4, 300e-6),
        RangeAccuracy(20.0, 1.5e-4, 1e-3),
        RangeAccuracy(200.0, 1.5e-4, 10e-3),
    ),
    current=(
        RangeAccuracy(1e-8, 1.0e-3, 50e-12),
        RangeAccuracy(1e-7, 6.0e-4, 100e-12),
        RangeAccuracy(1e-6, 2.5e-4, 300e-12),
        RangeAccuracy(1e-5, 2.5e-4, 700e-12),
        RangeAccuracy(1e-4, 2.0e-4, 6e-9),
        RangeAccuracy(1e-3, 2.0e-4, 60e-9),
        RangeAccuracy(1e-2, 2.0e-4, 600e-9),
        RangeAccuracy(1e-1, 2.5e-4, 6e-6),
        RangeAccuracy(1.0, 3.0e-4, 500e-6),
    ),
    source="SPEC-2450 Rev. A, July 2013, page 2: measure, one year, 18 to 28 degC, 1 power line cycle",
)


class Keithley2450(ScpiInstrument):
    """Keithley 2450 source-measure unit (reference manual 2450-901-01).

    An open circuit is a source of 0 A with the output on: with the output off the terminals are open, and
    the voltmeter no longer sees the cell. ``*RST`` is never sent: it selects the NORMAL off-state, in which
    the output is off but holds the cell at 0 V through a closed relay (manual 6-32).
    """

    options: Keithley2450Options

    output = Setting[bool](":OUTP:STAT {:d}", cast=on_off)
    source_function = Setting[str](":SOUR:FUNC {}", choices=("CURR", "VOLT"), cast=keyword)
    current_level = Setting[float](":SOUR:CURR {:.9E}", unit="A", limits=(-1.05, 1.05))
    current_voltage_limit = Setting[float](":SOUR:CURR:VLIM {:.6E}", unit="V", limits=(0.02, 210.0))
    voltage_level = Setting[float](":SOUR:VOLT {:.9E}", unit="V", limits=(-210.0, 210.0))
    voltage_current_limit = Setting[float](":SOUR:VOLT:ILIM {:.6E}", unit="A", limits=(1e-9, 1.05))
    over_voltage_protection = Setting[str](
        ":SOUR:VOLT:PROT {}", choices=("NONE", *(f"PROT{level}" for level in _OVP_LEVELS)), cast=keyword
    )
    off_state_current = Setting[str](":OUTP:CURR:SMOD {}", choices=("NORM", "HIMP", "ZERO", "GUAR"), cast=keyword)
    off_state_voltage = Setting[str](":OUTP:VOLT:SMOD {}", choices=("NORM", "HIMP", "ZERO", "GUAR"), cast=keyword)

    # Source read-back and the measured quantity are taken together: an I-V pair per reading (manual 6-161).
    _read_message = ':READ? "defbuffer1",SOUR,READ,REL,SOURSTAT'
    _zero_and_read_message = f":SENS:AZER:ONCE;{_read_message}"
    _setup = (
        ":SENS:COUN 1",
        ":SENS:VOLT:RANG:AUTO ON",
        ":SENS:CURR:RANG:AUTO ON",
        ":SENS:VOLT:AZER OFF",
        ":SENS:CURR:AZER OFF",
        ":SENS:VOLT:AVER OFF",
        ":SENS:CURR:AVER OFF",
        ":SENS:VOLT:REL:STAT OFF",
        ":SENS:CURR:REL:STAT OFF",
        ":SOUR:CURR:RANG:AUTO ON",
        ":SOUR:VOLT:RANG:AUTO ON",
        ":SOUR:CURR:READ:BACK ON",
        ":SOUR:VOLT:READ:BACK ON",
        ":FORM:DATA ASC",
        ":FORM:ASC:PREC 0",
        ':TRAC:CLE "defbuffer1"',
    )

    _sourcing: Literal["current", "voltage"] | None = None
    _autozero_at: float | None = None
    """s, by the instrument's own time; None before the first reading of a source function, which begins with one."""
    _autozero_next = False

    def __init__(self, link: LineLink, options: Keithley2450Options) -> None:
        super().__init__(link, options)
        self.capabilities = Capabilities(
            modes=frozenset({"rest", "current", "voltage"}),
            voltage=(-210.0, 210.0),
            current=(-1.05, 1.05),
            # the conversion, and what the bus and the instrument's own work take
            fastest_poll_s=options.nplc / _POWER_LINE_HZ + 0.03,
            current_floor=5e-8,
            accuracy=_ACCURACY,
        )

    async def identify(self) -> Identity:
        """Ask who answers and in which language; only the native SCPI set is spoken here."""
        identity = await self.identity()
        if "2450" not in identity.model:
            raise InstrumentError(f"{self.name} is a {identity.model!r}; expected a Keithley 2450")
        language = keyword(await self.link.query("*LANG?"))
        if language != "SCPI":
            raise InstrumentError(
                f"{self.name} speaks {language}; select the SCPI command set in its System menu and restart it"
            )
        return self.link.recognise(identity)

    def refuse_envelope(self, envelope: Envelope) -> None:
        """Raise ``CannotHold`` for bounds that the instrument cannot be set to."""
        highest = _highest(envelope)
        with holding("voltage"):
            self.current_voltage_limit.message(highest)
            _protection_above(highest)
        with holding("current"):
            self.voltage_current_limit.message(envelope.current_max)

    async def prepare(self, envelope: Envelope) -> None:
        """Set up four-wire measurement and the instrument's own limits, read back. The output stays off."""
        self.refuse_envelope(envelope)
        highest = _highest(envelope)
        await self.make_safe()
        await self.clear_errors()
        for message in (*self._wired(), *self._setup):
            await self.command(message)
        await self.confirmed(self.over_voltage_protection, _protection_above(highest))
        await self.confirmed(self.current_voltage_limit, highest)
        await self.confirmed(self.voltage_current_limit, envelope.current_max)

    def _wired(self) -> tuple[str, ...]:
        options = self.options
        wires = "ON" if options.four_wire else "OFF"
        return (
            f":ROUT:TERM {'FRON' if options.terminals == 'front' else 'REAR'}",
            f":SENS:VOLT:RSEN {wires}",
            f":SENS:CURR:RSEN {wires}",
            f":SENS:VOLT:NPLC {options.nplc:g}",
            f":SENS:CURR:NPLC {options.nplc:g}",
        )

    async def rest(self) -> None:
        """Leave the cell at open circuit: source 0 A."""
        await self.source_current(0.0)

    async def source_current(self, amps: float) -> None:
        """Hold a current, A; positive charges the cell."""
        if self._sourcing == "current":
            await self.current_level.set(amps)
        else:
            await self._start("CURR", "VOLT", self.current_level.message(amps))
            self._sourcing = "current"

    async def source_voltage(self, volts: float, current_limit: float) -> None:
        """Hold a voltage, V, with at most ``current_limit`` A of either sign."""
        limit = self.voltage_current_limit.message(current_limit)
        level = self.voltage_level.message(volts)
        if self._sourcing == "voltage":
            await self.command(f"{limit};{level}")
        else:
            await self._start("VOLT", "CURR", f"{limit};{level}")
            self._sourcing = "voltage"

    async def read(self) -> Reading:
        """Measure voltage and current together."""
        zeroing = self._autozero_next
        answer = await self.link.query(self._zero_and_read_message if zeroing else self._read_message)
        source, sense, at, bits = numbers(self.link, answer, 4)
        status = int(bits)
        tripped = None
        if not status & _OUTPUT_ON or status & (_OVER_VOLTAGE | _OVER_TEMPERATURE):
            tripped = _fault(status)
        voltage, current = (source, sense) if self._sourcing == "voltage" else (sense, source)
        if zeroing or self._autozero_at is None:
            self._autozero_at, self._autozero_next = at + _AUTOZERO_EVERY_S, False
        else:
            self._autozero_next = at >= self._autozero_at
        return Reading(voltage, current, at, bool(status & _IN_LIMIT), tripped)

    async def make_safe(self) -> None:
        """Output off and the terminals open, verified by read-back."""
        self._sourcing = None
        with self.link.urgent():
            await self.link.write(":ABOR;:OUTP:CURR:SMOD HIMP;:OUTP:VOLT:SMOD HIMP;:OUTP:STAT 0")
        answer = await self.link.query(":OUTP:STAT?;:OUTP:CURR:SMOD?;:OUTP:VOLT:SMOD?")
        state = [keyword(field) for field in answer.split(";")]
        if state not in (["0", "HIMP", "HIMP"], ["OFF", "HIMP", "HIMP"]):
            self.link.distrust(f"{answer.strip()!r} is not the safe state")
            raise UnsafeState(
                f"{self.name}: output and off-states read back as {answer.strip()!r}; expected '0;HIMP;HIMP'. "
                "Disconnect the cell by hand"
            )

    async def _start(self, source: str, sense: str, levels: str) -> None:
        """Change the source function, which the instrument does with the output off, and switch on."""
        self._sourcing = None  # until all of it has gone well
        self._autozero_at, self._autozero_next = None, False
        await self.output.set(False)
        await self.command(f':SOUR:FUNC {source};:SENS:FUNC "{sense}";:SENS:AZER:ONCE')
        await self.command(levels)
        await self.output.set(True)


def _highest(envelope: Envelope) -> float:
    return max(abs(envelope.voltage_min), abs(envelope.voltage_max))


def _protection_above(volts: float) -> str:
    for level in _OVP_LEVELS:
        if level > volts:
            return f"PROT{level}"
    raise OutOfRange(f"no over-voltage protection level lies above {volts:g} V; the highest is 180 V")


def _fault(status: int) -> str:
    if status & _OVER_VOLTAGE:
        return "over-voltage protection"
    if status & _OVER_TEMPERATURE:
        return "over-temperature"
    return "output is off"
