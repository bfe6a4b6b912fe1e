"""Where a run as it was stored is not what the reference says."""

from __future__ import annotations

import re

from tests.stack.reference.interpreter import Outcome, StepDone
from tests.stack.reference.stack import Seen, StepSeen

TIME_S = 1e-5
"""The engine ends a step within its tolerance of 1e-6 s of a due time, and a few of them add up."""
CHARGE_C = 2e-7
"""What 20 mA passes in that time. Both sides add trapezoids over the same readings of seven digits."""
VOLTAGE_V = 1e-6
"""Of the capacitor at the end: 1 F and that charge, or the last digit sent."""


def differences(due: Outcome, seen: Seen) -> list[str]:
    """Return what differs, in words; empty if nothing does."""
    found: list[str] = []
    if seen.state != due.state:
        found.append(f"the run {seen.state} ({seen.reason}); due is {due.state} ({due.reason})")
    for number, (step, one) in enumerate(zip(due.steps, seen.steps, strict=False), start=1):
        found += [
            f"step {number} ({step.verb}, id {step.step_id}): {said}" for said in _of_step(step, one, due.parameters)
        ]
    if len(seen.steps) != len(due.steps):
        names = [f"{step.verb} {step.step_id}" for step in due.steps], [f"{s.name} {s.step_id}" for s in seen.steps]
        found.append(f"{len(seen.steps)} steps; due are {len(due.steps)}: {names[1]} instead of {names[0]}")
    if seen.indices != list(range(1, len(seen.indices) + 1)):
        found.append("samples are lost or doubled: their numbers have gaps")
    if not found and abs(seen.cell_voltage - due.cell.u) > VOLTAGE_V:
        found.append(f"the cell is at {seen.cell_voltage} V; due is {due.cell.u} V")
    if not found:
        found += _of_variables(due.set_to, seen.set_to())
    return found


def _of_step(due: StepDone, seen: StepSeen, parameters: dict[str, str]) -> list[str]:
    found: list[str] = []
    for name, a, b in (
        ("is step", seen.step_id, due.step_id),
        ("is called", seen.name, due.verb),
        ("is in cycle", seen.cycle, due.cycle),
    ):
        if a != b:
            found.append(f"{name} {a}; due is {b}")
    for name, at, due_at in (("begins", seen.started, due.started), ("ends", seen.ended, due.ended)):
        if not abs(at - due_at) <= TIME_S:
            found.append(f"{name} at {at} s; due is {due_at} s")
    if not _same_reason(due.reason, seen.reason, parameters):
        found.append(f"ends for '{seen.reason}'; due is '{due.reason}'")
    for name, charge, due_charge in (
        ("charges", seen.charged, due.charged),
        ("discharges", seen.discharged, due.discharged),
    ):
        if not abs(charge - due_charge) <= CHARGE_C:
            found.append(f"{name} {charge} C; due is {due_charge} C")
    times = [(round(a, 4), round(b, 4)) for a, b in zip(seen.times, due.samples, strict=False) if abs(a - b) > TIME_S]
    if times or len(seen.times) != len(due.samples):
        found.append(f"has samples at {_rounded(seen.times)} s; due are {_rounded(due.samples)} s")
    return found


def _of_variables(due: list[tuple[str, float]], seen: list[tuple[str, float]]) -> list[str]:
    if [name for name, _ in due] != [name for name, _ in seen]:
        return [f"sets {seen}; due is {due}"]
    pairs = zip(due, seen, strict=True)
    return [f"sets {name} to {b}; due is {a}" for (name, a), (_, b) in pairs if abs(a - b) > 1e-6 * abs(a) + CHARGE_C]


def _same_reason(due: str, seen: str, parameters: dict[str, str]) -> bool:
    """Compare end reasons; what stands around the recipe's own words may differ."""
    if due == "tripped":
        return seen.startswith("tripped")
    for word in ("too early", "not within"):
        if due.startswith(word):
            pattern = ".*" + _pattern(due.partition(": ")[2], parameters)
            return seen.startswith(word) and re.fullmatch(pattern, _plain(seen)) is not None
    return re.fullmatch(_pattern(due, parameters), _plain(seen)) is not None


def _pattern(text: str, parameters: dict[str, str]) -> str:
    """A parameter may stand in an end reason by its name or by its value."""
    parts = re.split(r"\$(\w+)", text)
    for number in range(1, len(parts), 2):
        name = parts[number]
        value = f"|{re.escape(_plain(parameters[name]))}" if name in parameters else ""
        parts[number] = rf"(?:\${name}{value})"
    return "".join(part if number % 2 else re.escape(_plain(part)) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    return re.sub(r"[\s()]", "", text)


def _rounded(times: list[float]) -> list[float]:
    return [round(time, 4) for time in times]
