"""Profiles: points in the recipe, and CSV files beside it or in the library."""

import time
from pathlib import Path

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, drives, estimate, parse_recipe, read_recipe
from galvanode.recipe.compiling import profile_table
from galvanode.recipe.language import shelf
from galvanode.recipe.program import Limits, Program, Step

CELL = """\
name: Cell
area: 0.5 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope: {voltage: {min: 2 V, max: 5 V}, current: {max: 10 mA}}
"""


def program(text: str, head: str = "") -> Program:
    return compile_recipe(parse_recipe(f"title: x\n{head}method:\n  - profile: {text}\n", "r"), parse_cell(CELL, "c"))


def plan(text: str, head: str = "") -> drives.Profile:
    (step,) = program(text, head).instructions
    assert isinstance(step, Step)
    assert step.drive.kind == "profile"
    assert step.drive is not None
    return step.drive


def beside(folder: Path, csv: str | bytes, body: str = "{file: p.csv}") -> drives.Profile:
    content = csv if isinstance(csv, bytes) else csv.encode()
    (folder / "p.csv").write_bytes(content)
    (folder / "r.yaml").write_text(f"title: x\nmethod:\n  - profile: {body}\n", encoding="utf-8")
    (step,) = compile_recipe(read_recipe(folder / "r.yaml"), parse_cell(CELL, "c")).instructions
    return step.drive


def refused(folder: Path, csv: str | bytes, body: str = "{file: p.csv}") -> str:
    with pytest.raises(InvalidInput) as caught:
        beside(folder, csv, body)
    assert caught.value.line == 3
    return caught.value.message


# --- points in the recipe --------------------------------------------------------------------------------------


def test_points_are_times_and_currents():
    found = plan("{points: [[0 s, 1 mA], [10 s, -2 mA], [1 min, 0 mA]]}")
    assert found == drives.Profile(quantity="current", times=(0.0, 10.0, 60.0), values=(1e-3, -2e-3, 0.0))


def test_points_may_be_powers_or_current_densities():
    assert plan("{points: [[0 s, 1 mW], [10 s, 0 W]]}").quantity == "power"
    dense = plan("{points: [[0 s, 2 mA/cm^2], [10 s, 0 A]], quantity: current}")
    assert (dense.quantity, dense.values) == ("current", (pytest.approx(1e-3), 0.0))


def test_points_may_be_parameters_and_are_scaled():
    head = "parameters: {i: 2 mA, t: 10 s, share: 0.5}\n"
    found = plan("{points: [[0 s, $i], [$t, 0 mA]], scale: $share}", head)
    assert (found.times, found.values) == ((0.0, 10.0), (1e-3, 0.0))
    assert plan("{points: [[0 s, 1 mA], [10 s, 0 mA]], scale: -2}").values == (-2e-3, 0.0)


def test_a_profile_ends_by_itself_or_sooner():
    (step,) = program("{points: [[0 s, 1 mA], [10 s, 0 mA]], until: voltage >= 4 V, name: drive}").instructions
    assert (step.name, [end.text for end in step.until]) == ("drive", ["voltage >= 4 V"])
    assert estimate(Program(title="x", instructions=(step,), safety=Limits())).duration_s == (0.0, 10.0)
    (plain,) = program("{points: [[0 s, 1 mA], [10 s, 0 mA]]}").instructions
    assert plain.until == ()


