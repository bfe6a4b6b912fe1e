"""What a person has agreed to leave out of a conversion, and what then was."""

from __future__ import annotations

from collections.abc import Iterable

from galvanode.document import did_you_mean
from galvanode.errors import InvalidInput

PARTS = ("safety", "record", "analysis", "chamber")
"""Parts that may be left out: without them the same is done to the cell, on another program's own terms."""


class Leaving:
    """Nothing is left out but these parts; everything that was is noted."""

    def __init__(self, parts: Iterable[str] = ()) -> None:
        self._parts = tuple(parts)
        self.notes: list[str] = []
        """One line each, for people."""
        for part in self._parts:
            if part not in PARTS:
                raise InvalidInput(f"--leave-out '{part[:40]}'{did_you_mean(part, PARTS)}")

    def part(
        self, part: str, what: str, source: str, line: int | None, column: int | None = None, where: str = ""
    ) -> None:
        """Note that ``what`` is left out. Raises ``InvalidInput`` at its place where nobody agreed to that."""
        if part not in self._parts:
            said = f"{where}: {what}" if where else what
            raise InvalidInput(
                f"{said} ('--leave-out {part}' converts without it)", source=source, line=line, column=column
            )
        self.note(f"left out: {what}")

    def note(self, text: str) -> None:
        """Note something that a person should know, once."""
        if text not in self.notes:
            self.notes.append(text)
