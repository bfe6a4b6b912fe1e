"""The driver at simulated channels: hands over, follows, stops, and takes nothing for granted."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from galvanode.instrument.links.base import LinkError, LinkTimeout, Unfit
from galvanode.instrument.roles import Envelope, Identity, InstrumentError, SequencedChannel, Unit, UnsafeState
from galvanode.instrument.schedule import (
    Bounds,
    CannotExpress,
    Current,
    Ending,
    Followed,
    Recording,
    Repeat,
    Rest,
    Schedule,
    ScheduledStep,
    Voltage,
)
from galvanode.testing.instruments import HandClock
from galvanode_drivers.neware.driver import Neware
from galvanode_drivers.neware.options import NewareOptions
from galvanode_simulator.cells import CapacitorCell, CapacitorParameters
from galvanode_simulator.neware.channel import Channel
from galvanode_simulator.neware.interface import NewareInterface
from galvanode_simulator.neware.models import MODELS

T = TypeVar("T")
ENVELOPE = Envelope(2.0, 4.5, 5e-3)


class Link:
    """A link without a wire; ``instead`` may put another answer in the place of the instrument's."""

    name = "box"

    def __init__(self, interface: NewareInterface) -> None:
        self.interface = interface
        self.sent: list[str] = []
        self.distrusted: list[str] = []
        self.instead: Callable[[str], bytes | None] = lambda message: None

    def identify_by(self, identify: Callable[[], Awaitable[Identity]]) -> None:
        pass

    def recognise(self, identity: Identity) -> Identity:
        return identity

    def distrust(self, reason: str) -> Unfit:
        self.distrusted.append(reason)
        return Unfit(reason)

    def urgent(self) -> nullcontext[None]:
        return nullcontext()

    async def close(self) -> None:
        pass

    async def exchange(self, message: bytes, parse: Callable[[bytes], T]) -> T:
        self.sent.append(message.decode())
        answer = self.instead(self.sent[-1])
        if answer is None:
            answer = self.interface.receive(message)
        try:
            return parse(answer.removesuffix(b"#\r\n"))
        except ValueError as problem:
            raise Unfit(f"{self.name}: {problem}") from None

    def commands(self) -> list[str]:
        return [found for message in self.sent for found in re.findall(r"<cmd>(\w+)</cmd>", message)]


class Box:
    """A unit of three channels at capacitors of 10 F behind 100 ohm, its driver, and the time."""

    def __init__(self, clock: HandClock, folder: Path, **options: Any) -> None:
        self.clock = clock
        parameters = CapacitorParameters.model_validate({"capacitance": "10 F", "resistance": "100 ohm"})
        self.channels = {
            number: Channel(CapacitorCell(parameters), MODELS["5v50ma"], ideal=True, upload_lag=5.0)
            for number in range(1, 4)
        }
        self.link = Link(NewareInterface(self.channels, 21, 2))
        given = {"current": "50 mA", "channels": 3, "subdevid": 2, "step_files": str(folder), **options}
        self.options = NewareOptions.model_validate(given)
        self.driver = self.again()

    def again(self) -> Neware:
        """A driver that knows nothing, as after a restart."""
        return Neware(self.link, self.options)  # pyright: ignore[reportArgumentType]

    def pass_time(self, seconds: float) -> None:
        self.clock.pass_time(seconds)


@pytest.fixture
def box(clock: HandClock, tmp_path: Path) -> Box:
    return Box(clock, tmp_path)


def step(number: int, drive: Any, *ends: Ending) -> ScheduledStep:
    return ScheduledStep(number, "a step", drive, ends, Recording(every_s=60.0), Bounds(), line=number)


CYCLE = (
    step(1, Current(1e-3), Ending("voltage", ">=", 4.0)),
    step(2, Voltage(4.0, 1e-3), Ending("current_magnitude", "<=", 1e-4), Ending("time", ">=", 36000.0)),
    step(3, Rest(), Ending("time", ">=", 600.0)),
    step(4, Current(-1e-3), Ending("voltage", "<=", 2.5)),
)
THREE_CYCLES = Schedule("three cycles", (Repeat(CYCLE, 3, 1),))


async def started(box: Box, number: int = 1, tag: str = "run-1", schedule: Schedule = THREE_CYCLES) -> Any:
    channel = box.driver.channel(str(number))
    await channel.prepare(ENVELOPE)
    await channel.start(schedule, tag)
    return channel


async def all_of(channel: Any, after: int = 0) -> list[Followed]:
    """Follow until nothing more waits."""
    found = [await channel.follow(after)]
    while found[-1].more:
        found.append(await channel.follow(found[-1].records[-1].number))
    return found


