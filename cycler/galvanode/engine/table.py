"""The table of a station's channels: what is wired to each, how it stands, and which run has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from galvanode.engine.run import Run
from galvanode.engine.wiring import Wiring
from galvanode.instrument.bench import OpenChannel
from galvanode.instrument.roles import Identity


@dataclass
class Channel:
    """One channel of the station and what is known of it."""

    open: OpenChannel
    wiring: Wiring
    state: Literal["idle", "unsafe", "lost"] = "idle"
    message: str = ""
    identities: list[Identity] = field(default_factory=list[Identity])
    forsaken: bool = False
    """A run has ended here without its instrument having been made safe: nothing may go on alone."""
    run: Run | None = None
    submitting: bool = False
    """A run is being made for it."""
    recipe_name: str = ""
    cell_name: str = ""

    @property
    def name(self) -> str:
        """Its name in the bench file."""
        return self.open.name

    @property
    def identity(self) -> str:
        """Who answered on it, in words."""
        return "; ".join(f"{i.manufacturer}, {i.model}, {i.serial}, {i.firmware}" for i in self.identities)


class Table(dict[str, Channel]):
    """The channels by name. Plain data, shared by all that look after a station."""

    @property
    def runs(self) -> list[Run]:
        """The runs that channels have now."""
        return [channel.run for channel in self.values() if channel.run is not None]

    def run(self, run_id: str) -> Run | None:
        """Return a run that a channel has now."""
        return next((run for run in self.runs if run.id == run_id), None)

    def runs_in(self, chamber: str) -> list[Run]:
        """Return the runs whose cells stand in a chamber."""
        return [item.run for item in self.values() if item.run is not None and item.open.chamber == chamber]
