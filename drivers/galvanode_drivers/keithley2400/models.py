"""What the models of the Keithley 2400 series can do (user's manual 2400S-900-01, specifications of 2004)."""

from __future__ import annotations

from dataclasses import dataclass

from galvanode.instrument.accuracy import Accuracy, RangeAccuracy

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
    accuracy: Accuracy | None = None

    @property
    def highest_voltage(self) -> float:
        """V, of either sign."""
        return OVER_RANGE * self.voltage

    @property
    def highest_current(self) -> float:
        """A, of either sign."""
        return OVER_RANGE * self.current


_LOW_VOLTAGES = (RangeAccuracy(0.2, 1.2e-4, 300e-6), RangeAccuracy(2.0, 1.2e-4, 300e-6))
_LOW_CURRENTS = (
    RangeAccuracy(1e-5, 2.7e-4, 700e-12),
    RangeAccuracy(1e-4, 2.5e-4, 6e-9),
    RangeAccuracy(1e-3, 2.7e-4, 60e-9),
    RangeAccuracy(1e-2, 3.5e-4, 600e-9),
    RangeAccuracy(1e-1, 5.5e-4, 6e-6),
)
_HELD = "page 2: measure, one year, 18 to 28 degC"
_2400_CURRENTS = (RangeAccuracy(1e-6, 2.9e-4, 300e-12), *_LOW_CURRENTS, RangeAccuracy(1.0, 2.2e-3, 570e-6))
_2400 = Accuracy(
    (*_LOW_VOLTAGES, RangeAccuracy(20.0, 1.5e-4, 1.5e-3), RangeAccuracy(200.0, 1.5e-4, 10e-3)),
    _2400_CURRENTS,
    f"SPEC-2400 Rev. H, {_HELD}",
)
_2425 = Accuracy(
    (*_LOW_VOLTAGES, RangeAccuracy(20.0, 1.5e-4, 1e-3), RangeAccuracy(100.0, 1.5e-4, 5e-3)),
    (*_LOW_CURRENTS, RangeAccuracy(1.0, 6.0e-4, 570e-6), RangeAccuracy(3.0, 5.2e-4, 1.71e-3)),
    f"SPEC-2425 Rev. C, {_HELD}",
)
_2440 = Accuracy(
    (*_LOW_VOLTAGES, RangeAccuracy(10.0, 1.5e-4, 750e-6), RangeAccuracy(40.0, 1.5e-4, 3e-3)),
    (*_LOW_CURRENTS, RangeAccuracy(1.0, 6.0e-4, 570e-6), RangeAccuracy(5.0, 1.0e-3, 3.42e-3)),
    f"SPEC-2440 Rev. C, {_HELD}",
)
SMALLEST_VOLTAGE_LIMIT = 200e-6
MODELS = {
    model.name: model
    for model in (
        Model("2400", 200.0, 1.0, (20, 40, 60, 80, 100, 120, 160), 20.0, 0.1, 1e-9, 300e-12, _2400),
        Model("2401", 20.0, 1.0, (20,), 20.0, 1.0, 1e-9, 300e-12),
        Model("2410", 1000.0, 1.0, (20, 40, 100, 200, 300, 400, 500), 20.0, 0.02, 1e-9, 300e-12),
        Model("2420", 60.0, 3.0, (6, 12, 18, 24, 30, 36, 48), 20.0, 1.0, 1e-8, 700e-12),
        Model("2425", 100.0, 3.0, (10, 20, 30, 40, 50, 60, 80), 20.0, 1.0, 1e-8, 700e-12, _2425),
        Model("2440", 40.0, 5.0, (4, 8, 12, 16, 20, 24, 32), 10.0, 1.0, 1e-8, 700e-12, _2440),
    )
}
