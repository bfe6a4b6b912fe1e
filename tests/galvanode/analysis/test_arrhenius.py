"""Activation energies: the truth within its interval, and what makes no ladder."""

import numpy as np
import pytest
from runs import AREA_CM2, EXACT, FREQUENCY, Paper, Pellet, noisy, of

from galvanode.analysis import analyse, plots
from galvanode.errors import InvalidInput

COARSE = np.logspace(5.3, 0, 41)
LADDER = (25, 35, 45, 55, 65, 75, 85)


def climbed(pellet, temperatures=LADDER, random=None, frequency=COARSE, error_k=0.1, noise=2e-3):
    """Spectra up a ladder; cell and sensor differ by ``error_k``."""
    random = random or np.random.default_rng(1)
    paper = Paper()
    for celsius in temperatures:
        z = pellet.impedance(frequency, celsius + 273.15 + random.normal(scale=error_k))
        sensor = (celsius + random.normal(scale=0.03, size=len(frequency))).tolist()
        paper.spectrum(frequency, noisy(z, noise, random), sensor)
    return paper


@pytest.mark.parametrize("pellets", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_nine_of_ten_intervals_hold_the_true_activation_energy(pellets):
    random = np.random.default_rng(5)
    held = 0
    for _ in range(pellets):
        pellet = Pellet.drawn(random)
        count = int(random.integers(5, 8))
        found = analyse(["arrhenius"], climbed(pellet, LADDER[:count], random).data(accuracy=EXACT))
        figure = found["activation_energy"]
        assert figure.unit == "eV"
        held += figure.low <= pellet.energy_ev <= figure.high
    assert held >= 0.9 * pellets


def test_the_form_without_t_is_lower_by_kt():
    found = analyse(["arrhenius"], climbed(Pellet(energy_ev=0.3)).data())
    difference = found["activation_energy"].value - found["activation_energy_ln_sigma"].value
    assert difference == pytest.approx(8.617e-5 * 328, rel=0.02)
    assert found["activation_energy_is"].value == "ln(sigma T) against 1/T, 7 temperatures from 25 to 85 °C"
    assert found["conductivity_at_25_degC"].value == pytest.approx(1.0, rel=0.02)
    assert (found["lowest_temperature"].value, found["temperatures"].value) == (pytest.approx(25, abs=0.1), 7)


def test_four_temperatures_make_no_activation_energy():
    found = analyse(["arrhenius"], climbed(Pellet(), LADDER[:4]).data())
    assert found["activation_energy"].value is None
    assert found["activation_energy_is"].value == "not known: 5 temperatures or more are needed, there are 4"


def test_a_spectrum_while_the_temperature_moves_is_left_out():
    paper = climbed(Pellet(), LADDER)
    moving = np.linspace(85, 95, len(COARSE)).tolist()
    paper.spectrum(COARSE, Pellet().impedance(COARSE, 363.15), moving)
    found = analyse(["arrhenius"], paper.data())
    assert found["temperatures"].value == 7
    assert found["activation_energy_is"].value.endswith("1 spectra left out: the temperature moved")


def test_up_and_down_again_are_the_same_temperatures():
    found = analyse(["arrhenius"], climbed(Pellet(), (*LADDER, *LADDER[::-1])).data())
    assert found["temperatures"].value == 7
    assert found["activation_energy"].low < 0.3 < found["activation_energy"].high


def test_without_temperatures_there_is_no_ladder():
    paper = Paper()
    for _ in range(6):
        paper.spectrum(COARSE, Pellet().impedance(COARSE), None)
    found = analyse(["arrhenius"], paper.data())
    assert found["activation_energy"].value is None
    assert found["temperatures"].value == 0


def test_an_activation_energy_needs_no_geometry():
    found = analyse(["arrhenius"], climbed(Pellet()).data(area_m2=None, thickness_m=None))
    assert found["activation_energy"].value == pytest.approx(0.3, abs=0.01)
    assert "conductivity_at_25_degC" not in found


def test_the_plot_has_points_and_a_line():
    drawn = plots(["arrhenius"], climbed(Pellet()).data())["arrhenius"]
    measured, straight = drawn["y"]
    assert measured.get("markers") is True
    assert len(measured["values"]) == 7
    assert len(straight["values"]) == 2
    # ln(sigma T) of 1 mS/cm at 25 degC
    assert min(measured["values"]) == pytest.approx(np.log(1e-3 * 298), abs=0.02)
    assert plots(["arrhenius"], climbed(Pellet(), (25.0,)).data())["arrhenius"]["y"][0]["values"]


def symmetric(ohm_cm2, celsius=25.0, energy=19.2e3, electrolyte=80.0):
    """A cell with two interfaces."""
    factor = np.exp(energy / 8.314462618 * (1 / (celsius + 273.15) - 1 / 298.15))
    r = 2 * ohm_cm2 * factor / AREA_CM2
    return of("R0-p(R1,C1)", electrolyte * factor, r, 1e-6 * AREA_CM2, frequency=COARSE)


def test_half_of_the_arc_is_one_interface():
    paper = Paper().spectrum(COARSE, noisy(symmetric(10.3), 1e-3, np.random.default_rng(1)))
    found = analyse(["interface_resistance"], paper.data())
    figure = found["interface_resistance"]
    assert figure.unit == "ohm cm2"
    assert figure.low < 10.3 < figure.high
    assert figure.high - figure.low < 0.5
    assert found["electrolyte_resistance"].value == pytest.approx(80.0, rel=0.01)
    assert found["interface_activation_energy"].value is None
    assert "there are 1" in found["interface_activation_energy_is"].value


def test_what_an_interface_gains_by_cycling():
    random = np.random.default_rng(1)
    paper = Paper()
    for ohm_cm2 in (10.3, 12.0, 13.5):
        paper.spectrum(COARSE, noisy(symmetric(ohm_cm2), 1e-3, random))
    found = analyse(["interface_resistance"], paper.data())
    assert found["interface_resistance_last"].value == pytest.approx(13.5, rel=0.02)
    change = found["interface_resistance_change"]
    assert change.low < 3.2 < change.high


@pytest.mark.parametrize("cells", [10, pytest.param(30, marks=pytest.mark.slow)])
def test_nine_of_ten_intervals_hold_the_interfaces_activation_energy(cells):
    random = np.random.default_rng(7)
    held = 0
    for _ in range(cells):
        energy = random.uniform(15e3, 60e3)
        paper = Paper()
        for celsius in LADDER:
            z = noisy(symmetric(200.0, celsius + random.normal(scale=0.1), energy), 2e-3, random)
            paper.spectrum(COARSE, z, celsius)
        figure = analyse(["interface_resistance"], paper.data())["interface_activation_energy"]
        assert figure.unit == "kJ/mol"
        held += figure.low <= energy / 1e3 <= figure.high
    assert held >= 0.9 * cells


def test_an_electrolyte_without_interfaces_has_none():
    paper = Paper().spectrum(FREQUENCY, of("R0", 100.0))
    found = analyse(["interface_resistance"], paper.data())
    assert found["interface_resistance"].value is None


def test_an_interface_needs_an_area():
    with pytest.raises(InvalidInput, match="area"):
        analyse(["interface_resistance"], Paper().spectrum(COARSE, symmetric(10.0)).data(area_m2=None))
