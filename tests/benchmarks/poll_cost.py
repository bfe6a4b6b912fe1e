"""What a poll costs through the whole stack, against a bare PyVISA query loop on the same simulated instrument.

    python -m tests.benchmarks.poll_cost [--hours 400] [--profile]

Everything is measured in one process and one run, so the ratios hold on any machine. Each layer is the loop
of the layer below with one thing added; the floor is PyVISA's ``query`` of the driver's own message.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyvisa

from galvanode.clock import JumpingClock, install_clock
from galvanode.commands.session import Submission
from galvanode.engine.station import Station
from galvanode.instrument.bench import open_bench, read_bench
from galvanode.instrument.roles import Envelope
from galvanode.library import library
from galvanode.store.journal import Journal

CHANNEL, CELL = "llzto_zni2", "llzto-zni2"
POLL_S = 10.0
MESSAGE = ':READ? "defbuffer1",SOUR,READ,REL,SOURSTAT'
WARM_UP = 2_000
LOOPS = 40_000


def bench_path() -> Path:
    """The bench that ``galvanode run`` uses."""
    return library() / "benches" / "simulated.yaml"


def _time_loop(clock: JumpingClock, action: Callable[[], object]) -> float:
    """Seconds per call, simulated time going on by one poll each."""
    for _ in range(WARM_UP):
        clock._now += POLL_S
        action()
    began = time.perf_counter()
    for _ in range(LOOPS):
        clock._now += POLL_S
        action()
    return (time.perf_counter() - began) / LOOPS


def bare_query_s() -> float:
    """A bare PyVISA query loop on the simulated 2450, sourcing 0.1 mA/cm2 into its cell."""
    clock = JumpingClock()
    install_clock(clock)
    bench = read_bench(bench_path())
    name = bench.channels[CHANNEL].cycler
    session = pyvisa.ResourceManager(bench.backend(name)).open_resource(
        bench.resource(name), read_termination="\n", write_termination="\n"
    )
    for line in (
        ':SENS:FUNC "VOLT"',
        ":SOUR:FUNC CURR",
        ":SOUR:CURR:READ:BACK ON",
        ":SOUR:CURR 7.85E-5",
        ":OUTP ON",
    ):
        session.write(line)
    try:
        return _time_loop(clock, lambda: session.query(MESSAGE))
    finally:
        session.close()


async def driver_read_s() -> float:
    """The driver's ``read``: the query, parsed, checked and named."""
    clock = JumpingClock()
    install_clock(clock)
    opened = open_bench(read_bench(bench_path()))
    cycler = opened.channels[CHANNEL].cycler
    await cycler.prepare(Envelope(-5.0, 5.0, 0.004))
    await cycler.source_current(7.85e-5)
    for count in (WARM_UP, LOOPS):
        began = time.perf_counter()
        for _ in range(count):
            clock._now += POLL_S
            await cycler.read()
    per_call = (time.perf_counter() - began) / LOOPS
    await opened.close()
    return per_call


async def whole_stack_s(hours: float, profile: cProfile.Profile | None = None) -> tuple[float, int]:
    """D4 through YAML, engine, driver, SCPI text, PyVISA and store; seconds per poll, and the samples stored."""
    clock = JumpingClock()
    install_clock(clock)
    recipe, cell = library() / "d4-li-li-cycling.yaml", library() / "cells" / f"{CELL}.yaml"
    with tempfile.TemporaryDirectory() as folder:
        station = Station(Journal(Path(folder)), open_bench(read_bench(bench_path())), clock)
        await station.start()
        began = time.perf_counter()
        if profile is not None:
            profile.enable()
        submission = Submission(CHANNEL, recipe, cell, {"duration": f"{hours} h"})
        submitted = await station.ask(submission.request)
        while station.table.runs:
            await asyncio.sleep(0.02)
        if profile is not None:
            profile.disable()
        took = time.perf_counter() - began
        await station.close()
        from galvanode.store.read import Store

        samples = Store(Path(folder)).run(submitted.run).samples
    return took / samples, samples


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=400.0, help="simulated hours through the whole stack")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    bare = bare_query_s()
    driver = asyncio.run(driver_read_s())
    whole, samples = asyncio.run(whole_stack_s(options.hours))
    print(f"{'layer':<44}{'us per poll':>12}{'ratio':>8}")
    for name, seconds in (
        ("bare PyVISA query of the simulated 2450", bare),
        ("driver read on top of it", driver),
        (f"whole stack, {samples:,} polls stored", whole),
    ):
        print(f"{name:<44}{seconds * 1e6:>12.1f}{seconds / bare:>8.2f}")
    if options.profile:
        profile = cProfile.Profile()
        asyncio.run(whole_stack_s(options.hours / 4, profile))
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
