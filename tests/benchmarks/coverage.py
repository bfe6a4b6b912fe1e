"""How often the true value lies inside the reported 95 % interval, over cells with parameters drawn at random.

    python -m tests.benchmarks.coverage [--cells 50]

Each cell goes through the whole stack: recipe, engine, driver, instrument on the wire format, store, analysis. The
truth is the simulated cell's parameter (for a capacity, what the model itself delivers to the same cut-offs).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.galvanode_simulator.calibrate_full_cells import cycles

from galvanode.analysis import analyse
from galvanode.clock import JumpingClock, install_clock
from galvanode.commands.session import Submission
from galvanode.engine.station import Station
from galvanode.instrument.bench import open_bench, read_bench
from galvanode.library import library
from galvanode.results import run_data
from galvanode.store.journal import Journal
from galvanode.store.read import Store
from galvanode_simulator.cells import CELLS

SWEEP_RATE = 0.3e-3


@dataclass(frozen=True)
class Kind:
    """One figure: how a cell is drawn, what is run on it, where the result stands."""

    name: str
    preset: str
    recipe: str
    cell: str
    result: str
    draw: Callable[[random.Random], tuple[dict[str, str], float]]
    """Return overrides in the bench file's words, and the truth in the result's unit."""
    driver: str = "emstat4"
    parameters: dict[str, str] = field(default_factory=dict)


def _conductivity(draw: random.Random) -> tuple[dict[str, str], float]:
    value = 10 ** draw.uniform(-1.0, 0.5)
    return {"conductivity": f"{value:.6g} mS/cm"}, float(f"{value:.6g}")


def _activation(draw: random.Random) -> tuple[dict[str, str], float]:
    joules = draw.uniform(18e3, 40e3)
    return {"conductivity_activation_energy": f"{joules / 1e3:.6g} kJ/mol"}, float(f"{joules / 1e3:.6g}") / 96.48533212


def _onset(draw: random.Random) -> tuple[dict[str, str], float]:
    volts = float(f"{draw.uniform(3.8, 4.3):.5g}")
    preset = CELLS["lzc-n15-composite"].model_copy(update={"oxidation_onset": volts})
    return {"oxidation_onset": f"{volts} V"}, preset.tangent_onsets(SWEEP_RATE)[1]  # type: ignore[attr-defined]


def _capacity(draw: random.Random) -> tuple[dict[str, str], float]:
    value = float(f"{274.0 * draw.uniform(0.85, 1.1):.6g}")
    preset = CELLS["lco-lzc-n15"].model_copy(update={"specific_capacity": value * 3600.0, "spread": 0.0})
    truth = cycles(preset, (0.1, 1, 3.60, 1.88))[0][0, 1]  # type: ignore[arg-type]
    return {"specific_capacity": f"{value} mAh/g", "spread": "0"}, float(truth)


KINDS = (
    Kind(
        "conductivity, mS/cm", "lzc-pellet", "a1-ionic-conductivity", "blocking-lzc", "ionic_conductivity",
        _conductivity,
    ),
    Kind("activation energy, eV", "lzc-pellet", "a2-arrhenius", "blocking-lzc", "activation_energy", _activation),
    Kind(
        "oxidation onset by tangent, V", "lzc-n15-composite", "a4-linear-sweep", "lsv-lzc-n015",
        "oxidation_onset_tangent", _onset,
    ),
    Kind(
        "first discharge, mAh/g", "lco-lzc-n15", "a5-first-cycle", "lco-liin-lzc-n015", "first_discharge_capacity",
        _capacity, driver="keithley2450",
    ),
)  # fmt: skip


async def one_cell(kind: Kind, overrides: dict[str, str], seed: int) -> dict[str, Any]:
    """Measure one cell; return value, low and high."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Path(folder) / "bench.yaml"
        role = "analyzer" if kind.driver == "emstat4" else "cycler"
        simulated = json.dumps({"cell": kind.preset, "chamber": "oven", "seed": seed, "overrides": overrides})
        bench.write_text(
            "title: One cell\ninstruments:\n"
            "  oven: {driver: espec, setpoint: 25 degC, simulated: {}}\n"
            f"  it: {{driver: {kind.driver}, simulated: {simulated}}}\n"
            f"channels: {{cell: {{{role}: it, chamber: oven}}}}\n"
        )
        clock = JumpingClock()
        install_clock(clock)
        station = Station(Journal(Path(folder)), open_bench(read_bench(bench), seed), clock, seed)
        await station.start()
        recipe, cell = library() / f"{kind.recipe}.yaml", library() / "cells" / f"{kind.cell}.yaml"
        submission = Submission("cell", recipe, cell, kind.parameters)
        submitted = await station.ask(submission.request)
        while station.table.runs:
            await asyncio.sleep(0.02)
        await station.close()
        store = Store(Path(folder))
        run = store.run(submitted.run)
        if run.state != "completed":
            raise RuntimeError(f"{kind.name}: {run.state}: {run.end_reason}")
        result = analyse(run.analyses, run_data(store, run))[kind.result]
        return {"value": result.value, "low": result.low, "high": result.high}


def coverage(kind: Kind, cells: int) -> tuple[int, list[tuple[float, dict[str, Any]]]]:
    """Return how many of so many cells have the truth inside their interval, and those that have not."""
    draw = random.Random(kind.name)
    inside, outside = 0, []
    for seed in range(1, cells + 1):
        overrides, truth = kind.draw(draw)
        found = asyncio.run(one_cell(kind, overrides, seed))
        if found["low"] is not None and found["low"] <= truth <= found["high"]:
            inside += 1
        else:
            outside.append((truth, found))
    return inside, outside


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=50)
    options = parser.parse_args()
    for kind in KINDS:
        inside, outside = coverage(kind, options.cells)
        print(f"{kind.name:<34}{inside:>4} of {options.cells} inside")
        for truth, found in outside[:5]:
            print(f"    true {truth:.6g}, found {found}")


if __name__ == "__main__":
    main()
