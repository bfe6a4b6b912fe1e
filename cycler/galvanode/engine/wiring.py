"""The instruments wired to one cell: a cycler, an analyzer, a chamber. One of the first two is on at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from galvanode.errors import GalvanodeError
from galvanode.instrument.reading import ChamberReading
from galvanode.instrument.roles import (
    Capabilities,
    CyclerChannel,
    Envelope,
    Identity,
    ScriptedChannel,
    SequencedChannel,
)
from galvanode.quantities import Auxiliary
from galvanode.recipe import drives
from galvanode.recipe.program import Step

Carrier = Literal["cycler", "analyzer"]


class NotWired(GalvanodeError):
    """The channel has no instrument that could do it."""


@dataclass(frozen=True)
class ChamberControl:
    """What a run may ask of the chamber that its cell stands in."""

    set_temperature: Callable[[float], Awaitable[None]]
    """K."""
    read: Callable[[], Awaitable[ChamberReading | None]]
    """None where it does not answer."""


class Wiring:
    """One cell's instruments, and which of them may carry current now."""

    def __init__(
        self,
        cycler: CyclerChannel | None,
        analyzer: ScriptedChannel | None = None,
        chamber: ChamberControl | None = None,
        sequencer: SequencedChannel | None = None,
    ) -> None:
        if cycler is None and analyzer is None and sequencer is None:
            raise NotWired("a channel needs a cycler or an analyzer")
        self.cycler = cycler
        self.analyzer = analyzer
        self.chamber = chamber
        self.sequencer = sequencer
        """In the place of the cycler: it is handed the whole program, and meant to go on alone."""
        self._connected: Carrier | None = None

    @property
    def the_cycler(self) -> CyclerChannel:
        """The cycler. Raises ``NotWired`` if the channel has none."""
        if self.cycler is None:
            raise NotWired("the channel has no cycler")
        return self.cycler

    @property
    def the_analyzer(self) -> ScriptedChannel:
        """The analyzer. Raises ``NotWired`` if the channel has none."""
        if self.analyzer is None:
            raise NotWired("the channel has no analyzer")
        return self.analyzer

    @property
    def the_sequencer(self) -> SequencedChannel:
        """What runs whole programs. Raises ``NotWired`` if the channel has nothing of the kind."""
        if self.sequencer is None:
            raise NotWired("the channel has no instrument that runs a recipe by itself")
        return self.sequencer

    def instrument(self, carrier: Carrier) -> CyclerChannel | ScriptedChannel:
        """Return the instrument that carries out a step. Raises ``NotWired`` if the channel has none."""
        return self.the_cycler if carrier == "cycler" else self.the_analyzer

    @property
    def instruments(self) -> list[CyclerChannel | ScriptedChannel | SequencedChannel]:
        """Those that can drive the cell."""
        return [item for item in (self.cycler, self.analyzer, self.sequencer) if item is not None]

    def carrier(self, step: Step) -> Carrier:
        """Return which instrument carries out a step. Raises ``NotWired`` if the channel has none for it."""
        others: dict[Carrier, Carrier] = {"cycler": "analyzer", "analyzer": "cycler"}
        first: Carrier = step.drive.prefers
        wanted: list[Carrier] = [first, others[first]] if step.instrument is None else [step.instrument]
        for name in wanted:
            if (capabilities := self.capabilities(name)) is not None and _can(name, capabilities, step.drive):
                return name
        raise NotWired(f"no instrument of this channel can do {step.name!r} ({step.drive.kind})")

    def capabilities(self, carrier: Carrier) -> Capabilities | None:
        """Return what an instrument can do; None if the channel has no such instrument."""
        instrument = self.cycler if carrier == "cycler" else self.analyzer
        return None if instrument is None else instrument.capabilities

    def auxiliaries_of(self, carrier: Carrier) -> tuple[Auxiliary, ...]:
        """Return what an instrument reads beside voltage and current."""
        capabilities = self.capabilities(carrier)
        return () if capabilities is None else capabilities.auxiliaries

    @property
    def auxiliaries(self) -> tuple[Auxiliary, ...]:
        """What the channel's instruments read beside voltage and current, each name once."""
        found = (*self.auxiliaries_of("cycler"), *self.auxiliaries_of("analyzer"))
        return tuple({item.name: item for item in found}.values())

    @property
    def first(self) -> Carrier:
        """The instrument that a channel is looked at with before any step: the cycler, where there is one."""
        return "analyzer" if self.cycler is None else "cycler"

    async def identify(self) -> list[Identity]:
        """Ask every instrument who it is."""
        return [await instrument.identify() for instrument in self.instruments]

    async def prepare(self, envelope: Envelope) -> None:
        """Prepare every instrument; all outputs are off afterwards."""
        for instrument in self.instruments:
            await instrument.prepare(envelope)
        self._connected = None

    async def switch_to(self, carrier: Carrier) -> bool:
        """Let this instrument have the cell: the other one is made safe first, verified by read-back.

        True if the other one had it.
        """
        switched = self._connected is not None and self._connected != carrier
        if switched and self._connected is not None:
            await self.instrument(self._connected).make_safe()
        self._connected = carrier
        return switched

    async def make_safe(self, *, but_what_goes_on_alone: bool = False) -> None:
        """Make every instrument safe; the first failure is raised when all have been tried.

        ``but_what_goes_on_alone`` leaves a sequencer as it is: an engine that starts, or ends, does not stop it.
        """
        instruments = [item for item in self.instruments if not (but_what_goes_on_alone and item is self.sequencer)]
        if len(instruments) == 1:
            await instruments[0].make_safe()
        else:  # side by side: one that does not answer must not keep current flowing from the other
            outcomes = await asyncio.gather(*(item.make_safe() for item in instruments), return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        self._connected = None


def _can(carrier: Carrier, capabilities: Capabilities, drive: drives.Drive) -> bool:
    scripted = None if drive.by_host_only else drive.scripted_as
    mode = drive.polled_as if carrier == "cycler" else scripted
    return mode is not None and mode in capabilities.modes
