"""Sequenced channels: handed a schedule, they run it without us; followed without gap or double; stopped, made safe."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from galvanode.instrument.bench import Reference, open_bench, read_bench
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.roles import InstrumentError
from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Ending,
    Followed,
    Record,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
)
from galvanode.testing.conformance.driving import DrivingConformance
from galvanode.testing.instruments import Bound

_REST_S, _HELD_S, _TURNS = 60.0, 120.0, 3
_MOST_LOOKS = 200


def _step(number: int, drive: Any, seconds: float, bounds: Bounds | None = None) -> ScheduledStep:
    ends = (Ending("time", ">=", seconds, f"for {seconds:g} s"),)
    return ScheduledStep(number, f"step {number}", drive, ends, Recording(every_s=10.0), bounds or Bounds(), number)


class SequencerConformance(DrivingConformance):
    """What the engine relies on in a channel that runs the whole recipe."""

    def _schedule(self, seconds: float = _HELD_S, bounds: Bounds | None = None) -> Schedule:
        """A rest, and three turns of a held current and a rest."""
        held = _step(2, Current(self.family.facts.current), seconds, bounds)
        block = Repeat((held, _step(3, Rest(), _REST_S)), _TURNS, 2)
        return Schedule("conformance", (_step(1, Rest(), _REST_S), block))

    async def _started(self, bound: Bound, seconds: float = _HELD_S) -> Any:
        channel = bound.channel
        await channel.prepare(bound.envelope)
        await channel.start(self._schedule(seconds), "r0001")
        return channel

    async def _at_work(self, bound: Bound) -> Any:
        channel = await self._started(bound, 3600.0)
        bound.clock.pass_time(_REST_S + 100.0)
        return channel

    async def _followed(self, bound: Bound, channel: Any, after: int = 0) -> tuple[list[Record], Followed]:
        """Follow to the end, from the record after ``after``."""
        records: list[Record] = []
        for _ in range(_MOST_LOOKS):
            got: Followed = await channel.follow(after + len(records))
            records += got.records
            if not got.more:
                if got.state not in ("running", "paused"):
                    return records, got
                bound.clock.pass_time(10.0)
        raise AssertionError(f"not over; {len(records)} records, the last {records[-1:]}")

    def _whole(self, records: list[Record]) -> None:
        """No gap, nothing double, every step of every turn, and the current that was asked for."""
        facts = self.family.facts
        assert [record.number for record in records] == list(range(records[0].number, records[0].number + len(records)))
        assert [record.step for record in records if record.begins] == [1, *([2, 3] * _TURNS)]
        for earlier, later in itertools.pairwise(records):
            assert later.begins or (later.step == earlier.step and later.time_s >= earlier.time_s)
        held = [record for record in records if record.step == 2 and record.time_s > 0.0]
        assert held
        for record in held:
            assert record.current == pytest.approx(facts.current, rel=facts.accuracy)
            assert record.charge == pytest.approx(facts.current * record.time_s, rel=5e-3, abs=facts.current)

    # Handing over and following

    async def test_a_schedule_is_run_and_followed_without_gap_or_double(self, bound: Bound) -> None:
        """And the cell is left alone afterwards."""
        bound.channel.refuse(self._schedule())
        assert await bound.channel.attached() is None
        channel = await self._started(bound)
        assert await channel.attached() == "r0001"
        records, end = await self._followed(bound, channel)
        assert end.state == "finished"
        assert records[0].number == 1
        self._whole(records)
        assert bound.is_off()

    async def test_it_goes_on_when_the_host_is_gone_and_another_fetches_the_whole_of_it(self, bound: Bound) -> None:
        """From the first record, or from the one after the last that was stored."""
        channel = await self._started(bound)
        bound.clock.pass_time(30.0)
        first: Followed = await channel.follow(0)
        await bound.unit.close()
        bound.clock.pass_time(1e4)
        other: Any = open_bench(read_bench(bound.bench)).units["it"]
        assert (await other.identify()).model
        again = other.channel(bound.address)
        assert await again.attached() == "r0001"
        again.attach(self._schedule(), "r0001")
        records, end = await self._followed(bound, again)
        assert end.state == "finished"
        self._whole(records)
        assert records[: len(first.records)] == first.records
        rest, _ = await self._followed(bound, again, after=len(records) // 2)
        assert rest == records[len(records) // 2 :]

    async def test_looking_at_it_stops_nothing(self, bound: Bound) -> None:
        """Neither who it is, nor the envelope, nor a second schedule, which is refused."""
        channel = await self._started(bound)
        bound.clock.pass_time(_REST_S + 10.0)
        await bound.unit.identify()
        await channel.prepare(bound.envelope)
        with pytest.raises(InstrumentError):
            await channel.start(self._schedule(), "r0002")
        assert not bound.is_off()
        assert await channel.attached() == "r0001"
        assert (await self._followed(bound, channel))[1].state == "finished"

    async def test_a_lost_connection_costs_no_record(self, bound: Bound) -> None:
        """What was not fetched is fetched later."""
        channel = await self._started(bound)
        bound.clock.pass_time(30.0)
        before: list[Record] = (await channel.follow(0)).records
        bound.inject("disconnect", count=1)
        bound.inject("refuse_connection", count=1)
        for _ in range(2):
            with pytest.raises(LinkError):
                await channel.follow(len(before))
        after, end = await self._followed(bound, channel, after=len(before))
        assert end.state == "finished"
        self._whole([*before, *after])

    # Refusals and bounds

    async def test_what_it_cannot_do_is_refused_with_its_line_and_nothing_is_sent(self, bound: Bound) -> None:
        """Before anything is started."""
        await bound.channel.prepare(bound.envelope)
        before = len(bound.tap.sent)
        for amps in (2.0 * bound.channel.capabilities.current[1], 1e6):
            schedule = Schedule("too much", (_step(1, Rest(), 1.0), _step(2, Current(amps), 1.0)))
            with pytest.raises(CannotExpress, match="line 2"):
                bound.channel.refuse(schedule)
            with pytest.raises(CannotExpress):
                await bound.channel.start(schedule, "r0001")
        assert len(bound.tap.sent) == before

    async def test_a_bound_that_is_left_ends_it_on_the_instrument(self, bound: Bound) -> None:
        """While nobody looks."""
        facts = self.family.facts
        channel = bound.channel
        await channel.prepare(bound.envelope)
        bounds = Bounds(voltage_max=0.5 * facts.current * facts.ohms)
        await channel.start(self._schedule(bounds=bounds), "r0001")
        bound.clock.pass_time(_REST_S + 0.5 * _HELD_S)
        assert bound.is_off()
        _, end = await self._followed(bound, channel)
        assert end.state == "protected"
        assert end.reason

    # The safe state

    async def test_it_is_stopped_and_what_it_recorded_stays(self, bound: Bound) -> None:
        """The output is off at once."""
        channel = await self._started(bound, 3600.0)
        bound.clock.pass_time(_REST_S + 100.0)
        assert not bound.is_off()
        await channel.stop()
        assert bound.is_off()
        records, end = await self._followed(bound, channel)
        assert end.state == "stopped"
        assert records[-1].step == 2

    async def test_it_is_made_safe_as_it_was_switched_on_and_from_a_schedule(self, bound: Bound) -> None:
        """Twice, without ``prepare``."""
        for _ in range(2):
            await bound.unit.make_safe()
            assert bound.is_off()
        await self._started(bound, 3600.0)
        bound.clock.pass_time(_REST_S + 100.0)
        for _ in range(2):
            await bound.unit.make_safe()
            assert bound.is_off()

    async def test_what_happens_to_one_channel_leaves_the_others_alone(self, bound: Bound) -> None:
        """Where the unit has several: each runs its own, one is stopped, another is made safe."""
        bench = read_bench(bound.bench)
        addresses = [Reference(*reference).address for reference in bench.references(self.family.role)]
        channels = [bound.unit.channel(address) for address in addresses]
        for number, channel in enumerate(channels):
            await channel.prepare(bound.envelope)
            await channel.start(self._schedule(), f"r{number}")
        bound.clock.pass_time(_REST_S + 10.0)
        await channels[0].stop()
        await channels[-1].make_safe()
        for number, channel in enumerate(channels[1:-1], start=1):
            assert await channel.attached() == f"r{number}"
            records, end = await self._followed(bound, channel)
            assert end.state == "finished"
            self._whole(records)
