"""What can go wrong with the store, as types."""

from __future__ import annotations

from galvanode.errors import GalvanodeError


class StoreError(GalvanodeError):
    """The data directory is not what this program can work with, or somebody else changed it."""


class CommitRefused(StoreError):
    """A commit would lose, double or spoil samples of ``run``; nothing of it was written."""

    def __init__(self, run: str, message: str) -> None:
        self.run = run
        super().__init__(f"{run}: {message}")
