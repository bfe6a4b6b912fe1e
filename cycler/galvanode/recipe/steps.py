"""One step of a recipe becomes the instructions that carry it out, its numbers checked against what the cell allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from galvanode.document import label
from galvanode.recipe.bodies import (
    AnyStep,
    Charge,
    ConstantCurrent,
    ConstantVoltage,
    CyclicVoltammetry,
    Discharge,
    Impedance,
    Plate,
    Rest,
    StepBody,
    Strip,
    Sweep,
    ThenHold,
)
from galvanode.recipe.context import Context
from galvanode.recipe.operands import conditions, duration, operand, places_of
from galvanode.recipe.program import Condition, Operand, Record, Step, Variable
from galvanode.recipe.scans import sweep_plan
from galvanode.recipe.spectrum import impedance_plan
from galvanode.recipe.values import C_RATE, VOLTAGES, Value
from galvanode.yaml_text import DocumentPath


def compile_step(verb: str, body: AnyStep, path: DocumentPath, context: Context, step_id: int) -> tuple[Step, ...]:
    """Return the instructions of a step; ``path`` is where its body stands. Raises ``InvalidInput``."""
    if body.safety is not None:
        context = context.with_safety(
            body.safety, (*path, "safety"), "the step's 'safety'", loosest_s=context.check_every_s
        )
    step = _Step(verb, body, path, context, step_id)
    if isinstance(body, (Sweep, CyclicVoltammetry)):
        return (_scan(step, body),)
    if isinstance(body, Impedance):
        return (_impedance(step, body),)
    if isinstance(body, StepBody) and body.record is not None:
        context = context.with_record(body.record, (*path, "record"))
        step = replace(step, context=context)
    if isinstance(body, Rest):
        return (step.made("rest", until=_until(body, path, context)),)
    if isinstance(body, ConstantVoltage):
        return (_constant_voltage(step, body),)
    if isinstance(body, Charge):
        return _charge(step, body)
    if isinstance(body, (ConstantCurrent, Plate)):
        return (step.made("current", setpoint=_current(step, body), until=_until(body, path, context)),)
    raise AssertionError(f"no way to compile a {verb}")


@dataclass(frozen=True)
class _Step:
    """A step under way: what all its instructions share."""

    verb: str
    body: AnyStep
    path: DocumentPath
    context: Context
    step_id: int

    def made(self, mode: Any, *, until: tuple[Condition, ...], **values: Any) -> Step:
        """Return the instruction."""
        record, poll_s = _looked_at(self.context)
        values.setdefault("record", record)
        values.setdefault("poll_s", poll_s)
        values.setdefault("line", self.context.document.place(self.path, key=True)[0])
        return Step(
            mode=mode,
            name=self.body.name or self.verb,
            step_id=self.step_id,
            instrument=self.body.instrument,
            until=until,
            limits=self.context.bounds.limits,
            **values,
        )


def _looked_at(context: Context) -> tuple[Record, float]:
    """Return what is recorded and the seconds between readings."""
    record, every_s = context.record, context.record.every_s
    if record == Record():  # a recipe that says nothing about records keeps every reading
        record = Record(every_s=context.check_every_s)
    return record, context.check_every_s if every_s is None else min(every_s, context.check_every_s)


def _until(body: StepBody, path: DocumentPath, context: Context, *, magnitude: bool = False) -> tuple[Condition, ...]:
    return (
        *duration(body.duration, (*path, "for"), context),
        *conditions(body.until, (*path, "until"), context, magnitude=magnitude),
    )


def _current(step: _Step, body: ConstantCurrent | Plate | Charge) -> Operand:
    key = next(key for key in ("rate", "current", "current_density") if getattr(body, key, None) is not None)
    value: Value = getattr(body, key)
    sign = -1.0 if isinstance(body, (Strip, Discharge)) else 1.0
    above_zero = not isinstance(body, ConstantCurrent)
    dimension = C_RATE if key == "rate" else key
    return operand(value, (dimension,), (*step.path, key), step.context, sign=sign, above_zero=above_zero)


def _limit(value: Value | None, path: DocumentPath, context: Context) -> Operand | None:
    if value is None:
        return None
    return operand(value, ("current",), (*path, "current_limit"), context, above_zero=True)


def _constant_voltage(step: _Step, body: ConstantVoltage) -> Step:
    path, context = step.path, step.context
    return step.made(
        "voltage",
        setpoint=operand(body.voltage, VOLTAGES, (*path, "voltage"), context),
        current_limit=_limit(body.current_limit, path, context),
        until=_until(body, path, context),
    )


def _charge(step: _Step, body: Charge) -> tuple[Step, ...]:
    """Return a charge or discharge, and the hold at the voltage that ended it."""
    path, context = step.path, step.context
    due = "<=" if isinstance(body, Discharge) else ">="
    for until, at in zip(body.until, places_of(body.until, (*path, "until"), context), strict=True):
        if until.name == "voltage" and until.comparison != due:
            way = "falls" if due == "<=" else "rises"
            said = (
                f"is 'voltage {until.symbol} {until.value.text}'; expected '{due}': the voltage {way} in a {step.verb}"
            )
            raise context.error(at, f"{label(at)} {said}")
    current = _current(step, body)
    until = _until(body, path, context, magnitude=True)
    driven = step.made("current", setpoint=current, until=until)
    if body.then_hold is None:
        return (driven,)
    return driven, _hold(step, body.then_hold, until[0].value, current)


def _hold(step: _Step, hold: ThenHold, voltage: Operand, current: Operand) -> Step:
    """Return the hold: never more current than the phase before it."""
    at = (*step.path, "then_hold")
    until = (
        *duration(hold.duration, (*at, "for"), step.context),
        *conditions(hold.until, (*at, "until"), step.context, magnitude=True),
    )
    limit = Variable(name=current.name, factor=abs(current.factor)) if isinstance(current, Variable) else abs(current)
    line = step.context.document.place(at, key=True)[0]
    return step.made("voltage", setpoint=voltage, current_limit=limit, until=until, line=line)


def _scan(step: _Step, body: Sweep | CyclicVoltammetry) -> Step:
    path, context = step.path, step.context
    plan = sweep_plan(body, path, context)
    point_s = plan.step / plan.rate
    return step.made(
        "sweep",
        sweep=plan,
        current_limit=_limit(body.current_limit, path, context),
        until=conditions(body.until, (*path, "until"), context),
        record=Record(every_s=point_s),
        poll_s=min(point_s, context.check_every_s),
    )


def _impedance(step: _Step, body: Impedance) -> Step:
    plan = impedance_plan(body, step.path, step.context)
    every_s = step.context.check_every_s
    return step.made("impedance", impedance=plan, until=(), record=Record(every_s=every_s), poll_s=every_s)
