"""PyBaMM experiments become recipes and recipes experiments; what cannot be said is refused where it stands."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from tests.galvanode.exchange.programs import CELL, program

from galvanode.errors import InvalidInput
from galvanode.exchange import Leaving, convert
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import Step

READINGS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("pybamm_readings.json").read_text())
"""What pybamm.step.string made of these texts, in version 26.10.1: a dependency of 800 MB that no test needs then."""

EXPERIMENT = """\
# the tutorial's, and more
import pybamm

experiment = pybamm.Experiment(
    [
        (
            "Discharge at C/10 for 10 hours or until 3.3 V",
            "Rest for 1 hour",
            "Charge at 1 A until 4.1 V",  # a comment
            'Hold at 4.1 V until 50 mA (10 second period)',
        )
    ]
    * 3
    + ["Discharge at 1C until 0 V"]
    + 2 * (["Rest for 1 hour"] + [("Charge at 1 W for 90 seconds", pybamm.step.string("Rest for 5 s", tags=["a b"]))]),
    period="1 minute",
    temperature="25oC",
)
"""

RECIPE = """\
# Converted from a PyBaMM experiment.
version: 2
title: "Experiment from PyBaMM"
record: {every: 1 min}
method:
  - chamber: {set: 25 degC}
  - repeat:
      - discharge: {rate: 0.1C, for: 10 h, until: voltage <= 3.3 V}
      - rest: {for: 1 h}
      - charge: {current: 1 A, until: voltage >= 4.1 V}
      - constant_voltage: {voltage: 4.1 V, until: current_magnitude <= 50 mA, record: {every: 10 s}}
    times: 3
  - discharge: {rate: 1C, until: voltage <= 0 V}
  - repeat:
      - rest: {for: 1 h}
      - repeat:
          - charge: {power: 1 W, for: 90 s}
          - rest: {for: 5 s, name: "a b"}
        times: 1
    times: 2
