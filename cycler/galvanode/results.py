"""What a run's data say: the analyses that its recipe names, on its samples, its steps and its cell's definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from galvanode.analysis import Result, RunData
from galvanode.cell import CellUnderTest, parse_cell
from galvanode.errors import InvalidInput
from galvanode.store.read import Store
from galvanode.store.records import RunRecord


def run_data(store: Store, run: RunRecord) -> RunData:
    """Return everything that an analysis may look at; the cell's parameters are what its definition says.

    A definition that this version cannot read leaves them unknown: the data outlive the language.
    """
    cell = _cell(run)
    return RunData(
        samples=store.samples(run.id),
        steps=store.steps(run.id),
        area_m2=run.area_m2,
        thickness_m=None if cell is None else _known(cell.electrolyte_thickness),
        active_mass_kg=None if cell is None else cell.active_mass,
        nominal_capacity_c=None if cell is None else cell.nominal_capacity,
        reference_offset_v=0.0 if cell is None else cell.reference_offset,
    )


def plain(results: Mapping[str, Result]) -> dict[str, dict[str, Any]]:
    """Return results as JSON data; the bounds of a 95 % interval are there only where there is one."""
    return {name: _plain(result) for name, result in results.items()}


def _plain(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {"value": result.value, "unit": result.unit}
    if result.low is not None:
        found["low"] = result.low
    if result.high is not None:
        found["high"] = result.high
    return found


def _cell(run: RunRecord) -> CellUnderTest | None:
    try:
        return parse_cell(run.cell_text, run.cell_name)
    except InvalidInput:
        return None


def _known(value: float | Literal["unknown"]) -> float | None:
    return None if value == "unknown" else value
