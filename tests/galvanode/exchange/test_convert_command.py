"""``galvanode convert``: formats told from the texts, one line for bad input, nothing written then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from galvanode.cli import main
from galvanode.exchange import format_of

RECIPE = "title: Short\nmethod:\n  - charge: {rate: 0.1C, until: voltage >= 4.2 V}\n"
EXPERIMENT = '["Charge at 0.1C until 4.2 V"]\n'
PROTOCOL = json.dumps(
    {
        "record": {"time_s": 1},
        "method": [{"step": "constant_current", "current_mA": 1, "until_voltage_V": 0, "until_time_s": 60}],
    }
)


def convert(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["galvanode", "convert", *map(str, arguments)])
    try:
        main()
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (PROTOCOL, "unicycler"),
        (" \n{", "unicycler"),
        (RECIPE, "galvanode"),
        ("# a comment\nversion: 2\n", "galvanode"),
        (EXPERIMENT, "pybamm"),
        ("# a comment\n\nimport pybamm\n", "pybamm"),
        ("experiment = [('Rest for 1 s',)] * 2", "pybamm"),
        ("charge at 1 A", "pybamm"),
        ("Rest for 1 s", "pybamm"),
        ("", None),
        ("hello", None),
        ("time,current\n0,1\n", None),
        ("[]\nmethod:\n", None),
    ],
)
def test_the_format_shows(text: str, name: str | None):
    assert format_of(text) == name
    assert format_of("\ufeff" + text) == name


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    for name, text in (("r.yaml", RECIPE), ("e.py", EXPERIMENT), ("p.json", PROTOCOL)):
        (tmp_path / name).write_text(text)
        for suffix in (".yaml", ".json", ".py"):
            if not name.endswith(suffix):
                assert convert(monkeypatch, tmp_path / name, tmp_path / f"{name}{suffix}") == 0
    assert (tmp_path / "r.yaml.py").read_text().count('"Charge at 0.1C until 4.2 V"') == 1
    assert "rate: 0.1C" in (tmp_path / "e.py.yaml").read_text()
    assert "voltage >= 0 V" in (tmp_path / "p.json.yaml").read_text()
    assert '"Charge at 1 mA for 1 minute or until 0 V"' in (tmp_path / "p.json.py").read_text()
    assert capfd.readouterr().err == ""


def test_a_note_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    recipe, protocol = tmp_path / "r.yaml", tmp_path / "p.json"
    recipe.write_text(RECIPE.replace("4.2 V", "0 V, for: 1 h"))
    assert convert(monkeypatch, recipe, protocol) == 0
    assert "step 1, charge: 'until_voltage_V: 0' is in the protocol" in capfd.readouterr().err


def test_a_recipe_of_the_library_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arguments = ("d5-rate-capability", tmp_path / "p.json", "--cell", "lfp-li-zni2", "-p", "cycles=2")
    leave_out = ("--leave-out", "analysis", "--leave-out", "safety")
    assert convert(monkeypatch, *arguments, *leave_out) == 0
    protocol = json.loads((tmp_path / "p.json").read_text())
    assert {step["step"] for step in protocol["method"]} >= {"constant_current", "tag", "loop"}


# (what is wrong, input, its name, further arguments, part of the message)
BAD = [
    ("no such file", None, "none.json", (), "none.json: cannot be read"),
    ("neither", "hello", "x", (), "say which with --from: galvanode, unicycler or pybamm"),
    ("no format by that name", EXPERIMENT, "e", ("--from", "pybam"), "did you mean 'pybamm'?"),
    ("a fault in it", '{"record": {"time_s": 1},\n "method": 3}', "p", (), "p:2:12: 'method' is 3"),
    ("not the format", EXPERIMENT, "e.py", ("--from", "unicycler"), "e.py:1:1: is a list"),
    ("the same again", RECIPE, "r.yaml", (), "is galvanode already"),
    ("a bad cell", EXPERIMENT, "e.py", ("--cell", "none"), "no such file"),
    ("a bad part", EXPERIMENT, "e.py", ("--leave-out", "steps"), "--leave-out 'steps'"),
    ("not UTF-8", b"[\n\xff]", "e.py", (), "e.py:2:1: is not UTF-8"),
    ("large", b"[" * (1 << 20) + b"[", "e.py", (), "larger than 1 MiB"),
]


@pytest.mark.parametrize(("text", "name", "further", "part"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_one_line_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
    text: str | bytes | None, name: str, further: tuple[str, ...], part: str,
):  # fmt: skip
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert convert(monkeypatch, tmp_path / name, tmp_path / "out.yaml", *further) == 2
    said = capfd.readouterr().err
    assert part in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out.yaml").exists()


def test_a_file_is_not_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    source, target = tmp_path / "e.py", tmp_path / "r.yaml"
    source.write_text(EXPERIMENT)
    target.write_text("mine")
    assert convert(monkeypatch, source, target) == 2
    assert "say --force" in capfd.readouterr().err
    assert target.read_text() == "mine"
    assert convert(monkeypatch, source, tmp_path / "r.out") == 2
    assert "say which with --to" in capfd.readouterr().err
    assert convert(monkeypatch, source, target, "--force") == 0
    assert target.read_text().startswith("# Converted")