"""


def imported(text: str) -> str:
    return convert(text, "e.py", "pybamm", "galvanode")


def exported(recipe: str, *leave_out: str, **options: Any) -> str:
    text = convert(recipe, "r.yaml", "galvanode", "pybamm", leaving=Leaving(leave_out), **options)
    ast.parse(text)
    return text


def step_of(instruction: str) -> Step:
    """Return the step that an instruction becomes, on a cell that allows everything."""
    recipe = parse_recipe(imported(f'["{instruction}"]'), "r.yaml")
    cell = CELL.model_copy(update={"envelope": WIDE, "nominal_capacity": 3600.0})
    (step,) = compile_recipe(recipe, cell, {}).instructions
    assert isinstance(step, Step)
    return step


WIDE = CELL.envelope.model_copy(
    update={
        "voltage": CELL.envelope.voltage.model_copy(update={"min": -100.0, "max": 100.0}),
        "current": CELL.envelope.current.model_copy(update={"max": 1e6}),  # type: ignore[union-attr]
    }
)
MODES = {
    "Rest": "rest",
    "Current": "current",
    "CRate": "current",
    "Voltage": "voltage",
    "Power": "power",
    "Resistance": "resistance",
}


@pytest.mark.parametrize("reading", READINGS, ids=[reading["text"] for reading in READINGS])
def test_an_instruction_means_what_it_means_there(reading: dict[str, Any]):
    step = step_of(reading["text"])
    assert step.drive.kind == MODES[reading["kind"]]
    # Currents and powers are positive there in a discharge.
    sign = 1 if reading["kind"] in ("Voltage", "Resistance", "Rest") else -1
    assert (step.drive.held or 0.0) == pytest.approx(sign * reading["value"])
    ends = [end.plain for end in step.until]
    assert [end.value for end in ends if end and end.quantity == "time"] == (
        [] if reading["seconds"] is None else [pytest.approx(reading["seconds"])]
    )
    if reading["period"] is not None:
        assert step.record.every_s == reading["period"]
    said = [(end.quantity, end.comparison, end.value) for end in ends if end and end.quantity != "time"]
    assert said == [expected_end(end) for end in reading["ends"]]


def expected_end(end: dict[str, Any]) -> tuple[str, str, Any]:
    value = end["value"]
    if end["kind"] == "VoltageTermination":
        return "voltage", f"{end['side']}=", pytest.approx(value)
    if end["side"] is None:
        return "current_magnitude", "<=", pytest.approx(value)
    return "current", {"<": ">=", ">": "<="}[end["side"]], pytest.approx(-value)


def test_an_experiment_becomes_a_recipe_that_a_person_can_read():
    assert imported(EXPERIMENT) == RECIPE


def test_lines_and_json_are_read_too():
    lines = "# by hand\n\nRest for 1 hour\n  Charge at 1 A until 4.1 V  # up\n"
    assert imported(lines) == imported('["Rest for 1 hour", "Charge at 1 A until 4.1 V"]')
    assert imported('[["Rest for 1 s"], ["Rest for 1 s"]]') == imported("[('Rest for 1 s',)] * 2")


def test_each_step_may_have_its_temperature():
    recipe = imported(
        '[pybamm.step.string("Rest for 1 s", temperature="-5oC"),'
        ' pybamm.step.string("Rest for 2 s", temperature=318.15),'
        ' (pybamm.step.string("Rest for 3 s", temperature="45 oC", period=10),)]'
    )
    assert [line.strip() for line in recipe.splitlines()[4:]] == [
        "- chamber: {set: -5 degC}",
        "- rest: {for: 1 s}",
        "- chamber: {set: 318.15 K}",
        "- rest: {for: 2 s}",
        "- repeat:",
        "- chamber: {set: 45 degC}",
        "- rest: {for: 3 s, record: {every: 10 s}}",
        "times: 1",
    ]


# (what is wrong, text, line, column, part of the message)
REFUSED = [
    ("empty", "", 1, 1, "empty"),
    ("only a comment", "# x\n", 1, 1, "empty"),
    ("no step", "[]", None, None, "no instructions"),
    ("empty cycle", '["Rest for 1 s", []]', 1, 18, "is empty"),
    ("not closed", '["Rest for 1 s"', 1, 1, "the text ends"),
    ("no comma", '["Rest for 1 s"\n "Rest for 1 s"]', 2, 2, "something else was expected"),
    ("a number", "[1, 2]", 1, 3, "',' stands where"),
    ("a call of something", '[__import__("os").system("ls")]', 1, 18, "'.' stands where"),
    ("another call", '[open("x")]', 1, 2, "'open(...)' is not read"),
    ("a step object", "[pybamm.step.current(1, duration=3600)]", 1, 23, "',' stands where"),
    ("an escape", '["Rest for 1\\u0020s"]', 1, 2, "not readable"),
    ("an f-string", '[f"Rest for {1} s"]', 1, 3, "something else was expected"),
    ("a comprehension", '["Rest for 1 s" for i in range(3)]', 1, 17, "something else was expected"),
    ("a bare text", '"Rest for 1 s"', 1, 1, "a list of instructions"),
    ("a text times 3", '["Rest for 1 s" * 3]', 1, 2, "multiply a list"),
    ("0 times", '["Rest for 1 s"] * 0', 1, 20, "a whole number from 1"),
    ("very often", '["Rest for 1 s"] * 99999999999999999999', 1, 20, "a whole number from 1"),
    ("too deep", "[" * 100_000, 1, 21, "nested more than 20 deep"),
    ("too deep, round", "(" * 100_000, 1, 21, "nested more than 20 deep"),
    ("too many", "[" + '"Rest for 1 s",' * 5_001 + "]", 1, 75_002, "more than 5,000 steps"),
    ("termination", 'pybamm.Experiment(["Rest for 1 s"], termination="80% capacity")', 1, 49, "ends the whole"),
    ("unknown option", 'pybamm.Experiment(["Rest for 1 s"], drive_cycles=None)', 1, 37, "'drive_cycles' is not"),
    ("two lists", 'pybamm.Experiment(["Rest for 1 s"], ["Rest for 1 s"])', 1, 1, "2 arguments without a name"),
    ("start time", '[pybamm.step.string("Rest for 1 s", start_time="8")]', 1, 37, "'start_time' is not"),
    ("two tags", '[pybamm.step.string("Rest for 1 s", tags=["a", "b"])]', 1, 37, "a list of 2"),
    ("period twice", '[pybamm.step.string("Rest for 1 s (1 s period)", period=1)]', 1, 21, "its period twice"),
    ("bad period", 'pybamm.Experiment(["Rest for 1 s"], period="1 year")', 1, 44, "the period is '1 year'"),
    ("bad temperature", 'pybamm.Experiment(["Rest for 1 s"], temperature="25 C")', 1, 49, "is '25 C'"),
    ("cold", 'pybamm.Experiment(["Rest for 1 s"], temperature=-5.0)', 1, 49, "temperature"),
    ("one temperature", '["Rest for 1 s", pybamm.step.string("Rest for 1 s", temperature="5oC")]', 1, 2, "its own"),
    ("no end", '["Rest"]', 1, 2, "neither for how long nor until when"),
    ("at twice", '["Discharge at 1 A at 2 hours"]', 1, 2, "neither for how long"),
    ("run", '["Run at 1 A for 2 hours"]', 1, 2, "begins with 'Run'"),
    ("lower case", "charge at 1 A for 2 hours", 1, 1, "did you mean 'Charge'?"),
    ("cell", '["Cell Charge at 1 A for 2 hours"]', 1, 2, "begins with 'Cell'"),
    ("no at", '["Charge 1 A for 2 hours"]', 1, 2, "expected 'at' and a value"),
    ("unit", '["Discharge at 1 B for 2 hours"]', 1, 2, "no unit known there"),
    ("micro", '["Discharge at 1 uA for 2 hours"]', 1, 2, "no unit known there"),
    ("years", '["Discharge at 1 A for 2 years"]', 1, 2, "the time is '2 years'"),
    ("0 s", '["Rest for 0 seconds"]', 1, 2, "more than 0"),
    ("not a number", '["Rest for nan seconds"]', 1, 2, "the time is 'nan seconds'"),
    ("infinite", '["Charge at inf A for 1 s"]', 1, 2, "'inf A' is no value"),
    ("far too long", '["Rest for 1e300 hours"]', 1, 2, "step 1, 'Rest for 1e300 hours'"),
    ("endless number", '["Rest for ' + "9" * 300 + ' hours"]', 1, 2, "characters"),
    ("negative", '["Charge at -1 A for 2 hours"]', 1, 2, "gives the direction"),
    ("hold a current", '["Hold at 1 A for 2 hours"]', 1, 2, "holds what is no voltage"),
    ("charge at a voltage", '["Charge at 4 V until 5 mA"]', 1, 2, "expected 'Hold at'"),
    ("charging resistance", '["Charge at 4 Ohm for 1 s"]', 1, 2, "cannot be charged by a resistance"),
    ("until a power", '["Charge at 1 A until 4 W"]', 1, 2, "a voltage, a current or a C-rate"),
    ("until, then for", '["Charge at 1 A until 4 V for 1 hour"]', 1, 2, "'4 V for 1 hour' is no value"),
    ("until twice", '["Charge at 1 A until 4 V or until 3 A"]', 1, 2, "'until' more than once"),
    ("side of a rest", '["Rest for 1 hour or until 3 V"]', 1, 2, "without a side"),
    ("side of a hold", '["Hold at 4 V until 4.1 V"]', 1, 2, "without a side"),
    ("side of a C-rate", '["Hold at 4 V until < C/10"]', 1, 2, "a C-rate with a side"),
    ("other side of a C-rate", '["Charge at 1C until < 3 V"]', 1, 2, "not beside a C-rate"),
    ("below no magnitude", '["Hold at 4 V until -1 A"]', 1, 2, "no magnitude of a current is below"),
    ("C over nothing", '["Charge at C/0 for 1 h"]', 1, 2, "no C-rate"),
    ("digits", '["Charge at 0.12345678901234567C for 1 h"]', 1, 2, "12 decimals"),
    ("a long instruction", '["Rest for' + " " * 1000 + '1 s"]', 1, 2, "has 1,011 characters"),
    ("a period in the middle", '["Rest (1 s period) for 1 s"]', 1, 2, "the period at its end"),
    ("a period of nothing", '["Rest for 1 s ( period)"]', 1, 2, "the period is ''"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "column", "part"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_a_recipe_cannot_say_is_refused_where_it_stands(
    text: str, line: int | None, column: int | None, part: str
):
    with pytest.raises(InvalidInput) as caught:
        imported(text)
    assert part in str(caught.value)
    assert (caught.value.source, caught.value.line, caught.value.column) == ("e.py", line, column)
    assert "\n" not in str(caught.value)


WHOLE = """\
version: 2
title: "Whole\\nand more"
record: {every: 30 s}
method:
  - rest: {for: 10 min}
  - chamber: {set: 45 degC}
  - ladder: {rate: [0.1C, C/3]}
    repeat:
      - charge: {rate: $rate, until: voltage >= 4.2 V, then_hold: {until: current <= 0.05C, for: 1 h}}
      - discharge: {rate: $rate, until: voltage <= 0 V, name: zero}
    times: 2
  - repeat:
      - group: [rest: {for: 1 s}]
        name: a while
      - repeat: [constant_power: {power: -5 mW, for: 1 min, record: {every: 1 s}}]
        times: 3
    times: 2
  - chamber: {set: 25 degC}
  - constant_resistance: {resistance: 100 ohm, until: voltage <= 1 V}
  - constant_voltage: {voltage: 2 V, until: current <= 10 µA}
  - constant_current: {current: 1 mA, until: voltage <= 1 V}
