"""Equivalent circuits as text: ``R0-p(R1,CPE1)-CPE2`` becomes a function of frequency with its derivatives.

Elements in series are joined by ``-``, in parallel by ``p(...,...)``; an element is its kind and a number.
With s = j omega, omega = 2 pi f (Orazem and Tribollet, Electrochemical Impedance Spectroscopy, 2nd ed.):

====== ============================== ==========================================================================
kind   Z / ohm                        parameters
====== ============================== ==========================================================================
``R``  R                              ``R1`` (ohm)
``C``  1/(s C)                        ``C1`` (F)
``L``  s L                            ``L1`` (H)
``CPE``  1/(Q s^n)                    ``CPE1_Q`` (F s^(n-1)), ``CPE1_n`` (1), n up to 1
``W``  sigma (1 - j) / sqrt(omega)    ``W1`` (ohm s^-1/2): semi-infinite Warburg element
``Ws``  R tanh(sqrt(s tau))/sqrt(s tau)  ``Ws1_R`` (ohm), ``Ws1_tau`` (s): finite, the far end holds its concentration
``Wo``  R coth(sqrt(s tau))/sqrt(s tau)  ``Wo1_R`` (ohm), ``Wo1_tau`` (s): finite, the far end is closed
====== ============================== ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galvanode.analysis.model import Floats
from galvanode.errors import InvalidInput

if TYPE_CHECKING:
    from lark import Lark

Complexes = NDArray[np.complex128]
Derivatives = list[tuple[int, Complexes]]
"""Index of a parameter, and the derivative of Z with respect to it."""

MAX_TEXT = 200
MAX_ELEMENTS = 12
MAX_DEPTH = 6

_GRAMMAR = r"""
    start: series
    series: _item ("-" _item)*
    _item: element | parallel
    parallel: "p" "(" series ("," series)+ ")"
    element: /(CPE|Ws|Wo|W|R|C|L)[0-9]{1,3}/
    %ignore " "
