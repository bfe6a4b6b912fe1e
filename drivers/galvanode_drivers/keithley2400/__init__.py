"""Keithley 2400 series."""

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from galvanode.instrument.family import Facts, Family, Options
from galvanode.instrument.links.base import Place
from galvanode.instrument.links.lines import LineLink, Lines
from galvanode.instrument.links.visa import SerialLine

TERMINATORS = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "LFCR": "\n\r"}
ModelName = Literal["2400", "2401", "2410", "2420", "2425", "2440"]


class Keithley2400Options(Options):
    """How the instrument is wired and reached."""

    model: ModelName | None = None
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
class Keithley2400Link:
    """Lines that end with LF on the GPIB, with what is set in the menu on the RS-232 port."""

    bus: Lines
    serial: Lines

    @property
    def timeout_s(self) -> float:
        """For an answer, s."""
        return self.bus.timeout_s

    def open(self, name: str, place: Place) -> LineLink:
        """Return the link."""
        return (self.serial if place.resource.upper().startswith("ASRL") else self.bus).open(name, place)


def _link(options: Keithley2400Options) -> Keithley2400Link:
    bus = Lines(timeout_s=max(1.0, 0.5 * options.nplc))
    ending = TERMINATORS[options.terminator]
    line = SerialLine(baud_rate=options.baud_rate)
    return Keithley2400Link(bus, replace(bus, write_termination=ending, read_termination=ending, serial=line))


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
    facts=Facts(simulated={"cell": "resistor", "link": "serial"}),
)
