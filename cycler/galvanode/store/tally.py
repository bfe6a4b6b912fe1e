"""What happened at a station, counted from its record: no count is lost when a process is restarted."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from galvanode.store.database import reading

_SELECT_EVENTS = """
    SELECT events.kind, json_extract(events.details, '$.state'), runs.channel, count(*), max(events.id)
    FROM events JOIN runs ON runs.number = events.run
    WHERE events.id > ? AND events.kind IN ('ended', 'late_poll', 'link', 'unsafe')
    GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Tallies:
    """Counts since the data directory was made, by channel; the runs there are, by state."""

    late_polls: Counter[str]
    link_errors: Counter[str]
    trips: Counter[str]
    unsafe: Counter[str]
    runs: Counter[str]


class Tally:
    """Counts the events of a data directory, each of them once. Safe in any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turn = threading.Lock()
        self._last_event = 0
        self._counted: Counter[tuple[str, str | None, str]] = Counter()

    def take(self) -> Tallies:
        """Return the counts as they are now. Raises ``StoreError``."""
        with self._turn, reading(self._directory) as connection:
            for kind, state, channel, count, last in connection.execute(_SELECT_EVENTS, (self._last_event,)).fetchall():
                self._counted[kind, state, channel] += count
                self._last_event = max(self._last_event, last)
            runs = connection.execute("SELECT state, count(*) FROM progress GROUP BY state").fetchall()
            return Tallies(
                late_polls=self._by_channel("late_poll"),
                link_errors=self._by_channel("link"),
                trips=self._by_channel("ended", "tripped"),
                unsafe=self._by_channel("unsafe"),
                runs=Counter(dict(runs)),
            )

    def _by_channel(self, kind: str, state: str | None = None) -> Counter[str]:
        found: Counter[str] = Counter()
        for (of_kind, of_state, channel), count in self._counted.items():
            if of_kind == kind and of_state == state:
                found[channel] += count
        return found
