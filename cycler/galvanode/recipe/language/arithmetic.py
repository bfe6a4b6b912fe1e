"""Arithmetic on quantities: dimensions are checked, what is known beforehand is worked out exactly.

What is known only while the recipe runs becomes an ``Operand`` of the program. A potential against Li+/Li and a
temperature in degC are points on a scale: they can be moved by a difference and compared, not multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction as Exact
from typing import Literal, NamedTuple

from galvanode.recipe.language.expression import Apply, Bare, Name, Node, Operator, Written, show
from galvanode.recipe.language.values import C_RATE, NUMBER, POTENTIAL, read_any, show_dimension
from galvanode.recipe.operand import Formula, Operand, Result, Variable
from galvanode.units import Exponents, Quantity, dimension_of, exponents, format_quantity

_LARGEST = Exact(10) ** 30
"""In SI; beyond it, and below its inverse, a number is a slip of the keyboard."""


class Kind(NamedTuple):
    """What a number is a number of."""

    powers: Exponents
    point: Literal["", "potential", "temperature", "rate"] = ""
    """A potential against Li+/Li, a temperature that is not a difference, a C-rate; empty for a plain quantity."""

    @property
    def dimension(self) -> str | None:
        """Its name, as in ``galvanode.units.DIMENSIONS`` or ``values``; None for one that has no name."""
        if self.point:
            return {"potential": POTENTIAL, "temperature": "temperature", "rate": C_RATE}[self.point]
        return dimension_of(self.powers) if any(self.powers) else NUMBER

    @property
    def words(self) -> str:
        """For people: ``a voltage``."""
        name = self.dimension
        return "a quantity without a name" if name is None else show_dimension(name)


_PLAIN: Exponents = (0, 0, 0, 0, 0, 0)


class Term(NamedTuple):
    """A number of a kind: exact where it is known beforehand, an operand (SI) where not."""

    kind: Kind
    exact: Exact | None
    operand: Operand | None = None

    @property
    def number(self) -> Operand:
        """The operand that it is in a program."""
        if self.exact is not None:
            return float(self.exact)
        if self.operand is None:
            raise AssertionError("a term without a value")
        return self.operand


def kind_of(dimension: str, text: str = "") -> Kind:
    """Return the kind of a dimension; of a temperature written in K one that may be a difference, too."""
    if dimension == POTENTIAL:
        return Kind(exponents("voltage"), "potential")
    if dimension == C_RATE:
        return Kind(_PLAIN, "rate")
    if dimension == NUMBER:
        return Kind(_PLAIN)
    if dimension == "temperature" and not text.rstrip().endswith("K"):
        return Kind(exponents("temperature"), "temperature")
    return Kind(exponents(dimension))


def known(quantity: Quantity) -> Term:
    """Return the term of a quantity that is known beforehand."""
    return Term(kind_of(quantity.dimension, quantity.text), quantity.exact)


def quantity_of(term: Term) -> Quantity:
    """Return a term that is known beforehand as a quantity, written the way a person would. Raises ``ValueError``."""
    dimension, exact = term.kind.dimension, term.exact
    if dimension is None or exact is None:
        raise ValueError("has a dimension that has no name here")
    if dimension == NUMBER:
        text = f"{float(exact):.9g}"
    elif dimension == C_RATE:
        text = f"{float(exact):.9g}C"
    elif dimension == POTENTIAL:
        text = f"{format_quantity(float(exact), 'voltage')} vs Li+/Li"
    elif dimension == "temperature" and not term.kind.point:
        text = f"{float(exact):.9g} K"
    else:
        text = format_quantity(float(exact), dimension)
    return Quantity(exact, dimension, text)


def work_out(node: Node, name: Callable[[str], Term], bare: Callable[[str], Term]) -> Term:
    """Return what an expression comes to; ``name`` says what ``$name`` is, ``bare`` what a name without ``$`` is.

    Raises ``ValueError`` with words that go on from ``is '...', which``; passes on what the two raise.
    """
    if isinstance(node, Written):
        return known(read_any(node.text))
    if isinstance(node, Name):
        return name(node.name)
    if isinstance(node, Bare):
        return bare(node.name)
    if not isinstance(node, Apply):
        raise ValueError(f"has the condition '{show(node)}' where a value is due")  # noqa: TRY004
    terms = tuple(work_out(part, name, bare) for part in node.of)
    if node.op in ("abs", "sqrt") and len(terms) != 1:
        raise ValueError(f"gives '{node.op}' {len(terms)} values; expected one")
    if node.op in ("min", "max") and len(terms) < 2:
        raise ValueError(f"gives '{node.op}' one value; expected two or more")
    kind = _kind(node.op, tuple(term.kind for term in terms))
    exacts = [term.exact for term in terms if term.exact is not None]
    if len(exacts) == len(terms):
        return Term(kind, _bounded(_exactly(node.op, exacts)))
    if node.op == "/" and terms[-1].exact == 0:
        raise ValueError("divides by zero")
    return Term(kind, None, _operand(node.op, terms))


def _kind(op: Operator, kinds: tuple[Kind, ...]) -> Kind:
    """Return the kind of a result. Raises ``ValueError`` where the operator does not apply."""
    first = kinds[0]
    if op in ("+", "-"):
        return _sum(op, first, kinds[1])
    if op in ("min", "max"):
        return _one_kind(op, kinds)
    if op in ("*", "/"):
        return _product(op, first, kinds[1])
    if first.point and not (first.point == "rate" and op in ("neg", "abs")):
        raise ValueError(
            f"applies '{'-' if op == 'neg' else op}' to {first.words}; expected a plain quantity{_hint(first)}"
        )
    if op != "sqrt":
        return first
    if any(power % 2 for power in first.powers):
        raise ValueError(f"takes the square root of {first.words}, which has no unit")
    return Kind(tuple(power // 2 for power in first.powers))


def _hint(kind: Kind) -> str:
    return ", such as a temperature in K" if kind.point == "temperature" else ""


def _sum(op: str, left: Kind, right: Kind) -> Kind:
    if left.powers != right.powers or ("rate" in (left.point, right.point) and left.point != right.point):
        word, joined = ("adds", "and") if op == "+" else ("subtracts", "from")
        first, second = (left, right) if op == "+" else (right, left)
        raise ValueError(f"{word} {first.words} {joined} {second.words}; expected the same dimension on both sides")
    if not left.point or left.point == "rate":
        if right.point in ("potential", "temperature") and op == "-":
            raise ValueError(f"subtracts {right.words} from a difference; expected it the other way round")
        return right if right.point else left
    if not right.point:
        return left
    if op == "+":
        due = "a difference in K" if left.point == "temperature" else "a voltage"
        raise ValueError(f"adds {left.words} and another; expected {due} to be added")
    return Kind(left.powers)


def _one_kind(op: str, kinds: tuple[Kind, ...]) -> Kind:
    points = {kind.point for kind in kinds}
    # A temperature written in K is one on either scale.
    if len({kind.powers for kind in kinds}) > 1 or len(points - ({""} if "temperature" in points else set())) > 1:
        words = " and ".join(dict.fromkeys(kind.words for kind in kinds))
        raise ValueError(f"compares {words} in '{op}'; expected one dimension")
    return max(kinds, key=lambda kind: kind.point)


def _product(op: str, left: Kind, right: Kind) -> Kind:
    rates = [kind for kind in (left, right) if kind.point == "rate"]
    for kind in (left, right):
        if kind.point and kind.point != "rate":
            word = "multiplies" if op == "*" else "divides with"
            raise ValueError(f"{word} {kind.words}, a point on a scale; expected a plain quantity{_hint(kind)}")
    if rates:
        if len(rates) == 2 and op == "/":
            return Kind(_PLAIN)
        plain = right if left.point == "rate" else left
        if len(rates) == 1 and not any(plain.powers) and (op == "*" or left.point == "rate"):
            return rates[0]
        word = "multiplies" if op == "*" else "divides"
        raise ValueError(
            f"{word} {left.words} {'and' if op == '*' else 'by'} {right.words}; expected a number beside it"
        )
    sign = 1 if op == "*" else -1
    return Kind(tuple(a + sign * b for a, b in zip(left.powers, right.powers, strict=True)))


def _exactly(op: Operator, numbers: list[Exact]) -> Exact:
    first = numbers[0]
    match op:
        case "+":
            return first + numbers[1]
        case "-":
            return first - numbers[1]
        case "*":
            return first * numbers[1]
        case "/":
            if numbers[1] == 0:
                raise ValueError("divides by zero")
            return first / numbers[1]
        case "neg":
            return -first
        case "abs":
            return abs(first)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case "sqrt":
            return _root(first)


def _root(number: Exact) -> Exact:
    """Return the square root: exactly where there is one, else the nearest float's."""
    if number < 0:
        raise ValueError("takes the square root of a negative number")
    above, below = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if above * above == number.numerator and below * below == number.denominator:
        return Exact(above, below)
    return Exact(math.sqrt(number))


def _bounded(exact: Exact) -> Exact:
    if exact and not 1 / _LARGEST <= abs(exact) <= _LARGEST:
        raise ValueError(f"comes to a number too {'large' if abs(exact) > 1 else 'small'} to be meant")
    return exact


def _operand(op: Operator, terms: tuple[Term, ...]) -> Operand:
    first = terms[0]
    if op == "neg":
        return scaled(first.number, -1.0)
    if op == "*" and (first.exact is not None or terms[1].exact is not None):
        fixed, other = (first, terms[1]) if first.exact is not None else (terms[1], first)
        return scaled(other.number, float(fixed.exact or 0))
    return Formula(op=op, of=tuple(term.number for term in terms))


def scaled(operand: Operand, factor: float) -> Operand:
    """Return an operand times a factor."""
    if isinstance(operand, float):
        return operand * factor
    if isinstance(operand, (Variable, Result)):
        return operand.model_copy(update={"factor": operand.factor * factor})
    return operand if factor == 1.0 else Formula(op="*", of=(operand, factor))
