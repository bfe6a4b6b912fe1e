"""Capacities, efficiencies and fade: the truth within its interval, and which cycles count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import EXACT, Paper

from galvanode.analysis import analyse, capacity_table, plots
from galvanode.analysis.model import CHARGED, DISCHARGED
from galvanode.analysis.rate import rate_capability
from galvanode.errors import InvalidInput

MASS_KG = 10e-6
NOMINAL_C = 170 * 10e-3 * 3.6
"""170 mAh/g times 10 mg."""


CAPACITY = st.floats(5.0, 250.0)


def cycled(schedule, poll=10.0, last_reason="voltage"):
    """``schedule``: rate in C, charge and discharge capacity in mAh/g of each cycle."""
    paper = Paper()
    paper.current(0.0, 60.0, 30.0, cycle=0)
    for number, (rate, charge, discharge) in enumerate(schedule, 1):
        amps = rate * NOMINAL_C / 3600
        ah = 1e-3 * 10e-3  # of 1 mAh/g
        paper.current(amps, charge * ah * 3600 / amps, poll, number)
        final = number == len(schedule)
        paper.current(-amps, discharge * ah * 3600 / amps, poll, number, last_reason if final else "voltage")
    return paper


def told(paper, **known):
    known = {"active_mass_kg": MASS_KG, "nominal_capacity_c": NOMINAL_C, **known}
    return analyse(["rate_capability"], paper.data(**known))


LADDER = [
    *[(0.1, 157, 155.8)] * 3,
    *[(0.2, 148, 147.6)] * 3,
    *[(0.3, 146, 145.1)] * 3,
    *[(0.5, 144, 143.7)] * 3,
    *[(1.0, 113, 112.0)] * 3,
    *[(0.1, 153, 152.5)] * 3,
]


def test_a_ladder_of_rates():
    found = told(cycled(LADDER, poll=60.0))
    for rate, capacity in (("0.1C", 155.8), ("0.2C", 147.6), ("0.5C", 143.7), ("1C", 112.0), ("0.1C_return", 152.5)):
        figure = found[f"discharge_capacity_{rate}"]
        assert figure.unit == "mAh/g"
        assert figure.value == pytest.approx(capacity, rel=1e-6)
        assert figure.low < capacity < figure.high
    assert found["return_to_first_rate"].value == pytest.approx(100 * 152.5 / 155.8)
    assert found["initial_coulombic_efficiency"].value == pytest.approx(100 * 155.8 / 157)
    assert found["cycles"].value == 18


def test_nine_of_ten_intervals_hold_the_true_capacity():
    random = np.random.default_rng(1)
    held = 0
    for _ in range(50):
        capacity, rate = random.uniform(80, 220), float(random.choice([0.1, 0.2, 0.5, 1.0]))
        gain = 1 + random.normal(scale=1e-3)  # half of what 95 % of the instruments keep
        poll = float(random.choice([10.0, 30.0, 60.0]))
        # The end of a step is seen at the next poll only.
        each = rate * 170 / 3600 * poll
        seen = np.ceil(capacity / each) * each
        found = told(cycled([(rate, capacity * 1.1, seen * gain)], poll=poll * gain))
        figure = found["first_discharge_capacity"]
        held += figure.low <= capacity <= figure.high
    assert held >= 45


def test_retention_and_fade_are_of_the_longest_stretch_at_one_rate():
    random = np.random.default_rng(1)
    schedule = [(0.1, 218.4 / 0.943, 218.4), (0.1, 215, 213.4), (0.1, 211, 209.7)]
    schedule += [(0.5, 171 - 0.2 * k, 170 - 0.2 * k + random.normal(scale=0.05)) for k in range(60)]
    found = told(cycled(schedule, poll=200.0))
    assert [found[f"discharge_capacity_cycle_{k}"].value for k in (1, 2, 3)] == pytest.approx([218.4, 213.4, 209.7])
    assert found["initial_coulombic_efficiency"].value == pytest.approx(94.3)
    assert found["retention_cycles"].value == 60
    assert found["capacity_retention"].value == pytest.approx(100 * (170 - 11.8) / 170, abs=0.1)
    fade = found["fade"]
    assert fade.unit == "%/cycle"
    assert fade.low < 100 * 0.2 / 170 < fade.high
    assert fade.high - fade.low < 0.01


def test_retention_of_a_chosen_cycle():
    data = cycled([(0.5, 101, 100 - k) for k in range(20)]).data(active_mass_kg=MASS_KG)
    assert rate_capability(data, cycle=11)["capacity_retention"].value == pytest.approx(90.0)
    assert rate_capability(data, cycle=21)["capacity_retention"].value is None


def test_nine_of_ten_intervals_hold_the_true_fade():
    random = np.random.default_rng(2)
    held = 0
    for _ in range(50):
        fade = random.uniform(0.01, 0.2)
        schedule = [(0.5, 151.0, 150 * (1 - fade / 100 * k) + random.normal(scale=0.2)) for k in range(40)]
        figure = told(cycled(schedule, poll=3600.0))["fade"]
        held += figure.low <= fade <= figure.high
    assert held >= 45


def test_rates_by_current_density_where_no_capacity_is_known():
    found = told(cycled(LADDER[:6], poll=60.0), nominal_capacity_c=None)
    amps = 0.1 * NOMINAL_C / 3600
    assert f"discharge_capacity_{round(amps * 1e3 / 0.785, 2):g}mA/cm2" in found


def test_capacity_per_area_or_as_it_is_where_no_mass_is_known():
    found = told(cycled(LADDER[:1]), active_mass_kg=None)
    assert found["first_discharge_capacity"].unit == "mAh/cm2"
    assert found["first_discharge_capacity"].value == pytest.approx(155.8 * 10e-3 / 0.785)
    found = told(cycled(LADDER[:1]), active_mass_kg=None, area_m2=None)
    assert found["first_discharge_capacity"].unit == "mAh"
    assert found["first_discharge_capacity"].value == pytest.approx(1.558)


def test_the_areal_capacity_is_told_beside_the_specific_one():
    assert told(cycled(LADDER[:1]))["areal_capacity"].value == pytest.approx(155.8 * 10e-3 / 0.785)


@pytest.mark.parametrize("reason", [None, "stop", "tripped: voltage", "pause", "interrupt", "communication_lost: gone"])
def test_a_cycle_that_was_cut_short_does_not_count(reason):
    found = told(cycled([(0.5, 151, 150), (0.5, 151, 150), (0.5, 151, 40)], last_reason=reason))
    assert found["cycles"].value == 2
    assert found["last_discharge_capacity"].value == pytest.approx(150)


def test_a_charge_without_its_discharge_is_no_cycle():
    paper = cycled([(0.5, 151, 150)])
    paper.current(1e-3, 600.0, 10.0, cycle=2)
    assert told(paper)["cycles"].value == 1


def test_without_counters_the_current_is_integrated():
    data = cycled(LADDER[:2]).data(active_mass_kg=MASS_KG, nominal_capacity_c=NOMINAL_C)
    bare = type(data)(
        data.samples.drop_columns([CHARGED, DISCHARGED]),
        data.steps,
        data.area_m2,
        active_mass_kg=MASS_KG,
        nominal_capacity_c=NOMINAL_C,
    )
    found = analyse(["rate_capability"], bare)["first_discharge_capacity"]
    assert found.value == pytest.approx(155.8, rel=2e-3)


def test_efficiency_needs_no_accuracy_of_the_current():
    figure = told(cycled(LADDER[:1], poll=1.0))["initial_coulombic_efficiency"]
    assert figure.high - figure.low < 0.02
    exact = told(cycled(LADDER[:1], poll=1.0), accuracy=EXACT)["first_discharge_capacity"]
    assert exact.high - exact.low < 0.02


def test_the_table_and_the_plot_have_every_cycle():
    data = cycled(LADDER, poll=60.0).data(active_mass_kg=MASS_KG, nominal_capacity_c=NOMINAL_C)
    table = capacity_table(data)
    assert table.num_rows == 18
    assert table["rate"].to_pylist()[:4] == ["0.1C", "0.1C", "0.1C", "0.2C"]
    drawn = plots(["rate_capability"], data)["rate_capability"]
    assert drawn["x"]["values"] == [float(k) for k in range(1, 19)]
    assert [line["unit"] for line in drawn["y"]] == ["mAh/g", "mAh/g", "%"]


def test_a_run_without_a_cycle_has_no_figures():
    for paper in (Paper(), cycled([]), Paper().current(1e-3, 60.0, 10.0, cycle=1)):
        found = told(paper)
        assert found["cycles"].value == 0
        assert found["first_discharge_capacity"].value is None
        assert found["capacity_retention"].value is None
        assert plots(["rate_capability"], paper.data())["rate_capability"]["x"]["values"] == []


def test_counters_that_go_back_are_refused():
    paper = cycled(LADDER[:1])
    paper.rows[-1] = (*paper.rows[-1][:7], 0.0, *paper.rows[-1][8:])
    with pytest.raises(InvalidInput, match="goes back"):
        told(paper)


def test_samples_that_are_no_numbers_are_refused():
    paper = cycled(LADDER[:1])
    paper.rows[5] = (*paper.rows[5][:2], float("nan"), *paper.rows[5][3:])
    with pytest.raises(InvalidInput, match="not a number"):
        told(paper)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 1.0]), CAPACITY, CAPACITY), min_size=1, max_size=6))
@settings(max_examples=30)
def test_every_cycle_is_told_as_it_was(schedule):
    data = cycled(schedule, poll=600.0).data(active_mass_kg=MASS_KG, nominal_capacity_c=NOMINAL_C)
    table = capacity_table(data)
    assert table["discharge_capacity"].to_pylist() == pytest.approx([each[2] for each in schedule], rel=1e-6)
    efficiencies = [100 * each[2] / each[1] for each in schedule]
    assert table["coulombic_efficiency"].to_pylist() == pytest.approx(efficiencies, rel=1e-6)
