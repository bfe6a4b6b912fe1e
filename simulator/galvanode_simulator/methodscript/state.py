"""What a running script remembers beside its variables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from galvanode_simulator.methodscript.errors import Code
from galvanode_simulator.methodscript.memory import Memory
from galvanode_simulator.methodscript.potentiostat import Potentiostat
from galvanode_simulator.methodscript.values import Value


@dataclass
class State:
    """One run at one potentiostat."""

    unit: Potentiostat
    send: Callable[[str], None]
    """Receives each output line."""
    memory: Memory = field(default_factory=Memory)
    now: float = 0.0
    """Script time, s."""
    spent: float = 0.0
    """Time that commands have taken since then, s."""
    output: bool = True
    """``set_script_output``."""
    package: list[Value] | None = None
    """Between ``pck_start`` and ``pck_end``."""
    timer: float = 0.0
    timer_read: float = 0.0
    interval: float = 0.0
    next_interval: float = math.nan
    """When ``await_int`` goes on."""
    measuring: bool = False
    """Whether a measurement loop runs."""
    late: bool = False
    """Whether the present point of it came too late."""
    finishing: bool = False
    """Whether ``on_finished:`` is being carried out."""
    fail_with: Code | None = None
    """A fault: the next measurement ends with this error."""

    @property
    def instant(self) -> float:
        """Script time with what the last commands have taken."""
        return self.now + self.spent

    def emit(self, line: str) -> None:
        """Send a line, unless the script has switched its output off."""
        if self.output:
            self.send(line)
