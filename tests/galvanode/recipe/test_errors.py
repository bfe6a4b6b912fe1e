"""Malformed recipes: each gives one line with its place, what was found, what was expected."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe

CELL = """\
name: Li | LLZTO | Li
area: 0.785 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current_density: {max: 5 mA/cm^2}
"""
RECIPE = """\
title: Test
parameters:
  step: {default: 0.1 mA/cm^2, min: 0.01 mA/cm^2, max: 1 mA/cm^2}
  half_cycle: 30 min
  turns: 3
safety:
  voltage: {min: -4 V, max: 4 V}
  current_density: {max: 4 mA/cm^2}
  check_every: 5 s
record: {every: 10 s, voltage_change: 1 mV}
analysis: [critical_current_density]
method:
  - rest: {for: 10 min}
  - constant_current: {current: 1 mA, for: 1 h, until: [voltage >= 3.5 V, charge >= 1 mAh]}
  - constant_voltage: {voltage: 3.5 V, current_limit: 1 mA, until: current <= 0.1 mA}
  - ladder: {density: {from: $step, to: 2 mA/cm^2, by: $step}}
    times: $turns
    repeat:
      - plate: {current_density: $density, for: $half_cycle}
      - strip:
          current_density: $density
          until: areal_charge >= 0.1 mAh/cm^2
          safety: {voltage: {max: 3 V}, check_every: 5 s}
    stop_when: {short_circuit: {drop: 50 %}}
