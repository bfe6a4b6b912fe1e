"""A dry run: a recipe carried out on a simulated cell, and what that says about the recipe."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from galvanode.commands.executed import ExecutedStep, executed_steps
from galvanode.commands.expansion import window_of
from galvanode.commands.rehearsal import Report, rehearsal
from galvanode.commands.session import Submission
from galvanode.instrument.bench import Bench
from galvanode.recipe.drives import KINDS
from galvanode.recipe.outlook.foresight import Values
from galvanode.recipe.outlook.warnings import Warning  # noqa: A004
from galvanode.recipe.program import Condition, Program, Step
from galvanode.store.read import Store
from galvanode.store.records import RunRecord
from galvanode.store.schema import CURRENT
from galvanode.units import format_quantity

_OVERSHOOT_V = 0.02
"""Past the voltage that ends a step; less is what polling costs."""
_NOT_A_MEASUREMENT = 0
"""Number of a step that sets a chamber or asks an operator."""


@dataclass(frozen=True)
class DryRun:
    """What a recipe came to on a simulated cell."""

    channel: str
    record: RunRecord
    steps: list[ExecutedStep]
    current_a: tuple[float, float] | None
    """Lowest and highest sample; None without one."""

    @property
    def completed(self) -> bool:
        """The run came to its end by itself."""
        return self.record.state == "completed"

    @property
    def voltage_v(self) -> tuple[float, float] | None:
        """Lowest and highest sample; None without one."""
        return window_of(self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON data; units are in the names."""
        return {
            "cell": self.channel,
            "state": self.record.state,
            "end_reason": self.record.end_reason,
            "duration_s": self.record.test_time_s,
            "samples": self.record.samples,
            "charged_C": sum(step.charged_c for step in self.steps),
            "discharged_C": sum(step.discharged_c for step in self.steps),
            "voltage_V": _window(self.voltage_v),
            "current_A": _window(self.current_a),
            "steps": [
                {**asdict(step), "charge_c": step.charge_c, "voltage_v": _window(step.voltage_v)} for step in self.steps
            ],
        }


async def dry_run(bench: Bench, submission: Submission, report: Report) -> DryRun:
    """Run a recipe on a simulated channel, in simulated time. Raises ``Refused`` where the channel cannot do it."""
    with tempfile.TemporaryDirectory(prefix="galvanode-check-", ignore_cleanup_errors=True) as scratch:
        async with rehearsal(Path(scratch), bench, speed=math.inf) as laboratory:
            record = await laboratory.run(submission, report=report)
        store = Store(Path(scratch))
        current = store.samples(record.id, columns=[CURRENT]).column(CURRENT).to_numpy()
        steps = executed_steps(store, record.id)
    return DryRun(
        submission.channel, record, steps, (float(current.min()), float(current.max())) if current.size else None
    )


def warnings_of_run(program: Program, run: DryRun) -> list[Warning]:
    """Return what a dry run shows to be wrong: steps over as they began, limits that trip at once, steps not met."""
    lines = {item.step_id: item.line for item in _steps(program)}
    measured = [step for step in run.steps if step.step_id != _NOT_A_MEASUREMENT]
    tripped = measured[-1] if measured and run.record.state == "tripped" else None
    ended = [step for step in measured if step is not tripped]
    found = [*_over_at_once(program, ended, lines), *_overshoots(program, measured)]
    if tripped is not None and tripped.samples <= 1:
        said = f"trips at its first reading: {run.record.end_reason}"
        found.append(Warning(lines.get(tripped.step_id), f"step {tripped.step_id} ({tripped.name}) {said}"))
    if run.completed:
        met = {step.step_id for step in measured}
        names = {item.step_id: item.name for item in _steps(program)}
        found += [
            Warning(line, f"step {number} ({names[number]}) was not met in the dry run")
            for number, line in lines.items()
            if number not in met
        ]
    return found


def _over_at_once(program: Program, steps: Sequence[ExecutedStep], lines: dict[int, int]) -> list[Warning]:
    """Steps that ended with their first sample, told once for each reason."""
    timed = {(item.step_id, item.drive.kind, end.text) for item in _steps(program) for end in item.until}
    carried_out = Counter((step.step_id, step.mode) for step in steps)
    over = Counter(
        (step.step_id, step.mode, step.name, step.end_reason)
        for step in steps
        if step.samples == 1
        and not KINDS[step.mode].ends_by_itself
        and (step.step_id, step.mode, step.end_reason) in timed
    )
    found: list[Warning] = []
    for (number, mode, name, reason), times in over.items():
        turns = carried_out[number, mode]
        how_often = "" if turns == 1 else f" in {times:,} of {turns:,} turns"
        said = f"ends with its first reading{how_often}: '{reason}' held already"
        found.append(Warning(lines.get(number), f"step {number} ({name}) {said}"))
    return found


def _overshoots(program: Program, steps: Sequence[ExecutedStep]) -> list[Warning]:
    """Steps that went far past the voltage that ends them before anybody looked."""
    values = Values(program)
    limits: dict[tuple[int, str, str], tuple[Step, float, bool]] = {}
    for item in _steps(program):
        for end in item.until:
            condition = end.test
            if isinstance(condition, Condition) and condition.quantity == "voltage":
                limit = values.one(condition.value)
                if limit is not None:
                    limits[item.step_id, item.drive.kind, end.text] = (item, limit, condition.comparison == ">=")
    furthest: dict[tuple[int, str, str], float] = {}
    for step in steps:
        for key in _reached(step, limits):
            _, limit, upwards = limits[key]
            low, high = step.voltage_v or (limit, limit)
            furthest[key] = max(high - limit if upwards else limit - low, furthest.get(key, 0.0))
    found: list[Warning] = []
    for key, past in furthest.items():
        if past > _OVERSHOOT_V:
            step = limits[key][0]
            looks = format_quantity(step.poll_s, "time")
            said = f"goes {past * 1e3:.0f} mV past '{key[2]}' before that is seen: it looks every {looks}"
            found.append(Warning(step.line, f"step {step.step_id} ({step.name}) {said}"))
    return found


def _reached(step: ExecutedStep, ends: Collection[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Return which of some ends (number, mode, text) a step ended by, or tripped before it could."""
    if step.samples <= 1:
        return []
    if step.end_reason.startswith("tripped: "):
        return [key for key in ends if key[:2] == (step.step_id, step.mode)]
    key = (step.step_id, step.mode, step.end_reason)
    return [key] if key in ends else []


def _steps(program: Program) -> list[Step]:
    return [item for item in program.instructions if isinstance(item, Step)]


def _window(ends: tuple[float, float] | None) -> dict[str, float] | None:
    return None if ends is None else {"min": ends[0], "max": ends[1]}
