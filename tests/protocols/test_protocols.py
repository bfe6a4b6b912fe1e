"""Every recipe that comes with Galvanode is sound on every cell that comes with it, and every row has one."""

import re
from pathlib import Path

import pytest

from galvanode.cell import read_cell
from galvanode.errors import InvalidInput
from galvanode.instrument.bench import read_bench
from galvanode.recipe import compile_recipe, describe, estimate, read_recipe
from galvanode.recipe.operand import Variable
from galvanode.recipe.program import Assign, Loop, SetChamber, Step
from galvanode_simulator.cells import CELLS as CELLS_INSIDE

FOLDER = Path(__file__).parents[2] / "protocols"
RECIPES = sorted(FOLDER.glob("*.yaml"))
SIMULATED = read_bench(FOLDER / "benches" / "simulated.yaml")
CELLS = sorted((FOLDER / "cells").glob("*.yaml"))
DOI = {
    "a": "10.1039/d5eb00116a",
    "b": "10.1039/D5CC02859K",
    "c": "10.1039/d4ee02075h",
    "d": "10.1039/d4sc00786g",
}
ROWS = [f"{paper}{row}" for paper, count in (("a", 12), ("b", 7), ("c", 13), ("d", 6)) for row in range(1, count + 1)]

GARNETS = ("llzto-zni2", "llzto-bare", "llzto-i2", "llzto-thick")
HALIDES = ("li-lzc", "li-lzc-n010", "li-lzc-n015", "li-lzc-n025")
LZC = ("blocking-lzc", *(f"blocking-lzc-n0{x}" for x in ("05", "10", "15", "20", "25")))
LZNC = ("blocking-lznc", "blocking-lznc-annealed", "blocking-lznc-x0")
LCO = ("lco-liin-lzc", "lco-liin-lzc-n015")
FULL = ("full-lzc", "full-lznc")
QCPE = ("li-qcpe", "li-lagp")
LFP_C = ("lfp-qcpe", "lfp-lagp", "lfp-llzto-pdol")
ALSO = {
    "a1-ionic-conductivity": LZC,
    "a2-arrhenius": LZC,
    "a3-electronic-conductivity": LZC,
    "a4-linear-sweep": ("lsv-lzc", "lsv-lzc-n015"),
    "a5-first-cycle": LCO,
    "a6-rate-capability": LCO,
    "a7-long-cycling": LCO,
    "a8-high-voltage": LCO,
    "a9-li-li-cycling": HALIDES,
    "a12-storage": HALIDES,
    "b1-ionic-conductivity": LZNC,
    "b3-electronic-conductivity": LZNC,
    "b4-anodic-sweep": ("lsv-lznc", "lsv-lznc-x0"),
    "b5-first-cycle": FULL,
    "b6-rate-capability": FULL,
    "b7-cycling-with-impedance": FULL,
    "c1-arrhenius": ("blocking-qcpe", "blocking-lagp"),
    "c2-transference-number": ("li-qcpe-salt", "li-lagp-salt"),
    "c4-symmetric-impedance": QCPE,
    "c5-lithium-diffusion": LFP_C,
    "c6-rate-capability": LFP_C,
    "c10-tafel": QCPE,
    "c12-li-li-cycling": QCPE,
    "d1-interface-resistance": GARNETS,
    "d2-interface-activation": ("llzto-zni2", "llzto-bare"),
    "d3-critical-current-density": GARNETS,
    "d4-li-li-cycling": GARNETS,
    "rate-test": LCO + FULL,
}
"""Cells that a recipe is meant for, beside its own example."""
HOLDING = ("cccv-cycling", "drive-profile", "formation", "hppc")
"""A charge that ends in a hold takes no time limit, so that no bound of their duration is known."""


def example_of(recipe: Path) -> str:
    name = read_recipe(recipe).text.example_cell
    assert name is not None, f"{recipe.name} has no example_cell"
    return name


PAIRS = [(path.stem, cell) for path in RECIPES for cell in dict.fromkeys((example_of(path), *ALSO.get(path.stem, ())))]


def program_of(recipe, cell, **parameters):
    return compile_recipe(
        read_recipe(FOLDER / f"{recipe}.yaml"), read_cell(FOLDER / "cells" / f"{cell}.yaml"), parameters
    )


def steps_of(program):
    return [item for item in program.instructions if isinstance(item, Step)]


def rungs_of(loop):
    (rungs,) = loop.ladder.values()
    return rungs


