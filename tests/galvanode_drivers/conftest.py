"""What the drivers' tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.galvanode_drivers.simulated import Bound, HandClock, bind, release

from galvanode.clock import install_clock, process_clock


@pytest.fixture
def clock() -> Iterator[HandClock]:
    before = process_clock()
    hand = HandClock()
    install_clock(hand)  # type: ignore[arg-type]
    yield hand
    install_clock(before)


@pytest.fixture
def bound_to(clock: HandClock, tmp_path: Path) -> Iterator[Callable[..., Bound]]:
    """Open a driver by name, at its simulated instrument."""
    made: list[Bound] = []

    def open_one(name: str, resource: str = "TCPIP::10.0.0.5::5025::SOCKET") -> Bound:
        made.append(bind(name, tmp_path, clock, resource))
        return made[-1]

    yield open_one
    for bound in made:
        release(bound, tmp_path)
