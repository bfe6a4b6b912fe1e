"""The engine process: one station, its control server, its heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from pathlib import Path

from filelock import FileLock

from galvanode.clock import SIMULATED_EPOCH_UNIX, Clock, SystemClock, install_clock, simulated_clock
from galvanode.engine.compiling import ApartCompiler, BesideCompiler, Compiler
from galvanode.engine.control import ControlServer
from galvanode.engine.heartbeat import beat
from galvanode.engine.rescue import ENGINE_LOCK, OWNERS_ONLY
from galvanode.engine.signals import ending_signals
from galvanode.engine.station import Station
from galvanode.engine.workbench import WorkLost
from galvanode.errors import InvalidInput
from galvanode.instrument.bench import Bench, open_bench, read_bench
from galvanode.store.journal import Journal

logger = logging.getLogger(__name__)

_LOCK_WITHIN_S = 10.0
_WARM_UP_AFTER_S = 2.0
_SWITCH_S = 0.0005
"""Seconds for which the thread that stores samples may keep the interpreter from the loop that watches cells."""


async def run_engine(data_dir: Path, bench_path: Path, *, speed: float | None, seed: int, resume: bool = True) -> None:
    """Serve a bench until SIGTERM, SIGINT or the end of the supervisor; then make everything safe.

    ``speed`` is None for real time; accelerated time is refused for instruments that may be real. Without
    ``resume`` runs that an earlier engine left are not taken up.
    """
    bench = read_bench(bench_path)
    refuse_acceleration(bench, speed)
    heart = asyncio.ensure_future(beat())
    ending = ending_signals()
    # An engine that hung and was left behind may wake up once more: never two of them on one bench and one store.
    # And the supervisor makes the instruments safe before the first engine of a station may open them.
    with FileLock(data_dir / ENGINE_LOCK, timeout=_LOCK_WITHIN_S, mode=OWNERS_ONLY):
        await _serve(data_dir, bench, speed, seed, resume, heart, ending)
    heart.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await heart


async def _serve(
    data_dir: Path,
    bench: Bench,
    speed: float | None,
    seed: int,
    resume: bool,
    heart: asyncio.Future[None],
    ending: asyncio.Future[None],
) -> None:
    journal = Journal(data_dir)
    clock: Clock
    if speed is None:
        clock = SystemClock()
    else:
        last = journal.last_unix_time_s()
        clock = simulated_clock(speed, SIMULATED_EPOCH_UNIX if last is None else last)
    install_clock(clock)
    sys.setswitchinterval(_SWITCH_S)
    compiler = ApartCompiler() if speed is None else BesideCompiler()
    station = Station(journal, open_bench(bench, seed), clock, seed, resume=resume, compiler=compiler)
    control = ControlServer(data_dir, station.ask)
    try:
        await station.start()
        await control.start()
        gc.freeze()  # what is there now stays: a round of the garbage collector over it would hold up every reading
        warm_up = asyncio.ensure_future(_warm_up(compiler))
        await asyncio.wait([heart, ending], return_when=asyncio.FIRST_COMPLETED)
        warm_up.cancel()
        if heart.done():
            logger.error("the supervisor is gone: making every channel safe and ending")
    finally:
        ending.cancel()
        await station.close()
        await control.close()


async def _warm_up(compiler: Compiler) -> None:
    """Get the compiler ready once everything else has begun."""
    await asyncio.sleep(_WARM_UP_AFTER_S)
    with contextlib.suppress(WorkLost):  # it is started again when it is needed
        await compiler.warm_up()


def refuse_acceleration(bench: Bench, speed: float | None) -> None:
    """Raise ``InvalidInput`` if simulated time is asked for on instruments that may be real."""
    if speed is None or not (outside := bench.outside_simulation()):
        return
    raise InvalidInput(
        f"--speed needs simulated instruments, but {outside[0]!r} answers at {bench.resource(outside[0])}; "
        "leave --speed out to run in real time",
        source=bench.path,
    )
