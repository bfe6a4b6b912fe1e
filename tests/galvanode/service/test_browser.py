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

from galvanode.errors import Refused
from galvanode.service.records import Records

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

    async def fill(self, text: str) -> None:
        """Type into the focused field, in place of what is there, and press Enter."""
        await self.run("document.activeElement.select()")
        await self.command("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            await self.command("Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, text="\r")

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


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_waiting_channel_is_marked_and_leads_to_the_question(page: tuple[Page, str], ask) -> None:
    tab, base = page
    await tab.open(base)
    await tab.until("document.querySelectorAll('.card').length === 2")
    assert await tab.run("[...document.querySelectorAll('.asking')].every(mark => mark.hidden)")
    ask()
    mark = "document.querySelectorAll('.card')[1].querySelector('.asking')"
    await tab.until(f"!{mark}.hidden && {mark}.innerText === 'Waiting for you: Weigh the cell'")
    assert await tab.run("document.querySelectorAll('.card')[1].dataset.state") == "waiting"
    assert (await tab.run("document.title")).startswith("(1) ")
    await tab.command("Page.navigate", url=await tab.run(f"{mark}.href"))
    await tab.until("location.pathname === '/runs/r0002' && document.activeElement?.id === 'ask-number'")


async def test_a_number_is_answered_with_the_keyboard_alone(page: tuple[Page, str], engine, ask) -> None:
    tab, base = page
    ask()
    await tab.open(f"{base}/runs/r0002#answer")
    await tab.until("document.activeElement?.id === 'ask-number'")
    card = await tab.run("document.getElementById('answer').innerText")
    assert "Weigh the cell" in card
    assert "1 mg to 20 mg" in card
    assert await tab.run("document.querySelector('.ask label').control === document.activeElement")
    assert await tab.run("document.querySelector('.ask select').value") == "mg"
    for text, said in (("25", "expected 1 mg to 20 mg"), ("12 V", "expected a mass")):
        await tab.fill(text)
        await tab.until(f"document.getElementById('ask-fault').innerText.includes({json.dumps(said)})")
        assert await tab.run("document.activeElement.getAttribute('aria-invalid')") == "true"
    await asyncio.sleep(1)  # the stream goes on, and what was typed stays
    assert await tab.run("document.activeElement.value") == "12 V"
    await tab.fill("12300 µg")
    await tab.until("document.getElementById('answer')?.hidden === true")
    assert await tab.run("document.activeElement.id") == "run"
    assert ("answer", {"run": "r0002", "value": 12.3e-6, "attachment": None}) in engine.calls
    await tab.until("document.querySelector('.heading .chip').innerText === 'running'")
    tab.complaints.clear()  # the browser reports the 422 that was wanted


async def _too_busy(records: Records, run: str) -> None:
    return None


