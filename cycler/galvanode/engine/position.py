"""Where a run stands, as a value: all that is needed to go on from here after a restart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

FORMAT = 2
"""Version of the stored layout; another one is refused by name."""


@dataclass(slots=True)
class LoopPosition:
    """One loop that the run is inside of."""

    turn: int
    """0-based."""
    started_s: float
    """Test time at which the loop began, s."""
    endings: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """State of what ends it (``stop_when``)."""
    charge_began_c: float = 0.0
    """Cumulative charge when the block began, C."""
    discharge_began_c: float = 0.0
    energy_began_j: float = 0.0
    """Cumulative energy of both directions then."""
    charge_before_c: float = 0.0
    """Cumulative charge when the turn began, C."""
    discharge_before_c: float = 0.0
    references_c: dict[str, float] = field(default_factory=dict[str, float])
    """Turn (1-based) -> its discharge capacity, of the turns that retention is measured by, C."""


@dataclass(slots=True)
class Position:
    """Program counter, loops, variables, timers, charge and energy of one run. SI units."""

    instruction: int = 0
    in_step: bool = False
    """The step at ``instruction`` has begun; its timers below hold."""
    loops: dict[str, LoopPosition] = field(default_factory=dict[str, LoopPosition])
    variables: dict[str, float] = field(default_factory=dict[str, float])
    cycle: int = 0
    step_count: int = 0
    """Steps begun so far; never resets."""
    attempt: int = 1
    """1 until the current step is taken up again after an interruption."""
    step_time_s: float = 0.0
    step_charge_c: float = 0.0
    """Integral of |I| dt in this step."""
    step_energy_j: float = 0.0
    step_highest: float | None = None
    """Highest voltage of this step so far, V."""
    step_lowest: float | None = None
    test_time_s: float = 0.0
    away_s: float = 0.0
    """Test time during which the run was paused or had no engine; loops bounded in time do not count it."""
    unix_time_s: float = 0.0
    """Process UTC of the last reading."""
    charge_c: float = 0.0
    discharge_c: float = 0.0
    charge_energy_j: float = 0.0
    discharge_energy_j: float = 0.0
    samples: int = 0
    fetched: int = 0
    """Number of the last record that was taken from an instrument that numbers its own; 0 before the first."""
    left_early: str | None = None
    """Why the last repeat that something ended early was left, or why the run was ended."""
    last_step: dict[str, float] = field(default_factory=dict[str, float])
    """What was measured in the step that has ended last: voltage, current, time, charge, energy ..."""
    last_turn: dict[str, float] = field(default_factory=dict[str, float])
    """Cycle quantities of the cycle that has ended last."""
    jumps: dict[str, int] = field(default_factory=dict[str, int])
    """How often each ``goto`` was taken."""

    def count(self, charge: float, voltage: float) -> None:
        """Count a charge (C, with its sign) that passed at a voltage."""
        if charge >= 0:
            self.charge_c += charge
            self.charge_energy_j += voltage * charge
        else:
            self.discharge_c -= charge
            self.discharge_energy_j -= voltage * charge

    def to_json(self) -> str:
        """Serialise."""
        # Once per commit of every run: the values are plain already, and a copy of each costs more than the text.
        data = {"format": FORMAT, **{name: getattr(self, name) for name in _FIELDS}}
        data["loops"] = {
            loop_id: {name: getattr(loop, name) for name in _LOOP_FIELDS} for loop_id, loop in self.loops.items()
        }
        return json.dumps(data, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Position:
        """Restore. Raises ``ValueError`` for a position of another version, or for what is none."""
        data = json.loads(text)
        version = data.pop("format", None)
        if version != FORMAT:
            raise ValueError(f"the stored position has format {version}; this version reads format {FORMAT}")
        try:
            data["loops"] = {name: LoopPosition(**loop) for name, loop in data["loops"].items()}
            return cls(**data)
        except (TypeError, KeyError) as error:
            raise ValueError(f"the stored position is damaged: {error}") from error


_FIELDS = tuple(item.name for item in fields(Position))
_LOOP_FIELDS = tuple(item.name for item in fields(LoopPosition))