"""


class Parameter(NamedTuple):
    """One number of a circuit."""

    name: str
    unit: str
    kind: str
    """Of its element."""
    role: Literal["scale", "exponent", "time"]
    """A scale is proportional to Z or to 1/Z, an exponent is the n of a CPE."""


class _Element(NamedTuple):
    """What a kind of element is: its parameters, Z and the derivatives of Z."""

    parameters: tuple[tuple[str, str, Literal["scale", "exponent", "time"]], ...]
    """Suffix, unit, role."""
    impedance: Callable[[Complexes, list[Any]], Complexes]
    """Of s and the parameters, which may be arrays that broadcast against s."""
    derivatives: Callable[[Complexes, list[Any]], list[Complexes]]


def _resistor(s: Complexes, p: list[Any]) -> Complexes:
    return p[0] + 0.0 * s


def _capacitor(s: Complexes, p: list[Any]) -> Complexes:
    return 1.0 / (s * p[0])


def _inductor(s: Complexes, p: list[Any]) -> Complexes:
    return s * p[0]


def _cpe(s: Complexes, p: list[Any]) -> Complexes:
    return 1.0 / (p[0] * s ** p[1])


def _cpe_derivatives(s: Complexes, p: list[Any]) -> list[Complexes]:
    z = _cpe(s, p)
    return [-z / p[0], -z * np.log(s)]


def _warburg(s: Complexes, p: list[Any]) -> Complexes:
    root: Complexes = np.sqrt(2.0 / s)  # (1 - j)/sqrt(omega)
    return p[0] * root


def _tanh(x: Complexes) -> Complexes:
    """Return tanh x for Re x >= 0; exp(-2x) never overflows."""
    e: Complexes = np.exp(-2.0 * x)
    return (1.0 - e) / (1.0 + e)


def _short(s: Complexes, p: list[Any]) -> Complexes:
    x = np.sqrt(s * p[1])
    return p[0] * _tanh(x) / x


def _short_derivatives(s: Complexes, p: list[Any]) -> list[Complexes]:
    x = np.sqrt(s * p[1])
    t = _tanh(x)
    # d/dtau = dZ/dx * x/(2 tau)
    return [t / x, p[0] * ((1.0 - t * t) - t / x) / (2.0 * p[1])]


def _open(s: Complexes, p: list[Any]) -> Complexes:
    x = np.sqrt(s * p[1])
    return p[0] / (x * _tanh(x))


def _open_derivatives(s: Complexes, p: list[Any]) -> list[Complexes]:
    x = np.sqrt(s * p[1])
    c = 1.0 / _tanh(x)
    return [c / x, p[0] * ((1.0 - c * c) - c / x) / (2.0 * p[1])]


_KINDS: dict[str, _Element] = {
    "R": _Element((("", "ohm", "scale"),), _resistor, lambda s, p: [np.ones_like(s)]),
    "C": _Element((("", "F", "scale"),), _capacitor, lambda s, p: [-1.0 / (s * p[0] ** 2)]),
    "L": _Element((("", "H", "scale"),), _inductor, lambda s, p: [s]),
    "CPE": _Element((("_Q", "F s^(n-1)", "scale"), ("_n", "1", "exponent")), _cpe, _cpe_derivatives),
    "W": _Element((("", "ohm s^-1/2", "scale"),), _warburg, lambda s, p: [np.sqrt(2.0 / s)]),
    "Ws": _Element((("_R", "ohm", "scale"), ("_tau", "s", "time")), _short, _short_derivatives),
    "Wo": _Element((("_R", "ohm", "scale"), ("_tau", "s", "time")), _open, _open_derivatives),
}


@dataclass(frozen=True)
class Leaf:
    """One element of a circuit."""

    name: str
    kind: str
    first: int
    """Index of its first parameter."""


@dataclass(frozen=True)
class Branch:
    """Elements and branches in series or in parallel."""

    how: Literal["series", "parallel"]
    parts: tuple[Node, ...]


Node = Leaf | Branch


@dataclass(frozen=True)
class Circuit:
    """An equivalent circuit; made by ``parse_circuit``."""

    text: str
    root: Branch
    parameters: tuple[Parameter, ...]

    def impedance(self, frequency: Floats, values: Floats) -> Complexes:
        """Return Z (ohm, n) at frequencies (Hz, n) for parameters (m); for many at once (k, m), Z is (k, n)."""
        s = _laplace(frequency)
        values = np.asarray(values, dtype=np.float64)
        columns = list(values) if values.ndim == 1 else [column[:, None] for column in values.T]
        return _impedance(self.root, s, columns)

    def jacobian(self, frequency: Floats, values: Floats) -> tuple[Complexes, Complexes]:
        """Return Z (n) and its derivatives with respect to each parameter (n, m)."""
        s = _laplace(frequency)
        z, parts = _with_derivatives(self.root, s, [float(v) for v in values])
        derivatives = np.zeros((len(s), len(self.parameters)), dtype=np.complex128)
        for index, derivative in parts:
            derivatives[:, index] = derivative
        return z, derivatives

    def index(self, name: str) -> int:
        """Return the place of a parameter; raise ``KeyError`` if there is none of that name."""
        for index, parameter in enumerate(self.parameters):
            if parameter.name == name:
                return index
        raise KeyError(name)


def parse_circuit(text: str) -> Circuit:
    """Return the circuit that ``text`` says, such as ``R0-p(R1,CPE1)-CPE2``.

    Raises ``InvalidInput``, with the column, for anything else, for an element that is there twice, and for
    more than 200 characters, 12 elements or 6 levels of branches.
    """
    if len(text) > MAX_TEXT:
        raise InvalidInput(f"a circuit of {len(text)} characters; expected at most {MAX_TEXT}")
    depth = deepest = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise InvalidInput(f"circuit {text!r} has {deepest} levels of branches; expected at most {MAX_DEPTH}")
    return _parsed(text)


@lru_cache(maxsize=64)
def _parsed(text: str) -> Circuit:
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        column = getattr(error, "column", -1)
        where = f"column {column}" if isinstance(column, int) and column > 0 else "its end"
        raise InvalidInput(
            f"circuit {text!r} cannot be read at {where}; expected elements {', '.join(_KINDS)} with a number, "
            "joined by '-' or inside 'p(...,...)', such as 'R0-p(R1,CPE1)-CPE2'"
        ) from error
    parameters: list[Parameter] = []
    root = _branch(tree.children[0], parameters)
    names = [leaf.name for leaf in leaves(root)]
    if len(names) > MAX_ELEMENTS:
        raise InvalidInput(f"circuit {text!r} has {len(names)} elements; expected at most {MAX_ELEMENTS}")
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"circuit {text!r} has {name} twice; number its elements")
    return Circuit(text.replace(" ", ""), root, tuple(parameters))


@lru_cache(maxsize=1)
def _parser() -> Lark:
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr")


def _branch(tree: Any, parameters: list[Parameter]) -> Branch:
    return Branch(tree.data, tuple(_node(child, parameters) for child in tree.children))


def _node(tree: Any, parameters: list[Parameter]) -> Node:
    if tree.data != "element":
        return _branch(tree, parameters)
    name = str(tree.children[0])
    kind = name.rstrip("0123456789")
    leaf = Leaf(name, kind, len(parameters))
    parameters.extend(Parameter(name + suffix, unit, kind, role) for suffix, unit, role in _KINDS[kind].parameters)
    return leaf


def _laplace(frequency: Floats) -> Complexes:
    """Return s = j omega."""
    return np.asarray(2j * np.pi * np.asarray(frequency, dtype=np.float64), dtype=np.complex128)


def leaves(node: Node) -> Iterator[Leaf]:
    """Return the elements of a branch, in the order of the text."""
    if isinstance(node, Leaf):
        yield node
        return
    for part in node.parts:
        yield from leaves(part)


def _impedance(node: Node, s: Complexes, values: list[Any]) -> Complexes:
    if isinstance(node, Leaf):
        kind = _KINDS[node.kind]
        return kind.impedance(s, values[node.first : node.first + len(kind.parameters)])
    parts = [_impedance(part, s, values) for part in node.parts]
    if node.how == "series":
        return sum(parts[1:], start=parts[0])
    admittances = [1.0 / part for part in parts]
    return 1.0 / sum(admittances[1:], start=admittances[0])


def _with_derivatives(node: Node, s: Complexes, values: list[float]) -> tuple[Complexes, Derivatives]:
    if isinstance(node, Leaf):
        kind = _KINDS[node.kind]
        own: list[Any] = list(values[node.first : node.first + len(kind.parameters)])
        derivatives = kind.derivatives(s, own)
        return kind.impedance(s, own), [(node.first + k, d) for k, d in enumerate(derivatives)]
    parts = [_with_derivatives(part, s, values) for part in node.parts]
    if node.how == "series":
        z = sum((z for z, _ in parts[1:]), start=parts[0][0])
        return z, [pair for _, derivatives in parts for pair in derivatives]
    z = 1.0 / sum((1.0 / z for z, _ in parts[1:]), start=1.0 / parts[0][0])
    # Z = 1 / sum 1/Zk, so dZ/dZk = (Z/Zk)^2
    return z, [(index, (z / zk) ** 2 * d) for zk, derivatives in parts for index, d in derivatives]
