"""Every recipe that comes with Galvanode is sound on every cell that comes with it."""

from pathlib import Path

import pytest

from galvanode.cell import read_cell
from galvanode.errors import InvalidInput
from galvanode.instrument.bench import read_bench
from galvanode.recipe import compile_recipe, describe, estimate, read_recipe
from galvanode.recipe.program import Loop, SetChamber, Step, Variable
from galvanode_simulator.cells import CELLS as CELLS_INSIDE

FOLDER = Path(__file__).parents[2] / "protocols"
RECIPES = sorted(FOLDER.glob("*.yaml"))
SIMULATED = read_bench(FOLDER / "benches" / "simulated.yaml")
CELLS = sorted((FOLDER / "cells").glob("*.yaml"))


GARNETS = ("llzto-zni2", "llzto-bare", "llzto-i2", "llzto-thick")
BLOCKING = (
    "blocking-lzc",
    "blocking-lzc-n005",
    "blocking-lzc-n010",
    "blocking-lzc-n015",
    "blocking-lzc-n020",
    "blocking-lzc-n025",
    "blocking-lznc",
    "blocking-lznc-annealed",
    "blocking-lznc-x0",
)
SWEPT = ("lsv-lzc", "lsv-lzc-n015", "lsv-lznc", "lsv-lznc-x0")
LCO = ("lco-liin-lzc", "lco-liin-lzc-n015")
FULL = ("full-lzc", "full-lznc")
LFP = ("lfp-li-zni2",)
MEANT_FOR = {
    "a1-ionic-conductivity": BLOCKING,
    "a2-arrhenius": BLOCKING,
    "a3-electronic-conductivity": BLOCKING,
    "a4-linear-sweep": SWEPT,
    "a5-first-cycle": LCO + FULL + LFP,
    "a8-high-voltage": LCO,
    "b4-anodic-sweep": SWEPT,
    "b6-rate-capability": FULL + LFP,
    "d1-interface-resistance": GARNETS,
    "d3-critical-current-density": GARNETS,
    "d4-li-li-cycling": GARNETS,
    "d5-rate-capability": LFP + FULL,
}
PAIRS = [(recipe, cell) for recipe, cells in MEANT_FOR.items() for cell in cells]


def program_of(recipe, cell, **parameters):
    return compile_recipe(
        read_recipe(FOLDER / f"{recipe}.yaml"), read_cell(FOLDER / "cells" / f"{cell}.yaml"), parameters
    )


def steps_of(program):
    return [item for item in program.instructions if isinstance(item, Step)]


def test_every_recipe_is_meant_for_some_cell_and_every_cell_for_some_recipe():
    assert {path.stem for path in RECIPES} == set(MEANT_FOR)
    assert {path.stem for path in CELLS} == {cell for _, cell in PAIRS}


@pytest.mark.parametrize(("recipe", "cell"), PAIRS)
def test_every_recipe_compiles_for_the_cells_that_it_is_meant_for(recipe, cell):
    program = program_of(recipe, cell)
    assert estimate(program).duration_s.high < 1e8
    assert describe(program)


@pytest.mark.parametrize("channel", SIMULATED.channels)
def test_a_simulated_cell_is_as_large_and_as_heavy_as_its_definition_says(channel):
    cell = read_cell(FOLDER / "cells" / f"{channel.replace('_', '-')}.yaml")
    entry = SIMULATED.instruments[SIMULATED.channels[channel].cycler]
    assert entry.simulated is not None
    inside = CELLS_INSIDE[entry.simulated["cell"]]
    assert inside.area == pytest.approx(cell.area)
    assert inside.thickness == pytest.approx(cell.electrolyte_thickness)
    if cell.active_mass is not None:
        assert inside.active_mass == pytest.approx(cell.active_mass)
        assert inside.anode_potential == pytest.approx(cell.reference_offset)


@pytest.mark.parametrize(
    ("recipe", "cell"), [("b6-rate-capability", "llzto-zni2"), ("a4-linear-sweep", "blocking-lzc")]
)
def test_a_recipe_on_the_wrong_kind_of_cell_says_what_the_cell_lacks(recipe, cell):
    with pytest.raises(InvalidInput, match=r"add '(nominal_capacity|reference_offset): .* to the cell"):
        program_of(recipe, cell)


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


def test_a5_cuts_off_at_three_volts_sixty_at_the_terminals_of_a_cell_against_li_in():
    charge, rest, discharge = steps_of(program_of("a5-first-cycle", "lco-liin-lzc-n015"))[1:]
    assert (charge.until[1].quantity, charge.until[1].value) == ("voltage", 3.6)
    assert charge.setpoint == pytest.approx(0.1 * 8e-3 * 0.140)  # A: 0.1C of 8 mg at 140 mAh/g
    assert (rest.mode, discharge.setpoint) == ("rest", -charge.setpoint)


def test_a8_goes_to_four_volts_at_the_terminals_three_times():
    program = program_of("a8-high-voltage", "lco-liin-lzc")
    (loop,) = [item for item in program.instructions if isinstance(item, Loop)]
    assert (loop.turns, loop.counts_cycles) == (3, True)
    assert steps_of(program)[1].until[1].value == 4.0


@pytest.mark.parametrize(
    ("recipe", "cell", "rates", "lower", "upper"),
    [
        ("b6-rate-capability", "full-lznc", (0.2, 0.4, 0.6, 0.8, 1.0, 0.2), 2.5, 4.2),
        ("d5-rate-capability", "lfp-li-zni2", (0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 0.1), 2.5, 4.1),
    ],
)
def test_the_rates_come_in_the_published_order_and_end_with_the_first(recipe, cell, rates, lower, upper):
    program = program_of(recipe, cell)
    ladder, times, charge, discharge = program.instructions[1:5]
    assert ladder.ladder == {"rate": rates}
    assert (ladder.counts_cycles, times.counts_cycles, times.turns) == (False, True, 5)
    assert isinstance(charge.setpoint, Variable)
    assert charge.setpoint.factor == -discharge.setpoint.factor
    assert [step.until[1].value for step in (charge, discharge)] == [upper, lower]


def test_a2_visits_six_temperatures_and_waits_at_each_until_it_is_stable():
    program = program_of("a2-arrhenius", "blocking-lzc")
    loop, chamber = program.instructions[:2]
    assert [kelvin - 273.15 for kelvin in loop.ladder["temperature"]] == pytest.approx([25, 35, 45, 55, 65, 75])
    assert isinstance(chamber, SetChamber)
    assert chamber.soak is not None
    assert [step.mode for step in steps_of(program)] == ["rest", "impedance"]


def test_a4_scans_up_or_down_from_the_open_circuit_voltage():
    up, down = (
        steps_of(program_of("a4-linear-sweep", "lsv-lzc-n015", **limit))[1].sweep
        for limit in ({}, {"limit": "0.5 V vs Li+/Li"})
    )
    assert up.vertices == (Variable(name="open_circuit"), 5.0)
    assert down.vertices == (Variable(name="open_circuit"), 0.5)
    assert up.rate == 3e-4


def test_a3_polarises_at_several_voltages():
    program = program_of("a3-electronic-conductivity", "blocking-lzc")
    assert program.instructions[1].ladder == {"voltage": (0.2, 0.4, 0.6, 0.8, 1.0)}
    assert steps_of(program)[1].mode == "voltage"


def test_d1_measures_the_impedance_before_and_after_cycling():
    assert [step.mode for step in steps_of(program_of("d1-interface-resistance", "llzto-zni2"))] == [
        "rest",
        "impedance",
        "current",
        "current",
        "rest",
        "impedance",
    ]
