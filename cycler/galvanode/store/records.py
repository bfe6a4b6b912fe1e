"""What goes into the store and comes out of it, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord(NewRun):
    """A run as the store knows it."""

    id: str
    state: str
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
    rows: Sequence[tuple[Any, ...]]
    """Samples in the order of ``SAMPLE_SCHEMA``."""
    position_json: str | None
    """None leaves the committed position as it is."""
    state: str
    end_reason: str | None
    unix_time_s: float
    steps: Sequence[StepRecord] = ()
    events: Sequence[Event] = ()
    samples: int | None = None
    """How many samples the run has at this position; checked against what is stored."""
