"""JSON is read strictly, every fault with its line and column."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from galvanode.errors import InvalidInput
from galvanode.exchange.json_text import parse_json

# (text, line, column, part of the message)
BAD = [
    ("", 1, 1, "the text ends"),
    ("  \n ", 2, 2, "the text ends"),
    ("{", 1, 2, "the end of the text"),
    ('{"a": 1', 1, 8, "',' or '}'"),
    ('{"a" 1}', 1, 6, "':'"),
    ("{a: 1}", 1, 2, "double quotes"),
    ('{"a": 1,}', 1, 9, "double quotes"),
    ("[1, 2,]", 1, 7, "']'"),
    ('{"a": 1, "a": 2}', 1, 10, "'a' is there twice (first on line 1)"),
    ('{"a":\n NaN}', 2, 2, "NaN is not a finite number"),
    ('{"a": Infinity}', 1, 7, "not a finite number"),
    ('{"a": -Infinity}', 1, 7, "not a finite number"),
    ('{"a": 1e999}', 1, 7, "too large"),
    ('{"a": -1e999}', 1, 7, "too large"),
    ('{"a": ' + "9" * 200 + "}", 1, 7, "a number of 200 characters"),
    ('{"a": 01}', 1, 8, "',' or '}'"),
    ('{"a": .5}', 1, 7, "'.'"),
    ('{"a": +5}', 1, 7, "'+'"),
    ('{"a": undefined}', 1, 7, "no JSON value"),
    ('{"a": "\n"}', 1, 8, "control character"),
    ('{"a": "x}', 1, 7, "unterminated string"),
    ('{"a": "\\ud800"}', 1, 7, "half a character"),
    ('{"a": 1} x', 1, 10, "after the end"),
    ("[" * 100_000, 1, 52, "nested more than 50 deep"),
    ('{"a":' * 100_000, 1, 256, "nested more than 50 deep"),
    ("[" + "1," * 200_000 + "1]", 1, 200_000, "more than 100000 values"),
    ("// comment\n{}", 1, 1, "'/'"),
]


@pytest.mark.parametrize(("text", "line", "column", "part"), BAD, ids=[row[0][:16] or "empty" for row in BAD])
def test_a_fault_is_located(text: str, line: int, column: int, part: str):
    with pytest.raises(InvalidInput) as caught:
        parse_json(text, "p.json")
    assert part.lower() in caught.value.message.lower()
    assert (caught.value.source, caught.value.line, caught.value.column) == ("p.json", line, column)


def test_more_than_a_mebibyte_is_refused():
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        parse_json('"' + "x" * (1 << 20) + '"', "p.json")


def test_every_value_knows_its_place():
    document = parse_json('{"a": [1,\n  {"b": null}]}', "p.json")
    assert document.place(("a", 1, "b")) == (2, 9)
    assert document.place(("a", 1, "b"), key=True) == (2, 4)


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)  # fmt: skip


@given(values, st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_what_python_writes_is_read_as_it_was(value: object, ascii_only: bool, indent: int | str | None):
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only, indent=indent), "p.json").data == value


@given(st.text())
def test_any_other_text_is_read_or_refused(text: str):
    try:
        parse_json(text, "p.json")
    except InvalidInput as problem:
        if problem.line is None:
            raise
