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
_STEP_V = 0.02
"""A tangent onset depends on where the current is taken to rise; 20 mV is what a noisy sweep allows."""


def _cycling(current_density: str, duration: str) -> dict[str, str]:
    capacity = current_density.replace("mA", "mAh")
    return {"current_density": current_density, "areal_capacity": capacity, "duration": duration}


def _conductivity(row: str, what: str, cell: str, expected: float) -> Figure:
    return Figure(
        row, f"conductivity, {what}", f"{row.lower()}-ionic-conductivity", f"blocking-{cell}", "ionic_conductivity",
        expected, 0.03 * expected, "mS/cm",
    )  # fmt: skip


def _activation(row: str, what: str, cell: str, expected: float) -> Figure:
    return Figure(
        row,
        f"activation energy, {what}",
        f"{row.lower()}-arrhenius",
        f"blocking-{cell}",
        "activation_energy",
        expected,
        0.005,
        "eV",
    )


def _electronic(row: str, what: str, cell: str, expected: float) -> Figure:
    return Figure(
        row, f"electronic conductivity, {what}", f"{row.lower()}-electronic-conductivity", f"blocking-{cell}",
        "electronic_conductivity", expected, 0.05 * expected, "S/cm",
    )  # fmt: skip


def _onset(row: str, what: str, recipe: str, cell: str, side: str, expected: float, limit: str | None) -> Figure:
    parameters = {} if limit is None else {"limit": limit}
    return Figure(
        row, f"{side} onset, {what}", recipe, f"lsv-{cell}", f"{side}_onset_tangent", expected, _STEP_V, "V", parameters
    )


def _capacity(row: str, what: str, recipe: str, cell: str, result: str, expected: float) -> Figure:
    """A capacity is that of one cell: two in a hundred is what weighing its active mass allows."""
    return Figure(row, what, recipe, cell, result, expected, 0.02 * expected, "mAh/g")


def _efficiency(row: str, what: str, recipe: str, cell: str, expected: float) -> Figure:
    return Figure(row, f"ICE, {what}", recipe, cell, "initial_coulombic_efficiency", expected, 0.5, "%")


def _retained(row: str, what: str, recipe: str, cell: str, expected: float) -> Figure:
    """What is left of a capacity: one in a hundred is what temperature and timing of a long run allow."""
    return Figure(row, f"retention, {what}", recipe, cell, "capacity_retention", expected, 1.0, "%")


def _at_rates(row: str, what: str, recipe: str, cell: str, expected: dict[str, float]) -> tuple[Figure, ...]:
    return tuple(
        _capacity(row, f"{what} at {rate.replace('_return', ', back')}", recipe, cell, f"discharge_capacity_{rate}", q)
        for rate, q in expected.items()
    )


def _interfacial(what: str, cell: str, expected: float) -> Figure:
    return Figure(
        "D2", f"interfacial activation energy, {what}", "d2-interface-activation", cell,
        "interface_activation_energy", expected, 0.4, "kJ/mol",
    )  # fmt: skip


_HIGH, _LOW = "5 V vs Li+/Li", "0.5 V vs Li+/Li"
_D5 = {"0.1C": 155.8, "0.2C": 147.6, "0.3C": 145.1, "0.5C": 143.7, "0.8C": 124.4, "1C": 112.0, "0.1C_return": 152.5}
_C13 = {"0.2C": 166.0, "0.5C": 158.5, "1C": 149.4, "2C": 137.9, "5C": 116.9, "10C": 101.2}
_B6 = {"0.4C": 122.1, "0.6C": 113.9, "0.8C": 107.1, "1C": 100.0}

