"""A cell that allows everything: for recipes that are to be compiled and depend on none."""

from __future__ import annotations

from functools import lru_cache

from galvanode.cell import CellUnderTest, parse_cell


@lru_cache(maxsize=4)
def any_cell(area_cm2: int = 1) -> CellUnderTest:
    """Return it. It has no mass, and does not say how it stands to Li+/Li.

    Its capacity is so small that no C-rate passes a limit of the recipe's own.
    """
    return parse_cell(
        f"""\
name: any cell
area: {area_cm2} cm^2
electrolyte_thickness: unknown
temperature: unknown
stack_pressure: unknown
nominal_capacity: 1e-9 Ah
envelope: {{voltage: {{min: -1000000 V, max: 1000000 V}}, current: {{max: 1000000 A}}}}
""",
        "any cell",
    )
