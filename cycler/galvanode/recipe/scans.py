"""Voltammetry: what a sweep or a cyclic voltammetry runs through."""

from __future__ import annotations

from itertools import pairwise

from galvanode.document import label
from galvanode.recipe.bodies import MAX_SCANS, CyclicVoltammetry, Sweep
from galvanode.recipe.context import FASTEST_S, LONGEST_S, Context
from galvanode.recipe.operands import operand
from galvanode.recipe.program import OPEN_CIRCUIT, Operand, SweepPlan, Variable
from galvanode.recipe.values import VOLTAGES
from galvanode.yaml_text import DocumentPath


def sweep_plan(body: Sweep | CyclicVoltammetry, path: DocumentPath, context: Context) -> SweepPlan:
    """Return what is run through, every vertex inside the limits. Raises ``InvalidInput``."""
    start: Operand = Variable(name=OPEN_CIRCUIT)
    if body.start is not None:
        start = operand(body.start, VOLTAGES, (*path, "from"), context)
    if isinstance(body, Sweep):
        places: list[DocumentPath] = [(*path, "to")]
        values, cycles = [body.to], 1
    else:
        places = [(*path, "vertices", index) for index in range(len(body.vertices))]
        values, cycles = body.vertices, context.whole(body.cycles, MAX_SCANS, (*path, "cycles"))
    vertices = [start, *(operand(value, VOLTAGES, at, context) for value, at in zip(values, places, strict=True))]
    if isinstance(body, CyclicVoltammetry):
        vertices.append(start)
        places.append(places[-1])
    rate = context.above_zero(body.rate, "scan_rate", (*path, "rate"))
    step = context.above_zero(body.step, "voltage", (*path, "step"))
    _leads_somewhere(vertices, places, step.si, context)
    point_s = step.si / rate.si
    if not FASTEST_S <= point_s <= LONGEST_S:
        said = f"is '{rate.text}', {point_s:.3g} s for each 'step' of {step.text}; expected 1 ms or more"
        raise context.error((*path, "rate"), f"{label((*path, 'rate'))} {said}")
    return SweepPlan(vertices=tuple(vertices), rate=rate.si, step=step.si, cycles=cycles)


def _leads_somewhere(vertices: list[Operand], places: list[DocumentPath], step: float, context: Context) -> None:
    """Raise ``InvalidInput`` for a vertex that is as good as the one before it."""
    for (first, second), at in zip(pairwise(vertices), places, strict=True):
        if first == second:
            raise context.error(at, f"{label(at)} is where the scan already stands; expected another voltage")
        if isinstance(first, float) and isinstance(second, float) and abs(first - second) < step:
            said = f"is less than a 'step' of {step * 1e3:g} mV away; expected another voltage or a smaller 'step'"
            raise context.error(at, f"{label(at)} {said}")
