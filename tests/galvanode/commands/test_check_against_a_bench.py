"""``galvanode check --bench``: whether a channel can carry a recipe out, told without reaching any instrument."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvanode.cli import main

REAL = """\
title: A unit that is nowhere
instruments:
  box: {driver: neware, resource: "TCPIP::10.255.255.1::502::SOCKET", options: {current: 5 mA, channels: 2}}
  smu: {driver: keithley2450, resource: "TCPIP::10.255.255.2::5025::SOCKET"}
"""
CELL = """\
name: a cell
area: 1 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
envelope: {voltage: {min: 2 V, max: 4.4 V}, current: {max: 2 A}}
"""
RECIPE = "title: a recipe\nmethod:\n"


class Check:
    """The command in a folder with a bench of real instruments, which nobody can reach."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd
        for name, text in (("bench", REAL), ("cell", CELL)):
            (folder / f"{name}.yaml").write_text(text)
        monkeypatch.chdir(folder)

    def __call__(self, method: str, *arguments: str) -> tuple[int, str]:
        """Return the exit status and all that was printed."""
        Path("recipe.yaml").write_text(RECIPE + method)
        given = ["recipe.yaml", "--cell", "cell.yaml", "--bench", "bench.yaml", *arguments]
        self._monkeypatch.setattr("sys.argv", ["galvanode", "check", *given])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capfd.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), printed.out + printed.err


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Check:
    return Check(tmp_path, monkeypatch, capfd)


def test_what_the_channel_can_do_is_sound_and_real_instruments_have_no_dry_run(check):
    status, told = check("  - charge: {current: 1 mA, until: voltage >= 4 V}\n", "--channel", "box_2")
    assert status == 0
    assert "No dry run: the instruments of this bench are real." in told


@pytest.mark.parametrize(
    ("channel", "step", "says"),
    [
        ("box_1", "rest: {until: voltage >= 4 V, for: 1 h}", "recipe.yaml:3: 'voltage >= 4 V' cannot end a step"),
        ("box_1", "charge: {current: 6 mA, until: voltage >= 4 V}", "recipe.yaml:3: 0.006 A; this Neware channel has"),
        ("box_1", "operator: {message: is it on?}", "recipe.yaml:3: a question is asked"),
        ("smu", "charge: {current: 1.5 A, until: voltage >= 4 V}", "recipe.yaml:3: 1.5 A is outside the instrument's"),
    ],
)
def test_what_the_channel_cannot_do_is_refused_with_its_line(check, channel, step, says):
    status, told = check(f"  - {step}\n", "--channel", channel)
    assert status == 2
    assert says in told


def test_a_channel_must_be_named_where_there_are_several(check):
    status, told = check("  - rest: {for: 1 h}\n")
    assert status == 2
    assert "no channel was named; expected --channel with one of box_1, box_2, smu" in told


def test_an_unknown_channel_is_told(check):
    status, told = check("  - rest: {for: 1 h}\n", "--channel", "box_3")
    assert status == 2
    assert "there is no channel 'box_3'" in told


@pytest.mark.parametrize("channel", ["box_1", "smu"])
def test_what_no_sensor_watches_is_refused_where_it_stands(check, channel):
    status, told = check("  - rest: {for: 1 h, safety: {temperature: {max: 50 degC}}}\n", "--channel", channel)
    assert status == 2
    assert "recipe.yaml:3: 'safety' limits the temperature, and the channel has no sensor for it" in told
    Path("cell.yaml").write_text(CELL.replace("{max: 2 A}}", "{max: 2 A}, temperature: {max: 60 degC}}"))
    status, told = check("  - rest: {for: 1 h}\n", "--channel", channel)
    assert status == 2
    assert "cell.yaml:6: the cell's envelope limits the temperature" in told
