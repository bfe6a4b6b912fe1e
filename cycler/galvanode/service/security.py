"""Who may ask: host names, origins, tokens, body sizes, and the headers that keep a page to itself.

One ASGI layer around the whole app. Against DNS rebinding only known host names are served; against other
sites' pages, whatever changes something (and every WebSocket) must come from our own origin; beyond
loopback a token is needed, as a bearer header or as the cookie that the login form sets.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, TimestampSigner
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from galvanode.service.models import Problem
from galvanode.service.problems import problem_response
from galvanode.store.attachments import MAX_BYTES

MAX_BODY_BYTES = 1024 * 1024
COOKIE = "galvanode_session"
SESSION_S = 30 * 24 * 3600
_SESSION = b"operator"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_OPEN_PATHS = frozenset({"/healthz", "/login", "/api/login"})
_OPEN_PREFIXES = ("/static/",)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PHOTO_PATH = re.compile(r"/api/runs/[^/]+/photo")

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


def is_loopback(host: str) -> bool:
    """Tell whether a server bound to ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def station_token(data_dir: Path) -> tuple[str, bool]:
    """Return the station's token and whether it was made just now.

    It lives in ``web-token`` of the data directory, readable by its owner only. Raises ``OSError``.
    """
    path = data_dir / "web-token"
    try:
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        token = ""
    if token:
        path.chmod(0o600)
        return token, False
    token = secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token, True


class Sessions:
    """What the login form's cookie holds: a text signed and dated with the station's token, not the token.

    A new token ends all of them. ``now`` is the time in s since 1970.
    """

    def __init__(self, token: str, now: Callable[[], float] = time.time) -> None:
        self._signer = _Signer(token, now)

    def begin(self) -> str:
        """Return a cookie that is good for ``SESSION_S``."""
        return self._signer.sign(_SESSION).decode("ascii")

    def is_valid(self, cookie: str) -> bool:
        """Tell whether a cookie was signed with this token and is not too old."""
        try:
            return self._signer.unsign(cookie, max_age=SESSION_S) == _SESSION
        except BadData:
            return False


class _Signer(TimestampSigner):
    """A signer whose clock is given to it."""

    def __init__(self, token: str, now: Callable[[], float]) -> None:
        super().__init__(token, salt="galvanode session", digest_method=hashlib.sha256)
        self._now = now

    def get_timestamp(self) -> int:
        """Return whole seconds since 1970."""
        return int(self._now())


def same_token(token: str, given: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(token.encode(), given.encode())


class Hosts:
    """The host names under which the station answers."""

    def __init__(self, names: Iterable[str], *, any_address: bool = False) -> None:
        self._names = frozenset(name.lower().strip("[]") for name in names)
        self._any_address = any_address

    def allows(self, header: str) -> bool:
        """Tell whether a ``Host`` header names us. A bare address cannot be rebound by DNS."""
        try:
            name = urlsplit("//" + header).hostname
        except ValueError:
            return False
        if name is None or any(character in header for character in "/@?#\\ "):
            return False
        if name in self._names:
            return True
        if not self._any_address:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class Guard:
    """The ASGI layer. ``token`` None: whoever reaches the port is trusted (loopback only)."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Hosts,
        token: str | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._sessions = None if token is None else Sessions(token, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse with a reason."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is not None:
                await receive()  # the handshake; closing before accepting answers it with 403
                await send({"type": "websocket.close", "code": 1008, "reason": refusal[1]})
                return
            await self._app(scope, receive, send)
            return
        send = _with_headers(scope, send)
        if refusal is None:
            await self._app(scope, _limited(receive, _longest(scope["path"])), send)
        elif refusal[0] == 401 and "text/html" in headers.get("accept", "") and scope["method"] == "GET":
            await RedirectResponse("/login", status_code=303)(scope, receive, send)
        else:
            extra = {"www-authenticate": "Bearer"} if refusal[0] == 401 else {}
            await problem_response(refusal[0], Problem(error=refusal[1]), extra)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return status and reason if the request must not go on."""
        host = headers.get("host", "")
        if not self._hosts.allows(host):
            return 400, f"this station does not answer to the host name {host[:100]!r}"
        writes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if writes and not _own_origin(headers, host):
            return 403, "the request comes from another site"
        length = headers.get("content-length", "0")
        longest = _longest(scope["path"])
        if not length.isdigit() or int(length[:20]) > longest:
            return 413, f"the body is longer than {longest} bytes"
        if not _is_open(scope["path"]) and not self._known(headers):
            return 401, "a token is needed: log in, or send it as 'Authorization: Bearer ...'"
        return None

    def _known(self, headers: dict[str, str]) -> bool:
        """Tell whether the request carries the token or a session made from it, where a token is needed."""
        if self._token is None or self._sessions is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and same_token(self._token, given.strip()):
            return True
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return morsel is not None and self._sessions.is_valid(morsel.value)


def _headers(scope: Scope) -> dict[str, str]:
    """Return the request's headers. A repeated one is joined, so that two Host headers match nothing."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _own_origin(headers: dict[str, str], host: str) -> bool:
    """Browsers say where a request comes from; programs say nothing and carry no ambient cookie."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _is_open(path: str) -> bool:
    return path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES)


def _longest(path: str) -> int:
    """Return how many bytes a request may have; a photo has more than a text."""
    return MAX_BYTES if _PHOTO_PATH.fullmatch(path) else MAX_BODY_BYTES


def _limited(receive: Receive, longest: int) -> Receive:
    """Count the body as it comes: a chunked one announces no length."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > longest:
                raise HTTPException(413, f"the body is longer than {longest} bytes")
        return message

    return limited


def _with_headers(scope: Scope, send: Send) -> Send:
    """Add the security headers; what the API says is never cached."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            headers += _HEADERS
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store" if scope["path"].startswith("/api") else b"no-cache"))
            message = {**message, "headers": headers}
        await send(message)

    return sending
