"""What people read through the API: runs, samples, plots, steps, events, results, files."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI

from galvanode.service.app import create_app
from galvanode.store.read import Store

VOLTAGE = "Voltage / V"
TIME = "Test Time / s"


async def test_runs_are_listed_newest_first(web: httpx.AsyncClient) -> None:
    listed = (await web.get("/api/runs")).json()
    assert [run["id"] for run in listed["runs"]] == ["r0002", "r0001"]
    assert listed["total"] == 2
    only = (await web.get("/api/runs", params={"channel": "ch1", "limit": 1})).json()
    assert ([run["id"] for run in only["runs"]], only["total"]) == (["r0001"], 1)


async def test_a_run_has_the_texts_it_was_started_from(web: httpx.AsyncClient) -> None:
    run = (await web.get("/api/runs/r0001")).json()
    assert run["recipe_text"].startswith("title: Critical current density")
    assert run["state"] == "completed"
    assert run["area_m2"] == pytest.approx(0.785e-4)


@pytest.mark.parametrize("run", ["r0042", "nonsense", "r1"])
async def test_an_unknown_run_is_a_404_everywhere(web: httpx.AsyncClient, run: str) -> None:
    for path in ("", "/samples", "/overview", "/steps", "/events", "/analysis", "/export"):
        answer = await web.get(f"/api/runs/{run}{path}")
        assert (path, answer.status_code) == (path, 404)
        assert run in answer.json()["error"]


async def test_samples_come_page_by_page_without_gap_or_double(web: httpx.AsyncClient, data_dir: Path) -> None:
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await web.get("/api/runs/r0001/samples", params={"after": after, "limit": 500})).json()
        seen += page["columns"]["Record Index / 1"]
        after = page["next_after"]
    assert seen == list(range(1, Store(data_dir).run("r0001").samples + 1))


async def test_samples_of_chosen_columns_only(web: httpx.AsyncClient) -> None:
    page = (await web.get("/api/runs/r0001/samples", params={"columns": f"{TIME},{VOLTAGE}", "limit": 3})).json()
    assert list(page["columns"]) == ["Record Index / 1", TIME, VOLTAGE]
    assert page["count"] == 3


async def test_an_unknown_column_is_refused_with_those_there_are(web: httpx.AsyncClient) -> None:
    answer = await web.get("/api/runs/r0001/samples", params={"columns": "voltage"})
    assert answer.status_code == 422
    assert VOLTAGE in answer.json()["error"]


async def test_overview_is_thinned_and_keeps_the_extremes(web: httpx.AsyncClient, data_dir: Path) -> None:
    everything = Store(data_dir).samples("r0001", [VOLTAGE])[VOLTAGE].to_pylist()
    found = (await web.get("/api/runs/r0001/overview", params={"points": 100})).json()
    assert found["count"] <= 100
    assert max(found["columns"][VOLTAGE]) == max(everything)
    assert min(found["columns"][VOLTAGE]) == min(everything)


async def test_overview_of_a_part(web: httpx.AsyncClient) -> None:
    found = (await web.get("/api/runs/r0001/overview", params={"start_s": 1000, "end_s": 2000})).json()
    assert 1000 <= found["columns"][TIME][0] <= 1030
    assert 1970 <= found["columns"][TIME][-1] <= 2000


@pytest.mark.parametrize("query", ["points=0", "points=1e9", "start_s=nan", "limit=0", "limit=x", "points=5"])
async def test_numbers_out_of_range_are_refused(web: httpx.AsyncClient, query: str) -> None:
    path = "samples" if "limit" in query else "overview"
    answer = await web.get(f"/api/runs/r0001/{path}?{query}")
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "source", "line", "column"}


async def test_steps_say_why_they_ended(web: httpx.AsyncClient) -> None:
    steps = (await web.get("/api/runs/r0001/steps", params={"limit": 2})).json()
    assert steps["count"] == 2
    assert steps["total"] > 2
    assert steps["columns"]["end_reason"][-1].startswith("short_circuit")
    assert steps["columns"]["step_count"] == [steps["total"] - 1, steps["total"]]


async def test_events_tell_what_happened(web: httpx.AsyncClient) -> None:
    events = (await web.get("/api/runs/r0001/events")).json()["events"]
    assert [event["kind"] for event in events] == ["submit", "completed"]
    later = (await web.get("/api/runs/r0001/events", params={"after": events[0]["id"]})).json()["events"]
    assert later == events[1:]
    assert (await web.get("/api/events")).json()["events"] == events


async def test_analysis_gives_figures_with_units_and_a_plot(web: httpx.AsyncClient) -> None:
    found = (await web.get("/api/runs/r0001/analysis")).json()
    figure = found["results"]["critical_current_density"]
    assert figure == {"value": pytest.approx(0.8), "unit": "mA/cm2", "low": None, "high": None}
    assert found["plots"][0]["name"] == "critical_current_density"
    assert (await web.get("/api/runs/r0001/analysis")).json() == found


async def test_export_holds_every_sample(web: httpx.AsyncClient, data_dir: Path) -> None:
    answer = await web.get("/api/runs/r0001/export", params={"format": "bdf"})
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        (table,) = (name for name in packed.namelist() if name.endswith(".bdf.parquet"))
        rows = pq.read_table(io.BytesIO(packed.read(table))).num_rows
        (sidecar,) = (name for name in packed.namelist() if name.endswith(".json"))
        json.loads(packed.read(sidecar))
    assert rows == Store(data_dir).run("r0001").samples


async def test_exports_leave_nothing_behind(
    web: httpx.AsyncClient, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("exports")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for kind in ("bdf", "bdf-csv", "battery-archive"):
        assert (await web.get("/api/runs/r0001/export", params={"format": kind})).status_code == 200
    assert list(folder.iterdir()) == []


async def test_too_many_at_once_are_told_to_come_back(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galvanode.service.records.MAX_WAITING", 3)
    answers = await asyncio.gather(*(web.get("/api/runs/r0001/samples") for _ in range(30)))
    codes = {answer.status_code for answer in answers}
    assert codes == {200, 503}
    assert (await web.get("/api/runs")).status_code == 200


async def test_without_a_store_the_data_are_unavailable_and_the_rest_works(
    tmp_path: Path, engine, protocols: Path, connect
) -> None:
    app: FastAPI = create_app(tmp_path / "new", engine, token=None, protocols=protocols)
    async with app.router.lifespan_context(app), connect(app) as client:
        assert (await client.get("/api/runs")).status_code == 503
        assert (await client.get("/api/status")).json()["available"] is True
