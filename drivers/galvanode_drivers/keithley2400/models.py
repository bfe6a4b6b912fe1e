"""What the models of the Keithley 2400 series can do (user's manual 2400S-900-01, specifications of 2004)."""

from __future__ import annotations

from dataclasses import dataclass

OVER_RANGE = 1.05
"""Each range works up to 105 % of its name."""


@dataclass(frozen=True)
class Model:
    """Limits of one model, V and A."""

    name: str
    voltage: float
    """Highest range."""
    current: float
    """Highest range."""
    protection: tuple[int, ...]
    """Levels of over-voltage protection (3-12)."""
    voltage_at_most_current: float
    """Highest range of voltage on the highest range of current (18-62)."""
    current_at_most_voltage: float
    """Highest range of current on the highest range of voltage."""
    smallest_current_limit: float
    """Compliance (6-2)."""
    current_floor: float
    """What a current may read wrong, whatever its size: offset of the lowest range (specifications)."""

    @property
    def highest_voltage(self) -> float:
        """V, of either sign."""
        return OVER_RANGE * self.voltage

    @property
    def highest_current(self) -> float:
        """A, of either sign."""
        return OVER_RANGE * self.current


SMALLEST_VOLTAGE_LIMIT = 200e-6
MODELS = {
    model.name: model
    for model in (
        Model("2400", 200.0, 1.0, (20, 40, 60, 80, 100, 120, 160), 20.0, 0.1, 1e-9, 300e-12),
        Model("2401", 20.0, 1.0, (20,), 20.0, 1.0, 1e-9, 300e-12),
        Model("2410", 1000.0, 1.0, (20, 40, 100, 200, 300, 400, 500), 20.0, 0.02, 1e-9, 300e-12),
        Model("2420", 60.0, 3.0, (6, 12, 18, 24, 30, 36, 48), 20.0, 1.0, 1e-8, 700e-12),
        Model("2425", 100.0, 3.0, (10, 20, 30, 40, 50, 60, 80), 20.0, 1.0, 1e-8, 700e-12),
        Model("2440", 40.0, 5.0, (4, 8, 12, 16, 20, 24, 32), 10.0, 1.0, 1e-8, 700e-12),
    )
}
