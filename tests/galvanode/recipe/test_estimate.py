import math

from galvanode.cell import parse_cell
from galvanode.recipe import Bounds, Estimate, compile_recipe, describe, estimate, parse_recipe

CELL = """\
name: Cell
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 10 mA}}
"""


def program(steps: str, head: str = "record: {every: 10 s}\n"):
    return compile_recipe(parse_recipe(f"title: x\n{head}method:\n{steps}", "r"), parse_cell(CELL, "c"))


def of(steps: str, head: str = "record: {every: 10 s}\n") -> Estimate:
    return estimate(program(steps, head))


def test_steps_of_fixed_time_take_that_time():
    found = of("  - rest: {for: 10 min}\n  - times: 6\n    repeat: [rest: {for: 1 min}]\n")
    assert found.duration_s == Bounds(960.0, 960.0)
    assert found.steps == Bounds(7.0, 7.0)
    assert found.samples == Bounds(61 + 6 * 7, 62 + 6 * 8)


def test_a_ladder_is_summed_value_by_value():
    found = of("  - ladder: {t: {from: 1 min, to: 10 min, by: 1 min}}\n    repeat: [rest: {for: $t}]\n")
    assert found.duration_s == Bounds(3300.0, 3300.0)


def test_charge_at_a_constant_current_takes_a_known_time_and_a_poll():
    found = of("  - plate: {current: 1 mA, until: charge >= 1 mAh}\n")
    assert found.duration_s == Bounds(3600.0, 3610.0)


def test_what_only_a_voltage_ends_has_no_upper_bound():
    found = of("  - plate: {current: 1 mA, until: voltage >= 4 V}\n")
    assert found.duration_s == Bounds(0.0, math.inf)
    bounded = of("  - plate: {current: 1 mA, until: voltage >= 4 V, for: 1 h}\n")
    assert bounded.duration_s == Bounds(0.0, 3600.0)


def test_no_charge_takes_no_time_and_no_current_takes_forever():
    assert of("  - plate: {current: 1 mA, until: charge >= 0 mAh}\n").duration_s == Bounds(0.0, 10.0)
    idle = of("  - constant_current: {current: 0 A, until: charge >= 1 mAh}\n")
    assert idle.duration_s == Bounds(math.inf, math.inf)
    assert idle.samples.high == math.inf


def test_a_loop_for_a_time_ends_with_the_turn_that_reaches_it():
    found = of("  - for: 100 s\n    repeat: [rest: {for: 30 s}]\n")
    assert found.duration_s == Bounds(120.0, 120.0)
    assert found.steps == Bounds(4.0, 4.0)


def test_a_detector_may_speak_at_once():
    found = of("  - times: 10\n    repeat: [rest: {for: 30 s}]\n    stop_when: short_circuit\n")
    assert found.duration_s == Bounds(0.0, 300.0)


def test_a_million_turns_cost_nothing():
    found = of(
        "  - ladder: {a: {from: 1 s, to: 3000 s, by: 1 s}}\n    repeat:\n"
        "      - ladder: {b: {from: 1 s, to: 3000 s, by: 1 s}}\n"
        "        repeat: [rest: {for: $b, until: charge >= 1 mAh}]\n"
    )
    assert found.steps == Bounds(9e6, 9e6)
    assert found.duration_s.low <= found.duration_s.high


def test_the_schedule_is_a_table_for_people():
    rows = describe(
        program(
            "  - rest: {for: 10 min, name: Soak}\n"
            "  - ladder: {i: [1 mA, 2 mA]}\n"
            "    repeat: [strip: {current: $i, until: voltage <= 0 V}]\n"
            "    for: 2 h\n"
            "    stop_when: short_circuit\n"
            "  - constant_voltage: {voltage: 4 V, current_limit: 1 mA, until: current <= 0.1 mA}\n"
        )
    )
    soak, ladder, strip, hold = rows
    assert (soak.indent, soak.step_id, soak.what, soak.setpoint, soak.ends) == (
        0,
        1,
        "Soak",
        "",
        "for 10 min",
    )
    assert soak.record == "every 10 s"
    assert soak.limits == "-5 V to 5 V, -10 mA to 10 mA"
    assert (ladder.step_id, ladder.what, ladder.setpoint) == (None, "ladder of $i", "2 times")
    assert ladder.ends == "2 h are over or short_circuit"
    assert (strip.indent, strip.setpoint, strip.ends) == (1, "-1 mA to -2 mA", "voltage <= 0 V")
    assert (hold.indent, hold.setpoint) == (0, "4 V, at most 1 mA")
