"""What a dry run came to, as a table for people."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console
from rich.table import Column, Table

from galvanode.cell import CellUnderTest
from galvanode.commands.dry_run import DryRun
from galvanode.commands.executed import ExecutedStep
from galvanode.commands.expansion import Line, MoreTurns
from galvanode.commands.words import duration_text
from galvanode.recipe.drives import KINDS
from galvanode.units import format_quantity

_C_PER_MAH = 3.6
_REASONS = 2
"""Why further turns ended: so many reasons are told."""
_NOTHING_C = 3.6e-6
"""1 nAh: less is noise of the current's zero."""


def print_dry_run(run: DryRun, lines: list[Line], cell: CellUnderTest, out: Console) -> None:
    """Print how a dry run ended, a row for each line, and what all of it came to."""
    record = run.record
    out.print(
        f"Dry run on the simulated cell {run.channel}: {record.state} ({record.end_reason})",
        style="" if run.completed else "red",
        highlight=False,
        markup=False,
    )
    per_c, unit = _specific(cell)
    narrow = out.width < _WIDE  # without frames, so that the last column keeps its words
    table = Table(Column("step", min_width=10 if narrow else 12), box=box.SIMPLE_HEAD if narrow else box.HEAVY_HEAD)
    if narrow:
        table.padding = (0, 0)
        table.pad_edge = False
    for name in ("duration", "mAh", unit, "samples", "voltage / V"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ended by", min_width=12)
    told: set[str] = set()
    for line in lines:
        measured = line.voltage_v is not None
        table.add_row(
            _what(line),
            duration_text(line.duration_s),
            _charge(line, _C_PER_MAH) if measured else "",
            _charge(line, per_c) if measured else "",
            f"{line.samples:,}",
            _voltage(line.voltage_v),
            _ended_by(line, told),
            style="dim" if isinstance(line, MoreTurns) else None,
        )
    out.print(table)
    everything = MoreTurns(1, tuple(run.steps))
    counted = f"{len(run.steps):,} step{'' if len(run.steps) == 1 else 's'}"
    totals = [f"{duration_text(record.test_time_s)}, {record.samples:,} samples in {counted}"]
    if everything.charged_c or everything.discharged_c:
        amounts = [_charge(everything, unit_c).replace("\n", ", ") for unit_c in (_C_PER_MAH, per_c)]
        totals.append(f"{amounts[0]} mAh ({amounts[1]} {unit})")
    if run.voltage_v is not None and run.current_a is not None:
        totals.append(f"voltage {run.voltage_v[0]:.4g} to {run.voltage_v[1]:.4g} V")
        totals.append(f"current {run.current_a[0]:.4g} to {run.current_a[1]:.4g} A")
    out.print("\n".join(f"  {item}" for item in totals), highlight=False, markup=False)


_WIDE = 100
"""Characters that the table of a dry run takes with its frames."""


def _specific(cell: CellUnderTest) -> tuple[float, str]:
    """Return the charge in C that counts as 1, and its unit: per mass where the cell states one, else per area."""
    if cell.active_mass is not None:
        return _C_PER_MAH * cell.active_mass * 1e3, "mAh/g"
    return _C_PER_MAH * cell.area * 1e4, "mAh/cm2"


def _what(line: Line) -> str:
    if isinstance(line, MoreTurns):
        return f"... {line.turns:,} more turn{'s' if line.turns > 1 else ''}"
    return " ".join(filter(None, [str(line.step_id or ""), line.name, _setpoint(line)]))


def _charge(line: Line, unit_c: float) -> str:
    """Return a charge with its sign, 4 digits; both, one beneath the other, where it went both ways."""
    into, out = (amount if amount > _NOTHING_C else 0.0 for amount in (line.charged_c, line.discharged_c))
    if into and out:
        return f"+{into / unit_c:.4g}\n-{out / unit_c:.4g}"
    return f"{(into - out) / unit_c:.4g}"


def _setpoint(step: ExecutedStep) -> str:
    dimension = KINDS[step.mode].dimension if step.mode in KINDS else None
    return "" if step.setpoint is None or dimension is None else format_quantity(step.setpoint, dimension)


def _voltage(window: tuple[float, float] | None) -> str:
    """Return both ends to 0.1 mV."""
    if window is None:
        return ""
    low, high = (f"{round(end, 4) + 0.0:.4f}".rstrip("0").rstrip(".") for end in window)
    return low if low == high else f"{low} … {high}"


def _ended_by(line: Line, told: set[str]) -> str:
    """Return why a line ended; of further turns only what was not told before."""
    reasons = line.end_reasons if isinstance(line, MoreTurns) else [line.end_reason]
    new = [reason for reason in dict.fromkeys(_in_short(reason) for reason in reasons) if reason not in told]
    told.update(new)
    if not isinstance(line, MoreTurns):
        return _in_short(line.end_reason)
    if not new:
        return "likewise"
    return ", ".join(new[:_REASONS]) + (f", and {len(new) - _REASONS:,} more" if len(new) > _REASONS else "")


def _in_short(reason: str) -> str:
    """Return a reason without what is in brackets and without the numbers behind a detector's verdict."""
    return ": ".join(_IN_BRACKETS.sub("", reason).split(": ")[:2])


_IN_BRACKETS = re.compile(r" \([^()]*\)")
