"""The command line: exit status, one clear line for bad input, nothing started by it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from galvanode.cli import main

GOOD = """\
title: Short
record: {every: 1 s}
method:
  - rest: {for: 10 s}
  - plate: {current_density: 0.1 mA/cm^2, for: 1 min}
"""

# (what is wrong, recipe, line, column, part of the message)
BAD = [
    ("unknown key", GOOD.replace("record:", "recrod:"), 2, 1, "recrod"),
    ("unknown step", GOOD.replace("plate:", "palte:"), 5, 5, "plate"),
    ("wrong dimension", GOOD.replace("0.1 mA/cm^2", "0.1 V"), 5, 30, "expected a current density"),
    ("negative time", GOOD.replace("10 s", "-10 s"), 4, 17, "-10 s"),
    ("missing unit", GOOD.replace("10 s", "10"), 4, 17, "expected a time"),
    (
        "limit outside the envelope",
        GOOD.replace("record:", "safety: {voltage: {max: 9 V}}\nrecord:"),
        2,
        25,
        "9 V",
    ),
    ("current outside the envelope", GOOD.replace("0.1 mA", "60 mA"), 5, 30, "60 mA"),
    ("tab", GOOD.replace("  - rest", "\t- rest"), 4, 1, "tab"),
    ("YAML bomb", 'a: &a ["x"]\nb: &b [*a, *a]\ntitle: t\nmethod: *b\n', 1, 4, "anchor"),
    ("not a number", GOOD.replace("10 s", "nan s"), 4, 17, "nan"),
    ("no method", "title: x\n", 1, 1, "method"),
    ("empty", "", 1, 1, "empty"),
    ("object tag", "title: !!python/object/apply:os.system ['ls']\n", 1, 8, "tag"),
]


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["galvanode", *map(str, arguments)])
    try:
        main()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


@pytest.mark.parametrize(("recipe", "line", "column", "part"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_one_line_with_its_place_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    recipe: str, line: int, column: int, part: str,
):  # fmt: skip
    path, data = tmp_path / "recipe.yaml", tmp_path / "data"
    path.write_text(recipe)
    status = _main(monkeypatch, "run", path, "--cell", "llzto-zni2", "--data", data)
    printed = capfd.readouterr()
    assert status == 2
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    assert printed.err.startswith(f"{path}:{line}:{column}: "), printed.err
    assert part in printed.err
    assert not data.exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "no-such-recipe", "--cell", "llzto-zni2"], "d3-critical-current-density"),
        (["run", "d3-critical-current-density", "--cell", "nobody"], "llzto-bare"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "--speed", "0"], "--speed"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "--speed", "nan"], "--speed"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "-p", "step"], "NAME=VALUE"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "-p", "step=1 V"], "step"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "--channel", "ch9"], "ch9"),
        (["run", "d3-critical-current-density", "--cell", "llzto-zni2", "-p", "stp=1 mA/cm^2"], "step"),
        (["analyze", "r0001", "--data", "nowhere"], "nowhere"),
        (["reproduce", "Z9"], "D3"),
        (["simulate", "demo", "--speed", "max"], "--speed"),
    ],
)
def test_bad_usage_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    part: str,
):
    monkeypatch.chdir(tmp_path)
    status = _main(monkeypatch, *arguments)
    printed = capfd.readouterr()
    assert status == 2, printed.err
    assert part in printed.err
    assert printed.err.count("\n") == 1, printed.err
    assert list(tmp_path.iterdir()) == []


def test_accelerated_time_on_an_instrument_that_may_be_real_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    bench = tmp_path / "bench.yaml"
    bench.write_text("title: t\ninstruments: {smu: {driver: keithley2450, resource: 'GPIB0::24::INSTR'}}\n")
    status = _main(
        monkeypatch, "run", "d3-critical-current-density", "--cell", "llzto-zni2", "--bench", bench,
        "--speed", "10", "--data", tmp_path / "data",
    )  # fmt: skip
    assert status == 2
    assert "GPIB0::24::INSTR" in capfd.readouterr().err


def test_a_bench_that_the_simulator_refuses_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    bench = tmp_path / "bench.yaml"
    bench.write_text("title: t\ninstruments:\n  smu: {driver: keithley2450, simulated: {cell: nobody}}\n")
    status = _main(
        monkeypatch, "run", "d3-critical-current-density", "--cell", "llzto-zni2", "--bench", bench,
        "--data", tmp_path / "data",
    )  # fmt: skip
    assert status == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if "WARNING" not in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{bench}:3:")


def test_run_prints_one_json_object_and_analyze_finds_the_same_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    status = _main(monkeypatch, "run", "d3-critical-current-density", "--cell", "llzto-bare", "--data", data, "--json")
    summary = json.loads(capfd.readouterr().out)
    assert status == 0
    assert set(summary) == {"run", "state", "end_reason", "samples", "simulated_s", "wall_s", "results"}
    assert summary["results"]["critical_current_density"]["value"] == pytest.approx(0.15, rel=1e-3)
    assert summary["results"]["critical_current_density"]["unit"] == "mA/cm2"
    assert _main(monkeypatch, "analyze", summary["run"], "--data", data, "--json") == 0
    assert json.loads(capfd.readouterr().out)["results"] == summary["results"]


def test_a_tripped_run_has_exit_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = tmp_path / "tight.yaml"
    recipe.write_text(GOOD.replace("record:", "safety: {voltage: {max: 1 mV}}\nrecord:"))
    assert _main(monkeypatch, "run", recipe, "--cell", "llzto-zni2", "--data", tmp_path / "data", "--json") == 1


def test_the_drivers_are_listed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    assert _main(monkeypatch, "instruments", "list") == 0
    printed = capfd.readouterr().out
    assert "keithley2450" in printed
    assert "espec" in printed


def test_a_bench_is_probed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    assert _main(monkeypatch, "instruments", "probe", "demo", "--json") == 0
    assert len(json.loads(capfd.readouterr().out)) == 15
