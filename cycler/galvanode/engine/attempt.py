"""An attempt of a step: how it begins, and what follows from its end."""

from __future__ import annotations

from galvanode.engine.ends import Verdict
from galvanode.engine.errors import Tripped
from galvanode.engine.stopping import Block
from galvanode.engine.watch import Watch
from galvanode.engine.wiring import Carrier
from galvanode.engine.workplace import Workplace
from galvanode.recipe.program import Action, Step


def begin(
    step: Step,
    carrier: Carrier,
    workplace: Workplace,
    *,
    setpoint: float | None = None,
    held: float | None = None,
    record_all: bool = False,
) -> Watch:
    """Write down that a step begins, or goes on, now; return what watches its readings.

    ``held`` is the current that must flow, A; ``record_all`` makes a sample of each reading.
    """
    began = workplace.clock.now()
    workplace.book.count_what_passed(began)
    capabilities = workplace.wiring.instrument(carrier).capabilities
    loops, endings = workplace.position.loops, workplace.walk.endings
    watch = Watch(
        step,
        workplace.book,
        held=held,
        blocks=[Block(loop_id, loops[loop_id], found) for loop_id, found in endings.items() if found],
        value=workplace.walk.value,
        current_floor=capabilities.current_floor,
        began=began,
        record_all=record_all,
        carried=capabilities.auxiliaries,
    )
    workplace.book.open_step(step.step_id, step.name, step.drive.kind, setpoint, began)
    return watch


def end(watch: Watch, workplace: Workplace, reason: str, asked: str | None = None) -> None:
    """Write down why a step ended and move the position on, or leave it where it stands if that was ``asked``.

    Raises ``Tripped`` for a fault, ``Failed`` where the recipe says so.
    """
    if watch.fault is not None:
        raise Tripped(watch.fault)
    workplace.book.passing = watch.passing
    workplace.book.close_step(reason)
    if watch.verdict is None and reason is asked:
        return
    p = workplace.position
    p.in_step = False
    p.last_step = watch.keep(workplace.temperature())
    if watch.left_block is not None:
        workplace.book.note("detected", reason, loop=watch.left_block)
    workplace.walk.act(watch.verdict or Verdict(Action(), reason), watch.left_block)
