"""Auxiliary readings in a recipe: ends and limits about what the channel reads beside voltage and current."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.outlook.describe import describe
from galvanode.recipe.program import Condition, Program, Step, Window

CELL = """
name: R
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope: {voltage: {min: -5 V, max: 5 V}, current: {max: 500 mA}}
"""


def compiled(*lines: str, safety: str = "{}") -> Program:
    text = "\n".join(["version: 2", "title: t", f"safety: {safety}", "method:", *(f"  - {line}" for line in lines)])
    return compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(CELL, "c.yaml"))


def test_an_end_is_compared_in_si_and_the_unit_says_what_is_read():
    program = compiled("rest: {until: auxiliary.t_surface >= 45 degC}")
    (step,) = program.instructions
    assert isinstance(step, Step)
    test = step.until[0].test
    assert isinstance(test, Condition)
    assert (test.quantity, test.value) == ("t_surface", pytest.approx(318.15))
    assert test.text == "auxiliary.t_surface >= 45 degC"
    assert program.auxiliaries == {"t_surface": "temperature"}


def test_limits_of_recipe_and_step_narrow_each_other():
    program = compiled(
        "rest: {for: 1 min, safety: {auxiliary: {t_surface: {max: 50 degC}}}}",
        "rest: {for: 1 min}",
        safety="{auxiliary: {t_surface: {min: 0 degC, max: 60 degC}, v_reference: {min: 0 V}}}",
    )
    first, second = program.instructions
    assert first.limits.auxiliary["t_surface"] == Window(min=273.15, max=323.15)
    assert second.limits.auxiliary == {"t_surface": Window(min=273.15, max=333.15), "v_reference": Window(min=0.0)}
    assert program.safety == second.limits
    assert program.auxiliaries == {"t_surface": "temperature", "v_reference": "voltage"}


def test_the_schedule_shows_limits_by_name():
    row = describe(compiled("rest: {for: 1 min}", safety="{auxiliary: {t_surface: {max: 60 degC}}}"))[0]
    assert row.limits.endswith("t_surface at most 60 degC")


def test_a_detached_block_ends_by_it_too():
    program = compiled("{group: [rest: {for: 1 h}], stop_when: auxiliary.t_surface >= 45 degC and voltage <= 1 V}")
    assert program.auxiliaries == {"t_surface": "temperature"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("rest: {until: auxiliary.t_surface >= $x}", "expected 'auxiliary.t_surface' beside a number with its unit"),
        ("rest: {until: auxiliary.voltage >= 4 V}", "'voltage' is no name for an auxiliary reading"),
        ("rest: {until: auxiliary.t_surface}", "alone is no condition"),
        ("{if: auxiliary.t_surface >= 4 V, then: [rest: {for: 1 s}]}", "is compared while a step runs"),
        ("rest: {until: [auxiliary.x >= 4 V, auxiliary.x >= 4 degC]}", "takes 'x' for a temperature"),
        ("rest: {for: 1 s, safety: {auxiliary: {x: {}}}}", "'x' has no bound"),
        ("rest: {for: 1 s, safety: {auxiliary: {x: {min: 1 V, max: 2 A}}}}", "'x.max' is of another dimension"),
        ("rest: {for: 1 s, safety: {auxiliary: {x: {min: 2 V, max: 1 V}}}}", "leaves nothing between 'min' and 'max'"),
        ("rest: {for: 1 s, safety: {auxiliary: {voltage: {max: 1 V}}}}", "'voltage' is no name for an auxiliary"),
        ("rest: {for: 1 s, safety: {auxiliary: {x: {max: banana}}}}", "banana"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(line: str, said: str):
    with pytest.raises(InvalidInput, match=said.replace("$", r"\$")) as caught:
        compiled(line)
    assert str(caught.value).startswith("r.yaml:5:")


def test_a_step_may_not_loosen_what_the_recipe_limits():
    with pytest.raises(InvalidInput, match="outside the recipe's 'safety'"):
        compiled("rest: {for: 1 s, safety: {auxiliary: {x: {max: 3 V}}}}", safety="{auxiliary: {x: {max: 2 V}}}")
