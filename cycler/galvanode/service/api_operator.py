"""Routes for the operator whom a run waits for: a confirmation, a number, a photo."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from galvanode.engine.contract import Commanded, Reply
from galvanode.errors import Refused
from galvanode.service.answers import refuse_other, refuse_other_than_photo, value_of
from galvanode.service.engine_link import EngineLink
from galvanode.service.models import AnswerRequest, Photo, PhotoList, PhotoTaken
from galvanode.service.problems import Busy
from galvanode.service.records import Records
from galvanode.store.attachments import Attachment

MAX_UPLOADS_AT_ONCE = 4
"""Each is held in memory until it is whole."""
UPLOAD_WITHIN_S = 120.0

_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable", "content-disposition": "inline"}
"""A photo's name says what is in it; only the browser that was let in may keep it."""


def router(engine: EngineLink, records: Records) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/runs/{run_id}", tags=["operator"])
    uploads = asyncio.Semaphore(MAX_UPLOADS_AT_ONCE)

    @routes.post("/answer")
    async def answer(run_id: str, request: AnswerRequest) -> Commanded:
        """Answer what a run asks: confirm, or give a number with its unit. The run goes on."""
        value = value_of(await records.question(run_id), request)
        return await engine.command(Reply(run=run_id, value=value))

    @routes.post(
        "/photo",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES},
            }
        },
    )
    async def photo(
        run_id: str,
        request: Request,
        question: Annotated[int | None, Query(description="the question's id; refused if another is open")] = None,
    ) -> PhotoTaken:
        """Answer with a photo: the body is the JPEG or PNG itself, up to 10 MB. It is kept, and the run goes on."""
        asked = await records.question(run_id)
        refuse_other(asked, question)
        refuse_other_than_photo(asked)
        if uploads.locked():
            raise Busy("too many photos at once; try again")
        async with uploads:
            kept, is_new = await records.keep_photo(run_id, await _body(request))
        try:
            told = await engine.command(Reply(run=run_id, attachment=kept.name))
        except Refused:  # nobody refers to it; after any other fault the engine may have taken it
            if is_new:
                await records.do(lambda: kept.path.unlink(missing_ok=True))
            raise
        return PhotoTaken(run=told.run, state=told.state, attachment=_photo(kept))

    @routes.get("/attachments")
    async def attachments(run_id: str) -> PhotoList:
        """Return the photos that answered the run's questions, oldest first."""
        return PhotoList(attachments=[_photo(found) for found in await records.photos(run_id)])

    @routes.get("/attachments/{name}", response_class=FileResponse)
    async def attachment(run_id: str, name: str) -> FileResponse:
        """Return one photo."""
        found = await records.photo(run_id, name)
        return FileResponse(found.path, media_type=found.media_type, headers=_FOR_EVER)

    return routes


_MEDIA_TYPES = ("image/jpeg", "image/png")


def _photo(found: Attachment) -> Photo:
    return Photo.model_validate(asdict(found))


async def _body(request: Request) -> bytes:
    """Return the body, of which the guard has seen to it that it is not too long."""
    try:
        async with asyncio.timeout(UPLOAD_WITHIN_S):
            return await request.body()
    except TimeoutError:
        raise HTTPException(408, f"the photo did not arrive within {UPLOAD_WITHIN_S:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the upload was broken off") from None
