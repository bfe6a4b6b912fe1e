"""What the web side reads of the store: in few threads, with a bounded queue, as plain columns."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from galvanode.errors import GalvanodeError, InvalidInput, Refused
from galvanode.results import plain, run_data
from galvanode.service.answers import open_question
from galvanode.service.live import Points
from galvanode.service.models import (
    Analysis,
    AnalysisPlot,
    AnalysisResult,
    Column,
    Question,
    Run,
    RunDetail,
    RunEvent,
)
from galvanode.service.problems import Busy, UnknownRun
from galvanode.store.attachments import Attachment, attachments, find_attachment, save_attachment
from galvanode.store.errors import StoreError
from galvanode.store.read import Store
from galvanode.store.records import RunRecord
from galvanode.store.schema import CURRENT, DATABASE, RECORD, TEST_TIME, VOLTAGE, sample_schema
from galvanode.store.tally import Tallies, Tally

THREADS = 2
MAX_WAITING = 32
MAX_EVENTS = 2000
_AREAS_KEPT = 256
_ANALYSES_KEPT = 64
_POINTS_PER_COLUMN = 4
"""Fewer are no plot."""

T = TypeVar("T")


class Records:
    """The store, for coroutines. Every method raises ``Busy`` when too much is waiting already."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._store: Store | None = None
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="web-store")
        self._tally = Tally(directory)
        self._waiting = 0
        self._areas: OrderedDict[str, float | None] = OrderedDict()
        self._analyses: OrderedDict[tuple[str, int], Analysis] = OrderedDict()

    @property
    def store(self) -> Store:
        """The store, opened when it is first needed. Raises ``StoreError`` if the engine has not made it yet."""
        if self._store is None:
            if not (self._directory / DATABASE).is_file():
                raise StoreError(f"there are no data in {self._directory} yet; the engine makes them when it starts")
            self._store = Store(self._directory)
        return self._store

    async def do(self, work: Callable[[], T]) -> T:
        """Do something that reads the store, in one of its threads."""
        if self._waiting >= MAX_WAITING:
            raise Busy("too many requests for data at once; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _contained, work)
        finally:
            self._waiting -= 1

    async def runs(self, limit: int, offset: int, channel: str | None) -> tuple[list[Run], int]:
        """Return some runs, the newest first, and how many there are."""

        def read() -> tuple[list[Run], int]:
            records = self.store.runs()
            chosen = [record for record in reversed(records) if channel is None or record.channel == channel]
            shown = [Run.model_validate(self._fields(record)) for record in chosen[offset : offset + limit]]
            return shown, len(chosen)

        return await self.do(read)

    async def tallies(self) -> Tallies | None:
        """Return what has been counted; None where there are no data yet, or the store is busy."""
        try:
            return await self.do(self._tally.take)
        except (GalvanodeError, sqlite3.Error):
            return None

    async def run(self, run: str) -> RunRecord:
        """Return one run; raise ``UnknownRun``."""
        return await self.do(lambda: self._run(run))

    async def detail(self, run: str) -> RunDetail:
        """Return one run with its texts; raise ``UnknownRun``."""
        return await self.do(lambda: RunDetail.model_validate(self._fields(self._run(run))))

    async def question(self, run: str) -> Question:
        """Return what a run waits for; raise ``UnknownRun``, and ``Refused`` if it waits for nobody."""

        def read() -> Question:
            record = self._run(run)
            question = open_question(self.store, record)
            if question is None:
                raise Refused(f"run {run} is {record.state}; it asks nothing now")
            return question

        return await self.do(read)

    async def question_of(self, run: str) -> Question | None:
        """Return what a run waits for; None if it waits for nobody, or is not known (yet)."""
        try:
            return await self.question(run)
        except (UnknownRun, Refused, Busy, StoreError):
            return None

    async def photos(self, run: str) -> list[Attachment]:
        """Return the photos of a run; raise ``UnknownRun``."""
        return await self.do(lambda: (self._run(run), attachments(self._directory, run))[1])

    async def photo(self, run: str, name: str) -> Attachment:
        """Return one photo of a run; raise ``UnknownRun``, also where there is no such photo."""

        def find() -> Attachment:
            self._run(run)
            try:
                return find_attachment(self._directory, run, name)
            except InvalidInput as error:
                raise UnknownRun(error.message) from None

        return await self.do(find)

    async def keep_photo(self, run: str, data: bytes) -> tuple[Attachment, bool]:
        """Keep a photo of a run, durably; return it and whether it is new. Raises ``InvalidInput``."""
        return await self.do(lambda: save_attachment(self._directory, run, data))

    async def area_of(self, run: str) -> float | None:
        """Return the area of a run's cell in m2; None if the run or the area is not known (yet)."""
        if run not in self._areas:
            try:
                record = await self.run(run)
            except (UnknownRun, Busy, StoreError):
                return None
            self._areas[run] = record.area_m2
            while len(self._areas) > _AREAS_KEPT:
                self._areas.popitem(last=False)
        return self._areas[run]

    async def samples(self, run: str, after: int, limit: int, columns: Sequence[str] | None) -> pa.Table:
        """Return at most ``limit`` samples after a record index; raise ``UnknownRun``, ``InvalidInput``."""

        def read() -> pa.Table:
            names = [RECORD, *(name for name in self._known(run, columns) if name != RECORD)]
            return self.store.samples(run, names, after_record=after).slice(0, limit)

        return await self.do(read)

    async def overview(
        self, run: str, points: int, columns: Sequence[str], start_s: float | None, end_s: float | None
    ) -> pa.Table:
        """Return a run thinned out for a plot; raise ``UnknownRun``, ``InvalidInput``."""

        def read() -> pa.Table:
            names = [name for name in self._known(run, columns) if name not in (TEST_TIME, RECORD)]
            if points < _POINTS_PER_COLUMN * len(names) + 2:
                raise InvalidInput(f"{points} points are too few for {len(names)} columns", source="points")
            return self.store.overview(run, points, names, start_s=start_s, end_s=end_s)

        return await self.do(read)

    async def steps(self, run: str) -> pa.Table:
        """Return the run's steps; raise ``UnknownRun``."""
        return await self.do(lambda: (self._run(run), self.store.steps(run))[1])

    async def events(self, run: str | None, after: int | None) -> list[RunEvent]:
        """Return the newest events, in their order; raise ``UnknownRun``."""

        def read() -> list[RunEvent]:
            if run is not None:
                self._run(run)
            return [
                RunEvent(
                    id=event.id,
                    run=event.run,
                    unix_time_s=event.unix_time_s,
                    test_time_s=event.test_time_s,
                    kind=event.kind,
                    message=event.message,
                    details=_plain(event.details),
                )
                for event in self.store.events(run, after)[-MAX_EVENTS:]
            ]

        return await self.do(read)

    async def analysis(self, run: str) -> Analysis:
        """Return results and plots of the run's analyses; raise ``UnknownRun``."""
        record = await self.run(run)
        key = (run, record.samples)
        if key in self._analyses:
            return self._analyses[key]
        found = await self.do(lambda: _analysed(self.store, record))
        # Of a run under way only the newest is kept: it is asked for again and again.
        for old in [kept for kept in self._analyses if kept[0] == run]:
            del self._analyses[old]
        self._analyses[key] = found
        while len(self._analyses) > _ANALYSES_KEPT:
            self._analyses.popitem(last=False)
        return found

    async def last_record(self, run: str) -> int:
        """Return the index of the run's last sample, 0 if there is none; raise ``UnknownRun``."""
        return (await self.run(run)).samples

    async def points(self, run: str, after_record: int) -> Points:
        """Return what the live stream needs of the samples after one."""

        def read() -> Points:
            table = self.store.samples(run, [RECORD, TEST_TIME, VOLTAGE, CURRENT], after_record=after_record)
            return Points(
                table[RECORD].to_numpy().astype(np.int64),
                table[TEST_TIME].to_numpy().astype(np.float64),
                table[VOLTAGE].to_numpy().astype(np.float64),
                table[CURRENT].to_numpy().astype(np.float64),
            )

        return await self.do(read)

    def _fields(self, record: RunRecord) -> dict[str, Any]:
        return {**run_fields(record), "question": open_question(self.store, record)}

    def _run(self, run: str) -> RunRecord:
        try:
            return self.store.run(run)
        except InvalidInput as error:
            raise UnknownRun(error.message) from None

    def _known(self, run: str, columns: Sequence[str] | None) -> list[str]:
        """Return the columns if the run has them all; raise ``UnknownRun``, ``InvalidInput``."""
        there = sample_schema(self._run(run).auxiliaries).names
        if columns is None:
            return list(there)
        for name in columns:
            if name not in there:
                raise InvalidInput(f"no column {name[:60]!r}; expected some of {', '.join(there)}", source="columns")
        return list(dict.fromkeys(columns))

    def close(self) -> None:
        """End the threads; what waits is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _contained(work: Callable[[], T]) -> T:
    """Do the work; a panic of compiled code, which is no ``Exception``, must end the request and nothing else."""
    try:
        return work()
    except Exception:
        raise
    except BaseException as panic:
        raise RuntimeError(f"reading the store failed: {panic}") from panic


def run_fields(record: RunRecord) -> dict[str, Any]:
    """Return a run's fields; full speed, which is infinite, becomes ``max``."""
    fields = {name: getattr(record, name) for name in RunDetail.model_fields if hasattr(record, name)}
    fields["speed"] = "max" if math.isinf(record.speed) else record.speed
    fields["analyses"] = list(record.analyses)
    return fields


def _analysed(store: Store, record: RunRecord) -> Analysis:
    """Run the analyses; data that no figure can be got from are an answer too."""
    from galvanode.analysis import analyse, plots  # here: an hour may pass before anybody asks for a figure

    names = list(record.analyses)
    if not names or record.samples == 0:
        return Analysis(run=record.id, analyses=names, problem=None if not names else "no samples yet")
    data = run_data(store, record)
    try:
        results, drawn = analyse(names, data), plots(names, data)
    except InvalidInput as error:
        return Analysis(run=record.id, analyses=names, problem=error.message)
    return Analysis(
        run=record.id,
        analyses=names,
        results={name: AnalysisResult(**_plain(found)) for name, found in plain(results).items()},
        plots=[AnalysisPlot.model_validate({"name": name, **plot}) for name, plot in drawn.items()],
    )


def plain_columns(table: pa.Table) -> dict[str, Column]:
    """Return a table as JSON columns: NaN and infinity, which JSON has not, become null."""
    found: dict[str, Column] = {}
    for name in table.column_names:
        values = table[name].to_pylist()
        if pa.types.is_floating(table[name].type):
            values = [value if value is not None and math.isfinite(value) else None for value in values]
        found[name] = values
    return found


def _plain(value: Any) -> Any:
    """Return JSON data without NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
