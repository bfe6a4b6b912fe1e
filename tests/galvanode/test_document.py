import contextlib
import time

import pytest
from pydantic import BaseModel, ConfigDict, Field

from galvanode.document import parse_document, place_of, read_document, validate
from galvanode.errors import InvalidInput


def refusal(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_document(text, "f.yaml")
    return caught.value


def test_every_key_and_value_knows_its_line_and_column():
    document = parse_document("a: 1\nb:\n  - c: {d: x}\n", "f.yaml")
    assert document.data == {"a": 1, "b": [{"c": {"d": "x"}}]}
    assert document.place(("b", 0, "c", "d")) == (3, 12)
    assert document.place(("b", 0, "c", "d"), key=True) == (3, 9)
    assert document.place(("b", 0, "c", "absent", "deeper")) == (3, 8)
    assert document.place(()) == (1, 1)
    assert str(document.error(("a",), "is odd")) == "f.yaml:1:4: is odd"


def test_words_are_read_as_yaml_1_2_says():
    text = "[yes, on, 12:30, 2020-01-01, 1_000, 017, 0o17, 0x1F, 1e3, .5, -5, ~, null, true, 'true', '5', +.5e1]"
    expected = ["yes", "on", "12:30", "2020-01-01", "1_000", 17, 15, 31, 1000.0, 0.5, -5]
    assert parse_document(text, "f").data == [*expected, None, None, True, "true", "5", 5.0]


def test_an_empty_value_is_placed_at_its_key():
    document = parse_document("a:\n\n\nb: 1\n", "f")
    assert document.data == {"a": None, "b": 1}
    assert document.place(("a",)) == (1, 1)


def test_byte_order_mark_and_windows_line_ends_are_no_obstacle(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_document(path).data == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "line", "column", "fragment"),
    [
        ("", 1, 1, "empty"),
        ("# only a comment\n", 1, 1, "empty"),
        ("---\n...\n", 1, 1, "empty"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab"),
        ("a:\n  \tb: 2\n", 2, 3, "a tab"),
        ("a:\t1\n", 1, 3, "a tab"),
        ("a: b\tc\n", 1, 5, "a tab"),
        ("a: [1, 2\n", 2, 1, "expected ',' or ']'"),
        ("a: {b: 1\nc: 2\n", 2, 2, "expected ',' or '}', but got ':': the '{' of line 1, column 4 is not closed"),
        ("a: b: c\n", 1, 5, "':' where none may be"),
        ("a: 1\n b: 2\n", 2, 3, "':' where none may be"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "indentation"),
        ("a: 'x\n", 2, 1, "unexpected end"),
        ("a: %x\n", 1, 4, "quotes"),
        ("a: 1\na: 2\n", 2, 1, "'a' is there twice (first on line 1)"),
        ("a: {b: 1, b: 2}\n", 1, 11, "'b' is there twice"),
        ("a: &x 1\nb: *x\n", 1, 4, "an anchor"),
        ("b: *x\n", 1, 4, "an alias"),
        ("a: !!python/object:os.system x\n", 1, 4, "a tag"),
        ("a: !!str 5\n", 1, 4, "a tag"),
        ("a: !mine 5\n", 1, 4, "a tag"),
        ("a: {<<: {b: 1}}\n", 1, 5, "merge key"),
        ("? [a]\n: 1\n", 1, 3, "a key that is not plain text"),
        (": 1\n", 1, 1, "an empty key"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second YAML document"),
        ("%YAML 1.1\n---\na: 1\n", 2, 1, "directive"),
        ("a: .inf\n", 1, 4, ".inf is not a finite number"),
        ("a: .NaN\n", 1, 4, ".NaN is not a finite number"),
        ("a: 1e999\n", 1, 4, "too large"),
        ("a: " + "9" * 5000 + "\n", 1, 4, "5000 characters"),
        ("a: 0x" + "f" * 500 + "\n", 1, 4, "characters"),
        ("a: x\x00y\n", 1, 5, "U+0000"),
        ("a: x\u2028y\n", 1, 5, "U+2028"),
        ("a: \ud800\n", 1, 4, "U+D800"),
        ("[" * 200, 1, 52, "nested more than 50 deep"),
        ("{a: " * 200, 1, 205, "nested more than 50 deep"),
    ],
)
def test_what_no_file_of_ours_needs_is_refused_with_its_place(text, line, column, fragment):
    error = refusal(text)
    assert (error.source, error.line, error.column) == ("f.yaml", line, column)
    assert fragment in error.message
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [*k{n - 1}, *k{n - 1}]\n" for n in range(1, 30)),
        "[" * 500_000,
        "- " * 400_000,
        "{a: " * 200_000,
        '"' * 500_000,
        "? " * 400_000,
        "- 1\n" * 250_000,
        "a: " + "x" * 900_000,
        "x" * (1 << 20) + "x",
        "&" * 500_000,
        "%" * 500_000,
    ],
    ids=["laughs", "lists", "dashes", "maps", "quotes", "keys", "nodes", "scalar", "size", "and", "percent"],
)
def test_a_yaml_bomb_costs_little(text):
    began = time.process_time()
    with contextlib.suppress(InvalidInput):
        parse_document(text, "bomb")
    assert time.process_time() - began < 8


