"""Impedance: fits with their uncertainties, Kramers-Kronig, and what is said of bad spectra."""

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from runs import FREQUENCY, Paper, noisy, of

from galvanode.analysis import analyse, impedance_table, plots
from galvanode.analysis.circuit_fit import fit_circuit
from galvanode.analysis.kramers_kronig import kramers_kronig
from galvanode.analysis.spectra import spectra
from galvanode.errors import InvalidInput

CIRCUITS = {
    "R0-CPE1": (100, 1e-5, 0.9),
    "R0-p(R1,CPE1)": (20, 300, 1e-6, 0.85),
    "R0-p(R1,CPE1)-CPE2": (20, 300, 2e-8, 0.9, 1e-5, 0.85),
    "R0-p(R1,CPE1)-p(R2,CPE2)": (20, 300, 2e-8, 0.9, 700, 1e-4, 0.8),
    "R0-p(R1,C1)-W1": (20, 300, 1e-6, 100),
    "L0-R0-p(R1,CPE1)-W1": (1e-6, 20, 300, 1e-6, 0.9, 60),
    "R0-p(R1-W1,CPE1)": (20, 300, 60, 1e-6, 0.9),
    "R0-p(R1,CPE1)-Wo1": (20, 300, 1e-6, 0.9, 200, 0.2),
    "R0-p(R1,CPE1)-Ws1": (20, 300, 1e-6, 0.9, 200, 0.2),
}


@pytest.mark.parametrize("text", CIRCUITS)
def test_a_fit_finds_the_parameters_without_being_told_where_to_begin(text):
    truth = np.array(CIRCUITS[text], dtype=float)
    fit = fit_circuit(text, FREQUENCY, of(text, *truth))
    assert np.allclose(fit.values, truth, rtol=1e-4)


@pytest.mark.parametrize("text", ["R0-CPE1", "R0-p(R1,CPE1)-CPE2", "R0-p(R1,CPE1)-Wo1"])
def test_nine_of_ten_intervals_hold_the_truth(text):
    random = np.random.default_rng(1)
    held = total = 0
    for _ in range(50):
        truth = np.array(CIRCUITS[text]) * np.exp(random.normal(scale=0.15, size=len(CIRCUITS[text])))
        truth = np.where([p.role == "exponent" for p in fit_circuit_parameters(text)], np.minimum(truth, 0.97), truth)
        fit = fit_circuit(text, FREQUENCY, noisy(of(text, *truth), 10 ** random.uniform(-4, -2), random))
        for parameter, value in zip(fit.circuit.parameters, truth, strict=True):
            low, high = fit.bounds(parameter.name)
            held += low <= value <= high
            total += 1
    assert held / total >= 0.9


def fit_circuit_parameters(text):
    from galvanode.analysis.circuit import parse_circuit

    return parse_circuit(text).parameters


@pytest.mark.parametrize("text", ["R0-CPE1", "R0-p(R1,CPE1)-CPE2", "R0-p(R1,C1)-W1"])
def test_the_minimum_is_that_of_an_independent_method(text):
    from scipy.optimize import least_squares

    z = noisy(of(text, *CIRCUITS[text]), 5e-3, np.random.default_rng(2))
    fit = fit_circuit(text, FREQUENCY, z)

    def residuals(logs):
        difference = (fit.circuit.impedance(FREQUENCY, np.exp(logs)) - z) / np.abs(z)
        return np.concatenate([difference.real, difference.imag])

    found = least_squares(residuals, np.log(CIRCUITS[text]), method="lm", xtol=1e-12, ftol=1e-12)
    assert np.allclose(np.log(fit.values), found.x, atol=1e-4)
    covariance = np.linalg.inv(found.jac.T @ found.jac) * 2 * found.cost / fit.freedom
    assert np.allclose(fit.errors, np.sqrt(np.diag(covariance)), rtol=0.01)


def test_a_fit_takes_milliseconds():
    text = "R0-p(R1,CPE1)-CPE2"
    z = noisy(of(text, *CIRCUITS[text]), 3e-3, np.random.default_rng(1))
    fit_circuit(text, FREQUENCY, z)
    took = []
    for _ in range(5):
        began = time.process_time()
        fit_circuit(text, FREQUENCY, z)
        took.append(time.process_time() - began)
    assert min(took) < 0.05


