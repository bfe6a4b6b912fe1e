"""Malformed scans, spectra, soaks and full-cell steps: each gives one line with its place and what was expected."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe

CELL = """\
name: LCO | electrolyte | Li-In
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
active_mass: 10 mg
specific_capacity: 150 mAh/g
reference_offset: 0.62 V
envelope: {voltage: {min: 1 V, max: 4.2 V}, current: {max: 5 mA}, temperature: {min: 10 degC, max: 80 degC}}
"""
RECIPE = """\
title: Test
parameters:
  upper: {default: 4.22 V vs Li+/Li, max: 4.7 V vs Li+/Li}
  rate: {default: 0.2C, max: 2C}
  hot: 60 degC
method:
  - chamber: {set: 25 degC, until: stable, band: 0.5 K, for: 30 min, within: 4 h}
  - rest: {for: 10 min, instrument: cycler}
  - impedance: {from: 1 MHz, to: 0.1 Hz, points_per_decade: 10, amplitude: 10 mV, bias: open_circuit}
  - impedance: {kind: galvanostatic, from: 1 kHz, to: 1 Hz, amplitude: 0.1 mA, bias: 1 mA}
  - sweep: {from: 2 V, to: 4 V, rate: 0.1 mV/s, step: 2 mV, current_limit: 2 mA}
  - cyclic_voltammetry: {from: 3 V, vertices: [4 V, 2 V], rate: 1 mV/s, cycles: 3}
  - charge: {rate: $rate, until: voltage >= $upper, then_hold: {until: current <= 0.05C, for: 2 h}}
  - discharge: {current: 1 mA, until: [voltage <= 2 V, capacity >= 1 mAh]}
  - repeat:
      - charge: {rate: 1C, until: voltage >= 3.6 V}
      - discharge: {rate: 1C, until: voltage <= 2 V}
    times: 100
    until_retention: 80 % of cycle 1
  - ladder: {temperature: [25 degC, 60 degC]}
    repeat:
      - chamber: {set: $temperature}
      - rest: {for: 1 h}