FIGURES = (
    *(
        _conductivity("A1", f"x = {x}", cell, expected)
        for x, cell, expected in (
            ("0", "lzc", 0.51), ("0.05", "lzc-n005", 0.93), ("0.10", "lzc-n010", 1.18),
            ("0.15", "lzc-n015", 1.50), ("0.20", "lzc-n020", 1.34), ("0.25", "lzc-n025", 0.74),
        )
    ),
    _activation("A2", "LZC", "lzc", 0.349),
    _activation("A2", "N0.15", "lzc-n015", 0.244),
    _electronic("A3", "LZC", "lzc", 8.50e-10),
    _electronic("A3", "N0.05", "lzc-n005", 5.08e-10),
    _electronic("A3", "N0.15", "lzc-n015", 1.99e-10),
    _onset("A4", "LZC", "a4-linear-sweep", "lzc", "oxidation", 4.03, _HIGH),
    _onset("A4", "LZC", "a4-linear-sweep", "lzc", "reduction", 1.76, _LOW),
    _onset("A4", "N0.15", "a4-linear-sweep", "lzc-n015", "oxidation", 4.08, _HIGH),
    _onset("A4", "N0.15", "a4-linear-sweep", "lzc-n015", "reduction", 1.69, _LOW),
    _capacity("A5", "first discharge, N0.15", "a5-first-cycle", "lco-liin-lzc-n015", "first_discharge_capacity", 141.7),
    _efficiency("A5", "N0.15", "a5-first-cycle", "lco-liin-lzc-n015", 96.9),
    _capacity("A5", "first discharge, LZC", "a5-first-cycle", "lco-liin-lzc", "first_discharge_capacity", 128.5),
    _efficiency("A5", "LZC", "a5-first-cycle", "lco-liin-lzc", 93.3),
    _capacity("A6", "N0.15 at 1C", "a6-rate-capability", "lco-liin-lzc-n015", "discharge_capacity_1C", 58.0),
    _retained("A7", "N0.15, 150 cycles", "a7-long-cycling", "lco-liin-lzc-n015", 79.0),
    *(
        _capacity("A8", f"cycle {n}, {what}", "a8-high-voltage", cell, f"discharge_capacity_cycle_{n}", expected)
        for what, cell, capacities in (
            ("N0.15", "lco-liin-lzc-n015", (218.4, 213.4, 209.7)), ("LZC", "lco-liin-lzc", (205.5, 196.8, 191.3)),
        )
        for n, expected in enumerate(capacities, start=1)
    ),
    _efficiency("A8", "N0.15", "a8-high-voltage", "lco-liin-lzc-n015", 94.3),
    _efficiency("A8", "LZC", "a8-high-voltage", "lco-liin-lzc", 92.3),
    _retained("A8", "N0.15, 120 cycles", "a8-high-voltage", "lco-liin-lzc-n015", 75.8),
    _retained("A8", "LZC, 120 cycles", "a8-high-voltage", "lco-liin-lzc", 71.0),
    Figure(
        "A9", "polarisation at the end, N0.15", "a9-li-li-cycling", "li-lzc-n015", "last_polarisation", 15.0, 1.0, "mV"
    ),
    Figure("A9", "life, N0.15, at least", "a9-li-li-cycling", "li-lzc-n015", "lifetime", 3000.0, 4.0, "h"),
    Figure(
        "A10", "voltage drop, N0.15", "a10-critical-current-density", "li-lzc-n015", "first_failure",
        2.8, _RUNG, "mA/cm2",
    ),
    Figure(
        "A11", "polarisation at the end", "a11-li-li-cycling", "li-lzc-n015-fast", "last_polarisation", 184.0, 5.0, "mV"
    ),
    _conductivity("B1", "LZNC", "lznc", 1.03),
    _conductivity("B1", "LZNC, x = 0", "lznc-x0", 0.515),
    _conductivity("B1", "LZNC annealed", "lznc-annealed", 1.46e-4),
    _activation("B2", "LZNC", "lznc", 0.327),
    _electronic("B3", "LZC", "lznc-x0", 8.11e-9),
    _electronic("B3", "LZNC", "lznc", 1.09e-9),
    _onset("B4", "LZNC", "b4-anodic-sweep", "lznc", "oxidation", 4.02, None),
    _capacity("B5", "first discharge, LZNC", "b5-first-cycle", "full-lznc", "first_discharge_capacity", 127.4),
    _efficiency("B5", "LZNC", "b5-first-cycle", "full-lznc", 95.19),
    _capacity("B5", "first discharge, LZC", "b5-first-cycle", "full-lzc", "first_discharge_capacity", 118.16),
    _efficiency("B5", "LZC", "b5-first-cycle", "full-lzc", 92.35),
    *_at_rates("B6", "LZNC", "b6-rate-capability", "full-lznc", _B6),
    Figure("B6", "LZNC, back at 0.2C", "b6-rate-capability", "full-lznc", "return_to_first_rate", 92.0, 2.0, "%"),
    _retained("B7", "LZNC, 100 cycles", "b7-cycling-with-impedance", "full-lznc", 91.4),
    _retained("B7", "LZC, 100 cycles", "b7-cycling-with-impedance", "full-lzc", 59.0),
    _activation("C1", "QCPE@P-DOL", "qcpe", 0.14),
    _activation("C1", "uncoated", "lagp", 0.16),
    _onset("C3", "QCPE@P-DOL", "c3-anodic-sweep", "qcpe", "oxidation", 4.7, None),
    *_at_rates("C6", "LFP", "c6-rate-capability", "lfp-qcpe", {"5C": 113.3}),
    _capacity("C9", "LCO to 4.45 V", "c9-lco-high-voltage", "lco-qcpe", "first_discharge_capacity", 165.1),
    Figure(
        "C11", "CCD, QCPE@P-DOL", "c11-critical-current-density", "li-qcpe", "critical_current_density",
        2.4, _RUNG, "mA/cm2",
    ),
    Figure("C12", "life at 0.2 mA/cm2, at least", "c12-li-li-cycling", "li-qcpe", "lifetime", 2100.0, 4.0, "h"),
    Figure(
        "C12", "uncoated at 0.5 mA/cm2 fails after", "c12-li-li-cycling", "li-lagp", "lifetime", 60.0, 2.0, "h",
        _cycling("0.5 mA/cm^2", "1100 h"),
    ),
    *_at_rates("C13", "LFP", "c13-rate-capability", "lfp-llzto-pdol", _C13),
    Figure(
        "D1", "interface, ZnI2@LLZTO", "d1-interface-resistance", "llzto-zni2",
        "interface_resistance", 10.3, 0.3, "ohm cm2",
    ),
    Figure(
        "D1", "its growth in 100 cycles at 0.1 mA/cm2", "d1-interface-resistance", "llzto-zni2",
        "interface_resistance_change", 3.2, 0.4, "ohm cm2",
    ),
    _interfacial("ZnI2@LLZTO", "llzto-zni2", 19.2),
    _interfacial("bare LLZTO", "llzto-bare", 30.3),
    Figure("D3", "CCD, ZnI2@LLZTO", RAMP, "llzto-zni2", "critical_current_density", 2.3, _RUNG, "mA/cm2"),
    Figure("D3", "CCD, bare LLZTO", RAMP, "llzto-bare", "critical_current_density", 0.15, _RUNG, "mA/cm2"),
    Figure("D3", "CCD, I2 layer", RAMP, "llzto-i2", "critical_current_density", 0.5, _RUNG, "mA/cm2"),
    Figure("D3", "soft short, thick layer", RAMP, "llzto-thick", "first_failure", 1.0, _RUNG, "mA/cm2"),
    Figure(
        "D4", "polarisation, 0.1 mA/cm2", CYCLING, "llzto-zni2", "polarisation", 13.0, 1.0, "mV",
        _cycling("0.1 mA/cm^2", "2000 h"),
    ),
    *(
        Figure(
            "D4", f"life at {density} mA/cm2, at least", CYCLING, "llzto-zni2", "lifetime", hours, 4.0, "h",
            _cycling(f"{density} mA/cm^2", f"{hours:g} h"),
        )
        for density, hours in (("0.1", 2000.0), ("0.5", 1600.0), ("1.0", 800.0))
    ),
    Figure(
        "D4", "bare LLZTO shorts after", CYCLING, "llzto-bare", "lifetime", 25.0, 2.0, "h",
        _cycling("0.1 mA/cm^2", "2000 h"),
    ),
    *_at_rates("D5", "LFP", "d5-rate-capability", "lfp-li-zni2", _D5),
    _capacity("D6", "LFP at 0.5C", "d6-long-cycling", "lfp-li-zni2", "first_discharge_capacity", 143.9),
    Figure("D6", "fade in 200 cycles", "d6-long-cycling", "lfp-li-zni2", "fade", 0.021, 0.001, "%/cycle"),
    Figure("D6", "coulombic efficiency", "d6-long-cycling", "lfp-li-zni2", "coulombic_efficiency", 99.0, 0.5, "%"),
)  # fmt: skip


def _row_order(row: str) -> tuple[str, int]:
    return row[0], int(row[1:])


async def reproduce_rows(ids: list[str], *, as_json: bool, out: Console) -> bool:
    """Run the experiments behind these rows (all if none is named) and print the table; True if all agree.

    Raises ``InvalidInput`` for a row that this version does not have.
    """
    known = sorted({figure.row for figure in FIGURES}, key=_row_order)
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
                await follow_with_progress(station, {run: f"{recipe.partition('-')[0].upper()} {cell}"})
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
