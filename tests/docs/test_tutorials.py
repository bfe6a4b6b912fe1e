"""The tutorials, followed to the letter in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, Walk, comparable, marked_blocks

TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))


@pytest.mark.skipif(sys.platform == "win32", reason="the tutorials show a POSIX shell")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_command_gives_the_output_that_the_tutorial_shows(path: Path, tmp_path: Path) -> None:
    with Walk(tmp_path) as walk:
        for block in marked_blocks(path.read_text(encoding="utf-8")):
            given = walk.take(block)
            assert comparable(given, block.options) == comparable(block.body, block.options)
