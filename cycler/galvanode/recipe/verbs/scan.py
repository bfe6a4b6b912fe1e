"""What both kinds of voltammetry share: a voltage that runs at a constant rate."""

from __future__ import annotations

from abc import abstractmethod
from itertools import pairwise

from pydantic import Field

from galvanode.document import Section, label
from galvanode.recipe import drives
from galvanode.recipe.compiling.context import FASTEST_S, LONGEST_S, Context
from galvanode.recipe.compiling.operands import ends, operand
from galvanode.recipe.compiling.scope import Late, Rungs
from galvanode.recipe.language.arithmetic import scaled
from galvanode.recipe.language.condition import Untils
from galvanode.recipe.language.values import (
    VOLTAGES,
    CurrentBound,
    Resistance,
    ScanRate,
    Share,
    StartVoltage,
    Value,
    VoltageChange,
    read_constant,
)
from galvanode.recipe.operand import OPEN_CIRCUIT, Operand, Variable
from galvanode.recipe.program import Record, Step
from galvanode.recipe.verbs.step import HOST_POLL_S, StepVerb, UnderWay
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath

Places = list[DocumentPath]


class IrCorrection(Section):
    """Make up for the voltage drop over a resistance, or a share of it."""

    resistance: Resistance = Field(description="From a spectrum of this cell.")
    share: Share = Field(
        default_factory=lambda: read_constant("100 %", "fraction"),
        description="At most 100 %, which is taken if nothing is said.",
    )


class Scan(StepVerb):
    """A voltage that runs at a constant rate. It ends by itself; ``until`` may end it sooner."""

    start: StartVoltage = Field(None, alias="from", description="Where it begins; the rest voltage if nothing is said.")
    rate: ScanRate
    step: VoltageChange = Field(
        default_factory=lambda: read_constant("1 mV", "voltage"),
        description="Between samples; '1 mV' if nothing is said.",
    )
    current_limit: CurrentBound | None = Field(
        None, description="The most that it may draw; without it, what the cell's envelope allows."
    )
    ir_correction: IrCorrection | None = None
    until: Untils = ()

    @abstractmethod
    def turns(self, start: Operand, step: UnderWay) -> tuple[list[Operand], Places, int]:
        """Return the voltages after the start with their places, and how often all are run through."""

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the step that runs through the voltages."""
        path, context = step.path, step.context
        plan, point_s = self._plan(step)
        poll_s = min(point_s, context.check_every_s)
        return (
            step.made(
                plan,
                until=ends(self.until, (*path, "until"), context),
                record=Record(every_s=point_s),
                poll_s=poll_s if plan.compensated is None else min(poll_s, HOST_POLL_S),
            ),
        )

    def _plan(self, step: UnderWay) -> tuple[drives.Sweep, float]:
        """Return what is run through, every vertex inside the limits, and the shortest time of a step in s."""
        path, context = step.path, step.context
        start: Operand = Variable(name=OPEN_CIRCUIT)
        if self.start is not None:
            start = operand(self.start, VOLTAGES, (*path, "from"), context, open_circuit=True)
        following, places, cycles = self.turns(start, step)
        vertices = [start, *following]
        between = context.above_zero(self.step, "voltage", (*path, "step"))
        _leads_somewhere(vertices, places, between.si, context)
        rate, point_s = _rate(self.rate, between, (*path, "rate"), context)
        correction = self.ir_correction
        plan = drives.Sweep(
            vertices=tuple(vertices),
            rate=rate,
            step=between.si,
            cycles=cycles,
            compensated=None if correction is None else _compensated(correction, path, context),
            current_limit=step.current_limit(self.current_limit),
        )
        return plan, point_s


def _rate(value: Value, step: Quantity, path: DocumentPath, context: Context) -> tuple[Operand, float]:
    """Return the rate in V/s, and the shortest time of a step at any value that a ladder leads it through, s."""
    rate = operand(value, ("scan_rate",), path, context, above_zero=True)
    found = context.scope.look_up(value, "scan_rate")
    if isinstance(found, Late):
        said = f"{label(path)} is '{value.text}', which only the run can tell; expected a value or a ladder's variable"
        raise context.error(path, said)
    rates = found.values if isinstance(found, Rungs) else (found,)
    for one in rates:
        point_s = step.si / one.si
        if not FASTEST_S <= point_s <= LONGEST_S:
            said = f"is '{one.text}', {point_s:.3g} s for each 'step' of {step.text}; expected 1 ms or more"
            raise context.error(path, f"{label(path)} {said}")
    return rate, min(step.si / one.si for one in rates)


def _compensated(body: IrCorrection, path: DocumentPath, context: Context) -> Operand:
    """Return the resistance that is made up for: its share of the one given. More than all of it would run away."""
    at = (*path, "ir_correction")
    share = context.above_zero(body.share, "fraction", (*at, "share"))
    if share.exact > 1:
        said = f"{label((*at, 'share'))} is '{share.text}'; expected at most 100 %: more of it makes the cell oscillate"
        raise context.error((*at, "share"), said)
    resistance = operand(body.resistance, ("resistance",), (*at, "resistance"), context, above_zero=True)
    return scaled(resistance, share.si)


def _leads_somewhere(vertices: list[Operand], places: list[DocumentPath], step: float, context: Context) -> None:
    """Raise ``InvalidInput`` for a vertex that is as good as the one before it."""
    for (first, second), at in zip(pairwise(vertices), places, strict=True):
        if first == second:
            raise context.error(at, f"{label(at)} is where the scan already stands; expected another voltage")
        if isinstance(first, float) and isinstance(second, float) and abs(first - second) < step * (1 - 1e-9):
            said = f"is less than a 'step' of {step * 1e3:g} mV away; expected another voltage or a smaller 'step'"
            raise context.error(at, f"{label(at)} {said}")
