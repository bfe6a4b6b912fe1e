"""Sweep, cyclic voltammetry, impedance and chamber."""

import math

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import Bounds, compile_recipe, describe, drives, estimate, parse_recipe
from galvanode.recipe.operand import OPEN_CIRCUIT, Variable
from galvanode.recipe.program import Program, Record, SetChamber, Soak, Step

CELL = """\
name: Li | electrolyte | electrolyte + C
area: 0.5 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
reference_offset: 0 V
envelope: {voltage: {min: 0 V, max: 5 V}, current: {max: 5 mA}, temperature: {min: 10 degC, max: 80 degC}}
"""

REST_VOLTAGE = Variable(name=OPEN_CIRCUIT)


def program(steps: str, head: str = "") -> Program:
    return compile_recipe(parse_recipe(f"title: x\n{head}method:\n{steps}", "r"), parse_cell(CELL, "c"))


def only(step: str, head: str = "") -> Step:
    (found,) = program(f"  - {step}\n", head).instructions
    assert isinstance(found, Step)
    return found


def test_a_sweep_runs_from_the_open_circuit_voltage_in_millivolts():
    step = only("sweep: {to: 4.5 V, rate: 0.1 mV/s, current_limit: 1 mA}")
    assert step.drive.kind == "sweep"
    assert step.drive == drives.Sweep(vertices=(REST_VOLTAGE, 4.5), rate=1e-4, step=1e-3, current_limit=1e-3)
    assert (step.drive.held, step.drive.limit, step.until, step.instrument) == (None, 1e-3, (), None)
    assert only("sweep: {from: open_circuit, to: 4.5 V, rate: 0.1 mV/s, current_limit: 1 mA}").drive == step.drive


def test_a_sweep_may_begin_at_a_voltage_and_run_down_and_end_early():
    step = only("sweep: {from: 3 V, to: 0.5 V, rate: 1 mV/s, step: 5 mV, until: current_density <= -1 mA/cm^2}")
    assert step.drive == drives.Sweep(vertices=(3.0, 0.5), rate=1e-3, step=5e-3)
    assert [(c.test.quantity, c.test.comparison, c.test.value) for c in step.until] == [
        ("current", "<=", pytest.approx(-0.5e-3))
    ]


@pytest.mark.parametrize(
    ("rate", "step", "head", "poll_s", "every_s"),
    [
        ("1 mV/s", "1 mV", "", 1.0, 1.0),
        ("0.1 mV/s", "5 mV", "", 10.0, 50.0),
        ("0.1 mV/s", "5 mV", "safety: {check_every: 2 s}\n", 2.0, 50.0),
        ("50 mV/s", "1 mV", "record: {every: 1 min}\n", 0.02, 0.02),
    ],
)
def test_every_point_of_a_sweep_is_recorded_whatever_the_recipe_records_elsewhere(rate, step, head, poll_s, every_s):
    found = only(f"sweep: {{to: 4 V, rate: {rate}, step: {step}}}", head)
    assert found.poll_s == pytest.approx(poll_s)
    assert found.record == Record(every_s=found.record.every_s)
    assert found.record.every_s == pytest.approx(every_s)


def test_a_cyclic_voltammetry_comes_back_to_its_start():
    step = only("cyclic_voltammetry: {vertices: [4.5 V, 2.5 V], rate: 1 mV/s, cycles: 3}")
    assert step.drive == drives.Sweep(vertices=(REST_VOLTAGE, 4.5, 2.5, REST_VOLTAGE), rate=1e-3, step=1e-3, cycles=3)
    fixed = only("cyclic_voltammetry: {from: 3 V, vertices: [4 V], rate: 1 mV/s, cycles: $n}", "parameters: {n: 5}\n")
    assert (fixed.drive.vertices, fixed.drive.cycles) == ((3.0, 4.0, 3.0), 5)


def test_the_end_of_a_sweep_may_come_from_a_ladder_and_is_checked_at_every_value():
    text = "  - ladder: {{limit: [4 V, {0} V]}}\n    repeat: [sweep: {{to: $limit, rate: 1 mV/s}}]\n"
    _, step, _ = program(text.format("4.5")).instructions
    assert step.drive.vertices == (REST_VOLTAGE, Variable(name="limit"))
    with pytest.raises(
        InvalidInput, match=r"r:4:26: 'sweep.to' is '\$limit', which is '6 V', outside the cell's envelope"
    ):
        program(text.format("6"))


