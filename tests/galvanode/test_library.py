"""Files by path, or by their plain name in the library."""

from __future__ import annotations

from pathlib import Path

import pytest

from galvanode.errors import InvalidInput
from galvanode.library import find_file, library


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_plain_name_is_one_of_the_library_unless_there_is_such_a_file():
    assert find_file("formation") == library() / "formation.yaml"
    assert find_file(Path("llzto-bare"), "cells") == library() / "cells" / "llzto-bare.yaml"
    Path("formation").write_text("mine")
    assert find_file("formation") == Path("formation")


@pytest.mark.parametrize("path", ["formation.yaml", "mine/formation", "mine/formation.yaml", "./formation.yaml"])
def test_a_path_that_leads_nowhere_is_not_taken_for_a_recipe_of_the_library(path: str):
    with pytest.raises(InvalidInput, match=r"no such file; did you mean 'formation'\? Expected a path, or a name"):
        find_file(path)


def test_the_cell_whose_limits_are_meant_is_not_replaced_by_another_of_its_name():
    with pytest.raises(InvalidInput, match="no such file"):
        find_file(Path.cwd() / "llzto-bare.yaml", "cells")


def test_a_misspelt_name_is_answered_with_the_one_that_is_near():
    with pytest.raises(InvalidInput, match="did you mean 'llzto-zni2'"):
        find_file("lzto-zni2", "cells")
    with pytest.raises(InvalidInput, match="no such file; expected a path, or a name in the library: demo, neware"):
        find_file("xyz", "benches")
