"""Every error leaves as one JSON shape: ``{"error", "source", "line", "column"}`` with the right status."""

from __future__ import annotations

import logging

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from galvanode.engine.workbench import WorkLost
from galvanode.errors import EngineUnavailable, GalvanodeError, InvalidInput, Refused
from galvanode.service.models import Problem
from galvanode.store.errors import StoreError

_log = logging.getLogger(__name__)


class UnknownRun(GalvanodeError):
    """No run of that name is in the store, or the run has no such photo."""


class Busy(GalvanodeError):
    """The web side has enough to do; the request may be repeated later."""


def problem_response(status: int, problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the problem as JSON with that status."""
    return JSONResponse(problem.model_dump(), status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Give every error of the app its status and its JSON."""
    app.add_exception_handler(InvalidInput, _invalid_input)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(EngineUnavailable, _unavailable)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(WorkLost, _unavailable)
    app.add_exception_handler(UnknownRun, _unknown_run)
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(RequestValidationError, _request)
    app.add_exception_handler(StarletteHTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _at(error: object) -> Problem:
    """Return the problem with its place, where the error knows one; the place is not said twice."""
    message = getattr(error, "message", None)
    if message is None:
        message = error.args[0] if isinstance(error, Exception) and error.args else str(error)
    return Problem(
        error=str(message),
        source=getattr(error, "source", None),
        line=getattr(error, "line", None),
        column=getattr(error, "column", None),
    )


async def _invalid_input(_: Request, error: Exception) -> JSONResponse:
    return problem_response(422, _at(error))


async def _refused(_: Request, error: Exception) -> JSONResponse:
    problem = _at(error)
    return problem_response(409 if problem.line is None else 422, problem)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return problem_response(503, _at(error), {"retry-after": "2"})


async def _store(_: Request, error: Exception) -> JSONResponse:
    """The store is not there yet, or not ours to read: nothing that the request could do better."""
    return problem_response(503, _at(error), {"retry-after": "2"})


async def _unknown_run(_: Request, error: Exception) -> JSONResponse:
    return problem_response(404, _at(error))


async def _busy(_: Request, error: Exception) -> JSONResponse:
    return problem_response(503, _at(error), {"retry-after": "2"})


async def _request(_: Request, error: Exception) -> JSONResponse:
    """Pydantic's list of faults becomes one line: the first fault and where it is."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    if not faults:
        return problem_response(422, Problem(error="the request is not valid"))
    where = ".".join(str(part) for part in faults[0]["loc"] if part != "body")
    message = f"{where}: {faults[0]['msg']}" if where else str(faults[0]["msg"])
    return problem_response(422, Problem(error=message))


async def _http(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException | StarletteHTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    return problem_response(status, Problem(error=str(getattr(error, "detail", error))), headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours: the log has the details, the answer does not."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem_response(500, Problem(error=f"internal error ({type(error).__name__}); see the station's log"))
