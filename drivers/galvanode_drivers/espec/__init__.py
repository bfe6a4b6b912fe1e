"""ESPEC temperature chambers."""

from pydantic import Field

from galvanode.instrument.family import Family, Options
from galvanode.instrument.links.lines import Lines
from galvanode.instrument.links.visa import SerialLine


class EspecOptions(Options):
    """How the controller is reached."""

    baud_rate: int = Field(default=9600, gt=0)
    """Of a serial line."""
    address: int | None = Field(default=None, ge=1, le=99)
    """Of the controller on an RS-485 bus; a controller on RS-232 or behind a forwarder of its own has none."""


def _link(options: EspecOptions) -> Lines:
    return Lines("\r\n", "\r\n", timeout_s=2.0, serial=SerialLine(options.baud_rate))


FAMILY = Family(
    name="espec",
    title="ESPEC temperature chamber, controllers P-300 and SCP-220",
    makers=("ESPEC",),
    models=("P-300", "SCP-220"),
    driver="galvanode_drivers.espec.driver:EspecChamber",
    simulator="galvanode_simulator.espec:SIMULATOR",
    role="chamber",
    options=EspecOptions,
    apart=("address",),
    link=_link,
)
