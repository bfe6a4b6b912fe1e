"""A verb of one's own is one class: read, checked, compiled, described, estimated, published and carried out."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator
from tests.docs.blocks import DOCS, fenced
from tests.galvanode.engine.test_run import finish, make

from galvanode.cell import read_cell
from galvanode.errors import InvalidInput
from galvanode.exchange import convert
from galvanode.library import library
from galvanode.recipe import compile_recipe, describe, drives, estimate, parse_recipe
from galvanode.recipe.method.schema import recipe_schema
from galvanode.recipe.outlook.warnings import warnings_of
from galvanode.recipe.program import Step
from galvanode.recipe.verbs import VERBS
from galvanode.recipe.verbs.step import Verb
from galvanode.yaml_text import load

CELL = read_cell(library() / "cells" / "li-lagp.yaml")


def titrate() -> type[Verb]:
    """Return the verb that the page on verbs adds, from that page."""
    (source,) = fenced((DOCS / "explanation" / "verbs.md").read_text(encoding="utf-8"), "python")
    module = ModuleType("titrate")
    sys.modules[module.__name__] = module
    exec(source, module.__dict__)
    return module.Titrate


TITRATE = titrate()


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(VERBS, TITRATE.word, TITRATE)


def recipe(method: str, head: str = ""):
    return parse_recipe(f"title: t\nrecord: {{every: 1 s}}\n{head}method:\n{method}", "r.yaml")


PULSES = "  - repeat: [titrate: {current: $i, pulse: 5 s, relax: 10 s, name: GITT}]\n    times: 3\n"
HEAD = "parameters: {i: 0.1 mA}\n"


def program(method: str = PULSES, head: str = HEAD):
    return compile_recipe(recipe(method, head), CELL)


def test_it_compiles_with_parameters_blocks_and_what_every_step_may_say():
    pulse, relax = (item for item in program().instructions if isinstance(item, Step))
    assert pulse.drive == drives.Current(setpoint=1e-4, required_sign=1)
    assert relax.drive == drives.Rest()
    assert (pulse.name, pulse.step_id, relax.name, relax.step_id) == ("GITT", 1, "GITT", 1)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("titrat: {current: 1 mA}", "unknown step 'titrat'; did you mean 'titrate'?"),
        ("gitt: {current: 1 mA}", "unknown step 'gitt'; here it is called 'titrate'"),
        ("titrate: {current: 1 mA, pulse: 5 s}", "'relax' is missing in 'method.titrate'"),
        ("titrate: {current: 1 mA, puls: 5 s, relax: 5 s}", "unknown key 'puls' in 'method.titrate'; did you mean"),
        ("titrate: {current: 5 A, pulse: 5 s, relax: 5 s}", "'titrate.current' is '5 A', outside the cell's envelope"),
        ("titrate: {current: 1 V, pulse: 5 s, relax: 5 s}", "'titrate.current' is '1 V'; expected a current"),
    ],
)
def test_what_is_wrong_in_it_is_told_as_of_any_other(step, message):
    with pytest.raises(InvalidInput) as caught:
        program(f"  - {step}\n", "")
    assert message in caught.value.message
    assert caught.value.line == 4


def test_it_is_described_and_estimated_and_nothing_looks_wrong():
    made = program()
    rows = [(row.what, row.setpoint, row.ends) for row in describe(made)]
    assert rows == [("repeat", "3 times", ""), ("GITT", "100 µA", "for 5 s"), ("GITT", "", "for 10 s")]
    assert estimate(made).duration_s == (45.0, 45.0)
    assert warnings_of(made, recipe(PULSES, HEAD)) == []


def test_editors_complete_it():
    schema = recipe_schema()
    assert schema["$defs"]["Titrate"]["description"] == "A pulse of a current, and a rest after it (GITT)."
    validator = Draft202012Validator(schema)
    assert validator.is_valid(load(recipe_text(PULSES), "r")[0])
    assert not validator.is_valid(load(recipe_text("  - titrate: {current: 1 V, pulse: 1 s, relax: 1 s}\n"), "r")[0])


def recipe_text(method: str) -> str:
    return f"title: t\n{HEAD}method:\n{method}"


def test_it_leaves_for_other_programs():
    text = convert(recipe_text(PULSES), "r.yaml", "galvanode", "pybamm", cell=CELL)
    assert "Charge at 0.1 mA for 5 seconds" in text
    assert "Rest for 10 seconds" in text


async def test_the_engine_carries_it_out():
    run, cycler = make(program())
    await finish(run)
    assert run.state == "completed"
    assert [call for call in cycler.calls if call.startswith("current") or call == "rest"].count("rest") == 3
    assert run.position.charge_c == pytest.approx(3 * 5 * 1e-4, rel=1e-2)
