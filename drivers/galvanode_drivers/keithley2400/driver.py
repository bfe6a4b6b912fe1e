"""Keithley 2400 series source-measure units (user's manual 2400S-900-01, section 18)."""

from __future__ import annotations

import math
from typing import Literal

from galvanode.instrument.answers import numbers
from galvanode.instrument.links.lines import LineLink
from galvanode.instrument.reading import SCPI_OVERFLOW, BadReading, Reading
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
from galvanode_drivers.keithley2400 import Keithley2400Options
from galvanode_drivers.keithley2400.models import MODELS, OVER_RANGE, SMALLEST_VOLTAGE_LIMIT, Model

_POWER_LINE_HZ = 50.0
_AUTOZERO_EVERY_S = 60.0
"""Reference and zero are measured once a minute: with every reading (the default) they take half of its time."""
_TIMER_WRAPS_S = 100_000.0
"""The instrument's timer goes back to zero after 99,999.999 s (18-50)."""
_OVERFLOW, _IN_COMPLIANCE, _PROTECTED, _IN_RANGE_COMPLIANCE = 1, 1 << 3, 1 << 4, 1 << 16
"""Bits of a reading's status word (18-51)."""


class Keithley2400(ScpiInstrument):
    """Keithley 2400 series: 2400, 2401, 2410, 2420, 2425, 2440 (user's manual 2400S-900-01).

    An open circuit is a source of 0 A with the output on: with the output off the terminals are open, and nothing
    can be measured (error 803). ``*RST`` is never sent: it selects the NORMAL off-state, which holds the cell at 0 V.
    The instrument drops what stands in a message behind an error (B-9), so each setting is a message of its own and
    the error queue is asked in the next one.
    """

    options: Keithley2400Options

    output = Setting[bool](":OUTP {:d}", cast=on_off)
    # Limits are those of a 2400; other models have their own.
    current_level = Setting[float](":SOUR:CURR {:.9E}", unit="A", limits=(-1.05, 1.05))
    voltage_level = Setting[float](":SOUR:VOLT {:.9E}", unit="V", limits=(-210.0, 210.0))
    voltage_compliance = Setting[float](":SENS:VOLT:PROT {:.6E}", unit="V", limits=(SMALLEST_VOLTAGE_LIMIT, 210.0))
    current_compliance = Setting[float](":SENS:CURR:PROT {:.6E}", unit="A", limits=(1e-9, 1.05))
    over_voltage_protection = Setting[float](":SOUR:VOLT:PROT {:.6E}", unit="V", limits=(20.0, 210.0))

    # With the output off READ? is an error and has no answer; what stands before it is answered still.
    _read_message = ":OUTP?;:READ?"
    _setup = (
        ":SYST:AZER:STAT OFF",
        ":SENS:FUNC:CONC ON",
        ":SENS:FUNC:OFF:ALL",
        ":SENS:FUNC 'VOLT','CURR'",
        ":SENS:AVER OFF",
        ":SOUR:CURR:MODE FIX",
        ":SOUR:VOLT:MODE FIX",
        ":SOUR:CURR:RANG:AUTO ON",
        ":SOUR:VOLT:RANG:AUTO ON",
        ":SOUR:DEL:AUTO ON",
        ":SOUR:CLE:AUTO OFF",
        ":ARM:COUN 1",
        ":ARM:SOUR IMM",
        ":TRIG:COUN 1",
        ":TRIG:DEL 0",
        ":FORM:DATA ASC",
        ":FORM:ELEM VOLT,CURR,TIME,STAT",
        ":SYST:TIME:RES",
    )

    def __init__(self, link: LineLink, options: Keithley2400Options) -> None:
        super().__init__(link, options)
        self._is(MODELS[options.model or "2400"])
        self._sourcing: Literal["current", "voltage"] | None = None
        self._voltage_limit = math.inf
        self._widened = False
        """The voltage source is kept on the range of the envelope, not on that of its level."""
        self._autozero_at: float | None = None
        """s, by the instrument's own time; None before the first reading of a source function."""
        self._autozero_next = False
        self._lap_s = 0.0
        self._last_s = 0.0

    async def command(self, message: str) -> None:
        """Send a command, and ask in a message of its own whether it was accepted. Raises ``InstrumentError``."""
        await self.link.write(message)
        answer = await self.link.query(self.error_query)
        if self._error_in(answer):
            raise InstrumentError(f"{self.name} refused {message!r}: {answer.strip()}")

    async def identify(self) -> Identity:
        """Ask who answers; the limits are those of the model that it is."""
        identity = await self.identity()
        name = identity.model.upper().removeprefix("MODEL").strip()
        found = MODELS.get(name)
        if found is None:
            known = ", ".join(MODELS)
            raise InstrumentError(f"{self.name} is a {identity.model!r}; expected one of the models {known}")
        if self.options.model not in (None, name):
            raise InstrumentError(f"{self.name} is a {identity.model!r}; expected a {self.options.model}")
        self._is(found)
        return self.link.recognise(identity)

    def _is(self, model: Model) -> None:
        """Take the limits of a model."""
        volts, amps = model.highest_voltage, model.highest_current
        self.model = model
        self.own_limits = {
            "current_level": (-amps, amps),
            "voltage_level": (-volts, volts),
            "voltage_compliance": (SMALLEST_VOLTAGE_LIMIT, volts),
            "current_compliance": (model.smallest_current_limit, amps),
            "over_voltage_protection": (model.protection[0], volts),
        }
        self.capabilities = Capabilities(
            modes=frozenset({"rest", "current", "voltage"}),
            voltage=(-volts, volts),
            current=(-amps, amps),
            # two conversions, and what the bus and the instrument's own work take
            fastest_poll_s=2 * self.options.nplc / _POWER_LINE_HZ + 0.01,
            current_floor=model.current_floor,
            accuracy=model.accuracy,
        )

    def refuse_envelope(self, envelope: Envelope) -> None:
        """Raise ``CannotHold`` for bounds that the instrument cannot be set to."""
        highest = _highest(envelope)
        with holding("voltage"):
            self.voltage_compliance.message(highest)
            _protection_above(highest, self.model)
        with holding("current"):
            self.current_compliance.message(envelope.current_max)
            _power(envelope.current_max, highest, self.model)

    async def prepare(self, envelope: Envelope) -> None:
        """Set up the measurement and the instrument's own limits. The output stays off."""
        self.refuse_envelope(envelope)
        highest, options = _highest(envelope), self.options
        await self.make_safe()
        await self.clear_errors()
        await self.command(f":ROUT:TERM {'FRON' if options.terminals == 'front' else 'REAR'}")
        await self.command(f":SYST:RSEN {'ON' if options.four_wire else 'OFF'}")
        await self.command(f":SENS:VOLT:NPLC {options.nplc:g}")
        for message in self._setup:
            await self.command(message)
        self._lap_s = self._last_s = 0.0
        # The instrument rounds a level of protection down, silently: the next one above is asked for, and read back.
        await self.confirmed(self.over_voltage_protection, float(_protection_above(highest, self.model)))
        await self.confirmed(self.voltage_compliance, highest)
        await self.confirmed(self.current_compliance, envelope.current_max)
        self._voltage_limit = highest
        self._widened = False

    async def rest(self) -> None:
        """Leave the cell at open circuit: source 0 A."""
        await self.source_current(0.0)

    async def source_current(self, amps: float) -> None:
        """Hold a current, A; positive charges the cell."""
        self.current_level.message(amps)
        if math.isfinite(self._voltage_limit):
            _power(amps, self._voltage_limit, self.model)
        if self._sourcing != "current":
            await self._select("CURR", "VOLT")
            await self.confirmed(self.current_level, amps)
            await self.output.set(True)
            self._sourcing = "current"
        else:
            await self.confirmed(self.current_level, amps)

    async def source_voltage(self, volts: float, current_limit: float) -> None:
        """Hold a voltage, V, with at most ``current_limit`` A of either sign."""
        self.voltage_level.message(volts)
        self.current_compliance.message(current_limit)
        _power(current_limit, abs(volts), self.model)
        if self._widened:
            await self.command(":SOUR:VOLT:RANG:AUTO ON")
            self._widened = False
        if self._sourcing != "voltage":
            await self._select("VOLT", "CURR")
            await self.confirmed(self.current_compliance, current_limit)
            await self.confirmed(self.voltage_level, volts)
            await self.output.set(True)
            self._sourcing = "voltage"
        else:
            await self.confirmed(self.current_compliance, current_limit)
            await self.confirmed(self.voltage_level, volts)

    async def read(self) -> Reading:
        """Measure voltage and current together.

        A voltage source measures on the range of its level. Where the current limit acts the cell may lie beyond it:
        then it is measured again on the range of the envelope, which is kept until the next level.
        """
        if self._autozero_next:
            await self.link.write(":SYST:AZER:STAT ONCE")
        answer = await self.link.query(self._read_message)
        state, _, values = answer.strip().partition(";")
        if state == "0" and not values:
            await self.clear_errors()  # 803, Not permitted with OUTPUT off
            return Reading(math.nan, math.nan, None, False, "output is off")
        if state != "1":
            raise self.link.distrust(f"{answer[:80]!r} is no reading; expected '1;' and four numbers")
        if self._sourcing == "voltage" and not self._widened and _overflown(values):
            self._widened = True
            await self.command(f":SOUR:VOLT:RANG {self._voltage_limit:.6E}")
            return await self.read()
        voltage, current, at, bits = numbers(self.link, values, 4)
        status = int(bits)
        if status & _OVERFLOW:
            raise BadReading(f"{answer.strip()} is beyond the range")
        tripped = "over-voltage protection" if status & _PROTECTED else None
        held = bool(status & (_IN_COMPLIANCE | _IN_RANGE_COMPLIANCE))
        return Reading(voltage, current, self._time(at), held, tripped)

    async def make_safe(self) -> None:
        """Output off and the terminals open, verified by read-back."""
        self._sourcing = None
        with self.link.urgent():
            for message in (":ABOR", ":OUTP:SMOD HIMP", ":OUTP OFF"):  # apart: an error takes the rest of its message
                await self.link.write(message)
        answer = await self.link.query(":OUTP?;:OUTP:SMOD?")
        if [keyword(field) for field in answer.split(";")] != ["0", "HIMP"]:
            self.link.distrust(f"{answer.strip()!r} is not the safe state")
            raise UnsafeState(
                f"{self.name}: output and off-state read back as {answer.strip()!r}; expected '0;HIMP'. "
                "Disconnect the cell by hand"
            )

    async def _select(self, source: str, sense: str) -> None:
        """Change the source function with the output off. The function that is not sourced measures on any range."""
        self._sourcing = None  # until all of it has gone well
        self._autozero_at, self._autozero_next = None, False
        await self.output.set(False)
        await self.command(f":SOUR:FUNC {source}")
        await self.command(f":SENS:{sense}:RANG:AUTO ON")
        await self.command(":SYST:AZER:STAT ONCE")

    def _time(self, seconds: float) -> float:
        """Count on over the timer's way back to zero, and say when reference and zero are due."""
        if seconds < self._last_s - 0.5 * _TIMER_WRAPS_S:
            self._lap_s += _TIMER_WRAPS_S
        self._last_s = seconds
        at = seconds + self._lap_s
        if self._autozero_next or self._autozero_at is None:
            self._autozero_at, self._autozero_next = at + _AUTOZERO_EVERY_S, False
        else:
            self._autozero_next = at >= self._autozero_at
        return at


def _highest(envelope: Envelope) -> float:
    return max(abs(envelope.voltage_min), abs(envelope.voltage_max))


def _protection_above(volts: float, model: Model) -> int:
    for level in model.protection:
        if level > volts:
            return level
    highest = model.protection[-1]
    raise OutOfRange(
        f"no over-voltage protection level lies above {volts:g} V; the highest of a {model.name} is {highest} V"
    )


def _overflown(values: str) -> bool:
    """Tell whether the voltage of a reading is beyond its range."""
    try:
        return abs(float(values.partition(",")[0])) == SCPI_OVERFLOW
    except ValueError:
        return False


def _power(amps: float, volts: float, model: Model) -> None:
    """Refuse a current at a voltage that the instrument has not the power for."""
    most_volts, most_amps = OVER_RANGE * model.voltage_at_most_current, OVER_RANGE * model.current_at_most_voltage
    if abs(amps) > most_amps and volts > most_volts:
        raise OutOfRange(
            f"a {model.name} has no {abs(amps):g} A at {volts:g} V; "
            f"expected at most {most_amps:g} A, or at most {most_volts:g} V"
        )