async def test_it_plays_its_roles(box):
    assert isinstance(box.driver, Unit)
    assert isinstance(box.driver.channel("1"), SequencedChannel)


async def test_a_schedule_is_run_and_followed_whole(box):
    channel = await started(box)
    box.pass_time(200_000.0)
    looks = await all_of(channel)
    records = [record for look in looks for record in look.records]
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    assert [record.step for record in records if record.begins] == [1, 2, 3, 4] * 3
    assert looks[-1].state == "finished"
    charged = [before.charge for before, record in pairwise(records) if record.begins]
    assert charged[:4] == pytest.approx([9.0, 0.9, 0.0, 13.9], rel=1e-3)


async def test_following_bit_by_bit_gives_the_same_as_at_once(box):
    channel = await started(box)
    records: list[Any] = []
    for _ in range(300):
        box.pass_time(700.0)
        for look in await all_of(channel, records[-1].number if records else 0):
            records += look.records
    at_once = [record for look in await all_of(channel) for record in look.records]
    assert len(records) == len(at_once)
    assert records == at_once


async def test_another_process_attaches_and_fetches_what_is_missing(box):
    channel = await started(box)
    box.pass_time(5000.0)
    known = [record for look in await all_of(channel) for record in look.records]
    box.driver = box.again()
    box.pass_time(50_000.0)
    channel = box.driver.channel("1")
    assert await channel.attached() == "run-1"
    channel.attach(THREE_CYCLES, "run-1")
    rest = [record for look in await all_of(channel, known[-1].number) for record in look.records]
    assert [record.number for record in known + rest] == list(range(1, len(known + rest) + 1))
    again = [record for look in await all_of(channel) for record in look.records]
    assert known + rest == again


async def test_nothing_is_attached_to_a_channel_that_never_ran(box):
    assert await box.driver.channel("2").attached() is None


async def test_a_schedule_is_not_over_before_the_server_has_all_of_it(box):
    channel = await started(box, schedule=Schedule("rest", (step(1, Rest(), Ending("time", ">=", 60.0)),)))
    box.pass_time(61.0)
    look = await channel.follow(0)
    assert (look.state, look.reason) == ("running", "the server has not got all records yet")
    box.pass_time(5.0)
    look = await channel.follow(1)
    assert (look.state, [record.time_s for record in look.records]) == ("finished", [60.0])


async def test_what_flows_now_is_told_while_it_runs(box):
    channel = await started(box)
    box.pass_time(100.0)
    now = (await channel.follow(0)).now
    assert (now.voltage, now.current) == pytest.approx((3.11, 1e-3))


async def test_a_limit_ends_it_as_protected(box):
    channel = box.driver.channel("1")
    await channel.prepare(Envelope(2.0, 3.5, 5e-3))
    await channel.start(THREE_CYCLES, "run-1")
    box.pass_time(50_000.0)
    look = (await all_of(channel))[-1]
    assert look.state == "protected"
    assert look.reason.startswith("protect (log code ")


async def test_a_pause_at_the_instrument_is_told(box):
    channel = await started(box)
    box.channels[1].pause()
    assert (await channel.follow(0)).state == "paused"


async def test_stop_is_read_back_and_leaves_the_records(box):
    channel = await started(box)
    box.pass_time(1000.0)
    await channel.stop()
    assert box.channels[1].status == "stop"
    box.pass_time(10.0)
    look = (await all_of(channel))[-1]
    assert (look.state, look.records[-1].time_s) == ("stopped", 1000.0)


async def test_a_stop_of_what_does_not_run_sends_no_stop(box):
    await box.driver.channel("1").stop()
    assert "stop" not in box.link.commands()


async def test_a_channel_that_does_not_stop_is_unsafe(box, monkeypatch):
    async def no_sleep(seconds: float) -> None:
        pass

    channel = await started(box)
    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    monkeypatch.setattr(box.channels[1], "stop", lambda: False)
    with pytest.raises(UnsafeState, match=r"21-2-1 is 'working' after a stop"):
        await channel.make_safe()


async def test_making_the_unit_safe_stops_every_channel_that_is_at_work(box):
    await started(box, 1)
    await started(box, 3, "run-2")
    await box.again().make_safe()
    assert [channel.status for channel in box.channels.values()] == ["stop", "finish", "stop"]


async def test_stopping_one_channel_leaves_the_others(box):
    one, _ = await started(box, 1), await started(box, 2, "run-2")
    await one.stop()
    assert [channel.status for channel in box.channels.values()] == ["stop", "working", "finish"]


