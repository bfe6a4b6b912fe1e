"""Steps that an instrument runs by itself: handed to the analyzer, then followed until they have ended there."""

from __future__ import annotations

from galvanode.engine import attempt
from galvanode.engine.assignments import assignment_of
from galvanode.engine.following import follow
from galvanode.engine.plans import current_limit, setpoint_of
from galvanode.engine.workplace import Workplace
from galvanode.recipe import drives
from galvanode.recipe.operand import OPEN_CIRCUIT
from galvanode.recipe.program import Step

DRIVES = (drives.Rest, drives.Current, drives.Voltage, drives.Sweep, drives.Impedance)


async def carry_out(step: Step, workplace: Workplace) -> None:
    """Carry out a step on the analyzer.

    It cannot be taken up in its middle: it is repeated, and both attempts are marked.
    """
    await workplace.connect(step, "analyzer", goes_on=False)
    analyzer, value = workplace.wiring.the_analyzer, workplace.walk.value
    setpoint, limit = setpoint_of(step, value), current_limit(step, value, workplace.envelope)
    assignment = assignment_of(step, value, limit, workplace.position.variables.get(OPEN_CIRCUIT))
    workplace.book.enter_step(afresh=True)
    await workplace.send(analyzer, lambda: analyzer.start(assignment.task, assignment.cutoffs))
    held = setpoint if isinstance(step.drive, drives.Current) else None
    watch = attempt.begin(step, "analyzer", workplace, setpoint=setpoint, held=held, record_all=True)
    ended = await follow(watch, assignment, workplace)
    attempt.end(watch, workplace, ended.reason, ended.asked)
    workplace.book.passing = None  # the cell is off at the end of a task
