"""The pages and what they load: everything from this station, nothing from another host."""

from __future__ import annotations

from importlib import metadata, resources
from pathlib import Path

import fastapi_offline
import plotly
from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(str(resources.files("galvanode.service") / "static"))
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
PLOTLY_URL = f"/assets/plotly-{metadata.version('plotly')}.min.js"
DOCS_ASSETS = Path(fastapi_offline.__file__).parent / "static"

_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


def install(app: FastAPI) -> None:
    """Add the pages and their files to the app."""
    overview, runs, login, docs = (_page(name) for name in ("index", "runs", "login", "docs"))
    run = _page("run").replace("{{plotly}}", PLOTLY_URL)

    @app.get("/", include_in_schema=False)
    async def overview_page() -> HTMLResponse:
        return HTMLResponse(overview)

    @app.get("/runs", include_in_schema=False)
    async def runs_page() -> HTMLResponse:
        return HTMLResponse(runs)

    @app.get("/runs/{run_id}", include_in_schema=False)
    async def run_page(run_id: str) -> HTMLResponse:
        del run_id  # the page reads it from its own address
        return HTMLResponse(run)

    @app.get("/login", include_in_schema=False)
    async def login_page() -> HTMLResponse:
        return HTMLResponse(login)

    @app.get("/docs", include_in_schema=False)
    async def docs_page() -> HTMLResponse:
        return HTMLResponse(docs)

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> RedirectResponse:
        return RedirectResponse("/static/icon.svg", status_code=308)

    @app.get(PLOTLY_URL, include_in_schema=False)
    async def plotly_file() -> FileResponse:
        return FileResponse(PLOTLY, media_type="text/javascript", headers=_FOREVER)

    app.mount("/docs-assets", StaticFiles(directory=DOCS_ASSETS), name="docs-assets")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def _page(name: str) -> str:
    return (STATIC / f"{name}.html").read_text(encoding="utf-8")