def cut_off(step):
    (voltage,) = [end.plain.value for end in step.until if end.plain.quantity == "voltage"]
    return voltage


def head_of(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line[1:].strip() for line in lines if line.startswith("#"))


def test_every_cell_is_there_for_some_recipe():
    assert {path.stem for path in CELLS} == {cell for _, cell in PAIRS}
    assert set(ALSO) <= {path.stem for path in RECIPES}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_papers_has_a_recipe_that_names_it(row):
    found = [path for path in RECIPES if path.stem.split("-")[0] == row]
    assert found, f"no recipe for row {row.upper()}"
    for path in found:
        head = head_of(path)
        assert f"row {row.upper()}:" in head
        assert DOI[row[0]] in head
        assert "Custom, not figures of the paper:" in head


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_says_its_version_its_example_and_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    first = next(line for line in text.splitlines() if not line.startswith("#"))
    assert first == "version: 2"
    if not re.match(r"[abcd]\d+-", path.stem):
        assert head_of(path).startswith("General recipe. ")
        assert "Custom, ours:" in head_of(path)


@pytest.mark.parametrize(("recipe", "cell"), PAIRS)
def test_every_recipe_compiles_for_the_cells_that_it_is_meant_for(recipe, cell):
    program = program_of(recipe, cell)
    assert (estimate(program).duration_s.high < 1e8) is (recipe not in HOLDING)
    assert describe(program)


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_every_cell_has_a_simulated_channel_of_its_name(path):
    assert path.stem.replace("-", "_") in SIMULATED.channels


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_every_cell_says_where_its_figures_come_from(path):
    assert any(doi in head_of(path) for doi in DOI.values())


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


def test_the_ramp_of_d3_passes_the_published_value_exactly():
    program = program_of("d3-critical-current-density", "llzto-zni2")
    (loop,) = [item for item in program.instructions if isinstance(item, Loop)]
    assert loop.turns == 80
    assert {1.5, 5.0, 10.0, 23.0} <= set(rungs_of(loop))  # A/m2: 0.15, 0.5, 1 and 2.3 mA/cm2
    assert program.analyses == ("critical_current_density",)


def test_a10_ramps_after_an_activation_on_the_same_cell():
    program = program_of("a10-critical-current-density", "li-lzc-n015")
    activation, ramp = [item for item in program.instructions if isinstance(item, Loop)]
    assert activation.until_s == 360 * 3600
    assert {27.0, 28.0} <= set(rungs_of(ramp))
    assert {"polarisation", "critical_current_density"} == set(program.analyses)


@pytest.mark.parametrize("rate", ["0.1", "0.5", "1.0"])
def test_d4_runs_at_each_published_rate_and_is_polled_every_ten_seconds(rate):
    program = program_of(
        "d4-li-li-cycling", "llzto-zni2", current_density=f"{rate} mA/cm^2", areal_capacity=f"{rate} mAh/cm^2"
    )
    loop, plate, strip, _ = program.instructions
    assert isinstance(loop, Loop)
    assert all(isinstance(step, Step) for step in (plate, strip))
    assert (loop.until_s, loop.counts_cycles) == (7.2e6, True)
    assert plate.drive.held == pytest.approx(float(rate) * 0.785e-3)
    assert plate.drive.held == -strip.drive.held
    # Half-cycles of one hour: Q = i t.
    assert plate.until[0].plain.value / plate.drive.held == pytest.approx(3600.0)
    assert max(plate.poll_s, strip.poll_s) <= 10.0
    assert 7.2e6 <= estimate(program).duration_s.high <= 7.2e6 + 7220


def test_a9_runs_for_3000_hours_with_few_polls():
    (loop,) = [i for i in program_of("a9-li-li-cycling", "li-lzc-n015").instructions if isinstance(i, Loop)]
    assert loop.until_s == 3000 * 3600
    assert {(s.poll_s, s.record.every_s) for s in steps_of(program_of("a9-li-li-cycling", "li-lzc"))} == {(30.0, 60.0)}


def test_a5_cuts_off_at_three_volts_sixty_at_the_terminals_of_a_cell_against_li_in():
    charge, discharge = steps_of(program_of("a5-first-cycle", "lco-liin-lzc-n015"))[1:]
    assert cut_off(charge) == pytest.approx(3.6)
    assert charge.drive.held == pytest.approx(0.1 * 8e-3 * 0.140)  # A: 0.1C of 8 mg at 140 mAh/g
    assert discharge.drive.held == -charge.drive.held


