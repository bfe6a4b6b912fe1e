"""Onsets of oxidation and reduction: the truth within its interval, and what must not be taken for one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import AREA_CM2, EXACT, Paper
from scipy.optimize import brentq
from scipy.special import ndtr

from galvanode.analysis import analyse, plots
from galvanode.analysis.lsv import linear_sweep
from galvanode.errors import InvalidInput


def ramp(x, onset, blur):
    """A straight rise of slope 1 from its onset, blurred."""
    z = (x - onset) / blur
    return blur * (z * ndtr(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


def wave(x, onset=4.08, slope=1.25, height=0.2, blur=0.015, base=1.5e-4, bump=0.0):
    """Current density in mA/cm2 of an oxidation with a plateau, and a small wave at 3.6 V."""
    rise = slope * (ramp(x, onset, blur) - ramp(x, onset + height, blur))
    return base + rise + bump * np.exp(-0.5 * ((x - 3.6) / 0.06) ** 2)


REACHED = brentq(lambda x: wave(x) - 0.01, 4.0, 4.2)
"""Where the threshold of 10 uA/cm2 is reached."""


def swept(density, start=2.6, end=5.0, step=1e-3, noise=1e-5, seed=1, **known):
    random = np.random.default_rng(seed)
    potential = np.arange(start, end, np.sign(end - start) * step)
    current = density(potential) + noise * random.normal(size=len(potential))
    return Paper().sweep(potential, current).data(**known)


@pytest.mark.slow
def test_nine_of_ten_intervals_hold_the_true_onsets():
    random = np.random.default_rng(3)
    held = {"oxidation_onset": 0, "oxidation_onset_tangent": 0}
    for seed in range(50):
        shape = {
            "onset": random.uniform(3.9, 4.5),
            "slope": random.uniform(0.3, 3.0),
            "height": random.uniform(0.12, 0.3),
            "blur": random.uniform(0.005, 0.025),
            "base": 10 ** random.uniform(-4.5, -3),
            "bump": random.uniform(0, 0.008),
        }
        data = swept(
            lambda x, shape=shape: wave(x, **shape),
            start=2.6 + random.uniform(0, 5e-3),
            step=float(random.choice([1e-3, 2e-3, 5e-3])),
            noise=10 ** random.uniform(-4.8, -3.2),
            seed=seed,
            accuracy=EXACT,
        )
        found = analyse(["linear_sweep"], data)
        grid = np.linspace(3.75, 5, 100_001)
        truth = {
            "oxidation_onset": grid[np.argmax(wave(grid, **shape) > 0.01)],
            "oxidation_onset_tangent": true_tangent(grid, shape),
        }
        for name, volts in truth.items():
            held[name] += found[name].low <= volts <= found[name].high
    assert min(held.values()) >= 45, held


def true_tangent(grid, shape):
    """Where the tangent at the steepest point meets the baseline."""
    y = wave(grid, **shape)
    slopes = np.gradient(y, grid)
    at = int(np.argmax(slopes))
    return brentq(lambda x: y[at] + slopes[at] * (x - grid[at]) - shape["base"], 3.0, 5.0)


def test_both_directions_are_told():
    potential = np.arange(2.6, 5.0, 1e-3)
    back = np.arange(2.6, 0.05, -1e-3)
    reduction = -(wave(-back, onset=-1.69) + 0.15 * np.exp(-0.5 * ((back - 0.88) / 0.1) ** 2))
    data = Paper().sweep(potential, wave(potential, bump=0.008)).sweep(back, reduction).data()
    found = analyse(["linear_sweep"], data)
    assert found["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=2e-3)
    assert found["reduction_onset_tangent"].value == pytest.approx(1.69, abs=2e-3)
    assert found["oxidation_onset"].value == pytest.approx(REACHED, abs=2e-3)
    assert found["reduction_onset"].value == pytest.approx(1.69 - (REACHED - 4.08), abs=2e-3)
    assert found["oxidation_peak"].value == pytest.approx(3.6, abs=3e-3)
    assert found["reduction_peak"].value == pytest.approx(0.88, abs=3e-3)
    assert found["stability_window"].value == pytest.approx(4.08 - 1.69 + 2 * (REACHED - 4.08), abs=4e-3)
    assert found["oxidation_is"].value == "reached"
    assert found["scan_rate"].value == pytest.approx(1.0)
    assert found["highest_reduction_current_density"].value == pytest.approx(0.4, rel=0.02)


def test_a_small_wave_that_just_touches_the_threshold_is_no_onset():
    found = analyse(["linear_sweep"], swept(lambda x: wave(x, bump=0.0101)))
    assert found["oxidation_onset"].value == pytest.approx(REACHED, abs=2e-3)
    assert "3.60" in found["oxidation_peaks"].value


def test_a_small_wave_above_the_threshold_is_the_onset_but_not_the_tangents():
    found = analyse(["linear_sweep"], swept(lambda x: wave(x, bump=0.04)))
    assert 3.4 < found["oxidation_onset"].value < 3.6
    assert found["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=3e-3)


def test_a_single_spike_is_no_onset():
    data = swept(lambda x: np.where(np.abs(x - 3.2) < 6e-4, 0.5, wave(x)))
    assert analyse(["linear_sweep"], data)["oxidation_onset"].value == pytest.approx(REACHED, abs=2e-3)


def test_what_is_not_reached_says_up_to_where():
    found = analyse(["linear_sweep"], swept(lambda x: 0 * x + 1e-3, end=4.7))
    assert found["oxidation_onset"].value is None
    assert found["oxidation_onset_tangent"].value is None
    assert found["oxidation_is"].value.endswith("to 4.699 V")
    assert found["stability_window"].value is None
    assert found["reduction_is"].value is None


def test_charging_the_double_layer_at_the_start_is_no_onset():
    data = swept(lambda x: wave(x) + 0.05 * np.exp(-(x - 2.6) / 0.02))
    assert analyse(["linear_sweep"], data)["oxidation_onset"].value == pytest.approx(REACHED, abs=2e-3)


def test_potentials_are_against_lithium():
    data = swept(lambda x: wave(x + 0.62), start=2.0, end=4.4, reference_offset_v=0.62)
    found = analyse(["linear_sweep"], data)
    assert found["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=3e-3)


def test_the_ohmic_drop_is_taken_off():
    potential = np.arange(2.6, 5.0, 1e-3)
    density = wave(potential)
    ohm = 200.0
    paper = Paper().sweep(potential + density * 1e-3 * AREA_CM2 * ohm, density)
    plain, corrected = linear_sweep(paper.data()), linear_sweep(paper.data(), resistance_ohm=ohm)
    assert plain["oxidation_onset_tangent"].value < 4.08 or plain["oxidation_onset"].value > 4.0885
    assert corrected["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=3e-3)
    assert corrected["ir_correction"].value == 200.0
    same = analyse(["linear_sweep"], paper.data(series_resistance_ohm=ohm))
    assert same["oxidation_onset"] == corrected["oxidation_onset"]


def test_a_higher_threshold_is_reached_later():
    data = swept(wave)
    onsets = [linear_sweep(data, threshold)["oxidation_onset"].value for threshold in (5, 10, 50)]
    assert onsets == sorted(onsets)
    assert onsets[2] - onsets[0] > 0.03
    assert linear_sweep(data, 50)["threshold"].value == 50


def test_a_cyclic_voltammogram_is_told_by_its_first_scans():
    up = np.arange(2.6, 5.0, 2e-3)
    down = up[::-1]
    potential = np.concatenate([up, down, up, down])
    density = np.concatenate([wave(up), -1.5e-4 + 0 * down, wave(up, onset=4.3), -1.5e-4 + 0 * down])
    found = analyse(["linear_sweep"], Paper().sweep(potential, density).data())
    assert found["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=4e-3)
    assert found["reduction_is"].value.startswith("not reached")


def test_of_a_repeated_sweep_the_last_attempt_counts():
    potential = np.arange(2.6, 5.0, 1e-3)
    paper = Paper().sweep(potential[:1000], wave(potential[:1000], onset=3.2))
    paper.sweep(potential, wave(potential), attempt=2)
    found = analyse(["linear_sweep"], paper.data())
    assert found["oxidation_onset_tangent"].value == pytest.approx(4.08, abs=3e-3)


def test_host_stepped_and_scripted_sweeps_agree_within_the_step():
    coarse, fine = (
        analyse(["linear_sweep"], swept(wave, start=2.6 + shift, step=step, noise=2e-5))
        for step, shift in ((5e-3, 2.3e-3), (1e-3, 0.0))
    )
    for name in ("oxidation_onset", "oxidation_onset_tangent"):
        assert coarse[name].value == pytest.approx(fine[name].value, abs=5e-3)


def test_the_plot_marks_the_onsets():
    drawn = plots(["linear_sweep"], swept(lambda x: wave(x, bump=0.008)))["linear_sweep"]
    names = [line["name"] for line in drawn["y"]]
    assert names == [
        "rising scan 1",
        "oxidation onset, threshold",
        "oxidation onset, tangent",
        "oxidation: baseline and tangent",
        "oxidation peaks",
    ]
    assert drawn["y"][1].get("x") == [pytest.approx(REACHED, abs=2e-3)]


@pytest.mark.parametrize("paper", [Paper(), Paper().hold(0.1, np.arange(50.0), np.ones(50))])
def test_a_run_without_a_sweep_says_so(paper):
    with pytest.raises(InvalidInput, match="no sweep"):
        analyse(["linear_sweep"], paper.data())


def test_a_few_samples_are_no_sweep():
    with pytest.raises(InvalidInput, match="no sweep"):
        analyse(["linear_sweep"], Paper().sweep(np.linspace(2, 3, 5), np.zeros(5)).data())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_samples_that_are_no_numbers_are_refused(bad):
    with pytest.raises(InvalidInput, match="not a number"):
        analyse(["linear_sweep"], Paper().sweep(np.linspace(2, 3, 50), np.full(50, bad)).data())


def test_nonsense_is_refused():
    with pytest.raises(InvalidInput, match="threshold of 0"):
        linear_sweep(swept(wave), 0.0)
    with pytest.raises(InvalidInput, match="cannot be corrected for"):
        linear_sweep(swept(wave), resistance_ohm=-1.0)
    with pytest.raises(InvalidInput, match="area"):
        analyse(["linear_sweep"], swept(wave, area_m2=None))


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=0, max_size=80),
    st.sampled_from([1.0, 1e-6, 0.0]),
)
def test_no_current_whatever_breaks_it(density, scale):
    """Any numbers end in results or in a refusal."""
    potential = np.linspace(2.0, 3.0, len(density))
    try:
        found = analyse(["linear_sweep"], Paper().sweep(potential, np.array(density) * scale).data())
    except InvalidInput:
        return
    assert all(result.value is None or result.value == result.value for result in found.values())
