"""A limit that nothing on the channel measures is refused where it stands, before anything is sent."""

import pytest

from galvanode.cell import parse_cell
from galvanode.engine.admission import Offer
from galvanode.engine.sensing import refuse_unmeasured
from galvanode.errors import Refused
from galvanode.instrument.roles import Capabilities
from galvanode.quantities import Auxiliary
from galvanode.recipe import compile_recipe, parse_recipe

PLAIN = """name: R
area: 1 cm^2
electrolyte_thickness: 1 mm
temperature: 25 degC
stack_pressure: unknown
envelope:
  voltage: {min: -5 V, max: 5 V}
  current: {max: 500 mA}
"""
WATCHED = PLAIN + "  temperature: {min: 10 degC, max: 60 degC}\n"


def offer(*auxiliaries: Auxiliary, chamber: bool = False) -> Offer:
    said = Capabilities(frozenset({"rest", "current", "voltage"}), (-10, 10), (-1, 1), 0.01, auxiliaries=auxiliaries)
    return Offer(said, None, chamber)


def admitted(recipe: str, cell: str, there: Offer) -> None:
    text = f"version: 2\ntitle: t\n{recipe}"
    program = compile_recipe(parse_recipe(text, "r.yaml"), parse_cell(cell, "c.yaml"))
    refuse_unmeasured(program, there, ("r.yaml", text), ("c.yaml", cell))


REST = "method: [rest: {for: 1 s}]\n"


def test_the_cells_own_limit_of_temperature_is_refused_with_its_line():
    with pytest.raises(Refused, match="the cell's envelope limits the temperature, and the channel has no sensor"):
        admitted(REST, WATCHED, offer())
    with pytest.raises(Refused, match=r"^c\.yaml:9: "):
        admitted(REST, WATCHED, offer())
    admitted(REST, WATCHED, offer(chamber=True))
    admitted(REST, PLAIN, offer())


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ("safety: {temperature: {max: 50 degC}}\n" + REST, 3),
        ("method:\n  - rest: {for: 1 s}\n  - rest: {for: 1 s, safety: {temperature: {min: 0 degC}}}\n", 5),
    ],
)
def test_a_recipes_limit_of_temperature_is_refused_with_its_line(recipe: str, line: int):
    with pytest.raises(Refused, match=rf"^r\.yaml:{line}: 'safety' limits the temperature"):
        admitted(recipe, PLAIN, offer())
    admitted(recipe, PLAIN, offer(chamber=True))


@pytest.mark.parametrize(
    ("method", "line", "said"),
    [
        ("  - rest: {until: temperature >= 40 degC}\n", 4, "temperature >= 40 degC"),
        ("  - rest: {until: time >= 1 h and dT/dt <= 1 K/h}\n", 4, "time >= 1 h and dT/dt <= 1 K/h"),
        ("  - group: [rest: {for: 1 h}]\n    stop_when: temperature >= 40 degC\n", 4, "temperature >= 40 degC"),
        ("  - rest: {for: 1 s}\n  - if: temperature >= 40 degC\n    then: [end]\n", 5, "temperature >= 40 degC"),
        ("  - rest: {for: 1 s}\n  - set: {warm: temperature}\n", 5, "warm: temperature"),
    ],
)
def test_what_asks_for_the_temperature_is_refused_where_nothing_measures_it(method: str, line: int, said: str):
    with pytest.raises(Refused) as refused:
        admitted("method:\n" + method, PLAIN, offer())
    assert str(refused.value).startswith(f"r.yaml:{line}: '{said}' is about the temperature, and the channel has no")
    admitted("method:\n" + method, PLAIN, offer(chamber=True))


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        ("safety: {auxiliary: {t_surface: {max: 50 degC}}}\n" + REST, 3),
        ("method: [rest: {until: auxiliary.t_surface >= 50 degC}]\n", 3),
        ("method:\n  - rest: {for: 1 s}\n  - rest: {for: 1 s, safety: {auxiliary: {t_surface: {max: 50 degC}}}}\n", 5),
        ("method:\n  - group: [rest: {for: 1 h}]\n    stop_when: auxiliary.t_surface >= 50 degC\n", 4),
    ],
)
def test_an_auxiliary_reading_that_the_channel_has_not_is_refused_with_its_line_and_what_it_has(recipe: str, line: int):
    there = offer(Auxiliary("v_reference", "voltage"))
    with pytest.raises(
        Refused, match=rf"^r\.yaml:{line}: .*'t_surface', a temperature such as .*; the channel reads v_reference"
    ):
        admitted(recipe, PLAIN, there)
    with pytest.raises(Refused, match="nothing beside voltage and current"):
        admitted(recipe, PLAIN, offer())
    with pytest.raises(Refused, match="t_surface"):
        admitted(recipe, PLAIN, offer(Auxiliary("t_surface", "voltage")))
    admitted(recipe, PLAIN, offer(Auxiliary("t_surface", "temperature")))
