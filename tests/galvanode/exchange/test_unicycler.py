"""aurora-unicycler protocols become recipes and recipes protocols; what cannot be said is refused where it stands."""

from __future__ import annotations

import json
import warnings
from importlib.metadata import version
from typing import Any

import aurora_unicycler
import pytest
from aurora_unicycler import CyclingProtocol
from pydantic import BaseModel
from tests.galvanode.exchange.programs import CELL, program

from galvanode.errors import InvalidInput
from galvanode.exchange import Leaving, convert, unicycler
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import Step

THEIRS: dict[type[BaseModel], type[BaseModel]] = {
    unicycler.Protocol: aurora_unicycler.CyclingProtocol,
    unicycler.Sample: aurora_unicycler.SampleParams,
    unicycler.Record: aurora_unicycler.RecordParams,
    unicycler.Safety: aurora_unicycler.SafetyParams,
    **{model: getattr(aurora_unicycler, model.__name__) for model in unicycler.STEPS.values()},
}
"""Our model of a part of a protocol -> aurora-unicycler's own."""


@pytest.mark.parametrize("ours", THEIRS, ids=lambda model: model.__name__)
def test_the_models_are_those_of_the_program(ours: type[BaseModel]) -> None:
    theirs = THEIRS[ours]
    assert set(ours.model_fields) == set(theirs.model_fields)
    required = {name for name, field in theirs.model_fields.items() if field.is_required()}
    assert {name for name, field in ours.model_fields.items() if field.is_required()} - {"step", "tag"} == required


def test_the_version_is_the_one_that_is_tested() -> None:
    assert version("aurora-unicycler") == unicycler.VERSION


PROTOCOL: dict[str, Any] = {
    "unicycler": {"version": "0.3.2"},
    "sample": {"name": "K12", "capacity_mAh": "4"},
    "record": {"current_mA": "0.1", "voltage_V": 0.1, "time_s": "10"},
    "safety": {"max_voltage_V": "4.5", "min_voltage_V": "-0.1", "max_current_mA": 10, "min_current_mA": "-10"},
    "method": [
        {"step": "open_circuit_voltage", "until_time_s": 3600},
        {"step": "tag", "tag": "formation"},
        {"step": "constant_current", "rate_C": "C/3", "current_mA": "", "until_voltage_V": 4.2, "id": "the charge"},
        {"step": "constant_voltage", "voltage_V": 4.2, "until_rate_C": "0.05", "until_time_s": 21600.0},
        {"step": "constant_current", "rate_C": "D/2", "until_voltage_V": 0, "until_time_s": 5400},
        {"step": "constant_voltage", "voltage_V": 0, "until_rate_C": -0.05},
        {"step": "loop", "loop_to": 3, "cycle_count": 2},
        {"step": "open_circuit_voltage", "until_time_s": 90},
        {"step": "loop", "loop_to": "formation", "cycle_count": 5},
        {"step": "impedance_spectroscopy", "amplitude_V": 0.01, "start_frequency_Hz": 1e6, "end_frequency_Hz": 0.1},
        {"step": "voltage_scan", "start_voltage_V": 0, "end_voltage_V": -0.1, "scan_rate_mV_per_s": 0.1},
        {"step": "tag", "tag": "end"},
    ],
}

RECIPE = """\
# Converted from an aurora-unicycler protocol.
version: 2
title: "Protocol of K12"
parameters: {capacity: {default: 4 mAh}}
safety: {voltage: {min: -0.1 V, max: 4.5 V}, current: {max: 10 mA}}
record: {every: 10 s, voltage_change: 0.1 V, current_change: 0.1 mA}
method:
  - set: {nominal_capacity: $capacity}
  - rest: {for: 1 h}
  # tag: formation
  - repeat:
      - repeat:
          - charge: {rate: C/3, until: voltage >= 4.2 V, name: "the charge"}
          - constant_voltage: {voltage: 4.2 V, for: 6 h, until: current_magnitude <= 0.05C}
          - discharge: {rate: 0.5C, for: 1.5 h, until: voltage <= 0 V}
          - constant_voltage: {voltage: 0 V, until: current >= -0.05C}
        times: 2
      - rest: {for: 90 s}
    times: 5
  - impedance: {from: 1000000 Hz, to: 0.1 Hz, points_per_decade: 10, amplitude: 10 mV / sqrt(2)}
  - sweep: {from: 0 V, to: -0.1 V, rate: 0.1 mV/s}
  # tag: end
"""


