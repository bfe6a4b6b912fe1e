"""What a poll costs through the whole stack, against a bare PyVISA query loop on the same simulated instrument.

    python -m tests.benchmarks.poll_cost [--hours 100] [--rounds 4] [--cpu] [--profile]

Everything is measured in one process and in turn, some rounds of it, of which the least and the mean are shown. On a
machine that is busy with other things ``--cpu`` counts the time of the processor instead of real time; even then rounds
differ by a third, and the ratio of two least figures can be anything: look at the means, and repeat it when idle. Each
layer is the loop of the layer below with one thing added; the floor is PyVISA's ``query`` of the driver's own message.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyvisa

from galvanode.clock import JumpingClock, install_clock
from galvanode.commands.session import Submission
from galvanode.engine.station import Station
from galvanode.instrument.bench import Bench, open_bench, read_bench
from galvanode.instrument.roles import Envelope
from galvanode.library import library
from galvanode.store.journal import Journal

CHANNEL, CELL = "llzto_zni2", "llzto-zni2"
POLL_S = 10.0
MESSAGE = ':READ? "defbuffer1",SOUR,READ,REL,SOURSTAT'
WARM_UP = 2_000
LOOPS = 40_000


ALONE = """
title: The same cell without a chamber
instruments: {smu: {driver: keithley2450, simulated: {cell: llzto-zni2}}}
channels: {llzto_zni2: {cycler: smu}}
"""

_now = time.perf_counter


def _fresh(path: Path) -> Bench:
    """Read a bench, with new simulated instruments: those of a loop before have lived on that loop's clock."""
    bench = read_bench(path)
    pyvisa.ResourceManager(bench.backend(next(iter(bench.instruments)))).close()
    return bench


def _time_loop(clock: JumpingClock, action: Callable[[], object]) -> float:
    """Seconds per call, simulated time going on by one poll each."""
    for _ in range(WARM_UP):
        clock._now += POLL_S
        action()
    began = _now()
    for _ in range(LOOPS):
        clock._now += POLL_S
        action()
    return (_now() - began) / LOOPS


def bare_query_s(path: Path) -> float:
    """A bare PyVISA query loop on the simulated 2450, sourcing 0.1 mA/cm2 into its cell."""
    clock = JumpingClock()
    install_clock(clock)
    bench = _fresh(path)
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


async def driver_read_s(path: Path) -> float:
    """The driver's ``read``: the query, parsed, checked and named."""
    clock = JumpingClock()
    install_clock(clock)
    opened = open_bench(_fresh(path))
    cycler = opened.channels[CHANNEL].cycler
    await cycler.prepare(Envelope(-5.0, 5.0, 0.004))
    await cycler.source_current(7.85e-5)
    for count in (WARM_UP, LOOPS):
        began = _now()
        for _ in range(count):
            clock._now += POLL_S
            await cycler.read()
    per_call = (_now() - began) / LOOPS
    await opened.close()
    return per_call


async def whole_stack_s(path: Path, hours: float, profile: cProfile.Profile | None = None) -> tuple[float, int]:
    """D4 through YAML, engine, driver, SCPI text, PyVISA and store; seconds per poll, and the samples stored."""
    clock = JumpingClock()
    install_clock(clock)
    recipe, of_library = library() / "d4-li-li-cycling.yaml", library() / "cells" / f"{CELL}.yaml"
    with tempfile.TemporaryDirectory() as folder:
        # Without its limit of the temperature, which a channel without a chamber cannot watch.
        cell = Path(folder) / "cell.yaml"
        lines = of_library.read_text().splitlines(keepends=True)
        cell.write_text("".join(line for line in lines if "temperature: {" not in line))
        station = Station(Journal(Path(folder)), open_bench(_fresh(path)), clock)
        await station.start()
        began = _now()
        if profile is not None:
            profile.enable()
        submission = Submission(CHANNEL, recipe, cell, {"duration": f"{hours} h"})
        submitted = await station.ask(submission.request)
        while station.table.runs:
            await asyncio.sleep(0.02)
        if profile is not None:
            profile.disable()
        took = _now() - began
        await station.close()
        from galvanode.store.read import Store

        samples = Store(Path(folder)).run(submitted.run).samples
    return took / samples, samples


def main() -> None:
    """Measure and print."""
    global _now
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=100.0, help="simulated hours through the whole stack, a round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--cpu", action="store_true", help="time of the processor instead of real time")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    options = parser.parse_args()
    if options.cpu:
        _now = time.process_time
    with tempfile.TemporaryDirectory() as folder:
        alone, chamber = Path(folder) / "alone.yaml", library() / "benches" / "simulated.yaml"
        alone.write_text(ALONE)
        layers: dict[str, Callable[[], float]] = {
            "bare PyVISA query of the simulated 2450": lambda: bare_query_s(chamber),
            "the driver's read": lambda: asyncio.run(driver_read_s(chamber)),
            "the whole stack": lambda: asyncio.run(whole_stack_s(alone, options.hours))[0],
            "the same with a chamber read once a minute": lambda: asyncio.run(whole_stack_s(chamber, options.hours))[0],
        }
        asyncio.run(whole_stack_s(alone, 1.0))  # what is loaded at first use is no cost of a poll
        took: dict[str, list[float]] = {name: [] for name in layers}
        for _ in range(options.rounds):
            for name, measure in layers.items():
                took[name].append(measure())
        bare = statistics.mean(next(iter(took.values())))
        print(f"{'layer':<44}{'least, us':>10}{'mean, us':>10}{'ratio':>8}")
        for name, seconds in took.items():
            mean = statistics.mean(seconds)
            print(f"{name:<44}{min(seconds) * 1e6:>10.1f}{mean * 1e6:>10.1f}{mean / bare:>8.2f}")
        if options.profile:
            profile = cProfile.Profile(_now)
            asyncio.run(whole_stack_s(chamber, options.hours, profile))
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
