"""What a submission takes along."""

from __future__ import annotations

from pathlib import Path

from galvanode.commands.session import Submission
from galvanode.library import library

CELL = library() / "cells" / "llzto-zni2.yaml"


def test_the_recipes_and_profiles_beside_a_recipe_go_with_it(tmp_path: Path):
    texts = {
        "outer.yaml": "version: 2\ntitle: O\nmethod: [call: near, call: li-li-cycling]\n",
        "near.yaml": "version: 2\ntitle: N\nmethod: [group: [profile: {file: drive.csv}]]\n",
        "drive.csv": "time_s,current_mA\n0,0.1\n10,0\n",
        "other.yaml": "version: 2\ntitle: X\nmethod: [rest: {for: 1 s}]\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    sent = Submission("ch", tmp_path / "outer.yaml", CELL, {}).request.files
    assert sent == {name: texts[name] for name in ("near.yaml", "drive.csv")}


def test_what_cannot_be_found_is_left_to_the_station_to_refuse(tmp_path: Path):
    recipe = tmp_path / "outer.yaml"
    recipe.write_text("version: 2\ntitle: O\nmethod: [call: nowhere]\n", encoding="utf-8")
    assert Submission("ch", recipe, CELL, {}).request.files == {}
