"""The experiments of the papers through the whole stack, as the commands give them."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from tests.stack.harness import GALVANODE

ROWS = frozenset(
    (*(f"A{row}" for row in range(1, 12)), *(f"B{row}" for row in range(1, 8)), *(f"D{row}" for row in range(1, 7)))
) | {"C1", "C3", "C6", "C9", "C11", "C12", "C13"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def _printed(*arguments: str) -> Any:
    done = subprocess.run([*GALVANODE, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_headless_demo_finds_the_critical_current_densities_and_cycles_to_the_end():
    runs = {run["channel"]: run for run in _printed("demo", "--headless", "--json")["runs"]}
    found = {
        channel: runs[channel]["results"]["critical_current_density"]["value"]
        for channel in ("ch1", "ch2", "ch3", "ch4")
    }
    assert found == {
        "ch1": pytest.approx(2.3, abs=0.01),
        "ch2": pytest.approx(0.15, abs=0.01),
        "ch3": pytest.approx(0.5, abs=0.01),
        "ch4": pytest.approx(0.95, abs=0.01),
    }
    assert runs["ch4"]["results"]["failure"]["value"] == "soft short circuit"
    assert runs["ch5"]["results"]["polarisation"]["value"] == pytest.approx(13.0, abs=1.0)
    assert [runs[channel]["end_reason"] for channel in ("ch5", "ch6", "ch7")] == ["end of recipe"] * 3
    assert runs["ch8"]["results"]["lifetime"]["value"] == pytest.approx(25.0, abs=2.0)


def test_the_rows_of_the_papers_are_reproduced():
    rows = _printed("reproduce", "--json")
    assert {row["id"] for row in rows} >= ROWS
    assert all(row["agrees"] for row in rows), [row for row in rows if not row["agrees"]]