async def test_a_channel_at_work_is_not_started(box):
    await started(box)
    with pytest.raises(InstrumentError, match=r"box/1 is 'working' with 'run-1'"):
        await started(box, tag="run-2")
    assert box.link.commands().count("start") == 1


async def test_a_refused_start_says_where_to_look(box):
    box.link.instead = lambda message: (
        b'<bts version="1.0"><cmd>start_resp</cmd><list count="1"><start>false</start></list></bts>'
        if "<cmd>start<" in message
        else None
    )
    with pytest.raises(InstrumentError, match=r"the server did not start .*box-1-run-1\.xml"):
        await started(box)


async def test_what_cannot_be_said_is_refused_before_anything_is_sent(box):
    channel = box.driver.channel("1")
    await channel.prepare(ENVELOPE)
    schedule = Schedule("t", (step(9, Voltage(4.0, 1e-3), Ending("time", ">=", 60.0)),))
    with pytest.raises(CannotExpress) as refused:
        channel.refuse(schedule)
    assert refused.value.line == 9
    with pytest.raises(CannotExpress):
        await channel.start(schedule, "run-1")
    assert box.link.sent == []


async def test_another_test_in_the_place_of_ours_is_not_taken_for_it(box):
    channel = await started(box)
    await channel.stop()
    await started(box, tag="of somebody else")
    channel.attach(THREE_CYCLES, "run-1")
    with pytest.raises(InstrumentError, match="'of somebody else' was started on it in the place of 'run-1'"):
        await channel.follow(0)


async def test_a_server_that_has_lost_the_test_is_told_as_that(box):
    await box.driver.identify()
    other = box.driver.channel("2")  # where nothing was ever started
    other.attach(THREE_CYCLES, "run-1")
    with pytest.raises(InstrumentError, match="the server has no 'run-1' any more"):
        await other.follow(0)


async def test_a_step_that_was_not_handed_over_is_an_error(box):
    channel = await started(box)
    box.pass_time(60_000.0)
    channel.attach(Schedule("t", (step(1, Rest(), Ending("time", ">=", 60.0)),)), "run-1")
    with pytest.raises(InstrumentError, match="of step 2, which was not handed over"):
        await channel.follow(0)


async def test_the_step_file_is_where_the_bench_says_and_stays_there(box, tmp_path):
    await started(box)
    assert [path.name for path in tmp_path.iterdir()] == ["box-1-run-1.xml"]


async def test_the_server_may_call_the_folder_by_another_name(tmp_path, box):
    there = Box(box.clock, tmp_path, step_files_at_server="D:\\steps\\")
    with pytest.raises(InstrumentError, match=r"did not start D:\\steps\\box-1-run-1.xml"):
        await started(there)
    assert r"D:\steps\box-1-run-1.xml</start>" in there.link.sent[-1]


async def test_a_folder_that_cannot_be_written_is_told(box):
    for folder in ("/proc/nowhere", "no\0where"):
        nowhere = Box(box.clock, Path(folder))
        with pytest.raises(InstrumentError, match="no step file can be written to"):
            await started(nowhere)


async def test_the_step_file_goes_to_no_folder_that_is_misspelt(tmp_path, box):
    with pytest.raises(InstrumentError, match="no step file can be written to"):
        await started(Box(box.clock, tmp_path / "misspelt" / "steps"))
    assert not (tmp_path / "misspelt").exists()


async def test_identity_is_the_unit_of_the_server(box):
    assert await box.driver.identify() == Identity("NEWARE", "BTS 8 devtype 27", "21-2", "unknown")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"devid": 7}, "expected the option 'devid', one of the server's devices: 21"),
        ({"subdevid": 1}, "device 21, unit 1 has 0 channels"),
        ({"channels": 8}, "has 3 channels, and none of number 4"),
        ({"password": "wrong"}, "the server refuses the user 'admin'"),
    ],
)
async def test_a_unit_that_is_not_there_is_told(box, tmp_path, options, says):
    other = Box(box.clock, tmp_path, **options)
    with pytest.raises(InstrumentError, match=says):
        await other.driver.identify()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<bts>",
        b"\xff",
        b"<bts version='1.0'><cmd>stop_resp</cmd></bts>",
        b"<bts version='1.0'><cmd>inquire_resp</cmd><list count='0'/></bts>",
        b"<bts version='1.0'><cmd>inquire_resp</cmd><list><inquire workstatus='working' voltage='high'/></list></bts>",
        b"<!DOCTYPE bts><bts version='1.0'><cmd>inquire_resp</cmd></bts>",
    ],
)
async def test_an_answer_that_does_not_fit_is_not_believed(box, answer):
    channel = await started(box)
    box.link.instead = lambda message: answer if "<cmd>inquire<" in message else None
    with pytest.raises(Unfit):
        await channel.follow(0)


