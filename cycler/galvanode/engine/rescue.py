"""The supervisor's own hand on the instruments: what can drive a cell is made safe here where no engine does it.

At the start of a station, because an engine takes seconds to come, and an earlier station may have been lost with all
its processes; after the loss of an engine; and at the end, to read back what the engine said. What is meant to run
alone goes on. An instrument that is simulated inside the engine ended with it, and there is nothing to do.

The engine's lock stands for the instruments: an engine opens none before it holds it, and until the first pass is over
it is held here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from filelock import FileLock, Timeout

from galvanode.errors import GalvanodeError, InvalidInput

if TYPE_CHECKING:
    from galvanode.instrument.bench import Bench, OpenBench
    from galvanode.instrument.roles import Unit

logger = logging.getLogger(__name__)

ENGINE_LOCK = "engine.lock"
"""File in the data directory. Whoever holds it may speak to the instruments of a station that is at work."""
OWNERS_ONLY = 0o600
"""Mode of a lock file: whoever may read one may hold it, and with it the station."""
_EARLIER_ENGINE_S = 1.0
"""Real seconds for which an engine whose supervisor was killed is left to make its channels safe by itself."""
_LOOK_EVERY_S = 0.02
_AGAIN_S = 1.0
"""Real seconds at the start after which an instrument that could not be made safe is left to the engine."""
_ANSWER_WITHIN_S = 3.0
"""Real seconds at the start after which an instrument that does not answer is left to the engine."""
_CLOSED_WITHIN_S = 0.5
_CHILDREN_WAIT_S = 1.5
"""Real seconds for which the other processes are not started, so that this one has the processor for itself."""
_SAFE_WITHIN_S = 10.0
_RETRY_SAFE_S = 0.2


class Rescue:
    """Makes the instruments of one station safe. Only for the supervisor that holds the data directory."""

    def __init__(self, data_dir: Path, bench_path: Path, log: Callable[..., None], *, accelerated: bool) -> None:
        """``accelerated``: the engine will refuse instruments that may be real, so nobody may touch those."""
        self._data_dir = data_dir
        self._bench_path = bench_path
        self._log = log
        self._accelerated = accelerated
        self._reading: asyncio.Task[Bench | None] | None = None
        self._first: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        """Of those who open the instruments: two at once would hear each other's answers."""
        self._engine_lock = FileLock(data_dir / ENGINE_LOCK, mode=OWNERS_ONLY)
        self._closing: set[asyncio.Task[None]] = set()
        self.not_safe: list[str] = []
        """Instruments whose safe state could not be read back when that was last looked for."""

    # --- at the start ----------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Begin to make safe what an earlier station may have left driving a cell; keep the engine away meanwhile.

        An engine that was left behind by a supervisor that was killed is given a moment to end. Returns when all is
        safe, or when the other processes have waited for long enough: they would take the processor's time from this.
        """
        if not _may_name_an_instrument(self._bench_path):
            return
        self._reading = asyncio.create_task(asyncio.to_thread(_bench_in, self._bench_path), name="read the bench")
        await self._take_the_engine_lock()
        self._first = asyncio.create_task(self._make_safe_at_the_start(), name="make safe at the start")
        await asyncio.wait([self._first], timeout=_CHILDREN_WAIT_S)

    async def leave_off(self) -> None:
        """End the first pass, wherever it is, and let others to the instruments."""
        if self._first is not None:
            self._first.cancel()
            await asyncio.wait([self._first])
        self._engine_lock.release()

    async def _take_the_engine_lock(self) -> None:
        deadline = time.monotonic() + _EARLIER_ENGINE_S
        while True:
            try:
                self._engine_lock.acquire(blocking=False)
            except Timeout:
                if time.monotonic() > deadline:  # it hangs: nobody else will do it
                    self._log("engine_left_behind", "an engine of an earlier station has not ended yet")
                    return
                await asyncio.sleep(_LOOK_EVERY_S)
            else:
                return

    async def _make_safe_at_the_start(self) -> None:
        """One that does not answer delays no other, and the engine by some seconds at most; that one tries again."""
        began = time.monotonic()
        try:
            bench = None if self._reading is None else await asyncio.shield(self._reading)
            if bench is None or (self._accelerated and bench.outside_simulation()):
                return
            async with self._turn:
                opened = _open(bench)
                await asyncio.gather(*(self._try_one(name, unit, began) for name, unit in opened.units.items()))
        except Exception:  # the engine makes safe whatever this could not
            logger.exception("the instruments could not be made safe before the engine has started")
        finally:
            self._engine_lock.release()

    async def _try_one(self, name: str, unit: Unit, began: float) -> None:
        making = asyncio.ensure_future(self._make_one_safe(name, unit, began, _AGAIN_S, "safe_at_start"))
        try:
            done, _ = await asyncio.wait([making], timeout=_ANSWER_WITHIN_S)
            if not done:
                message = f"{name} is not safe: no answer within {_ANSWER_WITHIN_S:g} s; the engine tries again"
                self._log("not_safe", message, instrument=name)
        finally:
            making.cancel()
            closing = asyncio.ensure_future(_close_quietly(unit))
            self._closing.add(closing)  # it may last as long as the answer that does not come
            closing.add_done_callback(self._closing.discard)
            await asyncio.wait([closing], timeout=_CLOSED_WITHIN_S)

    # --- after an engine ---------------------------------------------------------------------------------

    async def make_safe(self, reason: str, noticed: float, *, orderly: bool) -> None:
        """Make every instrument safe, verify that by read-back, and store that it was done.

        ``noticed`` is when the engine was seen to be lost, of the monotonic clock; ``orderly``: it was meant to end.
        """
        told: list[tuple[str, str]] = [("engine_lost", f"the engine {reason}")]
        if self._reading is not None:
            bench = await self._reading
            if bench is None:
                return
            async with self._turn:
                try:
                    told += await self._make_all_safe(bench, noticed)
                except Exception as error:
                    logger.exception("the instruments cannot be opened")
                    self.not_safe = [f"every instrument ({error})"]
                    return
        if orderly and not self.not_safe:
            return  # no event
        try:
            await asyncio.to_thread(_record, self._data_dir, told)
        except Exception:  # the cells come first: the engine is restarted whatever the store says
            logger.exception("what the supervisor did could not be stored; it is in its log")

    async def _make_all_safe(self, bench: Bench, noticed: float) -> list[tuple[str, str]]:
        """Return what was done, as events."""
        opened = _open(bench)
        units = opened.units
        results = await asyncio.gather(
            *(self._make_one_safe(name, unit, noticed, _SAFE_WITHIN_S, "made_safe") for name, unit in units.items())
        )
        self.not_safe = [name for name, (ok, _) in zip(units, results, strict=True) if not ok]
        await _close_quietly(opened)
        return [("made_safe" if ok else "not_safe", message) for ok, message in results]

    async def _make_one_safe(
        self, name: str, unit: Unit, noticed: float, within_s: float, kind: str
    ) -> tuple[bool, str]:
        deadline, told = time.monotonic() + within_s, ""
        while True:
            try:
                await unit.make_safe()
            except Exception as error:  # whatever went wrong, the output may still be on
                message = f"{name} is not safe: {error}"
                if message != told:  # five times a second the same would bury what else is said
                    self._log("not_safe", message, instrument=name)
                    told = message
                if time.monotonic() > deadline:
                    return False, message
                await asyncio.sleep(_RETRY_SAFE_S)
            else:
                took = time.monotonic() - noticed
                message = f"{name} output off and terminals open, verified by read-back after {took:.3f} s"
                self._log(kind, message, instrument=name, took_s=took)
                return True, message


def _may_name_an_instrument(bench: Path) -> bool:
    """Tell, without reading it properly, whether a bench may have an instrument outside the engine.

    Such a one has the key ``resource``. For a simulated bench nothing is imported that reads benches: it starts sooner.
    """
    try:
        text = bench.read_bytes()
    except OSError:
        return True
    return b"resource" in text or b"\\" in text


def _bench_in(path: Path) -> Bench | None:
    """Read the bench, and import on the way what makes its instruments safe: there is no time for it later.

    None for one that is refused: the engine says so, and opens nothing of it.
    """
    _import_pyvisa()
    from galvanode.instrument.bench import read_bench

    try:
        bench = read_bench(path)
        for family in _left_driving(bench).families.values():
            family.load_driver()
    except InvalidInput:
        return None
    return bench


def _import_pyvisa() -> None:
    """Import PyVISA without numpy, which it can do without, and which takes as long as all the rest of it."""
    if "numpy" not in sys.modules:
        hidden: dict[str, Any] = cast("dict[str, Any]", sys.modules)
        hidden["numpy"] = None
        try:
            import_module("pyvisa")
        finally:
            del hidden["numpy"]


def _left_driving(bench: Bench) -> Bench:
    """Return what can drive a cell, is not simulated in the engine, and is not meant to run alone."""

    def is_left(name: str) -> bool:
        return bench.instruments[name].simulated is None and bench.families[name].role in ("cycler", "analyzer")

    return bench.only(is_left)


def _open(bench: Bench) -> OpenBench:
    from galvanode.instrument.bench import open_bench

    return open_bench(_left_driving(bench))


async def _close_quietly(opened: OpenBench | Unit) -> None:
    with contextlib.suppress(GalvanodeError):
        await opened.close()


def _record(data_dir: Path, told: list[tuple[str, str]]) -> None:
    """Store what the supervisor did, at the process time of the last commit."""
    from galvanode.store.journal import Journal
    from galvanode.store.records import Event

    journal = Journal(data_dir)
    try:
        last = journal.last_unix_time_s()
        unix = time.time() if last is None else last
        details = {"real_unix_time_s": time.time()}
        journal.record([Event(None, unix, None, kind, message, details) for kind, message in told])
    finally:
        journal.close()
