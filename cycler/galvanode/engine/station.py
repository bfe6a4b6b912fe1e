"""The station: the channels of one bench and their runs, put together and taken apart."""

from __future__ import annotations

from typing import cast

from galvanode.clock import Clock
from galvanode.engine.chambers import Chambers
from galvanode.engine.channels import Channels
from galvanode.engine.commits import Commits
from galvanode.engine.compiling import BesideCompiler, Compiler
from galvanode.engine.contract import A, Request
from galvanode.engine.requests import Requests
from galvanode.engine.table import Table
from galvanode.instrument.bench import OpenBench
from galvanode.store.journal import Journal


class Station:
    """All channels of a bench, served by one event loop."""

    def __init__(
        self,
        journal: Journal,
        bench: OpenBench,
        clock: Clock,
        seed: int = 0,
        *,
        resume: bool = True,
        compiler: Compiler | None = None,
    ) -> None:
        """``compiler`` is where recipes are compiled; without one that is a thread of this process."""
        self._compiler = compiler or BesideCompiler()
        self.table = Table()
        self.commits = Commits(journal, self.table, clock)
        self._bench = bench
        self._resume = resume
        self._chambers = Chambers(bench, self.table, self.commits, clock)
        self._channels = Channels(bench, self.table, self._chambers, self.commits, self._compiler, clock)
        self._requests = Requests(
            self.table,
            self._channels,
            self._chambers,
            self.commits,
            self._compiler,
            clock,
            seed=seed,
            simulated=not bench.bench.outside_simulation(),
        )

    async def start(self) -> None:
        """Make every channel safe, set the chambers, and take up the runs that were interrupted."""
        await self._channels.start()
        await self._chambers.start()
        unfinished = await self.commits.write(self.commits.journal.unfinished)
        await self._channels.stop_what_is_over(unfinished, self.table)
        for record in reversed(unfinished):  # the newest of a channel counts
            if self._resume:
                await self._channels.take_up(record)
            else:
                self._channels.leave_alone(record, "the command that ran last takes up no earlier run")
        self.commits.start()

    async def close(self) -> None:
        """Interrupt every run, make the channels safe, commit, and give everything back."""
        await self._channels.close()
        await self.commits.close()
        await self._compiler.close()
        await self._bench.close()

    async def ask(self, request: Request[A]) -> A:
        """Carry out a request. Raises ``GalvanodeError`` where that cannot be done."""
        return cast(A, await self._requests.carry_out(request))