@pytest.mark.parametrize("change", [('seqid="3"', 'seqid="4"'), ('testid="1"', 'testid="2"'), ('volt="', 'volt="x')])
async def test_rows_with_a_gap_or_of_another_test_are_not_believed(box, change):
    channel = await started(box)
    box.pass_time(1000.0)

    def spoilt(message: str) -> bytes | None:
        if "<cmd>download<" not in message:
            return None
        return box.link.interface.receive(message.encode()).replace(change[0].encode(), change[1].encode(), 1)

    box.link.instead = spoilt
    with pytest.raises(Unfit):
        await channel.follow(0)


async def test_an_unknown_status_is_told_and_stopped_all_the_same(box):
    channel = await started(box)
    box.link.instead = lambda message: (
        box.link.interface.receive(message.encode()).replace(b'"working"', b'"levitating"')
        if "<cmd>inquire<" in message
        else None
    )
    with pytest.raises(InstrumentError, match="box/1 is 'levitating', which this driver does not know"):
        await channel.follow(0)
    await channel.stop()
    assert box.channels[1].status == "stop"


@pytest.mark.parametrize("safe", [lambda box: box.driver.channel("1").make_safe(), lambda box: box.driver.make_safe()])
async def test_after_a_lost_start_a_state_that_is_told_late_proves_nothing(box, safe):
    """The server tells what was before the start, as it may for some seconds: the channel is stopped all the same."""

    def late(message: str) -> bytes | None:
        answer = box.link.interface.receive(message.encode())
        if "<cmd>start<" in message:
            raise LinkTimeout("no answer")
        return answer.replace(b'"working"', b'"finish"').replace(b'"run-1"', b'""')

    box.link.instead = late
    with pytest.raises(LinkError):
        await started(box)
    assert box.channels[1].status == "working"
    await safe(box)
    assert box.channels[1].status == "stop"


@pytest.mark.parametrize("change", [(b'"working"', b'"wogking"'), (b'"run-1"', b'"run-9"')])
async def test_one_garbled_answer_does_not_end_a_run(box, change):
    channel = await started(box)
    times = 1

    def garbled(message: str) -> bytes | None:
        nonlocal times
        if "<cmd>inquire<" not in message or times == 0:
            return None
        times -= 1
        return box.link.interface.receive(message.encode()).replace(*change)

    box.link.instead = garbled
    assert (await channel.follow(0)).state == "running"
    assert times == 0
    assert "was not expected" in box.link.distrusted[0]


@pytest.mark.parametrize("name", ["volt", "curr", "cap"])
async def test_what_a_record_does_not_tell_is_not_0(box, name):
    channel = await started(box)
    box.pass_time(1000.0)
    box.link.instead = lambda message: (
        re.sub(rf' {name}="[^"]*"'.encode(), f' {name}="--"'.encode(), box.link.interface.receive(message.encode()))
        if "<cmd>download<" in message
        else None
    )
    record = (await channel.follow(0)).records[-1]
    assert math.isnan({"volt": record.voltage, "curr": record.current, "cap": record.charge}[name])


async def test_a_lost_start_is_found_again_by_its_tag(box):
    """The answer is lost on the way: what runs is told by its tag, and nothing is started twice."""

    def lost(message: str) -> bytes | None:
        if "<cmd>start<" not in message:
            return None
        box.link.interface.receive(message.encode())
        raise LinkTimeout("no answer")

    box.link.instead = lost
    with pytest.raises(LinkError):
        await started(box)
    assert await box.driver.channel("1").attached() == "run-1"


async def test_a_start_whose_barcode_is_told_late_is_waited_for_and_one_never_told_is_refused(box, monkeypatch):
    async def no_sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    late = 3

    def without_barcode(message: str) -> bytes | None:
        nonlocal late
        if "<cmd>inquire<" not in message or late == 0:
            return None
        late -= 1
        return box.link.interface.receive(message.encode()).replace(b'barcode="run-1"', b'barcode=""')

    box.link.instead = without_barcode
    await started(box)
    assert late == 0
    late = 1000
    with pytest.raises(InstrumentError, match="started as 'run-1', and the server tells the barcode ''"):
        await started(box, 2)
