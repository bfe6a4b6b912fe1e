"""Questions that a run asks its operator and the answers that fit them, for the page, the API and the terminal."""

from __future__ import annotations

from galvanode.errors import InvalidInput, Refused
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, expected_words, read_constant
from galvanode.service.models import AnswerRequest, Question
from galvanode.store.read import Store, StoredEvent
from galvanode.store.records import RunRecord
from galvanode.units import DIMENSIONS, format_quantity

WAITING = "waiting"
"""State of a run that has asked and goes on when it is answered."""

_QUESTION, _ANSWERED = "question", "answered"
"""Kinds of the events that a run records when it asks and when it was answered."""

_ASKED_FOR = {
    "confirmation": "a confirmation",
    "number": "a number",
    "photo": "a photo",
}


def open_question(store: Store, run: RunRecord) -> Question | None:
    """Return what a run waits for, None if it waits for nobody: the newest question, unless it has been answered."""
    if run.state != WAITING:
        return None
    event, answered = store.last_event(run.id, _QUESTION), store.last_event(run.id, _ANSWERED)
    if event is None or event.details.get("wants") not in _ASKED_FOR:
        return None  # of a newer engine
    # An answer is committed at once, the state that follows from it a moment later.
    return None if answered is not None and answered.id > event.id else _question(event)


def _question(event: StoredEvent) -> Question:
    asked = event.details
    low, high = asked.get("min"), asked.get("max")
    dimension: str | None = (asked.get("dimension") or NUMBER) if asked["wants"] == "number" else None
    return Question(
        id=event.id,
        message=asked.get("message") or event.message,
        wants=asked["wants"],
        name=asked.get("name"),
        line=asked.get("line"),
        dimension=dimension,
        min=low,
        max=high,
        range=None if dimension is None else range_text(dimension, low, high),
        expected=None if dimension is None else expected_words(dimension),
        units=list(DIMENSIONS[dimension].shown) if dimension in DIMENSIONS else [],
        unit=None if dimension is None else _likely_unit(dimension, low, high),
        asked_unix_s=event.unix_time_s,
        within_s=asked.get("within_s"),
    )


def number_of(text: str, dimension: str, low: float | None, high: float | None) -> float:
    """Return an answer in SI; ``dimension`` as in the recipe, ``low`` and ``high`` its bounds, which count as inside.

    Raises ``ValueError`` like ``galvanode.units.parse_quantity``.
    """
    value = read_constant(text.strip(), dimension).si
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"is '{text.strip()}'; expected {range_text(dimension, low, high)}")
    return value


def value_of(question: Question, answer: AnswerRequest) -> float | None:
    """Return what the engine is told: the number in SI, None for a confirmation.

    Raises ``InvalidInput`` for an answer that does not fit, ``Refused`` for one to an earlier question.
    """
    refuse_other(question, answer.question)
    if (answer.confirmed is None) == (answer.number is None):
        raise InvalidInput('expected either {"confirmed": true} or {"number": "12.3 mg"}', source="answer")
    given = "confirmation" if answer.number is None else "number"
    if given != question.wants:
        raise InvalidInput(
            f"the run asks for {_asked_for(question)}, not for {_ASKED_FOR[given]}: {question.message}", source="answer"
        )
    if answer.number is None:
        return None
    try:
        return number_of(answer.number, question.dimension or NUMBER, question.min, question.max)
    except ValueError as error:
        raise InvalidInput(f"the answer {error}", source=question.name or "answer") from None


def refuse_other(question: Question, meant: int | None) -> None:
    """Raise ``Refused`` if the answer is meant for another question than the one that is open."""
    if meant is not None and meant != question.id:
        raise Refused(f"that question has been answered; the run now asks: {question.message}")


def refuse_other_than_photo(question: Question) -> None:
    """Raise ``InvalidInput`` if the run does not ask for a photo."""
    if question.wants != "photo":
        raise InvalidInput(f"the run asks for {_asked_for(question)}, not for a photo: {question.message}")


def _asked_for(question: Question) -> str:
    return question.expected or _ASKED_FOR[question.wants]


def range_text(dimension: str, low: float | None, high: float | None) -> str | None:
    """Return the bounds for people: ``1 mg to 20 mg``; None where there are none."""
    if low is not None and high is not None:
        return f"{shown(low, dimension)} to {shown(high, dimension)}"
    if low is not None:
        return f"{shown(low, dimension)} or more"
    return None if high is None else f"{shown(high, dimension)} or less"


def shown(value: float, dimension: str) -> str:
    """Return an SI value for people, also where it is no physical quantity."""
    if dimension == NUMBER:
        return f"{value:.9g}"
    if dimension == C_RATE:
        return f"{value:.9g}C"
    if dimension == POTENTIAL:
        return f"{format_quantity(value, 'voltage')} vs Li+/Li"
    return format_quantity(value, dimension)


def _likely_unit(dimension: str, low: float | None, high: float | None) -> str | None:
    """Return the unit of the bounds, or of the usual example: what the form offers first."""
    if dimension not in DIMENSIONS:
        return None
    bound = high if high is not None and high != 0 else low
    text = DIMENSIONS[dimension].example if bound is None or bound == 0 else format_quantity(bound, dimension)
    return text.partition(" ")[2]
