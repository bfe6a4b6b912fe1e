"""``galvanode check``: what a recipe would do, and what looks wrong, told from the recipe and from a dry run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from galvanode.cell import CellUnderTest, read_cell
from galvanode.commands.benches import admit_cell, admit_program, channel_named_after, reach_of
from galvanode.commands.words import duration_text
from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput, Refused
from galvanode.instrument.bench import Bench, read_bench
from galvanode.library import find_file, library
from galvanode.recipe import Recipe, compile_recipe, describe, estimate, read_recipe
from galvanode.recipe.outlook.warnings import Warning, warnings_of  # noqa: A004
from galvanode.recipe.program import Program

if TYPE_CHECKING:
    from galvanode.commands.dry_run import DryRun

_DONE, _FAILED, _BAD_INPUT = 0, 1, 2


@dataclass(frozen=True)
class Options:
    """What ``galvanode check`` was asked for, beside the recipe."""

    cell: Path | None = None
    """None takes the cell that the recipe names as its example."""
    like: str | None = None
    """Simulated cell to run on; None takes the one that bears the cell's name."""
    parameters: Mapping[str, str] | None = None
    dry_run: bool = True
    show_all: bool = False
    """Print every executed step, not only the first turn of each loop."""
    bench: Path | None = None
    """Bench whose channel is to carry it out; None takes the library's simulated one, with a channel for each cell."""
    channel: str | None = None
    """Channel of that bench; None takes the only one, or the one that bears the cell's name."""


@dataclass
class Checked:
    """What is known of a recipe on a cell."""

    recipe: Recipe
    program: Program
    cell: CellUnderTest
    warnings: list[Warning]
    run: DryRun | None = None
    no_run: str | None = None
    """Why there was no dry run."""
    status: int = _DONE


async def check_recipe(recipe: Path, options: Options, out: Console, *, as_json: bool) -> int:
    """Validate a recipe; print its schedule, what a dry run gave and what looks wrong. Returns the exit status.

    Raises ``InvalidInput`` with the place of the first fault.
    """
    path = find_file(recipe)
    source = read_recipe(path)
    cell = _cell(source, options.cell)
    if cell is None:
        _print_well_formed(source, out, as_json=as_json)
        return _DONE
    checked = await _check(path, source, cell, options)
    if as_json:
        typer.echo(json.dumps(_as_json(checked), allow_nan=False))
    else:
        _print(checked, path, out, show_all=options.show_all)
    return checked.status


def _cell(recipe: Recipe, asked: Path | None) -> Path | None:
    if asked is not None:
        return find_file(asked, "cells")
    example = recipe.text.example_cell
    return None if example is None else find_file(example, "cells")


async def _check(path: Path, source: Recipe, cell: Path, options: Options) -> Checked:
    under_test, parameters = read_cell(cell), dict(options.parameters or {})
    program = compile_recipe(source, under_test, parameters)
    if options.bench is None:
        bench = read_bench(library() / "benches" / "simulated.yaml")
        channel = _channel(bench, cell, options.like)
        admit_cell(bench, channel, cell)
    else:
        bench = read_bench(find_file(options.bench, "benches"))
        channel = _named_channel(bench, cell, options.channel)
        admit_cell(bench, channel, cell)
        admit_program(bench, channel, program, path, cell)
    reach = None if channel is None else reach_of(bench, channel)
    static = warnings_of(program, source) if reach is None else warnings_of(program, source, reach)
    checked = Checked(source, program, under_test, static)
    if channel is None:
        checked.no_run = _which_cells(bench, cell)
    elif not options.dry_run:
        checked.no_run = "No dry run was asked for."
    elif any(entry.simulated is None for entry in bench.instruments.values()):
        checked.no_run = "No dry run: the instruments of this bench are real."
    else:
        await _dry_run(checked, bench, channel, path, cell, parameters)
    return checked


async def _dry_run(
    checked: Checked, bench: Bench, channel: str, path: Path, cell: Path, parameters: dict[str, str]
) -> None:
    """Carry the recipe out on a simulated channel; write down what came of it."""
    # Here, not at the top: engine, store and tables cost a second that only a dry run needs.
    from galvanode.commands.dry_run import dry_run, warnings_of_run
    from galvanode.commands.foreground import progress_bar
    from galvanode.commands.session import Submission
    from galvanode.engine.contract import ChannelState

    try:
        with progress_bar() as bar:
            task = bar.add_task("dry run", total=1.0, note="")

            def report(state: ChannelState) -> None:
                note = f"{(state.live('test_time') or 0.0) / 3600:,.1f} h, cycle {state.live('cycle')}"
                bar.update(task, completed=state.progress or 0.0, note=note)

            checked.run = await dry_run(bench, Submission(channel, path, cell, parameters), report)
    except Refused as refused:
        checked.no_run, checked.status = f"No dry run: {refused}", _BAD_INPUT
    else:
        checked.warnings = _together(checked.warnings, warnings_of_run(checked.program, checked.run))
        checked.status = _DONE if checked.run.completed else _FAILED


