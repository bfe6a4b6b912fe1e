"""Who may ask, and what a page may do."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from galvanode.service.app import create_app
from galvanode.service.security import (
    COOKIE,
    SESSION_S,
    Hosts,
    Sessions,
    is_loopback,
    station_token,
)

TOKEN = "a-token-of-this-station"


@pytest.fixture
async def guarded(data_dir: Path, engine, protocols: Path, connect):
    """A client of a station that asks for its token."""
    app: FastAPI = create_app(data_dir, engine, token=TOKEN, protocols=protocols)
    async with app.router.lifespan_context(app), connect(app) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.7", "", "localhost@evil"],
)
async def test_another_host_name_is_not_served(web: httpx.AsyncClient, engine, host: str) -> None:
    answer = await web.post("/api/stop-all", headers={"host": host})
    assert answer.status_code == 400
    assert engine.calls == []


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST:1"])
async def test_this_machine_is_served(web: httpx.AsyncClient, host: str) -> None:
    assert (await web.get("/api/status", headers={"host": host})).status_code == 200


async def test_a_bare_address_is_only_allowed_beyond_loopback() -> None:
    assert Hosts(["station"], any_address=True).allows("192.168.0.7:8000")
    assert Hosts(["station"], any_address=True).allows("[fd00::7]:8000")
    assert not Hosts(["station"], any_address=True).allows("evil.example")
    assert not Hosts(["station"]).allows("192.168.0.7:8000")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_another_site_cannot_change_anything(web: httpx.AsyncClient, engine, headers: dict[str, str]) -> None:
    answer = await web.post("/api/stop-all", headers=headers)
    assert answer.status_code == 403
    assert engine.calls == []


async def test_our_own_page_and_programs_can(web: httpx.AsyncClient) -> None:
    own = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    assert (await web.post("/api/stop-all", headers=own)).status_code == 200
    assert (await web.post("/api/stop-all")).status_code == 200


async def test_a_long_body_is_refused_whether_announced_or_not(web: httpx.AsyncClient, engine) -> None:
    body = b'{"recipe": "' + b"x" * (1024 * 1024) + b'"}'
    headers = {"content-type": "application/json"}
    assert (await web.post("/api/check", content=body, headers=headers)).status_code == 413

    async def chunks():
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    answer = await web.post("/api/check", content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert engine.calls == []


async def test_every_answer_keeps_the_page_to_itself(web: httpx.AsyncClient) -> None:
    for path in ("/", "/runs", "/runs/r0001", "/login", "/docs", "/api/status", "/static/style.css", "/nothing"):
        headers = (await web.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path


async def test_refusals_carry_the_headers_too(web: httpx.AsyncClient) -> None:
    answer = await web.get("/", headers={"host": "evil.example"})
    assert "content-security-policy" in answer.headers


async def test_the_api_is_never_cached(web: httpx.AsyncClient) -> None:
    assert (await web.get("/api/status")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/api/status", "/api/runs", "/api/runs/r0001/export", "/metrics", "/api/openapi.json", "/docs", "/"],
)
async def test_without_the_token_nothing_is_told(guarded: httpx.AsyncClient, path: str) -> None:
    answer = await guarded.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_without_the_token_nothing_is_done(guarded: httpx.AsyncClient, engine) -> None:
    assert (await guarded.post("/api/stop-all")).status_code == 401
    assert (await guarded.post("/api/stop-all", headers={"authorization": "Bearer wrong"})).status_code == 401
    assert engine.calls == []


async def test_a_browser_is_led_to_the_login(guarded: httpx.AsyncClient) -> None:
    answer = await guarded.get("/", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert (await guarded.get("/login")).status_code == 200
    assert (await guarded.get("/static/login.js")).status_code == 200
    assert (await guarded.get("/healthz")).status_code == 200


async def test_the_token_as_a_header_is_enough(guarded: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert (await guarded.get("/api/status", headers=headers)).status_code == 200
    assert (await guarded.post("/api/stop-all", headers=headers)).status_code == 200


async def test_logging_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(
    guarded: httpx.AsyncClient,
) -> None:
    answer = await guarded.post("/api/login", json={"token": TOKEN})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert (await guarded.get("/api/status")).status_code == 200
    await guarded.post("/api/logout")
    assert (await guarded.get("/api/status")).status_code == 401


async def test_a_wrong_token_is_refused_with_where_to_find_it(guarded: httpx.AsyncClient) -> None:
    answer = await guarded.post("/api/login", json={"token": "wrong"})
    assert answer.status_code == 401
    assert "web-token" in answer.json()["error"]
    assert COOKIE not in answer.headers.get("set-cookie", "")


def test_a_session_ends_and_belongs_to_one_token() -> None:
    begun = 1_767_225_600.0
    cookie = Sessions(TOKEN, lambda: begun).begin()
    assert Sessions(TOKEN, lambda: begun + SESSION_S - 1).is_valid(cookie)
    assert not Sessions(TOKEN, lambda: begun + SESSION_S + 1).is_valid(cookie)
    assert not Sessions("another", lambda: begun).is_valid(cookie)


def test_a_session_cannot_be_prolonged_by_another_date() -> None:
    old = Sessions(TOKEN, lambda: 1_767_225_600.0)
    new = Sessions(TOKEN, lambda: 1_767_225_600.0 + 2 * SESSION_S)
    value, _, signature = old.begin().split(".")
    _, date, _ = new.begin().split(".")
    assert not new.is_valid(f"{value}.{date}.{signature}")


@given(st.text(max_size=100))
def test_no_made_up_cookie_is_valid(cookie: str) -> None:
    assert not Sessions(TOKEN).is_valid(cookie)


@given(st.text(max_size=60))
def test_no_strange_host_header_gets_through(header: str) -> None:
    if Hosts(["localhost"]).allows(header):
        assert header.lower().startswith("localhost")


def test_the_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    token, is_new = station_token(tmp_path)
    assert is_new
    assert len(token) >= 40
    assert stat.S_IMODE((tmp_path / "web-token").stat().st_mode) == 0o600
    (tmp_path / "web-token").chmod(0o644)
    assert station_token(tmp_path) == (token, False)
    assert stat.S_IMODE((tmp_path / "web-token").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("station", False),
    ],
)
def test_what_counts_as_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
