"""One recipe, three ways to reach the instrument: in process, over TCP, over a serial line."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.stack.harness import CELL, GALVANODE, simulated, wired_bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

RECIPE = """
title: Li/Li cycling, short, in real time
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 0.25 s}
record: {every: 0.25 s}
analysis: [polarisation]
method:
  - rest: {for: 1 s}
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: 3 s}
      - strip: {current_density: 0.1 mA/cm^2, for: 3 s}
    times: 2
"""


def bench(link: str) -> str:
    return f"""
title: One cell
instruments:
  smu: {{driver: keithley2450, simulated: {{cell: llzto-zni2, seed: 1, link: {link}}}}}
"""


async def _run(folder: Path, bench_file: Path, *options: str) -> dict[str, Any]:
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "cell.yaml").write_text(CELL)
    process = await asyncio.create_subprocess_exec(
        *GALVANODE,
        "run",
        str(folder / "recipe.yaml"),
        *(
            "--cell",
            str(folder / "cell.yaml"),
            "--bench",
            str(bench_file),
            "--data",
            str(folder / bench_file.stem),
        ),
        *("--json", *options),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


async def _in_process(folder: Path) -> dict[str, Any]:
    path = folder / "in-process.yaml"
    path.write_text(bench("tcp"))
    return await _run(folder, path, "--speed", "max")


@pytest.mark.parametrize("link", ["tcp", "serial"])
async def test_in_real_time_on_a_wire_the_results_are_those_of_the_in_process_instrument(tmp_path: Path, link: str):
    if link == "serial" and sys.platform == "win32":
        pytest.skip("there are no ptys on Windows")
    reference = await _in_process(tmp_path)
    async with simulated(bench(link), tmp_path) as instruments:
        assert instruments.resources["smu"].startswith("ASRL" if link == "serial" else "TCPIP")
        wired = await _run(tmp_path, wired_bench(tmp_path, instruments))
    assert wired["state"] == reference["state"] == "completed"
    assert abs(wired["samples"] - reference["samples"]) <= 6
    assert wired["simulated_s"] == pytest.approx(reference["simulated_s"], abs=1.5)
    for name, result in reference["results"].items():
        found = wired["results"][name]
        assert found["unit"] == result["unit"]
        if name == "polarisation_start":
            continue  # the interface charges within milliseconds: it tells how soon after the set point one read
        if result["unit"] == "mV":
            assert found["value"] == pytest.approx(result["value"], abs=0.3), name  # noise is 20 uV, timing 0.1 s
        elif isinstance(result["value"], str):
            assert found["value"] == result["value"], name
    assert wired["results"]["current_density"]["value"] == pytest.approx(0.1, rel=1e-3)