"""


def compiled(text: str):
    return compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(CELL, "c.yaml"))


def test_the_recipe_that_the_table_breaks_is_sound():
    assert len(compiled(RECIPE).instructions) == 9


TABLE = [
    # unknown keys, steps, names
    ("title: Test", "titel: Test", 1, 1, "unknown key 'titel'; did you mean 'title'?"),
    ("rest:", "rset:", 13, 5, "unknown step 'rset'; did you mean 'rest'?"),
    ("rest:", "wobble:", 13, 5, "unknown step 'wobble'; expected 'chamber', 'charge', 'constant_current', "),
    ("for: 10 min}", "fr: 10 min}", 13, 12, "unknown key 'fr' in 'method.rest'; did you mean 'for'?"),
    ("method:", "methods:", 12, 1, "unknown key 'methods'; did you mean 'method'?"),
    ("every: 10 s,", "evry: 10 s,", 10, 10, "unknown key 'evry' in 'record'; did you mean 'every'?"),
    ("  check_every: 5 s\n", "  chek: 5 s\n", 9, 3, "unknown key 'chek' in 'safety'"),
    ("by: $step", "bye: $step", 16, 52, "unknown key 'bye' in 'ladder.density'; did you mean 'by'?"),
    ("times: $turns", "tims: 3", 17, 5, "unknown key 'tims' in 'method'; did you mean 'times'?"),
    ("default: 0.1", "defualt: 0.1", 3, 10, "unknown key 'defualt' in 'parameters.step'; did you mean"),
    (
        "short_circuit:",
        "short_circut:",
        24,
        16,
        "unknown detector 'short_circut'; did you mean 'short_circuit'?",
    ),
    ("drop: 50 %", "drp: 50 %", 24, 33, "unknown option 'drp' of 'short_circuit'; did you mean 'drop'?"),
    (
        "[critical_current_density]",
        "[ccd]",
        11,
        12,
        "unknown analysis 'ccd'; expected 'arrhenius', 'critical_current_density', ",
    ),
    (
        "10 min",
        "$half_cycl",
        13,
        17,
        "which is no parameter and no ladder's variable; did you mean 'half_cycle'?",
    ),
    ("10 min", "$density", 13, 17, "'rest.for' is '$density', which is no parameter"),
    ("10 min", "$", 13, 17, "expected '$' and a name"),
    ("half_cycle: 30 min", "half-cycle: 30 min", 4, 3, "'half-cycle' is no name for a parameter"),
    ("half_cycle: 30 min", "step: 30 min", 4, 3, "'step' is there twice (first on line 3)"),
    ("voltage >= 3.5 V", "voltag >= 3.5 V", 14, 57, "'voltag' is not measured; did you mean 'voltage'?"),
    # units and dimensions
    ("10 min", "10", 13, 17, "'rest.for' is 10 without a unit; expected a time such as '30 min'"),
    ("10 min", "10 V", 13, 17, "'rest.for' is '10 V'; expected a time such as '30 min'"),
    ("10 min", "ten minutes", 13, 17, "'rest.for' is 'ten minutes'; expected a time such as '30 min'"),
    ("10 min", "10 minz", 13, 17, "'minz' is not a known unit; expected a time such as '30 min'"),
    ("10 min", "true", 13, 17, "'rest.for' is true; expected a time such as '30 min'"),
    ("10 min", "{a: 1}", 13, 17, "'rest.for' is a mapping; expected a time such as '30 min'"),
    ("10 min", "[10 min]", 13, 17, "'rest.for' is a list; expected a time such as '30 min'"),
    ("10 min", "", 13, 12, "'for' is empty; expected a value, or no 'for' at all"),
    ("min: -4 V", "min: ", 7, 13, "'min' is empty; expected a value, or no 'min' at all"),
    ("{min: -4 V, max: 4 V}", "", 7, 3, "'voltage' is empty; expected a value, or no 'voltage' at all"),
    (
        "default: 0.1 mA/cm^2, ",
        "default: , ",
        3,
        10,
        "'step.default' is empty; expected a number with a unit",
    ),
    ("10 min", "$step", 13, 17, "'rest.for' is '$step', a current density; expected a time such as '30 min'"),
    ("max: 4 V}", "max: 5 A}", 7, 29, "'voltage.max' is '5 A'; expected a voltage such as '5 V'"),
    (
        "current: 1 mA,",
        "current: 1 mV,",
        14,
        33,
        "'constant_current.current' is '1 mV'; expected a current such as",
    ),
    ("voltage >= 3.5 V", "voltage >= 3.5", 14, 57, "its value is '3.5' without a unit; expected a voltage"),
    ("voltage >= 3.5 V", "voltage >= 5 A", 14, 57, "its value is '5 A'; expected a voltage"),
    ("to: 2 mA/cm^2", "to: 2 mA", 16, 41, "'density.to' is '2 mA'; expected the dimension of '0.1 mA/cm^2'"),
    ("max: 1 mA/cm^2}", "max: 1 mA}", 3, 56, "'step.max' is '1 mA'; expected a current density such as"),
    (
        "times: $turns",
        "times: $half_cycle",
        17,
        12,
        "'method.times' is '$half_cycle', a time; expected a number",
    ),
    ("drop: 50 %", "drop: 5 V", 24, 39, "'short_circuit.drop' is '5 V'; expected a fraction such as '30 %'"),
    # signs, zeros, sizes
    ("10 min", "-10 min", 13, 17, "'rest.for' is '-10 min'; expected a time of 0 or more, such as '30 min'"),
    ("10 min", ".nan", 13, 17, ".nan is not a finite number"),
    ("10 min", ".inf", 13, 17, ".inf is not a finite number"),
    ("10 min", "nan s", 13, 17, "'rest.for' is 'nan s'; expected a time such as '30 min'"),
    ("10 min", "1e40 s", 13, 17, "too large to be meant"),
    ("10 min", "1e10 s", 13, 17, "'rest.for' is '1e10 s'; expected at most 30 years"),
    ("10 min", "9" * 200, 13, 17, "a number of 200 characters"),
    ("every: 10 s", "every: 0 s", 10, 17, "'record.every' is '0 s'; expected a time above 0, such as '10 s'"),
    (
        "every: 10 s",
        "every: -1 s",
        10,
        17,
        "'record.every' is '-1 s'; expected a time above 0, such as '10 s'",
    ),
    ("every: 10 s", "every: 1 us", 10, 17, "'record.every' is '1 us'; expected a time from 1 ms"),
    ("voltage_change: 1 mV", "voltage_change: 0 mV", 10, 39, "expected a voltage above 0, such as '1 mV'"),
    (
        "density: $density, for",
        "density: -1 mA/cm^2, for",
        19,
        34,
        "'plate.current_density' is '-1 mA/cm^2'; expected",
    ),
    (
        "density: $density, for",
        "density: 0 mA/cm^2, for",
        19,
        34,
        "above 0: the step's name gives the direction",
    ),
    ("from: $step", "from: 0 mA/cm^2", 19, 34, "which is '0 mA/cm^2'; expected a current density such as"),
    ("charge >= 1 mAh", "charge >= -1 mAh", 14, 75, "expected no sign: charge counts from 0 in magnitude"),
    ("charge >= 1 mAh", "charge <= 1 mAh", 14, 75, "expected '>=': charge counts up from 0"),
    ("by: $step", "by: 0 mA/cm^2", 16, 56, "'density.by' is '0 mA/cm^2'; expected a step other than 0"),
    ("by: $step", "by: -1 mA/cm^2", 16, 56, "which leads away from '2 mA/cm^2'; expected the other sign"),
    ("by: $step", "by: 1e-9 mA/cm^2", 16, 56, "which makes 1,900,000,001 values; expected at most 10,000"),
    (
        "times: $turns",
        "times: 0",
        17,
        12,
        "'method.times' is 0; expected a whole number from 1 to 10,000,000",
    ),
    ("times: $turns", "times: true", 17, 12, "'method.times' is true; expected a whole number"),
    ("times: $turns", "times: 2.5", 17, 12, "'method.times' is 2.5; expected a whole number"),
    ("times: $turns", "times: 9999999", 16, 5, "expected at most 10,000,000"),
    ("turns: 3", "turns: 2.5", 17, 12, "'method.times' is '$turns', which is 2.5; expected a whole number"),
    (
        "drop: 50 %",
        "drop: 150 %",
        24,
        39,
        "'short_circuit.drop' is '150 %'; expected a fraction between 0 and 1",
    ),
    (
        "drop: 50 %",
        "confirm: 0",
        24,
        42,
        "'short_circuit.confirm' is '0'; expected a whole number from 1 to 1000",
    ),
    (
        "max: 1 mA/cm^2}",
        "max: 0.05 mA/cm^2}",
        3,
        19,
        "'step.default' is '0.1 mA/cm^2'; expected at most 0.05 mA",
    ),
    # limits
    ("min: -4 V", "min: -6 V", 7, 18, "'voltage.min' is '-6 V', outside the cell's envelope (-5 V to 5 V)"),
    (
        "max: 4 V}",
        "max: 5.1 V}",
        7,
        29,
        "'voltage.max' is '5.1 V', outside the cell's envelope (-5 V to 5 V)",
    ),
    (
        "max: 4 V}",
        "max: -4 V}",
        7,
        29,
        "'voltage.max' is '-4 V', which leaves nothing between 'min' and 'max'",
    ),
    ("max: 4 mA/cm^2", "max: 6 mA/cm^2", 8, 26, "outside the cell's envelope (-5 mA/cm^2 to 5 mA/cm^2)"),
    ("max: 4 mA/cm^2", "max: 0 mA/cm^2", 8, 26, "expected a current density above 0"),
    (
        "max: 3 V",
        "max: 4.5 V",
        23,
        35,
        "'voltage.max' is '4.5 V', outside the recipe's 'safety' (-4 V to 4 V)",
    ),
    ("5 s}\n    stop", "6 s}\n    stop", 23, 54, "'safety.check_every' is '6 s', less often than the 5 s"),
    ("voltage: 3.5 V", "voltage: 4.5 V", 15, 33, "outside the recipe's 'safety' (-4 V to 4 V)"),
    ("voltage: 3.5 V", "voltage: 6 V", 15, 33, "outside the cell's envelope (-5 V to 5 V)"),
    ("voltage >= 3.5 V", "voltage >= 9 V", 14, 57, "is '9 V', outside the cell's envelope (-5 V to 5 V)"),
    (
        "current: 1 mA,",
        "current: 1 A,",
        14,
        33,
        "'constant_current.current' is '1 A', outside the cell's envelope",
    ),
    (
        "current_limit: 1 mA",
        "current_limit: 1 A",
        15,
        55,
        "'constant_voltage.current_limit' is '1 A', outside",
    ),
    (
        "to: 2 mA",
        "to: 9 mA",
        19,
        34,
        "which is '4.1 mA/cm^2', outside the recipe's 'safety' (-4 mA/cm^2 to 4 mA/cm^2)",
    ),
    (
        "$density\n",
        "6 mA/cm^2\n",
        21,
        28,
        "'strip.current_density' is '6 mA/cm^2', outside the cell's envelope",
    ),
    # structure
    ("{for: 10 min}", "10 min", 13, 11, "'method.rest' is '10 min'; expected a mapping ('key: value')"),
    ("{for: 10 min}", "{}", 13, 11, "the step cannot end; expected 'for: 10 min' or"),
    ("{for: 10 min}", "", 13, 5, "'method.rest' is empty; expected a mapping ('key: value')"),
    (
        "rest: {for: 10 min}",
        "rest",
        13,
        5,
        "a step is 'rest'; expected a mapping such as 'rest: {for: 10 min}'",
    ),
    ("rest: {for: 10 min}", "{}", 13, 5, "a step is empty; expected one such as 'rest: {for: 10 min}'"),
    (
        "rest: {for: 10 min}",
        "rest:\n    for: 10 min",
        14,
        5,
        "'for' stands beside 'rest'; indent it to stand inside",
    ),
    (
        "rest: {for: 10 min}",
        "rest: {for: 1 s}\n    plate: {}",
        14,
        5,
        "'plate' in the same item as 'rest'; start every step with '- '",
    ),
    ("rest: {for: 10 min}", "times: 3", 13, 5, "'repeat' is missing beside 'times'"),
    (
        "rest: {for: 10 min}",
        "repeat: []\n    times: 3",
        13,
        13,
        "'method.repeat' is empty; expected something in it",
    ),
    ("rest: {for: 10 min}", "repeat: [rest: {for: 1 s}]", 13, 5, "'repeat' cannot end; expected 'times: 10'"),
    (
        "rest: {for: 10 min}",
        "repeat: [rest: {for: 1 s}]\n    for: 0 s",
        14,
        10,
        "'method.for' is '0 s'; expected a time",
    ),
    ("- rest", "-\trest", 13, 4, "a tab; expected spaces for the indentation"),
    (
        "  - rest: {for: 10 min}",
        "\t- rest: {for: 10 min}",
        13,
        1,
        "a tab; expected spaces for the indentation",
    ),
    ("  - rest:", "- rest:", 14, 3, "this line does not fit the indentation of the lines above"),
    ("title: Test", "title: 5", 1, 8, "'title' is 5; expected text, such as '5' in quotes"),
    ("title: Test", "title: ' '", 1, 8, "'title' is empty; expected text"),
    ("title: Test", "title: &a x", 1, 8, "an anchor ('&a'); write the value out instead"),
    ("title: Test", "title: !!python/name:os.system x", 1, 8, "a tag ("),
    ("title: Test\n", "", 1, 1, "'title' is missing"),
    ("[critical_current_density]", "polarisation", 11, 11, "'analysis' is 'polarisation'; expected a list"),
    (
        "{from: $step, to: 2 mA/cm^2, by: $step}",
        "[]",
        16,
        23,
        "'ladder.density' is an empty list; expected its values",
    ),
    ("{from: $step, to: 2 mA/cm^2, by: $step}", "3", 16, 23, "'ladder.density' is 3; expected"),
    (
        "{from: $step, to: 2 mA/cm^2, by: $step}",
        "[1 mA, 2 V]",
        16,
        30,
        "has '2 V' in its list; expected the same",
    ),
    (
        "{density: {from: $step, to: 2 mA/cm^2, by: $step}}",
        "{density: [1 mA/cm^2], d: [1 s, 2 s]}",
        16,
        36,
        "'d' has 2 values and 'density' has 1",
    ),
    ("{density: {", "{step: {", 16, 14, "'step' is already a parameter; choose another name"),
    (
        "current: 1 mA,",
        "current: 1 mA, current_density: 1 mA/cm^2,",
        14,
        39,
        "has both 'current' and 'current_density'",
    ),
    ("current: 1 mA,", "", 14, 23, "the step has no 'current' or 'current_density'; expected one of them"),
    ("voltage: 3.5 V,", "", 15, 23, "'voltage' is missing in 'method.constant_voltage'"),
    ("voltage >= 3.5 V", "time >= 3 h", 14, 57, "expected the time as 'for: 3 h' instead"),
    ("voltage >= 3.5 V", "voltage => 3.5 V", 14, 57, "expected a condition such as 'voltage >= 4.2 V'"),
    ("voltage >= 3.5 V", "open('x') >= 3 V", 14, 57, "expected a condition such as 'voltage >= 4.2 V'"),
    ("voltage >= 3.5 V", "7", 14, 57, "'until' is 7; expected a condition such as 'voltage >= 4.2 V'"),
    ("[voltage >= 3.5 V, charge >= 1 mAh]", "[]", 14, 56, "is an empty list; expected a condition"),
]


@pytest.mark.parametrize(("old", "new", "line", "column", "fragment"), TABLE)
def test_a_malformed_recipe_gives_one_line_with_its_place(old, new, line, column, fragment):
    assert old in RECIPE
    with pytest.raises(InvalidInput) as caught:
        compiled(RECIPE.replace(old, new, 1))
    error = caught.value
    assert fragment in error.message
    assert (error.source, error.line, error.column) == ("r.yaml", line, column)
    assert "\n" not in str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a\n", "{}\n", "5\n", "title: x\n", "method: []\n"])
def test_what_is_no_recipe_at_all_has_a_place_too(text):
    with pytest.raises(InvalidInput) as caught:
        compiled(text)
    assert (caught.value.line, caught.value.column) == (1, 1) or text == "method: []\n"


def test_loops_nested_too_deep_are_refused():
    text = "title: x\nmethod:\n"
    for depth in range(9):
        text += "  " * (2 * depth + 1) + "- times: 1\n" + "  " * (2 * depth + 2) + "repeat:\n"
    text += "  " * 19 + "- rest: {for: 1 s}\n"
    with pytest.raises(InvalidInput, match="nested more than 8 deep"):
        compiled(text)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"stp": "0.2 mA/cm^2"}, "unknown parameter 'stp'; did you mean 'step'?"),
        (
            {"step": "0.2 mA"},
            "parameter 'step' is '0.2 mA'; expected a current density such as '0.1 mA/cm^2'",
        ),
        ({"step": "0.2"}, "parameter 'step' is '0.2' without a unit; expected a current density"),
        ({"step": "2 mA/cm^2"}, "parameter 'step' is '2 mA/cm^2'; expected at most 1 mA/cm^2"),
        ({"step": "0 mA/cm^2"}, "parameter 'step' is '0 mA/cm^2'; expected at least 0.01 mA/cm^2"),
        ({"step": "$half_cycle"}, "parameter 'step' is '$half_cycle'; expected a current density"),
        ({"turns": "3 s"}, "parameter 'turns' is '3 s'; expected a number without a unit"),
        ({"half_cycle": "nan s"}, "parameter 'half_cycle' is 'nan s'; expected a time"),
    ],
)
def test_a_wrong_override_names_its_parameter(overrides, expected):
    with pytest.raises(InvalidInput) as caught:
        compile_recipe(parse_recipe(RECIPE, "r.yaml"), parse_cell(CELL, "c.yaml"), overrides)
    assert str(caught.value).startswith(expected)
