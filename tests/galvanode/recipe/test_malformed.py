"""Malformed recipes: each gives one line with its place, what was found, what was expected or is meant."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe


class Sound(NamedTuple):
    """A recipe that compiles until something in it is exchanged."""

    cell: str
    recipe: str


SYMMETRIC = Sound(
    """\
name: Li | LLZTO | Li
area: 0.785 cm^2
electrolyte_thickness: 0.8 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current_density: {max: 5 mA/cm^2}
""",
    """\
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
""",
)
FULL_CELL = Sound(
    """\
name: LCO | electrolyte | Li-In
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
active_mass: 10 mg
specific_capacity: 150 mAh/g
reference_offset: 0.62 V
envelope: {voltage: {min: 1 V, max: 4.2 V}, current: {max: 5 mA}, temperature: {min: 10 degC, max: 80 degC}}
""",
    """\
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
""",
)
CONTROLLED = Sound(
    """\
name: LCO | electrolyte | Li-In
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 1.5 mAh
reference_offset: 0.62 V
envelope: {voltage: {min: 1 V, max: 4.2 V}, current: {max: 5 mA}, temperature: {min: 10 degC, max: 80 degC}}
""",
    """\
version: 2
title: Test
parameters:
  slow: {default: $cell.nominal_capacity / 10 h, max: 2 mA}
  fast: $slow * 2
  upper: 4.22 V vs Li+/Li
  hot: 60 degC
  rate: 0.2C
method:
  - label: again
    rest: {for: 10 min, until: {when: abs(dV/dt) <= 1 mV/min over 5 min, not_before: 1 min, by: 9 min}}
  - charge: {current: $fast / 2, until: voltage >= $upper - 0.1 V and charge >= 0.1 mAh or short_circuit}
  - set: {capacity: charge, half: $capacity / 2}
  - discharge: {current: $half / 1 h, until: [voltage <= 2 V, {when: charge >= $half, then: goto again}]}
  - ladder: {i: {from: 0.1 mA, to: 1 mA, factor: 2}, f: [1 Hz, 2 Hz, 4 Hz, 8 Hz]}
    repeat:
      - constant_current: {current: $i * 2, for: 10 s}
      - if: $i >= 0.5 mA and voltage >= 4 V
        then:
          - break
        else:
          - goto: {label: again, at_most: 5}
      - label: inside
        rest: {for: 1 min}
  - group:
      - charge: {rate: 0.5C, until: voltage >= 4 V}
      - discharge: {rate: 0.5C, until: voltage <= 2 V}
    for: 10 h
    safety: {voltage: {max: 4.1 V}}
  - call: {recipe: formation, with: {rate: $rate, turns: 2}}
  - operator: {message: Weigh the cell, asks: number, name: mass, default: 10 mg}
  - repeat:
      - charge: {rate: 1C, until: voltage >= 3.6 V}
      - discharge: {rate: 1C, until: voltage <= 2 V}
    times: 100
    stop_when: retention <= 80 % of cycle 2
  - if: $mass >= 5 mg
    then: [end: heavy enough]
  - fail: too light
""",
)
CALLED = {
    "formation": """\
title: Formation
parameters: {rate: {default: 0.1C, max: 1C}, turns: 3}
method:
  - repeat: [charge: {rate: $rate, until: voltage >= 3.6 V}, discharge: {rate: $rate, until: voltage <= 2 V}]
    times: $turns
""",
    "circle": """\
title: Circle
method: [call: round]
""",
    "round": """\
title: Round
method: [call: circle]
""",
    "broken": """\
title: Broken
method:
  - rest: {for: 10 V}
""",
    "strict": """\
title: Strict
safety: {voltage: {max: 9 V}}
method: [rest: {for: 1 s}]
""",
    "one": """\
title: One
method: [call: two]
""",
    "two": """\
title: Two
method: [call: three]
""",
    "three": """\
title: Three
method: [call: four]
""",
    "four": """\
title: Four
method: [call: five]
""",
    "five": """\
