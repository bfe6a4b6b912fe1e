"""What the interpreter needs from the hardware under it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from galvanode_simulator.methodscript.values import Value


class ImpedanceResult(NamedTuple):
    """One frequency: the impedance and what it was computed from."""

    real: Value
    imaginary: Value
    ac_voltage: Value
    dc_voltage: Value
    ac_current: Value
    dc_current: Value


class Potentiostat(Protocol):
    """One channel. Every method raises ``Refused`` with the firmware's code. V, A, Hz and s."""

    cell_is_on: bool
    freeze_time: bool
    """A fault: the instrument's timer stands still."""

    @property
    def galvanostat(self) -> bool:
        """Whether the present mode holds a current."""
        ...

    def select_channel(self, channel: int) -> None:
        """``set_pgstat_chan``."""
        ...

    def select_mode(self, mode: int) -> None:
        """``set_pgstat_mode``."""
        ...

    def set_range(self, kind: str, largest: float) -> None:
        """``set_range``: the lowest range that takes this much."""
        ...

    def set_range_window(self, kind: str, low: float, high: float) -> None:
        """``set_range_minmax``."""
        ...

    def set_autoranging(self, kind: str, low: float, high: float) -> None:
        """``set_autoranging``."""
        ...

    def set_bandwidth(self, hertz: float) -> None:
        """``set_max_bandwidth``."""
        ...

    def set_potential(self, volts: float) -> None:
        """``set_e``."""
        ...

    def set_current(self, amps: float) -> None:
        """``set_i``."""
        ...

    def check_step(self, volts: float) -> None:
        """Refuse a potential step that the converter cannot make."""
        ...

    def check_interval(self, seconds: float) -> None:
        """Refuse an interval that is too short."""
        ...

    def check_impedance(self, galvanostatic: bool, amplitude: float, frequencies: tuple[float, float]) -> None:
        """Refuse an impedance measurement that is out of reach."""
        ...

    def switch_cell(self, on: bool) -> None:
        """``cell_on`` and ``cell_off``."""
        ...

    def measure(self, kind: str, aperture: float) -> Value:
        """Measure a quantity now; ``aperture`` is the time that it could take."""
        ...

    def set_point(self) -> Value:
        """The applied potential or current, as the converter makes it."""
        ...

    def impedance_duration(self, frequency: float) -> float:
        """Time that one frequency takes."""
        ...

    def impedance(self, frequency: float, amplitude: float) -> ImpedanceResult:
        """Measure the impedance at one frequency."""
        ...
