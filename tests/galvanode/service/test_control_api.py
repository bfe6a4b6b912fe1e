"""What people do through the API: look, check, start, pause, stop."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest
from fastapi import FastAPI

from galvanode.errors import Refused


def submission(recipe: str, cell: str, **more: object) -> dict[str, object]:
    return {
        "channel": "ch1",
        "recipe": recipe,
        "recipe_name": "ccd.yaml",
        "cell": cell,
        "cell_name": "c.yaml",
        **more,
    }


@pytest.fixture
async def texts(web: httpx.AsyncClient) -> tuple[str, str]:
    """The library's recipe and cell."""
    return (await web.get("/api/recipes")).json()[0]["text"], (await web.get("/api/cells")).json()[0]["text"]


async def test_status_has_the_current_density_for_the_cell_of_the_run(web: httpx.AsyncClient) -> None:
    status = (await web.get("/api/status")).json()
    assert status["available"] is True
    idle, running = status["channels"]
    assert idle["current_density_mA_cm2"] is None
    assert running["current_density_mA_cm2"] == pytest.approx(0.1)


async def test_a_reading_that_is_no_number_becomes_null(web: httpx.AsyncClient, engine) -> None:
    engine.channels[1]["voltage_V"] = float("nan")
    engine.channels[1]["current_A"] = float("inf")
    answer = await web.get("/api/status")
    assert answer.status_code == 200
    assert answer.json()["channels"][1]["voltage_V"] is None
    assert answer.json()["channels"][1]["current_density_mA_cm2"] is None


async def test_many_who_ask_at_once_are_one_question_to_the_engine(web: httpx.AsyncClient, engine) -> None:
    engine.delay_s = 0.05
    answers = await asyncio.gather(*(web.get("/api/status") for _ in range(50)))
    assert all(answer.status_code == 200 for answer in answers)
    assert len([call for call in engine.calls if call[0] == "status"]) == 1


async def test_status_keeps_the_last_known_state_while_the_engine_is_away(web: httpx.AsyncClient, engine) -> None:
    await web.get("/api/status")
    engine.available = False
    await asyncio.sleep(0.35)
    status = (await web.get("/api/status")).json()
    assert status["available"] is False
    assert status["engine"] is None
    assert [channel["name"] for channel in status["channels"]] == ["ch1", "ch2"]
    assert (await web.get("/healthz")).json()["web"] == "ok"


async def test_a_hanging_engine_does_not_hang_the_page(
    web: httpx.AsyncClient, engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galvanode.service.engine_link.STATUS_TIMEOUT_S", 0.1)
    engine.delay_s = 30
    began = time.monotonic()
    assert (await web.get("/api/status")).json()["available"] is False
    assert time.monotonic() - began < 2


async def test_library_lists_recipes_with_their_parameters(web: httpx.AsyncClient) -> None:
    recipe = (await web.get("/api/recipes")).json()[0]
    assert recipe["name"] == "ccd"
    assert recipe["parameters"] == [
        {"name": "step", "default": "0.1 mA/cm^2", "min": "0.01 mA/cm^2", "max": None, "description": None}
    ]


async def test_check_expands_the_recipe(web: httpx.AsyncClient, texts: tuple[str, str]) -> None:
    answer = await web.post("/api/check", json={"recipe": texts[0], "cell": texts[1]})
    assert answer.status_code == 200
    schedule = answer.json()
    assert [line["what"] for line in schedule["lines"]] == [
        "rest",
        "ladder of $current_density",
        "plate",
        "strip",
    ]
    assert schedule["longest_s"] == 600 + 20 * 2 * 1800
    assert "voltage above 5 V" in schedule["limits"]


async def test_check_names_line_and_column_of_a_fault(web: httpx.AsyncClient, texts: tuple[str, str]) -> None:
    bad = texts[0].replace("max: 5 V", "max: 5 A")
    answer = await web.post("/api/check", json={"recipe": bad, "recipe_name": "ccd.yaml", "cell": texts[1]})
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["source"], problem["line"], problem["column"]) == ("ccd.yaml", 5, 29)
    assert "expected a voltage such as '5 V'" in problem["error"]


async def test_check_starts_nothing(web: httpx.AsyncClient, engine, texts: tuple[str, str]) -> None:
    await web.post("/api/check", json={"recipe": texts[0], "cell": texts[1]})
    assert engine.calls == []


