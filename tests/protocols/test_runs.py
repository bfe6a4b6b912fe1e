"""Every recipe runs to its end through the whole stack, on the simulated cell that it names as its example."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from galvanode.commands.executed import ExecutedStep, executed_steps
from galvanode.commands.rehearsal import rehearsal
from galvanode.commands.session import Submission
from galvanode.instrument.bench import read_bench
from galvanode.recipe import read_recipe
from galvanode.store.read import Store

FOLDER = Path(__file__).parents[2] / "protocols"
BENCH = FOLDER / "benches" / "simulated.yaml"

SHORT: dict[str, dict[str, str]] = {
    "a2-arrhenius": {"soak": "5 min"},
    "a6-rate-capability": {"cycles": "1"},
    "a7-long-cycling": {"cycles": "2"},
    "a8-high-voltage": {"cycles": "1", "then_cycles": "2"},
    "a9-li-li-cycling": {"duration": "30 h"},
    "a10-critical-current-density": {"activation": "20 h", "step": "0.4 mA/cm^2"},
    "a11-li-li-cycling": {"duration": "30 h"},
    "a12-storage": {"duration": "48 h"},
    "b2-arrhenius": {"soak": "5 min"},
    "b6-rate-capability": {"cycles": "1"},
    "b7-cycling-with-impedance": {"first": "1", "second": "1", "third": "1"},
    "c1-arrhenius": {"soak": "5 min"},
    "c4-symmetric-impedance": {"duration": "48 h"},
    "c6-rate-capability": {"cycles": "1"},
    "c7-long-cycling": {"cycles": "5"},
    "c8-temperature": {"cycles": "2"},
    "c9-lco-high-voltage": {"cycles": "1"},
    "c11-rate-steps": {"cycles": "1"},
    "c11-critical-current-density": {"step": "0.4 mA/cm^2"},
    "c12-li-li-cycling": {"duration": "30 h"},
    "c13-rate-capability": {"cycles": "1"},
    "c13-long-cycling": {"cycles": "5"},
    "d1-interface-resistance": {"cycles": "5"},
    "d2-interface-activation": {"soak": "5 min"},
    "d3-critical-current-density": {"step": "0.4 mA/cm^2"},
    "d4-li-li-cycling": {"duration": "30 h"},
    "d5-rate-capability": {"cycles": "1"},
    "d6-long-cycling": {"cycles": "3"},
    "cccv-cycling": {"cycles": "2"},
    "critical-current-density": {"step": "0.4 mA/cm^2"},
    "critical-current-density-by-capacity": {"step": "0.4 mA/cm^2"},
    "cycling-then-impedance": {"cycles": "2"},
    "gitt": {"rate": "0.2C", "pulse": "30 min"},
    "ici": {"rate": "0.2C"},
    "li-li-cycling": {"duration": "30 h"},
    "rate-test": {"cycles": "1"},
    "storage-with-impedance": {"duration": "48 h"},
}
"""What is shorter than the recipe says, so that one run takes a second or two; all others run as they are."""

QUICK = (
    "a1-ionic-conductivity",
    "a4-linear-sweep",
    "a9-li-li-cycling",
    "b3-electronic-conductivity",
    "b7-cycling-with-impedance",
    "c2-transference-number",
    "c3-anodic-sweep",
    "c5-lithium-diffusion",
    "d3-critical-current-density",
    "acceptance",
)
"""Run in the default suite: each kind of measurement once, on a channel of its own."""

RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def submission_of(recipe: str) -> Submission:
    path = FOLDER / f"{recipe}.yaml"
    cell = read_recipe(path).text.example_cell
    assert cell is not None
    return Submission(cell.replace("-", "_"), path, FOLDER / "cells" / f"{cell}.yaml", dict(SHORT.get(recipe, {})))


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_each_kind_of_recipe_runs_to_its_end_all_at_once_on_one_station(tmp_path: Path):
    submissions = [submission_of(recipe) for recipe in QUICK]
    assert len({each.channel for each in submissions}) == len(QUICK)
    async with rehearsal(tmp_path, read_bench(BENCH)) as laboratory:
        records = await asyncio.gather(*(laboratory.run(each) for each in submissions))
    for recipe, record in zip(QUICK, records, strict=True):
        assert record.state == "completed", f"{recipe}: {record.end_reason}"
        assert record.samples > 10, recipe


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("recipe", RECIPES)
async def test_every_recipe_runs_to_its_end(recipe: str, tmp_path: Path):
    async with rehearsal(tmp_path, read_bench(BENCH)) as laboratory:
        record = await laboratory.run(submission_of(recipe))
    assert record.state == "completed", record.end_reason
    assert record.samples > 10


async def steps_of(recipe: str, data: Path) -> list[ExecutedStep]:
    async with rehearsal(data, read_bench(BENCH)) as laboratory:
        record = await laboratory.run(submission_of(recipe))
    return executed_steps(Store(data), record.id)


@pytest.mark.slow
async def test_formation_checks_the_cell_at_a_rate_of_the_capacity_that_it_has_just_measured(tmp_path: Path):
    steps = [step for step in await steps_of("formation", tmp_path) if step.name == "discharge"]
    *_, measured, check = steps
    assert check.setpoint == pytest.approx(-0.5 * measured.discharged_c / 3600.0, rel=1e-3)


@pytest.mark.slow
async def test_hppc_pulses_at_every_tenth_of_the_capacity_that_it_has_just_measured(tmp_path: Path):
    steps = await steps_of("hppc", tmp_path)
    capacity, *tenths = [step for step in steps if step.name == "discharge"]
    pulses = [step for step in steps if step.name == "discharge pulse"]
    assert len(pulses) == len(tenths) == 10
    assert [step.duration_s for step in pulses] == pytest.approx([10.0] * 10, abs=0.2)
    assert min(step.samples for step in pulses) >= 20 + 8  # a burst of 2 s at 10 Hz, then every second
    for step in tenths[:-1]:
        assert step.discharged_c == pytest.approx(capacity.discharged_c / 10.0, rel=0.01)


def test_what_is_shortened_is_a_recipe_of_the_library():
    assert set(SHORT) | set(QUICK) <= set(RECIPES)
