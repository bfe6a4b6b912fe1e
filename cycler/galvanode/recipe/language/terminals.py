"""The recipe's numbers as they are at the terminals of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction as Exact

from galvanode.cell import CellUnderTest
from galvanode.document import did_you_mean
from galvanode.recipe.language.known import CELL
from galvanode.recipe.language.values import C_RATE, POTENTIAL
from galvanode.units import Quantity, format_quantity

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Terminals:
    """What a cell's definition says about its size and its reference."""

    area: float
    """m2."""
    capacity: float | None = None
    """C that 1C refers to."""
    capacity_wanted: str = ""
    """What to add to the cell definition where there is none."""
    reference_offset: Exact | None = None
    """V to add to a voltage at the terminals to have it against Li+/Li; None where the cell does not say."""
    cell: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])
    """What ``$cell.area`` and the like stand for, as far as the cell's definition says."""

    def factor(self, dimension: str) -> float:
        """Return what a value of a dimension is multiplied with.

        Raises ``ValueError`` for C-rates without capacity, and per mass without mass.
        """
        if dimension in ("current_density", "areal_charge", "areal_energy"):
            return self.area
        if dimension in ("specific_charge", "specific_energy"):
            if "active_mass" not in self.cell:
                raise ValueError(
                    "but the cell does not say its active mass; add such as 'active_mass: 10 mg' to the cell"
                )
            return self.cell["active_mass"].si
        if dimension != C_RATE:
            return 1.0
        if self.capacity is None:
            raise ValueError(f"but nothing says what 1C of this cell is; add {self.capacity_wanted} to the cell")
        return self.capacity / _SECONDS_PER_HOUR

    def voltage(self, quantity: Quantity) -> Quantity:
        """Return a potential as the voltage at the terminals, and anything else as it is.

        Raises ``ValueError`` where the cell does not say how it stands to Li+/Li: 0.62 V too much is a fire.
        """
        if quantity.dimension != POTENTIAL:
            return quantity
        if self.reference_offset is None:
            raise ValueError(f"is '{quantity.text}', {_NO_REFERENCE}")
        exact = quantity.exact - self.reference_offset
        return Quantity(exact, "voltage", self.text(quantity))

    @property
    def offset(self) -> Exact:
        """V to subtract from a potential against Li+/Li. Raises ``ValueError`` where the cell does not say."""
        if self.reference_offset is None:
            raise ValueError(f"is a potential vs Li+/Li, {_NO_REFERENCE}")
        return self.reference_offset

    def unknown(self, name: str) -> str:
        """Return what is wrong with ``$cell.name``, to go on from 'which'."""
        if name in CELL:
            key = "electrolyte_thickness" if name == "thickness" else name
            return f"this cell's definition does not say; add '{key}' to the cell"
        return f"is nothing that a cell's definition says{did_you_mean(name, CELL)}"

    def text(self, quantity: Quantity) -> str:
        """Return a quantity for people; for a potential also what it is at the terminals, where that differs."""
        if quantity.dimension != POTENTIAL or not self.reference_offset:
            return quantity.text
        volts = float(quantity.exact - self.reference_offset)
        return f"{quantity.text} ({format_quantity(volts, 'voltage')} at the terminals)"


_NO_REFERENCE = (
    "but the cell does not say how its voltage stands to Li+/Li; add "
    "'reference_offset: 0 V' (lithium) or 'reference_offset: 0.62 V' (Li-In) to the cell"
)


def terminals_of(cell: CellUnderTest) -> Terminals:
    """Return what a cell's definition says."""
    if cell.active_mass is None:
        wanted = "'nominal_capacity: 2 mAh', or 'active_mass' and 'specific_capacity',"
    else:
        wanted = "'specific_capacity: 140 mAh/g' or 'nominal_capacity: 2 mAh'"
    return Terminals(
        area=cell.area,
        capacity=cell.nominal_capacity,
        capacity_wanted=wanted,
        reference_offset=Exact(repr(cell.reference_offset)) if cell.states_reference else None,
        cell=_stated(cell),
    )


def _stated(cell: CellUnderTest) -> dict[str, Quantity]:
    """Return what the definition says, exactly as far as it was written down."""
    numbers = {
        "area": cell.area,
        "thickness": cell.electrolyte_thickness,
        "active_mass": cell.active_mass,
        "nominal_capacity": cell.nominal_capacity,
        "specific_capacity": cell.specific_capacity,
        "reference_offset": cell.reference_offset if cell.states_reference else None,
        "temperature": cell.temperature,
    }
    return {
        name: Quantity(Exact(repr(number)), CELL[name], format_quantity(number, CELL[name]))
        for name, number in numbers.items()
        if isinstance(number, float)
    }
