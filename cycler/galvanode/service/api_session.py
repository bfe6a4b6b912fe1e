"""Logging in: the station's token in exchange for a cookie that a page's script cannot read."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response

from galvanode.service.models import LoginRequest
from galvanode.service.security import COOKIE, SESSION_S, Sessions, same_token

_WRONG_TOKEN_DELAY_S = 0.5


def router(token: str | None) -> APIRouter:
    """Return the routes. Without a token whoever asks is let in."""
    routes = APIRouter(prefix="/api", tags=["session"])
    sessions = None if token is None else Sessions(token)

    @routes.post("/login", status_code=204)
    async def log_in(request: Request, login: LoginRequest) -> Response:
        """Set the session's cookie."""
        response = Response(status_code=204)
        if token is None or sessions is None:
            return response
        if not same_token(token, login.token.strip()):
            await asyncio.sleep(_WRONG_TOKEN_DELAY_S)
            raise HTTPException(401, "this is not the station's token; it is in the file web-token of its data")
        response.set_cookie(
            COOKIE,
            sessions.begin(),
            max_age=SESSION_S,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    @routes.post("/logout", status_code=204)
    async def log_out() -> Response:
        """Forget the session's cookie."""
        response = Response(status_code=204)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return response

    return routes
