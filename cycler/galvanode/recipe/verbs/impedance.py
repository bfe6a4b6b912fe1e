"""``impedance``: a spectrum from a high frequency to a low one."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from galvanode.document import label
from galvanode.recipe import drives
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.limits import lies_in, numbers_of, window_text
from galvanode.recipe.compiling.operands import operand
from galvanode.recipe.language.values import (
    A_COUNT,
    VOLTAGES,
    Amplitude,
    Bias,
    Count,
    Frequency,
    Value,
    count_up_to,
    read_constant,
)
from galvanode.recipe.operand import Operand
from galvanode.recipe.program import Record, Step
from galvanode.recipe.verbs.step import StepVerb, UnderWay
from galvanode.units import Quantity, expected
from galvanode.yaml_text import DocumentPath

MAX_PER_DECADE = 100
"""Points of an impedance."""
MAX_AVERAGES = 100
"""Times that one spectrum is measured."""
_SLOWEST_HZ, _FASTEST_HZ = 1e-6, 1e8
_MOST_VOLTS = 0.1
"""V rms. Beyond it no cell answers linearly, and a slip of the unit is more likely than the wish."""
_DEFAULT_AMPLITUDE = "10 mV"
_CURRENT = "a current above 0, such as '10 µA'"


class Impedance(StepVerb):
    """A spectrum from a high frequency to a low one."""

    word: ClassVar[str] = "impedance"
    elsewhere: ClassVar[tuple[str, ...]] = ("eis", "peis", "geis")

    kind: Literal["potentiostatic", "galvanostatic"] = "potentiostatic"
    start: Frequency = Field(alias="from", description="The highest.")
    to: Frequency = Field(description="The lowest.")
    points_per_decade: Annotated[Count, count_up_to(MAX_PER_DECADE), A_COUNT] = Field(
        10, description="10 if nothing is said; 100 at most."
    )
    amplitude: Amplitude | None = Field(
        None, description="rms; '10 mV' if nothing is said, a current if galvanostatic."
    )
    bias: Bias = Field(None, description="Open circuit if nothing is said.")
    averages: Annotated[Count, count_up_to(MAX_AVERAGES), A_COUNT] = Field(
        1, description="How often the whole spectrum is measured; 100 at most."
    )

    def steps(self, step: UnderWay) -> tuple[Step, ...]:
        """Return the step that measures the spectrum."""
        plan = _plan(self, step.path, step.context)
        every_s = step.context.check_every_s
        return (step.made(plan, until=(), record=Record(every_s=every_s), poll_s=every_s),)


def _plan(body: Impedance, path: DocumentPath, context: Context) -> drives.Impedance:
    """Return what is measured, amplitude and bias together inside the limits. Raises ``InvalidInput``."""
    first = _frequency(body.start, (*path, "from"), context)
    last = _frequency(body.to, (*path, "to"), context)
    if first.exact <= last.exact:
        at = (*path, "to")
        raise context.error(at, f"{label(at)} is '{last.text}'; expected a frequency below 'from' ({first.text})")
    amplitude = _amplitude(body, path, context)
    return drives.Impedance(
        control=body.kind,
        frequency_max=first.si,
        frequency_min=last.si,
        points_per_decade=context.whole(body.points_per_decade, MAX_PER_DECADE, (*path, "points_per_decade")),
        amplitude=amplitude.si,
        averages=context.whole(body.averages, MAX_AVERAGES, (*path, "averages")),
        bias=_bias(body, amplitude, path, context),
    )


def _frequency(value: Value, path: DocumentPath, context: Context) -> Quantity:
    quantity = context.above_zero(value, "frequency", path)
    if not _SLOWEST_HZ <= quantity.si <= _FASTEST_HZ:
        said = f"{label(path)} is '{quantity.text}'; expected a frequency from 1 µHz to 100 MHz"
        raise context.error(path, said)
    return quantity


def _amplitude(body: Impedance, path: DocumentPath, context: Context) -> Quantity:
    at = (*path, "amplitude")
    if body.amplitude is None:
        if body.kind == "galvanostatic":
            raise context.error(path, f"'amplitude' is missing in a galvanostatic impedance; expected {_CURRENT}")
        return read_constant(_DEFAULT_AMPLITUDE, "voltage")
    quantity = context.fixed(body.amplitude, None, at)
    if quantity.dimension != _driven(body.kind) or quantity.exact <= 0:
        due = "a voltage above 0, such as '10 mV'" if body.kind == "potentiostatic" else _CURRENT
        said = f"{label(at)} is '{context.text(body.amplitude)}'; expected {due}, for a {body.kind} impedance"
        raise context.error(at, said)
    if body.kind == "potentiostatic" and quantity.si > _MOST_VOLTS:
        said = f"{label(at)} is '{quantity.text}'; expected at most 100 mV, for the answer to be linear"
        raise context.error(at, said)
    return quantity


def _bias(
    body: Impedance, amplitude: Quantity, path: DocumentPath, context: Context
) -> Operand | Literal["open_circuit"]:
    """Return the bias, with the peaks of the amplitude inside the limits."""
    driven = _driven(body.kind)
    if body.bias is None:
        if driven == "current":  # about 0 A; about the rest voltage the peaks cannot be told beforehand
            _peaks(0.0, amplitude, driven, (*path, "amplitude"), context)
        return "open_circuit"
    at = (*path, "bias")
    if isinstance(body.bias, Quantity) and body.bias.dimension not in (
        VOLTAGES if driven == "voltage" else ("current",)
    ):
        said = f"{label(at)} is '{body.bias.text}'; expected {expected(driven)} for a {body.kind} impedance"
        raise context.error(at, said)
    dimensions = VOLTAGES if driven == "voltage" else ("current",)
    bias = operand(body.bias, dimensions, at, context, open_circuit=True)
    for value in numbers_of(body.bias, context.scope, *dimensions):
        _peaks(value, amplitude, driven, at, context)
    return bias


def _driven(kind: str) -> Literal["voltage", "current"]:
    return "voltage" if kind == "potentiostatic" else "current"


def _peaks(
    bias: float, amplitude: Quantity, driven: Literal["voltage", "current"], path: DocumentPath, context: Context
) -> None:
    """Raise ``InvalidInput`` where a peak of the sine, rms times the root of 2, passes a limit."""
    peak = amplitude.si * math.sqrt(2)
    for bounds in (context.cell, context.bounds):
        window = getattr(bounds.limits, driven)
        if not (lies_in(window, bias - peak) and lies_in(window, bias + peak)):
            allowed = window_text(window, driven, context.terminals.area)
            said = f"with peaks of '{amplitude.text}' rms passes {bounds.origin} ({allowed})"
            raise context.error(path, f"{label(path)} {said}")
