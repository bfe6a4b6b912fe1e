"""The demo: critical current density, long cycling, rates, a sweep and impedance on twelve simulated cells."""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from galvanode.commands.foreground import follow_with_progress
from galvanode.commands.serving import until_ended, until_it_answers
from galvanode.commands.session import Session, Submission, session, summary_of
from galvanode.library import library
from galvanode.service.listening import check_address
from galvanode.store.read import Store

out = Console()
err = Console(stderr=True)

SPEED = 1500.0
"""Simulated seconds per second with the web page: the ramp to 2.3 mA/cm2 takes two minutes."""


@dataclass(frozen=True)
class Experiment:
    """One channel's part in the demo."""

    channel: str
    recipe: str
    cell: str
    parameters: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def submission(self) -> Submission:
        """As the station takes it."""
        protocols = library()
        cell = protocols / "cells" / f"{self.cell}.yaml"
        return Submission(self.channel, protocols / f"{self.recipe}.yaml", cell, self.parameters)


HEADLINES = {
    "critical_current_density": "CCD",
    "polarisation": "polarisation",
    "activation_energy": "Ea",
    "oxidation_onset_tangent": "oxidation onset",
    "interface_resistance": "interface",
    "first_discharge_capacity": "first discharge",
}
"""Result -> how the table calls it; the first one that a run has stands for it."""
RAMP, CYCLING = "d3-critical-current-density", "d4-li-li-cycling"


def _cycling(current_density: str, areal_capacity: str, duration: str) -> dict[str, str]:
    return {"current_density": current_density, "areal_capacity": areal_capacity, "duration": duration}


EXPERIMENTS = (
    Experiment("ch1", RAMP, "llzto-zni2"),
    Experiment("ch2", RAMP, "llzto-bare"),
    Experiment("ch3", RAMP, "llzto-i2"),
    Experiment("ch4", RAMP, "llzto-thick"),
    Experiment("ch5", CYCLING, "llzto-zni2", _cycling("0.1 mA/cm^2", "0.1 mAh/cm^2", "2000 h")),
    Experiment("ch6", CYCLING, "llzto-zni2", _cycling("0.5 mA/cm^2", "0.5 mAh/cm^2", "1600 h")),
    Experiment("ch7", CYCLING, "llzto-zni2", _cycling("1.0 mA/cm^2", "1.0 mAh/cm^2", "800 h")),
    Experiment("ch8", CYCLING, "llzto-bare", _cycling("0.1 mA/cm^2", "0.1 mAh/cm^2", "2000 h")),
    Experiment("ch9", "d5-rate-capability", "lfp-li-zni2"),
    Experiment("ch10", "a4-linear-sweep", "lsv-lzc-n015"),
    Experiment("ch11", "a2-arrhenius", "blocking-lzc-n015"),
    Experiment("ch12", "d1-interface-resistance", "llzto-zni2"),
)


async def run_demo(*, headless: bool, port: int, speed: float | None, data_dir: Path | None, as_json: bool) -> None:
    """Run the demo: with the web page until Ctrl-C, or headless to the end."""
    with tempfile.TemporaryDirectory(prefix="galvanode-demo-", ignore_cleanup_errors=True) as scratch:
        directory = Path(scratch) if data_dir is None else data_dir
        bench = library() / "benches" / "demo.yaml"
        if speed is None:
            speed = math.inf if headless else SPEED
        web = None
        if not headless:
            check_address("127.0.0.1", port)
            web = ["--host", "127.0.0.1", "--port", str(port)]
        started = time.monotonic()
        async with session(directory, bench, speed=speed, seed=0, web=web) as station:
            runs = {await station.submit(item.submission): item for item in EXPERIMENTS}
            if headless:
                labels = {run: f"{item.channel} {item.cell} {item.recipe[:2].upper()}" for run, item in runs.items()}
                await follow_with_progress(station, labels)
            else:
                await _show(station, port, speed)
                return
        _print_table(Store(directory), runs, time.monotonic() - started, as_json=as_json)


async def _show(station: Session, port: int, speed: float) -> None:
    await until_it_answers(station.supervisor, "127.0.0.1", port)
    err.print(
        f"Twelve simulated cells are at work, {speed:g} times as fast as real time.\n"
        f"Open http://127.0.0.1:{port} in a browser. Ctrl-C ends the demo.",
        highlight=False,
    )
    await until_ended(station.supervisor)


def _print_table(store: Store, runs: dict[str, Experiment], wall_s: float, *, as_json: bool) -> None:
    summaries = [summary_of(store, store.run(run), None) for run in runs]
    if as_json:
        rows = [
            {"channel": item.channel, "recipe": item.recipe, "cell": item.cell, **summary}
            for item, summary in zip(runs.values(), summaries, strict=True)
        ]
        typer.echo(json.dumps({"wall_s": wall_s, "runs": rows}, allow_nan=False))
        return
    table = Table("channel", "cell", "experiment", "simulated", "samples", "result", "ended by")
    for item, summary in zip(runs.values(), summaries, strict=True):
        table.add_row(
            item.channel,
            item.cell,
            _experiment(item),
            f"{summary['simulated_s'] / 3600:,.1f} h",
            f"{summary['samples']:,}",
            _headline(summary["results"]),
            _in_short(str(summary["end_reason"])),
        )
    out.print(table)
    samples = sum(summary["samples"] for summary in summaries)
    hours = sum(summary["simulated_s"] for summary in summaries) / 3600
    out.print(f"{samples:,} samples of {hours:,.0f} simulated hours in {wall_s:.1f} s", highlight=False)


def _experiment(item: Experiment) -> str:
    if item.recipe == CYCLING:
        return f"Li/Li at {item.parameters['current_density']}"
    return item.recipe.partition("-")[2].replace("-", " ")


def _in_short(end_reason: str) -> str:
    """``short_circuit: hard: V/I fell ...`` becomes ``short circuit, hard``."""
    return ", ".join(part.strip() for part in end_reason.split(":")[:2]).replace("_", " ")


def _headline(results: dict[str, Any]) -> str:
    for name, label in HEADLINES.items():
        result = results.get(name)
        if result is not None and isinstance(result["value"], float):
            return f"{label} {result['value']:.3g} {result['unit']}"
    return "-"
