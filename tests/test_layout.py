"""The shape of the repository that everything else relies on."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import galvanode
from galvanode.document import parse_document
from galvanode_drivers import FAMILIES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("root", ["cycler", "drivers", "simulator"])
def test_source_roots_are_no_packages(root: str):
    assert not (ROOT / root / "__init__.py").exists()


def test_no_package_of_ours_is_called_cycler():
    # matplotlib depends on a distribution of that import name: installing ours beside it would break one of the two.
    assert "galvanode" not in packages_distributions().get("cycler", [])


def test_a_family_is_named_after_its_folders_and_names_what_stands_there():
    for name, family in FAMILIES.items():
        assert family.name == name
        assert family.driver.startswith(f"galvanode_drivers.{name}.")
        assert family.simulator == f"galvanode_simulator.{name}:SIMULATOR"
        assert (ROOT / "tests" / "galvanode_simulator" / name).is_dir()


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
