"""What a data sheet says of a reading."""

from __future__ import annotations

import pytest

from galvanode.instrument.accuracy import Accuracy, RangeAccuracy
from galvanode.instrument.family import NoLink, families

SHEET = Accuracy(
    (RangeAccuracy(2.0, 1.2e-4, 300e-6), RangeAccuracy(20.0, 1.5e-4, 1.5e-3)), (RangeAccuracy(1.0, 1e-3, 1e-6),), "p. 1"
)


@pytest.mark.parametrize(
    ("volts", "error"), [(0.0, 300e-6), (-2.1, 552e-6), (2.2, 1.83e-3), (10.0, 3e-3), (30.0, 6e-3)]
)
def test_the_lowest_range_that_takes_a_reading_counts(volts: float, error: float):
    assert SHEET.of("voltage", volts) == pytest.approx(error)


def test_drivers_state_their_data_sheet_and_read_within_their_range():
    stated = 0
    for family in families().values():
        if family.role != "cycler":
            continue
        capabilities = family.load_driver()(NoLink("x"), family.options()).capabilities  # type: ignore[attr-defined]
        accuracy = capabilities.accuracy
        if accuracy is None:
            continue
        stated += 1
        assert "page" in accuracy.source
        for ranges, highest in (
            (accuracy.voltage, capabilities.voltage[1]),
            (accuracy.current, capabilities.current[1]),
        ):
            scales = [one.full_scale for one in ranges]
            assert scales == sorted(scales)
            assert scales[-1] * accuracy.over_range == pytest.approx(highest)
    assert stated >= 2
