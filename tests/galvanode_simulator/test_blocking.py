"""Pellets between blocking electrodes: what a technician measures on them is what the papers say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvanode_simulator.cells import CELLS, BlockingCell, BlockingParameters

N15 = CELLS["lzc-n15-pellet"]
EV = 8.617333262e-5
PELLETS = {
    "lzc-pellet": 0.51,
    "lzc-n05-pellet": 0.93,
    "lzc-n10-pellet": 1.18,
    "lzc-n15-pellet": 1.50,
    "lzc-n20-pellet": 1.34,
    "lzc-n25-pellet": 0.74,
    "lznc-pellet": 1.03,
    "lznc-x0-pellet": 0.515,
    "lznc-annealed-pellet": 1.46e-4,
}


def resistance(cell: BlockingCell, low: float = 1.0, high: float = 1e6) -> float:
    """Where the spectrum comes closest to the real axis between its arcs and the electrodes' tail."""
    spectrum = [cell.impedance(f) for f in np.geomspace(low, high, 400)]
    angles = [-z.imag / z.real for z in spectrum]
    tail = next(n for n in range(1, 399) if angles[n] <= angles[n + 1])
    return spectrum[tail].real


@pytest.mark.parametrize(("preset", "conductivity"), PELLETS.items())
def test_the_foot_of_the_spectrum_is_the_papers_conductivity(preset, conductivity):
    cell = BlockingCell(CELLS[preset], 1)
    p = cell.parameters
    low = 0.02 if "annealed" in preset else 1.0
    found = p.thickness / p.area / resistance(cell, low)
    assert 10 * found == pytest.approx(conductivity, rel=0.06)  # a foot is not a fit


@pytest.mark.parametrize(
    ("preset", "energy"), [("lzc-pellet", 0.349), ("lzc-n15-pellet", 0.244), ("lznc-pellet", 0.327)]
)
def test_the_ladder_of_temperatures_gives_the_papers_activation_energy(preset, energy):
    cell = BlockingCell(CELLS[preset], 1)
    temperatures = np.array([298.15, 308.15, 318.15, 328.15, 338.15])
    resistances = []
    for kelvin in temperatures:
        cell.set_temperature(kelvin)
        resistances.append(sum(cell._elements().resistance[:33].tolist()))  # bulk, contacts, boundaries
    slope = np.polyfit(1 / temperatures, np.log(temperatures / np.array(resistances)), 1)[0]
    assert -slope * EV == pytest.approx(energy, rel=1e-3)


@pytest.mark.parametrize("volts", [0.1, 0.3, 1.0])
@pytest.mark.parametrize(
    ("preset", "conductivity"),
    [
        ("lzc-pellet", 8.50e-10),
        ("lzc-n05-pellet", 5.08e-10),
        ("lzc-n15-pellet", 1.99e-10),
        ("lznc-x0-pellet", 8.11e-9),
        ("lznc-pellet", 1.09e-9),
    ],
)
def test_dc_polarisation_comes_down_to_the_papers_electronic_conductivity(preset, conductivity, volts):
    cell = BlockingCell(CELLS[preset], 1)
    p = cell.parameters
    cell.hold_voltage(volts, 3600.0)
    found = cell.current(volts) * p.thickness / (p.area * volts) / 100.0
    assert found == pytest.approx(conductivity, rel=2e-3)


def test_the_polarisation_current_falls_as_a_power_of_time_before_the_plateau():
    cell = BlockingCell(N15.model_copy(update={"electronic_conductivity": 0.0}), 1)
    n = N15.blocking_exponent
    q = N15.blocking_capacitance * N15.area * (2 * math.pi) ** (1 - n)
    for seconds in (0.3, 0.7, 2.0, 7.0):
        cell.hold_voltage(1.0, seconds)
    assert cell.current(1.0) == pytest.approx(q * 10.0**-n / math.gamma(1 - n), rel=0.03)


def test_the_plateau_stands_free_within_half_an_hour():
    cell = BlockingCell(N15, 1)
    ohm = 1.0 / cell.impedance(1e-9).real
    cell.hold_voltage(1.0, 300.0)
    assert cell.current(1.0) > 1.05 * ohm
    cell.hold_voltage(1.0, 1500.0)
    assert cell.current(1.0) == pytest.approx(ohm, rel=0.02)


steps = st.lists(
    st.tuples(st.booleans(), st.floats(-1.0, 1.0), st.floats(1e-3, 1e4), st.integers(2, 6)), min_size=1, max_size=5
)


@given(steps=steps)
def test_splitting_an_interval_gives_the_same_state(steps):
    whole, split = BlockingCell(N15, 1), BlockingCell(N15, 1)
    for current, level, duration, parts in steps:
        if current:
            whole.hold_current(1e-8 * level, duration)
        else:
            whole.hold_voltage(level, duration)
        for _ in range(parts):
            if current:
                split.hold_current(1e-8 * level, duration / parts)
            else:
                split.hold_voltage(level, duration / parts)
    assert split._ladder.volts == pytest.approx(whole._ladder.volts, rel=1e-7, abs=1e-9)


