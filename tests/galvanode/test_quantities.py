"""One entry a quantity: what follows from the table."""

import math
import re
from pathlib import Path

import pytest

import galvanode
from galvanode.quantities import BY_NAME, QUANTITIES, SAMPLED, Auxiliary, column_of
from galvanode.service.vocabulary import PATH, vocabulary
from galvanode.states import FINISHED, SHOWN, UNDER_WAY, ChannelState, RunState
from galvanode.store.records import Sample
from galvanode.store.schema import SAMPLE_SCHEMA, sample_schema


def test_names_words_and_labels_are_there_once():
    words = [word for quantity in QUANTITIES for word in quantity.words]
    labels = [quantity.column.label for quantity in SAMPLED if quantity.column is not None]
    for names in (list(BY_NAME), words, labels):
        assert len(names) == len(set(names))
    assert len(BY_NAME) == len(QUANTITIES)


def test_a_sample_has_the_fields_of_the_table_in_its_order():
    assert (*(quantity.name for quantity in SAMPLED), "auxiliary") == Sample._fields
    assert SAMPLE_SCHEMA.names == [column_of(quantity.name).label for quantity in SAMPLED]


def test_a_column_knows_its_unit():
    assert column_of("temperature").shown(298.15) == 25.0
    assert column_of("charged").shown(7200.0) == 2.0
    assert column_of("cycle").unit == "1"
    assert column_of("step_id").title == "Step ID"


def test_an_auxiliary_reading_is_a_column_and_a_quantity():
    surface = Auxiliary("t_surface", "temperature")
    assert surface.column.label == "Temperature t_surface / degC"
    assert surface.column.shown(273.15) == 0.0
    assert surface.quantity.words == {"t_surface": ("temperature",)}
    assert sample_schema((surface,)).names[-1] == "Temperature t_surface / degC"


@pytest.mark.parametrize("name", ["voltage", "capacity", "dV/dt", "", "2nd", "a b", "x" * 41])
def test_an_auxiliary_reading_takes_no_name_that_means_something(name):
    with pytest.raises(ValueError, match="no name for an auxiliary reading"):
        Auxiliary(name, "temperature")


def test_every_state_is_shown():
    assert set(SHOWN) == set(RunState.__args__) | set(ChannelState.__args__)
    assert FINISHED | UNDER_WAY | {"queued", "interrupted"} == set(RunState.__args__)
    assert not FINISHED & UNDER_WAY


def test_what_is_not_measured_is_no_number():
    class Nothing:
        def __init__(self) -> None:
            self.auxiliary = {"t_surface": math.nan}

    assert Auxiliary("t_surface", "temperature").quantity.now(Nothing()) is None


def test_the_pages_have_the_tables_as_they_are():
    assert PATH.read_text(encoding="utf-8") == vocabulary(), "run 'python -m galvanode.service.vocabulary'"


def test_states_and_labels_stand_in_no_other_file():
    ours = Path(galvanode.__file__).parent
    tables = {ours / "states.py", ours / "quantities.py", PATH}
    labels = [quantity.column.label for quantity in SAMPLED if quantity.column and quantity.column.unit != "1"]
    several = re.compile(r"[\"']completed[\"'][^\n]{0,40}[\"']stopped[\"']")
    prose = re.compile(r'""".*?"""', re.DOTALL)
    for path in {*ours.rglob("*.py"), *ours.rglob("*.js")} - tables:
        text = prose.sub("", path.read_text(encoding="utf-8"))
        assert not several.search(text), path
        assert not [label for label in labels if f'"{label}"' in text], path
