"""What the ESPEC driver does beyond its role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from galvanode.instrument.roles import InstrumentError
from galvanode.testing.instruments import Bound

Open = Callable[..., Bound]


async def test_an_alarm_is_told_with_its_codes(bound_to: Open):
    bound = bound_to("espec")
    assert (await bound.unit.read()).alarm is None
    bound.instrument.model.alarms[:] = [0, 7]
    assert (await bound.unit.read()).alarm == "alarm 0,7"


async def test_a_chamber_that_is_not_ready_is_asked_again_and_one_that_stays_so_is_told(bound_to: Open):
    bound = bound_to("espec")
    bound.inject("scpi_error", count=2)
    assert await bound.unit.read()
    bound.tap.instead = lambda message: b"NA:CHB NOT READY\r\n"
    with pytest.raises(InstrumentError, match="CHB NOT READY"):
        await bound.unit.read()
