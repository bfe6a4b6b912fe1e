"""``galvanode check``: what a recipe would do, told from the recipe and from a dry run on a simulated cell."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from galvanode.cell import read_cell
from galvanode.commands.foreground import duration_text, follow_with_progress
from galvanode.commands.session import Submission, channel_named_after, session
from galvanode.instrument.bench import read_bench
from galvanode.library import find_file, library
from galvanode.recipe import compile_recipe, describe, estimate, read_recipe
from galvanode.recipe.program import Program
from galvanode.store.read import Store


async def check_recipe(
    recipe: Path, cell: Path | None, parameters: dict[str, str], *, as_json: bool, out: Console
) -> None:
    """Validate a recipe; with a cell, print its schedule and what a dry run gave.

    Raises ``InvalidInput`` with the place of the first fault.
    """
    recipe = find_file(recipe)
    source = read_recipe(recipe)
    if cell is None:
        if as_json:
            typer.echo(json.dumps({"title": source.title, "parameters": sorted(source.parameters)}))
        else:
            out.print(f"{source.title}: the recipe is well formed. Give it a --cell to see its schedule.")
        return
    cell = find_file(cell, "cells")
    program = compile_recipe(source, read_cell(cell), parameters)
    bounds = estimate(program)
    report: dict[str, Any] = {
        "title": program.title,
        "parameters": program.parameters,
        "duration_s": _bounds(bounds.duration_s),
        "steps": _bounds(bounds.steps),
        "samples": _bounds(bounds.samples),
        "dry_run": await _dry_run(Submission("", recipe, cell, parameters)),
    }
    if as_json:
        typer.echo(json.dumps(report, allow_nan=False))
        return
    out.print(program.title, style="bold", highlight=False)
    for name, value in program.parameters.items():
        out.print(f"  {name} = {value}", highlight=False, markup=False)
    _print_schedule(program, out)
    longest, most = bounds.duration_s.high, bounds.samples.high
    if math.isfinite(longest) and math.isfinite(most):
        out.print(f"At most {duration_text(longest)} and {most:,.0f} regular samples", highlight=False)
    _print_dry_run(report["dry_run"], out)


async def _dry_run(submission: Submission) -> dict[str, Any] | None:
    """Run the recipe on the simulated cell that bears the cell file's name; None if there is none."""
    bench = library() / "benches" / "simulated.yaml"
    channel = channel_named_after(read_bench(bench), submission.cell)
    if channel is None:
        return None
    with tempfile.TemporaryDirectory(prefix="galvanode-check-", ignore_cleanup_errors=True) as scratch:
        async with session(Path(scratch), bench, speed=math.inf, seed=0) as station:
            run_id = await station.submit(
                Submission(channel, submission.recipe, submission.cell, submission.parameters)
            )
            await follow_with_progress(station, {run_id: "dry run"})
        store = Store(Path(scratch))
        run = store.run(run_id)
        samples = store.samples(run_id, columns=["Voltage / V", "Current / A"])
        window = {name: _window(samples.column(name).to_numpy()) for name in samples.column_names}
        return {
            "cell": channel,
            "state": run.state,
            "end_reason": run.end_reason,
            "duration_s": run.test_time_s,
            "samples": run.samples,
            "voltage_V": window["Voltage / V"],
            "current_A": window["Current / A"],
        }


def _window(values: NDArray[np.float64]) -> dict[str, float] | None:
    return {"min": float(values.min()), "max": float(values.max())} if values.size else None


def _print_schedule(program: Program, out: Console) -> None:
    """Print a row for each step and loop; what all steps share is said once, beneath."""
    rows = describe(program)
    records = {row.record for row in rows if row.step_id is not None}
    limits = {row.limits for row in rows if row.step_id is not None}
    table = Table("line", "step", "what", "set point", "ends")
    for shared, name in ((records, "record"), (limits, "trips outside")):
        if len(shared) > 1:
            table.add_column(name)
    for row in rows:
        number = "" if row.step_id is None else str(row.step_id)
        cells = [str(row.line), number, "  " * row.indent + row.what, row.setpoint, row.ends]
        cells += [row.record] if len(records) > 1 else []
        cells += [row.limits] if len(limits) > 1 else []
        table.add_row(*cells)
    out.print(table)
    for shared, label in ((records, "Recorded"), (limits, "Trips outside")):
        if len(shared) == 1:
            out.print(f"{label}: {shared.pop()}", highlight=False, markup=False)


def _print_dry_run(dry_run: dict[str, Any] | None, out: Console) -> None:
    if dry_run is None:
        out.print("No simulated cell bears this cell's name, so there was no dry run.", highlight=False)
        return
    voltage, current = dry_run["voltage_V"], dry_run["current_A"]
    lines = [
        f"Dry run on the simulated cell {dry_run['cell']}: {dry_run['state']} ({dry_run['end_reason']})",
        f"  {duration_text(dry_run['duration_s'])}, {dry_run['samples']:,} samples",
    ]
    if dry_run["samples"]:
        lines.append(f"  voltage {voltage['min']:.4g} to {voltage['max']:.4g} V")
        lines.append(f"  current {current['min']:.4g} to {current['max']:.4g} A")
    out.print("\n".join(lines), highlight=False, markup=False)


def _bounds(bounds: tuple[float, float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in bounds]
