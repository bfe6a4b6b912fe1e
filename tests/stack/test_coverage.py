"""Intervals that are reported hold what they say; the full form is ``python -m tests.benchmarks.coverage``."""

from __future__ import annotations

import pytest
from tests.benchmarks.coverage import KINDS, Kind, coverage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.result)
def test_the_truth_of_random_cells_lies_inside_the_reported_interval(kind: Kind):
    inside, outside = coverage(kind, 8)
    assert inside >= 7, outside
