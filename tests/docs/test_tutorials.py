"""The README, the tutorials and the how-to pages, followed to the letter in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.docs.blocks import DOCS, Walk, comparable, marked_blocks

README = DOCS.parent / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
WALKED = [path for path in PAGES if any(marked_blocks(path.read_text(encoding="utf-8")))]


@pytest.mark.skipif(sys.platform == "win32", reason="the pages show a POSIX shell")
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", WALKED, ids=lambda path: path.stem)
def test_every_command_gives_the_output_that_the_page_shows(path: Path, tmp_path: Path) -> None:
    if "pymeasure" in path.read_text(encoding="utf-8"):
        pytest.importorskip("pymeasure", reason="needs pymeasure; part of the test extra")
    with Walk(tmp_path) as walk:
        for block in marked_blocks(path.read_text(encoding="utf-8")):
            given = walk.take(block)
            assert comparable(given, block.options) == comparable(block.body, block.options)


def test_both_tutorials_are_walked() -> None:
    assert {"README", "first-recipe", "add-an-instrument"} <= {path.stem for path in WALKED}
