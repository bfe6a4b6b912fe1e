"""Every driver on a serial line, where a late answer cannot be left behind by connecting anew."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from galvanode.instrument.family import families
from galvanode.instrument.links.base import LinkTimeout, Place
from galvanode.instrument.links.lines import Lines
from galvanode.testing.instruments import Bound
from galvanode_simulator.links.serial_pty import AVAILABLE, SerialPort

IN_LINES = [
    name
    for name, family in families().items()
    if isinstance(family.link(family.options.model_validate(dict(family.facts.options))), Lines)
]
pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs pseudo-terminals; this system has none")


@pytest.mark.parametrize("name", IN_LINES)
async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(name: str, bound_to: Callable[..., Bound]):
    bound = bound_to(name)
    wire = bound.instrument.wire
    async with SerialPort(wire) as port:
        driver = bound.driver_at(Place(port.resource, timeout_s=0.2))
        expected = await driver.identify()
        wire.inject("delay_reply", delay="0.3 s", count=1)
        with pytest.raises(LinkTimeout):
            await driver.identify()
        for _ in range(3):
            assert await driver.identify() == expected
        await driver.close()


async def test_the_command_that_makes_safe_does_not_wait_for_a_late_answer(bound_to: Callable[..., Bound]):
    bound = bound_to("keithley2450")
    async with SerialPort(bound.instrument.wire) as port:
        driver = bound.driver_at(Place(port.resource, timeout_s=0.3))
        await driver.source_current(0.001)
        bound.inject("drop_reply", count=1)
        with pytest.raises(LinkTimeout):
            await driver.read()
        went_off: list[float] = []
        bound.instrument.model.on_event = lambda kind, details: went_off.append(time.monotonic())
        asked = time.monotonic()
        await driver.make_safe()
        assert not bound.instrument.model.output
        assert went_off[0] - asked < 0.2
        await driver.close()