"""

WRITTEN = """\
# Whole and more
import pybamm

experiment = pybamm.Experiment(
    [
        "Rest for 10 minutes (30 seconds period)",
    ]
    + [
        (
            pybamm.step.string("Charge at 0.1C until 4.2 V (30 seconds period)", temperature="45 oC"),
            pybamm.step.string("Hold at 4.2 V for 1 hour or until 0.05C (30 seconds period)", temperature="45 oC"),
            pybamm.step.string("Discharge at 0.1C until 0 V (30 seconds period)", temperature="45 oC", tags="zero"),
        )
    ] * 2
"""


def test_a_recipe_becomes_an_experiment():
    text = exported(WHOLE)
    assert text.startswith(WRITTEN)
    assert text.endswith(
        """\
    + (
        [
            # a while
            pybamm.step.string("Rest for 1 second (30 seconds period)", temperature="45 oC"),
        ]
        + [
            (
                pybamm.step.string("Discharge at 5 mW for 1 minute (1 second period)", temperature="45 oC"),
            )
        ] * 3
    ) * 2
    + [
        pybamm.step.string("Discharge at 100 Ohm until 1 V (30 seconds period)", temperature="25 oC"),
        pybamm.step.string("Hold at 2 V until > -0.00001 A (30 seconds period)", temperature="25 oC"),
        pybamm.step.string("Charge at 1 mA until < 1 V (30 seconds period)", temperature="25 oC"),
    ],
)
"""
    )


def test_what_holds_for_all_is_said_once():
    assert exported(RECIPE).endswith(') * 2,\n    temperature="25 oC",\n)\n')
    assert exported("version: 2\ntitle: t\nmethod:\n  - rest: {for: 1 s}\n").endswith(
        '["Rest for 1 second",'.replace('["', '[\n        "') + '\n    ],\n    period="10 seconds",\n)\n'
    )


def test_an_experiment_of_a_recipe_is_that_recipe_again():
    wide = RECIPE.replace("1 A", "10 mA").replace("1 W", "10 mW")
    assert program(imported(exported(wide))) == program(wide)


def test_a_recipe_that_says_what_1C_is_becomes_currents():
    recipe = "version: 2\ntitle: t\nmethod:\n  - set: {nominal_capacity: 3 mAh}\n  - charge: {rate: 2C, for: 1 min}\n"
    assert '"Charge at 6 mA for 1 minute"' in exported(recipe)


def test_a_c_rate_with_a_side_is_a_current_of_the_cell():
    recipe = "version: 2\ntitle: t\nmethod:\n  - constant_voltage: {voltage: 4 V, until: current <= 0.5C}\n"
    assert '"Hold at 4 V until > -0.002 A"' in exported(recipe, cell=CELL)
    with pytest.raises(InvalidInput, match=r"r\.yaml:4: step 1.*'--cell'"):
        exported(recipe)


def test_a_temperature_that_a_turn_leaves_behind_is_that_of_the_next():
    recipe = (
        "version: 2\ntitle: t\nmethod:\n  - repeat:\n      - rest: {for: 1 s}\n      - chamber: {set: 45 degC}\n"
        "      - rest: {for: 2 s}\n    times: 3\n"
    )
    text = exported(recipe)
    assert text.count('"Rest for 1 second",\n') == 1
    assert text.count('pybamm.step.string("Rest for 1 second", temperature="45 oC")') == 1
    assert "] * 2" in text


HEAD = "version: 2\ntitle: t\nmethod:\n"

# (what is not there, step, part of the message)
NOT_THERE = [
    ("sweep", "sweep: {from: 3 V, to: 4 V, rate: 1 mV/s}", "'sweep' is a kind of step"),
    ("impedance", "impedance: {from: 10 Hz, to: 1 Hz}", "'impedance' is a kind of step"),
    ("profile", "profile: {points: [[0 s, 1 mA], [1 s, 0 mA]]}", "'profile' is a kind of step"),
    ("charge", "charge: {current: 1 mA, until: charge >= 1 mAh}", "the end 'charge >= 1 mAh'"),
    ("two ends", "charge: {current: 1 mA, until: [voltage >= 4 V, current_magnitude <= 1 mA]}", "the ends 'voltage"),
    ("no magnitude", "rest: {until: current_magnitude >= 1 mA}", "the end 'current_magnitude >= 1 mA'"),
    ("limit", "constant_voltage: {voltage: 4 V, for: 1 s, current_limit: 1 mA}", "a 'current_limit'"),
    ("record", "rest: {for: 1 s, record: {voltage_change: 1 mV}}", "'record: voltage_change'"),
    ("burst", "rest: {for: 1 s, record: {burst: {every: 0.1 s, for: 1 s}}}", "'record: burst'"),
    ("soak", "chamber: {set: 60 degC, until: stable}", "'chamber' waits"),
    ("operator", "operator: {message: Look}", "'operator'"),
    ("name", 'rest: {for: 1 s, name: "a\\"b"}', "the name"),
]


@pytest.mark.parametrize(("step", "part"), [row[1:] for row in NOT_THERE], ids=[row[0] for row in NOT_THERE])
def test_what_an_experiment_cannot_say_is_refused_where_it_stands(step: str, part: str):
    with pytest.raises(InvalidInput) as caught:
        exported(f"{HEAD}  - rest: {{for: 1 s}}\n  - {step}\n")
    assert part in caught.value.message
    assert (caught.value.source, caught.value.line) == ("r.yaml", 5)


def test_limits_are_left_out_only_with_consent():
    recipe = HEAD.replace("method", "safety: {voltage: {max: 0 V}}\nmethod") + "  - rest: {for: 1 s}\n"
    with pytest.raises(InvalidInput, match="'--leave-out safety' converts without it"):
        exported(recipe)
    assert "Rest for 1 second" in exported(recipe, "safety")


def test_a_wait_for_the_temperature_is_left_out_only_with_consent():
    recipe = f"{HEAD}  - chamber: {{set: 60 degC, until: stable}}\n  - rest: {{for: 1 s}}\n"
    leaving = Leaving(["chamber"])
    text = convert(recipe, "r.yaml", "galvanode", "pybamm", leaving=leaving)
    assert 'temperature="60 oC"' in text
    assert leaving.notes == [
        "left out: 'chamber' waits until the temperature is stable, which a PyBaMM experiment cannot"
    ]
