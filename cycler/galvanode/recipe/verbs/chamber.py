"""``chamber``: the chamber's temperature, and waiting until it is stable."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field
from pydantic import model_validator as validator

from galvanode.document import label, place_of
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.compiling.place import Place
from galvanode.recipe.language.values import Interval, Temperature, TemperatureChange, read_constant
from galvanode.recipe.program import SetChamber, Soak
from galvanode.recipe.verbs.step import Verb
from galvanode.yaml_text import DocumentPath


class Chamber(Verb):
    """Set the chamber's temperature, and wait until it is stable if wanted."""

    word: ClassVar[str] = "chamber"
    elsewhere: ClassVar[tuple[str, ...]] = ("temperature",)

    temperature: Temperature = Field(alias="set")
    until: Literal["stable"] | None = Field(None, description="Wait until it is.")
    band: TemperatureChange = Field(
        default_factory=lambda: read_constant("0.5 K", "temperature"),
        description="To either side, in K; '0.5 K' if nothing is said.",
    )
    duration: Interval = Field(
        default_factory=lambda: read_constant("30 min", "time"),
        alias="for",
        description="How long without a break inside the band; '30 min' if nothing is said.",
    )
    within: Interval = Field(
        default_factory=lambda: read_constant("4 h", "time"),
        description="The run fails if it is not stable by then; '4 h' if nothing is said.",
    )

    @classmethod
    def rules(cls) -> list[dict[str, Any]]:
        """Return what its JSON Schema demands: what is about waiting only beside it."""
        return [{"dependentRequired": {key: ["until"] for key in ("band", "for", "within")}}]

    @validator(mode="after")
    def _waits(self) -> Self:
        given = [
            key
            for key, field in (("band", "band"), ("for", "duration"), ("within", "within"))
            if field in self.model_fields_set
        ]
        if self.until is None and given:
            said = f"'{given[0]}' is about a stable temperature; add 'until: stable' or leave it out"
            raise place_of((given[0],), said, key=True)
        return self

    def instructions(self, place: Place) -> tuple[SetChamber, ...]:
        """Return the setting. Raises ``InvalidInput``."""
        temperature = operand(self.temperature, ("temperature",), (*place.path, "set"), place.context)
        soak = None if self.until is None else _soak(self, place.path, place.context)
        return (SetChamber(temperature=temperature, soak=soak, line=place.line),)


def _soak(body: Chamber, path: DocumentPath, context: Context) -> Soak:
    band = context.difference(body.band, (*path, "band"))
    dwell, within = (*path, "for"), (*path, "within")
    dwell_s, within_s = context.interval(body.duration, dwell), context.interval(body.within, within)
    if within_s < dwell_s:
        said = f"{label(within)} is '{context.text(body.within)}', less than the {context.text(body.duration)} of 'for'"
        raise context.error(within, f"{said}; expected more, or the chamber can never be in time")
    return Soak(band=band, dwell=dwell_s, timeout=within_s)
