"""The staircase of a sweep that the host drives: which voltage comes next, and how long it is held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

from galvanode.engine.errors import Failed, Tripped
from galvanode.engine.plans import refuse_outside
from galvanode.engine.trust import inside
from galvanode.errors import GalvanodeError
from galvanode.recipe import drives
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Step


class Stairs:
    """The treads of one attempt of a sweep."""

    def __init__(self, step: Step, value: Callable[[Operand], float]) -> None:
        """Raises ``Failed`` for a rate, a resistance or a vertex that there must not be."""
        plan = step.drive
        if not isinstance(plan, drives.Sweep):
            raise GalvanodeError(f"step {step.step_id} ({step.name}) is no sweep")
        vertices = [value(vertex) for vertex in plan.vertices]
        self.first = vertices[0]
        """V; nothing flows yet that could be corrected for."""
        self.tread_s = plan.step / _rate(step.name, plan, value)
        """s from one tread to the next."""
        self._name, self._window = step.name, step.limits.voltage
        self._ohms = _compensated(plan, value)
        self._treads = _treads(vertices, plan)
        refuse_outside(step, volts=vertices)

    def next(self, current: float) -> float | None:
        """Return the voltage of the next tread, corrected for the drop by a current (A); None after the last.

        Raises ``Tripped`` if the correction carries it outside the step's limits.
        """
        tread = next(self._treads, None)
        if tread is None:
            return None
        volts = tread + self._ohms * current
        if not inside(volts, self._window):
            raise Tripped(f"{self._name} needs {volts:.4g} V now, which lies outside the limits of its voltage")
        return volts


def _rate(name: str, plan: drives.Sweep, value: Callable[[Operand], float]) -> float:
    """Return the rate of a sweep, V/s. Raises ``Failed`` for none."""
    rate = value(plan.rate)
    if not 0.0 < rate < math.inf:
        raise Failed(f"the rate of {name} comes to {rate:g} V/s; it must be above 0")
    return rate


def _compensated(plan: drives.Sweep, value: Callable[[Operand], float]) -> float:
    """Return the resistance of the iR correction, ohm. Raises ``Failed`` for one that there cannot be."""
    ohms = 0.0 if plan.compensated is None else value(plan.compensated)
    if not 0.0 <= ohms < math.inf:
        raise Failed(f"the resistance of the iR correction is {ohms:g} ohm; it must be 0 or more")
    return ohms


def _treads(vertices: list[float], plan: drives.Sweep) -> Iterator[float]:
    """Yield the voltages after the first, one for each ``plan.step`` over its rate, V."""
    for _ in range(plan.cycles):
        for start, stop in pairwise(vertices):
            count = max(1, math.ceil(abs(stop - start) / plan.step - 1e-9))
            for n in range(1, count + 1):
                yield stop if n == count else start + math.copysign(n * plan.step, stop - start)
