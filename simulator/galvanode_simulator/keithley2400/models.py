"""The models of the 2400 series: ranges, levels of protection and what goes together (user's manual 2400S-900-01)."""

from __future__ import annotations

from dataclasses import dataclass

_MICRO_TO_AMP = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_TEN_MICRO_TO_AMP = _MICRO_TO_AMP[1:]


@dataclass(frozen=True)
class Model:
    """One model. V and A."""

    name: str
    voltages: tuple[float, ...]
    currents: tuple[float, ...]
    protection: tuple[float, ...]
    """Levels of over-voltage protection; beyond the last there is none (3-12)."""
    widest_voltage: float
    """Highest range of voltage on the highest range of current; and (18-62):"""
    widest_current: float
    """highest range of current on the highest range of voltage."""
    smallest_limit: float
    """Lowest current compliance (6-2)."""

    @property
    def resistances(self) -> tuple[float, ...]:
        """Ranges of the ohmmeter."""
        return (20.0, 2e2, 2e3, 2e4, 2e5, 2e6, 2e7, 2e8)


MODELS = {
    model.name: model
    for model in (
        Model("2400", (0.2, 2.0, 20.0, 200.0), _MICRO_TO_AMP, (20, 40, 60, 80, 100, 120, 160), 20.0, 0.1, 1e-9),
        Model("2401", (0.2, 2.0, 20.0), _MICRO_TO_AMP, (20,), 20.0, 1.0, 1e-9),
        Model(
            "2410",
            (0.2, 2.0, 20.0, 1000.0),
            (1e-6, 1e-5, 1e-4, 1e-3, 2e-2, 1e-1, 1.0),
            (20, 40, 100, 200, 300, 400, 500),
            20.0,
            0.02,
            1e-9,
        ),
        Model("2420", (0.2, 2.0, 20.0, 60.0), (*_TEN_MICRO_TO_AMP, 3.0), (6, 12, 18, 24, 30, 36, 48), 20.0, 1.0, 1e-8),
        Model(
            "2425", (0.2, 2.0, 20.0, 100.0), (*_TEN_MICRO_TO_AMP, 3.0), (10, 20, 30, 40, 50, 60, 80), 20.0, 1.0, 1e-8
        ),
        Model("2440", (0.2, 2.0, 10.0, 40.0), (*_TEN_MICRO_TO_AMP, 5.0), (4, 8, 12, 16, 20, 24, 32), 10.0, 1.0, 1e-8),
    )
}
