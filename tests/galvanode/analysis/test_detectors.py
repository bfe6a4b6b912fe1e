"""The short-circuit detector: what it must find and what must leave it quiet."""

import json
import math
import random
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from galvanode.analysis.detectors import DETECTORS, ShortCircuit

R = 130.0


def watch(resistance, currents, *, half_cycle_s=1800.0, poll_s=5.0, noise_v=1e-4, options=None, rest_s=0.0, seed=1):
    """Feed half-cycles; return (half-cycle, time in it, reason) of the first alarm, or None.

    ``resistance(half_cycle, elapsed, current)`` in ohm.
    """
    detector, noise, now, step = ShortCircuit(options or {}), random.Random(seed), 0.0, 0
    for index, current in enumerate(currents):
        for amps, lasts in ((current, half_cycle_s), (0.0, rest_s)):
            step += 1
            elapsed = 0.0
            while elapsed <= lasts and lasts > 0:
                volts = amps * resistance(index, elapsed, amps) + noise.gauss(0, noise_v)
                if reason := detector.update(now, volts, amps, step):
                    return index, elapsed, reason
                elapsed += poll_s
                now += poll_s
    return None


def alternating(*amps):
    return [sign * a for a in amps for sign in (1, -1)]


LADDER = alternating(*(1e-4 * n for n in range(1, 25)))


def test_a_sound_ladder_is_quiet():
    assert watch(lambda n, t, i: R, LADDER) is None


def test_a_hard_short_within_a_half_cycle_is_found_and_called_hard():
    found = watch(lambda n, t, i: 1.0 if (n, t) >= (20, 900) else R, LADDER)
    assert found[:2] == (20, 910.0)
    assert found[2].startswith("short_circuit: hard: V/I fell from 130")


def test_a_soft_short_without_spikes_is_found_and_called_soft():
    found = watch(lambda n, t, i: 0.4 * R if (n, t) >= (20, 900) else R, LADDER)
    assert found[:2] == (20, 910.0)
    assert found[2].startswith("short_circuit: soft:")


