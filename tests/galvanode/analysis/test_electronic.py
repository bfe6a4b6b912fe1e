"""Electronic conductivity: the truth within its interval, plateaus that are none, currents that are not linear."""

import numpy as np
import pytest
from runs import AREA_CM2, EXACT, THICKNESS_CM, Paper

from galvanode.analysis import analyse, plots
from galvanode.errors import InvalidInput

FACTOR = AREA_CM2 / THICKNESS_CM


def held(
    voltages, conductivity, times, decay=lambda t: 100 * t**-0.9 * np.exp(-t / 200), noise=0.0, offset=0.0, seed=1
):
    """Voltages one after the other across a pellet; ``noise`` and ``offset`` in A."""
    random = np.random.default_rng(seed)
    paper = Paper()
    for volts in voltages:
        current = conductivity * FACTOR * volts * (1 + decay(times)) + offset
        paper.hold(volts, times, current + noise * random.normal(size=len(times)))
    return paper


HOUR = np.arange(2.0, 3600.0, 10.0)


def test_the_slope_over_several_voltages():
    found = analyse(["electronic_conductivity"], held((0.1, 0.3, 0.5), 8.5e-10, HOUR, noise=1e-13).data())
    figure = found["electronic_conductivity"]
    assert figure.unit == "S/cm"
    assert figure.value == pytest.approx(8.5e-10, rel=2e-3)
    assert figure.low < 8.5e-10 < figure.high
    assert found["electronic_conductivity_is"].value == "slope over 3 voltages"
    assert (found["plateau"].value, found["linearity"].value) == ("reached", "linear")


def test_nine_of_ten_intervals_hold_the_true_conductivity():
    random = np.random.default_rng(4)
    total = 0
    for seed in range(50):
        conductivity = 10 ** random.uniform(-10, -8)
        voltages = np.sort(random.choice([0.1, 0.2, 0.3, 0.5, 0.8], size=int(random.integers(1, 5)), replace=False))
        exponent, height = random.uniform(0.6, 0.95), 10 ** random.uniform(0, 3)
        constant = 3600 / random.uniform(5, 15)
        noise = 10 ** random.uniform(-3, -1.5) * conductivity * FACTOR * 0.3
        paper = held(
            voltages.tolist(),
            conductivity,
            HOUR,
            lambda t, a=height, n=exponent, tau=constant: a * t**-n * np.exp(-t / tau),
            noise,
            seed=seed,
        )
        figure = analyse(["electronic_conductivity"], paper.data(accuracy=EXACT))["electronic_conductivity"]
        total += figure.low <= conductivity <= figure.high
    assert total >= 45


def test_the_instruments_offset_does_not_count_with_several_voltages():
    found = analyse(["electronic_conductivity"], held((0.1, 0.3, 0.5), 8.5e-10, HOUR, noise=1e-13, offset=5e-10).data())
    assert found["electronic_conductivity"].value == pytest.approx(8.5e-10, rel=2e-3)
    assert found["offset_current"].value == pytest.approx(0.5, rel=0.01)


def test_one_voltage_gives_a_conductivity_too():
    found = analyse(["electronic_conductivity"], held((0.5,), 8.5e-10, HOUR, noise=1e-13).data())
    assert found["electronic_conductivity"].value == pytest.approx(8.5e-10, rel=2e-3)
    assert found["electronic_conductivity_is"].value == "current over one voltage"
    assert found["linearity"].value is None


def test_a_hold_at_0_volts_tells_the_offset():
    found = analyse(["electronic_conductivity"], held((0.0, 0.5), 8.5e-10, HOUR, noise=1e-13, offset=5e-10).data())
    assert found["electronic_conductivity"].value == pytest.approx(8.5e-10, rel=2e-3)


def test_a_plateau_that_is_not_reached_is_told_and_widens_the_interval():
    found = analyse(
        ["electronic_conductivity"],
        held((0.1, 0.5), 8.5e-10, HOUR, decay=lambda t: 5 * np.exp(-t / 3000), noise=1e-13).data(),
    )
    figure = found["electronic_conductivity"]
    assert found["plateau"].value.startswith("not reached at 0.5 V: ")
    assert figure.low < 8.5e-10 < figure.high
    assert figure.high - figure.low > 0.2 * figure.value


def test_currents_that_are_not_linear_are_told():
    paper = Paper()
    for volts in (0.1, 0.3, 0.5, 0.8):
        paper.hold(volts, HOUR, 1e-9 * np.sinh(volts / 0.2) + 0 * HOUR)
    found = analyse(["electronic_conductivity"], paper.data())
    assert found["linearity"].value.startswith("not linear: ")


def test_a_negative_voltage_counts_as_well():
    found = analyse(["electronic_conductivity"], held((-0.5, -0.1, 0.1, 0.5), 8.5e-10, HOUR, noise=1e-13).data())
    assert found["electronic_conductivity"].value == pytest.approx(8.5e-10, rel=2e-3)


def test_the_plot_shows_each_voltage_with_its_fit():
    drawn = plots(["electronic_conductivity"], held((0.1, 0.5), 8.5e-10, HOUR).data())["electronic_conductivity"]
    assert [line["name"] for line in drawn["y"]] == ["0.1 V", "0.1 V, fit", "0.5 V", "0.5 V, fit"]


def test_without_a_hold_there_is_no_figure():
    with pytest.raises(InvalidInput, match="no voltage step"):
        analyse(["electronic_conductivity"], Paper().sweep(np.linspace(2, 3, 50), np.zeros(50)).data())
    with pytest.raises(InvalidInput, match="no voltage step"):
        analyse(["electronic_conductivity"], held((0.0,), 1e-9, HOUR).data())
    with pytest.raises(InvalidInput, match="no voltage step"):
        analyse(["electronic_conductivity"], held((0.5,), 1e-9, HOUR[:3]).data())


def test_a_voltage_that_was_not_held_does_not_count():
    paper = held((0.5,), 8.5e-10, HOUR)
    paper.rows = [(row[0], row[1] * (1 + row[5] / 3600), *row[2:]) for row in paper.rows]
    with pytest.raises(InvalidInput, match="no voltage step"):
        analyse(["electronic_conductivity"], paper.data())


def test_a_current_of_exactly_0_is_no_conductivity_and_no_fault():
    figure = analyse(["electronic_conductivity"], held((0.5,), 0.0, HOUR).data())["electronic_conductivity"]
    assert figure.value == 0.0


@pytest.mark.parametrize("known", [{"area_m2": None}, {"thickness_m": None}])
def test_geometry_must_be_known(known):
    with pytest.raises(InvalidInput, match=r"area|thickness"):
        analyse(["electronic_conductivity"], held((0.5,), 1e-9, HOUR).data(**known))


def test_samples_that_are_no_numbers_are_refused():
    with pytest.raises(InvalidInput, match="not a number"):
        analyse(["electronic_conductivity"], held((0.5,), float("nan"), HOUR).data())
