"""The command line. Exit status: 0 done, 1 a run failed or tripped, 2 bad usage or invalid input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import sys
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO, TypeVar

import typer

from galvanode.errors import GalvanodeError, InputRefused, InvalidInput, Refused

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

app = typer.Typer(
    name="galvanode",
    help="Battery cycler control and acquisition.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
instruments_app = typer.Typer(help="Drivers, and the instruments of a bench.", no_args_is_help=True)
app.add_typer(instruments_app, name="instruments")

DataOption = Annotated[
    Path,
    typer.Option("--data", envvar="GALVANODE_DATA", help="Directory of runs and samples.", file_okay=False),
]
SpeedOption = Annotated[
    str | None,
    typer.Option("--speed", help="Simulated seconds per second, or 'max'. Simulated instruments only."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the simulated instruments' noise.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
DEFAULT_DATA = Path("galvanode-data")


def main() -> None:
    """Entry point: errors that a person can mend become one line and exit status 2."""
    logging.basicConfig(
        level=os.environ.get("GALVANODE_LOG", "WARNING").upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        app()
    except (InvalidInput, Refused) as error:
        _console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except InputRefused:
        sys.exit(2)
    except GalvanodeError as error:
        _console(stderr=True).print(f"galvanode: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


@app.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="No browser: run to the end, print a table.")] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8000,
    speed: SpeedOption = None,
    data: Annotated[Path | None, typer.Option("--data", help="Keep the data here.", file_okay=False)] = None,
    json_: JsonOption = False,
) -> None:
    """Twelve simulated lithium cells, accelerated, with the web page."""
    from galvanode.commands.demo import run_demo

    _run(run_demo(headless=headless, port=port, speed=_speed(speed), data_dir=data, as_json=json_))


@app.command()
def run(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML), or the name of one in the library.")],
    cell: Annotated[Path, typer.Option("--cell", help="Cell definition (YAML), or a name in the library.")],
    bench: Annotated[Path, typer.Option("--bench", help="Bench file, or a name in the library.")] = Path("simulated"),
    channel: Annotated[str | None, typer.Option("--channel", help="Channel of the bench.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Recipe parameter.")
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="NAME=VALUE", help="Answer to a question, by its name or its line."),
    ] = None,
    speed: SpeedOption = None,
    seed: SeedOption = 0,
    data: DataOption = DEFAULT_DATA,
    json_: JsonOption = False,
) -> None:
    """Run a recipe in the foreground. On a bench simulated in this process --speed defaults to max."""
    from galvanode.commands.asking import answers_given
    from galvanode.commands.foreground import run_in_foreground

    status = _run(
        run_in_foreground(
            recipe=recipe,
            cell=cell,
            bench=bench,
            channel=channel,
            parameters=_parameters(parameter or []),
            speed=_speed(speed),
            seed=seed,
            data_dir=data,
            as_json=json_,
            answers=answers_given(answer or []),
        )
    )
    raise typer.Exit(status)


@app.command()
def check(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML), or the name of one in the library.")],
    cell: Annotated[
        Path | None, typer.Option("--cell", help="Cell definition (YAML); without it the recipe's example_cell.")
    ] = None,
    like: Annotated[str | None, typer.Option("--like", metavar="CELL", help="Simulated cell to dry-run on.")] = None,
    bench: Annotated[
        Path | None, typer.Option("--bench", help="Bench file, or a name in the library: can its channel do it?")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Channel of the bench.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Recipe parameter.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run/--no-dry-run", help="Try it on a simulated cell.")] = True,
    all_: Annotated[bool, typer.Option("--all", help="Show every step of the dry run, all turns of loops.")] = False,
    json_: JsonOption = False,
) -> None:
    """Validate a recipe, show its schedule as a dry run on a simulated cell gives it, and warn of what looks wrong."""
    from galvanode.commands.check import Options, check_recipe

    options = Options(cell, like, _parameters(parameter or []), dry_run, all_, bench, channel)
    status = _run(check_recipe(recipe, options, _console(), as_json=json_))
    raise typer.Exit(status)


class SchemaOf(StrEnum):
    """What there is a schema of."""

    recipe = "recipe"
    api = "api"


@app.command()
def schema(
    of: Annotated[SchemaOf, typer.Argument(metavar="[recipe|api]", help="Recipes, or the REST API.")] = SchemaOf.recipe,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write it here, not to the screen.", dir_okay=False)
    ] = None,
) -> None:
    """Print the JSON Schema of recipes, for an editor, or the OpenAPI description of the REST API, for programs."""
    if of is SchemaOf.recipe:
        from galvanode.recipe.method.schema import schema_text as text_of
    else:
        from galvanode.service.app import api_schema_text as text_of
    text = text_of()
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8", newline="\n")


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Recipe (YAML), protocol (JSON) or experiment.")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="File to write: .yaml, .json or .py.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="galvanode, unicycler or pybamm, where the text does not show it.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="The same, where OUTPUT's name does not show it.")] = None,
    cell: Annotated[
        Path | None, typer.Option("--cell", help="Cell definition (YAML), or a name in the library.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="Recipe parameter.")
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="PART", help="safety, record, analysis or chamber: what cannot be said."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over OUTPUT.")] = False,
) -> None:
    """Convert a recipe to or from an aurora-unicycler protocol or a PyBaMM experiment."""
    from galvanode.commands.convert import convert_file

    notes = convert_file(
        source,
        target,
        is_=from_,
        to=to,
        cell=cell,
        parameters=_parameters(parameter or []),
        leave_out=leave_out or [],
        force=force,
    )
    for note in notes:
        _console(stderr=True).print(note, markup=False, highlight=False, soft_wrap=True)


@app.command()
def serve(
    bench: Annotated[Path, typer.Option("--bench", help="Bench file.")],
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8000,
    speed: SpeedOption = None,
    seed: SeedOption = 0,
) -> None:
    """Serve a bench: supervisor, engine and web side, until Ctrl-C."""
    from galvanode.commands.serving import serve_bench

    _run(serve_bench(bench=bench, data_dir=data, host=host, port=port, speed=_speed(speed), seed=seed))


def _opened(log: Path) -> TextIO:
    """Open a file to append to. Raises ``InvalidInput``."""
    try:
        return log.open("a", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"--log {log} cannot be written: {error.strerror}") from error


@app.command()
def simulate(
    bench: Annotated[Path, typer.Argument(help="Bench file, or the name of one in the library.")],
    speed: Annotated[str, typer.Option("--speed", help="Simulated seconds per second.")] = "1",
    seed: SeedOption = 0,
    log: Annotated[
        Path | None,
        typer.Option("--log", help="Write what the instruments do here (JSON lines), not to stderr."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON line for each instrument once it listens.")] = False,
) -> None:
    """Serve simulated instruments on TCP ports and serial ptys, for this or any other program."""
    from galvanode.engine.signals import ending_signals
    from galvanode.library import find_file
    from galvanode_simulator.serve import serve as serve_instruments

    factor = _speed(speed)
    if factor is None or math.isinf(factor):
        raise InvalidInput(f"--speed is {speed!r}; expected a number: instruments on a wire cannot jump in time")

    def ready(instruments: list[dict[str, Any]]) -> None:
        for item in instruments:
            line = json.dumps(item) if json_ else f"{item['name']:<16} {item['driver']:<14} {item['resource']}"
            typer.echo(line)

    async def until_ended() -> None:
        with contextlib.nullcontext(sys.stderr) if log is None else _opened(log) as events:
            serving = asyncio.ensure_future(serve_instruments(find_file(bench, "benches"), factor, seed, ready, events))
            ending = ending_signals()
            await asyncio.wait([serving, ending], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            serving.cancel()
            ending.cancel()

    _run(until_ended())


@app.command()
def analyze(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    data: DataOption = DEFAULT_DATA,
    json_: JsonOption = False,
) -> None:
    """Run the analyses of a run's recipe on its data."""
    from galvanode.commands.foreground import print_summary
    from galvanode.commands.session import summary_of
    from galvanode.store.read import Store

    store = Store(data)
    print_summary(summary_of(store, store.run(run_id), None), as_json=json_)


