"""PalmSens instruments that run MethodSCRIPT."""

from pydantic import Field

from galvanode.instrument.family import Facts, Family, Options
from galvanode.instrument.links.lines import Lines
from galvanode.instrument.links.visa import SerialLine


class EmStat4Options(Options):
    """How the instrument is reached."""

    baud_rate: int = Field(default=921_600, gt=0)
    """Of a serial line; an EmStat Pico has 230400."""


def _link(options: EmStat4Options) -> Lines:
    return Lines(serial=SerialLine(options.baud_rate))


FAMILY = Family(
    name="emstat4",
    title="PalmSens EmStat4, EmStat Pico, Sensit and Nexus potentiostats",
    makers=("PalmSens",),
    models=("EmStat4 LR", "EmStat4 HR", "EmStat4X", "EmStat Pico", "Sensit", "Nexus"),
    driver="galvanode_drivers.emstat4.driver:EmStat4",
    simulator="galvanode_simulator.emstat4:SIMULATOR",
    role="analyzer",
    options=EmStat4Options,
    link=_link,
    facts=Facts(
        simulated={"cell": "resistor"},
        left={
            "halted": (b"h",),
            "left on": (b"e", b"set_pgstat_mode 3", b"set_e 1", b"cell_on", b""),
            "half a script sent": (b"e", b"set_pgstat_mode 3", b"set_e 1", b"cell_on"),
            "half a loop sent": (b"e", b"var x", b"loop x < 1"),
        },
        settings=(
            b"e",
            b"var a",
            b"set_pgstat_mode 3",
            b"set_range ba 1n",
            b"set_autoranging ba 1n 1n",
            b"set_range ab 10m",
            b"",
        ),
    ),
)
