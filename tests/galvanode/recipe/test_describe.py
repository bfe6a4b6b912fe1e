"""The schedule as people read it: blocks, branches, jumps, variables, ends that lead elsewhere."""

from galvanode.cell import parse_cell
from galvanode.recipe import Row, compile_recipe, describe, parse_recipe

CELL = """\
name: Cell
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 2 mAh
reference_offset: 0 V
envelope: {voltage: {min: 0 V, max: 5 V}, current: {max: 10 mA}}
"""


def rows(method: str, head: str = "") -> list[Row]:
    text = f"version: 2\ntitle: x\n{head}method:\n{method}"
    return describe(compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c")))


def short(method: str, head: str = "") -> list[tuple[int, str, str, str]]:
    return [(row.indent, row.what, row.setpoint, row.ends) for row in rows(method, head)]


def test_an_if_has_its_branches_under_it():
    assert short(
        "  - rest: {for: 1 s}\n"
        "  - if: voltage >= 3 V\n"
        "    then:\n"
        "      - rest: {for: 2 s}\n"
        "    else:\n"
        "      - rest: {for: 3 s}\n"
        "      - fail: too low\n"
        "  - rest: {for: 4 s}\n"
    ) == [
        (0, "rest", "", "for 1 s"),
        (0, "if", "voltage >= 3 V", ""),
        (1, "rest", "", "for 2 s"),
        (0, "else", "", ""),
        (1, "rest", "", "for 3 s"),
        (1, "fail", "too low", ""),
        (0, "rest", "", "for 4 s"),
    ]


def test_a_goto_at_the_end_of_a_branch_is_no_else():
    assert short(
        "  - rest: {for: 1 s}\n"
        "  - if: voltage >= 3 V\n"
        "    then: [goto: last]\n"
        "  - rest: {for: 2 s}\n"
        "  - rest: {for: 3 s}\n"
        "    label: last\n"
    ) == [
        (0, "rest", "", "for 1 s"),
        (0, "if", "voltage >= 3 V", ""),
        (1, "goto line 8", "", ""),
        (0, "rest", "", "for 2 s"),
        (0, "rest", "", "for 3 s"),
    ]


def test_branches_in_branches():
    found = short(
        "  - rest: {for: 1 s}\n"
        "  - if: voltage >= 3 V\n"
        "    then:\n"
        "      - if: charge >= 1 mAh\n"
        "        then: [rest: {for: 2 s}]\n"
        "        else: [rest: {for: 3 s}]\n"
        "    else:\n"
        "      - if: charge >= 2 mAh\n"
        "        then: [end]\n"
    )
    assert [(indent, what) for indent, what, _, _ in found] == [
        (0, "rest"),
        (0, "if"),
        (1, "if"),
        (2, "rest"),
        (1, "else"),
        (2, "rest"),
        (0, "else"),
        (1, "if"),
        (2, "end"),
    ]


def test_jumps_say_where_and_how_often():
    found = short(
        "  - rest: {for: 1 s}\n    label: again\n"
        "  - repeat:\n"
        "      - rest: {for: 1 s}\n"
        "      - {if: voltage >= 3 V, then: [break]}\n"
        "      - {if: voltage >= 2 V, then: [break: high enough]}\n"
        "    times: 3\n"
        "  - {if: voltage >= 1 V, then: [goto: {label: again, at_most: 5}]}\n"
        "  - end: done\n"
    )
    assert [(what, setpoint) for _, what, setpoint, _ in found if what not in ("rest", "if")] == [
        ("repeat", "3 times"),
        ("break", ""),
        ("break", "high enough"),
        ("goto line 4, at most 5 times", ""),
        ("end", "done"),
    ]


def test_an_end_says_what_it_waits_for_and_where_it_leads():
    (charge, last) = short(
        "  - charge:\n"
        "      rate: 1C\n"
        "      for: 5 h\n"
        "      until:\n"
        "        - {when: voltage >= 4 V, held_for: 10 s, not_before: 5 min, by: 4 h, otherwise: end}\n"
        "        - {when: temperature >= 50 degC, then: goto last}\n"
        "  - rest: {for: 1 s}\n    label: last\n"
    )
    assert charge[3] == (
        "for 5 h; or voltage >= 4 V, held for 10 s, not before 5 min, by 4 h, otherwise end; "
        "or temperature >= 50 degC, then goto line 10"
    )
    assert last[3] == "for 1 s"


def test_a_group_has_its_name_and_its_ends():
    (group, _, settle, _) = short(
        "  - group: [rest: {for: 10 s}]\n    for: 1 h\n    name: settle\n    stop_when: voltage >= 1 V\n"
        "  - group: [rest: {for: 10 s}]\n"
    )
    assert group == (0, "settle", "", "for 1 h or voltage >= 1 V")
    assert settle == (0, "group", "", "")


def test_a_repeat_that_only_a_condition_ends_has_no_number_of_turns():
    ((_, what, turns, ends), _) = short(
        "  - repeat: [discharge: {rate: 1C, for: 1 h}]\n    stop_when: retention <= 80 % of cycle 2\n"
    )
    assert (what, turns, ends) == ("repeat", "", "retention <= 80 % of cycle 2")


def test_what_is_set_is_shown_with_the_name():
    found = short(
        "  - discharge: {rate: 1C, for: 1 h}\n"
        "  - set: {capacity: charge, tenth: $capacity / 10 h}\n"
        "  - charge: {current: $tenth, until: charge >= $capacity}\n"
        "  - discharge: {current: 2 * $tenth, for: 1 h}\n"
        "  - constant_current: {current: $tenth - 1 mA, for: 1 h}\n"
        "  - constant_current: {current: 'min($tenth, 1 mA)', for: 1 h}\n"
    )
    assert [(what, setpoint, ends) for _, what, setpoint, ends in found[1:]] == [
        ("set $capacity", "charge", ""),
        ("set $tenth", "$capacity / 10 h", ""),
        ("charge", "$tenth", "charge >= $capacity"),
        ("discharge", found[4][2], "for 1 h"),
        ("constant_current", "$tenth - 1 mA", "for 1 h"),
        ("constant_current", "min($tenth, 1 mA)", "for 1 h"),
    ]
    assert "$tenth" in found[4][2]
    assert "2" in found[4][2]


def test_a_rate_of_the_capacity_just_measured():
    found = short(
        "  - discharge: {rate: 1C, for: 1 h}\n  - set: {nominal_capacity: charge}\n  - charge: {rate: C/5, for: 1 h}\n"
    )
    assert found[2][2] == "0.2C of the capacity that is set"


def test_a_voltage_from_the_rest_voltage_on():
    found = short(
        "  - constant_voltage: {voltage: open_circuit + 10 mV, for: 1 h}\n"
        "  - sweep: {from: open_circuit - 0.1 V, to: 4 V, rate: 1 mV/s}\n"
    )
    assert found[0][2] == "open circuit + 10 mV"
    assert found[1][2] == "open circuit - 100 mV to 4 V at 1 mV/s"


def test_steps_number_on_inside_a_call_and_stand_in_its_line():
    found = rows("  - rest: {for: 1 s}\n  - call: linear-sweep\n  - rest: {for: 1 s}\n")
    numbers = [row.step_id for row in found if row.step_id is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {row.line for row in found[1:-1]} == {5}
