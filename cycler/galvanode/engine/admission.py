"""Admission: a program that the channel's instruments cannot carry out is refused before anything is sent.

What the instruments say of themselves is all that is looked at, so that it can be done in another process.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from galvanode.engine.scheduling import schedule_of
from galvanode.engine.wiring import NotWired, Wiring
from galvanode.errors import Refused
from galvanode.instrument.roles import Capabilities, CyclerChannel, Envelope, ScriptedChannel
from galvanode.instrument.schedule import CannotExpress
from galvanode.quantities import Auxiliary
from galvanode.recipe import drives
from galvanode.recipe.operand import Formula, Operand, Result, Variable
from galvanode.recipe.program import Loop, Program, SetChamber, Step


@dataclass(frozen=True)
class _Said:
    """An instrument, as far as it says what it can do."""

    capabilities: Capabilities


@dataclass(frozen=True)
class Offer:
    """What a channel can do, in the instruments' own words."""

    cycler: Capabilities | None
    analyzer: Capabilities | None
    chamber: bool
    alone: bool = False
    """Its instrument is handed the whole program, and asked by itself whether it can (``admit_whole``)."""

    @classmethod
    def of(cls, wiring: Wiring) -> Offer:
        """Return what is wired to a channel."""
        cycler, analyzer = wiring.capabilities("cycler"), wiring.capabilities("analyzer")
        return cls(cycler, analyzer, wiring.chamber is not None, wiring.sequencer is not None)

    @property
    def auxiliaries(self) -> tuple[Auxiliary, ...]:
        """What the instruments read beside voltage and current."""
        return tuple(item for said in (self.cycler, self.analyzer) if said is not None for item in said.auxiliaries)

    def wiring(self) -> Wiring:
        """Return a wiring that can be asked who carries out what, and for nothing else."""
        cycler, analyzer = (None if item is None else _Said(item) for item in (self.cycler, self.analyzer))
        return Wiring(cast(CyclerChannel | None, cycler), cast(ScriptedChannel | None, analyzer))


_Ladders = dict[str, tuple[float, ...]]


def admit(program: Program, offer: Offer, source: str) -> None:
    """Refuse a program that the channel cannot carry out. Raises ``Refused`` with the recipe's line."""
    ladders: _Ladders = {}
    wiring = offer.wiring()
    for instruction in program.instructions:
        if isinstance(instruction, Loop):
            ladders.update(instruction.ladder)
        elif isinstance(instruction, SetChamber):
            if not offer.chamber:
                raise _refusal(source, instruction.line, "this channel has no chamber")
        elif isinstance(instruction, Step):
            try:
                _admit_step(instruction, wiring, ladders)
            except (NotWired, _Beyond) as error:
                raise _refusal(source, instruction.line, str(error)) from error


def admit_whole(program: Program, wiring: Wiring, envelope: Envelope, source: str) -> None:
    """Refuse a program that an instrument cannot be handed as a whole. Raises ``Refused`` with the recipe's line."""
    try:
        schedule = schedule_of(program, envelope, has_chamber=wiring.chamber is not None).schedule
        wiring.the_sequencer.refuse(schedule)
    except CannotExpress as error:
        raise _refusal(source, error.line, error.what) from error


class _Beyond(Exception):
    """The instrument cannot do it."""


def _refusal(source: str, line: int, message: str) -> Refused:
    return Refused(message, Path(source).name, line)


def _admit_step(step: Step, wiring: Wiring, ladders: _Ladders) -> None:
    """Raises ``NotWired`` or ``_Beyond``."""
    capabilities = wiring.capabilities(wiring.carrier(step))
    burst_s = step.record.burst_every_s
    closest_s = step.poll_s if burst_s is None else min(step.poll_s, burst_s)
    if capabilities is None:
        raise _Beyond(f"readings every {closest_s:g} s are too fast for the instrument")
    if closest_s < capabilities.fastest_poll_s:
        said = f"readings every {closest_s:g} s are too fast for the instrument"
        raise _Beyond(f"{said}; expected {capabilities.fastest_poll_s:g} s or more")
    windows = {"voltage": (capabilities.voltage, "V"), "current": (capabilities.current, "A")}
    for reached in step.drive.reaches():
        _admit_value(reached.value, ladders, *windows[reached.dimension])
    if isinstance(step.drive, drives.Impedance):
        _admit_frequencies(step.drive, capabilities)


def _admit_value(operand: Operand, ladders: _Ladders, window: tuple[float, float], unit: str) -> None:
    """Check what is known before the run; what is worked out on the way is held against the limits then."""
    low, high = window
    for value in _known_values(operand, ladders):
        if not low <= value <= high:
            raise _Beyond(f"{value:g} {unit} is outside the instrument's {low:g} to {high:g} {unit}")


def _known_values(operand: Operand, ladders: _Ladders) -> Iterable[float]:
    if isinstance(operand, (Result, Formula)):
        return ()
    if isinstance(operand, Variable):
        return (value * operand.factor for value in ladders.get(operand.name, ()))
    return (operand,)


def _admit_frequencies(plan: drives.Impedance, capabilities: Capabilities) -> None:
    if capabilities.frequency is None:
        raise _Beyond("the instrument of this channel measures no impedance")
    low, high = capabilities.frequency
    if not (math.isfinite(plan.frequency_min) and low <= plan.frequency_min <= plan.frequency_max <= high):
        raise _Beyond(
            f"{plan.frequency_max:g} to {plan.frequency_min:g} Hz; the instrument does {high:g} to {low:g} Hz"
        )