def test_a_fit_of_the_same_data_is_the_same():
    text = "R0-p(R1,CPE1)-CPE2"
    z = noisy(of(text, *CIRCUITS[text]), 3e-3, np.random.default_rng(1))
    assert (fit_circuit(text, FREQUENCY, z).values == fit_circuit(text, FREQUENCY, z).values).all()


def test_arcs_come_out_from_fast_to_slow():
    z = of("R0-p(R1,CPE1)-p(R2,CPE2)", 20, 700, 1e-4, 0.8, 300, 2e-8, 0.9)
    fit = fit_circuit("R0-p(R1,CPE1)-p(R2,CPE2)", FREQUENCY, z)
    assert fit.value("R1") == pytest.approx(300, rel=1e-3)
    assert fit.value("R2") == pytest.approx(700, rel=1e-3)


def test_a_parameter_that_the_data_do_not_tell_has_no_narrow_interval():
    fit = fit_circuit(
        "R0-p(R1,CPE1)-CPE2", FREQUENCY, noisy(of("R0-CPE1", 100, 1e-5, 0.9), 3e-3, np.random.default_rng(3))
    )
    low, high = fit.bounds("R1")
    assert high > 3 * max(low, 1e-9)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 3e-3, 1e-2])
@pytest.mark.parametrize("text", CIRCUITS)
def test_spectra_of_circuits_are_consistent_with_kramers_and_kronig(text, noise):
    z = noisy(of(text, *CIRCUITS[text]), noise, np.random.default_rng(1))
    assert kramers_kronig(FREQUENCY, z).verdict == "consistent"


@pytest.mark.parametrize("noise", [0.0, 1e-3, 3e-3])
@pytest.mark.parametrize("text", ["R0-CPE1", "R0-p(R1,CPE1)", "R0-p(R1,CPE1)-CPE2", "R0-p(R1,C1)-W1"])
def test_a_cell_that_changes_while_it_is_measured_violates_them(text, noise):
    # 10 % more at the end, as the lowest frequencies take longest.
    drift = 1 + 0.1 * np.linspace(0, 1, len(FREQUENCY)) ** 2
    found = kramers_kronig(FREQUENCY, noisy(of(text, *CIRCUITS[text]) * drift, noise, np.random.default_rng(1)))
    assert found.verdict == "violated"
    assert "Hz" in found.message


def test_the_order_of_the_frequencies_does_not_matter():
    random = np.random.default_rng(1)
    z = noisy(of("R0-p(R1,CPE1)", *CIRCUITS["R0-p(R1,CPE1)"]), 3e-3, random)
    order = random.permutation(len(z))
    straight, shuffled = kramers_kronig(FREQUENCY, z), kramers_kronig(FREQUENCY[order], z[order])
    assert np.allclose(straight.residuals[order], shuffled.residuals)
    a, b = fit_circuit("R0-p(R1,CPE1)", FREQUENCY, z), fit_circuit("R0-p(R1,CPE1)", FREQUENCY[order], z[order])
    assert np.allclose(a.values, b.values, rtol=1e-5)


def test_a_single_bad_point_is_told():
    z = noisy(of("R0-p(R1,CPE1)", *CIRCUITS["R0-p(R1,CPE1)"]), 1e-3, np.random.default_rng(1))
    z[40] *= 1.3
    found = kramers_kronig(FREQUENCY, z)
    assert found.verdict != "consistent"
    assert f"{FREQUENCY[40]:.3g} Hz" in found.message


def test_few_points_are_not_tested():
    assert kramers_kronig(FREQUENCY[:5], of("R0", 10.0)[:5]).verdict == "not tested"


def test_the_analysis_gives_every_parameter_with_its_interval():
    text = "R0-p(R1,CPE1)-CPE2"
    z = noisy(of(text, *CIRCUITS[text]), 2e-3, np.random.default_rng(4))
    data = Paper().spectrum(FREQUENCY, z).data()
    results = analyse(["impedance"], data)
    assert results["circuit"].value == text
    for name, truth in zip(("R0", "R1", "CPE1_Q", "CPE1_n", "CPE2_Q", "CPE2_n"), CIRCUITS[text], strict=True):
        assert results[name].low < truth < results[name].high
    assert results["fit"].value == "describes the spectrum"
    assert results["kramers_kronig"].value.startswith("consistent")
    assert results["fit_residual"].value == pytest.approx(0.28, abs=0.06)
    assert impedance_table(data).num_rows == 6


