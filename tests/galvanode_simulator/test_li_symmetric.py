"""The simulated Li | Li cell against formulas and numerics that share nothing with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from galvanode_simulator.cells import PRESETS, LiSymmetricCell, LiSymmetricParameters

HOUR = 3600.0
ZNI2 = PRESETS["llzto-zni2"]
SLOW = ZNI2.model_copy(
    update={
        "interface_resistance": 50e-4,
        "interface_capacitance": 2000.0,  # 10 s, so that both elements matter at once
        "polarisation_resistance": 40e-4,
        "polarisation_time_constant": 60.0,
    }
)
LINEAR = SLOW.model_copy(update={"polarisation_scale": math.inf, "interface_growth": 0.0})

currents = st.floats(-1.7e-3, 1.7e-3)  # below the critical current density
durations = st.floats(1e-3, 5e3)


def state(cell: LiSymmetricCell) -> tuple[float, ...]:
    return (cell.v1, cell.v2, cell.age, cell.charge, cell.damage)


def euler(cell: LiSymmetricCell, source: float, series: float, duration: float, steps: int = 200_000):
    """Both elements behind a voltage source with a series resistance, by brute force."""
    p = cell.parameters
    r1, r2 = 2 * p.interface_resistance / p.area, p.polarisation_resistance / p.area
    tau1, tau2 = p.interface_resistance * p.interface_capacitance, p.polarisation_time_constant
    v1, v2, charge, h = cell.v1, cell.v2, 0.0, duration / steps
    for _ in range(steps):
        amps = (source - v1 - v2) / series
        v1 += h * (r1 * amps - v1) / tau1
        v2 += h * (r2 * amps - v2) / tau2
        charge += h * amps
    return v1, v2, charge


@given(steps=st.lists(st.tuples(currents, durations, st.integers(2, 7)), min_size=1, max_size=5))
def test_splitting_an_interval_of_constant_current_gives_the_same_state(steps):
    whole, split = LiSymmetricCell(SLOW, 1), LiSymmetricCell(SLOW, 1)
    for amps, duration, parts in steps:
        whole.hold_current(amps, duration)
        for _ in range(parts):
            split.hold_current(amps, duration / parts)
    assert state(split) == pytest.approx(state(whole), rel=1e-9, abs=1e-12)
    assert split.short == whole.short


@given(steps=st.lists(st.tuples(st.floats(-4e-3, 4e-3), durations, st.integers(2, 7)), min_size=1, max_size=5))
def test_splitting_gives_the_same_state_through_a_short_of_a_linear_cell(steps):
    whole, split = LiSymmetricCell(LINEAR, 1), LiSymmetricCell(LINEAR, 1)
    for amps, duration, parts in steps:
        whole.hold_current(amps, duration)
        for _ in range(parts):
            split.hold_current(amps, duration / parts)
    assert state(split) == pytest.approx(state(whole), rel=1e-9, abs=1e-12)
    assert split.short == whole.short


@given(volts=st.floats(-0.5, 0.5), duration=st.floats(0.1, 2000.0), parts=st.integers(2, 6))
@settings(max_examples=40)
def test_splitting_an_interval_of_held_voltage_gives_the_same_state_for_a_linear_cell(volts, duration, parts):
    whole, split = LiSymmetricCell(LINEAR, 1), LiSymmetricCell(LINEAR, 1)
    whole.hold_current(1e-4, 30.0)
    split.hold_current(1e-4, 30.0)
    whole.hold_voltage(volts, duration)
    for _ in range(parts):
        split.hold_voltage(volts, duration / parts)
    assert (split.v1, split.v2) == pytest.approx((whole.v1, whole.v2), rel=1e-9, abs=1e-12)


def test_a_nonlinear_cell_at_a_held_voltage_hardly_depends_on_how_often_it_is_looked_at():
    seldom, often = LiSymmetricCell(SLOW, 1), LiSymmetricCell(SLOW, 1)
    seldom.hold_voltage(0.2, 600.0)
    for _ in range(600):
        often.hold_voltage(0.2, 1.0)
    assert seldom.current(0.2) == pytest.approx(often.current(0.2), rel=2e-3)
    assert seldom.charge == pytest.approx(often.charge, rel=2e-3)


def test_voltage_at_constant_current_is_ohm_and_two_exponentials():
    cell = LiSymmetricCell(LINEAR, 1)
    amps = 5e-5
    p = LINEAR
    for seconds in (1.0, 14.0, 285.0):
        cell.hold_current(amps, seconds)
    t = 300.0
    expected = (amps / p.area) * (
        p.thickness / p.conductivity
        + 2 * p.interface_resistance * (1 - math.exp(-t / 10.0))
        + p.polarisation_resistance * (1 - math.exp(-t / 60.0))
    )
    assert cell.voltage(amps) == pytest.approx(expected, rel=1e-12)


def test_held_voltage_agrees_with_brute_force_integration():
    cell = LiSymmetricCell(LINEAR, 1)
    cell.hold_current(-1e-4, 20.0)
    v1, v2, charge = euler(cell, 0.03, cell.series_resistance(), 40.0)
    before = cell.charge
    cell.hold_voltage(0.03, 40.0)
    assert (cell.v1, cell.v2) == pytest.approx((v1, v2), rel=1e-4)
    assert (cell.charge - before) * LINEAR.area == pytest.approx(abs(charge), rel=1e-4)


def test_a_hard_short_shares_the_current_as_brute_force_says():
    cell = LiSymmetricCell(LINEAR.model_copy(update={"short_resistance": 40.0}), 1)
    cell.hold_current(5e-5, 100.0)
    cell.damage = 0.999999999
    cell.hold_current(5e-5, 0.05)
    assert cell.short == "hard"
    v1, v2, _ = euler(cell, 5e-5 * 40.0, cell.series_resistance() + 40.0, 30.0)
    cell.hold_current(5e-5, 30.0)
    assert (cell.v1, cell.v2) == pytest.approx((v1, v2), rel=1e-3)


@given(steps=st.lists(st.tuples(currents, durations), min_size=1, max_size=6))
def test_a_symmetric_cell_never_gives_energy_back_beyond_what_it_took(steps):
    cell = LiSymmetricCell(SLOW, 1)
    energy = 0.0
    for amps, duration in steps:
        for _ in range(50):
            before = cell.voltage(amps)
            cell.hold_current(amps, duration / 50)
            energy += 0.5 * (before + cell.voltage(amps)) * amps * duration / 50
    assert energy >= -1e-9


@given(steps=st.lists(st.tuples(currents, durations), min_size=1, max_size=6))
@settings(max_examples=40)
def test_cumulative_charge_is_the_sum_of_current_times_time(steps):
    cell = LiSymmetricCell(ZNI2.model_copy(update={"critical_current_density": 1e9}), 1)
    for amps, duration in steps:
        cell.hold_current(amps, duration)
    expected = sum(abs(amps) * duration for amps, duration in steps) / ZNI2.area
    assert cell.charge == pytest.approx(expected, rel=1e-12)


@given(amps=currents, before=currents, duration=durations)
def test_both_directions_of_current_look_the_same(amps, before, duration):
    one, other = LiSymmetricCell(SLOW, 1), LiSymmetricCell(SLOW, 1)
    one.hold_current(before, 100.0)
    other.hold_current(-before, 100.0)
    one.hold_current(amps, duration)
    other.hold_current(-amps, duration)
    assert one.voltage(amps) == pytest.approx(-other.voltage(-amps), rel=1e-12, abs=1e-15)


@given(amps=currents, duration=durations)
def test_the_bound_on_the_voltage_holds(amps, duration):
    cell = LiSymmetricCell(SLOW, 1)
    cell.hold_current(1e-4, 40.0)
    bound = cell.voltage_bound(amps)
    for _ in range(20):
        cell.hold_current(amps, duration / 20)
        assert abs(cell.voltage(amps)) <= bound


def test_trying_a_future_leaves_no_trace():
    cell = LiSymmetricCell(ZNI2, 1)
    seen = []
    cell.on_event = lambda kind, details: seen.append(kind)
    cell.hold_current(1e-4, 100.0)
    before = state(cell)
    cell.voltage_after(0.1, 1e4)  # far above its critical current density
    assert state(cell) == before
    assert cell.short is None
    assert seen == []


def test_polarisation_grows_less_than_in_proportion_to_the_current():
    def steady(density: float) -> float:
        cell = LiSymmetricCell(ZNI2.model_copy(update={"interface_growth": 0.0}), 1)
        cell.hold_current(density * ZNI2.area, HOUR)
        return cell.voltage(density * ZNI2.area)

    assert steady(20.0) < 20.0 * steady(1.0)
    assert steady(20.0) > 19.0 * steady(1.0)


def test_conductivity_follows_arrhenius_in_sigma_t():
    densities = []
    temperatures = np.array([273.15, 298.15, 323.15, 348.15])
    for kelvin in temperatures:
        cell = LiSymmetricCell(ZNI2, 1)
        cell.set_temperature(kelvin)
        resistance = cell.series_resistance()
        densities.append(ZNI2.thickness / (ZNI2.area * resistance) * kelvin)
    slope = np.polyfit(1 / temperatures, np.log(densities), 1)[0]
    assert -slope * 8.314462618 == pytest.approx(36e3, rel=1e-9)


def test_interface_follows_arrhenius_with_the_papers_energy():
    warm, cold = LiSymmetricCell(ZNI2, 1), LiSymmetricCell(ZNI2, 1)
    warm.set_temperature(318.15)
    for cell in (warm, cold):
        cell.hold_current(1e-4, 1.0)
    ratio = math.log(cold.v1 / warm.v1)
    assert ratio * 8.314462618 / (1 / 298.15 - 1 / 318.15) == pytest.approx(19.2e3, rel=1e-6)


def test_interface_gains_what_the_paper_found_after_100_cycles():
    cell = LiSymmetricCell(ZNI2, 1)
    start = cell.series_resistance()
    for cycle in range(200):
        cell.hold_current((1 if cycle % 2 == 0 else -1) * 1.0 * ZNI2.area, HOUR)  # 0.1 mA/cm2, 0.1 mAh/cm2
    per_interface = (cell.series_resistance() - start) * ZNI2.area / 2
    assert per_interface == pytest.approx(3.2e-4, rel=1e-3)


def test_resistance_rises_and_falls_in_formation_and_creeps_after():
    p = ZNI2.model_copy(
        update={
            "interface_growth": 0.0,
            "formation_rise": 100e-4,
            "formation_time": 10 * HOUR,
            "creep_per_hour": 0.0,
        }
    )
    cell = LiSymmetricCell(p, 1)
    start = cell.series_resistance()
    cell.hold_current(0.0, 10 * HOUR)
    assert (cell.series_resistance() - start) * p.area == pytest.approx(100e-4)
    cell.hold_current(0.0, 90 * HOUR)
    assert (cell.series_resistance() - start) * p.area < 1e-4
    creeping = LiSymmetricCell(p.model_copy(update={"formation_rise": 0.0, "creep_per_hour": 1e-5}), 1)
    creeping.hold_current(0.0, 100 * HOUR)
    assert (creeping.series_resistance() - start) * p.area == pytest.approx(1e-3)


def test_a_hard_short_stays_and_obeys_ohm():
    cell = LiSymmetricCell(ZNI2, 1)
    events = []
    cell.on_event = lambda kind, details: events.append((kind, details["kind"]))
    cell.hold_current(30.0 * ZNI2.area, HOUR)
    assert events == [("short", "hard")]
    cell.hold_current(0.0, 10 * HOUR)
    for amps in (1e-4, -1e-3):
        cell.hold_current(amps, 10.0)
        assert cell.voltage(amps) == pytest.approx(amps * 1.0, rel=0.02)


def test_a_soft_short_drops_dips_and_recovers_in_part():
    p = PRESETS["llzto-thick"]
    cell = LiSymmetricCell(p, 1)
    healthy_amps = 9.5 * p.area
    cell.hold_current(healthy_amps, HOUR)
    healthy = cell.voltage(healthy_amps) / healthy_amps
    amps = 10.0 * p.area
    cell.hold_current(amps, 600.0)
    assert cell.short == "soft"
    assert cell.voltage_noise > 10 * p.voltage_noise
    ratios = []
    for _ in range(500):
        cell.hold_current(amps, 20.0)
        ratios.append(cell.voltage(amps) / amps / healthy)
    assert max(ratios) == pytest.approx(0.6, abs=0.03)  # it never comes back whole
    assert min(ratios) < 0.45
    dips = sum(ratio < 0.95 * max(ratios) for ratio in ratios) / len(ratios)
    assert 0.15 < dips < 0.35  # and comes out of its dips again


def test_same_seed_same_cell_other_seed_other_scatter():
    def life(seed: int) -> float:
        cell = LiSymmetricCell(PRESETS["llzto-bare"], seed)
        ages = []
        cell.on_event = lambda kind, details: ages.append(details["cell_age_s"])
        cell.hold_current(1.0 * cell.parameters.area, 100 * HOUR)
        return ages[0]

    assert life(1) == life(1)
    assert life(1) != life(2)


def test_every_parameter_is_read_with_its_unit():
    p = LiSymmetricParameters.model_validate(
        {
            "critical_current_density": "1 mA/cm^2",
            "area": "1 cm^2",
            "interface_activation_energy": "30 kJ/mol",
        }
    )
    assert (p.critical_current_density, p.area, p.interface_activation_energy) == (10.0, 1e-4, 30e3)
