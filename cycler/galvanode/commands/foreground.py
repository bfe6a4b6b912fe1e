"""What the commands do that keep a station in the foreground: run, serve, probe."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from galvanode.cell import read_cell
from galvanode.commands.asking import Operator, can_ask, read_answers
from galvanode.commands.session import Session, Submission, pick_channel, session, summary_of
from galvanode.commands.words import duration_text
from galvanode.engine.contract import ChannelState
from galvanode.engine.signals import ending_signals
from galvanode.errors import GalvanodeError
from galvanode.instrument.bench import open_bench, read_bench
from galvanode.library import find_file
from galvanode.recipe import compile_recipe, read_recipe
from galvanode.store.read import Store

out = Console()
err = Console(stderr=True)


async def run_in_foreground(
    *,
    recipe: Path,
    cell: Path,
    bench: Path,
    channel: str | None,
    parameters: dict[str, str],
    speed: float | None,
    seed: int,
    data_dir: Path,
    as_json: bool,
    answers: dict[str, str] | None = None,
) -> int:
    """Run a recipe to its end and print a summary. Returns the exit status.

    What it asks is answered from ``answers`` (by the question's name or line), else on the terminal.
    """
    recipe, cell, bench = find_file(recipe), find_file(cell, "cells"), find_file(bench, "benches")
    program = compile_recipe(read_recipe(recipe), read_cell(cell), parameters)  # refuse before anything is started
    ready = read_answers(program, recipe, answers or {}, ask=can_ask())
    bench_file = read_bench(bench)
    target = pick_channel(bench_file, channel, cell)
    if speed is None and all(entry.simulated is not None for entry in bench_file.instruments.values()):
        speed = math.inf
    started = time.monotonic()
    async with session(data_dir, bench, speed=speed, seed=seed) as station:
        run_id = await station.submit(Submission(target, recipe, cell, parameters))
        await follow_with_progress(station, {run_id: recipe.stem}, Operator(ready, ask=can_ask()))
    store = Store(data_dir)
    record = store.run(run_id)
    print_summary(summary_of(store, record, time.monotonic() - started), as_json=as_json)
    return 0 if record.state == "completed" else 1


async def probe_bench(bench: Path, *, as_json: bool) -> bool:
    """Ask every instrument who it is; True if all answered."""
    opened = open_bench(read_bench(find_file(bench, "benches")))
    rows: list[dict[str, str]] = []
    try:
        for name, instrument in opened.units.items():
            row = {"name": name, "resource": opened.bench.resource(name)}
            try:
                identity = await instrument.identify()
            except GalvanodeError as error:
                rows.append({**row, "error": str(error)})
            else:
                who = f"{identity.manufacturer} {identity.model}"
                rows.append({**row, "identity": f"{who} {identity.serial} {identity.firmware}"})
    finally:
        await opened.close()
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        table = Table("instrument", "resource", "answer")
        for row in rows:
            answer = row.get("identity") or f"[red]{row['error']}[/red]"
            real = opened.bench.instruments[row["name"]].simulated is None
            table.add_row(row["name"], row["resource"] if real else "simulated", answer)
        out.print(table)
    return all("error" not in row for row in rows)


def progress_bar() -> Progress:
    """Return a progress bar on standard error; standard output stays clean for results."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        transient=True,
    )


async def follow_with_progress(station: Session, runs: dict[str, str], operator: Operator | None = None) -> None:
    """Show a bar for each run (id -> label) until all have ended; Ctrl-C stops them in order.

    ``operator`` answers what they ask. Raises what kept it from doing so, after all have been stopped.
    """
    operator = operator or Operator({}, ask=False)
    with progress_bar() as bar:
        tasks = {run: bar.add_task(label, total=1.0, note="") for run, label in runs.items()}
        operator.shown = lambda shown: bar.start() if shown else bar.stop()

        def report(states: dict[str, ChannelState]) -> None:
            for run, task in tasks.items():
                state = states.get(run)
                if state is None:
                    bar.update(task, completed=1.0, note="done")
                else:
                    bar.update(task, completed=state.progress or 0.0, note=_note(state))
            operator.look(station, {run: states[run] for run in tasks if run in states})

        following = asyncio.ensure_future(station.follow(list(runs), report))
        ending = ending_signals()
        try:
            await asyncio.wait([following, ending, operator.failed], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                err.print("stopping: every channel is made safe", highlight=False)
                await station.stop_all()
            await following
            if operator.failed.done():
                operator.failed.result()
        finally:
            ending.cancel()
            following.cancel()
            await operator.close()


def _note(state: ChannelState) -> str:
    volts = state.live("voltage")
    if volts is None or state.state == "waiting":
        return state.state
    hours = (state.live("test_time") or 0.0) / 3600
    return f"{hours:,.1f} h  cycle {state.live('cycle')}  {state.step_name}  {volts * 1e3:.1f} mV"


def print_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    """Print what a run came to."""
    if as_json:
        typer.echo(json.dumps(summary, allow_nan=False))
        return
    wall = "" if summary["wall_s"] is None else f" in {summary['wall_s']:.1f} s"
    out.print(
        f"{summary['run']} {summary['state']}: {summary['end_reason']}\n"
        f"{summary['samples']:,} samples over {duration_text(summary['simulated_s'])}{wall}",
        highlight=False,
        markup=False,
    )
    if summary["results"]:
        table = Table("result", "value", "unit")
        for name, result in summary["results"].items():
            value = result["value"]
            text = "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
            table.add_row(name.replace("_", " "), text, result["unit"] or "")
        out.print(table)
