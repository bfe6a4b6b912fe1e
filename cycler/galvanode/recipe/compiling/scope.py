"""What names stand for at one place of a recipe: parameters, ladders' variables, what the run sets, the cell."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from galvanode.document import did_you_mean, found
from galvanode.recipe.language.arithmetic import Kind, Term, kind_of, known, quantity_of, work_out
from galvanode.recipe.language.expression import Bare, Name, Node, walk
from galvanode.recipe.language.known import MEASURED
from galvanode.recipe.language.terminals import Terminals
from galvanode.recipe.language.values import (
    NUMBER,
    POTENTIAL,
    Expression,
    Reference,
    Value,
    expected_words,
    show_dimension,
)
from galvanode.recipe.operand import NOMINAL_CAPACITY, OPEN_CIRCUIT, Formula, Operand, Result, Variable
from galvanode.units import Quantity

MOST_COMBINED = 10_000
"""Values of a ladder, or of ladders inside one another, that arithmetic with them is looked at one by one."""
CELL = "cell"
"""What stands before the dot in ``$cell.area``."""


@dataclass(frozen=True)
class Rungs:
    """What takes one value after the other: a ladder's variable, or arithmetic with some."""

    dimension: str
    values: tuple[Quantity, ...]
    """Exact; of a variable in turn, of arithmetic over several ladders every one that may occur."""
    operand: Operand
    """What the program looks up, in SI of the dimension."""
    loop: int = 0
    """Variables of the same ladder change together."""


@dataclass(frozen=True)
class Late:
    """What only the run can tell."""

    kind: Kind
    operand: Operand
    """In SI; of a potential, against Li+/Li."""

    @property
    def dimension(self) -> str:
        """Its name. Raises ``ValueError`` where it has none."""
        name = self.kind.dimension
        if name is None:
            raise ValueError("has a dimension that has no name here")
        return name


Found = Quantity | Rungs | Late
_Bare = Callable[[str], Term]


@dataclass(frozen=True)
class Scope:
    """Names that are known at one place of a recipe."""

    parameters: Mapping[str, Quantity]
    terminals: Terminals
    ladders: Mapping[str, Rungs] = field(default_factory=dict[str, Rungs])
    late: Mapping[str, Late] = field(default_factory=dict[str, Late])
    """Variables that are set while the recipe runs, as far as the text above has set them."""
    counting: bool = False
    """1C is a variable: the program sets the nominal capacity."""
    prefix: str = ""
    """Of the names of this recipe's variables in the program: ``formation.`` inside a call."""

    def taken(self, name: str) -> str | None:
        """Return what a name stands for already, for people; None if it is free."""
        if name in (OPEN_CIRCUIT, CELL):
            return "the rest voltage of the cell" if name == OPEN_CIRCUIT else "the cell under test"
        if name in self.ladders:
            return "already a ladder's variable"
        if name in self.late or name == NOMINAL_CAPACITY:
            return "already a variable" if name in self.late else "what 1C is the capacity of"
        return "already a parameter" if name in self.parameters else None

    def inside(self, ladders: Mapping[str, Rungs]) -> Scope:
        """Return the scope inside a ladder."""
        return replace(self, ladders={**self.ladders, **ladders})

    def fixed(self, value: Value, *dimensions: str) -> Quantity:
        """Return the quantity that a value is, whatever turn a loop is in and whatever is measured.

        As ``look_up``; raises ``ValueError`` for what a ladder varies or the run sets, too.
        """
        found = self.look_up(value, *dimensions)
        if isinstance(found, Quantity):
            return found
        how = "a ladder varies" if isinstance(found, Rungs) else "is only known while the recipe runs"
        said = f"is '{value.text}', which {how}; expected a value that stays the same"
        raise ValueError(said)

    def look_up(self, value: Value, *dimensions: str, open_circuit: bool = False) -> Found:
        """Return what a value is, what it becomes turn by turn, or what the run will make of it.

        Where a potential against Li+/Li is accepted it comes as the voltage at the terminals. Without dimensions
        any is accepted, as it stands. With ``open_circuit`` that may be a part of arithmetic. Raises ``ValueError``
        for an unknown name, for arithmetic that makes no sense, and for another dimension.
        """
        return self._due(self._found(value, _open_circuit if open_circuit else _no_measurement), value, dimensions)

    def measured(self, value: Value, *dimensions: str) -> Found:
        """Return what a value is where a bare name stands for what was measured in the step that has ended.

        As ``look_up``. For ``set`` and ``if``.
        """
        return self._due(self._found(value, self._result), value, dimensions)

    def _due(self, found: Found, value: Value, dimensions: tuple[str, ...]) -> Found:
        if not dimensions:
            return found
        dimension = found.kind.dimension if isinstance(found, Late) else found.dimension
        if dimension == NUMBER and NUMBER not in dimensions and "fraction" in dimensions:
            found, dimension = _as_fraction(found), "fraction"
        if dimension not in dimensions:
            words = "of a dimension that has no name here" if dimension is None else show_dimension(dimension)
            what = "" if isinstance(value, Quantity) else f", {words}"
            raise ValueError(f"is '{value.text}'{what}; expected {expected_words(dimensions[0])}")
        return self.at_terminals(found) if dimension == POTENTIAL else found

    def at_terminals(self, found: Found) -> Found:
        """Return a potential as the voltage at the terminals, and anything else as it is. Raises ``ValueError``."""
        if isinstance(found, Quantity):
            return self.terminals.voltage(found)
        if (found.kind.point if isinstance(found, Late) else found.dimension) != POTENTIAL:
            return found
        offset = -float(self.terminals.offset)
        moved = found.operand if offset == 0 else Formula(op="+", of=(found.operand, offset))
        if isinstance(found, Late):
            return Late(kind_of("voltage"), moved)
        return Rungs("voltage", tuple(self.terminals.voltage(value) for value in found.values), moved, found.loop)

    def _found(self, value: Value, bare: _Bare) -> Found:
        if isinstance(value, Quantity):
            return value
        if isinstance(value, Reference):
            return self._named(value.name)
        return self._worked_out(value, bare)

    def _named(self, name: str) -> Found:
        found = self.late.get(name) or self.ladders.get(name) or self.parameters.get(name) or self._of_cell(name)
        if found is None:
            raise ValueError(f"is '${name}', which {self._unknown(name)}")
        return found

    def _of_cell(self, name: str) -> Quantity | None:
        before, dot, of_cell = name.partition(".")
        return self.terminals.cell.get(of_cell) if dot and before == CELL else None

    def _unknown(self, name: str) -> str:
        before, dot, of_cell = name.partition(".")
        if dot and before == CELL:
            return self.terminals.unknown(of_cell)
        known = sorted({*self.parameters, *self.ladders, *self.late})
        if name == NOMINAL_CAPACITY:
            return f"is not set; expected '$cell.{NOMINAL_CAPACITY}', or 'set: {{{NOMINAL_CAPACITY}: charge}}' before"
        hint = did_you_mean(name, known) if known else ""
        return f"is no parameter and no ladder's variable{hint}"

    def _worked_out(self, value: Expression, bare: _Bare) -> Found:
        names = dict.fromkeys(node.name for node in walk(value.node) if isinstance(node, Name))
        found = {name: self._named_in(name, value) for name in names}
        ladders = {name: one for name, one in found.items() if isinstance(one, Rungs)}
        term = _term(value.node, value.text, {name: _as_term(one) for name, one in found.items()}, bare)
        if term.exact is not None:
            return _quantity(term, value.text)
        operand = term.number
        if not ladders or any(isinstance(one, Late) for one in found.values()) or _is_measured(value.node):
            return Late(term.kind, operand)
        values = _combined(value, found, ladders, bare)
        if values is None:
            return Late(term.kind, operand)
        return Rungs(values[0].dimension, values, operand)

    def _named_in(self, name: str, value: Expression) -> Found:
        try:
            return self._named(name)
        except ValueError:
            raise ValueError(f"is {found(value.text)}, where '${name}' {self._unknown(name)}") from None

    def _result(self, name: str) -> Term:
        """Return what was measured in the step, or the turn, that has ended last."""
        measured = MEASURED.get(name)
        if measured is None:
            hint = did_you_mean(name, MEASURED)
            if "did you mean" in hint:
                raise ValueError(f"takes '{name[:40]}', which is not measured{hint}")
            return _no_measurement(name)
        if measured.is_slope:
            raise ValueError(f"takes '{name}', and there is one only inside a step: use it in 'until'")
        factor = 1.0 / self.terminals.factor(measured.dimensions[0])
        return Term(kind_of(measured.dimensions[0]), None, Result(quantity=measured.quantity, factor=factor))