@app.command()
def export(
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    out_path: Annotated[Path, typer.Argument(metavar="OUT")],
    format_: Annotated[str, typer.Option("--format", help="bdf, bdf-csv or battery-archive.")] = "bdf",
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Write a run's samples in a format that other programs read."""
    from galvanode.store.export import export_run
    from galvanode.store.read import Store

    for path in export_run(Store(data), run_id, format_, out_path):
        _console().print(str(path), markup=False, highlight=False, soft_wrap=True)


@app.command()
def runs(data: DataOption = DEFAULT_DATA, json_: JsonOption = False) -> None:
    """List the runs of a data directory."""
    from galvanode.store.read import Store

    records = Store(data).runs()
    if json_:
        typer.echo(
            json.dumps([{"run": r.id, "state": r.state, "title": r.title, "samples": r.samples} for r in records])
        )
        return
    from rich.table import Table

    table = Table("run", "channel", "recipe", "cell", "state", "end", "samples")
    for r in records:
        names = (Path(r.recipe_name).stem, Path(r.cell_name).stem)
        table.add_row(r.id, r.channel, *names, r.state, r.end_reason or "", str(r.samples))
    _console().print(table)


@app.command()
def reproduce(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...")] = None,
    json_: JsonOption = False,
) -> None:
    """Run the papers' experiments on simulated cells and recover their figures from the data."""
    from galvanode.commands.reproduce import reproduce_rows

    if not _run(reproduce_rows(ids or [], as_json=json_, out=_console())):
        raise typer.Exit(1)


@instruments_app.command("list")
def instruments_list(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; all, if none.")] = None,
) -> None:
    """List the installed instrument families: the driver's name in a bench file, what it drives, as what."""
    from rich.table import Table

    from galvanode.instrument.family import families

    known = families()
    if unknown := set(names or ()) - set(known):
        raise InvalidInput(f"{min(unknown)!r} is no installed family; expected one of {', '.join(known)}")
    table = Table("driver", "instruments", "role", "simulated")
    for name in names or known:
        try:
            family = known[name]
        except InvalidInput as error:
            table.add_row(name, str(error), "-", "no")
            continue
        table.add_row(name, family.title, family.role, "yes" if family.simulator else "no")
    _console().print(table)


@instruments_app.command("probe")
def instruments_probe(
    bench: Annotated[Path, typer.Argument(help="Bench file, or the name of one in the library.")],
    json_: JsonOption = False,
) -> None:
    """Ask every instrument of a bench who it is. Sends nothing that changes its state."""
    from galvanode.commands.foreground import probe_bench

    if not _run(probe_bench(bench, as_json=json_)):
        raise typer.Exit(1)


@app.command(hidden=True)
def engine(
    data: DataOption,
    bench: Annotated[Path, typer.Option("--bench")],
    speed: SpeedOption = None,
    seed: SeedOption = 0,
    resume: Annotated[bool, typer.Option("--resume/--no-resume")] = True,
) -> None:
    """The engine process, as the supervisor starts it."""
    from galvanode.engine.host import run_engine

    _run(run_engine(data, bench, speed=_speed(speed), seed=seed, resume=resume))


@app.command(hidden=True)
def web(
    data: DataOption,
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port")] = 8000,
) -> None:
    """The web process, as the supervisor starts it."""
    if hasattr(os, "nice"):
        os.nice(10)  # the engine comes first, even while this process starts
    from galvanode.engine.heartbeat import beat
    from galvanode.service.server import serve_web

    async def while_supervised() -> None:
        serving = asyncio.ensure_future(serve_web(data, host, port))
        heart = asyncio.ensure_future(beat())
        await asyncio.wait([serving, heart], return_when=asyncio.FIRST_COMPLETED)
        heart.cancel()
        if serving.done():
            serving.result()
        serving.cancel()

    _run(while_supervised())


def _console(*, stderr: bool = False) -> Console:
    """Import rich where something is printed: a station's processes start sooner without it."""
    from rich.console import Console

    return Console(stderr=stderr)


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(130)


def _speed(text: str | None) -> float | None:
    """Return the speed, ``inf`` for max, None for real time."""
    if text is None:
        return None
    if text == "max":
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise InvalidInput(f"--speed is {text!r}; expected a number above 0, or 'max'")
    return speed


def _parameters(texts: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise InvalidInput(f"-p {text!r}; expected NAME=VALUE, such as -p half_cycle='30 min'")
        parameters[name.strip()] = value.strip()
    return parameters
