"""The supervisor: starts the engine and the web side, and makes the cells safe when the engine cannot.

Source-measure units have no watchdog on their interface: without this, a dead host leaves current flowing.
The supervisor does as little as possible, so that little can go wrong with it; and it imports only when the children
are on their way what it needs when one of them is lost, so that a station answers soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from galvanode.engine.heartbeat import Pulse
from galvanode.engine.rescue import OWNERS_ONLY, Rescue
from galvanode.errors import GalvanodeError

logger = logging.getLogger(__name__)

INVALID_INPUT = 2
"""Exit status of a command whose input is refused."""
LOG_FILE = "supervisor.jsonl"
HUNG_AFTER_S = {"engine": 1.0, "web": 5.0}
"""Silence after which a child counts as hung. A healthy one beats every 0.1 s; nothing burns while a page waits."""
_LOOK_EVERY_S = 0.05
_STOOD_STILL_S = 0.5
_START_WITHIN_S = 60.0
_STOP_WITHIN_S = 20.0
_MOST_RESTARTS = 5
_RESTARTS_WITHIN_S = 60.0


class StationBusy(GalvanodeError):
    """Another supervisor serves this data directory."""


@dataclass
class Child:
    """One process under supervision."""

    name: Literal["engine", "web"]
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None


class Supervisor:
    """Engine and web side of one station."""

    def __init__(
        self,
        data_dir: Path,
        bench_path: Path,
        *,
        speed: float | None = None,
        seed: int = 0,
        resume: bool = True,
        web_arguments: Sequence[str] | None = None,
    ) -> None:
        """``speed`` is None for real time; without ``resume`` runs that an earlier engine left are not taken up."""
        self._data_dir = data_dir
        self._ever_begun = False
        """An engine took its input, so that instruments may have been touched."""
        options = _engine_options(speed, seed, resume)
        self._engine = Child("engine", ["engine", "--data", str(data_dir), "--bench", str(bench_path), *options])
        self._web = None if web_arguments is None else Child("web", ["web", "--data", str(data_dir), *web_arguments])
        self._pulse = Pulse()
        self._lock = FileLock(data_dir / "supervisor.lock", mode=OWNERS_ONLY)
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stood_still_at = 0.0
        """Until when this process itself did not run (a halted machine): silence before that says nothing."""
        self.failure: str | None = None
        """Why the station cannot go on, if so."""
        self.input_was_refused = False
        """The engine said on the terminal what is wrong with the bench; starting it again changes nothing."""
        self._rescue = Rescue(data_dir, bench_path, self._log, accelerated=speed is not None)

    async def start(self) -> None:
        """Take the data directory and start the children. Raises ``StationBusy``."""
        self._data_dir.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise StationBusy(
                f"{self._data_dir} is in use by another galvanode process; stop that one, or use another --data"
            ) from None
        await self._rescue.begin()  # only now that it is certain that this is the station
        await self._pulse.start()
        children = [child for child in (self._engine, self._web) if child is not None]
        for child in children:
            self._tasks.append(asyncio.create_task(self._keep(child), name=f"keep {child.name}"))

    @property
    def engine_has_begun(self) -> bool:
        """The engine has taken its input and beats."""
        return self._pulse.has_begun("engine")

    @property
    def not_safe(self) -> list[str]:
        """Instruments whose safe state could not be read back when it was last looked for."""
        return self._rescue.not_safe

    async def wait(self) -> None:
        """Return when the children are no longer kept: after ``close``, or if one fails for good."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def close(self) -> None:
        """End both children; the engine makes its channels safe before it goes, and that is read back here.

        Raises ``UnsafeState`` if an instrument cannot be shown to be safe.
        """
        self._ending.set()
        await self._rescue.leave_off()
        await asyncio.gather(*(self._end(child) for child in (self._web, self._engine) if child is not None))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._make_safe("ended", time.monotonic())
        await self._pulse.close()
        self._lock.release()
        if self.not_safe:
            from galvanode.instrument.roles import UnsafeState

            raise UnsafeState(f"not shown to be safe: {', '.join(self.not_safe)}. Disconnect these cells by hand")

    # --- one child -------------------------------------------------------------------------------------

    async def _keep(self, child: Child) -> None:
        """Start a child, and again whenever it ends; after the engine's end make the cells safe first."""
        try:
            await self._keep_while_it_makes_sense(child)
        except Exception as error:
            logger.exception("the %s cannot be kept", child.name)
            if child is self._engine:
                self.failure = f"the engine cannot be kept: {error}"
                await self._make_safe(self.failure, time.monotonic())

    async def _keep_while_it_makes_sense(self, child: Child) -> None:
        starts: list[float] = []
        while not self._ending.is_set():
            starts = [start for start in starts if time.monotonic() - start < _RESTARTS_WITHIN_S]
            if len(starts) > _MOST_RESTARTS:
                message = f"the {child.name} ended {len(starts)} times within a minute and is not restarted"
                self._log(f"{child.name}_given_up", message)
                if child is self._engine:
                    self.failure = message
                    return
                await self._pause(_RESTARTS_WITHIN_S)
                continue
            starts.append(time.monotonic())
            # A plain Popen, polled: asyncio's own child watcher and Popen.kill() race for the exit status.
            child.process = process = subprocess.Popen(  # noqa: ASYNC220, S603  (our own arguments)
                [sys.executable, "-m", "galvanode", *child.arguments],
                env=self._pulse.environment(child.name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for us; the children end in our order
            )
            self._log(f"{child.name}_started", f"{child.name} started", pid=process.pid)
            reason = await self._watch(child, process)
            noticed = time.monotonic()
            process.kill()
            await _exit_of(process)
            refused = child is self._engine and process.returncode == INVALID_INPUT
            self.input_was_refused = self.input_was_refused or refused
            if child is self._engine and not self._ending.is_set():
                await self._make_safe(reason, noticed)
            self._log(f"{child.name}_ended", f"{child.name} {reason}", pid=process.pid)
            if refused:
                self.failure = "the engine refused its input"
                return
            if child is self._web:
                await self._pause(0.5)

    async def _watch(self, child: Child, process: subprocess.Popen[bytes]) -> str:
        """Return why the child needs a successor: it ended, or its heart stopped. Also while it is being ended."""
        started = looked = time.monotonic()
        gone = self._pulse.gone(child.name)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gone.wait(), _LOOK_EVERY_S)
            now = time.monotonic()
            if now - looked > _STOOD_STILL_S:
                self._stood_still_at = now
            looked = now
            if (status := process.poll()) is not None:
                return f"ended with status {status}"
            if gone.is_set():
                if not self._ending.is_set():
                    return "hung up"
                if await _exits_within(process, _LOOK_EVERY_S):
                    continue  # its last act in an orderly end
                return "hung up but did not end"
            if not self._pulse.has_begun(child.name):
                if now - started > _START_WITHIN_S:
                    return f"did not start within {_START_WITHIN_S:.0f} s"
                continue
            self._ever_begun = self._ever_begun or child is self._engine
            silence = min(self._pulse.silence_s(child.name), now - self._stood_still_at)
            if silence > HUNG_AFTER_S[child.name]:
                return f"has been silent for {silence:.2f} s"

    async def _end(self, child: Child) -> None:
        """Ask a child to end, and end it if it does not; a hanging one is ended by its watcher before."""
        process = child.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        if not await _exits_within(process, _STOP_WITHIN_S):
            process.kill()
            await _exit_of(process)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def _make_safe(self, reason: str, noticed: float) -> None:
        """Make the cells safe where the engine cannot: it was lost, or has ended and that is to be read back."""
        if self.input_was_refused and not self._ever_begun:
            return  # no engine has touched an instrument, and none may: this is not the bench that was meant
        await self._rescue.make_safe(reason, noticed, orderly=self._ending.is_set())

    def _log(self, kind: str, message: str, **details: Any) -> None:
        no_event = kind.endswith("_started") or kind == "safe_at_start"
        quiet = no_event or (self._ending.is_set() and kind != "not_safe")
        logger.log(logging.INFO if quiet else logging.WARNING, "%s", message)
        line = json.dumps({"unix_time_s": time.time(), "kind": kind, "message": message, **details})
        # A full disk must not come between a lost engine and the cells.
        with contextlib.suppress(OSError), (self._data_dir / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _engine_options(speed: float | None, seed: int, resume: bool) -> list[str]:
    options = ["--seed", str(seed), "--resume" if resume else "--no-resume"]
    if speed is not None:
        options += ["--speed", "max" if math.isinf(speed) else repr(speed)]
    return options


async def _exits_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        await asyncio.wait_for(_exit_of(process), seconds)
    except TimeoutError:
        return False
    return True


async def _exit_of(process: subprocess.Popen[bytes]) -> int:
    while (status := process.poll()) is None:  # noqa: ASYNC110  (a process sets no event)
        await asyncio.sleep(0.005)
    return status