def test_a_profile_in_a_repeat_runs_each_turn():
    text = "title: x\nmethod:\n  - repeat: [profile: {points: [[0 s, 1 mA], [10 s, 0 A]]}]\n    times: 6\n"
    found = estimate(compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c")))
    assert (found.duration_s, found.steps) == ((60.0, 60.0), (6.0, 6.0))


@pytest.mark.parametrize(
    ("body", "column", "said"),
    [
        ("{}", 14, "the profile has no values; expected 'file: wltp.csv' or 'points: [[0 s, 1 mA],"),
        ("{file: p.csv, points: [[0 s, 1 A], [1 s, 0 A]]}", 28, "the profile has both 'file' and 'points'; keep one"),
        ("{points: 5 mA}", 23, "'profile.points' is '5 mA'; expected two points or more"),
        ("{points: [[0 s, 1 mA]]}", 23, "expected two points or more"),
        ("{points: [0 s, 1 mA]}", 24, "a point is no pair; expected a time and a value, such as '[10 s, -2 mA]'"),
        ("{points: [[0 s, 1 mA, 2 mA], [1 s, 0 A]]}", 24, "a point is no pair"),
        ("{points: [[0, 1 mA], [1 s, 0 A]]}", 25, "a point's time is 0 without a unit; expected a time"),
        (
            "{points: [[0 s, 1], [1 s, 0 A]]}",
            30,
            "a point's value is '1'; expected a current such as '1 mA' or a power",
        ),
        ("{points: [[0 s, 1 V], [1 s, 0 A]]}", 30, "a point's value is '1 V'; expected a current"),
        ("{points: [[0 s, 1 mA], [1 s, 0 W]]}", 43, "a point's value is '0 W'; expected a current such as '1 mA'"),
        ("{points: [[0 s, 1 A], [1 s, 0 A]], quantity: power}", 30, "is '1 A'; expected a power such as '5 mW'"),
        (
            "{points: [[1 s, 1 mA], [2 s, 0 A]]}",
            24,
            "point 1 of 'profile.points' is at 1 s; expected the first one at 0 s",
        ),
        (
            "{points: [[0 s, 1 mA], [2 s, 0 A], [2 s, 0 A]]}",
            49,
            "point 3 of 'profile.points' is at 2 s, after one at 2 s",
        ),
        ("{points: [[0 s, 1 mA], [2 s, 0 A], [1 s, 0 A]]}", 49, "expected times that increase by 1 ms or more"),
        ("{points: [[0 s, 1 mA], [0.1 ms, 0 A]]}", 37, "expected times that increase by 1 ms or more"),
        ("{points: [[0 s, 1 mA], [50 a, 0 A]]}", 37, "expected at most 30 years"),
        ("{points: [[0 s, -11 mA], [1 s, 0 A]]}", 24, "is -11 mA, outside the cell's envelope (-10 mA to 10 mA)"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], scale: 2}", 24, "is 12 mA, outside the cell's envelope"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], safety: {current: {max: 5 mA}}}", 24, "outside the step's 'safety'"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], scale: 0}", 57, "'profile.scale' is '0', which leaves nothing"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], scale: 5 V}", 57, "expected a number without a unit"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], quantity: voltage}", 60, "expected 'current' or 'power'"),
        ("{points: [[0 s, 6 mA], [1 s, 0 A]], for: 5 s}", 50, "unknown key 'for' in 'method.profile'"),
        ("{points: [[0 s, $x], [1 s, 0 A]]}", 30, "which is no parameter"),
    ],
)
def test_points_that_cannot_be(body, column, said):
    with pytest.raises(InvalidInput) as caught:
        program(body)
    assert said in caught.value.message
    assert (caught.value.line, caught.value.column) == (3, column)


def test_the_last_value_is_where_it_ends_and_is_not_applied():
    assert plan("{points: [[0 s, 1 mA], [1 s, 50 mA]]}").values[-1] == 50e-3


# --- a file ----------------------------------------------------------------------------------------------------


def test_a_file_has_a_header_with_units(tmp_path):
    found = beside(tmp_path, "time_s,current_A\n0,0.001\n10,-2e-3\n20,0\n")
    assert found == drives.Profile(quantity="current", times=(0.0, 10.0, 20.0), values=(1e-3, -2e-3, 0.0))


@pytest.mark.parametrize(
    ("csv", "times", "values"),
    [
        ("time_min,current_mA\n0,1\n1,0\n", (0.0, 60.0), (1e-3, 0.0)),
        ("time_s,power_mW\n0,2.3\n1,0\n", (0.0, 1.0), (2.3e-3, 0.0)),
        ("time_s,current_density_mA/cm^2\n0,2\n1,0\n", (0.0, 1.0), (1e-3, 0.0)),
        ("speed_km/h,current_mA, time_s \n50, 1 ,0\n50,0,1\n", (0.0, 1.0), (1e-3, 0.0)),
        ("# WLTP class 3\n\ntime_s;current_mA\n0;1\n\n# gap\n1;0\n", (0.0, 1.0), (1e-3, 0.0)),
        ("time_s\tcurrent_mA\r\n0\t1\r\n1\t0\r\n", (0.0, 1.0), (1e-3, 0.0)),
        ("\ufefftime_s,current_mA\n0,1\n1,0", (0.0, 1.0), (1e-3, 0.0)),
        ('"time_s","current_mA"\n"0","1"\n1,0\n', (0.0, 1.0), (1e-3, 0.0)),
    ],
)
def test_a_file_may_be_written_in_several_ways(tmp_path, csv, times, values):
    found = beside(tmp_path, csv)
    assert (found.times, found.values) == (times, pytest.approx(values))