def changed(**parts: Any) -> str:
    return json.dumps(PROTOCOL | parts, indent=1)


def with_step(**step: Any) -> str:
    return changed(method=[{"step": "open_circuit_voltage", "until_time_s": 1}, step])


def imported(text: str, *leave_out: str) -> str:
    return convert(text, "p.json", "unicycler", "galvanode", leaving=Leaving(leave_out))


def exported(recipe: str, *leave_out: str, **options: Any) -> Any:
    """Return the protocol of a recipe, after aurora-unicycler itself has taken it."""
    text = convert(recipe, "r.yaml", "galvanode", "unicycler", leaving=Leaving(leave_out), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a hold at another voltage than the charge
        CyclingProtocol.from_dict(json.loads(text))
    return json.loads(text)


def test_a_protocol_becomes_a_recipe_that_a_person_can_read():
    assert imported(json.dumps(PROTOCOL)) == RECIPE


def test_on_a_cell_of_that_capacity_the_recipe_need_not_say_it():
    recipe = convert(json.dumps(PROTOCOL), "p.json", "unicycler", "galvanode", cell=CELL)
    assert "capacity" not in recipe
    assert "rate: C/3" in recipe


def test_a_limit_of_0_V_is_a_limit():
    steps = [step for step in compiled(imported(json.dumps(PROTOCOL))) if step.name == "discharge"]
    ends = [end.plain for end in steps[0].until]
    assert [(end.quantity, end.comparison, end.value) for end in ends if end] == [
        ("time", ">=", 5400.0),
        ("voltage", "<=", 0.0),
    ]


def test_a_limit_of_0_V_alone_is_a_limit_too():
    recipe = imported(with_step(step="constant_current", current_mA=-1, until_voltage_V=0))
    assert "discharge: {current: 1 mA, until: voltage <= 0 V}" in recipe


def test_safety_at_0_is_a_limit():
    limits = {"max_voltage_V": 0, "min_voltage_V": -3, "max_current_mA": 0, "min_current_mA": -5}
    recipe = imported(changed(safety=limits, method=[REST]))
    assert "safety: {voltage: {min: -3 V, max: 0 V}, current: {min: -5 mA, max: 0 mA}}" in recipe


def test_a_comment_cannot_become_a_line():
    tag = 'a\n  - rest: {for: 1 s}\r\x85\u2028"\\'
    recipe = imported(changed(method=[{"step": "tag", "tag": tag}, PROTOCOL["method"][0]]))
    assert len(compiled(recipe)) == 1


def test_a_name_is_kept_whatever_is_in_it():
    name = 'a "b" \\ c: {d} # e\n\u00e4\U0001f50b'
    recipe = imported(with_step(step="open_circuit_voltage", until_time_s=1, id=name))
    assert compiled(recipe)[1].name == name
    assert exported(recipe)["method"][1]["id"] == name


def compiled(recipe: str) -> list[Step]:
    made = compile_recipe(parse_recipe(recipe, "r.yaml"), CELL, {})
    return [instruction for instruction in made.instructions if isinstance(instruction, Step)]


LOOP = {"step": "loop", "loop_to": 1, "cycle_count": 3}
REST = {"step": "open_circuit_voltage", "until_time_s": 1}

# (what is wrong, protocol, part of the message)
REFUSED = [
    ("no object", "[]", "a list"),
    ("a number", "12", "12; expected the JSON object"),
    ("no method", '{"record": {"time_s": 1}}', "'method' is missing"),
    ("empty method", changed(method=[]), "'method' is empty"),
    ("no record", '{"method": [{}]}', "'record' is missing"),
    ("unknown key", changed(sampel={}), "unknown key 'sampel'; did you mean 'sample'?"),
    ("unknown key of a step", with_step(**REST, until_voltage_V=0), "step 2, open_circuit_voltage: unknown key"),
    ("text for a number", with_step(step="open_circuit_voltage", until_time_s="1 h"), "is '1 h'; expected a number"),
    ("true for a number", with_step(step="open_circuit_voltage", until_time_s=True), "is true; expected a number"),
    ("a list for a number", with_step(step="open_circuit_voltage", until_time_s=[1]), "a list; expected a number"),
    ("infinite as text", with_step(step="open_circuit_voltage", until_time_s="inf"), "'inf'; expected a number"),
    ("not a number as text", with_step(step="open_circuit_voltage", until_time_s="nan"), "'nan'; expected a number"),
    ("too large as text", with_step(step="open_circuit_voltage", until_time_s="1e999"), "too large"),
    ("no time", with_step(step="open_circuit_voltage", until_time_s=None), "'method.until_time_s' is empty"),
    ("no time at all", with_step(step="open_circuit_voltage"), "'until_time_s' is missing"),
    ("a time of 0", with_step(step="open_circuit_voltage", until_time_s=0), "ends the step before it begins"),
    ("a time below 0", with_step(step="open_circuit_voltage", until_time_s=-1), "ends the step before it begins"),
    ("an endless time", with_step(step="open_circuit_voltage", until_time_s=1e12), "30 years"),
    ("no step", changed(method=[{}]), "step 1: 'step' is missing"),
    ("a step that is a text", changed(method=["rest"]), "step 1: is 'rest'; expected an object"),
    ("unknown step", with_step(step="constant_curent"), "did you mean 'constant_current'?"),
    ("a step that is a number", with_step(step=3), "unknown step 3"),
    ("no current", with_step(step="constant_current", until_time_s=1), "neither 'rate_C' nor 'current_mA'"),
    ("two currents", with_step(step="constant_current", rate_C=1, current_mA=1, until_time_s=1), "both 'rate_C' and"),
    ("a current of 0", with_step(step="constant_current", current_mA=0, until_time_s=1), "a current of 0"),
    ("a rate of 0", with_step(step="constant_current", rate_C=0, until_time_s=1), "a current of 0"),
    ("bad rate", with_step(step="constant_current", rate_C="C/0", until_time_s=1), "a C-rate such as 0.2 or 'C/5'"),
    ("worse rate", with_step(step="constant_current", rate_C="5C/2D", until_time_s=1), "is '5C/2D'"),
    (
        "a rate with more digits than there are",
        with_step(step="constant_current", rate_C=0.12345678901234567, until_time_s=1),
        "12 decimals",
    ),
    ("no end", with_step(step="constant_current", current_mA=1), "cannot end"),
    ("no end of a hold", with_step(step="constant_voltage", voltage_V=4), "cannot end"),
    (
        "two currents of a hold",
        with_step(step="constant_voltage", voltage_V=4, until_rate_C=0.1, until_current_mA=1),
        "both 'until_rate_C' and",
    ),
    ("no voltage", with_step(step="constant_voltage", until_time_s=1), "'voltage_V' is missing"),
    (
        "drift correction",
        with_step(
            step="impedance_spectroscopy",
            amplitude_V=0.01,
            start_frequency_Hz=10,
            end_frequency_Hz=1,
            drift_correction=True,
        ),
        "'drift_correction' is true",
    ),
    (
        "upwards",
        with_step(step="impedance_spectroscopy", amplitude_V=0.01, start_frequency_Hz=1, end_frequency_Hz=10),
        "below 'from'",
    ),
    (
        "no amplitude",
        with_step(step="impedance_spectroscopy", start_frequency_Hz=10, end_frequency_Hz=1),
        "neither 'amplitude_V' nor",
    ),
    (
        "two amplitudes",
        with_step(
            step="impedance_spectroscopy", amplitude_V=1, amplitude_mA=1, start_frequency_Hz=10, end_frequency_Hz=1
        ),
        "both 'amplitude_V' and",
    ),
    (
        "an amplitude too large",
        with_step(step="impedance_spectroscopy", amplitude_V=1, start_frequency_Hz=10, end_frequency_Hz=1),
        "at most 100 mV",
    ),
    (
        "a scan that stays",
        with_step(step="voltage_scan", start_voltage_V=0, end_voltage_V=0, scan_rate_mV_per_s=1),
        "the same voltage",
    ),
    (
        "a scan that stands",
        with_step(step="voltage_scan", start_voltage_V=0, end_voltage_V=1, scan_rate_mV_per_s=0),
        "scan rate",
    ),
    ("a loop over nothing", changed(method=[{"step": "tag", "tag": "a"}, LOOP | {"loop_to": "a"}]), "loops over no"),
    ("a loop to nowhere", changed(method=[REST, LOOP | {"loop_to": "a"}]), "its tag 'a' is missing"),
    ("a loop forwards", changed(method=[REST, LOOP | {"loop_to": "a"}, {"step": "tag", "tag": "a"}]), "goes back"),
    ("a loop to itself", changed(method=[REST, LOOP | {"loop_to": 2}]), "expected an earlier step"),
    ("a loop to step 0", changed(method=[REST, LOOP | {"loop_to": 0}]), "'method.loop_to' is 0"),
    ("a loop without turns", changed(method=[REST, LOOP | {"cycle_count": 0}]), "greater than 0"),
    ("half a turn", changed(method=[REST, LOOP | {"cycle_count": 1.5}]), "a whole number"),
    ("too many turns", changed(method=[REST, LOOP | {"cycle_count": 10**12}]), "step 2, loop"),
    ("a tag twice", changed(method=[{"step": "tag", "tag": "a"}, REST, {"step": "tag", "tag": "a"}]), "there twice"),
    ("an empty tag", changed(method=[{"step": "tag", "tag": " "}, REST]), "is empty"),
    (
        "loops that overlap",
        changed(method=[REST, REST, LOOP | {"loop_to": 1}, REST, LOOP | {"loop_to": 2}]),
        "step 5, loop: begins inside the loop that ends at step 3",
    ),
    ("loops too deep", changed(method=[REST, *[LOOP] * 9]), "nested more than 8 deep"),
    ("very many steps", json.dumps(PROTOCOL | {"method": [REST] * 5_001}), "5,001 steps"),
    ("delay", changed(safety={"delay_s": 10}), "safety, delay_s: 10"),
    ("capacity limit", changed(safety={"max_capacity_mAh": 0}), "safety, max_capacity_mAh: 0"),
    ("current limit of one sign", changed(safety={"max_current_mA": 0}), "safety, max_current_mA: 0"),
    ("limits the wrong way round", changed(safety={"min_voltage_V": 3, "max_voltage_V": 2}), "nothing between"),
    ("capacity of the sample", changed(sample={"capacity_mAh": 0}), "expected a capacity above 0"),
    ("record of no time", changed(record={"time_s": 0}), "record"),
    ("record of no voltage", changed(record={"time_s": 1, "voltage_V": 0}), "record"),
    ("an empty name", with_step(**REST, id=""), "is empty"),
    ("a long name", with_step(**REST, id="x" * 201), "at most 200"),
]


@pytest.mark.parametrize(("text", "part"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_a_recipe_cannot_say_is_refused_where_it_stands(text: str, part: str):
    with pytest.raises(InvalidInput) as caught:
        imported(text)
    assert part in str(caught.value)
    assert caught.value.source == "p.json"
    assert caught.value.line is not None
    assert "\n" not in str(caught.value)


def test_the_place_is_that_of_the_step():
    with pytest.raises(InvalidInput) as caught:
        imported(
            '{"record": {"time_s": 1},\n "method": [\n  {"step": "open_circuit_voltage",\n   "until_time_s": 1e12}]}'
        )
    assert str(caught.value).startswith("p.json:3:3: step 1, open_circuit_voltage: ")


def test_a_person_may_agree_to_leave_a_limit_out():
    leaving = Leaving(["safety"])
    text = changed(safety={"max_voltage_V": 0, "delay_s": 10}, method=[REST])
    recipe = convert(text, "p.json", "unicycler", "galvanode", leaving=leaving)
    assert "safety: {voltage: {max: 0 V}}" in recipe
    assert leaving.notes == ["left out: safety, delay_s: 10: a recipe's limits trip at the first reading outside"]


WHOLE = """\
version: 2
title: Whole
parameters:
  rates: {default: 0.1C}
safety: {voltage: {min: 0 V, max: 4.5 V}, current: {max: 20 mA}}
record: {every: 30 s, voltage_change: 5 mV}
method:
  - rest: {for: 10 min}
  - ladder: {rate: [$rates, C/3]}
    repeat:
      - charge: {rate: $rate, until: voltage >= 4.2 V, then_hold: {until: current <= 0.05C, for: 1 h}}
      - discharge: {rate: $rate, until: voltage <= 0 V, for: 10 h, name: to nothing}
    times: 2
  - constant_voltage: {voltage: 2 V, until: current <= 10 µA}
  - cyclic_voltammetry: {from: 3 V, vertices: [4 V, 2 V], rate: 1 mV/s, cycles: 3}
  - impedance: {kind: galvanostatic, from: 1 kHz, to: 1 Hz, amplitude: 1 mA}
"""


def test_a_recipe_becomes_a_protocol():
    protocol = exported(WHOLE)
    assert protocol["sample"] == {"name": "$NAME", "capacity_mAh": None}
    assert protocol["record"] == {"current_mA": None, "voltage_V": 0.005, "time_s": 30.0}
    assert protocol["safety"] == {
        "max_voltage_V": 4.5,
        "min_voltage_V": 0.0,
        "max_current_mA": 20.0,
        "min_current_mA": -20.0,
        "max_capacity_mAh": None,
        "delay_s": None,
    }
    said = [{key: value for key, value in step.items() if value is not None} for step in protocol["method"]]
    cycle = [
        {"step": "constant_current", "rate_C": 0.1, "until_voltage_V": 4.2},
        {"step": "constant_voltage", "voltage_V": 4.2, "until_time_s": 3600.0, "until_rate_C": 0.05},
        {"step": "constant_current", "rate_C": -0.1, "until_time_s": 36000.0, "until_voltage_V": 0.0}
        | {"id": "to nothing"},
    ]
    assert said[:6] == [
        {"step": "open_circuit_voltage", "until_time_s": 600.0},
        {"step": "tag", "tag": "repeat 1"},
        *cycle,
        {"step": "loop", "loop_to": "repeat 1", "cycle_count": 2},
    ]
    assert said[7]["rate_C"] == 1 / 3
    assert [step["step"] for step in said[11:]] == [
        "constant_voltage",
        "tag",
        "voltage_scan",
        "voltage_scan",
        "voltage_scan",
        "loop",
        "impedance_spectroscopy",
    ]
    assert said[11] == {"step": "constant_voltage", "voltage_V": 2.0, "until_current_mA": 0.01}
    assert said[-1]["amplitude_mA"] == pytest.approx(2**0.5)


def test_on_a_cell_the_protocol_has_its_capacity_and_its_envelope():
    protocol = exported(WHOLE, cell=CELL, parameters={"rates": "0.2C"})
    assert protocol["sample"] == {"name": "Cell", "capacity_mAh": 4.0}
    assert protocol["safety"]["max_current_mA"] == 20.0
    assert protocol["method"][2]["rate_C"] == 0.2
    assert exported(RECIPE.replace("safety:", "# safety:"), cell=CELL)["safety"]["max_voltage_V"] == 5.0


def test_what_depends_on_the_cell_needs_one():
    recipe = "version: 2\ntitle: t\nmethod:\n  - plate: {current_density: 1 mA/cm^2, for: 1 min}\n"
    assert exported(recipe, cell=CELL)["method"][0]["current_mA"] == pytest.approx(0.785)
    with pytest.raises(InvalidInput, match=r"r\.yaml:4: step 1, plate: depends on the area of the cell"):
        exported(recipe)
    recipe = recipe.replace("plate: {current_density: 1 mA/cm^2", "constant_voltage: {voltage: 4 V vs Li+/Li")
    assert exported(recipe, cell=CELL)["method"][0]["voltage_V"] == 3.38
    with pytest.raises(InvalidInput, match=r"r\.yaml:4:.*'--cell'"):
        exported(recipe)


def test_a_hold_at_0_alone_would_be_lost_and_is_refused():
    recipe = "version: 2\ntitle: t\nmethod:\n  - discharge: {current: 1 mA, until: voltage <= 0 V}\n"
    with pytest.raises(InvalidInput) as caught:
        exported(recipe)
    assert str(caught.value) == (
        "r.yaml:4: step 1, discharge: ends at 0 alone ('until_voltage_V: 0'), and aurora-unicycler takes 0 for no "
        "limit; give it a 'for' too"
    )


def test_a_limit_of_0_beside_another_is_kept_and_warned_of():
    leaving = Leaving()
    convert(WHOLE, "r.yaml", "galvanode", "unicycler", leaving=leaving)
    assert len(leaving.notes) == 1
    assert leaving.notes[0].startswith("step 3, to nothing: 'until_voltage_V: 0' is in the protocol")


HEAD = "version: 2\ntitle: t\nrecord: {every: 10 s}\nmethod:\n"

# (what is not there, step or steps, part of the message)
NOT_THERE = [
    ("rest until", "rest: {until: voltage >= 3 V}", "the end 'voltage >= 3 V'"),
    ("zero current", "constant_current: {current: 0 A, for: 1 s}", "a current of 0"),
    ("charge to charge", "charge: {current: 1 mA, until: charge >= 1 mAh}", "the end 'charge >= 1 mAh'"),
    ("two voltages", "charge: {current: 1 mA, until: [voltage >= 4 V, voltage >= 3 V]}", "the end 'voltage >= 4 V'"),
    ("other side", "constant_current: {current: 1 mA, until: voltage <= 3 V}", "the end 'voltage <= 3 V'"),
    ("limited hold", "constant_voltage: {voltage: 4 V, for: 1 s, current_limit: 1 mA}", "a 'current_limit'"),
    ("hold to a voltage", "constant_voltage: {voltage: 4 V, until: voltage >= 4 V}", "the end 'voltage >= 4 V'"),
    ("power", "constant_power: {power: 1 mW, for: 1 s}", "'power' is a kind of step"),
    ("resistance", "constant_resistance: {resistance: 10 ohm, for: 1 s}", "'resistance' is a kind of step"),
    ("profile", "profile: {points: [[0 s, 1 mA], [1 s, 0 mA]]}", "'profile' is a kind of step"),
    ("from open circuit", "sweep: {to: 4 V, rate: 1 mV/s}", "'$open_circuit', which is known only while"),
    ("sweep until", "sweep: {from: 3 V, to: 4 V, rate: 1 mV/s, until: current >= 1 mA}", "an end before the last"),
    ("sweep of steps", "sweep: {from: 3 V, to: 4 V, rate: 1 mV/s, step: 2 mV}", "--leave-out record"),
    ("bias", "impedance: {from: 10 Hz, to: 1 Hz, bias: 3 V}", "a 'bias'"),
    ("own record", "rest: {for: 1 s, record: {burst: {every: 0.1 s, for: 1 s}}}", "burst"),
    ("own safety", "rest: {for: 1 s, safety: {voltage: {max: 3 V}}}", "a 'safety'"),
    ("check_every", "rest: {for: 1 s, safety: {check_every: 1 s}}", "'check_every'"),
    ("chamber", "chamber: {set: 60 degC}", "'chamber' sets 60 degC"),
    ("soak", "chamber: {set: 60 degC, until: stable}", "'chamber' waits"),
    ("operator", "operator: {message: Look}", "'operator'"),
    ("end", "end: because", "'end'"),
    ("held for", "charge: {current: 1 mA, until: {when: voltage >= 4 V, held_for: 1 s}}", "more to it"),
    ("and then", "charge: {current: 1 mA, until: {when: voltage >= 4 V, then: end}}", "more to it than a condition"),
    ("by", "charge: {current: 1 mA, until: {when: voltage >= 4 V, by: 1 h}}", "more to it than a condition"),
    ("and", "charge: {current: 1 mA, until: voltage >= 4 V and time >= 1 h}", "the end 'voltage >= 4 V and"),
    ("slope", "rest: {until: dV/dt <= 1 mV/min over 5 min}", "the end"),
    ("if", "if: voltage >= 3 V\n    then: [end]", "'if'"),
    ("repeat for", "repeat: [rest: {for: 1 s}]\n    for: 1 h", "'repeat' with 'for'"),
    ("stop when", "repeat: [rest: {for: 1 s}]\n    times: 3\n    stop_when: voltage >= 3 V", "'repeat' with an end"),
    ("group for", "group: [rest: {for: 1 s}]\n    for: 1 h", "'group' with an end of its own"),
    ("set", "set: {x: charge}", "'set: x'"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "part"), [row[1:] for row in NOT_THERE], ids=[row[0] for row in NOT_THERE])
def test_what_a_protocol_cannot_say_is_refused_where_it_stands(step: str, part: str):
    with pytest.raises(InvalidInput) as caught:
        exported(f"{HEAD}  - rest: {{for: 1 s}}\n  - {step}\n")
    assert part in caught.value.message
    assert caught.value.source == "r.yaml"
    assert caught.value.line == 6


def test_the_hold_after_a_discharge_ends_at_a_current_below_0_and_no_other_does():
    hold = "voltage <= 2 V, then_hold: {until: current <= 1 mA}"
    method = exported(
        f"{HEAD}  - discharge: {{current: 5 mA, until: {hold}}}\n"
        "  - ladder: {v: [-1 V, -2 V]}\n"
        "    repeat: [constant_voltage: {voltage: $v, until: current_magnitude <= 1 mA}]\n"
    )["method"]
    assert [step["until_current_mA"] for step in method if step["step"] == "constant_voltage"] == [-1.0, 1.0, 1.0]


def test_what_is_left_out_with_consent_is_noted():
    leaving = Leaving(["safety", "record", "analysis", "chamber"])
    recipe = HEAD.replace("method", "analysis: [impedance]\nmethod") + (
        "  - chamber: {set: 60 degC}\n"
        "  - rest: {for: 1 s, safety: {check_every: 0.5 s}, record: {every: 1 s, charge_change: 1 µAh}}\n"
        "  - rest: {for: 2 s}\n"
    )
    text = convert(recipe, "r.yaml", "galvanode", "unicycler", leaving=leaving)
    assert [step["until_time_s"] for step in json.loads(text)["method"]] == [1.0, 2.0]
    assert json.loads(text)["record"]["time_s"] == 1.0
    assert len(leaving.notes) == 5
    with pytest.raises(InvalidInput, match="--leave-out 'safty'; did you mean 'safety'"):
        Leaving(["safty"])


def test_a_protocol_of_a_recipe_is_that_recipe_again():
    once = imported(json.dumps(PROTOCOL))
    again = imported(json.dumps(exported(once)))
    assert program(again) == program(once)
