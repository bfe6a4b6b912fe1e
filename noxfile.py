"""The checks of this repository, in the environment that runs nox: ``nox`` for all but the slow tests.

Nothing is installed but the JavaScript tools, into ``node_modules``; ``pip install -c constraints.txt -e '.[dev]'``
brings the rest. ``.ci/run`` and the hooks of pre-commit call the same sessions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "layers", "javascript", "tests"]

ROOT = Path(__file__).parent
BUILD = ROOT / "build"


def _python(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a module of this environment, whether or not it is on the path."""
    session.run(sys.executable, "-m", module, *arguments)


@nox.session
def lint(session: nox.Session) -> None:
    """Style and common faults; ``nox -s lint -- --fix`` mends what can be mended."""
    _python(session, "ruff", "check", *session.posargs, ".")
    _python(session, "ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strict; pyright finds ``.venv`` by itself, another environment is named to it."""
    _python(session, "pyright", *_environment(), *session.posargs)


def _environment() -> list[str]:
    return [] if Path(sys.prefix) == ROOT / ".venv" else ["--pythonpath", sys.executable]


@nox.session
def layers(session: nox.Session) -> None:
    """Who may import whom."""
    session.run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()")


@nox.session
def javascript(session: nox.Session) -> None:
    """Types and lint of the pages' scripts; what the station answers is typed by its own OpenAPI description."""
    _node_modules(session)
    BUILD.mkdir(exist_ok=True)
    _python(session, "galvanode", "schema", "api", "--output", str(BUILD / "openapi.json"))
    session.run("npm", "run", "--silent", "check", external=True)


def _node_modules(session: nox.Session) -> None:
    """Install what package.json names, unless it is there."""
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    for name, version in wanted.items():
        installed = ROOT / "node_modules" / name / "package.json"
        if not installed.is_file() or json.loads(installed.read_text(encoding="utf-8"))["version"] != version:
            session.run("npm", "install", "--silent", external=True)
            return


@nox.session
def tests(session: nox.Session) -> None:
    """The default suite on every core; what follows ``--`` goes to pytest, ``-n 0`` for one core and a debugger."""
    _python(session, "pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take tens of seconds each, one after the other: some of them measure times."""
    _python(session, "pytest", "-q", "-n", "0", "-m", "slow", "--timeout", "600", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """The tests that try a rule on generated examples, with many more of these than by default."""
    wanted = ("--hypothesis-profile", "thorough", "-m", "hypothesis and not slow")
    _python(session, "pytest", "-q", *wanted, "--timeout", "600", *session.posargs)


@nox.session(venv_backend="venv")
def wheel(session: nox.Session) -> None:
    """The wheel carries the library of recipes and runs outside the checkout."""
    session.install("-q", "-c", "constraints.txt", ".")
    session.chdir(session.create_tmp())
    session.run("galvanode", "check", "d3-critical-current-density", "--cell", "llzto-zni2")
