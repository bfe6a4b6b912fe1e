"""A recipe that an instrument can run by itself becomes its schedule; any other is refused with its line."""

from __future__ import annotations

import pytest

from galvanode.cell import CellUnderTest, read_cell
from galvanode.engine.scheduling import Scheduled, schedule_of
from galvanode.instrument.roles import Envelope
from galvanode.instrument.schedule import CannotExpress, Current, Load, Power, Repeat, Rest, ScheduledStep, Voltage
from galvanode.library import library
from galvanode.recipe import compile_recipe, parse_recipe

ENVELOPE = Envelope(1.0, 4.5, 0.01)
HEAD = "version: 2\ntitle: a recipe\nsafety: {voltage: {min: 2 V, max: 4.3 V}}\nmethod:\n"


@pytest.fixture(scope="module")
def cell() -> CellUnderTest:
    return read_cell(library() / "cells" / "lfp-li-zni2.yaml")


def scheduled(method: str, cell: CellUnderTest) -> Scheduled:
    return schedule_of(compile_recipe(parse_recipe(HEAD + method, "r.yaml"), cell, {}), ENVELOPE)


CYCLE = """\
  - repeat:
      - charge: {current: 1 mA, until: voltage >= 4 V, then_hold: {until: current <= 0.1 mA, for: 2 h}}
      - rest: {for: 10 min}
      - discharge: {current: 1 mA, until: voltage <= 2.5 V}
    times: 3
"""


def test_a_block_stays_a_block_and_a_charge_with_a_hold_is_two_steps(cell):
    found = scheduled(CYCLE, cell)
    (block,) = found.schedule.items
    assert isinstance(block, Repeat)
    assert block.times == 3
    drives = [step.drive for step in found.schedule.steps]
    assert drives[0] == Current(1e-3)
    assert isinstance(drives[1], Voltage)
    assert drives[1].voltage == 4.0
    assert drives[2:] == [Rest(), Current(-1e-3)]
    charge, hold, *_ = found.schedule.steps
    assert [(end.quantity, end.comparison, end.value) for end in charge.ends] == [("voltage", ">=", 4.0)]
    assert ("time", ">=", 7200.0) in [(end.quantity, end.comparison, end.value) for end in hold.ends]
    assert charge.line == hold.line == 6


def test_steps_know_their_instruction(cell):
    program = compile_recipe(parse_recipe(HEAD + CYCLE, "r.yaml"), cell, {})
    found = schedule_of(program, ENVELOPE)
    for step in found.schedule.steps:
        instruction = program.instructions[found.instructions[step.number]]
        assert (instruction.kind, instruction.name) == ("step", step.name)


def test_limits_of_the_recipe_go_along(cell):
    step = scheduled(CYCLE, cell).schedule.steps[0]
    assert (step.bounds.voltage_min, step.bounds.voltage_max) == (2.0, 4.3)


def test_a_ladder_is_written_out(cell):
    found = scheduled(
        """\
  - ladder: {current: {from: 1 mA, to: 3 mA, by: 1 mA}}
    repeat:
      - charge: {current: $current, until: voltage >= 4 V}
""",
        cell,
    )
    assert [step.drive for step in found.schedule.steps] == [Current(1e-3), Current(2e-3), Current(3e-3)]
    assert len(set(found.instructions.values())) == 1
    assert all(isinstance(item, ScheduledStep) for item in found.schedule.items)


def test_powers_and_loads(cell):
    found = scheduled(
        """\
  - constant_power: {power: -2 mW, for: 1 h, until: voltage <= 2.5 V}
  - constant_resistance: {resistance: 1 kohm, for: 1 h}
""",
        cell,
    )
    assert [step.drive for step in found.schedule.steps] == [Power(-2e-3), Load(1000.0)]


@pytest.mark.parametrize(
    ("method", "line", "says"),
    [
        (CYCLE + "    stop_when: retention <= 80 %\n", 5, "ends a block; .* after a count only"),
        ("  - rest: {until: temperature >= 30 degC, for: 1 h}\n", 5, "'temperature >= 30 degC' ends a step"),
        ("  - charge: {current: 1 mA, until: voltage_drop >= 5 mV}\n", 5, "ends a step"),
        (
            "  - charge: {current: 1 mA, until: {when: voltage >= 4 V, then: end}}\n",
            5,
            "'voltage >= 4 V' leads to 'end'",
        ),
        ("  - charge: {current: 1 mA, until: {when: voltage >= 4 V, held_for: 9 s}}\n", 5, "4 V' must hold for 9 s"),
        ("  - charge: {current: 1 mA, until: {when: voltage >= 4 V, by: 1 h}}\n", 5, "must come within a given time"),
        ("  - charge: {current: 1 mA, for: 1 h, instrument: analyzer}\n", 5, "charge is for an analyzer"),
        ("  - sweep: {from: 2.5 V, to: 3 V, rate: 1 mV/s}\n", 5, r"sweep: no step of an instrument"),
        ("  - operator: {message: is it on?}\n", 5, "a question is asked"),
        ("  - rest: {for: 1 h}\n  - set: {v: voltage}\n", 6, "'v: voltage' is worked out while it runs"),
        ("  - rest: {for: 1 h}\n  - end: done\n", 6, "an? 'end' stands as a step"),
    ],
)
def test_what_needs_the_host_is_refused_with_its_line(cell, method, line, says):
    with pytest.raises(CannotExpress, match=says) as refused:
        scheduled(method, cell)
    assert refused.value.line == line
