"""What a Prometheus server reads of a station."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from prometheus_client.samples import Sample

from galvanode.service.app import create_app
from galvanode.store.journal import Event, Journal, RunCommit

Found = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scrape(web: httpx.AsyncClient) -> Found:
    """Return the value of every sample."""
    families = plain_text((await web.get("/metrics")).text)
    return {_key(sample): sample.value for family in families for sample in family.samples}


def _key(sample: Sample) -> tuple[str, tuple[tuple[str, str], ...]]:
    return sample.name, tuple(sorted(sample.labels.items()))


def of(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the key of a sample."""
    return f"galvanode_{name}", tuple(sorted(labels.items()))


def happened(directory: Path, run: str, *kinds: str, state: str | None = None) -> None:
    """Commit events of a run."""
    details = {} if state is None else {"state": state}
    events = [Event(run, 1_767_240_000.0, 1.0, kind, kind, details) for kind in kinds]
    with Journal(directory) as journal:
        journal.commit([RunCommit(run, [], None, state or "running", None, 1_767_240_000.0, (), events)])


async def test_channels_and_chambers_are_there_as_they_are_now(web: httpx.AsyncClient) -> None:
    found = await scrape(web)
    assert found[of("engine_up")] == 1
    assert found[of("channel_state", channel="ch2", state="running")] == 1
    assert found[of("channel_voltage_volts", channel="ch2")] == 0.0123
    assert of("channel_voltage_volts", channel="ch1") not in found  # idle: nothing is read
    assert found[of("chamber_temperature_celsius", chamber="chamber")] == 25.1
    assert found[of("chamber_ok", chamber="chamber")] == 1


async def test_old_readings_are_not_given_out_as_new_ones(web: httpx.AsyncClient, engine) -> None:
    await scrape(web)
    engine.available = False
    await asyncio.sleep(1.05)  # a status is shared for a second
    found = await scrape(web)
    assert found[of("engine_up")] == 0
    assert not any(name.startswith("galvanode_channel_voltage") for name, _ in found)


async def test_every_metric_says_what_it_is(web: httpx.AsyncClient) -> None:
    for family in plain_text((await web.get("/metrics")).text):
        assert family.documentation.endswith("."), family.name
        assert family.type in ("gauge", "counter"), family.name


async def test_what_happened_is_counted_by_channel(web: httpx.AsyncClient, data_dir: Path) -> None:
    happened(data_dir, "r0002", "late_poll", "late_poll", "link", "unsafe")
    before = await scrape(web)
    happened(data_dir, "r0002", "link")
    happened(data_dir, "r0002", "ended", state="tripped")
    after = await scrape(web)
    assert before[of("late_polls_total", channel="ch2")] == 2
    assert before[of("unsafe_outputs_total", channel="ch2")] == 1
    assert before[of("link_errors_total", channel="ch2")] == 1
    assert after[of("link_errors_total", channel="ch2")] == 2
    assert of("trips_total", channel="ch2") not in before
    assert after[of("trips_total", channel="ch2")] == 1
    assert (before[of("runs", state="running")], after[of("runs", state="tripped")]) == (1, 1)
    assert after[of("runs", state="failed")] == 0


async def test_counts_go_on_after_a_restart_of_the_web_side(
    web: httpx.AsyncClient, data_dir: Path, engine, connect
) -> None:
    happened(data_dir, "r0002", "link", "link")
    assert (await scrape(web))[of("link_errors_total", channel="ch2")] == 2
    async with connect(create_app(data_dir, engine, token=None)) as again:
        assert (await scrape(again))[of("link_errors_total", channel="ch2")] == 2


async def test_commits_that_failed_are_counted_by_the_engine(web: httpx.AsyncClient, engine) -> None:
    engine.commit_failures = 3
    assert (await scrape(web))[of("commit_failures_total")] == 3


async def test_a_scraper_may_ask_for_openmetrics(web: httpx.AsyncClient) -> None:
    answer = await web.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "galvanode_engine_up" in {sample.name for family in open_metrics(answer.text) for sample in family.samples}


async def test_a_station_without_data_has_metrics(tmp_path: Path, engine, connect) -> None:
    app: FastAPI = create_app(tmp_path, engine, token=None)
    async with connect(app) as web:
        assert (await scrape(web))[of("engine_up")] == 1


@pytest.mark.parametrize("name", ['two "words"', "back\\slash", "line\nbreak"])
async def test_a_strange_channel_name_breaks_nothing(web: httpx.AsyncClient, engine, name: str) -> None:
    engine.channels[1]["name"] = name
    assert (await scrape(web))[of("channel_voltage_volts", channel=name)] == 0.0123
