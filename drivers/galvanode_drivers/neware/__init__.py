"""Neware battery testers under a BTS 8 server."""

from galvanode.instrument.family import Facts, Family
from galvanode.instrument.links.frames import EndMarker, Frames
from galvanode_drivers.neware.options import NewareOptions


def _addresses(options: NewareOptions) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, options.channels + 1))


FAMILY = Family(
    name="neware",
    title="Neware battery tester (BTS 8, interface for programs)",
    makers=("Neware",),
    models=("CT-4008T-5V6A", "CT-4008T-5V50mA", "CT-4000 series", "WHW-200L-160CH-B"),
    driver="galvanode_drivers.neware.driver:Neware",
    simulator="galvanode_simulator.neware:SIMULATOR",
    role="sequencer",
    channels=_addresses,
    options=NewareOptions,
    apart=("devid", "subdevid"),
    link=lambda _: Frames(EndMarker(b"#\r\n"), timeout_s=5.0),
    facts=Facts(options={"current": "50 mA"}, simulated={"cell": "resistor"}, envelope=(-1.0, 4.5, 0.04)),
)
