"""Voltammetry: what a sweep or a cyclic voltammetry runs through."""

from __future__ import annotations

from itertools import pairwise

from galvanode.document import label
from galvanode.recipe.compiling.context import FASTEST_S, LONGEST_S, Context
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.compiling.scope import Late, Rungs
from galvanode.recipe.language.arithmetic import scaled
from galvanode.recipe.language.bodies import MAX_SCANS, CyclicVoltammetry, IrCorrection, Sweep
from galvanode.recipe.language.values import VOLTAGES, Value
from galvanode.recipe.program import OPEN_CIRCUIT, Operand, SweepPlan, Variable
from galvanode.units import Quantity
from galvanode.yaml_text import DocumentPath


def sweep_plan(body: Sweep | CyclicVoltammetry, path: DocumentPath, context: Context) -> tuple[SweepPlan, float]:
    """Return what is run through, every vertex inside the limits, and the shortest time of a step in s.

    Raises ``InvalidInput``.
    """
    start: Operand = Variable(name=OPEN_CIRCUIT)
    if body.start is not None:
        start = operand(body.start, VOLTAGES, (*path, "from"), context, open_circuit=True)
    if isinstance(body, Sweep):
        places: list[DocumentPath] = [(*path, "to")]
        values, cycles = [body.to], 1
    else:
        places = [(*path, "vertices", index) for index in range(len(body.vertices))]
        values, cycles = body.vertices, context.whole(body.cycles, MAX_SCANS, (*path, "cycles"))
    vertices = [
        start,
        *(operand(value, VOLTAGES, at, context, open_circuit=True) for value, at in zip(values, places, strict=True)),
    ]
    if isinstance(body, CyclicVoltammetry):
        vertices.append(start)
        places.append(places[-1])
    step = context.above_zero(body.step, "voltage", (*path, "step"))
    _leads_somewhere(vertices, places, step.si, context)
    rate, point_s = _rate(body.rate, step, (*path, "rate"), context)
    plan = SweepPlan(
        vertices=tuple(vertices),
        rate=rate,
        step=step.si,
        cycles=cycles,
        compensated=None if body.ir_correction is None else _compensated(body.ir_correction, path, context),
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
