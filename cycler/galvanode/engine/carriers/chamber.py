"""A set temperature: the chamber is sent there while the cell rests, disconnected."""

from __future__ import annotations

from galvanode.engine.ends import TIME_TOLERANCE_S
from galvanode.engine.errors import Tripped
from galvanode.engine.wiring import ChamberControl, NotWired
from galvanode.engine.workplace import Workplace
from galvanode.recipe.program import SetChamber, Soak

_POLL_S = 10.0
_ZERO_CELSIUS = 273.15


async def carry_out(instruction: SetChamber, workplace: Workplace) -> None:
    """Send the chamber to a temperature and, where the recipe asks for it, wait until that is stable."""
    chamber, clock, book = workplace.wiring.chamber, workplace.clock, workplace.book
    if chamber is None:
        raise NotWired("the channel has no chamber")
    await workplace.wiring.make_safe()
    book.passing = None
    kelvin = workplace.walk.value(instruction.temperature)
    book.enter_step(afresh=True)
    began = clock.now()
    book.open_step(0, "chamber", "rest", None, began)
    await chamber.set_temperature(kelvin)
    p = workplace.position
    p.test_time_s = clock.now() - book.origin
    said = "set"
    if instruction.soak is not None:
        asked = await _soak(chamber, kelvin, instruction.soak, began, workplace)
        if asked is not None:
            book.close_step(asked)
            return
        said = f"stable at {kelvin - _ZERO_CELSIUS:.1f} degC"
    book.close_step(said)
    p.in_step = False
    p.instruction += 1


async def _soak(chamber: ChamberControl, kelvin: float, soak: Soak, began: float, workplace: Workplace) -> str | None:
    """Wait until the temperature is stable; return what was asked of the run if that came first.

    Raises ``Tripped`` if it takes longer than the recipe allows.
    """
    clock, book, p = workplace.clock, workplace.book, workplace.position
    stable_since: float | None = None
    while True:
        reading = await chamber.read()
        now = clock.now()
        p.step_time_s, p.test_time_s, p.unix_time_s = now - began, now - book.origin, clock.unix()
        if reading is None or abs(reading.temperature - kelvin) > soak.band:
            stable_since = None
        elif stable_since is None:
            stable_since = now
        if stable_since is not None and now - stable_since >= soak.dwell - TIME_TOLERANCE_S:
            return None
        if now - began > soak.timeout:
            celsius = kelvin - _ZERO_CELSIUS
            raise Tripped(f"the chamber was not stable at {celsius:.1f} degC within {soak.timeout:.0f} s")
        if (asked := workplace.summons.why) is not None:
            return asked
        await workplace.summons.sleep(now + _POLL_S)
