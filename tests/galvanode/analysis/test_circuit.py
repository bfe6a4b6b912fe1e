"""Circuits as text: what they mean, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import FREQUENCY

from galvanode.analysis.circuit import parse_circuit
from galvanode.errors import InvalidInput

S = 2j * np.pi * FREQUENCY


@pytest.mark.parametrize(
    ("text", "values", "z"),
    [
        ("R0", [100.0], 100.0 + 0 * S),
        ("C1", [1e-6], 1 / (S * 1e-6)),
        ("L1", [1e-6], S * 1e-6),
        ("CPE1", [1e-5, 0.8], 1 / (1e-5 * S**0.8)),
        ("W1", [30.0], 30.0 * (1 - 1j) / np.sqrt(S.imag)),
        ("Ws1", [40.0, 0.5], 40.0 * np.tanh(np.sqrt(0.5 * S)) / np.sqrt(0.5 * S)),
        ("Wo1", [40.0, 0.5], 40.0 / np.tanh(np.sqrt(0.5 * S)) / np.sqrt(0.5 * S)),
        ("R0-p(R1,C1)", [10.0, 90.0, 1e-6], 10.0 + 90.0 / (1 + S * 90.0 * 1e-6)),
        ("p(R1-C1, C2)", [10.0, 1e-6, 1e-7], 1 / (1 / (10.0 + 1 / (S * 1e-6)) + S * 1e-7)),
    ],
)
def test_each_element_is_what_its_formula_says(text, values, z):
    assert np.allclose(parse_circuit(text).impedance(FREQUENCY, np.array(values)), z, rtol=1e-12)


@pytest.mark.parametrize("kind", ["Ws", "Wo"])
def test_finite_diffusion_does_not_overflow_far_from_its_own_time(kind):
    circuit = parse_circuit(f"{kind}1")
    for tau in (1e-12, 1e12):
        assert np.isfinite(circuit.impedance(FREQUENCY, np.array([1.0, tau]))).all()


@pytest.mark.parametrize(
    "text",
    ["R0-p(R1,CPE1)-CPE2", "R0-p(R1,C1)-W1", "L0-R0-p(R1,CPE1)-Wo1", "p(R1-p(R2,CPE2)-Ws1,CPE1)", "p(L1,R1)-p(C1,W1)"],
)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_derivatives_are_those_of_the_impedance(text, seed):
    circuit = parse_circuit(text)
    values = np.exp(np.random.default_rng(seed).normal(size=len(circuit.parameters))) * 0.5
    z, derivatives = circuit.jacobian(FREQUENCY, values)
    assert np.allclose(z, circuit.impedance(FREQUENCY, values))
    for index, value in enumerate(values):
        h = 1e-5 * value
        up, down = values.copy(), values.copy()
        up[index], down[index] = value + h, value - h
        difference = (circuit.impedance(FREQUENCY, up) - circuit.impedance(FREQUENCY, down)) / (2 * h)
        allowed = 1e-6 * np.abs(difference).max() + 1e-10 * np.abs(z) / h
        assert (np.abs(difference - derivatives[:, index]) <= allowed).all()


def test_many_sets_of_parameters_go_at_once():
    circuit = parse_circuit("R0-p(R1,CPE1)-CPE2")
    sets = np.array([[10, 20, 1e-6, 0.9, 1e-4, 0.8], [1, 2, 1e-5, 0.7, 1e-3, 0.9]])
    together = circuit.impedance(FREQUENCY, sets)
    assert np.allclose(together, [circuit.impedance(FREQUENCY, each) for each in sets])


def test_parameters_have_names_and_units():
    parameters = parse_circuit("R0-p(R1,CPE1)-Wo2").parameters
    assert [(p.name, p.unit) for p in parameters] == [
        ("R0", "ohm"),
        ("R1", "ohm"),
        ("CPE1_Q", "F s^(n-1)"),
        ("CPE1_n", "1"),
        ("Wo2_R", "ohm"),
        ("Wo2_tau", "s"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read"),
        ("R", "cannot be read"),
        ("R0-", "cannot be read at column 3"),
        ("R0--R1", "cannot be read at column 4"),
        ("p(R1)", "cannot be read"),
        ("R0-p(R1,CPE1", "cannot be read"),
        ("X1", "expected elements R, C, L, CPE, W, Ws, Wo"),
        ("__import__('os')", "cannot be read at column 1"),
        ("R0-R0", "has R0 twice"),
        ("-".join(f"R{k}" for k in range(13)), "13 elements; expected at most 12"),
        ("p(" * 7 + "R1,R2)" + ",R3)" * 6, "7 levels"),
        ("R1-" * 100 + "R1", "expected at most 200"),
        ("R1\nR2", "cannot be read"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(text, told):
    with pytest.raises(InvalidInput, match=told.replace("(", r"\(").replace(")", r"\)")):
        parse_circuit(text)


@given(st.text("RCLPEWso0123456789p(),- \n.", max_size=60))
def test_no_text_ends_in_anything_but_a_circuit_or_a_refusal(text):
    try:
        circuit = parse_circuit(text)
    except InvalidInput:
        return
    assert parse_circuit(circuit.text) == circuit