def _channel(bench: Bench, cell: Path, like: str | None) -> str | None:
    """Return the simulated channel to run on. Raises ``InvalidInput`` for a ``like`` that there is not."""
    if like is None:
        return channel_named_after(bench, cell)
    channel = channel_named_after(bench, Path(like))
    if channel is None:
        raise InvalidInput(f"--like {like!r} is no simulated cell{_nearest(bench, like)} (known: {_names(bench)})")
    return channel


def _named_channel(bench: Bench, cell: Path, asked: str | None) -> str:
    """Return the channel that is asked for, or the one that can be meant. Raises ``InvalidInput``."""
    only = next(iter(bench.channels)) if len(bench.channels) == 1 else None
    channel = asked or channel_named_after(bench, cell) or only
    if channel not in bench.channels:
        told = "no channel was named" if channel is None else f"there is no channel {channel!r}"
        raise InvalidInput(f"{told}; expected --channel with one of {', '.join(bench.channels)}", source=bench.path)
    return channel


def _which_cells(bench: Bench, cell: Path) -> str:
    nearest = _nearest(bench, cell.stem).removeprefix("; ")
    said = f"No dry run: no simulated cell is called {cell.stem!r}; name one that comes close with --like"
    return f"{said} ({nearest}): {_names(bench)}" if nearest else f"{said}: {_names(bench)}"


def _nearest(bench: Bench, name: str) -> str:
    hint = did_you_mean(name.replace("_", "-"), _cells(bench))
    return hint if "did you mean" in hint else ""


def _names(bench: Bench) -> str:
    return ", ".join(_cells(bench))


def _cells(bench: Bench) -> list[str]:
    return sorted(name.replace("_", "-") for name in bench.channels)


def _together(*kinds: list[Warning]) -> list[Warning]:
    return sorted((item for kind in kinds for item in kind), key=lambda item: item.line or 0)


# --- as JSON ------------------------------------------------------------------------------------------------


def _as_json(checked: Checked) -> dict[str, Any]:
    program, bounds = checked.program, estimate(checked.program)
    return {
        "title": program.title,
        "cell": checked.cell.name,
        "parameters": program.parameters,
        "duration_s": _bounds(bounds.duration_s),
        "steps": _bounds(bounds.steps),
        "samples": _bounds(bounds.samples),
        "schedule": [row._asdict() for row in describe(program)],
        "warnings": [item._asdict() for item in checked.warnings],
        "dry_run": None if checked.run is None else checked.run.as_json(),
        "no_dry_run": checked.no_run,
    }


def _bounds(bounds: tuple[float, float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in bounds]


# --- for people ---------------------------------------------------------------------------------------------


def _print_well_formed(recipe: Recipe, out: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"title": recipe.title, "parameters": sorted(recipe.parameters)}))
        return
    out.print(f"{recipe.title}: the recipe is well formed. Give it a --cell to see its schedule.", markup=False)


def _print(checked: Checked, path: Path, out: Console, *, show_all: bool) -> None:
    program = checked.program
    out.print(program.title, style="bold", highlight=False, markup=False)
    for name, value in program.parameters.items():
        out.print(f"  {name} = {value}", highlight=False, markup=False)
    _print_schedule(program, out)
    bounds = estimate(program)
    longest, most = bounds.duration_s.high, bounds.samples.high
    if math.isfinite(longest) and math.isfinite(most):
        out.print(f"At most {duration_text(longest)} and {most:,.0f} regular samples", highlight=False)
    if checked.run is None:
        out.print(checked.no_run or "", highlight=False, markup=False)
    else:
        from galvanode.commands.dry_run_table import print_dry_run  # not at the top: see _dry_run
        from galvanode.commands.expansion import expansion

        print_dry_run(checked.run, expansion(program, checked.run.steps, whole=show_all), checked.cell, out)
    _print_warnings(checked.warnings, path, out)


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


def _print_warnings(warnings: list[Warning], path: Path, out: Console) -> None:
    if not warnings:
        return
    out.print("What looks wrong:", style="yellow", highlight=False)
    for item in warnings:
        place = str(path) if item.line is None else f"{path}:{item.line}"
        out.print(f"  {place}: {item.text}", style="yellow", highlight=False, markup=False, soft_wrap=True)