def test_a_soft_short_whose_dips_partly_recover_is_found():
    chance = random.Random(3)
    level = {}

    def dips(n, t, i):
        if (n, t) < (20, 300):
            return R
        dip = int(t // 60)
        level.setdefault((n, dip), chance.choice([0.4, 0.42, 0.75]))
        return R * level[n, dip]

    found = watch(dips, LADDER)
    assert found[0] == 20
    assert "soft" in found[2]


@pytest.mark.parametrize(("left", "kind"), [(0.01, "hard"), (0.4, "soft")])
def test_a_cell_shorted_during_the_reversal_has_lost_proportionality(left, kind):
    found = watch(lambda n, t, i: R * (left if n >= 9 else 1), LADDER)
    assert found[0] == 9
    assert found[1] <= 20
    assert f"short_circuit: {kind}" in found[2]
    assert "since the half-cycle before" in found[2]


@pytest.mark.parametrize("before_the_end", [0, 5, 10])
@pytest.mark.parametrize("left", [0.01, 0.4])
def test_a_short_in_the_last_readings_before_a_reversal_is_found(before_the_end, left):
    found = watch(lambda n, t, i: R * (left if (n, t) >= (8, 1800 - before_the_end) else 1), LADDER)
    assert found[:2] in {(8, 1800.0), (9, 15.0)}


def test_a_cell_shorted_during_a_rest_is_found_afterwards():
    assert watch(lambda n, t, i: R * (0.02 if n >= 9 else 1), LADDER, rest_s=600.0)[0] == 9


def test_concentration_polarisation_that_triples_is_quiet():
    assert watch(lambda n, t, i: R * (3 - 2 * math.exp(-t / 400)), LADDER) is None


def test_resistance_that_falls_with_the_current_is_quiet():
    # Butler-Volmer: the interface's voltage grows like asinh(i/2 i0).
    def interface(n, t, i):
        return (30 * abs(i) + 0.05 * math.asinh(abs(i) / 2e-5)) / abs(i)

    assert watch(interface, LADDER) is None
    assert watch(interface, alternating(1e-5, 1e-4, 1e-3, 2e-3)) is None


def test_rests_with_a_drifting_zero_are_quiet():
    noise = random.Random(5)
    detector = ShortCircuit({})
    now = 0.0
    for step, current in enumerate(LADDER):
        for k in range(100):
            assert detector.update(now + 10 * k, current * R, current, 2 * step) is None
        now += 1000
        for k in range(100):  # current of the zero's noise, voltage decaying
            volts = current * R * math.exp(-k / 10) + noise.gauss(0, 1e-4)
            assert detector.update(now + 10 * k, volts, noise.gauss(0, 2e-9), 2 * step + 1) is None
        now += 1000


def test_noise_on_a_millivolt_is_quiet():
    assert watch(lambda n, t, i: 10.0, alternating(*[1e-4] * 100), poll_s=2.0) is None


@settings(max_examples=40)
@given(
    rise=st.floats(0.0, 4.0),
    tau_s=st.floats(0.3, 30_000.0),
    poll_s=st.sampled_from([0.5, 1.0, 10.0, 30.0]),
    half_cycle_s=st.floats(600.0, 3600.0),
    ratio=st.floats(1.0, 3.0),
    seed=st.integers(0, 1000),
)
@example(rise=3.0, tau_s=1137.0, poll_s=30.0, half_cycle_s=600.0, ratio=1.0, seed=1)
@example(rise=4.0, tau_s=100.0, poll_s=0.5, half_cycle_s=600.0, ratio=1.0, seed=1)
def test_what_builds_up_and_must_be_turned_round_is_quiet(rise, tau_s, poll_s, half_cycle_s, ratio, seed):
    """Interfacial capacitance (fast) or concentration (slow) keeps its voltage when the current reverses."""
    detector, noise, now, built_up = ShortCircuit({}), random.Random(seed), 0.0, 0.0
    for step, current in enumerate(alternating(1e-4, 1e-4, ratio * 1e-4, ratio * 1.2e-4)):
        elapsed = 0.0
        while elapsed <= half_cycle_s:
            volts = current * 100 + built_up + noise.gauss(0, 1e-4)
            assert detector.update(now, volts, current, step) is None
            target = current * 100 * rise
            built_up = target + (built_up - target) * math.exp(-poll_s / tau_s)
            elapsed += poll_s
            now += poll_s


@settings(max_examples=40)
@given(
    half_cycle=st.integers(1, 15),
    at=st.floats(0.0, 0.9),
    left=st.floats(0.0, 0.42),
    rise=st.floats(0.0, 0.3),
    rest_s=st.sampled_from([0.0, 60.0]),
    seed=st.integers(0, 1000),
)
@example(half_cycle=1, at=0.0, left=0.0, rise=0.0, rest_s=0.0, seed=59)
@example(half_cycle=1, at=0.0, left=0.4, rise=0.25, rest_s=0.0, seed=0)
def test_every_lasting_short_is_found_in_its_half_cycle(half_cycle, at, left, rise, rest_s, seed):
    def cell(n, t, i):
        sound = R * (1 + rise * (1 - math.exp(-t / 200)))
        return sound * (left if (n, t) >= (half_cycle, at * 1800) else 1)

    found = watch(cell, LADDER[:16], rest_s=rest_s, seed=seed)
    assert found is not None
    assert found[0] == half_cycle
    assert found[1] <= at * 1800 + 60


def test_one_bad_reading_is_no_short_and_confirm_says_how_many_are():
    dips = {(4, 500.0), (4, 505.0)}
    assert watch(lambda n, t, i: 1.0 if (n, t) in dips else R, LADDER) is None
    assert watch(lambda n, t, i: 1.0 if (n, t) in dips else R, LADDER, options={"confirm": 2})[:2] == (
        4,
        505.0,
    )


def test_one_high_reading_sets_no_reference():
    assert watch(lambda n, t, i: 10 * R if (n, t) == (4, 500.0) else R, LADDER) is None


def test_a_smaller_current_after_a_larger_one_is_quiet():
    built_up = 0.0
    detector, now = ShortCircuit({}), 0.0
    for step, current in enumerate([1e-3, 1e-4, 1e-3, 2e-4]):
        for _ in range(300):
            assert detector.update(now, current * 100 + built_up, current, step) is None
            target = current * 150
            built_up = target + (built_up - target) * math.exp(-5 / 400)
            now += 5


def test_the_drop_is_an_option():
    soft = lambda n, t, i: 0.6 * R if (n, t) >= (4, 900) else R  # noqa: E731
    assert watch(soft, LADDER) is None
    assert watch(soft, LADDER, options={"drop": 0.3})[0] == 4


def test_a_resumed_detector_goes_on_where_it_was():
    detector = ShortCircuit({})
    for k in range(300):
        detector.update(10.0 * k, 0.013, 1e-4, 1)
    for k in range(300, 400):
        detector.update(10.0 * k, -0.013, -1e-4, 2)
    state = json.loads(json.dumps(detector.state(), allow_nan=False))
    resumed = ShortCircuit({})
    resumed.restore(state)
    found = [resumed.update(10.0 * k, -0.004, -1e-4, 2) for k in range(500, 520)]
    assert "soft" in next(reason for reason in found if reason)


def test_what_relaxed_during_an_interruption_is_no_short():
    detector = ShortCircuit({})
    for k in range(300):
        assert detector.update(10.0 * k, 0.013 * (3 - 2 * math.exp(-k / 40)), 1e-4, 1) is None
    detector.interrupted()
    for k in range(300):
        assert detector.update(5000 + 10.0 * k, 0.013 * (3 - 2 * math.exp(-k / 40)), 1e-4, 1) is None


def test_the_state_of_a_new_detector_can_be_stored():
    fresh = ShortCircuit({})
    fresh.restore(json.loads(json.dumps(ShortCircuit({}).state(), allow_nan=False)))
    assert fresh.update(0.0, 0.013, 1e-4, 1) is None


@pytest.mark.parametrize(
    "reading", [(math.nan, 1e-4), (0.013, math.nan), (math.nan, 0.0), (math.inf, 1e-4), (0.0, math.inf)]
)
def test_what_is_no_measurement_never_passes(reading):
    detector = ShortCircuit({})
    detector.update(0.0, 0.013, 1e-4, 1)
    with pytest.raises(ValueError, match="no measurement"):
        detector.update(1.0, *reading, 1)
    with pytest.raises(ValueError, match="no measurement"):
        detector.update(math.nan, 0.013, 1e-4, 1)
    with pytest.raises(ValueError, match="time went back"):
        detector.update(-1.0, 0.013, 1e-4, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dropp": 0.5}, "no option 'dropp'; expected drop, confirm, settle_s"),
        ({"drop": 1.0}, "drop is 1.0; expected a number between 0 and 1"),
        ({"drop": math.nan}, "between 0 and 1"),
        ({"confirm": 2.5}, "a whole number, 1 to 1000"),
        ({"confirm": 0}, "a whole number"),
        ({"confirm": math.inf}, "a whole number"),
        ({"settle_s": -1.0}, "0 or more"),
        ({"noise_V": math.inf}, "0 or more"),
        ({"hard_fraction": 0.0}, "between 0 and 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ShortCircuit(options)


def test_zero_is_allowed_where_it_has_a_meaning():
    assert watch(lambda n, t, i: R, LADDER[:4], noise_v=0.0, options={"settle_s": 0, "noise_V": 0}) is None


def test_detectors_have_names():
    assert {"short_circuit": ShortCircuit} == DETECTORS


def test_an_update_costs_the_same_however_long_the_run_is():
    detector = ShortCircuit({})
    readings = [(10.0 * k, 0.013 + 1e-6 * (k % 7), 1e-4, k // 360) for k in range(20_000)]
    took: list[float] = []
    for first in range(0, len(readings), 2_000):
        began = time.process_time()
        for reading in readings[first : first + 2_000]:
            detector.update(*reading)
        took.append(time.process_time() - began)
    assert min(took[-3:]) < 3 * min(took[:3])  # 0.3 us each
