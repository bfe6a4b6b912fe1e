"""The web application: guard around it, REST API under /api, live stream, pages."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, WebSocket

import galvanode
from galvanode.engine.control import ControlClient
from galvanode.library import library
from galvanode.service import api_control, api_data, api_operator, api_session, pages, problems
from galvanode.service.broker import MqttSettings
from galvanode.service.engine_link import Client, EngineLink
from galvanode.service.live import LiveStream
from galvanode.service.models import Problem
from galvanode.service.records import Records
from galvanode.service.security import LOOPBACK_NAMES, Guard, Hosts

_log = logging.getLogger(__name__)

_DESCRIPTION = """
Battery cycler control and acquisition. Quantities are numbers in the unit that their name ends with;
samples carry the labels of the Battery Data Format; positive current charges the cell. A number that does not
exist is `null`. Errors are `{"error", "source", "line", "column"}`: 422 invalid input, 409 refused by the
engine, 404 unknown run, 503 engine unavailable. The live stream is the WebSocket `/api/live`: send
`{"subscribe": ["r0001"]}`, receive `{"status", "runs"}` about twice a second.
"""


def create_app(
    data_dir: Path,
    client: Client,
    *,
    token: str | None,
    allowed_hosts: Iterable[str] = LOOPBACK_NAMES,
    any_address: bool = False,
    protocols: Path | None = None,
    mqtt: MqttSettings | None = None,
) -> FastAPI:
    """Return the web application of a data directory.

    ``client`` reaches the engine; the app closes it. ``token`` None trusts everybody who reaches the port.
    ``allowed_hosts`` are the names that a ``Host`` header may have; ``any_address`` also allows any address.
    """
    records = Records(data_dir)
    engine = EngineLink(client, records.area_of, records.question_of)
    live = LiveStream(engine, records)
    checks = api_control.Checks()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        publishing = None
        if mqtt is not None:
            from galvanode.service.mqtt import MqttPublisher  # here: few stations have a broker, and all start

            publishing = asyncio.create_task(MqttPublisher(mqtt, engine).run(), name="mqtt")
            publishing.add_done_callback(_report)
        try:
            yield
        finally:
            if publishing is not None:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
            await live.close()
            await engine.close()
            await checks.close()
            await asyncio.to_thread(records.close)

    app = FastAPI(
        title="Galvanode",
        version=galvanode.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}},
    )
    problems.install(app)
    app.include_router(api_control.router(engine, live, records, protocols or library(), checks))
    app.include_router(api_operator.router(engine, records))
    app.include_router(api_data.router(records))
    app.include_router(api_session.router(token))

    @app.websocket("/api/live")
    async def live_stream(socket: WebSocket) -> None:
        await live.serve(socket)

    pages.install(app)
    app.add_middleware(Guard, hosts=Hosts(allowed_hosts, any_address=any_address), token=token)
    return app


def api_schema_text() -> str:
    """Return the OpenAPI description of the REST API as JSON text; needs neither data nor an engine."""
    app = create_app(Path(), ControlClient(Path()), token=None)
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


def _report(task: asyncio.Task[None]) -> None:
    """A publisher that ended by itself has met a fault of ours: say so, the web goes on."""
    if not task.cancelled() and task.exception() is not None:
        _log.error("MQTT publishing ended", exc_info=task.exception())
