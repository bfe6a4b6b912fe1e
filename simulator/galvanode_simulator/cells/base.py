"""What an instrument can do to a cell, whatever the cell is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Cell(Protocol):
    """Two terminals. Current is positive when it charges the cell (A), voltage is at the terminals (V).

    Time passes only inside ``hold_current`` and ``hold_voltage``; ``voltage`` and ``current`` look at the
    present instant and change nothing. For piecewise constant current the result does not depend on how
    an interval is split.
    """

    voltage_noise: float
    """The cell's own voltage noise, V rms."""
    on_event: Callable[[str, dict[str, Any]], None] | None
    """Called with what happens inside the cell (``"short"``) and its details."""

    def set_temperature(self, kelvin: float) -> None:
        """Set the temperature that the cell feels from now on."""
        ...

    def hold_current(self, amps: float, duration: float) -> None:
        """Let ``duration`` seconds pass at a constant terminal current."""
        ...

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Let time pass at a constant terminal voltage; return the seconds that passed.

        Fewer than ``duration`` when the cell itself changed (a short), so that a source can look again
        whether it can still hold the voltage.
        """
        ...

    def voltage(self, amps: float) -> float:
        """Terminal voltage now, if this current flows now."""
        ...

    def current(self, volts: float) -> float:
        """Terminal current now, if this voltage is held now."""
        ...

    def voltage_bound(self, amps: float) -> float:
        """Return a magnitude that the voltage cannot exceed while this current is held."""
        ...

    def voltage_after(self, amps: float, duration: float) -> float:
        """Terminal voltage after ``duration`` seconds at a constant current; changes nothing."""
        ...
