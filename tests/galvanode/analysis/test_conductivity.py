"""Ionic conductivity: the truth within its interval, and what belongs to the electrolyte."""

import numpy as np
import pytest
from runs import AREA_CM2, EXACT, FREQUENCY, THICKNESS_CM, Paper, Pellet, noisy, of

from galvanode.analysis import analyse
from galvanode.errors import InvalidInput


@pytest.mark.parametrize("pellets", [10, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("frequency", [FREQUENCY, np.logspace(6, 0, 61)], ids=["200 kHz", "1 MHz"])
def test_nine_of_ten_intervals_hold_the_true_conductivity(frequency, pellets):
    random = np.random.default_rng(2)
    held = 0
    for _ in range(pellets):
        pellet = Pellet.drawn(random)
        z = noisy(pellet.impedance(frequency), 10 ** random.uniform(-3.3, -2.3), random)
        found = analyse(["ionic_conductivity"], Paper().spectrum(frequency, z).data(accuracy=EXACT))
        figure = found["ionic_conductivity"]
        assert figure.unit == "mS/cm"
        held += figure.low <= pellet.conductivity_s_cm * 1e3 <= figure.high
    assert held >= 0.9 * pellets


def test_the_interval_holds_the_instruments_accuracy():
    pellet = Pellet()
    z = noisy(pellet.impedance() * 1.002, 1e-4, np.random.default_rng(1))  # 0.2 % of gain error
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())["ionic_conductivity"]
    assert found.low < 1.0 < found.high


def test_bulk_and_boundaries_are_told_apart_where_an_arc_shows_them():
    pellet = Pellet(boundaries=0.4, boundary_f=2e-7)
    z = noisy(pellet.impedance(), 1e-3, np.random.default_rng(1))
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())
    assert found["ionic_conductivity_is"].value == "bulk + grain boundary"
    assert found["ionic_conductivity"].value == pytest.approx(1.0, rel=0.01)
    assert found["bulk_conductivity"].value == pytest.approx(1 / 0.6, rel=0.02)
    whole = THICKNESS_CM / (1e-3 * AREA_CM2)
    assert found["electrolyte_resistance"].value == pytest.approx(whole, rel=0.01)
    assert found["grain_boundary_resistance"].value == pytest.approx(0.4 * whole, rel=0.05)


def test_without_an_arc_it_says_that_they_are_not_told_apart():
    z = noisy(Pellet(boundaries=0.0).impedance(), 1e-3, np.random.default_rng(1))
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())
    assert found["ionic_conductivity_is"].value == "bulk + grain boundary, not told apart"
    assert found["circuit"].value == "R0-CPE1"


def test_the_leakage_of_the_electrodes_is_no_electrolyte():
    # Electrons make an arc of the electrodes' capacitance: 5e-7 S/cm shows at 0.1 Hz.
    z = noisy(Pellet(boundaries=0.0, electronic_s_cm=5e-7).impedance(), 1e-3, np.random.default_rng(1))
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())
    assert found["circuit"].value == "R0-p(R1,CPE1)"
    assert found["ionic_conductivity"].value == pytest.approx(1.0, rel=0.01)


def test_between_lithium_electrodes_the_interfaces_are_no_electrolyte():
    z = noisy(of("R0-p(R1,CPE1)", 80.0, 200.0, 2e-6, 0.95), 1e-3, np.random.default_rng(1))
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())
    assert found["electrolyte_resistance"].value == pytest.approx(80.0, rel=0.01)


def test_of_several_temperatures_the_one_nearest_to_25_degrees_counts():
    paper = Paper()
    pellet = Pellet()
    for celsius in (60.0, 23.0, -10.0):
        paper.spectrum(FREQUENCY, pellet.impedance(kelvin=celsius + 273.15), celsius)
    found = analyse(["ionic_conductivity"], paper.data())
    assert found["temperature"].value == pytest.approx(23.0)
    assert found["ionic_conductivity"].value == pytest.approx(pellet.at(296.15) * 1e3, rel=0.01)


def test_spectra_at_one_temperature_are_averaged():
    paper, random = Paper(), np.random.default_rng(1)
    for _ in range(4):
        pellet = Pellet(conductivity_s_cm=float(np.exp(random.normal(0, 0.02))) * 1e-3)
        paper.spectrum(FREQUENCY, noisy(pellet.impedance(), 1e-3, random))
    found = analyse(["ionic_conductivity"], paper.data(accuracy=EXACT))["ionic_conductivity"]
    assert found.low < 1.0 < found.high
    assert 0.005 < (found.high - found.low) / 2 < 0.2


def test_without_a_temperature_the_first_spectrum_counts():
    z = Pellet().impedance()
    found = analyse(
        ["ionic_conductivity"], Paper().spectrum(FREQUENCY, z, None).spectrum(FREQUENCY, 2 * z, None).data()
    )
    assert found["temperature"].value is None
    assert found["ionic_conductivity"].value == pytest.approx(1.0, rel=0.01)


def test_a_drifting_pellet_is_told():
    z = noisy(of("R0-p(R1,CPE1)", 80.0, 200.0, 2e-6, 0.95), 1e-3, np.random.default_rng(1))
    z *= 1 + 0.2 * np.linspace(0, 1, len(z)) ** 2
    found = analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, z).data())
    assert found["kramers_kronig"].value.startswith("violated")


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ({"thickness_m": None}, "electrolyte_thickness is unknown"),
        ({"thickness_m": 0.0}, "0.0"),
        ({"area_m2": None}, "area"),
    ],
)
def test_without_area_or_thickness_there_is_no_conductivity(known, told):
    with pytest.raises(InvalidInput, match=told):
        analyse(["ionic_conductivity"], Paper().spectrum(FREQUENCY, Pellet().impedance()).data(**known))
