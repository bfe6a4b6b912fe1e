"""Ways of carrying an instruction out, one module each.

A carrier is one function: it carries out one instruction on a run's workplace, until that has ended or something is
asked of the run, and leaves the position where the run goes on. Adding a way is a module and a line in a table here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from galvanode.engine.carriers import chamber, driven, operator, polled, scripted, staircase
from galvanode.engine.wiring import Carrier
from galvanode.engine.workplace import Workplace
from galvanode.errors import GalvanodeError
from galvanode.recipe import drives
from galvanode.recipe.program import Ask, SetChamber, Step

Carry = Callable[[Any, Workplace], Awaitable[None]]

_OF_STEPS: Mapping[tuple[Carrier, type[drives.Drive]], Carry] = {
    **{("cycler", drive): polled.carry_out for drive in polled.DRIVES},
    **{("cycler", drive): driven.carry_out for drive in driven.DRIVES},
    ("cycler", drives.Sweep): staircase.carry_out,
    **{("analyzer", drive): scripted.carry_out for drive in scripted.DRIVES},
}
_OF_OTHERS: Mapping[type, Carry] = {SetChamber: chamber.carry_out, Ask: operator.carry_out}


class NoCarrier(GalvanodeError):
    """Nothing here knows how to carry an instruction out: a defect, never something to guess at."""


def carrier_of(instruction: Step | SetChamber | Ask, workplace: Workplace) -> Carry:
    """Return what carries an instruction out on the instruments of a run.

    Raises ``NoCarrier`` for one that nothing here knows, ``NotWired`` where the instrument for it is missing.
    """
    if not isinstance(instruction, Step):
        found = _OF_OTHERS.get(type(instruction))
        if found is None:
            raise NoCarrier(f"the engine has no carrier for an instruction {instruction.kind!r}")
        return found
    by = workplace.wiring.carrier(instruction)
    found = _OF_STEPS.get((by, type(instruction.drive)))
    if found is None:
        place = f"step {instruction.name!r} in line {instruction.line} of the recipe"
        raise NoCarrier(f"the engine has no carrier for {place}: {instruction.drive.kind!r} by the {by}")
    return found
