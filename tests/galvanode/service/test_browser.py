"""The pages in a real browser: what a person sees, and that nothing is asked of another host."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from fastapi import FastAPI

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(60)]

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
_KNOWN_COMPLAINTS = ("Applying inline style violates",)
"""Plotly brings the style sheet of its maps; our policy keeps it out, and there are no maps."""


class Page:
    """One page of a browser, driven over its DevTools socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0
        self.complaints: list[str] = []
        self.requested: list[str] = []

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(await asyncio.wait_for(self._socket.recv(), 20))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"])[:500])
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                if not params["entry"]["text"].startswith(_KNOWN_COMPLAINTS):
                    self.complaints.append(params["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requested.append(params["request"]["url"])
            case _:
                pass

    async def open(self, url: str, width: int = 1440, height: int = 900) -> None:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.command(f"{domain}.enable")
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.command("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        answer = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until the expression is true."""
        async with asyncio.timeout(20):
            while not (value := await self.run(script)):
                await asyncio.sleep(0.05)
            return value

    async def click(self, selector: str) -> None:
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A browser of our own with one page."""
    process = await asyncio.create_subprocess_exec(
        "chromium", *_FLAGS, f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(20):
            while not (found := re.search(rb"ws://[^/]+(:\d+)/", line := await process.stderr.readline())):
                assert line, "the browser ended"
        async with websockets.connect(
            f"ws://127.0.0.1{found[1].decode()}/devtools/page/{await _target(found[0])}", max_size=None
        ) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        await process.communicate()


async def _target(address: bytes) -> str:
    import httpx

    base = address.decode().replace("ws://", "http://").rstrip("/")
    async with httpx.AsyncClient() as client:
        while True:
            pages = [entry for entry in (await client.get(f"{base}/json")).json() if entry["type"] == "page"]
            if pages:
                return pages[0]["id"]
            await asyncio.sleep(0.05)


Serve = Callable[[FastAPI], Any]


@pytest.fixture
async def page(app: FastAPI, serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Page, str]]:
    """A page and the address of the station."""
    port = await serve(app)
    async with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found, f"http://localhost:{port}"
        assert found.complaints == []
        elsewhere = [
            url
            for url in found.requested
            if not url.startswith((f"http://localhost:{port}/", f"ws://localhost:{port}/", "data:", "blob:", "about:"))
        ]
        assert elsewhere == []


async def test_eight_cells_fit_one_screen(page: tuple[Page, str], engine) -> None:
    tab, base = page
    running = engine.channels[1]
    engine.channels = [
        {**running, "name": f"channel_{number}", "voltage_V": (-0.9876, -4.1234)[number % 2], "current_A": -8.7654e-3}
        for number in range(1, 9)
    ]
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 8")
    boxes = await tab.run(
        "[...document.querySelectorAll('.card, .card button:not([hidden]), .card canvas')].map("
        "e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; })"
    )
    assert all(left >= 0 and top >= 0 and right <= 1440 and bottom <= 900 for left, top, right, bottom in boxes)
    cut_off = await tab.run(
        "[...document.querySelectorAll('.readings b')].filter("
        "e => e.getBoundingClientRect().right > e.closest('.readings > div').getBoundingClientRect().right + 1)"
        ".map(e => e.textContent)"
    )
    assert cut_off == []


async def test_a_card_shows_what_the_channel_does_and_draws_it(page: tuple[Page, str]) -> None:
    tab, base = page
    await tab.open(base)
    text = await tab.until(
        "document.querySelectorAll('.card').length === 2 && document.querySelectorAll('.card')[1].innerText"
    )
    assert "running" in text
    assert "12.30" in text
    assert "78.50" in text
    await tab.until("document.querySelectorAll('.card canvas')[1].toDataURL().length > 4000")


async def test_stop_all_asks_first(page: tuple[Page, str], engine) -> None:
    tab, base = page
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 2")
    await tab.click(".stop-all")
    await tab.click(".confirm button[value=no]")
    assert ("stop_all", {}) not in engine.calls
    await tab.until("document.querySelector('.confirm') === null")
    await tab.click(".stop-all")
    await tab.click(".confirm button[value=yes]")
    await tab.until("document.getElementById('notes').innerText.includes('Stopped: r0002')")
    assert ("stop_all", {}) in engine.calls


async def test_a_run_is_checked_and_started_from_the_dialog(page: tuple[Page, str], engine) -> None:
    tab, base = page
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 2")
    await tab.click(".card .primary:not([hidden])")
    await tab.until("document.querySelector('.outcome .good') !== null")
    await tab.run(
        "(() => { const i = document.getElementById('parameter-step'); i.value = '0.2 mA/cm^2';"
        " i.dispatchEvent(new Event('input')); })()"
    )
    assert await tab.run("document.querySelector('.start [type=submit]').disabled")
    await tab.until("!document.querySelector('.start [type=submit]').disabled")
    await tab.click(".start [type=submit]")
    await tab.until("document.getElementById('notes').innerText.includes('r0009 started on ch1')")
    (submitted,) = (params for method, params in engine.calls if method == "submit")
    assert submitted["parameters"] == {"step": "0.2 mA/cm^2"}
    assert submitted["recipe_name"] == "ccd.yaml"


async def test_the_dialog_points_at_the_fault(page: tuple[Page, str]) -> None:
    tab, base = page
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 2")
    await tab.click(".card .primary:not([hidden])")
    await tab.until("document.querySelector('.outcome .good') !== null")
    await tab.run(
        "(() => { const t = document.getElementById('start-recipe-text');"
        " t.value = t.value.replace('max: 5 V', 'max: 5 A'); t.dispatchEvent(new Event('input')); })()"
    )
    text = await tab.until(
        "document.querySelector('.outcome .excerpt') && document.querySelector('.outcome').innerText"
    )
    assert "recipe.yaml:5:29" in text
    assert await tab.run("document.querySelector('.start [type=submit]').disabled")
    tab.complaints.clear()  # the browser reports the 422 that was wanted


async def test_an_unavailable_engine_is_said_aloud(page: tuple[Page, str], engine) -> None:
    tab, base = page
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 2")
    engine.available = False
    await tab.until("document.getElementById('banner').innerText.includes('engine is unavailable')")
    assert await tab.run("document.querySelectorAll('.card').length") == 2
    engine.available = True
    await tab.until("document.getElementById('banner').innerText === ''")


async def test_zooming_a_run_asks_for_more_of_it(page: tuple[Page, str]) -> None:
    tab, base = page
    await tab.open(f"{base}/runs/r0001")
    await tab.until("document.querySelector('#plot .main-svg') !== null")
    await tab.until("document.querySelectorAll('.findings .main-svg').length > 0")
    assert "0.8 mA/cm²" in await tab.run("document.querySelector('.figures').innerText")
    assert "short circuit" in await tab.run("document.querySelector('.tall').innerText")
    await tab.run("void Plotly.relayout('plot', {'xaxis.range[0]': 1, 'xaxis.range[1]': 2})")
    await tab.until("!document.querySelector('.plot-bar button').hidden")
    await tab.until("document.getElementById('plot').data[0].x[0] > 0.99")
    assert any("start_s=3600" in url and "end_s=7200" in url for url in tab.requested)
