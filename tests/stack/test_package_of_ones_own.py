"""A package outside the repository, in an environment of its own, brings an instrument family: that of the tutorial."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import DOCS, marked_blocks

from galvanode.store.read import Store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TUTORIAL = DOCS / "tutorials" / "add-an-instrument.md"


class Environment:
    """A virtual environment that sees what is installed here, and has the package installed by pip."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        found = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip()
        here = [path for path in site.getsitepackages() if Path(path).is_dir()]
        lines = [f"import site; site.addsitedir({path!r})\n" for path in here]
        (Path(found) / "here.pth").write_text("".join(lines), encoding="utf-8")

    def install(self, wheel: Path) -> None:
        command = ["-m", "pip", "--python", str(self.python), "install", "-q", "--no-index", "--no-deps", str(wheel)]
        subprocess.run([sys.executable, *command], check=True, timeout=120, capture_output=True)

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GALVANODE_", "PYTHON"))}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd,
            env={**kept, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def wheel_of(package: Path, folder: Path) -> Path:
    """Pack a package as its build backend would: no build backend is needed, nor the network."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    info = f"{stem}.dist-info"
    entries = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {target}" for name, target in names.items()))
    ]
    files = {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.glob("*/*.py")}
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(entries) + "\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace(os.sep, "/"), text)
    return wheel


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Path]:
    """The environment with the tutorial's package, and the folder with its recipes and benches."""
    folder = tmp_path_factory.mktemp("laboratory")
    work = folder / "work"
    for block in marked_blocks(TUTORIAL.read_text(encoding="utf-8")):
        if block.kind == "file":
            path = work / block.options
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
    environment = Environment(folder / "environment")
    environment.install(wheel_of(work / "acme", folder))
    return environment, work


def summary(environment: Environment, work: Path, data: str, *options: str) -> dict[str, Any]:
    common = ("run", "cycles.yaml", "--cell", "llzto-zni2", "--speed", "max", "--json", "--data", data)
    done = environment.run("-m", "galvanode", *common, *options, cwd=work)
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "status": done.returncode}


def test_the_family_comes_from_the_package_and_galvanode_knows_it(laboratory: tuple[Environment, Path]):
    environment, work = laboratory
    where = environment.run("-c", "import galvanode_acme; print(galvanode_acme.__file__)", cwd=work).stdout
    assert str(environment.folder) in where
    listed = environment.run("-m", "galvanode", "instruments", "list", cwd=work)
    assert "Acme 100 source-measure unit" in listed.stdout, listed.stderr


def test_it_passes_the_shipped_conformance_suite(laboratory: tuple[Environment, Path], tmp_path: Path):
    environment, work = laboratory
    (tmp_path / "test_acme100.py").write_bytes((work / "acme" / "test_acme100.py").read_bytes())
    done = environment.run("-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_a_driver_that_believes_itself_does_not_pass(laboratory: tuple[Environment, Path], tmp_path: Path):
    environment, work = laboratory
    for path in (work / "acme").rglob("*.py"):
        copy = tmp_path / path.relative_to(work / "acme")
        copy.parent.mkdir(exist_ok=True)
        text = path.read_text(encoding="utf-8").replace(":OUTP:OFF OPEN;:OUTP 0", ":OUTP 0")
        copy.write_text(text.replace('answer.strip() != "0;OPEN"', 'answer[0] != "0"'), encoding="utf-8")
    done = environment.run("-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", cwd=tmp_path)
    assert done.returncode == 1, done.stdout
    assert "test_it_is_made_safe_from_a_held_voltage_and_from_rest" in done.stdout


def test_a_recipe_runs_on_it_at_full_speed_with_a_preset_a_seed_and_faults(laboratory: tuple[Environment, Path]):
    environment, work = laboratory
    sound = re.sub(r"      faults:\n(?:        - .*\n)+", "", (work / "cable.yaml").read_text("utf-8"))
    (work / "healthy.yaml").write_text(sound, "utf-8")
    runs = {}
    for name, seed in (("one", "7"), ("again", "7"), ("other", "8")):
        runs[name] = summary(environment, work, name, "--bench", "healthy.yaml", "--seed", seed)
        assert (runs[name]["state"], runs[name]["status"]) == ("completed", 0)
    volts = {name: Store(work / name).samples("r0001")["Voltage / V"].to_pylist() for name in runs}
    assert volts["one"] == volts["again"]
    assert volts["one"] != volts["other"]
    lost = summary(environment, work, "lost", "--bench", "cable.yaml", "--seed", "7")
    assert (lost["state"], lost["status"]) == ("communication_lost", 1)
