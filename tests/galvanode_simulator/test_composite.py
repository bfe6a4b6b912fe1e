"""Voltammetry of an electrolyte-carbon composite: waves where they should be, and nothing between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvanode_simulator.cells import CELLS, CompositeCell, CompositeParameters

N15 = CELLS["lzc-n15-composite"]
UA_CM2 = 100.0  # of A/m2


def sweep(p: CompositeParameters, rate: float, end: float, step: float = 1e-3, cell: CompositeCell | None = None):
    """Staircase from open circuit; potentials free of I R (V) and current densities (uA/cm2)."""
    cell = cell or CompositeCell(p, 1)
    start = cell.voltage(0.0)
    volts = np.arange(start, end, math.copysign(step, end - start))
    amps = []
    for v in volts:
        cell.hold_voltage(v, step / rate)
        amps.append(cell.current(v))
    return volts - np.array(amps) * cell._series, np.array(amps) / p.area * UA_CM2


def tangent(e: np.ndarray, i: np.ndarray, noise: float = 0.0) -> float:
    """Onset by the tangent where the current rises most steeply over 30 mV, against the current before it."""
    if noise:
        i = i + noise * np.random.default_rng(1).standard_normal(len(i))
    width = max(3, round(0.03 / abs(e[10] - e[9])))
    windows = [np.lib.stride_tricks.sliding_window_view(values[:-1], width) for values in (e, i)]
    middles = [each.mean(axis=1) for each in windows]
    from_e, from_i = (each - middle[:, None] for each, middle in zip(windows, middles, strict=True))
    slopes = (from_e * from_i).sum(axis=1) / (from_e**2).sum(axis=1)
    steepest = np.argmax(slopes * np.sign(i[-1]) * np.sign(e[-1] - e[0]))
    slope = slopes[steepest]
    intercept = middles[1][steepest] - slope * middles[0][steepest]
    before = np.abs(e - e[0]) < 0.4
    return (np.median(i[before]) - intercept) / slope


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
@pytest.mark.parametrize(
    ("preset", "onset"),
    [("lzc-composite", 4.03), ("lzc-n15-composite", 4.08), ("lznc-composite", 4.02), ("lznc-x0-composite", 3.98)],
)
def test_the_tangent_on_a_noisy_current_meets_the_baseline_at_the_papers_oxidation_onset(preset, onset, rate):
    e, i = sweep(CELLS[preset], rate, 5.0)
    assert tangent(e, i, noise=0.2) == pytest.approx(onset, abs=0.012)


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
@pytest.mark.parametrize(("preset", "onset"), [("lzc-composite", 1.76), ("lzc-n15-composite", 1.69)])
def test_the_tangent_meets_the_baseline_at_the_papers_reduction_onset(preset, onset, rate):
    e, i = sweep(CELLS[preset], rate, 0.05)
    assert tangent(e, i, noise=0.2) == pytest.approx(onset, abs=0.012)


@pytest.mark.parametrize("step", [2e-4, 1e-3, 5e-3])
def test_the_onset_does_not_depend_on_the_steps_of_the_staircase(step):
    e, i = sweep(N15, 1e-3, 4.6, step)
    assert tangent(e, i) == pytest.approx(N15.tangent_onsets(1e-3)[1], abs=step + 3e-3)


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
def test_the_threshold_of_10_ua_is_near_the_tangent(rate):
    e, i = sweep(CELLS["lzc-composite"], rate, 4.5)
    assert e[np.argmax(i > 10.0)] == pytest.approx(4.03, abs=0.03)


def test_onsets_move_with_the_sweep_rate_as_the_cell_says():
    for rate in (1e-4, 1e-3):
        found = tangent(*sweep(N15, rate, 4.6)), tangent(*sweep(N15, rate, 0.5))
        assert found[0] == pytest.approx(N15.tangent_onsets(rate)[1], abs=4e-3)
        assert found[1] == pytest.approx(N15.tangent_onsets(rate)[0], abs=4e-3)


def test_the_nitride_has_a_small_wave_near_3_6_v_and_less_current_beyond_4_55_v():
    e, i = sweep(N15, 1e-4, 5.0)
    e0, i0 = sweep(CELLS["lzc-composite"], 1e-4, 5.0)
    early = e < 3.9
    assert e[early][np.argmax(i[early])] == pytest.approx(3.6, abs=0.02)
    assert 2.0 < i[early].max() < 8.0
    assert i0[e0 < 3.85].max() < 0.1
    for volts in (4.6, 4.8, 4.95):
        assert np.interp(volts, e, i) < 0.95 * np.interp(volts, e0, i0)


@pytest.mark.parametrize(("rate", "far"), [(1e-4, 0.02), (1e-3, 0.08)])
def test_the_reduction_has_its_peak_near_0_88_v(rate, far):
    e, i = sweep(N15, rate, 0.05)
    assert e[np.argmin(i)] == pytest.approx(0.88, abs=far)


def test_the_ohmic_drop_is_in_the_terminal_voltage():
    cell = CompositeCell(CELLS["lzc-composite"], 1)
    p = cell.parameters
    expected = p.thickness / p.conductivity / p.area + p.interface_resistance / p.area
    assert cell.voltage(1e-4) - cell.voltage(0.0) == pytest.approx(1e-4 * expected)


@given(kelvin=st.floats(270.0, 350.0), duration=st.floats(0.0, 1e8))
@settings(max_examples=30)
def test_at_rest_within_the_window_the_open_circuit_potential_is_exact(kelvin, duration):
    cell = CompositeCell(N15, 1)
    cell.set_temperature(kelvin)
    cell.hold_current(0.0, duration)
    assert cell.voltage(0.0) == N15.open_circuit_potential


def test_within_the_window_the_composite_is_a_capacitor_in_closed_form():
    cell = CompositeCell(N15, 1)
    c = N15.double_layer_capacitance * N15.area
    cell.hold_current(1e-6, 100.0)
    assert cell.voltage(0.0) == pytest.approx(2.6 + 1e-6 * 100.0 / c, rel=1e-12)
    cell.hold_voltage(2.5, 0.05)
    before = 2.6 + 1e-4 / c
    assert cell.voltage(0.0) == pytest.approx(2.5 + (before - 2.5) * math.exp(-0.05 / (cell._series * c)), rel=1e-12)


def test_what_has_reacted_does_not_react_again():
    cell = CompositeCell(N15, 1)
    first = sweep(N15, 1e-3, 4.6, 5e-3, cell)[1].max()
    sweep(N15, 1e-3, 3.0, 5e-3, cell)
    e, i = sweep(N15, 1e-3, 4.5, 5e-3, cell)
    assert i.max() < 0.02 * first
    assert e.max() > 4.4


def test_a_potential_held_beyond_the_onset_gives_a_current_that_falls_as_one_over_time():
    cell = CompositeCell(N15.model_copy(update={"double_layer_capacitance": 1e-3}), 1)
    cell.hold_voltage(4.25, 1e4)
    early = cell.current(4.25)
    cell.hold_voltage(4.25, 9e4)
    assert early / cell.current(4.25) == pytest.approx(10.0, rel=0.1)


def brute(cell: CompositeCell, volts: float | None, amps: float, duration: float, steps: int):
    """Potential and front of the oxidation by the smallest of steps."""
    p, sites, c = cell.parameters, cell._sites[0], cell._capacitance
    e, x, h = cell.potential, cell.fronts[0], duration / steps
    for _ in range(steps):
        speed = p.reference_rate * math.exp((e - x) / p.kinetic_width)
        flowing = amps if volts is None else (volts - e) / cell._series
        e, x = e + h * (flowing - sites.density(x)[0] * speed) / c, x + h * speed
    return e, x


@pytest.mark.parametrize("level", [4.15, 4.4])
def test_a_held_voltage_agrees_with_brute_force(level):
    cell = CompositeCell(N15, 1)
    sweep(N15, 1e-3, 4.13, 5e-3, cell)
    e, x = brute(cell, level, 0.0, 5.0, 200_000)
    cell.hold_voltage(level, 5.0)
    assert cell.potential == pytest.approx(e, abs=2e-6)
    assert cell.fronts[0] == pytest.approx(x, abs=2e-5)


@pytest.mark.parametrize("amps", [0.0, 3e-5, -3e-6])
def test_a_held_current_agrees_with_brute_force(amps):
    cell = CompositeCell(N15, 1)
    sweep(N15, 1e-3, 4.2, 5e-3, cell)
    e, x = brute(cell, None, amps, 5.0, 200_000)
    cell.hold_current(amps, 5.0)
    assert cell.potential == pytest.approx(e, abs=2e-6)
    assert cell.fronts[0] == pytest.approx(x, abs=2e-6)


@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.floats(-1.0, 1.0), st.floats(0.01, 300.0), st.integers(2, 8)),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=40)
def test_splitting_an_interval_changes_microvolts(steps):
    whole, split = CompositeCell(N15, 1), CompositeCell(N15, 1)
    for held, level, duration, parts in steps:
        if held:
            volts = 2.6 + (2.2 * level if level > 0 else 2.5 * level)
            whole.hold_voltage(volts, duration)
            for _ in range(parts):
                split.hold_voltage(volts, duration / parts)
        else:
            whole.hold_current(1e-5 * level, duration)
            for _ in range(parts):
                split.hold_current(1e-5 * level, duration / parts)
    assert split.potential == pytest.approx(whole.potential, abs=2e-5)
    assert split.fronts == pytest.approx(whole.fronts, abs=2e-5)


def test_no_more_energy_comes_out_than_the_reduction_holds_and_a_cycle_dissipates():
    cell = CompositeCell(N15, 1)
    c = N15.double_layer_capacitance * N15.area
    energies = []
    for end in (0.3, 2.6, 4.6, 2.6, 0.3, 2.6, 4.6, 2.6):
        energy, step = 0.0, 5e-3 if end > cell.voltage(0.0) else -5e-3
        for v in np.arange(cell.voltage(0.0), end + step / 2, step):
            cell.hold_voltage(v, 0.0)
            before = cell.potential, cell.fronts
            cell.hold_voltage(v, 5.0)
            # Charge by the double layer and by both reactions, at the terminals' voltage.
            reacted = [charge(cell, n, before[1][n], cell.fronts[n]) for n in (0, 1)]
            energy += v * (c * (cell.potential - before[0]) + reacted[0] - reacted[1])
        energies.append(energy)
    held = charge(cell, 1, cell._sites[1].foot, -0.3) * 1.76
    assert -held - 0.5 * c * 2.6**2 < energies[0] < 0  # discharging the double layer, and the reduction
    assert sum(energies[4:]) > 0
    assert sum(energies) > -held


def charge(cell: CompositeCell, reaction: int, low: float, high: float) -> float:
    if high <= low:
        return 0.0
    u = np.linspace(low, high, 9)
    return float(np.trapezoid([cell._sites[reaction].density(x)[0] for x in u], u))


def test_a_warm_cell_reacts_earlier_and_conducts_better():
    cold, warm = CompositeCell(N15, 1), CompositeCell(N15, 1)
    warm.set_temperature(333.15)
    assert warm._series < 0.5 * cold._series
    assert tangent(*sweep(N15, 1e-3, 4.6, 2e-3, warm)) < tangent(*sweep(N15, 1e-3, 4.6, 2e-3, cold)) - 5e-3


@pytest.mark.parametrize("end", [4.4, 0.7])
def test_at_rest_after_a_sweep_the_potential_creeps_back_within_its_bound(end):
    cell = CompositeCell(N15, 1)
    sweep(N15, 1e-3, end, 5e-3, cell)
    bound, start = cell.voltage_bound(0.0), cell.voltage(0.0)
    cell.hold_current(0.0, 100.0)
    first = cell.voltage(0.0) - start
    cell.hold_current(0.0, 1e7)
    assert 0 < first * math.copysign(1.0, 2.6 - end) < abs(cell.voltage(0.0) - start) < 0.25
    assert abs(cell.voltage(0.0)) <= bound


def test_trying_a_future_leaves_no_trace():
    cell = CompositeCell(N15, 1)
    sweep(N15, 1e-3, 4.2, 5e-3, cell)
    before = dict(cell.__dict__)
    cell.voltage_after(1e-4, 100.0)
    assert cell.__dict__ == before


@given(volts=st.floats(-5.0, 10.0), duration=st.floats(1e-3, 1e5), kelvin=st.floats(250.0, 370.0))
@settings(max_examples=50)
def test_any_held_voltage_is_reached_and_stays_finite(volts, duration, kelvin):
    cell = CompositeCell(N15, 1)
    cell.set_temperature(kelvin)
    cell.hold_voltage(volts, duration)
    assert math.isfinite(cell.current(volts))
    assert math.isfinite(cell.fronts[0])
    assert min(volts, 2.6) - 1e-3 <= cell.potential <= max(volts, 2.6) + 1e-3


@given(
    onset=st.floats(3.5, 4.6),
    rise=st.floats(0.1, 0.5),
    height=st.floats(0.5, 10.0),
    width=st.floats(0.004, 0.02),
    conductivity=st.floats(0.01, 1.0),
)
@settings(max_examples=8)
def test_the_onset_of_any_cell_is_the_one_it_says(onset, rise, height, width, conductivity):
    p = CompositeParameters().model_copy(
        update={
            "oxidation_onset": onset,
            "oxidation_rise": rise,
            "oxidation_height": height,
            "late_oxidation_height": 0.0,
            "oxidation_peak_height": 0.0,
            "kinetic_width": width,
            "conductivity": conductivity,
        }
    )
    e, i = sweep(p, 3e-4, onset + rise + 0.2, 1e-3)
    # A stair of 1 mV is no ramp: at its end a little less flows, by a part that depends on the current.
    assert tangent(e, i) == pytest.approx(onset, abs=0.012)
