"""Keithley 2400 series."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from galvanode.instrument.family import Facts, Family, Options
from galvanode.instrument.links.base import Place
from galvanode.instrument.links.lines import LineLink, Lines
from galvanode.instrument.links.visa import SerialLine

TERMINATORS = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "LFCR": "\n\r"}
ModelName = Literal["2400", "2401", "2410", "2420", "2425", "2440"]


def _in_digits(model: object) -> object:
    """Take ``model: 2440`` for ``"2440"``: without quotes a file has a number there."""
    return str(model) if isinstance(model, int) else model


class Keithley2400Options(Options):
    """How the instrument is wired and reached."""

    model: Annotated[ModelName, BeforeValidator(_in_digits)] | None = None
    """Its model, where another one is to be refused; else what it says itself."""
    four_wire: bool = True
    terminals: Literal["front", "rear"] = "front"
    nplc: float = Field(default=1.0, ge=0.01, le=10.0)
    """Power line cycles for which each quantity is measured."""
    terminator: Literal["CR", "LF", "CRLF", "LFCR"] = "CR"
    """Of its RS-232 port, as set in its menu. The GPIB has none to choose."""
    baud_rate: Literal[300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600] = 9600
    """Of its RS-232 port."""


@dataclass(frozen=True)
class Keithley2400Lines(Lines):
    """Lines that end on the RS-232 port as its menu says, and with LF on the GPIB."""

    def open(self, name: str, place: Place) -> LineLink:
        """Return the link."""
        if place.resource.upper().startswith("ASRL"):
            return super().open(name, place)
        return Lines(timeout_s=self.timeout_s).open(name, place)


def _link(options: Keithley2400Options) -> Keithley2400Lines:
    ending = TERMINATORS[options.terminator]
    return Keithley2400Lines(
        write_termination=ending,
        read_termination=ending,
        timeout_s=max(1.0, 0.5 * options.nplc),
        serial=SerialLine(baud_rate=options.baud_rate),
    )


FAMILY = Family(
    name="keithley2400",
    title="Keithley 2400 series source-measure unit",
    makers=("Keithley", "Tektronix"),
    models=("2400", "2401", "2410", "2420", "2425", "2440"),
    driver="galvanode_drivers.keithley2400.driver:Keithley2400",
    simulator="galvanode_simulator.keithley2400:SIMULATOR",
    role="cycler",
    options=Keithley2400Options,
    link=_link,
    facts=Facts(
        simulated={"cell": "resistor", "link": "serial"},
        resource="ASRL1::INSTR",
        accuracy=1e-3,
        left={
            "driven by another program": (
                b"*RST",
                b":SOUR:FUNC CURR",
                b":SOUR:CURR 0.01",
                b":OUTP:SMOD NORM",
                b":OUTP ON",
            ),
            "off, but holding 0 V": (b"*RST",),
            "measuring by itself": (b":OUTP ON", b":ARM:COUN INF", b":INIT"),
            "waiting for a trigger": (b":OUTP ON", b":ARM:SOUR BUS", b":INIT"),
            "errors in its queue": (b":NO:SUCH:COMMAND 1", b":SOUR:CURR 99"),
        },
        settings=(
            b"*RST",
            b":SENS:FUNC:OFF:ALL",
            b":SENS:FUNC 'RES'",
            b":SENS:VOLT:NPLC 0.01",
            b":SENS:CURR:RANG 1e-6",
            b":SENS:AVER:COUN 100;:SENS:AVER ON",
            b":TRIG:COUN 5;:ARM:COUN 2",
            b":SOUR:CURR:MODE SWE;:SOUR:VOLT:MODE LIST",
            b":SOUR:CURR:RANG 0.01",
            b":FORM:ELEM CURR,STAT;:FORM:DATA REAL,32",
            b":SOUR:CLE:AUTO ON",
            b":NO:SUCH:COMMAND",
        ),
        switched_off=(b":OUTP OFF",),
        misfits=(b"\r", b",\r", b"1\r", b"1;1,2\r", b"1;1,2,3,4,5,6,7\r", b"1;a,b,c,d\r", b"0;1,2,3,4\r"),
        strangers=(b"ACME,WIDGET 9000,1,1.0\r", b"ERROR\r", b"\r", b"1\r", b"NA:CMD ERR\r"),
    ),
)
