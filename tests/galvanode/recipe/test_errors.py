"""What is no recipe at all, what is nested too deep, and parameters that are given wrong."""

import pytest
from tests.galvanode.recipe.test_malformed import SYMMETRIC

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe

CELL, RECIPE = SYMMETRIC


def compiled(text: str):
    return compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(CELL, "c.yaml"))


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "a\n", "{}\n", "5\n", "title: x\n", "method: []\n"])
def test_what_is_no_recipe_at_all_has_a_place_too(text):
    with pytest.raises(InvalidInput) as caught:
        compiled(text)
    assert (caught.value.line, caught.value.column) == (1, 1) or text == "method: []\n"


def test_loops_nested_too_deep_are_refused():
    text = "title: x\nmethod:\n"
    for depth in range(9):
        text += "  " * (2 * depth + 1) + "- times: 1\n" + "  " * (2 * depth + 2) + "repeat:\n"
    text += "  " * 19 + "- rest: {for: 1 s}\n"
    with pytest.raises(InvalidInput, match="nested more than 8 deep"):
        compiled(text)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"stp": "0.2 mA/cm^2"}, "unknown parameter 'stp'; did you mean 'step'?"),
        (
            {"step": "0.2 mA"},
            "parameter 'step' is '0.2 mA'; expected a current density such as '0.1 mA/cm^2'",
        ),
        ({"step": "0.2"}, "parameter 'step' is '0.2' without a unit; expected a current density"),
        ({"step": "2 mA/cm^2"}, "parameter 'step' is '2 mA/cm^2'; expected at most 1 mA/cm^2"),
        ({"step": "0 mA/cm^2"}, "parameter 'step' is '0 mA/cm^2'; expected at least 0.01 mA/cm^2"),
        ({"step": "$half_cycle"}, "parameter 'step' is '$half_cycle'; expected a current density"),
        ({"turns": "3 s"}, "parameter 'turns' is '3 s'; expected a number without a unit"),
        ({"half_cycle": "nan s"}, "parameter 'half_cycle' is 'nan s'; expected a time"),
    ],
)
def test_a_wrong_override_names_its_parameter(overrides, expected):
    with pytest.raises(InvalidInput) as caught:
        compile_recipe(parse_recipe(RECIPE, "r.yaml"), parse_cell(CELL, "c.yaml"), overrides)
    assert str(caught.value).startswith(expected)
