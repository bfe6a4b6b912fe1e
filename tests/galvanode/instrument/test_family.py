"""Families are found by name, each from one place, and one that is broken does not take the others with it."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from galvanode.errors import InvalidInput
from galvanode.instrument.family import Families, FamiliesIn, Family, families
from galvanode_drivers.espec import FAMILY


def named(name: str) -> Family:
    return replace(FAMILY, name=name)


def test_families_of_several_packages_are_one_list() -> None:
    found = Families({"ours": {"a": named("a")}, "acme": {"c": named("c"), "b": named("b")}})
    assert list(found) == ["a", "b", "c"]
    assert found["b"].name == "b"


def test_a_name_that_two_packages_bring_is_refused_when_it_is_used_and_names_both() -> None:
    found = Families({"ours": {"a": named("a"), "b": named("b")}, "acme": {"a": named("a")}})
    assert found["b"].name == "b"
    with pytest.raises(InvalidInput, match=r"'a': ours, acme"):
        found["a"]


def test_a_family_goes_by_its_own_name() -> None:
    with pytest.raises(InvalidInput, match="'espec' under the name 'oven'"):
        Families({"acme": {"oven": FAMILY}})["oven"]


def test_a_package_of_families_imports_none_until_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "lab_families"
    for name, text in (("good", "from galvanode_drivers.espec import FAMILY"), ("bad", "raise RuntimeError")):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text(text)
    (package / "__init__.py").write_text("")
    (package / "shared.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    found = FamiliesIn("lab_families", [str(package)])
    assert list(found) == ["bad", "good"]
    assert found["good"] is FAMILY
    with pytest.raises(KeyError):
        found["shared"]


def test_a_package_that_cannot_be_imported_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    info = tmp_path / "broken_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[galvanode.families]\nbroken = broken_lab:FAMILY\n")
    (tmp_path / "broken_lab.py").write_text("raise RuntimeError('no such library')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with caplog.at_level(logging.ERROR):
        found = families()
    assert "broken" not in found
    assert "keithley2450" in found
    assert "broken-lab (broken = broken_lab:FAMILY)" in caplog.text


@pytest.mark.parametrize("loaded", ["None", "'espec'", "[1, 2]", "{3: 4}", "__import__('math')"])
def test_what_is_no_family_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, loaded: str
):
    info = tmp_path / "odd_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[galvanode.families]\nodd = odd_lab:FAMILY\n")
    (tmp_path / "odd_lab.py").write_text(f"FAMILY = {loaded}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "odd_lab", raising=False)
    with caplog.at_level(logging.ERROR):
        found = families()
    assert found["keithley2450"].name == "keithley2450"
    assert "odd-lab (odd = odd_lab:FAMILY)" in caplog.text
    assert "neither a Family nor a mapping" in caplog.text


def test_a_family_that_cannot_be_imported_is_refused_by_name_when_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "poor_lab" / "poor").mkdir(parents=True)
    (tmp_path / "poor_lab" / "__init__.py").write_text("")
    (tmp_path / "poor_lab" / "poor" / "__init__.py").write_text("raise RuntimeError('no such library')")
    monkeypatch.syspath_prepend(tmp_path)
    found = Families({"acme": FamiliesIn("poor_lab", [str(tmp_path / "poor_lab")])})
    with pytest.raises(InvalidInput, match=r"'poor' of acme cannot be loaded: .*no such library"):
        found["poor"]
    with pytest.raises(InvalidInput, match="brings 3 under the name 'a'"):
        Families({"acme": {"a": cast(Any, 3)}})["a"]


@pytest.mark.parametrize("target", ["no_such_module:Driver", "math:Driver", "math"])
def test_a_driver_or_simulator_that_cannot_be_imported_is_named(target: str):
    broken = replace(FAMILY, driver=target, simulator=target)
    for load in (broken.load_driver, broken.load_simulator):
        with pytest.raises(InvalidInput, match=f"'{target}', of the instrument family 'espec', cannot be loaded"):
            load()
