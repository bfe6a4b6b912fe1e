"""Polled channels: held currents and voltages, readings, the safe state."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import Capabilities, Envelope, InstrumentError, OutOfRange, UnsafeState
from galvanode.testing.conformance.driving import DrivingConformance
from galvanode.testing.instruments import NO_NUMBERS, Bound

_NO_READINGS = ("nan", "9.91E37", "+9.9E37", "-9.9E37", "inf", "", "1.2.3")


class CyclerConformance(DrivingConformance):
    """What the engine relies on in a channel that it polls."""

    async def _at_work(self, bound: Bound) -> Any:
        """The channel with a current flowing."""
        channel = bound.channel
        await channel.prepare(bound.envelope)
        await channel.source_current(self.family.facts.current)
        return channel

    def _near(self, value: float) -> Any:
        accuracy = self.family.facts.accuracy
        return pytest.approx(value, rel=accuracy, abs=accuracy * 1e-3)

    # What it can do

    def test_a_channel_says_what_it_can_do(self, bound: Bound) -> None:
        """Ranges that hold zero, and a pace."""
        can: Capabilities = bound.channel.capabilities
        assert {"rest"} < can.modes
        for low, high in (can.voltage, can.current):
            assert low <= 0 <= high
            assert low < high
        assert can.fastest_poll_s > 0

    # The safe state

    async def test_it_is_made_safe_as_it_was_switched_on(self, bound: Bound) -> None:
        """Without ``prepare``."""
        await self._safe(bound)

    @pytest.mark.parametrize("prepared", [True, False])
    @pytest.mark.parametrize("sign", [1.0, -1.0])
    async def test_it_is_made_safe_from_a_held_current(self, bound: Bound, prepared: bool, sign: float) -> None:
        """Of either sign, prepared or not."""
        if prepared:
            await bound.channel.prepare(bound.envelope)
        await bound.channel.source_current(sign * self.family.facts.current)
        assert not bound.is_off()
        await self._safe(bound)

    async def test_it_is_made_safe_from_a_held_voltage_and_from_rest(self, bound: Bound) -> None:
        """Zero volts are held as well: they would short a cell."""
        for volts in (0.5, 0.0):
            await bound.channel.source_voltage(volts, 0.01)
            assert not bound.is_off()
            await self._safe(bound)
        await bound.channel.rest()
        await self._safe(bound)

    async def test_it_is_made_safe_however_somebody_left_it(self, bound: Bound) -> None:
        """Another program, or a hand at the front panel; at rest, and at work."""
        await self._safe_from_what_others_did(bound)

    async def test_it_is_made_safe_after_a_lost_answer(self, bound: Bound) -> None:
        """The first thing that is sent then."""
        channel = await self._at_work(bound)
        bound.inject("drop_reply", count=1)
        with pytest.raises(LinkError):
            await channel.read()
        await self._safe(bound)

    async def test_an_output_that_does_not_switch_off_is_told(self, bound: Bound) -> None:
        """Never believed."""
        if not self.family.facts.stuck_output:
            return
        await self._at_work(bound)
        bound.inject("stuck_output")
        with pytest.raises(UnsafeState):
            await bound.unit.make_safe()
        with pytest.raises(UnsafeState):
            await bound.channel.prepare(bound.envelope)
        bound.inject()
        await self._safe(bound)

    async def test_preparing_leaves_the_output_off(self, bound: Bound) -> None:
        """Also of an instrument at work."""
        await self._at_work(bound)
        await bound.channel.prepare(bound.envelope)
        assert bound.is_off()

    # Set points

    @pytest.mark.parametrize("sourcing", ["nothing", "current", "voltage"])
    async def test_a_set_point_beyond_the_instrument_is_refused_and_nothing_is_sent(
        self, bound: Bound, sourcing: str
    ) -> None:
        """Never clipped."""
        channel = bound.channel
        await channel.prepare(bound.envelope)
        if sourcing == "current":
            await channel.source_current(self.family.facts.current)
        elif sourcing == "voltage":
            await channel.source_voltage(0.5, 0.01)
        before = len(bound.tap.sent)
        can: Capabilities = channel.capabilities
        for amps in (*(1.001 * bound for bound in can.current), *NO_NUMBERS):
            with pytest.raises(OutOfRange):
                await channel.source_current(amps)
            with pytest.raises(OutOfRange):
                await channel.source_voltage(0.0, abs(amps))
        for volts in (*(1.001 * bound for bound in can.voltage), *NO_NUMBERS):
            with pytest.raises(OutOfRange):
                await channel.source_voltage(volts, 0.01)
        for limit in (0.0, -0.01):
            with pytest.raises(OutOfRange):
                await channel.source_voltage(0.0, limit)
        assert len(bound.tap.sent) == before

    async def test_an_envelope_that_the_instrument_cannot_hold_is_refused_and_nothing_is_sent(
        self, bound: Bound
    ) -> None:
        """In voltage as in current."""
        low, high, amps = self.family.facts.envelope
        can: Capabilities = bound.channel.capabilities
        for envelope in (Envelope(low, 2.0 * can.voltage[1], amps), Envelope(low, high, 2.0 * can.current[1])):
            with pytest.raises(OutOfRange):
                await bound.channel.prepare(envelope)
        assert bound.tap.sent == []

    async def test_zero_is_a_set_point(self, bound: Bound) -> None:
        """In current as in voltage."""
        channel = bound.channel
        await channel.prepare(bound.envelope)
        await channel.source_current(0.0)
        assert (await channel.read()).current == self._near(0.0)
        await channel.source_voltage(0.0, 0.01)
        reading = await channel.read()
        assert reading.voltage == self._near(0.0)
        assert reading.tripped is None

    async def test_the_bounds_of_the_instrument_are_set_points(self, bound: Bound) -> None:
        """They are accepted; the envelope still holds."""
        channel = bound.channel
        await channel.prepare(bound.envelope)
        for amps in channel.capabilities.current:
            await channel.source_current(amps)
            assert abs((await channel.read()).voltage) <= 1.05 * max(map(abs, self.family.facts.envelope[:2]))
        for volts in channel.capabilities.voltage:
            await channel.source_voltage(volts, 0.01)

    # Readings

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    async def test_positive_current_charges_in_both_modes(self, bound: Bound, sign: float) -> None:
        """And what is measured is what flows."""
        channel, facts = bound.channel, self.family.facts
        amps = sign * facts.current
        await channel.prepare(bound.envelope)
        await channel.source_current(amps)
        reading = await channel.read()
        assert isinstance(reading, Reading)
        assert (reading.voltage, reading.current) == (self._near(amps * facts.ohms), self._near(amps))
        volts = 0.5 * amps * facts.ohms
        await channel.source_voltage(volts, 2.0 * facts.current)
        reading = await channel.read()
        assert (reading.voltage, reading.current) == (self._near(volts), self._near(volts / facts.ohms))
        assert not reading.in_compliance
        assert reading.tripped is None

    async def test_a_limit_that_acts_is_told_in_both_modes(self, bound: Bound) -> None:
        """The envelope's voltage, and a current limit."""
        channel, facts = bound.channel, self.family.facts
        await channel.prepare(bound.envelope)
        await channel.source_current(facts.too_much)
        reading = await channel.read()
        assert reading.in_compliance
        assert reading.voltage == self._near(facts.envelope[1])
        await channel.source_current(facts.current)
        assert not (await channel.read()).in_compliance
        limit = 0.5 * facts.current
        await channel.source_voltage(facts.current * facts.ohms, limit)
        reading = await channel.read()
        assert reading.in_compliance
        assert reading.current == self._near(limit)

    async def test_an_output_that_somebody_switched_off_is_told(self, bound: Bound) -> None:
        """With the next reading."""
        if not self.family.facts.switched_off:
            return
        channel = await self._at_work(bound)
        assert (await channel.read()).tripped is None
        for message in self.family.facts.switched_off:
            bound.say(message)
        assert (await channel.read()).tripped

    async def test_the_instruments_own_time_advances_from_reading_to_reading(self, bound: Bound) -> None:
        """Where it tells one."""
        channel = await self._at_work(bound)
        times: list[float | None] = []
        for _ in range(20):
            bound.clock.pass_time(0.5)
            times.append((await channel.read()).instrument_time)
        told = [time for time in times if time is not None]
        assert len(told) == (len(times) if self.family.facts.own_time else 0)
        assert all(later > earlier for earlier, later in itertools.pairwise(told))

    async def test_what_another_program_set_changes_no_reading(self, bound: Bound) -> None:
        """Ranges, filters, formats: ``prepare`` sets all that matters."""
        for message in self.family.facts.settings:
            bound.say(message)
        channel, facts = bound.channel, self.family.facts
        amps = 1.23456 * facts.current
        await channel.prepare(bound.envelope)
        await channel.source_current(amps)
        reading = await channel.read()
        assert (reading.voltage, reading.current) == (self._near(amps * facts.ohms), self._near(amps))
        assert not reading.in_compliance

    @pytest.mark.parametrize("value", _NO_READINGS)
    async def test_what_is_no_number_is_never_a_reading(self, bound: Bound, value: str) -> None:
        """And the next one is good again."""
        channel = await self._at_work(bound)
        bound.inject("reading", value=value, count=1)
        with pytest.raises((BadReading, LinkError)):
            await channel.read()
        assert await channel.read()

    @pytest.mark.parametrize("kind", ["garble", "truncate"])
    async def test_an_answer_damaged_on_its_way_is_never_a_reading(self, bound: Bound, kind: str) -> None:
        """Whichever of the answers that a reading takes."""
        channel = await self._at_work(bound)
        before = len(bound.tap.sent)
        await channel.read()
        for nth in range(len(bound.tap.sent) - before):
            bound.inject(kind, skip=nth, count=1)
            with pytest.raises((BadReading, LinkError)):
                await channel.read()
            assert await channel.read()

    async def test_an_answer_of_another_shape_is_never_a_reading(self, bound: Bound) -> None:
        """However numeric it looks."""
        channel = await self._at_work(bound)
        for answer in self.family.facts.misfits:
            bound.tap.instead = lambda _, answer=answer: answer
            with pytest.raises((BadReading, LinkError, InstrumentError)):
                await channel.read()
        bound.tap.instead = lambda _: None
        assert await channel.read()
