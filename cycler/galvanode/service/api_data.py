"""Routes that read runs: samples, overviews, steps, events, analyses, files to take away."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from galvanode.service.export import Exports
from galvanode.service.models import (
    Analysis,
    EventList,
    Overview,
    RunDetail,
    RunList,
    Samples,
    Table,
)
from galvanode.service.records import Records, plain_columns
from galvanode.store.schema import CURRENT, RECORD, VOLTAGE

MAX_SAMPLES = 100_000
MAX_POINTS = 20_000
MAX_STEPS = 20_000

Columns = Annotated[list[str] | None, Query(description="Battery Data Format labels, repeated or with commas")]
Seconds = Annotated[float | None, Query(allow_inf_nan=False, description="test time, s")]


def router(records: Records) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api", tags=["data"])
    exports = Exports(records)

    @routes.get("/runs")
    async def runs(
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        offset: Annotated[int, Query(ge=0)] = 0,
        channel: str | None = None,
    ) -> RunList:
        """Return runs, the newest first."""
        found, total = await records.runs(limit, offset, channel)
        return RunList(runs=found, total=total)

    @routes.get("/runs/{run_id}")
    async def run(run_id: str) -> RunDetail:
        """Return one run with the texts that it was started from."""
        return await records.detail(run_id)

    @routes.get("/runs/{run_id}/samples")
    async def samples(
        run_id: str,
        after: Annotated[int, Query(ge=0, description="record index; samples after it")] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_SAMPLES)] = 10_000,
        columns: Columns = None,
    ) -> Samples:
        """Return samples in their order, page by page."""
        table = await records.samples(run_id, after, limit, _split(columns))
        count = table.num_rows
        following = table[RECORD][count - 1].as_py() if count == limit else None
        return Samples(run=run_id, columns=plain_columns(table), count=count, next_after=following)

    @routes.get("/runs/{run_id}/overview")
    async def overview(
        run_id: str,
        points: Annotated[int, Query(ge=4, le=MAX_POINTS)] = 1000,
        columns: Columns = None,
        start_s: Seconds = None,
        end_s: Seconds = None,
    ) -> Overview:
        """Return the run, or a part of it, thinned out for a plot; extremes are kept."""
        names = _split(columns) or [VOLTAGE, CURRENT]
        table = await records.overview(run_id, points, names, start_s, end_s)
        return Overview(run=run_id, columns=plain_columns(table), count=table.num_rows)

    @routes.get("/runs/{run_id}/steps")
    async def steps(
        run_id: str,
        limit: Annotated[int, Query(ge=1, le=MAX_STEPS)] = 1000,
        offset: Annotated[int, Query(ge=0, description="counted from the newest")] = 0,
    ) -> Table:
        """Return the run's steps with the reasons why they ended: the newest ``limit``, in their order."""
        table = await records.steps(run_id)
        end = max(0, table.num_rows - offset)
        part = table.slice(max(0, end - limit), min(limit, end))
        return Table(run=run_id, columns=plain_columns(part), count=part.num_rows, total=table.num_rows)

    @routes.get("/runs/{run_id}/events")
    async def run_events(run_id: str, after: Annotated[int | None, Query(ge=0)] = None) -> EventList:
        """Return what happened to the run, in its order."""
        return EventList(events=await records.events(run_id, after))

    @routes.get("/events")
    async def events(after: Annotated[int | None, Query(ge=0)] = None) -> EventList:
        """Return what happened at the station, in its order."""
        return EventList(events=await records.events(None, after))

    @routes.get("/runs/{run_id}/analysis")
    async def analysis(run_id: str) -> Analysis:
        """Return the figures of merit that the run's recipe asks for, with their plots."""
        return await records.analysis(run_id)

    @routes.get("/runs/{run_id}/export", response_class=FileResponse)
    async def export(
        run_id: str,
        format: Literal["bdf", "bdf-csv", "battery-archive"] = "bdf",  # noqa: A002
    ) -> FileResponse:
        """Return the run as a file to take away."""
        made = await exports.make(run_id, format)
        return FileResponse(made.path, filename=made.path.name, background=BackgroundTask(made.remove))

    return routes


def _split(columns: list[str] | None) -> list[str] | None:
    """``?columns=a,b`` and ``?columns=a&columns=b`` mean the same."""
    if columns is None:
        return None
    return [name.strip() for part in columns for name in part.split(",") if name.strip()] or None
