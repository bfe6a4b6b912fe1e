"""One cell wired to several instruments, of which one at most drives it.

Instruments live lazily, each up to when it was last asked. The cell itself lives once: it rests for as long as
nobody drives it, and before an instrument looks at it the others catch up with what they have done to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from galvanode.clock import process_clock
from galvanode_simulator.cells import Cell

_TOLERANCE_S = 0.01
"""Instruments of one bench are built within milliseconds, and each counts from then."""


class SharedCell:
    """The cell and up to when it has lived."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.lived = process_clock().now()
        self._terminals: list[Terminal] = []
        self._catching_up = False

    def terminal(self, advance: Callable[[], None]) -> Terminal:
        """Wire one more instrument; ``advance`` lets it live until now."""
        terminal = Terminal(self, advance)
        self._terminals.append(terminal)
        return terminal

    def bring_to(self, time: float, asking: Terminal) -> None:
        """Let the cell live until a time: with what the others have done, and at rest for what is left."""
        if self.lived >= time:
            return
        if not self._catching_up:
            self._catching_up = True
            try:
                for terminal in self._terminals:
                    if terminal is not asking:
                        terminal.advance()
            finally:
                self._catching_up = False
        if self.lived < time:
            self.cell.hold_current(0.0, time - self.lived)
            self.lived = time

    def conflict(self) -> None:
        """Tell that two instruments drive the cell at once."""
        if self.cell.on_event is not None:
            self.cell.on_event("driven_by_two", {})


class Terminal:
    """The cell as one instrument sees it. Whatever is not of the protocol is the cell's own."""

    def __init__(self, shared: SharedCell, advance: Callable[[], None]) -> None:
        self._shared = shared
        self.advance = advance
        self._time = process_clock().now()
        self.on_event: Callable[[str, dict[str, Any]], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shared.cell, name)

    @property
    def voltage_noise(self) -> float:
        """The cell's own voltage noise, V rms."""
        return self._shared.cell.voltage_noise

    def set_temperature(self, kelvin: float) -> None:
        """Set the temperature that the cell feels from now on."""
        self._shared.cell.set_temperature(kelvin)

    def hold_current(self, amps: float, duration: float) -> None:
        """Let time pass at a current. Without one the cell is left to others; it rests if there are none."""
        start = self._time
        self._time += duration
        if amps == 0.0:
            return
        shared = self._shared
        shared.bring_to(start, self)
        left = self._time - shared.lived
        if left < duration - _TOLERANCE_S:
            shared.conflict()
        if left > 0.0:
            shared.cell.hold_current(amps, left)
            shared.lived = self._time

    def hold_voltage(self, volts: float, duration: float) -> float:
        """Let time pass at a voltage; return the seconds that passed."""
        shared = self._shared
        start = self._time
        shared.bring_to(start, self)
        already = max(0.0, shared.lived - start)
        if already > _TOLERANCE_S:
            shared.conflict()
        if already >= duration:
            self._time += duration
            return duration
        passed = shared.cell.hold_voltage(volts, duration - already)
        shared.lived = self._time = start + already + passed
        return already + passed

    def voltage(self, amps: float) -> float:
        """Terminal voltage now, if this current flows now."""
        return self._present().voltage(amps)

    def current(self, volts: float) -> float:
        """Terminal current now, if this voltage is held now."""
        return self._present().current(volts)

    def voltage_bound(self, amps: float) -> float:
        """Return a magnitude that the voltage cannot exceed while this current is held."""
        return self._present().voltage_bound(amps)

    def voltage_after(self, amps: float, duration: float) -> float:
        """Terminal voltage after ``duration`` seconds at a constant current; changes nothing."""
        return self._present().voltage_after(amps, duration)

    def impedance(self, frequency_hz: float, amps: float = 0.0) -> complex:
        """Small-signal impedance now, ohm."""
        return self._present().impedance(frequency_hz, amps)

    def _present(self) -> Cell:
        self._shared.bring_to(self._time, self)
        return self._shared.cell
