"""``galvanode check``: exit status, the schedule of a dry run with its figures, and what it warns of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from galvanode.cli import main
from galvanode.library import library

CYCLING = """\
title: Two cycles
parameters:
  half_cycle: {default: 1 h}
safety: {voltage: {min: -1 V, max: 1 V}, check_every: 1 min}
record: {every: 1 min}
method:
  - rest: {for: 10 min}
  - repeat:
      - plate: {current_density: 0.1 mA/cm^2, for: $half_cycle}
      - strip: {current_density: 0.1 mA/cm^2, for: $half_cycle}
    times: 2
"""
AREA_CM2 = 0.785


class Check:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.err = ""

    def __call__(self, recipe: str, *arguments: object) -> tuple[int, str]:
        """Check a recipe's text, or one of the library by its name; return the exit status and what was printed."""
        if "\n" in recipe:
            (self.folder / "recipe.yaml").write_text(recipe)
            recipe = "recipe.yaml"
        self._monkeypatch.setattr("sys.argv", ["galvanode", "check", recipe, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capfd.readouterr()
        self.err = printed.err
        code = ended.value.code
        return (code if isinstance(code, int) else 0), printed.out

    def json(self, recipe: str, *arguments: object) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        _, printed = self(recipe, *arguments, "--json")
        return json.loads(printed)

    def warnings(self, recipe: str, *arguments: object) -> list[str]:
        """Return the warnings, each with its line."""
        return [f"{item['line']}: {item['text']}" for item in self.json(recipe, *arguments)["warnings"]]


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Check:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("COLUMNS", "120")
    return Check(tmp_path, monkeypatch, capfd)


def test_every_step_of_the_dry_run_has_its_figures(check: Check):
    report = check.json(CYCLING, "--cell", "llzto-zni2")
    run = report["dry_run"]
    assert (run["state"], run["end_reason"], run["cell"]) == ("completed", "end of recipe", "llzto_zni2")
    rest, plate, strip, *_ = run["steps"]
    assert [step["name"] for step in run["steps"]] == ["rest", "plate", "strip", "plate", "strip"]
    assert rest["duration_s"] == pytest.approx(600)
    assert rest["samples"] == 11
    assert plate["duration_s"] == pytest.approx(3600)
    assert plate["samples"] == 61
    assert plate["end_reason"] == "for 60 min" or plate["end_reason"] == "for 1 h"
    assert plate["charged_c"] == pytest.approx(0.1e-3 * AREA_CM2 * 3600, rel=1e-3)
    assert plate["discharged_c"] == 0
    assert strip["charge_c"] == pytest.approx(-plate["charge_c"], rel=1e-3)
    assert -1 < strip["voltage_v"]["min"] < strip["voltage_v"]["max"] < 1
    assert run["voltage_V"]["max"] == max(step["voltage_v"]["max"] for step in run["steps"])


def test_the_totals_are_those_of_the_steps(check: Check):
    run = check.json(CYCLING, "--cell", "llzto-zni2")["dry_run"]
    assert run["samples"] == sum(step["samples"] for step in run["steps"])
    assert run["duration_s"] == pytest.approx(sum(step["duration_s"] for step in run["steps"]))
    assert run["charged_C"] == pytest.approx(sum(step["charged_c"] for step in run["steps"]))
    assert run["charged_C"] == pytest.approx(2 * 0.1e-3 * AREA_CM2 * 3600, rel=1e-3)


def test_the_table_shows_capacity_per_area_and_per_mass(check: Check):
    status, printed = check(CYCLING, "--cell", "llzto-zni2")
    assert status == 0
    assert "mAh/cm2" in printed
    assert "plate 78.5 µA" in printed
    assert " 0.1 │" in printed
    recipe = "title: t\nrecord: {every: 1 min}\nmethod:\n  - charge: {rate: 0.1C, for: 1 h}\n"
    assert "mAh/g" in check(recipe, "--cell", "lfp-li-zni2")[1]


def test_a_long_loop_is_shown_by_its_first_turn_and_whole_if_asked_for(check: Check):
    long = CYCLING.replace("times: 2", "times: 12")
    _, printed = check(long, "--cell", "llzto-zni2")
    assert "... 11 more turns" in printed
    assert "likewise" in printed
    assert printed.count("plate 78.5") == 1
    _, printed = check(long, "--cell", "llzto-zni2", "--all")
    assert printed.count("plate 78.5") == 12
    assert "more turns" not in printed


def test_a_run_that_trips_has_exit_status_1_and_says_why(check: Check):
    status, printed = check(CYCLING.replace("max: 1 V", "max: 1 mV"), "--cell", "llzto-zni2")
    assert status == 1
    assert "tripped (voltage" in printed


def test_a_recipe_that_the_instrument_cannot_do_has_exit_status_2(check: Check):
    fast = CYCLING.replace("check_every: 1 min", "check_every: 1 ms")
    status, printed = check(fast, "--cell", "llzto-zni2")
    assert status == 2
    assert "No dry run: " in printed
    assert "too fast for the instrument" in printed
    assert any("looks at its limits every 1 ms" in warning for warning in check.warnings(fast, "--cell", "llzto-zni2"))


def test_bad_input_is_one_line_with_its_place(check: Check):
    status, printed = check(CYCLING.replace("10 min}", "10 m}"), "--cell", "llzto-zni2")
    assert (status, printed) == (2, "")
    assert check.err.startswith("recipe.yaml:7:")
    assert check.err.count("\n") == 1


def test_without_a_cell_only_the_form_is_checked(check: Check):
    status, printed = check(CYCLING)
    assert status == 0
    assert "well formed" in printed
    assert check.json(CYCLING)["parameters"] == ["half_cycle"]


def test_without_a_cell_the_recipes_example_is_taken(check: Check):
    assert check.json(f"example_cell: llzto-i2\n{CYCLING}")["dry_run"]["cell"] == "llzto_i2"


@pytest.fixture
def own_cell(check: Check) -> str:
    text = (library() / "cells" / "llzto-zni2.yaml").read_text()
    (check.folder / "llzto-mine.yaml").write_text(text)
    return "llzto-mine.yaml"


def test_a_cell_of_ones_own_needs_to_be_like_a_simulated_one(check: Check, own_cell: str):
    status, printed = check(CYCLING, "--cell", own_cell)
    assert status == 0
    assert "no simulated cell is called 'llzto-mine'" in printed
    assert "--like" in printed
    assert "did you mean 'llzto-" in printed
    assert "blocking-lzc, " in printed
    assert check.json(CYCLING, "--cell", own_cell, "--like", "llzto-bare")["dry_run"]["cell"] == "llzto_bare"


def test_a_like_that_there_is_not_is_refused_with_what_there_is(check: Check, own_cell: str):
    status, printed = check(CYCLING, "--cell", own_cell, "--like", "llzto-bear")
    assert (status, printed) == (2, "")
    assert "did you mean 'llzto-bare'?" in check.err
    assert "lfp-li-zni2" in check.err


def test_no_dry_run_if_none_is_asked_for(check: Check):
    report = check.json(CYCLING, "--cell", "llzto-zni2", "--no-dry-run")
    assert report["dry_run"] is None
    assert report["duration_s"] == [pytest.approx(15000), pytest.approx(15000)]
    assert [row["what"] for row in report["schedule"]] == ["rest", "repeat", "plate", "strip"]


def test_parameters_reach_the_dry_run(check: Check):
    run = check.json(CYCLING, "--cell", "llzto-zni2", "-p", "half_cycle=6 min")["dry_run"]
    assert run["steps"][1]["duration_s"] == pytest.approx(360)


def test_a_limit_that_trips_at_once_is_warned_of(check: Check):
    recipe = (
        "title: t\nsafety: {voltage: {min: 3.2 V, max: 4 V}}\nrecord: {every: 10 s}\nmethod:\n  - rest: {for: 1 h}\n"
    )
    warnings = check.warnings(recipe, "--cell", "lfp-li-zni2")
    assert any(text.startswith("5: step 1 (rest) trips at its first reading: voltage 2.9") for text in warnings)


def test_an_end_that_holds_already_is_warned_of_once_for_all_turns(check: Check):
    recipe = (
        "title: t\nrecord: {every: 10 s}\nmethod:\n  - repeat:\n"
        "      - rest: {for: 1 h, until: voltage <= 3.5 V}\n      - charge: {rate: 1C, for: 10 s}\n    times: 3\n"
    )
    warnings = check.warnings(recipe, "--cell", "lfp-li-zni2")
    assert [text for text in warnings if "first reading" in text] == [
        "5: step 1 (rest) ends with its first reading in 3 of 3 turns: 'voltage <= 3.5 V' held already"
    ]


@pytest.mark.parametrize("rate", ["0.2C", "1C"], ids=["ends late", "trips"])
def test_a_step_that_goes_past_its_end_is_warned_of(check: Check, rate: str):
    recipe = (
        "title: t\nsafety: {check_every: 2 min}\nrecord: {every: 2 min}\nmethod:\n"
        f"  - charge: {{rate: {rate}, for: 10 h, until: voltage >= 3.8 V}}\n"
    )
    warnings = check.warnings(recipe, "--cell", "lfp-li-zni2")
    assert any("mV past 'voltage >= 3.8 V' before that is seen: it looks every 2 min" in text for text in warnings)


def test_a_sound_recipe_has_no_warning(check: Check):
    assert check.warnings(CYCLING, "--cell", "llzto-zni2") == []
    assert "What looks wrong" not in check(CYCLING, "--cell", "llzto-zni2")[1]


def test_warnings_are_printed_with_file_and_line(check: Check):
    _, printed = check(CYCLING.replace("for: $half_cycle", "for: 30 s"), "--cell", "llzto-zni2")
    assert "recipe.yaml:3: parameter 'half_cycle' is not used" in printed
    assert "recipe.yaml:9: step 2 (plate) is recorded every 1 min but lasts 30 s" in printed


def test_questions_are_answered_by_their_defaults(check: Check):
    recipe = """\
version: 2
title: Weighed
record: {every: 10 s}
method:
  - operator: {message: Is it connected?}
  - operator: {message: Weigh the cell, asks: number, name: pause, default: 2 min, min: 1 s}
  - operator: {message: Take a picture, asks: photo}
  - rest: {for: $pause}
"""
    run = check.json(recipe, "--cell", "llzto-zni2")["dry_run"]
    assert run["state"] == "completed"
    assert run["steps"][-1]["duration_s"] == pytest.approx(120)


def test_a_step_that_was_not_met_is_told(check: Check):
    recipe = """\
version: 2
title: Branches
record: {every: 10 s}
method:
  - rest: {for: 1 min}
  - if: voltage >= 3.5 V
    then:
      - rest: {for: 2 min}
    else:
      - rest: {for: 3 min}
"""
    assert check.warnings(recipe, "--cell", "lfp-li-zni2") == ["8: step 2 (rest) was not met in the dry run"]