title: Five
method: [rest: {for: 1 s}]
""",
}


FILES = {f"{name}.yaml": text for name, text in CALLED.items()}


def compiled(sound: Sound, recipe: str):
    return compile_recipe(parse_recipe(recipe, "r.yaml", FILES), parse_cell(sound.cell, "c.yaml"))


@pytest.mark.parametrize("sound", [SYMMETRIC, FULL_CELL, CONTROLLED])
def test_the_recipes_that_the_tables_break_are_sound(sound):
    assert compiled(sound, sound.recipe).instructions


# What is there, what stands there instead, where the error is shown (in the recipe, if no file is named), its words.
STEPS_AND_LIMITS = [
    ("title: Test", "titel: Test", "1:1", "unknown key 'titel'; did you mean 'title'?"),
    ("rest:", "rset:", "13:5", "unknown step 'rset'; did you mean 'rest'?"),
    ("rest:", "wobble:", "13:5", "unknown step 'wobble'; expected 'chamber', 'charge', 'constant_current', "),
    ("for: 10 min}", "fr: 10 min}", "13:12", "unknown key 'fr' in 'method.rest'; did you mean 'for'?"),
    ("method:", "methods:", "12:1", "unknown key 'methods'; did you mean 'method'?"),
    ("every: 10 s,", "evry: 10 s,", "10:10", "unknown key 'evry' in 'record'; did you mean 'every'?"),
    ("  check_every: 5 s\n", "  chek: 5 s\n", "9:3", "unknown key 'chek' in 'safety'"),
    ("by: $step", "bye: $step", "16:52", "unknown key 'bye' in 'ladder.density'; did you mean 'by'?"),
    ("times: $turns", "tims: 3", "17:5", "unknown key 'tims' in 'method'; did you mean 'times'?"),
    ("default: 0.1", "defualt: 0.1", "3:10", "unknown key 'defualt' in 'parameters.step'; did you mean"),
    ("short_circuit:", "short_circut:", "24:16", "unknown detector 'short_circut'; did you mean 'short_circuit'?"),
    ("drop: 50 %", "drp: 50 %", "24:33", "unknown option 'drp' of 'short_circuit'; did you mean 'drop'?"),
    (
        "[critical_current_density]",
        "[ccd]",
        "11:12",
        "unknown analysis 'ccd'; expected 'arrhenius', 'critical_current_density', ",
    ),
    ("10 min", "$half_cycl", "13:17", "which is no parameter and no ladder's variable; did you mean 'half_cycle'?"),
    ("10 min", "$density", "13:17", "'rest.for' is '$density', which is no parameter"),
    ("10 min", "$", "13:17", "expected '$' and a name"),
    ("half_cycle: 30 min", "half-cycle: 30 min", "4:3", "'half-cycle' is no name for a parameter"),
    ("half_cycle: 30 min", "step: 30 min", "4:3", "'step' is there twice (first on line 3)"),
    ("voltage >= 3.5 V", "voltag >= 3.5 V", "14:57", "'voltag' is not measured; did you mean 'voltage'?"),
    ("10 min", "10", "13:17", "'rest.for' is 10 without a unit; expected a time such as '30 min'"),
    ("10 min", "10 V", "13:17", "'rest.for' is '10 V'; expected a time such as '30 min'"),
    ("10 min", "ten minutes", "13:17", "'rest.for' is 'ten minutes'; expected a time such as '30 min'"),
    ("10 min", "10 minz", "13:17", "'minz' is not a known unit; expected a time such as '30 min'"),
    ("10 min", "true", "13:17", "'rest.for' is true; expected a time such as '30 min'"),
    ("10 min", "{a: 1}", "13:17", "'rest.for' is a mapping; expected a time such as '30 min'"),
    ("10 min", "[10 min]", "13:17", "'rest.for' is a list; expected a time such as '30 min'"),
    ("10 min", "", "13:12", "'for' is empty; expected a value, or no 'for' at all"),
    ("min: -4 V", "min: ", "7:13", "'min' is empty; expected a value, or no 'min' at all"),
    ("{min: -4 V, max: 4 V}", "", "7:3", "'voltage' is empty; expected a value, or no 'voltage' at all"),
    ("default: 0.1 mA/cm^2, ", "default: , ", "3:10", "'step.default' is empty; expected a number with a unit"),
    ("10 min", "$step", "13:17", "'rest.for' is '$step', a current density; expected a time such as '30 min'"),
    ("max: 4 V}", "max: 5 A}", "7:29", "'voltage.max' is '5 A'; expected a voltage such as '5 V'"),
    ("current: 1 mA,", "current: 1 mV,", "14:33", "'constant_current.current' is '1 mV'; expected a current such as"),
    ("voltage >= 3.5 V", "voltage >= 3.5", "14:57", "its value is '3.5' without a unit; expected a voltage"),
    ("voltage >= 3.5 V", "voltage >= 5 A", "14:57", "its value is '5 A'; expected a voltage"),
    ("to: 2 mA/cm^2", "to: 2 mA", "16:41", "'density.to' is '2 mA'; expected the dimension of '0.1 mA/cm^2'"),
    ("max: 1 mA/cm^2}", "max: 1 mA}", "3:56", "'step.max' is '1 mA'; expected a current density such as"),
    ("times: $turns", "times: $half_cycle", "17:12", "'method.times' is '$half_cycle', a time; expected a number"),
    ("drop: 50 %", "drop: 5 V", "24:39", "'short_circuit.drop' is '5 V'; expected a fraction such as '30 %'"),
    ("10 min", "-10 min", "13:17", "'rest.for' is '-10 min'; expected a time of 0 or more, such as '30 min'"),
    ("10 min", ".nan", "13:17", ".nan is not a finite number"),
    ("10 min", ".inf", "13:17", ".inf is not a finite number"),
    ("10 min", "nan s", "13:17", "'rest.for' is 'nan s'; expected a time such as '30 min'"),
    ("10 min", "1e40 s", "13:17", "too large to be meant"),
    ("10 min", "1e10 s", "13:17", "'rest.for' is '1e10 s'; expected at most 30 years"),
    (
        "10 min",
        "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
        "13:17",
        "a number of 200 characters",
    ),
    ("every: 10 s", "every: 0 s", "10:17", "'record.every' is '0 s'; expected a time above 0, such as '10 s'"),
    ("every: 10 s", "every: -1 s", "10:17", "'record.every' is '-1 s'; expected a time above 0, such as '10 s'"),
    ("every: 10 s", "every: 1 us", "10:17", "'record.every' is '1 us'; expected a time from 1 ms"),
    ("voltage_change: 1 mV", "voltage_change: 0 mV", "10:39", "expected a voltage above 0, such as '1 mV'"),
    (
        "density: $density, for",
        "density: -1 mA/cm^2, for",
        "19:34",
        "'plate.current_density' is '-1 mA/cm^2'; expected",
    ),
    ("density: $density, for", "density: 0 mA/cm^2, for", "19:34", "above 0: the step's name gives the direction"),
    ("from: $step", "from: 0 mA/cm^2", "19:34", "which is '0 mA/cm^2'; expected a current density such as"),
    ("charge >= 1 mAh", "charge >= -1 mAh", "14:75", "expected no sign: charge counts from 0 in magnitude"),
    ("charge >= 1 mAh", "charge <= 1 mAh", "14:75", "expected '>=': charge counts up from 0"),
    ("by: $step", "by: 0 mA/cm^2", "16:56", "'density.by' is '0 mA/cm^2'; expected a step other than 0"),
    ("by: $step", "by: -1 mA/cm^2", "16:56", "which leads away from '2 mA/cm^2'; expected the other sign"),
    ("by: $step", "by: 1e-9 mA/cm^2", "16:56", "which makes 1,900,000,001 values; expected at most 10,000"),
    ("times: $turns", "times: 0", "17:12", "'method.times' is 0; expected a whole number from 1 to 10,000,000"),
    ("times: $turns", "times: true", "17:12", "'method.times' is true; expected a whole number"),
    ("times: $turns", "times: 2.5", "17:12", "'method.times' is 2.5; expected a whole number"),
    ("times: $turns", "times: 9999999", "16:5", "expected at most 10,000,000"),
    ("turns: 3", "turns: 2.5", "17:12", "'method.times' is '$turns', which is 2.5; expected a whole number"),
    ("drop: 50 %", "drop: 150 %", "24:39", "'short_circuit.drop' is '150 %'; expected a fraction between 0 and 1"),
    ("drop: 50 %", "confirm: 0", "24:42", "'short_circuit.confirm' is '0'; expected a whole number from 1 to 1000"),
    ("max: 1 mA/cm^2}", "max: 0.05 mA/cm^2}", "3:19", "'step.default' is '0.1 mA/cm^2'; expected at most 0.05 mA"),
    ("min: -4 V", "min: -6 V", "7:18", "'voltage.min' is '-6 V', outside the cell's envelope (-5 V to 5 V)"),
    ("max: 4 V}", "max: 5.1 V}", "7:29", "'voltage.max' is '5.1 V', outside the cell's envelope (-5 V to 5 V)"),
    ("max: 4 V}", "max: -4 V}", "7:29", "'voltage.max' is '-4 V', which leaves nothing between 'min' and 'max'"),
    ("max: 4 mA/cm^2", "max: 6 mA/cm^2", "8:26", "outside the cell's envelope (-5 mA/cm^2 to 5 mA/cm^2)"),
    ("max: 4 mA/cm^2", "max: 0 mA/cm^2", "8:26", "expected a current density above 0"),
    ("max: 3 V", "max: 4.5 V", "23:35", "'voltage.max' is '4.5 V', outside the recipe's 'safety' (-4 V to 4 V)"),
    ("5 s}\n    stop", "6 s}\n    stop", "23:54", "'safety.check_every' is '6 s', less often than the 5 s"),
    ("voltage: 3.5 V", "voltage: 4.5 V", "15:33", "outside the recipe's 'safety' (-4 V to 4 V)"),
    ("voltage: 3.5 V", "voltage: 6 V", "15:33", "outside the cell's envelope (-5 V to 5 V)"),
    ("voltage >= 3.5 V", "voltage >= 9 V", "14:57", "is '9 V', outside the cell's envelope (-5 V to 5 V)"),
    ("current: 1 mA,", "current: 1 A,", "14:33", "'constant_current.current' is '1 A', outside the cell's envelope"),
    ("current_limit: 1 mA", "current_limit: 1 A", "15:55", "'constant_voltage.current_limit' is '1 A', outside"),
    (
        "to: 2 mA",
        "to: 9 mA",
        "19:34",
        "which is '4.1 mA/cm^2', outside the recipe's 'safety' (-4 mA/cm^2 to 4 mA/cm^2)",
    ),
    ("$density\n", "6 mA/cm^2\n", "21:28", "'strip.current_density' is '6 mA/cm^2', outside the cell's envelope"),
    ("{for: 10 min}", "10 min", "13:11", "'method.rest' is '10 min'; expected a mapping ('key: value')"),
    ("{for: 10 min}", "{}", "13:11", "the step cannot end; expected 'for: 10 min' or"),
    ("{for: 10 min}", "", "13:5", "'method.rest' is empty; expected a mapping ('key: value')"),
    ("rest: {for: 10 min}", "rest", "13:5", "a step is 'rest'; expected a mapping such as 'rest: {for: 10 min}'"),
    ("rest: {for: 10 min}", "{}", "13:5", "a step is empty; expected one such as 'rest: {for: 10 min}'"),
    ("rest: {for: 10 min}", "rest:\n    for: 10 min", "14:5", "'for' stands beside 'rest'; indent it to stand inside"),
    (
        "rest: {for: 10 min}",
        "rest: {for: 10 min}\n    times: 3",
        "14:5",
        "'times' stands beside 'rest'; it belongs to 'repeat'",
    ),
    (
        "rest: {for: 10 min}",
        "rest: {for: 1 s}\n    plate: {}",
        "14:5",
        "'plate' in the same item as 'rest'; start every step with '- '",
    ),
    ("rest: {for: 10 min}", "times: 3", "13:5", "'repeat' is missing beside 'times'"),
    ("rest: {for: 10 min}", "repeat: []\n    times: 3", "13:13", "'method.repeat' is empty; expected something in it"),
    ("rest: {for: 10 min}", "repeat: [rest: {for: 1 s}]", "13:5", "'repeat' cannot end; expected 'times: 10'"),
    (
        "rest: {for: 10 min}",
        "repeat: [rest: {for: 1 s}]\n    for: 0 s",
        "14:10",
        "'method.for' is '0 s'; expected a time",
    ),
    ("- rest", "-	rest", "13:4", "a tab; expected spaces for the indentation"),
    ("  - rest: {for: 10 min}", "	- rest: {for: 10 min}", "13:1", "a tab; expected spaces for the indentation"),
    ("  - rest:", "- rest:", "14:3", "this line does not fit the indentation of the lines above"),
    ("title: Test", "title: 5", "1:8", "'title' is 5; expected text, such as '5' in quotes"),
    ("title: Test", "title: ' '", "1:8", "'title' is empty; expected text"),
    ("title: Test", "title: &a x", "1:8", "an anchor ('&a'); write the value out instead"),
    ("title: Test", "title: !!python/name:os.system x", "1:8", "a tag ("),
    ("title: Test\n", "", "1:1", "'title' is missing"),
    ("[critical_current_density]", "polarisation", "11:11", "'analysis' is 'polarisation'; expected a list"),
    (
        "{from: $step, to: 2 mA/cm^2, by: $step}",
        "[]",
        "16:23",
        "'ladder.density' is an empty list; expected its values",
    ),
    ("{from: $step, to: 2 mA/cm^2, by: $step}", "3", "16:23", "'ladder.density' is 3; expected"),
    ("{from: $step, to: 2 mA/cm^2, by: $step}", "[1 mA, 2 V]", "16:30", "has '2 V' in its list; expected the same"),
    (
        "{density: {from: $step, to: 2 mA/cm^2, by: $step}}",
        "{density: [1 mA/cm^2], d: [1 s, 2 s]}",
        "16:36",
        "'d' has 2 values and 'density' has 1",
    ),
    ("{density: {", "{step: {", "16:14", "'step' is already a parameter; choose another name"),
    (
        "current: 1 mA,",
        "current: 1 mA, current_density: 1 mA/cm^2,",
        "14:39",
        "has both 'current' and 'current_density'",
    ),
    ("current: 1 mA,", "", "14:23", "the step has no 'current' or 'current_density'; expected one of them"),
    ("voltage: 3.5 V,", "", "15:23", "'voltage' is missing in 'method.constant_voltage'"),
    ("voltage >= 3.5 V", "time >= 3 h", "14:57", "expected the time as 'for: 3 h' instead"),
    ("voltage >= 3.5 V", "voltage => 3.5 V", "14:57", "expected a condition such as 'voltage >= 4.2 V'"),
    ("voltage >= 3.5 V", "open('x') >= 3 V", "14:57", "expected a condition such as 'voltage >= 4.2 V'"),
    ("voltage >= 3.5 V", "7", "14:57", "'until' is 7; expected a condition such as 'voltage >= 4.2 V'"),
    ("[voltage >= 3.5 V, charge >= 1 mAh]", "[]", "14:56", "is an empty list; expected a condition"),
]
SCANS_AND_FULL_CELLS = [
    ("- chamber: {set: 25", "- chambr: {set: 25", "7:5", "unknown step 'chambr'; did you mean 'chamber'?"),
    (
        "set: 25 degC, until",
        "sat: 25 degC, until",
        "7:15",
        "unknown key 'sat' in 'method.chamber'; did you mean 'set'?",
    ),
    ("- sweep:", "- sweeep:", "11:5", "unknown step 'sweeep'; did you mean 'sweep'?"),
    ("- sweep:", "- LSV:", "11:5", "unknown step 'LSV'; here it is called 'sweep'"),
    ("- impedance: {from", "- eis: {from", "9:5", "unknown step 'eis'; here it is called 'impedance'"),
    ("- cyclic_voltammetry", "- cv", "12:5", "unknown step 'cv'; here it is called 'cyclic_voltammetry'"),
    ("then_hold: {", "than_hold: {", "13:53", "unknown key 'than_hold' in 'method.charge'; did you mean 'then_hold'?"),
    (
        "instrument: cycler",
        "instrument: cyclr",
        "8:37",
        "'rest.instrument' is 'cyclr'; expected 'cycler' or 'analyzer'",
    ),
    (
        "kind: galvanostatic",
        "kind: galvanostatc",
        "10:23",
        "'impedance.kind' is 'galvanostatc'; expected 'potentiostatic' or 'galvanostatic'",
    ),
    (
        "until_retention:",
        "until_retension:",
        "19:5",
        "unknown key 'until_retension' in 'method'; expected 'for', 'label', 'ladder', 'name', 'repeat', 'stop_when'",
    ),
    (
        "until: current <= 0.05C",
        "untl: current <= 0.05C",
        "13:65",
        "unknown key 'untl' in 'charge.then_hold'; did you mean 'until'?",
    ),
    (
        "points_per_decade: 10",
        "points: 10",
        "9:42",
        "unknown key 'points' in 'method.impedance'; expected 'amplitude', 'averages', 'bias', 'from', 'instrument',",
    ),
    (
        "vertices: [4 V, 2 V]",
        "between: [4 V, 2 V]",
        "12:37",
        "unknown key 'between' in 'method.cyclic_voltammetry'; expected 'current_limit', 'cycles', 'from',",
    ),
    (
        "step: 2 mV, ",
        "record: {every: 1 s}, ",
        "11:49",
        "unknown key 'record' in 'method.sweep'; expected 'current_limit', 'from', 'instrument', 'ir_correction',",
    ),
    (
        "cycles: 3}",
        "cycles: 3, for: 1 h}",
        "12:84",
        "unknown key 'for' in 'method.cyclic_voltammetry'; expected 'current_limit', 'cycles', 'from',",
    ),
    (
        "current <= 0.05C",
        "curent <= 0.05C",
        "13:72",
        "'then_hold.until' is 'curent <= 0.05C'; 'curent' is not measured; did you mean 'current'?",
    ),
    ("set: 25 degC, ", "", "7:14", "'set' is missing in 'method.chamber'"),
    (
        "set: 25 degC, ",
        "set: 25, ",
        "7:20",
        "'chamber.set' is 25 without a unit; expected a temperature such as '25 degC'",
    ),
    (
        "set: 25 degC, ",
        "set: 120 degC, ",
        "7:20",
        "'chamber.set' is '120 degC', outside the cell's envelope (10 degC to 80 degC)",
    ),
    ("until: stable", "until: reached", "7:36", "'chamber.until' is 'reached'; expected 'stable'"),
    ("until: stable, ", "", "7:29", "'band' is about a stable temperature; add 'until: stable' or leave it out"),
    (
        "band: 0.5 K",
        "band: 0.5 degC",
        "7:50",
        "'chamber.band' is '0.5 degC'; expected a difference above 0 in K, such as '0.5 K'",
    ),
    (
        "band: 0.5 K",
        "band: 0 K",
        "7:50",
        "'chamber.band' is '0 K'; expected a difference above 0 in K, such as '0.5 K'",
    ),
    ("for: 30 min", "for: 0 min", "7:62", "'chamber.for' is '0 min'; expected a time above 0, such as '10 s'"),
    (
        "within: 4 h",
        "within: 20 min",
        "7:78",
        "'chamber.within' is '20 min', less than the 30 min of 'for'; expected more, or the chamber can never be",
    ),
    (
        "60 degC]",
        "90 degC]",
        "22:24",
        "'chamber.set' is '$temperature', which is '90 degC', outside the cell's envelope (10 degC to 80 degC)",
    ),
    (
        "60 degC]",
        "60 V]",
        "20:37",
        "'ladder.temperature' has '60 V' in its list; expected the same dimension as '25 degC'",
    ),
    (
        "[25 degC, 60 degC]",
        "{from: 25 degC, to: 60 degC, by: 5 degC}",
        "20:60",
        "'temperature.by' is '5 degC'; expected a difference in K, such as '10 K'",
    ),
    (
        "      - rest: {for: 1 h}\n",
        "",
        "21:5",
        "'repeat' only sets the chamber; expected a step in it, such as 'rest: {for: 10 min}'",
    ),
    (
        "set: $temperature",
        "set: $upper",
        "22:24",
        "'chamber.set' is '$upper', a potential vs Li+/Li; expected a temperature such as '25 degC'",
    ),
    ("from: 1 MHz", "from: 1 mHz", "9:34", "'impedance.to' is '0.1 Hz'; expected a frequency below 'from' (1 mHz)"),
    ("from: 1 MHz", "from: 0 Hz", "9:23", "'impedance.from' is '0 Hz'; expected a frequency above 0, such as '1 kHz'"),
    ("from: 1 MHz", "from: 1 s", "9:23", "'impedance.from' is '1 s'; expected a frequency such as '1 kHz'"),
    ("from: 1 MHz", "from: 1 THz", "9:23", "'impedance.from' is '1 THz'; expected a frequency from 1 µHz to 100 MHz"),
    ("to: 0.1 Hz, ", "", "9:16", "'to' is missing in 'method.impedance'"),
    (
        "points_per_decade: 10",
        "points_per_decade: 0",
        "9:61",
        "'impedance.points_per_decade' is 0; expected a whole number from 1 to 100",
    ),
    (
        "points_per_decade: 10",
        "points_per_decade: 500",
        "9:61",
        "'impedance.points_per_decade' is 500; expected a whole number from 1 to 100",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 150 mV",
        "9:76",
        "'impedance.amplitude' is '150 mV'; expected at most 100 mV, for the answer to be linear",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 0 mV",
        "9:76",
        "'impedance.amplitude' is '0 mV'; expected a voltage above 0, such as '10 mV', for a potentiostatic",
    ),
    (
        "amplitude: 10 mV",
        "amplitude: 1 mA",
        "9:76",
        "'impedance.amplitude' is '1 mA'; expected a voltage above 0, such as '10 mV', for a potentiostatic",
    ),
    (
        "bias: open_circuit",
        "bias: ocv",
        "9:89",
        "'impedance.bias' is 'ocv'; expected 'open_circuit', a voltage such as '3 V' or a current such as '1 mA'",
    ),
    (
        "bias: open_circuit",
        "bias: 4.19 V",
        "9:89",
        "'impedance.bias' with peaks of '10 mV' rms passes the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "bias: open_circuit",
        "bias: 5 V",
        "9:89",
        "'impedance.bias' is '5 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "amplitude: 0.1 mA, ",
        "",
        "10:16",
        "'amplitude' is missing in a galvanostatic impedance; expected a current above 0, such as '10 µA'",
    ),
    (
        "amplitude: 0.1 mA",
        "amplitude: 4 mA",
        "10:84",
        "'impedance.bias' with peaks of '4 mA' rms passes the cell's envelope (-5 mA to 5 mA)",
    ),
    (
        "bias: 1 mA",
        "bias: 1 V",
        "10:86",
        "'impedance.bias' is '1 V'; expected a current such as '5 mA' for a galvanostatic impedance",
    ),
    (
        "from: 2 V, to",
        "from: 0.5 V, to",
        "11:19",
        "'sweep.from' is '0.5 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    ("to: 4 V", "to: 4.5 V", "11:28", "'sweep.to' is '4.5 V', outside the cell's envelope (1 V to 4.2 V)"),
    ("to: 4 V", "to: 2 V", "11:28", "'sweep.to' is where the scan already stands; expected another voltage"),
    (
        "to: 4 V",
        "to: 2.001 V",
        "11:28",
        "'sweep.to' is less than a 'step' of 2 mV away; expected another voltage or a smaller 'step'",
    ),
    ("to: 4 V, ", "", "11:12", "'to' is missing in 'method.sweep'"),
    (
        "rate: 0.1 mV/s",
        "rate: -0.1 mV/s",
        "11:39",
        "'sweep.rate' is '-0.1 mV/s'; expected a scan rate above 0: the voltages give the direction",
    ),
    (
        "rate: 0.1 mV/s",
        "rate: 0 mV/s",
        "11:39",
        "'sweep.rate' is '0 mV/s'; expected a scan rate above 0: the voltages give the direction",
    ),
    ("rate: 0.1 mV/s", "rate: 0.1 mV", "11:39", "'sweep.rate' is '0.1 mV'; expected a scan rate such as '0.1 mV/s'"),
    (
        "rate: 0.1 mV/s",
        "rate: 100 V/s",
        "11:39",
        "'sweep.rate' is '100 V/s', 2e-05 s for each 'step' of 2 mV; expected 1 ms or more",
    ),
    (
        "rate: 0.1 mV/s",
        "rate: $rate",
        "11:39",
        "'sweep.rate' is '$rate', a C-rate; expected a scan rate such as '0.1 mV/s'",
    ),
    ("step: 2 mV", "step: -2 mV", "11:55", "'sweep.step' is '-2 mV'; expected a voltage above 0, such as '1 mV'"),
    (
        "step: 2 mV",
        "step: 2 mV vs Li+/Li",
        "11:55",
        "'sweep.step' is '2 mV vs Li+/Li', a potential against a reference; expected a voltage such as '5 V'",
    ),
    (
        "current_limit: 2 mA",
        "current_limit: 20 mA",
        "11:76",
        "'sweep.current_limit' is '20 mA', outside the cell's envelope (-5 mA to 5 mA)",
    ),
    ("[4 V, 2 V]", "[]", "12:47", "'cyclic_voltammetry.vertices' is empty; expected something in it"),
    ("[4 V, 2 V]", "4 V", "12:47", "'cyclic_voltammetry.vertices' is '4 V'; expected a list ('- ...')"),
    (
        "[4 V, 2 V]",
        "[4 V, 9 V]",
        "12:53",
        "'cyclic_voltammetry.vertices' is '9 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "[4 V, 2 V]",
        "[3 V, 2 V]",
        "12:48",
        "'cyclic_voltammetry.vertices' is where the scan already stands; expected another voltage",
    ),
    (
        "[4 V, 2 V]",
        "[4 V, 3 V]",
        "12:53",
        "'cyclic_voltammetry.vertices' is where the scan already stands; expected another voltage",
    ),
    ("cycles: 3", "cycles: 0", "12:81", "'cyclic_voltammetry.cycles' is 0; expected a whole number from 1 to 10,000"),
    (
        "cycles: 3",
        "cycles: 99999",
        "12:81",
        "'cyclic_voltammetry.cycles' is 99999; expected a whole number from 1 to 10,000",
    ),
    ("rate: $rate", "rate: 0.2", "13:20", "'charge.rate' is 0.2; expected a C-rate such as '0.5C'"),
    (
        "rate: $rate",
        "rate: -0.2C",
        "13:20",
        "'charge.rate' is '-0.2C'; expected a C-rate above 0: the step's name gives the direction",
    ),
    (
        "rate: $rate",
        "rate: 0C",
        "13:20",
        "'charge.rate' is '0C'; expected a C-rate above 0: the step's name gives the direction",
    ),
    ("rate: $rate", "rate: C/0", "13:20", "'charge.rate' is 'C/0'; expected a C-rate such as '0.5C'"),
    (
        "rate: $rate",
        "rate: 10C",
        "13:20",
        "'charge.rate' is '10C' or 15 mA, outside the cell's envelope (-5 mA to 5 mA)",
    ),
    ("rate: $rate", "rate: $hot", "13:20", "'charge.rate' is '$hot', a temperature; expected a C-rate such as '0.5C'"),
    (
        "rate: $rate, ",
        "",
        "13:13",
        "the step has no 'rate', 'current', 'current_density' or 'power'; expected one of them",
    ),
    ("rate: $rate, ", "rate: $rate, current: 1 mA, ", "13:27", "the step has both 'rate' and 'current'; keep one"),
    (
        "current: 1 mA",
        "current: -1 mA",
        "14:26",
        "'discharge.current' is '-1 mA'; expected a current above 0: the step's name gives the direction",
    ),
    ("current: 1 mA", "current: 0.5C", "14:26", "'discharge.current' is '0.5C'; expected a current such as '5 mA'"),
    (
        "voltage >= $upper",
        "voltage <= $upper",
        "13:34",
        "'charge.until' is 'voltage <= $upper'; expected '>=': the voltage rises in a charge",
    ),
    (
        "voltage >= $upper",
        "voltage >= 5 V vs Li+/Li",
        "13:34",
        "'charge.until' is '5 V vs Li+/Li (4.38 V at the terminals)', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "voltage >= $upper",
        "voltage >= 4.2 V vs SHE",
        "13:34",
        "'charge.until' is 'voltage >= 4.2 V vs SHE'; its value is '4.2 V vs SHE'; expected its reference as 'vs",
    ),
    (
        "voltage >= $upper",
        "voltage >= $rate",
        "13:34",
        "'charge.until' is '$rate', a C-rate; expected a voltage such as '5 V'",
    ),
    (
        "voltage >= $upper",
        "capacity >= 1 mAh",
        "13:53",
        "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it",
    ),
    (
        "voltage >= $upper, then",
        "voltage >= $upper, for: 3 h, then",
        "13:63",
        "'then_hold' holds the voltage that ended the step; expected one voltage in 'until' and no 'for' beside it",
    ),
    (
        "{until: current <= 0.05C, for: 2 h}",
        "{}",
        "13:64",
        "the hold cannot end; expected 'until: current <= 0.05C' or 'for: 1 h' in it, or both",
    ),
    (
        "{until: current <= 0.05C, for: 2 h}",
        "2 h",
        "13:64",
        "'charge.then_hold' is '2 h'; expected a mapping ('key: value')",
    ),
    (
        "current <= 0.05C",
        "current_magnitude <= -1 mA",
        "13:72",
        "'then_hold.until' is 'current_magnitude <= -1 mA'; expected no sign: current_magnitude is never below 0",
    ),
    (
        "[voltage <= 2 V,",
        "[voltage >= 2 V,",
        "14:40",
        "'discharge.until' is 'voltage >= 2 V'; expected '<=': the voltage falls in a discharge",
    ),
    (
        "default: 4.22 V vs Li+/Li",
        "default: 4.22 V",
        "3:33",
        "'upper.max' is '4.7 V vs Li+/Li'; expected a voltage such as '5 V'",
    ),
    (
        "default: 4.22 V vs Li+/Li",
        "default: 4.8 V vs Li+/Li",
        "3:20",
        "'upper.default' is '4.8 V vs Li+/Li'; expected at most 4.7 V vs Li+/Li",
    ),
    ("default: 0.2C", "default: 3C", "4:19", "'rate.default' is '3C'; expected at most 2C"),
    ("80 % of cycle 1", "80 %", "19:22", "'method.until_retention' is '80 %'; expected such as '80 % of cycle 1'"),
    (
        "80 % of cycle 1",
        "100 % of cycle 1",
        "19:22",
        "'method.stop_when': 'retention' is compared with '100 %'; expected a share between 0 % and 100 %",
    ),
    (
        "80 % of cycle 1",
        "80 V of cycle 1",
        "19:22",
        "'method.stop_when' is 'retention <= 80 V of cycle 1'; its value is '80 V'; expected a fraction such as '30 %'",
    ),
    (
        "80 % of cycle 1",
        "80 % of cycle 0",
        "19:22",
        "'method.until_retention' is '80 % of cycle 0'; expected such as '80 % of cycle 1'",
    ),
    (
        "80 % of cycle 1",
        "80 % of cycle 100",
        "19:22",
        "'method.stop_when': 'retention' compares with cycle 100, after which none is left of 100; expected an earlier",
    ),
    (
        "    times: 100\n",
        "    ladder: {x: [1 s]}\n",
        "19:22",
        "'method.stop_when': 'retention' compares turns that are alike; a 'ladder' makes them differ: keep one",
    ),
    (
        "      - discharge: {rate: 1C, until: voltage <= 2 V}\n",
        "",
        "18:22",
        "'method.stop_when': 'retention' is about discharge capacity, and no step of the block discharges",
    ),
]
CONTROL_AND_ARITHMETIC = [
    ("version: 2", "version: 3", "1:10", "version 3; this Galvanode reads up to 2"),
    ("version: 2", "version: 0", "1:10", "'version' is 0; expected 1 or 2"),
    ("version: 2", "version: two", "1:10", "'version' is 'two'; expected 1 or 2"),
    ("version: 2", "version: 2.0", "1:10", "'version' is 2.0; expected 1 or 2"),
    ("version: 2", "version: true", "1:10", "'version' is true; expected 1 or 2"),
    ("version: 2", "version:", "1:1", "'version' is empty; expected 1 or 2"),
    (
        "    stop_when: retention <= 80 % of cycle 2",
        "    until_retention: 80 % of cycle 2",
        "36:5",
        "'until_retention' is 'stop_when: retention <= 80 % of cycle 1' since version 2",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacty / 10 h",
        "4:19",
        "'slow.default' is '$cell.nominal_capacty / 10 h', which takes '$cell.nominal_capacty', which is",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.active_mass * 1 mA/g",
        "4:19",
        "'slow.default' is '$cell.active_mass * 1 mA/g', which needs '$cell.active_mass', which this cell's",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity / 10",
        "4:53",
        "'slow.max' is '2 mA'; expected a charge such as '2 mAh'",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$fast / 2",
        "4:19",
        "'slow.default' is '$fast / 2', which takes '$fast', which is no parameter above it; expected",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity / 0 h",
        "4:19",
        "'slow.default' is '$cell.nominal_capacity / 0 h', which divides by zero",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity * 10 h",
        "4:19",
        "'slow.default' is '$cell.nominal_capacity * 10 h', of a dimension that has no name here",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity / 10 m",
        "4:19",
        "'slow.default' is '$cell.nominal_capacity / 10 m', of a dimension that has no name here",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity / (10 h",
        "4:19",
        "'slow.default' is '$cell.nominal_capacity / (10 h', which is not complete; expected a number with a",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "$cell.nominal_capacity / 1 min",
        "4:19",
        "'slow.default' is '90 mA'; expected at most 2 mA",
    ),
    (
        "$cell.nominal_capacity / 10 h",
        "charge / 10 h",
        "4:19",
        "'slow.default' is 'charge / 10 h', which has 'charge' in it; expected numbers with units and names",
    ),
    (
        "fast: $slow * 2",
        "fast: $slow + 2",
        "5:9",
        "'fast' is '$slow + 2', which adds a current and a number without a unit; expected the same",
    ),
    (
        "fast: $slow * 2",
        "fast: $slow * $slow",
        "5:9",
        "'fast' is '$slow * $slow', of a dimension that has no name here",
    ),
    (
        "fast: $slow * 2",
        "fast: $slo * 2",
        "5:9",
        "'fast' is '$slo * 2', which takes '$slo', which is no parameter above it; did you mean 'slow'?",
    ),
    (
        "$fast / 2",
        "$fast / 2 h",
        "12:23",
        "'charge.current' is '$fast / 2 h', a change of current; expected a current such as '5 mA'",
    ),
    ("$fast / 2", "$fast / 0", "12:23", "'charge.current' is '$fast / 0', which divides by zero"),
    (
        "$fast / 2",
        "$fast + 1 V",
        "12:23",
        "'charge.current' is '$fast + 1 V', which adds a current and a voltage; expected the same dimension",
    ),
    (
        "$fast / 2",
        "$fast - $fast",
        "12:23",
        "'charge.current' is '$fast - $fast', which is '0 mA'; expected a current such as '5 mA', above 0",
    ),
    (
        "$fast / 2",
        "-$fast",
        "12:23",
        "'charge.current' is '-$fast', which is '-300 µA'; expected a current such as '5 mA', above 0",
    ),
    (
        "$fast / 2",
        "$fast * 100",
        "12:23",
        "'charge.current' is '$fast * 100', which is '30 mA', outside the cell's envelope (-5 mA to 5 mA)",
    ),
    (
        "$fast / 2",
        "$fast // 2",
        "12:23",
        "'charge.current' is '$fast // 2', not readable from '/ 2' on; expected a current such as '5 mA'",
    ),
    (
        "$fast / 2",
        "$fast * (2",
        "12:23",
        "'charge.current' is '$fast * (2', which is not complete; expected a current such as '5 mA'",
    ),
    (
        "$fast / 2",
        "pow($fast, 2)",
        "12:34",
        "unknown key '2)' in 'method.charge'; expected 'current', 'current_density', 'for', 'instrument',",
    ),
    (
        "$fast / 2",
        "max($fast)",
        "12:23",
        "'charge.current' is 'max($fast)', which gives 'max' one value; expected two or more",
    ),
    (
        "$fast / 2",
        "abs($fast, 1 mA)",
        "12:34",
        "unknown key '1 mA)' in 'method.charge'; expected 'current', 'current_density', 'for', 'instrument',",
    ),
    (
        "$fast / 2",
        "max($fast, 1 V)",
        "12:34",
        "unknown key '1 V)' in 'method.charge'; expected 'current', 'current_density', 'for', 'instrument',",
    ),
    (
        "$fast / 2",
        "sqrt($fast)",
        "12:23",
        "'charge.current' is 'sqrt($fast)', which takes the square root of a current, which has no unit",
    ),
    (
        "$fast / 2",
        "sqrt(-1) * $fast",
        "12:23",
        "'charge.current' is 'sqrt(-1) * $fast', which takes the square root of a negative number",
    ),
    (
        "$fast / 2",
        "$fast * $upper",
        "12:23",
        "'charge.current' is '$fast * $upper', which multiplies a potential vs Li+/Li, a point on a scale;",
    ),
    (
        "$fast / 2",
        "charge / 1 h",
        "12:23",
        "'charge.current' is 'charge / 1 h', which takes 'charge' of a step that is over; 'set: {x: charge}'",
    ),
    (
        "$fast / 2",
        "$half / 1 h",
        "12:23",
        "'charge.current' is '$half / 1 h', where '$half' is no parameter and no ladder's variable; expected",
    ),
    (
        "$fast / 2",
        "$fast" + " * 1" * 200,
        "12:23",
        "'charge.current' is '$fast * 1 * 1 * 1 * 1 * 1 * 1 * 1 * 1...', longer than 500 characters;",
    ),
    (
        "$fast / 2",
        "$fast * 1e31",
        "12:23",
        "'charge.current' is '$fast * 1e31', which is '3e+27 A', outside the cell's envelope (-5 mA to 5 mA)",
    ),
    (
        "$fast / 2",
        "$fast * (abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(abs(1)))))))))))))))",
        "12:23",
        "'charge.current' is '$fast * (abs(abs(abs(abs(abs(abs(abs(...', nested more than 14 deep; use 'set'",
    ),
    (
        "$fast / 2",
        "__import__('os')",
        "12:23",
        "'charge.current' is '__import__('os')', not readable from '('os')' on; expected a current such as",
    ),
    (
        "$fast / 2",
        "$fast.real",
        "12:23",
        "'charge.current' is '$fast.real', which is no parameter and no ladder's variable; did you mean",
    ),
    (
        "$fast / 2",
        "$fast if 1 else 2",
        "12:23",
        "'charge.current' is '$fast if 1 else 2'; expected '$' and a name, such as '$half_cycle'",
    ),
    (
        "for: 10 s",
        "for: $hot",
        "17:50",
        "'constant_current.for' is '$hot', a temperature; expected a time such as '30 min'",
    ),
    (
        "for: 10 s",
        "for: 5 min - 10 min",
        "17:50",
        "'constant_current.for' is '5 min - 10 min', which is '-5 min'; expected 0 or more",
    ),
    (
        "for: 10 s",
        "for: $rate * 1 h",
        "17:50",
        "'constant_current.for' is '$rate * 1 h', which multiplies a C-rate and a time; expected a number",
    ),
    (
        "voltage >= $upper - 0.1 V and",
        "voltage >= $upper * 2 and",
        "12:41",
        "'charge.until' is '$upper * 2', which multiplies a potential vs Li+/Li, a point on a scale;",
    ),
    (
        "voltage >= $upper - 0.1 V and",
        "voltage >= $upper + $upper and",
        "12:41",
        "'charge.until' is '$upper + $upper', which adds a potential vs Li+/Li and another; expected a",
    ),
    (
        "voltage >= $upper - 0.1 V and",
        "voltage >= $upper + 2 V and",
        "12:41",
        "'charge.until' is '$upper + 2 V', which is '6.22 V vs Li+/Li (5.6 V at the terminals)', outside the",
    ),
    (
        "voltage >= $upper - 0.1 V and",
        "voltage >= $slow and",
        "12:41",
        "'charge.until' is '$slow', a current; expected a voltage such as '5 V'",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or short",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'short' is not measured and no",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', which is not complete; expected a",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh and and voltage >= 3 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', not readable from 'voltage >= 3 V'",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'voltage' alone is no condition;",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or (voltage >= 3 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', which is not complete; expected a",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or charge <= 1 mAh",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; expected '>=': charge counts up from 0",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or short_circuit >= 1",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'short_circuit' is a detector, which",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or 3 V >= 2 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; nothing in it is measured; expected a",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage - 1 V >= 2 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; expected 'voltage' alone on one side,",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage >= current * 10 ohm",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'current' is measured too; expected",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or retention <= 80 %",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'retention' is known when a cycle",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or cycle >= 3",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'cycle' is known when a cycle ends:",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage >= 3 V over 1 min",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'over' says how long a slope such as",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage >= 3 V of cycle 2",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; 'of cycle' goes with 'retention', not",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or abs(current) <= -1 mA",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; expected no sign: abs(current) is",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or specific_charge >= 10 mAh/g",
        "12:41",
        "'charge.until' is '10 mAh/g', but the cell does not say its active mass; add such as 'active_mass:",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or dV/dt >= 1 mV",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; its value is '1 mV'; expected a scan",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage == 3 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', not readable from '== 3 V' on;",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or voltage >= 3 V >= 2 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', not readable from '>= 2 V' on;",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or not voltage >= 3 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...', not readable from 'voltage >= 3 V'",
    ),
    (
        "0.1 mAh or short_circuit",
        "0.1 mAh or power >= 3 V",
        "12:41",
        "'charge.until' is 'voltage >= $upper - 0.1 V and charge ...'; its value is '3 V'; expected a power",
    ),
    ("over 5 min,", "over 0 min,", "11:39", "'until.when' is '0 min'; expected a time such as '30 min', above 0"),
    (
        "over 5 min,",
        "over 5 V,",
        "11:39",
        "'when' is 'abs(dV/dt) <= 1 mV/min over 5 V'; its value is '5 V'; expected a time such as '30 min'",
    ),
    ("over 5 min,", "over $hot,", "11:39", "'until.when' is '$hot', a temperature; expected a time such as '30 min'"),
    (
        "not_before: 1 min, by: 9 min",
        "not_before: 1 min, by: 1 min",
        "11:97",
        "'until.by' is '1 min', and 'not_before' '1 min'; expected more than that",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "not_befor: 1 min",
        "11:74",
        "unknown key 'not_befor' in 'until'; did you mean 'not_before'?",
    ),
    ("not_before: 1 min, by: 9 min", "held_for: -1 s", "11:84", "'until.held_for' is '-1 s'; expected 0 or more"),
    ("not_before: 1 min, by: 9 min", "held_for: 1 V", "11:84", "'held_for' is '1 V'; expected a time such as '30 min'"),
    (
        "not_before: 1 min, by: 9 min",
        "otherwise: end",
        "11:74",
        "'otherwise' is for what comes too late or too soon; expected 'by: 10 h' or 'not_before: 10 min' too",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "by: 9 min, otherwise: goto nowhere",
        "11:96",
        "'until.otherwise' leads to 'nowhere', which is no label; expected 'again' or 'inside'",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "then: stop",
        "11:80",
        "'then' is 'stop'; expected 'next', 'break', 'end', 'fail', or 'goto' and a label",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "then: break",
        "11:80",
        "'until.then' is 'break' outside of a 'repeat'; expected it inside of one",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "then: goto inside",
        "11:80",
        "'until.then' leads to 'inside', into a block from outside; expected a label in a block around it",
    ),
    (
        "not_before: 1 min, by: 9 min",
        "then: goto",
        "11:80",
        "'then' is 'goto'; expected 'next', 'break', 'end', 'fail', or 'goto' and a label",
    ),
    ("not_before: 1 min, by: 9 min", "by:", "11:74", "unknown key 'by:' in 'until'; did you mean 'by'?"),
    (
        "not_before: 1 min, by: 9 min",
        "then: {goto: again}",
        "11:80",
        "'then' is a mapping; expected 'next', 'break', 'end', 'fail', or 'goto' and a label",
    ),
    (
        "{when: abs(dV/dt) <= 1 mV/min over 5 min, not_before: 1 min, by: 9 min}",
        "{}",
        "11:32",
        "'until' is an empty mapping; expected 'when: voltage >= 4.2 V' in it",
    ),
    (
        "{when: abs(dV/dt) <= 1 mV/min over 5 min, not_before: 1 min, by: 9 min}",
        "{by: 9 min, then: end}",
        "11:32",
        "'until' is a mapping without 'when'; expected 'when: voltage >= 4.2 V' in it",
    ),
    (
        "{when: abs(dV/dt) <= 1 mV/min over 5 min, not_before: 1 min, by: 9 min}",
        "{when: time >= 5 min}",
        "11:39",
        "'when' is 'time >= 5 min'; expected the time as 'for: 5 min' instead",
    ),
    (
        "{when: charge >= $half, then: goto again}",
        "{when: charge >= $half, then: goto agan}",
        "14:93",
        "'until.then' leads to 'agan', which is no label; did you mean 'again'?",
    ),
    (
        "{when: charge >= $half, then: goto again}",
        "{when: [charge >= $half], then: goto again}",
        "14:70",
        "'when' is a list; expected a condition such as 'voltage >= 4.2 V'",
    ),
    ("label: inside", "label: again", "23:16", "label 'again' is there twice (line 10); choose another name"),
    (
        "label: inside",
        "label: 2nd",
        "23:16",
        "'repeat.label' is '2nd'; expected letters, digits, '_' and '-', starting with a letter",
    ),
    (
        "label: inside",
        "label: [a]",
        "23:16",
        "'repeat.label' is a list; expected letters, digits, '_' and '-', starting with a letter",
    ),
    ("label: again", "labl: again", "10:5", "'labl' stands beside 'rest'; did you mean 'label'?"),
    (
        "goto: {label: again, at_most: 5}",
        "goto: agian",
        "22:19",
        "'else.goto' leads to 'agian', which is no label; did you mean 'again'?",
    ),
    (
        "goto: {label: again, at_most: 5}",
        "goto: {label: again, at_most: 0}",
        "22:43",
        "'goto.at_most' is 0; expected a whole number from 1 to 10,000,000",
    ),
    ("goto: {label: again, at_most: 5}", "goto: {at_most: 5}", "22:19", "'label' is missing in 'else.goto'"),
    (
        "goto: {label: again, at_most: 5}",
        "goto: {label: again, most: 5}",
        "22:34",
        "unknown key 'most' in 'else.goto'; did you mean 'at_most'?",
    ),
    (
        "goto: {label: again, at_most: 5}",
        "goto: [again]",
        "22:19",
        "'else.goto' is a list; expected a mapping ('key: value')",
    ),
    (
        "  - fail: too light",
        "  - goto: inside",
        "39:11",
        "'method.goto' leads to 'inside', into a block from outside; expected a label in a block around it",
    ),
    ("  - fail: too light", "  - break", "39:5", "'break' outside of a 'repeat'; expected it inside of one"),
    ("  - fail: too light", "  - fail: [x]", "39:11", "'method.fail' is a list; expected text"),
    ("  - fail: too light", "  - stop", "39:5", "a step is 'stop'; expected a mapping such as 'rest: {for: 10 min}'"),
    ("  - fail: too light", "  - brake: x", "39:5", "unknown step 'brake'; did you mean 'break'?"),
    ("        then:\n          - break\n", "", "18:9", "'then' is missing in 'method.repeat'"),
    (
        "if: $mass >= 5 mg",
        "if: $mass",
        "37:9",
        "'method.if' is '$mass'; '$mass' alone is no condition; expected such as 'voltage >= 4.2 V'",
    ),
    (
        "if: $mass >= 5 mg",
        "if: $mass >= 5 V",
        "37:9",
        "'method.if' compares '$mass' (a mass) with '5 V' (a voltage); expected the same dimension on both",
    ),
    (
        "if: $mass >= 5 mg",
        "if: $mas >= 5 mg",
        "37:9",
        "'method.if' is '$mas', which is no parameter and no ladder's variable; did you mean 'mass'?",
    ),
    (
        "if: $mass >= 5 mg",
        "if: short_circuit",
        "37:9",
        "'method.if' is 'short_circuit'; 'short_circuit' is told from the readings of a step: use it in",
    ),
    (
        "if: $mass >= 5 mg",
        "if: dV/dt >= 1 mV/s",
        "37:9",
        "'method.if' is 'dV/dt >= 1 mV/s'; there is a 'dV/dt' only inside a step: use it in 'until'",
    ),
    ("if: $mass >= 5 mg", "if: true", "37:9", "'method.if' is true; expected a condition such as 'voltage >= 4.2 V'"),
    (
        "if: $mass >= 5 mg",
        "if: [$mass >= 5 mg]",
        "37:9",
        "'method.if' is a list; expected a condition such as 'voltage >= 4.2 V'",
    ),
    ("then: [end: heavy enough]", "then: []", "38:11", "'method.then' is empty; expected something in it"),
    (
        "then: [end: heavy enough]",
        "thn: [end: heavy enough]",
        "38:5",
        "unknown key 'thn' in 'method'; did you mean 'then'?",
    ),
    ("then: [end: heavy enough]", "else: [end: x]", "37:5", "'then' is missing in 'method'"),
    (
        "    for: 10 h\n",
        "    times: 3\n",
        "28:5",
        "unknown key 'times' in 'method'; expected 'for', 'group', 'label', 'name', 'record', 'safety' or",
    ),
    ("    for: 10 h\n", "    for: 10 V\n", "28:10", "'method.for' is '10 V'; expected a time such as '30 min'"),
    (
        "    safety: {voltage: {max: 4.1 V}}",
        "    safety: {voltage: {max: 4.3 V}}",
        "29:29",
        "'voltage.max' is '4.3 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "    for: 10 h\n",
        "    stop_when: cycle >= 3\n",
        "28:16",
        "'method.stop_when': 'cycle' is known when a cycle ends; put it beside the 'repeat', or in an 'if'",
    ),
    ("  - group:\n", "  - grup:\n", "25:5", "unknown step 'grup'; did you mean 'group'?"),
    (
        "set: {capacity: charge, half: $capacity / 2}",
        "set: {}",
        "13:10",
        "'method.set' is empty; expected such as '{capacity: charge}'",
    ),
    (
        "set: {capacity: charge, half: $capacity / 2}",
        "set: charge",
        "13:10",
        "'method.set' is 'charge'; expected such as '{capacity: charge}'",
    ),
    (
        "set: {capacity: charge,",
        "set: {2nd: charge,",
        "13:11",
        "'2nd' is no name for a variable; expected letters, digits and '_', starting with a letter",
    ),
    (
        "set: {capacity: charge,",
        "set: {capacity: chrge,",
        "13:21",
        "'set.capacity' is 'chrge', which takes 'chrge', which is not measured; did you mean 'charge'?",
    ),
    (
        "set: {capacity: charge,",
        "set: {open_circuit: voltage,",
        "13:11",
        "'open_circuit' is the rest voltage of the cell; choose another name",
    ),
    (
        "set: {capacity: charge,",
        "set: {hot: charge,",
        "13:16",
        "'set.hot' is 'charge', a charge; expected a temperature such as '25 degC', as it was before",
    ),
    (
        "set: {capacity: charge,",
        "set: {nominal_capacity: voltage,",
        "13:29",
        "'set.nominal_capacity' is 'voltage', a voltage; expected a charge such as '2 mAh', as 1C needs it",
    ),
    (
        "set: {capacity: charge,",
        "set: {capacity: dV/dt,",
        "13:21",
        "'set.capacity' is 'dV/dt', which takes 'dV/dt', and there is one only inside a step: use it in",
    ),
    (
        "set: {capacity: charge,",
        "set: {capacity: charge >= 1 mAh,",
        "13:21",
        "'set.capacity' is 'charge >= 1 mAh'; expected a value such as '2 mAh' or '$capacity / 2', or what",
    ),
    (
        "set: {capacity: charge,",
        "set: {capacity: charge * current,",
        "13:21",
        "'set.capacity' is 'charge * current', of a dimension that has no name here",
    ),
    (
        "half: $capacity / 2}",
        "half: $capacty / 2}",
        "13:35",
        "'set.half' is '$capacty / 2', where '$capacty' is no parameter and no ladder's variable; did you",
    ),
    (
        "half: $capacity / 2}",
        "half: }",
        "13:29",
        "'set.half' is empty; expected a number with a unit, such as '30 min'",
    ),
    ("half: $capacity / 2}", "half: $capacity / 2, half: 1 V}", "13:50", "'half' is there twice (first on line 13)"),
    (
        "$half / 1 h, until",
        "$half / 1 V, until",
        "14:26",
        "'discharge.current' is '$half / 1 V', a capacitance; expected a current such as '5 mA'",
    ),
    (
        "$half / 1 h, until",
        "$half, until",
        "14:26",
        "'discharge.current' is '$half', a charge; expected a current such as '5 mA'",
    ),
    (
        "  - set: {capacity: charge, half: $capacity / 2}",
        "  - if: voltage >= 3 V\n    then: [set: {half: charge}]",
        "15:16",
        "'$half' may not have been set when this begins; expected a 'set' before it on every way, outside of",
    ),
    (
        "  - label: again\n    rest",
        "  - set: {x: charge}\n  - label: again\n    rest",
        "10:14",
        "this is about the step before, and there may have been none; expected a step before it on every way",
    ),
    (
        "  - label: again\n    rest",
        "  - if: voltage >= 3 V\n    then: [break]\n  - label: again\n    rest",
        "11:12",
        "'break' outside of a 'repeat'; expected it inside of one",
    ),
    ("factor: 2}", "factor: 0}", "15:50", "'i.factor' is '0'; expected a number above 0, other than 1"),
    ("factor: 2}", "factor: 1}", "15:50", "'i.factor' is '1'; expected a number above 0, other than 1"),
    ("factor: 2}", "factor: 0.5}", "15:50", "'i.factor' is '0.5', which leads away from '1 mA'; expected its inverse"),
    ("factor: 2}", "factor: 2 mA}", "15:50", "'i.factor' is '2 mA'; expected a number without a unit"),
    (
        "factor: 2}",
        "factor: 1.00001}",
        "15:50",
        "'i.factor' is '1.00001', which makes too many values; expected at most 10,000",
    ),
    ("factor: 2}", "factor: 2, by: 1 mA}", "15:42", "'ladder.i' has both 'by' and 'factor'; keep one"),
    (
        "factor: 2}",
        "points_per_decade: 0}",
        "15:61",
        "'i.points_per_decade' is 0; expected a whole number from 1 to 1,000",
    ),
    (
        "factor: 2}",
        "points_per_decade: 3 mA}",
        "15:61",
        "'i.points_per_decade' is '3 mA'; expected a whole number from 1 to 1,000",
    ),
    (
        "factor: 2}",
        "step: 2}",
        "15:42",
        "unknown key 'step' in 'ladder.i'; expected 'by', 'factor', 'from', 'points_per_decade' or 'to'",
    ),
    (
        "from: 0.1 mA, to: 1 mA, factor",
        "from: 0 mA, to: 1 mA, factor",
        "15:24",
        "'i.from' is '0 mA'; expected a value other than 0 beside 'factor'",
    ),
    (
        "from: 0.1 mA, to: 1 mA, factor",
        "from: -0.1 mA, to: 1 mA, factor",
        "15:37",
        "'i.to' is '1 mA'; expected the sign of '-0.1 mA' beside 'factor'",
    ),
    (
        "from: 0.1 mA, to: 1 mA, factor",
        "from: 0.1 mA, to: 1 V, factor",
        "15:36",
        "'i.to' is '1 V'; expected the dimension of '0.1 mA'",
    ),
    (
        "from: 0.1 mA, to: 1 mA, factor: 2",
        "from: 20 degC, to: 80 degC, factor: 2",
        "15:24",
        "'i.from' is '20 degC'; expected a plain quantity, not a point on a scale beside 'factor'",
    ),
    (
        "f: [1 Hz, 2 Hz, 4 Hz, 8 Hz]",
        "f: [1 Hz, 2 Hz]",
        "15:54",
        "'f' has 2 values and 'i' has 4; expected as many of each",
    ),
    (
        "f: [1 Hz, 2 Hz, 4 Hz, 8 Hz]",
        "half: [1 Hz, 2 Hz, 4 Hz, 8 Hz]",
        "15:54",
        "'half' is already a variable; choose another name",
    ),
    (
        "f: [1 Hz, 2 Hz, 4 Hz, 8 Hz]",
        "f: [1 Hz, $half, 4 Hz, 8 Hz]",
        "15:64",
        "'ladder.f' is '$half', which is only known while the recipe runs; expected a value that stays the",
    ),
    (
        "$i * 2, for",
        "$i * 20, for",
        "17:37",
        "'constant_current.current' is '$i * 20', which is '8 mA', outside the cell's envelope (-5 mA to 5",
    ),
    (
        "    times: 100\n    stop_when: retention <= 80 % of cycle 2",
        "",
        "32:5",
        "'repeat' cannot end; expected 'times: 10', a 'ladder', 'for: 100 h' or a condition in 'stop_when'",
    ),
    (
        "    times: 100\n    stop_when: retention <= 80 % of cycle 2",
        "    stop_when: short_circuit",
        "32:5",
        "'repeat' cannot end; expected 'times: 10', a 'ladder', 'for: 100 h' or a condition in 'stop_when'",
    ),
    (
        "of cycle 2",
        "of cycle 0",
        "36:16",
        "'method.stop_when' is 'retention <= 80 % of cycle 0'; its cycle is '0'; expected a whole number, 1",
    ),
    (
        "of cycle 2",
        "of cycle 100",
        "36:16",
        "'method.stop_when': 'retention' compares with cycle 100, after which none is left of 100; expected",
    ),
    (
        "of cycle 2",
        "of cycle two",
        "36:16",
        "'method.stop_when' is 'retention <= 80 % of cycle two', not readable from 'two' on; expected a",
    ),
    (
        "80 % of",
        "80 V of",
        "36:16",
        "'method.stop_when' is 'retention <= 80 V of cycle 2'; its value is '80 V'; expected a fraction such",
    ),
    (
        "80 % of",
        "180 % of",
        "36:16",
        "'method.stop_when': 'retention' is compared with '180 %'; expected a share between 0 % and 100 %",
    ),
    (
        "stop_when: retention <= 80 % of cycle 2",
        "stop_when: {when: retention <= 80 %, then: break}",
        "36:48",
        "'stop_when.then' is 'break', and the 'repeat' is left anyway; leave it out, or name a label with",
    ),
    (
        "stop_when: retention <= 80 % of cycle 2",
        "stop_when: retention <= charge_capacity",
        "36:16",
        "'method.stop_when' is 'retention <= charge_capacity'; 'charge_capacity' is measured too; expected",
    ),
    (
        "stop_when: retention <= 80 % of cycle 2",
        "stop_when: cycle <= 3",
        "36:16",
        "'method.stop_when' is 'cycle <= 3'; expected '>=': cycle counts up from 0",
    ),
    (
        "times: 100\n    stop",
        "times: $half\n    stop",
        "35:12",
        "'method.times' is '$half', a charge; expected a number without a unit",
    ),
    (
        "recipe: formation",
        "recipe: formatoin",
        "30:20",
        "'call.recipe' is 'formatoin', which is no recipe beside this one or in the library; did you mean",
    ),
    (
        "recipe: formation",
        "recipe: ../formation",
        "30:20",
        "'call.recipe' is '../formation'; expected the name of a recipe such as 'formation': small letters,",
    ),
    (
        "recipe: formation",
        "recipe: formation.yaml",
        "30:20",
        "'call.recipe' is 'formation.yaml'; expected the name of a recipe such as 'formation': small",
    ),
    ("recipe: formation, ", "", "30:11", "'recipe' is missing in 'method.call'"),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {rat: $rate}",
        "30:38",
        "unknown parameter 'rat' of 'formation'; did you mean 'rate'?",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {rate: 2C}",
        "30:44",
        "parameter 'rate' of 'formation' is '2C'; expected at most 1C",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {rate: 1 mA}",
        "30:44",
        "parameter 'rate' of 'formation' is '1 mA'; expected a C-rate such as '0.5C'",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {rate: $slow}",
        "30:44",
        "parameter 'rate' of 'formation' is '$slow', a current; expected a C-rate such as '0.5C'",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {turns: $capacity / 1 mAh}",
        "formation.yaml:5:12",
        "'method.times' is '$turns', which is only known while the recipe runs; expected a value that stays",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: {turns: 0}",
        "formation.yaml:5:12",
        "'method.times' is '$turns', which is 0; expected a whole number from 1 to 10,000,000",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "with: 0.1C",
        "30:37",
        "'call.with' is '0.1C'; expected parameters and values, such as '{rate: 0.2C}'",
    ),
    (
        "with: {rate: $rate, turns: 2}",
        "wth: {rate: 1C}",
        "30:31",
        "unknown key 'wth' in 'method.call'; did you mean 'with'?",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: circle",
        "round.yaml:2:16",
        "'method.call' is 'circle', which leads back to itself: 'r.yaml' calls 'circle.yaml' calls",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: broken",
        "broken.yaml:3:17",
        "'rest.for' is '10 V'; expected a time such as '30 min'",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: strict",
        "strict.yaml:2:25",
        "'voltage.max' is '9 V', outside the cell's envelope (1 V to 4.2 V)",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: one",
        "four.yaml:2:16",
        "'method.call' is 'five', a call inside 4 others; expected at most 4 inside one another",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: [formation]",
        "30:11",
        "'method.call' is a list; expected a mapping ('key: value')",
    ),
    (
        "call: {recipe: formation, with: {rate: $rate, turns: 2}}",
        "call: {recipe: formation, turns: 2}",
        "30:31",
        "unknown key 'turns' in 'method.call'; expected 'recipe' or 'with'",
    ),
]
CASES = [
    *((SYMMETRIC, *case) for case in STEPS_AND_LIMITS),
    *((FULL_CELL, *case) for case in SCANS_AND_FULL_CELLS),
    *((CONTROLLED, *case) for case in CONTROL_AND_ARITHMETIC),
]


def test_there_are_at_least_two_hundred_of_them():
    assert len({case[1:3] for case in CASES}) >= 200


@pytest.mark.parametrize(
    ("sound", "old", "new", "place", "fragment"), CASES, ids=[f"{case[3]} {case[2][:40]!r}" for case in CASES]
)
def test_a_malformed_recipe_gives_one_line_with_its_place(sound, old, new, place, fragment):
    assert old in sound.recipe
    with pytest.raises(InvalidInput) as caught:
        compiled(sound, sound.recipe.replace(old, new, 1))
    error = caught.value
    assert fragment in error.message
    named = place if ".yaml:" in place else f"r.yaml:{place}"
    assert f"{error.source}:{error.line}:{error.column}" == named
    assert str(error) == f"{named}: {error.message}"
    assert "\n" not in str(error)
    assert len(str(error)) < 400