def _open_circuit(name: str) -> Term:
    if name == OPEN_CIRCUIT:
        return Term(kind_of("voltage"), None, Variable(name=OPEN_CIRCUIT))
    return _no_measurement(name)


def _no_measurement(name: str) -> Term:
    if name in MEASURED:
        raise ValueError(f"takes '{name}' of a step that is over; 'set: {{x: {name}}}' after that step, and '$x' here")
    if name == OPEN_CIRCUIT:
        raise ValueError(f"takes '{OPEN_CIRCUIT}', which there is only where a step takes a voltage")
    raise ValueError(f"has '{name[:40]}' in it; expected a number with a unit, such as '30 min', or '$' and a name")


def _is_measured(node: Node) -> bool:
    return any(isinstance(part, Bare) for part in walk(node))


def _as_term(found: Found) -> Term:
    if isinstance(found, Quantity):
        return known(found)
    if isinstance(found, Late):
        return Term(found.kind, None, found.operand)
    return Term(kind_of(found.dimension, found.values[0].text), None, found.operand)


def _term(node: Node, text: str, names: Mapping[str, Term], bare: _Bare) -> Term:
    try:
        return work_out(node, names.__getitem__, bare)
    except ValueError as problem:
        raise ValueError(f"is {found(text)}, which {problem}") from None


def _quantity(term: Term, text: str) -> Quantity:
    try:
        return quantity_of(term)
    except ValueError as problem:
        raise ValueError(f"is {found(text)}, which {problem}") from None


def _combined(
    value: Expression, found_: Mapping[str, Found], ladders: Mapping[str, Rungs], bare: _Bare
) -> tuple[Quantity, ...] | None:
    """Return every value that arithmetic with ladders' variables comes to; None for too many to look at."""
    loops: dict[int, list[str]] = {}
    for name, rungs in ladders.items():
        loops.setdefault(rungs.loop, []).append(name)
    turns = [range(len(ladders[names[0]].values)) for names in loops.values()]
    if _product(len(turn) for turn in turns) > MOST_COMBINED:
        return None
    terms = {name: _as_term(one) for name, one in found_.items()}
    values: list[Quantity] = []
    for combination in itertools.product(*turns):
        for turn, names in zip(combination, loops.values(), strict=True):
            terms.update({name: known(ladders[name].values[turn]) for name in names})
        values.append(_quantity(_term(value.node, value.text, terms, bare), value.text))
    return tuple(values)


def _product(numbers: Iterable[int]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product


def _as_fraction(found: Found) -> Found:
    if isinstance(found, Late):
        return Late(kind_of("fraction"), found.operand)
    return found._replace(dimension="fraction") if isinstance(found, Quantity) else replace(found, dimension="fraction")
