"""Generated recipes do in the whole stack what an independent interpreter of the recipe says.

The two share nothing but the recipe: see ``reference``. Every one runs from the compiler to the store on a simulated
instrument, at full speed. ``GALVANODE_FULL=1`` runs thousands of them.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from tests.stack.reference.compare import differences
from tests.stack.reference.interpreter import Interpreter
from tests.stack.reference.language import (
    Action,
    Compare,
    End,
    Group,
    Item,
    Joined,
    Jump,
    Measured,
    Number,
    Recipe,
    Repeat,
    Step,
    Test,
)
from tests.stack.reference.physics import Capacitor, Unsuitable
from tests.stack.reference.recipes import recipes
from tests.stack.reference.stack import CAPACITY_C, Laboratory

FULL = bool(os.environ.get("GALVANODE_FULL"))
EXAMPLES = 5000 if FULL else settings.default.max_examples  # of the profile


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("reference"))


def _check(laboratory: Laboratory, recipe: Recipe, start: float) -> None:
    due = Interpreter(recipe, Capacitor(u=start), CAPACITY_C).run()
    found = differences(due, laboratory.run(recipe.text, start))
    assert not found, "\n".join([f"the cell begins at {start} V", recipe.text, *found])


@pytest.mark.timeout(3600 if FULL else 300)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not FULL,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    phases=(Phase.generate, Phase.shrink),
)
@given(recipes())
def test_a_recipe_does_what_the_reference_says(laboratory: Laboratory, drawn: tuple[Recipe, float]):
    try:
        _check(laboratory, *drawn)
    except Unsuitable:
        assume(False)


# --- recipes that once did something else ------------------------------------------------------------------------


def _above(quantity: str, digits: str, unit: str) -> Compare:
    return Compare(Measured(quantity), ">=", Number(digits, unit))


def _up(*until: End, seconds: str = "5") -> Step:
    return Step("constant_current", "current", Number("10", "mA"), Number(seconds, "s"), until)


def _end(test: Test, held: str | None = None) -> End:
    return End(test, held_for=None if held is None else Number(held, "s"))


PASSED = _above("charge", "5", "mC")
REGRESSIONS: dict[str, tuple[Item, ...]] = {
    # A charge that has passed was waited for again and again, every microsecond.
    "held after a charge": (_up(_end(PASSED, "2")),),
    "no charge at all and something else": (
        _up(_end(Joined("and", (_above("charge", "0", "mC"), _above("voltage", "3.12", "V"))))),
    ),
    "a charge and something later, in a block": (
        Group((_up(),), stop_when=(_end(Joined("and", (PASSED, _above("voltage", "3.12", "V")))),)),
    ),
    # Sums of both directions, whose difference was not quite zero.
    "no charge at all in a block": (
        _up(seconds="2"),
        Step("constant_current", "current", Number("-10", "mA"), Number("1", "s")),
        Group((_up(),), stop_when=(_end(_above("charge", "0", "mC")),)),
    ),
    # One repeat, whatever is beside it: a break leaves all of it.
    "break out of a ladder with times": (
        Repeat((_up(seconds="1"), Jump("break")), 2, (("x", (Number("1", "mA"), Number("2", "mA"))),)),
        Step("rest", duration=Number("1", "s")),
    ),
    "break by an end out of a ladder with times": (
        Repeat((_up(End(PASSED, Action("break"))),), 2, (("x", (Number("1", "mA"), Number("2", "mA"))),)),
        Step("rest", duration=Number("1", "s")),
    ),
    # A difference of two readings, at equality.
    "as far above the lowest": (_up(_end(_above("voltage_rise", "30", "mV"))),),
}


@pytest.mark.parametrize("method", REGRESSIONS.values(), ids=REGRESSIONS.keys())
def test_a_recipe_that_once_did_something_else_does_what_the_reference_says(
    laboratory: Laboratory, method: tuple[Item, ...]
):
    _check(laboratory, Recipe(method), 3.0)
