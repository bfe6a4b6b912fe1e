"""The fenced blocks of a document: executed in their order and compared with what the document shows.

A comment on the line before a block says what it is:

    <!-- file: my-cell.yaml -->          written to that file
    <!-- change: my-recipe.yaml, line 9 -->  takes the place of that line
    <!-- run -->                         commands after '$ ', each with the output that it must give
    <!-- run: status 2 -->               likewise, with that exit status
    <!-- run: numbers vary -->           numbers in the output are not compared
    <!-- run: in the test with --speed 20 -->  the test adds arguments, so that it does not take minutes
    <!-- start -->                       a command that goes on until the end, with its first output

Alone, <!-- open: http://127.0.0.1:8000/ --> is a page that must be there.

``python -m tests.docs.blocks docs/tutorials/first-recipe.md`` executes a document as it stands, in real time
and on its own ports, and puts the outputs into it.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
WITHIN_S = 60.0

_BLOCK = re.compile(
    r"^<!-- (?P<marker>[^\n]*?) -->\n(?:```(?P<language>\w*)\n(?P<body>.*?)^```$)?", re.MULTILINE | re.DOTALL
)
_WALL_TIME = re.compile(r"(?<= in )\d+\.\d(?= s\b)")
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?")
_FILLING = re.compile(r"[\s─━]+")


@dataclass(frozen=True)
class Block:
    """One marked block of a document."""

    kind: str
    """``file``, ``change``, ``run``, ``start`` or ``open``."""
    options: str
    body: str
    span: tuple[int, int]
    """Of the body, in the document's text."""


def marked_blocks(text: str) -> Iterator[Block]:
    """Return the marked blocks in their order."""
    for match in _BLOCK.finditer(text):
        kind, _, options = match["marker"].partition(":")
        if kind in ("file", "change", "run", "start", "open"):
            yield Block(kind, options.strip(), match["body"] or "", match.span("body"))


def fenced(text: str, language: str) -> Iterator[str]:
    """Return the bodies of all fenced blocks of a language, marked or not."""
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1]


class Walk:
    """A newcomer who follows a document in an empty folder."""

    def __init__(self, folder: Path, *, literal: bool = False) -> None:
        self._folder = folder / "work"
        self._site = folder / "site"
        self._folder.mkdir()
        self._site.mkdir()
        self._literal = literal
        self._ports = {} if literal else {port: str(free_port()) for port in ("8000", "5100")}
        self._ends = ExitStack()

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def take(self, block: Block) -> str:
        """Do what a block says; return it as it should read."""
        if block.kind == "file":
            path = self._folder / block.options
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.body), encoding="utf-8")
        elif block.kind == "change":
            name, _, number = block.options.partition(", line ")
            path = self._folder / name
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            lines[int(number) - 1] = self._here(block.body)
            path.write_text("".join(lines), encoding="utf-8")
        elif block.kind == "open":
            assert "<html" in _page(self._here(block.options))
        elif block.kind == "start":
            command, shown = next(_commands(block.body))
            return f"$ {command}\n{self._start(command, shown.count(chr(10)))}"
        else:
            return "".join(f"$ {command}\n{self._run(command, block.options)}" for command, _ in _commands(block.body))
        return block.body

    def _run(self, command: str, options: str) -> str:
        words = self._words(command)
        if words[1:4] == ["-m", "pip", "install"]:
            self._install(self._folder / words[-1])
            return ""
        if "in the test with " in options and not self._literal:
            words += shlex.split(options.partition("in the test with ")[2].partition(",")[0])
        done = subprocess.run(
            words,
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=None if self._literal else WITHIN_S,
            check=False,
        )
        output = done.stdout.decode().lstrip("\n")  # where a progress bar would be
        status = re.search(r"status (\d+)", options)
        assert done.returncode == (int(status[1]) if status else 0), f"{command}: {done.returncode}\n{output}"
        return self._there(output)

    def _start(self, command: str, lines: int) -> str:
        """Start a command that goes on; return its first lines once they are there."""
        log = self._folder.parent / f"{len(list(self._folder.parent.glob('*.log')))}.log"
        words = self._words(command)
        if words[-1] == "galvanode" or "serve" in words:
            words += [] if self._literal else ["--port", self._ports["8000"]]
        with log.open("wb") as output:
            process = subprocess.Popen(
                words,
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._ends.callback(_end, process)
        deadline = time.monotonic() + WITHIN_S
        while (text := log.read_text(encoding="utf-8")).count("\n") < lines:
            assert process.poll() is None, f"{command} ended: {text}"
            assert time.monotonic() < deadline, f"{command} shows {text!r}"
            time.sleep(0.05)
        return self._there(text)

    def _words(self, command: str) -> list[str]:
        words = shlex.split(self._here(command))
        program = {"galvanode": [sys.executable, "-m", "galvanode"], "python": [sys.executable]}
        return program[words[0]] + words[1:]

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GALVANODE_")}
        path = os.pathsep.join([str(self._site), *kept.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
        shown = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "COLUMNS": "100", "TERM": "dumb"}
        # A laboratory that shows its tests has not what ours need, and would not see its warnings.
        return kept | shown | {"PYTHONPATH": path, "PYTEST_ADDOPTS": "-p no:asyncio"}

    def _install(self, package: Path) -> None:
        """Stand in for ``pip install -e``, which needs the network: a folder on the path, and entry points."""
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = self._site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(head, encoding="utf-8")
        lines: list[str] = []
        for group, entries in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {target}" for name, target in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for module in package.rglob("*.py"):
            copy = self._site / module.relative_to(package)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(module.read_bytes())

    def _here(self, text: str) -> str:
        for written, used in self._ports.items():
            text = text.replace(written, used)
        return text

    def _there(self, text: str) -> str:
        for written, used in self._ports.items():
            text = text.replace(used, written)
        return text.replace(str(self._folder) + os.sep, "").replace("\r\n", "\n")


def _commands(body: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a console block, each with its output."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def comparable(text: str, options: str) -> str:
    """Return a console block without what differs from run to run."""
    text = _WALL_TIME.sub("#", text)
    if "numbers vary" in options:
        text = _NUMBER.sub("#", text)
    return _FILLING.sub(" ", text).strip()


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _page(url: str) -> str:
    deadline = time.monotonic() + 20.0
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.URLError:  # the web side is still starting
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rewrite(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, Walk(Path(folder), literal=True) as walk:
        done = [(block, walk.take(block)) for block in marked_blocks(text)]
    for block, body in reversed(done):
        if block.kind in ("run", "start"):
            lines = "".join(f"{line.rstrip()}\n" for line in body.splitlines())
            text = text[: block.span[0]] + lines + text[block.span[1] :]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        _rewrite(Path(argument))