async def test_a_submission_reaches_the_engine_as_it_was_written(
    web: httpx.AsyncClient, engine, texts: tuple[str, str]
) -> None:
    asked = submission(*texts, parameters={"step": "0.2 mA/cm^2"})
    answer = await web.post("/api/runs", json=asked)
    assert (answer.status_code, answer.json()) == (201, {"run": "r0009"})
    assert engine.calls == [("submit", asked)]


async def test_an_invalid_submission_never_reaches_the_engine(
    web: httpx.AsyncClient, engine, texts: tuple[str, str]
) -> None:
    answer = await web.post("/api/runs", json=submission("title: [", texts[1]))
    assert answer.status_code == 422
    assert answer.json()["source"] == "ccd.yaml"
    answer = await web.post("/api/runs", json=submission(*texts, parameters={"step": "0 V"}))
    assert answer.status_code == 422
    answer = await web.post("/api/runs", json=submission(*texts, colour="red"))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("colour: ")
    assert engine.calls == []


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("resume", "running")])
async def test_commands_go_to_the_run(web: httpx.AsyncClient, engine, verb: str, state: str) -> None:
    answer = await web.post(f"/api/runs/r0002/{verb}")
    assert (answer.status_code, answer.json()) == (200, {"run": "r0002", "state": state})
    assert engine.calls == [(verb, {"run": "r0002"})]


async def test_a_stop_says_when_the_output_was_off_and_whether_that_is_on_disk(web: httpx.AsyncClient, engine) -> None:
    answer = await web.post("/api/runs/r0002/stop")
    told = {"run": "r0002", "state": "stopped", "safe_unix_s": 1767225600.5, "durable": False, "message": None}
    assert (answer.status_code, answer.json()) == (200, told)
    assert engine.calls == [("stop", {"run": "r0002"})]


async def test_stop_all_names_what_it_stopped(web: httpx.AsyncClient) -> None:
    answer = await web.post("/api/stop-all")
    assert (answer.status_code, answer.json()) == (200, {"stopped": ["r0002"], "not_safe": [], "durable": True})


async def test_a_refusal_of_the_engine_is_a_409_in_its_words(web: httpx.AsyncClient, engine) -> None:
    engine.refusal = Refused("run r0002 is running; only a paused one can be resumed")
    answer = await web.post("/api/runs/r0002/resume")
    assert answer.status_code == 409
    assert answer.json()["error"] == "run r0002 is running; only a paused one can be resumed"


async def test_a_refusal_with_a_place_is_invalid_input(web: httpx.AsyncClient, engine, texts: tuple[str, str]) -> None:
    engine.refusal = Refused("the channel cannot do 4 A", "ccd.yaml", 9, 5)
    answer = await web.post("/api/runs", json=submission(*texts))
    assert answer.status_code == 422
    assert answer.json() == {
        "error": "the channel cannot do 4 A",
        "source": "ccd.yaml",
        "line": 9,
        "column": 5,
    }


async def test_commands_while_the_engine_is_away_are_a_503(web: httpx.AsyncClient, engine) -> None:
    engine.available = False
    answer = await web.post("/api/stop-all")
    assert answer.status_code == 503
    assert "not running" in answer.json()["error"]


async def test_a_stop_goes_through_while_other_commands_hang(app: FastAPI, web: httpx.AsyncClient, engine) -> None:
    engine.delay_s = 0.5
    hanging = [asyncio.create_task(web.post("/api/runs/r0002/pause")) for _ in range(12)]
    await asyncio.sleep(0.1)
    answer = await web.post("/api/stop-all")
    assert answer.status_code == 200
    statuses = [(await task).status_code for task in hanging]
    assert statuses.count(503) == 4  # eight at once are let through, the rest is told to come back


async def test_every_answer_has_a_schema(web: httpx.AsyncClient) -> None:
    openapi = (await web.get("/api/openapi.json")).json()
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            content = [entry.get("content") for code, entry in operation["responses"].items() if code.startswith("2")]
            schemas = [kind.get("schema") for entry in content if entry for kind in entry.values()]
            assert all(schemas), (method, path)
            assert operation["description"], (method, path)
    json.dumps(openapi, allow_nan=False)
