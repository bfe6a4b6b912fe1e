"""What the pages show is valid, and what they point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.docs.blocks import DOCS, fenced

from galvanode.analysis.detectors import ShortCircuit
from galvanode.cell import parse_cell, read_cell
from galvanode.document import parse_document
from galvanode.instrument.bench import read_bench
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.language.known import DETECTORS
from galvanode.recipe.language.values import read_constant
from galvanode.recipe.method.schema import recipe_schema
from galvanode_simulator.bench import read_and_build

ROOT = DOCS.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
CELL = ROOT / "protocols" / "cells" / "llzto-zni2.yaml"
FULL_CELL = CELL.with_name("lco-liin-lzc.yaml")
YAML = [
    pytest.param(body, id=f"{path.stem}-{index}")
    for path in sorted(DOCS.glob("how-to/*.md")) + sorted(DOCS.glob("explanation/*.md"))
    for index, body in enumerate(fenced(path.read_text(encoding="utf-8"), "yaml"), start=1)
]
SCHEMA = Draft202012Validator(recipe_schema())
REST = "method:\n  - rest: {for: 1 min}\n"


@pytest.mark.parametrize("body", YAML)
def test_a_yaml_block_is_accepted(body: str, tmp_path: Path) -> None:
    if re.search(r"^instruments:", body, re.MULTILINE):
        path = tmp_path / "bench.yaml"
        path.write_text(body, encoding="utf-8")
        read_bench(path)
        read_and_build(path)
    elif re.search(r"^area:", body, re.MULTILINE):
        parse_cell(body, "cell.yaml")
    else:
        # Charges, C-rates and potentials need a cell with a capacity and a reference; the others a symmetric one.
        cell = FULL_CELL if re.search(r"charge:|discharge:|vs Li|call:|profile:", body) else CELL
        whole = _whole(body)
        compile_recipe(parse_recipe(whole, "recipe.yaml"), read_cell(cell), {})
        assert [error.message for error in SCHEMA.iter_errors(parse_document(whole, "recipe.yaml").data)] == []


def _whole(body: str) -> str:
    """Return a recipe that has what a fragment leaves out."""
    if body.startswith("- "):
        body = "method:\n" + "".join(f"  {line}\n" for line in body.splitlines())
    elif not re.search(r"^method:", body, re.MULTILINE):
        body += REST
    return body if re.search(r"^title:", body, re.MULTILINE) else f"title: Fragment\n{body}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_files_and_headings(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.is_file(), f"{path.name} points to {target}"
        if heading:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in headings}


def test_the_options_of_the_detector_are_those_of_the_program() -> None:
    page = (DOCS / "explanation" / "detecting-short-circuits.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", page, re.MULTILINE))
    options = DETECTORS["short_circuit"]
    assert {name: read_constant(text, options[name].dimension).si for name, text in shown.items()} == {
        name: ShortCircuit.DEFAULTS[option.name] for name, option in options.items()
    }


def test_every_decision_is_in_the_list_in_order() -> None:
    folder = DOCS / "decisions"
    listed = re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))