def test_a_file_with_both_says_which(tmp_path):
    csv = "time_s,current_mA,power_mW\n0,1,4\n1,0,0\n"
    assert beside(tmp_path, csv, "{file: p.csv, quantity: power}").values[0] == pytest.approx(4e-3)
    assert beside(tmp_path, csv, "{file: p.csv, quantity: current, scale: 3}").values[0] == pytest.approx(3e-3)
    assert "has 'current_mA' and 'power_mW'; say which with 'quantity: current'" in refused(tmp_path, csv)


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("", "'p.csv' is empty; expected a header with 'time_s' and 'current_A' or 'power_W'"),
        ("# nothing\n", "is empty"),
        ("0,1\n1,0\n", "line 1: has no column 'time_s' (there is '0', '1')"),
        ("time,current\n0,1\n", "line 1: has no column 'time_s'"),
        ("time_s,voltage_V\n0,1\n", "line 1: has no column 'current_A' or 'power_W'"),
        ("time_V,current_A\n0,1\n", "has no column 'time_s'"),
        ("time_s,current_A\n", "has fewer than two rows"),
        ("time_s,current_A\n0,0.001\n", "has fewer than two rows"),
        ("time_s,current_A\n0,0.001\n1\n", "line 3: 'current_A' is empty; expected a number such as '0.5'"),
        ("time_s,current_A\n0,0.001\n1,zero\n", "line 3: 'current_A' is 'zero'; expected a number"),
        ("time_s,current_A\n0,0.001\n1,nan\n", "line 3: 'current_A' is 'nan'; expected a number"),
        ("time_s,current_A\n0,inf\n1,0\n", "line 2: 'current_A' is 'inf'"),
        ("time_s,current_A\n0,1e99\n1,0\n", "line 2: 'current_A' is '1e99', too large to be meant"),
        ("time_s;current_A\n0;0,001\n1;0\n", "line 2: 'current_A' is '0,001'"),
        ("time_s,current_A\n0,1_0\n1,0\n", "is '1_0'"),
        ("time_s,current_A\n0,1 mA\n1,0\n", "is '1 mA'"),
        ("time_s,current_A\n0," + "1" * 100 + "\n1,0\n", "expected a number"),
        ("time_s,current_A\n1,0.001\n2,0\n", "'p.csv', line 2 is at 1 s; expected the first one at 0 s"),
        ("time_s,current_A\n0,0.001\n\n2,0\n2,0\n", "'p.csv', line 5 is at 2 s, after one at 2 s"),
        ("time_s,current_A\n0,0.011\n2,0\n", "line 2 is 11 mA, outside the cell's envelope (-10 mA to 10 mA)"),
        ('time_s,current_A\n0,"0.011\n2,0\n', "line 2: cannot be read as a row of a table"),
        (b"time_s,current_A\n0,\xff\n", "is not UTF-8 text"),
        ("<html>\n", "has no column 'time_s'"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, csv, said):
    assert said in refused(tmp_path, csv)


def test_what_a_file_lacks_of_what_is_asked_for(tmp_path):
    said = refused(tmp_path, "time_s,current_A\n0,0\n1,0\n", "{file: p.csv, quantity: power}")
    assert "has no column 'power_W' (there is 'time_s', 'current_A')" in said


def test_a_file_has_a_hundred_thousand_rows_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr(profile_table, "MAX_ROWS", 3)
    rows = "time_s,current_A\n" + "".join(f"{row},0\n" for row in range(4))
    assert "has more than 3 rows" in refused(tmp_path, rows)
    assert len(beside(tmp_path, rows.rsplit("3,0\n", 1)[0]).times) == 3


def test_a_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "MAX_BYTES", 100)
    assert "is larger than 0.0001 MB" in refused(tmp_path, "time_s,current_A\n" + "#" * 100)


def test_a_hundred_thousand_rows_are_read_at_once(tmp_path):
    csv = "time_s,current_mA\n" + "".join(f"{row},{row % 7}\n" for row in range(100_000))
    began = time.process_time()
    assert len(beside(tmp_path, csv).times) == 100_000
    assert time.process_time() - began < 3.0


@pytest.mark.parametrize("name", ["../p.csv", "/etc/p.csv", "a/p.csv", "C:\\p.csv", "p.txt", ".csv", "..csv/x", "p"])
def test_a_file_is_named_and_not_a_path(name):
    with pytest.raises(InvalidInput, match=r"expected the name of a file beside the recipe, such as 'wltp.csv'"):
        program(f"{{file: '{name}'}}")


def test_a_text_without_a_file_has_only_the_library(tmp_path, monkeypatch):
    (tmp_path / "p.csv").write_text("time_s,current_A\n0,0\n1,0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=r"'p\.csv' is neither beside the recipe nor in the library; there is"):
        program("{file: p.csv}")


def test_the_library_has_profiles_too(tmp_path, monkeypatch):
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "drive.csv").write_text("time_s,current_A\n0,0.001\n1,0\n", encoding="utf-8")
    monkeypatch.setattr(shelf, "library", lambda: tmp_path)
    assert plan("{file: drive.csv}").values == (0.001, 0.0)
    with pytest.raises(
        InvalidInput, match=r"'other\.csv' is neither beside the recipe nor in the library; there is drive\.csv"
    ):
        program("{file: other.csv}")