@pytest.mark.parametrize("text", ["&" + "a" * 5000, "!" + "a" * 5000 + " x", "a: *" + "b" * 5000, "%" * 5000])
def test_a_message_stays_one_short_line(text):
    assert len(str(refusal(text))) < 200


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"absent\.yaml: cannot be read"):
        read_document(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(InvalidInput, match=r"latin.yaml:2:7: is not UTF-8"):
        read_document(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(InvalidInput, match="larger than 1 MiB"):
        read_document(tmp_path / "large.yaml")


class Link(BaseModel):
    model_config = ConfigDict(extra="forbid")
    port: int = Field(gt=0)
    name: str = ""
    fast: bool = False


class Bench(BaseModel):
    model_config = ConfigDict(extra="forbid")
    title: str
    links: dict[str, Link] = {}
    order: list[str] = []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("titel: x\n", "f:1:1: unknown key 'titel'; did you mean 'title'?"),
        ("order: []\n", "f:1:1: 'title' is missing"),
        ("- title\n", "f:1:1: the file is a list; expected a mapping ('key: value')"),
        ("title: x\nlinks: [a]\n", "f:2:8: 'links' is a list; expected a mapping ('key: value')"),
        ("title: x\nlinks: {a: 3}\n", "f:2:12: 'links.a' is 3; expected a mapping ('key: value')"),
        (
            "title: x\nlinks: {a: {prt: 3}}\n",
            "f:2:13: unknown key 'prt' in 'links.a'; did you mean 'port'?",
        ),
        ("title: x\nlinks: {a: {}}\n", "f:2:12: 'port' is missing in 'links.a'"),
        ("title: x\nlinks: {a: {port: -1}}\n", "f:2:19: 'a.port' is -1; expected a value greater than 0"),
        ("title: x\nlinks: {a: {port: x}}\n", "f:2:19: 'a.port' is 'x'; expected a whole number"),
        (
            "title: x\nlinks: {a: {port: 1, fast: maybe}}\n",
            "f:2:28: 'a.fast' is 'maybe'; expected true or false",
        ),
        ("title: 5\n", "f:1:8: 'title' is 5; expected text, such as '5' in quotes"),
        ("title:\n", "f:1:1: 'title' is empty; expected text"),
        ("title: x\norder: x\n", "f:2:8: 'order' is 'x'; expected a list ('- ...')"),
        ("title: x\norder: [a, 5]\n", "f:2:12: 'order' is 5; expected text, such as '5' in quotes"),
    ],
)
def test_a_model_says_what_was_found_and_what_was_expected(text, expected):
    with pytest.raises(InvalidInput) as caught:
        validate(parse_document(text, "f"), Bench)
    assert str(caught.value) == expected


def test_part_of_a_document_can_be_validated_at_its_own_place():
    document = parse_document("links:\n  a: {port: 1}\n  b: {prt: 2}\n", "f")
    assert validate(document, Link, at=("links", "a")).port == 1
    with pytest.raises(InvalidInput, match=r"f:3:7: unknown key 'prt' in 'links.b'; did you mean 'port'\?"):
        validate(document, Link, at=("links", "b"))


def test_a_validator_can_say_the_place_itself():
    class Pair(BaseModel):
        low: int
        high: int

        def model_post_init(self, _context: object) -> None:
            if self.low > self.high:
                raise place_of(("high",), "'high' is below 'low'")

    with pytest.raises(InvalidInput, match="f:2:7: 'high' is below 'low'"):
        validate(parse_document("low: 3\nhigh: 1\n", "f"), Pair)
