"""The shape of the repository that everything else relies on."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import galvanode
from galvanode.document import parse_document

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("root", ["cycler", "drivers", "simulator"])
def test_source_roots_are_no_packages(root: str):
    assert not (ROOT / root / "__init__.py").exists()


def test_no_package_of_ours_is_called_cycler():
    # matplotlib depends on a distribution of that import name: installing ours beside it would break one of the two.
    assert "galvanode" not in packages_distributions().get("cycler", [])


def test_every_driver_module_is_found_through_an_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {target.split(":")[0] for target in project["entry-points"]["galvanode.drivers"].values()}
    modules = {
        f"galvanode_drivers.{path.stem}"
        for path in (ROOT / "drivers" / "galvanode_drivers").glob("*.py")
        if path.stem != "__init__"
    }
    assert named <= modules
    # What a family needs beside its driver bears the driver's name: palmsens_script.py beside palmsens.py.
    assert all(any(module == name or module.startswith(f"{name}_") for name in named) for module in modules)


def test_constraints_pin_versions_and_name_no_address():
    text = (ROOT / "constraints.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 40
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)


def test_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = parse_document((ROOT / "CITATION.cff").read_text(), "CITATION.cff").data
    assert isinstance(citation, dict)
    assert project["version"] == galvanode.__version__ == citation["version"]
    assert project["license"] == citation["license"]


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = project["optional-dependencies"]
    wanted = [*project["dependencies"], *groups["test"], *(item for item in groups["dev"] if "[" not in item)]
    pinned = {
        _normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    assert {_normal(re.split(r"[<>=\[]", item)[0]) for item in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
