"""``galvanode reproduce``: the papers' experiments on simulated cells, their figures back out of the data.

The rows are those of four papers on solid-state lithium cells; those here need no more than what this version
can do. The analysis sees samples, steps and the cell definition, never the simulated cell's parameters.
"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from galvanode.commands.foreground import follow_with_progress
from galvanode.commands.session import Submission, session, summary_of
from galvanode.errors import InvalidInput
from galvanode.library import library
from galvanode.store.read import Store


@dataclass(frozen=True)
class Figure:
    """One figure of a paper, and how to get it back."""

    row: str
    what: str
    recipe: str
    cell: str
    result: str
    expected: float
    tolerance: float
    """In the figure's own unit: what the row's own measurement allows."""
    unit: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])


RAMP, CYCLING = "d3-critical-current-density", "d4-li-li-cycling"
_RUNG = 0.051
"""mA/cm2. A ramp tells the critical current density to one rung of 0.05 mA/cm2, and the set point's own error."""


def _cycling(current_density: str, duration: str) -> dict[str, str]:
    capacity = current_density.replace("mA", "mAh")
    return {"current_density": current_density, "areal_capacity": capacity, "duration": duration}


FIGURES = (
    Figure("D3", "CCD, ZnI2@LLZTO", RAMP, "llzto-zni2", "critical_current_density", 2.3, _RUNG, "mA/cm2"),
    Figure("D3", "CCD, bare LLZTO", RAMP, "llzto-bare", "critical_current_density", 0.15, _RUNG, "mA/cm2"),
    Figure("D3", "CCD, I2 layer", RAMP, "llzto-i2", "critical_current_density", 0.5, _RUNG, "mA/cm2"),
    Figure("D3", "soft short, thick layer", RAMP, "llzto-thick", "first_failure", 1.0, _RUNG, "mA/cm2"),
    Figure(
        "D4", "polarisation, 0.1 mA/cm2", CYCLING, "llzto-zni2", "polarisation", 13.0, 1.0, "mV",
        _cycling("0.1 mA/cm^2", "2000 h"),
    ),
    Figure(
        "D4", "life at 0.1 mA/cm2, at least", CYCLING, "llzto-zni2", "lifetime", 2000.0, 4.0, "h",
        _cycling("0.1 mA/cm^2", "2000 h"),
    ),
    Figure(
        "D4", "life at 0.5 mA/cm2, at least", CYCLING, "llzto-zni2", "lifetime", 1600.0, 4.0, "h",
        _cycling("0.5 mA/cm^2", "1600 h"),
    ),
    Figure(
        "D4", "life at 1.0 mA/cm2, at least", CYCLING, "llzto-zni2", "lifetime", 800.0, 4.0, "h",
        _cycling("1.0 mA/cm^2", "800 h"),
    ),
    Figure(
        "D4", "bare LLZTO shorts after", CYCLING, "llzto-bare", "lifetime", 25.0, 2.0, "h",
        _cycling("0.1 mA/cm^2", "2000 h"),
    ),
)  # fmt: skip


async def reproduce_rows(ids: list[str], *, as_json: bool, out: Console) -> bool:
    """Run the experiments behind these rows (all if none is named) and print the table; True if all agree.

    Raises ``InvalidInput`` for a row that this version does not have.
    """
    known = sorted({figure.row for figure in FIGURES})
    for row in ids:
        if row.upper() not in known:
            raise InvalidInput(f"row {row!r} cannot be reproduced by this version; it has {', '.join(known)}")
    wanted = {row.upper() for row in ids} or set(known)
    figures = [figure for figure in FIGURES if figure.row in wanted]
    results = await _measure(figures)
    rows = [_verdict(figure, results[_experiment(figure)]) for figure in figures]
    if as_json:
        typer.echo(json.dumps(rows, allow_nan=False))
    else:
        table = Table("row", "figure", "paper", "recovered", "tolerance", "unit", "verdict")
        for row in rows:
            recovered = "-" if row["recovered"] is None else f"{row['recovered']:.4g}"
            verdict = "[green]agrees[/green]" if row["agrees"] else "[red]differs[/red]"
            figures_ = (f"{row['expected']:g}", recovered, f"{row['tolerance']:g}")
            table.add_row(row["id"], row["figure"], *figures_, row["unit"], verdict)
        out.print(table)
    return all(row["agrees"] for row in rows)


Experiment = tuple[str, str, tuple[tuple[str, str], ...]]


def _experiment(figure: Figure) -> Experiment:
    return figure.recipe, figure.cell, tuple(sorted(figure.parameters.items()))


async def _measure(figures: list[Figure]) -> dict[Experiment, dict[str, Any]]:
    """Carry out each experiment once, one after the other on the channel of its cell."""
    protocols = library()
    results: dict[Experiment, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="galvanode-reproduce-", ignore_cleanup_errors=True) as scratch:
        for number, experiment in enumerate(dict.fromkeys(map(_experiment, figures))):
            recipe, cell, parameters = experiment
            data = Path(scratch) / str(number)  # a fresh store each: a cell that has shorted stays shorted
            submission = Submission(
                cell.replace("-", "_"),
                protocols / f"{recipe}.yaml",
                protocols / "cells" / f"{cell}.yaml",
                dict(parameters),
            )
            bench = protocols / "benches" / "simulated.yaml"
            async with session(data, bench, speed=math.inf, seed=0) as station:
                run = await station.submit(submission)
                await follow_with_progress(station, {run: f"{recipe[:2].upper()} {cell}"})
            store = Store(data)
            results[experiment] = summary_of(store, store.run(run), None)["results"]
    return results


def _verdict(figure: Figure, results: dict[str, Any]) -> dict[str, Any]:
    result = results.get(figure.result) or {"value": None, "unit": None}
    value = result["value"]
    agrees = (
        isinstance(value, float) and result["unit"] == figure.unit and abs(value - figure.expected) <= figure.tolerance
    )
    return {
        "id": figure.row,
        "figure": figure.what,
        "expected": figure.expected,
        "recovered": value,
        "tolerance": figure.tolerance,
        "unit": figure.unit,
        "agrees": agrees,
    }
