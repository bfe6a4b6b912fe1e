"""Routes that look at the station or change what it does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from galvanode.engine.contract import Commanded, Pause, Resume, Stop, StopAll, Stopped, StoppedAll, Submit, Submitted
from galvanode.engine.workbench import Workbench
from galvanode.service import metrics
from galvanode.service.engine_link import EngineLink
from galvanode.service.live import LiveStream
from galvanode.service.models import (
    ChannelState,
    CheckRequest,
    Health,
    LibraryCell,
    LibraryRecipe,
    Schedule,
    Status,
    SubmitRequest,
)
from galvanode.service.problems import Busy
from galvanode.service.records import Records

MAX_CHECKS_WAITING = 8
_LONG = 16_384
"""Characters of a recipe from which on checking it takes a noticeable time."""


def router(engine: EngineLink, live: LiveStream, records: Records, protocols: Path, checks: Checks) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/healthz", tags=["station"])
    async def health() -> Health:
        """Tell whether the web side answers, and whether the engine does."""
        status = await engine.status(max_age_s=1.0)
        return Health(engine="ok" if status.available else "unavailable")

    @routes.get("/metrics", tags=["station"], response_class=PlainTextResponse)
    async def prometheus(request: Request) -> Response:
        """Return the station's state and counts in Prometheus' text format, or in OpenMetrics' if that is asked for."""
        station = metrics.Station(await engine.status(max_age_s=1.0), live.pages, await records.tallies())
        content, media_type = metrics.exposition(station, request.headers.get("accept", ""))
        return Response(content, headers={"content-type": media_type})

    @routes.get("/api/status", tags=["station"])
    async def status() -> Status:
        """Return engine, channels and chambers as they are now."""
        return await engine.status()

    @routes.get("/api/channels", tags=["station"])
    async def channels() -> list[ChannelState]:
        """Return the channels as they are now."""
        return (await engine.status()).channels

    @routes.get("/api/recipes", tags=["recipes"])
    async def recipes() -> list[LibraryRecipe]:
        """Return the recipes that come with Galvanode."""
        return await asyncio.to_thread(_recipes, protocols)

    @routes.get("/api/cells", tags=["recipes"])
    async def cells() -> list[LibraryCell]:
        """Return the cell descriptions that come with Galvanode."""
        return await asyncio.to_thread(_cells, protocols)

    @routes.post("/api/check", tags=["recipes"])
    async def check(request: CheckRequest) -> Schedule:
        """Validate a recipe, and with a cell expand it; nothing is started."""
        return await checks.check(request)

    @routes.post("/api/runs", tags=["runs"], status_code=201)
    async def submit(request: SubmitRequest) -> Submitted:
        """Start a recipe on a channel."""
        fields = request.model_dump(include={"recipe", "recipe_name", "cell", "cell_name", "parameters"})
        await checks.check(CheckRequest(**fields))  # the engine checks too; this one knows line and column
        return await engine.command(Submit(**request.model_dump()))

    @routes.post("/api/runs/{run_id}/pause", tags=["runs"])
    async def pause(run_id: str) -> Commanded:
        """Pause a run: output off, position kept."""
        return await engine.command(Pause(run=run_id))

    @routes.post("/api/runs/{run_id}/resume", tags=["runs"])
    async def resume(run_id: str) -> Commanded:
        """Go on with a paused or interrupted run where it was."""
        return await engine.command(Resume(run=run_id))

    @routes.post("/api/runs/{run_id}/stop", tags=["runs"])
    async def stop(run_id: str) -> Stopped:
        """End a run: output off, read back. The answer does not wait until that is on disk."""
        return await engine.command(Stop(run=run_id))

    @routes.post("/api/stop-all", tags=["runs"])
    async def stop_all() -> StoppedAll:
        """End every run: outputs off, read back."""
        return await engine.command(StopAll())

    return routes


class Checks:
    """Checks of recipes, one at a time; a long text in a process of its own, so that nobody waits for it here."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0
        self._workbench = Workbench()

    async def check(self, request: CheckRequest) -> Schedule:
        """Return the schedule; raise ``InvalidInput`` or ``Busy``."""
        if self._waiting >= MAX_CHECKS_WAITING:
            raise Busy("too many recipes are being checked; try again")
        self._waiting += 1
        try:
            async with self._one:
                if len(request.recipe) < _LONG:
                    return await asyncio.to_thread(_check, request)
                return await self._workbench.do(_check, request)
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the process, if there is one."""
        await self._workbench.close()


def _check(request: CheckRequest) -> Schedule:
    """Read and compile a recipe; what that needs is imported by the first who asks, not while the station starts."""
    from galvanode.service.checking import check

    return check(request)


def _recipes(protocols: Path) -> list[LibraryRecipe]:
    from galvanode.service.library import recipes

    return recipes(protocols)


def _cells(protocols: Path) -> list[LibraryCell]:
    from galvanode.service.library import cells

    return cells(protocols)
