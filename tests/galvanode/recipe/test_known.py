"""The recipe layer names detectors and analyses without importing them: they must exist."""

import pytest

from galvanode.recipe.language.known import ANALYSES, DETECTORS


def test_a_recipe_knows_the_detectors_and_their_options():
    detectors = pytest.importorskip("galvanode.analysis.detectors")
    assert set(DETECTORS) == set(detectors.DETECTORS)
    for name, options in DETECTORS.items():
        assert {option.name for option in options.values()} == set(detectors.DETECTORS[name].DEFAULTS)


@pytest.mark.parametrize("share", [1e-9, 0.5, 1 - 1e-9])
def test_what_a_recipe_lets_pass_a_detector_takes(share):
    detectors = pytest.importorskip("galvanode.analysis.detectors")
    detectors.DETECTORS["short_circuit"]({"drop": share, "hard_fraction": share})
    detectors.DETECTORS["short_circuit"]({"confirm": 1.0, "settle_s": 0.0, "noise_V": 0.0})
    detectors.DETECTORS["short_circuit"]({"confirm": 1000.0})


def test_a_recipe_knows_the_analyses():
    analysis = pytest.importorskip("galvanode.analysis")
    assert set(ANALYSES) == set(analysis.ANALYSES)
