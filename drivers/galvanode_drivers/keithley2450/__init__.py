"""Keithley 2450."""

from galvanode.instrument.family import Facts, Family
from galvanode.instrument.links.lines import Lines

FAMILY = Family(
    name="keithley2450",
    title="Keithley 2450 source-measure unit",
    makers=("Keithley", "Tektronix"),
    models=("2450",),
    driver="galvanode_drivers.keithley2450.driver:Keithley2450",
    simulator="galvanode_simulator.keithley2450:SIMULATOR",
    role="cycler",
    link=lambda _: Lines(),
    facts=Facts(simulated={"cell": "resistor"}),
)