def test_b5_is_a5_at_another_rate_to_another_voltage():
    charge, discharge = steps_of(program_of("b5-first-cycle", "full-lznc"))[1:]
    assert charge.drive.held == pytest.approx(0.2 * 8e-3 * 0.140)
    assert [cut_off(charge), cut_off(discharge)] == [4.2, 2.5]


def test_a8_goes_to_four_volts_at_the_terminals_three_times_and_then_120_times():
    program = program_of("a8-high-voltage", "lco-liin-lzc")
    first, then = [item for item in program.instructions if isinstance(item, Loop)]
    assert (first.turns, first.counts_cycles) == (3, True)
    assert (then.turns, then.counts_cycles) == (120, True)
    assert cut_off(steps_of(program)[1]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("recipe", "cell", "rates", "lower", "upper"),
    [
        ("b6-rate-capability", "full-lznc", (0.2, 0.4, 0.6, 0.8, 1.0, 0.2), 2.5, 4.2),
        ("c13-rate-capability", "lfp-llzto-pdol", (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), 2.5, 3.8),
        ("d5-rate-capability", "lfp-li-zni2", (0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 0.1), 2.5, 4.1),
    ],
)
def test_the_rates_come_in_the_published_order(recipe, cell, rates, lower, upper):
    program = program_of(recipe, cell)
    ladder, times = [item for item in program.instructions if isinstance(item, Loop)]
    charge, discharge = steps_of(program)[-2:]
    assert rungs_of(ladder) == rates
    assert (ladder.counts_cycles, times.counts_cycles, times.turns) == (False, True, 5)
    assert isinstance(charge.drive.held, Variable)
    assert charge.drive.held.factor == -discharge.drive.held.factor
    assert [cut_off(step) for step in (charge, discharge)] == [upper, lower]


def test_a2_visits_six_temperatures_and_waits_at_each_until_it_is_stable():
    program = program_of("a2-arrhenius", "blocking-lzc")
    loop, chamber = program.instructions[:2]
    assert [kelvin - 273.15 for kelvin in rungs_of(loop)] == pytest.approx([25, 35, 45, 55, 65, 75])
    assert isinstance(chamber, SetChamber)
    assert chamber.soak is not None
    assert [step.drive.kind for step in steps_of(program)] == ["rest", "impedance"]


def test_a4_scans_up_or_down_from_the_open_circuit_voltage():
    up, down = (
        steps_of(program_of("a4-linear-sweep", "lsv-lzc-n015", **limit))[1].drive
        for limit in ({}, {"limit": "0.5 V vs Li+/Li"})
    )
    assert up.vertices == (Variable(name="open_circuit"), 5.0)
    assert down.vertices == (Variable(name="open_circuit"), 0.5)
    assert up.rate == 3e-4


def test_a3_polarises_at_several_voltages():
    program = program_of("a3-electronic-conductivity", "blocking-lzc")
    assert rungs_of(program.instructions[1]) == pytest.approx((0.2, 0.4, 0.6, 0.8, 1.0))
    assert steps_of(program)[1].drive.kind == "voltage"


def test_b7_measures_the_impedance_before_and_after_20_50_and_100_cycles():
    program = program_of("b7-cycling-with-impedance", "full-lznc")
    assert [item.turns for item in program.instructions if isinstance(item, Loop)] == [20, 30, 50]
    assert [step.drive.kind for step in steps_of(program)].count("impedance") == 4


def test_c8_sets_the_chamber_in_the_heat_and_in_the_cold():
    for given, kelvin in (({}, 323.15), ({"temperature": "-20 degC"}, 253.15)):
        chamber = program_of("c8-temperature", "lfp-qcpe", **given).instructions[0]
        assert isinstance(chamber, SetChamber)
        assert chamber.temperature == pytest.approx(kelvin)


def test_formation_sets_what_1c_is_to_the_capacity_that_it_measured():
    program = program_of("formation", "lfp-li-zni2")
    assert [item.name for item in program.instructions if isinstance(item, Assign)][-1] == "nominal_capacity"


def test_d1_measures_the_impedance_before_and_after_cycling():
    assert [step.drive.kind for step in steps_of(program_of("d1-interface-resistance", "llzto-zni2"))] == [
        "rest",
        "impedance",
        "current",
        "current",
        "rest",
        "impedance",
    ]