def test_the_rate_of_a_sweep_may_come_from_a_ladder_and_is_checked_at_every_value():
    ladder = "ladder: {v: [1 mV/s, 4 mV/s]}\n    repeat: [sweep: {from: 0 V, to: 1 V, rate: $v}]"
    made = program(f"  - {ladder}\n")
    step = next(item for item in made.instructions if isinstance(item, Step))
    assert step.drive is not None
    assert step.drive.rate == Variable(name="v")
    assert step.poll_s == 0.25
    assert estimate(made).duration_s == Bounds(1250.0, 1250.0)
    assert "1 mV/s to 4 mV/s" in describe(made)[1].setpoint
    with pytest.raises(InvalidInput, match=r"'sweep\.rate' is '2 V/s', 0\.0005 s for each 'step'"):
        program(f"  - {ladder.replace('4 mV/s', '2 V/s')}\n")
    with pytest.raises(InvalidInput, match="which only the run can tell"):
        program(
            "  - rest: {for: 1 s}\n  - set: {v: voltage / 1 s}\n  - sweep: {from: 0 V, to: 1 V, rate: $v}\n",
        )


def test_an_impedance_is_measured_potentiostatically_about_open_circuit_unless_told_otherwise():
    step = only("impedance: {from: 1 MHz, to: 0.1 Hz}")
    assert (step.drive.kind, step.drive.held, step.until) == ("impedance", None, ())
    assert step.drive == drives.Impedance(
        control="potentiostatic",
        frequency_max=1e6,
        frequency_min=0.1,
        points_per_decade=10,
        amplitude=0.01,
        bias="open_circuit",
    )
    assert step.drive.points == 71


def test_an_impedance_may_be_galvanostatic_or_biased():
    galvanostatic = only("impedance: {kind: galvanostatic, from: 1 kHz, to: 1 Hz, amplitude: 0.1 mA, bias: -1 mA}")
    assert (galvanostatic.drive.amplitude, galvanostatic.drive.bias) == (1e-4, -1e-3)
    biased = only("impedance: {from: 1 kHz, to: 1 Hz, bias: 3 V, amplitude: 5 mV, points_per_decade: 5}")
    assert (biased.drive.bias, biased.drive.amplitude, biased.drive.points) == (3.0, 0.005, 16)
    zero = only("impedance: {from: 1 kHz, to: 1 Hz, bias: 0.1 V}")
    assert zero.drive.bias == 0.1


def test_the_bias_of_an_impedance_may_come_from_a_ladder_with_its_peaks_inside_the_limits():
    text = "  - ladder: {{v: [3 V, {0} V]}}\n    repeat: [impedance: {{from: 1 kHz, to: 1 Hz, bias: $v}}]\n"
    _, step, _ = program(text.format("4.9")).instructions
    assert step.drive.bias == Variable(name="v")
    with pytest.raises(InvalidInput, match=r"'impedance\.bias' with peaks of '10 mV' rms passes the cell's envelope"):
        program(text.format("4.99"))


def test_a_spectrum_has_at_least_its_two_ends():
    assert only("impedance: {from: 1.01 Hz, to: 1 Hz, points_per_decade: 1}").drive.points == 2


def test_a_step_may_name_its_instrument():
    assert only("impedance: {from: 1 kHz, to: 1 Hz, instrument: analyzer}").instrument == "analyzer"
    assert only("sweep: {to: 4 V, rate: 1 mV/s, instrument: cycler}").instrument == "cycler"
    assert only("rest: {for: 1 s}").instrument is None


def test_the_chamber_is_set_at_once_or_waited_for():
    at_once, waited, told = program(
        "  - chamber: {set: 60 degC}\n"
        "  - chamber: {set: 60 degC, until: stable}\n"
        "  - chamber: {set: 333.15 K, until: stable, band: 0.2 K, for: 1 h, within: 8 h}\n"
        "  - rest: {for: 1 s}\n"
    ).instructions[:3]
    assert at_once == SetChamber(temperature=333.15, soak=None, line=3)
    assert waited.soak == Soak(band=0.5, dwell=1800.0, timeout=14400.0)
    assert (told.temperature, told.soak) == (333.15, Soak(band=0.2, dwell=3600.0, timeout=28800.0))


@pytest.mark.parametrize("spec", ["[25 degC, 35 degC, 45 degC]", "{from: 25 degC, to: 45 degC, by: 10 K}"])
def test_a_ladder_of_temperatures(spec):
    text = (
        f"  - ladder: {{temperature: {spec}}}\n    repeat:\n"
        "      - chamber: {set: $temperature, until: stable}\n      - impedance: {from: 1 kHz, to: 1 Hz}\n"
    )
    found = program(text)
    loop, chamber, step, _ = found.instructions
    assert loop.ladder == {"temperature": (298.15, 308.15, 318.15)}
    assert chamber.temperature == Variable(name="temperature")
    assert (step.step_id, loop.turns) == (1, 3)
    assert Program.model_validate_json(found.model_dump_json()) == found


def test_a_chamber_obeys_the_recipes_limits_too():
    head = "safety: {temperature: {max: 50 degC}}\n"
    with pytest.raises(InvalidInput, match=r"'chamber.set' is '60 degC', outside the recipe's 'safety'"):
        program("  - chamber: {set: 60 degC}\n", head)


