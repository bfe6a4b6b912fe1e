"""The same sweep on the 2450, stepped by the host, and on the EmStat4, which runs its own script."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.stack.harness import GALVANODE, LIBRARY

pytestmark = pytest.mark.timeout(120)


def _onset(folder: Path, instrument: str) -> dict[str, Any]:
    recipe = (LIBRARY / "a4-linear-sweep.yaml").read_text().replace("sweep: {", f"sweep: {{instrument: {instrument}, ")
    (folder / f"{instrument}.yaml").write_text(recipe)
    done = subprocess.run(
        [
            *GALVANODE,
            *("run", str(folder / f"{instrument}.yaml"), "--cell", "lsv-lzc-n015", "--data", str(folder / instrument)),
            "--json",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)["results"]


@pytest.mark.slow
def test_onsets_agree_within_the_step_of_the_sweep(tmp_path: Path):
    stepped, scripted = _onset(tmp_path, "cycler"), _onset(tmp_path, "analyzer")
    step_v = 1e-3
    for name in ("oxidation_onset", "oxidation_onset_tangent"):
        assert stepped[name]["value"] == pytest.approx(scripted[name]["value"], abs=step_v), name
    assert stepped["scan_rate"]["value"] == pytest.approx(0.3, rel=0.01)
