"""A simulated BTS 8 server with one unit of channels, each at a cell of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field, model_validator

from galvanode.units import Seconds
from galvanode_simulator.family import CellChoice, SimulatedUnit, UnitSettings, UnitSimulator, Workshop
from galvanode_simulator.neware.channel import Channel
from galvanode_simulator.neware.interface import NewareInterface
from galvanode_simulator.neware.models import MODELS, ModelName
from galvanode_simulator.noise import seeded


class ChannelSettings(CellChoice):
    """What is at one channel, where it is not what is at the others."""


class SimulatedNeware(UnitSettings):
    """The ``simulated:`` section of a unit.

    simulated:
      model: 5v50ma
      cell: lfp-lagp                                # at every channel ...
      channels: {3: {cell: capacitor}}              # ... but this one
    """

    model: ModelName = "5v50ma"
    cell: str | None = None
    """At every channel that ``channels`` does not name; None leaves them without a cell of note, a resistor."""
    chamber: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict[str, Any])
    channels: dict[str, ChannelSettings] = Field(default_factory=dict[str, ChannelSettings])
    upload_lag: Seconds = Field(default=5.0, ge=0)
    """Time until the server has a record, s."""
    ideal: bool = False
    """Every reading is true to the last digit sent."""

    @model_validator(mode="before")
    @classmethod
    def _number_words(cls, data: Any) -> Any:
        """Channels may be written as numbers."""
        if isinstance(data, Mapping) and isinstance(data.get("channels"), Mapping):
            return {**data, "channels": {str(key): value for key, value in data["channels"].items()}}
        return data


class NewareUnit:
    """What tests and the event log see: the channels, by number."""

    def __init__(self, channels: Mapping[int, Channel]) -> None:
        self.channels = channels
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None
        for number, channel in channels.items():
            channel.on_event = self._reporter(number)

    def _reporter(self, number: int) -> Callable[[str, dict[str, Any]], None]:
        def report(kind: str, details: dict[str, Any]) -> None:
            if self.on_event is not None:
                self.on_event(kind, {"channel": str(number), **details})

        return report


def _build(workshop: Workshop[SimulatedNeware]) -> SimulatedUnit:
    count = int(workshop.options.get("channels", 8))
    for address in workshop.settings.channels:
        if address not in map(str, range(1, count + 1)):
            raise workshop.mistake(f"there is no channel {address!r}; expected '1' to '{count}'", "channels", address)
    channels = {number: _channel(workshop, number) for number in range(1, count + 1)}
    unit = NewareUnit(channels)
    devid = workshop.options.get("devid")
    interface = NewareInterface(
        channels,
        21 if devid is None else int(devid),
        int(workshop.options.get("subdevid", 1)),
        password=str(workshop.options.get("password", "neware")),
    )
    return SimulatedUnit(interface, unit, cells={str(number): channel.source for number, channel in channels.items()})


def _channel(workshop: Workshop[SimulatedNeware], number: int) -> Channel:
    settings, address = workshop.settings, str(number)
    own = settings.channels.get(address)
    choice = own or CellChoice(cell=settings.cell or "resistor", chamber=settings.chamber, overrides=settings.overrides)
    place = ("channels", address) if own is not None else ()
    return Channel(
        workshop.cell(choice, address, *place),
        MODELS[settings.model],
        seeded(workshop.seed, address),
        workshop.temperature(choice, address, *place),
        upload_lag=settings.upload_lag,
        ideal=settings.ideal,
    )


SIMULATOR = UnitSimulator(SimulatedNeware, _build)
