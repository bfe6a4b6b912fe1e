"""What goes into the store and comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from galvanode.quantities import Auxiliary
from galvanode.states import RunState


class Sample(NamedTuple):
    """One sample: the quantities with a column (``quantities.SAMPLED``), in their order. SI units."""

    test_time: float
    unix_time: float
    voltage: float
    current: float
    cycle: int
    step_count: int
    step_id: int
    time: float
    """s since the step began."""
    temperature: float | None
    charged: float
    """C since the run began, as are the next one and the energies (J)."""
    discharged: float
    charge_energy: float
    discharge_energy: float
    record: int
    """1 for a run's first sample; each later one has one more."""
    frequency: float | None = None
    """Hz; this and the next two of a point of an impedance spectrum only."""
    real_impedance: float | None = None
    imaginary_impedance: float | None = None
    auxiliary: tuple[float | None, ...] = ()
    """One for each of the run's auxiliaries, in their order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """A run as it is submitted; none of this ever changes."""

    channel: str
    title: str
    recipe_name: str
    recipe_text: str
    cell_name: str
    cell_text: str
    parameters: dict[str, str]
    """As used, with units, for people."""
    program_json: str
    seed: int | None
    speed: float
    """Process seconds per real second; ``inf`` at full speed."""
    instrument: str
    created_unix_s: float
    area_m2: float | None
    analyses: tuple[str, ...] = ()
    auxiliaries: tuple[Auxiliary, ...] = ()
    """What is measured beside voltage and current: further columns of its samples."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord(NewRun):
    """A run as the store knows it."""

    id: str
    state: RunState
    end_reason: str | None
    started_unix_s: float | None
    ended_unix_s: float | None
    samples: int
    """Committed so far; also the ``Record Index / 1`` of the last one."""
    test_time_s: float
    """Of the last committed sample; 0 before the first."""
    position_json: str | None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One attempt of one step; a later record of the same step and attempt replaces it."""

    step_count: int
    step_id: int
    name: str
    mode: str
    cycle: int
    turn: int
    setpoint: float | None
    """A or V, by ``mode``; None for a rest."""
    started_test_time_s: float
    ended_test_time_s: float | None = None
    end_reason: str | None = None
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened and that a person may ask about."""

    run: str | None
    unix_time_s: float
    test_time_s: float | None
    kind: str
    message: str
    details: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class StoredEvent(Event):
    """An event with its place in the order of all events."""

    id: int = 0


@dataclass(frozen=True, slots=True)
class RunCommit:
    """What one run adds at one commit tick."""

    run: str
    samples: Sequence[Sample]
    position_json: str | None
    """None leaves the committed position as it is."""
    state: RunState
    end_reason: str | None
    unix_time_s: float
    steps: Sequence[StepRecord] = ()
    events: Sequence[Event] = ()
    count: int | None = None
    """How many samples the run has at this position; checked against what is stored."""
    auxiliaries: tuple[Auxiliary, ...] = ()
    """Whose readings the samples carry."""