"""


def compiled(text: str):
    return compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(CELL, "c.yaml"))


def test_the_recipe_that_the_table_breaks_is_sound():
    assert len(compiled(RECIPE).instructions) == 17


TABLE = [
    # unknown words
    ("- chamber: {set: 25", "- chambr: {set: 25", 7, 5, "unknown step 'chambr'; did you mean 'chamber'?"),
    ("set: 25 degC, until", "sat: 25 degC, until", 7, 15, "unknown key 'sat' in 'method.chamber'; did you mean 'set'?"),
    ("- sweep:", "- sweeep:", 11, 5, "unknown step 'sweeep'; did you mean 'sweep'?"),
    ("- sweep:", "- LSV:", 11, 5, "unknown step 'LSV'; here it is called 'sweep'"),
    ("- impedance: {from", "- eis: {from", 9, 5, "unknown step 'eis'; here it is called 'impedance'"),
    ("- cyclic_voltammetry", "- cv", 12, 5, "unknown step 'cv'; here it is called 'cyclic_voltammetry'"),
    ("then_hold: {", "than_hold: {", 13, 53, "unknown key 'than_hold' in 'method.charge'; did you mean 'then_hold'?"),
    ("instrument: cycler", "instrument: cyclr", 8, 37, "'rest.instrument' is 'cyclr'; expected 'cycler' or 'analyzer'"),
    (
        "kind: galvanostatic",
        "kind: galvanostatc",
        10,
        23,
        "'impedance.kind' is 'galvanostatc'; expected 'potentiostatic' or 'galvanostatic'",
    ),
    (
        "until_retention:",
        "until_retension:",
        19,
        5,
        "unknown key 'until_retension' in 'method'; did you mean 'until_retention'?",
    ),
    (
        "until: current <= 0.05C",
        "untl: current <= 0.05C",
        13,
        65,
        "unknown key 'untl' in 'charge.then_hold'; did you mean 'until'?",
    ),
    (
        "points_per_decade: 10",
        "points: 10",
        9,
        42,
        "unknown key 'points' in 'method.impedance'; expected 'amplitude', 'bias', 'from', 'instrument', 'kind',",
    ),
    (
        "vertices: [4 V, 2 V]",
        "between: [4 V, 2 V]",
        12,
        37,
        "unknown key 'between' in 'method.cyclic_voltammetry'; expected 'current_limit', 'cycles', 'from',",
    ),
    (
        "step: 2 mV, ",
        "record: {every: 1 s}, ",
        11,
        49,
        "unknown key 'record' in 'method.sweep'; expected 'current_limit', 'from', 'instrument', 'name', 'rate',",
    ),
    (
        "cycles: 3}",
        "cycles: 3, for: 1 h}",
        12,
        84,
        "unknown key 'for' in 'method.cyclic_voltammetry'; expected 'current_limit', 'cycles', 'from',",
    ),
    (
        "current <= 0.05C",
        "curent <= 0.05C",
        13,
        72,
        "'then_hold.until' is 'curent <= 0.05C'; 'curent' is not measured; did you mean 'current'?",
    ),
    # chamber
    ("set: 25 degC, ", "", 7, 14, "'set' is missing in 'method.chamber'"),
    (
        "set: 25 degC, ",
        "set: 25, ",
        7,
        20,
        "'chamber.set' is 25 without a unit; expected a temperature such as '25 degC'",
    ),
    (
        "set: 25 degC, ",
        "set: 120 degC, ",
        7,
        20,
        "'chamber.set' is '120 degC', outside the cell's envelope (10 degC to 80 degC)",
    ),
    ("until: stable", "until: reached", 7, 36, "'chamber.until' is 'reached'; expected 'stable'"),
    ("until: stable, ", "", 7, 29, "'band' is about a stable temperature; add 'until: stable' or leave it out"),
    (
        "band: 0.5 K",
        "band: 0.5 degC",
        7,
        50,
        "'chamber.band' is '0.5 degC'; expected a difference above 0 in K, such as '0.5 K'",
    ),
    ("band: 0.5 K", "band: 0 K", 7, 50, "'chamber.band' is '0 K'; expected a difference above 0 in K, such as '0.5 K'"),
    ("for: 30 min", "for: 0 min", 7, 62, "'chamber.for' is '0 min'; expected a time above 0, such as '10 s'"),
    (
        "within: 4 h",
        "within: 20 min",
        7,
        78,
        "'chamber.within' is '20 min', less than the 30 min of 'for'; expected more, or the chamber can never be",
    ),
    (
        "60 degC]",
        "90 degC]",
        22,
        24,
        "'chamber.set' is '$temperature', which is '90 degC', outside the cell's envelope (10 degC to 80 degC)",
    ),
    (
        "60 degC]",
        "60 V]",
        20,
        37,
        "'ladder.temperature' has '60 V' in its list; expected the same dimension as '25 degC'",
    ),
    (
        "[25 degC, 60 degC]",
        "{from: 25 degC, to: 60 degC, by: 5 degC}",
        20,
        60,
        "'temperature.by' is '5 degC'; expected a difference in K, such as '10 K'",
    ),
    (
        "      - rest: {for: 1 h}\n",
        "",
        21,
        5,
        "'repeat' only sets the chamber; expected a step in it, such as 'rest: {for: 10 min}'",
    ),
    (
        "set: $temperature",
        "set: $upper",
        22,
        24,
        "'chamber.set' is '$upper', a potential vs Li+/Li; expected a temperature such as '25 degC'",
    ),
    # impedance
    ("from: 1 MHz", "from: 1 mHz", 9, 34, "'impedance.to' is '0.1 Hz'; expected a frequency below 'from' (1 mHz)"),
    ("from: 1 MHz", "from: 0 Hz", 9, 23, "'impedance.from' is '0 Hz'; expected a frequency above 0, such as '1 kHz'"),
    ("from: 1 MHz", "from: 1 s", 9, 23, "'impedance.from' is '1 s'; expected a frequency such as '1 kHz'"),
    ("from: 1 MHz", "from: 1 THz", 9, 23, "'impedance.from' is '1 THz'; expected a frequency from 1 µHz to 100 MHz"),
    ("to: 0.1 Hz, ", "", 9, 16, "'to' is missing in 'method.impedance'"),
    (
        "points_per_decade: 10",
        "points_per_decade: 0",
        9,
        61,
        "'impedance.points_per_decade' is 0; expected a whole number from 1 to 100",
    ),
    (
        "points_per_decade: 10",
        "points_per_decade: 500",
        9,
        61,
        "'impedance.points_per_decade' is 500; expected a whole number from 1 to 100",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 150 mV",
        9,
        76,
        "'impedance.amplitude' is '150 mV'; expected at most 100 mV, for the answer to be linear",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 0 mV",
        9,
        76,
        "'impedance.amplitude' is '0 mV'; expected a voltage above 0, such as '10 mV', for a potentiostatic",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 1 mA",
        9,
        76,
        "'impedance.amplitude' is '1 mA'; expected a voltage above 0, such as '10 mV', for a potentiostatic",
    ),
    (
        "bias: open_circuit",
        "bias: ocv",
        9,
        89,
        "'impedance.bias' is 'ocv'; expected 'open_circuit', a voltage such as '3 V' or a current such as '1 mA'",
    ),
    (
        "bias: open_circuit",
        "bias: 4.19 V",
        9,
        89,
        "'impedance.bias' with peaks of '10 mV' rms passes the cell's envelope (1 V to 4.2 V)",
    ),
    ("bias: open_circuit", "bias: 5 V", 9, 89, "'impedance.bias' is '5 V', outside the cell's envelope (1 V to 4.2 V)"),
    (
        "amplitude: 0.1 mA, ",
        "",
        10,
        16,
        "'amplitude' is missing in a galvanostatic impedance; expected a current above 0, such as '10 µA'",
    ),
    (
        "amplitude: 0.1 mA",
        "amplitude: 4 mA",
        10,
        84,
        "'impedance.bias' with peaks of '4 mA' rms passes the cell's envelope (-5 mA to 5 mA)",
    ),
    (
        "bias: 1 mA",
        "bias: 1 V",
        10,
        86,
        "'impedance.bias' is '1 V'; expected a current such as '5 mA' for a galvanostatic impedance",
    ),
    # scans
    ("from: 2 V, to", "from: 0.5 V, to", 11, 19, "'sweep.from' is '0.5 V', outside the cell's envelope (1 V to 4.2 V)"),
    ("to: 4 V", "to: 4.5 V", 11, 28, "'sweep.to' is '4.5 V', outside the cell's envelope (1 V to 4.2 V)"),
    ("to: 4 V", "to: 2 V", 11, 28, "'sweep.to' is where the scan already stands; expected another voltage"),
    (
        "to: 4 V",
        "to: 2.001 V",
        11,
        28,
        "'sweep.to' is less than a 'step' of 2 mV away; expected another voltage or a smaller 'step'",
    ),
    ("to: 4 V, ", "", 11, 12, "'to' is missing in 'method.sweep'"),
    (
        "rate: 0.1 mV/s",
        "rate: -0.1 mV/s",
        11,
        39,
        "'sweep.rate' is '-0.1 mV/s'; expected a scan rate above 0: the voltages give the direction",
    ),
    (
        "rate: 0.1 mV/s",
        "rate: 0 mV/s",
        11,
        39,
        "'sweep.rate' is '0 mV/s'; expected a scan rate above 0: the voltages give the direction",
    ),
    ("rate: 0.1 mV/s", "rate: 0.1 mV", 11, 39, "'sweep.rate' is '0.1 mV'; expected a scan rate such as '0.1 mV/s'"),
    (
        "rate: 0.1 mV/s",
        "rate: 100 V/s",
        11,
        39,
        "'sweep.rate' is '100 V/s', 2e-05 s for each 'step' of 2 mV; expected 1 ms or more",
    ),
    (
        "rate: 0.1 mV/s",
        "rate: $rate",
        11,
        39,
        "'sweep.rate' is '$rate', a C-rate; expected a scan rate such as '0.1 mV/s'",
    ),
    ("step: 2 mV", "step: -2 mV", 11, 55, "'sweep.step' is '-2 mV'; expected a voltage above 0, such as '1 mV'"),
    (
        "step: 2 mV",
        "step: 2 mV vs Li+/Li",
        11,
        55,
        "'sweep.step' is '2 mV vs Li+/Li', a potential against a reference; expected a voltage such as '5 V'",
    ),
    (
        "current_limit: 2 mA",
        "current_limit: 20 mA",
        11,
        76,
        "'sweep.current_limit' is '20 mA', outside the cell's envelope (-5 mA to 5 mA)",
    ),
    ("[4 V, 2 V]", "[]", 12, 47, "'cyclic_voltammetry.vertices' is empty; expected something in it"),
    ("[4 V, 2 V]", "4 V", 12, 47, "'cyclic_voltammetry.vertices' is '4 V'; expected a list ('- ...')"),
    (
        "[4 V, 2 V]",
        "[4 V, 9 V]",
        12,
        53,
        "'cyclic_voltammetry.vertices' is '9 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "[4 V, 2 V]",
        "[3 V, 2 V]",
        12,
        48,
        "'cyclic_voltammetry.vertices' is where the scan already stands; expected another voltage",
    ),
    (
        "[4 V, 2 V]",
        "[4 V, 3 V]",
        12,
        53,
        "'cyclic_voltammetry.vertices' is where the scan already stands; expected another voltage",
    ),
    ("cycles: 3", "cycles: 0", 12, 81, "'cyclic_voltammetry.cycles' is 0; expected a whole number from 1 to 10,000"),
    (
        "cycles: 3",
        "cycles: 99999",
        12,
        81,
        "'cyclic_voltammetry.cycles' is 99999; expected a whole number from 1 to 10,000",
    ),
    # full cells
    ("rate: $rate", "rate: 0.2", 13, 20, "'charge.rate' is 0.2; expected a C-rate such as '0.5C'"),
    ("rate: $rate", "rate: -0.2C", 13, 20, "'charge.rate' is '-0.2C'; expected a C-rate such as '0.5C'"),
    (
        "rate: $rate",
        "rate: 0C",
        13,
        20,
        "'charge.rate' is '0C'; expected a C-rate above 0: the step's name gives the direction",
    ),
    ("rate: $rate", "rate: C/0", 13, 20, "'charge.rate' is 'C/0'; expected a C-rate such as '0.5C'"),
    (
        "rate: $rate",
        "rate: 10C",
        13,
        20,
        "'charge.rate' is '10C' or 15 mA, outside the cell's envelope (-5 mA to 5 mA)",
    ),
    ("rate: $rate", "rate: $hot", 13, 20, "'charge.rate' is '$hot', a temperature; expected a C-rate such as '0.5C'"),
    ("rate: $rate, ", "", 13, 13, "the step has no 'rate', 'current' or 'current_density'; expected one of them"),
    ("rate: $rate, ", "rate: $rate, current: 1 mA, ", 13, 27, "the step has both 'rate' and 'current'; keep one"),
    (
        "current: 1 mA",
        "current: -1 mA",
        14,
        26,
        "'discharge.current' is '-1 mA'; expected a current above 0: the step's name gives the direction",
    ),
    ("current: 1 mA", "current: 0.5C", 14, 26, "'discharge.current' is '0.5C'; expected a current such as '5 mA'"),
    (
        "voltage >= $upper",
        "voltage <= $upper",
        13,
        34,
        "'charge.until' is 'voltage <= $upper'; expected '>=': the voltage rises in a charge",
    ),
    (
        "voltage >= $upper",
        "voltage >= 5 V vs Li+/Li",
        13,
        34,
        "'charge.until' is '5 V vs Li+/Li (4.38 V at the terminals)', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "voltage >= $upper",
        "voltage >= 4.2 V vs SHE",
        13,
        34,
        "'charge.until' is 'voltage >= 4.2 V vs SHE'; its value is '4.2 V vs SHE'; expected its reference as 'vs",
    ),
    (
        "voltage >= $upper",
        "voltage >= $rate",
        13,
        34,
        "'charge.until' is '$rate', a C-rate; expected a voltage such as '5 V'",
    ),
    (
        "voltage >= $upper",
        "capacity >= 1 mAh",
        13,
        53,
        "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it",
    ),
    (
        "voltage >= $upper, then",
        "voltage >= $upper, for: 3 h, then",
        13,
        63,
        "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it",
    ),
    (
        "{until: current <= 0.05C, for: 2 h}",
        "{}",
        13,
        64,
        "the hold cannot end; expected 'until: current <= 0.05C' or 'for: 1 h' in it, or both",
    ),
    (
        "{until: current <= 0.05C, for: 2 h}",
        "2 h",
        13,
        64,
        "'charge.then_hold' is '2 h'; expected a mapping ('key: value')",
    ),
    (
        "current <= 0.05C",
        "current_magnitude <= -1 mA",
        13,
        72,
        "'then_hold.until' is 'current_magnitude <= -1 mA'; expected no sign: current_magnitude is never below 0",
    ),
    (
        "[voltage <= 2 V,",
        "[voltage >= 2 V,",
        14,
        40,
        "'discharge.until' is 'voltage >= 2 V'; expected '<=': the voltage falls in a discharge",
    ),
    (
        "default: 4.22 V vs Li+/Li",
        "default: 4.22 V",
        3,
        33,
        "'upper.max' is '4.7 V vs Li+/Li'; expected a voltage such as '5 V'",
    ),
    (
        "default: 4.22 V vs Li+/Li",
        "default: 4.8 V vs Li+/Li",
        3,
        20,
        "'upper.default' is '4.8 V vs Li+/Li'; expected at most 4.7 V vs Li+/Li",
    ),
    ("default: 0.2C", "default: 3C", 4, 19, "'rate.default' is '3C'; expected at most 2C"),
    ("80 % of cycle 1", "80 %", 19, 22, "'method.until_retention' is '80 %'; expected such as '80 % of cycle 1'"),
    (
        "80 % of cycle 1",
        "100 % of cycle 1",
        19,
        22,
        "'method.until_retention' is '100 %'; expected a share between 0 % and 100 %",
    ),
    (
        "80 % of cycle 1",
        "80 V of cycle 1",
        19,
        22,
        "'method.until_retention' is '80 V of cycle 1'; its share is '80 V'; expected a fraction such as '30 %'",
    ),
    (
        "80 % of cycle 1",
        "80 % of cycle 0",
        19,
        22,
        "'method.until_retention' is '80 % of cycle 0'; expected such as '80 % of cycle 1'",
    ),
    (
        "80 % of cycle 1",
        "80 % of cycle 100",
        19,
        22,
        "'until_retention' compares with cycle 100, after which none is left of 100; expected an earlier cycle or",
    ),
    (
        "    times: 100\n",
        "    ladder: {x: [1 s]}\n",
        19,
        5,
        "'until_retention' compares turns that are alike; a 'ladder' makes them differ: keep one",
    ),
    (
        "      - discharge: {rate: 1C, until: voltage <= 2 V}\n",
        "",
        18,
        5,
        "'until_retention' is about discharge capacity, and no step of the block discharges",
    ),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "fragment"), TABLE)
def test_a_malformed_step_gives_one_line_with_its_place(old, new, line, column, fragment):
    assert old in RECIPE
    with pytest.raises(InvalidInput) as caught:
        compiled(RECIPE.replace(old, new, 1))
    error = caught.value
    assert fragment in error.message
    assert (error.source, error.line, error.column) == ("r.yaml", line, column)
    assert "\n" not in str(error)
    assert len(str(error)) < 300
