"""The published JSON Schema: it is current, takes every recipe of the library, and refuses what people get wrong."""

import re
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from galvanode.cli import app
from galvanode.recipe.language import patterns
from galvanode.recipe.language.known import DETECTORS, MEASURED
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, read_constant
from galvanode.recipe.method import model
from galvanode.recipe.method.schema import recipe_schema, schema_text
from galvanode.units import DIMENSIONS
from galvanode.yaml_text import load

PROTOCOLS = Path(__file__).parents[3] / "protocols"
PUBLISHED = PROTOCOLS / "recipe.schema.json"
VALIDATOR = Draft202012Validator(recipe_schema())


def faults(text: str) -> list[str]:
    data, _, _ = load(text, "r")
    return [error.message for error in VALIDATOR.iter_errors(data)]


def recipe(method: str, head: str = "") -> str:
    return f"title: x\n{head}method:\n{method}"


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(recipe_schema())


def test_the_published_file_is_current():
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), "run: galvanode schema --output " + PUBLISHED.name


def test_the_command_prints_it_or_writes_it(tmp_path):
    printed = CliRunner().invoke(app, ["schema"])
    assert (printed.exit_code, printed.stdout) == (0, schema_text())
    written = CliRunner().invoke(app, ["schema", "--output", str(tmp_path / "s.json")])
    assert (written.exit_code, written.stdout) == (0, "")
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("path", sorted(PROTOCOLS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_of_the_library_is_valid(path):
    assert faults(path.read_text(encoding="utf-8")) == []


def test_the_keys_are_those_of_the_models():
    """Of items and of the whole."""
    items = [model.model_of(word) for word in model.words()]
    keys = {info.alias or name for item in items for name, info in item.model_fields.items()}
    schema = recipe_schema()
    known = set(schema["$defs"]["item"]["anyOf"][1]["properties"])
    assert keys - {"until_retention"} == known  # of version 1, which is migrated before it is read
    top = {info.alias or name for name, info in model.RecipeText.model_fields.items()}
    assert top | {"version"} == set(schema["properties"])


# --- what is accepted ------------------------------------------------------------------------------------------

GOOD = [
    "  - rest: {for: 10 min, name: Soak, record: {every: 1 s, burst: {every: 10 ms, for: 2 s}}}\n",
    "  - rest: {for: $rest}\n    label: again\n",
    "  - rest:\n      for: 30min\n",
    "  - constant_current: {current: -50 uA, until: [voltage <= -0.2 V, charge >= 1 mAh], for: 2 h}\n",
    "  - constant_current: {current: $capacity / 10 h, for: 1 h}\n",
    "  - constant_current: {current_density: 'min($a, 0.2 mA/cm²)', for: 1 h}\n",
    "  - constant_power: {power: -5 mW, until: voltage <= 2.5 V}\n",
    "  - constant_resistance: {resistance: 1 kohm, until: voltage <= 2.5 V}\n",
    "  - charge: {rate: C/5, until: voltage >= 4.22 V vs Li+/Li, then_hold: {until: current <= 0.05C}}\n",
    "  - discharge: {resistance: 100 Ω, until: voltage <= 2.5 V}\n",
    "  - sweep: {from: open_circuit, to: 4.1 V, rate: 0.3 mV/s, ir_correction: {resistance: $r, share: 85 %}}\n",
    "  - sweep: {from: open_circuit + 0.1 V, to: 4.1 V, rate: 0.3 mV/s}\n",
    "  - cyclic_voltammetry: {vertices: [4 V, $low], rate: 1 mV/s, cycles: 3}\n",
    "  - impedance: {from: 1 MHz, to: 0.1 Hz, amplitude: 5 mV, averages: 4, points_per_decade: $n}\n",
    "  - impedance: {kind: galvanostatic, from: 1 MHz, to: 0.1 Hz, amplitude: 10 µA, bias: 0 A}\n",
    "  - profile: {file: wltp.csv, quantity: current, scale: -0.5, until: voltage <= 2.5 V}\n",
    "  - profile: {points: [[0 s, 1 mA], [10 s, -2 mA], [20 s, 0 mA]]}\n",
    "  - operator: {message: Weigh, asks: number, name: mass, default: 10 mg, within: 8 h}\n",
    "  - operator: {message: Look at it}\n",
    "  - chamber: {set: 60 degC, until: stable, band: 0.5 K}\n",
    "  - repeat: [rest: {for: 1 s}]\n    times: $n\n    stop_when: short_circuit\n",
    "  - repeat: [rest: {for: 1 s}]\n    times: 3\n    stop_when: {short_circuit: {drop: 50 %, confirm: 5}}\n",
    "  - repeat: [rest: {for: 1 s}]\n    times: 9\n    stop_when: [retention <= 80 % of cycle 3, {when: cycle >= 5}]\n",
    "  - ladder: {a: {from: 1 mA, to: 2 mA, by: 0.1 mA}, b: [1, 2], c: {from: 1 mA, to: 1 A, factor: 2}}\n"
    "    repeat: [rest: {for: 1 s}]\n",
    "  - ladder: {a: {from: 1 mA, to: 1 A, points_per_decade: 3}}\n    repeat: [rest: {for: 1 s}]\n",
    "  - group: [rest: {for: 1 s}]\n    for: 1 h\n    safety: {voltage: {max: 4 V}}\n    name: g\n",
    "  - if: charge >= 1 mAh and $n <= 3\n    then: [rest: {for: 1 s}, break]\n    else: [fail: cell is dead]\n",
    "  - set: {capacity: charge, half: $capacity / 2, n: 3}\n",
    "  - call: formation\n",
    "  - call: {recipe: cccv-cycling, with: {rate: 0.2C, upper: 4.2 V}}\n",
    "  - goto: again\n",
    "  - goto: {label: again, at_most: 5}\n",
    "  - rest: {until: {when: abs(dV/dt) <= 1 mV/h over 5 min, held_for: 10 s, not_before: 1 min, by: 10 h,"
    " then: goto again, otherwise: fail}}\n",
    "  - rest: {until: (voltage >= 4 V or temperature >= 40 degC) and time >= 1 min}\n",
    "  - rest: {until: voltage >= $upper - 10 mV}\n",
]


@pytest.mark.parametrize("method", GOOD)
def test_what_a_recipe_may_say_is_valid(method):
    assert faults(recipe(method)) == []


# --- what is refused -------------------------------------------------------------------------------------------

BAD = [
    ("  - rest: {fore: 10 min}\n", "an unknown key"),
    ("  - rest: {for: 10}\n", "no unit"),
    ("  - rest: {for: 5 V}\n", "a wrong unit"),
    ("  - rest: {}\n", "no end"),
    ("  - rest:\n", "nothing"),
    ("  - wait: {for: 10 min}\n", "an unknown step"),
    ("  - rest: {for: 1 s}\n    strip: {current: 1 mA, for: 1 s}\n", "two steps in one"),
    ("  - rest: {for: 1 s}\n    times: 3\n", "'times' beside a step"),
    ("  - constant_current: {for: 1 h}\n", "no current"),
    ("  - constant_current: {current: 1 mA, current_density: 1 mA/cm^2, for: 1 h}\n", "two currents"),
    ("  - constant_current: {current: 1 mA/cm^2, for: 1 h}\n", "a density for a current"),
    ("  - plate: {rate: 1C, for: 1 h}\n", "a key of another step"),
    ("  - plate: {current: 1 mA, until: voltage >= 4 A}\n", "a condition of a wrong unit"),
    ("  - plate: {current: 1 mA, until: voltages >= 4 V}\n", "a condition about what is not measured"),
    ("  - plate: {current: 1 mA, until: voltage}\n", "half a condition"),
    ("  - plate: {current: 1 mA, until: []}\n", "an empty list of conditions"),
    ("  - plate: {current: 1 mA, until: {then: end}}\n", "no 'when'"),
    ("  - plate: {current: 1 mA, until: {when: voltage >= 4 V, then: stop}}\n", "an unknown action"),
    ("  - charge: {rate: 0.2, until: voltage >= 4 V}\n", "a rate without C"),
    ("  - charge: {resistance: 10 ohm, until: voltage >= 4 V}\n", "a load that charges"),
    ("  - charge: {rate: 1C, until: voltage >= 4 V, then_hold: {}}\n", "a hold without an end"),
    ("  - sweep: {to: 4 V}\n", "no rate"),
    ("  - sweep: {to: 4 V, rate: 1 mV}\n", "a rate that is a voltage"),
    ("  - sweep: {to: 4 V, rate: 1 mV/s, ir_correction: 12 ohm}\n", "a correction that is no mapping"),
    ("  - impedance: {from: 1 MHz}\n", "no end of the spectrum"),
    ("  - impedance: {from: 1 MHz, to: 1 s}\n", "a frequency in seconds"),
    ("  - impedance: {from: 1 MHz, to: 1 Hz, averages: 0}\n", "no averages"),
    ("  - impedance: {from: 1 MHz, to: 1 Hz, kind: potentiostat}\n", "an unknown kind"),
    ("  - profile: {}\n", "a profile of nothing"),
    ("  - profile: {file: ../wltp.csv}\n", "a path"),
    ("  - profile: {points: [[0 s, 1 mA]]}\n", "one point"),
    ("  - profile: {points: [[0 s, 1 mA], [1 s, 4 V]]}\n", "a voltage in a profile"),
    ("  - operator: {asks: number, name: n, default: 1 g}\n", "no message"),
    ("  - operator: {message: m, asks: number}\n", "a number without a name"),
    ("  - operator: {message: m, name: n}\n", "a name without a number"),
    ("  - chamber: {set: 60}\n", "a temperature without a unit"),
    ("  - chamber: {set: 60 degC, within: 1 h}\n", "a time to wait and nothing to wait for"),
    ("  - repeat: []\n    times: 3\n", "nothing to repeat"),
    ("  - repeat: [rest: {for: 1 s}]\n    times: 0\n", "no turns"),
    ("  - repeat: [rest: {for: 1 s}]\n    times: 3\n    stop_when: short_circuits\n", "an unknown detector"),
    ("  - ladder: {a: {from: 1 mA, to: 2 mA}}\n    repeat: [rest: {for: 1 s}]\n", "a ladder without a step"),
    ("  - ladder: {a: []}\n    repeat: [rest: {for: 1 s}]\n", "a ladder without values"),
    ("  - if: charge\n    then: [rest: {for: 1 s}]\n", "no comparison"),
    ("  - then: [rest: {for: 1 s}]\n", "'then' without 'if'"),
    ("  - set: {}\n", "nothing to set"),
    ("  - set: {9x: 3}\n", "no name"),
    ("  - call: ../formation\n", "a path"),
    ("  - call: {with: {rate: 1C}}\n", "no recipe"),
    ("  - goto: {at_most: 3}\n", "no label"),
    ("  - stop\n", "an unknown word"),
    ("  - rest: {for: 1 s, record: {burst: {every: 10 ms}}}\n", "half a burst"),
    ("  - rest: {for: 1 s, safety: {voltage: {maximum: 4 V}}}\n", "an unknown bound"),
]


@pytest.mark.parametrize(("method", "why"), BAD, ids=[why for _, why in BAD])
def test_a_typical_mistake_is_not(method, why):
    assert faults(recipe(method)), why


@pytest.mark.parametrize(
    "head",
    [
        "records: {every: 1 s}\n",
        "safety: {voltage: 5 V}\n",
        "safety: {current: {max: 5 V}}\n",
        "record: {every: fast}\n",
        "analysis: [polarization]\n",
        "version: 3\n",
        "parameters: {x: {min: 1 V}}\n",
        "parameters: {'1x': 1 V}\n",
    ],
)
def test_a_mistake_at_the_top_is_not(head):
    assert faults(recipe("  - rest: {for: 1 s}\n", head))


def test_a_recipe_needs_a_title_and_a_method():
    assert faults("method:\n  - rest: {for: 1 s}\n")
    assert faults("title: x\n")
    assert faults("title: x\nmethod: []\n")


# --- values ----------------------------------------------------------------------------------------------------

SPELLINGS = {
    "voltage": ["5 V", "-5mV", "1e-3 V", "+.5 kV", "5 volts", "10 µV", "10 uV", "\u22125 mV"],
    POTENTIAL: ["4.22 V vs Li+/Li", "4.22 V vs. Li/Li+", "0 V vs Li\u207a/Li"],
    "current": ["5 mA", "10 nA", "1 A", "5 milliamperes"],
    C_RATE: ["0.2C", "1 C", "C/5", "C / 20"],
    "current_density": ["0.1 mA/cm^2", "0.1 mA/cm2", "0.1 mA/cm²", "5 A/m^2", "0.1 mA cm^-2", "0.1 mA / cm**2"],
    "time": ["30 min", "10 s", "1.5 h", "2 d", "3 days", "10 ms", "1 week"],
    "charge": ["2 mAh", "1 C", "1 A*h", "2 mA h", "3 A s"],
    "areal_charge": ["0.1 mAh/cm^2", "1 C/cm2"],
    "specific_charge": ["155 mAh/g", "1 Ah/kg"],
    "energy": ["5 mWh", "5 J", "1 W*h"],
    "areal_energy": ["1 mWh/cm^2"],
    "specific_energy": ["1 mWh/g", "200 Wh/kg"],
    "power": ["5 mW", "1 kW"],
    "temperature": ["25 degC", "298.15 K", "25 °C", "-20 celsius"],
    "resistance": ["10 ohm", "1 kohm", "10 Ω", "1 MΩ", "5 ohms"],
    "frequency": ["1 kHz", "0.1 Hz", "10 MHz"],
    "scan_rate": ["0.1 mV/s", "1 mV/min", "1 V/h"],
    "current_slope": ["1 mA/s", "1 µA/min"],
    "heating_rate": ["1 K/min", "1 degC/min"],
    "fraction": ["30 %", "30%", "0.3"],
    NUMBER: ["3", "0.5", "-1e3"],
}


@pytest.mark.parametrize(("dimension", "text"), [(key, text) for key, texts in SPELLINGS.items() for text in texts])
def test_a_spelling_that_the_compiler_takes_is_valid_and_of_no_other_dimension(dimension, text):
    read_constant(text, dimension)
    assert re.search(patterns.value(dimension), text)
    others = set(SPELLINGS) - {dimension, NUMBER, "fraction"}
    if dimension in ("charge", C_RATE):  # 1 C is a coulomb or a rate, as the place asks
        others -= {"charge", C_RATE}
    assert [other for other in others if re.fullmatch(patterns.quantity(other), text)] == []


def test_every_dimension_of_a_condition_has_units():
    asked = {dimension for measured in MEASURED.values() for dimension in measured.dimensions}
    assert asked <= set(SPELLINGS)
    for dimension in asked & set(DIMENSIONS):
        assert re.search(patterns.value(dimension), DIMENSIONS[dimension].example)


@pytest.mark.parametrize("name", MEASURED)
def test_everything_that_is_measured_may_stand_in_a_condition(name):
    dimension = MEASURED[name].dimensions[0]
    text = SPELLINGS[dimension][0]
    assert re.search(patterns.condition(), f"{name} >= {text}")
    assert re.search(patterns.condition(), f"abs({name}) < {text} and time >= 1 min")
    assert not re.search(patterns.condition(), f"{name} >= 3 kg")


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_is_a_condition(name):
    assert re.search(patterns.condition(), name)
    assert re.search(patterns.condition(), f"{name} or voltage <= 1 V")


@pytest.mark.parametrize("text", ["(" * 500, "voltage and " * 41, "1" * 500, "- " * 250, "abs(" * 125, "$a + " * 100])
def test_no_text_keeps_a_pattern_busy(text):
    began = time.process_time()
    for pattern in (patterns.condition(), patterns.test(), patterns.value("voltage", POTENTIAL)):
        re.search(pattern, text[:500])
    assert time.process_time() - began < 0.5
