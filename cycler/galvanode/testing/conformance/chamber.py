"""Chambers: set points, the temperature and alarms."""

from __future__ import annotations

import pytest

from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import BadReading, ChamberReading
from galvanode.instrument.roles import InstrumentError, OutOfRange, UnsafeState
from galvanode.testing.conformance.unit import UnitConformance
from galvanode.testing.instruments import NO_NUMBERS, Bound

_ZERO_CELSIUS = 273.15
_SETTLED_S = 1e6


class ChamberConformance(UnitConformance):
    """What the engine relies on in a chamber."""

    async def test_it_goes_to_a_temperature_zero_and_its_own_limits_included(self, bound: Bound) -> None:
        """Read back as it was set, and reached."""
        for kelvin in (_ZERO_CELSIUS, 298.19, *self.family.facts.temperatures, _ZERO_CELSIUS - 0.01, 313.15):
            await bound.channel.set_temperature(kelvin)
            assert (await bound.channel.read()).setpoint == pytest.approx(kelvin, abs=0.051)
        bound.clock.pass_time(_SETTLED_S)
        reading = await bound.channel.read()
        assert isinstance(reading, ChamberReading)
        assert reading.temperature == pytest.approx(313.15, abs=0.3)
        assert reading.temperature == pytest.approx(bound.air(), abs=0.3)
        assert reading.alarm is None

    async def test_a_temperature_beyond_the_chamber_is_refused_and_nothing_is_set(self, bound: Bound) -> None:
        """Never clipped."""
        before = (await bound.channel.read()).setpoint
        low, high = self.family.facts.temperatures
        for kelvin in (low - 0.1, high + 0.1, *NO_NUMBERS):
            with pytest.raises(OutOfRange):
                await bound.channel.set_temperature(kelvin)
        assert (await bound.channel.read()).setpoint == before

    async def test_made_safe_it_neither_heats_nor_cools(self, bound: Bound) -> None:
        """From any state; the air goes back to where it was."""
        ambient = bound.air()
        await bound.unit.make_safe()
        for kelvin in (313.15, 283.15):
            await bound.channel.set_temperature(kelvin)
            bound.clock.pass_time(_SETTLED_S)
            assert bound.air() == pytest.approx(kelvin, abs=0.5)
            await bound.unit.make_safe()
            bound.clock.pass_time(_SETTLED_S)
            assert bound.air() == pytest.approx(ambient, abs=0.5)

    @pytest.mark.parametrize("kind", ["drop_reply", "garble", "truncate", "disconnect"])
    async def test_a_standby_that_could_not_be_read_back_is_never_believed(self, bound: Bound, kind: str) -> None:
        """Whatever happens to the answer."""
        await bound.channel.set_temperature(313.15)
        bound.inject(kind)
        with pytest.raises((UnsafeState, LinkError, InstrumentError)):
            await bound.unit.make_safe()
        bound.inject()
        await bound.unit.make_safe()

    @pytest.mark.parametrize("kind", ["garble", "truncate"])
    async def test_an_answer_damaged_on_its_way_is_never_a_reading(self, bound: Bound, kind: str) -> None:
        """Whichever of the answers that a reading takes."""
        before = len(bound.tap.sent)
        await bound.channel.read()
        for nth in range(len(bound.tap.sent) - before):
            bound.inject(kind, skip=nth, count=1)
            with pytest.raises((BadReading, LinkError, InstrumentError)):
                await bound.channel.read()
            assert await bound.channel.read()

    async def test_an_answer_of_another_shape_is_never_a_reading(self, bound: Bound) -> None:
        """However numeric it looks."""
        for answer in self.family.facts.misfits:
            bound.tap.instead = lambda _, answer=answer: answer
            with pytest.raises((BadReading, LinkError, InstrumentError)):
                await bound.channel.read()
        bound.tap.instead = lambda _: None
        assert await bound.channel.read()
