"""What the drivers' tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from galvanode.instrument.family import families
from galvanode.testing.instruments import Bound, HandClock, bound, time_by_hand


@pytest.fixture
def clock() -> Iterator[HandClock]:
    with time_by_hand() as hand:
        yield hand


@pytest.fixture
def bound_to(clock: HandClock, tmp_path: Path) -> Iterator[Callable[..., Bound]]:
    """Open the driver of a family by name, at its simulated instrument."""
    with ExitStack() as stack:

        def open_one(name: str, resource: str = "") -> Bound:
            return stack.enter_context(bound(families()[name], tmp_path, clock, resource))

        yield open_one
