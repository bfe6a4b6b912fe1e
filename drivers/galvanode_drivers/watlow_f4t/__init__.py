"""Temperature chambers with a Watlow F4T controller, of several makers."""

from typing import Literal

from pydantic import Field

from galvanode.instrument.family import Facts, Family, Options
from galvanode.instrument.links.base import LinkSettings
from galvanode.instrument.links.lines import Lines


class F4TOptions(Options):
    """How the controller is reached and what it controls."""

    protocol: Literal["modbus", "scpi"] = "modbus"
    """Modbus TCP on port 502, or SCPI on port 5025: less can be asked there, and alarms are not told."""
    unit: int = Field(default=1, ge=1, le=247)
    """Modbus address of the controller."""
    word_order: Literal["low_high", "high_low"] = "low_high"
    """Modbus Word Order in the controller's communication settings."""
    control: Literal["loop", "cascade"] = "loop"
    """What sets the temperature: a control loop, the air; or a cascade, the product."""
    number: int = Field(default=1, ge=1, le=4)
    """Of the loop or cascade."""
    alarms: int = Field(default=4, ge=0, le=14)
    """How many alarms are asked about."""


def _link(options: F4TOptions) -> LinkSettings:
    if options.protocol == "scpi":
        return Lines("\n", "\n", timeout_s=3.0)
    from galvanode.instrument.links.modbus import ModbusTcp  # imports pymodbus

    return ModbusTcp(options.unit, timeout_s=3.0)


FAMILY = Family(
    name="watlow_f4t",
    title="Temperature chamber with a Watlow F4T controller",
    makers=("Watlow",),
    models=("F4T",),
    driver="galvanode_drivers.watlow_f4t.driver:WatlowF4T",
    simulator="galvanode_simulator.watlow_f4t:SIMULATOR",
    role="chamber",
    options=F4TOptions,
    apart=("unit",),
    link=_link,
    facts=Facts(),
)
