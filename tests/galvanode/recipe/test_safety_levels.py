"""Limits inside limits: cell, recipe, group, step; the inner one tightens and never loosens."""

import pytest

from galvanode.cell import parse_cell
from galvanode.errors import InvalidInput
from galvanode.recipe import compile_recipe, parse_recipe
from galvanode.recipe.program import Step, Window

CELL = """\
name: Cell
area: 2 cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
reference_offset: 0.62 V
envelope: {voltage: {min: 0 V, max: 5 V}, current: {max: 10 mA}, temperature: {min: 0 degC, max: 80 degC}}
"""


def steps(method: str, head: str = "") -> list[Step]:
    text = f"version: 2\ntitle: x\n{head}method:\n{method}"
    compiled = compile_recipe(parse_recipe(text, "r"), parse_cell(CELL, "c"))
    return [item for item in compiled.instructions if isinstance(item, Step)]


NESTED = """\
  - rest: {for: 1 s}
  - group:
      - rest: {for: 2 s}
      - group:
          - rest: {for: 3 s}
          - rest: {for: 4 s, safety: {voltage: {max: 3.5 V}}}
        safety: {voltage: {max: 4 V}}
      - rest: {for: 5 s}
    safety: {voltage: {min: 1 V}, current: {max: 5 mA}}
  - rest: {for: 6 s}
"""


def test_every_level_tightens_what_it_speaks_of():
    found = steps(NESTED, "safety: {voltage: {max: 4.5 V}}\n")
    assert [step.limits.voltage for step in found] == [
        Window(min=0.0, max=4.5),
        Window(min=1.0, max=4.5),
        Window(min=1.0, max=4.0),
        Window(min=1.0, max=3.5),
        Window(min=1.0, max=4.5),
        Window(min=0.0, max=4.5),
    ]
    assert [step.limits.current.max for step in found] == [0.01, 0.005, 0.005, 0.005, 0.005, 0.01]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max: 4 V", "max: 4.6 V", "outside the group's 'safety' (1 V to 4.5 V)"),
        ("max: 4 V", "max: 5.1 V", "outside"),
        ("max: 3.5 V", "max: 4.1 V", "'voltage.max' is '4.1 V', outside the group's 'safety' (1 V to 4 V)"),
        ("max: 3.5 V", "min: 0.5 V", "'voltage.min' is '0.5 V', outside the group's 'safety' (1 V to 4 V)"),
        ("max: 3.5 V", "max: 1 V", "'voltage.max' is '1 V', which leaves nothing between 'min' and 'max'"),
        ("max: 5 mA", "max: 11 mA", "'current.max' is '11 mA', outside"),
        ("max: 5 mA", "max: 0 mA", "'current.max' is '0 mA'; expected a value above 0"),
        ("max: 4 V}", "max: 4 V}, check_every: 20 s", "is '20 s', less often than the 10 s of the recipe"),
    ],
)
def test_no_level_loosens_another(old, new, said):
    assert old in NESTED
    with pytest.raises(InvalidInput) as caught:
        steps(NESTED.replace(old, new, 1), "safety: {voltage: {max: 4.5 V}, check_every: 10 s}\n")
    assert said in caught.value.message


def test_a_set_point_must_lie_inside_the_limits_of_its_group():
    method = "  - group: [plate: {current: 6 mA, for: 1 s}]\n    safety: {current: {max: 5 mA}}\n"
    with pytest.raises(InvalidInput, match=r"r:4:30: .*outside the group's 'safety' \(-5 mA to 5 mA\)"):
        steps(method)


def test_a_limit_may_be_worked_out():
    head = "parameters: {upper: 4 V vs Li+/Li, margin: 0.1 V}\nsafety: {voltage: {max: $upper + $margin}}\n"
    (step,) = steps("  - rest: {for: 1 s}\n", head)
    assert step.limits.voltage.max == pytest.approx(4.1 - 0.62)
    (dense,) = steps("  - rest: {for: 1 s, safety: {current: {max: 2 mA/cm^2 * $cell.area}}}\n")
    assert (dense.limits.current.min, dense.limits.current.max) == pytest.approx((-4e-3, 4e-3))


def test_a_limit_that_is_worked_out_is_named_as_it_is_written():
    with pytest.raises(InvalidInput, match=r"'voltage\.max' is '\$u \+ 2 V', outside the cell's envelope"):
        steps("  - rest: {for: 1 s}\n", "parameters: {u: 4 V}\nsafety: {voltage: {max: $u + 2 V}}\n")


def test_a_limit_is_known_before_the_run():
    method = (
        "  - plate: {current: 1 mA, for: 1 s}\n"
        "  - set: {v: voltage}\n"
        "  - rest: {for: 1 s, safety: {voltage: {max: $v}}}\n"
    )
    with pytest.raises(InvalidInput, match="is only known while the recipe runs; expected a value that stays the same"):
        steps(method)


def test_a_group_looks_more_often():
    (rest,) = steps("  - group: [rest: {for: 1 s}]\n    safety: {check_every: 2 s}\n")
    assert rest.poll_s == 2.0