@pytest.mark.slow
async def test_the_chosen_unit_counts_where_none_is_typed(
    page: tuple[Page, str], engine, ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab, base = page
    ask()
    await tab.open(f"{base}/runs/r0002#answer")
    await tab.until("document.activeElement?.id === 'ask-number'")
    await tab.run("document.querySelector('.ask select').value = 'µg'")
    monkeypatch.setattr(Records, "question_of", _too_busy)
    await asyncio.sleep(1)  # what is chosen stays, whatever the station cannot tell just now
    await tab.fill("1.5e4")
    await tab.until("document.getElementById('answer')?.hidden === true")
    assert ("answer", {"run": "r0002", "value": 15e-6, "attachment": None}) in engine.calls


async def test_a_confirmation_is_one_button_and_the_next_question_takes_its_place(
    page: tuple[Page, str], engine, ask
) -> None:
    tab, base = page
    await tab.open(f"{base}/runs/r0002")
    await tab.until("document.querySelector('.heading .chip') !== null")
    assert await tab.run("document.getElementById('answer')?.hidden === true")
    ask(message="Open the valve", wants="confirmation", dimension=None, within_s=None)
    await tab.until("document.getElementById('answer').innerText.includes('Open the valve')")
    assert "Open the valve" in await tab.run("document.querySelector('#run > [role=status]').innerText")
    assert await tab.run("getComputedStyle(document.querySelector('.heading .danger-quiet')).display") != "none"
    await tab.click(".ask button")
    await tab.until("document.getElementById('answer')?.hidden === true")
    assert ("answer", {"run": "r0002", "value": None, "attachment": None}) in engine.calls
    ask(message="Close it again", wants="confirmation", dimension=None, within_s=None)
    await tab.until("document.getElementById('answer').innerText.includes('Close it again')")


_CHOOSE = """
(async () => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  canvas.getContext('2d').fillRect(100, 100, 200, 200);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg'));
  const files = new DataTransfer();
  files.items.add(new File([%s], %s, { type: 'image/jpeg' }));
  const input = document.getElementById('ask-photo');
  input.files = files.files;
  input.dispatchEvent(new Event('change'));
})()
"""


@pytest.mark.slow
async def test_a_photo_is_shown_sent_and_among_the_events(page: tuple[Page, str], engine, ask, data_dir: Path) -> None:
    tab, base = page
    ask(message="Photograph the gauge", wants="photo", dimension=None)
    await tab.open(f"{base}/runs/r0002#answer")
    await tab.until("document.activeElement?.id === 'ask-photo'")
    assert await tab.run("document.getElementById('ask-photo').getAttribute('capture')") == "environment"
    assert await tab.run("document.querySelector('.ask [type=submit]').disabled")
    await tab.run(_CHOOSE % ("'no picture'", "'note.txt'"))
    await tab.until("document.getElementById('ask-fault').innerText.includes('note.txt is no picture')")
    assert await tab.run("document.querySelector('.ask [type=submit]').disabled")
    await tab.run(_CHOOSE % ("blob", "'gauge.jpg'"))
    await tab.until("!document.querySelector('.ask [type=submit]').disabled")
    assert "gauge.jpg, 640 × 480" in await tab.run("document.querySelector('.ask .preview').getAttribute('aria-label')")
    await tab.click(".ask [type=submit]")
    await tab.until("document.getElementById('answer')?.hidden === true")
    (kept,) = data_dir.glob("runs/r0002.attachments/*.jpg")
    assert ("answer", {"run": "r0002", "value": None, "attachment": kept.name}) in engine.calls
    await tab.until("document.querySelector('.photo img')?.naturalWidth === 640")


@pytest.mark.slow
async def test_a_photo_that_is_too_large_is_made_smaller(page: tuple[Page, str], ask, data_dir: Path) -> None:
    tab, base = page
    ask(message="Photograph the gauge", wants="photo", dimension=None)
    await tab.open(f"{base}/runs/r0002#answer")
    await tab.until("document.activeElement?.id === 'ask-photo'")
    await tab.run(_CHOOSE % ("blob, new Uint8Array(11 * 1024 * 1024)", "'large.jpg'"))
    await tab.until("!document.querySelector('.ask [type=submit]').disabled")
    await tab.click(".ask [type=submit]")
    await tab.until("document.getElementById('answer')?.hidden === true")
    (kept,) = data_dir.glob("runs/r0002.attachments/*.jpg")
    assert kept.stat().st_size < 1024 * 1024


@pytest.mark.slow
async def test_an_answer_that_came_too_late_says_so(page: tuple[Page, str], engine, ask) -> None:
    tab, base = page
    ask()
    await tab.open(f"{base}/runs/r0002#answer")
    await tab.until("document.activeElement?.id === 'ask-number'")
    engine.refusal = Refused("run r0002 is running; it asks nothing")
    await tab.fill("12")
    await tab.until("document.getElementById('ask-fault').innerText.includes('it asks nothing')")
    assert not await tab.run("document.querySelector('.ask [type=submit]').disabled")
    tab.complaints.clear()  # the browser reports the 409 that was wanted


@pytest.mark.slow
async def test_every_question_fits_a_phone(page: tuple[Page, str], ask) -> None:
    tab, base = page
    await tab.open(f"{base}/runs/r0002#answer", width=360, height=740)
    for wants in ("number", "photo", "confirmation"):
        ask(message="Weigh the cell, " * 8, wants=wants)
        await tab.until(f"document.querySelector('.ask form')?.dataset.wants === '{wants}'")
        too_wide = "[...document.querySelectorAll('.ask, .ask *')].filter(e => e.getBoundingClientRect().right > 361)"
        assert await tab.run(f"{too_wide}.length") == 0
        heights = "[...document.querySelectorAll('.ask input, .ask button')].map(e => e.getBoundingClientRect().height)"
        assert min(await tab.run(heights)) >= 40
