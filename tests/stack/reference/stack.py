"""A recipe through the whole stack in simulated time: compiler, engine, driver, instrument on a wire, store."""

from __future__ import annotations

import asyncio
import itertools
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvisa

from galvanode.clock import JumpingClock, install_clock, process_clock
from galvanode.engine.contract import Submit
from galvanode.engine.station import Station
from galvanode.instrument.bench import open_bench, read_bench
from galvanode.store import schema
from galvanode.store.journal import Journal
from galvanode.store.read import Store

BENCH = """
title: A capacitor on an instrument that reads true
instruments:
  smu: {driver: keithley2450, simulated: {cell: capacitor, ideal: true}}
channels:
  ch: {cycler: smu}
"""
CELL = """
name: Capacitor of 1 F behind 10 ohm, at 3 V
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
active_mass: 10 mg
nominal_capacity: 1 mAh
reference_offset: 0 V
envelope: {voltage: {min: -10 V, max: 10 V}, current: {max: 50 mA}}
"""
CAPACITY_C = 3.6
_LONGEST_S = 5.0
"""Real seconds; a run takes a few hundredths of one."""


@dataclass
class StepSeen:
    """One step as the store has it."""

    step_id: int
    name: str
    mode: str
    cycle: int
    setpoint: float | None
    started: float
    ended: float
    reason: str
    times: list[float]
    """Of its samples, since it began."""
    voltages: list[float]
    currents: list[float]
    charged: float
    """C from its first to its last sample."""
    discharged: float


@dataclass
class Seen:
    """One run as the store has it."""

    state: str
    reason: str
    steps: list[StepSeen]
    charged: float
    """C of the whole run."""
    discharged: float
    indices: list[int]
    events: list[Any]
    cell_voltage: float
    """Across the simulated capacitor at the end."""

    def set_to(self) -> list[tuple[str, float]]:
        """Every assignment, in order."""
        return [(e.details["name"], e.details["value"]) for e in self.events if e.kind == "set"]


class Laboratory:
    """Carries out one recipe after the other, each on a fresh cell, instrument and store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._bench = folder / "bench.yaml"
        self._bench.write_text(BENCH)

    def run(self, recipe: str, start: float = 3.0) -> Seen:
        """Carry out a recipe on a cell at ``start`` V; raises ``InvalidInput`` if the compiler refuses it."""
        before, data = process_clock(), self._folder / f"{next(self._numbers)}"
        try:
            return asyncio.run(self._run(recipe, start, data))
        except TimeoutError:
            raise AssertionError(f"the run does not end:\n{recipe}") from None
        finally:
            install_clock(before)
            shutil.rmtree(data)

    async def _run(self, recipe: str, start: float, data: Path) -> Seen:
        clock = JumpingClock()
        install_clock(clock)
        bench = read_bench(self._bench)
        station = Station(Journal(data), open_bench(bench), clock)
        library: Any = pyvisa.ResourceManager(bench.backend("smu", 0)).visalib
        model = library.instruments["smu"].model
        model.cell.u = start
        try:
            await station.start()
            request = Submit(channel="ch", recipe=recipe, recipe_name="r.yaml", cell=CELL, cell_name="c.yaml")
            run = (await station.ask(request)).run
            async with asyncio.timeout(_LONGEST_S):
                while station.table.runs:
                    await asyncio.sleep(0.001)
        finally:
            await station.close()
            pyvisa.ResourceManager(bench.backend("smu", 0)).close()
        return _seen(Store(data), run, model.cell.u)


def _seen(store: Store, run: str, cell_voltage: float) -> Seen:
    record, samples, steps = store.run(run), store.samples(run), store.steps(run).to_pylist()
    counts = samples.column(schema.STEP_COUNT).to_pylist()
    rows: dict[int, list[int]] = {}
    for row, count in enumerate(counts):
        rows.setdefault(count, []).append(row)
    columns = {name: samples.column(name).to_pylist() for name in _COLUMNS}
    seen: list[StepSeen] = []
    for step in steps:
        mine = rows.get(step["step_count"], [])
        first, last = (mine[0], mine[-1]) if mine else (0, 0)
        charged, discharged = (columns[name] for name in (schema.CHARGED, schema.DISCHARGED))
        seen.append(
            StepSeen(
                step_id=step["step_id"],
                name=step["name"],
                mode=step["mode"],
                cycle=step["cycle"],
                setpoint=step["setpoint"],
                started=step["started_test_time_s"],
                ended=math.nan if step["ended_test_time_s"] is None else step["ended_test_time_s"],
                reason=step["end_reason"] or "",
                times=[columns[schema.STEP_TIME][row] for row in mine],
                voltages=[columns[schema.VOLTAGE][row] for row in mine],
                currents=[columns[schema.CURRENT][row] for row in mine],
                charged=3600 * (charged[last] - charged[first]) if mine else 0.0,
                discharged=3600 * (discharged[last] - discharged[first]) if mine else 0.0,
            )
        )
    total = [3600 * columns[name][-1] if counts else 0.0 for name in (schema.CHARGED, schema.DISCHARGED)]
    return Seen(
        state=record.state,
        reason=record.end_reason or "",
        steps=seen,
        charged=total[0],
        discharged=total[1],
        indices=columns[schema.RECORD],
        events=store.events(run),
        cell_voltage=cell_voltage,
    )


_COLUMNS = (
    schema.STEP_TIME,
    schema.VOLTAGE,
    schema.CURRENT,
    schema.CHARGED,
    schema.DISCHARGED,
    schema.RECORD,
)
