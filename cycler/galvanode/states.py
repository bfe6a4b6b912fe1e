"""The states of a run and of a channel: written here, and nowhere else."""

from __future__ import annotations

from typing import Literal, NamedTuple

RunState = Literal[
    "queued",
    "running",
    "waiting",
    "paused",
    "completed",
    "stopped",
    "tripped",
    "interrupted",
    "communication_lost",
    "failed",
]
ChannelState = Literal["idle", "running", "waiting", "paused", "unsafe", "lost"]
"""What a channel does, or why it takes no run."""

Tone = Literal["off", "run", "good", "warn", "bad", "danger", "ask"]


class Shown(NamedTuple):
    """How a state is shown: its colour, and the shape that tells it apart without one."""

    tone: Tone
    shape: str


SHOWN: dict[str, Shown] = {
    "queued": Shown("warn", "queued"),
    "running": Shown("run", "running"),
    "waiting": Shown("ask", "waiting"),
    "paused": Shown("warn", "paused"),
    "completed": Shown("good", "completed"),
    "stopped": Shown("off", "stopped"),
    "tripped": Shown("bad", "unsafe"),
    "interrupted": Shown("warn", "paused"),
    "communication_lost": Shown("bad", "lost"),
    "failed": Shown("bad", "lost"),
    "idle": Shown("off", "idle"),
    "unsafe": Shown("danger", "unsafe"),
    "lost": Shown("bad", "lost"),
}
"""Every state of a run or a channel."""

FINISHED: frozenset[RunState] = frozenset(("completed", "stopped", "tripped", "communication_lost", "failed"))
"""Nothing comes after them."""

UNDER_WAY: frozenset[RunState] = frozenset(("running", "waiting", "paused"))
"""A channel carries the run out, or holds its position."""
