"""Questions to people: the run waits, its channel safe, until somebody has answered."""

from __future__ import annotations

import math

from galvanode.engine.errors import Unanswerable
from galvanode.engine.workplace import Workplace
from galvanode.recipe.program import Ask
from galvanode.units import DIMENSIONS, format_quantity

_TOLD = ("message", "wants", "name", "dimension", "min", "max", "within_s", "line")


async def carry_out(question: Ask, workplace: Workplace) -> None:
    """Ask somebody. The run makes the channel safe before anybody waits."""
    book = workplace.book
    book.passing = None
    book.enter_step(afresh=True)
    book.open_step(0, "operator", "rest", None, workplace.clock.now())
    book.note("question", question.message, **{key: getattr(question, key) for key in _TOLD})
    workplace.question = question


def answer(workplace: Workplace, value: float | None, attachment: str | None) -> None:
    """Take the answer to the question that a run waits with. Raises ``Unanswerable``.

    ``value`` is the number asked for, in SI; ``attachment`` the name of the stored photo.
    """
    question, p, clock = workplace.question, workplace.position, workplace.clock
    if question is None:
        raise Unanswerable("the run asks nothing now")
    said = _in_words(question, value, attachment)
    if question.name is not None and value is not None:
        p.variables[question.name] = value
    waited_s = max(0.0, clock.unix() - p.unix_time_s) if p.unix_time_s else 0.0
    p.test_time_s += waited_s
    p.away_s += waited_s
    p.unix_time_s = clock.unix()
    details = {"message": question.message, "name": question.name, "value": value, "attachment": attachment}
    workplace.book.note("answered", f"{question.message}: {said}", **details)
    workplace.book.close_step(said)
    workplace.question = None
    p.in_step = False
    p.instruction += 1


def _in_words(question: Ask, value: float | None, attachment: str | None) -> str:
    """Return an answer in words. Raises ``Unanswerable`` for one that does not fit the question."""
    if question.wants == "photo":
        if attachment is None or value is not None:
            raise Unanswerable("the run asks for a photo")
        return f"photo {attachment}"
    if attachment is not None:
        raise Unanswerable(f"the run asks for a {question.wants}, not for a photo")
    if question.wants == "confirmation":
        if value is not None:
            raise Unanswerable("the run asks for a confirmation, not for a number")
        return "confirmed"
    if value is None or not math.isfinite(value):
        raise Unanswerable("the run asks for a number")
    return _number_in_words(question, value)


def _number_in_words(question: Ask, value: float) -> str:
    for bound, wrong, words in ((question.min, -1, "at least"), (question.max, 1, "at most")):
        if bound is not None and (value - bound) * wrong > 0:
            due = _shown(question, bound)
            raise Unanswerable(f"the answer is {_shown(question, value)}; expected {words} {due}")
    return _shown(question, value)


def _shown(question: Ask, value: float) -> str:
    dimension = question.dimension
    return format_quantity(value, dimension) if dimension in DIMENSIONS else f"{value:g}"