def test_a_circuit_that_does_not_describe_the_spectrum_is_told():
    text = "R0-p(R1,CPE1)-p(R2,CPE2)"
    z = noisy(of(text, *CIRCUITS[text]), 2e-3, np.random.default_rng(4))
    results = analyse(["impedance"], Paper().spectrum(FREQUENCY, z).data(circuit="R0-p(R1,CPE1)"))
    assert results["fit"].value.startswith("R0-p(R1,CPE1) does not describe the spectrum: systematic residuals of ")
    assert results["kramers_kronig"].value.startswith("consistent")


def test_a_drifting_cell_is_told_of_all_its_spectra():
    z = of("R0-p(R1,CPE1)", *CIRCUITS["R0-p(R1,CPE1)"])
    paper = Paper().spectrum(FREQUENCY, z).spectrum(FREQUENCY, z * (1 + 0.2 * np.linspace(0, 1, len(z)) ** 2))
    results = analyse(["impedance"], paper.data())
    assert results["kramers_kronig"].value.startswith("1 of 2 spectra, at 25.0 °C")
    assert results["spectra"].value == 2


def test_first_and_last_spectrum_are_told():
    values = CIRCUITS["R0-p(R1,CPE1)"]
    paper = Paper()
    for factor in (1.0, 1.1, 1.5):
        paper.spectrum(FREQUENCY, of("R0-p(R1,CPE1)", values[0], factor * values[1], *values[2:]))
    results = analyse(["impedance"], paper.data(circuit="R0-p(R1,CPE1)"))
    assert results["R1"].value == pytest.approx(300, rel=1e-4)
    assert results["R1_last"].value == pytest.approx(450, rel=1e-4)


def test_of_a_spectrum_that_was_repeated_the_complete_attempt_counts():
    paper = Paper()
    z = of("R0", 100.0)
    paper.spectrum(FREQUENCY[:30], z[:30])
    begin = paper.begin("impedance", attempt=2)
    for f in FREQUENCY:
        paper.time += 1.0
        paper.row(0.0, 0.0, begin, 25.0, (f, 200.0, 0.0))
    paper.end()
    results = analyse(["impedance"], paper.data())
    assert results["spectra"].value == 1
    assert results["R0"].value == pytest.approx(200.0)


def test_a_plain_resistor_is_one():
    results = analyse(["impedance"], Paper().spectrum(FREQUENCY, of("R0", 100.0)).data())
    assert results["circuit"].value == "R0"
    assert results["R0"].value == pytest.approx(100.0)


def test_the_lead_of_a_cell_is_found():
    z = noisy(of("L0-R0-p(R1,CPE1)", 2e-5, 20, 300, 1e-4, 0.85), 1e-3, np.random.default_rng(1))
    results = analyse(["impedance"], Paper().spectrum(FREQUENCY, z).data())
    assert results["circuit"].value.startswith("L0-")
    assert results["L0"].value == pytest.approx(2e-5, rel=0.02)


def test_nyquist_and_bode_show_data_and_fit():
    paper = Paper().spectrum(FREQUENCY, of("R0-p(R1,CPE1)", *CIRCUITS["R0-p(R1,CPE1)"]))
    drawn = plots(["impedance", "ionic_conductivity"], paper.data())
    assert list(drawn) == ["impedance", "impedance_bode"]
    nyquist = drawn["impedance"]
    assert nyquist.get("equal_axes") is True
    measured, fitted = nyquist["y"]
    assert measured.get("markers") is True
    assert len(measured["values"]) == len(measured.get("x", [])) == len(FREQUENCY)
    assert max(fitted["values"]) == pytest.approx(max(measured["values"]), rel=0.02)
    assert drawn["impedance_bode"].get("log_x") is True


