"""The family on a bench: in process, and over TCP as real servers are reached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from galvanode.instrument.bench import OpenBench, open_bench, read_bench
from galvanode.instrument.links.base import AnotherInstrument, LinkError
from galvanode.instrument.roles import Envelope, SequencedChannel
from galvanode.instrument.schedule import Bounds, Current, Ending, Recording, Schedule, ScheduledStep
from galvanode_simulator.bench import build_bench
from galvanode_simulator.links.tcp import TcpServer

BENCH = """\
title: a box
instruments:
  box:
    driver: neware
    options: {{current: 50 mA, step_files: {folder}{more}}}
    {place}
"""
SIMULATED = "simulated: {cell: capacitor, upload_lag: 0 s, channels: {3: {cell: lfp-lagp}}}"
ENVELOPE = Envelope(2.0, 4.5, 5e-3)
CHARGE = ScheduledStep(
    1, "charge", Current(1e-3), (Ending("time", ">=", 0.4),), Recording(every_s=0.1), Bounds(), line=1
)
SCHEDULE = Schedule("a charge", (CHARGE,))


def bench_file(folder: Path, resource: str = "", more: str = "") -> Path:
    path = folder / ("real.yaml" if resource else "simulated.yaml")
    place = f"resource: {resource}" if resource else SIMULATED
    path.write_text(BENCH.format(folder=folder / "steps", place=place, more=more))
    return path


def sequencer(bench: OpenBench, name: str) -> SequencedChannel:
    found = bench.channels[name].sequencer
    assert found is not None
    return found


async def finished(channel: SequencedChannel) -> list[int]:
    """Numbers of the records of what is followed, when it is over."""
    numbers: list[int] = []
    async with asyncio.timeout(10.0):
        while True:
            look = await channel.follow(numbers[-1] if numbers else 0)
            numbers += [record.number for record in look.records]
            if look.state == "finished":
                return numbers
            await asyncio.sleep(0.1)


async def test_eight_channels_stand_on_a_bench_and_one_runs_in_process(tmp_path: Path):
    bench = open_bench(read_bench(bench_file(tmp_path)))
    assert list(bench.channels) == [f"box_{number}" for number in range(1, 9)]
    channel = sequencer(bench, "box_3")
    await channel.identify()
    await channel.prepare(ENVELOPE)
    await channel.start(SCHEDULE, "run-1")
    assert await finished(channel) == [1, 2, 3, 4, 5]
    await bench.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[TcpServer]:
    simulated = build_bench(read_bench(bench_file(tmp_path)))["box"]
    async with TcpServer(simulated.wire) as listening:
        yield listening


async def test_over_tcp(tmp_path: Path, server: TcpServer):
    bench = open_bench(read_bench(bench_file(tmp_path, server.resource)))
    identity = await bench.units["box"].identify()
    assert (identity.manufacturer, identity.serial) == ("NEWARE", "21-1")
    one, two = sequencer(bench, "box_1"), sequencer(bench, "box_2")
    for channel, tag in ((one, "run-1"), (two, "run-2")):
        await channel.prepare(ENVELOPE)
        await channel.start(SCHEDULE, tag)
    assert await asyncio.gather(finished(one), finished(two)) == [[1, 2, 3, 4, 5]] * 2
    await bench.close()


async def test_a_connection_that_was_cut_is_made_again_and_nothing_is_missing(tmp_path: Path, server: TcpServer):
    bench = open_bench(read_bench(bench_file(tmp_path, server.resource)))
    channel = sequencer(bench, "box_1")
    await channel.identify()
    await channel.prepare(ENVELOPE)
    await channel.start(SCHEDULE, "run-1")
    port = server.port
    await server.stop()
    with pytest.raises(LinkError):
        await channel.follow(0)
    await asyncio.sleep(1.0)
    server._wanted = port
    await server.start()
    assert await finished(channel) == [1, 2, 3, 4, 5]
    await bench.close()


async def test_another_unit_at_the_same_address_is_not_spoken_to(tmp_path: Path, server: TcpServer):
    bench = open_bench(read_bench(bench_file(tmp_path, server.resource)))
    channel = sequencer(bench, "box_1")
    await channel.identify()
    port = server.port
    await server.stop()
    other = build_bench(read_bench(bench_file(tmp_path, more=", devid: 44")))["box"]
    async with TcpServer(other.wire, port):
        with pytest.raises(AnotherInstrument, match=r"number 44-1 answers where .* number 21-1 was"):
            await channel.attached()
    await bench.close()
