"""Every cell's impedance is that of the circuit which passes its time."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvanode_simulator.cells import CELLS, ResistorCell, build_cell
from galvanode_simulator.cells.ladder import Ladder, Poles, arc, tail

KINDS = ["llzto-zni2", "lzc-n15-pellet", "lzc-n15-composite", "lfp-zni2", "lco-lzc-n15"]
STILL = {"interface_growth": 0.0}
"""A cell that does not change while it is measured."""


def make(preset: str, **changes):
    parameters = CELLS[preset]
    if preset.startswith("llzto"):
        changes = STILL | changes
    return build_cell(parameters.model_copy(update=changes), 1)


def response(cell, frequency: float, amplitude: float, bias: float = 0.0, steps: int = 400, periods: int = 3):
    """Impedance as an instrument would measure it: a staircase of sine-shaped current, the last period counts."""
    dt = 1.0 / frequency / steps
    volts = np.empty(steps)
    amps = np.empty(steps)
    for _ in range(periods):
        start = cell.voltage(bias)
        for n in range(steps):
            amps[n] = bias + amplitude * math.sin(2 * math.pi * (n + 0.5) / steps)
            cell.hold_current(amps[n], dt / 2)
            volts[n] = cell.voltage(amps[n])
            cell.hold_current(amps[n], dt / 2)
    ramp = np.arange(steps) / steps  # what a bias charges is a straight line, not a period
    drift = cell.voltage(bias) - start
    turn = np.exp(-2j * np.pi * np.arange(steps) / steps)
    return ((volts - drift * ramp) * turn).sum() / (amps * turn).sum()


@pytest.mark.parametrize(
    ("preset", "changes", "frequencies", "amplitude"),
    [
        ("llzto-zni2", {"interface_capacitance": 20.0}, (1e-3, 0.1, 3.0, 20.0), 1e-6),
        (
            "llzto-zni2",
            {"interface_capacitance": 20.0, "interface_exponent": 0.8, "grain_boundary_resistance": 40e-4},
            (0.1, 3.0, 20.0),
            1e-6,
        ),
        ("lzc-n15-pellet", {}, (1e-3, 0.03, 1.0, 30.0), 1e-6),
        ("lznc-annealed-pellet", {"grain_boundary_capacitance": 1e-3}, (0.3, 10.0), 1e-9),
        ("lzc-n15-composite", {}, (0.01, 1.0, 30.0), 1e-7),
        ("lfp-zni2", {}, (1e-3, 1.0, 30.0), 1e-6),
        ("lco-lzc-n15", {}, (1e-3, 1.0, 30.0), 1e-6),
    ],
)
def test_a_sine_of_current_finds_the_impedance(preset, changes, frequencies, amplitude):
    for frequency in frequencies:
        cell = make(preset, **changes)
        if preset.startswith(("lco", "lfp")):  # away from the steep end of its curve
            cell.hold_current(1e-4, 3 * 3600.0)
            cell.hold_current(0.0, 36000.0)
        periods = 3 if frequency > 0.01 else 8
        expected = cell.impedance(frequency)
        found = response(cell, frequency, amplitude, periods=periods)
        assert found == pytest.approx(expected, rel=4e-3), frequency


def test_around_a_direct_current_the_slope_counts():
    cell = make("lfp-zni2")
    bias = 2e-4
    cell.hold_current(bias, 1800.0)
    expected = cell.impedance(20.0, bias)
    assert response(cell, 20.0, 1e-6, bias, periods=4) == pytest.approx(expected, rel=5e-3)
    assert expected.real < cell.impedance(20.0).real  # charge transfer is easier at a high current


@pytest.mark.parametrize(
    "changes", [{}, {"interface_exponent": 0.8, "grain_boundary_resistance": 40e-4}], ids=["plain", "arcs"]
)
@pytest.mark.parametrize("preset", ["llzto-zni2", "llzto-bare", "llzto-thick"])
def test_a_symmetric_cells_low_frequency_limit_is_its_dc_resistance(preset, changes):
    cell = make(preset, **changes)
    amps = 1e-9
    cell.hold_current(amps, 1e5)
    assert cell.impedance(1e-9).real == pytest.approx(cell.voltage(amps) / amps, rel=1e-9)
    high = 1e-4  # the slope, no longer the quotient, where the polarisation bends
    slope = (steady(preset, changes, high * 1.001) - steady(preset, changes, high * 0.999)) / (0.002 * high)
    assert make(preset, **changes).impedance(1e-9, high).real == pytest.approx(slope, rel=1e-6)


def steady(preset: str, changes: dict, amps: float) -> float:
    cell = make(preset, **changes)
    cell.parameters = cell.parameters.model_copy(update={"critical_current_density": 1e9, "life": 1e12})
    cell._life = 1e12
    cell.hold_current(amps, 1e4)
    return cell.voltage(amps)


def test_a_blocking_cells_low_frequency_limit_is_its_leakage():
    cell = make("lznc-x0-pellet")
    amps = 1e-9
    cell.hold_current(amps, 1e6)
    assert cell.impedance(1e-9).real == pytest.approx(cell.voltage(amps) / amps, rel=1e-6)


@pytest.mark.parametrize("preset", ["lfp-zni2", "lco-lzc-n15", "lco-lznc"])
def test_a_batterys_low_frequency_limit_is_its_polarisation(preset):
    cell = make(preset)
    one_c = cell.parameters.active_mass * cell.parameters.rate_capacity / 3600.0
    cell.hold_current(0.2 * one_c, 1.5 * 3600.0)
    cell.hold_current(0.0, 1e5)
    rest, x = cell.voltage(0.0), cell.x
    amps = 1e-4 * one_c
    cell.hold_current(amps, 5e3)
    curve = cell._potential
    polarisation = cell.voltage(amps) - rest - (curve(cell.x) - curve(x))
    assert cell.impedance(1e-8).real == pytest.approx(polarisation / amps, rel=1e-3)


def test_a_cell_that_blocks_shows_its_ohmic_resistance_towards_low_frequency():
    cell = make("lzc-composite")
    assert cell.impedance(1e-3).real == pytest.approx(cell.voltage(1e-6) / 1e-6 - 2.6 / 1e-6, rel=1e-6)
    assert cell.impedance(1e-3).imag == pytest.approx(-1 / (2e-3 * math.pi * 5.0 * 0.785e-4), rel=1e-6)


def test_the_impedance_of_the_coated_cell_is_bulk_and_interfaces():
    cell = make("llzto-zni2")
    p = cell.parameters
    bulk = p.thickness / p.conductivity / p.area
    interfaces = 2 * p.interface_resistance / p.area
    assert cell.impedance(2e6).real == pytest.approx(bulk, rel=0.02)
    assert cell.impedance(5.0).real == pytest.approx(bulk + interfaces, rel=1e-3)
    top = 1 / (2 * math.pi * p.interface_resistance * p.interface_capacitance)
    frequencies = np.geomspace(top / 3, top * 3, 301)
    arc_top = frequencies[np.argmin([cell.impedance(f).imag for f in frequencies])]
    assert arc_top == pytest.approx(top, rel=0.02)


def test_what_grows_at_the_interfaces_is_in_their_arc():
    cell = build_cell(CELLS["llzto-zni2"], 1)
    before = cell.impedance(5.0).real - cell.impedance(1e6).real
    for cycle in range(200):
        cell.hold_current((1 if cycle % 2 == 0 else -1) * 1.0 * cell.parameters.area, 3600.0)
    cell.hold_current(0.0, 1e4)
    grown = cell.impedance(5.0).real - cell.impedance(1e6).real - before
    assert grown * cell.parameters.area / 2 == pytest.approx(3.2e-4, rel=0.02)


def test_a_short_lowers_the_impedance_to_its_own():
    cell = make("llzto-zni2")
    cell.hold_current(30.0 * cell.parameters.area, 3600.0)
    assert cell.impedance(1.0).real == pytest.approx(1.0, rel=0.02)


def test_a_resistor_is_one():
    assert ResistorCell(120.0).impedance(1e3) == 120.0


@pytest.mark.parametrize("preset", KINDS)
def test_leads_add_inductance_and_stray_capacitance(preset):
    plain = make(preset)
    wired = make(preset, lead_reactance=6.28, stray_capacitance=1e-10)
    f = 1e6
    z = plain.impedance(f)
    assert wired.impedance(f) == pytest.approx(z / (1 + 2j * math.pi * f * 1e-10 * z) + 6.28j, rel=1e-9)
    assert wired.impedance(0.1) == pytest.approx(plain.impedance(0.1), rel=1e-4)


@pytest.mark.parametrize("preset", KINDS)
@pytest.mark.parametrize("frequency", [0.0, -1.0, math.inf, math.nan])
def test_what_is_no_frequency_is_refused(preset, frequency):
    with pytest.raises(ValueError, match="frequency"):
        make(preset).impedance(frequency)


@pytest.mark.parametrize("preset", sorted(CELLS))
@given(exponent=st.floats(-6.0, 7.0))
@settings(max_examples=25)
def test_every_cell_is_passive_and_capacitive(preset, exponent):
    z = make(preset).impedance(10.0**exponent)
    assert z.real > 0
    assert z.imag <= 0


@pytest.mark.parametrize("preset", KINDS)
def test_looking_at_the_impedance_changes_nothing(preset):
    looked, left = make(preset), make(preset)
    for cell in (looked, left):
        cell.hold_current(1e-5, 100.0)
    looked.impedance(1.0)
    looked.impedance(1.0, 1e-5)
    assert looked.voltage(1e-5) == left.voltage(1e-5)
    assert looked.voltage_after(1e-5, 50.0) == left.voltage_after(1e-5, 50.0)


ARCS = {"interface_capacitance": 20.0, "interface_exponent": 0.8, "grain_boundary_resistance": 40e-4}


@given(
    steps=st.lists(st.tuples(st.floats(-1e-4, 1e-4), st.floats(1e-3, 100.0), st.integers(2, 6)), min_size=1, max_size=4)
)
@settings(max_examples=30)
def test_splitting_an_interval_gives_the_same_state_of_dispersed_interfaces(steps):
    whole, split = make("llzto-zni2", **ARCS), make("llzto-zni2", **ARCS)
    for amps, duration, parts in steps:
        whole.hold_current(amps, duration)
        for _ in range(parts):
            split.hold_current(amps, duration / parts)
    assert split._arc_volts == pytest.approx(whole._arc_volts, rel=1e-9, abs=1e-15)


def test_a_held_voltage_ends_at_the_resistance_of_all_arcs():
    cell = make("llzto-zni2", **ARCS)
    cell.hold_voltage(1e-4, 1e5)
    amps = cell.current(1e-4)
    assert cell.voltage(amps) == pytest.approx(1e-4, rel=1e-9)
    assert 1e-4 / amps == pytest.approx(cell.impedance(1e-9).real, rel=1e-3)


@given(exponent=st.floats(0.5, 1.0), decade=st.floats(-7.0, 7.0))
def test_the_ladder_of_an_arc_is_the_arc(exponent, decade):
    shares, capacitances = arc(exponent)
    w = 10.0**decade
    found = (shares / (1 + 1j * w * shares * capacitances)).sum()
    assert abs(found - 1 / (1 + cmath.exp(exponent * cmath.log(1j * w)))) < 5e-5
    assert shares.sum() == pytest.approx(1.0)
    assert (shares > 0).all()


@given(exponent=st.floats(0.5, 0.99), decade=st.floats(0.0, 6.0))
def test_the_ladder_of_a_blocking_electrode_is_a_constant_phase_element(exponent, decade):
    f = 10.0**decade
    ladder = Ladder(tail(1e-5, exponent, 1e-3, 1e9))
    expected = 1 / (2 * math.pi * 1e-5) * cmath.exp(-exponent * cmath.log(1j * f))
    assert ladder.impedance(2 * math.pi * f) == pytest.approx(expected, rel=2e-3)


def test_a_blocking_electrode_without_dispersion_is_a_capacitor():
    ladder = Ladder(tail(1e-5, 1.0, 1e-3, 1e9))
    assert ladder.impedance(1.0) == pytest.approx(-1e5j)


def test_a_ladder_behind_a_held_voltage_agrees_with_brute_force():
    r, c = np.array([10.0, 50.0, 200.0, math.inf]), np.array([0.0, 1e-3, 2e-2, 5e-2])
    ladder = Ladder(Poles(r, c), leakage=1e4)
    ladder.hold_current(1e-3, 3.0)
    volts, h = ladder.volts[1:].copy(), 1e-5
    assert ladder.hold_voltage(0.7, 2.0) is None
    for _ in range(200_000):
        amps = (0.7 - volts.sum()) / 10.0
        volts += h * (amps - volts / r[1:]) / c[1:]
    assert ladder.volts[1:] == pytest.approx(volts, rel=1e-4)
    assert ladder.current(0.7) == pytest.approx((0.7 - volts.sum()) / 10.0 + 0.7 / 1e4, rel=1e-4)


def test_a_ladder_that_shares_a_current_with_its_leakage_agrees_with_brute_force():
    r, c = np.array([10.0, 50.0, 200.0, math.inf]), np.array([0.0, 1e-3, 2e-2, 5e-2])
    ladder = Ladder(Poles(r, c), leakage=300.0)
    volts, h = np.zeros(3), 1e-5
    ladder.hold_current(1e-3, 2.0)
    for _ in range(200_000):
        amps = (1e-3 * 300.0 - volts.sum()) / 310.0
        volts += h * (amps - volts / r[1:]) / c[1:]
    assert ladder.volts[1:] == pytest.approx(volts, rel=1e-4)
    assert ladder.voltage(1e-3) == pytest.approx(300.0 * (1e-3 - amps), rel=1e-4)