def test_the_passes_of_one_step_are_averaged():
    z = of("R0-p(R1,CPE1)", *CIRCUITS["R0-p(R1,CPE1)"])
    paper = Paper()
    start = paper.begin("impedance")
    for factor in (0.9, 1.0, 1.1):
        for f, value in zip(FREQUENCY, factor * z, strict=True):
            paper.time += 1.0
            paper.row(0.0, 0.0, start, 25.0, (f, value.real, value.imag))
    data = paper.end().data()
    (spectrum,) = spectra(data)
    assert np.allclose(spectrum.impedance, z)
    assert len(spectrum.frequency) == len(FREQUENCY)
    assert spectrum.started_s == pytest.approx(1.0)


def test_many_spectra_are_drawn_in_part():
    paper = Paper()
    for k in range(20):
        paper.spectrum(FREQUENCY, of("R0", 100.0 + k))
    assert len(plots(["impedance"], paper.data())["impedance"]["y"]) == 16


def test_a_run_without_a_spectrum_says_so():
    paper = Paper().sweep(np.linspace(2, 3, 50), np.zeros(50))
    with pytest.raises(InvalidInput, match="no impedance spectrum"):
        analyse(["impedance"], paper.data())
    assert plots(["impedance"], paper.data()) == {}


def test_samples_without_the_columns_of_impedance_say_so_too():
    data = Paper().spectrum(FREQUENCY, of("R0", 100.0)).data()
    data = replace(data, samples=data.samples.select(data.samples.column_names[:9]), _kept={})
    with pytest.raises(InvalidInput, match="no impedance spectrum"):
        analyse(["impedance"], data)


def test_one_point_is_no_spectrum():
    with pytest.raises(InvalidInput, match="no impedance spectrum"):
        analyse(["impedance"], Paper().spectrum(FREQUENCY[:1], of("R0", 100.0)[:1]).data())


@pytest.mark.parametrize(
    ("index", "frequency", "z", "told"),
    [
        (3, -1.0, 100, "above 0 Hz"),
        (3, 0.0, 100, "above 0 Hz"),
        (3, 10.0, complex(np.nan, 0), "not a number"),
        (3, 10.0, complex(0, np.inf), "not a number"),
        (3, 10.0, 0, "0 ohm"),
    ],
)
def test_points_that_are_no_impedance_are_refused(index, frequency, z, told):
    f, spectrum = FREQUENCY.copy(), of("R0", 100.0)
    f[index], spectrum[index] = frequency, z
    with pytest.raises(InvalidInput, match=told):
        analyse(["impedance"], Paper().spectrum(f, spectrum).data())


def test_a_point_without_its_impedance_is_refused():
    paper = Paper().spectrum(FREQUENCY, of("R0", 100.0))
    paper.rows[5] = (*paper.rows[5][:-1], None)
    with pytest.raises(InvalidInput, match="not a number"):
        analyse(["impedance"], paper.data())


def test_a_circuit_that_cannot_be_read_is_refused():
    data = Paper().spectrum(FREQUENCY, of("R0", 100.0)).data(circuit="R0-Q1")
    with pytest.raises(InvalidInput, match="R0-Q1"):
        analyse(["impedance"], data)


def test_more_parameters_than_data_are_refused():
    data = Paper().spectrum(FREQUENCY[:5], of("R0", 100.0)[:5]).data(circuit="R0-p(R1,CPE1)-p(R2,CPE2)-p(R3,CPE3)")
    with pytest.raises(InvalidInput, match="5 points cannot tell the 10 parameters"):
        analyse(["impedance"], data)


def test_what_one_analysis_cannot_tell_does_not_hide_the_others():
    paper = Paper().spectrum(FREQUENCY, of("R0", 100.0))
    results = analyse(["impedance", "linear_sweep"], paper.data())
    assert results["R0"].value == pytest.approx(100.0)
    assert "no sweep" in results["linear_sweep_problem"].value
    with pytest.raises(InvalidInput, match="there is no analysis 'magic'"):
        analyse(["impedance", "magic"], paper.data())


def test_an_empty_run_has_no_spectrum():
    assert isinstance(Paper().data().samples, pa.Table)
    with pytest.raises(InvalidInput):
        analyse(["impedance", "rate_capability"][:1], Paper().data())
