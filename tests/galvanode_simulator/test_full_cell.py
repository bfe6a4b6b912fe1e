"""Batteries: the papers' capacities out of plain constant-current cycling, and no energy out of nothing."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from galvanode_simulator.cells import CELLS, FullCell, FullCellParameters
from galvanode_simulator.cells.open_circuit import CATHODES
from galvanode_simulator.parts.drive import (
    at_terminals_of_current,
    at_terminals_of_voltage,
    drive_current,
    drive_voltage,
)

MAH_PER_G = 3600.0
LFP = CELLS["lfp-zni2"]
N15 = CELLS["lco-lzc-n15"]
BATTERIES = [name for name, p in CELLS.items() if isinstance(p, FullCellParameters)]


def one_c(p: FullCellParameters) -> float:
    return p.active_mass * p.rate_capacity / 3600.0


def half_cycle(cell: FullCell, amps: float, cutoff: float, poll: float = 10.0) -> float:
    """Poll as the engine does until the voltage is at the cut-off; mAh/g."""
    passed, sign = 0.0, math.copysign(1.0, amps)
    while True:
        cell.hold_current(amps, poll)
        passed += poll
        if sign * (cell.voltage(amps) - cutoff) >= 0.0:
            return abs(amps) * passed / cell.parameters.active_mass / MAH_PER_G
        assert passed < 1e6


def cycle(cell: FullCell, rate: float, upper: float, lower: float, poll: float | None = None) -> tuple[float, float]:
    amps = rate * one_c(cell.parameters)
    poll = poll or 4.0 / rate
    return half_cycle(cell, amps, upper, poll), half_cycle(cell, -amps, lower, poll)


def ladder(cell: FullCell, rates: tuple[float, ...], upper: float, lower: float, number: int = 5) -> np.ndarray:
    """Charge and discharge capacities, by rate and cycle."""
    return np.array([[cycle(cell, rate, upper, lower) for _ in range(number)] for rate in rates])


# --- The papers' figures


def test_d5_rate_capability_of_lfp():
    found = ladder(FullCell(LFP, 1), (0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 0.1), 4.1, 2.5)[:, :, 1].mean(axis=1)
    assert found == pytest.approx([155.8, 147.6, 145.1, 143.7, 124.4, 112.0, 152.5], rel=0.01)


def test_d6_long_cycling_of_lfp():
    found = ladder(FullCell(LFP, 1), (0.5,), 4.1, 2.5, 200)[0]
    discharges = found[:, 1]
    assert discharges[0] == pytest.approx(143.9, rel=0.01)
    assert (1 - discharges[-1] / discharges[0]) / 199 == pytest.approx(0.021e-2, rel=0.03)
    assert (discharges[1:] / found[1:, 0]).mean() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize(("preset", "capacity", "ice"), [("lco-lznc", 127.4, 0.9519), ("lco-lznc-x0", 118.16, 0.9235)])
def test_b5_first_cycle(preset, capacity, ice):
    charge, discharge = cycle(FullCell(CELLS[preset], 1), 0.2, 4.2, 2.5)
    assert discharge == pytest.approx(capacity, rel=0.01)
    assert discharge / charge == pytest.approx(ice, abs=2e-3)


def test_b6_rate_capability():
    found = ladder(FullCell(CELLS["lco-lznc"], 1), (0.2, 0.4, 0.6, 0.8, 1.0, 0.2), 4.2, 2.5)[:, :, 1]
    assert found[0, 0] == pytest.approx(127.4, rel=0.01)
    assert found[1:-1].mean(axis=1) == pytest.approx([122.1, 113.9, 107.1, 100.0], rel=0.01)
    assert found[-1].mean() / found[0, 0] == pytest.approx(0.92, abs=0.01)
    plain = ladder(FullCell(CELLS["lco-lznc-x0"], 1), (0.2, 0.4, 0.6, 0.8, 1.0), 4.2, 2.5)[:, :, 1]
    assert plain[-1].mean() == pytest.approx(50.0, rel=0.01)


@pytest.mark.parametrize(("preset", "retention"), [("lco-lznc", 0.914), ("lco-lznc-x0", 0.59)])
def test_b7_cycling(preset, retention):
    found = ladder(FullCell(CELLS[preset], 1), (0.2,), 4.2, 2.5, 100)[0]
    assert found[-1, 1] / found[0, 1] == pytest.approx(retention, abs=5e-3)


@pytest.mark.parametrize(
    ("preset", "upper", "capacities", "ice"),
    [
        ("lco-lzc-n15", 3.60, [141.7], 0.969),
        ("lco-lzc", 3.60, [128.5], 0.933),
        ("lco-lzc-n15", 4.00, [218.4, 213.4, 209.7], 0.943),
        ("lco-lzc", 4.00, [205.5, 196.8, 191.3], 0.923),
    ],
)
def test_a5_and_a8_first_cycles_against_lithium_indium(preset, upper, capacities, ice):
    found = ladder(FullCell(CELLS[preset], 1), (0.1,), upper, 1.88, len(capacities))[0]
    assert found[:, 1] == pytest.approx(capacities, rel=0.01)
    assert found[0, 1] / found[0, 0] == pytest.approx(ice, abs=2e-3)


def test_a6_to_a8_rate_and_retention():
    fast = ladder(FullCell(N15, 1), (0.1, 0.2, 0.3, 0.5, 0.8, 1.0), 3.60, 1.88, 3)[-1, :, 1]
    assert fast.mean() == pytest.approx(58.0, rel=0.01)
    assert ladder(FullCell(CELLS["lco-lzc"], 1), (0.1, 1.0), 3.60, 1.88, 2)[1, 1, 1] < 10.0
    for upper, number, retention in ((3.60, 150, 0.79), (4.00, 120, 0.758)):
        cell = FullCell(N15, 1)
        ladder(cell, (0.1,), upper, 1.88, 1 if upper == 3.60 else 3)
        found = ladder(cell, (0.5,), upper, 1.88, number)[0, :, 1]
        assert found[-1] / found[0] == pytest.approx(retention, abs=0.01)


def test_how_often_one_looks_hardly_matters():
    coarse, fine = cycle(FullCell(LFP, 1), 0.5, 4.1, 2.5, 30.0), cycle(FullCell(LFP, 1), 0.5, 4.1, 2.5, 1.0)
    assert coarse == pytest.approx(fine, rel=0.01)


# --- Time


steps = st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(0.1, 2000.0), st.integers(2, 6)), min_size=1, max_size=6)


@pytest.mark.parametrize("preset", BATTERIES)
@given(steps=steps)
@settings(max_examples=25)
def test_splitting_an_interval_of_constant_current_gives_the_same_state(preset, steps):
    p = CELLS[preset]
    whole, split = FullCell(p, 1), FullCell(p, 1)
    for rate, duration, parts in steps:
        whole.hold_current(rate * one_c(p), duration)
        for _ in range(parts):
            split.hold_current(rate * one_c(p), duration / parts)
    assert (split.x, split.farthest, split.v_ct) == pytest.approx((whole.x, whole.farthest, whole.v_ct), rel=1e-9)
    assert split.lag == pytest.approx(whole.lag, rel=1e-8, abs=1e-15)
    whole.hold_current(1e-6, 1.0)
    split.hold_current(1e-6, 1.0)
    assert (split.cycles, split.capacity) == pytest.approx((whole.cycles, whole.capacity), rel=1e-9)


@pytest.mark.parametrize("preset", BATTERIES)
@given(rate=st.floats(-1.0, 1.0), seconds=st.floats(1.0, 3000.0))
@settings(max_examples=15)
def test_zero_current_leaves_the_open_circuit_voltage_exact(preset, rate, seconds):
    cell = FullCell(CELLS[preset], 1)
    assert cell.voltage(0.0) == cell.open_circuit()
    cell.hold_current(rate * one_c(cell.parameters), seconds)
    rest = cell.open_circuit()
    cell.hold_current(0.0, 1e7)
    assert cell.open_circuit() == rest
    assert cell.voltage(0.0) == pytest.approx(rest, abs=1e-12)


def brute(cell: FullCell, volts: float, duration: float, step: float) -> None:
    """Hold a voltage by currents that are right at the beginning of the smallest of steps."""
    for _ in range(round(duration / step)):
        cell.hold_current(cell.current(volts), step)


@pytest.mark.parametrize("change", [-0.2, -0.005, -1e-4, 1e-4, 5e-3, 0.1])
@pytest.mark.parametrize("preset", ["lfp-zni2", "lco-lzc-n15"])
def test_a_held_voltage_agrees_with_brute_force(preset, change):
    held, small = FullCell(CELLS[preset], 1), FullCell(CELLS[preset], 1)
    for cell in (held, small):
        cell.hold_current(0.5 * one_c(cell.parameters), 3000.0)
    level = held.voltage(0.0) + change
    x = held.x
    assert held.hold_voltage(level, 10.0) == 10.0
    brute(small, level, 10.0, 2e-4)
    assert held.x - x == pytest.approx(small.x - x, rel=0.02, abs=1e-8)
    assert held.current(level) == pytest.approx(small.current(level), rel=0.02, abs=1e-8)
    assert held.voltage(held.current(level)) == pytest.approx(level, abs=1e-9)


def test_a_staircase_of_small_steps_charges_as_much_as_brute_force():
    held, small = FullCell(N15, 1), FullCell(N15, 1)
    for cell in (held, small):
        cell.hold_current(0.3 * one_c(N15), 4000.0)
        cell.hold_current(0.0, 3600.0)
    start = held.voltage(0.0)
    for n in range(20):
        held.hold_voltage(start + 1e-3 * n, 1.0)
        brute(small, start + 1e-3 * n, 1.0, 1e-3)
    assert held.x == pytest.approx(small.x, abs=2e-6)
    assert held.x > FullCell(N15, 1).x


@pytest.mark.parametrize("parts", [2, 7, 50])
def test_a_constant_voltage_phase_hardly_depends_on_how_often_it_is_looked_at(parts):
    whole, split = FullCell(N15, 1), FullCell(N15, 1)
    for cell in (whole, split):
        half_cycle(cell, 0.5 * one_c(N15), 3.6)
    x = whole.x
    whole.hold_voltage(3.6, 1800.0)
    for _ in range(parts):
        split.hold_voltage(3.6, 1800.0 / parts)
    assert whole.x > x + 0.01
    assert split.x - x == pytest.approx(whole.x - x, rel=2e-3)
    assert split.current(3.6) == pytest.approx(whole.current(3.6), rel=5e-3)
    assert 0 < whole.current(3.6) < 0.3 * one_c(N15)


@given(volts=st.floats(-1.0, 7.0), duration=st.floats(0.01, 1e5), before=st.floats(-1.0, 1.0))
@settings(max_examples=40)
def test_any_held_voltage_stays_finite_and_is_held(volts, duration, before):
    cell = FullCell(LFP, 1)
    cell.hold_current(before * one_c(LFP), 3000.0)
    cell.hold_voltage(volts, duration)
    assert math.isfinite(cell.x)
    assert cell.voltage(cell.current(volts)) == pytest.approx(volts, abs=1e-9)


@given(amps=st.floats(-1e-3, 1e-3), duration=st.floats(0.01, 1e5))
def test_the_bound_on_the_voltage_holds(amps, duration):
    cell = FullCell(LFP, 1)
    cell.hold_current(2e-4, 3000.0)
    bound = cell.voltage_bound(amps)
    for _ in range(10):
        cell.hold_current(amps, duration / 10)
        assert abs(cell.voltage(amps)) <= bound


def test_trying_a_future_leaves_no_trace():
    cell = FullCell(LFP, 1)
    cell.hold_current(1e-4, 1000.0)
    before = dict(cell.__dict__)
    cell.voltage_after(-1e-3, 1e5)
    cell.voltage_after(1e-4, 1e5)
    assert cell.__dict__ == before


def test_a_source_with_a_current_limit_charges_at_constant_current_and_then_at_constant_voltage():
    cell, limit = FullCell(N15, 1), 0.5 * one_c(N15)
    currents = []
    for _ in range(900):
        drive_voltage(cell, 3.6, limit, 10.0)
        volts, amps, limited = at_terminals_of_voltage(cell, 3.6, limit)
        assert volts <= 3.6 + 1e-9
        assert limited == (amps == limit)
        currents.append(amps)
    assert currents[0] == limit
    turn = next(n for n, amps in enumerate(currents) if amps < limit)
    assert all(later < earlier for earlier, later in itertools.pairwise(currents[turn:]))
    assert currents[-1] < 0.2 * limit
    charged = sum(currents) * 10.0 * N15.charge_efficiency / N15.active_mass / MAH_PER_G
    assert cell.x * 274.0 < charged < cell.x * 274.0 * 1.06  # less what the first charge costs


def test_a_source_with_a_voltage_limit_ends_a_charge_there():
    cell, amps = FullCell(LFP, 1), 0.2 * one_c(LFP)
    for _ in range(3000):
        drive_current(cell, amps, 4.1, 10.0)
        volts, flowing, _ = at_terminals_of_current(cell, amps, 4.1)
        assert volts <= 4.1 + 1e-9
    assert flowing < 0.01 * amps


# --- Energy and charge


@pytest.mark.parametrize("preset", BATTERIES)
@given(
    steps=st.lists(
        st.tuples(st.floats(0.05, 2.0), st.floats(0.05, 2.0), st.floats(60.0, 3000.0)), min_size=1, max_size=4
    ),
    depth=st.floats(0.1, 0.8),
)
@settings(max_examples=15)
def test_a_cycle_dissipates(preset, steps, depth):
    """Out and back to the same state of charge, at any rates, without the losses that would cover a mistake."""
    lossless = {
        "charge_efficiency": 1.0,
        "first_charge_loss": 0.0,
        "first_charge_loss_growth": 0.0,
        "fade_per_cycle": 0.0,
        "early_fade": 0.0,
    }
    cell = FullCell(CELLS[preset].model_copy(update=lossless), 1)
    c = one_c(cell.parameters)
    cell.hold_current(0.1 * c, depth * cell.capacity / (0.1 * c))
    cell.hold_current(0.0, 1e6)
    start = cell.x
    for out, back, seconds in steps:
        energy = 0.0
        for amps, duration in ((out * c, seconds), (-back * c, seconds * out / back)):
            for _ in range(400):
                before = cell.voltage(amps)
                cell.hold_current(amps, duration / 400)
                energy += 0.5 * (before + cell.voltage(amps)) * amps * duration / 400
        cell.hold_current(0.0, 1e6)
        assert cell.x == pytest.approx(start, abs=1e-9)
        assert energy > 0


def test_side_reactions_are_what_a_charge_loses():
    cell = FullCell(LFP.model_copy(update={"fade_per_cycle": 0.0}), 1)
    ladder(cell, (0.5,), 4.1, 2.5, 3)
    charge, discharge = cycle(cell, 0.5, 4.1, 2.5, 1.0)
    assert discharge / charge == pytest.approx(LFP.charge_efficiency, abs=1e-3)


@given(loss=st.floats(0.0, 0.3), growth=st.floats(0.0, 1.0), depth=st.floats(0.0, 0.8), reached=st.floats(0.05, 0.95))
@settings(max_examples=40)
def test_the_first_charge_to_any_depth_costs_what_the_parameters_say(loss, growth, depth, reached):
    p = LFP.model_copy(
        update={
            "charge_efficiency": 1.0,
            "fade_per_cycle": 0.0,
            "first_charge_loss": loss,
            "first_charge_loss_growth": growth,
            "first_charge_loss_depth": depth,
        }
    )
    cell = FullCell(p, 1)
    lost = loss * reached + 0.5 * growth * max(0.0, reached - depth) ** 2
    charge = (reached + lost) * cell.capacity
    for _ in range(7):
        cell.hold_current(1e-4, charge / 1e-4 / 7)
    assert cell.x == pytest.approx(reached, rel=1e-9)
    cell.hold_current(-1e-4, 0.5 * reached * cell.capacity / 1e-4)
    cell.hold_current(1e-4, 0.5 * reached * cell.capacity / 1e-4)
    assert cell.x == pytest.approx(reached, rel=1e-9)  # the second time it is free


def test_a_battery_charged_to_a_higher_voltage_fades_faster():
    def retention(upper: float) -> float:
        found = ladder(FullCell(N15, 1), (0.3,), upper, 1.88, 20)[0, :, 1]
        return found[-1] / found[0]

    assert retention(4.0) < retention(3.6) - 0.01


def test_a_fresh_battery_has_the_capacity_it_says():
    assert FullCell(LFP, 1).capacity == LFP.active_mass * LFP.specific_capacity


def test_stress_counts_charge_at_high_potential_and_high_rate_more():
    def stress(rate: float, start: float) -> float:
        cell = FullCell(N15.model_copy(update={"stress_rate": 0.5}), 1)
        c = one_c(N15)
        cell.hold_current(0.05 * c, start * cell.capacity / (0.05 * c))
        cell.hold_current(0.0, 1.0)
        before, x = cell.cycles, cell.x
        cell.hold_current(rate * c, 0.1 * cell.capacity / (rate * c))
        cell.hold_current(0.0, 1.0)
        return (cell.cycles - before) / (cell.x - x)

    assert stress(0.5, 0.1) == pytest.approx(2.0 * stress(1e-3, 0.1), rel=1e-3)
    assert stress(0.1, 0.7) > 1.5 * stress(0.1, 0.1)


# --- Temperature and curves


def test_a_cold_battery_gives_less_and_polarises_more():
    def capacity(kelvin: float) -> float:
        cell = FullCell(LFP, 1)
        cell.set_temperature(kelvin)
        return cycle(cell, 0.5, 4.1, 2.5)[1]

    assert capacity(273.15) < capacity(298.15) < capacity(323.15)
    cold, warm = FullCell(LFP, 1), FullCell(LFP, 1)
    cold.set_temperature(273.15)
    assert cold.voltage(1e-4) - cold.voltage(0.0) > 2.0 * (warm.voltage(1e-4) - warm.voltage(0.0))


def test_the_electrolyte_follows_arrhenius_in_sigma_t():
    temperatures = np.array([273.15, 298.15, 323.15, 348.15])
    p = LFP.model_copy(update={"interface_resistance": 0.0})
    series = []
    for kelvin in temperatures:
        cell = FullCell(p, 1)
        cell.set_temperature(kelvin)
        series.append(cell._series)
    slope = np.polyfit(1 / temperatures, np.log(temperatures / np.array(series)), 1)[0]
    assert -slope * 8.314462618 == pytest.approx(36e3, rel=1e-9)


@pytest.mark.parametrize("name", sorted(CATHODES))
def test_open_circuit_curves_rise_everywhere_and_are_smooth(name):
    curve = CATHODES[name]
    x = np.linspace(-0.2, 1.2, 5601)
    u = np.array([curve.potential(one) for one in x])
    assert (np.diff(u) > 0).all()
    slopes = np.array([curve.slope(one) for one in x])
    assert slopes == pytest.approx(np.gradient(u, x), rel=0.02, abs=0.05)
    assert curve.lowest < 0.0 < 5.0 < curve.highest  # an abused cell stops somewhere
    assert curve.potential(curve.inverse(3.9)) == pytest.approx(3.9, abs=1e-9)


def test_lithium_indium_lowers_the_terminals_by_620_mv():
    plain = FullCell(N15.model_copy(update={"anode_potential": 0.0}), 1)
    assert plain.voltage(0.0) - FullCell(N15, 1).voltage(0.0) == pytest.approx(0.62)


def test_plateaus_are_where_they_belong():
    assert CATHODES["lfp"].potential(0.5) == pytest.approx(3.43, abs=0.01)
    assert CATHODES["lco"].potential(0.15) == pytest.approx(3.92, abs=0.01)
    assert CATHODES["lco"].potential(0.5) == pytest.approx(4.13, abs=0.03)


# --- Parameters


@given(
    capacity=st.floats(50.0, 300.0),
    resistance=st.floats(0.0, 0.1),
    exchange=st.floats(0.1, 100.0),
    lag=st.floats(1e-3, 0.3),
    time=st.floats(1.0, 3e4),
    rate=st.floats(0.05, 3.0),
)
@settings(max_examples=30)
def test_any_battery_can_be_cycled_and_closes_its_balance(capacity, resistance, exchange, lag, time, rate):
    p = FullCellParameters().model_copy(
        update={
            "specific_capacity": capacity * MAH_PER_G,
            "rate_capacity": capacity * MAH_PER_G,
            "interface_resistance": resistance,
            "exchange_current_density": exchange,
            "lags": (lag,),
            "diffusion_time_constant": time,
        }
    )
    cell = FullCell(p, 1)
    amps = rate * one_c(p)
    out = back = 0.0
    for _ in range(2000):
        cell.hold_current(amps, 2.0 / rate)
        out += amps * 2.0 / rate
        if cell.voltage(amps) > 4.2:
            break
    for _ in range(2000):
        cell.hold_current(-amps, 2.0 / rate)
        back += amps * 2.0 / rate
        if cell.voltage(-amps) < 2.5:
            break
    assert cell.x * cell.capacity == pytest.approx(p.charge_efficiency * out - back, rel=1e-6, abs=1e-9)


def test_capacity_scatters_by_seed_when_asked_to():
    p = LFP.model_copy(update={"spread": 0.01})
    assert FullCell(LFP, 1).capacity == FullCell(LFP, 2).capacity
    assert FullCell(p, 1).capacity != FullCell(p, 2).capacity
    assert FullCell(p, 1).capacity == FullCell(p, 1).capacity


def test_every_parameter_is_read_with_its_unit():
    p = FullCellParameters.model_validate(
        {
            "cathode": "lco",
            "active_mass": "8 mg",
            "specific_capacity": "274 mAh/g",
            "anode_potential": "0.62 V",
            "lag_rates": [0.1, 1],
            "lags": ["1 %", "10 %"],
            "diffusion_time_constant": "5 min",
        }
    )
    assert (p.active_mass, p.specific_capacity, p.diffusion_time_constant) == (8e-6, 274 * MAH_PER_G, 300.0)
    assert (p.lag_rates, p.lags) == ((0.1, 1.0), (0.01, 0.1))


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ({"lag_rates": [0.1, 1], "lags": ["1 %"]}, "lag_rates has 2 and lags 1"),
        ({"lag_rates": [1, 0.1], "lags": ["1 %", "2 %"]}, "lag_rates do not rise"),
        ({"lag_rates": [0.1, 1], "lags": ["2 %", "1 %"]}, "lags do not rise"),
    ],
)
def test_points_that_do_not_fit_are_refused(points, words):
    with pytest.raises(ValidationError, match=words):
        FullCellParameters.model_validate(points)
