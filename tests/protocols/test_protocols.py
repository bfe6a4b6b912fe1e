"""Every recipe that comes with Galvanode is sound on every cell that comes with it."""

from pathlib import Path

import pytest

from galvanode.cell import read_cell
from galvanode.recipe import compile_recipe, describe, estimate, read_recipe
from galvanode.recipe.program import Loop, Step

FOLDER = Path(__file__).parents[2] / "protocols"
RECIPES = sorted(FOLDER.glob("*.yaml"))
CELLS = sorted((FOLDER / "cells").glob("*.yaml"))


def test_the_recipes_and_cells_are_there():
    assert {path.stem for path in RECIPES} >= {"d3-critical-current-density", "d4-li-li-cycling"}
    assert {path.stem for path in CELLS} >= {"llzto-zni2", "llzto-bare", "llzto-i2", "llzto-thick"}


@pytest.mark.parametrize("cell", CELLS, ids=lambda path: path.stem)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_compiles_for_every_cell(recipe, cell):
    program = compile_recipe(read_recipe(recipe), read_cell(cell))
    assert estimate(program).duration_s.high < 1e8
    assert describe(program)


@pytest.mark.parametrize("path", RECIPES + CELLS, ids=lambda path: path.stem)
def test_every_file_says_where_its_figures_come_from(path):
    comments = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any("10.1039/" in line for line in comments)


def test_the_ramp_of_d3_passes_the_published_value_exactly():
    program = compile_recipe(
        read_recipe(FOLDER / "d3-critical-current-density.yaml"), read_cell(FOLDER / "cells/llzto-zni2.yaml")
    )
    (loop,) = [item for item in program.instructions if isinstance(item, Loop)]
    assert loop.turns == 80
    assert {1.5, 5.0, 10.0, 23.0} <= set(loop.ladder["current_density"])  # A/m2: 0.15, 0.5, 1 and 2.3 mA/cm2
    assert program.analyses == ("critical_current_density",)


@pytest.mark.parametrize("rate", ["0.1", "0.5", "1.0"])
def test_d4_runs_at_each_published_rate_and_is_polled_every_ten_seconds(rate):
    overrides = {"current_density": f"{rate} mA/cm^2", "areal_capacity": f"{rate} mAh/cm^2"}
    program = compile_recipe(
        read_recipe(FOLDER / "d4-li-li-cycling.yaml"), read_cell(FOLDER / "cells/llzto-zni2.yaml"), overrides
    )
    loop, plate, strip, _ = program.instructions
    assert isinstance(loop, Loop)
    assert all(isinstance(step, Step) for step in (plate, strip))
    assert (loop.until_s, loop.counts_cycles) == (7.2e6, True)
    assert plate.setpoint == pytest.approx(float(rate) * 0.785e-3)
    assert plate.setpoint == -strip.setpoint
    # Half-cycles of one hour: Q = i t.
    assert plate.until[0].value / plate.setpoint == pytest.approx(3600.0)
    assert max(plate.poll_s, strip.poll_s) <= 10.0
    assert 7.2e6 <= estimate(program).duration_s.high <= 7.2e6 + 7220