@given(steps=st.lists(st.tuples(st.floats(-1e-6, 1e-6), st.floats(0.01, 300.0)), min_size=1, max_size=5))
@settings(max_examples=40)
def test_a_pellet_never_gives_energy_back_beyond_what_it_took(steps):
    cell = BlockingCell(N15, 1)
    energy = 0.0
    for amps, duration in steps:
        for _ in range(100):
            before = cell.voltage(amps)
            cell.hold_current(amps, duration / 100)
            energy += 0.5 * (before + cell.voltage(amps)) * amps * duration / 100
    assert energy >= -1e-12


@given(amps=st.floats(-1e-6, 1e-6), duration=st.floats(0.01, 1e5))
@settings(max_examples=40)
def test_the_bound_on_the_voltage_holds(amps, duration):
    cell = BlockingCell(N15, 1)
    cell.hold_voltage(0.5, 10.0)
    bound = cell.voltage_bound(amps)
    for _ in range(10):
        cell.hold_current(amps, duration / 10)
        assert abs(cell.voltage(amps)) <= bound * (1 + 1e-9)


def test_a_held_voltage_is_held_and_a_held_current_flows():
    cell = BlockingCell(N15, 1)
    cell.hold_voltage(0.3, 5.0)
    assert cell.voltage(cell.current(0.3)) == pytest.approx(0.3, rel=1e-12)
    cell.hold_current(1e-7, 5.0)
    assert cell.current(cell.voltage(1e-7)) == pytest.approx(1e-7, rel=1e-6)


def test_no_current_leaves_a_pellet_that_holds_nothing_at_zero():
    cell = BlockingCell(N15, 1)
    cell.hold_current(0.0, 1e6)
    assert cell.voltage(0.0) == 0.0


def test_trying_a_future_leaves_no_trace():
    cell = BlockingCell(N15, 1)
    cell.hold_voltage(0.2, 3.0)
    before = cell._ladder.volts.copy(), cell.voltage(0.0)
    cell.voltage_after(1e-6, 100.0)
    assert (cell._ladder.volts == before[0]).all()
    assert cell.voltage(0.0) == before[1]


def test_a_change_of_temperature_moves_no_charge():
    cell = BlockingCell(N15, 1)
    cell.hold_voltage(0.2, 100.0)
    before = cell.voltage(0.0)
    cell.set_temperature(333.15)
    assert cell.voltage(0.0) == pytest.approx(before, rel=1e-3)


def test_a_poll_may_come_while_the_chamber_ramps():
    cell = BlockingCell(N15, 1)
    cell.hold_voltage(0.2, 1000.0)
    for n in range(100):
        cell.set_temperature(298.15 + 0.05 * n)
        cell.hold_voltage(0.2, 1.0)
    assert 0 < cell.current(0.2) < 1e-8


@given(
    conductivity=st.floats(1e-6, 10.0),
    share=st.floats(0.0, 0.99),
    exponents=st.tuples(st.floats(0.5, 1.0), st.floats(0.5, 1.0)),
    electronic=st.one_of(st.just(0.0), st.floats(1e-12, 1e-4)),
    kelvin=st.floats(230.0, 420.0),
    thickness=st.floats(1e-5, 5e-3),
)
def test_any_pellet_stays_finite_and_reaches_its_leakage(conductivity, share, exponents, electronic, kelvin, thickness):
    p = BlockingParameters().model_copy(
        update={
            "conductivity": conductivity,
            "grain_boundary_share": share,
            "grain_boundary_exponent": exponents[0],
            "blocking_exponent": exponents[1],
            "electronic_conductivity": electronic,
            "thickness": thickness,
        }
    )
    cell = BlockingCell(p, 1)
    cell.set_temperature(kelvin)
    for amps in (1e-6, 0.0, -1e-6):
        cell.hold_current(amps, 3.0)
        assert math.isfinite(cell.voltage(amps))
    cell.hold_voltage(0.1, 1e9)
    plateau = 0.1 / cell._leakage()
    assert cell.current(0.1) == pytest.approx(plateau, rel=1e-6, abs=1e-15)


def test_cells_scatter_by_their_seed_when_asked_to():
    alike = {BlockingCell(N15, seed).conductivity for seed in range(5)}
    scattered = {BlockingCell(N15.model_copy(update={"spread": 0.02}), seed).conductivity for seed in range(5)}
    assert alike == {N15.conductivity}
    assert len(scattered) == 5
    assert BlockingCell(N15.model_copy(update={"spread": 0.02}), 3).conductivity in scattered


def test_every_parameter_is_read_with_its_unit():
    p = BlockingParameters.model_validate(
        {
            "conductivity": "1.5 mS/cm",
            "grain_boundary_share": "30 %",
            "blocking_cutoff": "1 mHz",
            "blocking_capacitance": "10 uF/cm^2",
            "lead_reactance": "3 ohm",
            "stray_capacitance": "20 pF",
        }
    )
    assert (p.conductivity, p.grain_boundary_share, p.blocking_cutoff) == (0.15, 0.3, 1e-3)
    assert (p.blocking_capacitance, p.lead_reactance, p.stray_capacitance) == (0.1, 3.0, 2e-11)