def test_a_sweep_takes_its_span_over_its_rate():
    found = estimate(program("  - sweep: {from: 3 V, to: 4 V, rate: 0.1 mV/s}\n"))
    assert found.duration_s == pytest.approx((10_000, 10_000))
    assert found.samples.low >= 1000
    assert found.samples.high <= 1003
    cyclic = estimate(program("  - cyclic_voltammetry: {from: 3 V, vertices: [4 V, 2 V], rate: 1 mV/s, cycles: 2}\n"))
    assert cyclic.duration_s == pytest.approx((8000, 8000))


def test_a_sweep_from_open_circuit_takes_at_most_the_way_from_the_far_limit():
    found = estimate(program("  - sweep: {to: 4 V, rate: 1 mV/s}\n"))
    assert found.duration_s == Bounds(0.0, pytest.approx(4000.0))
    early = estimate(program("  - sweep: {from: 3 V, to: 4 V, rate: 1 mV/s, until: current >= 1 mA}\n"))
    assert early.duration_s == Bounds(0.0, pytest.approx(1000.0))


def test_a_sweep_along_a_ladder_is_summed_value_by_value():
    found = estimate(program("  - ladder: {v: [4 V, 3.5 V]}\n    repeat: [sweep: {from: 3 V, to: $v, rate: 1 mV/s}]\n"))
    assert found.duration_s == pytest.approx((1500, 1500))


def test_a_spectrum_takes_some_periods_of_each_frequency():
    found = estimate(program("  - impedance: {from: 1 MHz, to: 0.1 Hz}\n"))
    periods = 3 * math.fsum(10 ** (-6 + n / 10) for n in range(71))
    assert found.duration_s.low == pytest.approx(periods)
    assert found.duration_s.high == pytest.approx(periods + 71)
    assert found.samples == Bounds(71.0, 71.0)


def test_a_soak_takes_its_dwell_at_least_and_its_timeout_at_most():
    found = estimate(program("  - chamber: {set: 60 degC, until: stable}\n  - chamber: {set: 25 degC}\n"))
    assert (found.duration_s, found.steps) == (Bounds(1800.0, 14400.0), Bounds(0.0, 0.0))


def test_the_schedule_tells_people_what_is_scanned_measured_and_set():
    rows = describe(
        program(
            "  - sweep: {to: 4.5 V, rate: 0.1 mV/s, current_limit: 1 mA, until: current >= 0.5 mA}\n"
            "  - cyclic_voltammetry: {from: 3 V, vertices: [4 V, 2 V], rate: 1 mV/s, step: 2 mV, cycles: 3}\n"
            "  - impedance: {from: 1 MHz, to: 0.1 Hz}\n"
            "  - impedance: {kind: galvanostatic, from: 1 kHz, to: 1 Hz, amplitude: 0.1 mA, bias: 1 mA}\n"
            "  - chamber: {set: 60 degC, until: stable}\n"
            "  - chamber: {set: 25 degC}\n"
        )
    )
    assert [(row.step_id, row.what) for row in rows] == [
        (1, "sweep"),
        (2, "cyclic_voltammetry"),
        (3, "impedance"),
        (4, "impedance"),
        (None, "chamber"),
        (None, "chamber"),
    ]
    assert [row.setpoint for row in rows] == [
        "open circuit to 4.5 V at 100 µV/s, at most 1 mA",
        "3 V to 4 V to 2 V to 3 V at 1 mV/s, 3 times",
        "1 MHz to 100 mHz, 71 points, 10 mV rms at open circuit",
        "1 kHz to 1 Hz, 31 points, 100 µA rms at 1 mA",
        "60 degC",
        "25 degC",
    ]
    assert [row.ends for row in rows] == [
        "current >= 0.5 mA or end of sweep",
        "end of sweep",
        "end of spectrum",
        "end of spectrum",
        "within 0.5 K for 30 min, or fails after 4 h",
        "at once",
    ]
    assert [row.record for row in rows] == ["every 1 mV", "every 2 mV", "every frequency", "every frequency", "", ""]


def test_the_schedule_names_the_instrument_where_the_recipe_does():
    rows = describe(program("  - impedance: {from: 1 kHz, to: 1 Hz, instrument: analyzer}\n  - rest: {for: 1 s}\n"))
    assert [row.what for row in rows] == ["impedance (analyzer)", "rest"]


def test_a_ladder_that_comes_back_to_its_first_value_shows_its_span():
    rows = describe(
        program("  - ladder: {v: [2 V, 4 V, 2 V]}\n    repeat: [constant_voltage: {voltage: $v, for: 1 s}]\n")
    )
    assert rows[1].setpoint == "2 V to 4 V"
