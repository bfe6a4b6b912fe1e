"""Keithley 2450."""

from typing import Literal

from pydantic import Field

from galvanode.instrument.family import Facts, Family, Options
from galvanode.instrument.links.lines import Lines


class Keithley2450Options(Options):
    """How the instrument is wired."""

    four_wire: bool = True
    terminals: Literal["front", "rear"] = "front"
    nplc: float = Field(default=1.0, ge=0.01, le=10.0)
    """Power line cycles for which each quantity is measured."""


FAMILY = Family(
    name="keithley2450",
    title="Keithley 2450 source-measure unit",
    makers=("Keithley", "Tektronix"),
    models=("2450",),
    driver="galvanode_drivers.keithley2450.driver:Keithley2450",
    simulator="galvanode_simulator.keithley2450:SIMULATOR",
    role="cycler",
    options=Keithley2450Options,
    link=lambda _: Lines(),
    facts=Facts(
        simulated={"cell": "resistor"},
        accuracy=1e-3,
        left={
            "driven by another program": (b"*RST;:SOUR:FUNC CURR;:SOUR:CURR 0.01;:OUTP:SMOD NORM;:OUTP ON",),
            "off, but holding 0 V": (b"*RST;:OUTP:SMOD NORM",),
            "measuring by itself": (b':OUTP ON;:TRIG:LOAD "SimpleLoop",1000,0.1,"defbuffer1";:INIT',),
            "errors in its queue": (b":NO:SUCH:COMMAND 1", b":SOUR:CURR 99"),
        },
        settings=(
            b"*RST;:SENS:COUN 5;:SENS:VOLT:RANG 0.02;:SENS:VOLT:REL 0.3;:SENS:VOLT:REL:STAT ON;:SENS:VOLT:NPLC 0.01",
            b":SENS:VOLT:AVER:COUN 100;:SENS:VOLT:AVER ON;:SOUR:CURR:READ:BACK OFF;:SOUR:CURR:RANG 0.01",
            b":SOUR:CURR:VLIM 0.02;:FORM:ASC:PREC 3;:FORM REAL;:NO:SUCH:COMMAND",
        ),
        switched_off=(b":OUTP OFF",),
    ),
)
