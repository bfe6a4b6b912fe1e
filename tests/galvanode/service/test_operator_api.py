"""What an operator answers through the API, and what is refused before it reaches the engine."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI

from galvanode.errors import EngineUnavailable, Refused
from galvanode.service.app import create_app
from galvanode.store.attachments import MAX_BYTES

JPEG = b"\xff\xd8\xff\xe0" + b"a photo of a cell" * 50 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + b"another photo" * 50

Ask = Callable[..., None]


async def answer(web: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await web.post("/api/runs/r0002/answer", json=body)


def answers(engine: Any) -> list[dict[str, Any]]:
    return [params for method, params in engine.calls if method == "answer"]


async def test_a_run_that_waits_says_what_for(web: httpx.AsyncClient, ask: Ask) -> None:
    ask()
    question = (await web.get("/api/runs/r0002")).json()["question"]
    assert (question["message"], question["wants"], question["name"]) == ("Weigh the cell", "number", "mass")
    assert (question["min"], question["max"], question["range"]) == (1e-6, 20e-6, "1 mg to 20 mg")
    assert question["expected"] == "a mass such as '12 mg'"
    assert (question["unit"], question["within_s"]) == ("mg", 8 * 3600)
    assert {"µg", "mg", "g"} <= set(question["units"])
    listed = (await web.get("/api/runs")).json()["runs"]
    assert [(run["state"], run["question"] and run["question"]["id"]) for run in listed] == [
        ("waiting", question["id"]),
        ("completed", None),
    ]
    channel = (await web.get("/api/status")).json()["channels"][1]
    assert (channel["state"], channel["question"]) == ("waiting", question)
    assert (channel["voltage_V"], channel["current_A"]) == (None, None)  # nothing is read, and no current flows


async def test_the_live_stream_tells_the_question(app: FastAPI, serve, ask: Ask) -> None:
    ask(message="Open the valve", wants="confirmation")
    port = await serve(app)
    async with websockets.connect(f"ws://localhost:{port}/api/live") as socket:
        message = json.loads(await asyncio.wait_for(socket.recv(), 5))
    assert message["status"]["channels"][1]["question"]["message"] == "Open the valve"


async def test_a_run_that_goes_on_waits_for_nothing(web: httpx.AsyncClient, ask: Ask) -> None:
    ask()
    await answer(web, number="12.3 mg")
    await asyncio.sleep(0.35)  # the status may be that old
    assert (await web.get("/api/runs/r0002")).json()["question"] is None
    assert (await web.get("/api/status")).json()["channels"][1]["question"] is None


@pytest.mark.parametrize(
    ("text", "kilograms"),
    [("12.3 mg", 12.3e-6), ("12300 µg", 12.3e-6), ("0.02 g", 20e-6), (" 1 mg ", 1e-6), ("1e-6 kg", 1e-6)],
)
async def test_a_number_reaches_the_engine_in_si(
    web: httpx.AsyncClient, engine, ask: Ask, text: str, kilograms: float
) -> None:
    ask()
    given = await answer(web, number=text)
    assert (given.status_code, given.json()) == (200, {"run": "r0002", "state": "running"})
    assert answers(engine) == [{"run": "r0002", "value": kilograms, "attachment": None}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12.3 V", "the answer is '12.3 V'; expected a mass such as '12 mg'"),
        ("12.3", "the answer is '12.3' without a unit; expected a mass such as '12 mg'"),
        ("12,3 mg", "with a point as the decimal sign"),
        ("nan mg", "expected a mass"),
        ("inf mg", "expected a mass"),
        ("", "expected a mass"),
        ("a lot", "expected a mass"),
        ("20.1 mg", "the answer is '20.1 mg'; expected 1 mg to 20 mg"),
        ("0 mg", "the answer is '0 mg'; expected 1 mg to 20 mg"),
        ("-2 mg", "expected 1 mg to 20 mg"),
        ("$mass", "expected a mass"),
        ("1 mg" * 40, "expected a mass"),
    ],
)
async def test_a_number_that_does_not_fit_is_refused_and_the_run_waits_on(
    web: httpx.AsyncClient, engine, ask: Ask, text: str, said: str
) -> None:
    ask()
    given = await answer(web, number=text)
    assert given.status_code == 422
    assert said in given.json()["error"]
    assert given.json()["source"] == "mass"
    assert answers(engine) == []
    assert (await web.get("/api/runs/r0002")).json()["state"] == "waiting"


async def test_zero_is_a_bound_and_a_value(web: httpx.AsyncClient, engine, ask: Ask) -> None:
    ask(dimension="voltage", name="offset", min=0.0, max=0.0)
    assert (await web.get("/api/runs/r0002")).json()["question"]["range"] == "0 V to 0 V"
    assert (await answer(web, number="1 mV")).status_code == 422
    assert (await answer(web, number="-1 mV")).status_code == 422
    assert (await answer(web, number="0 V")).status_code == 200
    assert answers(engine)[0]["value"] == 0.0


@pytest.mark.parametrize(
    ("dimension", "text", "value", "units"),
    [("number", "3", 3.0, []), ("rate", "C/5", 0.2, []), ("fraction", "80 %", 0.8, ["%"]), (None, "7", 7.0, [])],
)
async def test_numbers_that_are_no_physical_quantity(
    web: httpx.AsyncClient, engine, ask: Ask, dimension: str | None, text: str, value: float, units: list[str]
) -> None:
    ask(dimension=dimension, min=None, max=None)
    question = (await web.get("/api/runs/r0002")).json()["question"]
    assert (question["range"], question["units"]) == (None, units)
    assert question["expected"]
    assert (await answer(web, number=text)).status_code == 200
    assert answers(engine)[0]["value"] == pytest.approx(value)


async def test_a_confirmation_has_no_value(web: httpx.AsyncClient, engine, ask: Ask) -> None:
    ask(wants="confirmation", name=None, dimension=None, min=None, max=None, within_s=None)
    question = (await web.get("/api/runs/r0002")).json()["question"]
    assert (question["expected"], question["units"], question["within_s"]) == (None, [], None)
    assert (await answer(web, confirmed=True)).status_code == 200
    assert answers(engine) == [{"run": "r0002", "value": None, "attachment": None}]


@pytest.mark.parametrize(
    ("wants", "body", "said"),
    [
        ("number", {"confirmed": True}, "the run asks for a mass such as '12 mg', not for a confirmation: Weigh"),
        ("confirmation", {"number": "12 mg"}, "the run asks for a confirmation, not for a number"),
        ("photo", {"confirmed": True}, "the run asks for a photo, not for a confirmation"),
        ("number", {}, "expected either"),
        ("number", {"confirmed": True, "number": "12 mg"}, "expected either"),
        ("confirmation", {"confirmed": False}, "confirmed"),
        ("number", {"number": 12.3}, "number"),
        ("number", {"number": "12 mg", "by": "me"}, "by"),
    ],
)
async def test_an_answer_of_another_kind_is_refused(
    web: httpx.AsyncClient, engine, ask: Ask, wants: str, body: dict[str, Any], said: str
) -> None:
    ask(wants=wants)
    given = await answer(web, **body)
    assert given.status_code == 422
    assert said in given.json()["error"]
    assert answers(engine) == []


async def test_nobody_answers_what_was_not_asked(web: httpx.AsyncClient, engine) -> None:
    for run, what in (("r0002", "running"), ("r0001", "completed")):
        given = await web.post(f"/api/runs/{run}/answer", json={"confirmed": True})
        assert given.status_code == 409
        assert f"run {run} is {what}" in given.json()["error"]
        given = await web.post(f"/api/runs/{run}/photo", content=JPEG)
        assert given.status_code == 409
    for rest in ("answer", "photo"):
        assert (await web.post(f"/api/runs/r0042/{rest}", json={"confirmed": True})).status_code == 404
    assert engine.calls == []


async def test_an_answer_to_an_earlier_question_does_not_meet_the_next(
    web: httpx.AsyncClient, engine, ask: Ask
) -> None:
    ask()
    first = (await web.get("/api/runs/r0002")).json()["question"]["id"]
    ask(message="Weigh it again")
    given = await answer(web, number="12 mg", question=first)
    assert given.status_code == 409
    assert "the run now asks: Weigh it again" in given.json()["error"]
    ask(message="Take a photo", wants="photo")
    given = await web.post("/api/runs/r0002/photo", params={"question": first}, content=JPEG)
    assert given.status_code == 409
    assert answers(engine) == []


async def test_what_the_engine_says_against_an_answer_is_passed_on(web: httpx.AsyncClient, engine, ask: Ask) -> None:
    ask()
    engine.refusal = Refused("run r0002 asks nothing now")
    given = await answer(web, number="12 mg")
    assert (given.status_code, given.json()["error"]) == (409, "run r0002 asks nothing now")
    engine.available = False
    assert (await answer(web, number="12 mg")).status_code == 503


async def test_a_photo_is_kept_under_its_sha256_and_served_back(
    web: httpx.AsyncClient, engine, ask: Ask, data_dir: Path
) -> None:
    for data, ending, kind in ((JPEG, "jpg", "image/jpeg"), (PNG, "png", "image/png")):
        ask(message="Take a photo", wants="photo")
        given = await web.post("/api/runs/r0002/photo", content=data, headers={"content-type": "text/html"})
        assert given.status_code == 200, given.text
        sha256 = hashlib.sha256(data).hexdigest()
        photo = {"name": f"{sha256}.{ending}", "sha256": sha256, "media_type": kind, "size": len(data)}
        assert given.json() == {"run": "r0002", "state": "running", "attachment": photo}
        assert answers(engine)[-1] == {"run": "r0002", "value": None, "attachment": photo["name"]}
        assert (await web.get("/api/runs/r0002/attachments")).json()["attachments"][-1] == photo
        back = await web.get(f"/api/runs/r0002/attachments/{photo['name']}")
        assert (back.status_code, back.content, back.headers["content-type"]) == (200, data, kind)
        assert back.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in back.headers["content-security-policy"]
        assert back.headers["cache-control"].startswith("private")
    assert not list(data_dir.rglob("*.tmp"))
    assert (await web.get("/api/runs/r0001/attachments")).json() == {"attachments": []}


NO_PHOTOS = [b"", b"GIF89a" + bytes(100), b"<svg onload='x()'/>", b"<html>", b"\xff\xd8", b"%PDF-1.7", b"\x89PNG\n"]


async def test_what_is_no_photo_is_refused(web: httpx.AsyncClient, engine, ask: Ask, data_dir: Path) -> None:
    ask(message="Take a photo", wants="photo")
    for body in NO_PHOTOS:
        given = await web.post("/api/runs/r0002/photo", content=body, headers={"content-type": "image/jpeg"})
        assert (body, given.status_code) == (body, 422)
        assert "expected a JPEG or a PNG" in given.json()["error"]
    assert answers(engine) == []
    assert not list(data_dir.rglob("*.attachments/*"))


async def test_a_photo_may_be_large_but_not_too_large(web: httpx.AsyncClient, engine, ask: Ask) -> None:
    ask(message="Take a photo", wants="photo")

    async def chunks(size: int):
        yield JPEG
        for _ in range(size // 65536):
            yield bytes(65536)

    assert (await web.post("/api/runs/r0002/photo", content=chunks(MAX_BYTES))).status_code == 413
    assert (await web.post("/api/runs/r0002/photo", content=JPEG + bytes(MAX_BYTES))).status_code == 413
    assert answers(engine) == []
    whole = JPEG + bytes(MAX_BYTES - len(JPEG))
    assert (await web.post("/api/runs/r0002/photo", content=whole)).status_code == 200
    assert (await web.post("/api/runs/r0002/answer", content=whole)).status_code == 413  # only photos are that large


async def test_a_photo_answers_only_a_question_for_one(
    web: httpx.AsyncClient, engine, ask: Ask, data_dir: Path
) -> None:
    ask()
    given = await web.post("/api/runs/r0002/photo", content=JPEG)
    assert given.status_code == 422
    assert "not for a photo" in given.json()["error"]
    assert answers(engine) == []
    assert not list(data_dir.rglob("*.attachments/*"))


async def test_a_photo_that_the_engine_refuses_is_not_kept(
    web: httpx.AsyncClient, engine, ask: Ask, data_dir: Path
) -> None:
    ask(message="Take a photo", wants="photo")
    engine.refusal = Refused("too late")
    assert (await web.post("/api/runs/r0002/photo", content=JPEG)).status_code == 409
    assert (await web.get("/api/runs/r0002/attachments")).json() == {"attachments": []}
    engine.refusal = None
    assert (await web.post("/api/runs/r0002/photo", content=JPEG)).status_code == 200
    ask(message="Take the same again", wants="photo")
    engine.refusal = Refused("too late")
    assert (await web.post("/api/runs/r0002/photo", content=JPEG)).status_code == 409
    assert (
        len((await web.get("/api/runs/r0002/attachments")).json()["attachments"]) == 1
    )  # the first answer refers to it


async def test_a_photo_of_which_nobody_knows_whether_it_was_taken_is_kept(
    web: httpx.AsyncClient, engine, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(message="Take a photo", wants="photo")

    async def lost(_: object) -> Any:
        raise EngineUnavailable("no answer")

    monkeypatch.setattr(engine, "ask", lost)
    assert (await web.post("/api/runs/r0002/photo", content=JPEG)).status_code == 503
    assert len((await web.get("/api/runs/r0002/attachments")).json()["attachments"]) == 1


@pytest.mark.parametrize(
    "name",
    [
        "0" * 64 + ".jpg",
        "nonsense",
        "..%2F..%2Fgalvanode.db",
        "..%2Fr0001.bdf.parquet",
        "0" * 64 + ".html",
        "%00.jpg",
    ],
)
async def test_nothing_else_is_served_as_a_photo(web: httpx.AsyncClient, name: str) -> None:
    assert (await web.get(f"/api/runs/r0002/attachments/{name}")).status_code == 404


@pytest.mark.parametrize("run", ["r0042", "nonsense", "..", "r1"])
async def test_photos_of_an_unknown_run_are_a_404(web: httpx.AsyncClient, run: str) -> None:
    assert (await web.get(f"/api/runs/{run}/attachments")).status_code == 404
    assert (await web.get(f"/api/runs/{run}/attachments/{'0' * 64}.jpg")).status_code == 404


async def test_too_many_uploads_at_once_are_told_to_come_back(
    web: httpx.AsyncClient, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(message="Take a photo", wants="photo")
    go_on = asyncio.Event()

    async def slowly():
        yield JPEG[:10]
        await go_on.wait()
        yield JPEG[10:]

    first = [asyncio.create_task(web.post("/api/runs/r0002/photo", content=slowly())) for _ in range(4)]
    await asyncio.sleep(0.2)
    assert (await web.post("/api/runs/r0002/photo", content=JPEG)).status_code == 503
    go_on.set()
    assert {(await task).status_code for task in first} <= {200, 409}


async def test_a_photo_that_does_not_arrive_is_given_up(
    web: httpx.AsyncClient, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galvanode.service.api_operator.UPLOAD_WITHIN_S", 0.1)
    ask(message="Take a photo", wants="photo")

    async def never():
        yield JPEG[:10]
        await asyncio.sleep(30)

    assert (await web.post("/api/runs/r0002/photo", content=never())).status_code == 408


@pytest.mark.parametrize("path", ["answer", "photo"])
async def test_another_sites_page_answers_nothing(web: httpx.AsyncClient, engine, ask: Ask, path: str) -> None:
    ask(wants="photo")
    given = await web.post(f"/api/runs/r0002/{path}", content=JPEG, headers={"origin": "http://evil.example"})
    assert given.status_code == 403
    assert answers(engine) == []


async def test_without_the_token_nothing_is_answered_or_seen(
    data_dir: Path, engine, protocols: Path, connect, ask: Ask
) -> None:
    app = create_app(data_dir, engine, token="secret", protocols=protocols)
    ask(wants="photo")
    async with app.router.lifespan_context(app), connect(app) as client:
        assert (await client.post("/api/runs/r0002/photo", content=JPEG)).status_code == 401
        assert (await client.post("/api/runs/r0002/answer", json={"confirmed": True})).status_code == 401
        assert (await client.get("/api/runs/r0002/attachments")).status_code == 401
        assert answers(engine) == []
        allowed = {"authorization": "Bearer secret"}
        assert (await client.post("/api/runs/r0002/photo", content=JPEG, headers=allowed)).status_code == 200


async def test_the_export_has_the_answers_and_the_photos(web: httpx.AsyncClient, ask: Ask) -> None:
    ask()
    await answer(web, number="12.3 mg")
    ask(message="Take a photo", wants="photo")
    await web.post("/api/runs/r0002/photo", content=JPEG)
    for kind in ("bdf", "bdf-csv"):
        packed = await web.get("/api/runs/r0002/export", params={"format": kind})
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            (sidecar,) = (name for name in archive.namelist() if name.endswith(".json"))
            told = json.loads(archive.read(sidecar))["extras"]["galvanode"]
            assert [entry["value"] for entry in told["answers"]] == [12.3e-6, None]
            ((name, sha256),) = told["photos"].items()
            assert sha256 == hashlib.sha256(JPEG).hexdigest()
            assert archive.read(name) == JPEG
