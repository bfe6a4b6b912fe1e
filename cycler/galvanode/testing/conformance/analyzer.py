"""Scripted channels: tasks that the instrument carries out by itself, what ends them, the safe state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.links.base import LinkError
from galvanode.instrument.reading import BadReading, Reading
from galvanode.instrument.roles import Capabilities, OutOfRange, UnsafeState
from galvanode.instrument.tasks import (
    Collected,
    Cutoff,
    HoldCurrent,
    HoldVoltage,
    Impedance,
    ImpedancePoint,
    OpenCircuit,
    Sweep,
    Task,
)
from galvanode.testing.conformance.driving import DrivingConformance
from galvanode.testing.instruments import Bound

_UNWATCHED_S = 1000.0
_AT_THE_START_S = 0.1
"""So late at most comes the sample at a task's start."""


class AnalyzerConformance(DrivingConformance):
    """What the engine relies on in a channel that carries out whole tasks."""

    async def _everything(self, bound: Bound, poll_s: float) -> Collected:
        """Collect until the task has ended."""
        items: list[Reading | ImpedancePoint] = []
        for _ in range(1000):
            bound.clock.pass_time(poll_s)
            got: Collected = await bound.channel.collect()
            items += got.items
            if got.finished:
                return Collected(items, True, got.ended_by)
        raise AssertionError(f"not finished; {len(items)} items, the last {items[-1:]}")

    async def _done(self, bound: Bound, task: Task, *cutoffs: Cutoff, poll_s: float = 0.5) -> Collected:
        await bound.channel.prepare(bound.envelope)
        await bound.channel.start(task, cutoffs)
        return await self._everything(bound, poll_s)

    async def _at_work(self, bound: Bound) -> Any:
        """A current flows for an hour, three samples of which have been taken: at its start, after 1 and 2 s."""
        await bound.channel.prepare(bound.envelope)
        await bound.channel.start(HoldCurrent(self.family.facts.current, 3600.0, 1.0))
        bound.clock.pass_time(2.5)
        return bound.channel

    def _near(self, value: float) -> Any:
        """Near zero too: a task's first sample is of a range that has not been fitted to it."""
        accuracy = self.family.facts.accuracy
        return pytest.approx(value, rel=accuracy, abs=accuracy * 1e-2)

    def _readings(self, got: Collected) -> Iterator[Reading]:
        for item in got.items:
            assert isinstance(item, Reading)
            yield item

    # Tasks

    def test_a_channel_says_what_it_can_do(self, bound: Bound) -> None:
        """Ranges that hold zero."""
        can: Capabilities = bound.channel.capabilities
        assert {"rest"} < can.modes
        for low, high in (can.voltage, can.current):
            assert low <= 0 <= high
            assert low < high
        assert ("impedance" in can.modes) == (can.frequency is not None)

    async def test_open_circuit_is_measured_without_current(self, bound: Bound) -> None:
        """At its start, after each interval, and at the end of its duration."""
        got = await self._done(bound, OpenCircuit(10.0, 1.0))
        readings = list(self._readings(got))
        assert [reading.instrument_time for reading in readings] == pytest.approx(list(range(11)), abs=_AT_THE_START_S)
        assert all(reading.current == 0.0 and reading.voltage == self._near(0.0) for reading in readings)
        assert got.ended_by is None
        got = await self._done(bound, OpenCircuit(10.0, 3.0))  # no multiple of the interval
        assert list(self._readings(got))[-1].instrument_time == pytest.approx(10.0, abs=1e-2)

    @pytest.mark.parametrize("part", [1.0, -1.0, 0.0])
    async def test_a_held_current_flows_with_its_sign(self, bound: Bound, part: float) -> None:
        """And the cell is off afterwards."""
        facts = self.family.facts
        if "current" not in bound.channel.capabilities.modes:
            return
        amps = part * facts.current
        got = await self._done(bound, HoldCurrent(amps, 5.0, 0.5))
        assert len(got.items) == 11
        for reading in self._readings(got):
            assert (reading.voltage, reading.current) == (self._near(amps * facts.ohms), self._near(amps))
        assert bound.is_off()

    @pytest.mark.parametrize("part", [1.0, -0.5, 0.0])
    async def test_a_held_voltage_is_held_with_its_sign(self, bound: Bound, part: float) -> None:
        """Zero volts, too."""
        facts = self.family.facts
        volts = part * facts.current * facts.ohms
        got = await self._done(bound, HoldVoltage(volts, 10.0 * facts.current, 5.0, 0.5))
        assert len(got.items) == 11
        for reading in self._readings(got):
            assert (reading.voltage, reading.current) == (self._near(volts), self._near(volts / facts.ohms))
        assert bound.is_off()

    async def test_a_sweep_goes_from_vertex_to_vertex_at_its_rate(self, bound: Bound) -> None:
        """And comes back in cycles."""
        if "sweep" not in bound.channel.capabilities.modes:
            return
        got = await self._done(bound, Sweep((0.0, 1.0, -0.5), 0.1, 0.05, 0.01))
        volts = [reading.voltage for reading in self._readings(got)]
        assert next(self._readings(got)).instrument_time == pytest.approx(0.0, abs=_AT_THE_START_S)
        assert (volts[0], max(volts), volts[-1]) == (self._near(0.0), self._near(1.0), self._near(-0.5))
        assert list(self._readings(got))[-1].instrument_time == pytest.approx(25.5, rel=0.01)
        assert bound.is_off()
        got = await self._done(bound, Sweep((0.0, 0.4, -0.2, 0.0), 0.1, 0.1, 0.01, cycles=3))
        one = [0.0, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0.0, -0.1, -0.2, -0.1]
        assert [round(reading.voltage, 1) + 0.0 for reading in self._readings(got)] == [0.0, *one, *one, *one, 0.0]

    @pytest.mark.parametrize(
        ("kind", "amplitude", "bias"), [("potentiostatic", 0.01, 0.2), ("galvanostatic", 0.01, 0.2)]
    )
    async def test_a_spectrum_has_its_points_from_high_to_low(
        self, bound: Bound, kind: Any, amplitude: float, bias: float
    ) -> None:
        """Amplitude and bias are in volts at the resistor, whatever is imposed."""
        facts, can = self.family.facts, bound.channel.capabilities
        if can.frequency is None:
            return
        scale = 1.0 if kind == "potentiostatic" else 1.0 / facts.ohms
        task = Impedance(kind, 1e5, 1.0, 11, amplitude * scale, bias * scale, 10.0 * facts.current)
        got = await self._done(bound, task)
        points = [item for item in got.items if isinstance(item, ImpedancePoint)]
        assert [point.frequency for point in points] == pytest.approx([10 ** (5 - n / 2) for n in range(11)], rel=1e-6)
        for point in points:
            assert complex(point.real, point.imaginary) == pytest.approx(facts.ohms, rel=0.02)
            assert point.voltage == pytest.approx(bias, rel=5e-3)
        times = [point.time_s for point in points]
        assert times == sorted(times)
        assert bound.is_off()

    # What ends them

    async def test_a_cut_off_acts_on_the_instrument_while_nobody_looks(self, bound: Bound) -> None:
        """At zero, on either side, and before the next sample."""
        facts = self.family.facts
        volts = facts.current * facts.ohms
        for cutoff, held in (
            (Cutoff("voltage", ">=", 0.5 * volts), facts.current),
            (Cutoff("voltage", "<=", -0.5 * volts), -facts.current),
            (Cutoff("voltage", ">=", 0.0), facts.current),
            (Cutoff("current", "<=", -0.5 * facts.current), -facts.current),
        ):
            got = await self._done(bound, HoldCurrent(held, 3600.0, 60.0), cutoff, poll_s=_UNWATCHED_S)
            assert got.ended_by == cutoff
            last = list(self._readings(got))[-1]
            assert last.instrument_time is not None
            assert last.instrument_time < 60.0
            assert last.tripped is None
            assert bound.is_off()

    async def test_of_two_cut_offs_the_one_that_acted_is_told(self, bound: Bound) -> None:
        """Not the other."""
        first, second = Cutoff("voltage", "<=", -0.55), Cutoff("current", ">=", 0.5 * self.family.facts.current)
        got = await self._done(bound, HoldCurrent(self.family.facts.current, 60.0, 1.0), first, second)
        assert got.ended_by == second

    async def test_the_envelope_ends_a_task_and_is_no_cut_off_of_it(self, bound: Bound) -> None:
        """It trips."""
        facts = self.family.facts
        amps = 1.5 * facts.envelope[1] / facts.ohms
        cutoff = Cutoff("voltage", ">=", 2.0 * facts.envelope[1])
        got = await self._done(bound, HoldCurrent(amps, 60.0, 0.5), cutoff, poll_s=_UNWATCHED_S)
        readings = list(self._readings(got))
        assert len(readings) == 1
        assert "envelope" in (readings[0].tripped or "")
        assert got.ended_by == Cutoff("voltage", ">=", facts.envelope[1])
        assert bound.is_off()

    # The safe state

    @pytest.mark.parametrize("unread_s", [0.0, 1000.0])
    async def test_it_is_made_safe_in_the_middle_of_a_task(self, bound: Bound, unread_s: float) -> None:
        """Whether or not somebody has taken what it measured."""
        await self._at_work(bound)
        assert not bound.is_off()
        bound.clock.pass_time(unread_s)
        await self._safe(bound)

    async def test_it_is_made_safe_however_somebody_left_it(self, bound: Bound) -> None:
        """Just switched on, or by another program; without ``prepare``, and at work."""
        await self._safe(bound)
        await self._safe_from_what_others_did(bound)

    async def test_a_cell_that_does_not_switch_off_is_told(self, bound: Bound) -> None:
        """By every verb that relies on it."""
        if not self.family.facts.stuck_output:
            return
        await self._at_work(bound)
        bound.inject("stuck_output")
        for verb in (bound.unit.make_safe, bound.channel.abort, lambda: bound.channel.prepare(bound.envelope)):
            with pytest.raises(UnsafeState):
                await verb()
        bound.inject()
        await self._safe(bound)

    async def test_an_aborted_task_keeps_what_has_arrived(self, bound: Bound) -> None:
        """And tells no cut-off."""
        await self._at_work(bound)
        await bound.channel.abort()
        assert bound.is_off()
        got: Collected = await bound.channel.collect()
        assert len(got.items) == 3
        assert got.finished
        assert got.ended_by is None
        assert (await bound.channel.collect()) == Collected([], True, None)

    async def test_the_cell_is_off_when_the_task_has_ended_and_the_host_is_gone(self, bound: Bound) -> None:
        """The instrument sees to it."""
        await bound.channel.prepare(bound.envelope)
        await bound.channel.start(HoldCurrent(self.family.facts.current, 60.0, 1.0))
        await bound.unit.close()
        assert not bound.is_off()
        bound.clock.pass_time(61.0)
        assert bound.is_off()

    async def test_a_new_host_finds_a_task_running_and_stops_it(self, bound: Bound) -> None:
        """Asking who is there stops nothing."""
        await self._at_work(bound)
        other: Any = open_bench(read_bench(bound.bench)).units["it"]
        assert (await other.identify()).model
        assert not bound.is_off()
        channel = other.channel(bound.address)
        await channel.prepare(bound.envelope)
        assert bound.is_off()
        await channel.start(OpenCircuit(2.0, 1.0))
        bound.clock.pass_time(3.0)
        got: Collected = await channel.collect()
        assert got.finished
        assert len(got.items) == 3

    # Refusals and damage

    async def test_what_cannot_be_done_is_refused_and_nothing_is_sent(self, bound: Bound) -> None:
        """Nor is a task without an envelope."""
        with pytest.raises(OutOfRange):
            await bound.channel.start(OpenCircuit(1.0, 0.5))
        await bound.channel.prepare(bound.envelope)
        before = len(bound.tap.sent)
        for task in (
            HoldCurrent(math.nan, 1.0, 0.5),
            HoldVoltage(math.inf, 0.01, 1.0, 0.5),
            OpenCircuit(1.0, 0.0),
            Sweep((0.0, 1e4), 0.1, 0.1, 0.1),
            Impedance("potentiostatic", 1e12, 1.0, 9, 0.01, 0.0, 0.1),
        ):
            with pytest.raises(OutOfRange):
                await bound.channel.start(task)
        assert len(bound.tap.sent) == before

    @pytest.mark.parametrize("kind", ["garble", "truncate"])
    async def test_what_is_damaged_on_its_way_is_never_a_reading(self, bound: Bound, kind: str) -> None:
        """And the samples after it are good again."""
        await self._at_work(bound)
        await bound.channel.collect()
        bound.inject(kind, count=1)
        bound.clock.pass_time(2.0)  # the first of two samples is hit
        with pytest.raises((BadReading, LinkError)):
            await bound.channel.collect()
        bound.clock.pass_time(1.0)
        readings = list(self._readings(await bound.channel.collect()))
        assert readings[-1].current == self._near(self.family.facts.current)

    async def test_a_lost_end_is_noticed(self, bound: Bound) -> None:
        """The task does not last for ever."""
        await bound.channel.prepare(bound.envelope)
        await bound.channel.start(OpenCircuit(3.0, 1.0))
        bound.clock.pass_time(2.5)
        assert len((await bound.channel.collect()).items) == 3
        bound.inject("drop_reply", skip=1)  # all but the last sample
        bound.clock.pass_time(5.0)
        assert len((await bound.channel.collect()).items) == 1
        bound.inject()
        finished = [(await bound.channel.collect()).finished for _ in range(5)]
        assert finished[-1]

    async def test_what_another_program_set_changes_no_reading(self, bound: Bound) -> None:
        """Ranges, filters: a task sets all that matters."""
        for message in self.family.facts.settings:
            bound.say(message)
        facts = self.family.facts
        amps = 1.23456 * facts.current
        got = await self._done(bound, HoldCurrent(amps, 1.0, 0.5))
        last = list(self._readings(got))[-1]
        assert (last.voltage, last.current) == (self._near(amps * facts.ohms), self._near(amps))
