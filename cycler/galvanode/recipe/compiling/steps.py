"""One step of a recipe becomes the instructions that carry it out, its numbers checked against what the cell allows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from galvanode.document import found as shown
from galvanode.document import label
from galvanode.recipe.compiling.context import Context
from galvanode.recipe.compiling.limits import numbers_of
from galvanode.recipe.compiling.operands import duration, ends, operand, places_of
from galvanode.recipe.compiling.profile import profile_plan
from galvanode.recipe.compiling.scans import sweep_plan
from galvanode.recipe.compiling.spectrum import impedance_plan
from galvanode.recipe.language.bodies import (
    DRIVES,
    AnyStep,
    Charge,
    ConstantCurrent,
    ConstantPower,
    ConstantResistance,
    ConstantVoltage,
    CyclicVoltammetry,
    Discharge,
    Impedance,
    Plate,
    Profile,
    Rest,
    StepBody,
    Strip,
    Sweep,
    ThenHold,
)
from galvanode.recipe.language.values import C_RATE, VOLTAGES, Value
from galvanode.recipe.program import Condition, End, Formula, Operand, Record, Step, Variable
from galvanode.units import format_quantity
from galvanode.yaml_text import DocumentPath

HOST_POLL_S = 1.0
"""The longest time between readings where the host regulates: what it holds is as old as the last one."""

_Sign = Literal[-1, 0, 1]


def compile_step(verb: str, body: AnyStep, path: DocumentPath, context: Context, step_id: int) -> tuple[Step, ...]:
    """Return the instructions of a step; ``path`` is where its body stands. Raises ``InvalidInput``."""
    if body.safety is not None:
        context = context.with_safety(
            body.safety, (*path, "safety"), "the step's 'safety'", loosest_s=context.check_every_s
        )
    if isinstance(body, (StepBody, Profile)) and body.record is not None:
        context = context.with_record(body.record, (*path, "record"))
    step = _Step(verb, body, path, context, step_id)
    match body:
        case Sweep() | CyclicVoltammetry():
            return (_scan(step, body),)
        case Impedance():
            return (_impedance(step, body),)
        case Profile():
            return (_profile(step, body),)
        case Rest():
            return (step.made("rest", until=_until(body, path, context)),)
        case ConstantVoltage():
            return (_constant_voltage(step, body),)
        case Charge():
            return _charge(step, body)
        case ConstantCurrent() | Plate() | ConstantPower() | ConstantResistance():
            return (_drive(step, body).made(until=_until(body, path, context)),)
        case _:
            raise AssertionError(f"no way to compile a {verb}")


@dataclass(frozen=True)
class _Step:
    """A step under way: what all its instructions share."""

    verb: str
    body: AnyStep
    path: DocumentPath
    context: Context
    step_id: int

    def made(self, mode: Any, *, until: tuple[End, ...], hosted: bool = False, **values: Any) -> Step:
        """Return the instruction; ``hosted`` where the host may have to regulate."""
        record, poll_s = _looked_at(self.context)
        values.setdefault("record", record)
        values.setdefault("poll_s", min(poll_s, HOST_POLL_S) if hosted else poll_s)
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
    reasons = (every_s, record.voltage_change, record.current_change, record.charge_change)
    if reasons == (None, None, None, None):
        # A recipe that says nothing about records, but perhaps for a burst, keeps every reading.
        record = record.model_copy(update={"every_s": context.check_every_s})
    return record, context.check_every_s if every_s is None else min(every_s, context.check_every_s)


def _until(body: StepBody, path: DocumentPath, context: Context, *, magnitude: bool = False) -> tuple[End, ...]:
    return (
        *duration(body.duration, (*path, "for"), context),
        *ends(body.until, (*path, "until"), context, magnitude=magnitude),
    )


# --- a current, a power, a load --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Drive:
    """What drives the cell in a step."""

    step: _Step
    mode: Literal["current", "power", "resistance"]
    setpoint: Operand
    sign: _Sign

    def made(self, until: tuple[End, ...]) -> Step:
        """Return the instruction."""
        hosted = self.mode != "current"
        return self.step.made(self.mode, until=until, hosted=hosted, setpoint=self.setpoint, sign=self.sign)


def _drive(step: _Step, body: AnyStep) -> _Drive:
    """Return what the step says that drives it, with its sign, possible on this cell. Raises ``InvalidInput``."""
    key = next(key for key in DRIVES if getattr(body, key, None) is not None)
    value: Value = getattr(body, key)
    path, context = (*step.path, key), step.context
    if key == "resistance":
        setpoint = operand(value, ("resistance",), path, context, above_zero=True)
        _possible(key, value, path, context)
        return _Drive(step, "resistance", setpoint, 1)
    sign: _Sign = -1 if isinstance(body, (Strip, Discharge)) else 1
    signed = isinstance(body, (ConstantCurrent, ConstantPower))
    dimension = C_RATE if key == "rate" else key
    setpoint = operand(value, (dimension,), path, context, sign=float(sign), above_zero=not signed)
    if key == "power":
        _possible(key, value, path, context)
    return _Drive(step, "power" if key == "power" else "current", setpoint, 0 if signed else sign)


def _possible(key: Literal["power", "resistance"], value: Value, path: DocumentPath, context: Context) -> None:
    """Raise ``InvalidInput`` for what no voltage and current inside the limits make; the engine sees to the rest."""
    numbers = [abs(number) for number in numbers_of(value, context.scope, key)]
    for bounds in (context.cell, context.bounds):
        voltage, current = bounds.limits.voltage, bounds.limits.current
        if voltage.min is None or voltage.max is None or current.min is None or current.max is None:
            continue
        said = None
        if key == "power":
            volts, amps = max(-voltage.min, voltage.max), max(-current.min, current.max)
            if max(numbers, default=0.0) > volts * amps * _ROUNDING:
                reach = f"{format_quantity(volts, 'voltage')} x {format_quantity(amps, 'current')}"
                said = f"expected at most {format_quantity(volts * amps, 'power')}, which is {reach} of"
        elif voltage.min > 0:
            drawn = voltage.min / min(numbers, default=math.inf)
            if drawn > -current.min * _ROUNDING:
                allowed = format_quantity(-current.min, "current")
                said = f"expected one that draws {allowed} or less, not {format_quantity(drawn, 'current')}, at the"
                said += " lowest voltage of"
        if said is not None:
            raise context.error(path, f"{label(path)} is '{context.text(value)}'; {said} {bounds.origin}")


_ROUNDING = 1 + 1e-9


# --- charge and discharge --------------------------------------------------------------------------------------


def _charge(step: _Step, body: Charge) -> tuple[Step, ...]:
    """Return a charge or discharge, and the hold at the voltage that ended it."""
    path, context = step.path, step.context
    comes = ends(body.until, (*path, "until"), context, magnitude=True)
    due = "<=" if isinstance(body, Discharge) else ">="
    for end, at in zip(comes, places_of(body.until, (*path, "until"), context), strict=True):
        condition = _voltage_of(end)
        if condition is not None and end.then.do == "next" and condition.comparison != due:
            place = (*at, "when") if isinstance(context.document.at(at), dict) else at
            way = "falls" if due == "<=" else "rises"
            said = f"is {shown(context.document.at(place))}; expected '{due}': the voltage {way} in a {step.verb}"
            raise context.error(place, f"{label(at)} {said}")
    drive = _drive(step, body)
    driven = drive.made((*duration(body.duration, (*path, "for"), context), *comes))
    if body.then_hold is None:
        return (driven,)
    # The hold comes next: so it must, whatever else may lead elsewhere, only after the voltage was reached.
    leading = [end for end in driven.until if "next" in (end.then.do, end.otherwise.do)]
    held = _voltage_of(leading[0]) if len(leading) == 1 and leading[0].otherwise.do != "next" else None
    if held is None:
        said = (
            "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it"
        )
        raise context.error((*path, "then_hold"), said, key=True)
    return driven, _hold(drive, body.then_hold, held)


def _voltage_of(end: End) -> Condition | None:
    """Return the voltage, with its sign, that alone makes an end; None for any other end."""
    test = end.test
    return test if isinstance(test, Condition) and test.quantity == "voltage" and not test.magnitude else None


def _hold(drive: _Drive, hold: ThenHold, voltage: Condition) -> Step:
    """Return the hold: never more current than the phase before it."""
    step = drive.step
    at = (*step.path, "then_hold")
    until = (
        *duration(hold.duration, (*at, "for"), step.context),
        *ends(hold.until, (*at, "until"), step.context, magnitude=True),
    )
    line = step.context.document.place(at, key=True)[0]
    limit = _limit_of_hold(drive, voltage.value)
    if limit == 0.0:
        said = f"'then_hold' would hold 0 V, where a {drive.mode} says nothing about the current"
        raise step.context.error(at, f"{said}; expected another voltage in 'until'", key=True)
    return step.made("voltage", setpoint=voltage.value, current_limit=limit, until=until, line=line)


def _limit_of_hold(drive: _Drive, voltage: Operand) -> Operand:
    """Return the current that flowed when the voltage was reached: I, P/V or V/R, in magnitude."""
    if drive.mode == "current":
        return _magnitude(drive.setpoint)
    parts = (drive.setpoint, voltage) if drive.mode == "power" else (voltage, drive.setpoint)
    if isinstance(parts[0], float) and isinstance(parts[1], float):
        return abs(parts[0] / parts[1]) if parts[1] != 0.0 else 0.0
    return _magnitude(Formula(op="/", of=parts))


def _magnitude(value: Operand) -> Operand:
    """Return the magnitude of a set point, whose sign is its factor's where it is a variable's."""
    if isinstance(value, float):
        return abs(value)
    if isinstance(value, Variable):
        return Variable(name=value.name, factor=abs(value.factor))
    return Formula(op="abs", of=(value,))


# --- a voltage, a scan, a spectrum, a profile ------------------------------------------------------------------


def _limit(value: Value | None, path: DocumentPath, context: Context) -> Operand | None:
    if value is None:
        return None
    return operand(value, ("current",), (*path, "current_limit"), context, above_zero=True)


def _constant_voltage(step: _Step, body: ConstantVoltage) -> Step:
    path, context = step.path, step.context
    return step.made(
        "voltage",
        setpoint=operand(body.voltage, VOLTAGES, (*path, "voltage"), context, open_circuit=True),
        current_limit=_limit(body.current_limit, path, context),
        until=_until(body, path, context),
    )


def _scan(step: _Step, body: Sweep | CyclicVoltammetry) -> Step:
    path, context = step.path, step.context
    plan, point_s = sweep_plan(body, path, context)
    poll_s = min(point_s, context.check_every_s)
    return step.made(
        "sweep",
        sweep=plan,
        current_limit=_limit(body.current_limit, path, context),
        until=ends(body.until, (*path, "until"), context),
        record=Record(every_s=point_s),
        poll_s=poll_s if plan.compensated is None else min(poll_s, HOST_POLL_S),
    )


def _impedance(step: _Step, body: Impedance) -> Step:
    plan = impedance_plan(body, step.path, step.context)
    every_s = step.context.check_every_s
    return step.made("impedance", impedance=plan, until=(), record=Record(every_s=every_s), poll_s=every_s)


def _profile(step: _Step, body: Profile) -> Step:
    path, context = step.path, step.context
    plan = profile_plan(body, path, context)
    until = ends(body.until, (*path, "until"), context)
    return step.made("profile", profile=plan, until=until, hosted=True)
