"""A source with a limit at a cell: who is in charge, and when that changes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode_simulator.cells import PRESETS, LiSymmetricCell, ResistorCell
from galvanode_simulator.parts.drive import (
    at_terminals_of_current,
    at_terminals_of_voltage,
    drive_current,
    drive_voltage,
)

SLOW = PRESETS["llzto-zni2"].model_copy(
    update={
        "polarisation_resistance": 400e-4,
        "polarisation_time_constant": 60.0,
        "polarisation_scale": math.inf,
        "critical_current_density": 1e6,
        "interface_growth": 0.0,
    }
)


@given(amps=st.floats(-1e-2, 1e-2), limit=st.floats(0.02, 1.0), seconds=st.floats(0.1, 1000.0))
def test_a_current_source_never_exceeds_its_voltage_limit(amps, limit, seconds):
    cell = LiSymmetricCell(SLOW, 1)
    for _ in range(5):
        drive_current(cell, amps, limit, seconds / 5)
        volts, flowing, limited = at_terminals_of_current(cell, amps, limit)
        assert abs(volts) <= limit * (1 + 1e-9)
        assert abs(flowing) <= abs(amps) * (1 + 1e-6)
        assert limited == (abs(flowing) < abs(amps) * (1 - 1e-9) or abs(volts) == limit)


@given(volts=st.floats(-1.0, 1.0), limit=st.floats(1e-6, 1e-2), seconds=st.floats(0.1, 1000.0))
def test_a_voltage_source_never_exceeds_its_current_limit(volts, limit, seconds):
    cell = LiSymmetricCell(SLOW, 1)
    for _ in range(5):
        drive_voltage(cell, volts, limit, seconds / 5)
        held, amps, _ = at_terminals_of_voltage(cell, volts, limit)
        assert abs(amps) <= limit * (1 + 1e-9)
        assert abs(held) <= abs(volts) * (1 + 1e-6) + 1e-12


def test_the_clamp_begins_at_the_moment_the_limit_is_reached():
    cell = LiSymmetricCell(SLOW, 1)
    amps = 1e-3
    fast = cell.voltage(amps) + 2 * SLOW.interface_resistance / SLOW.area * amps
    slow = SLOW.polarisation_resistance / SLOW.area * amps
    limit = fast + 0.5 * slow  # reached after tau ln 2
    drive_current(cell, amps, limit, 60.0 * math.log(2) * 0.999)
    assert not at_terminals_of_current(cell, amps, limit)[2]
    drive_current(cell, amps, limit, 60.0 * math.log(2) * 0.002)
    assert at_terminals_of_current(cell, amps, limit)[2]


def test_one_long_stretch_equals_many_short_ones_across_the_clamp():
    once, often = LiSymmetricCell(SLOW, 1), LiSymmetricCell(SLOW, 1)
    drive_current(once, 1e-3, 0.4, 300.0)
    for _ in range(300):
        drive_current(often, 1e-3, 0.4, 1.0)
    assert (once.v1, once.v2) == pytest.approx((often.v1, often.v2), rel=1e-6)
    assert once.charge == pytest.approx(often.charge, rel=1e-6)


def test_a_voltage_source_charges_at_its_limit_first():
    once, often = LiSymmetricCell(SLOW, 1), LiSymmetricCell(SLOW, 1)
    drive_voltage(once, 0.4, 7e-4, 300.0)
    for _ in range(300):
        drive_voltage(often, 0.4, 7e-4, 1.0)
    assert (once.v1, once.v2) == pytest.approx((often.v1, often.v2), rel=1e-6)
    _, amps, limited = at_terminals_of_voltage(once, 0.4, 7e-4)
    assert not limited
    assert amps < 7e-4


def test_a_short_ends_the_clamp_of_a_current_source():
    cell = LiSymmetricCell(PRESETS["llzto-zni2"], 1)
    amps = 30.0 * cell.parameters.area  # above its critical current density: 0.37 V
    drive_current(cell, amps, 0.36, 3600.0)
    volts, flowing, limited = at_terminals_of_current(cell, amps, 0.36)
    assert cell.short == "hard"
    assert (flowing, limited) == (amps, False)
    assert volts == pytest.approx(amps * 1.0, rel=0.02)


def test_a_resistor_clamps_by_ohms_law():
    cell = ResistorCell(100.0)
    assert at_terminals_of_current(cell, 0.1, 5.0) == (5.0, 0.05, True)
    assert at_terminals_of_voltage(cell, -5.0, 0.01) == (-1.0, -0.01, True)
    drive_current(cell, 0.1, 5.0, 1e6)
    drive_voltage(cell, 5.0, 0.01, 1e6)
