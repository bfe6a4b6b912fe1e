"""Critical current density from samples and steps alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import AREA_CM2, Bench, amps, ladder

from galvanode.analysis import RunData, analyse, plots
from galvanode.errors import InvalidInput

DENSITIES = [round(0.1 * n, 3) for n in range(1, 31)]
NAMES = ["critical_current_density"]


def results(bench: Bench) -> dict:
    return {name: result.value for name, result in analyse(NAMES, bench.data()).items()}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("left", "failure"), [(0.01, "hard short circuit"), (0.4, "soft short circuit")])
def test_last_pass_first_failure_and_how(told, left, failure):
    found = results(ladder(Bench(), DENSITIES, short_above=2.3, shorted=left, told=told))
    assert found["critical_current_density"] == pytest.approx(2.3)
    assert found["critical_current_density_is"] == "measured"
    assert found["first_failure"] == pytest.approx(2.4)
    assert found["failure"] == failure
    assert found["mode"] == "fixed time"
    assert found["half_cycle_time"] == pytest.approx(30)
    assert found["half_cycle_capacity"] == pytest.approx(1.15)
    whole = sum(2 * 0.5 * d for d in DENSITIES if d < 2.35)
    assert found["cumulative_areal_capacity"] == pytest.approx(whole + 2.4 * 0.25, rel=0.01)
    assert found["time_to_failure"] == pytest.approx(23 + 0.25, rel=0.01)


def test_fixed_capacity_is_told_from_fixed_time():
    bench = ladder(Bench(poll_s=5), DENSITIES[:10], capacity=0.1, short_above=0.5)
    found = results(bench)
    assert found["mode"] == "fixed capacity"
    assert found["critical_current_density"] == pytest.approx(0.5)
    assert found["half_cycle_capacity"] == pytest.approx(0.1)


def test_without_a_failure_the_highest_level_is_a_lower_bound():
    found = results(ladder(Bench(), DENSITIES[:8]))
    assert found["critical_current_density"] == pytest.approx(0.8)
    assert found["critical_current_density_is"] == "lower bound"
    assert (found["first_failure"], found["failure"], found["time_to_failure"]) == (None, "none", None)


def test_a_failure_at_the_first_level_leaves_no_critical_current_density():
    found = results(ladder(Bench(), DENSITIES, short_above=0.05))
    assert found["critical_current_density"] is None
    assert found["critical_current_density_is"] is None
    assert found["first_failure"] == pytest.approx(0.1)


def test_a_level_that_fails_while_stripping_is_not_passed():
    bench = ladder(Bench(), DENSITIES[:4])
    bench.step(amps(0.5), 1800)
    bench.step(-amps(0.5), 900, "short_circuit: soft: V/I fell from 130 ohm to 50 ohm within the half-cycle")
    found = results(bench)
    assert found["critical_current_density"] == pytest.approx(0.4)
    assert found["first_failure"] == pytest.approx(0.5)
    assert found["failure"] == "soft short circuit"


@pytest.mark.parametrize(
    "reason",
    [
        "voltage 5.001 V is above its limit of 5 V",
        "voltage >= 5 V",
        "the instrument's voltage limit acts at 5 V",
    ],
)
def test_a_voltage_limit_is_a_failure_of_its_own(reason):
    bench = ladder(Bench(), DENSITIES[:4])
    bench.step(amps(0.5), 60, reason)
    found = results(bench)
    assert (found["failure"], found["first_failure"]) == ("voltage limit", pytest.approx(0.5))
    assert found["critical_current_density"] == pytest.approx(0.4)


@pytest.mark.parametrize("reason", ["stop", None, "temperature 353 K is above its limit of 350 K"])
def test_a_level_cut_short_is_neither_passed_nor_failed(reason):
    bench = ladder(Bench(), DENSITIES[:4])
    bench.step(amps(0.5), 1800)
    bench.step(-amps(0.5), 600, reason)
    found = results(bench)
    assert found["critical_current_density"] == pytest.approx(0.4)
    assert found["failure"] == "none"


def test_an_interrupted_and_resumed_half_cycle_counts_once_and_its_gap_not_at_all():
    bench = ladder(Bench(), DENSITIES[:4])
    bench.step(amps(0.5), 700, "interrupt")
    bench.time += 7200
    bench.step(amps(0.5), 1800, "time", attempt=2, elapsed=700)
    bench.step(-amps(0.5), 1800)
    found = results(bench)
    assert found["critical_current_density"] == pytest.approx(0.5)
    assert found["mode"] == "fixed time"
    assert found["half_cycle_capacity"] == pytest.approx(0.25)
    assert found["cumulative_areal_capacity"] == pytest.approx(sum(DENSITIES[:5]))


def test_rests_between_half_cycles_do_not_count():
    bench = Bench()
    bench.step(0.0, 600, mode="rest")
    for density in DENSITIES[:5]:
        for sign in (1, -1):
            bench.step(sign * amps(density), 1800)
            bench.step(0.0, 300, mode="rest")
    found = results(bench)
    assert found["critical_current_density"] == pytest.approx(0.5)
    assert found["failure"] == "none"


def test_a_run_of_one_direction_needs_no_other():
    bench = Bench()
    for density in DENSITIES[:5]:
        bench.step(amps(density), 1800)
    assert results(bench)["critical_current_density"] == pytest.approx(0.5)


def test_one_current_density_has_no_mode():
    assert results(ladder(Bench(), [0.5]))["mode"] == "one current density"


def test_no_data_one_sample_and_steps_without_rows_give_no_figure():
    for bench in (Bench(), Bench(rows=[(0.0, 0.013, 1e-4, 1, 1, 0.0, 0.0, 0.0)])):
        found = results(bench)
        assert found["critical_current_density"] is None
        assert found["failure"] == "none"
    bench = ladder(Bench(), DENSITIES[:3])
    bench.steps = []
    assert results(bench)["critical_current_density"] is None  # nothing says that a half-cycle ended


def test_without_an_area_there_is_no_current_density():
    with pytest.raises(InvalidInput, match="area is None"):
        analyse(NAMES, Bench().data(area_cm2=None))


def test_samples_that_are_not_numbers_are_refused():
    data = ladder(Bench(), DENSITIES[:2]).data()
    volts = data.samples["Voltage / V"].to_numpy().copy()
    volts[7] = math.nan
    index = data.samples.column_names.index("Voltage / V")
    spoilt = data.samples.set_column(index, "Voltage / V", [volts])
    with pytest.raises(InvalidInput, match=r"sample 8: 'Voltage / V' is not a number"):
        analyse(NAMES, RunData(spoilt, data.steps, data.area_m2))


def test_unknown_analyses_are_refused_by_name():
    with pytest.raises(InvalidInput, match="no analysis 'ccd'; expected one of critical_current_density"):
        analyse(["ccd"], Bench().data())


def test_results_carry_their_units():
    found = analyse(NAMES, ladder(Bench(), DENSITIES, short_above=2.3).data())
    assert {name: result.unit for name, result in found.items() if result.unit} == {
        "critical_current_density": "mA/cm2",
        "first_failure": "mA/cm2",
        "half_cycle_time": "min",
        "half_cycle_capacity": "mAh/cm2",
        "cumulative_areal_capacity": "mAh/cm2",
        "time_to_failure": "h",
    }


def test_the_staircase_can_be_drawn():
    plot = plots(NAMES, ladder(Bench(), DENSITIES[:3]).data())["critical_current_density"]
    assert plot["x"]["unit"] == "h"
    volts, density = plot["y"]
    assert len(plot["x"]["values"]) == len(volts["values"]) == len(density["values"]) == 18
    assert density["values"][:6] == pytest.approx([0.1] * 3 + [-0.1] * 3)
    assert np.sign(volts["values"][:6]).tolist() == [1, 1, 1, -1, -1, -1]


@settings(max_examples=25)
@given(
    last=st.integers(0, 12),
    step=st.sampled_from([0.05, 0.1, 0.2]),
    fixed_capacity=st.booleans(),
    told=st.booleans(),
    left=st.floats(0.0, 0.4),
    onset=st.floats(0.05, 0.8),  # later than that leaves a short half-cycle two readings to show it
    resistivity=st.floats(20.0, 1500.0),
    growth=st.floats(0.0, 2.0),
    seed=st.integers(0, 100),
)
def test_the_critical_current_density_of_any_ladder_is_recovered(
    last, step, fixed_capacity, told, left, onset, resistivity, growth, seed
):
    def sound(time, elapsed, current):
        return resistivity / AREA_CM2 * (1 + growth * elapsed / (elapsed + 600))

    densities = [round(step * n, 4) for n in range(1, 15)]
    passed = step * last
    bench = ladder(
        Bench(resistance=sound, seed=seed),
        densities,
        capacity=0.1 if fixed_capacity else None,
        short_above=passed,
        told=told,
        shorted=left,
        onset=onset,
    )
    found = results(bench)
    assert found["first_failure"] == pytest.approx(passed + step)
    assert found["critical_current_density"] == (pytest.approx(passed) if last else None)
    assert found["failure"].endswith("short circuit")
