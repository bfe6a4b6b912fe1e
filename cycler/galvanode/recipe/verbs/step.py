"""What all verbs have in common, and what a step of an instrument has beside its drive."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field
from pydantic import model_validator as validator

from galvanode.document import Section, place_of
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.operands import duration, ends, operand
from galvanode.recipe.compiling.place import Place
from galvanode.recipe.drives import AnyDrive
from galvanode.recipe.language.condition import Untils
from galvanode.recipe.language.sections import Label, RecordWhen, Safety
from galvanode.recipe.language.values import Time, Value
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import End, Instruction, Record, Step
from galvanode.yaml_text import DocumentPath

HOST_POLL_S = 1.0
"""The longest time between readings where the host regulates: what it holds is as old as the last one."""


class Verb(Section):
    """One kind of step: what may stand under its word, and the instructions that it becomes.

    The docstring of a verb is what an editor shows for it.
    """

    word: ClassVar[str]
    """As a recipe says it."""
    elsewhere: ClassVar[tuple[str, ...]] = ()
    """What other programs call it: whoever writes that is told the word."""

    @abstractmethod
    def instructions(self, place: Place) -> Sequence[Instruction]:
        """Return what carries it out. Raises ``InvalidInput`` with its place."""

    def sets(self) -> tuple[str, ...]:
        """Return the variables that it gives a value."""
        return ()

    def files(self) -> tuple[str, ...]:
        """Return the names of the files beside the recipe that it reads."""
        return ()


class StepVerb(Verb):
    """A step that an instrument carries out."""

    name: Label | None = Field(None, description="What the step is called in the run's tables.")
    instrument: Literal["cycler", "analyzer"] | None = Field(
        None, description="Which of the channel's instruments carries it out; any that can, if nothing is said."
    )
    safety: Safety | None = Field(None, description="Tighter limits for this step.")

    def instructions(self, place: Place) -> tuple[Step, ...]:
        """Return the steps of the program: one, or one for each phase, of the same number."""
        return self.steps(UnderWay(self, place.path, self._inside(place), place.number()))

    @abstractmethod
    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the steps of the program. Raises ``InvalidInput``."""

    def _inside(self, place: Place) -> Context:
        """Return the context inside the step: under its own limits."""
        if self.safety is None:
            return place.context
        outer_s = place.context.check_every_s
        return place.context.with_safety(self.safety, (*place.path, "safety"), "the step's 'safety'", loosest_s=outer_s)


class RecordedStep(StepVerb):
    """A step that may say what it records."""

    record: RecordWhen | None = Field(None, description="What this step records; what it does not mention stays.")

    def _inside(self, place: Place) -> Context:
        context = super()._inside(place)
        return context if self.record is None else context.with_record(self.record, (*place.path, "record"))


class EndedStep(RecordedStep):
    """A step that ends by time or by a condition."""

    duration: Time | None = Field(None, alias="for", description="How long at most.")
    until: Untils = ()

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: an end."""
        return [*super().rules(), {"anyOf": [{"required": ["for"]}, {"required": ["until"]}]}]

    @validator(mode="after")
    def _can_end(self) -> Self:
        if self.duration is None and not self.until:
            said = "the step cannot end; expected 'for: 10 min' or 'until: voltage >= 4.2 V' in it, or both"
            raise place_of((), said)
        return self

    def ends(self, step: UnderWay, *, magnitude: bool = False) -> tuple[End, ...]:
        """Return what ends it; with ``magnitude`` a current counts without its sign. Raises ``InvalidInput``."""
        path, context = step.path, step.context
        return (
            *duration(self.duration, (*path, "for"), context),
            *ends(self.until, (*path, "until"), context, magnitude=magnitude),
        )


@dataclass(frozen=True)
class UnderWay:
    """A step as it is compiled: what all its phases share."""

    verb: StepVerb
    path: DocumentPath
    context: Context
    step_id: int

    def made(self, drive: AnyDrive, *, until: tuple[End, ...], **values: Any) -> Step:
        """Return one step of the program."""
        record, poll_s = _looked_at(self.context)
        hosted = drive.by_host_only
        values.setdefault("record", record)
        values.setdefault("poll_s", min(poll_s, HOST_POLL_S) if hosted else poll_s)
        values.setdefault("line", self.context.document.place(self.path, key=True)[0])
        return Step(
            drive=drive,
            name=self.verb.name or self.verb.word,
            step_id=self.step_id,
            instrument=self.verb.instrument,
            until=until,
            limits=self.context.bounds.limits,
            **values,
        )

    def current_limit(self, value: Value | None) -> Operand | None:
        """Return what ``current_limit`` says; None where it says nothing. Raises ``InvalidInput``."""
        if value is None:
            return None
        return operand(value, ("current",), (*self.path, "current_limit"), self.context, above_zero=True)


def _looked_at(context: Context) -> tuple[Record, float]:
    """Return what is recorded and the seconds between readings."""
    record, every_s = context.record, context.record.every_s
    reasons = (every_s, record.voltage_change, record.current_change, record.charge_change)
    if reasons == (None, None, None, None):
        # A recipe that says nothing about records, but perhaps for a burst, keeps every reading.
        record = record.model_copy(update={"every_s": context.check_every_s})
    return record, context.check_every_s if every_s is None else min(every_s, context.check_every_s)
