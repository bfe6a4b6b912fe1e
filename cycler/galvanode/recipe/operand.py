"""Operands of a program: numbers that are known, or worked out when the instruction that uses them begins. SI."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Quantity = str
"""Name of an entry of ``galvanode.quantities``, or of an auxiliary reading. Inside a step ``time``, ``charge`` and
``energy`` are the step's so far; beside a block they are the block's; between steps (``Assign``, ``Branch``) all are
those of the step that has ended last."""

OPEN_CIRCUIT = "open_circuit"
"""Name of the variable that is the rest voltage in V, measured when the step that uses it begins."""
NOMINAL_CAPACITY = "nominal_capacity"
"""Name of the variable that is 1 h at 1C in C, in a program that sets it; in any other C-rates are plain numbers."""


class Plain(BaseModel):
    """A part of a program: frozen, and the same after a way through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Variable(Plain):
    """A number known when the instruction begins, times ``factor``: a ladder's or a set variable, ``OPEN_CIRCUIT``."""

    name: str
    factor: float = 1.0


class Result(Plain):
    """What was measured, times ``factor``: of the step that has ended last, or of the turn that has."""

    quantity: Quantity
    factor: float = 1.0


class Formula(Plain):
    """Arithmetic in SI. ``+ * min max`` take two operands or more, ``- /`` two, ``neg abs sqrt`` one."""

    op: Literal["+", "-", "*", "/", "neg", "abs", "sqrt", "min", "max"]
    of: tuple[Operand, ...]


Operand = float | Variable | Result | Formula


Formula.model_rebuild()
