"""Arithmetic in recipes: exact where it is known beforehand, the same number where the run works it out."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from galvanode.recipe.formula import MAX_DEPTH, evaluate
from galvanode.recipe.language.arithmetic import Kind, Term, kind_of, known, quantity_of, work_out
from galvanode.recipe.language.expression import DEEPEST, Apply, Bare, Name, Node, Written, depth, parse, show
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL
from galvanode.recipe.operand import Formula, Operand, Variable
from galvanode.units import DIMENSIONS, Quantity, dimension_of, exponents, parse_exact

PLAIN = [name for name in DIMENSIONS if name not in ("temperature", "fraction")]
DUE = "a value"

numbers = st.integers(-2000, 2000).map(lambda n: f"{n / 100:.2f}".replace("-0.00", "0.00"))
names = st.sampled_from(["a", "b", "step", "cell.area"])


def written(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[Node]:
    return numbers.map(Written)


def binary(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    pairs = st.tuples(children, children)
    return st.one_of(
        st.builds(Apply, st.sampled_from(["+", "-", "*", "/"]), pairs),
        st.builds(Apply, st.sampled_from(["min", "max"]), st.lists(children, min_size=2, max_size=3).map(tuple)),
        st.builds(Apply, st.just("abs"), st.tuples(children)),
        # The negative of a number is the number with its sign.
        children.filter(lambda node: not isinstance(node, Written)).map(lambda node: Apply("neg", (node,))),
    )


trees = st.recursive(written(numbers), binary, max_leaves=8)
units = st.sampled_from(["V", "mV", "mA/cm^2", "ohm cm^2", "degC", "%", "C", "mAh/g", "V vs Li+/Li"])
any_leaf = st.one_of(
    written(st.builds("{} {}".format, numbers, units)), names.map(Name), st.sampled_from(["charge", "dV/dt"]).map(Bare)
)
any_tree = st.recursive(any_leaf, binary, max_leaves=8)


def nothing(name: str) -> Term:
    raise AssertionError(name)


def folded(text: str) -> Term:
    return work_out(parse(text, DUE), nothing, nothing)


def by_hand(node: Node) -> Fraction:
    if isinstance(node, Written):
        return Fraction(node.text)
    assert isinstance(node, Apply)
    parts = [by_hand(part) for part in node.of]
    match node.op:
        case "+":
            return parts[0] + parts[1]
        case "-":
            return parts[0] - parts[1]
        case "*":
            return parts[0] * parts[1]
        case "/":
            return parts[0] / parts[1]
        case "neg":
            return -parts[0]
        case "abs":
            return abs(parts[0])
        case "min":
            return min(parts)
        case _:
            return max(parts)


@given(trees)
def test_what_is_known_beforehand_is_worked_out_as_with_fractions(tree):
    assume(depth(tree) <= DEEPEST)
    try:
        expected = by_hand(tree)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="divides by zero"):
            folded(show(tree))
        return
    assume(abs(expected) < 10**20)
    assert folded(show(tree)).exact == expected


@given(any_tree)
@example(Apply("-", (Name("a"), Apply("-", (Name("b"), Written("-1 V"))))))
@example(Apply("neg", (Apply("neg", (Name("a"),)),)))
@example(Apply("/", (Name("a"), Apply("*", (Name("b"), Name("a"))))))
def test_what_is_shown_is_read_as_the_same(tree):
    assume(depth(tree) <= DEEPEST)
    assert parse(show(tree), DUE) == tree


@given(trees, st.sets(st.integers(0, 7)))
def test_the_run_works_out_the_same_number_as_the_compiler(tree, at_run_time):
    """The same tree, with some of its numbers known only while the recipe runs."""
    assume(depth(tree) <= DEEPEST)
    values: dict[str, float] = {}

    def hidden(node: Node) -> Node:
        if isinstance(node, Apply):
            return Apply(node.op, tuple(hidden(part) for part in node.of))
        name = f"v{len(values)}"
        values[name] = float(Fraction(node.text))
        return Name(name) if len(values) - 1 in at_run_time else node

    later = hidden(tree)

    def late(name: str) -> Term:
        return Term(kind_of(NUMBER), None, Variable(name=name))

    try:
        expected = by_hand(tree)
        number = work_out(later, late, nothing).number
    except (ZeroDivisionError, ValueError):
        return
    assert levels(number) <= MAX_DEPTH
    try:
        found = evaluate(number, values.__getitem__, lambda quantity: math.nan)
    except ValueError:  # what is 0 for fractions is nearly 0 for floats, and the other way round
        return
    scale = max(1.0, *(abs(float(leaf)) for leaf in leaves(tree))) ** 8
    assume(abs(expected) < 1e6 and scale < 1e12)
    assert math.isclose(found, float(expected), rel_tol=1e-6, abs_tol=1e-6 * scale)


def leaves(node: Node) -> list[Fraction]:
    if isinstance(node, Apply):
        return [leaf for part in node.of for leaf in leaves(part)]
    return [Fraction(node.text)]


def levels(operand: Operand) -> int:
    return 1 + max(map(levels, operand.of)) if isinstance(operand, Formula) else 1


@given(st.sampled_from(PLAIN), st.sampled_from(PLAIN), st.integers(1, 99), st.integers(1, 99))
def test_products_and_quotients_have_the_dimension_that_their_units_have(first, second, a, b):
    left, right = (f"{n} {DIMENSIONS[name].unit}" for n, name in ((a, first), (b, second)))
    x, y = parse_exact(left, first).exact, parse_exact(right, second).exact
    for op, sign, exact in (("*", 1, x * y), ("/", -1, x / y)):
        term = work_out(Apply(op, (Written(left), Written(right))), nothing, nothing)
        assert term.exact == exact
        assert term.kind.powers == tuple(p + sign * q for p, q in zip(exponents(first), exponents(second), strict=True))
        name = term.kind.dimension
        if name is not None and name != NUMBER:
            quantity = quantity_of(term)
            assert (quantity.exact, quantity.dimension) == (exact, name)
            assert parse_exact(quantity.text, name).si == pytest.approx(float(exact), rel=1e-8)


@given(st.sampled_from(PLAIN), st.sampled_from(PLAIN), st.sampled_from(["+", "-", "min", "max"]))
def test_only_what_has_the_same_dimension_is_added_or_compared(first, second, op):
    left, right = (Written(f"2 {DIMENSIONS[name].unit}") for name in (first, second))
    if first == second:
        assert work_out(Apply(op, (left, right)), nothing, nothing).kind.dimension == first
    else:
        with pytest.raises(ValueError, match=r"expected (the same|one) dimension"):
            work_out(Apply(op, (left, right)), nothing, nothing)


def test_every_dimension_is_known_by_its_exponents():
    for name in DIMENSIONS:
        assert dimension_of(exponents(name)) == name


@pytest.mark.parametrize(
    ("text", "exact", "dimension"),
    [
        ("2 mAh / 2 h", Fraction(1, 1000), "current"),
        ("0.1 mA/cm^2 * 0.5 cm^2", Fraction(5, 100_000), "current"),
        ("3 V / 1 kohm", Fraction(3, 1000), "current"),
        ("4.2 V * 1 mA", Fraction(42, 10_000), "power"),
        ("10 mg * 150 mAh/g", Fraction(54, 10), "charge"),
        ("10 mg * 100 mA/g", Fraction(1, 1000), "current"),
        ("30 % * 10 h", Fraction(10_800), "time"),
        ("1 - 20 %", Fraction(4, 5), NUMBER),
        ("sqrt(4 V * 9 V)", Fraction(6), "voltage"),
        ("abs(-3 mV)", Fraction(3, 1000), "voltage"),
        ("min(3 h, 100 min, 2 h)", Fraction(6000), "time"),
        ("60 degC - 25 degC", Fraction(35), "temperature"),
        ("25 degC + 35 K", Fraction(33_315, 100), "temperature"),
        ("max(25 degC, 300 K)", Fraction(300), "temperature"),
        ("-10 degC", Fraction(26_315, 100), "temperature"),
        ("4.22 V vs Li+/Li - 0.1 V", Fraction(412, 100), POTENTIAL),
        ("4.2 V vs Li+/Li - 4 V vs Li+/Li", Fraction(1, 5), "voltage"),
        ("0.2C * 2", Fraction(2, 5), C_RATE),
        ("1C / 0.25C", Fraction(4), NUMBER),
        ("C/10 + C/10", Fraction(1, 5), C_RATE),
        ("-C/10", Fraction(-1, 10), C_RATE),
        ("2 V*min(3, 4)", Fraction(6), "voltage"),
        ("5 V-3 V", Fraction(2), "voltage"),
        ("1e-3 A × 2", Fraction(2, 1000), "current"),
    ],
)
def test_arithmetic_with_units(text, exact, dimension):
    term = folded(text)
    assert (term.exact, term.kind.dimension) == (exact, dimension)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("25 degC + 10 degC", "expected a difference in K to be added"),
        ("2 * 25 degC", "a point on a scale"),
        ("1 K - 25 degC", "expected it the other way round"),
        ("1 V - 4 V vs Li+/Li", "expected it the other way round"),
        ("abs(4 V vs Li+/Li)", "expected a plain quantity"),
        ("min(4 V, 4 V vs Li+/Li)", "expected one dimension"),
        ("1C * 1 h", "expected a number beside it"),
        ("2 / 1C", "expected a number beside it"),
        ("1C + 1 mA", "expected the same dimension"),
        ("1C + 1", "expected the same dimension"),
        ("sqrt(2 V)", "has no unit"),
        ("sqrt(0 - 1)", "negative number"),
        ("1 / (2 - 2)", "divides by zero"),
        ("1e29 * 100", "too large to be meant"),
        ("1e-29 / 100", "too small to be meant"),
        ("abs(1, 2)", "expected one"),
        ("max(1)", "expected two or more"),
    ],
)
def test_arithmetic_that_makes_no_sense(text, why):
    with pytest.raises(ValueError, match=why):
        folded(text)


def test_a_square_root_is_exact_where_there_is_one():
    assert folded("sqrt(0.0625)").exact == Fraction(1, 4)
    assert float(folded("sqrt(2)").exact) == math.sqrt(2)


@given(st.sampled_from([*DIMENSIONS, POTENTIAL, C_RATE, NUMBER]))
def test_a_quantity_is_written_the_way_it_is_read(dimension):
    text = {NUMBER: "2.5", POTENTIAL: "2.5 V vs Li+/Li", C_RATE: "2.5C"}.get(dimension)
    if text is None:
        text = "2.5 degC" if dimension == "temperature" else f"2.5 {DIMENSIONS[dimension].unit or '%'}"
    term = folded(text)
    shown = quantity_of(term)
    again = folded(shown.text)
    assert again.kind == term.kind
    assert float(again.exact) == pytest.approx(float(term.exact), rel=1e-8)


def test_a_difference_of_temperatures_is_written_in_kelvin():
    assert quantity_of(folded("60 degC - 25 degC")).text == "35 K"
    assert quantity_of(folded("25 degC + 35 K")).text == "60 degC"


def test_a_kind_without_a_name_says_so():
    assert Kind(tuple(2 * power for power in exponents("current"))).dimension is None
    with pytest.raises(ValueError, match="no name here"):
        quantity_of(folded("1 A * 1 A"))


def test_what_is_deep_or_long_is_refused():
    with pytest.raises(ValueError, match="nested more than"):
        parse("abs(" * DEEPEST + "1" + ")" * DEEPEST, DUE)
    with pytest.raises(ValueError, match="longer than 500 characters"):
        parse("1" + " + 1" * 200, DUE)
    assert parse("(" * 100 + "1" + ")" * 100, DUE) == Written("1")


@given(st.text(alphabet="$abc_ 0123456789.+-*/()<>=,%VmAhCoverand\n\t'\"", max_size=60))
def test_no_text_does_more_than_be_refused(text):
    try:
        node = parse(text, DUE)
    except ValueError as problem:
        assert str(problem).startswith("is ")  # noqa: PT017
    else:
        assert parse(show(node), DUE) == node


def test_a_quantity_known_beforehand_keeps_its_value():
    assert known(Quantity(Fraction(0), "voltage", "0 V")).number == 0.0
